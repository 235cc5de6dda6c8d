"""A dataset of redraft as a ProgSnap2 1.0 data set, in the Table layout.

In: a dataset, and the verdicts beside it. Out: a folder with a row per draft. A draft whose verdict is known is a
Run.Program event with an ExecutionResult, which is marked as fabricated if an engine of ours said so rather than the
platform; the others are Submit events, as the format wants a result of every run. Students stand with the keyed hashes
that they have in the dataset. What has no column of the format has one of its own: X-EditorMode, X-Language,
X-Truncated, X-Sample, X-Request, X-Ended. A sample without drafts is an X-NoDraft event. Reading such a data set gives
the same traces; docs/progsnap2.md tells what is lost.

Drafts and programs pass through a database that spills to disk, so memory is bounded. Nothing depends on the clock.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from redraft.data.duck import Workspace, in_batches
from redraft.data.store import Dataset
from redraft.data.trace import program_id
from redraft.data.verdicts import PLATFORM_FILE
from redraft.execute.dataset import REMEDY, find_verdicts
from redraft.progsnap2.reading import workspace
from redraft.progsnap2.writing import write
from redraft.rundir import sha256_file, sha256_json
from redraft.rundir.tables import readable

COLUMNS = (
    "EventType", "EventID", "SubjectID", "ToolInstances", "CodeStateID", "Order", "ServerTimestamp", "AssignmentID",
    "ProblemID", "ExecutionResult", "Score", "IsFabricatedEvent", "X-EditorMode", "X-Language", "X-Truncated",
    "X-Sample", "X-Request", "X-Ended",
)  # fmt: skip
FORMAT = 1
"""Of what is written: another one makes another data set of the same dataset."""
_RESULTS = {"ok": "Success", "failed": "TestFailed", "timeout": "Timeout",
            "error": "Error", "memory": "Error", "crash": "Error"}  # fmt: skip
_EVENTS = """
WITH by_engine AS (SELECT DISTINCT ON (id) id, result FROM verdict WHERE title IS NULL ORDER BY id, place),
    by_platform AS (SELECT DISTINCT ON (id, title) id, title, result FROM verdict WHERE title IS NOT NULL)
SELECT CASE WHEN draft.code IS NULL THEN 'X-NoDraft'
        WHEN coalesce(by_platform.result, by_engine.result) IS NULL THEN 'Submit' ELSE 'Run.Program' END AS "EventType",
    number::VARCHAR AS "EventID", student AS "SubjectID", tools AS "ToolInstances", draft.code AS "CodeStateID",
    number::VARCHAR AS "Order", strftime(moment, '%Y-%m-%dT%H:%M:%S.%f+0000') AS "ServerTimestamp",
    NULL AS "AssignmentID", draft.title AS "ProblemID",
    coalesce(by_platform.result, by_engine.result) AS "ExecutionResult", share AS "Score",
    CASE WHEN by_platform.result IS NULL AND by_engine.result IS NOT NULL THEN 'true' ELSE 'false' END
        AS "IsFabricatedEvent",
    mode AS "X-EditorMode", language AS "X-Language", truncated AS "X-Truncated", sample AS "X-Sample",
    request AS "X-Request", ended AS "X-Ended"
FROM draft LEFT JOIN by_engine ON by_engine.id = program
    LEFT JOIN by_platform ON by_platform.id = program AND by_platform.title = draft.title
ORDER BY number
"""
_README = """# {name}: drafts of programs

Written by redraft from a dataset of traces (origin: {origin}). The format is ProgSnap2 1.0, with its code states in a
table.

- A row of MainTable.csv is a draft. Its CodeStateID is the SHA-256 of the program.
- SubjectID is a keyed hash. ProblemID is the title that was worked on.
- Order tells which drafts of one subject and problem come first. It tells nothing else.
- ExecutionResult of an event with IsFabricatedEvent was found by running the program afterwards, not by the platform.
- A draft that nothing is known of is a Submit event, whether it was submitted, saved or run.
- X-EditorMode, X-Language and X-Truncated are the editor's mode, the language and whether the platform cut the program.
- X-Sample and X-Request tell apart several traces of one subject and problem that a model wrote. X-Ended says whether
  such a trace reached its end. An X-NoDraft event stands for a trace without a whole draft.
