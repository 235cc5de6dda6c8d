"""What is in a dataset: counts, distributions, long tails, splits.

In: a dataset. Out: a `Description`, made of count tables (value -> how many), from which every quantile, figure and
results row follows. DuckDB reads the Parquet files out of core, so that the size of a dataset doesn't matter; no
program text leaves the database. Not guaranteed: that titles are free of personal names, so only titles shared by
at least `TITLE_STUDENTS` students are ever listed.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import numpy as np
import pyarrow as pa

from redraft import results
from redraft.data.duck import parse_memory
from redraft.data.split import load_split
from redraft.data.store import Dataset
from redraft.results import Result
from redraft.rundir.tables import write_table
from redraft.studies.common.run import open_run
from redraft.studies.describe.settings import DescribeConfig

SHARED_ACCOUNT = 200
"""Students with more traces look like accounts shared by a class (paper appendix A)."""
TITLE_STUDENTS = 2
"""A title is listed only if at least so many students used it: a rarer one may be a person's name."""
TOP_TITLES = 20
MAX_POINTS = 400
"""A distribution of more values is binned for drawing."""
POINTS_SCHEMA = pa.schema(
    [("measure", pa.string()), ("value", pa.float64()), ("count", pa.int64()), ("tail", pa.float64())]
)
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


class Measure(NamedTuple):
    """One distribution of a dataset."""

    label: str
    """For people, as an axis label."""
    unit: str
    level: str
    """What one observation is: state, trace, student or title."""
    sql: str
    """A query over the table `traces` for the observations, one column `value`."""


NUMBERS: Mapping[str, Measure] = {
    "states_per_trace": Measure(
        "States per trace", "states", "trace", "SELECT len(states) AS value FROM traces"),
    "traces_per_student": Measure(
        "Traces per student", "traces", "student",
        "SELECT count(DISTINCT title) AS value FROM traces GROUP BY student"),
    "students_per_title": Measure(
        "Students per title", "students", "title",
        "SELECT count(DISTINCT student) AS value FROM traces GROUP BY title"),
    "mean_states_per_title": Measure(
        "Mean states per trace, by title", "states", "title",
        "SELECT round(avg(len(states)), 2) AS value FROM traces GROUP BY title"),
    "characters_per_program": Measure(
        "Characters in the final program", "characters", "trace",
        "SELECT characters AS value FROM traces"),
    "lines_per_program": Measure(
        "Lines in the final program", "lines", "trace",
        "SELECT lines AS value FROM traces"),
    "gap_seconds": Measure(
        "Seconds between states", "s", "state",
        "SELECT date_diff('second', ats[i], ats[i + 1]) AS value"
        " FROM (SELECT ats, unnest(range(1, len(ats))) AS i"
        " FROM (SELECT list_transform(states, lambda s: s.at) AS ats FROM traces))"),
}  # fmt: skip
"""Distributions over whole numbers (and one mean), with long tails."""

COUNTED = """
CREATE TEMP TABLE traces AS SELECT
    student, title, ended, length(states[-1].code) AS characters,
    1 + length(states[-1].code) - length(replace(states[-1].code, chr(10), '')) AS lines,
    list_transform(states, lambda s: struct_pack(
        at := s.at, language := s.language, mode := s.mode, truncated := s.truncated, score := s.score)) AS states
FROM shards
"""
"""The table `traces` of all queries: what they count, without the programs, from one reading of the files."""

CATEGORIES: Mapping[str, Measure] = {
    "year": Measure("Year of the final state", "", "trace", "SELECT year(states[-1].at) AS value FROM traces"),
    "language": Measure(
        "Language", "", "state",
        "SELECT coalesce(s.language, 'not recorded') AS value FROM (SELECT unnest(states) AS s FROM traces)"),
    "mode": Measure(
        "Editor mode", "", "state",
        "SELECT coalesce(s.mode, 'not recorded') AS value FROM (SELECT unnest(states) AS s FROM traces)"),
}  # fmt: skip
"""Distributions over names."""

