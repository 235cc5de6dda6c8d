"""Recovery, piece by piece: what counts as mended, how sequences are ranked, what baselines propose, who is strong."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from factories import make_dataset, make_trace
from known import known
from redraft.data.edits import lines_of
from redraft.data.split import Split, SplitConfig, make_split
from redraft.data.store import Dataset
from redraft.data.trace import Pair
from redraft.errors import InputError
from redraft.execute.engine import Done, Job
from redraft.execute.verdict import Attempt, ErrorRecord, Outcome
from redraft.studies.common.running import Code, Runner, runs
from redraft.studies.recover.baselines import BASELINES, Knowledge, Written, proposals
from redraft.studies.recover.cases import find_cases
from redraft.studies.recover.evidence import Drawn, Habit, gather
from redraft.studies.recover.measures import columns
from redraft.studies.recover.names import blamed, defined_in, names_in
from redraft.studies.recover.outcome import any_of, kept_share, kept_success, likeness, typed
from redraft.studies.recover.problem import Problem
from redraft.studies.recover.rank import Path, paths, ranked
from redraft.studies.recover.settings import RankConfig, RecoverConfig
from redraft.studies.recover.style import FEATURES, Style, features
from redraft.studies.recover.voices import MATCHED, OWN, STRONG, UNKNOWN, choose
from redraft.studies.recover.wording import changes, diff, kinds


class FakeEngine:
    """Programs fail at the first line with `oops`, and can't be scored with `image`."""

    version = "fake"
    languages = ("coffeescript", "javascript")

    def __init__(self) -> None:
        self.ran: list[str] = []

    def run(self, jobs: Sequence[Job]) -> Iterator[Done]:
        for job in jobs:
            self.ran.append(job.code)
            bad = [i for i, line in enumerate(lines_of(job.code), 1) if "oops" in line]
            errors = tuple(ErrorRecord(kind="uncaught", message="oops is not defined", line=i) for i in bad[:1])
            attempt = Attempt(
                language=job.languages[0], end_reached=not bad, errors=errors, used_assets="image" in job.code
            )
            yield Done(job.number, Outcome(attempts=(attempt,)))


def runner() -> Runner:
    return Runner(FakeEngine())


def test_programs_run_by_the_runners_rule() -> None:
    class Unending(FakeEngine):
        def run(self, jobs: Sequence[Job]) -> Iterator[Done]:
            for job in jobs:
                yield Done(job.number, Outcome(attempts=(Attempt(language=job.languages[0]),)))

    waits = ["await read 'name?', defer x", "fd 1"]
    found = {
        rule: Runner(Unending(), rule=rule).run(waits, "coffeescript") for rule in ("corrected", "paper", "released")
    }
    assert found == {"corrected": [True, False], "paper": [False, False], "released": [True, True]}


def problem(*codes: str, student: str = "s1", title: str = "square") -> Problem:
    states = make_trace(codes, student, title).states
    verdicts = runner().verdicts(Code(state.code, state.language) for state in states)
    return Problem(student=student, title=title, states=states, runs=tuple(map(runs, verdicts)), verdict=verdicts[-1])


# What an attempt is worth

FIVE = "a\nb\noops\nd\ne"


@pytest.mark.parametrize(
    ("new", "share"),
    [("a\nb\nx\nd\ne", 0.8), (FIVE, 1.0), ("", 0.0), ("a\nb\nd\ne\nf\ng", 0.8), ("e\nd\nb\na", 0.2), ("a\n\nb\n\nd\ne", 0.8)],
)  # fmt: skip
def test_lines_kept_stand_unchanged_and_in_order(new: str, share: float) -> None:
    assert kept_share(FIVE, new) == pytest.approx(share)


def test_blank_lines_are_no_lines_to_keep() -> None:
    assert kept_share("a\n\n\nb", "a\nb") == 1
    assert kept_share("\n\n", "a") == 0


def test_a_line_changed_in_place_may_count() -> None:
    assert kept_share("fowrd 100", "forward 100") == 0
    assert kept_share("fowrd 100", "forward 100", amended=0.5) == 1
    assert kept_share("fowrd 100", "dot", amended=0.5) == 0


