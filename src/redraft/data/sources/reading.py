"""Bytes of an input, whatever it is packed in, and its lines in blocks.

In: a path. Out: a stream of plain bytes (plain, gzip, bzip2, zstd, lz4 or xz, told by the first bytes, not by the
name), or blocks of whole lines as Arrow arrays. A line longer than `LONGEST_LINE` is never held whole: its beginning
stands for it. A packed file that is cut short or corrupted, or grows beyond all reason, raises `Damaged`, possibly
after blocks of it were handed out.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

import numpy as np
import pyarrow as pa

from redraft.data.sources.archives import Opened, is_hidden, open_archive
from redraft.data.sources.foreign import HEAD, foreign, is_tar, is_zip
from redraft.data.sources.growth import UNPACK_RATIO, Growth
from redraft.data.sources.states import Damaged
from redraft.errors import InputError, UsageError

LONGEST_LINE = 2_000_000
"""Bytes; a longer line is rejected as too_long."""
LINES_AT_ONCE = 1 << 17
"""Lines of a block at most: what is known of each takes more memory than an empty line."""
_XZ_MEMORY = 256 * 10**6
"""Bytes that unpacking xz may take; its strongest usual setting takes 65 MB."""


def _gzip(raw: IO[bytes]) -> IO[bytes]:
    return cast(IO[bytes], gzip.GzipFile(fileobj=raw, mode="rb"))


def _bzip2(raw: IO[bytes]) -> IO[bytes]:
    return cast(IO[bytes], bz2.BZ2File(raw, mode="rb"))


def _by_arrow(codec: str) -> Callable[[IO[bytes]], IO[bytes]]:
    return lambda raw: cast(IO[bytes], pa.CompressedInputStream(pa.PythonFile(raw, mode="r"), codec))


class _Xz(io.RawIOBase):
    """The streams of an xz file; unlike the library's own reader it bounds the memory that a file may ask for."""

    def __init__(self, raw: IO[bytes]) -> None:
        self._raw, self._stream, self._packed = raw, self._next(), b""

    @staticmethod
    def _next() -> lzma.LZMADecompressor:
        return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)

    def readable(self) -> bool:
        return True

    def readinto(self, space: Any) -> int:
        plain = b""
        while not plain and len(space):
            if self._stream.eof:
                self._packed = (self._stream.unused_data + self._raw.read(1 << 16)).lstrip(b"\0")
                if not self._packed:
                    break
                self._stream = self._next()
            elif self._stream.needs_input:
                self._packed = self._raw.read(1 << 16)
                if not self._packed:
                    raise EOFError("it ends in the middle")
            plain = self._stream.decompress(self._packed, len(space))
            self._packed = b""
        space[: len(plain)] = plain
        return len(plain)


_PACKED: tuple[tuple[bytes, Callable[[IO[bytes]], IO[bytes] | io.RawIOBase]], ...] = (
    (b"\x1f\x8b", _gzip),
    (b"BZh", _bzip2),
    (b"\x28\xb5\x2f\xfd", _by_arrow("zstd")),
    (b"\x04\x22\x4d\x18", _by_arrow("lz4")),
    (b"\xfd7zXZ\x00", _Xz),
)


class _Counted(io.RawIOBase):
    """A stream of unpacked bytes that ends in `Damaged` when there are too many."""

    def __init__(self, stream: IO[bytes] | io.RawIOBase, growth: Growth) -> None:
        self._stream, self._growth = stream, growth

    def readable(self) -> bool:
        return True

    def readinto(self, space: Any) -> int:
        count = cast(io.RawIOBase, self._stream).readinto(space) or 0
        self._growth.add(count)
        return count


def expand(paths: Sequence[Path]) -> list[Path]:
    """The files of `paths`: a folder or an archive stands for every file in it and below, sorted, hidden ones apart.

    An archive that can't be opened stays in the list: it is rejected when it is read.

    Raises:
        InputError: Paths are missing or folders empty, all named.
        UsageError: There are no paths.
    """
    if not paths:
        raise UsageError("no input is given.", remedy="Name at least one file or folder.")
    files: list[Path] = []
    problems: list[str] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(file for file in path.rglob("*") if file.is_file() and not _is_hidden(file, path))
            if not inside:
                problems.append(f"{path} is an empty folder.")
            files.extend(inside)
        elif path.is_file():
            files.append(path)
        elif path.exists():
            problems.append(f"{path} is neither a file nor a folder.")
        else:
            problems.append(f"{path} does not exist.")
    if problems:
        raise InputError(" ".join(problems), remedy="Nothing was started; correct the paths.")
    return [file for given in files for file in _members(given)]


