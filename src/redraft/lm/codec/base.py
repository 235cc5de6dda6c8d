"""What every codec is: traces to token ids and back, with all that codecs share.

In: traces and a tokenizer. Out: lists of ids, without the student's placeholder, which the batch puts before them.

    TITLE <start> STATE STATE ... <|endoftext|>

How titles and states are written is the codec's own. Three options work in every codec:

- `relative_time`: a state says the seconds since the state before, the first one its date and time (see `headers`).
- `done`: a state ends with the token DONE, which is learned.
- `feedback`: a state ends with the token RUN, DONE or not; then, if a verdict on the program was handed in, stands what
  the student saw: ERROR, the message, SEEN (no message: it ran). These are told to the model; it is never asked to
  predict them.

Ids of three kinds, told by `learned` and `charged`:

- given: what was taken over from the chunk before, what the model is told (feedback, echoes), masks; never learned.
- learned: what training's loss is a mean of.
- charged: what makes up a **trace's bits**: the sum, over the chunks of a trace, of -log2 p of each charged id. They
  are all ids after the start token that aren't given: programs, times, the ending if there is one. The title, the
  start token, masks and padding aren't charged. Each codec writes every program, every time to the second and the
  ending, so none leaves out anything that had to be charged otherwise, and bits compare across codecs, tokenizers and
  options; but bits with feedback are those of traces whose feedback is known.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from redraft.data.trace import State, Trace
from redraft.errors import InputError, UsageError
from redraft.lm.codec.grammar import Grammar
from redraft.lm.codec.told import Flags, Told, within
from redraft.lm.tokenizer import Tokenizer, byte_tokenizer, train_tokenizer
from redraft.rundir import write_record

CODEC_FILE = "codec.json"
SCHEMA_VERSION = 3
"""Version of that file; an older one stays loadable. 2: `diff`, relative times, feedback. 3: `echo`, `done`."""

Verdicts = Mapping[str, str]
"""Program id -> what its student saw: nothing if it ran, else the error message. No entry: not known."""


@dataclass(frozen=True, kw_only=True)
class CodecConfig:
    """Settings of a codec; kept in the model's folder."""

    title_tokens: int = 50
    """Tokens for the title; a longer one is cut. The codec full fills them up with masks (paper A.1)."""
    overlap: int = 64
    """Tokens that a chunk shares with the one before it (paper A.1); in codecs of edits, only one that begins inside
    a state too long for the context."""
    relative_time: bool | None = None
    """Write a state's time as the seconds since the state before. Default: the codec's, no for full, else yes."""
    done: bool | None = None
    """End each state with a token of its own. Default: the codec's."""
    feedback: bool = False
    """Tell the model after each state whether it ran, and the error message if not, where verdicts are at hand."""
    feedback_tokens: int = 32
    """Tokens of an error message, at most."""
    echo_tokens: int = 32
    """Tokens of a line that the codec echo shows, at most."""

    def __post_init__(self) -> None:
        counts = ("title_tokens", "overlap", "feedback_tokens", "echo_tokens")
        if min(getattr(self, name) for name in counts) < 0:
            raise UsageError(f"{', '.join(counts)} count tokens.", remedy="Give numbers from 0 on.")


class Decoded(NamedTuple):
    """What ids say."""

    title: str | None
    """None if masked."""
    states: tuple[State, ...]
    """Complete states; perhaps none."""
    ended: bool
    """Whether the end token was reached."""
    bad_date: bool
    """Whether a header with an impossible date cut the trace off."""


TIME, EDIT, ENDING = "time", "edit", "ending"
"""Parts of a state: its header; its program or edit, what ends it and its feedback; a trace's end token."""


class Coded(NamedTuple):
    """A trace's ids, and what each belongs to; arrays have an entry per id."""

    ids: list[int]
    states: NDArray[np.int32]
    """Number of its state, from 1; the end token's is the last one's. 0: the title and the start token."""
    parts: NDArray[np.str_]
    """`TIME`, `EDIT` or `ENDING`; nothing for the title and the start token."""


Part = str | int | Told
"""An id, or a text yet to be tokenized."""


class _Piece(NamedTuple):
    """A part and what it belongs to."""

    what: Part
    state: int
    part: str


