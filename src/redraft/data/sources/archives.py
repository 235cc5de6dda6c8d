"""Zip and tar archives: their members become files of a private folder, which goes when the command ends.

In: a file. Out: the members that are files, in the order of their names, and those left out with the reason. An archive
is refused as a whole if a member's name climbs out of it, if it grows beyond all reason, or if it is damaged. Links,
devices, encrypted members and archives within an archive aren't read. Nothing is written outside the folder, whatever
names say: a member is put into a numbered folder of its own.

A process that is killed leaves its folder behind; the next one that opens an archive removes it.
"""

from __future__ import annotations

import atexit
import os
import re
import shutil
import stat
import struct
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Any, NamedTuple

import psutil

from redraft.data.sources.foreign import HEAD, is_tar, is_zip
from redraft.data.sources.growth import ALWAYS, UNPACK_RATIO
from redraft.data.sources.states import Damaged

MOST_MEMBERS = 100_000
_LONGEST_DIRECTORY = 16 * 10**6
"""Bytes of a zip's list of members, which is held in memory whole."""
_LONGEST_HEADER = 10**6
"""Bytes of a tar's header of a member's odd name."""
_PART = 1 << 20
_PLAIN_WAYS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2)
_OFFICE = ("[Content_Types].xml", "xl/workbook.xml", "META-INF/manifest.xml", "Index/Document.iwa")
_MARK = "redraft-unpacked-"
_WITHIN = "it is an archive within an archive (unpack it first)"


class Opened(NamedTuple):
    """What is in an archive."""

    files: list[Path]
    skipped: list[tuple[str, str]]
    """Members left out, and why."""


_opened: dict[tuple[Path, int, int], Opened | Damaged] = {}
_root: list[Path] = []
_given: dict[Path, str] = {}
"""What a file that was unpacked is called in its archive."""


def open_archive(file: Path, stream: IO[bytes], head: bytes) -> Opened:
    """The members of an archive as files; done once per process.

    Args:
        file: The archive.
        stream: Its bytes, unpacked if it is a packed tar; from the beginning.
        head: Their first ones.

    Raises:
        Damaged: It is refused as a whole.
    """
    found = file.stat()
    key = (file.resolve(), found.st_size, found.st_mtime_ns)
    if key not in _opened:
        folder = _private_root() / str(len(_opened) + 1)
        folder.mkdir()
        try:
            _opened[key] = (_unzip if is_zip(head) else _untar)(file, stream, folder)
        except Damaged as error:
            shutil.rmtree(folder, ignore_errors=True)
            _opened[key] = error
    outcome = _opened[key]
    if isinstance(outcome, Damaged):
        raise Damaged(outcome.reason, str(outcome))
    return outcome


def given_name(file: Path) -> str:
    """What a file is called for the user: one that was unpacked by its archive and its name there."""
    return _given.get(file, str(file))


def _private_root() -> Path:
    if not _root:
        base = Path(tempfile.gettempdir())
        _sweep(base)
        _root.append(Path(tempfile.mkdtemp(prefix=f"{_MARK}{os.getpid()}-", dir=base)))
        owner = os.getpid()

        def leave() -> None:
            if os.getpid() == owner:  # not in a process forked off
                shutil.rmtree(_root[0], ignore_errors=True)

        atexit.register(leave)
    return _root[0]


def _sweep(base: Path) -> None:
    """Remove what killed processes of this user left."""
    for left in base.glob(f"{_MARK}*"):
        match = re.match(rf"{_MARK}(\d+)-", left.name)
        try:
            own = os.name == "nt" or left.lstat().st_uid == os.geteuid()
        except OSError:  # gone
            continue
        if match and own and not left.is_symlink() and not psutil.pid_exists(int(match[1])):
            shutil.rmtree(left, ignore_errors=True)


