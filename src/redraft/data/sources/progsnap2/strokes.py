"""A keystroke log's rows, put in order in a workspace, and the drafts that they make as parts.

In: a ProgSnap2 main table with SourceLocation, InsertText and DeleteText. Out: `Part`s of states. The rows of a student
and title are applied as `Order` says where the metadata let it, else as EventIDs that are all whole numbers, else by
time, else as they stand. Each file of a title is a program of its own: where one student edited several files of a
title, that title's are told apart as TITLE/FILE. The language comes from the file's name, if nothing else tells it.
"""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pyarrow as pa

from redraft.data.duck import Workspace, in_batches
from redraft.data.languages import language_of
from redraft.data.sources.growth import Growth
from redraft.data.sources.progsnap2.keystrokes import Draft, Keystroke, rebuilt
from redraft.data.sources.progsnap2.maintable import EVENT, READ, MainTable
from redraft.data.sources.rows import Rows, to_part
from redraft.data.sources.states import RAW_STATES, REJECTED, Part, Piece, rejected

EXTRA = ("CodeStateSection", "SourceLocation", "InsertText", "DeleteText")
_EDIT = "file.edit"
_DRAFTS_AT_ONCE = 16384
_ROWS_AT_ONCE = 10_000
_KEEP = """
INSERT INTO stroke
SELECT event.row, student, title, trim("CodeStateSection") AS file, micros, type = 'file.edit' AS edit,
    "SourceLocation", "InsertText", "DeleteText", language, mode, truncated, score, result, result_of,
    CASE WHEN $by_order THEN number WHEN $numbered THEN TRY_CAST(event_id AS DOUBLE) ELSE micros::DOUBLE END AS rank,
    CASE WHEN NOT (type = 'file.edit' OR (chosen AND NOT $pauses)) THEN 'other_event'
        WHEN student = '' THEN 'no_student'
        WHEN title = '' THEN 'no_title'
        WHEN micros IS NULL AND (stamp <> '' OR NOT ($by_order OR $numbered)) THEN coalesce(why, 'bad_time')
        WHEN rank IS NULL OR isnan(rank) THEN 'bad_order'
    END AS reason
FROM ({event}) event
"""
_FOUND = """
SELECT stroke.row, student,
    CASE WHEN apart.name IS NULL OR draft.file = '' THEN title ELSE title || '/' || draft.file END AS title, 0 AS trace,
    true AS ended, micros, draft.code, coalesce(stroke.language, draft.language) AS language, mode, truncated,
    score, result AS verdict, result_of AS judged, rank, 0.0 AS tie, draft.reason
FROM draft JOIN stroke USING (row) LEFT JOIN apart ON apart.name = title
"""


def load_strokes(main: MainTable, work: Workspace, *, pauses: bool) -> None:
    """Put the main table's rows into the table `stroke`; drafts are made by pauses, or by events."""
    values = main.values() | {"by_order": main.by_order, "numbered": main.survey.numbered, "pauses": pauses}
    event = EVENT.replace("{more}", ", ".join(f'"{name}"' for name in EXTRA))
    with work.cursor() as duck:
        duck.sql(
            "CREATE OR REPLACE TABLE stroke (row BIGINT, student VARCHAR, title VARCHAR, file VARCHAR, micros BIGINT, "
            "edit BOOLEAN, location VARCHAR, added VARCHAR, removed VARCHAR, language VARCHAR, mode VARCHAR, "
            "truncated BOOLEAN, score DOUBLE, result VARCHAR, result_of VARCHAR, rank DOUBLE, reason VARCHAR)"
        )
        duck.sql("CREATE OR REPLACE TABLE unread (row BIGINT, reason VARCHAR)")
        for rows in main.read((*READ, *EXTRA), work):
            duck.register("main", in_batches(main.told(rows.table)))
            duck.sql(_KEEP.replace("{event}", event), params=values)
            if rows.bad_rows:
                duck.register("bad", pa.table({"row": rows.bad_rows, "reason": rows.bad_reasons}))
                duck.sql("INSERT INTO unread SELECT * FROM bad")
        duck.sql(
            "CREATE OR REPLACE TABLE apart AS SELECT DISTINCT title AS name FROM (SELECT title FROM stroke "
            "WHERE reason IS NULL AND edit AND file <> '' GROUP BY student, title HAVING count(DISTINCT file) > 1)"
        )


def stroke_parts(number: int, pause: float | None, size: int, work: Workspace) -> Iterator[Piece]:
    """The drafts that the keystrokes make, and the rows of no use."""
    growth = Growth(size, work.unpack_ratio)
    with work.cursor() as duck:
        duck.execute(
            "SELECT row, reason FROM stroke WHERE reason IS NOT NULL UNION ALL SELECT * FROM unread ORDER BY row"
        )
        while rows := duck.fetchmany(_ROWS_AT_ONCE):
            yield _unread(number, rows)
    drafts: list[Draft] = []
    held = 0
    with work.cursor() as duck:
        for draft in rebuilt(_in_order(duck), pause):
            drafts.append(draft)
            held += len(draft.code or "")
            if held >= work.block_bytes // 4 or len(drafts) >= _DRAFTS_AT_ONCE:
                growth.add(held)
                yield _piece(number, drafts, work)
                drafts, held = [], 0
    yield _piece(number, drafts, work, size)


def _unread(number: int, rows: list[tuple[int, str]]) -> Piece:
    refused = rejected(number, [row for row, _ in rows], [reason for _, reason in rows])
    return Piece(0, lambda: Part(RAW_STATES.empty_table(), refused.cast(REJECTED)))


def _in_order(duck: duckdb.DuckDBPyConnection) -> Iterator[Keystroke]:
    duck.execute(
        "SELECT row, student, title, file, micros, edit, location, added, removed FROM stroke WHERE reason IS NULL "
        "ORDER BY student, title, rank, row"
    )
    while rows := duck.fetchmany(_ROWS_AT_ONCE):
        for row, student, title, file, micros, edit, location, added, removed in rows:
            place = (location or "") if edit else None
            yield Keystroke(row, (student, title), file, micros, place, added or "", removed or "")


def _piece(number: int, drafts: list[Draft], work: Workspace, size: int = 0) -> Piece:
    table = pa.table(
        {
            "row": pa.array([draft.row for draft in drafts], pa.int64()),
            "file": pa.array([draft.file for draft in drafts], pa.string()),
            "code": pa.array([draft.code for draft in drafts], pa.string()),
            "language": pa.array([language_of(draft.file) for draft in drafts], pa.string()),
            "reason": pa.array([draft.reason for draft in drafts], pa.string()),
        }
    )

    def parse() -> Part:
        with work.cursor() as duck:
            duck.register("draft", in_batches(table))
            return to_part(number, Rows(table, [], [], 0), duck.sql(_FOUND).to_arrow_table())

    return Piece(size, parse)
