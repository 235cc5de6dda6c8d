"""Failing Python programs: what is wrong in them is found, and models and rules mend them in the sandbox's Python."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import tomli_w

from factories import make_dataset, make_trace
from redraft import results
from redraft.cli import main
from redraft.data.split import SplitConfig, load_split, make_split
from redraft.lm.checkpoint import load_model
from redraft.lm.train import train
from redraft.studies.common.running import open_runner
from redraft.studies.recover.names import defined_in, names_in, platform_names, usage_of
from toy import TOY, prepare_torch

TITLES = ("area", "perimeter", "volume", "edges", "faces", "total")
CONFIG = replace(
    TOY, preset="llama-200k", vocabulary=300, steps=60, validate_every=60, lr=None, codec="diff", context=160
)


def drafts(student: int, title: str) -> list[str]:
    """A function that grows, with a slip on the way."""
    name = "wxyz"[student % 4]
    body = [f"def {title}({name}):", f"    twice = {name} * 2", "    return twice", "", "few = [1, 2]", "many = 3",
            f"print({title}(many))"]  # fmt: skip
    return ["\n".join(body[:3]), "\n".join([*body[:6], f"pritn({title}(many))"]), "\n".join(body)]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    prepare_torch()
    folder = tmp_path_factory.mktemp("python")
    traces = [make_trace(drafts(s, title), f"s{s:02}", title, language="python") for s in range(12) for title in TITLES]
    dataset = make_dataset(folder / "class", traces)
    make_split(dataset, SplitConfig(held_students=5, held_titles=1, validation_share=0.1))
    made = folder / "run"
    made.mkdir()
    settings = {"cases": 8, "candidates": [1, 2], "grid_candidates": 2, "seconds": [60.0], "replicates": 100,
                "workers": 1, "splits": ["unseen-seen"], "engine": "python"}  # fmt: skip
    (made / "run.toml").write_text(tomli_w.dumps({"dataset": "../class", "views": ["trace"], "recover": settings}))
    train(dataset, split=load_split(dataset), view="trace", out=made / "models" / "trace", config=CONFIG)
    return made


def command(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    assert not ended.value.code, capsys.readouterr().err
    return capsys.readouterr().out


def test_recover_mends_python_programs(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert "trace model" in command(capsys, "recover", run)
    rows = results.read(run / "results" / "recover.parquet")
    means = [row for row in rows if row.split == "all" and row.model is None]
    found = {(row.baseline, row.metric, row.condition["candidates"]): row for row in means}
    repair = found["name-repair", "kept_success", "1"]
    assert (repair.value, repair.n) == (1, 8), "Python's own names are known, and the slip is a misspelt one"
    assert found["student", "kept_success", "1"].value == 1
    assert found["delete-line", "kept_success", "1"].value is not None


def test_suggestions_for_a_python_program(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = tmp_path / "drafts"
    folder.mkdir()
    for number, code in enumerate(drafts(0, "area")[:2]):
        (folder / f"{number}.py").write_text(code)
    student = load_model(run / "models" / "trace").students.students[0]
    said = command(capsys, "suggest", "--model", run / "models" / "trace", "--title", "area", "--candidates", 4,
                   "--engine", "python", "--workers", 1, "--student", student, "--json", folder)  # fmt: skip
    made = json.loads(said)
    assert made["errors"] == [{"message": "NameError: name 'pritn' is not defined. Did you mean: 'print'?", "line": 7}]
    programs = [each["edits"][-1]["program"] for each in made["suggestions"]]
    assert drafts(0, "area")[2] in programs
    with open_runner("python", workers=1) as runner:
        assert set(runner.run(programs, "python")) == {True}
        assert {"print", "len", "append", "split"} <= platform_names(runner)


def test_another_engine_is_named_where_the_default_one_judges_no_python(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    file = tmp_path / "draft.py"
    file.write_text("pritn(1)")
    with pytest.raises(SystemExit) as ended:
        main(["suggest", "--model", str(run / "models" / "trace"), "--title", "area", "--student", "x", str(file)])
    assert ended.value.code == 1
    assert "take --engine python." in " ".join(capsys.readouterr().err.split())


def test_names_of_python_programs() -> None:
    code = '''import math, random as r
from os import path as p
def f(a, b=1, *more):
    """not these"""
    x, y = a, b  # nor these
    for i, j in more: total += i
    with open(a) as file: z: int = 3
    return [n for n in g if (m := n) == k]
class C(Base): pass
h = lambda u, v: u'''
    assert {"math", "r", "p", "f", "a", "b", "more", "x", "y", "i", "j", "total", "file", "z", "n", "m", "C", "h", "u",
            "v"} <= defined_in(code, "python")  # fmt: skip
    assert not {"g", "k", "open", "these"} & defined_in(code, "python")
    assert "these" not in {name for name, *_ in names_in(code, "python")}
    assert usage_of([code, "f(1)"], "python")["f"] == 2
