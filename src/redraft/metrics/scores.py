"""How good predictions of held-out rows are: F1, average precision, correlations, under any weights of students.

In: the truth and the predictions of some rows, and whose row is whose. Out: a `Statistic` of `metrics.bootstrap`:
it maps counts of students to a value a replicate, nan where it is undefined. With every student counted once it is
scikit-learn's (scipy's) value: a test says so.

    statistic = SCORES["f1"](truth, predicted, students)
    interval = bootstrap(statistic, by_student(students)).interval

Spearman's replicates correlate the ranks of the whole sample, weighted; they are not ranked anew.

Axes in names: N rows, S students, B replicates, C classes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse, stats

from redraft.metrics.agreement import Estimate
from redraft.metrics.bootstrap import MIN_CLUSTERS, REPLICATES, Clusters, Counts, Floats, Statistic, bootstrap
from redraft.metrics.folds import Codes

BY_STUDENT = "student"
"""What is resampled here."""
_CELLS = 4_000_000
"""Weights held at a time where each row needs its own."""
_TINY = 1e-9
"""Relative to the values' size: less spread than this is rounding, and counts as constant."""


def f1(truth: Floats, predicted: Floats, students: Codes) -> Statistic:
    """F1 of the positive class; `predicted` above 0 is positive. Undefined without a positive row."""
    is_positive, is_said = truth > 0, predicted > 0
    sums = _by_student(students, is_positive & is_said, is_positive, is_said)

    def compute(counts: Counts) -> Floats:
        hit_B, positive_B, said_B = _under(counts, sums)
        return np.where(positive_B > 0, 2 * hit_B / np.maximum(positive_B + said_B, 1e-300), np.nan)

    return compute


def macro_f1(truth: Floats, predicted: Floats, students: Codes) -> Statistic:
    """F1 of each class, averaged over the classes that there are; values are numbers of classes."""
    classes, codes = np.unique(np.concatenate([truth, predicted]), return_inverse=True)
    true_N, said_N = codes[: len(truth)], codes[len(truth) :]
    shape = (len(classes), int(students.max(initial=-1)) + 1)
    hit_N = true_N == said_N
    hit_CS, true_CS, said_CS = (
        sparse.csr_array((np.ones(len(code)), (code, whose)), shape=shape)
        for code, whose in ((true_N[hit_N], students[hit_N]), (true_N, students), (said_N, students))
    )

    def compute(counts: Counts) -> Floats:
        hit_CB, true_CB, said_CB = (_under(counts, matrix) for matrix in (hit_CS, true_CS, said_CS))
        each_CB = np.divide(2 * hit_CB, true_CB + said_CB, out=np.zeros_like(hit_CB), where=true_CB > 0)
        there_B = (true_CB > 0).sum(0)
        return np.where(there_B > 1, each_CB.sum(0) / np.maximum(there_B, 1), np.nan)

    return compute


