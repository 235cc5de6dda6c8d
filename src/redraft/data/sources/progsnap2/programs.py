"""The programs that events name, in a workspace's table `code_state`: key, code, its file's ending, and what is wrong.

In: a data set's code states, in whichever layout. Out: that table. Of a code state that stands in several rows without
sections, the first row counts, and how often that is so is said.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import duckdb
import pyarrow as pa

from redraft.data.duck import Workspace, in_batches
from redraft.data.sources.progsnap2.codestates import PLAIN_ID, Wanted, directory_rows, git_rows
from redraft.data.sources.progsnap2.maintable import MainTable
from redraft.data.sources.rows import column_names, read_rows
from redraft.progress import say

_PLAIN = PLAIN_ID.format('"CodeStateID"')
KEYS = {
    "Table": _PLAIN,
    "Directory": '"SubjectID" || chr(1) || "CodeStateID"',
    "Git": 'lower(trim("CodeStateID"))',
    "inline": "''",
    "keystrokes": "''",
}
"""The key of an event's code state, in SQL, by where programs come from."""
_WANTED_AT_ONCE = 10_000
_SUFFIX = r"regexp_extract(lower({}), '\.[a-z0-9+#]+$')"
"""The end of a file's name, in SQL."""


def load_table(file: Path, work: Workspace) -> Iterator[tuple[int, list[tuple[int, str]]]]:
    """Read the Table layout; yields the bytes read and the rows that can't be, as they come."""
    sections = "CodeStateSection" in column_names(file)
    columns = ["CodeStateID", "Code", *(["CodeStateSection"] if sections else [])]
    with work.cursor() as duck:
        _begin(duck)
        for rows in read_rows(file, columns, work):
            table = rows.table if sections else rows.table.append_column(
                "CodeStateSection", pa.repeat("", rows.table.num_rows).cast(pa.string())
            )  # fmt: skip
            duck.register("batch", in_batches(table))
            duck.sql(f'INSERT INTO code_row SELECT row, {_PLAIN}, "CodeStateSection", "Code", NULL FROM batch')
            yield rows.size, list(zip(rows.bad_rows, rows.bad_reasons, strict=True))
        twice = _finish(duck)
    if twice:
        say(f"{file}: {twice:,} code states stand in several rows with different programs; the first row counts")


def load_folder(main: MainTable, layout: Literal["Directory", "Git"] | None, work: Workspace) -> int:
    """Read those code states of the Directory or Git layout that events name; the bytes of their programs.

    Without a layout there are none.
    """
    with work.cursor() as duck, work.cursor() as asking:
        _begin(duck)
        if layout:
            duck.sql("CREATE OR REPLACE TABLE wanted (subject VARCHAR, id VARCHAR)")
            for rows in main.read(("EventType", "SubjectID", "CodeStateID"), work):
                duck.register("batch", in_batches(rows.table))
                duck.sql(
                    'INSERT INTO wanted SELECT DISTINCT "SubjectID", "CodeStateID" FROM batch '
                    'WHERE lower(trim("EventType")) IN $events AND trim("CodeStateID") <> \'\'',
                    params={"events": main.wanted},
                )
            names = _wanted(asking, by_subject=layout == "Directory")
            read = directory_rows(main.layout, names) if layout == "Directory" else git_rows(
                main.layout, names, work.unpack_ratio
            )  # fmt: skip
            first = 0
            for batch in read:
                numbers = pa.array(range(first, first + batch.num_rows), pa.int64())
                first += batch.num_rows
                duck.register("batch", in_batches(pa.Table.from_batches([batch]).append_column("row", numbers)))
                duck.sql("INSERT INTO code_row SELECT row, key, section, code, wrong FROM batch")
        _finish(duck)
        total = duck.sql("SELECT coalesce(sum(strlen(code)), 0) FROM code_state").fetchall()[0]
    return int(total[0])


def _wanted(duck: duckdb.DuckDBPyConnection, *, by_subject: bool) -> Iterator[Wanted]:
    columns = "subject, id" if by_subject else "'' AS subject, lower(trim(id)) AS id"
    duck.execute(f"SELECT DISTINCT {columns} FROM wanted ORDER BY id, subject")
    while rows := duck.fetchmany(_WANTED_AT_ONCE):
        for subject, name in rows:
            yield Wanted(subject, name)


def _begin(duck: duckdb.DuckDBPyConnection) -> None:
    duck.sql("CREATE OR REPLACE TABLE code_row (row BIGINT, key VARCHAR, section VARCHAR, code VARCHAR, wrong VARCHAR)")


def _finish(duck: duckdb.DuckDBPyConnection) -> int:
    """Join sections; how many code states stand twice with different programs."""
    rows, keys, places = duck.sql(
        "SELECT count(*), count(DISTINCT key), count(DISTINCT (key, section)) FROM code_row"
    ).fetchall()[0]
    twice = 0
    if rows > places:
        twice = duck.sql(
            "SELECT count(*) FROM (SELECT key, section FROM code_row GROUP BY key, section "
            "HAVING count(*) > 1 AND count(DISTINCT hash(code)) > 1)"
        ).fetchall()[0][0]
        duck.sql("CREATE OR REPLACE TABLE once AS SELECT DISTINCT ON (key, section) * FROM code_row "
                 "ORDER BY key, section, row")  # fmt: skip
        duck.sql("DROP TABLE code_row")
        duck.sql("ALTER TABLE once RENAME TO code_row")
    duck.sql("DROP TABLE IF EXISTS code_state")
    wrong = "CASE wrong WHEN 'not_utf8' THEN 'not_utf8_code' WHEN 'too_long' THEN 'too_long_code' ELSE wrong END"
    if places == keys:  # of one section each, as most data sets have it
        duck.sql("ALTER TABLE code_row RENAME TO code_state")
        duck.sql("ALTER TABLE code_state DROP COLUMN row")
        duck.sql("ALTER TABLE code_state RENAME COLUMN section TO suffix")
        duck.sql(f"UPDATE code_state SET suffix = {_SUFFIX.format('suffix')} WHERE suffix <> ''")
        duck.sql(f"UPDATE code_state SET wrong = {wrong} WHERE wrong IS NOT NULL")
    else:
        duck.sql(
            f"CREATE TABLE code_state AS SELECT key, string_agg(code, chr(10) ORDER BY row) AS code, "
            f"{_SUFFIX.format('arg_min(section, row)')} AS suffix, max({wrong}) AS wrong FROM code_row GROUP BY key"
        )
        duck.sql("DROP TABLE code_row")
    return int(twice)
