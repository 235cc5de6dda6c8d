"""The bias audit: does a model know some students, or some titles, less well than the rest?

In: a run with samples. Out: `results/audit.parquet` (and CSV). Every subgroup (`studies.subgroups`) is compared with
the rest over all test pairs: the within-title r, because a model may know who is who in one group and not in another;
and beside it the mean error (which side it errs to) and the mean absolute error, because r falls where values range
less, without any bias. Likeness of text is compared by its mean.

A gap has a 95% interval from the crossed bootstrap. Its p is from exchanging the labels of whole students (for titles'
subgroups, of whole titles), corrected by the largest standardised gap over all subgroups, metrics and statistics of a
model. Subgroups with fewer than `smallest` students (titles) on either side are unscored. Not guaranteed: that a gap is
the model's doing. Subgroups may write other titles, and differ in how predictable anyone would find them.

Axes: K gaps, S students, T titles, P reassignments, B replicates, N pairs.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from redraft import progress, results
from redraft.metrics.agreement import POWER, centred, r_of_sums, title_sums
from redraft.metrics.bootstrap import Clusters, Counts, Floats, bootstrap
from redraft.metrics.permutation import Orders, Permuted, permutation_test
from redraft.metrics.registry import METRICS
from redraft.results import Result
from redraft.studies.audit.settings import AuditConfig
from redraft.studies.audit.subgroups import MISSING, Attribute, attributes
from redraft.studies.common.compared import Compared, Measures, compare_models
from redraft.studies.common.run import open_run

REST = "rest"
"""The baseline: everyone who is not in the subgroup."""
ALL = "all"
GAP = "_difference"
SIGNIFICANT = 0.05


class Member(NamedTuple):
    """A subgroup of the pairs compared."""

    name: str
    """attribute=value."""
    of: str
    """`student` or `title`."""
    labels: NDArray[np.bool_]
    """(S,) or (T,): who is in it."""


class Statistic(NamedTuple):
    """A statistic of a metric that is a function of sums over pairs."""

    metric: str
    name: str
    """within_r, mean_error, mean_absolute_error or mean."""
    columns: tuple[Floats, ...]
    """(N,) each: what is summed; the first one is 1 for the pairs that are scored, and where it is 0 all are."""
    value: Callable[..., Floats]
    """Its value from the columns' sums."""


def audit(folder: str | Path, config: AuditConfig | None = None) -> list[Result]:
    """Audit a run and write its results.

    Args:
        folder: The run's folder: `run.toml`, and samples in `samples/VIEW/`.
        config: Settings; None: those in `run.toml`.

    Raises:
        InputError: The folder is no run, or its settings are wrong.
        DatasetError: No samples, or samples of a model trained on another split.
    """
    run = open_run(folder)
    config = config or run.section("audit", AuditConfig)
    measures = Measures(run, config.workers or os.cpu_count() or 1)
    compared = compare_models(measures, seed=config.seed)
    found = attributes(run.dataset, run.split, measures.real)
    views = [view for view in compared.views if not config.models or view in config.models]
    common = Result(
        origin=run.dataset.origin, dataset=run.dataset.name, study="audit", metric="", level="", statistic="",
        split=ALL, n=0, n_students=0, n_titles=0, value=None, note=compared.note(),
    )  # fmt: skip
    rows: list[Result] = []
    for view in progress.track(views, "audit"):
        rows += audit_view(replace(common, model=view), compared, view, found, config)
    results.write(rows, run.path / "results" / "audit.parquet")
    return rows


def audit_view(
    common: Result, compared: Compared, view: str, found: Sequence[Attribute], config: AuditConfig
) -> list[Result]:
    """The rows of one model: each statistic in each subgroup, and its gap to the rest.

    Args:
        common: What all rows share.
        compared: The pairs, real and generated.
        view: The model.
        found: The attributes that make subgroups.
        config: Settings.
    """
    clusters = compared.clusters()
    statistics = [
        statistic
        for metric in config.metrics if metric in compared.views[view]
        for statistic in _statistics(metric, compared.real.get(metric), compared.views[view][metric], clusters)
    ]  # fmt: skip
    notes = {name: replace(common, note=compared.note(name, view)) for name in config.metrics}
    rows = []
    for side in ("student", "title"):
        members = [m for attribute in found if attribute.of == side for m in _members(attribute, compared, clusters)]
        gaps = [
            Gap(notes[statistic.metric], member, statistic, clusters, config.smallest)
            for member in members for statistic in statistics
        ]  # fmt: skip
        scored = [gap for gap in gaps if gap.why is None]
        tested = _exchange(scored, side, clusters, config) if scored else None
        places = iter(range(len(scored)))
        for gap in gaps:
            rows += gap.rows(tested, next(places) if gap.why is None else -1, config)
    return rows


