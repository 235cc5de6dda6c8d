"""Intervals for statistics that must not see a student twice: the grouped jackknife.

A bootstrap draws some students several times; a similarity of representations, or a variance in components, then takes
copies for structure. The jackknife leaves students out instead: they are dealt into groups, and the statistic is
computed without each group in turn. In: a statistic of those kept, the students. Out: standard error, an interval and p
by t with one degree of freedom fewer than groups. It suits smooth statistics, not quantiles; not guaranteed: that the
few-group interval holds its level where one student dominates.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from redraft.metrics.agreement import Estimate
from redraft.metrics.bootstrap import MIN_CLUSTERS

Floats = NDArray[np.float64]

GROUPS = 20


class Jackknife(NamedTuple):
    """Statistics of all students, and without each group of them in turn."""

    values: Floats
    without: Floats
    """(groups, ...): of the statistics' shape; no groups if students are too few."""

    def error(self, pick: Callable[[Floats], float]) -> float:
        """Standard error of what `pick` makes of the statistics; nan without groups, or if undefined without one."""
        groups = len(self.without)
        if not groups:
            return float("nan")
        picked = np.array([pick(values) for values in self.without])
        return float(np.sqrt((groups - 1) / groups * ((picked - picked.mean()) ** 2).sum()))


def jackknife(
    statistics: Callable[[NDArray[np.bool_]], Floats], students: Sequence[str], *, seed: int, groups: int = GROUPS
) -> Jackknife:
    """Statistics with standard errors.

    Args:
        statistics: Given which observations (N,) are kept, an array of values, always of one shape.
        students: Whose each observation (N,) is.
        seed: Deals the students into groups of equal size, as nearly as may be.
        groups: How many groups; fewer if there are fewer students. Below 10 students there is no error.
    """
    codes_N = np.unique(np.asarray(students, dtype=str), return_inverse=True)[1]
    n_students = int(codes_N.max(initial=-1)) + 1
    values = statistics(np.ones(len(codes_N), np.bool_))
    if n_students < MIN_CLUSTERS:
        return Jackknife(values, np.empty((0, *values.shape)))
    groups = min(groups, n_students)
    group_N = (np.random.default_rng(seed).permutation(n_students) % groups)[codes_N]
    return Jackknife(values, np.stack([statistics(group_N != group) for group in range(groups)]))


def estimate(
    found: Jackknife, pick: Callable[[Floats], float], *, students: Sequence[str], titles: Sequence[str], seed: int,
    statistic: str = "value",
) -> Estimate:  # fmt: skip
    """What `pick` makes of the statistics (one of them, or a difference of two), as an estimate."""
    n_students, value, error = len(set(students)), pick(found.values), found.error(pick)
    base = Estimate(statistic=statistic, value=None, n=len(students), n_students=n_students, n_titles=len(set(titles)))
    if not np.isfinite(value):
        return replace(base, reason="undefined: a side doesn't vary, or there are too few inputs")
    if not np.isfinite(error):
        few = f"no interval: fewer than {MIN_CLUSTERS} students" if n_students < MIN_CLUSTERS else "no interval"
        return replace(base, value=float(value), reason=few)
    degrees = len(found.without) - 1
    half, half_90 = (float(stats.t.ppf(level, degrees)) * error for level in (0.975, 0.95))
    p = 2 * float(stats.t.sf(abs(value) / error, degrees)) if error > 0 else float(value == 0)
    return replace(
        base, value=float(value), low=value - half, high=value + half, low_90=value - half_90, high_90=value + half_90,
        p=p, se=float(error), clusters="student", test=f"student jackknife ({len(found.without)} groups)", seed=seed,
    )  # fmt: skip
