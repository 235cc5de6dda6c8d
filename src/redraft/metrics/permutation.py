"""Permutation tests that move whole clusters: students (or titles) keep their values and exchange what they are called.

Under the null a student's label (subgroup, vector, target) has nothing to do with the student's values, so every
reassignment of labels to students is as likely as the one observed. In: statistics that can be computed under such
reassignments. Out: for each its p, and its p corrected for all of them by the largest of the standardised statistics
(Westfall and Young 1993, single step), which takes into account how they hang together. With up to `EXACT` clusters
all reassignments are tried and the test is exact; with more a seeded sample, the observed one included, and the test is
still valid. Not guaranteed: a test of any null but exchangeability. If groups differ in spread, that is found, too.

Axes: C clusters, P reassignments, K statistics.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations as all_orders
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from redraft.metrics.bootstrap import MAX_UNDEFINED, Floats

PERMUTATIONS = 2000
EXACT = 6
"""Up to so many clusters all reassignments are tried (720)."""

Orders = NDArray[np.int64]
"""(C, P): in reassignment p cluster c takes the label of cluster orders[c, p]; the first column changes nothing."""


class Permuted(NamedTuple):
    """What came out for each of K statistics; nan where a statistic is undefined."""

    observed: Floats
    """(K,) values under the labels as they are."""
    expected: Floats
    """(K,) mean over the reassignments."""
    spread: Floats
    """(K,) standard deviation over the reassignments."""
    p: Floats
    """(K,) share of the reassignments that are at least as extreme."""
    p_adjusted: Floats
    """(K,) share in which the most extreme of all K statistics is at least as extreme."""
    exact: bool
    """Whether all reassignments were tried."""


def permutation_test(
    statistics: Callable[[Orders], Floats], clusters: int, *, permutations: int = PERMUTATIONS, seed: int = 0,
    two_sided: bool = True,
) -> Permuted:  # fmt: skip
    """Test statistics against all ways (or a sample of ways) to exchange the clusters' labels.

    Args:
        statistics: Maps orders, (C, P), to values, (K, P); nan where undefined.
        clusters: How many clusters there are.
        permutations: Size of the sample, the observed labels included, if there are more than `EXACT` clusters.
        seed: Of the sample.
        two_sided: Extreme is what is far from the mean over the reassignments; else only what is above it.
    """
    orders, exact = _orders(clusters, permutations, seed)
    values = statistics(orders)
    defined = np.isfinite(values)
    usable = defined[:, 0] & (defined.mean(1) >= 1 - MAX_UNDEFINED)
    shown = np.where(defined & usable[:, None], values, np.nan)
    expected, spread, p, p_adjusted = (np.full(len(values), np.nan) for _ in range(4))
    if usable.any():
        expected[usable], spread[usable] = np.nanmean(shown[usable], 1), np.nanstd(shown[usable], 1)
        away = shown[usable] - expected[usable, None]
        distance = np.abs(away) if two_sided else away
        scale = np.where(spread[usable] > 0, spread[usable], 1.0)[:, None]
        # An undefined value might have been extreme; rounding must not tell equal ones apart.
        standard = np.where(np.isfinite(distance), distance / scale, np.inf)
        at_least = standard[:, :1] - 1e-9
        p[usable] = (standard >= at_least).mean(1)
        p_adjusted[usable] = (standard.max(0) >= at_least).mean(1)
    return Permuted(np.where(usable, values[:, 0], np.nan), expected, spread, p, p_adjusted, exact)


def _orders(clusters: int, permutations: int, seed: int) -> tuple[Orders, bool]:
    if clusters <= EXACT:
        return np.array(list(all_orders(range(clusters))), np.int64).reshape(-1, clusters).T, True
    rng = np.random.default_rng(seed)
    unchanged = np.tile(np.arange(clusters), (permutations, 1))
    drawn = rng.permuted(unchanged, axis=1)
    drawn[0] = unchanged[0]
    return drawn.T, False
