"""The behaviour study: do generated traces have the properties of the real ones (paper section 4.1)?

In: a run's folder with samples. Out: `results/behaviour.parquet` (and CSV), `points-pairs.parquet`, and the measured
traces in `metrics/`. For every split and model: correlations over pairs of each metric (pooled, within titles, between
titles), means of text likeness, Self-BLEU and the share that ended; the same for the baselines; contrasts between
models; how far what they write lies from the real traces (`levels`); and the primary claims again under stricter
conditions. What
can't be computed is unscored, with the reason. Metrics are the corrected ones, or follow the released code's
definitions (`BehaviourConfig.definitions`); a row says which (`Result.definitions`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa

from redraft import results
from redraft.data.split import TEST_SPLITS
from redraft.metrics import agreement
from redraft.metrics.agreement import CORRELATIONS, Estimate
from redraft.metrics.bootstrap import Clusters, Floats
from redraft.metrics.metric import Place
from redraft.metrics.registry import PAIRED, shown
from redraft.metrics.titles import frequency_trend
from redraft.results import Result
from redraft.rundir.tables import write_table
from redraft.studies.behaviour.job import MEAN, Job
from redraft.studies.behaviour.levels import levels
from redraft.studies.behaviour.settings import BehaviourConfig
from redraft.studies.common.claims import (
    CONTRASTS,
    PRIMARY,
    PRIMARY_FAMILY,
)
from redraft.studies.common.compared import Compared, Measures, compare_models
from redraft.studies.common.families import adjusted
from redraft.studies.common.finals import near_duplicates
from redraft.studies.common.run import open_run

ALL = "all"
"""Not a split: the pairs of all test splits together."""


def behaviour(folder: str | Path, config: BehaviourConfig | None = None) -> list[Result]:
    """Compare a run's samples with the students' traces, and write the results.

    Args:
        folder: The run's folder: `run.toml`, and samples in `samples/VIEW/`.
        config: Settings; None: those in `run.toml`.

    Raises:
        InputError: The folder is no run, or its settings are wrong.
        DatasetError: No samples, or samples of a model trained on another split.
    """
    run = open_run(folder)
    config = config or run.section("behaviour", BehaviourConfig)
    workers = config.workers or os.cpu_count() or 1
    measures = Measures(run, workers, config.definitions)
    whole = compare_models(measures, seed=config.seed)
    jobs = [*_main(measures, whole, config), *_sensitivity(measures, whole, config)]
    with ThreadPoolExecutor(workers) as pool:
        rows = list(pool.map(lambda job: job.row(run, config), jobs))
    rows = adjusted(rows)
    results.write(rows, run.path / "results" / "behaviour.parquet")
    write_table(_points(whole), run.path / "points-pairs.parquet")
    return rows


def _main(measures: Measures, compared: Compared, config: BehaviourConfig) -> Iterator[Job]:
    """Everything, for all pairs and for each split."""
    for split in (ALL, *TEST_SPLITS):
        part = _in_split(compared, split)
        for view in part.views:
            yield from _sides(part, split, config, model=view)
        for baseline in part.baselines:
            yield from _sides(part, split, config, baseline=baseline)
        yield from _contrasts(part, split, config)
        yield from levels(measures, part, split, config)
    yield from _frequency(compared)
    yield from _primary(compared, {})


def _sensitivity(measures: Measures, whole: Compared, config: BehaviourConfig) -> Iterator[Job]:
    """The primary claims again, under conditions that might explain them away."""
    yield from _primary(whole.select(~whole.truncated), {"truncated": "left out"})
    twins = near_duplicates(whole.finals, whole.pairs, config.near_duplicate)
    yield from _primary(whole.select(~twins), {"near_duplicates": "left out"})
    ended = compare_models(measures, seed=config.seed, only_ended=True)
    yield from _primary(ended, {"generations": "ended only"})


def _in_split(compared: Compared, split: str) -> Compared:
    return compared if split == ALL else compared.select(compared.places == split)


def _sides(
    part: Compared, split: str, config: BehaviourConfig, *, model: str | None = None, baseline: str | None = None
) -> Iterator[Job]:
    """The rows of one model or baseline."""
    columns = part.views[model] if model else part.baselines[baseline or ""]
    statistics = tuple(CORRELATIONS) if model else ("pooled_r", "within_r")
    for metric, values in columns.items():
        for statistic in statistics if metric in config.metrics else (MEAN,) if metric in _MEANS else ():
            yield Job(
                compute=_estimator(statistic, part.real.get(metric), values), clusters=part.clusters(), metric=metric,
                model=model, baseline=baseline, split=split, condition={}, note=part.note(metric, model),
                nothing=part.nothing,
            )  # fmt: skip


_MEANS = frozenset(PAIRED)
"""Metrics that are means over pairs rather than correlations with the real side."""


def _contrasts(part: Compared, split: str, config: BehaviourConfig) -> Iterator[Job]:
    """Differences between models, on every metric both have; the primary ones come on their own."""
    primary = {(c.metric, c.statistic, c.model, c.against, c.split) for c in PRIMARY}
    sides = {**part.baselines, **part.views}
    for a, b in CONTRASTS:
        if a not in part.views or b not in sides:
            continue
        for metric in part.views[a]:
            statistics = ("pooled_r", "within_r") if metric in config.metrics else (MEAN,) if metric in _MEANS else ()
            for statistic in statistics if metric in sides[b] else ():
                if (metric, statistic, a, b, split) not in primary:
                    yield _contrast(part, metric, statistic, a, b, split, {}, f"behaviour: {a} - {b}, {split}")


def _frequency(compared: Compared) -> Iterator[Job]:
    """Whether a model is better on titles that it met more often (paper figure 3, right)."""
    for view, columns in compared.views.items():
        for metric in shown(Place.FREQUENCY):
            if metric in columns:
                yield Job(
                    compute=_trend(compared.real[metric], columns[metric], compared.frequency),
                    clusters=compared.clusters(), metric=metric, model=view, split=ALL, condition={},
                    note=compared.note(metric, view), nothing=compared.nothing,
                )  # fmt: skip


def _trend(real: Floats, generated: Floats, frequency: Floats) -> Callable[[Clusters, BehaviourConfig], Estimate]:
    return lambda clusters, config: frequency_trend(
        real, generated, frequency, clusters, seed=config.seed, replicates=config.replicates
    )


def _primary(compared: Compared, condition: Mapping[str, str]) -> Iterator[Job]:
    """The claims, and both their sides where a condition changes them; claims about models not run are left out."""
    family = PRIMARY_FAMILY if not condition else f"{PRIMARY_FAMILY}, " + ", ".join(
        f"{key} {value}" for key, value in condition.items()
    )  # fmt: skip
    for claim in PRIMARY:
        if _has(compared, claim.model) and _has(compared, claim.against):
            split = claim.split or ALL
            part = _in_split(compared, split)
            yield _contrast(part, claim.metric, claim.statistic, claim.model, claim.against, split, condition, family)


def _has(compared: Compared, side: str) -> bool:
    return side in compared.views or side in compared.baselines


def _contrast(
    part: Compared, metric: str, statistic: str, a: str, b: str, split: str, condition: Mapping[str, str], family: str
) -> Job:
    values_a, values_b = part.views[a][metric], {**part.views, **part.baselines}[b][metric]
    real = part.real.get(metric)

    def compute(clusters: Clusters, config: BehaviourConfig) -> Estimate:
        if statistic == MEAN:
            return agreement.mean_contrast(values_a, values_b, clusters, seed=config.seed, replicates=config.replicates)
        assert real is not None
        return agreement.correlation_contrast(
            statistic, real, values_a, values_b, clusters, seed=config.seed, replicates=config.replicates
        )

    return Job(
        compute=compute, clusters=part.clusters(), metric=metric, model=a, baseline=b, split=split,
        condition=condition, family=family, note=part.note(metric, a), nothing=part.nothing,
    )  # fmt: skip


def _estimator(statistic: str, real: Floats | None, values: Floats) -> Callable[[Clusters, BehaviourConfig], Estimate]:
    def compute(clusters: Clusters, config: BehaviourConfig) -> Estimate:
        if statistic == MEAN:
            return agreement.mean(values, clusters, seed=config.seed, replicates=config.replicates)
        assert real is not None
        return agreement.correlation(statistic, real, values, clusters, seed=config.seed, replicates=config.replicates)

    return compute


def _points(compared: Compared) -> pa.Table:
    """Backtracking pair by pair, real and generated; students are left out, since nothing is drawn by student."""
    parts = [
        pa.table({
            "model": [view] * len(compared.pairs), "title": [pair.title for pair in compared.pairs],
            "split": compared.places.tolist(), "real": compared.real["backtracking"],
            "generated": columns["backtracking"],
            "frequency": pa.array(compared.frequency, pa.int64()),
        })
        for view, columns in compared.views.items() if "backtracking" in columns
    ]  # fmt: skip
    return pa.concat_tables(parts) if parts else POINTS.empty_table()


POINTS = pa.schema(
    [("model", pa.string()), ("title", pa.string()), ("split", pa.string()), ("real", pa.float64()),
     ("generated", pa.float64()), ("frequency", pa.int64())]
)  # fmt: skip
"""Columns of `points-pairs.parquet`; frequency counts the title's training pairs."""
