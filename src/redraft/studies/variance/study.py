"""The study of variance: how much of each metric is the student's, the title's, or neither's. No model is needed.

In: a dataset. Out: results rows, and `results/variance.parquet` (and CSV) where asked for. A pair of a student and a
title counts once, by the mean over its traces; a metric that is constant, or a class in which students and titles can't
be told apart, is unscored with the reason. What a share means for models: no prediction that knows only who the
student is can correlate within titles by more than the root of `student_within_title`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from redraft import progress, results
from redraft.data.store import Dataset
from redraft.execute.verdict import DEFAULT_RULE
from redraft.metrics.bootstrap import Clusters
from redraft.metrics.pairs import ByPair, pairs_of
from redraft.metrics.registry import METRICS
from redraft.metrics.variance import shares
from redraft.results import Result
from redraft.studies.common.compared import measured
from redraft.studies.common.run import open_run
from redraft.studies.variance.settings import VarianceConfig

STUDY = "variance"


def variance(
    dataset: Dataset, config: VarianceConfig | None = None, *, out: Path | None = None, rule: str = DEFAULT_RULE
) -> list[Result]:
    """Share out the variance of each metric over the pairs of a dataset.

    Args:
        dataset: Traces of any origin.
        config: Settings.
        out: A folder (a run's, say): rows are written to its `results/`, measured traces kept in its `metrics/`.
        rule: By which programs count as running.

    Raises:
        DatasetError: A shard can't be read.
    """
    config = config or VarianceConfig()
    workers = config.workers or os.cpu_count() or 1
    if out is None:
        from redraft.metrics.measure import measure

        table = measure(dataset, workers=workers, rule=rule)
    else:
        table = measured(dataset, out / "metrics" / "real.parquet", workers=workers, rule=rule)
    rows = rows_of(dataset, table, config.metrics, seed=config.seed)
    if out is not None:
        results.write(rows, out / "results" / f"{STUDY}.parquet")
    return rows


def variance_of_run(folder: str | Path, config: VarianceConfig | None = None) -> list[Result]:
    """Share out the variance of each metric over the pairs of a run's dataset, and write the results.

    Args:
        folder: The run's folder, with `run.toml`.
        config: Settings; None: those in `run.toml`.

    Raises:
        InputError: The folder is no run, or its settings are wrong.
    """
    run = open_run(folder)
    return variance(run.dataset, config or run.section(STUDY, VarianceConfig), out=run.path, rule=run.rule)


def rows_of(dataset: Dataset, table: pa.Table, metrics: Sequence[str], *, seed: int = 0) -> list[Result]:
    """The rows for a dataset measured as `table`."""
    pairs = sorted(set(pairs_of(table)))
    by_pair = ByPair(table, pairs)
    clusters = Clusters.of([pair.student for pair in pairs], [pair.title for pair in pairs])
    rows = []
    for metric in progress.track(metrics, "share out variance"):
        for share in shares(by_pair.means(metric), clusters, seed=seed):
            rows.append(Result(
                origin=dataset.origin, dataset=dataset.name, study=STUDY, metric=metric, level=METRICS[metric].level,
                statistic=f"{share.name}_share", unit="share of variance", n=share.n, n_students=share.n_students,
                n_titles=share.n_titles, unscored=share.unscored, value=share.value, low=share.low, high=share.high,
                test=None if share.low is None else "grouped jackknife over students and titles",
                clusters=None if share.low is None else "student+title", seed=seed, reason=share.reason,
            ))  # fmt: skip
    return rows