def test_kept_success_needs_all_of_it() -> None:
    def won(new: str, runs: bool | None = True, final: str = "a\nb\nc\nd\ne", failing: str = FIVE) -> bool | None:
        return kept_success(failing, new, final, runs, kept=0.8)

    assert won("a\nb\nc\nd\ne")
    assert won("a\nb\nd\ne"), "the line may go"
    assert won("a\nb\nc\nd\ne", runs=False) is False
    assert won("a\nb\nc\nd\ne", runs=None) is None, "unscored, not a failure"
    assert won("a\nb\ne") is False, "three of five lines are too few"
    assert won("a\nb\nd\ne" + "\nmore and more" * 3) is False, "farther from the final program than before"


@pytest.mark.parametrize("failing", [FIVE, "oops", "oops\n\n", ""])
@pytest.mark.parametrize("final", ["", "x", FIVE])
def test_deleting_everything_is_no_kept_success(failing: str, final: str) -> None:
    for new in ("", "\n", "  "):
        assert not kept_success(failing, new, final, True, kept=0.8)


def test_unscored_candidates_are_left_out_of_any() -> None:
    assert any_of([None, True]) is True
    assert any_of([None, False]) is False
    assert any_of([None, None]) is None
    assert any_of([]) is False, "nothing proposed is nothing mended"


def test_what_is_typed_is_summed_over_the_way() -> None:
    assert typed("ab", ("abc", "ab", "abcd")) == 1 + 1 + 2


# Ranking

CODES = st.text("ab\n ", max_size=6)


@given(
    CODES,
    st.lists(st.lists(CODES, max_size=4), max_size=5),
    st.dictionaries(CODES, st.sampled_from([True, False, None])),
)
def test_no_sequence_is_ranked_whose_end_does_not_run(
    failing: str, candidates: list[list[str]], runs_of: dict[str, bool | None]
) -> None:
    order = ranked(failing, paths(failing, candidates, runs_of.get), RankConfig())
    for one in order:
        assert runs_of.get(one.path.end) is True
        assert one.path.end.strip()
        assert one.path.end != failing
        assert one.path.codes == tuple(candidates[one.path.candidate])[: len(one.path.codes)]
        assert 0 <= one.cost <= 1
    assert [one.cost for one in order] == sorted(one.cost for one in order)
    ends = {codes[n] for codes in candidates for n in range(len(codes)) if runs_of.get(codes[n]) and codes[n].strip()}
    assert {one.path.end for one in order} == ends - {failing}


def test_fewer_and_smaller_edits_and_more_kept_come_first() -> None:
    failing = "a 1\nb 2\noops\nd 4\ne 5"
    mended, longer, emptied = "a 1\nb 2\nc 3\nd 4\ne 5", "a 1\nb 2\nc 3\nd 4\ne 5\nf 6\ng 7\nh 8", "a 1"
    found = paths(failing, [[longer], [mended], [emptied], ["oops", mended]], lambda code: "oops" not in code)
    order = [one.path.codes for one in ranked(failing, found, RankConfig())]
    assert order == [(mended,), (longer,), (emptied,)], "of two ways to one program the better"


def test_style_and_likelihood_decide_between_equals() -> None:
    found = [Path(("fd 1",), 0), Path(("fd 2",), 1)]
    first = ranked("oops", found, RankConfig(), style={"fd 1": 2.0, "fd 2": 0.5}.get)[0]
    assert first.path.end == "fd 2"
    assert first.parts["style"] == pytest.approx(1 / 3)
    first = ranked("oops", found, RankConfig(), bits=lambda path: [32.0, 8.0][path.candidate])[0]
    assert (first.path.end, first.parts["surprise"]) == ("fd 2", 8 / 40)
    assert ranked("oops", found, RankConfig(style=0), style={"fd 1": 2.0, "fd 2": 0.5}.get)[0].path.end == "fd 1"


def test_the_cost_is_the_formula() -> None:
    (one,) = ranked(FIVE, [Path(("x", "a\nb\nd\ne"), 0)], RankConfig(), style=lambda _: 1.0, bits=lambda _: 32.0)
    moved = typed(FIVE, one.path.codes)
    size = moved / (moved + len(FIVE))
    assert one.cost == pytest.approx((0.5 + size + 0.2 + 0.5 * 0.5 + 0.5 * 0.5) / 4)
    assert (one.kept, one.typed) == (0.8, moved)


