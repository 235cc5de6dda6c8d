"""Everything that is published, killed at every step of publishing it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from killing import LAST, OF_MODELS, SCENARIOS
from places import SUPPORT


@pytest.mark.parametrize("scenario", [*SCENARIOS, *OF_MODELS])
def test_killed_at_any_step_the_next_run_ends_as_if_undisturbed(scenario: str, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(SUPPORT / "killing.py"), scenario, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    assert int(done.stdout.split()[-1]) >= (4 if scenario == "file" else 8 if scenario == "folder" else LAST - 6)