class _Members:
    """The files written so far, and the bounds they keep to."""

    def __init__(self, file: Path, folder: Path) -> None:
        self._archive, self._folder = file, folder
        self._files, self._skipped = dict[str, Path](), list[tuple[str, str]]()
        self._count = self._written = 0
        self._left = ALWAYS + UNPACK_RATIO * file.stat().st_size

    def refuse_climbing(self, name: str) -> None:
        """Refuse names that lead out of the archive."""
        self._count += 1
        if self._count > MOST_MEMBERS:
            raise Damaged("unpacks_too_far", f"it holds more than {MOST_MEMBERS:,} members")
        path = PurePosixPath(name.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or re.match("[A-Za-z]:", name) or "\0" in name:
            raise Damaged("unsafe_archive", "a member's name leads out of the archive, as those of attacks do")

    def reserve(self, size: int) -> None:
        """Refuse members that are too large together."""
        self._left -= size
        if self._left < 0:
            raise Damaged(
                "unpacks_too_far",
                f"it unpacks to more than {UNPACK_RATIO:,} times its size (if it is what it should be, unpack it "
                "yourself, and give the folder)",
            )

    def skip(self, name: str, why: str) -> None:
        """Note a member that isn't read."""
        self._skipped.append((name, why))

    def write(self, name: str, content: IO[bytes], size: int) -> None:
        """Write a member; of two with one name the later counts."""
        self.reserve(size)
        self._written += 1
        place = self._folder / str(self._written)
        place.mkdir()
        plain = re.sub(r"[^\w.,+=@ ()-]", "_", PurePosixPath(name.replace("\\", "/")).name)[-100:] or "member"
        target = place / plain
        with target.open("xb") as out:
            left = size
            while left and (part := content.read(min(_PART, left))):
                out.write(part)
                left -= len(part)
        if left:
            raise Damaged("damaged_file", "the archive is cut short")
        with target.open("rb") as written:
            head = written.read(HEAD)
        if is_zip(head) or is_tar(head):
            target.unlink()
            self.skip(name, _WITHIN)
            return
        if name in self._files:
            self._files[name].unlink()
            del self._files[name]
        self._files[name] = target
        _given[target] = f"{self._archive}/{name}"

    def opened(self) -> Opened:
        """All of them."""
        return Opened([self._files[name] for name in sorted(self._files)], self._skipped)


def is_hidden(name: str) -> bool:
    """Whether a file stands in a hidden folder, is hidden itself, or is what a Mac puts beside files."""
    return any(part.startswith(".") or part == "__MACOSX" for part in PurePosixPath(name).parts)


def _unzip(file: Path, stream: IO[bytes], folder: Path) -> Opened:
    members = _Members(file, folder)
    _refuse_long_directory(file)
    try:
        with zipfile.ZipFile(file) as archive:
            infos = archive.infolist()
            if {info.filename for info in infos} & set(_OFFICE):
                raise Damaged("foreign_file", "it is a spreadsheet (Excel or the like); save it as CSV or Parquet")
            for info in infos:
                members.refuse_climbing(info.filename)
            for info in infos:
                if why := _left_out(info):
                    members.skip(info.filename, why)
                elif not info.is_dir():
                    with archive.open(info) as content:
                        members.write(info.filename, content, info.file_size)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, struct.error, RuntimeError) as error:
        raise Damaged("damaged_file", "the zip archive is damaged") from error
    except OSError as error:
        raise Damaged("unreadable_file", f"it can't be unpacked ({error.strerror or 'damaged'})") from error
    return members.opened()


def _left_out(info: zipfile.ZipInfo) -> str | None:
    if info.flag_bits & 1:
        return "it is encrypted"
    if stat.S_ISLNK(info.external_attr >> 16):
        return "it is a link"
    if info.compress_type not in _PLAIN_WAYS and not info.is_dir():
        return "it is packed in a way that isn't read"
    return "it is hidden" if is_hidden(info.filename) and not info.is_dir() else None


def _refuse_long_directory(file: Path) -> None:
    """A zip's list of members is read whole, and takes ten times its size."""
    with file.open("rb") as raw:
        size = raw.seek(0, os.SEEK_END)
        raw.seek(max(0, size - (1 << 16) - 22))
        end = raw.read()
    at = end.rfind(b"PK\x05\x06")
    if at < 0 or at + 22 > len(end):
        raise Damaged("damaged_file", "the zip archive is damaged or cut short")
    (long,) = struct.unpack_from("<L", end, at + 12)
    if long == 0xFFFFFFFF:
        at = end.rfind(b"PK\x06\x06")
        (long,) = struct.unpack_from("<Q", end, at + 40) if 0 <= at <= len(end) - 48 else (long,)
    if long > _LONGEST_DIRECTORY:
        raise Damaged("unpacks_too_far", f"its list of members has more than {_LONGEST_DIRECTORY // 10**6} MB")


class _Bounded(tarfile.TarInfo):
    """A member whose header takes little memory."""

    def _proc_member(self, archive: Any) -> Any:
        if self.type not in tarfile.REGULAR_TYPES and self.size > _LONGEST_HEADER:
            raise Damaged("unpacks_too_far", "a member's header is longer than any name")
        return super()._proc_member(archive)  # type: ignore[misc]  # where headers are read; typeshed lacks it


def _untar(file: Path, stream: IO[bytes], folder: Path) -> Opened:
    members = _Members(file, folder)
    try:
        with tarfile.open(fileobj=stream, mode="r|", tarinfo=_Bounded, errorlevel=1) as archive:
            for info in _each(archive):
                members.refuse_climbing(info.name)
                if info.isdir():
                    continue
                if info.issparse() or not info.isreg():
                    members.skip(info.name, "it is a link" if info.issym() or info.islnk() else "it is no plain file")
                elif is_hidden(info.name):
                    members.skip(info.name, "it is hidden")
                elif (content := archive.extractfile(info)) is not None:
                    members.write(info.name, content, info.size)
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise Damaged("damaged_file", "the tar archive is damaged or cut short") from error
    return members.opened()


def _each(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """The members one by one; none is remembered."""
    while (info := archive.next()) is not None:
        yield info
        archive.members = []  # type: ignore[attr-defined]  # else it remembers each of them; typeshed lacks it
