"""A dataset's programs and the verdicts on them.

In: a dataset. Out: its distinct programs, and `verdicts-ENGINE.parquet` beside its traces: id (`State.id`: the SHA-256
of language, NUL and code), verdict, language, end_reached, errors (kind, message, line), engine (its version).
A program that stands in many states has one row; whoever wants a state's verdict joins by id.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from redraft.data.store import Dataset, write_table
from redraft.errors import DatasetError
from redraft.execute.verdict import Program, Verdict, error_rows

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


def write_verdicts(dataset: Dataset, engine: str, version: str, verdicts: Iterable[Verdict]) -> Path:
    """Write the verdict file, whole or not at all."""
    columns: dict[str, list[object]] = {name: [] for name in SCHEMA.names}
    for verdict in verdicts:
        columns["id"].append(verdict.id)
        columns["verdict"].append(verdict.verdict)
        columns["language"].append(verdict.language)
        columns["end_reached"].append(verdict.end_reached)
        columns["errors"].append(error_rows(verdict.errors))
        columns["engine"].append(version)
    file = verdict_file(dataset, engine)
    write_table(pa.table(columns, schema=SCHEMA), file)
    return file


def read_runs(file: Path) -> dict[str, bool | None]:
    """Program id -> whether it runs (`ok`); None if `unscored`, which is missing, not failure.

    Raises:
        DatasetError: The file can't be read as verdicts.
    """
    try:
        table = pq.read_table(file, columns=["id", "verdict"])
    except (OSError, ValueError, KeyError, pa.ArrowInvalid) as error:
        remedy = "Make it anew with `redraft execute`."
        raise DatasetError("can't be read as verdicts.", where=file, remedy=remedy) from error
    runs = {"ok": True, "unscored": None}
    return dict(
        zip(table["id"].to_pylist(), [runs.get(name, False) for name in table["verdict"].to_pylist()], strict=True)
    )
