"""The study of recovery and `redraft suggest`: whole, with a fake engine and sampler, and once with V8 and a real model."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import tomli_w
from test_recover_mending import FakeEngine

from factories import make_dataset, make_trace
from known import known
from redraft import results
from redraft.cli import main
from redraft.data.split import SplitConfig, make_split
from redraft.data.store import Dataset, open_dataset
from redraft.errors import DatasetError, InputError, UsageError
from redraft.lm.checkpoint import Model, load_model
from redraft.lm.continuation import Continued, Prefix, prefix_of
from redraft.lm.settings import TrainConfig
from redraft.lm.train import train
from redraft.results import Result
from redraft.studies.common.run import open_run
from redraft.studies.common.running import Code, Runner, open_runner
from redraft.studies.recover import chapter as report
from redraft.studies.recover import draws, study, suggest
from redraft.studies.recover.drafts import Around, read_files
from redraft.studies.recover.estimates import BESIDE_RULES, PRIMARY
from redraft.studies.recover.lexicon import KEYWORDS
from redraft.studies.recover.names import platform_names
from redraft.studies.recover.settings import RecoverConfig, SuggestConfig
from redraft.studies.recover.study import recover
from toy import TOY, prepare_torch

COLOURS = ("red", "blue", "green", "pink")
TITLES = ("square", "star", "house", "spiral", "box", "ring", "wall", "sky", "sea", "sun", "moon", "tree")
SETTINGS: dict[str, Any] = {"cases": 60, "candidates": [1, 2, 4], "grid_candidates": 2, "seconds": [1.0, 60.0], "replicates": 400,
            "workers": 1, "splits": ["unseen-seen", "unseen-unseen"]}  # fmt: skip


def make_class(folder: Path, bad: str, language: str = "coffeescript", students: int = 24) -> Dataset:
    """Students with a colour who misspell one line on their way."""
    traces = []
    for s in range(students):
        for t, title in enumerate(TITLES[: students // 2]):
            pen = f"pen {COLOURS[s % 4]}"
            body = [pen, f"fd {10 * t + 10}", "rt 90", "fd 50", "dot 5"]
            slip = [*body[:4], bad]
            codes = ["\n".join(body[:3]), "\n".join(body[:4]), "\n".join(slip), "\n".join(body)]
            traces.append(make_trace(codes, student=f"s{s:02d}", title=title, language=language))
    dataset = make_dataset(folder, traces, origin="simulated")
    make_split(dataset, SplitConfig(held_students=students // 2 - 1, held_titles=1, validation_share=0.1))
    return dataset


def make_run(
    folder: Path,
    bad: str = "oops 5",
    config: TrainConfig | None = None,
    views: Sequence[str] = ("trace", "synthetic"),
    **more: Any,
) -> Path:
    prepare_torch()
    dataset = make_class(folder / "class", bad, **more)
    run = folder / "run"
    run.mkdir()
    settings = {"dataset": "../class", "views": [*views, "last"], "recover": SETTINGS}
    (run / "run.toml").write_text(tomli_w.dumps(settings))
    from redraft.data.split import load_split

    for view in views:
        train(
            dataset,
            split=load_split(dataset),
            view=view,
            out=run / "models" / view,
            config=config or replace(TOY, codec="diff", steps=2, validate_every=2),
        )
    return run


class FakeSampler:
    """Mends by the view: `trace` on the second draw, `synthetic` never; counts what it draws."""

    def __init__(self) -> None:
        self.drawn = 0
        self.voices: list[str | None] = []

    def __call__(self, model: Model, wanted: Any, config: Any, done: Any) -> list[Continued]:
        found = []
        for each in wanted:
            self.drawn += 1
            self.voices.append(each.voice)
            failing = each.prefix.states[-1]
            good = replace(failing, code=failing.code.replace("oops 5", "dot 5"))
            mends = model.card["view"] == "trace" and each.number % 2 == 1
            found.append(Continued((failing, good) if mends else (failing,), True, False))
        return found


@contextmanager
def fake_runner(engine: str, **options: object) -> Iterator[Runner]:
    yield Runner(FakeEngine())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("recover"))


@pytest.fixture
def sampler(monkeypatch: pytest.MonkeyPatch) -> FakeSampler:
    made = FakeSampler()
    monkeypatch.setattr(draws, "go_on", made)
    monkeypatch.setattr(study, "open_runner", fake_runner)
    return made


@pytest.fixture(scope="module")
def rows(folder: Path) -> list[Result]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(draws, "go_on", FakeSampler())
        patch.setattr(study, "open_runner", fake_runner)
        return recover(folder)


def one(rows: list[Result], **wanted: Any) -> Result:
    condition = wanted.pop("condition", {})
    wanted = {"model": None, "baseline": None, "split": "all", "statistic": "mean", **wanted}
    (found,) = [
        row for row in rows
        if all(getattr(row, name) == value for name, value in wanted.items())
        and all(row.condition.get(name) == value for name, value in condition.items())
        and not row.condition.keys() & {"against", "beside"} - condition.keys()
    ]  # fmt: skip
    return found


def test_programs_run_by_the_runs_rule(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = open_run(folder)
    paper = replace(opened, settings={**opened.settings, "execute": {"rule": "paper"}})
    monkeypatch.setattr(study, "open_run", lambda _: paper)

    def note(engine: str, **options: object) -> None:
        raise UsageError(f"asked for {options['rule']}")

    monkeypatch.setattr(study, "open_runner", note)
    with pytest.raises(UsageError, match="asked for paper"):
        recover(folder)


MAIN = {"voice": "own", "seconds": "60", "start": "blamed", "candidates": "4"}


def test_the_study_measures_what_was_planted(folder: Path, rows: list[Result]) -> None:
    assert results.read(folder / "results" / "recover.parquet") == rows
    assert {row.origin for row in rows} == {"simulated"}
    kept = one(rows, model="trace", metric="kept_success", condition=MAIN)
    assert (kept.value, kept.n) == (1.0, 60)
    assert kept.clusters == "student+title"
    assert "unknown student's" in (kept.note or "")
    assert one(rows, model="trace", metric="kept_success", condition=MAIN | {"candidates": "1"}).value == 0
    assert one(rows, model="trace", metric="executes", condition=MAIN).value == 0.5
    assert one(rows, model="trace", metric="attempts", condition=MAIN).value == 1.5
    assert one(rows, model="synthetic", metric="kept_success", condition=MAIN).value == 0
    deleted = {"baseline": "delete-line", "condition": {"candidates": "1"}}
    assert one(rows, metric="executes", **deleted).value == one(rows, metric="recovered", **deleted).value == 1
    assert one(rows, metric="kept_success", **deleted).value == 0, "farther from the final program than the slip"
    assert one(rows, baseline="revert", metric="recovered", condition={"candidates": "4"}).value == 1
    near = {"baseline": "neighbour", "metric": "kept_success", "condition": {"candidates": "1"}}
    assert known(one(rows, split="unseen-seen", **near).value) > 0.8
    assert one(rows, split="unseen-unseen", **near).value == 0, "no training student wrote on that title"
    assert one(rows, baseline="student", metric="kept_success").value == 1
    assert one(rows, baseline="student", metric="attempts").value == 1
    assert one(rows, model="trace", metric="edit_size", condition=MAIN).value == 3
    assert not [row for row in rows if row.model == "last"]


def test_contrasts_are_those_fixed_beforehand(rows: list[Result]) -> None:
    primary = [row for row in rows if row.family == PRIMARY]
    assert {(row.model, row.baseline) for row in primary} == {
        (view, name) for view in ("trace", "synthetic") for name in ("delete-line", "revert", "neighbour", "name-repair", "rules")
    }  # fmt: skip
    assert all(row.metric == "kept_success" and row.condition == MAIN for row in primary)
    won = one(rows, model="trace", baseline="delete-line", metric="kept_success", statistic="mean_difference")
    assert (won.value, won.low, won.high) == (1, 1, 1)
    assert won.p_adjusted is not None
    models = one(rows, model="trace", baseline="synthetic", metric="executes", statistic="mean_difference",
                 condition={"start": "free"})  # fmt: skip
    assert (models.value, models.family) == (0.5, "recover: models")
    time = one(rows, model="trace", metric="executes", statistic="mean_difference",
               condition={"voice": "own", "seconds": "60", "against": "1 s"})  # fmt: skip
    assert (time.value, time.condition["margin"]) == (0, "0.05")
    assert "not shown to be equivalent: no case differs" in (time.note or ""), "no variation shows nothing"
    assert "every case has this value" in (time.note or "")
    strong = one(rows, model="trace", metric="executes", statistic="mean_difference",
                 condition={"voice": "strong", "against": "matched"})  # fmt: skip
    assert strong.value == 0
    assert "backtrack least" in (strong.note or "")


def test_beside_rules_every_other_candidate_is_theirs(rows: list[Result]) -> None:
    beside = MAIN | {"beside": "rules"}
    kept = one(rows, model="trace", metric="kept_success", condition=beside)
    assert kept.value == 1, "the model's second draw is the fourth candidate"
    assert one(rows, model="trace", metric="kept_success", condition=beside | {"candidates": "2"}).value == 0
    assert one(rows, model="trace", metric="recovered", condition=beside | {"candidates": "1"}).value == 1, "a rule's"
    assert one(rows, baseline="rules", metric="kept_success", condition={"candidates": "4"}).value == 0
    contrasts = [row for row in rows if row.family == BESIDE_RULES]
    assert {(row.model, row.baseline) for row in contrasts} == {
        (row.model, row.baseline) for row in rows if row.family == PRIMARY
    }
    assert all(row.condition == beside for row in contrasts)
    assert {row.value for row in contrasts if (row.model, row.baseline) == ("trace", "rules")} == {1.0}


def test_points_hold_no_students(folder: Path, rows: list[Result]) -> None:
    points = pq.read_table(folder / "metrics" / "recover.parquet")
    assert not {f"s{i:02d}" for i in range(24)} & {str(v) for column in points.columns for v in column.to_pylist()}
    assert set(points["voice"].to_pylist()) == {None, "own", "strong", "matched"}


def test_the_report_shows_it(folder: Path, rows: list[Result]) -> None:
    figures, tables = report.figures(folder), report.tables(folder)
    assert {figure.name for figure in figures} == {"recover-candidates", "recover-time"}
    assert all("n = 60" in figure.caption and "Simulated class" in figure.svg for figure in figures)
    assert {table.name for table in tables} == {
        "recover-baselines",
        "recover-edits",
        "recover-time",
        "recover-contrasts",
    }
    said = report.sentences(rows)
    assert len(said) == 4
    assert "trace model does not beat the best baseline significantly" in said[0], (
        "the nearest neighbour mends nearly all"
    )
    assert "less neighbour, the nearest baseline" in said[0]
    assert "trace model beside simple rules does not beat the best baseline significantly" in said[1]
    assert "synthetic model does not beat the best baseline, which mends more" in said[2]
    assert not report.figures(folder / "nowhere")
    assert not report.tables(folder / "nowhere")


def test_it_goes_on_with_what_is_drawn_and_never_with_a_stale_one(
    folder: Path, rows: list[Result], sampler: FakeSampler
) -> None:
    lists = {name: tuple(SETTINGS[name]) for name in ("candidates", "seconds", "splits")}
    config = RecoverConfig(**{**SETTINGS, **lists})
    assert recover(folder, config) == rows
    assert sampler.drawn == 0
    few = replace(config, cases=4, candidates=(2,), views=("trace",))
    first = recover(folder, few)
    drawn = sampler.drawn
    assert drawn > 0, "other cases"
    kept = folder / "work" / "recover" / "trace-own-60-blamed.parquet"
    kept.write_bytes(b"half")
    with pytest.raises(DatasetError, match="Remove it: its continuations are drawn again"):
        recover(folder, few)
    kept.unlink()
    assert recover(folder, few) == first
    assert sampler.drawn == drawn + 4 * 2, "what was removed alone"
    recover(folder, replace(few, temperature=0.5))
    assert sampler.drawn > 2 * drawn


def test_hands_are_strangers_or_trained_students(folder: Path, sampler: FakeSampler) -> None:
    recover(folder, replace(RecoverConfig(cases=3), views=("trace",), candidates=(2,), seconds=(60.0,)))
    known = load_model(folder / "models" / "trace").students
    met = [student for student in sampler.voices if student in known]
    assert len(met) == 2 * 3 * 2, "strong and matched"
    assert len(sampler.voices) == 4 * 3 * 2, "own twice, strong, matched: own is unknown to the model"


def test_a_program_too_long_for_a_model_is_unscored(
    folder: Path, sampler: FakeSampler, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    def short(model: Model, title: str, *rest: Any) -> Prefix:
        seen.append(title)
        if title == "square":
            raise InputError("too long")
        return prefix_of(model, title, *rest)

    monkeypatch.setattr(draws, "prefix_of", short)
    rows = recover(
        folder, RecoverConfig(cases=60, candidates=(1,), seconds=(60.0,), views=("trace",), seed=5, replicates=50)
    )
    row = one(rows, model="trace", metric="executes", condition={"voice": "own", "candidates": "1", "start": "free"})
    assert 0 < row.unscored < 60
    assert row.n + row.unscored == 60


def test_python_is_unscored_with_the_reason(tmp_path: Path, sampler: FakeSampler) -> None:
    rows = recover(make_run(tmp_path, language="python", views=("trace",)))
    assert rows
    assert all(row.value is None and row.n == 0 for row in rows)
    assert all("python isn't executed" in (row.reason or "") for row in rows)
    run = tmp_path / "run"
    assert report.figures(run) == []
    assert "unscored" in report.sentences(rows)[0]


def test_runs_that_cannot_be_studied_are_refused(tmp_path: Path, folder: Path, sampler: FakeSampler) -> None:
    bare = tmp_path / "bare"
    bare.mkdir()
    (bare / "run.toml").write_text(tomli_w.dumps({"dataset": str(folder.parent / "class"), "views": ["trace"]}))
    with pytest.raises(DatasetError, match="has no model of trace"):
        recover(bare)
    shutil.copytree(folder / "models", bare / "models")
    make_split(open_dataset(folder.parent / "class"), SplitConfig(held_students=3, held_titles=1), name="other")
    (bare / "run.toml").write_text(
        tomli_w.dumps({"dataset": str(folder.parent / "class"), "views": ["trace"], "split": "other"})
    )
    with pytest.raises(DatasetError, match="another split"):
        recover(bare)
    (bare / "run.toml").write_text(tomli_w.dumps({"dataset": "x", "recover": {"case": 5}}))
    with pytest.raises(InputError, match="Did you mean 'cases'"):
        recover(bare)


@pytest.mark.parametrize(
    "wrong", [{"candidates": ()}, {"candidates": (5, 1)}, {"main_seconds": 7.0}, {"cases": 0}, {"kept": 1.5}, {"splits": ("train",)}, {"starts": ("anywhere",)}]
)  # fmt: skip
def test_settings_that_make_no_sense_are_said(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong)).rstrip("s")):
        RecoverConfig(**wrong)


# Suggestions, with a fake engine


def toy_model(folder: Path) -> Model:
    return load_model(folder / "models" / "trace")


DRAFTS = make_trace(["pen red\nfd 10", "pen red\nfd 10\noops 5"], "s01", "square").states


def test_suggestions_end_in_running_programs_and_say_who_is_unknown(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suggest, "go_on", FakeSampler())
    model = toy_model(folder)
    made = suggest.suggest(model, DRAFTS, title="square", student="stranger", runner=Runner(FakeEngine()))
    assert made is not None
    assert (made.known, made.drawn, made.reached) == (False, 20, 10)
    whose = {one.path.codes[-1]: made.of_rules(one) for one in made.found}
    assert whose == {"pen red\nfd 10\ndot 5": False, "pen red\nfd 10": True}
    assert all(one.bits is not None for one in made.found), "the model judges the rules' programs too"
    assert [one["by"] for one in made.to_json()["suggestions"]] == [
        "rules" if made.of_rules(one) else "model" for one in made.found
    ]
    text = "\n".join(suggest.to_text(made, 3))
    assert "has not met this student" in text
    assert "line 3, `oops 5`, becomes `dot 5`" in text
    met = model.students.students[0]
    made = suggest.suggest(model, DRAFTS, title="square", student=met, runner=Runner(FakeEngine()))
    assert made is not None
    assert made.known


def test_rules_suggest_beside_the_model_and_are_labelled(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        suggest, "go_on", lambda model, wanted, config, done: [Continued((), False, False)] * len(wanted)
    )
    made = suggest.suggest(toy_model(folder), DRAFTS, title="square", student="s01", runner=Runner(FakeEngine()))
    assert made is not None
    assert [one.path.codes for one in made.found] == [("pen red\nfd 10",)], (
        "the failing line deleted; also what ran before"
    )
    assert any(line.startswith("1. By a simple rule: 1 edit") for line in suggest.to_text(made, 3))
    none = suggest.suggest(
        toy_model(folder),
        DRAFTS,
        title="square",
        student="s01",
        runner=Runner(FakeEngine()),
        config=SuggestConfig(rules=0),
    )
    assert none is not None
    assert none.found == ()
    assert suggest.to_text(none, 3)[-1].startswith("Nothing found: 20 continuations drawn, 0 of them")


def test_what_runs_or_cannot_be_told_gets_no_suggestion(folder: Path) -> None:
    model, engine = toy_model(folder), Runner(FakeEngine())
    assert suggest.suggest(model, DRAFTS[:1], title="square", student="s01", runner=engine) is None
    python = (replace(DRAFTS[-1], language="python"),)
    with pytest.raises(InputError, match="python isn't executed"):
        suggest.suggest(model, python, title="square", student="s01", runner=engine)
    with pytest.raises(InputError, match="no drafts"):
        suggest.suggest(model, (), title="square", student="s01", runner=engine)


def test_files_are_read_in_order(tmp_path: Path) -> None:
    for name, code in (("1.coffee", "a"), ("2.coffee", "a"), ("3.js", "b  \n")):
        (tmp_path / name).write_text(code)
    states = read_files([tmp_path])
    assert [(state.code, state.language) for state in states] == [("a", "coffeescript"), ("b", "javascript")]
    assert states[1].at is not None
    assert states[0].at is not None
    assert (states[1].at - states[0].at).total_seconds() == 60
    assert [state.code for state in read_files([tmp_path / "3.js", tmp_path / "1.coffee"])] == ["b", "a"]
    (tmp_path / "bad.js").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="UTF-8"):
        read_files([tmp_path / "bad.js"])


# Whole, with V8 and a model


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = replace(
        TOY, preset="llama-200k", vocabulary=300, steps=60, validate_every=60, lr=None, codec="diff", context=160
    )
    return make_run(tmp_path_factory.mktemp("real"), bad="dto 5", config=config, views=("trace",), students=12)


def command(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    assert not ended.value.code, capsys.readouterr().err
    return capsys.readouterr().out


def test_the_study_on_the_real_engine(
    real: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    settings = {**SETTINGS, "cases": 12, "seconds": [60.0], "splits": ["unseen-seen"]}
    (real / "run.toml").write_text(tomli_w.dumps({"dataset": "../class", "views": ["trace"], "recover": settings}))
    said = command(capsys, "recover", real)
    assert said.startswith("- Simulated class: class. The trace model")
    rows = results.read(real / "results" / "recover.parquet")
    repair = one(rows, baseline="name-repair", metric="kept_success", condition={"candidates": "1"})
    assert repair.value == 1, "the platform's own names are known, and the slip is a misspelt one"
    assert one(rows, baseline="student", metric="kept_success").value == 1
    assert one(rows, model="trace", metric="kept_success", condition=MAIN).n == 12


def test_suggestions_on_the_real_engine(
    real: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    student = load_model(real / "models" / "trace").students.students[0]
    base = [
        "suggest",
        "--model",
        real / "models" / "trace",
        "--title",
        "square",
        "--candidates",
        "12",
        "--workers",
        "1",
    ]
    from_dataset = [*base, "--student", student, "--state", "3", real.parent / "class", "--json"]
    said = command(capsys, *from_dataset)
    assert command(capsys, *from_dataset) == said, "the same arguments, the same suggestions"
    made = json.loads(said)
    assert made["student_known"] is True
    assert made["drawn"] == 12
    shown = made["suggestions"]
    assert shown
    ends = [each["edits"][-1]["program"] for each in shown]
    with open_runner("v8", workers=1) as runner:
        assert set(runner.run(ends, "coffeescript")) == {True}
        assert runner.verdicts([Code("dto 5", "coffeescript")])[0].verdict == "error"
    assert [each["cost"] for each in made["suggestions"]] == sorted(each["cost"] for each in made["suggestions"])

    drafts = tmp_path / "drafts"
    drafts.mkdir()
    (drafts / "1.coffee").write_text("pen red\nfd 10\nrt 90")
    (drafts / "2.coffee").write_text("pen red\nfd 10\nrt 90\nfd 50\ndto 5")
    text = command(capsys, *base, "--student", "nobody", "--dataset", real.parent / "class", drafts)
    assert "The program fails at line 5: dto is not defined." in text
    assert "has not met this student" in text
    assert command(capsys, *base, "--student", "nobody", drafts / "1.coffee").startswith("The program runs as it is")


def test_the_platforms_names_are_asked_of_the_platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with open_runner("v8", workers=1) as runner:
        names = platform_names(runner)
    assert {"fd", "home", "write", "play", "red", "lightgoldenrodyellow", "turtle", "Math", "sync"} <= names
    assert not {"defined", "part", "oops", "i"} & names
    assert platform_names(Runner(FakeEngine())) == set()


@pytest.mark.supplied
def test_every_name_of_the_real_platform_is_known(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    api = json.loads((shared / "pencilcode-api.json").read_text())
    with open_runner("v8", workers=1) as runner:
        assert {*api["globals"], *api["turtle_methods"]} - KEYWORDS <= platform_names(runner)


def test_options_that_do_not_fit_are_said(real: Path) -> None:
    from redraft.studies.recover.drafts import open_drafts

    data = real.parent / "class"
    with pytest.raises(UsageError, match="--state"):
        open_drafts([real / "run.toml"], student="s", title="t", state=2)
    with pytest.raises(UsageError, match="--language"):
        open_drafts([data], student="s", title="t", language="javascript")
    with pytest.raises(InputError, match="no trace of the student"):
        open_drafts([data], student="s", title="square")
    with pytest.raises(InputError, match=r"no trace of this student on the title 'sqare'.*others") as error:
        open_drafts([data], student="s01", title="sqare")
    assert "square" not in str(error.value)  # what is in the data isn't told
    with pytest.raises(InputError, match="no state 9"):
        open_drafts([data], student="s01", title="square", state=9)
    states, around = open_drafts([data], student="s01", title="square", state=3)
    assert len(states) == 3
    assert states[-1].code.endswith("dto 5")
    assert {each.student for each in around.programs["square"]} == {f"s{i:02d}" for i in range(12)} - {"s01"}


def test_around_defaults_to_nothing() -> None:
    assert Around() == Around(own=(), reference=(), programs={})
    assert SuggestConfig().candidates == 20
    assert np.isfinite(SuggestConfig().seconds)
