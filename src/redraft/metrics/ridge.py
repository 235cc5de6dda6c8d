"""Ridge regression whose penalty is chosen by grouped cross-validation, for many targets and penalties at once.

In: features, targets, the folds of rows. Out: fits, which predict held-out rows, and what they were made
with. A fit minimises |y - b - Xw|^2 + alpha |w|^2 with the intercept b unpenalised, as scikit-learn's `Ridge` does.

Each set of training rows costs one eigendecomposition of its covariance, whatever the number of penalties and targets;
the inner folds' covariances are the whole's less what is left out. Everything is in float64. Directions in which the
training rows don't vary get no weight.

Axes in names: N rows, P features, K target columns, A penalties.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from redraft.metrics.folds import Codes, sides

Floats = NDArray[np.float64]

ALPHAS = tuple(10.0**power for power in range(-7, 8))
"""Penalties tried: 1e-7 to 1e7."""


class _Moments(NamedTuple):
    """Sums over rows, which add up and can be taken away again."""

    n: int
    x: Floats
    """(P,)"""
    y: Floats
    """(K,)"""
    xx: Floats
    """(P, P)"""
    xy: Floats
    """(P, K)"""

    @classmethod
    def of(cls, x_NP: Floats, y_NK: Floats) -> _Moments:
        return cls(len(x_NP), x_NP.sum(0), y_NK.sum(0), x_NP.T @ x_NP, x_NP.T @ y_NK)

    def without(self, other: _Moments) -> _Moments:
        return _Moments(
            self.n - other.n, self.x - other.x, self.y - other.y, self.xx - other.xx,
            self.xy - other.xy,
        )  # fmt: skip


class Solved(NamedTuple):
    """The fits of all penalties on some training rows."""

    mean_x: Floats
    """(P,)"""
    mean_y: Floats
    """(K,)"""
    basis: Floats
    """(P, P) eigenvectors of the centred training rows' covariance, as columns."""
    spread: Floats
    """(P,) their eigenvalues (sums of squares)."""
    cross: Floats
    """(P, K) the targets' covariance with the features, in that basis."""

    @classmethod
    def of(cls, moments: _Moments) -> Solved:
        """From the rows' sums."""
        mean_P, mean_K = moments.x / moments.n, moments.y / moments.n
        spread_P, basis_PP = np.linalg.eigh(moments.xx - moments.n * np.outer(mean_P, mean_P))
        spread_P[spread_P <= len(mean_P) * np.finfo(float).eps * max(spread_P.max(initial=0), 0)] = 0
        return cls(mean_P, mean_K, basis_PP, spread_P,
                   basis_PP.T @ (moments.xy - moments.n * np.outer(mean_P, mean_K)))  # fmt: skip

    def shrunk(self, alpha: float | Floats) -> Floats:
        """Weights (P, K) in the basis; `alpha` is one penalty, or one a target column."""
        below_PK = self.spread[:, None] + alpha
        return np.where(self.spread[:, None] > 0, self.cross / below_PK, 0.0)


class Fit(NamedTuple):
    """What a fold's training rows teach."""

    train: Codes
    """Training rows."""
    test: Codes
    """Test rows."""
    centre: Floats
    """(P,) taken from the features first."""
    scale: Floats
    """(P,) what they are divided by then; ones without standardising."""
    solved: Solved
    alpha: Floats
    """(K,) the penalty chosen for each target column."""

    def predict(self, x_NP: Floats) -> tuple[Floats, Floats]:
        """Of the test rows, the predictions' deviations from the training mean (M, K), and that mean (K,)."""
        x_MP = _scaled(x_NP[self.test], self.centre, self.scale) - self.solved.mean_x
        deviation_MK: Floats = x_MP @ (self.solved.basis @ self.solved.shrunk(self.alpha))
        return deviation_MK, self.solved.mean_y


def fit(
    x_NP: Floats, y_NK: Floats, folds: Codes, inner: Codes, *,
    together: Sequence[Sequence[int]] | None = None, alphas: Sequence[float] = ALPHAS, standardise: bool = False,
) -> list[Fit]:  # fmt: skip
    """A fit for each fold, the penalties chosen within its training rows.

    The penalty is that of the least squared error, summed over all rows held out in the inner folds; of several that do
    equally well the largest; if the training rows are of one inner fold only, the middle one. Both kinds of folds are
    given, so that leaving out some rows leaves the others where they are.

    Args:
        x_NP: Features.
        y_NK: Targets, none missing.
        folds: The fold of each row; rows below 0 are in none and train always.
        inner: The fold of each row among the training rows, whichever those are; it keeps the same groups whole.
        together: Columns that share a penalty (of one-hot classes, for instance); None: each its own.
        alphas: Penalties tried.
        standardise: Divide features by their standard deviation over a fold's training rows.
    """
    blocks = [[column] for column in range(y_NK.shape[1])] if together is None else together
    fits = []
    for train, test in sides(folds):
        if folds[test[0]] < 0:
            continue
        centre_P = x_NP[train].mean(0)
        scale_P = _spread(x_NP[train]) if standardise else np.ones_like(centre_P)
        x_TP, y_TK = _scaled(x_NP[train], centre_P, scale_P), y_NK[train]
        whole = _Moments.of(x_TP, y_TK)
        error_AK = _errors(x_TP, y_TK, whole, inner[train], alphas)
        alpha_K = np.empty(y_NK.shape[1])
        for block in blocks:
            alpha_K[block] = _best(error_AK[:, block].sum(1), alphas)
        fits.append(Fit(train, test, centre_P, scale_P, Solved.of(whole), alpha_K))
    return fits


def _errors(x_TP: Floats, y_TK: Floats, whole: _Moments, inner: Codes, alphas: Sequence[float]) -> Floats:
    """Squared errors of the rows held out in the inner folds, summed (A, K); nan with a single fold."""
    error_AK = np.full((len(alphas), y_TK.shape[1]), np.nan)
    if len(np.unique(inner)) < 2:
        return error_AK
    error_AK[:] = 0
    for fold in np.unique(inner):
        held = inner == fold
        solved = Solved.of(whole.without(_Moments.of(x_TP[held], y_TK[held])))
        turned_MP = (x_TP[held] - solved.mean_x) @ solved.basis
        off_MK = y_TK[held] - solved.mean_y
        # |off - turned w|^2, multiplied out: the rows are gone over once, not once for each penalty
        off_K, cross_PK, square_PP = (off_MK**2).sum(0), turned_MP.T @ off_MK, turned_MP.T @ turned_MP
        for row, alpha in enumerate(alphas):
            weights_PK = solved.shrunk(alpha)
            error_AK[row] += off_K + (weights_PK * (square_PP @ weights_PK - 2 * cross_PK)).sum(0)
    return error_AK


def _best(error_A: Floats, alphas: Sequence[float]) -> float:
    if not np.isfinite(error_A).all():
        return sorted(alphas)[len(alphas) // 2]
    # sums of squares, but multiplied out: where a fit is perfect they may be a little below zero
    good = error_A <= error_A.min() + 1e-12 * np.abs(error_A).max()
    return max(alpha for alpha, is_good in zip(alphas, good, strict=True) if is_good)


def _scaled(x_NP: Floats, centre_P: Floats, scale_P: Floats) -> Floats:
    return (x_NP - centre_P) / scale_P


def _spread(x_NP: Floats) -> Floats:
    """Standard deviations; 1 where a feature doesn't vary."""
    spread_P = x_NP.std(0)
    return np.where(spread_P > 1e-12 * np.abs(x_NP).max(0, initial=0), spread_P, 1.0)