def test_a_line_mended_in_place_is_less_lost_than_one_taken_out() -> None:
    assert likeness("a\nfowrd 10", "a\nfwd 10") == pytest.approx((1 + 6 / 8) / 2)
    assert likeness("a\nfowrd 10", "a") == 0.5
    assert likeness(FIVE, FIVE) == 1
    assert likeness("", "a") == likeness("a", "") == 0
    failing = "pen red\nfowrd 100\nrt 90"
    first = ranked(
        failing, paths(failing, [["pen red\nrt 90"], ["pen red\nfd 100\nrt 90"]], lambda _: True), RankConfig()
    )[0]
    assert first.path.end == "pen red\nfd 100\nrt 90"


def test_weights_that_make_no_sense_are_refused() -> None:
    with pytest.raises(InputError, match="weights"):
        RankConfig(steps=-1)
    with pytest.raises(InputError, match="weights"):
        RankConfig(steps=0, size=0, lost=0, style=0, surprise=0)


# Style


def test_style_distance_is_in_standard_deviations_of_the_reference() -> None:
    style = Style.of(["# a\nfd 1", "fd 1\nfd 2"], "coffeescript")
    own = ["fd 1\nfd 2"]
    assert style.distance("fd 1\nfd 2", own, "coffeescript") == 0
    apart = (features("# a\nfd 1", "coffeescript") - features(own[0], "coffeescript")) / np.array(
        [
            np.std([a, b], ddof=1) or np.nan
            for a, b in zip(features("# a\nfd 1", "coffeescript"), features(own[0], "coffeescript"), strict=True)
        ]
    )
    expected = np.sqrt(np.nanmean(apart**2))
    assert style.distance("# a\nfd 1", own, "coffeescript") == pytest.approx(expected)
    assert expected == pytest.approx(np.sqrt(2)), "two values differ by sqrt(2) of their standard deviations"


def test_style_is_unscored_without_anything_to_compare() -> None:
    style = Style.of(["fd 1", "# a\nfd 1"], "coffeescript")
    assert style.distance("fd 1", [], "coffeescript") is None
    assert style.distance("", ["fd 1"], "coffeescript") is None
    assert Style.of(["fd 1"], "coffeescript").distance("fd 1", ["fd 1"], "coffeescript") is None


def test_features_count_by_line_and_know_what_a_language_lacks() -> None:
    found = dict(zip(FEATURES, features("# say\npen red\n\nf = ->\n  fd 1", "coffeescript"), strict=True))
    assert found["comments"] == found["functions"] == found["colours"] == found["indented"] == found["blank"] == 0.25
    assert found["characters"] == (5 + 7 + 6 + 6) / 4
    other = dict(zip(FEATURES, features("a = 1", "cobol"), strict=True))
    assert np.isnan(other["comments"])
    assert other["characters"] == 5


# Names and baselines


def test_names_are_found_outside_strings_and_comments() -> None:
    code = "foo 'bar' # baz\nx.qux \"a\\\"b\" # end\n'''\nnot\n'''"
    assert [name for name, *_ in names_in(code, "coffeescript")] == ["foo", "x", "qux"]
    assert [name for name, *_ in names_in("foo('a') // b\n/* c\n d */ e # f", "javascript")] == ["foo", "e", "f"]


def test_names_that_a_program_defines() -> None:
    code = "side = 5\nfor i, j in [1..3]\n  fd side\nf = (a, b) -> a\nfunction g(c) {}\nvar k = 1\nx == 2"
    assert defined_in(code) == {"side", "i", "j", "f", "a", "b", "g", "c", "k"}


def knowledge(programs: dict[str, list[Written]] | None = None, platform: Sequence[str] = ()) -> Knowledge:
    made = Knowledge(runner=runner(), programs=programs or {})
    made.__dict__["platform"] = frozenset(platform)
    return made


def repaired(code: str, message: str, *platform: str, n: int = 20, programs: Sequence[str] = ()) -> list[str]:
    asked = problem(code)
    verdict = replace(asked.verdict, errors=(ErrorRecord(kind="uncaught", message=message, line=1),))
    written = [Written("other", program, "coffeescript") for program in programs]
    return proposals("name-repair", replace(asked, verdict=verdict), knowledge({"square": written}, platform), n)


def test_an_unknown_name_becomes_the_nearest_known_one_wherever_it_stands() -> None:
    found = repaired("pne red\nfd 10\npne blue # pne", "pne is not defined", "pen", "fd", "red", "blue", "speed")
    assert found[0] == "pen red\nfd 10\npen blue # pne"
    assert all("fd 10" in code for code in found)


