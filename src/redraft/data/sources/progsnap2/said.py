"""What the platform said of a program in other rows than the one that makes it a state.

In: rows of a ProgSnap2 main table. Out: the table `said` in a workspace, by key: `E` + an EventID, for rows whose
ParentEventID (or their parent's) it is; and `S` + student and code state, for rows of the same program. Compile events
tell whether it compiles, and Compile.Error events what is wrong; Run.Test events whether it passes its tests.
"""

from __future__ import annotations

import duckdb
import pyarrow as pa

from redraft.data.duck import in_batches

COLUMNS = (
    "EventType", "EventID", "SubjectID", "CodeStateID", "ParentEventID", "ExecutionResult", "CompileResult",
    "CompileMessageType", "CompileMessageData", "SourceLocation",
)  # fmt: skip
EVENTS = ("compile", "compile.error", "run.test", "debug.test")
"""Types of events that say something of a program, in lower case."""
ERRORS = "STRUCT(kind VARCHAR, message VARCHAR, line INTEGER)[]"
RESULT = (
    "CASE lower(trim({})) WHEN 'success' THEN 'ok' WHEN 'warning' THEN 'ok' WHEN 'error' THEN 'error' "
    "WHEN 'timeout' THEN 'timeout' WHEN 'testfailed' THEN 'failed' END"
)
"""What CompileResult or ExecutionResult says, in SQL."""

_KEEP = f"""
INSERT INTO said_row SELECT row, lower("EventType"), "EventID", "ParentEventID",
    CASE WHEN "CodeStateID" <> '' THEN "SubjectID" || chr(1) || "CodeStateID" END,
    CASE lower("EventType") WHEN 'compile.error' THEN 'error'
        WHEN 'compile' THEN {RESULT.format('"CompileResult"')} ELSE {RESULT.format('"ExecutionResult"')} END,
    coalesce(nullif("CompileMessageData", ''), nullif("CompileMessageType", '')),
    coalesce(TRY_CAST(regexp_extract("SourceLocation", '^(?i:text:)?(\\d+)', 1) AS INTEGER),
        TRY_CAST(regexp_extract("CompileMessageData", '(?i)\\bline (\\d+)', 1) AS INTEGER))
FROM event WHERE lower("EventType") IN $events
"""
_JOIN = """
CREATE OR REPLACE TABLE said AS
WITH keyed AS (
    SELECT 'E' || parent AS key, * FROM said_row WHERE parent <> ''
    UNION ALL SELECT 'E' || above.parent, said_row.* FROM said_row JOIN said_row above ON above.event = said_row.parent
        WHERE above.parent NOT IN ('', said_row.parent)
    UNION ALL SELECT 'S' || program, * FROM said_row WHERE program IS NOT NULL
)
SELECT key,
    CASE WHEN bool_or(type LIKE 'compile%' AND result = 'error') THEN 'error'
        WHEN bool_or(type LIKE '%.test' AND result = 'timeout') THEN 'timeout'
        WHEN bool_or(type LIKE '%.test' AND result = 'error') THEN 'error'
        WHEN bool_or(type LIKE '%.test' AND result = 'failed') THEN 'failed'
        WHEN bool_or(result = 'ok') THEN 'ok' END AS verdict,
    CASE WHEN bool_or(type LIKE 'compile%' AND result = 'error') THEN 'compiled'
        WHEN bool_or(type LIKE '%.test' AND result IS NOT NULL) THEN 'tested'
        WHEN bool_or(result = 'ok') THEN 'compiled' END AS judged,
    list({'kind': 'syntax', 'message': message, 'line': line} ORDER BY row)
        FILTER (type = 'compile.error' AND message IS NOT NULL) AS errors
FROM keyed GROUP BY key
"""


def begin(duck: duckdb.DuckDBPyConnection) -> None:
    """Make the tables, empty."""
    duck.sql(
        "CREATE OR REPLACE TABLE said_row (row BIGINT, type VARCHAR, event VARCHAR, parent VARCHAR, program VARCHAR, "
        "result VARCHAR, message VARCHAR, line INTEGER)"
    )
    duck.sql(f"CREATE OR REPLACE TABLE said (key VARCHAR, verdict VARCHAR, judged VARCHAR, errors {ERRORS})")


def add(duck: duckdb.DuckDBPyConnection, rows: pa.Table, but: list[str]) -> None:
    """Take in rows with `COLUMNS`; those of the events in `but` (lower case) say it themselves."""
    duck.register("event", in_batches(rows))
    duck.sql(_KEEP, params={"events": [name for name in EVENTS if name not in but]})


def join(duck: duckdb.DuckDBPyConnection) -> None:
    """Make `said` of what was taken in."""
    duck.sql(_JOIN)
    duck.sql("DROP TABLE said_row")
