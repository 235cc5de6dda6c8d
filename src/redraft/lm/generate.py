"""Draw tokens: many drafts side by side, each with its own stream of random numbers.

In: a model and drafts, each a student and the ids so far. Out: the same drafts, gone on to their end token or as far
as they may, each as soon as it is done; the next one takes its place in the batch at once.

Each token is drawn from the model's distribution with the random number that belongs to its draft and place: what may
come at all says the codec's grammar, and decisions on how a trace goes on keep their probabilities (`nucleus`). What a
draft is guessed to go on with is only looked at in the same step: a guess is kept while it equals the draw. So
neither guesses nor by whom a draft is surrounded change it; they change its logits by rounding alone, and not even so
where compiled loops draw (small models on CPUs).

A model that was trained to see after each state what its student saw is told so while it draws: the program is handed
to whoever can say (`tell`), and the answer is put in before the draft goes on.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache
from itertools import chain, islice
from queue import SimpleQueue

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from redraft.errors import InputError
from redraft.lm.cache import Step, make_step
from redraft.lm.checkpoint import Model
from redraft.lm.codec.grammar import GOES_ON, TRACE_ENDS, Grammar, May
from redraft.lm.decode import Decoder
from redraft.lm.fastest import decoder_for
from redraft.lm.neural_cache.mixture import Past
from redraft.lm.nucleus import Groups, probabilities_of
from redraft.lm.settings import SampleConfig
from redraft.lm.speculate import Copies, Memory
from redraft.progress import say

Tell = Callable[[Sequence[str]], Sequence[str | None]]
"""Programs -> what their student saw of each: nothing if it ran, else the error message; None: not known."""

STEP_TOKENS = 2048
"""New tokens in a step beyond which no further draft is begun in it: long prefixes take turns."""
GUESSES = 32
"""Guessed tokens in a step, at most, shared among the drafts. In a large batch a guess costs as much as a token."""


@dataclass(kw_only=True)
class Draft:
    """A trace while it is being drawn."""

    student: int
    """Row of its student."""
    ids: list[int]
    """What is there so far, without the placeholder; at first the prefix."""
    stream: tuple[int | str, ...]
    """Seed, request and number: what its random numbers depend on."""
    past: Past | None = None
    """What its student wrote before, to be mixed into what the model says; None: nothing."""
    rounds: int = 0
    """Contexts filled."""

    def uniforms(self, n: int) -> NDArray[np.float64]:
        """`n` numbers in [0, 1) for the coming round."""
        key = hashlib.sha256(json.dumps([*self.stream, self.rounds]).encode()).digest()
        return np.random.Generator(np.random.Philox(key=int.from_bytes(key[:16]))).random(n)


def generate(
    model: Model, drafts: Iterable[Draft], config: SampleConfig, done: Callable[[float], None] = lambda _: None,
    tell: Tell | None = None,
) -> None:  # fmt: skip
    """Go on with each draft, in place, as `drawn` does; `done` is told of each draft that is finished."""
    for _ in drawn(model, drafts, config, tell):
        done(1)


@torch.inference_mode()
def drawn(model: Model, drafts: Iterable[Draft], config: SampleConfig, tell: Tell | None = None) -> Iterator[Draft]:
    """Go on with each draft, in place, until its end token or until it has filled `config.rounds` contexts.

    From a full context a draft goes on as the codec says, like a chunk in training.

    Args:
        model: Draws the tokens.
        drafts: Student, prefix and random stream of each; asked for one by one, as there is room, by any thread.
        config: Nucleus, rounds and batch size.
        tell: Says of programs what their student saw, for a model trained with feedback; None: nothing is known. Also
            called by any thread, but by one at a time.

    Yields:
        Each draft as soon as it is finished.

    Raises:
        InputError: A prefix leaves no room in the context.
    """
    waiting = iter(drafts)
    first = list(islice(waiting, config.batch))
    if not first:
        return
    model.lm.eval()
    decoders = _decoders(model, len(first))
    rules = _Rules(model, config)
    desk = _Desk(chain(first, waiting), rules, tell, guesses=GUESSES // len(decoders))
    servers = [_serve(model, decoder, rows, desk) for decoder, rows in decoders]
    yield from servers[0] if len(servers) == 1 else _side_by_side(servers, desk)


def _decoders(model: Model, rows: int) -> list[tuple[Decoder, int]]:
    """Decoders that draw side by side, each with its share of the rows.

    A small model's operations are over sooner than threads that share one are started, and its rows need nothing of
    one another: a thread for each share. A large model's operations are left to torch's own threads.
    """
    first = decoder_for(model.lm, 1)
    _say_once(f"drawing with {first.name}")
    n = min(rows, torch.get_num_threads()) if first.small else 1
    shares = [rows // n + (i < rows % n) for i in range(n)]
    return [(first.beside(share), share) for share in shares]


_say_once = cache(say)
"""A line that a process prints no second time."""


class _Rules:
    """How tokens are drawn, and which may come.

    Args:
        model: Whose codec it is.
        config: How to draw.
    """

    def __init__(self, model: Model, config: SampleConfig) -> None:
        self.config = config
        self._codec = model.codec
        self._exact = config.endings == "exact"
        self._anything: May = np.full(model.lm.lm.config.vocab_size, GOES_ON, np.int8)
        if self._codec.end_id >= 0:
            self._anything[self._codec.end_id] = TRACE_ENDS

    def grammar(self, ids: Sequence[int]) -> Grammar | None:
        """The place in the grammar behind `ids`; None: anything may come."""
        if not self.config.grammar:
            return None
        grammar = self._codec.grammar(ids)
        if grammar is None:
            _say_once("this model's codec has no grammar: what it draws need not be valid")
        return grammar

    def groups(self, places: Sequence[Grammar | None], device: torch.device) -> Groups | None:
        """What each id would say at each place; None: everything may come, and all in one group."""
        if not self._exact and places[0] is None:
            return None
        mays = [self._anything if place is None else place.may for place in places]
        line_of = {id(may): may for may in mays}
        kinds_SV = np.stack(list(line_of.values()))
        if not self._exact:
            np.minimum(kinds_SV, GOES_ON, out=kinds_SV)
        lines = {key: line for line, key in enumerate(line_of)}
        lines_B = torch.tensor([lines[id(may)] for may in mays])
        return Groups(torch.from_numpy(kinds_SV).to(device), lines_B.to(device))


class _Desk:
    """Where those who draw get their drafts, and answers on programs; one at a time.

    Args:
        drafts: What there is to do.
        rules: How to draw.
        tell: Says of programs what their student saw.
        guesses: Guessed tokens in a step of each, at most.
    """

    def __init__(self, drafts: Iterator[Draft], rules: _Rules, tell: Tell | None, *, guesses: int) -> None:
        self._drafts, self._tell = drafts, tell
        self._drafts_lock, self._tell_lock = threading.Lock(), threading.Lock()
        self.rules, self.guesses = rules, guesses
        self.closed = False

    def next(self) -> Draft | None:
        """The next draft; None: there are no more."""
        with self._drafts_lock:
            return None if self.closed else next(self._drafts, None)

    def tell(self, rows: Sequence[_Row]) -> None:
        """Put in what students saw of the programs that were just ended."""
        ended = [row for row in rows if row.has_run]
        if self._tell and ended:
            with self._tell_lock:
                messages = self._tell([row.program for row in ended])
            for row, message in zip(ended, messages, strict=True):
                if message is not None:
                    row.hear(message)


def _serve(model: Model, decoder: Decoder, places: int, desk: _Desk) -> Iterator[Draft]:
    """Draw drafts from the desk, `places` at a time, until there are no more."""
    memory = Memory()
    free = list(reversed(range(places)))
    rows: list[_Row] = []
    while not desk.closed:
        tokens = 0
        while free and tokens < STEP_TOKENS and (draft := desk.next()):
            rows.append(_Row(model, draft, free.pop(), memory, desk.rules.grammar(draft.ids)))
            tokens += len(rows[-1].new)
        if not rows:
            return
        _advance(rows, decoder, desk)
        desk.tell(rows)
        for row in [row for row in rows if row.full]:
            if row.draft.ids[-1] != model.codec.end_id and row.draft.rounds < desk.rules.config.rounds:
                row.begin()
            else:
                rows.remove(row)
                free.append(row.place)
                yield row.draft


def _side_by_side(servers: Sequence[Iterator[Draft]], desk: _Desk) -> Iterator[Draft]:
    """What all draw, each in a thread of its own. None waits for another; a failure of one ends all."""
    finished: SimpleQueue[Draft | None] = SimpleQueue()

    @torch.inference_mode()
    def draw(server: Iterator[Draft]) -> None:
        torch.set_num_threads(1)  # of this thread's operations
        try:
            for draft in server:
                finished.put(draft)
        except BaseException:
            desk.closed = True
            raise
        finally:
            finished.put(None)

    before = torch.get_num_threads()
    with ThreadPoolExecutor(len(servers), "sampling") as crew:
        try:
            at_work = [crew.submit(draw, server) for server in servers]
            left = len(at_work)
            while left:
                draft = finished.get()
                if draft is None:
                    left -= 1
                else:
                    yield draft
            for each in at_work:
                each.result()
        finally:
            desk.closed = True
            torch.set_num_threads(before)  # for threads to come, whose number is that set last


class _Row:
    """A draft in the batch.

    Args:
        model: Whose context it fills.
        draft: The draft.
        place: Its row of the cache.
        memory: Of all drafts, for guesses.
        grammar: What may come next; None: anything.
    """

    def __init__(self, model: Model, draft: Draft, place: int, memory: Memory, grammar: Grammar | None) -> None:
        self._model, self.draft, self.place = model, draft, place
        draft.ids += model.codec.shown(draft.ids)
        self._copies = Copies(draft.ids, memory)
        self._stops = {model.codec.end_id, model.codec.run_id, *model.codec.shows_ids}
        self.grammars = [grammar]
        """Where it stands, and behind each guess."""
        self.begin()

    def begin(self) -> None:
        """Begin a context, with the prefix or with the end of the context before."""
        model, draft = self._model, self.draft
        length = model.lm.context - 1
        head = model.codec.restart(draft.ids, length) if draft.rounds else draft.ids
        self._room = length - len(head)
        if self._room < 1:
            raise InputError(
                f"a prefix of {len(head)} tokens leaves no room in a context of {model.lm.context}.",
                remedy="Use a model with a longer context.",
            )
        self._uniforms = draft.uniforms(self._room)
        self._drawn = 0
        self.full = False
        self.start = 0  # tokens in the cache
        self.new = [model.codec.student_id, *head]  # those after them
        self.guessed: list[int] = []  # what may come then

    def guess(self, limit: int) -> None:
        """Guess what comes next, as far as it may."""
        self.guessed = self._copies.guess(min(limit, self._room - self._drawn - 1))
        for n, token in enumerate(self.guessed):
            grammar = self.grammars[-1]
            if token in self._stops or (grammar and grammar.may[token] < 0):
                del self.guessed[n:]
                break
            self.grammars.append(grammar and grammar.after(token))

    @property
    def uniforms(self) -> NDArray[np.float64]:
        """The numbers that draw the token after the new ones, and those after each guess."""
        return self._uniforms[self._drawn : self._drawn + 1 + len(self.guessed)]

    @property
    def has_run(self) -> bool:
        """Whether a program was just ended, of which its student saw something."""
        return self.draft.ids[-1] == self._model.codec.run_id

    @property
    def program(self) -> str:
        """The program that was just ended."""
        states = self._model.codec.decode(self.draft.ids, whole=True).states
        return states[-1].code if states else ""

    def hear(self, message: str) -> None:
        """Put in what the student saw of the last program."""
        self._put(self._model.codec.feedback(message))

    def take(self, tokens: Sequence[int]) -> None:
        """Keep draws as long as each was preceded by right guesses; some ids have what isn't drawn behind them."""
        right = 0
        while right < len(self.guessed) and tokens[right] == self.guessed[right]:
            right += 1
        self._copies.learn(right, len(self.guessed))
        self.draft.ids += tokens[: right + 1]
        self._drawn += right + 1
        self.start += len(self.new) + right
        grammar = self.grammars[right]
        self.grammars = [grammar and grammar.after(tokens[right])]
        self.new, self.guessed = [tokens[right]], []
        if tokens[right] == self._model.codec.end_id or self._drawn == self._room:
            self._fill()
        self._put(self._model.codec.shown(self.draft.ids, self.grammars[0]))

    def _put(self, ids: Sequence[int]) -> None:
        """Put in ids that aren't drawn."""
        self.draft.ids += ids
        if self.full:
            return  # the next context, if any, begins with them
        self.new += ids
        self._drawn += len(ids)
        if self._drawn >= self._room:
            self._fill()

    def _fill(self) -> None:
        self.full = True
        self.draft.rounds += 1


