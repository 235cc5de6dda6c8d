"""What a model makes of the beginnings of traces: means of its token states.

In: a model and readings: a trace, the voice to read it in, whether the title is hidden, and after how many states
to look (steps, 0 to n). Out: a vector for each step, of the last layer or of several.

    readings = [Reading(trace=trace, voice=trace.student) for trace in traces]     # every step of every trace
    embedding_ND = embed(model, readings)                                            # N = count_steps(readings)
    embedding_KND = embed(model, readings, layers=range(count_layers(model)))        # every layer

The prefix after t states ends where state t ends, its feedback included if the codec writes any; after 0 states it ends
behind the first state's header. As a causal model's states depend on nothing that comes later, all prefixes of a trace
that fit into the context are read in one pass. One that doesn't fit (`cut` finds which) loses its first states, as many
as need be, and is encoded as if the trace had begun with the first state kept (so states are numbered from 1 again); if
the last state alone is too long, what stands behind the context is cut off.

A single state without its history is read as a trace of that state alone. Not guaranteed: equal bits in other company;
batches change a vector by rounding.

Axes in names: N prefixes, K layers, D the LM's width, B sequences, L tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import AutoModelForCausalLM

from redraft.data.trace import Trace
from redraft.errors import UsageError
from redraft.lm.batch import ENCODE_AT_ONCE, LENGTH_STEP
from redraft.lm.checkpoint import Model
from redraft.lm.codec import ENDING, TIME, Coded, Verdicts
from redraft.lm.model import UNKNOWN, StudentLM, StudentVectors

Over = Literal["trace", "all", "state"]
"""Which positions of a prefix a mean is over: `trace`: from the start token on; `all`: the student's and the title's
too (the paper's, appendix I); `state`: those of the last state, its header included (after 0 states: as `trace`)."""
Floats = NDArray[np.float32]
EVERY_STEP: tuple[int, ...] = ()
BATCH_TOKENS = 4096


@dataclass(frozen=True, kw_only=True)
class Reading:
    """A trace to be read."""

    trace: Trace
    """What is read."""
    voice: str | None
    """The student whose vector it is read with; None, or one the model has not met: the unknown student's."""
    steps: Sequence[int] = EVERY_STEP
    """After how many states to look, in the order wanted; none: after 0, 1, ... all."""
    hide_title: bool = False
    """Whether the title is masked."""

    @property
    def looks(self) -> Sequence[int]:
        """The steps, all of them written out."""
        return self.steps or range(len(self.trace.states) + 1)


class _Span(NamedTuple):
    """The positions of a sequence that one vector is the mean of."""

    row: int
    start: int
    stop: int


class _Sequence(NamedTuple):
    """What the model reads at once."""

    ids: list[int]
    """The placeholder first."""
    student: int
    """Row of the students' table."""
    spans: list[_Span]


class _Encoded(NamedTuple):
    """A reading as ids."""

    ids: list[int]
    """The placeholder, the title, the states; no ending."""
    first: int
    """Where the start token is."""
    stops: list[int]
    """Where the prefix after 0, 1, ... n states ends."""


def count_steps(readings: Sequence[Reading]) -> int:
    """How many vectors `embed` makes of `readings`."""
    return sum(len(reading.looks) for reading in readings)


def count_layers(model: Model) -> int:
    """Layers whose states there are: the embeddings', and each block's (the last one's behind the final norm)."""
    return int(model.lm.lm.config.num_hidden_layers) + 1


@torch.inference_mode()
def embed(
    model: Model,
    readings: Sequence[Reading],
    *,
    over: Over = "trace",
    layers: Sequence[int] | None = None,
    verdicts: Verdicts | None = None,
    batch_tokens: int = BATCH_TOKENS,
    out: Floats | None = None,
    done: Callable[[int], None] = lambda _: None,
) -> Floats:
    """Means of token states: a vector for each step of each reading, in order.

    Args:
        model: On whatever device its weights are.
        readings: What is read; encoded a few hundred at a time.
        over: Which positions the means are over.
        layers: Numbers of layers, below 0 from the last; None: the last one alone.
        verdicts: What students saw, where the codec writes feedback.
        batch_tokens: Tokens read at once; a sequence of more is read alone.
        out: Where to write, float32 and of the result's shape, such as a memory-mapped file; None: a new array.
        done: Told how many more readings are encoded and read.

    Returns:
        (N, D) float32 for the last layer alone, (K, N, D) for `layers`.

    Raises:
        UsageError: A step outside its trace, or an `out` of another shape.
    """
    wanted = [-1] if layers is None else list(layers)
    width = int(model.lm.lm.get_input_embeddings().embedding_dim)
    shape = (count_steps(readings), width) if layers is None else (len(wanted), count_steps(readings), width)
    result = np.empty(shape, np.float32) if out is None else out
    if result.shape != shape or result.dtype != np.float32:
        raise UsageError(f"`out` is {result.dtype} of shape {result.shape}; float32 of {shape} is needed.")
    result_KND = result[None] if layers is None else result
    was_training = model.lm.training
    model.lm.eval()
    row = 0
    for group in _groups(readings):
        sequences = _sequences(model, group, over, verdicts or {}, row)
        for batch in _batches(sequences, batch_tokens):
            _read(model, batch, wanted, result_KND)
        row += count_steps(group)
        done(len(group))
    model.lm.train(was_training)
    return result


def cut(model: Model, readings: Sequence[Reading], *, verdicts: Verdicts | None = None) -> NDArray[np.bool_]:
    """Which prefixes (N,) are too long for the context, so that `embed` reads a part of them only."""
    found: list[bool] = []
    for group in _groups(readings):
        for reading, encoded in zip(group, _encoded(model, group, verdicts or {}), strict=True):
            found += [encoded.stops[step] > model.lm.context for step in reading.looks]
    return np.array(found, np.bool_)


def untrained(model: Model, *, seed: int = 0) -> Model:
    """A model of the same shape, codec and students whose weights, and students' vectors, are freshly drawn."""
    old = model.lm
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        lm = AutoModelForCausalLM.from_config(old.lm.config, dtype=torch.float32, trust_remote_code=False)
        students = StudentVectors(
            old.students.rows.num_embeddings - 1, width=old.students.out.out_features, dim=old.students.out.in_features
        )
    fresh = StudentLM(lm, students, old.placeholder_id, context=old.context).to(old.device).eval()
    return replace(model, lm=fresh, card={**model.card, "untrained": seed}, history=())


# From readings to sequences


def _groups(readings: Sequence[Reading]) -> Iterator[Sequence[Reading]]:
    """A few hundred at a time."""
    return (readings[start : start + ENCODE_AT_ONCE] for start in range(0, len(readings), ENCODE_AT_ONCE))


def _encoded(model: Model, readings: Sequence[Reading], verdicts: Verdicts) -> list[_Encoded]:
    coded = model.codec.encode_marked([reading.trace for reading in readings], verdicts=verdicts)
    return [_with_stops(model, reading, one) for reading, one in zip(readings, coded, strict=True)]


def _with_stops(model: Model, reading: Reading, coded: Coded) -> _Encoded:
    """The ids of a reading, and where each prefix ends: as `codec.prefix` would have it."""
    n = len(reading.trace.states)
    if any(not 0 <= step <= n for step in reading.steps):
        raise UsageError(f"steps {list(reading.steps)} of a trace of {n} states.", remedy=f"Give steps from 0 to {n}.")
    opening = int((coded.states == 0).sum())
    header = int(((coded.states == 1) & (coded.parts == TIME)).sum())
    lengths = np.bincount(coded.states[coded.parts != ENDING], minlength=n + 1)[1:]
    ids = coded.ids[: opening + int(lengths.sum())]
    if reading.hide_title:
        shown, ids = len(ids), model.codec.hide_title(ids)
        opening += len(ids) - shown
    stops = 1 + opening + np.concatenate([[header], np.cumsum(lengths)])
    return _Encoded([model.codec.student_id, *ids], opening, stops.tolist())


def _sequences(
    model: Model, readings: Sequence[Reading], over: Over, verdicts: Verdicts, row: int
) -> Iterator[_Sequence]:
    """What is to be read; `row` is that of the first vector."""
    context = model.lm.context
    too_long: list[tuple[Reading, int, int]] = []
    for reading, encoded in zip(readings, _encoded(model, readings, verdicts), strict=True):
        spans = []
        for step in reading.looks:
            if encoded.stops[step] <= context:
                spans.append(_span(encoded, step, over, row))
            else:
                too_long.append((reading, step, row))
            row += 1
        if spans:
            yield _Sequence(encoded.ids[: max(span.stop for span in spans)], _row(model, reading), spans)
    fitted = _fitted(model, [(reading, step) for reading, step, _ in too_long], verdicts)
    for (reading, _, place), encoded in zip(too_long, fitted, strict=True):
        span = _span(encoded, len(encoded.stops) - 1, over, place)
        stop = min(span.stop, context)
        yield _Sequence(encoded.ids[:stop], _row(model, reading), [_Span(place, min(span.start, stop - 1), stop)])


def _row(model: Model, reading: Reading) -> int:
    return UNKNOWN if reading.voice is None else model.students.row(reading.voice)


def _span(encoded: _Encoded, step: int, over: Over, row: int) -> _Span:
    before = encoded.stops[step - 1] if step > 1 else encoded.first + 1
    start = {"trace": encoded.first, "all": 0, "state": before if step else encoded.first}[over]
    return _Span(row, start, encoded.stops[step])


def _fitted(model: Model, prefixes: Sequence[tuple[Reading, int]], verdicts: Verdicts) -> list[_Encoded]:
    """Of each prefix (a reading, and after how many states), the most last states that fit, at least one."""

    def tried(firsts: Sequence[int]) -> list[_Encoded]:
        parts = [
            replace(reading, steps=EVERY_STEP,
                    trace=replace(reading.trace, states=reading.trace.states[first : max(step, 1)]))
            for (reading, step), first in zip(prefixes, firsts, strict=True)
        ]  # fmt: skip
        return [
            one if step else one._replace(stops=one.stops[:1])
            for one, (_, step) in zip(_encoded(model, parts, verdicts), prefixes, strict=True)
        ]

    # what begins with state `low` doesn't fit; `high` is the last state there is: halved for all prefixes at once
    lows, highs = [0] * len(prefixes), [max(step, 1) - 1 for _, step in prefixes]
    while any(high - low > 1 for low, high in zip(lows, highs, strict=True)):
        middles = [(low + high + 1) // 2 for low, high in zip(lows, highs, strict=True)]
        for i, one in enumerate(tried(middles)):
            if highs[i] - lows[i] > 1:
                fits = one.stops[-1] <= model.lm.context
                lows[i], highs[i] = (lows[i], middles[i]) if fits else (middles[i], highs[i])
    return tried(highs)


# From sequences to vectors


def _batches(sequences: Iterator[_Sequence], batch_tokens: int) -> Iterator[list[_Sequence]]:
    """Sequences of similar length together, the longest first."""
    batch: list[_Sequence] = []
    width = 0
    for sequence in sorted(sequences, key=lambda sequence: -len(sequence.ids)):
        if batch and (len(batch) + 1) * width > batch_tokens:
            yield batch
            batch = []
        if not batch:
            width = -(-len(sequence.ids) // LENGTH_STEP) * LENGTH_STEP
        batch.append(sequence)
    if batch:
        yield batch


def _read(model: Model, batch: Sequence[_Sequence], layers: Sequence[int], result_KND: Floats) -> None:
    ids_BL = torch.full((len(batch), max(len(sequence.ids) for sequence in batch)), model.codec.pad_id)
    for line_L, sequence in zip(ids_BL, batch, strict=True):
        line_L[: len(sequence.ids)] = torch.tensor(sequence.ids)
    students_B = torch.tensor([sequence.student for sequence in batch])
    device = model.lm.device
    states: tuple[Tensor, ...] = model.lm(
        ids_BL.to(device), students_B.to(device), output_hidden_states=True, use_cache=False, logits_to_keep=1
    ).hidden_states
    chosen_KBLD = torch.stack([states[layer] for layer in layers])
    for place, sequence in enumerate(batch):
        mean_SKD = [chosen_KBLD[:, place, start:stop].float().mean(1) for _, start, stop in sequence.spans]
        rows = [span.row for span in sequence.spans]
        result_KND[:, rows] = torch.stack(mean_SKD, 1).cpu().numpy()
