"""Run a model over whole traces, and put together what it says at each of their ids.

In: a model, encoded traces, and what to make of each batch. Out: numbers per id of each trace. A trace longer than the
context is read chunk by chunk, as in training; what a chunk took over from the one before counts once.

Axes in names: X numbers per id, N ids of a trace, B sequences, L tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from redraft.lm.batch import Chunks, Collator, Encoded, cut, plan
from redraft.lm.checkpoint import Model

Numbers = NDArray[Any]


class Read(NamedTuple):
    """A batch to be read."""

    ids: Tensor
    """(B, L), the placeholder first."""
    rows: Tensor
    """(B,) of the students' table."""
    charged: Tensor
    """(B, L) the ids that are charged, `IGNORE` elsewhere."""
    traces: list[int]
    """Which trace each sequence is of."""


def chunkwise(
    model: Model, encoded: Sequence[Encoded], read: Callable[[Read], Numbers], *, batch_tokens: int,
    done: Callable[[int], None] = lambda _: None,
) -> list[Numbers]:  # fmt: skip
    """What `read` makes of each id of each trace (X, N).

    Args:
        model: Its codec and context cut the traces.
        encoded: The traces.
        read: Makes of a batch numbers (X, B, L): those about an id stand a place before it, where it is predicted.
        batch_tokens: Tokens read at once.
        done: Told how many more traces are begun.
    """
    model.lm.eval()
    chunks = cut(encoded, model.codec, model.lm.context)
    collate = Collator(chunks, model.codec)
    trace_of = np.cumsum(chunks.heads) - 1
    found: list[Numbers] = [np.empty(0)] * len(chunks)
    for which in plan(chunks, batch_tokens=batch_tokens, seed=0, epoch=0):
        ids_BL, rows_B, _ = (tensor.to(model.lm.device) for tensor in collate(which))
        charged_BL = collate.charged(which).to(model.lm.device)
        numbers_XBL = read(Read(ids_BL, rows_B, charged_BL, trace_of[which].tolist()))
        for numbers_XL, chunk in zip(numbers_XBL.swapaxes(0, 1), which.tolist(), strict=True):
            found[chunk] = numbers_XL[:, : chunks.lengths[chunk]]
        done(int(chunks.heads[which].sum()))
    return _joined(model, chunks, found)


def _joined(model: Model, chunks: Chunks, found: Sequence[Numbers]) -> list[Numbers]:
    """Each trace's numbers: its chunks', without what a chunk took over from the one before."""
    traces: list[list[Numbers]] = []
    for start, length, head, numbers in zip(chunks.starts, chunks.lengths, chunks.heads, found, strict=True):
        if head:
            traces.append([])
        traces[-1].append(numbers[:, model.codec.given(chunks.ids[start : start + length].tolist()) :])
    return [np.concatenate(parts, axis=1) for parts in traces]
