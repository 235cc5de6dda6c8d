"""Rows of CSV and Parquet files, as text, in batches with their row numbers.

In: a file and the columns wanted. Out: `Rows`: what could be read, every column a string, and what could not: a row
with too few or too many fields is malformed, one that isn't UTF-8 not_utf8. Row numbers count data rows from 1.
Fields may hold line ends and quotes (doubled). Times are ISO 8601; without a zone they are taken as UTC.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from redraft.data.sources.states import RAW_STATES, WHITE_SPACE, Damaged, Part, rejected
from redraft.errors import InputError, suggestion

_BLOCK = 32 * 10**6
"""Bytes of CSV parsed at a time: a single row can't be longer."""
_LOOKED_AT = 1 << 20
"""Bytes of CSV looked at to tell a header from data."""


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
        with _open_csv(file, [], lambda row: "skip", 1 << 20) as reader:
            return list(reader.schema.names)
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


def has_no_header(file: Path) -> bool:
    """Whether a CSV file's first line looks like data rather than names of columns."""
    if is_parquet(file):
        return False
    with file.open("rb") as raw:
        text = raw.read(_LOOKED_AT).decode("utf-8-sig", "replace")
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
    if not text or len(text) > 60 or re.search(r"[@(){}=<>'\"\n\r]|://", text):
        return True
    for read in (float, datetime.fromisoformat):
        with suppress(ValueError):
            read(text)
            return True
    return False


def read_rows(file: Path, columns: Sequence[str]) -> Iterator[Rows]:
    """The file's rows in order, `columns` only.

    Raises:
        Damaged: It can't be read to its end.
    """
    try:
        yield from (_parquet_rows if is_parquet(file) else _csv_rows)(file, list(dict.fromkeys(columns)))
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise Damaged("damaged_file", "it is damaged, or holds a row longer than 32 MB") from error
    except OSError as error:
        raise Damaged("unreadable_file", f"it can't be read ({error.strerror})") from error


def _parquet_rows(file: Path, columns: list[str]) -> Iterator[Rows]:
    first = 1
    with pq.ParquetFile(file) as source:
        total = max(1, source.metadata.num_rows)
        for batch in source.iter_batches(batch_size=65536, columns=columns):
            rows = np.arange(first, first + batch.num_rows)
            first += batch.num_rows
            table = pa.table({"row": rows, **{name: _as_text(batch[name]) for name in columns}})
            yield Rows(table, [], [], file.stat().st_size * batch.num_rows // total)


def _as_text(values: pa.Array) -> pa.Array:
    if pa.types.is_timestamp(values.type):
        values = values.cast(pa.timestamp("us", values.type.tz), safe=False)
    return values.cast(pa.string())


def _open_csv(file: Path, columns: list[str], on_invalid: Any, block: int) -> pa.csv.CSVStreamingReader:
    return pa.csv.open_csv(
        file,
        read_options=pa.csv.ReadOptions(use_threads=False, block_size=block),
        parse_options=pa.csv.ParseOptions(newlines_in_values=True, invalid_row_handler=on_invalid),
        convert_options=pa.csv.ConvertOptions(
            column_types={name: pa.binary() for name in columns}, include_columns=columns, strings_can_be_null=False
        ),
    )


def _csv_rows(file: Path, columns: list[str]) -> Iterator[Rows]:
    invalid: list[int] = []  # data rows with a wrong number of fields

    def note(row: Any) -> str:
        invalid.append(row.number - 1)  # the header is row 1 to the parser
        return "skip"

    valid = told = 0
    left = file.stat().st_size
    with _open_csv(file, columns, note, _BLOCK) as reader:
        for batch in reader:
            # Valid row k stands after as many invalid ones as had fewer than k valid rows before them.
            before = np.array(invalid, np.int64) - 1 - np.arange(len(invalid))
            numbers = np.arange(valid + 1, valid + batch.num_rows + 1)
            rows = numbers + np.searchsorted(before, numbers, side="left")
            valid += batch.num_rows
            table, bad = _decoded(pa.table({"row": rows, **{name: batch[name] for name in columns}}))
            malformed, told = invalid[told:], len(invalid)
            size = min(left, batch.nbytes)
            left -= size
            yield Rows(table, [*malformed, *bad], ["malformed"] * len(malformed) + ["not_utf8"] * len(bad), size)
    if invalid[told:] or left:
        rest = invalid[told:]
        empty = pa.table({"row": pa.array([], pa.int64()), **{name: pa.array([], pa.string()) for name in columns}})
        yield Rows(empty, rest, ["malformed"] * len(rest), left)


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


def to_part(number: int, rows: Rows, found: pa.Table) -> Part:
    """Sort out the usable rows of `found`.

    Args:
        number: The input's number.
        rows: What `found` was made from.
        found: Columns row, student, title, rank, tie, micros, code, language, mode, truncated, score, reason; a row
            whose `reason` is null is a state. White space at a program's end is dropped here.
    """
    usable = pc.is_null(found["reason"])
    unused, states = found.filter(pc.invert(usable)), found.filter(usable)
    count = states.num_rows
    columns = {
        **{name: states[name] for name in found.column_names if name in RAW_STATES.names},
        "file": pa.repeat(pa.scalar(number, pa.int32()), count),
        "trace": pa.repeat(pa.scalar(0, pa.int64()), count),
        "at": states["micros"].cast(pa.timestamp("us")),
        "code": pc.utf8_rtrim(states["code"], characters=WHITE_SPACE),
        "ended": pa.repeat(pa.scalar(True), count),
    }
    bad = rejected(number, rows.bad_rows, rows.bad_reasons)
    return Part(
        pa.table({name: columns[name].cast(RAW_STATES.field(name).type) for name in RAW_STATES.names}, RAW_STATES),
        pa.concat_tables([bad, rejected(number, unused["row"], unused["reason"])]),
    )
