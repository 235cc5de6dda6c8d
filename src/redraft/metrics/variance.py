"""How much of a metric is the student's, how much the title's: shares of variance by crossed random effects.

The model is y = mean + student + title + rest, one value a (student, title) pair, the effects of mean 0 and of any
distribution. In: values of pairs, nan where unscored, and their `Clusters`. Out: `Share`s with 95% intervals.

Variances are estimated by moments: sums of squares within students, within titles and in all are set equal to what
they are on average (Gao and Owen 2017, 'Efficient moment calculations for variance components in large unbalanced
crossed random effects models'). That is unbiased whatever the distributions, takes time in proportion to the pairs, and
where every student did every title it is the analysis of variance, and so REML. A variance below 0 counts as 0.

Intervals come from a jackknife over students and one over titles, each leaving out one of up to `GROUPS` groups of
whole clusters; the two variances add up, and t has Satterthwaite's degrees of freedom. No bootstrap: a student
drawn twice looks like less chance within students. Shares are taken as logits, except next to 0 or 1, where a logit
runs away. Not guaranteed: exact coverage (docs/validity.md has the measured one); titles' share needs many titles.

Axes: G groups left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from redraft.metrics.bootstrap import MIN_CLUSTERS, Clusters, Floats

EDGE = 0.02
"""Shares nearer to 0 or 1 than this, whole or with a group left out, are not taken as logits."""
GROUPS = 50
"""Groups of clusters that are left out one at a time; fewer clusters than that are left out singly."""
SHARES = ("student", "title", "residual", "student_within_title")
"""Shares of the variance; the last one is student / (student + residual): what is left when titles are known."""


@dataclass(frozen=True, kw_only=True)
class Share:
    """A share of a metric's variance."""

    name: str
    """One of `SHARES`."""
    value: float | None
    """0 to 1; None: unscored."""
    low: float | None = None
    """Lower end of the 95% interval."""
    high: float | None = None
    """Upper end."""
    n: int
    """Pairs scored."""
    n_students: int
    """Students among them."""
    n_titles: int
    """Titles among them."""
    unscored: int
    """Pairs left out."""
    reason: str | None = None
    """Why it is unscored or has no interval."""


class Components(NamedTuple):
    """Estimated variances, each (G,), not cut off at 0."""

    student: Floats
    title: Floats
    residual: Floats

    @property
    def shares(self) -> Floats:
        """(4, G) in the order of `SHARES`; below 0 or above 1 where a variance is below 0; nan or infinite without."""
        student, title, residual = self
        with np.errstate(invalid="ignore", divide="ignore"):
            total = student + title + residual
            return np.stack([student / total, title / total, residual / total, student / (student + residual)])

    @property
    def cut_off(self) -> Components:
        """With 0 for variances below 0."""
        return Components(*(np.maximum(part, 0) for part in self))


def shares(values: Floats, clusters: Clusters, *, seed: int = 0) -> list[Share]:
    """The shares of `SHARES`, in order.

    Args:
        values: (N,), nan where unscored, one per pair: average a pair's traces before.
        clusters: The pairs' students and titles.
        seed: Of the groups that are left out.
    """
    scored = np.isfinite(values)
    kept, y = clusters.select(scored), values[scored].astype(np.float64)
    students, titles, n = kept.n_students, kept.n_titles, len(kept)

    def made(name: str, value: float | None, ends: tuple[float, float] | None = None, why: str | None = None) -> Share:
        low, high = ends or (None, None)
        return Share(name=name, value=value, low=low, high=high, n=n, n_students=students, n_titles=titles,
                     unscored=int((~scored).sum()), reason=why)  # fmt: skip

    why = _undefined(y, kept)
    if why:
        return [made(name, None, why=why) for name in SHARES]
    y = (y - y.mean()) / y.std()
    found = components(y, kept.students, kept.titles)
    whole, raw = found.cut_off.shares[:, 0], found.shares[:, 0]
    if min(students, titles) < MIN_CLUSTERS:
        why = f"no interval: fewer than {MIN_CLUSTERS} students or titles"
        return [made(name, float(value), why=why) for name, value in zip(SHARES, whole, strict=True)]
    student_rng, title_rng = (np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(2))
    left_out = components(y, kept.students, kept.titles, _groups(students, student_rng))
    swapped = components(y, kept.titles, kept.students, _groups(titles, title_rng))
    sides = (left_out.shares, Components(swapped.title, swapped.student, swapped.residual).shares)
    estimates = []
    for i, (name, value) in enumerate(zip(SHARES, whole, strict=True)):
        ends = _interval(float(value), float(raw[i]), [side[i] for side in sides])
        why = None if ends else "no interval: undefined without some of the students or titles"
        estimates.append(made(name, float(value) if np.isfinite(value) else None, ends, why))
    return estimates