def _advance(rows: Sequence[_Row], decoder: Decoder, desk: _Desk) -> None:
    """A step of the model for all rows: each draws a token, and more where it had guessed right."""
    for row in rows:
        row.guess(desk.guesses // len(rows))
    step = make_step(
        [row.place for row in rows],
        [row.start for row in rows],
        [row.new + row.guessed for row in rows],
        [1 + len(row.guessed) for row in rows],
        [row.draft.student for row in rows],
        decoder.model.device,
    )
    config, device = desk.rules.config, decoder.model.device
    groups = desk.rules.groups([grammar for row in rows for grammar in row.grammars], device)
    with _one_thread() if decoder.small else nullcontext():
        uniforms_M = torch.from_numpy(np.concatenate([row.uniforms for row in rows])).to(device)
        probabilities_MV = probabilities_of(_logits(rows, decoder, step), config.temperature)
        tokens = decoder.draw(probabilities_MV, uniforms_M, top_p=config.top_p, groups=groups).tolist()
    for row in rows:
        n = 1 + len(row.guessed)
        row.take(tokens[:n])
        tokens = tokens[n:]


def _logits(rows: Sequence[_Row], decoder: Decoder, step: Step) -> Tensor:
    """What is likely for each row, its student's past mixed in: a place at a time, so that others don't change it."""
    if not any(row.draft.past for row in rows):
        return decoder.logits(step)
    logits_MV, hidden_MD = decoder.read(step)
    logits_MV = logits_MV.to(torch.promote_types(logits_MV.dtype, torch.float32))
    pasts = [row.draft.past for row in rows for _ in range(1 + len(row.guessed))]
    for line, past in enumerate(pasts):
        if past:
            logits_MV[line] = decoder.mix(logits_MV[line : line + 1], hidden_MD[line : line + 1], past)[0]
    return logits_MV


@contextmanager
def _one_thread() -> Iterator[None]:
    """Each operation by one thread."""
    before = torch.get_num_threads()
    if before == 1:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
