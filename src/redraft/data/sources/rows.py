"""Rows of CSV and Parquet files, as text, in batches with their row numbers.

In: a file and the columns wanted; a CSV file may be packed. Out: `Rows`: what could be read, every column a string, and
what could not: a row with too few or too many fields is malformed, one that isn't UTF-8 not_utf8, one that holds a cell
of over 2,000,000 bytes too_long. Row numbers count data rows from 1. Fields may hold line ends and quotes (doubled).
Times are ISO 8601; without a zone they are taken as UTC. However a file repeats itself, few of its bytes are held.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from redraft.data.duck import Workspace
from redraft.data.sources.growth import UNPACK_RATIO, Growth
from redraft.data.sources.reading import unpacked
from redraft.data.sources.states import RAW_STATES, WHITE_SPACE, Damaged, Part, rejected
from redraft.errors import InputError, suggestion

_LOOKED_AT = 1 << 20
"""Bytes of CSV looked at to tell a header from data."""
LONGEST_CELL = 2_000_000
"""Bytes of a cell of Parquet."""
MOST_COLUMNS = 10_000
"""Of a table; a reader takes kilobytes for each."""
_ROWS_AT_ONCE = 65536
_BAD_AT_ONCE = 1 << 17
_ROW_SIZE = 8
"""Bytes that a value takes, be it empty."""


class Rows(NamedTuple):
    """Some rows of a file."""

    table: pa.Table
    """`row` (int64) and the wanted columns (string)."""
    bad_rows: list[int]
    bad_reasons: list[str]
    size: int
    """Bytes of the file they took, about."""


def is_parquet(file: Path) -> bool:
    """Whether the file is Parquet, by its first bytes."""
    with file.open("rb") as raw:
        return raw.read(4) == b"PAR1"


def column_names(file: Path) -> list[str]:
    """The file's columns.

    Raises:
        InputError: It is neither CSV with a header nor Parquet.
    """
    try:
        if is_parquet(file):
            return list(pq.read_schema(file).names)
        with _csv_blocks(file, UNPACK_RATIO) as blocks:
            return names_in(next(blocks, memoryview(b"")))
    except Damaged as error:
        raise InputError(f"can't be read: {error}.", where=file) from error
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
        raise InputError("can't be read as CSV with a header, nor as Parquet.", where=file) from error


def require_columns(file: Path, wanted: Sequence[str]) -> None:
    """Check that the file has all the columns.

    Raises:
        InputError: Some are missing, all named, with a suggestion; of what may be a row of data nothing is shown.
    """
    known = column_names(file)
    if not set(wanted) & set(known) and has_no_header(file):
        raise InputError(
            f"seems to have no line of column names; {', '.join(map(repr, wanted))} are wanted.",
            where=file,
            remedy="Write the columns' names into the first line.",
        )
    missing = [f"has no column {name!r}. {suggestion(name, known)}" for name in wanted if name not in known]
    if missing:
        raise InputError(" ".join(missing), where=file)
    if is_parquet(file):
        _refuse_nested(pq.read_schema(file), wanted, file)


def _refuse_nested(schema: pa.Schema, wanted: Sequence[str], file: Path) -> None:
    for name in wanted:
        places = schema.get_all_field_indices(name)
        if len(places) > 1 or pa.types.is_nested(schema.field(places[0]).type):
            raise InputError(
                f"has several columns {name!r}, or lists or records in it.", where=file,
                remedy="Name columns that hold one text, number or time per row.",
            )  # fmt: skip


def has_no_header(file: Path) -> bool:
    """Whether a CSV file's first line looks like data rather than names of columns."""
    if is_parquet(file):
        return False
    with unpacked(file) as (stream, _):
        text = stream.read(_LOOKED_AT).decode("utf-8-sig", "replace")
    try:
        tables = [[*islice(csv.reader(io.StringIO(text), delimiter=separator), 50)] for separator in ",;\t"]
    except csv.Error:
        return True
    first, *others = max(tables, key=lambda rows: len(rows[0]) if rows else 0) or [[]]
    again = any(len(row) > place and row[place] == cell for row in others for place, cell in enumerate(first))
    return again or not others or any(map(_is_datum, first))


def _is_datum(cell: str) -> bool:
    """Whether a cell is no column's name: a number, a time, an address, or a piece of a program."""
    text = cell.strip()
    if not text or len(text) > 60 or re.search(r"[@(){}=<>*'\"\n\r]|://|:.*:", text):
        return True
    for read in (float, datetime.fromisoformat):
        with suppress(ValueError):
            read(text)
            return True
    return False


def read_rows(file: Path, columns: Sequence[str], work: Workspace) -> Iterator[Rows]:
    """The file's rows in order, `columns` only, in portions of at most `work.block_bytes` bytes and 65,536 rows.

    Raises:
        Damaged: It can't be read to its end, or grows further than `work` lets it.
    """
    try:
        yield from (_parquet_rows if is_parquet(file) else _csv_rows)(file, list(dict.fromkeys(columns)), work)
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise Damaged("damaged_file", "it is damaged") from error
    except OSError as error:
        raise Damaged("unreadable_file", f"it can't be read ({error.strerror})") from error


