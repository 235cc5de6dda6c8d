"""How well generated values agree with real ones, by pair: correlations, means, contrasts, with honest intervals.

In: arrays with one value a (student, title) pair, nan where unscored, and the pairs' `Clusters`. Out: `Estimate`s.
Everything here is a statement about the pairs that score on all its arrays; the others are counted in `unscored`.

    clusters = Clusters.of(pairs["student"].to_pylist(), pairs["title"].to_pylist())
    correlation("within_r", real, generated, clusters, seed=1)        # one model
    correlation_contrast("within_r", real, a, b, clusters, seed=1)    # r of model a - r of model b
    mean(bleu, clusters, seed=1); mean_contrast(bleu_a, bleu_b, clusters, seed=1)
    holm([estimate.p for estimate in family])

Statistics of `CORRELATIONS`, all Pearson's: `pooled_r` over pairs; `between_r` over titles, of title means; `within_r`
over pairs after both sides are centred on their title means, which alone speaks of students rather than titles. Each
is unscored, never nan, where a side is constant: so the within-title r of a prediction that knows the title only.
Not guaranteed: that an interval holds its value. Drawn anew, title means are noisier than observed ones, so the
interval of `between_r` tends to lie low.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import sparse

from redraft.metrics.bootstrap import MIN_CLUSTERS, REPLICATES, Clusters, Counts, Floats, Statistic, bootstrap

TO_ONE = ("BLEU, 0 to 1", "cosine", "1 or 0")
"""Units, beside shares, of what lies between 0 and 1."""
POWER = 2.8
"""Standard errors that are detected with 80% power at a two-sided .05."""

_TINY = 1e-9
"""Relative to the values' size: less spread than this is rounding, and counts as constant."""


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A statistic with its uncertainty."""

    statistic: str
    """pooled_r, within_r, between_r, mean, or one of these + `_difference`."""
    value: float | None
    """None: unscored; `reason` says why."""
    low: float | None = None
    """Lower end of the 95% percentile interval; None without one."""
    high: float | None = None
    """Upper end."""
    low_90: float | None = None
    """Lower end of the 90% interval: two one-sided tests at .05 reject a margin outside it."""
    high_90: float | None = None
    """Upper end."""
    p: float | None = None
    """Two-sided, of the value being 0."""
    se: float | None = None
    """Bootstrap standard error."""
    effect_size: float | None = None
    """d_z of a mean difference: its mean over its standard deviation across pairs."""
    n: int
    """Pairs scored."""
    n_students: int
    """Students among them."""
    n_titles: int
    """Titles among them."""
    unscored: int = 0
    """Pairs left out."""
    clusters: str | None = None
    """What was resampled: `student+title`, `student (conditional)`, `title (conditional)`; None: no interval."""
    seed: int | None = None
    """Seed of the resampling."""
    test: str = "crossed bootstrap"
    """Where interval and p come from."""
    reason: str | None = None
    """Why it is unscored or has no interval."""

    @property
    def smallest_detectable(self) -> float | None:
        """The effect detectable with 80% power: 2.8 standard errors."""
        return None if self.se is None else POWER * self.se

    @property
    def columns(self) -> dict[str, Any]:
        """What a results row takes over as it is."""
        shared = (
            "statistic", "value", "low", "high", "low_90", "high_90", "effect_size", "n", "n_students", "n_titles",
            "unscored", "p", "clusters", "smallest_detectable", "seed", "reason",
        )  # fmt: skip
        return {name: getattr(self, name) for name in shared} | {"test": None if self.p is None else self.test}

    def within(self, least: float, most: float) -> Estimate:
        """The same with the ends of its intervals inside what it can be: widened replicates may lie beyond.

        A value lies between `least` and `most`; a difference of two, within the distance of these from zero.
        """
        if "difference" in self.statistic:
            least, most = least - most, most - least
        ends = {end: getattr(self, end) for end in ("low", "high", "low_90", "high_90")}
        inside: dict[str, Any] = {
            end: min(max(value, least), most) for end, value in ends.items() if value is not None
        }  # fmt: skip
        return replace(self, **inside)

    def in_unit(self, unit: str) -> Estimate:
        """The same with the ends of its intervals inside what it can be in this unit."""
        if unit != "r" and unit not in TO_ONE and not unit.startswith("share"):
            return self
        return self.within(-1 if unit == "r" else 0, 1)


def correlation(
    statistic: str, real: Floats, generated: Floats, clusters: Clusters, *, seed: int = 0, replicates: int = REPLICATES
) -> Estimate:
    """A correlation of `CORRELATIONS` between real and generated values, (N,) each."""
    return estimated(
        statistic, (real, generated), clusters, lambda c, x, y: CORRELATIONS[statistic](x, y, c), seed, replicates
    )


def correlation_contrast(
    statistic: str,
    real: Floats,
    a: Floats,
    b: Floats,
    clusters: Clusters,
    *,
    seed: int = 0,
    replicates: int = REPLICATES,
) -> Estimate:
    """The difference r of `a` - r of `b`, both with `real`, on the pairs both score and with the same draws."""

    def difference(clusters: Clusters, x: Floats, y_a: Floats, y_b: Floats) -> Statistic:
        r_a, r_b = (CORRELATIONS[statistic](x, y, clusters) for y in (y_a, y_b))
        return lambda counts: r_a(counts) - r_b(counts)

    return estimated(f"{statistic}_difference", (real, a, b), clusters, difference, seed, replicates)


def mean(values: Floats, clusters: Clusters, *, seed: int = 0, replicates: int = REPLICATES) -> Estimate:
    """The mean over pairs of `values`, (N,)."""
    return estimated("mean", (values,), clusters, _mean, seed, replicates)


def mean_contrast(a: Floats, b: Floats, clusters: Clusters, *, seed: int = 0, replicates: int = REPLICATES) -> Estimate:
    """The mean paired difference a - b over the pairs both score, with d_z."""
    found = estimated("mean_difference", (a, b), clusters, lambda c, x, y: _mean(c, x - y), seed, replicates)
    scored = np.isfinite(a) & np.isfinite(b)
    difference = (a - b)[scored]
    if found.value is None or len(difference) < 2 or _constant(difference):
        return found
    return replace(found, effect_size=float(difference.mean() / difference.std(ddof=1)))


def holm(ps: Sequence[float | None]) -> list[float | None]:
    """Holm's adjusted p values, in the order given; None stays None and isn't counted."""
    known = sorted((p, index) for index, p in enumerate(ps) if p is not None)
    adjusted: list[float | None] = [None] * len(ps)
    largest = 0.0
    for rank, (p, index) in enumerate(known):
        largest = max(largest, min(1.0, p * (len(known) - rank)))
        adjusted[index] = largest
    return adjusted


def estimated(
    statistic: str,
    columns: tuple[Floats, ...],
    clusters: Clusters,
    make: Callable[..., Statistic],
    seed: int,
    replicates: int,
) -> Estimate:
    """Drop the pairs that any column leaves unscored, then estimate `make(clusters, *columns)` on the rest."""
    scored = np.logical_and.reduce([np.isfinite(column) for column in columns])
    kept = clusters.select(scored)
    estimate = Estimate(
        statistic=statistic,
        value=None,
        n=len(kept),
        n_students=kept.n_students,
        n_titles=kept.n_titles,
        unscored=int((~scored).sum()),
        seed=seed,
    )
    if not len(kept):
        return replace(estimate, reason="no pair is scored")
    compute = make(kept, *(column[scored].astype(np.float64) for column in columns))
    value = float(compute(kept.once)[0])
    if not np.isfinite(value):
        return replace(estimate, reason="undefined: a side is constant, or there are too few pairs")
    if kept.resampled is None:
        few = f"no interval: fewer than {MIN_CLUSTERS} students and fewer than {MIN_CLUSTERS} titles"
        return replace(estimate, value=value, reason=few)
    drawn = bootstrap(compute, kept, seed=seed, replicates=replicates)
    if not drawn.scored:
        return replace(estimate, clusters=kept.resampled, reason=f"undefined in {drawn.undefined} replicates")
    (low, high), (low_90, high_90) = (_within_bounds(statistic, drawn.percentiles(level)) for level in (0.95, 0.9))
    return replace(
        estimate, value=value, low=low, high=high, low_90=low_90, high_90=high_90, p=drawn.p, se=drawn.se,
        clusters=kept.resampled,
    )  # fmt: skip


def _within_bounds(statistic: str, interval: tuple[float, float]) -> tuple[float, float]:
    """A widened interval of a correlation ends at -1 and 1."""
    bound = 1.0 if statistic in CORRELATIONS or statistic.startswith("spearman") else np.inf
    return max(interval[0], -bound), min(interval[1], bound)


def _constant(values: Floats) -> bool:
    return bool(np.ptp(values) <= _TINY * np.abs(values).max())


def standardised(values: Floats) -> Floats:
    """Mean 0 and mean square 1; nan if constant."""
    if _constant(values):
        return np.full(len(values), np.nan)
    centred = values - values.mean()
    scaled: Floats = centred / np.sqrt((centred**2).mean())
    return scaled


def title_sums(clusters: Clusters, *values: Floats) -> Callable[[Counts], list[Floats]]:
    """A function giving, under student counts, the sum over each title of each column of values: (T, B) each.

    All statistics are made of these: one sparse product replaces a weight for every pair and replicate.
    """
    shape = (clusters.n_titles, clusters.n_students)
    matrices = [sparse.csr_array((column, (clusters.titles, clusters.students)), shape=shape) for column in values]
    return lambda counts: [np.asarray(matrix @ counts.students) for matrix in matrices]


def _mean(clusters: Clusters, values: Floats) -> Statistic:
    sums = title_sums(clusters, np.ones_like(values), values)

    def compute(counts: Counts) -> Floats:
        weight_TB, sum_TB = sums(counts)
        weight_B = (counts.titles * weight_TB).sum(0)
        total_B = (counts.titles * sum_TB).sum(0)
        mean_B: Floats = np.divide(total_B, weight_B, out=np.full(len(weight_B), np.nan), where=weight_B > 0)
        return mean_B

    return compute


Moments = tuple[Floats, Floats, Floats, Floats, Floats, Floats]
"""Weighted sums of 1, x, y, x^2, y^2 and xy."""


def r_of_sums(w: Floats, x: Floats, y: Floats, xx: Floats, yy: Floats, xy: Floats) -> Floats:
    """Pearson's r from weighted sums of roughly standardised values, nan where a side doesn't vary."""
    with np.errstate(divide="ignore", invalid="ignore"):
        var_x, var_y = xx - x * x / w, yy - y * y / w
        # both bounds are far above rounding and far below any spread that means something
        varies = (var_x > 1e-12 * xx + _TINY**2 * w) & (var_y > 1e-12 * yy + _TINY**2 * w)
        r = (xy - x * y / w) / np.sqrt(var_x * var_y)
    return np.where(varies, np.clip(r, -1, 1), np.nan)


def _correlation(x: Floats, y: Floats, clusters: Clusters, reduce: Callable[[Floats, Moments], Floats]) -> Statistic:
    """The r that `reduce` makes of title counts and the titles' moments."""
    if len(x) < 3 or _constant(x) or _constant(y):
        return lambda counts: np.full(counts.titles.shape[1], np.nan)
    sums = title_sums(clusters, np.ones_like(x), x, y, x * x, y * y, x * y)

    def compute(counts: Counts) -> Floats:
        w, mx, my, mxx, myy, mxy = sums(counts)
        return reduce(counts.titles, (w, mx, my, mxx, myy, mxy))

    return compute


