"""The field's measures of struggling with compile errors.

No published worked example was found in full text: neither of Jadud's, Becker's nor Watson's sessions are printed draft by
draft where they can be looked up. The expected numbers are worked out by hand from the published formulas.
"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from factories import make_dataset, make_trace
from redraft.data.verdicts import PLATFORM_FILE, PLATFORM_SCHEMA
from redraft.metrics.compile_errors import (
    Draft,
    Failure,
    Mending,
    Usual,
    error_quotient,
    error_type,
    mendings,
    repeated_error_density,
    usual_times,
    watwin,
)
from redraft.metrics.languages import PROFILES
from redraft.metrics.measure import measure
from redraft.rundir.tables import write_table

JAVA = PROFILES["java"]


def session(errors: str) -> list[Draft]:
    """Drafts by a letter each: `.` compiles, `?` isn't known, else a type of error."""
    return [
        Draft(f"draft {number}", None if letter == "?" else letter == ".",
              None if letter in ".?" else Failure(f"error {letter}", 1))
        for number, letter in enumerate(errors)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("errors", "expected"),
    [
        ("..", 0), ("a.", 0), (".a", 0),
        ("ab", 8 / 11),  # both fail, of different types
        ("aa", 1),  # both fail, of one type
        ("aab.", (1 + 8 / 11 + 0) / 3),
        ("aaaa", 1), ("a.a.a", 0),
        ("a", None), ("a?", None),
    ],
)  # fmt: skip
def test_error_quotient(errors: str, expected: float | None) -> None:
    assert error_quotient(session(errors)) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("errors", "expected"),
    [
        ("a", 0), ("....", 0), ("ab", 0), ("a.a", 0),
        ("aa", 1 / 2), ("aaa", 4 / 3), ("aaaa", 9 / 4),
        ("aa.aa", 1),  # two short runs are less than a long one of as many drafts
        ("aabbb.a", 1 / 2 + 4 / 3),
        ("?", None), ("aa?", None),
    ],
)  # fmt: skip
def test_repeated_error_density(errors: str, expected: float | None) -> None:
    assert repeated_error_density(session(errors)) == pytest.approx(expected)


@given(st.text("ab.", min_size=2, max_size=12))
def test_both_keep_within_their_bounds(errors: str) -> None:
    eq, red = error_quotient(session(errors)), repeated_error_density(session(errors))
    assert eq is not None
    assert red is not None
    assert 0 <= eq <= 1 + 1e-9
    assert 0 <= red <= len(errors)
    assert (red == 0) == ("aa" not in errors and "bb" not in errors)
    if "." not in errors:
        assert eq >= 8 / 11 - 1e-9


@pytest.mark.parametrize(
    ("message", "other", "same"),
    [
        ("unknown class - Pet", "unknown class - Dog", True),
        ("cannot find symbol 'x'", "cannot find symbol 'total'", True),
        ("unterminated string literal (detected at line 3)", "unterminated string literal (detected at line 14)", True),
        ("';' expected", "')' expected", False),
        ("unknown class - Pet", "unknown method - pet", False),
        ("cannot find symbol\n  symbol: x", "cannot find symbol\n  symbol: y", True),
    ],
)  # fmt: skip
def test_an_error_has_the_type_of_its_message_without_the_students_own_names(
    message: str, other: str, same: bool
) -> None:
    assert (error_type(message) == error_type(other)) is same


def failing(code: str, message: str = "';' expected", line: int = 1) -> Draft:
    return Draft(code, False, Failure(message, line))


def compiling(code: str) -> Draft:
    return Draft(code, True, None)


@pytest.mark.parametrize(
    ("after", "counts"),
    [
        ("int x = 1;\nint y;", True),
        ("int x = 1\n\n  int y;", False),  # white space
        ("int x = 1\n// done\nint y;", False),  # comments
        ("int y;", False),  # deleted
        ("// int x = 1\nint y;", False),  # commented out
    ],
)
def test_watwin_counts_mendings_alone(after: str, counts: bool) -> None:
    pairs = mendings([failing("int x = 1\nint y;"), compiling(after)], [5.0], JAVA)
    assert len(pairs) == counts


