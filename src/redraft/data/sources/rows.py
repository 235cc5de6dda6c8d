"""Rows of tables, whatever they are written in, as text.

In: a file (CSV and its kin, JSON lines or a JSON list, Parquet; all but Parquet may be packed), the columns wanted, and
what the user says of it. Out: `Rows`: what could be read, every column a string, and what could not: a row with too few
or too many fields is malformed, one that isn't UTF-8 not_utf8, one that holds a cell of over 2,000,000 bytes too_long.
Row numbers count data rows from 1 (of JSON lines, lines). However a file repeats itself, few of its bytes are held.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from redraft.data.sources.csvrows import MOST_COLUMNS, csv_rows, opened
from redraft.data.sources.dialect import Dialect, header_in, plain_text
from redraft.data.sources.foreign import HEAD, foreign
from redraft.data.sources.growth import UNPACK_RATIO
from redraft.data.sources.jsonrows import is_json, json_names, json_rows
from redraft.data.sources.parquetrows import is_parquet, parquet_names, parquet_rows, refuse_unreadable, text_sizes
from redraft.data.sources.portions import Bounds, Rows, in_portions
from redraft.data.sources.reading import unpacked
from redraft.data.sources.states import RAW_STATES, WHITE_SPACE, Damaged, Part, rejected
from redraft.data.sources.times import moments
from redraft.errors import InputError, suggestion

__all__ = [
    "Dialect", "Rows", "column_names", "has_no_header", "in_portions", "is_parquet", "moments", "names_in",
    "read_rows", "require_columns", "text_sizes", "to_part",
]  # fmt: skip

_LOOKED_AT = 1 << 20
"""Bytes of a table looked at to tell a header from data."""
_USUAL = frozenset({
    "student", "students", "pupil", "learner", "user", "users", "username", "userid", "subject", "owner", "author",
    "who", "id", "uid", "title", "task", "problem", "exercise", "assignment", "question", "item", "activity", "code",
    "source", "program", "submission", "text", "content", "answer", "time", "timestamp", "date", "when", "created",
    "submitted", "at", "event", "order", "score", "grade", "points", "mark", "result", "verdict", "language", "lang",
    "session", "course", "year", "name", "attempt", "file", "version", "status", "action", "type",
})  # fmt: skip
"""Words of columns' names; a first line without any of them may be a row of data, of which nothing is shown."""
_MARKUP = re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:!doctype|html|table|\?xml|head|meta|style)\b", re.IGNORECASE)
"""How pages begin that learning platforms hand out as spreadsheets."""
_ANY = Dialect()


def _kind(file: Path) -> str:
    """parquet, json or csv.

    Raises:
        Damaged: It is something else, or can't be unpacked.
    """
    if is_parquet(file):
        return "parquet"
    with file.open("rb") as raw:
        if found := foreign(raw.read(HEAD), file.name):
            raise Damaged("foreign_file", f"it is {found.kind}. {found.remedy}")
    with unpacked(file) as (stream, _):
        start = stream.read(1 << 16)
    if _MARKUP.match(start):
        raise Damaged("foreign_file", "it is a page of HTML or XML. Save it as CSV (UTF-8) or Parquet, and give that")
    return "json" if is_json(start) else "csv"


def column_names(file: Path, said: Dialect = _ANY, wanted: Sequence[str] = ()) -> list[str]:
    """The file's columns.

    Args:
        file: The table.
        said: What the user says of it.
        wanted: Columns that tell a separator.

    Raises:
        InputError: It is no table that can be read.
    """
    try:
        kind = _kind(file)
        if kind == "parquet":
            return parquet_names(file)
        if kind == "json":
            return json_names(file)
        with opened(file, said, wanted, UNPACK_RATIO) as table:
            next(table.blocks, None)  # reads a block, so that what is wrong with it is noticed
            return table.names
    except Damaged as error:
        raise InputError(f"can't be read: {str(error).rstrip('.')}.", where=file) from error
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
        raise InputError("can't be read as CSV with a header, nor as Parquet.", where=file) from error