def test_the_name_that_the_error_tells_of_comes_first_and_then_all_at_once() -> None:
    found = repaired("fdd 10\npne red", "pne is not defined", "pen", "fd", "red")
    assert found[:2] == ["fdd 10\npen red", "fd 10\npen red"]
    assert found[2].startswith("fd 10\npne")


def test_names_as_near_are_told_apart_by_use() -> None:
    platform = ("lt", "rt")
    assert repaired("qt 90", "qt is not defined", *platform)[0] == "lt 90"
    assert repaired("qt 90", "qt is not defined", *platform, programs=["rt 9", "rt 8", "lt 1"])[0] == "rt 90"


def test_variables_of_the_program_are_known_names() -> None:
    assert repaired("side = 9\nfd sdie", "sdie is not defined", "fd", "speed")[0] == "side = 9\nfd side"
    assert repaired("fd 100", "something else", "fd") == []


def test_the_place_that_the_verdict_blames() -> None:
    def place(code: str, message: str, line: int | None) -> object:
        asked = problem(code)
        error = ErrorRecord(kind="uncaught", message=message, line=line)
        return blamed(replace(asked, verdict=replace(asked.verdict, errors=(error,))))

    assert place("fd 1\n  pen rred, 5\nrt 2", "rred is not defined", 2) == (1, 6)
    assert place("fd 1\npen rred", "unexpected newline", 2) == (1, 0)
    assert place("rred\npen blue", "rred is not defined", 2) == (1, 0), "another line's name"
    assert place("oops", "too long", None) is None
    assert place("oops", "oops", 9) is None, "a line that isn't there"


def test_the_failing_line_goes_first_then_its_neighbours() -> None:
    found = proposals("delete-line", problem("a\nb\n\noops\nc"), knowledge(), 3)
    assert found == ["a\nb\n\nc", "a\nb\n\noops", "a\n\noops\nc"]


def test_lines_go_from_the_top_where_no_line_is_blamed() -> None:
    asked = problem("a\noops")
    asked = replace(asked, verdict=replace(asked.verdict, errors=(ErrorRecord(kind="timeout", message="too long"),)))
    assert proposals("delete-line", asked, knowledge(), 5) == ["oops", "a"]


def test_reverting_goes_back_to_what_ran() -> None:
    asked = problem("a", "a\noops", "a\nb", "a\nb\nimage", "a\nb\noops")
    assert proposals("revert", asked, knowledge(), 5) == ["a\nb", "a"]
    assert proposals("revert", problem("oops"), knowledge(), 5) == []


def test_neighbours_run_and_are_others() -> None:
    written = [
        Written("s2", "a\nb\nfar away", "coffeescript"), Written("s2", "a\nb\noops!", "coffeescript"),
        Written("s1", "a\nb\nown", "coffeescript"), Written("s3", "a\nb\nnear", "coffeescript"),
        Written("s3", "a\nb\noo", "javascript"), Written("s3", "", "coffeescript"),
    ]  # fmt: skip
    found = proposals("neighbour", problem("a\nb\noops"), knowledge({"square": written}), 5)
    assert found == ["a\nb\nnear", "a\nb\nfar away"]
    assert proposals("neighbour", problem("oops", title="unseen"), knowledge({"square": written}), 5) == []


@pytest.mark.parametrize("name", BASELINES)
def test_proposals_are_distinct_and_another_program(name: str) -> None:
    asked = problem("oops\noops\noops", "a\na", "oops\noops\noops")
    found = proposals(name, asked, knowledge({"square": [Written("s2", "x", "coffeescript")] * 3}, ["ops"]), 4)
    assert len(found) == len(set(found)) <= 4
    assert asked.failing.code not in found


# Voices


def test_strong_students_are_those_who_backtrack_least_over_enough_traces() -> None:
    habits = {f"s{i}": Habit(traces=20 + i, counted=20, backtracking=float(i)) for i in range(80)}
    habits["once"] = Habit(traces=500, counted=0, backtracking=0.0)  # runs each program once
    habits["few"] = Habit(traces=19, counted=19, backtracking=0.0)
    voices = choose(habits, RecoverConfig())
    assert set(voices.strong) == {f"s{i}" for i in range(20)}
    assert len(set(voices.matched)) == 20
    assert not set(voices.matched) & set(voices.strong)
    assert "fewer" not in voices.note
    assert voices.matched[:2] == ("s20", "s21"), "the nearest in the number of traces that are left"