SHARES: Mapping[str, Measure] = {
    "truncated": Measure(
        "States cut off by the platform", "share", "state",
        "SELECT s.truncated::DOUBLE AS value FROM (SELECT unnest(states) AS s FROM traces)"),
    "final_truncated": Measure(
        "Final programs cut off by the platform", "share", "trace",
        "SELECT states[-1].truncated::DOUBLE AS value FROM traces"),
    "one_state": Measure(
        "Traces of a single state", "share", "trace", "SELECT (len(states) = 1)::DOUBLE AS value FROM traces"),
    "ended": Measure("Traces that reached their end", "share", "trace", "SELECT ended::DOUBLE AS value FROM traces"),
    "final_score": Measure(
        "Platform's grade of the final program", "0 to 1", "trace", "SELECT states[-1].score AS value FROM traces"),
    "backward_gaps": Measure(
        "States dated before the one they follow", "share", "state",
        f"SELECT (value < 0)::DOUBLE AS value FROM ({NUMBERS['gap_seconds'].sql})"),
}  # fmt: skip
"""Means of values between 0 and 1."""


class Distribution(NamedTuple):
    """How often each value occurs; both arrays sorted by value."""

    values: np.ndarray
    counts: np.ndarray

    @property
    def n(self) -> int:
        """Number of observations."""
        return int(self.counts.sum())

    @property
    def mean(self) -> float:
        """Mean of the observations."""
        return float(np.average(self.values, weights=self.counts))

    def quantile(self, share: float) -> float:
        """The smallest value that at least `share` of the observations don't exceed."""
        at = np.searchsorted(np.cumsum(self.counts), share * self.n - 1e-9)
        return float(self.values[min(int(at), len(self.values) - 1)])

    def tail(self) -> np.ndarray:
        """For each value, the share of observations at least as large (the complementary distribution)."""
        tail: np.ndarray = np.cumsum(self.counts[::-1])[::-1] / self.n
        return tail


class Share(NamedTuple):
    """A mean over the observations that have a value."""

    value: float | None
    n: int
    unscored: int


class TitleRow(NamedTuple):
    """One line of the table of titles (paper figure 8)."""

    title: str
    traces: int
    students: int
    mean_states: float


class SplitRow(NamedTuple):
    """One line of the table of splits (paper table 2)."""

    name: str
    split: str
    traces: int
    students: int
    titles: int


