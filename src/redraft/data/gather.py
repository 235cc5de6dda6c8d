"""Raw states into traces: sorted, grouped by (student, title), collapsed.

In: raw states in the order (student, title, trace, rank, tie, file, row), in batches of any size. Out: tables with
the schema of traces, cut between pairs, and the states dropped on the way. Nothing here touches a state as a Python
object, and the cuts depend on the rows alone, not on how they were batched.

The rule: of consecutive identical programs (text alone, white space at the end apart) the last stays, the others
are `duplicate`; *then* an empty program that is a trace's first or last is dropped as `empty_edge` (after the
collapse there is at most one at each end); empty ones inside stay. A trace with nothing left is no trace.
Of a pair with more than `MOST_STATES` states or `MOST_BYTES` of programs, which no student writes, the first ones are
used and the others are `too_many_states`: a pair is held in memory whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from redraft.data.sources.states import REJECTED, column
from redraft.data.trace import SCHEMA, STATE_TYPE

ORDER = "student, title, trace, rank, tie, file, row"
GROUP = 16384
"""States looked at together, and so about the states of a row group."""
MOST_STATES = 200_000
MOST_BYTES = 64 * 10**6


class Gathered(NamedTuple):
    """The traces of some pairs, and what was dropped of them."""

    traces: pa.Table
    rejected: pa.Table


def limited(batches: Iterable[pa.RecordBatch], gone: list[pa.Table]) -> Iterator[pa.RecordBatch]:
    """The same rows without those that are too many for their pair, which are added to `gone`."""
    pair, count, size = ("", ""), 0, 0  # of the last row, and what its pair came to with it
    for batch in batches:
        if not batch.num_rows:
            continue
        sizes = pc.binary_length(batch["code"]).to_numpy().astype(np.int64)
        if _pair(batch, 0) != pair:
            count = size = 0
        if count + len(sizes) <= MOST_STATES and size + int(sizes.sum()) <= MOST_BYTES:
            yield batch
        else:
            fits = _fit(batch, sizes, count, size)
            gone.append(_rejected(pa.Table.from_batches([batch]), np.flatnonzero(~fits), "too_many_states"))
            yield batch.filter(pa.array(fits))
        pair = _pair(batch, len(sizes) - 1)
        same = pc.and_(pc.equal(batch["student"], pair[0]), pc.equal(batch["title"], pair[1])).to_numpy(False)
        if not same.all():
            count = size = 0
        count, size = count + int(same.sum()), size + int(sizes[same].sum())


def _pair(batch: pa.RecordBatch, row: int) -> tuple[str, str]:
    return batch["student"][row].as_py(), batch["title"][row].as_py()


def _fit(batch: pa.RecordBatch, sizes: np.ndarray, count: int, size: int) -> np.ndarray:
    """Which rows aren't too many; of the first one's pair there were `count` states of `size` bytes before."""
    new = _changes(pa.Table.from_batches([batch]), ("student", "title"))
    starts = np.flatnonzero(new)
    nth = np.cumsum(new) - 1  # pair of each row
    total = np.cumsum(sizes)
    before = np.append(0, total)[starts]
    had = np.zeros((2, len(starts)), np.int64)
    had[:, 0] = count, size
    states = np.arange(1, len(sizes) + 1) - starts[nth] + had[0, nth]
    fits: np.ndarray = (states <= MOST_STATES) & (total - before[nth] + had[1, nth] <= MOST_BYTES)
    return fits


def whole_pairs(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """The same rows in tables of at most `GROUP` rows, cut where the pair changes; a longer pair stays whole."""
    held: list[pa.RecordBatch] = []
    count, wanted = 0, GROUP
    for batch in batches:
        held.append(batch)
        count += batch.num_rows
        while count > wanted:
            table = pa.Table.from_batches(held).combine_chunks()
            starts = np.flatnonzero(_changes(table.slice(0, wanted + 1), ("student", "title")))
            cut = int(starts[-1])
            if cut:
                yield table.slice(0, cut)
                wanted = GROUP
            else:
                wanted *= 2
            held, count = table.slice(cut).to_batches(), table.num_rows - cut
    if count:
        yield pa.Table.from_batches(held).combine_chunks()


def gather(states: pa.Table, labels: Sequence[str], *, whole_drafts: bool) -> Gathered:
    """Traces of one table of `whole_pairs`.

    Args:
        states: Raw states of whole pairs, in order.
        labels: The `source` of each input.
        whole_drafts: Keep every state as it is.
    """
    new = _changes(states, ("student", "title", "trace"))
    if whole_drafts:
        return Gathered(_traces(states, new, labels), REJECTED.empty_table())
    duplicate = np.append((_identical(column(states, "code")) & ~new)[1:], False)  # the next state says the same
    kept = np.flatnonzero(~duplicate)
    trace = np.cumsum(new)[kept]
    first = np.diff(trace, prepend=0) > 0
    last = np.append(first[1:], True)[: len(first)]
    edge = pc.equal(states["code"], "").to_numpy()[kept] & (first | last)
    left = states.take(pa.array(kept[~edge])).combine_chunks()
    dropped = (_rejected(states, np.flatnonzero(duplicate), "duplicate"), _rejected(states, kept[edge], "empty_edge"))
    return Gathered(_traces(left, np.diff(trace[~edge], prepend=0) > 0, labels), pa.concat_tables(dropped))


def _traces(states: pa.Table, new: np.ndarray, labels: Sequence[str]) -> pa.Table:
    """`new` says with which states a trace begins."""
    starts = np.flatnonzero(new)
    heads = states.select(["student", "title", "file", "ended"]).take(pa.array(starts))
    number = np.arange(len(starts))
    new_pair = _changes(heads, ("student", "title"))
    sample = number - np.maximum.accumulate(np.where(new_pair, number, 0)) if len(number) else number
    fields = [column(states, field.name).cast(field.type) for field in STATE_TYPE]
    values = pa.StructArray.from_arrays(fields, fields=list(STATE_TYPE))
    offsets = pa.array(np.append(starts, states.num_rows), pa.int32())
    columns = {
        "student": heads["student"],
        "title": heads["title"],
        "sample": pa.array(sample, pa.int32()),
        "request": pa.nulls(len(starts), pa.string()),
        "ended": heads["ended"],
        "source": pa.array(labels, pa.string()).take(column(heads, "file")),
        "states": pa.ListArray.from_arrays(offsets, values),
    }
    return pa.table([columns[name] for name in SCHEMA.names], schema=SCHEMA)


def _rejected(states: pa.Table, places: np.ndarray, reason: str) -> pa.Table:
    rows = states.select(["file", "row"]).take(pa.array(places))
    return rows.append_column("reason", pa.repeat(reason, rows.num_rows)).cast(REJECTED)


def _identical(values: pa.Array) -> np.ndarray:
    """Whether each value is the one before it; False for the first."""
    same: np.ndarray = np.zeros(len(values), bool)
    if len(values) > 1:
        same[1:] = pc.equal(values[1:], values[:-1]).to_numpy(zero_copy_only=False)
    return same


def _changes(table: pa.Table, columns: Sequence[str]) -> np.ndarray:
    """Whether each row differs from the one before it in any of `columns`; True for the first."""
    same: np.ndarray = np.ones(table.num_rows, bool)
    for name in columns:
        same &= _identical(column(table, name))
    return ~same
