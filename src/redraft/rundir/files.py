"""One file, or one small folder, published by a rename; and the temporary names that lead there.

A temporary entry is hidden and stands beside its target. Its name says the target, the machine, the process and a
random number: `.NAME.HOST-PID-RANDOM.tmp`, or `.old` for a folder moved aside. So two machines that share a disk never
meet in one name, and whoever comes later can tell what was left behind by a process that is gone.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import secrets
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

from redraft.errors import DatasetError
from redraft.rundir.modes import make_file, make_folder, settle_all

_TEMPORARY = re.compile(r"\.(?P<name>.+)\.(?P<host>\w+)-(?P<pid>\d+)-[0-9a-f]{8}\.(?P<role>tmp|old)", re.DOTALL)
_A_DAY = 24 * 60 * 60
"""Seconds after which another machine's temporary entry counts as left behind."""


class Machine(NamedTuple):
    """What tells this machine from another that shares its disk."""

    name: str
    """The host's name, for messages."""
    id: str
    """The same for all processes that share a running kernel, and its locks."""


@cache
def this_machine() -> Machine:
    """The machine that this process runs on."""
    import uuid

    name = platform.node() or "unnamed"
    try:  # tells apart hosts of one name, and containers are of one kernel
        return Machine(name, Path("/proc/sys/kernel/random/boot_id").read_text().strip())
    except OSError:
        return Machine(name, f"{name}-{uuid.getnode():x}")


@cache
def _host() -> str:
    """The machine's part of temporary names: one for all processes that see each other's numbers."""
    machine = this_machine()
    try:
        numbers = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        numbers = ""
    digest = hashlib.sha256(f"{machine.name} {machine.id} {numbers}".encode()).hexdigest()
    return re.sub(r"\W", "_", machine.name, flags=re.ASCII)[:16] + "_" + digest[:6]


def temporary_name(path: Path, role: Literal["tmp", "old"] = "tmp") -> Path:
    """A name beside `path` that nobody else uses: no other process, thread or machine."""
    return path.with_name(f".{path.name}.{_host()}-{os.getpid()}-{secrets.token_hex(4)}.{role}")


def has_temporaries(path: Path) -> bool:
    """Whether there is a temporary entry of `path`, whoever made it."""
    matches = (_TEMPORARY.fullmatch(entry.name) for entry in path.parent.iterdir())
    return any(match["name"] == path.name for match in matches if match)


def sweep(folder: Path, *, target: str | None = None, everything: bool = False) -> None:
    """Remove the temporary entries in `folder` whose makers are gone; put a folder back that has no successor.

    Args:
        folder: Where; not the folders in it.
        target: Only those of the target of this name.
        everything: Whoever made them: the caller holds the lock of all that this call may remove.
    """
    for entry in [*folder.iterdir()]:
        match = _TEMPORARY.fullmatch(entry.name)
        if not match or (target is not None and match["name"] != target):
            continue
        if not everything and not _is_left_behind(entry, match["host"], int(match["pid"])):
            continue
        home = folder / match["name"]
        if match["role"] == "old" and not os.path.lexists(home):
            entry.replace(home)
        else:
            remove(entry)


def _is_left_behind(path: Path, host: str, pid: int) -> bool:
    import psutil

    if host == _host():
        return not psutil.pid_exists(pid)
    with suppress(OSError):
        return time.time() - path.stat().st_mtime > _A_DAY
    return False


@cache
def _sweep_once(folder: Path, pid: int) -> None:
    """Sweep a folder the first time that this process writes into it."""
    with suppress(OSError):
        sweep(folder)


def remove(path: Path) -> None:
    """Remove a file, a link or a folder; that it is gone already is no error."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def fsync(path: Path) -> None:
    """Flush a file or a folder's entries to disk."""
    if os.name == "nt" and path.is_dir():  # Windows can't, and does by itself
        return
    descriptor = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def flush(folder: Path) -> None:
    """Flush a folder and all that is in it to disk."""
    for root, _, names in os.walk(folder):
        for name in names:
            fsync(Path(root, name))
        fsync(Path(root))


def make_secret(path: Path, size: int) -> None:
    """Make a file of random bytes that is its owner's alone, unless there is one: of several makers the first wins."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = temporary_name(path)
    try:
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secrets.token_bytes(size))
        try:
            os.link(temporary, path)
        except FileExistsError:
            pass
        except OSError:  # a disk without hard links: of makers at the same moment, the last wins
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def what_is_at(path: Path) -> Literal["nothing", "link", "file", "folder", "device"]:
    """What stands at `path` itself, links not followed; a device is whatever is none of the others."""
    try:
        mode = path.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return "nothing"
    if stat.S_ISLNK(mode):
        return "link"
    return "folder" if stat.S_ISDIR(mode) else "file" if stat.S_ISREG(mode) else "device"


def refuse_link(path: Path) -> None:
    """Refuse a link: replacing it would leave what it points to where it is, old as it was.

    Raises:
        DatasetError: It is one.
    """
    if what_is_at(path) == "link":
        raise DatasetError(
            "is a symbolic link; it is left alone.", where=path, remedy=f"Name what it points to: {path.resolve()}"
        )


def refuse_links_out(folder: Path) -> None:
    """Refuse a folder in which a link leads out of it: who made it may have others' files read, or written.

    Raises:
        DatasetError: Names the first such link.
    """
    home = folder.resolve()
    for root, folders, files in os.walk(home):
        for name in (*folders, *files):
            path = Path(root, name)
            if path.is_symlink() and not path.resolve().is_relative_to(home):
                raise DatasetError(
                    "is a link that leads out of the folder; it is not followed.", where=path,
                    remedy="Put what it points to in its place, if you know who made it.",
                )  # fmt: skip


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on a clean exit it becomes `path`, on an error it is removed.

    Raises:
        DatasetError: `path` is a link, a device or a folder.
    """
    refuse_link(path)
    if (found := what_is_at(path)) not in ("nothing", "file"):
        raise DatasetError(
            f"is a {found}, not a file; it is left alone.", where=path, remedy="Name a file, or none that exists yet."
        )
    make_folder(path.parent)
    _sweep_once(path.parent.absolute(), os.getpid())
    temporary = temporary_name(path)
    make_file(temporary, like=path)
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


def write_json(path: Path, value: Any, *, in_order: bool = False) -> None:
    """Write `value` as indented JSON, its keys sorted unless they are to stay `in_order`, atomically."""
    write_text(path, json.dumps(value, indent=2, sort_keys=not in_order, ensure_ascii=False) + "\n")


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield an empty temporary folder beside `path`; on a clean exit it takes the place of `path`.

    For folders inside a place whose lock is held, such as `OUT.partial`. What a user names is an `Output`.
    A kill between the two renames leaves `path` missing; the next call, or the next `sweep`, puts the old one back.
    """
    refuse_link(path)
    make_folder(path.parent)
    sweep(path.parent)
    temporary, old = temporary_name(path), temporary_name(path, "old")
    make_folder(temporary)
    try:
        yield temporary
        settle_all(temporary)
        flush(temporary)
        if path.exists():
            path.replace(old)
        temporary.replace(path)
        fsync(path.parent)
    finally:
        remove(temporary)
        if path.exists():
            remove(old)
        elif old.exists():
            old.replace(path)


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
