"""How far labels divide points: the share of variance between them, beside what chance gives.

In: points, a label each, a group each (students). Out: the share (eta squared, all coordinates together; the effect
size of PERMANOVA), and the same for labels permuted within groups: what is left of it is what students' own mixtures of
labels would give. p is exact under that permutation. Not guaranteed: that the labels, rather than something that goes
with them (the place in a trace, the length), divide the points.

Axes: N points, C coordinates.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def between_share(points_NC: Floats, labels_N: NDArray[np.int64]) -> float:
    """Share of the points' variance that lies between the labels' means, 0 to 1; nan if nothing varies."""
    centred = points_NC - points_NC.mean(0)
    total = float((centred**2).sum())
    if not total > 0:
        return float("nan")
    counts = np.bincount(labels_N)
    used = counts > 0
    sums = np.stack([np.bincount(labels_N, column, minlength=len(counts)) for column in centred.T], 1)
    return float((sums[used] ** 2 / counts[used, None]).sum()) / total


class Separation(NamedTuple):
    """The share between labels, and what permuted labels give."""

    value: float
    permuted: float
    """Mean over permutations."""
    p: float
    """Share of permutations, the labels as they are among them, that divide the points at least so well."""


def separation(
    points_NC: Floats, labels_N: NDArray[np.int64], groups: Sequence[str], *, permutations: int, seed: int
) -> Separation:
    """Compare the labels with permutations of them within groups."""
    value = between_share(points_NC, labels_N)
    rng = np.random.default_rng(seed)
    codes_N = np.unique(np.asarray(groups, dtype=str), return_inverse=True)[1]
    order_N = np.argsort(codes_N, kind="stable")
    drawn = []
    for _ in range(permutations):
        shuffled_N = np.lexsort((rng.random(len(codes_N)), codes_N))  # within each group, in random order
        permuted_N = np.empty_like(labels_N)
        permuted_N[order_N] = labels_N[shuffled_N]
        drawn.append(between_share(points_NC, permuted_N))
    at_least = int((np.array(drawn) >= value * (1 - 1e-12)).sum())
    return Separation(value, float(np.mean(drawn)), (1 + at_least) / (1 + permutations))