def require_columns(file: Path, wanted: Sequence[str], said: Dialect = _ANY) -> None:
    """Check that the file has all the columns, and each once.

    Raises:
        InputError: Some are missing, all named, with a suggestion; of what may be a row of data nothing is shown.
    """
    known = column_names(file, said, wanted)
    named = set(wanted) & set(known)
    if not known and _kind(file) == "json":
        raise InputError("no line of it is a JSON object.", where=file, remedy="Write an object per line, or a list.")
    if not named and _kind(file) == "json":  # keys may be ids
        raise InputError(
            f"its objects have none of the keys {', '.join(map(repr, wanted))}.", where=file,
            remedy="Name keys of its objects; one inside another with a dot.",
        )  # fmt: skip
    if not named and (has_no_header(file, said) or not any(map(_is_usual, known))):
        raise InputError(
            f"seems to have no line of column names; {', '.join(map(repr, wanted))} are wanted.",
            where=file,
            remedy="Write the columns' names into the first line.",
        )
    missing = [name for name in dict.fromkeys(wanted) if name not in known]
    if missing:
        names = [name for name in known if not _is_datum(name)]  # of a line of data nothing is shown
        told = [f"has no column {name!r}. {suggestion(name, names)}" for name in missing]
        near = [text for text in told if "Did you mean" in text]
        others = [repr(name) for name in missing if not any(repr(name) in text for text in near)]
        if others:
            shown = ", ".join(sorted({*names})[:50])
            near.append(f"has no column {' nor '.join(others)}. Known are: {shown}.")
        raise InputError(" ".join(near), where=file)
    if is_parquet(file):
        refuse_unreadable(file, wanted)
    elif twice := [name for name in wanted if Counter(known)[name] > 1]:
        raise InputError(f"has several columns {twice[0]!r}.", where=file, remedy="Give each column its own name.")


def has_no_header(file: Path, said: Dialect = _ANY) -> bool:
    """Whether a table's first line looks like data rather than names of columns."""
    if _kind(file) != "csv":
        return False
    with unpacked(file) as (stream, _):
        _, head, _ = plain_text(stream, said)
    text = head[:_LOOKED_AT].decode("utf-8", "replace")
    try:
        tables = [[*islice(csv.reader(io.StringIO(text), delimiter=separator), 50)] for separator in ",;\t|"]
    except csv.Error:
        return True
    first, *others = max(tables, key=lambda rows: len(rows[0]) if rows else 0) or [[]]
    again = any(len(row) > place and row[place] == cell for row in others for place, cell in enumerate(first))
    return again or not others or any(map(_is_datum, first))


def _is_usual(name: str) -> bool:
    """Whether a name is made of a word that columns are usually called by."""
    words = re.sub(r"([a-z])([A-Z])", r"\1 \2", name).casefold()
    return bool(_USUAL.intersection(re.split(r"[^a-z]+", words)))


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


def read_rows(file: Path, columns: Sequence[str], work: Bounds, said: Dialect = _ANY) -> Iterator[Rows]:
    """The file's rows in order, `columns` only, in portions of at most `work.block_bytes` bytes and 65,536 rows.

    Raises:
        Damaged: It can't be read to its end, or grows further than `work` lets it.
    """
    names = list(dict.fromkeys(columns))
    try:
        kind = _kind(file)
        if kind == "parquet":
            yield from parquet_rows(file, names, work)
        elif kind == "json":
            yield from json_rows(file, names, work)
        else:
            yield from csv_rows(file, names, work, said)
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise Damaged("damaged_file", "it is damaged") from error
    except OSError as error:
        raise Damaged("unreadable_file", f"it can't be read ({error.strerror})") from error


def names_in(block: memoryview, separator: str = ",") -> list[str]:
    """The columns' names, in the first block of a table.

    Raises:
        Damaged: There are too many.
    """
    first = next(filter(None, bytes(block[:_LOOKED_AT]).splitlines()), b"")
    if first.count(separator.encode()) >= MOST_COLUMNS:
        raise Damaged("damaged_file", f"it has more than {MOST_COLUMNS:,} columns")
    return header_in(bytes(block[:_LOOKED_AT]).decode("utf-8", "replace"), separator)


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