def _pooled(x: Floats, y: Floats, clusters: Clusters) -> Statistic:
    def reduce(titles_TB: Floats, moments: Moments) -> Floats:
        return r_of_sums(*((titles_TB * moment).sum(0) for moment in moments))

    return _correlation(standardised(x), standardised(y), clusters, reduce)


def _between(x: Floats, y: Floats, clusters: Clusters) -> Statistic:
    def reduce(titles_TB: Floats, moments: Moments) -> Floats:
        w, sx, sy = moments[:3]
        x_TB, y_TB = (np.divide(s, w, out=np.zeros_like(s), where=w > 0) for s in (sx, sy))
        count_TB = titles_TB * (w > 0)
        columns = (np.ones_like(x_TB), x_TB, y_TB, x_TB**2, y_TB**2, x_TB * y_TB)
        return r_of_sums(*((count_TB * column).sum(0) for column in columns))

    return _correlation(standardised(x), standardised(y), clusters, reduce)


def _within(x: Floats, y: Floats, clusters: Clusters) -> Statistic:
    def reduce(titles_TB: Floats, moments: Moments) -> Floats:
        w, sx, sy, sxx, syy, sxy = moments
        inverse = np.divide(1.0, w, out=np.zeros_like(w), where=w > 0)
        centred = (sxx - sx * sx * inverse, syy - sy * sy * inverse, sxy - sx * sy * inverse)
        zero = np.zeros(w.shape[1])
        weight = (titles_TB * w).sum(0)
        return r_of_sums(weight, zero, zero, *((titles_TB * moment).sum(0) for moment in centred))

    return _correlation(centred(x, clusters), centred(y, clusters), clusters, reduce)


def centred(values: Floats, clusters: Clusters) -> Floats:
    """Residuals from title means, on the scale of their own spread; all 0 where only rounding is left."""
    means = np.bincount(clusters.titles, values) / np.bincount(clusters.titles)
    residuals: Floats = values - means[clusters.titles]
    spread = np.sqrt((residuals**2).mean())
    return residuals / spread if spread > _TINY * np.abs(values).max() else np.zeros_like(values)


CORRELATIONS: dict[str, Callable[[Floats, Floats, Clusters], Statistic]] = {
    "pooled_r": _pooled,
    "between_r": _between,
    "within_r": _within,
}
"""Name -> the statistic of two (N,) columns."""
