"""Give each student another one's place: what shows whether a model knows students or only knows what is common.

In: students, and of each a group. Out: for each, another of the same group, each once (a derangement). By default all
are one group; matched ones share the year and editor mode that most of their traces have.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Hashable, Mapping
from typing import NamedTuple

import numpy as np
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


def derangement(
    students: Collection[str], *, seed: int, groups: Mapping[str, Hashable] | None = None
) -> dict[str, str]:
    """Student -> another student, so that each stands for one other.

    Args:
        students: Who is to be exchanged.
        seed: Draws who stands for whom.
        groups: Student -> group, within which they are exchanged; a student alone in a group, or without one, is left
            out. None: all are one group.
    """
    members: dict[Hashable, list[str]] = defaultdict(list)
    for student in sorted(set(students)):
        if groups is None or student in groups:
            members[groups[student] if groups else None].append(student)
    exchanged: dict[str, str] = {}
    for group in sorted(members, key=str):
        drawn = np.random.default_rng([seed, len(exchanged)]).permutation(len(members[group]))
        order = [members[group][index] for index in drawn]
        if len(order) > 1:
            exchanged.update(zip(order, [*order[1:], order[0]], strict=True))
    return exchanged