def in_portions(sizes: np.ndarray, most: int) -> Iterator[slice]:
    """Slices of rows of at most `most` bytes and `_ROWS_AT_ONCE` rows, or of a single longer row."""
    ends = np.cumsum(sizes)
    start = 0
    while start < len(sizes):
        before = int(ends[start - 1]) if start else 0
        stop = int(np.searchsorted(ends, before + most, side="right"))
        stop = min(max(stop, start + 1), start + _ROWS_AT_ONCE)
        yield slice(start, stop)
        start = stop


def _parquet_rows(file: Path, columns: list[str], work: Workspace) -> Iterator[Rows]:
    """Values are read by number, and looked up once it is known how many bytes that makes."""
    packed = file.stat().st_size
    growth = Growth(packed, work.unpack_ratio)
    _check_chunks(file, columns, packed, work.unpack_ratio)
    first = 1
    with pq.ParquetFile(file, read_dictionary=columns, page_checksum_verification=False) as source:
        total = max(1, source.metadata.num_rows)
        for batch in source.iter_batches(batch_size=_ROWS_AT_ONCE, columns=columns, use_threads=False):
            sizes = np.full((len(columns), batch.num_rows), _ROW_SIZE)
            for place, name in enumerate(columns):
                sizes[place] += text_sizes(batch[name])
            too_long = (sizes > LONGEST_CELL).any(0)
            rows = np.arange(first, first + batch.num_rows)
            first += batch.num_rows
            growth.add(int(sizes[:, ~too_long].sum()))
            bad = rows[too_long].tolist()
            good = batch.filter(pa.array(~too_long)) if bad else batch
            numbers, size = rows[~too_long], packed * batch.num_rows // total
            for part in in_portions(sizes[:, ~too_long].sum(0), work.block_bytes):
                taken = good.slice(part.start, part.stop - part.start)
                table = pa.table({"row": numbers[part], **{name: _as_text(taken[name]) for name in columns}})
                yield Rows(table, bad, ["too_long"] * len(bad), size)
                bad, size = [], 0
            if bad:
                yield Rows(_nothing(columns), bad, ["too_long"] * len(bad), size)


def _check_chunks(file: Path, columns: list[str], packed: int, ratio: int) -> None:
    """Refuse a Parquet file before it is read, if what it says of its columns is too much.

    Raises:
        Damaged: It unpacks too far, or has more rows than a file of its size can say anything of.
    """
    metadata = pq.read_metadata(file)
    growth = Growth(packed, ratio)
    growth.add(metadata.num_rows * _ROW_SIZE)
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        for place in range(group.num_columns):
            chunk = group.column(place)
            if chunk.path_in_schema in columns:
                growth.add(chunk.total_uncompressed_size)


def text_sizes(values: pa.Array) -> np.ndarray | int:
    """Bytes of each value as text; those of numbers and times are few."""
    if not pa.types.is_dictionary(values.type):
        return 0
    lengths = pc.binary_length(values.dictionary).take(values.indices)
    found: np.ndarray = pc.fill_null(lengths, 0).to_numpy(zero_copy_only=False)
    return found


def _nothing(columns: list[str]) -> pa.Table:
    return pa.table({"row": pa.array([], pa.int64()), **{name: pa.array([], pa.string()) for name in columns}})


def _as_text(values: pa.Array) -> pa.Array:
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if pa.types.is_timestamp(values.type):
        values = values.cast(pa.timestamp("us", values.type.tz), safe=False)
    return values.cast(pa.string())


@contextmanager
def _csv_blocks(file: Path, ratio: int) -> Iterator[Iterator[memoryview]]:
    from redraft.data.sources.quotes import whole_rows  # with numba, which takes a while to load

    with unpacked(file, ratio) as (stream, _):
        yield whole_rows(stream)


def _parsed(block: memoryview, names: Sequence[str], columns: Sequence[str], on_invalid: Any) -> pa.Table:
    """A block's valid rows, the wanted columns of them as bytes; without `names` its first row says these.

    Parsed by the thread that asks, as a row that another one rejects takes seven times as long.
    """
    return pa.csv.read_csv(
        pa.BufferReader(pa.py_buffer(block)),
        read_options=pa.csv.ReadOptions(use_threads=False, block_size=len(block) + 1, column_names=names),
        parse_options=pa.csv.ParseOptions(newlines_in_values=True, invalid_row_handler=on_invalid),
        convert_options=pa.csv.ConvertOptions(
            column_types={name: pa.binary() for name in columns}, include_columns=columns, strings_can_be_null=False
        ),
    )


