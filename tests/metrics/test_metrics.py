"""Metrics of programs and traces, on examples worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factories import make_dataset, make_trace
from places import ROOT
from redraft.data.trace import Trace
from redraft.execute.dataset import verdict_writer
from redraft.execute.judged import Judgement
from redraft.execute.verdict import Verdict
from redraft.metrics import reference
from redraft.metrics.behaviour import succeeds
from redraft.metrics.colours import COLOURS
from redraft.metrics.languages import PROFILES, functions_in, is_comment
from redraft.metrics.measure import SCHEMA, languages_of, measure, measure_traces
from redraft.metrics.registry import MEASURED, METRICS

JUDGED = {name for name, metric in METRICS.items() if {"verdict", "score"} & {*metric.needs}}
"""Need verdicts or grades, which a trace alone doesn't have."""


def row(trace: Trace, language: str | None = None) -> dict[str, Any]:
    (found,) = measure_traces(iter([trace]), language).to_pylist()
    return dict(found)


def values(codes: list[str], **options: Any) -> dict[str, Any]:
    return row(make_trace(codes, **options))


def test_a_trace_worked_out_by_hand() -> None:
    # Levenshtein distances to the final "abcd": "abc" 1, "abcx" 1, "abxy" 2, "abcd" 0.
    # Of 3 edits one leads away (1 -> 2); distances between neighbours: 1, 2, 2.
    found = values(["abc", "abcx", "abxy", "abcd"], gap=30)
    assert found["attempts"] == 4
    assert found["backtracking"] == found["backtracking_t3"] == pytest.approx(1 / 3)
    assert found["edit_distance_total"] == 5
    assert found["edit_distance_mean"] == pytest.approx(5 / 3)
    assert (found["seconds_total"], found["seconds_mean"], found["seconds_active"]) == (90, 30, 90)
    assert found["modify_count"] == 3
    assert found["modify_share"] == 1
    assert found["lines_modified"] == 3
    assert found["lines_added"] == found["lines_deleted"] == 0
    assert found["year_final"] == found["year_mean"] == 2020


@pytest.mark.parametrize("codes", [["a"], ["a", "b"]])
def test_short_traces_cannot_backtrack(codes: list[str]) -> None:
    found = values(codes)
    assert found["backtracking"] == 0
    assert found["backtracking_t3"] is None
    assert METRICS["backtracking_t3"].generated_from == "backtracking"


def test_a_trace_of_one_state_scores_zero_on_its_edits() -> None:
    found = values(["fd 1"])
    for name in ("seconds_total", "seconds_mean", "edit_distance_total", "edit_distance_mean", "modify_share"):
        assert found[name] == 0


@given(st.lists(st.text("ab\n", max_size=6), min_size=1, max_size=8))
def test_bounds_that_hold_for_any_trace(codes: list[str]) -> None:
    found = values(codes)
    edits = len(codes) - 1
    assert 0 <= found["backtracking"] <= max(edits - 1, 0) / max(edits, 1)  # the last edit never leads away
    kinds = ("large_add", "large_del", "small_add", "small_del", "modify")
    assert sum(found[f"{kind}_count"] for kind in kinds) == edits
    for kind in (*kinds, "colour_change", "number_change", "comment_added", "function_added"):
        assert found[f"{kind}_share"] == found[f"{kind}_count"] / max(edits, 1)
    assert found["edit_distance_total"] == pytest.approx(found["edit_distance_mean"] * edits)


def test_words_are_counted_whole() -> None:
    code = "turtle.fd 1\nturtles = 3\nmyturtle()\nbox red\ntextbox\nawait pause 1, defer()\nturtle.rt 90"
    found = values(["", code])
    assert (found["turtle_final"], found["box_final"], found["await_final"]) == (2, 1, 1)
    assert found["turtle_mean"] == 1  # over both programs


def test_colours_are_whole_words_and_synonyms_are_one() -> None:
    assert len(COLOURS) == len(set(COLOURS)) == 139
    # skyblue (not blue too), red, grey = gray twice; "redder" and "ff00red0" are no colours
    found = values(["pen skyblue\ndot red, 5\nbox grey\nbox gray\nredder ff00red0"])
    vector = dict(zip(COLOURS, found["colours"], strict=True))
    assert {name: count for name, count in vector.items() if count} == {"skyblue": 1, "red": 1, "gray": 2}
    assert found["colours_final"] == 4


def test_the_vector_over_a_trace_is_its_programs_mean() -> None:
    found = values(["pen red", "pen red\ndot red\ndot aqua"])
    vector = dict(zip(COLOURS, found["colours_trace"], strict=True))
    assert {name: count for name, count in vector.items() if count} == {"red": 1.5, "cyan": 0.5}
    assert found["colours_mean"] == 2


