"""A dataset's programs and the verdicts on them.

In: a dataset. Out: its distinct programs, and `verdicts-ENGINE.parquet` beside its traces: id (`State.id`: the SHA-256
of language, NUL and code), verdict, language, end_reached, errors (kind, message, line), engine (its version).
A program that stands in many states has one row; whoever wants a state's verdict joins by id. A program in a language
that an engine doesn't judge has no row in its file.

Several engines' files stand side by side, and are read as one: what counts for a program is the verdict of the first
engine, in the order of `ENGINES`, that told whether it runs. One that all left `unscored` is unscored.

By the rule `tests` a program is judged as an answer to a title: a program that stands in states of two titles has two
rows. Such a file has the columns of the platform's own verdicts, `title` and `judged`, too, and is asked by program and
title (`judged.Judgements`). Its metadata also hold the hash of the checks: other checks replace it.

Each rule has a file of its own: `verdicts-ENGINE-RULE.parquet`, without -RULE if it is the corrected one. Its metadata
are the rule, the engine's version and the dataset's fingerprint. Files without them were made before rules were told
apart, and count as corrected.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from redraft.data.languages import labels
from redraft.data.store import Dataset
from redraft.data.verdicts import PLATFORM_SCHEMA, TESTED, VERDICT_FILE
from redraft.errors import DatasetError, InputError, suggestion
from redraft.execute.cache import Cache
from redraft.execute.checks import Checks
from redraft.execute.engine import NO_CHECKS, Engine, execute, rule_named
from redraft.execute.registry import DEFAULT_ENGINE, ENGINES
from redraft.execute.verdict import DEFAULT_RULE, RULES, Program, Verdict, error_rows, message_seen
from redraft.progress import say, track
from redraft.rundir.tables import open_table, read_metadata, table_writer

SCHEMA = VERDICT_FILE
"""The verdict file's columns."""
ROW_GROUP = 10_000
REMEDY = "Make it anew with `redraft execute`."


@dataclass(frozen=True, kw_only=True)
class ExecuteConfig:
    """How it is told which programs run: the section [execute] of `run.toml`."""

    engine: str = DEFAULT_ENGINE
    """What runs programs; docs/execution.md lists the engines."""
    rule: str = DEFAULT_RULE
    """What counts as running: corrected, paper or released; or tests, for which a title's checks must pass."""
    tests: str | None = None
    """For the rule tests: the folder with a file of checks per title."""

    def __post_init__(self) -> None:
        for key, name, known in (("engine", self.engine, ENGINES), ("rule", self.rule, RULES)):
            if name not in known:
                raise InputError(f"unknown {key} {name!r} in [execute]. {suggestion(name, known)}")
        if RULES[self.rule].checked != (self.tests is not None):
            raise InputError("the rule tests needs a folder of checks, and no other does: [execute] tests.")


def programs(dataset: Dataset, *, titled: bool = False) -> Iterator[Program]:
    """Each distinct program, in the order of its first state; its id is the state's.

    Args:
        dataset: Whose programs.
        titled: Each program once for every title that it answers.
    """
    seen: set[tuple[bytes, str | None]] = set()
    for trace in dataset.traces():
        title = trace.title if titled else None
        for state in trace.states:
            key = bytes.fromhex(state.id), title
            if key not in seen:
                seen.add(key)
                yield Program(id=state.id, code=state.code, language=state.language, title=title)


def verdict_file(dataset: Dataset, engine: str, rule: str = DEFAULT_RULE) -> Path:
    """Where the verdicts by a rule of the engine called `engine` are."""
    named = engine if rule == DEFAULT_RULE else f"{engine}-{rule}"
    return dataset.path / f"verdicts-{named}.parquet"


def find_verdicts(dataset: Dataset, rule: str = DEFAULT_RULE) -> tuple[Path, ...]:
    """The dataset's verdict files by a rule, one per engine that judged it, in the order in which their verdicts count.

    Raises:
        DatasetError: A file holds verdicts by another rule than its name says, or can't be read.
    """
    files = {engine: verdict_file(dataset, engine, rule) for engine in ENGINES}
    there = {engine: file for engine, file in files.items() if file.exists()}
    for engine, file in there.items():
        found = read_metadata(file, remedy=REMEDY).get(b"rule", DEFAULT_RULE.encode()).decode(errors="replace")
        if found != rule:
            raise DatasetError(
                f"holds verdicts by the rule {found!r}; by its name they would be by {rule!r}.", where=file,
                remedy=f"Make it anew with `redraft execute --engine {engine} --rule {rule}`, or remove it.",
            )  # fmt: skip
    return tuple(there.values())


def is_judged(
    dataset: Dataset, engine: Engine, *, name: str, rule: str = DEFAULT_RULE, checks: Checks | None = None
) -> bool:
    """Whether `execute_dataset` has nothing to do: its file is there, of this dataset as it is, from this engine."""
    try:
        found = read_metadata(verdict_file(dataset, name, rule), remedy=REMEDY)
    except DatasetError:
        return False
    return _stamp(dataset, engine.version, rule, checks).items() <= found.items()


