"""A run's folder: which stages are done, for which settings, and how long each took."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from redraft.rundir.files import sha256_json, write_text


class RunDir:
    """A run's folder.

    A stage is done when `stages.json` holds it with the same fingerprint; that entry is written after the
    stage's files, so a stage cut short is run again (and resumes by its own means).
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True, exist_ok=True)

    @property
    def stages(self) -> dict[str, dict[str, Any]]:
        """Stage name -> {fingerprint, seconds}, in the order they were finished."""
        file = self.path / "stages.json"
        if not file.exists():
            return {}
        stages: dict[str, dict[str, Any]] = json.loads(file.read_text())
        return stages

    def is_done(self, name: str, settings: Mapping[str, Any]) -> bool:
        """Whether stage `name` was finished with exactly these settings."""
        return self.stages.get(name, {}).get("fingerprint") == sha256_json(settings)

    def finish(self, name: str, settings: Mapping[str, Any], seconds: float) -> None:
        """Enter a stage that has ended without an error."""
        entry = {"fingerprint": sha256_json(settings), "seconds": round(seconds, 2)}
        write_text(self.path / "stages.json", json.dumps({**self.stages, name: entry}, indent=2) + "\n")
