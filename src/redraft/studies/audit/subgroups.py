"""Subgroups of students and of titles, to be audited: who is in which.

In: a run's dataset, its split, the measured real traces. Out: `Attribute`s, each with a value for every student or
every title. A student's year, editor mode and language are those of most of their traces (of equally many, the first in
alphabetical order); activity is the number of training traces; covariates are the columns that a researcher handed in
beside the logs (`covariates.parquet`). Numbers of many values are cut into thirds. Who has no value is in the subgroup
`not recorded`. Programs' text is not read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from redraft.data.split import TRAIN, Split
from redraft.data.store import Dataset

MISSING = "not recorded"
MOST_VALUES = 8
"""Columns of numbers with more values are cut into thirds; other columns with more are left out."""
THIRDS = ("lowest third", "middle third", "highest third")


class Attribute(NamedTuple):
    """What students or titles are grouped by."""

    name: str
    """year, mode, language, activity, title frequency, or a covariate's column."""
    of: str
    """`student` or `title`: what has a value."""
    values: dict[str, str]
    """Student or title -> value."""


def attributes(dataset: Dataset, split: Split, real: pa.Table) -> list[Attribute]:
    """All attributes the dataset has.

    Args:
        dataset: The real traces.
        split: Of the dataset.
        real: `measure(dataset)`; its languages are used.
    """
    years, modes = _of_final_states(dataset)
    languages = _most(zip(real["student"].to_pylist(), real["language"].to_pylist(), strict=True))
    trained = [pair for pair, place in split.of.items() if place == TRAIN]
    students = {pair.student for pair in split.of}
    activity = Counter(pair.student for pair in trained)
    frequency = Counter(pair.title for pair in trained)
    return [
        Attribute("year", "student", years),
        Attribute("mode", "student", modes),
        Attribute("language", "student", languages),
        Attribute("activity", "student", _thirds({student: activity[student] for student in students}, "no training")),
        Attribute(
            "title frequency", "title",
            _thirds({title: frequency[title] for title in {pair.title for pair in split.of}}, "not in training"),
        ),
        *_covariates(dataset, students),
    ]  # fmt: skip


def _of_final_states(dataset: Dataset) -> tuple[dict[str, str], dict[str, str]]:
    """Each student's year and editor mode."""
    years: list[tuple[str, str | None]] = []
    modes: list[tuple[str, str | None]] = []
    for batch in dataset.batches(["student", "states"]):
        states = batch["states"]
        ends = pc.subtract(pc.cast(pc.cumulative_sum(pc.list_value_length(states)), pa.int64()), 1)
        final = states.flatten()
        students = batch["student"].to_pylist()
        year = pc.cast(pc.year(final.field("at").take(ends)), pa.string()).to_pylist()
        years += zip(students, year, strict=True)
        modes += zip(students, final.field("mode").take(ends).to_pylist(), strict=True)
    return _most(years), _most(modes)


def _most(pairs: Iterable[tuple[str, str | None]]) -> dict[str, str]:
    """The value each key has most often; `not recorded` counts only where nothing else is."""
    counts: dict[str, Counter[str]] = {}
    for key, value in pairs:
        counts.setdefault(key, Counter())[value or MISSING] += 1
    return {
        key: min(found.items(), key=lambda item: (item[0] == MISSING, -item[1], item[0]))[0]
        for key, found in counts.items()
    }


def _thirds(numbers: Mapping[str, float], zero: str | None = None) -> dict[str, str]:
    """Numbers cut at the thirds of those who have them; 0 has a name of its own where one is given."""
    counted = {key: number for key, number in numbers.items() if number or zero is None}
    cuts = np.quantile(list(counted.values()), (1 / 3, 2 / 3)) if counted else ()
    return {
        key: THIRDS[int(np.searchsorted(cuts, number))] if key in counted else str(zero)
        for key, number in numbers.items()
    }


def _covariates(dataset: Dataset, students: Iterable[str]) -> list[Attribute]:
    table = dataset.covariates()
    if table is None:
        return []
    whose = table["student"].to_pylist()
    found = []
    for name in table.column_names:
        column = dict(zip(whose, table[name].to_pylist(), strict=True))
        values = None if name == "student" else _values(column)
        if values is not None:
            found.append(Attribute(name, "student", {s: values.get(s, MISSING) for s in students}))
    return found


def _values(column: Mapping[str, Any]) -> dict[str, str] | None:
    """A covariate's values as words; None if it is neither a category nor a number."""
    known = {key: value for key, value in column.items() if value is not None}
    if len(set(map(str, known.values()))) <= MOST_VALUES:
        return {key: str(value) for key, value in known.items()}
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in known.values()):
        return _thirds(known)
    return None
