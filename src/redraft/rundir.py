"""Files that are whole or absent, and the run folder that remembers which stages are done.

A process may be killed at any instruction. Whatever this module publishes is written beside its place first,
flushed to disk, and moved there by one rename, so that no reader ever sees half of it.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import platform
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from redraft.errors import DatasetError


def fsync(path: Path) -> None:
    """Flush a file or a folder's entries to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on a clean exit it becomes `path`, on an error it is removed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        fsync(temporary)
        temporary.replace(path)
        fsync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path` as UTF-8, atomically."""
    with atomic_file(path) as temporary:
        temporary.write_bytes(text.encode())


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON with sorted keys, atomically."""
    write_text(path, json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n")


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield an empty temporary folder beside `path`; on a clean exit it takes the place of `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    try:
        yield temporary
        replace_folder(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def replace_folder(new: Path, path: Path) -> None:
    """Move folder `new` to `path`; an older folder there is moved aside first and removed after."""
    for file in new.rglob("*"):
        if file.is_file():
            fsync(file)
    old = path.with_name(f".{path.name}.{os.getpid()}.old")
    if path.exists():
        path.replace(old)
    new.replace(path)
    fsync(path.parent)
    shutil.rmtree(old, ignore_errors=True)


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Hold `folder`'s lock, so that two processes never write to it at once.

    Raises:
        DatasetError: Another process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise DatasetError(
                "another redraft process is writing here.", where=folder, remedy="Wait for it to end, then try again."
            ) from error
        yield


def sha256_file(path: Path) -> str:
    """SHA-256 of a file's bytes, as hex."""
    digest = hashlib.sha256()
    with path.open("rb", buffering=0) as file:
        while part := file.read(1 << 23):  # large parts: each asks for the interpreter's lock
            digest.update(part)
    return digest.hexdigest()


def sha256_json(value: Any) -> str:
    """SHA-256 of a value's canonical JSON, as hex: a fingerprint for settings."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()


def versions() -> dict[str, str]:
    """The versions a result may depend on."""
    from importlib.metadata import PackageNotFoundError, version

    found = {"python": platform.python_version()}
    for name in ("redraft", "torch", "transformers", "duckdb", "pyarrow", "numpy"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


class RunDir:
    """A run's folder: which stages are done, for which settings, and how long each took.

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
