"""Metrics of a dataset: one row per trace.

In: a dataset. Out: an Arrow table in the dataset's order with
- student, title, sample, request, ended: as in the dataset; truncated: the final state was cut off by the platform;
  language: the final state's (or its stand-in's); verdict_by: who judged the final program, `engine` or `platform`;
- one float column for each of `registry.MEASURED`, null where unscored;
- colours, colours_trace: fixed-size lists of 139 floats, the counts by colour (order of `colours.COLOURS`) in the
  final program and their mean over the trace's programs.

A sample without a whole program has a row too. It never ended, and doesn't run where the dataset has verdicts; all else
is unscored.

With the released code's definitions the columns are the same, their values that code's (`released.counterparts`), and
lists of colours have 140 floats. A million rows take about 1.5 GB; `measure_groups` yields them in pieces.
"""

from __future__ import annotations

import hashlib
import multiprocessing
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from redraft import progress
from redraft.data.store import REMEDY, Dataset
from redraft.data.trace import Pair, Trace, from_batch
from redraft.execute.judged import Judgements, find_judgements, read_judgements
from redraft.execute.verdict import DEFAULT_RULE
from redraft.metrics.behaviour import TraceFacts, mendings_of, trace_facts
from redraft.metrics.colours import COLOURS
from redraft.metrics.compile_errors import Usual, usual_times
from redraft.metrics.registry import MEASURED, Definitions
from redraft.metrics.released.counterparts import as_released
from redraft.rundir.tables import readable

_VECTOR = pa.list_(pa.float32(), len(COLOURS))
SCHEMA = pa.schema(
    [
        pa.field("student", pa.string(), nullable=False),
        pa.field("title", pa.string(), nullable=False),
        pa.field("sample", pa.int32(), nullable=False),
        pa.field("request", pa.string()),
        pa.field("ended", pa.bool_(), nullable=False),
        pa.field("truncated", pa.bool_(), nullable=False),
        pa.field("language", pa.string()),
        pa.field("verdict_by", pa.string()),
        *(pa.field(name, pa.float64()) for name in MEASURED),
        pa.field("colours", _VECTOR),
        pa.field("colours_trace", _VECTOR),
    ]
)
"""The table's columns."""

RUN_AT_ALL = frozenset(("runs_final",))
"""Metrics that are 0 of a sample without a whole program: there is nothing that could run."""
Languages = str | Mapping[Pair, str] | None
"""What stands in for a language the states don't record: one for all, or by (student, title)."""


@cache
def code_hash() -> str:
    """SHA-256 of the sources that metrics are computed by, as hex: a table kept before one of them changed is stale."""
    package = Path(__file__).parent
    digest = hashlib.sha256()
    for file in (*sorted(package.rglob("*.py")), package.with_name("data") / "edits.py"):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def measure(
    dataset: Dataset, *, workers: int = 1, language: Languages = None, rule: str = DEFAULT_RULE,
    definitions: Definitions = "corrected",
) -> pa.Table:  # fmt: skip
    """Measure every trace of `dataset`.

    Whether programs run is taken from the dataset's verdict files, if it has any: of engines (`redraft execute`), and
    the platform's own of programs that no engine judged.

    Args:
        dataset: Real or generated traces.
        workers: Processes; 1 stays in this one.
        language: Read states that record no language as this one; generated traces record none, so give them the
            languages of the real pairs (`languages_of`).
        rule: By which programs count as running: corrected, paper or released.
        definitions: The corrected ones, or those of the paper's released code, which know no languages.

    Raises:
        DatasetError: A shard or a verdict file can't be read.
    """
    groups = measure_groups(dataset, workers=workers, language=language, rule=rule, definitions=definitions)
    return pa.concat_tables(list(groups) or [measure_traces((), definitions=definitions)])


def measure_groups(
    dataset: Dataset, *, workers: int = 1, language: Languages = None, rule: str = DEFAULT_RULE,
    definitions: Definitions = "corrected",
) -> Iterator[pa.Table]:  # fmt: skip
    """The same table in pieces of at most 4,096 traces, in order: for datasets whose metrics don't fit into memory."""
    dataset.check(*dataset.shards)  # here, as each of several processes would hash them anew
    verdicts = find_judgements(dataset, rule)
    usual = _usual_times(dataset, language, verdicts)
    jobs = [
        Job(shard, group, language, verdicts, usual, definitions)
        for shard in dataset.shards for group in range(_row_groups(shard))
    ]  # fmt: skip
    with progress.bar(f"measure {dataset.name}", len(dataset)) as watcher:
        for table in _run(jobs, workers):
            yield table
            watcher.advance(table.num_rows)


def languages_of(table: pa.Table) -> dict[Pair, str]:
    """The language of each (student, title) in a table of `measure`, where it is known."""
    rows = zip(*(table[name].to_pylist() for name in ("student", "title", "language")), strict=True)
    return {Pair(student, title): language for student, title, language in rows if language is not None}