def test_the_papers_strong_student_is_one() -> None:
    habits = {f"s{i}": Habit(traces=21, counted=21, backtracking=float(10 - i)) for i in range(8)}
    voices = choose(habits, RecoverConfig(strong_students=1, strong_traces=21, strong_states=1))
    assert voices.strong == ("s7",)


def test_few_students_are_scaled_down_and_said() -> None:
    habits = {f"s{i}": Habit(traces=6, counted=6, backtracking=float(i)) for i in range(9)}
    voices = choose(habits, RecoverConfig())
    assert voices.strong == ("s0", "s1")
    assert "this data has fewer" in voices.note
    assert choose({"a": Habit(traces=9, counted=9)}, RecoverConfig()).strong == ()
    assert choose({}, RecoverConfig()).strong == ()


def test_hands_go_round_the_students() -> None:
    voices = choose(
        {f"s{i}": Habit(traces=20, counted=20, backtracking=i) for i in range(8)}, RecoverConfig(strong_students=2)
    )
    assert voices.of(OWN, "me", "c", 3) == ["me"] * 3
    assert voices.of(UNKNOWN, "me", "c", 2) == [None, None]
    assert set(voices.of(STRONG, "me", "c", 4)) == set(voices.strong)
    assert set(voices.of(MATCHED, "me", "c", 4)) == set(voices.matched)
    assert len({tuple(voices.of(STRONG, "me", str(c), 2)) for c in range(20)}) == 2, "an order of the case's own"


# Cases


def class_of(folder: pathlib.Path, language: str = "coffeescript") -> tuple[Dataset, Split]:
    traces = [
        make_trace(["a", "a\noops", "a\nb"], "s1", "square", language=language),
        make_trace(["a", "b"], "s1", "circle", language=language),
        make_trace(["oops"], "s2", "square", language=language),
        make_trace(["a", "a\noops"], "s2", "circle", language=language),
        make_trace(["oops 1", "oops 2", "oops 3", "a\nc"], "s3", "square", language=language),
        make_trace(["", "a"], "s3", "circle", language=language),
    ]  # fmt: skip
    cut = make_trace(["oops " + "x" * 1100, "a"], "s4", "square", language=language)
    traces.append(replace(cut, states=(replace(cut.states[0], truncated=True), cut.states[1])))
    dataset = make_dataset(folder, traces)
    split = make_split(dataset, SplitConfig(held_students=4, held_titles=2, validation_share=0))
    return dataset, split


def test_cases_fail_before_the_end_and_are_whole(tmp_path: pathlib.Path) -> None:
    dataset, split = class_of(tmp_path / "d")
    config = RecoverConfig(splits=("unseen-unseen",))
    found = find_cases(gather(dataset, split, config), runner(), config)
    assert {case.pair for case in found.cases} == {Pair("s1", "square"), Pair("s3", "square")}
    assert found.left_out == {
        "one state only": 1, "no failing program before the last": 3, "failing programs cut off": 1,
    }  # fmt: skip
    for case in found.cases:
        assert case.problem.runs[-1] is False
        assert case.problem.error_line == (1 if case.pair.student == "s1" else 0)
        assert case.after
        assert case.final == ("a\nb" if case.pair.student == "s1" else "a\nc")
        assert not {state.code for state in case.after} & {state.code for state in case.problem.states}
    again = find_cases(gather(dataset, split, config), runner(), config)
    assert [case.id for case in again.cases] == [case.id for case in found.cases]
    drawn = {
        find_cases(gather(dataset, split, other), runner(), other).cases[0].problem.failing.code
        for other in (replace(config, seed=seed, cases=1) for seed in range(12))
    }
    assert len(drawn) > 2, "the seed draws which pair and which of its states"


def test_a_students_own_programs_are_those_written_before(tmp_path: pathlib.Path) -> None:
    start = known(make_trace(["a"]).states[0].at)
    traces = [
        make_trace(["early"], "s1", "t1", start=start),
        make_trace(["late"], "s1", "t3", start=start + timedelta(days=2)),
        make_trace(["a", "a\noops", "a\nb"], "s1", "t2", start=start + timedelta(days=1)),
    ]
    dataset = make_dataset(tmp_path / "d", traces)
    split = make_split(dataset, SplitConfig(held_students=1, held_titles=3, validation_share=0))
    config = RecoverConfig(splits=("unseen-unseen",))
    (case,) = find_cases(gather(dataset, split, config), runner(), config).cases
    assert case.own == ("a", "a\noops", "early")