def names_in(block: memoryview) -> list[str]:
    """The columns' names, in a file's first block.

    Raises:
        Damaged: There are too many.
    """
    first = next(filter(None, bytes(block[:LONGEST_CELL]).splitlines()), b"")
    if first.count(b",") >= MOST_COLUMNS:
        raise Damaged("damaged_file", f"it has more than {MOST_COLUMNS:,} columns")
    header = pa.csv.read_csv(
        pa.BufferReader(pa.py_buffer(block)),
        read_options=pa.csv.ReadOptions(use_threads=False, block_size=len(block) + 1),
        parse_options=pa.csv.ParseOptions(newlines_in_values=True, invalid_row_handler=lambda row: "skip"),
    )
    return list(header.column_names)


class _Invalid:
    """Numbers of data rows with a wrong number of fields, as the parser finds them: runs, so that many take little."""

    def __init__(self) -> None:
        self.offset = -1
        """What makes a block's row the file's; the first row of the first block is the header."""
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


def _csv_rows(file: Path, columns: list[str], work: Workspace) -> Iterator[Rows]:
    invalid = _Invalid()
    valid = 0
    names: list[str] = []
    left = file.stat().st_size
    with _csv_blocks(file, work.unpack_ratio) as blocks:
        for block in blocks:
            table = _parsed(block, names, columns, invalid)
            names = names or names_in(block)
            numbers = invalid.numbered(valid, table.num_rows)
            valid += table.num_rows
            size = min(left, table.nbytes)
            left -= size
            sizes = np.full(table.num_rows, _ROW_SIZE * len(columns))
            for name in columns:
                sizes += pc.binary_length(table[name]).to_numpy()
            for part in in_portions(sizes, work.block_bytes):
                taken = table.slice(part.start, part.stop - part.start)
                rows, bad = _decoded(pa.table({"row": numbers[part], **{name: taken[name] for name in columns}}))
                yield Rows(rows, bad, ["not_utf8"] * len(bad), size)
                size = 0
            yield from _malformed(invalid.take(), columns)
            invalid.offset = valid + invalid.before
    yield Rows(_nothing(columns), [], [], left)


def _malformed(runs: Iterator[range], columns: list[str]) -> Iterator[Rows]:
    for run in runs:
        yield Rows(_nothing(columns), list(run), ["malformed"] * len(run), 0)


def _decoded(table: pa.Table) -> tuple[pa.Table, list[int]]:
    """Binary columns as strings, and the numbers of the rows that don't decode, which are left out."""
    good = np.ones(table.num_rows, bool)
    for name in table.column_names[1:]:
        try:
            table[name].cast(pa.string())
        except pa.ArrowInvalid:
            good &= np.array([_decodes(value) for value in table[name].to_pylist()], bool)
    bad = table["row"].to_numpy()[~good].tolist()
    if bad:
        table = table.filter(pa.array(good))
    schema = pa.schema([pa.field("row", pa.int64()), *(pa.field(name, pa.string()) for name in table.column_names[1:])])
    return table.cast(schema), bad


def _decodes(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def moments(texts: pa.Array | pa.ChunkedArray) -> pa.Table:
    """Each distinct non-empty text with its moment: columns text, micros (since 1970 in UTC; null: no such time)."""
    distinct = [text for text in pc.unique(texts).to_pylist() if text]
    return pa.table({"text": pa.array(distinct, pa.string()), "micros": pa.array(map(_micros, distinct), pa.int64())})


def _micros(text: str) -> int | None:
    try:
        moment = datetime.fromisoformat(text.strip())
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86400 + since.seconds) * 10**6 + since.microseconds


def to_part(number: int, rows: Rows, found: pa.Table, *, whole: bool = False) -> Part:
    """Sort out the usable rows of `found`.

    Args:
        number: The input's number.
        rows: What `found` was made from.
        found: Columns row, student, title, rank, tie, micros, code, language, mode, truncated, score, reason, and those
            of verdict, judged, errors (`redraft.data.platform`) that the source knows; a row whose `reason` is null is
            a state. Also trace and ended, if the source knows them.
        whole: Keep white space at a program's end, which is dropped here otherwise.
    """
    usable = pc.is_null(found["reason"])
    unused, states = found.filter(pc.invert(usable)), found.filter(usable)
    count = states.num_rows
    columns = {
        **{name: pa.nulls(count, RAW_STATES.field(name).type) for name in ("verdict", "judged", "errors")},
        "trace": pa.repeat(pa.scalar(0, pa.int64()), count),
        "ended": pa.repeat(pa.scalar(True), count),
        **{name: states[name] for name in found.column_names if name in RAW_STATES.names},
        "file": pa.repeat(pa.scalar(number, pa.int32()), count),
        "at": states["micros"].cast(pa.timestamp("us")),
        "code": states["code"] if whole else pc.utf8_rtrim(states["code"], characters=WHITE_SPACE),
    }
    bad = rejected(number, rows.bad_rows, rows.bad_reasons)
    return Part(
        pa.table({name: columns[name].cast(RAW_STATES.field(name).type) for name in RAW_STATES.names}, RAW_STATES),
        pa.concat_tables([bad, rejected(number, unused["row"], unused["reason"])]),
    )
