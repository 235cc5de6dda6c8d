"""How far what models write is from what students do, as a whole: distances of two distributions.

In: a metric's value of each real trace and of each sample, nan where unscored, and the pairs' `Clusters`. Out:
`Estimate`s of the Kolmogorov-Smirnov distance: the largest gap between the two cumulative distributions, 0 to 1.

    distance(real, drawn, owners, clusters, seed=1)    # a model's samples against the real traces
    between_halves(real, clusters, seed=1)             # one half of the students against the other

Each pair counts the same, however many samples it has. Unlike means and correlations, the distance sees a model that
writes the right amount on average and never the right amounts. Between two sets of the same people it isn't 0 either:
few traces differ by chance. So the distance between halves of the real students is what can be had at best.

Not guaranteed: that the distance of very many different values is found to the last digit (`MOST_THRESHOLDS`).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from redraft.metrics.agreement import Estimate
from redraft.metrics.bootstrap import MIN_CLUSTERS, REPLICATES, Clusters, Counts, Floats, Statistic, bootstrap

KS = "ks"
"""The statistic's name."""
HALVES = 200
"""Random halvings of the students."""
MOST_THRESHOLDS = 512
"""Values at which the cumulative distributions are compared, at most: quantiles of all values if there are more."""


def distance(
    real: Floats, drawn: Floats, owners: NDArray[np.int64], clusters: Clusters, *, seed: int = 0,
    replicates: int = REPLICATES,
) -> Estimate:  # fmt: skip
    """The distance of samples from real traces, with a basic bootstrap interval over students and titles.

    Resampled distances lie above the observed one, since resampling adds noise and noise adds distance; so the
    percentiles are mirrored at the observed value (the basic interval), which takes off as much.

    Args:
        real: (N,) The value of each pair's real trace.
        drawn: (M,) The value of each sample.
        owners: (M,) Which pair each sample is of.
        clusters: Of the N pairs.
        seed: Of the resampling.
        replicates: How many.
    """
    scored = np.isfinite(real) | np.isin(np.arange(len(real)), owners[np.isfinite(drawn)])
    estimate = Estimate(
        statistic=KS, value=None, n=int(scored.sum()), n_students=clusters.select(scored).n_students,
        n_titles=clusters.select(scored).n_titles, unscored=int((~scored).sum()), seed=seed, test="basic bootstrap",
    )  # fmt: skip
    if not np.isfinite(real).any() or not np.isfinite(drawn).any():
        return replace(estimate, reason="no real trace is scored, or no sample")
    compute = _distance(real, drawn, owners, clusters)
    value = float(compute(clusters.once)[0])
    if clusters.resampled is None:
        few = f"no interval: fewer than {MIN_CLUSTERS} students and fewer than {MIN_CLUSTERS} titles"
        return replace(estimate, value=value, reason=few)
    found = bootstrap(compute, clusters, seed=seed, replicates=replicates, widen=False)
    (low, high), (low_90, high_90) = (
        (max(0.0, 2 * value - above), min(1.0, max(value, 2 * value - below)))
        for below, above in (found.percentiles(level) for level in (0.95, 0.9))
    )
    return replace(
        estimate, value=value, low=low, high=high, low_90=low_90, high_90=high_90, se=found.se,
        clusters=clusters.resampled,
    )  # fmt: skip


def between_halves(real: Floats, clusters: Clusters, *, seed: int = 0, halvings: int = HALVES) -> Estimate:
    """The mean distance between random halves of the students; the interval holds 95% of the halvings.

    Args:
        real: (N,) The value of each pair's real trace.
        clusters: Of the N pairs.
        seed: Of the halvings.
        halvings: How many.
    """
    scored = np.isfinite(real)
    kept, values = clusters.select(scored), real[scored]
    estimate = Estimate(
        statistic=KS, value=None, n=len(values), n_students=kept.n_students, n_titles=kept.n_titles,
        unscored=int((~scored).sum()), seed=seed, test="random halves of the students",
    )  # fmt: skip
    if kept.n_students < 2:
        return replace(estimate, reason="fewer than two students are scored")
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(halvings):
        first = np.isin(kept.students, rng.permutation(kept.n_students)[: kept.n_students // 2])
        one, other = np.sort(values[first]), np.sort(values[~first])
        both = np.concatenate([one, other])
        gaps = np.searchsorted(one, both, "right") / len(one) - np.searchsorted(other, both, "right") / len(other)
        found.append(np.abs(gaps).max())
    low, high = np.quantile(found, (0.025, 0.975))
    return replace(estimate, value=float(np.mean(found)), low=float(low), high=float(high))


def _distance(real: Floats, drawn: Floats, owners: NDArray[np.int64], clusters: Clusters) -> Statistic:
    """The distance under counts: each side's distribution is of the pairs drawn, each pair as often as drawn."""
    samples = np.bincount(owners, minlength=len(real))
    sides = [
        (real, np.arange(len(real)), np.ones(len(real))),
        (drawn, owners, 1 / samples[owners]),
    ]
    known = np.concatenate([values[np.isfinite(values)] for values, _, _ in sides])
    thresholds = np.unique(known)
    if len(thresholds) > MOST_THRESHOLDS:
        thresholds = np.unique(np.quantile(known, np.linspace(0, 1, MOST_THRESHOLDS), method="inverted_cdf"))
    steps_UP = []
    for values, pairs, weights in sides:
        scored = np.isfinite(values)
        at = np.searchsorted(thresholds, values[scored])  # the first threshold that is not below
        shape = (len(thresholds), len(real))
        steps_UP.append(sparse.csr_array((weights[scored], (at, pairs[scored])), shape=shape))

    def compute(counts: Counts) -> Floats:
        weights_PB = counts.students[clusters.students] * counts.titles[clusters.titles]
        shares_UB = []
        for matrix in steps_UP:
            below_UB = np.cumsum(np.asarray(matrix @ weights_PB), axis=0)
            with np.errstate(invalid="ignore"):  # a replicate that drew nobody who is scored
                shares_UB.append(below_UB / below_UB[-1])
        distance_B: Floats = np.abs(shares_UB[0] - shares_UB[1]).max(axis=0)
        return distance_B

    return compute