- The properties X-Origin and X-MadeFor say who wrote the programs, and what the data set was made of.
"""


def export(dataset: Dataset, out: str | Path, *, memory: str = "2GB", overwrite: bool = False) -> Path:
    """Write a dataset as a ProgSnap2 data set; nothing is done if that is there already.

    Raises:
        DatasetError: `out` holds something else, or the dataset can't be read.
    """
    verdicts = find_verdicts(dataset)
    platform = dataset.path / PLATFORM_FILE
    if platform.exists():
        dataset.check(platform)
    files = [*verdicts, *([platform] if platform.exists() else [])]
    made_for = sha256_json(
        {"dataset": dataset.fingerprint, "verdicts": [sha256_file(file) for file in files], "format": FORMAT}
    )
    with workspace(memory) as work:
        return write(
            out, columns=COLUMNS, events=_events(files, work), code_states=_code_states(dataset, work),
            metadata={
                "IsEventOrderingConsistent": "true", "EventOrderScope": "Restricted",
                "EventOrderScopeColumns": "SubjectID;ProblemID", "CodeStateRepresentation": "Table",
                "X-Origin": dataset.origin,
            },
            readme=_README.format(name=Path(out).name, origin=dataset.origin), overwrite=overwrite, made_for=made_for,
            inputs=[dataset.path],
        )  # fmt: skip


def _code_states(dataset: Dataset, work: Workspace) -> Iterator[pa.RecordBatch]:
    """Each distinct program; on the way all drafts are put into the workspace."""
    with work.cursor() as duck:
        duck.sql(
            "CREATE OR REPLACE TABLE draft (number BIGINT, student VARCHAR, title VARCHAR, tools VARCHAR, "
            "code VARCHAR, program VARCHAR, moment TIMESTAMP, share VARCHAR, mode VARCHAR, language VARCHAR, "
            "truncated VARCHAR, sample VARCHAR, request VARCHAR, ended VARCHAR)"
        )
        duck.sql("CREATE OR REPLACE TABLE code (id VARCHAR, code VARCHAR)")
        number = 0
        for batch in dataset.batches():
            drafts, codes = _flat(batch, number)
            number += drafts.num_rows
            duck.register("drafts", in_batches(drafts))
            duck.sql("INSERT INTO draft SELECT * FROM drafts")
            duck.register("codes", in_batches(codes))
            duck.sql("INSERT INTO code SELECT DISTINCT ON (id) * FROM codes")
        found = duck.sql(
            'SELECT id AS "CodeStateID", any_value(code) AS "Code" FROM code GROUP BY id ORDER BY id'
        ).to_arrow_reader(batch_size=1024)
        yield from found
        duck.sql("DROP TABLE code")


def _events(verdicts: list[Path], work: Workspace) -> Iterator[pa.RecordBatch]:
    """A row per draft, from the workspace."""
    with work.cursor() as duck:
        duck.sql("CREATE OR REPLACE TABLE verdict (place INTEGER, id VARCHAR, title VARCHAR, result VARCHAR)")
        for place, file in enumerate(verdicts):
            own = file.name == PLATFORM_FILE
            with readable(file, remedy=REMEDY), pq.ParquetFile(file) as source:
                for batch in source.iter_batches(columns=["id", "verdict", *(["title", "judged"] if own else [])]):
                    duck.register("told", in_batches(_results(pa.Table.from_batches([batch]), place, own=own)))
                    duck.sql("INSERT INTO verdict SELECT * FROM told WHERE result IS NOT NULL")
        yield from duck.sql(_EVENTS).to_arrow_reader(batch_size=4096)


def _results(told: pa.Table, place: int, *, own: bool) -> pa.Table:
    """Verdicts as execution results; a platform that only compiled a program says nothing of how it ran."""
    results = [_RESULTS.get(verdict) for verdict in told["verdict"].to_pylist()]
    if own:
        judged = told["judged"].to_pylist()
        results = [
            None if result == "Success" and what == "compiled" else result
            for result, what in zip(results, judged, strict=True)
        ]
    titles = told["title"] if own else pa.nulls(told.num_rows, pa.string())
    return pa.table(
        {
            "place": pa.array([place] * told.num_rows, pa.int32()), "id": told["id"], "title": titles,
            "result": pa.array(results, pa.string()),
        }
    )  # fmt: skip


def _flat(batch: pa.RecordBatch, before: int) -> tuple[pa.Table, pa.Table]:
    """The drafts of some traces, numbered on from `before`, and their programs by id."""
    states = batch["states"]
    counts = pc.list_value_length(states).to_numpy(zero_copy_only=False)
    shown = np.maximum(counts, 1)  # a trace without drafts has a row too
    trace = np.repeat(np.arange(batch.num_rows), shown)
    starts = np.cumsum(shown) - shown
    given = np.ones(int(shown.sum()), bool)
    given[starts[counts == 0]] = False
    places = pa.array(np.where(given, np.cumsum(given) - 1, 0), mask=~given)
    values = states.flatten()

    def field(name: str) -> pa.Array:
        return values.field(name).take(places)

    codes, languages = field("code").to_pylist(), field("language").to_pylist()
    ids = [None if code is None else hashlib.sha256(code.encode()).hexdigest() for code in codes]
    programs = [
        None if code is None else program_id(code, language) for code, language in zip(codes, languages, strict=True)
    ]
    heads = batch.select(["student", "title", "sample", "request", "ended", "source"]).take(pa.array(trace))
    tools = [
        ";".join(word.replace(";", ",") for word in (source, language) if word)
        for source, language in zip(heads["source"].to_pylist(), languages, strict=True)
    ]
    scores = [None if score is None else repr(float(score)) for score in field("score").to_pylist()]
    drafts = pa.table(
        {
            "number": np.arange(before + 1, before + len(given) + 1), "student": heads["student"],
            "title": heads["title"], "tools": pa.array(tools, pa.string()), "code": pa.array(ids, pa.string()),
            "program": pa.array(programs, pa.string()), "moment": field("at").cast(pa.timestamp("us")),
            "share": pa.array(scores, pa.string()), "mode": field("mode"), "language": field("language"),
            "truncated": pc.fill_null(field("truncated"), False).cast(pa.string()),
            "sample": heads["sample"].cast(pa.string()), "request": heads["request"],
            "ended": heads["ended"].cast(pa.string()),
        }
    )  # fmt: skip
    programs_table = pa.table({"id": pa.array(ids, pa.string()), "code": pa.array(codes, pa.string())})
    return drafts, programs_table.filter(pc.is_valid(programs_table["id"]))