def left_out(paths: Sequence[Path]) -> list[tuple[str, str]]:
    """What `expand` leaves out of folders and archives, and why."""
    found: list[tuple[str, str]] = []
    for path in paths:
        inside = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
        for file in inside:
            if path.is_dir() and _is_hidden(file, path):
                found.append((str(file.relative_to(path)), "it is hidden"))
            elif (opened := _opened(file)) is not None:
                found.extend((f"{file.name}/{name}", why) for name, why in opened.skipped)
    return found


def _is_hidden(file: Path, folder: Path) -> bool:
    return is_hidden(str(file.relative_to(folder)))


def _members(file: Path) -> list[Path]:
    opened = _opened(file)
    return [file] if opened is None else opened.files


def _opened(file: Path) -> Opened | None:
    """What is in an archive; None if the file is none, or can't be opened as one."""
    try:
        with file.open("rb") as raw:
            head = raw.read(HEAD)
            raw.seek(0)
            if foreign(head, file.name):
                return None
            if is_zip(head):
                return open_archive(file, raw, head)
        with _plain(file) as (stream, _):
            head = _read_full(stream, HEAD)
        if not is_tar(head):
            return None
        with _plain(file) as (stream, _):
            return open_archive(file, stream, head)
    except (Damaged, OSError):
        return None


def _read_full(stream: IO[bytes], count: int) -> bytes:
    space = bytearray(count)
    return bytes(space[: fill(stream, memoryview(space))])


def is_packed(file: Path) -> bool:
    """Whether the file's first bytes are those of a known archive."""
    with file.open("rb") as raw:
        start = raw.read(6)
    return any(start.startswith(magic) for magic, _ in _PACKED)


@contextmanager
def unpacked(file: Path, ratio: int = UNPACK_RATIO) -> Iterator[tuple[IO[bytes], IO[bytes]]]:
    """A stream of the file's plain bytes, and the file as it is, whose place tells how much of it they took.

    Args:
        file: The file.
        ratio: How many times its size it may grow.

    Raises:
        Damaged: Reading fails: `damaged_file` (cut short, or a checksum doesn't match), `unreadable_file`,
            `unpacks_too_far`, `packed_twice`, or `foreign_file`: an archive that can't be opened, or what is packed
            in a way that isn't known.
    """
    with _plain(file, ratio) as (stream, raw):
        if stream is raw:
            head = raw.read(HEAD)
            raw.seek(0)
            if found := foreign(head, file.name):
                raise Damaged("foreign_file", f"it is {found.kind} ({found.remedy.rstrip('.')})")
            if is_zip(head) or is_tar(head):
                open_archive(file, raw, head)  # says what is wrong with it, if anything is
                raise Damaged("foreign_file", "it is an archive of several files (give it as an input of its own)")
            yield raw, raw
        else:
            start = _read_full(stream, HEAD)
            if any(start.startswith(magic) for magic, _ in _PACKED) or is_zip(start):
                raise Damaged("packed_twice", "it is packed twice (unpack it once, and give that)")
            if is_tar(start):
                with _plain(file, ratio) as (again, _):
                    open_archive(file, again, start)
                raise Damaged("foreign_file", "it is an archive of several files (give it as an input of its own)")
            yield cast(IO[bytes], io.BufferedReader(Begun(start, stream), 1 << 16)), raw


class Begun(io.RawIOBase):
    """A stream of which the beginning was looked at."""

    def __init__(self, start: bytes, stream: IO[bytes]) -> None:
        self._start, self._stream = start, stream

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, space: Any) -> int:
        """Fill `space`, as far as there is something; how many bytes."""
        if self._start:
            count = min(len(self._start), len(space))
            space[:count] = self._start[:count]
            self._start = self._start[count:]
            return count
        return cast(io.RawIOBase, self._stream).readinto(space) or 0


@contextmanager
def _plain(file: Path, ratio: int = UNPACK_RATIO) -> Iterator[tuple[IO[bytes], IO[bytes]]]:
    """What `unpacked` gives, whatever it holds."""
    try:
        with file.open("rb") as raw:
            start = raw.read(6)
            raw.seek(0)
            unpack = next((unpack for magic, unpack in _PACKED if start.startswith(magic)), None)
            if unpack is None:
                yield raw, raw
            else:
                yield cast(IO[bytes], _Counted(unpack(raw), Growth(file.stat().st_size, ratio))), raw
    except gzip.BadGzipFile as error:  # whose words may hold bytes of it
        raise Damaged("damaged_file", "the archive is damaged (its head, its checksum, or what follows it)") from error
    except (EOFError, zlib.error, lzma.LZMAError) as error:
        raise Damaged("damaged_file", f"the archive is damaged ({error})") from error
    except OSError as error:
        if error.errno is None:  # Arrow's word for a damaged archive
            raise Damaged("damaged_file", f"the archive is damaged ({error})") from error
        raise Damaged("unreadable_file", f"it can't be read ({error.strerror})") from error


