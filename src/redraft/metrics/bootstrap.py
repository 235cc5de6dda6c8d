"""The crossed-cluster bootstrap: intervals for pairs that share students and titles.

Pairs are not independent: one student's pairs resemble each other, and so do one title's. Each replicate draws
students and titles separately, with replacement; a pair weighs the product of its student's and its title's counts.
In: a statistic that can be computed under such counts, and the pairs' clusters. Out: its replicates, from which the
interval (percentiles), p and the standard error are read. Below `MIN_CLUSTERS` on one side only the other is
resampled ('conditional': it speaks of those very students or titles), below it on both there is no interval.

Few clusters vary less among themselves than the many they stand for, and percentiles know nothing of that: with 20
students on 10 titles the plain bootstrap rejects 8.7% of true nulls at .05. So replicates are widened about their mean
as Hesterberg's expanded percentile interval is ('What teachers should know about the bootstrap', 2015, section 4.2):
by sqrt(n / (n - 1)) and t over z, with Satterthwaite's degrees of freedom from what each side contributes. With 200
clusters that is 1%. Not guaranteed: exact coverage; docs/validity.md has a table over designs. Where pairs differ by
chance alone, neither by student nor by title, the crossed bootstrap is far too cautious: it counts chance three times.

Axes: S students, T titles, B replicates of a chunk, N pairs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

Floats = NDArray[np.float64]

REPLICATES = 2000
MIN_CLUSTERS = 10
MAX_UNDEFINED = 0.05
"""A statistic with a larger share of undefined replicates is unscored."""

SIDE_REPLICATES = 200
"""Replicates of each side alone, which say how much it contributes to the variance."""

_CHUNK_CELLS = 2_000_000
"""Counts held at a time: bounds the memory of one statistic to about 200 MB."""


class Counts(NamedTuple):
    """How often each cluster was drawn in each replicate."""

    students: Floats
    """(S, B)"""
    titles: Floats
    """(T, B)"""


Statistic = Callable[[Counts], Floats]
"""Maps counts to one value a replicate, nan where it is undefined."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Clusters:
    """Which student and which title each pair belongs to."""

    students: NDArray[np.int64]
    """(N,) codes 0..S-1, each used."""
    titles: NDArray[np.int64]
    """(N,) codes 0..T-1, each used."""

    @classmethod
    def of(cls, students: Sequence[str], titles: Sequence[str]) -> Clusters:
        """From the pairs' ids."""
        return cls(
            students=np.unique(np.asarray(students, dtype=object).astype(str), return_inverse=True)[1],
            titles=np.unique(np.asarray(titles, dtype=object).astype(str), return_inverse=True)[1],
        )

    def __len__(self) -> int:
        return len(self.students)

    @property
    def n_students(self) -> int:
        """Number of distinct students."""
        return int(self.students.max()) + 1 if len(self) else 0

    @property
    def n_titles(self) -> int:
        """Number of distinct titles."""
        return int(self.titles.max()) + 1 if len(self) else 0

    def select(self, keep: NDArray[np.bool_]) -> Clusters:
        """The clusters of the pairs kept, coded anew: students and titles without a pair are not resampled."""
        return Clusters(
            students=np.unique(self.students[keep], return_inverse=True)[1],
            titles=np.unique(self.titles[keep], return_inverse=True)[1],
        )

    @property
    def resampled(self) -> str | None:
        """What is resampled: `student+title`, one of them `(conditional)`, or None: too few of both."""
        many_students, many_titles = self.n_students >= MIN_CLUSTERS, self.n_titles >= MIN_CLUSTERS
        if many_students and many_titles:
            return "student+title"
        if many_students or many_titles:
            return "student (conditional)" if many_students else "title (conditional)"
        return None

    @property
    def once(self) -> Counts:
        """Every cluster drawn once: the counts under which a statistic has its observed value."""
        return Counts(np.ones((self.n_students, 1)), np.ones((self.n_titles, 1)))


