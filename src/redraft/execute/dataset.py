"""A dataset's programs and the verdicts on them.

In: a dataset. Out: its distinct programs, and `verdicts-ENGINE.parquet` beside its traces: id (`State.id`: the SHA-256
of language, NUL and code), verdict, language, end_reached, errors (kind, message, line), engine (its version).
A program that stands in many states has one row; whoever wants a state's verdict joins by id.

Each rule has a file of its own: `verdicts-ENGINE-RULE.parquet`, without -RULE if it is the corrected one. Its metadata
are the rule, the engine's version and the dataset's fingerprint. Files without them were made before rules were told
apart, and count as corrected.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from redraft.data.store import Dataset
from redraft.errors import DatasetError, InputError, suggestion
from redraft.execute.cache import Cache
from redraft.execute.engine import ENGINES, Engine, execute, rule_named
from redraft.execute.verdict import DEFAULT_RULE, RULES, Program, Verdict, error_rows, message_seen
from redraft.progress import track
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


@dataclass(frozen=True, kw_only=True)
class ExecuteConfig:
    """How it is told which programs run: the section [execute] of `run.toml`."""

    engine: str = "v8"
    """v8 or chromium."""
    rule: str = DEFAULT_RULE
    """What counts as running: corrected, paper or released."""

    def __post_init__(self) -> None:
        for key, name, known in (("engine", self.engine, ENGINES), ("rule", self.rule, RULES)):
            if name not in known:
                raise InputError(f"unknown {key} {name!r} in [execute]. {suggestion(name, known)}")


def programs(dataset: Dataset) -> Iterator[Program]:
    """Each distinct program, in the order of its first state; its id is the state's."""
    seen: set[bytes] = set()
    for trace in dataset.traces():
        for state in trace.states:
            key = bytes.fromhex(state.id)
            if key not in seen:
                seen.add(key)
                yield Program(id=state.id, code=state.code, language=state.language)


def verdict_file(dataset: Dataset, engine: str, rule: str = DEFAULT_RULE) -> Path:
    """Where the verdicts by a rule of the engine called `engine` are."""
    named = engine if rule == DEFAULT_RULE else f"{engine}-{rule}"
    return dataset.path / f"verdicts-{named}.parquet"


def find_verdicts(dataset: Dataset, rule: str = DEFAULT_RULE) -> Path | None:
    """The dataset's verdict file by a rule; of several engines' the one nearest to what students use.

    Raises:
        DatasetError: The file holds verdicts by another rule than its name says, or can't be read.
    """
    for engine in BY_TRUST:
        file = verdict_file(dataset, engine, rule)
        if file.exists():
            found = _metadata(file).get(b"rule", DEFAULT_RULE.encode()).decode(errors="replace")
            if found != rule:
                raise DatasetError(
                    f"holds verdicts by the rule {found!r}; by its name they would be by {rule!r}.", where=file,
                    remedy=f"Make it anew with `redraft execute --engine {engine} --rule {rule}`, or remove it.",
                )  # fmt: skip
            return file
    return None


def is_judged(dataset: Dataset, engine: Engine, *, name: str, rule: str = DEFAULT_RULE) -> bool:
    """Whether `execute_dataset` has nothing to do: its file is there, of this dataset as it is, from this engine."""
    try:
        found = _metadata(verdict_file(dataset, name, rule))
    except DatasetError:
        return False
    return _stamp(dataset, engine.version, rule).items() <= found.items()


@contextmanager
def verdict_writer(
    dataset: Dataset, engine: str, *, version: str, rule: str = DEFAULT_RULE
) -> Iterator[Callable[[Verdict], None]]:
    """Yields a function that takes verdict after verdict; at the end the file is there, whole or not at all.

    Args:
        dataset: Whose programs are judged.
        engine: The engine's name.
        version: Its version.
        rule: The rule's name.
    """
    file, schema = verdict_file(dataset, engine, rule), SCHEMA.with_metadata(_stamp(dataset, version, rule))
    with atomic_file(file) as temporary, pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
        rows: list[dict[str, object]] = []

        def flush() -> None:
            writer.write_table(pa.Table.from_pylist(rows, schema=schema))
            rows.clear()

        def add(verdict: Verdict) -> None:
            rows.append(
                {
                    "id": verdict.id,
                    "verdict": verdict.verdict,
                    "language": verdict.language,
                    "end_reached": verdict.end_reached,
                    "errors": error_rows(verdict.errors),
                    "engine": version,
                }
            )
            if len(rows) >= ROW_GROUP:
                flush()

        yield add
        flush()


def execute_dataset(
    dataset: Dataset, engine: Engine, *, name: str, rule: str = DEFAULT_RULE, cache: Cache | None = None,
    each: Callable[[Verdict], None] | None = None,
) -> Path:  # fmt: skip
    """Run every distinct program of a dataset and write its verdict file, whose path is returned.

    Args:
        dataset: Whose programs.
        engine: An engine that was entered.
        name: What it is called: v8 or chromium.
        rule: What counts as running: corrected, paper or released.
        cache: Outcomes known already are taken from it, new ones kept in it.
        each: Called with each verdict, in the order of `programs`.

    Raises:
        UsageError: There is no such rule.
    """
    judged = execute(programs(dataset), engine, rule=rule_named(rule), cache=cache)
    with verdict_writer(dataset, name, version=engine.version, rule=rule) as keep:
        for verdict in track(judged, f"execute {dataset.name}"):
            keep(verdict)
            if each:
                each(verdict)
    return verdict_file(dataset, name, rule)


def read_runs(file: Path) -> dict[str, bool | None]:
    """Program id -> whether it runs (`ok`); None if `unscored`, which is missing, not failure.

    Raises:
        DatasetError: The file can't be read as verdicts.
    """
    runs = {"ok": True, "unscored": None}
    return {row["id"]: runs.get(row["verdict"], False) for row in _rows(file, ["id", "verdict"])}


def read_messages(dataset: Dataset) -> dict[str, str]:
    """Program id -> what its student saw: nothing if it ran, else the first error's message or the verdict's name.

    Programs whose verdict is `unscored` have no entry. Always by the corrected rule, whatever a run counts as running:
    what a student sees doesn't depend on that, and a model must be told in the words that it was trained on.

    Raises:
        InputError: There is no verdict file.
        DatasetError: It can't be read as verdicts, or is by another rule.
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


def _stamp(dataset: Dataset, version: str, rule: str) -> dict[bytes, bytes]:
    """What a verdict file's metadata say of it."""
    return {b"rule": rule.encode(), b"engine": version.encode(), b"dataset": dataset.fingerprint.encode()}


def _metadata(file: Path) -> dict[bytes, bytes]:
    with _readable(file):
        return pq.read_schema(file).metadata or {}


def _rows(file: Path, columns: list[str]) -> Iterator[dict[str, Any]]:
    with _readable(file), pq.ParquetFile(file) as source:
        for batch in source.iter_batches(columns=columns):
            if batch.schema.names != columns:
                raise ValueError("columns are missing")
            yield from batch.to_pylist()


@contextmanager
def _readable(file: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowInvalid) as error:
        remedy = "Make it anew with `redraft execute`."
        raise DatasetError("can't be read as verdicts.", where=file, remedy=remedy) from error