def test_programs_that_no_engine_runs_give_no_case_and_a_reason(tmp_path: pathlib.Path) -> None:
    dataset, split = class_of(tmp_path / "d", language="python")
    config = RecoverConfig(splits=("unseen-unseen",))
    found = find_cases(gather(dataset, split, config), runner(), config)
    assert found.cases == []
    assert "python isn't executed" in found.left_out


def test_what_is_drawn_depends_on_keys_alone() -> None:
    some, other = Drawn[int](5, 0), Drawn[int](5, 0)
    for i in range(100):
        some.show(i, i)
        other.show(99 - i, 99 - i)
    assert list(some) == list(other)
    assert len(set(some)) == 5
    assert list(some) != list(range(5))


# Measures


def test_measures_of_known_candidates(tmp_path: pathlib.Path) -> None:
    dataset, split = class_of(tmp_path / "d")
    config = RecoverConfig(splits=("unseen-unseen",), kept=0.5)
    cases = [c for c in find_cases(gather(dataset, split, config), runner(), config).cases if c.pair.student == "s1"]
    # failing: a, oops; final: a, b
    attempts = [[("a\noops2", "a\nb"), ("a\nb", "zzzzzzz"), (), ("",)]]
    style = Style.of(["a", "# a\nbb cc"], "coffeescript")
    found = {
        key: values[0]
        for key, values in columns(cases, attempts, [1, 2, 3, 4], runner(), style, config, steps=True).items()
    }
    assert found[1, "executes"] == 1
    assert found[3, "executes"] == pytest.approx(2 / 3), "no program leaves the failing one"
    assert found[2, "attempts"] == 2
    assert found[1, "bleu_recovered"] == 1
    assert found[1, "kept_success"] == found[1, "kept_success_final"] == 1
    assert found[1, "edit_size"] == 1 + 5
    assert found[2, "edit_size"] == 4, "the shorter way is ranked first"
    assert found[4, "lines_kept"] == 0.5
    second = columns(cases, [attempts[0][1:]], [1, 3], runner(), style, config, steps=True)
    assert second[1, "kept_success"][0] == 1, "its first running program"
    assert second[1, "kept_success_final"][0] == 0
    none = columns(cases, [[("",), ("oops",)]], [2], runner(), style, config, steps=True)
    assert none[2, "kept_success"][0] == none[2, "recovered"][0] == none[2, "kept_success_first"][0] == 0
    assert np.isnan(none[2, "edit_size"][0])
    unknown = columns(cases, [[("image",)]], [1], runner(), style, config, steps=True)
    assert np.isnan(unknown[1, "kept_success"][0])
    assert np.isnan(unknown[1, "executes"][0])
    assert np.isnan(columns(cases, [None], [1], runner(), style, config, steps=False)[1, "executes"][0])


# Words


def test_changes_are_said_in_plain_words() -> None:
    old, new = "pen red\nfowrd 10\n  rt 90\nx\ny", "pen red\nfd 10\nrt 90\nx\ny\ndot blue\ndot red"
    said = changes(old, new)
    assert said == [
        "line 2, `fowrd 10`, becomes `fd 10`", "line 3 is indented by 0 instead of 2: `rt 90`",
        "2 lines come in after line 5: `dot blue` ...",
    ]  # fmt: skip
    assert changes("a\nb\nc", "c") == ["lines 1 to 2 go: `a` ..."]
    assert changes("c", "a\nc") == ["a line comes in at the top: `a`"]
    assert changes("a", "a") == []
    assert diff("a\nb", "a\nc") == ["@@ -1,2 +1,2 @@", " a", "-b", "+c"]


def test_kinds_of_edits_are_named() -> None:
    assert kinds("pen red", "pen blue", "coffeescript") == ["a colour is changed"]
    assert kinds("fd 1", "fd 2", "coffeescript") == ["a number is changed"]
    assert kinds("fd 1", "fd 1\n# done", "coffeescript") == ["a comment is added"]
    assert kinds("fd 1", "fd 1\nf = -> 2", "coffeescript") == ["a function is added"]
