"""When and how students mostly work, to match one with another by.

In: a dataset. Out: of each student the year and editor mode that most of the traces have.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from redraft.data.store import Dataset


class Habit(NamedTuple):
    """When and how a student mostly works."""

    year: int | None
    """UTC year of the final state of most of the student's traces; None without times."""
    mode: str | None
    """Editor mode of the same, as the platform calls it; None where it doesn't tell."""


def habits(dataset: Dataset, students: Collection[str]) -> dict[str, Habit]:
    """The habit of each of `students`; of equally frequent ones the smallest."""
    wanted = pa.array(sorted(students), pa.string())
    counts: dict[str, Counter[Habit]] = defaultdict(Counter)
    for batch in dataset.batches(["student", "states"]):
        rows = batch.filter(pc.is_in(batch["student"], wanted))
        ends = pc.cast(pc.cumulative_sum(pc.list_value_length(rows["states"])), pa.int64())
        finals = rows["states"].flatten().take(pc.subtract(ends, 1))
        years, modes = pc.year(finals.field("at")), finals.field("mode")
        for student, *habit in zip(*(column.to_pylist() for column in (rows["student"], years, modes)), strict=True):
            counts[student][Habit(*habit)] += 1
    return {student: min(found, key=lambda habit: (-found[habit], str(habit))) for student, found in counts.items()}