class Codec(ABC):
    """Between traces and ids.

    Every text is tokenized apart from its neighbours, so a trace's ids always begin with the ids of its first states:
    what `prefix` gives a model to go on from is what it saw in training.

    Args:
        tokenizer: Between text and ids.
        config: Settings; the defaults if none are given.
    """

    name: ClassVar[str]
    relative: ClassVar[bool] = False
    """Whether a state's time is the seconds since the state before, if the settings don't say."""
    ends_states: ClassVar[bool] = False
    """Whether an id ends a state, if the settings don't say."""
    own_ids: ClassVar[int] = 0
    """Ids of its own, which follow the tokenizer's and stand for no text."""

    def __init__(self, tokenizer: Tokenizer, config: CodecConfig | None = None) -> None:
        config = config or CodecConfig()
        relative = self.relative if config.relative_time is None else config.relative_time
        done = self.ends_states if config.done is None else config.done
        self.tokenizer, self.config = tokenizer, replace(config, relative_time=relative, done=done)
        self.pad_id, self.end_id, self.mask_id = tokenizer.pad_id, tokenizer.end_id, tokenizer.mask_id
        self.start_id, self.student_id = tokenizer.start_id, tokenizer.student_id
        self.first_own_id = tokenizer.vocab_size
        next_id = self.first_own_id + self.own_ids
        self.vocab_size = next_id + (3 if self.config.feedback else bool(done))
        self.done_id = next_id if self.config.feedback or done else None
        """Ends a state, if an id does."""
        self.run_id = next_id if self.config.feedback else None
        """The same, when there is feedback; `feedback` says what follows it."""
        self.shows_ids: frozenset[int] = frozenset()
        """Ids behind which the codec itself shows something; `shown` says what."""
        self._error_id, self._seen_id = next_id + 1, next_id + 2

    @classmethod
    def trained_on(cls, traces: Iterable[Trace], vocabulary: int = 2048, config: CodecConfig | None = None) -> Self:
        """A codec whose tokenizer is trained on what it itself tokenizes of `traces`, read once, streamed.

        Args:
            traces: Those of the train split's trace view.
            vocabulary: Entries of the tokenizer, as `train_tokenizer` says.
            config: Settings; the defaults if none are given.
        """
        bare = cls(byte_tokenizer(), config)
        return cls(train_tokenizer((text for trace in traces for text in bare.texts(trace)), vocabulary), config)

    # Writing

    @abstractmethod
    def _opening(self, title: Sequence[int]) -> list[int]:
        """The ids up to the start token of a trace whose title's ids, cut to fit, are given; none: it is hidden."""

    @abstractmethod
    def _header(self, n: int, at: datetime | None, after: datetime | None) -> Iterable[Part]:
        """When state n (from 1) was, as ids and texts yet to be tokenized."""

    @abstractmethod
    def _program(self, state: State, before: State | None) -> Iterable[Part]:
        """A state's program, or how it comes from the one before."""

    def encode(self, trace: Trace, *, mask_title: bool = False, verdicts: Verdicts | None = None) -> list[int]:
        """Ids of a whole trace; the end token stands last if and only if `trace.ended`."""
        return self.encode_many([trace], mask_titles=[mask_title], verdicts=verdicts)[0]

    def encode_many(
        self, traces: Sequence[Trace], *, mask_titles: Sequence[bool] | None = None, verdicts: Verdicts | None = None
    ) -> list[list[int]]:
        """`encode` of each trace, tokenized together on all cores; `mask_titles` says whose title is hidden."""
        hidden = [False] * len(traces) if mask_titles is None else mask_titles
        opened = self._opened([(trace.title, self._body(trace, verdicts or {})) for trace in traces], hidden)
        return [opening + [token for ids in body for token in ids] for opening, body in opened]

    def encode_marked(self, traces: Sequence[Trace], *, verdicts: Verdicts | None = None) -> list[Coded]:
        """As `encode_many`, and of each id, what it belongs to."""
        bodies = [self._body(trace, verdicts or {}) for trace in traces]
        opened = self._opened([(trace.title, body) for trace, body in zip(traces, bodies, strict=True)])
        marked = []
        for pieces, (opening, body) in zip(bodies, opened, strict=True):
            counts = [len(opening), *map(len, body)]
            states = np.repeat(np.array([0, *(piece.state for piece in pieces)], np.int32), counts)
            parts = np.repeat(np.array(["", *(piece.part for piece in pieces)]), counts)
            marked.append(Coded(opening + [token for ids in body for token in ids], states, parts))
        return marked

    def prefix(
        self, title: str, states: Sequence[State] = (), *, mask_title: bool = False, verdicts: Verdicts | None = None
    ) -> list[int]:
        """Ids of the title, the start token and the given first states: what a model goes on from."""
        ((opening, body),) = self._opened([(title, list(self._pieces(states, verdicts or {})))], [mask_title])
        return opening + [token for ids in body for token in ids]

    def header(self, n: int, at: datetime | None, after: datetime | None = None) -> list[int]:
        """Ids that begin state n (from 1), to append to a prefix of n - 1 states.

        Args:
            n: The state's number.
            at: Its time.
            after: The time of the state before; needed where times are relative.
        """
        return self._tokenized(self._header(n, at, after))

    @abstractmethod
    def edit_at(self, code: str, line: int, column: int) -> list[int]:
        """Ids that begin an edit of `code` at a place, to append to a header: what stands before it is left as it is.

        Args:
            code: The program before the edit.
            line: Line of the place, from 0.
            column: Its column, from 0. What the line holds from there on, the model writes anew.
        """

    def feedback(self, message: str) -> list[int]:
        """Ids of what the student saw, to append to a state that ended with `run_id`; no message: it ran."""
        return self._tokenized(self._feedback(message))

    def _feedback(self, message: str) -> list[Part]:
        return [self._error_id, Told(message, self.config.feedback_tokens), self._seen_id]

    def shown(self, ids: Sequence[int], place: Grammar | None = None) -> list[int]:
        """What the codec puts in behind `ids`, all of a trace so far: something if the last one is of `shows_ids`.

        Args:
            ids: The ids.
            place: The place behind them, if they were drawn by the grammar; it knows without reading them again.
        """
        return []

    def texts(self, trace: Trace) -> Iterator[str]:
        """The texts of a trace as they are tokenized, but for what the model is told."""
        yield trace.title
        yield from (piece.what for piece in self._body(trace, {}) if isinstance(piece.what, str))

    def _body(self, trace: Trace, verdicts: Verdicts) -> list[_Piece]:
        ending = [_Piece(self.end_id, len(trace.states), ENDING)] if trace.ended else []
        return [*self._pieces(trace.states, verdicts), *ending]

    def _pieces(self, states: Sequence[State], verdicts: Verdicts) -> Iterator[_Piece]:
        before = None
        for n, state in enumerate(states, 1):
            for what in self._header(n, state.at, before.at if before else None):
                yield _Piece(what, n, TIME)
            for what in self._program(state, before):
                yield _Piece(what, n, EDIT)
            if self.done_id is not None:
                yield _Piece(self.done_id, n, EDIT)
            if self.run_id is not None and (message := verdicts.get(state.id)) is not None:
                for what in self._feedback(message):
                    yield _Piece(what, n, EDIT)
            before = state

    def _opened(
        self, written: Sequence[tuple[str, list[_Piece]]], hidden: Sequence[bool] | None = None
    ) -> list[tuple[list[int], list[list[int]]]]:
        """The opening of each title, unless it is hidden, and the ids of each piece, all texts tokenized at once."""
        texts = [what for title, body in written for what in (title, *(piece.what for piece in body))]
        coded = iter(self._coded(texts))
        opened = []
        for (_, body), hide in zip(written, hidden or [False] * len(written), strict=True):
            title = next(coded)
            opening = self._opening([] if hide else title[: self.config.title_tokens])
            opened.append((opening, [next(coded) for _ in body]))
        return opened

    def _coded(self, parts: Sequence[Part]) -> list[list[int]]:
        """Ids of each part; an id is itself. A text that several parts hold is tokenized once."""
        whole = [part.text if isinstance(part, Told) else part for part in parts]
        texts = list(dict.fromkeys(part for part in whole if isinstance(part, str)))
        coded = dict(zip(texts, self.tokenizer.encode_many(texts), strict=True))
        ids = [coded[part] if isinstance(part, str) else [part] for part in whole]
        return [of[: part.most] if isinstance(part, Told) else of for part, of in zip(parts, ids, strict=True)]

    def _tokenized(self, parts: Iterable[Part]) -> list[int]:
        return [token for ids in self._coded(list(parts)) for token in ids]

    def hide_title(self, ids: Sequence[int]) -> list[int]:
        """A chunk's ids with the title hidden, as `mask_title` writes them; a chunk without a title as it is."""
        start = self._start(ids)
        return [*self._opening([])[:-1], *ids[start:]] if start >= 0 else list(ids)

    def _start(self, ids: Sequence[int]) -> int:
        """Where the title is over; -1 if there is none."""
        return next((i for i, token in enumerate(ids) if token == self.start_id), -1)

    # Chunks

    @abstractmethod
    def chunk(self, ids: Sequence[int], length: int) -> list[list[int]]:
        """Cut a trace's ids into chunks of at most `length`.

        Raises:
            InputError: `length` is too short for chunks that share ids.
        """

    @abstractmethod
    def restart(self, ids: Sequence[int], length: int) -> list[int]:
        """What a model goes on from when a trace's ids, all of them so far, fill its context of `length` ids.

        Begins like one of `chunk`'s, and leaves room for at least one id; what the model draws then belongs at the
        end of `ids`, which `decode` reads as one trace.
        """

    @abstractmethod
    def given(self, ids: Sequence[int]) -> int:
        """How many of a chunk's first ids were taken over from the chunk before; 0 if it begins a trace."""

    def join(self, chunks: Sequence[Sequence[int]]) -> list[int]:
        """The ids that `chunk` cut up."""
        return [token for chunk in chunks for token in chunk[self.given(chunk) :]]

    def _last(self, ids: Sequence[int]) -> list[int]:
        """The ids that a chunk shares with the one before, if it begins inside a state."""
        return list(ids[max(0, len(ids) - self.config.overlap) :])

    def _check_length(self, length: int) -> None:
        """Chunks must tell what they hold.

        One that goes on must not reach back to the title: by its start token a trace's first chunk is known. And none
        must lie all within a message, which is known for one by the ids before and behind it.
        """
        if length - self.config.overlap < self.config.title_tokens + 3:
            raise InputError(
                f"a context of {length} tokens is too short for titles of {self.config.title_tokens} tokens and chunks "
                f"that overlap by {self.config.overlap}.",
                remedy="Give the model a longer context, or the codec a smaller `overlap` or `title_tokens`.",
            )
        if self.config.feedback and length <= self.config.feedback_tokens:
            raise InputError(
                f"a context of {length} tokens is too short for error messages of {self.config.feedback_tokens}.",
                remedy="Give the model a longer context, or the codec a smaller `feedback_tokens`.",
            )

    # What ids are for

    def learned(self, ids: Sequence[int]) -> NDArray[np.bool_]:
        """Which ids of a chunk (or of a whole trace) training learns."""
        return self.charged(ids)

    def charged(self, ids: Sequence[int]) -> NDArray[np.bool_]:
        """Which ids of a chunk (or of a whole trace) make up a trace's bits."""
        return self._own(ids, max(self.given(ids), self._start(ids) + 1))

    def _own(self, ids: Sequence[int], start: int) -> NDArray[np.bool_]:
        """The ids from `start` on that aren't masks, padding or told."""
        ids_L = np.asarray(ids)
        own_L: NDArray[np.bool_] = (ids_L != self.mask_id) & (ids_L != self.pad_id) & ~self._told(ids_L)
        own_L[:start] = False
        return own_L

    def _told(self, ids_L: NDArray[np.int_]) -> Flags:
        """Which ids of a chunk (or of a whole trace) the model is told: feedback."""
        if self.run_id is None:
            return np.zeros(len(ids_L), np.bool_)
        opens_L: Flags = ids_L == self._error_id
        return opens_L | within(opens_L, ids_L == self._seen_id, np.isin(ids_L, (self.run_id, self.start_id)))

    def count_tokens(self, trace: Trace) -> int:
        """Tokens that count when views are matched: all but masks, padding and what is told."""
        return self.counted(self.encode(trace))

    def counted(self, ids: Sequence[int]) -> int:
        """The same of a whole trace's ids."""
        return int(self._own(ids, 0).sum())

    # What may come next

    def grammar(self, ids: Sequence[int]) -> Grammar | None:
        """The place in a trace behind `ids`, all of it so far; None: this codec has no grammar, and anything may come.

        It may begin anywhere, also within an edit. Feedback is passed over: places don't depend on what was seen.
        """
        return None

    # Reading

    @abstractmethod
    def decode(self, ids: Sequence[int], *, whole: bool = False) -> Decoded:
        """What ids say, a model's included; linear in what that is, and no ids are an error.

        - What follows the first end token is ignored. Without one the last state is incomplete and is dropped, unless
          the caller knows that it is `whole`, as `encode` and `prefix` leave it.
        - A state with an impossible time ends the trace before it: not `ended`, `bad_date`; the states so far are
          complete.
        - Without a start token there is no title. Padding, masks and other special tokens inside programs are
          dropped, and so is what the model was told.
        """

    def _spoken(self, ids: Sequence[int]) -> list[int]:
        """Ids without what the model was told."""
        return [token for token, told in zip(ids, self._told(np.asarray(ids)), strict=True) if not told]

    def _until_end(self, ids: Sequence[int]) -> tuple[list[int], bool]:
        """The ids before the first end token, and whether there is one."""
        ids = list(ids)
        ended = self.end_id in ids
        return ids[: ids.index(self.end_id)] if ended else ids, ended

    def _text(self, ids: Sequence[int]) -> str:
        special = self.tokenizer.special_ids
        return self.tokenizer.decode([token for token in ids if token not in special and token < self.first_own_id])

    def save(self, folder: Path) -> None:
        """Write the tokenizer's files and `codec.json` into `folder`."""
        self.tokenizer.save(folder)
        about = {"schema_version": SCHEMA_VERSION, "name": self.name, "config": asdict(self.config)}
        write_record(folder / CODEC_FILE, about)
