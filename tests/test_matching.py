"""Exchanging students, and habits to match them by."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from factories import make_dataset
from redraft.data.matching import Habit, derangement, habits
from redraft.data.trace import State, Trace


@given(st.sets(st.text(min_size=1)), st.integers(0, 9), st.integers(1, 4))
def test_everyone_stands_for_one_other_of_the_group(students, seed, n) -> None:
    groups = {student: len(student) % n for student in students}
    exchanged = derangement(students, seed=seed, groups=groups)
    assert all(one != other and groups[one] == groups[other] for one, other in exchanged.items())
    assert sorted(exchanged) == sorted(exchanged.values())
    assert {s for s in students if sum(groups[s] == groups[o] for o in students) > 1} == set(exchanged)
    assert exchanged == derangement(sorted(students), seed=seed, groups=groups)


def test_without_groups_all_are_one() -> None:
    assert set(derangement("abcdef", seed=0)) == set("abcdef")
    assert derangement("abcdef", seed=0) != derangement("abcdef", seed=1)
    assert derangement("a", seed=0) == {}
    assert set(derangement("abcd", seed=0, groups={"a": 1, "b": 1, "c": 2})) == {"a", "b"}


def test_a_habit_is_what_most_traces_are(tmp_path) -> None:
    def work(student: str, title: str, year: int, mode: str | None) -> Trace:
        early, late = (State(code=f"x = {n}", at=datetime(year - 1 + n, 3, 1, tzinfo=UTC), mode=mode) for n in (0, 1))
        return Trace(student=student, title=title, states=(early, late), source="t")

    traces = [work("a", "p", 2015, "b"), work("a", "q", 2016, "t"), work("a", "r", 2016, "t"), work("b", "p", 2017, None)]
    dataset = make_dataset(tmp_path / "d", traces)
    assert habits(dataset, ["a", "b"]) == {"a": Habit(2016, "t"), "b": Habit(2017, None)}
    assert habits(dataset, ["b", "c"]) == {"b": Habit(2017, None)}
