"""Bytes of an input, whatever it is packed in, and its lines in blocks.

In: a path. Out: a stream of plain bytes (plain, gzip, zstd or xz, told by the first bytes, not by the name), or
blocks of whole lines as Arrow arrays. A line longer than `LONGEST_LINE` is never held whole: its beginning stands
for it. A packed file cut short or corrupted raises `Damaged`, possibly after blocks of it were handed out.
"""

from __future__ import annotations

import gzip
import io
import lzma
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple, cast

import numpy as np
import pyarrow as pa

from redraft.data.sources.states import Damaged
from redraft.errors import InputError, UsageError

LONGEST_LINE = 2_000_000
"""Bytes; a longer line is rejected as too_long."""


def _gzip(raw: IO[bytes]) -> IO[bytes]:
    return cast(IO[bytes], gzip.GzipFile(fileobj=raw, mode="rb"))


def _xz(raw: IO[bytes]) -> IO[bytes]:
    return cast(IO[bytes], lzma.LZMAFile(raw, mode="rb"))


def _zstd(raw: IO[bytes]) -> IO[bytes]:
    return cast(IO[bytes], pa.CompressedInputStream(pa.PythonFile(raw, mode="r"), "zstd"))


_PACKED: tuple[tuple[bytes, Callable[[IO[bytes]], IO[bytes]]], ...] = (
    (b"\x1f\x8b", _gzip),
    (b"\x28\xb5\x2f\xfd", _zstd),
    (b"\xfd7zXZ\x00", _xz),
)


def expand(paths: Sequence[Path], mark: str = "") -> list[Path]:
    """The files of `paths`: a folder stands for every file in it and below, sorted; hidden ones are left out.

    Of a folder in which some files' names contain `mark`, only those are taken.

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
            inside = sorted(p for p in path.rglob("*") if p.is_file() and not any(
                part.startswith(".") for part in p.relative_to(path).parts))  # fmt: skip
            if not inside:
                problems.append(f"{path} is an empty folder.")
            files.extend([p for p in inside if mark in p.name] or inside)
        elif path.exists():
            files.append(path)
        else:
            problems.append(f"{path} does not exist.")
    if problems:
        raise InputError(" ".join(problems), remedy="Nothing was started; correct the paths.")
    return files


def is_packed(file: Path) -> bool:
    """Whether the file's first bytes are those of a known archive."""
    with file.open("rb") as raw:
        start = raw.read(6)
    return any(start.startswith(magic) for magic, _ in _PACKED)


@contextmanager
def unpacked(file: Path) -> Iterator[tuple[IO[bytes], IO[bytes]]]:
    """A stream of the file's plain bytes, and the file as it is, whose place tells how much of it they took.

    Raises:
        Damaged: Reading fails: `damaged_file` (cut short, or a checksum doesn't match) or `unreadable_file`.
    """
    try:
        with file.open("rb") as raw:
            start = raw.read(6)
            raw.seek(0)
            unpack = next((unpack for magic, unpack in _PACKED if start.startswith(magic)), None)
            yield unpack(raw) if unpack else raw, raw
    except (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile) as error:
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


def line_blocks(file: Path, size: int) -> Iterator[Block]:
    """The file's lines in blocks of about `size` bytes.

    Raises:
        Damaged: See `unpacked`.
    """
    first, carry, taken = 1, b"", 0
    size = max(size, 2 * LONGEST_LINE)
    with unpacked(file) as (stream, raw):
        while True:
            data = bytearray(len(carry) + size)  # of its own for each block: others are still parsed
            data[: len(carry)] = carry
            end = len(carry) + _fill(stream, memoryview(data)[len(carry) :])
            if end == len(carry):
                break
            cut = data.rfind(b"\n", len(carry), end) + 1
            if not cut:
                carry = bytes(data[: min(end, LONGEST_LINE + 2)])  # enough to know it is too long
                continue
            size_packed, taken = raw.tell() - taken, raw.tell()
            yield Block(memoryview(data)[:cut], first, size_packed)
            first += int(np.count_nonzero(np.frombuffer(data, np.uint8, cut) == 10))
            carry = bytes(data[cut:end])
        if carry:
            yield Block(carry, first, raw.tell() - taken)


def _fill(stream: IO[bytes], space: memoryview) -> int:
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
