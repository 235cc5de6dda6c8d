"""Habits to match students by."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from factories import make_dataset
from redraft.data.matching import Habit, habits
from redraft.data.trace import State, Trace


def test_a_habit_is_what_most_traces_are(tmp_path: Path) -> None:
    def work(student: str, title: str, year: int, mode: str | None) -> Trace:
        early, late = (State(code=f"x = {n}", at=datetime(year - 1 + n, 3, 1, tzinfo=UTC), mode=mode) for n in (0, 1))
        return Trace(student=student, title=title, states=(early, late), source="t")

    traces = [
        work("a", "p", 2015, "b"),
        work("a", "q", 2016, "t"),
        work("a", "r", 2016, "t"),
        work("b", "p", 2017, None),
    ]
    dataset = make_dataset(tmp_path / "d", traces)
    assert habits(dataset, ["a", "b"]) == {"a": Habit(2016, "t"), "b": Habit(2017, None)}
    assert habits(dataset, ["b", "c"]) == {"b": Habit(2017, None)}