def average_precision(truth: Floats, predicted: Floats, students: Codes) -> Statistic:
    """Mean precision over the recalls reached, at distinct predictions. Undefined unless both classes occur."""
    order = np.argsort(-predicted, kind="stable")
    positive_N, whose = (truth[order] > 0).astype(float), students[order]
    last = np.append(np.flatnonzero(np.diff(predicted[order])), len(order) - 1)
    varies = bool(len(truth)) and bool(positive_N.any()) and not bool(positive_N.all())

    def some(counts_SB: Floats) -> Floats:
        weight_NB = counts_SB[whose]
        all_NB = np.cumsum(weight_NB, 0)[last]
        hit_NB = np.cumsum(weight_NB * positive_N[:, None], 0)[last]
        precision_NB = np.divide(hit_NB, all_NB, out=np.zeros_like(hit_NB), where=all_NB > 0)
        total_B = hit_NB[-1]
        mean_B = (np.diff(hit_NB, axis=0, prepend=0) * precision_NB).sum(0) / np.maximum(total_B, 1e-300)
        found_B: Floats = np.where((total_B > 0) & (total_B < all_NB[-1]), mean_B, np.nan)
        return found_B

    def compute(counts: Counts) -> Floats:
        replicates = counts.students.shape[1]
        if not varies:
            return np.full(replicates, np.nan)
        step = max(1, _CELLS // len(truth))
        return np.concatenate([some(counts.students[:, b : b + step]) for b in range(0, replicates, step)])

    return compute


def prevalence(truth: Floats, predicted: Floats, students: Codes) -> Statistic:
    """Share of positive rows; what is predicted doesn't matter."""
    sums = _by_student(students, truth > 0, np.ones(len(truth)))

    def compute(counts: Counts) -> Floats:
        positive_B, all_B = _under(counts, sums)
        return np.where(all_B > 0, positive_B / np.maximum(all_B, 1e-300), np.nan)

    return compute


def pearson(truth: Floats, predicted: Floats, students: Codes) -> Statistic:
    """Pearson's r; undefined where a side doesn't vary."""
    if len(truth) < 3 or _constant(truth) or _constant(predicted):
        return lambda counts: np.full(counts.students.shape[1], np.nan)
    x, y = _standardised(truth), _standardised(predicted)
    sums = _by_student(students, np.ones_like(x), x, y, x * x, y * y, x * y)

    def compute(counts: Counts) -> Floats:
        w, sx, sy, xx, yy, xy = _under(counts, sums)
        w = np.maximum(w, 1e-300)
        var_x, var_y = xx - sx * sx / w, yy - sy * sy / w
        varies = (var_x > _TINY * w) & (var_y > _TINY * w)
        r_B = (xy - sx * sy / w) / np.sqrt(np.where(varies, var_x * var_y, 1))
        return np.where(varies, np.clip(r_B, -1, 1), np.nan)

    return compute


def spearman(truth: Floats, predicted: Floats, students: Codes) -> Statistic:
    """Pearson's r of ranks."""
    if len(truth) < 3 or _constant(predicted):
        return lambda counts: np.full(counts.students.shape[1], np.nan)
    return pearson(stats.rankdata(truth), stats.rankdata(predicted), students)


_BOUNDS = dict.fromkeys(("f1", "macro_f1", "average_precision", "prevalence"), (0, 1)) | dict.fromkeys(
    ("pearson", "spearman"), (-1, 1)
)
"""What an interval can't go beyond."""
Score = Callable[[Floats, Floats, Codes], Statistic]
SCORES: dict[str, Score] = {
    score.__name__: score for score in (f1, macro_f1, average_precision, prevalence, pearson, spearman)
}
"""Name -> the statistic of a truth (N,), its prediction (N,) and the rows' students (N,)."""


def by_student(students: Codes) -> Clusters:
    """Clusters of which students alone are resampled."""
    return Clusters(students=students, titles=np.zeros_like(students))


def plain(score: Score, truth: Floats, predicted: Floats) -> float:
    """A score with every row counted once; nan if undefined."""
    return float(score(truth, predicted, np.zeros(len(truth), np.int64))(Counts(np.ones((1, 1)), np.ones((1, 1))))[0])


def mean_of(statistics: Sequence[Statistic]) -> Statistic:
    """Their mean, replicate by replicate: over repetitions of a cross-validation, for instance."""
    return lambda counts: np.mean([statistic(counts) for statistic in statistics], axis=0)


def difference(a: Statistic, b: Statistic) -> Statistic:
    """A - b under the same counts."""
    return lambda counts: a(counts) - b(counts)


def estimate(
    name: str, statistic: Statistic, students: Codes, *, titles: int, seed: int = 0, replicates: int = REPLICATES
) -> Estimate:
    """A statistic of rows with its interval and two-sided p from resampling students.

    The interval takes the predictions as given: that other students would have trained other probes is not in it.

    Args:
        name: What it is called.
        statistic: Of these rows.
        students: The rows' students, coded 0 to S - 1.
        titles: How many titles the rows are of.
        seed: Of the draws.
        replicates: How many.
    """
    clusters = by_student(students)
    shared = Estimate(statistic=name, value=None, n=len(students), n_students=len(np.unique(students)), n_titles=titles,
                      seed=seed, test="student bootstrap")  # fmt: skip
    value = float(statistic(clusters.once)[0]) if len(students) else np.nan
    if not np.isfinite(value):
        return replace(shared, reason="undefined: a side is constant, or there are too few rows")
    if shared.n_students < MIN_CLUSTERS:
        return replace(shared, value=value, reason=f"no interval: fewer than {MIN_CLUSTERS} students")
    drawn = bootstrap(statistic, clusters, seed=seed, replicates=replicates)
    if not drawn.scored:
        return replace(shared, clusters=BY_STUDENT, reason=f"undefined in {drawn.undefined} replicates")
    low, high = np.clip(drawn.interval, *_BOUNDS.get(name, (-np.inf, np.inf))).tolist()
    return replace(shared, value=value, low=low, high=high, p=drawn.p, se=drawn.se, clusters=BY_STUDENT)


def _under(counts: Counts, sums: Any) -> Floats:
    """Sums (C, B) of students' sums (C, S); students behind the last one here have no rows."""
    return np.asarray(sums @ counts.students[: sums.shape[1]])


def _by_student(students: Codes, *columns: NDArray[np.float64] | NDArray[np.bool_]) -> Floats:
    """Sums over each student's rows (columns, S)."""
    size = int(students.max(initial=-1)) + 1
    return np.stack([np.bincount(students, column, minlength=size) for column in columns])


def _constant(values: Floats) -> bool:
    return not len(values) or bool(np.ptp(values) <= _TINY * np.abs(values).max())


def _standardised(values: Floats) -> Floats:
    scaled: Floats = (values - values.mean()) / values.std()
    return scaled
