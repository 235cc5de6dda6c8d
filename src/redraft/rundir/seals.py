"""Is a file still what it was when it was written? Hashes, and seals: a file's own hash, written into it.

A folder's manifest lists the SHA-256 of the folder's files. A file that no manifest lists carries a seal. `BLANK`
stands somewhere in it, in a place that other programs skip (metadata, behind an array's end), and
`seal` puts the SHA-256 of all the file's bytes there, the 64 zeros counted as zeros. A file of an earlier version has
none, and is believed.

Each file is hashed once per process, as long as it stays what it was by the system's account: the same file, size and
times. One that changed a moment ago is hashed again next time, since a second change could have the same time.

Noticed: damage of any kind, a file exchanged for another one, a change by hand. Not noticed: a change by somebody who
computes the hashes anew, as anybody can. These are no signatures.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import BinaryIO

from redraft.errors import DatasetError

MARK = b"redraft-sha256:"
BLANK = MARK + b"0" * 64
"""What stands in a file until it is sealed."""
_ENDS = 1 << 20
"""Bytes of a file's end, and then of its beginning, in which its seal is looked for."""
_SETTLED = 2 * 10**9
"""Nanoseconds after its last change from which on a file's times tell every further change."""
_PART = 1 << 23

_hashes: dict[tuple[int, ...], str] = {}
_intact: set[tuple[int, ...]] = set()


def sha256_file(path: Path) -> str:
    """SHA-256 of a file's bytes, as hex."""
    with path.open("rb", buffering=0) as file:
        identity = _identity(file)
        if identity not in _hashes:
            found = _hash(file)
            if not _has_settled(identity):
                return found
            _hashes[identity] = found
        return _hashes[identity]


def seal(path: Path) -> None:
    """Put a file's own hash in the place of the last `BLANK` in it."""
    with path.open("r+b", buffering=0) as file:
        place = _find(file)
        assert place is not None, "a file is sealed where it has a blank"
        digest = _hash(file, place)
        file.seek(place)
        file.write(digest.encode())


def check_seal(path: Path, *, remedy: str) -> bool:
    """Refuse a file that isn't what was sealed; whether it has a seal.

    Raises:
        DatasetError: It was changed or damaged.
        OSError: It can't be read.
    """
    with path.open("rb", buffering=0) as file:
        identity = _identity(file)
        if identity in _intact:
            return True
        place = _find(file)
        if place is None:
            return False
        file.seek(place)
        if file.read(64) != _hash(file, place).encode():
            raise _changed(path, remedy)
        if _has_settled(identity):
            _intact.add(identity)
    return True


def check_hash(path: Path, wanted: str, *, remedy: str) -> None:
    """Refuse a file of another hash.

    Raises:
        DatasetError: It was changed, damaged or exchanged, isn't there, or can't be read.
    """
    try:
        found = sha256_file(path)
    except OSError as error:
        raise DatasetError(f"can't be read ({error.strerror}).", where=path, remedy=remedy) from error
    if found != wanted:
        raise _changed(path, remedy)


def check_files(folder: Path, wanted: Mapping[str, str], *, remedy: str) -> None:
    """`check_hash` of several files of a folder, at the same time; the first that is wrong is named."""
    if len(wanted) == 1:  # a thread would cost more
        ((name, digest),) = wanted.items()
        check_hash(folder / name, digest, remedy=remedy)
        return
    with ThreadPoolExecutor() as workers:
        check = partial(_check, folder, remedy)
        for _ in workers.map(check, wanted.items()):
            pass


def hashes_of(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """File name -> SHA-256, of files of a folder, in order of their names."""
    names = sorted(names)
    with ThreadPoolExecutor() as workers:
        digests = workers.map(lambda name: sha256_file(folder / name), names)
        return dict(zip(names, digests, strict=True))


def _check(folder: Path, remedy: str, file: tuple[str, str]) -> None:
    check_hash(folder / file[0], file[1], remedy=remedy)


def _changed(path: Path, remedy: str) -> DatasetError:
    return DatasetError("was changed or damaged since it was written.", where=path, remedy=remedy)


def _identity(file: BinaryIO) -> tuple[int, ...]:
    """What the system says of a file; when it last changed comes last."""
    found = os.fstat(file.fileno())
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, max(found.st_mtime_ns, found.st_ctime_ns))


def _has_settled(identity: tuple[int, ...]) -> bool:
    return time.time_ns() - identity[-1] > _SETTLED


def _find(file: BinaryIO) -> int | None:
    """Where the digits of a file's seal begin; None if it has none."""
    size = file.seek(0, os.SEEK_END)
    for start in sorted({max(0, size - _ENDS), 0}, reverse=True):
        file.seek(start)
        part = file.read(_ENDS)
        place = part.rfind(MARK)
        if place >= 0 and len(part) - place >= len(BLANK):
            return start + place + len(MARK)
    return None


def _hash(file: BinaryIO, blank: int | None = None) -> str:
    """SHA-256 of a file, 64 bytes from `blank` on counted as zeros."""
    digest = hashlib.sha256()
    file.seek(0)
    if blank is not None:
        while (left := blank - file.tell()) > 0:
            digest.update(file.read(min(left, _PART)))
        digest.update(b"0" * 64)
        file.seek(blank + 64)
    while part := file.read(_PART):  # large parts: each asks for the interpreter's lock
        digest.update(part)
    return digest.hexdigest()
