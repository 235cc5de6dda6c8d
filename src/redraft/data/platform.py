"""What a platform itself said of its students' drafts.

In: raw states (`sources.states.RAW_STATES`) whose source told what the platform said, in three columns:

    verdict   one of `VERDICTS`, null where the platform said nothing; `verdict_named` reads the usual words
    judged    what it judged, one of `JUDGED`: compiled, ran or tested; null: tested where there is a score, else ran
    errors    what went wrong, a list of (kind, message, line); the kind of a compile error is `syntax`

A state with a score and no verdict was tested: `ok` with a full score, else `failed`. So was one that is said to be ok
and hasn't a full score. Out: `verdicts-platform.parquet` beside the traces, with the columns of every verdict file and
two more, `title` and `judged`: what a platform accepts depends on what was asked for, so its verdict is of a program
*of a title*. A program that it judged differently at different times has the commonest verdict.

Not guaranteed: that a platform judges as an engine does. What `ok` means is what `judged` says.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from redraft.data.duck import Workspace
from redraft.data.trace import program_id
from redraft.data.verdicts import ERRORS, FULL, PLATFORM, PLATFORM_FILE, PLATFORM_SCHEMA, RAN, TESTED
from redraft.progress import say
from redraft.rundir import atomic_file
from redraft.rundir.tables import table_writer

_TOLD = pa.schema(
    [("id", pa.string()), ("title", pa.string()), ("language", pa.string()), ("verdict", pa.string()),
     ("judged", pa.string()), ("errors", ERRORS), ("place", pa.int64())]
)  # fmt: skip
_JOINED = """
WITH counted AS (
    SELECT id, title, verdict, count(*) AS times, min(place) AS place,
        arg_min(language, place) AS language, arg_min(judged, place) AS judged, arg_min(errors, place) AS errors
    FROM told GROUP BY id, title, verdict
), chosen AS (
    SELECT *, count(*) OVER (PARTITION BY id, title) > 1 AS differs FROM counted
    QUALIFY row_number() OVER (PARTITION BY id, title ORDER BY times DESC, place) = 1
)
SELECT id, verdict, language, verdict = 'ok' AND judged <> 'compiled' AS end_reached, errors, $engine AS engine, title,
    judged, differs
FROM chosen ORDER BY id, title
"""
_ROWS = 10_000


def told(states: pa.Table, place: int) -> pa.Table:
    """What the platform said of some states: a row for each that it judged.

    Args:
        states: Raw states.
        place: A number for the first one; what comes later has a larger one.
    """
    score, verdict = states["score"], states["verdict"]
    by_score = pc.if_else(pc.greater_equal(score, FULL), "ok", "failed")
    passed = pc.fill_null(pc.equal(verdict, "ok"), True)  # or nothing was said beside the score
    tested = pc.and_(pc.is_valid(score), passed)
    columns = {
        "title": states["title"],
        "language": states["language"],
        "verdict": pc.if_else(tested, by_score, verdict),
        "judged": pc.if_else(tested, TESTED, pc.coalesce(states["judged"], RAN)),
        "errors": states["errors"],
        "place": pa.array(range(place, place + states.num_rows), pa.int64()),
    }
    table = pa.table({**columns, "code": states["code"]}).filter(pc.is_valid(columns["verdict"]))
    ids = [
        program_id(code, language)
        for code, language in zip(table["code"].to_pylist(), table["language"].to_pylist(), strict=True)
    ]
    table = table.append_column("id", pa.array(ids, pa.string()))
    return pa.table([_of_type(table[field.name], field.type) for field in _TOLD], schema=_TOLD)


def _of_type(values: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    return values if values.type == kind else values.cast(kind)


@contextmanager
def keeping(file: Path) -> Iterator[list[pa.Table]]:
    """A list to put tables of `told` into; at the end they are in `file`, whole, if they have any row."""
    tables: list[pa.Table] = []
    yield tables
    if any(map(len, tables)):
        with atomic_file(file) as temporary, pa.ipc.new_file(temporary, _TOLD) as writer:
            for table in tables:
                writer.write_table(table)


def write_platform(folder: Path, kept: Iterable[Path], work: Workspace) -> None:
    """Write what the platform said of all programs beside the traces, if it said anything.

    Args:
        folder: The dataset's.
        kept: The files of `keeping`, any order.
        work: To join them in.
    """
    there = sorted(file for file in kept if file.exists())
    if not there:
        return
    batches = (batch for file in there for batch in _batches(file))
    differing = 0
    with work.cursor() as duck, table_writer(folder / PLATFORM_FILE, PLATFORM_SCHEMA) as writer:
        duck.register("told", pa.RecordBatchReader.from_batches(_TOLD, batches))
        for batch in duck.sql(_JOINED, params={"engine": PLATFORM}).to_arrow_reader(batch_size=_ROWS):
            differing += pc.sum(batch["differs"]).as_py() or 0
            table = pa.Table.from_batches([batch]).drop_columns(["differs"])
            filled = pc.fill_null(table["errors"].combine_chunks(), pa.scalar([], ERRORS))
            table = table.set_column(table.schema.get_field_index("errors"), "errors", filled)
            writer.write_table(table.cast(PLATFORM_SCHEMA))
    if differing:
        say(f"{differing:,} programs of a title were judged differently at different times; the commonest verdict is "
            "kept")  # fmt: skip


def _batches(file: Path) -> Iterator[pa.RecordBatch]:
    with pa.ipc.open_file(file) as reader:
        for number in range(reader.num_record_batches):
            yield reader.get_batch(number)
