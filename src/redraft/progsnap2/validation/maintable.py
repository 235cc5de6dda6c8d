"""What deviates in a main table: its columns, its cells, and what its rows say of each other and of code states.

In: the table, read once, in batches. Out: deviations, row by row within a batch; then those that take the whole table
to tell, in order of rows. Ids are kept in a workspace that spills to disk.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from redraft.data.duck import Workspace, in_batches
from redraft.data.sources.progsnap2.specification import ANYWHERE, COLUMNS, EVENTS, REQUIRED, is_own
from redraft.data.sources.rows import Dialect, Rows, column_names, read_rows
from redraft.data.sources.states import Damaged
from redraft.errors import InputError
from redraft.progsnap2.validation.cells import broken
from redraft.progsnap2.validation.rules import Deviation, deviation

_BAD_ROWS = {"malformed": ("row-malformed", "has another number of cells than the header"),
             "not_utf8": ("row-not-utf8", "isn't UTF-8"),
             "too_long": ("row-too-long", "holds a cell that is too long to be read")}  # fmt: skip
_KEPT = ("EventID", "ParentEventID", "SubjectID", "CodeStateID")
COMMAS = Dialect(separator=",", encoding="utf-8", decimal=".")
"""How a table is written, by the specification."""
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,39}")
"""Names of columns that are shown, where some of the header are the specification's; others may be cells."""


def check_columns(
    file: Path, label: str, known: Iterable[str], required: Sequence[str]
) -> tuple[list[str], list[Deviation]]:
    """The columns of a table that stand there once, and what deviates in its header."""
    try:
        names = column_names(file, COMMAS)
    except InputError as error:
        return [], [deviation("file-unreadable", label, error.cause)]
    found = []
    if len(names) == 1 and any(sign in names[0] for sign in ";\t|"):
        return [], [deviation("file-unreadable", label, "its cells aren't separated by commas")]
    lower = {name.lower(): name for name in known}
    for number, name in enumerate(names, 1):
        near = lower.get(name.strip().lower())
        if names.count(name) > 1:
            if names.index(name) == number - 1:
                found.append(deviation("column-twice", label, f"column {number} stands there again"))
        elif name not in lower.values() and not is_own(name):
            hint = f"; {near} is meant, it seems" if near else ", and doesn't begin with X-"
            shown = name if _NAME.fullmatch(name) and lower.keys() & {one.strip().lower() for one in names} else None
            text = f"column {number} isn't one of the specification's{hint}"
            found.append(deviation("column-unknown", label, text, column=shown))
    found += [
        deviation("column-missing", label, "the column isn't there", column=name)
        for name in required
        if name not in names
    ]
    return [name for name in names if names.count(name) == 1], found


def read_table(file: Path, label: str, columns: Sequence[str], work: Workspace) -> Iterator[Rows | Deviation]:
    """A table's rows in batches, and what can't be read of it."""
    try:
        for rows in read_rows(file, columns, work, COMMAS):
            for row, reason in zip(rows.bad_rows, rows.bad_reasons, strict=True):
                rule, message = _BAD_ROWS[reason]
                yield deviation(rule, label, message, row=row)
            yield rows
    except Damaged as error:
        yield deviation("file-unreadable", label, str(error))


def check_rows(file: Path, label: str, columns: list[str], work: Workspace, *, sections: bool) -> Iterator[Deviation]:
    """What deviates in the rows; their ids go into the table `event` of the workspace.

    Args:
        file: The main table.
        label: What to call it.
        columns: Those of the specification that it has.
        work: Where ids are kept.
        sections: Whether code states have sections; else no event needs a CodeStateSection.
    """
    with work.cursor() as duck:
        duck.sql('CREATE OR REPLACE TABLE event (row BIGINT, "EventID" VARCHAR, "ParentEventID" VARCHAR, '
                 '"SubjectID" VARCHAR, "CodeStateID" VARCHAR)')  # fmt: skip
        for rows in read_table(file, label, columns, work):
            if isinstance(rows, Deviation):
                yield rows
                continue
            table = rows.table
            found = [
                *_cells(table, label, columns),
                *_required(table, label, columns),
                *_events(table, label, columns, sections),
            ]
            yield from sorted(found, key=lambda one: one.row or 0)
            nothing = pa.nulls(table.num_rows, pa.string())
            kept = {name: table[name] if name in columns else nothing for name in _KEPT}
            duck.register("batch", in_batches(pa.table({"row": table["row"], **kept})))
            duck.sql("INSERT INTO event SELECT * FROM batch")
    yield from _across(label, work)


