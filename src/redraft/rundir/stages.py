"""A run's folder: which stages are done, for which settings, how long each took, and what it left.

In: a stage's name, settings and outputs. Out: `stages.json`. A stage is done when its entry has the same settings'
fingerprint and its outputs are as they were then; the entry is written after the outputs, so a stage cut short is run
again, and goes on by its own means.

Of every output file the size and the hash are kept. A file is hashed once per process, here or where it is read, so
that a check costs nothing that reading the file wouldn't cost. Files that came into an output folder later, such as
verdicts beside traces, are no part of the stage that made it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from redraft.config import fits
from redraft.errors import DatasetError
from redraft.rundir.files import remove, sha256_json
from redraft.rundir.modes import make_folder
from redraft.rundir.records import read_record, write_record
from redraft.rundir.seals import sha256_file

FILE = "stages.json"
REMEDY = "Remove it and start the command again: stages are run again, and go on by their own means."

_STAMPS = dict[str, list[Any] | None]


class RunDir:
    """A run's folder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        make_folder(path)

    @property
    def stages(self) -> dict[str, dict[str, Any]]:
        """Stage name -> {fingerprint, seconds, outputs}, in the order they were finished.

        Raises:
            DatasetError: The file that says so was damaged or changed.
        """
        file = self.path / FILE
        if not file.exists():
            return {}
        stages: dict[str, dict[str, Any]] = read_record(file, remedy=REMEDY)
        for entry in stages.values():
            if not fits(entry, dict[str, Any]) or not fits(entry.get("outputs", {}), _STAMPS):
                raise DatasetError("holds no stages.", where=file, remedy=REMEDY)
        return stages

    def was_done(self, name: str, settings: Mapping[str, Any]) -> bool:
        """Whether stage `name` was finished with exactly these settings, whatever became of its outputs."""
        return bool(self.stages.get(name, {}).get("fingerprint") == sha256_json(settings))

    def is_done(self, name: str, settings: Mapping[str, Any], outputs: Iterable[Path] = ()) -> bool:
        """Whether stage `name` was finished with exactly these settings, and what it left is still there.

        Args:
            name: The stage.
            settings: All that decides what it does.
            outputs: What it leaves; of a stage that was entered without hashes these must be there.
        """
        if not self.was_done(name, settings):
            return False
        entry = self.stages[name]
        if "outputs" not in entry:  # of an earlier version
            return all(path.exists() for path in outputs)
        return all(_stamp(self.path / file) == stamp for file, stamp in entry["outputs"].items())

    def clear(self, outputs: Iterable[Path]) -> None:
        """Remove what of these is in this run's folder: it isn't what the stage left, and must not pass for it."""
        for path in outputs:
            if path.resolve().is_relative_to(self.path.resolve()):
                remove(path)

    def finish(self, name: str, settings: Mapping[str, Any], seconds: float, outputs: Iterable[Path] = ()) -> None:
        """Enter a stage that has ended without an error, and what it left: files, or folders with all in them."""
        files = sorted({file for path in outputs for file in _files(path)})
        stamps = {Path(os.path.relpath(file, self.path)).as_posix(): _stamp(file) for file in files}
        entry = {"fingerprint": sha256_json(settings), "seconds": round(seconds, 2), "outputs": stamps}
        write_record(self.path / FILE, {**self.stages, name: entry}, in_order=True)


def _files(path: Path) -> Iterator[Path]:
    if path.is_dir():
        yield from (file for file in path.rglob("*") if file.is_file())
    elif path.exists():
        yield path


def _stamp(file: Path) -> list[Any] | None:
    """A file's size and hash; None if it isn't there."""
    try:
        return [file.stat().st_size, sha256_file(file)]
    except OSError:
        return None
