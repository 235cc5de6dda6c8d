"""Rows of CSV and its kin.

In: a file, perhaps packed, and a `Dialect`. Out: the names in its header, and its rows in portions. Columns are told by
their place, so that a name may stand twice unless it is wanted. Fields may hold line ends and quotes (doubled). Quotes
behind a backslash, and rows that end with a carriage return alone while cells hold line feeds, are refused, as no
reader can tell such files' cells apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from redraft.data.sources.dialect import Dialect, decimal_of, header_in, plain_text, separator_of
from redraft.data.sources.portions import ROW_SIZE, Bounds, Rows, decoded, in_portions, nothing
from redraft.data.sources.reading import unpacked
from redraft.data.sources.states import Damaged

MOST_COLUMNS = 10_000
"""Of a table; a reader takes kilobytes for each."""
_BAD_AT_ONCE = 1 << 17
_LOOKED_AT = 1 << 18
"""Bytes in which odd quotes and line ends are looked for."""
_BACKSLASHED = rb'(?:^|[\n\r%b])"[^"\\]*(?:\\[^"][^"\\]*)*\\"(?=[^"\r\n%b])'
"""A quoted cell in which a quote stands behind a backslash, and then neither a quote nor the cell's end."""


class Csv(NamedTuple):
    """A file that is open for reading."""

    names: list[str]
    separator: str
    blocks: Iterator[memoryview]
    """Whole rows, without the header."""


@contextmanager
def opened(file: Path, said: Dialect, wanted: Sequence[str], ratio: int) -> Iterator[Csv]:
    """Open a file; its header and rows.

    Raises:
        Damaged: It can't be read as such a table.
    """
    from redraft.data.sources.quotes import whole_rows  # with numba, which takes a while to load

    with unpacked(file, ratio) as (stream, _):
        text, head, named = plain_text(stream, said)
        separator = separator_of(head, said.separator or named, wanted)
        header = next((line for line in re.split(rb"[\r\n]", head) if line.strip()), b"")
        if header.count(separator.encode()) >= MOST_COLUMNS:
            raise Damaged("damaged_file", f"it has more than {MOST_COLUMNS:,} columns")
        if b"\0" in header:
            raise Damaged("foreign_file", "it is no text (save it as CSV in UTF-8, or as Parquet)")
        _refuse_odd(head, separator)
        names = header_in(head.decode("utf-8", "replace"), separator)
        yield Csv(names, separator, _without_header(whole_rows(text, separator)))


def _refuse_odd(head: bytes, separator: str) -> None:
    """Refuse what no reader can tell apart.

    Raises:
        Damaged: Quotes behind backslashes, or two kinds of line ends.
    """
    head = head[:_LOOKED_AT]
    sign = re.escape(separator.encode())
    if re.search(_BACKSLASHED % (sign, sign), head):
        raise Damaged(
            "odd_quotes", "its quotes stand behind backslashes (write a quote in a quoted cell as two quotes)"
        )
    first = re.search(rb"[^\r\n](\r\n|\r|\n)", head)
    if first and first[1] == b"\r" and b"\n" in re.sub(rb'"[^"]*(?:""[^"]*)*"', b"", head).replace(b"\r\n", b""):
        raise Damaged(
            "odd_line_ends",
            "its rows end with a carriage return alone, and line feeds stand in its cells without quotes "
            "(save it with line feeds at the ends of rows, or quote the cells)",
        )


def _without_header(blocks: Iterator[memoryview]) -> Iterator[memoryview]:
    begun = False
    for block in blocks:
        if begun:
            yield block
            continue
        data = bytes(block)
        start = len(data) - len(data.lstrip(b"\r\n"))
        if start == len(data):
            continue
        begun = True
        if rest := memoryview(data)[_row_end(data, start) :]:
            yield rest


def _row_end(data: bytes, start: int) -> int:
    """Where the first row ends."""
    quotes = 0
    for match in re.finditer(rb'"|\r\n|\r|\n', data[start:]):
        if match[0] == b'"':
            quotes += 1
        elif quotes % 2 == 0:
            return start + match.end()
    return len(data)


