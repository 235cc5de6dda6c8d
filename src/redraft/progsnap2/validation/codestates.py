"""What deviates in the code states: a table's rows, or the files and commits that events name.

In: a layout, and the table `event` that the main table's check left in the workspace. Out: deviations; among them the
events whose code state isn't there.
"""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from redraft.data.duck import Workspace, in_batches
from redraft.data.sources.progsnap2.codestates import Wanted, directory_rows, git_rows
from redraft.data.sources.progsnap2.layout import Layout
from redraft.data.sources.progsnap2.specification import CODE_COLUMNS, Representation
from redraft.data.sources.states import Damaged
from redraft.progsnap2.validation.maintable import check_columns, read_table
from redraft.progsnap2.validation.rules import Deviation, deviation

_KEY = {"Table": '"CodeStateID"', "Directory": '"SubjectID" || chr(1) || "CodeStateID"', "Git": '"CodeStateID"'}
_WRONG = {"not_utf8": "a file isn't UTF-8", "too_long": "a file is too long to be read",
          "damaged_code": "an object of its commit is missing or damaged"}  # fmt: skip


def check_table(layout: Layout, label: str, columns: list[str], work: Workspace) -> Iterator[Deviation]:
    """What deviates in the rows of the code states' table; ids go into the table `code`."""
    assert layout.code_table is not None
    sections = "CodeStateSection" in columns
    with work.cursor() as duck:
        duck.sql("CREATE OR REPLACE TABLE code (row BIGINT, key VARCHAR, section VARCHAR, wrong VARCHAR)")
        if "CodeStateID" not in columns:
            return
        wanted = ["CodeStateID", *(["CodeStateSection"] if sections else []), *(["Code"] if "Code" in columns else [])]
        for rows in read_table(layout.code_table, label, wanted, work):
            if isinstance(rows, Deviation):
                yield rows
                continue
            table = rows.table
            if not sections:
                table = table.append_column("CodeStateSection", pa.repeat("", table.num_rows).cast(pa.string()))
            duck.register("batch", in_batches(table.select(["row", "CodeStateID", "CodeStateSection"])))
            duck.sql('INSERT INTO code SELECT row, "CodeStateID", "CodeStateSection", NULL FROM batch')
        blank = duck.sql("SELECT row FROM code WHERE trim(key) = '' ORDER BY row").fetchall()
        yield from (
            deviation("code-state-blank", label, "has no value", row=row, column="CodeStateID") for (row,) in blank
        )
        twice = (
            "SELECT row, first FROM (SELECT row, min(row) OVER (PARTITION BY key, section) AS first FROM code "
            "WHERE trim(key) <> '') WHERE row > first ORDER BY row"
        )
        duck.execute(twice)
        while found := duck.fetchmany(10_000):
            for row, first in found:
                yield deviation(
                    "code-state-twice", label, f"is that of row {first:,} too", row=row, column="CodeStateID"
                )
        several = duck.sql("SELECT 1 FROM code GROUP BY key HAVING count(*) > 1 LIMIT 1").fetchall()
        any_section = duck.sql("SELECT 1 FROM code LIMIT 1").fetchall()
        if sections and any_section and not several:
            yield deviation("section-needless", label, "no code state has two sections", column="CodeStateSection")


def check_files(layout: Layout, representation: Representation, work: Workspace) -> Iterator[Deviation]:
    """What deviates in the files of code states that events name; their keys go into the table `code`."""
    with work.cursor() as duck:
        duck.sql("CREATE OR REPLACE TABLE code (row BIGINT, key VARCHAR, section VARCHAR, wrong VARCHAR)")
        read = directory_rows if representation == "Directory" else git_rows
        try:
            for batch in read(layout, _named(work, by_subject=representation == "Directory")):
                numbers = pa.array(range(batch.num_rows), pa.int64())
                table = pa.Table.from_batches([batch]).append_column("row", numbers)
                duck.register("batch", in_batches(table.select(["row", "key", "section", "wrong"])))
                duck.sql("INSERT INTO code SELECT * FROM batch")
        except Damaged as error:
            yield deviation("file-unreadable", "CodeStates", str(error))


def _named(work: Workspace, *, by_subject: bool) -> Iterator[Wanted]:
    subject = '"SubjectID"' if by_subject else "''"
    with work.cursor() as duck:
        duck.execute(f'SELECT DISTINCT {subject} AS subject, "CodeStateID" AS id FROM event '
                     "WHERE \"CodeStateID\" <> '' ORDER BY id, subject")  # fmt: skip
        while rows := duck.fetchmany(10_000):
            for one, name in rows:
                yield Wanted(one or "", name)


def check_events(label: str, representation: Representation | None, work: Workspace) -> Iterator[Deviation]:
    """The events whose code state isn't there, or can't be read."""
    if not representation:
        with work.cursor() as duck:
            if duck.sql("SELECT 1 FROM event WHERE \"CodeStateID\" <> '' LIMIT 1").fetchall():
                text = "there are no code states, but events name some"
                yield deviation("code-states-missing", "CodeStates", text)
        return
    key = _KEY[representation]
    queries = (
        ("code-state-missing", f"SELECT row, NULL FROM event ANTI JOIN (SELECT DISTINCT key FROM code) known "
                               f"ON known.key = {key} WHERE \"CodeStateID\" <> '' ORDER BY row"),
        ("code-state-unreadable", f"SELECT event.row, wrong FROM event JOIN (SELECT DISTINCT key, wrong FROM code "
                                  f"WHERE wrong IS NOT NULL) bad ON bad.key = {key} ORDER BY event.row"),
    )  # fmt: skip
    with work.cursor() as duck:
        for rule, query in queries:
            duck.execute(query)
            while rows := duck.fetchmany(10_000):
                for row, wrong in rows:
                    message = _WRONG.get(wrong or "", "has no code state")
                    yield deviation(rule, label, message, row=row, column="CodeStateID")


def header(layout: Layout, label: str) -> tuple[list[str], list[Deviation]]:
    """The columns of the code states' table, and what deviates in its header."""
    assert layout.code_table is not None
    return check_columns(layout.code_table, label, CODE_COLUMNS, CODE_COLUMNS[:2])