def measure_traces(
    traces: Iterable[Trace], language: Languages = None, judgements: Judgements | None = None,
    definitions: Definitions = "corrected", usual: Mapping[str, Usual] | None = None,
) -> pa.Table:  # fmt: skip
    """Measure traces, in their order.

    Args:
        traces: Which.
        language: As of `measure`.
        judgements: What is said of their programs.
        definitions: As of `measure`.
        usual: How long compile errors take all students, by type.
    """
    traces = list(traces)
    columns: dict[str, list[Any]] = {name: [] for name in SCHEMA.names if name not in ("colours", "colours_trace")}
    finals: list[np.ndarray | None] = []
    means: list[np.ndarray | None] = []
    for trace in traces:
        stand_in = _stand_in(language, trace.pair)
        judged = judgements.of_states(trace) if judgements else None
        facts = trace_facts(trace, stand_in, judged, usual) if trace.states else None
        _append(columns, trace, facts, stand_in, nothing_runs=bool(judgements))
        columns["verdict_by"].append(judged[-1].by if judged and judged[-1] else None)
        final, mean = _colour_vectors(facts) if facts else (None, None)
        finals.append(final)
        means.append(mean)
    table = pa.table({**columns, "colours": _vectors(finals), "colours_trace": _vectors(means)}, schema=SCHEMA)
    return as_released(table, traces) if definitions == "released" else table


def _stand_in(language: Languages, pair: Pair) -> str | None:
    return language.get(pair) if isinstance(language, Mapping) else language


def _usual_times(dataset: Dataset, language: Languages, verdicts: tuple[Path, ...]) -> dict[str, Usual]:
    """How long compile errors take the dataset's students, by type; nothing is read where nobody tells of any."""
    judgements = _judgements(verdicts, _written(verdicts)) if verdicts else None
    if judgements is None or not judgements.any_compile_error:
        return {}
    return usual_times(
        mending
        for trace in dataset.traces()
        for mending in mendings_of(trace, _stand_in(language, trace.pair), judgements.of_states(trace))
    )


def _append(
    columns: dict[str, list[Any]], trace: Trace, facts: TraceFacts | None, stand_in: str | None, *, nothing_runs: bool
) -> None:
    """A row; of a trace without states everything is unscored, but that it doesn't run where others are judged."""
    columns["student"].append(trace.student)
    columns["title"].append(trace.title)
    columns["sample"].append(trace.sample)
    columns["request"].append(trace.request)
    columns["ended"].append(trace.ended)
    columns["truncated"].append(trace.final.truncated)
    columns["language"].append(trace.final.language or stand_in)
    for name, compute in MEASURED.items():
        columns[name].append(compute(facts) if facts else 0.0 if nothing_runs and name in RUN_AT_ALL else None)


def _colour_vectors(facts: TraceFacts) -> tuple[np.ndarray, np.ndarray]:
    final, mean = np.zeros(len(COLOURS), np.float32), np.zeros(len(COLOURS), np.float32)
    for index, count in facts.programs[-1].colours.items():
        final[index] = count
    for program in facts.programs:
        for index, count in program.colours.items():
            mean[index] += count
    return final, mean / np.float32(len(facts.programs))


def _vectors(rows: list[np.ndarray | None]) -> pa.Array:
    none = np.zeros(len(COLOURS), np.float32)
    flat = np.concatenate([none if row is None else row for row in rows]) if rows else np.zeros(0, np.float32)
    lacking = pa.array([row is None for row in rows], pa.bool_())
    return pa.FixedSizeListArray.from_arrays(pa.array(flat, pa.float32()), len(COLOURS), mask=lacking)


def _row_groups(shard: Path) -> int:
    with readable(shard, remedy=REMEDY), pq.ParquetFile(shard) as file:
        return int(file.num_row_groups)


@lru_cache(maxsize=1)
def _judgements(files: tuple[Path, ...], written: tuple[int, ...]) -> Judgements:
    """The verdicts of files as they were `written` (ns): a file that was written anew is read anew."""
    return read_judgements(files)


def _written(files: tuple[Path, ...]) -> tuple[int, ...]:
    return tuple(file.stat().st_mtime_ns for file in files)


class Job(NamedTuple):
    """A row group to measure, and how."""

    shard: Path
    group: int
    language: Languages
    verdicts: tuple[Path, ...]
    usual: Mapping[str, Usual]
    definitions: Definitions


def _measure_group(job: Job) -> pa.Table:
    with readable(job.shard, remedy=REMEDY), pq.ParquetFile(job.shard) as file:
        table = file.read_row_group(job.group)
    judgements = _judgements(job.verdicts, _written(job.verdicts)) if job.verdicts else None
    return measure_traces(from_batch(table), job.language, judgements, job.definitions, job.usual)


def _run(jobs: list[Job], workers: int) -> Iterator[pa.Table]:
    if workers <= 1 or len(jobs) <= 1:
        yield from map(_measure_group, jobs)
        return
    # spawned, not forked: Arrow's threads don't survive a fork
    with ProcessPoolExecutor(min(workers, len(jobs)), mp_context=multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(_measure_group, jobs)
