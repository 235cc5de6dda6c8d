"""Traces to training batches: encoded once, then cut, masked and padded by index.

In: traces and a codec. Out: `Chunks`, flat arrays of token ids, and from them, for any epoch, the same batches
every time. A batch holds sequences of similar length, so that little of it is padding.

Axes in names: B sequences, L tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from redraft.data.trace import Trace
from redraft.lm.codec import Codec, Verdicts
from redraft.lm.model import IGNORE, UNKNOWN, StudentIndex

ENCODE_AT_ONCE = 256
"""Traces handed to the tokenizer together."""
LENGTH_STEP = 16
"""Lengths are compared in steps of this many tokens when sequences are grouped."""


class Batch(NamedTuple):
    """What the model is trained on at once."""

    input_ids: Tensor
    """(B, L): the placeholder, then a chunk, then padding."""
    student_ids: Tensor
    """(B,) rows of the student table."""
    labels: Tensor
    """(B, L): the ids to learn, `IGNORE` elsewhere."""

    @property
    def tokens(self) -> int:
        """Tokens learned from."""
        return int((self.labels != IGNORE).sum())


@dataclass(frozen=True, kw_only=True)
class Chunks:
    """Encoded traces, cut to the model's context. Arrays have an entry a chunk, but for `ids`."""

    ids: NDArray[np.int32]
    """All chunks' ids, one after the other."""
    starts: NDArray[np.int64]
    """Where each begins in `ids`."""
    lengths: NDArray[np.int64]
    """Ids in each, without the placeholder."""
    rows: NDArray[np.int32]
    """Row of its student."""
    heads: NDArray[np.bool_]
    """Whether it begins a trace; the others go on from the chunk before."""
    characters: NDArray[np.int64]
    """Characters of all programs of the trace it begins; else 0."""

    def __len__(self) -> int:
        return len(self.lengths)


class Encoded(NamedTuple):
    """A trace as ids."""

    ids: Sequence[int]
    row: int
    """Of its student."""
    characters: int = 0
    """Of all its programs."""


def encode(
    traces: Iterable[Trace], codec: Codec, students: StudentIndex, context: int, *, verdicts: Verdicts | None = None
) -> Chunks:
    """Encode `traces` and cut them to `context` tokens, the placeholder included; `verdicts` are for feedback."""

    def encoded() -> Iterator[Encoded]:
        rest = iter(traces)
        while group := list(islice(rest, ENCODE_AT_ONCE)):
            for trace, ids in zip(group, codec.encode_many(group, verdicts=verdicts), strict=True):
                yield Encoded(ids, students.row(trace.student), sum(len(state.code) for state in trace.states))

    return cut(encoded(), codec, context)


def cut(encoded: Iterable[Encoded], codec: Codec, context: int) -> Chunks:
    """Cut traces to `context` tokens, the placeholder included."""
    ids: list[NDArray[np.int32]] = []
    lengths: list[int] = []
    rows: list[int] = []
    heads: list[bool] = []
    characters: list[int] = []
    for trace in encoded:
        for number, chunk in enumerate(codec.chunk(trace.ids, context - 1)):
            ids.append(np.asarray(chunk, dtype=np.int32))
            lengths.append(len(chunk))
            rows.append(trace.row)
            heads.append(number == 0)
            characters.append(0 if number else trace.characters)
    ends = np.cumsum(np.asarray(lengths, dtype=np.int64))
    return Chunks(
        ids=np.concatenate(ids) if ids else np.empty(0, np.int32),
        starts=ends - lengths,
        lengths=np.asarray(lengths, dtype=np.int64),
        rows=np.asarray(rows, dtype=np.int32),
        heads=np.asarray(heads, dtype=np.bool_),
        characters=np.asarray(characters, dtype=np.int64),
    )


def plan(chunks: Chunks, *, batch_tokens: int, seed: int, epoch: int) -> list[NDArray[np.int64]]:
    """The chunks of each batch of an epoch; as many batches in every epoch.

    Chunks are shuffled, ordered by length (in steps), cut into batches of at most `batch_tokens` (at least one
    chunk), and the batches are shuffled.
    """
    rng = np.random.default_rng([seed, epoch])
    widths = -(-(chunks.lengths + 1) // LENGTH_STEP) * LENGTH_STEP
    order = rng.permutation(len(chunks))
    order = order[np.argsort(-widths[order], kind="stable")]
    batches, start = [], 0
    while start < len(order):
        size = max(1, batch_tokens // int(widths[order[start]]))
        batches.append(order[start : start + size])
        start += size
    return [batches[i] for i in rng.permutation(len(batches))]


class Collator:
    """Makes the batches of an epoch: hides titles and students, pads, marks what is learned.

    Args:
        chunks: What to choose from.
        codec: Says which ids are learned, and how a title is hidden.
        seed: With the epoch, draws what is hidden.
        title_mask: Share of traces whose title is hidden (in a codec whose every chunk holds it: of chunks).
        student_dropout: Share of chunks whose student is made the unknown one.
    """

    def __init__(
        self, chunks: Chunks, codec: Codec, *, seed: int = 0, title_mask: float = 0, student_dropout: float = 0
    ) -> None:
        self.chunks, self.codec, self.seed = chunks, codec, seed
        self.title_mask, self.student_dropout = title_mask, student_dropout
        self.start_epoch(0)

    def start_epoch(self, epoch: int) -> None:
        """Draw anew whose title and which student is hidden."""
        draws = np.random.default_rng([self.seed, epoch, 1]).random((2, len(self.chunks)))
        self._masked = draws[0] < self.title_mask
        self._rows = np.where(draws[1] < self.student_dropout, UNKNOWN, self.chunks.rows)

    def __call__(self, which: Sequence[int] | NDArray[np.int64]) -> Batch:
        """The batch of the chunks `which`."""
        lines = self._lines(which)
        input_BL = self._padded([[self.codec.student_id, *line] for line in lines], self.codec.pad_id)
        rows_B = self._rows[which].astype(np.int64)
        labels_BL = self._labels(lines, self.codec.learned)
        return Batch(input_BL, torch.from_numpy(rows_B), labels_BL)

    def charged(self, which: Sequence[int] | NDArray[np.int64]) -> Tensor:
        """Labels (B, L) of that batch that make up traces' bits, `IGNORE` elsewhere."""
        return self._labels(self._lines(which), self.codec.charged)

    def _lines(self, which: Sequence[int] | NDArray[np.int64]) -> list[list[int]]:
        """The chunks' ids, titles hidden where they are to be."""
        lines = []
        for chunk in which:
            start, length = self.chunks.starts[chunk], self.chunks.lengths[chunk]
            line: list[int] = self.chunks.ids[start : start + length].tolist()
            lines.append(self.codec.hide_title(line) if self._masked[chunk] else line)
        return lines

    def _labels(self, lines: list[list[int]], counts: Callable[[Sequence[int]], NDArray[np.bool_]]) -> Tensor:
        return self._padded([[IGNORE, *np.where(counts(line), line, IGNORE)] for line in lines], IGNORE)

    @staticmethod
    def _padded(lines: list[list[int]], filler: int) -> Tensor:
        padded_BL = np.full((len(lines), max(map(len, lines))), filler, dtype=np.int64)
        for row, line in zip(padded_BL, lines, strict=True):
            row[: len(line)] = line
        return torch.from_numpy(padded_BL)