@contextmanager
def verdict_writer(
    dataset: Dataset, engine: str, *, version: str, rule: str = DEFAULT_RULE, checks: Checks | None = None
) -> Iterator[Callable[[Verdict], None]]:
    """Yields a function that takes verdict after verdict; at the end the file is there, whole or not at all.

    Args:
        dataset: Whose programs are judged.
        engine: The engine's name.
        version: Its version.
        rule: The rule's name.
        checks: What programs had to pass by it.
    """
    columns = SCHEMA if checks is None else PLATFORM_SCHEMA
    file, schema = verdict_file(dataset, engine, rule), columns.with_metadata(_stamp(dataset, version, rule, checks))
    with table_writer(file, schema) as writer:
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
                    **({} if checks is None else {"title": verdict.title, "judged": TESTED}),
                }
            )
            if len(rows) >= ROW_GROUP:
                flush()

        yield add
        flush()


def execute_dataset(
    dataset: Dataset, engine: Engine, *, name: str, rule: str = DEFAULT_RULE, cache: Cache | None = None,
    each: Callable[[Verdict], None] | None = None, checks: Checks | None = None,
) -> Path:  # fmt: skip
    """Run every distinct program of a dataset and write its verdict file, whose path is returned.

    Programs in a language that the engine doesn't judge get no verdict from it; how many they are is said. Other
    engines' files stay as they are.

    Args:
        dataset: Whose programs.
        engine: An engine that was entered.
        name: What it is called in `ENGINES`.
        rule: What counts as running: corrected, paper or released; tests with `checks`.
        cache: Outcomes known already are taken from it, new ones kept in it.
        checks: What programs have to pass.
        each: Called with each verdict, in the order of `programs`; for a program that gets none, with one that isn't
            `judged`.

    Raises:
        UsageError: There is no such rule.
    """
    wanted = programs(dataset, titled=checks is not None)
    judged = execute(wanted, engine, rule=rule_named(rule), cache=cache, checks=checks)
    others: Counter[str | None] = Counter()
    without = 0
    with verdict_writer(dataset, name, version=engine.version, rule=rule, checks=checks) as keep:
        for verdict in track(judged, f"execute {dataset.name}"):
            if verdict.judged:
                keep(verdict)
                without += verdict.errors == (NO_CHECKS,)
            else:
                others[verdict.language] += 1
            if each:
                each(verdict)
    if others:
        say(not_judged(name, engine.languages, others))
    if without:
        say(f"{without:,} programs are unscored, as there are no checks for their titles")
    return verdict_file(dataset, name, rule)


def not_judged(engine: str, known: tuple[str, ...], others: Counter[str | None]) -> str:
    """How many programs an engine called `engine` left alone as it judges only the `known` languages, in words."""
    counts = ", ".join(f"{count:,} of {language}" for language, count in others.most_common())
    return f"{others.total():,} programs get no verdict: {engine} judges only {labels(known)} ({counts})"


def read_runs(files: Sequence[Path]) -> dict[str, bool | None]:
    """Program id -> whether it runs (`ok`); None if `unscored`, which is missing, not failure.

    Args:
        files: Verdict files, by `find_verdicts`. A program's verdict is the first file's that scored it.

    Raises:
        DatasetError: A file can't be read as verdicts.
    """
    return {row["id"]: None if row["verdict"] == "unscored" else row["verdict"] == "ok" for row in _joined(files)}


def read_messages(dataset: Dataset) -> dict[str, str]:
    """Program id -> what its student saw: nothing if it ran, else the first error's message or the verdict's name.

    Programs whose verdict is `unscored` have no entry. Always by the corrected rule, whatever a run counts as running:
    what a student sees doesn't depend on that, and a model must be told in the words that it was trained on.

    Raises:
        InputError: There is no verdict file.
        DatasetError: One can't be read as verdicts, or is by another rule.
    """
    files = find_verdicts(dataset)
    if not files:
        remedy = "Make them with `redraft execute`."
        raise InputError("this dataset has no verdicts, which are needed here.", where=dataset.path, remedy=remedy)
    seen: dict[str, str] = {}
    for row in _joined(files, "errors"):
        message = message_seen(row["verdict"], [error["message"] for error in row["errors"] or ()])
        if message is not None:
            seen[row["id"]] = message
    return seen


def _stamp(dataset: Dataset, version: str, rule: str, checks: Checks | None) -> dict[bytes, bytes]:
    """What a verdict file's metadata say of it."""
    stamp = {b"rule": rule.encode(), b"engine": version.encode(), b"dataset": dataset.fingerprint.encode()}
    return stamp if checks is None else {**stamp, b"tests": checks.digest.encode()}


def _joined(files: Sequence[Path], *columns: str) -> Iterator[dict[str, Any]]:
    """A row per program of several engines' files: the first that scored it, else one that says `unscored`."""
    if len(files) == 1:
        yield from _rows(files[0], ["id", "verdict", *columns])
        return
    scored: set[str] = set()
    unscored: dict[str, dict[str, Any]] = {}
    for file in files:
        for row in _rows(file, ["id", "verdict", *columns]):
            if row["verdict"] == "unscored":
                unscored.setdefault(row["id"], row)
            elif row["id"] not in scored:
                scored.add(row["id"])
                yield row
    yield from (row for name, row in unscored.items() if name not in scored)


def _rows(file: Path, columns: list[str]) -> Iterator[dict[str, Any]]:
    with open_table(file, remedy=REMEDY) as source:
        for batch in source.iter_batches(columns=columns):
            if batch.schema.names != columns:
                raise DatasetError("holds no verdicts.", where=file, remedy=REMEDY)
            yield from batch.to_pylist()