def csv_rows(file: Path, columns: list[str], work: Bounds, said: Dialect) -> Iterator[Rows]:
    """The rows of a file, `columns` of them.

    Raises:
        Damaged: It can't be read to its end.
    """
    invalid = _Invalid()
    valid = 0
    left = file.stat().st_size
    with opened(file, said, columns, work.unpack_ratio) as csv:
        places = [csv.names.index(name) for name in columns]
        decimal = decimal_of(said, csv.separator)
        for block in csv.blocks:
            table = _parsed(block, len(csv.names), places, csv.separator, invalid).rename_columns(columns)
            numbers = invalid.numbered(valid, table.num_rows)
            valid += table.num_rows
            size = min(left, table.nbytes)
            left -= size
            sizes = np.full(table.num_rows, ROW_SIZE * len(columns))
            for name in columns:
                sizes += pc.binary_length(table[name]).to_numpy()
            for part in in_portions(sizes, work.block_bytes):
                taken = table.slice(part.start, part.stop - part.start)
                rows, bad = decoded(pa.table({"row": numbers[part], **{name: taken[name] for name in columns}}))
                yield Rows(rows, bad, ["not_utf8"] * len(bad), size, decimal)
                size = 0
            yield from _malformed(invalid.take(), columns)
            invalid.offset = valid + invalid.before
    yield Rows(nothing(columns), [], [], left)


def _parsed(block: memoryview, count: int, places: Sequence[int], separator: str, on_invalid: Any) -> pa.Table:
    """A block's valid rows, the wanted columns of them as bytes.

    Parsed by the thread that asks, as a row that another one rejects takes seven times as long.
    """
    names = [str(place) for place in range(count)]
    wanted = [str(place) for place in places]
    return pa.csv.read_csv(
        pa.BufferReader(pa.py_buffer(block)),
        read_options=pa.csv.ReadOptions(use_threads=False, block_size=len(block) + 1, column_names=names),
        parse_options=pa.csv.ParseOptions(delimiter=separator, newlines_in_values=True, invalid_row_handler=on_invalid),
        convert_options=pa.csv.ConvertOptions(
            column_types={name: pa.binary() for name in wanted}, include_columns=wanted, strings_can_be_null=False
        ),
    )


class _Invalid:
    """Numbers of data rows with a wrong number of fields, as the parser finds them: runs, so that many take little."""

    def __init__(self) -> None:
        self.offset = 0
        """What makes a block's row the file's."""
        self.runs: list[list[int]] = []
        """First and last of each."""
        self.before = 0
        """Rows of runs that were taken."""

    def __call__(self, row: Any) -> str:
        number = row.number + self.offset
        if self.runs and self.runs[-1][1] == number - 1:
            self.runs[-1][1] = number
        else:
            self.runs.append([number, number])
        return "skip"

    def numbered(self, valid: int, count: int) -> np.ndarray:
        """The numbers of `count` valid rows that come behind `valid` others."""
        starts = np.array([first for first, _ in self.runs], np.int64)
        lengths = np.array([last - first + 1 for first, last in self.runs], np.int64)
        before = self.before + np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        # Valid row k stands behind those runs that had fewer than k valid rows before them.
        order = np.arange(valid + 1, valid + count + 1)
        numbers: np.ndarray = order + before[np.searchsorted(starts - 1 - before[:-1], order, side="left")]
        return numbers

    def take(self) -> Iterator[range]:
        """All runs, in parts; they are forgotten."""
        for first, last in self.runs:
            self.before += last - first + 1
            for start in range(first, last + 1, _BAD_AT_ONCE):
                yield range(start, min(start + _BAD_AT_ONCE, last + 1))
        self.runs.clear()


def _malformed(runs: Iterator[range], columns: list[str]) -> Iterator[Rows]:
    for run in runs:
        yield Rows(nothing(columns), list(run), ["malformed"] * len(run), 0)