def test_watwin_leaves_out_pairs_whose_first_program_compiles() -> None:
    drafts = [compiling("a"), failing("b"), failing("c"), compiling("d")]
    pairs = mendings(drafts, [1.0, 2.0, 3.0], JAVA)
    assert [(pair.before.code, pair.seconds) for pair in pairs] == [("b", 2.0), ("c", 3.0)]


USUAL = {error_type("';' expected"): Usual(60, 20), error_type("unknown class - A"): Usual(60, 20)}


@pytest.mark.parametrize(
    ("before", "after", "seconds", "points"),
    [
        (failing("a"), compiling("b"), 39, 1),
        (failing("a"), compiling("b"), 40, 15),
        (failing("a"), compiling("b"), 80, 15),
        (failing("a"), compiling("b"), 81, 25),
        (failing("a"), failing("b"), 60, 4 + 4 + 2 + 15),
        (failing("a"), failing("b", line=2), 60, 4 + 4 + 15),
        (failing("a", "unknown class - A"), failing("b", "unknown class - B"), 60, 4 + 2 + 15),
        (failing("a"), failing("b", "unknown class - B", 9), 60, 15),
        (failing("a"), failing("b"), 1000, 35),
    ],
)  # fmt: skip
def test_watwin_scores_a_pair(before: Draft, after: Draft, seconds: float, points: int) -> None:
    assert watwin([before, after], [Mending(before, after, seconds)], USUAL) == pytest.approx(points / 35)


def test_watwin_is_the_mean_of_the_pairs_0_without_any_and_unscored_without_times() -> None:
    drafts = [failing("a"), failing("b"), compiling("c")]
    pairs = mendings(drafts, [60, 90], JAVA)
    assert watwin(drafts, pairs, USUAL) == pytest.approx((25 + 25) / 2 / 35)
    assert watwin(drafts, mendings(drafts, None, JAVA), USUAL) is None
    assert watwin(drafts, pairs, {}) is None
    fine = [compiling("a"), compiling("b")]
    assert watwin(fine, mendings(fine, None, JAVA), USUAL) == 0
    assert watwin(fine[:1], [], USUAL) is None


def test_usual_times_are_of_all_students_by_type() -> None:
    pairs = [Mending(failing("a", f"unknown class - {name}"), compiling("b"), s) for name, s in (("A", 10), ("B", 30))]
    assert usual_times(pairs) == {"unknown class": Usual(20, 10)}


def test_measures_of_a_dataset_are_by_what_the_platform_said(tmp_path: Path) -> None:
    quick = make_trace(["x = (", "x = (1", "x = (1)"], "quick", gap=10, language="python")
    slow = make_trace(["y = [", "y = [2", "y = [2]"], "slow", gap=100, language="python")
    dataset = make_dataset(tmp_path / "class", [quick, slow])
    never = "'(' was never closed"
    rows = [
        {"id": state.id, "title": "square", "language": "python", "end_reached": False, "engine": "platform",
         "judged": "compiled", "verdict": "ok" if last else "error",
         "errors": [] if last else [{"kind": "syntax", "message": never, "line": 1}]}
        for trace in (quick, slow) for state in trace.states for last in [state is trace.final]
    ]  # fmt: skip
    write_table(pa.Table.from_pylist(rows, PLATFORM_SCHEMA), dataset.path / PLATFORM_FILE)
    table = measure(dataset)
    assert table["error_quotient"].to_pylist() == [0.5, 0.5]
    assert table["repeated_error_density"].to_pylist() == [0.5, 0.5]
    # mean 55 s, deviation 45 s: 10 s and 100 s are at the edges, so both usual
    assert table["watwin"].to_pylist() == pytest.approx([(25 + 15) / 2 / 35] * 2)
    assert table["runs_final"].to_pylist() == [1, 1]
    assert table["success_final"].to_pylist() == [None, None], "to compile is no success"