@dataclass(frozen=True, kw_only=True)
class Description:
    """What is in a dataset."""

    dataset: str
    """The dataset's name."""
    origin: str
    """Who wrote the programs."""
    traces: int
    """Number of traces."""
    states: int
    """Number of states in them."""
    students: int
    """Number of distinct students."""
    titles: int
    """Number of distinct titles."""
    rejected: dict[str, int]
    """Input not used: reason -> count."""
    shared_accounts: int
    """Students with more than `SHARED_ACCOUNT` traces."""
    numbers: dict[str, Distribution]
    """By name in `NUMBERS`; one without observations is left out."""
    categories: dict[str, dict[str, int]]
    """By name in `CATEGORIES`: value -> count."""
    shares: dict[str, Share]
    """By name in `SHARES`."""
    top_titles: tuple[TitleRow, ...]
    """The most used titles."""
    splits: tuple[SplitRow, ...]
    """Sizes of the splits made so far."""

    def as_json(self) -> dict[str, Any]:
        """Plain values for `--json`; distributions as mean and quantiles."""
        return {
            "dataset": self.dataset, "origin": self.origin, "traces": self.traces, "states": self.states,
            "students": self.students, "titles": self.titles, "rejected": self.rejected,
            "shared_accounts": self.shared_accounts,
            "distributions": {name: summary(found) for name, found in self.numbers.items()},
            "categories": self.categories,
            "shares": {name: share._asdict() for name, share in self.shares.items()},
            "top_titles": [row._asdict() for row in self.top_titles],
            "splits": [row._asdict() for row in self.splits],
        }  # fmt: skip

    def rows(self) -> list[Result]:
        """The same as results rows of the study `describe`."""
        rows = [self._row(name, "count", float(getattr(self, name)), "collection", self.traces)
                for name in ("traces", "states", "students", "titles", "shared_accounts")]  # fmt: skip
        for reason, count in sorted(self.rejected.items()):
            rows.append(self._row("rejected", "count", float(count), "collection", count, condition={"reason": reason}))
        for name, found in self.numbers.items():
            measure = NUMBERS[name]
            for statistic, value in summary(found).items():
                if statistic != "n":
                    rows.append(self._row(name, statistic, value, measure.level, found.n, unit=measure.unit))
        for name, counts in self.categories.items():
            total = sum(counts.values())
            for category, count in counts.items():
                rows.append(self._row(name, "share", count / total, CATEGORIES[name].level, total,
                                      unit="share", condition={"value": category}))  # fmt: skip
        for name, share in self.shares.items():
            rows.append(self._row(name, "mean", share.value, SHARES[name].level, share.n,
                                  unit=SHARES[name].unit, unscored=share.unscored))  # fmt: skip
        for title in self.top_titles:
            rows.append(self._row("states_per_trace", "mean", title.mean_states, "trace", title.traces,
                                  unit="states", subgroup=title.title, students=title.students))  # fmt: skip
        for line in self.splits:
            for unit in ("traces", "students", "titles"):
                rows.append(self._row(unit, "count", float(getattr(line, unit)), "collection", line.traces,
                                      split=line.split, condition={"split_name": line.name}))  # fmt: skip
        return rows

    def _row(
        self, metric: str, statistic: str, value: float | None, level: str, n: int, *, unit: str = "",
        unscored: int = 0, split: str | None = None, subgroup: str | None = None, students: int | None = None,
        condition: dict[str, str] | None = None,
    ) -> Result:  # fmt: skip
        return Result(
            origin=self.origin, dataset=self.dataset, study="describe", metric=metric, level=level,
            statistic=statistic, unit=unit, split=split, subgroup=subgroup, condition=condition or {}, n=n,
            n_students=self.students if students is None else students,
            n_titles=self.titles if subgroup is None else 1, unscored=unscored, value=value,
            note=f"n counts: {level}s" if level != "collection" else None,
            reason="no observation has a value" if value is None else None,
        )  # fmt: skip


def summary(found: Distribution) -> dict[str, float]:
    """n, mean, smallest, quantiles (`q50` is the median) and largest of a distribution."""
    quantiles = {f"q{round(100 * share):02d}": found.quantile(share) for share in QUANTILES}
    ends = {"min": float(found.values[0]), "max": float(found.values[-1])}
    return {"n": found.n, "mean": found.mean, **quantiles, **ends}


def describe(dataset: Dataset, *, memory: str = "2GB") -> Description:
    """Count everything a description holds.

    Args:
        dataset: Any dataset; of a generated one, a pair's samples count as traces, but once a student or title.
        memory: DuckDB's limit (`2GB`); beyond it, it spills to disk.

    Raises:
        UsageError: `memory` isn't a size, or too small.
    """
    manifest = dataset.manifest
    limit = f"{parse_memory(memory) // 10**6}MB"
    with (
        tempfile.TemporaryDirectory() as overflow,
        duckdb.connect(config={"memory_limit": limit, "temp_directory": overflow}) as database,
    ):
        database.execute("SET TimeZone = 'UTC'; SET preserve_insertion_order = false")
        dataset.check(*dataset.shards)
        database.read_parquet([str(path) for path in dataset.shards]).create_view("shards")
        database.execute(COUNTED)
        return Description(
            dataset=dataset.name, origin=dataset.origin, traces=manifest.traces, states=manifest.states,
            students=manifest.students, titles=manifest.titles, rejected=dict(manifest.rejected),
            shared_accounts=_shared_accounts(database),
            numbers={name: found for name, m in NUMBERS.items() if (found := _distribution(database, m)).n},
            categories={name: counts for name, m in CATEGORIES.items() if (counts := _category(database, m))},
            shares={name: _share(database, m) for name, m in SHARES.items()},
            top_titles=_top_titles(database), splits=_splits(database, dataset),
        )  # fmt: skip