def test_comments_start_their_line() -> None:
    code = '# one\n  # two\nfd 100 # no\nbox "#ff0000"\n###\n#ff0000'
    assert values([code])["comments_final"] == 4
    assert row(make_trace(["// one\n# no\nfd(1) // no"], language="javascript"))["comments_final"] == 1


@pytest.mark.parametrize(
    ("language", "line", "count"),
    [
        ("coffeescript", "f = (x) -> fd x", 1),
        ("coffeescript", "forever 5, ->", 1),
        ("coffeescript", "g = => (y) -> y", 2),
        ("coffeescript", "# f = -> 1", 0),
        ("coffeescript", "if x >= 3", 0),
        ("javascript", "function f(x) { return x; }", 1),
        ("javascript", "a.map(x => x + 1)", 1),
        ("javascript", "while (i-->0) {", 0),
        ("python", "    def f(x):", 1),
        ("python", "sorted(x, key=lambda y: -y)", 1),
        ("python", "define(3)", 0),
        ("java", "    public static int f(int a, int b) {", 1),
        ("java", "void g() throws IOException", 1),
        ("java", "    } else if (a > b) {", 0),
        ("java", "else if (a > b) {", 0),
        ("java", "return f(x);", 0),
        ("java", "int x = f(3);", 0),
        ("java", "xs.forEach(x -> print(x));", 1),
    ],
)
def test_functions_by_language(language: str, line: str, count: int) -> None:
    assert functions_in(line, PROFILES[language]) == count


def test_comment_marks_by_language() -> None:
    assert [name for name in PROFILES if is_comment("  # x", PROFILES[name])] == ["coffeescript", "python"]
    assert [name for name in PROFILES if is_comment("  // x", PROFILES[name])] == ["javascript", "java"]


@pytest.mark.parametrize(
    ("old", "new", "kinds"),
    [
        ("pen red, 5", "pen skyblue, 5", {"colour_change"}),
        ("pen red, 5", "pen red, 1.5", {"number_change"}),
        ("pen red, 5", "pen blue, 6", set()),  # neither alone
        ("for [1..5]", "for [1..8]", {"number_change"}),
        ("x1 = y", "x2 = y", set()),  # part of a name, no numeral
        ("pen red\nfd 5", "pen blue\nfd 6", {"colour_change", "number_change"}),
        ("fd 5", "fd 5\n  # why", {"comment_added"}),
        ("fd 5", "fd 5\nf = (x) ->", {"function_added"}),
        ("fd 5", "fd 5\n# f = ->", {"comment_added"}),
        ("# a", "# b", set()),  # modified, not added
    ],
)
def test_overlays(old: str, new: str, kinds: set[str]) -> None:
    found = values([old, new])
    overlays = ("colour_change", "number_change", "comment_added", "function_added")
    assert {name for name in overlays if found[f"{name}_count"]} == kinds


def test_overlays_count_edits_not_lines() -> None:
    found = values(["pen red\ndot red", "pen blue\ndot blue", "pen blue\ndot blue"])
    assert found["colour_change_count"] == 1
    assert found["colour_change_share"] == 0.5


def test_long_gaps_and_clocks_that_run_backwards_are_not_active() -> None:
    trace = make_trace(["a", "b", "c", "d", "e"])
    start = datetime(2019, 12, 31, 23, 50, tzinfo=UTC)
    offsets = (0, 600, 1201, 1200, 1260)  # gaps 600 (kept), 601, -1, 60
    states = tuple(replace(s, at=start + timedelta(seconds=o)) for s, o in zip(trace.states, offsets, strict=True))
    found = row(replace(trace, states=states))
    assert (found["seconds_total"], found["seconds_mean"], found["seconds_active"]) == (1260, 315, 660)
    assert (found["year_final"], found["year_mean"]) == (2020, 2019.8)


def test_without_times_nothing_of_time_is_scored() -> None:
    trace = make_trace(["a", "b", "c"])
    found = row(replace(trace, states=tuple(replace(state, at=None) for state in trace.states)))
    timed = {name for name, metric in METRICS.items() if "time" in metric.needs} - JUDGED
    assert timed == {"year_final", "year_mean", "seconds_total", "seconds_mean", "seconds_active"}
    assert {name for name in MEASURED if found[name] is None} == timed | JUDGED


@pytest.mark.parametrize("codes", [["a"], ["a", "b", "c"]])
def test_without_a_profile_nothing_of_language_is_scored(codes: list[str]) -> None:
    needing = {name for name in MEASURED if "language" in METRICS[name].needs}
    always = {"backtracking_t3"} if len(codes) < 3 else set()
    for language in (None, "html"):
        found = values(codes, language=language)
        assert {name for name in MEASURED if found[name] is None} == needing | always | JUDGED


