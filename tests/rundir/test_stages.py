"""Which stages of a run are done."""

from __future__ import annotations

import json
from pathlib import Path

from redraft import rundir


def test_a_stage_is_done_once_finished_and_for_its_settings(tmp_path: Path) -> None:
    run = rundir.RunDir(tmp_path / "run")
    assert not run.is_done("train", {"steps": 1})
    run.finish("train", {"steps": 1}, 1.234)
    assert run.is_done("train", {"steps": 1})
    assert not run.is_done("train", {"steps": 2})
    assert json.loads((tmp_path / "run/stages.json").read_text())["train"]["seconds"] == 1.23
