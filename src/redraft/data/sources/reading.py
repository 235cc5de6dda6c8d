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


def chunks(file: Path, size: int) -> Iterator[tuple[bytes, int]]:
    """(plain bytes, bytes of the file they took), `size` plain bytes at a time, the last one shorter.

    Raises:
        Damaged: `damaged_file` (cut short, or a checksum doesn't match) or `unreadable_file`.
    """
    try:
        with file.open("rb") as raw:
            start = raw.read(6)
            raw.seek(0)
            stream: IO[bytes] = raw
            for magic, unpack in _PACKED:
                if start.startswith(magic):
                    stream = unpack(raw)
            before = 0
            while data := _full_read(stream, size):
                after = raw.tell()
                yield data, after - before
                before = after
    except (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile) as error:
        raise Damaged("damaged_file", f"the archive is damaged ({error})") from error
    except OSError as error:
        if error.errno is None:  # Arrow's word for a damaged archive
            raise Damaged("damaged_file", f"the archive is damaged ({error})") from error
        raise Damaged("unreadable_file", f"it can't be read ({error.strerror})") from error


def _full_read(stream: IO[bytes], size: int) -> bytes:
    """`size` bytes, fewer only at the end: where a block ends must not depend on how the archive was packed."""
    data = stream.read(size)
    if len(data) == size or not data:
        return data
    whole = io.BytesIO()
    while data:
        whole.write(data)
        data = stream.read(size - whole.tell()) if whole.tell() < size else b""
    return whole.getvalue()


class Block(NamedTuple):
    """Whole lines of an input, each with its line end."""

    data: bytes
    first: int
    """The number of its first line, from 1."""
    size: int
    """Bytes of the file it took."""


def line_blocks(file: Path, size: int) -> Iterator[Block]:
    """The file's lines in blocks of about `size` bytes.

    Raises:
        Damaged: See `chunks`.
    """
    first, carry, taken = 1, b"", 0
    for data, packed in chunks(file, max(size, 2 * LONGEST_LINE)):
        taken += packed
        cut = data.rfind(b"\n") + 1
        if not cut:
            carry = (carry + data)[: LONGEST_LINE + 2]  # enough to know it is too long
            continue
        block = Block(carry + data[:cut], first, taken)
        yield block
        first += block.data.count(b"\n")
        carry, taken = data[cut:], 0
    if carry:
        yield Block(carry, first, taken)


class Lines(NamedTuple):
    """A block's lines, those that can be read apart from those that can't."""

    text: pa.Array
    """string: valid UTF-8, line ends included."""
    rows: pa.Array
    """int64: their line numbers."""
    bad_rows: pa.Array
    """int64: lines that are too_long or not_utf8."""
    bad_reasons: pa.Array


def split_lines(block: Block) -> Lines:
    """Cut a block into lines; a copy is made only of blocks that hold unreadable lines."""
    data = np.frombuffer(block.data, np.uint8)
    ends = np.flatnonzero(data == 10) + 1
    if not len(ends) or ends[-1] != len(data):
        ends = np.append(ends, len(data))
    offsets = np.concatenate([[0], ends]).astype(np.int32)
    rows = np.arange(block.first, block.first + len(ends), dtype=np.int64)
    lines = pa.Array.from_buffers(pa.binary(), len(ends), [None, pa.py_buffer(offsets), pa.py_buffer(block.data)])
    too_long = _lengths(data, offsets) > LONGEST_LINE
    not_utf8 = np.zeros(len(ends), bool)
    if data.max(initial=0) > 127 and not _is_utf8(lines):
        for index in np.unique(np.searchsorted(ends, np.flatnonzero(data > 127), side="right")):
            not_utf8[index] = not _decodes(block.data[offsets[index] : offsets[index + 1]])
    bad = too_long | not_utf8
    if bad.any():
        lines = lines.filter(pa.array(~bad))
    reasons = np.where(too_long, "too_long", "not_utf8")[bad]
    return Lines(lines.view(pa.string()), pa.array(rows[~bad]), pa.array(rows[bad]), pa.array(reasons, pa.string()))


def _lengths(data: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Bytes of each line without its line end (LF or CR LF)."""
    ends = offsets[1:].astype(np.int64)
    ends = ends - (data[ends - 1] == 10)
    ends = ends - ((ends > offsets[:-1]) & (data[ends - 1] == 13))
    lengths: np.ndarray = ends - offsets[:-1]
    return lengths


def _is_utf8(lines: pa.Array) -> bool:
    try:
        lines.view(pa.string()).validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _decodes(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True