def test_a_stand_in_serves_states_without_a_language_only() -> None:
    silent, spoken = make_trace(["# a"], language=None), make_trace(["# a"], student="s2", language="javascript")
    assert row(silent, "python")["comments_final"] == 1
    assert row(silent, "python")["language"] == "python"
    assert row(spoken, "python")["comments_final"] == 0
    table = measure_traces(iter([spoken]))
    assert languages_of(table) == {spoken.pair: "javascript"}
    assert measure_traces(iter([silent]), {silent.pair: "python"})["comments_final"].to_pylist() == [1]


def test_measure_keeps_the_dataset_s_order_and_flags(tmp_path: Path) -> None:
    cut = make_trace(["a", "b"], student="s2")
    cut = replace(cut, ended=False, states=(cut.states[0], replace(cut.states[1], truncated=True)))
    dataset = make_dataset(tmp_path / "d", [cut, make_trace(["c"], student="s1")])
    table = measure(dataset)
    assert table.schema == SCHEMA
    assert table["student"].to_pylist() == ["s1", "s2"]
    assert table["truncated"].to_pylist() == [False, True]
    assert table["ended"].to_pylist() == [True, False]


def test_workers_change_nothing(tmp_path: Path) -> None:
    traces = [make_trace([f"fd {i}", f"fd {i}\nrt 90"], student=f"s{i:05}") for i in range(4100)]  # two row groups
    dataset = make_dataset(tmp_path / "d", traces)
    assert measure(dataset, workers=2).equals(measure(dataset))


def test_an_empty_dataset_measures_to_an_empty_table(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path / "d", [])
    assert measure(dataset).equals(SCHEMA.empty_table())


SUCCESS = {name: metric for name, metric in METRICS.items() if "score" in metric.needs}


def graded(*scores: float | None, timed: bool = True) -> dict[str, Any]:
    """The metrics of success of drafts 30 s apart with these grades."""
    trace = make_trace([f"draft {number}" for number in range(len(scores))])
    states = tuple(
        replace(state, score=score, at=state.at if timed else None)
        for state, score in zip(trace.states, scores, strict=True)
    )
    found = row(replace(trace, states=states))
    return {name: found[name] for name in SUCCESS}


def test_success_by_grades_worked_out_by_hand() -> None:
    assert graded(0, 0.5, 1, 0) == {
        "success_final": 0, "success_first": 0, "success_share": 0.25, "attempts_to_success": 3,
        "seconds_to_success": 60,
    }  # fmt: skip
    assert graded(1) == {
        "success_final": 1, "success_first": 1, "success_share": 1, "attempts_to_success": 1, "seconds_to_success": 0,
    }  # fmt: skip
    never = graded(0, 0.99)
    assert (never["success_share"], never["attempts_to_success"], never["seconds_to_success"]) == (0, None, None)
    assert graded(0, 1, timed=False)["seconds_to_success"] is None
    assert graded(0, 1, timed=False)["attempts_to_success"] == 2


def test_a_draft_without_a_grade_is_no_failure() -> None:
    some = graded(None, 1, None)
    assert some == dict.fromkeys(SUCCESS)  # the first success may be the first draft, or the second
    assert graded(0, 1, None)["attempts_to_success"] == 2


@pytest.mark.parametrize(
    ("judged", "by", "runs", "success"),
    [
        ("tested", "platform", True, True), ("ran", "platform", True, True), ("ran", "platform", False, False),
        ("compiled", "platform", True, None), ("compiled", "platform", False, False),
        ("ran", "engine", True, None),  # that a program runs doesn't say that it does what was asked for
        ("tested", "engine", False, False), ("tested", "engine", None, None),
    ],
)  # fmt: skip
def test_success_by_verdicts(judged: str, by: str, runs: bool | None, success: bool | None) -> None:
    (state,) = make_trace(["x"]).states
    assert succeeds(state, Judgement(runs, by, judged)) is success
    assert succeeds(replace(state, score=1.0), Judgement(runs, by, judged)) is True, "a grade counts first"


def test_every_metric_is_declared_and_documented() -> None:
    documented = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    assert documented == reference.document(), "run: python -m redraft.metrics.reference"
    for metric in METRICS.values():
        assert metric.definition
        assert metric.unit
        assert (metric.compute is None) == (metric.level in ("pair", "collection"))
        assert metric.generated_from is None or metric.generated_from in MEASURED


def test_verdicts_that_are_written_anew_are_read_anew(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path / "class", [make_trace(["fd 1"])])
    (trace,) = dataset.traces()

    def measured(verdict: str) -> object:
        with verdict_writer(dataset, "v8", version="1") as write:
            write(Verdict(id=trace.final.id, verdict=verdict, language="coffeescript", end_reached=True, errors=()))
        return measure(dataset)["runs_final"].to_pylist()

    assert measured("ok") == [1.0]
    assert measured("error") == [0.0]
