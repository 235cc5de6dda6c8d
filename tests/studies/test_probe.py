"""Probes: signals that were planted are found, others not, and leaks are told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from factories import make_dataset, make_trace
from probing import SMALL, make_model, make_probed_run
from redraft import results
from redraft.cli import main
from redraft.data.split import SplitConfig, load_split, make_split
from redraft.data.store import open_dataset
from redraft.data.trace import Pair, State, program_id
from redraft.errors import DatasetError, InputError
from redraft.execute.dataset import verdict_file, verdict_writer
from redraft.execute.judged import Judgements
from redraft.execute.verdict import Verdict
from redraft.lm.checkpoint import load_model, save_model
from redraft.lm.embed import Reading, embed
from redraft.results import Result
from redraft.rundir import write_text
from redraft.studies.common.claims import judge, own_claims
from redraft.studies.common.limits import choose
from redraft.studies.common.run import open_run
from redraft.studies.probe import chapter as report
from redraft.studies.probe.code import Prober, score
from redraft.studies.probe.habits import Effects, Habits
from redraft.studies.probe.prefixes import Prefixes, make_prefixes, prefixes_of
from redraft.studies.probe.rows import Maker
from redraft.studies.probe.settings import ProbeConfig
from redraft.studies.probe.students import _Work
from redraft.studies.probe.study import probe
from redraft.studies.probe.vectors import Vectors

NOTHING = Judgements()
"""Nobody says of any program whether it runs."""

# What is asked


def test_targets_of_a_trace_by_hand() -> None:
    codes = ["a", "abcd", "ab", "abc"]  # distances to the end: 3 (empty), 2, 1, 1, 0
    trace = make_trace(codes, gap=10)
    runs = {state.id: n != 1 for n, state in enumerate(trace.states)}
    asked = prefixes_of([trace], Judgements.of_runs(runs), ProbeConfig())
    nan = np.nan
    expected: dict[str, list[float]] = {
        "title": [nan, 0, 0, 0, nan],
        "is_last": [0, 0, 0, 0, 1],
        "halfway": [0, 0, 1, 1, nan],
        "backtracks": [0, 0, 0, 0, nan],
        "attempts_left": [4, 3, 2, 1, nan],
        "seconds_left": [30, 30, 20, 10, nan],
        "seconds_left_log": [*np.log1p([30, 30, 20, 10]), nan],
        "distance_to_final": [3, 2, 1, 1, nan],
        "final_runs": [1, 1, 1, 1, nan],
    }
    for name, values in expected.items():
        np.testing.assert_allclose(asked.targets[name], values, err_msg=name)
    assert asked.step.tolist() == [0, 1, 2, 3, 4]
    np.testing.assert_allclose(asked.surface[2], [2, np.log(3), np.log(5), np.log(2), np.log(11), 0, 1])


def test_backtracking_to_come_is_of_later_edits() -> None:
    trace = make_trace(["abc", "abcd", "x", "abcd", "abcdef"])  # only the edit to the third state leads away
    asked = prefixes_of([trace], NOTHING, ProbeConfig())
    np.testing.assert_array_equal(asked.targets["backtracks"], [1, 1, 1, 0, 0, np.nan])
    assert np.isnan(asked.targets["final_runs"]).all()
    assert asked.unscored("final_runs") == 5
    assert asked.unscored("is_last") == 0


def test_what_cannot_be_known_is_unscored() -> None:
    one = make_trace(["fd 1"], title="a")
    now = datetime(2020, 1, 1, tzinfo=UTC)
    cut = replace(
        one, title="b", states=(State(code="fd 1", at=now), State(code="fd 2", truncated=True, at=now - timedelta(9)))
    )
    no_time = replace(one, title="c", states=(State(code="x"), State(code="y")))
    runs = {program_id("fd 2", None): True, program_id("y", None): None}
    asked = prefixes_of([one, cut, no_time], Judgements.of_runs(runs), ProbeConfig(title_with_final=True))
    assert np.isnan(asked.targets["final_runs"]).all()
    assert asked.targets["seconds_left"][2] < 0
    assert np.isnan(asked.targets["seconds_left_log"][2:]).all()
    np.testing.assert_array_equal(asked.targets["title"], [np.nan, 0, np.nan, 1, 1, np.nan, 2, 2])
    assert prefixes_of([], NOTHING, ProbeConfig()).surface.shape == (0, 7)


def test_limits_are_lowered_only_as_far_as_need_be() -> None:
    counts = {"a": 30, "b": 20, "c": 10, "d": 5, "e": 500}
    assert tuple(choose(counts, 20, 200, 2)) == ({"a", "b"}, 20)
    found = choose(counts, 20, 200, 3)
    assert tuple(found) == ({"a", "b", "c"}, 10)
    assert found.note(20, "traces") == "at least 10 traces per student, as too few have 20"
    assert choose(counts, 20, 200, 99).students == {"a", "b", "c", "d"}
    assert tuple(choose(counts, 20, 200, 99, floor=11)) == ({"a", "b"}, 11)


# Known truths


def asked_of(
    n_students: int = 24, seed: int = 0, **targets: Callable[[Prefixes, np.random.Generator], np.ndarray]
) -> Prefixes:
    """Three traces per student, of 2 to 4 states."""
    rng = np.random.default_rng(seed)
    traces = [
        make_trace([f"fd {i}" for i in range(rng.integers(2, 5))], student=f"s{s:02d}", title=f"t{t}")
        for s in range(n_students) for t in range(3)
    ]  # fmt: skip
    asked = prefixes_of(traces, NOTHING, ProbeConfig())
    values = {name: make(asked, rng) for name, make in targets.items()}
    return replace(asked, targets=values, asked={name: np.isfinite(v) for name, v in values.items()})


def by(name: str, scale: float = 1.0) -> Callable[[Prefixes, np.random.Generator], np.ndarray]:
    """A random number for each student, trace or title."""
    return lambda asked, rng: (scale * rng.normal(size=asked.groups(name).max() + 1))[asked.groups(name)]


def yes(
    make: Callable[[Prefixes, np.random.Generator], np.ndarray],
) -> Callable[[Prefixes, np.random.Generator], np.ndarray]:
    return lambda asked, rng: (make(asked, rng) > 0).astype(float)


def settings(*targets: str, **more: object) -> ProbeConfig:
    return ProbeConfig(**{"targets": targets, "repeats": 2, "permutations": 19, **more})  # type: ignore[arg-type]


def test_planted_signals_are_found_and_noise_is_not() -> None:
    asked = asked_of(
        40,
        attempts_left=by("trace", 5),
        distance_to_final=by("trace"),
        final_runs=yes(by("trace")),
        title=lambda a, _: a.title * 1.0,
    )
    rng = np.random.default_rng(1)
    x = rng.normal(size=(len(asked), 12))
    x[:, 0] += asked.targets["attempts_left"]
    x[:, 1] += 3 * asked.targets["final_runs"]
    x[:, 2] += 6 * (asked.title == 1)
    x[:, 3] += 6 * (asked.title == 2)
    config = settings(*asked.targets)
    probed = Prober(asked, config).probe(lambda hidden: x, "student", with_p=True)
    assert score(probed["attempts_left"], "pearson") > 0.95
    assert score(probed["final_runs"], "f1") > 0.85
    assert score(probed["title"], "macro_f1") > 0.9
    assert abs(score(probed["distance_to_final"], "pearson")) < 0.3
    assert [probed[name].p for name in ("attempts_left", "final_runs", "title")] == [0.05] * 3
    assert (probed["distance_to_final"].p or 0) > 0.05
    exchanged = Prober(asked, config).probe(lambda hidden: x, "student", permuted=True)
    assert abs(score(exchanged["attempts_left"], "pearson")) < 0.3
    assert score(exchanged["title"], "macro_f1") < 0.5


def test_p_of_noise_is_uniform() -> None:
    """Vectors and targets that vary by student, trace and prefix, but not together."""
    ps = []
    for seed in range(40):
        asked = asked_of(
            20, seed, attempts_left=lambda a, r: by("student")(a, r) + by("trace")(a, r) + r.normal(size=len(a))
        )
        rng = np.random.default_rng([seed, 1])
        of_student, of_trace = (
            rng.normal(size=(asked.groups(g).max() + 1, 6))[asked.groups(g)] for g in ("student", "trace")
        )
        x = of_student + of_trace + rng.normal(size=of_trace.shape)
        config = settings("attempts_left", repeats=1, permutations=19, seed=seed)
        ps.append(Prober(asked, config).probe(fixed(x), "student", with_p=True)["attempts_left"].p)
    assert stats.kstest(np.array(ps) - np.random.default_rng(0).uniform(0, 1 / 20, 40), "uniform").pvalue > 0.01


def fixed(x: np.ndarray) -> Callable[[object], np.ndarray]:
    """The same embeddings, whatever is hidden."""
    return lambda _: x


def test_a_leak_is_told_by_its_gap() -> None:
    """Embeddings that hold which trace (which student) it is, and targets that only those tell."""
    asked = asked_of(30, attempts_left=by("trace"), distance_to_final=by("student"))
    of_trace, of_student = (np.eye(codes.max() + 1)[codes] for codes in (asked.trace, asked.student))
    prober = Prober(asked, settings(*asked.targets))
    for x, target, leaky in ((of_trace, "attempts_left", "prefix"), (of_student, "distance_to_final", "trace")):
        found = {g: score(prober.probe(fixed(x), g)[target], "pearson") for g in ("student", leaky)}
        assert abs(found["student"]) < 0.3
        assert found[leaky] - found["student"] > 0.4


def test_folds_keep_together_what_they_say() -> None:
    asked = asked_of()
    prober = Prober(asked, settings("title", tested_folds=1))
    for name in ("student", "trace", "title"):
        for folds, inner in prober.folds(name):
            assert all(len(set(inner[asked.groups(name) == group])) == 1 for group in asked.groups(name))
            assert set(folds) <= {-1, 0}
            assert all(len(set(folds[asked.groups(name) == group])) == 1 for group in asked.groups(name))
    assert len(prober.folds("prefix")) == 2


def test_what_cannot_be_probed_says_why() -> None:
    asked = asked_of(
        attempts_left=lambda a, _: np.ones(len(a)),
        final_runs=lambda a, _: np.full(len(a), np.nan),
        title=lambda a, _: a.title * 1.0,
        halfway=yes(by("trace")),
    )
    config = settings(*asked.targets)
    found = Prober(asked, config).probe(lambda hidden: np.ones((len(asked), 3)), "title")
    assert found["attempts_left"].reason == "the target is constant"
    assert found["final_runs"].reason == "no verdicts"
    assert found["title"].reason == "a title that is held out can't be named"
    none = Prober(asked, config).probe(
        lambda hidden: np.ones((len(asked), 3)), "student", keep=np.zeros(len(asked), bool)
    )
    assert {name: one.reason for name, one in none.items()} == dict.fromkeys(asked.targets, "no prefix to ask")
    assert found["halfway"].reason is None  # embeddings that don't vary predict the mean
    assert np.isnan(score(replace(found["halfway"], predicted={"pearson": np.zeros((2, len(asked)))}), "pearson"))
    alone = asked_of(1, attempts_left=by("trace"))
    found = Prober(alone, settings("attempts_left")).probe(lambda hidden: np.ones((len(alone), 3)), "student")
    assert found["attempts_left"].reason == "one student only"


def test_effects_of_title_and_year_are_taken_away() -> None:
    rng = np.random.default_rng(5)
    pairs = [Pair(f"s{i}", f"t{i % 5}") for i in range(600)]
    years = np.array([2020.0 + i % 3 for i in range(600)])
    values = np.array([10 * (i % 5) + 3 * (i % 3) for i in range(600)]) + rng.normal(size=600)
    effects = Effects(
        pairs, years, [Pair("x", "t2"), Pair("x", "unseen"), Pair("x", "t4")], np.array([2021.0, 2020.0, np.nan])
    )
    expected = effects.predict(values)
    assert expected[0] == pytest.approx(23, abs=0.6)
    assert expected[2] == pytest.approx(43, abs=0.8)
    assert values.mean() - 4 < expected[1] < values.mean()
    means = effects.title_means(np.where(np.arange(600) % 5 == 4, np.nan, values))
    assert means[0] == pytest.approx(23, abs=0.5)
    assert np.isnan(means[1:]).all()


# A run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_probed_run(tmp_path_factory.mktemp("probed"))
    probe(folder)
    return folder


@pytest.fixture(scope="module")
def rows(run: Path) -> list[Result]:
    return results.read(run / "results" / "probe.parquet")


def one(
    rows: list[Result],
    metric: str,
    statistic: str,
    *,
    model: str | None = "trace",
    baseline: str | None = None,
    **condition: str,
) -> Result:
    found = [
        row for row in rows
        if (row.metric, row.statistic, row.model, row.baseline) == (metric, statistic, model, baseline)
        and all(row.condition.get(key) == value for key, value in condition.items())
        and ("against" in condition or "against" not in row.condition)
    ]  # fmt: skip
    assert len(found) == 1, (metric, statistic, condition, len(found))
    return found[0]


def test_vectors_that_hold_habits_are_told_from_those_that_do_not(rows: list[Result]) -> None:
    def of(side: str, metric: str, target: str = "mean") -> Result:
        return one(rows, metric, "pearson", model=side, part="students", target=target, input="own")

    for metric in ("comments_final", "backtracking"):
        for target in ("mean", "residual"):
            known, unknown = of("trace", metric, target), of("last", metric, target)
            assert known.value is not None
            assert unknown.value is not None
            assert known.value > 0.3 > unknown.value
    shuffled = one(rows, "comments_final", "pearson", part="students", target="mean", input="shuffled")
    assert shuffled.value is not None
    assert shuffled.value < 0.3
    lead = one(
        rows, "comments_final", "pearson_difference", baseline="last", part="students", target="mean", against="last"
    )
    assert lead.low is not None
    assert lead.low > 0
    assert lead.clusters == "student"
    assert "6 random halves" in (lead.test or "")
    assert lead.low_90 is not None
    assert lead.low_90 > lead.low
    assert lead.family == "probe: students, mean, trace - last"
    assert lead.p_adjusted is not None
    year = one(rows, "year_final", "pearson", part="students", target="mean", input="own")
    assert year.value is None
    assert "constant" in (year.reason or "")
    assert not [row for row in rows if row.metric == "year_final" and row.condition["target"] == "residual"]


def test_every_side_of_the_code_probes_is_there(rows: list[Result]) -> None:
    for side in ({"model": "trace", "input": "own"}, {"model": "last", "input": "own"}, {"input": "shuffled"}, {"input": "matched"},
                 {"input": "permuted"}, {"model": None, "baseline": "untrained"}, {"model": None, "baseline": "surface"}):  # fmt: skip
        for metric, statistic in (
            ("probe_title", "macro_f1"),
            ("probe_halfway", "f1"),
            ("probe_halfway", "average_precision"),
            ("probe_attempts_left", "spearman"),
        ):
            row = one(rows, metric, statistic, part="code", grouping="student", **side)
            assert row.value is not None, row
            assert row.low is not None
            assert row.n_students > 9
    for against, baseline in (
        ("last", "last"),
        ("shuffled", None),
        ("matched", None),
        ("untrained", "untrained"),
        ("surface", "surface"),
    ):
        row = one(rows, "probe_attempts_left", "pearson_difference", baseline=baseline, part="code", against=against)
        sides = [one(rows, "probe_attempts_left", "pearson", part="code", grouping="student", input="own")]
        where = (
            {"model": None, "baseline": baseline}
            if baseline in ("untrained", "surface")
            else {"input": against}
            if baseline is None
            else {"model": "last", "input": "own"}
        )
        sides.append(one(rows, "probe_attempts_left", "pearson", part="code", grouping="student", **where))
        assert row.value == pytest.approx((sides[0].value or 0) - (sides[1].value or 0))
    tested = one(rows, "probe_halfway", "f1", part="code", grouping="student", input="own")
    assert tested.p is not None
    assert tested.p_adjusted is not None
    assert "exchange of whole students" in (tested.test or "")
    share = one(rows, "probe_halfway", "prevalence", model=None, part="code")
    always = one(rows, "probe_halfway", "f1", model=None, baseline="always-yes", part="code")
    assert share.value is not None
    assert always.value == pytest.approx(2 * share.value / (1 + share.value))


def test_every_claim_has_its_row(rows: list[Result]) -> None:
    """But for those about metrics that this run leaves out."""
    about_students = {c.metric for c in own_claims().of("probe") if c.condition["part"] == "students"}
    missing = {verdict.claim.metric for verdict in judge(rows, own_claims().of("probe")) if verdict.row is None}
    assert missing == about_students - {"comments_final", "backtracking", "year_final"}


def test_the_leak_meter_shows_what_leaky_folds_would_have(rows: list[Result]) -> None:
    gap = one(rows, "probe_attempts_left", "pearson_difference", part="code", grouping="prefix", against="student")
    leaky = one(rows, "probe_attempts_left", "pearson", part="code", grouping="prefix")
    honest = one(rows, "probe_attempts_left", "pearson", part="code", grouping="student", input="own")
    assert gap.value == pytest.approx((leaky.value or 0) - (honest.value or 0))
    assert (gap.value or 0) > 0


def test_missing_verdicts_are_unscored_and_counted(rows: list[Result]) -> None:
    row = one(rows, "probe_final_runs", "f1", part="code", grouping="student", input="own")
    assert (row.value, row.p, row.n) == (None, None, 0)
    assert row.unscored > 50
    assert "no verdicts" in (row.reason or "")


def test_whether_the_final_program_runs_is_by_the_runs_rule(run: Path) -> None:
    opened = open_run(run)
    ids = {state.id for trace in opened.dataset.traces() for state in trace.states}
    with verdict_writer(opened.dataset, "v8", version="1", rule="paper") as keep:
        for name in ids:
            keep(Verdict(id=name, verdict="error", language=None, end_reached=False, errors=()))
    settings = opened.section("probe", ProbeConfig)
    told = {}
    for rule in ("corrected", "paper"):
        one = replace(opened, settings={**opened.settings, "execute": {"rule": rule}})
        asked = make_prefixes(one, settings)
        told[rule] = asked.targets["final_runs"][asked.asked["final_runs"]]
    verdict_file(opened.dataset, "v8", "paper").unlink()
    assert len(told["paper"])
    assert not told["paper"].any()
    assert np.isnan(told["corrected"]).all()


def test_probing_again_gives_the_same_rows_from_what_is_kept(
    run: Path, rows: list[Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = sorted((run / "work" / "probe").rglob("*.npy"))
    assert len(kept) > 10
    kept[0].unlink()  # as if killed before it was written
    before = {file: file.stat().st_mtime_ns for file in kept[1:]}
    assert probe(run) == rows
    assert kept[0].exists()
    assert {file: file.stat().st_mtime_ns for file in kept[1:]} == before


def test_embeddings_of_another_model_are_not_used(run: Path) -> None:
    opened = open_run(run)
    traces = [*opened.dataset.traces()][::90][:3]
    first = Vectors(opened, traces, ProbeConfig()).of("trace")
    readings = [Reading(trace=trace, voice=trace.student) for trace in traces]
    np.testing.assert_allclose(first, embed(load_model(run / "models" / "trace"), readings), atol=1e-5)
    assert not np.allclose(first, Vectors(opened, traces, ProbeConfig()).of("last"), atol=1e-3)
    changed = Vectors(opened, traces, ProbeConfig(over="all")).of("trace")  # same name, another key
    assert not np.allclose(first, changed, atol=1e-3)
    shuffled = Vectors(opened, traces, ProbeConfig())
    whose = shuffled.voices("shuffled").of
    expected = embed(load_model(run / "models" / "trace"), [replace(r, voice=whose[r.trace.student]) for r in readings])
    np.testing.assert_allclose(shuffled.of("trace", "shuffled"), expected, atol=1e-5)


def test_figures_and_tables_show_what_was_found(run: Path, rows: list[Result]) -> None:
    figures = {figure.name: figure for figure in report.figures(run)}
    assert set(figures) == {"probes-code", "probes-leads", "leak-meter", "probes-students"}
    for figure in figures.values():
        assert "imulated" in figure.caption
        assert "n = " in figure.svg
        assert figure.points.num_rows
    assert "final program runs" in figures["probes-code"].caption
    assert "prefixes are longer than the context" in figures["probes-code"].caption
    tables = {table.name: table for table in report.tables(run)}
    assert set(tables) == {"probes-code", "probes-leads", "leak-meter", "probes-students"}
    assert all(len(row) == len(table.header) for table in tables.values() for row in table.rows)
    assert any("students, mean, trace - last" in sentence for sentence in report.sentences(rows))
    assert report.figures(run / "nowhere") == []


def test_the_command_says_what_came_out(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_text(
        run / "run.toml", (run / "run.toml").read_text() + 'targets = ["halfway"]\ncontrols = []\nleak_groupings = []\n'
    )
    with pytest.raises(SystemExit) as ended:
        main(["probe", str(run)])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert said.startswith("- Simulated class")
    assert "code, trace - last" in said


PAPER = """
tested_folds = 1
alpha_powers = [-7, 0]
over = "all"
too_long = "drop"
title_with_final = true
student_targets = "all"
halves = 0
leak_groupings = []
residuals = false
"""


@pytest.mark.parametrize(
    "more", [f'grouping = "trace"\n{PAPER}', f'grouping = "prefix"\n{PAPER}'.replace("[-7, 0]", "[3, 7]")]
)
def test_the_papers_and_the_released_codes_designs(tmp_path: Path, more: str) -> None:
    controls = 'controls = ["shuffled", "permuted"]\ntargets = ["halfway", "title", "attempts_left"]\n'
    folder = make_probed_run(
        tmp_path, SMALL.replace("permutations = 9", "permutations = 0").replace("halves = 6\n", "") + more + controls
    )
    rows = probe(folder)
    scored = [row for row in rows if row.value is not None]
    assert {row.condition.get("input") for row in scored} >= {"own", "shuffled", "permuted"}
    row = one(rows, "probe_halfway", "f1", part="code", input="own")
    assert row.value is not None
    assert row.p is None
    assert "left out" in (row.note or "")
    assert one(rows, "comments_final", "pearson", part="students", input="own").split == "all"
    assert {figure.name for figure in report.figures(folder)} >= {"probes-code", "probes-leads"}
    assert "leak-meter" not in {figure.name for figure in report.figures(folder)}


# Bad input


def test_models_that_are_not_there_or_of_another_split_are_refused(tmp_path: Path) -> None:
    folder = make_probed_run(tmp_path, students=6, titles=3)
    make_split(
        open_dataset(tmp_path / "class"), SplitConfig(held_students=0.2, held_titles=0.2, seed=99), overwrite=True
    )
    with pytest.raises(DatasetError, match="another split"):
        probe(folder)
    with pytest.raises(DatasetError, match="no model of synthetic"):
        probe(folder, ProbeConfig(views=("synthetic",)))
    write_text(folder / "run.toml", 'dataset = "../class"\n[probe]\nreplicate = 5\n')
    with pytest.raises(InputError, match="Did you mean 'replicates'"):
        probe(folder)
    for wrong in ({"targets": ("titel",)}, {"split": "sean"}, {"alpha_powers": (3, 1)}, {"folds": 1}, {"views": ()}):
        with pytest.raises(InputError, match=r"\[probe\]"):
            ProbeConfig(**wrong)


@pytest.mark.parametrize("case", ["one student", "one title", "one state", "no test traces"])
def test_poor_data_is_unscored_with_a_reason(tmp_path: Path, case: str) -> None:
    students, titles = (1 if case == "one student" else 12), (1 if case == "one title" else 6)
    lines = ["fd 1"] if case == "one state" else ["fd 1", "fd 12", "fd 123"]
    traces = [
        make_trace([f"{line}\nrt {s}" for line in lines], student=f"s{s:02d}", title=f"t{t}")
        for s in range(students) for t in range(titles)
    ]  # fmt: skip
    dataset = make_dataset(tmp_path / "class", traces, origin="simulated")
    share = 1.0 if case == "no test traces" else 0.5
    split = make_split(dataset, SplitConfig(held_students=0, held_titles=0, train_share=share, validation_share=0))
    folder = tmp_path / "run"
    folder.mkdir()
    write_text(folder / "run.toml", 'dataset = "../class"\n' + SMALL)
    save_model(folder / "models" / "trace", make_model(dataset, split, np.random.default_rng(0).normal(size=(12, 4))))
    rows = probe(folder)
    assert rows
    assert all(row.reason for row in rows if row.value is None)
    title = one(rows, "probe_title", "macro_f1", part="code", grouping="student", input="own")
    assert title.value is None
    assert all(np.isfinite(row.value) for row in rows if row.value is not None)
    if case != "one title":
        assert not [row for row in rows if row.low is not None and row.n_students < 10]
    report.figures(folder)
    report.tables(folder)
    assert load_split(dataset).hash == split.hash


def test_metrics_that_few_students_score_on_leave_each_fold_enough_to_train_on(run: Path, tmp_path: Path) -> None:
    rng, n = np.random.default_rng(3), 120
    truth = np.where(np.arange(n) < 40, rng.normal(size=n), np.nan)
    habits = Habits(
        students=[f"s{i}" for i in range(n)], targets={"mean": {"attempts": truth}}, counts=np.ones(n),
        years=np.full(n, 2020.0), title_mix={"attempts": truth}, n_titles=5, note=None,
    )  # fmt: skip
    config = ProbeConfig(student_metrics=("attempts",), iterations=5, halves=20, seed=2)
    maker = Maker(run=open_run(run), config=config, part="students", split="all", level="student")
    work = _Work(habits, {"trace": rng.normal(size=(n, 8))}, maker, config, tmp_path)
    rows = list(work.rows("mean", "attempts"))
    assert {row.n for row in rows if row.model == "trace"} == {40}
    assert all(row.unscored == 80 for row in rows)
