"""A dataset's programs and the verdicts on them.

In: a dataset. Out: its distinct programs, and `verdicts-ENGINE.parquet` beside its traces: id (`State.id`: the SHA-256
of language, NUL and code), verdict, language, end_reached, errors (kind, message, line), engine (its version).
A program that stands in many states has one row; whoever wants a state's verdict joins by id.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from redraft.data.store import Dataset
from redraft.errors import DatasetError, InputError
from redraft.execute.cache import Cache, default_folder
from redraft.execute.engine import EngineOptions, execute, make_engine, rule_named
from redraft.execute.verdict import Program, Verdict, error_rows, message_seen
from redraft.progress import bar
from redraft.rundir import atomic_file

_ERROR = pa.struct([("kind", pa.string()), ("message", pa.string()), ("line", pa.int32())])
SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("verdict", pa.string(), nullable=False),
        pa.field("language", pa.string()),
        pa.field("end_reached", pa.bool_(), nullable=False),
        pa.field("errors", pa.list_(_ERROR), nullable=False),
        pa.field("engine", pa.string(), nullable=False),
    ]
)
"""The verdict file's columns."""
BY_TRUST = ("chromium", "v8")
"""Engines, the one first whose verdicts are those of the runtime that students use."""
ROW_GROUP = 10_000


def programs(dataset: Dataset) -> Iterator[Program]:
    """Each distinct program, in the order of its first state; its id is the state's."""
    seen: set[bytes] = set()
    for trace in dataset.traces():
        for state in trace.states:
            key = bytes.fromhex(state.id)
            if key not in seen:
                seen.add(key)
                yield Program(id=state.id, code=state.code, language=state.language)


def verdict_file(dataset: Dataset, engine: str) -> Path:
    """Where the verdicts of the engine called `engine` are."""
    return dataset.path / f"verdicts-{engine}.parquet"


def find_verdicts(dataset: Dataset) -> Path | None:
    """The dataset's verdict file; of several engines' the one nearest to what students use."""
    files = (verdict_file(dataset, engine) for engine in BY_TRUST)
    return next((file for file in files if file.exists()), None)


@contextmanager
def verdict_writer(file: Path, engine_version: str) -> Iterator[Callable[[Verdict], None]]:
    """Yields a function that takes verdict after verdict; at the end the file is there, whole or not at all."""
    with atomic_file(file) as temporary, pq.ParquetWriter(temporary, SCHEMA, compression="zstd") as writer:
        rows: list[dict[str, object]] = []

        def flush() -> None:
            writer.write_table(pa.Table.from_pylist(rows, schema=SCHEMA))
            rows.clear()

        def add(verdict: Verdict) -> None:
            rows.append(
                {
                    "id": verdict.id,
                    "verdict": verdict.verdict,
                    "language": verdict.language,
                    "end_reached": verdict.end_reached,
                    "errors": error_rows(verdict.errors),
                    "engine": engine_version,
                }
            )
            if len(rows) >= ROW_GROUP:
                flush()

        yield add
        flush()


def execute_dataset(
    dataset: Dataset, *, engine: str = "v8", rule: str = "corrected", cache: Path | None = None
) -> Path:
    """Run every distinct program of a dataset and write its verdict file, whose path is returned.

    Args:
        dataset: Whose programs.
        engine: v8 or chromium.
        rule: What counts as running: corrected, paper or released.
        cache: Folder of outcomes known already; None: the user's.
    """
    file = verdict_file(dataset, engine)
    with (
        make_engine(engine, EngineOptions()) as made,
        Cache(cache or default_folder()) as known,
        verdict_writer(file, made.version) as keep,
        bar(f"execute {dataset.name}", None) as watcher,
    ):
        for verdict in execute(programs(dataset), made, rule=rule_named(rule), cache=known):
            keep(verdict)
            watcher.advance()
    return file


def read_runs(file: Path) -> dict[str, bool | None]:
    """Program id -> whether it runs (`ok`); None if `unscored`, which is missing, not failure.

    Raises:
        DatasetError: The file can't be read as verdicts.
    """
    runs = {"ok": True, "unscored": None}
    return {row["id"]: runs.get(row["verdict"], False) for row in _rows(file, ["id", "verdict"])}


def read_messages(dataset: Dataset) -> dict[str, str]:
    """Program id -> what its student saw: nothing if it ran, else the first error's message or the verdict's name.

    Programs whose verdict is `unscored` have no entry.

    Raises:
        InputError: There is no verdict file.
        DatasetError: It can't be read as verdicts.
    """
    file = find_verdicts(dataset)
    if file is None:
        remedy = "Make them with `redraft execute`."
        raise InputError("this dataset has no verdicts, which are needed here.", where=dataset.path, remedy=remedy)
    seen: dict[str, str] = {}
    for row in _rows(file, ["id", "verdict", "errors"]):
        message = message_seen(row["verdict"], [error["message"] for error in row["errors"] or ()])
        if message is not None:
            seen[row["id"]] = message
    return seen


def _rows(file: Path, columns: list[str]) -> Iterator[dict[str, Any]]:
    try:
        with pq.ParquetFile(file) as source:
            for batch in source.iter_batches(columns=columns):
                if batch.schema.names != columns:
                    raise ValueError("columns are missing")
                yield from batch.to_pylist()
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowInvalid) as error:
        remedy = "Make it anew with `redraft execute`."
        raise DatasetError("can't be read as verdicts.", where=file, remedy=remedy) from error
