"""One writer per target: a lock of the operating system, and a record of who holds it.

In: a target's path. Beside it, while it is locked: `.NAME.lock`, the file that the system's lock is on, and
`.NAME.owner`, which says which process of which machine holds it. A thread touches the record every few seconds.
Both files go when the lock is given back. They never stand in the target itself.

On one machine the system's lock decides. It ends with its process, however that is killed.

Between machines that share a disk, the system's lock may or may not be carried across. So the record decides too: one
of another machine that was touched lately refuses the start, and an older one is taken over. Its age is told by the
disk's own clock, so the machines' clocks needn't agree. A machine that stood still for so long that it lost its lock
notices before it publishes, and refuses to.

Not guaranteed: that two machines which start within the same instant exclude each other, where the disk neither
carries locks nor creates files exclusively. The second one to publish then finds that the record isn't its own.
"""

from __future__ import annotations

import json
import os
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from redraft.errors import DatasetError
from redraft.rundir.files import Machine, temporary_name, this_machine
from redraft.rundir.modes import make_folder

BEAT = 10.0
"""Seconds between two touches of the record."""
STALE = 120.0
"""Seconds without a touch after which another machine's record counts as left behind."""


@contextmanager
def lock(path: Path, *, machine: Machine | None = None) -> Iterator[Callable[[], None]]:
    """Hold the lock of `path`; yields a function that makes sure that it is still held.

    Args:
        path: The target, which needn't exist.
        machine: Who asks; by default this machine.

    Raises:
        DatasetError: Another process or machine is writing `path`; from the function: it has taken the lock over.
    """
    machine = machine or this_machine()
    make_folder(path.parent)
    file = _file(path)
    held = FileLock(file, timeout=0)
    try:
        held.acquire()
    except Timeout as error:
        raise DatasetError(
            "another redraft process is writing here.", where=path, remedy="Wait for it to end, then try again."
        ) from error
    try:
        owner = _Owner(path, machine)
        owner.take(file)
        try:
            yield owner.check
        finally:
            owner.give_back()
            with suppress(OSError):  # whoever opened it meanwhile finds that it has no name any more, and tries anew
                file.unlink()
    finally:
        held.release()


def is_locked(path: Path) -> bool:
    """Whether somebody holds the lock of `path`, or was killed while holding it."""
    return _file(path).exists()


def _file(path: Path) -> Path:
    return path.with_name(f".{path.name}.lock")


class _Owner:
    """The record of who holds a lock."""

    def __init__(self, path: Path, machine: Machine) -> None:
        self.path, self.machine = path, machine
        self.file = path.with_name(f".{path.name}.owner")
        self.token = secrets.token_hex(8)
        self._over = threading.Event()

    def take(self, clock: Path) -> None:
        """Put this machine's record there, unless another's is fresh; `clock` is a file to read the disk's time by."""
        with suppress(FileNotFoundError):
            found, touched = _read(self.file), self.file.stat().st_mtime
            os.utime(clock)
            age = max(0.0, clock.stat().st_mtime - touched)
            if found.get("machine") != self.machine.id and age < STALE:
                raise self._refusal(found, f"last sign of life {age:.0f} s ago")
            # Moved before it is removed: if two take over at once, one finds nothing here and loses below.
            aside = temporary_name(self.path)
            self.file.replace(aside)
            aside.unlink()
        record = {"machine": self.machine.id, "host": self.machine.name, "process": os.getpid(), "token": self.token}
        try:
            with self.file.open("x", encoding="utf-8") as stream:
                json.dump(record, stream)
        except FileExistsError as error:
            raise self._refusal(_read(self.file), "it started just now") from error
        threading.Thread(target=self._beat, daemon=True, name="redraft-lock").start()

    def check(self) -> None:
        """Make sure that the record is still this lock's.

        Raises:
            DatasetError: Another machine took over.
        """
        try:
            found = _read(self.file)
        except FileNotFoundError:
            found = {}
        if found.get("token") != self.token:
            raise DatasetError(
                f"another machine ({found.get('host', 'unknown')}) took over while this one stood still; nothing is "
                "published.",
                where=self.path,
                remedy="Wait for it to end, then try again.",
            )

    def give_back(self) -> None:
        """Stop touching the record, and remove it if it is still this lock's."""
        self._over.set()
        with suppress(OSError, DatasetError):
            self.check()
            self.file.unlink()

    def _beat(self) -> None:
        while not self._over.wait(BEAT):
            with suppress(OSError, DatasetError):
                self.check()
                os.utime(self.file)

    def _refusal(self, found: dict[str, Any], sign: str) -> DatasetError:
        return DatasetError(
            f"another machine ({found.get('host', 'unknown')}) is writing here; {sign}.",
            where=self.path,
            remedy=f"Wait for it to end. If it is gone for good, try again in {STALE:.0f} s.",
        )


def _read(file: Path) -> dict[str, Any]:
    """A record; empty if it is just being written, or damaged."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
