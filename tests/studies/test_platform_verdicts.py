"""Studies that ask whether programs run take the platform's verdict where no engine runs the language, and say so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from test_recover_mending import FakeEngine

import fabricate
from factories import make_dataset, make_trace
from redraft.data.split import SplitConfig, load_split, make_split
from redraft.data.store import Dataset, open_dataset
from redraft.data.trace import State, Trace
from redraft.data.verdicts import PLATFORM_FILE, PLATFORM_SCHEMA
from redraft.execute.dataset import verdict_writer
from redraft.execute.judged import find_judgements, read_judgements
from redraft.execute.verdict import Verdict
from redraft.plots.words import verdicts
from redraft.rundir.tables import write_table
from redraft.studies.audit.settings import AuditConfig
from redraft.studies.audit.study import audit
from redraft.studies.behaviour.figures import figures
from redraft.studies.behaviour.job import ANOTHER_JUDGE
from redraft.studies.behaviour.settings import BehaviourConfig
from redraft.studies.behaviour.study import behaviour
from redraft.studies.behaviour.tables import tables
from redraft.studies.common.compared import Measures, compare_models
from redraft.studies.common.run import open_run
from redraft.studies.common.running import Code, Runner
from redraft.studies.probe.prefixes import prefixes_of
from redraft.studies.probe.settings import ProbeConfig
from redraft.studies.recover.baselines import Knowledge, proposals
from redraft.studies.recover.cases import find_cases
from redraft.studies.recover.evidence import gather
from redraft.studies.recover.measures import Candidates, columns
from redraft.studies.recover.settings import RecoverConfig
from redraft.studies.recover.style import Style

WORDS = "Verdicts on Python programs are the platform's own (whether they passed its tests)."


def say(dataset: Dataset, passes: Callable[[Trace, State], bool]) -> None:
    """Write what a platform said of a dataset's programs."""
    rows: dict[tuple[str, str], dict[str, Any]] = {
        (state.id, trace.title): {
            "id": state.id, "title": trace.title, "language": state.language, "end_reached": False,
            "engine": "platform", "judged": "tested", "errors": [],
            "verdict": "ok" if passes(trace, state) else "failed",
        }
        for trace in dataset.traces() for state in trace.states
    }  # fmt: skip
    write_table(pa.Table.from_pylist([*rows.values()], PLATFORM_SCHEMA), dataset.path / PLATFORM_FILE)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run on Python whose platform accepts programs of four commands, as all final ones are, and whose samples an engine has judged."""

    def in_python(*arguments: object, **options: object) -> Trace:
        return make_trace(*arguments, **{**options, "language": "python"})  # type: ignore[arg-type]

    monkeypatch.setattr(fabricate, "make_trace", in_python)
    folder = fabricate.make_run(tmp_path, students=24, titles=6, replicates=50)
    say(open_dataset(tmp_path / "class"), lambda trace, state: state.code.count("fd") >= 4)
    samples = open_dataset(folder / "samples" / "trace")
    with verdict_writer(samples, "v8", version="1") as keep:
        for program in {state.id for trace in samples.traces() for state in trace.states}:
            keep(Verdict(id=program, verdict="ok", language="python", end_reached=True, errors=()))
    return folder


def test_students_are_judged_by_the_platform_and_models_are_not_measured_by_another_judge(run: Path) -> None:
    measures = Measures(open_run(run), 1)
    found = compare_models(measures, seed=0)
    assert {*found.real["runs_final"]} == {1.0}
    assert np.isfinite(found.real["runs_mean"]).all()
    assert measures.generated["trace"]["runs_final"].to_pylist()[0] == 1, "the engine said so"
    assert np.isnan(found.views["trace"]["runs_final"]).all(), "but an engine's and tests' verdicts don't compare"
    assert np.isfinite(found.views["trace"]["comments_final"]).all()
    assert verdicts([]) == ""
    assert WORDS.lower().rstrip(".") in (found.note("runs_final") or "").lower()
    assert found.note("comments_final") is None


def test_figures_tables_and_rows_say_whose_verdicts_they_are(run: Path) -> None:
    rows = behaviour(run, BehaviourConfig(replicates=50, workers=1, metrics=("runs_mean", "comments_final")))
    real = [
        row
        for row in rows
        if row.metric == "runs_mean" and row.baseline == "real-traces" and row.model is None and row.n
    ]
    assert real
    assert all(row.value is not None and "platform's own" in (row.note or "") for row in real)
    drawn = [row for row in rows if row.metric == "runs_mean" and row.model and row.n]
    assert {row.value for row in drawn} == {None}
    assert {row.reason for row in drawn} == {ANOTHER_JUDGE}
    assert not [row for row in rows if row.metric == "comments_final" and "platform" in (row.note or "")]
    captions = [figure.caption for figure in figures(run) if figure.name == "distances"]
    captions += [one.caption for one in tables(run) if one.name == "levels"]
    assert len(captions) == 2
    assert all(WORDS in caption for caption in captions)


def test_the_audit_says_so_of_the_metrics_that_need_it(run: Path) -> None:
    rows = audit(run, AuditConfig(metrics=("runs_mean", "attempts"), permutations=9, replicates=20, workers=1))
    noted = {row.metric: "platform's own" in (row.note or "") for row in rows}
    assert noted == {"runs_mean": True, "attempts": False}


def test_probes_ask_whether_the_platform_accepts_the_final_program(tmp_path: Path) -> None:
    traces = [make_trace(["a", "b"], "s1", language="python"), make_trace(["a", "c"], "s2", language="python")]
    dataset = make_dataset(tmp_path / "class", traces)
    say(dataset, lambda trace, state: state.code == "c")
    prefixes = prefixes_of(traces, read_judgements(find_judgements(dataset)), ProbeConfig())
    assert prefixes.targets["final_runs"][[0, 3]].tolist() == [0, 1]
    assert prefixes.surface[[1, 5]][:, -2:].tolist() == [[0, 1], [1, 0]], "the last program failed; it ran"


TITLES = [f"title {number}" for number in range(4)]


def recovering(folder: Path) -> Dataset:
    """Twelve students write a program that the platform rejects, then one that it accepts."""
    traces = [
        make_trace([f"x = {s}\ny = 1\nz = (", f"x = {s}\ny = 1\nz = 2", f"x = {s}\ny = 1\nz = 3"], f"s{s:02d}", title,
                   language="python")
        for s in range(12) for title in TITLES
    ]  # fmt: skip
    dataset = make_dataset(folder / "class", traces)
    make_split(dataset, SplitConfig(held_students=6, held_titles=1, validation_share=0.1))
    say(dataset, lambda trace, state: state.code.endswith("3"))
    return dataset


def test_cases_of_recover_come_from_the_platform_and_only_judged_programs_are_scored(tmp_path: Path) -> None:
    dataset, config = recovering(tmp_path), RecoverConfig(cases=8)
    runner = Runner(FakeEngine(), platform=read_judgements(find_judgements(dataset)))
    assert not runner.judges("python")
    evidence = gather(dataset, load_split(dataset), config)
    cases, left_out = find_cases(evidence, runner, config)
    assert len(cases) == 8
    assert not left_out
    assert all(case.problem.verdict.verdict == "failed" for case in cases)
    assert all(case.after[-1].code.endswith("3") for case in cases)
    assert not find_cases(evidence, Runner(FakeEngine()), config).cases, "nobody says which programs fail"

    style = Style.of([case.final for case in cases], "python")

    def kept(attempts: Sequence[Candidates]) -> Any:
        found = columns(cases, attempts, [1], runner, style, config, steps=True)
        return found[1, "recovered"].tolist()

    own = [[tuple(state.code for state in case.after)] for case in cases]
    assert kept(own) == [1] * 8
    half_known = [[(case.final.replace("3", "4"), case.final)] for case in cases]
    assert np.isnan(kept(half_known)).all(), "who hits on a known program is no better for it"
    known = Knowledge(runner=runner, programs={title: list(drawn) for title, drawn in evidence.programs.items()})
    near = [proposals("neighbour", case.problem, known, 8) for case in cases if evidence.programs[case.problem.title]]
    assert {code[-1] for codes in near for code in codes} == {"3"}, "neighbours that the platform accepted"


def test_an_engine_that_judges_the_language_is_asked_alone(tmp_path: Path) -> None:
    traces = [make_trace(["oops 1", "fd 1"])]
    dataset = make_dataset(tmp_path / "class", traces)
    say(dataset, lambda trace, state: state.code == "oops 1")
    runner = Runner(FakeEngine(), platform=read_judgements(find_judgements(dataset)))
    (state, other) = traces[0].states

    assert runner.on(Code(state.code, state.language), "square").verdict == "error"
    python = replace(other, language="python")
    assert runner.on(Code(python.code, python.language), "square").verdict == "unscored"
