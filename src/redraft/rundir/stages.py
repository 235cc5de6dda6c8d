"""A run's folder: which stages are done, for which settings, how long each took, and what it left.

In: a stage's name, settings and outputs. Out: `stages.json`. A stage is done when its entry has the same settings'
fingerprint and its outputs are as they were then; the entry is written after the outputs, so a stage cut short is run
again, and goes on by its own means.

Of every output file the size is kept, and a hash: of the whole file up to 1 MB, so of every manifest and table of
results; of a larger one of its first and last 64 kB, where Parquet and safetensors files say what is in them. So a
check reads little, however large a dataset is. Not noticed: a change amid a large file that keeps its size.
Files that came into an output folder later, such as verdicts beside traces, are no part of the stage that made it.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from redraft.rundir.files import remove, sha256_json, write_text
from redraft.rundir.modes import make_folder

WHOLE, ENDS = 1 << 20, 1 << 16
"""Bytes of a file that is hashed whole at most; bytes of a larger one's beginning and end."""


class RunDir:
    """A run's folder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        make_folder(path)

    @property
    def stages(self) -> dict[str, dict[str, Any]]:
        """Stage name -> {fingerprint, seconds, outputs}, in the order they were finished."""
        file = self.path / "stages.json"
        if not file.exists():
            return {}
        stages: dict[str, dict[str, Any]] = json.loads(file.read_text())
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
        write_text(self.path / "stages.json", json.dumps({**self.stages, name: entry}, indent=2) + "\n")


def _files(path: Path) -> Iterator[Path]:
    if path.is_dir():
        yield from (file for file in path.rglob("*") if file.is_file())
    elif path.exists():
        yield path


def _stamp(file: Path) -> list[Any] | None:
    """A file's size and the hash of it or of its ends; None if it isn't there."""
    try:
        with file.open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            read = stream.read(WHOLE if size <= WHOLE else ENDS)
            if size > WHOLE:
                stream.seek(-ENDS, os.SEEK_END)
                read += stream.read()
    except OSError:
        return None
    return [size, hashlib.sha256(read).hexdigest()]
