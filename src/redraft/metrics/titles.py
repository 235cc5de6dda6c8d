"""Is a model better on titles that it met more often in training (paper figure 3, right)?

In: real and generated values per pair, and how often each pair's title occurs in training. Out: Pearson's r of each
title, and Spearman's correlation of those with the frequency. A title's r needs `MIN_PAIRS` pairs and is undefined
where a side is constant; such titles are left out, in each replicate anew. Not guaranteed: that few pairs a title
say much. Their r are noisy, which draws the trend towards 0.

Axes: T titles, B replicates, N pairs.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from redraft.metrics.agreement import Estimate, estimated, r_of_sums, standardised, title_sums
from redraft.metrics.bootstrap import REPLICATES, Clusters, Counts, Floats, Statistic

MIN_PAIRS = 5
MIN_TITLES = 5
"""Titles with an r of their own, from which on there is a trend."""


def title_correlations(real: Floats, generated: Floats, titles: NDArray[np.int64]) -> Floats:
    """Pearson's r of each title (T), nan where it has none; titles are codes 0..T-1 of the (N,) pairs."""
    found = np.full(int(titles.max(initial=-1)) + 1, np.nan)
    scored = np.isfinite(real) & np.isfinite(generated)
    for title in np.unique(titles[scored]):
        mine = scored & (titles == title)
        x, y = real[mine], generated[mine]
        if mine.sum() >= MIN_PAIRS and np.ptp(x) > 0 and np.ptp(y) > 0:
            found[title] = np.corrcoef(x, y)[0, 1]
    return found


def frequency_trend(
    real: Floats, generated: Floats, frequency: Floats, clusters: Clusters, *, seed: int = 0,
    replicates: int = REPLICATES,
) -> Estimate:  # fmt: skip
    """Spearman's correlation, over titles, of a title's r with its frequency in training, each (N,) by pair."""
    scored = np.isfinite(real) & np.isfinite(generated)
    enough = np.bincount(clusters.titles[scored], minlength=clusters.n_titles) >= MIN_PAIRS
    few = ~enough[clusters.titles]
    return estimated(
        "frequency_spearman", (np.where(few, np.nan, real), generated, frequency), clusters, _trend, seed, replicates
    )


def _trend(clusters: Clusters, real: Floats, generated: Floats, frequency: Floats) -> Statistic:
    often_T = np.zeros(clusters.n_titles)
    often_T[clusters.titles] = frequency
    x, y = standardised(real), standardised(generated)
    sums = title_sums(clusters, np.ones_like(x), x, y, x * x, y * y, x * y)

    def compute(counts: Counts) -> Floats:
        weight_TB, *rest = sums(counts)
        # a single student, drawn again and again, has no correlation
        w_TB = np.where(weight_TB > 2, weight_TB, np.nan)
        r_TB = r_of_sums(w_TB, *rest)
        return np.array([_spearman(often_T, r_T, n_T) for r_T, n_T in zip(r_TB.T, counts.titles.T, strict=True)])

    return compute


def _spearman(often_T: Floats, r_T: Floats, count_T: Floats) -> float:
    known = np.flatnonzero(np.isfinite(r_T) & (count_T > 0))
    drawn = np.repeat(known, count_T[known].astype(int))
    if len(known) < MIN_TITLES or np.ptp(often_T[drawn]) == 0 or np.ptp(r_T[drawn]) == 0:
        return float("nan")
    ranks = stats.rankdata(often_T[drawn]), stats.rankdata(r_T[drawn])
    return float(np.corrcoef(*ranks)[0, 1])