def _distribution(database: duckdb.DuckDBPyConnection, measure: Measure) -> Distribution:
    found = database.execute(
        f"SELECT value, count(*) AS n FROM ({measure.sql}) WHERE value IS NOT NULL GROUP BY value ORDER BY value"
    ).fetchnumpy()
    return Distribution(np.asarray(found["value"], dtype=np.float64), np.asarray(found["n"], dtype=np.int64))


def _category(database: duckdb.DuckDBPyConnection, measure: Measure) -> dict[str, int]:
    rows = database.execute(
        f"SELECT value::VARCHAR, count(*) FROM ({measure.sql}) WHERE value IS NOT NULL GROUP BY value ORDER BY value"
    ).fetchall()
    return dict(rows)


def _share(database: duckdb.DuckDBPyConnection, measure: Measure) -> Share:
    found = database.execute(
        f"SELECT avg(value), count(value), count(*) - count(value) FROM ({measure.sql})"
    ).fetchone()
    assert found is not None
    return Share(*found)


def _shared_accounts(database: duckdb.DuckDBPyConnection) -> int:
    found = database.execute(
        f"SELECT count(*) FROM ({NUMBERS['traces_per_student'].sql}) WHERE value > {SHARED_ACCOUNT}"
    ).fetchone()
    assert found is not None
    return int(found[0])


def _top_titles(database: duckdb.DuckDBPyConnection) -> tuple[TitleRow, ...]:
    rows = database.execute(
        "SELECT title, count(*) AS traces, count(DISTINCT student) AS students, avg(len(states))"
        f" FROM traces GROUP BY title HAVING students >= {TITLE_STUDENTS}"
        f" ORDER BY students DESC, title LIMIT {TOP_TITLES}"
    ).fetchall()
    return tuple(TitleRow(*row) for row in rows)


def _splits(database: duckdb.DuckDBPyConnection, dataset: Dataset) -> tuple[SplitRow, ...]:
    found = []
    for file in sorted((dataset.path / "splits").glob("*.parquet")):
        load_split(dataset, file.stem)  # refuses one that is damaged
        rows = database.execute(
            "SELECT split, count(*), count(DISTINCT student), count(DISTINCT title)"
            " FROM read_parquet($file) GROUP BY split ORDER BY count(*) DESC, split",
            {"file": str(file)},
        ).fetchall()
        found += [SplitRow(file.stem, *row) for row in rows]
    return tuple(found)


def points(description: Description) -> pa.Table:
    """Every distribution for drawing: columns measure, value, count, tail (share of observations >= value).

    A distribution of more than `MAX_POINTS` values is merged into as many bins, each named by its smallest value.
    """
    parts = []
    for name, found in description.numbers.items():
        starts = np.arange(len(found.values))
        if len(starts) > MAX_POINTS:
            magnitude = np.sign(found.values) * np.log1p(np.abs(found.values))
            bins = np.floor((magnitude - magnitude[0]) / np.ptp(magnitude) * MAX_POINTS)
            starts = np.unique(bins, return_index=True)[1]
        parts.append(
            pa.table({
                "measure": pa.array([name] * len(starts)), "value": found.values[starts],
                "count": np.add.reduceat(found.counts, starts), "tail": found.tail()[starts],
            })
        )  # fmt: skip
    return pa.concat_tables(parts) if parts else POINTS_SCHEMA.empty_table()


def write(description: Description, folder: Path) -> None:
    """Write `results/describe.parquet` (and CSV) and `points-distributions.parquet` below `folder`."""
    results.write(description.rows(), folder / "results" / "describe.parquet")
    write_table(points(description), folder / "points-distributions.parquet")


def describe_run(folder: str | Path, config: DescribeConfig | None = None) -> list[Result]:
    """Describe a run's dataset, and write the results.

    Args:
        folder: The run's folder, with `run.toml`.
        config: Settings; None: those in `run.toml`.

    Raises:
        InputError: The folder is no run, or its settings are wrong.
    """
    run = open_run(folder)
    config = config or run.section("describe", DescribeConfig)
    found = describe(run.dataset, memory=config.memory)
    write(found, run.path)
    return found.rows()