class Gap:
    """A statistic in a subgroup and in the rest."""

    def __init__(self, common: Result, member: Member, statistic: Statistic, clusters: Clusters, smallest: int) -> None:
        self.member, self.statistic, self.clusters = member, statistic, clusters
        codes = clusters.students if member.of == "student" else clusters.titles
        self.inside: NDArray[np.bool_] = member.labels[codes]
        """(N,) which pairs are in the subgroup."""
        scored = statistic.columns[0] > 0
        sides = [scored & self.inside, scored & ~self.inside]
        self.here, self.there = (_value(statistic, side) for side in sides)
        least = min(len(np.unique(codes[side])) for side in sides)
        self.why: str | None = None
        """Why there is no gap."""
        if least < smallest:
            self.why = f"fewer than {smallest} {member.of}s in the subgroup or in the rest"
        elif not np.isfinite([self.here, self.there]).all():
            self.why = "undefined: a side is constant in the subgroup or in the rest"
        known, mine = METRICS[statistic.metric], clusters.select(sides[0])
        self.row = replace(
            common, metric=statistic.metric, level=known.level, statistic=statistic.name,
            unit="r" if statistic.name == "within_r" else known.unit, subgroup=member.name, n=len(mine),
            n_students=mine.n_students, n_titles=mine.n_titles, unscored=int((self.inside & ~scored).sum()),
            value=self.here if np.isfinite(self.here) else None,
            reason=None if np.isfinite(self.here) else "undefined: a side is constant, or no pair is scored",
        )  # fmt: skip

    def rows(self, tested: Permuted | None, place: int, config: AuditConfig) -> list[Result]:
        """The subgroup's own row, and that of the gap: unscored, or with interval and p."""
        of = self.member.of
        gap = replace(self.row, baseline=REST, statistic=f"{self.row.statistic}{GAP}", value=None, reason=None,
                      family=f"audit: {self.row.model}, subgroups of {of}s")  # fmt: skip
        if self.why is not None or tested is None:
            return [self.row, replace(gap, reason=self.why)]
        p, adjusted = tested.p[place], tested.p_adjusted[place]
        gap = replace(gap, value=self.here - self.there, seed=config.seed)
        if np.isfinite(p):
            gap = replace(gap, p=float(p), p_adjusted=float(adjusted),
                          test=f"exchange of whole {of}s, corrected by the largest gap")  # fmt: skip
        if self.clusters.resampled is not None:
            drawn = bootstrap(self.replicate(), self.clusters, seed=config.seed, replicates=config.replicates)
            if drawn.scored:
                (low, high), (low_90, high_90) = drawn.interval, drawn.percentiles(0.9)
                gap = replace(gap, low=low, high=high, low_90=low_90, high_90=high_90,
                              clusters=self.clusters.resampled, smallest_detectable=POWER * drawn.se)  # fmt: skip
        return [self.row, gap]

    def replicate(self) -> Callable[[Counts], Floats]:
        """The gap under counts of students and titles."""
        columns = self.statistic.columns
        sums = title_sums(self.clusters, *(c * self.inside for c in columns), *(c * ~self.inside for c in columns))

        def compute(counts: Counts) -> Floats:
            totals = [(counts.titles * sum_TB).sum(0) for sum_TB in sums(counts)]
            here, there = totals[: len(columns)], totals[len(columns) :]
            return self.statistic.value(*here) - self.statistic.value(*there)

        return compute


def _exchange(gaps: Sequence[Gap], side: str, clusters: Clusters, config: AuditConfig) -> Permuted:
    """Test all gaps of a side's subgroups together."""
    codes, size = (
        (clusters.students, clusters.n_students) if side == "student" else (clusters.titles, clusters.n_titles)
    )
    by_cluster = [np.stack([np.bincount(codes, c, minlength=size) for c in gap.statistic.columns]) for gap in gaps]

    def statistics(orders: Orders) -> Floats:
        values = np.empty((len(gaps), orders.shape[1]))
        member, labels_CP = None, np.empty((0, 0))
        for k, (gap, sums_C) in enumerate(zip(gaps, by_cluster, strict=True)):
            if gap.member is not member:
                member, labels_CP = gap.member, gap.member.labels[orders].astype(np.float64)
            here = sums_C @ labels_CP
            there = sums_C.sum(1)[:, None] - here
            values[k] = gap.statistic.value(*here) - gap.statistic.value(*there)
        return values

    return permutation_test(statistics, size, permutations=config.permutations, seed=config.seed)


def _members(attribute: Attribute, compared: Compared, clusters: Clusters) -> Iterator[Member]:
    """A subgroup for each value among those compared; of two values only the first, since the other is its rest."""
    of_student = attribute.of == "student"
    codes = clusters.students if of_student else clusters.titles
    names = {code: (pair.student if of_student else pair.title)
             for code, pair in zip(codes.tolist(), compared.pairs, strict=True)}  # fmt: skip
    values = np.array([attribute.values.get(names[code], MISSING) for code in range(len(names))], dtype=str)
    present = np.unique(values).tolist()
    for value in present[:1] if len(present) == 2 else present:
        yield Member(f"{attribute.name}={value}", attribute.of, values == value)


def _statistics(metric: str, real: Floats | None, generated: Floats, clusters: Clusters) -> Iterator[Statistic]:
    """What is compared of a metric."""
    scored = np.isfinite(generated) & (np.isfinite(real) if real is not None else True)
    ones = scored.astype(np.float64)

    def spread(values: Floats) -> Floats:
        """(N,) with 0 for unscored pairs."""
        whole = np.zeros(len(scored))
        whole[scored] = values
        return whole

    if real is None:
        yield Statistic(metric, "mean", (ones, spread(generated[scored])), _mean)
        return
    error = generated[scored] - real[scored]
    if scored.any():
        kept = clusters.select(scored)
        x, y = (spread(centred(values[scored], kept)) for values in (real, generated))
        yield Statistic(metric, "within_r", (ones, x, y, x * x, y * y, x * y), r_of_sums)
    yield Statistic(metric, "mean_error", (ones, spread(error)), _mean)
    yield Statistic(metric, "mean_absolute_error", (ones, spread(np.abs(error))), _mean)


def _mean(weight: Floats, total: Floats) -> Floats:
    mean: Floats = np.divide(total, weight, out=np.full_like(weight, np.nan), where=weight > 0)
    return mean


def _value(statistic: Statistic, pairs: NDArray[np.bool_]) -> float:
    """The statistic over some pairs; nan where it is undefined."""
    return float(statistic.value(*(np.array([column[pairs].sum()]) for column in statistic.columns))[0])