def _rows_with(table: pa.Table, where: pa.ChunkedArray) -> list[int]:
    found: list[int] = table["row"].filter(where).to_pylist()
    return found


def _cells(table: pa.Table, label: str, columns: list[str]) -> Iterator[Deviation]:
    """Cells that aren't of their column's type."""
    for name in columns:
        wrong = {text: found for text in pc.unique(table[name]).to_pylist() if text and (found := broken(name, text))}
        if not wrong:
            continue
        bad = pc.is_in(table[name], pa.array(list(wrong), pa.string()))
        for row, text in zip(_rows_with(table, bad), table[name].filter(bad).to_pylist(), strict=True):
            yield deviation(wrong[text].rule, label, wrong[text].message, row=row, column=name)


def _required(table: pa.Table, label: str, columns: list[str]) -> Iterator[Deviation]:
    """Values that every row has; and a destination, which stands beside its source."""
    for name in REQUIRED:
        if name in columns and name != "CodeStateID":
            for row in _rows_with(table, _blank(table[name])):
                yield deviation("value-missing", label, "has no value", row=row, column=name)
    if "DestinationCodeStateSection" in columns:
        alone = pc.invert(_blank(table["DestinationCodeStateSection"]))
        if "CodeStateSection" in columns:
            alone = pc.and_(alone, _blank(table["CodeStateSection"]))
        for row in _rows_with(table, alone):
            yield deviation("destination-alone", label, "has a value without a CodeStateSection", row=row,
                            column="DestinationCodeStateSection")  # fmt: skip


def _events(table: pa.Table, label: str, columns: list[str], sections: bool) -> Iterator[Deviation]:
    """Values that an event's type requires, and those that it has no use for."""
    if "EventType" not in columns:
        return
    filled = {name: pc.invert(_blank(table[name])) for name in columns}
    for kind in pc.unique(table["EventType"]).to_pylist():
        if kind not in EVENTS:
            continue
        own = pc.equal(table["EventType"], kind)
        for name in EVENTS[kind].required:
            if name == "CodeStateSection" and not sections:
                continue
            lacking = pc.and_(own, pc.invert(filled[name])) if name in columns else own
            for row in _rows_with(table, lacking):
                yield deviation("event-value-missing", label, f"{kind} needs a value", row=row, column=name)
        usual = ANYWHERE.union(EVENTS[kind].required, EVENTS[kind].optional, ("CodeStateSection",))
        for name in columns:
            if name not in usual and name in COLUMNS:
                for row in _rows_with(table, pc.and_(own, filled[name])):
                    yield deviation(
                        "event-value-unexpected", label, f"{kind} has no use for a value", row=row, column=name
                    )
    if not sections and "CodeStateSection" in columns:
        for row in _rows_with(table, filled["CodeStateSection"]):
            text = "has a value, but the table of code states has no sections"
            yield deviation("section-in-table", label, text, row=row, column="CodeStateSection")


def _blank(values: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.equal(pc.utf8_trim_whitespace(values), "")


_ACROSS = (
    ("event-id-twice", "EventID", "is that of row {first:,} too",
     'SELECT row, first FROM (SELECT row, "EventID", min(row) OVER (PARTITION BY "EventID") AS first FROM event '
     "WHERE \"EventID\" <> '') WHERE row > first ORDER BY row"),
    ("parent-missing", "ParentEventID", "is no event's id",
     'SELECT row, 0 FROM event child ANTI JOIN (SELECT DISTINCT "EventID" AS id FROM event) AS parent '
     'ON parent.id = child."ParentEventID" WHERE child."ParentEventID" <> \'\' ORDER BY row'),
)  # fmt: skip


def _across(label: str, work: Workspace) -> Iterator[Deviation]:
    for rule, column, message, query in _ACROSS:
        with work.cursor() as duck:
            duck.execute(query)
            while rows := duck.fetchmany(10_000):
                for row, first in rows:
                    yield deviation(rule, label, message.format(first=first), row=row, column=column)
