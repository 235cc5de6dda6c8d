"""Which stages of a run are done, and whether what they left is still there."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from redraft.rundir import RunDir

SETTINGS = {"steps": 1}


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    """A run with a stage that left a folder and a file."""
    run = RunDir(tmp_path / "run")
    (run.path / "model").mkdir()
    (run.path / "model" / "card.json").write_text("{}")
    (run.path / "model" / "weights").write_bytes(bytes(3_000_000))
    (run.path / "report.html").write_text("page")
    run.finish("train", SETTINGS, 1.234, [run.path / "model", run.path / "report.html", run.path / "none was made"])
    return run


def test_a_stage_is_done_once_finished_and_for_its_settings(run: RunDir) -> None:
    assert run.is_done("train", SETTINGS)
    assert not run.is_done("train", {"steps": 2})
    assert not run.is_done("sample", SETTINGS)
    assert json.loads((run.path / "stages.json").read_text())["train"]["seconds"] == 1.23


def _cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1])


def _flip(file: Path) -> None:
    contents = bytearray(file.read_bytes())
    contents[len(contents) // 2] ^= 1
    file.write_bytes(contents)


@pytest.mark.parametrize("name", ["model/card.json", "model/weights", "report.html"])
@pytest.mark.parametrize("change", [Path.unlink, _cut, _flip])
def test_one_whose_outputs_are_gone_or_changed_is_not(run: RunDir, name: str, change: Callable[[Path], None]) -> None:
    change(run.path / name)
    assert not run.is_done("train", SETTINGS)
    assert run.was_done("train", SETTINGS)


def test_what_came_beside_the_outputs_later_changes_nothing_and_the_run_may_be_moved(run: RunDir) -> None:
    (run.path / "model" / "verdicts").write_text("later")
    moved = RunDir(Path(shutil.move(run.path, run.path.with_name("moved"))))
    assert moved.is_done("train", SETTINGS)


def test_only_what_is_in_the_run_is_cleared(run: RunDir, tmp_path: Path) -> None:
    (tmp_path / "dataset").mkdir()
    run.clear([run.path / "model", tmp_path / "dataset", run.path / "absent"])
    assert not (run.path / "model").exists()
    assert (tmp_path / "dataset").exists()


def test_a_stage_of_an_earlier_version_needs_its_outputs(run: RunDir) -> None:
    file = run.path / "stages.json"
    stages = json.loads(file.read_text())
    del stages["train"]["outputs"], stages["seal"]
    file.write_text(json.dumps(stages))
    assert run.is_done("train", SETTINGS, [run.path / "model"])
    assert not run.is_done("train", SETTINGS, [run.path / "gone"])
