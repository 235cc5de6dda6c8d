"""What a researcher knows of the students beside their logs: covariates, by raw id.

In: CSV and its kin, or Parquet. Out: `covariates.parquet` in the dataset, its ids hashed with the same key, and only
for students who are in the dataset. All other columns go in as they are, so those that look as if they named people are
told.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from redraft.data.consent import IdList, Matches, is_header
from redraft.data.identity import clean_id
from redraft.data.sources.dialect import Dialect, decimal_of, plain_text, separator_of
from redraft.data.sources.reading import unpacked
from redraft.data.sources.rows import has_no_header, names_in, text_sizes
from redraft.data.sources.states import Damaged
from redraft.errors import InputError
from redraft.progress import say
from redraft.rundir.tables import read_table, write_table

COVARIATES_FILE = "covariates.parquet"
LONGEST = 64 * 10**6
"""Bytes of a table of covariates, unpacked."""
MOST_ROWS = 10**6
MOST_COLUMNS = 1000
_MAIL = r"[^\s@,;<>]+@[^\s@,;<>]+\.[^\s@,;<>]+"
_NAMING = frozenset({
    "name", "names", "firstname", "lastname", "surname", "forename", "fullname", "nickname", "username",
    "email", "mail", "phone", "telephone", "tel", "mobile", "address", "street", "birthday", "birthdate",
    "birth", "dob",
})  # fmt: skip
"""Words in a column's name that say it holds who somebody is."""


class Covariates(NamedTuple):
    """What is known of whom."""

    ids: IdList
    rows: list[str]
    """The cleaned id of each row."""
    others: pa.Table
    """The columns beside the ids."""


def read_covariates(file: Path) -> Covariates:
    """A table's rows by id: the column `student`, else the first one, holds them.

    Raises:
        InputError: The file can't be read, has no header or no other column, or names a student twice.
    """
    table = _read(file)
    if table.num_columns < 2:
        remedy = "Separate columns by commas, semicolons or tabs; name the ids' `student`."
        raise InputError("has no column beside the students' ids.", where=file, remedy=remedy)
    name = "student" if "student" in table.column_names else table.column_names[0]
    if len(set(table.column_names)) < table.num_columns or pa.types.is_nested(table[name].type):
        remedy = "Give each column a name of its own, and each row one id."
        raise InputError("has two columns of one name, or lists of ids.", where=file, remedy=remedy)
    rows = [clean_id(raw or "") for raw in pc.cast(table[name], pa.string()).to_pylist()]
    places: dict[str, int] = {}
    for number, raw_id in enumerate(rows, 1):
        if raw_id:
            places.setdefault(raw_id, number)
    nobody = rows.count("")
    if twice := len(rows) - nobody - len(places):
        raise InputError(f"{twice} rows name a student a second time.", where=file, remedy="Keep one row per student.")
    if nobody:
        say(f"{file}: {nobody:,} rows name no student; they are left out.")
    for number, other in enumerate(table.column_names, 1):
        if other != name and (signs := list(_signs(other, table[other]))):
            say(
                f"{file}: column {number} ({other}) looks as if it said who students are: {', '.join(signs)}. "
                "It goes into the dataset as it is; leave it out unless it is needed."
            )
    return Covariates(IdList(file=file, places=places, place="row"), rows, table.drop_columns([name]))


def write_covariates(covariates: Covariates, matches: Matches, folder: Path) -> None:
    """Write the rows of the students who have traces in `folder`, sorted by their hash.

    Raises:
        InputError: Two rows mean the same student.
    """
    students: set[str] = set()
    for shard in folder.glob("traces-*.parquet"):
        students.update(read_table(shard, ["student"])["student"].unique().to_pylist())
    hashes = [matches.covariates.get(raw_id) for raw_id in covariates.rows]
    kept = [row for row, student in enumerate(hashes) if student in students]
    if len(kept) > len({hashes[row] for row in kept}):
        cause = "some rows mean the same student, by ids that differ only in case."
        raise InputError(cause, where=covariates.ids.file, remedy="Keep one row per student.")
    others = covariates.others.take(pa.array(kept, pa.int64()))
    hashed = pa.array([hashes[row] for row in kept], pa.string())
    table = pa.table({"student": hashed, **{name: others[name] for name in others.column_names}})
    write_table(table.sort_by("student"), folder / COVARIATES_FILE)


def _signs(name: str, values: pa.ChunkedArray) -> Iterator[str]:
    """What says of a column that it names people."""
    words = re.sub(r"([a-z])([A-Z])", r"\1 \2", name).casefold()
    if _NAMING.intersection(re.split(r"[^a-z]+", words)):
        yield "its name says so"
    if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
        count = pc.sum(pc.match_substring_regex(values, _MAIL)).as_py() or 0
        if count:
            yield f"e-mail addresses in {count:,} rows"


def _read(file: Path) -> pa.Table:
    try:
        with file.open("rb") as raw:
            is_parquet = raw.read(4) == b"PAR1"
        if is_parquet:
            return _read_parquet(file)
        with unpacked(file) as (stream, _):
            plain, head, named = plain_text(stream, Dialect())
            text = plain.read(LONGEST + 1)
        separator = separator_of(head, named, ("student",))
        # Ids are text whatever they look like: 007 is not 7.
        names = names_in(memoryview(text), separator)
        _check_size(file, len(text), text.count(b"\n"), len(names))
        if not any(map(is_header, names)) and has_no_header(file):
            raise InputError(
                "seems to have no line of column names.", where=file, remedy="Add one, with `student` for the ids."
            )
        ids = {name: pa.string() for name in (("student",) if "student" in names else names[:1])}
        return pyarrow.csv.read_csv(
            pa.BufferReader(text),
            parse_options=pyarrow.csv.ParseOptions(delimiter=separator, newlines_in_values=True),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types=ids, decimal_point=decimal_of(Dialect(), separator)
            ),
        )
    except Damaged as error:
        raise InputError(
            f"can't be read: {error}.", where=file, remedy="Copy it anew, or keep what is needed."
        ) from error
    except OSError as error:
        raise InputError(f"can't be read ({error.strerror}).", where=file, remedy="Check the path.") from error
    except pa.ArrowException as error:  # whose words may hold a cell
        raise InputError(
            "can't be read as CSV with a header, nor as Parquet.", where=file,
            remedy="Give every row the same number of columns, as UTF-8 text.",
        ) from error  # fmt: skip


def _read_parquet(file: Path) -> pa.Table:
    """Texts are read by number, and looked up once it is known how many bytes that makes."""
    said, schema = pq.read_metadata(file), pq.read_schema(file)
    groups = [said.row_group(number) for number in range(said.num_row_groups)]
    _check_size(file, sum(group.total_byte_size for group in groups), said.num_rows, said.num_columns)
    texts = [field.name for field in schema if pa.types.is_string(field.type) or pa.types.is_large_string(field.type)]
    table = pq.read_table(file, read_dictionary=texts)
    size = sum(int(np.sum(text_sizes(chunk))) for column in table.columns for chunk in column.chunks)
    _check_size(file, size, said.num_rows, said.num_columns)
    return table.cast(schema)


def _check_size(file: Path, size: int, rows: int, columns: int) -> None:
    for count, most, what in ((size, LONGEST, "bytes"), (rows, MOST_ROWS, "rows"), (columns, MOST_COLUMNS, "columns")):
        if count > most:
            raise InputError(
                f"has more than {most:,} {what}.", where=file, remedy="Keep one row per student, and what is needed."
            )
