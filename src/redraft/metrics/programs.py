"""What is compared of a dataset's programs, read in one pass, however many models and conditions it is compared for.

In: a dataset; pairs and titles. Out: `Programs`: the text of all traces of the pairs, and all final programs of the
titles. Both are held in memory.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from redraft.data.store import Dataset
from redraft.data.trace import Pair


class Written(NamedTuple):
    """A trace's programs."""

    final: str
    """The final one."""
    whole: str
    """All, joined by newlines."""
    ended: bool
    """Whether the trace reached its end."""
    is_whole: bool
    """Whether it holds a whole program; if not, both texts are empty."""


class Final(NamedTuple):
    """A final program."""

    student: str
    code: str


class Programs(NamedTuple):
    """The programs of some pairs and titles, in the dataset's order."""

    of: Mapping[Pair, list[Written]]
    """Pair -> its traces."""
    finals: Mapping[str, list[Final]]
    """Title -> the final programs of all its traces."""


def read_programs(dataset: Dataset, pairs: Collection[Pair], titles: Iterable[str] = ()) -> Programs:
    """The programs of all traces of `pairs`, and the final ones of all traces of `titles`."""
    found = Programs({pair: [] for pair in pairs}, {title: [] for title in titles})
    students = pa.array(sorted({pair.student for pair in pairs}), pa.string())
    asked = pa.array(sorted({*(pair.title for pair in pairs), *found.finals}), pa.string())
    for batch in dataset.batches(["student", "title", "ended", "states"]):
        rows = batch.filter(pc.is_in(batch["title"], asked))
        if found.finals:
            _add_finals(found, rows)
        _add_pairs(found, rows.filter(pc.is_in(rows["student"], students)))
    return found


def _add_finals(found: Programs, rows: pa.RecordBatch) -> None:
    rows = rows.filter(pc.greater(pc.list_value_length(rows["states"]), 0))
    ends = pc.cast(pc.cumulative_sum(pc.list_value_length(rows["states"])), pa.int64())
    codes = rows["states"].flatten().field("code").take(pc.subtract(ends, 1))
    columns = (column.to_pylist() for column in (rows["student"], rows["title"], codes))
    for student, title, code in zip(*columns, strict=True):
        if title in found.finals:
            found.finals[title].append(Final(student, code))


def _add_pairs(found: Programs, rows: pa.RecordBatch) -> None:
    for row in rows.to_pylist():
        traces = found.of.get(Pair(row["student"], row["title"]))
        if traces is not None:
            codes = [state["code"] for state in row["states"]]
            traces.append(Written(codes[-1] if codes else "", "\n".join(codes), row["ended"], bool(codes)))