class Block(NamedTuple):
    """Whole lines of an input, each with its line end."""

    data: bytes | memoryview
    first: int
    """The number of its first line, from 1."""
    size: int
    """Bytes of the file it took."""


def line_blocks(file: Path, size: int, ratio: int = UNPACK_RATIO) -> Iterator[Block]:
    """The file's lines in blocks of about `size` bytes and at most `LINES_AT_ONCE` lines; `ratio` as `unpacked` has it.

    Raises:
        Damaged: See `unpacked`.
    """
    first, carry, taken = 1, b"", 0
    size = max(size, 2 * LONGEST_LINE)
    with unpacked(file, ratio) as (stream, raw):
        while True:
            data = bytearray(len(carry) + size)  # of its own for each block: others are still parsed
            data[: len(carry)] = carry
            end = len(carry) + fill(stream, memoryview(data)[len(carry) :])
            if end == len(carry):
                break
            cut = data.rfind(b"\n", len(carry), end) + 1
            if not cut:
                carry = bytes(data[: min(end, LONGEST_LINE + 2)])  # enough to know it is too long
                continue
            size_packed, taken = raw.tell() - taken, raw.tell()
            count = int(np.count_nonzero(np.frombuffer(data, np.uint8, cut) == 10))
            for part, lines in enumerate(_portions(memoryview(data)[:cut], count)):
                yield Block(lines, first + part * LINES_AT_ONCE, 0 if part else size_packed)
            first += count
            carry = bytes(data[cut:end])
        if carry:
            yield Block(carry, first, raw.tell() - taken)


def _portions(data: memoryview, count: int) -> Iterator[memoryview]:
    """The same `count` whole lines, few at a time."""
    if count <= LINES_AT_ONCE:
        yield data
        return
    ends = np.flatnonzero(np.frombuffer(data, np.uint8) == 10)[LINES_AT_ONCE - 1 :: LINES_AT_ONCE] + 1
    start = 0
    for end in (*ends.tolist(), len(data)):
        if end > start:
            yield data[start:end]
        start = end


def fill(stream: IO[bytes], space: memoryview) -> int:
    """Read until `space` is full, or to the end: where a block ends must not depend on how the archive was packed."""
    filled = 0
    while filled < len(space) and (count := cast(io.RawIOBase, stream).readinto(space[filled:])):
        filled += count
    return filled


class Lines(NamedTuple):
    """A block's lines."""

    data: np.ndarray
    """uint8: their bytes, line ends included."""
    cuts: np.ndarray
    """int32 (lines + 1,): where each starts, and the end."""
    unreadable: dict[str, np.ndarray]
    """too_long, not_utf8 -> which lines are."""

    @property
    def readable(self) -> np.ndarray:
        """The others."""
        found: np.ndarray = ~np.any(list(self.unreadable.values()), axis=0)
        return found


def split_lines(block: Block) -> Lines:
    """Cut a block into lines, without a copy."""
    data = np.frombuffer(block.data, np.uint8)
    ends = np.flatnonzero(data == 10) + 1
    if not len(ends) or ends[-1] != len(data):
        ends = np.append(ends, len(data))
    cuts = np.concatenate([[0], ends]).astype(np.int32)
    not_utf8 = np.zeros(len(ends), bool)
    if data.max(initial=0) > 127:
        lines = pa.Array.from_buffers(pa.string(), len(ends), [None, pa.py_buffer(cuts), pa.py_buffer(block.data)])
        if not is_utf8(lines):
            for line in np.unique(np.searchsorted(ends, np.flatnonzero(data > 127), side="right")):
                not_utf8[line] = not is_utf8(lines[line : line + 1])
    return Lines(data, cuts, {"too_long": _lengths(data, cuts) > LONGEST_LINE, "not_utf8": not_utf8})


def _lengths(data: np.ndarray, cuts: np.ndarray) -> np.ndarray:
    """Bytes of each line without its line end (LF or CR LF)."""
    ends = cuts[1:].astype(np.int64)
    ends = ends - (data[ends - 1] == 10)
    ends = ends - ((ends > cuts[:-1]) & (data[ends - 1] == 13))
    lengths: np.ndarray = ends - cuts[:-1]
    return lengths


def is_utf8(texts: pa.Array) -> bool:
    """Whether every value of a string array is valid UTF-8."""
    try:
        texts.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True