class Replicates(NamedTuple):
    """A statistic's bootstrap distribution."""

    values: Floats
    """The defined replicates."""
    undefined: int
    """How many were undefined."""
    widened: float = 1.0
    """By what factor the values were moved away from their mean, for the fewness of clusters."""

    @property
    def scored(self) -> bool:
        """Whether few enough are undefined."""
        return self.undefined <= MAX_UNDEFINED * (len(self.values) + self.undefined)

    @property
    def interval(self) -> tuple[float, float]:
        """The 95% percentile interval."""
        return self.percentiles(0.95)

    def percentiles(self, level: float) -> tuple[float, float]:
        """The percentile interval at a level between 0 and 1."""
        low, high = np.quantile(self.values, ((1 - level) / 2, (1 + level) / 2))
        return float(low), float(high)

    @property
    def p(self) -> float:
        """Two-sided p of the value being 0: min(1, 2 (1 + min(#<=0, #>=0)) / (B + 1))."""
        tail = min(int((self.values <= 0).sum()), int((self.values >= 0).sum()))
        return min(1.0, 2 * (1 + tail) / (len(self.values) + 1))

    @property
    def se(self) -> float:
        """Standard deviation of the replicates."""
        return float(self.values.std(ddof=1))


def bootstrap(
    statistic: Statistic, clusters: Clusters, *, seed: int = 0, replicates: int = REPLICATES, widen: bool = True
) -> Replicates:
    """Replicates of `statistic`; the same clusters and seed give the same draws, whatever the statistic.

    Args:
        statistic: Maps counts to values.
        clusters: Of the pairs it is computed from.
        seed: Of the draws.
        replicates: How many.
        widen: Make up for the fewness of clusters; without, they are those of the plain crossed bootstrap.

    Raises:
        ValueError: There are too few clusters on both sides (`clusters.resampled` is None).
    """
    if clusters.resampled is None:
        raise ValueError("too few clusters")
    values = np.concatenate([statistic(counts) for counts in draws(clusters, seed, replicates)])
    defined = values[np.isfinite(values)]
    factor = _widening(statistic, clusters, seed, min(SIDE_REPLICATES, replicates)) if widen and len(defined) else 1.0
    if factor != 1:
        defined = defined.mean() + factor * (defined - defined.mean())
    return Replicates(defined, len(values) - len(defined), factor)


def _widening(statistic: Statistic, clusters: Clusters, seed: int, replicates: int) -> float:
    """How much wider the replicates would be for as many clusters as there are: 1 for very many."""
    resampled = clusters.resampled or ""
    drawn = list(draws(clusters, seed, replicates))
    plain, corrected, per_degree = 0.0, 0.0, 0.0
    for side, size in (("student", clusters.n_students), ("title", clusters.n_titles)):
        if side not in resampled:
            continue
        alone = (
            Counts(c.students, np.ones_like(c.titles)) if side == "student"
            else Counts(np.ones_like(c.students), c.titles)
            for c in drawn
        )  # fmt: skip
        values = np.concatenate([statistic(counts) for counts in alone])
        values = values[np.isfinite(values)]
        variance = float(values.var(ddof=1)) if len(values) > 1 else 0.0
        unbiased = variance * size / (size - 1)
        plain, corrected, per_degree = plain + variance, corrected + unbiased, per_degree + unbiased**2 / (size - 1)
    if per_degree == 0:
        return 1.0
    degrees = corrected**2 / per_degree
    return float(special.stdtrit(degrees, 0.975) / special.ndtri(0.975) * np.sqrt(corrected / plain))


def draws(clusters: Clusters, seed: int, replicates: int) -> Iterator[Counts]:
    """The counts of all replicates, in chunks of bounded memory."""
    resampled = clusters.resampled or ""
    student_rng, title_rng = (np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(2))
    chunk = max(1, _CHUNK_CELLS // max(clusters.n_students + clusters.n_titles, 1))
    for start in range(0, replicates, chunk):
        size = min(chunk, replicates - start)
        yield Counts(
            _draw(clusters.n_students, size, student_rng if "student" in resampled else None),
            _draw(clusters.n_titles, size, title_rng if "title" in resampled else None),
        )


def _draw(clusters: int, size: int, rng: np.random.Generator | None) -> Floats:
    """(clusters, size) counts of `clusters` draws with replacement; all 1 without a generator."""
    if rng is None:
        return np.ones((clusters, size))
    drawn = rng.integers(0, clusters, size=(size, clusters)) + clusters * np.arange(size)[:, None]
    counts_BC = np.bincount(drawn.ravel(), minlength=clusters * size).reshape(size, clusters)
    return np.ascontiguousarray(counts_BC.T, dtype=np.float64)