def components(
    y: Floats, own: NDArray[np.int64], other: NDArray[np.int64], groups: NDArray[np.int64] | None = None
) -> Components:
    """Moment estimates of the variances; of all pairs, or without each group of `own` clusters in turn.

    Args:
        y: (N,) values, roughly centred.
        own: (N,) codes of the clusters that are called students in the result.
        other: (N,) codes of those called titles.
        groups: The group, 0 .. G - 1, of each own cluster; None: leave out nothing, G = 1.
    """
    n_own, n_other = int(own.max()) + 1, int(other.max()) + 1
    left_out = 1 if groups is None else int(groups.max()) + 1
    # Without groups every cluster is in one beyond the last, and the only column leaves out nothing.
    groups = np.full(n_own, left_out) if groups is None else groups
    group, cells = groups[own], left_out * n_other

    def kept(values: Floats, place: NDArray[np.int64]) -> Floats:
        """(G,) sums of values that stand in the groups `place`."""
        of_group = np.bincount(place, values, minlength=left_out)[:left_out]
        return np.asarray(values.sum() - of_group, np.float64)

    def kept_other(values: Floats) -> Floats:
        """(G, other clusters) sums over the pairs of each."""
        of_group = np.bincount(group * n_other + other, values, minlength=cells)[:cells].reshape(left_out, n_other)
        return np.asarray(np.bincount(other, values, minlength=n_other) - of_group, np.float64)

    ones = np.ones_like(y)
    count_own, sum_own = np.bincount(own).astype(float), np.bincount(own, y)
    n, total, squares = kept(ones, group), kept(y, group), kept(y * y, group)
    count_other, sum_other = kept_other(ones), kept_other(y)
    within_own = squares - kept(sum_own**2 / count_own, groups)
    explained = np.divide(sum_other**2, count_other, out=np.zeros_like(sum_other), where=count_other > 0).sum(1)
    within_other, overall = squares - explained, squares - total**2 / n
    degrees_own, degrees_other = n - kept(np.ones(n_own), groups), n - (count_other > 0).sum(1)
    # Expected: within own = (title + residual) degrees_own, within other = (student + residual) degrees_other,
    # overall = student (n - own) + title (n - other) + residual (n - 1)
    own_2, other_2 = kept(count_own**2, groups) / n, (count_other**2).sum(1) / n
    with np.errstate(invalid="ignore", divide="ignore"):
        title_rest, student_rest = within_own / degrees_own, within_other / degrees_other
        excess = student_rest * (n - own_2) + title_rest * (n - other_2) - overall
        residual = excess / (n - own_2 - other_2 + 1)
    return Components(student_rest - residual, title_rest - residual, residual)


def _undefined(y: Floats, clusters: Clusters) -> str | None:
    """Why students, titles and the rest can't be told apart, if so."""
    if not len(y):
        return "no pair is scored"
    if np.ptp(y) <= 1e-9 * np.abs(y).max():
        return "constant"
    if min(clusters.n_students, clusters.n_titles) < 2:
        return "needs at least two students and two titles"
    if len(y) in (clusters.n_students, clusters.n_titles):
        return "every student has one title, or every title one student"
    whole = components((y - y.mean()) / y.std(), clusters.students, clusters.titles)
    return None if np.isfinite(whole.cut_off.shares[:3, 0]).all() else "students and titles can't be told apart"


def _groups(size: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """A random group for each cluster, of sizes as equal as can be."""
    return rng.permutation(np.arange(size) % min(size, GROUPS))


def _interval(value: float, raw: float, sides: list[Floats]) -> tuple[float, float] | None:
    """95% interval about the share `raw`, which may be below 0, from those without each group of either side."""
    if not np.isfinite([value, raw]).all() or not all(np.isfinite(side).all() for side in sides):
        return None
    inner = min(raw, 1 - raw, *(min(side.min(), 1 - side.max()) for side in sides)) > EDGE
    scale, back = (special.logit, special.expit) if inner else (np.asarray, np.asarray)
    parts = []
    for side in sides:
        scaled, groups = scale(side), len(side)
        parts.append((float((groups - 1) / groups * ((scaled - scaled.mean()) ** 2).sum()), groups - 1))
    variance = sum(part for part, _ in parts)
    if variance == 0:
        return value, value
    degrees = variance**2 / sum(part**2 / own for part, own in parts)
    reach = special.stdtrit(degrees, 0.975) * np.sqrt(variance)
    low, high = (float(np.clip(back(scale(raw) + sign * reach), 0, 1)) for sign in (-1, 1))
    return min(low, value), max(high, value)
