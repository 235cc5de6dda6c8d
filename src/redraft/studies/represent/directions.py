"""In which directions steps from state to state go, and whether these tell kinds of edit.

In: vectors. Out: for every model and way of reading, shares of variance of the principal components of the differences
between consecutive states' last-layer vectors, and how far kinds of edit divide them, beside permuted kinds.

Axes in names: E differences, D width, C components.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from redraft.metrics.jackknife import Floats, Jackknife, jackknife
from redraft.metrics.separation import Separation, separation
from redraft.studies.represent.settings import RepresentConfig
from redraft.studies.represent.vectors import Vectors

FEWEST = 20
"""Differences below which nothing is said."""
PLANE = 2
"""Components that are drawn, and in which kinds of edit are told apart."""
SHUFFLED_AGAIN = 20
"""Permutations behind each value of the jackknife."""
SEPARATION, ABOVE_CHANCE = -2, -1
"""Where these stand in the statistics of a model, behind the components' shares."""


class Directions(NamedTuple):
    """What was found of all models and ways of reading."""

    keys: list[tuple[str, str]]
    """(model, way of reading)."""
    jackknife: Jackknife
    """Of an array (keys, components + 2): shares of variance, separation in the plane, the same above chance."""
    separations: dict[tuple[str, str], Separation]
    """With exact p, of those that are defined."""
    planes: dict[tuple[str, str], Floats]
    """Coordinates along the first two components (E, 2)."""
    kinds: NDArray[np.int64]
    """(E,) which kind of edit each difference is."""
    students: list[str]
    """(E,)"""
    titles: list[str]
    """(E,)"""
    reason: str | None
    """Why there is nothing, if there is nothing."""


def directions(vectors: Vectors, config: RepresentConfig) -> Directions:
    """Analyse the differences."""
    later = vectors.later
    kinds, students = vectors.edits[later], vectors.students[later]
    steps = {key: vectors.differences(*key).astype(np.float64) for key in vectors.of}

    def statistics(keep: NDArray[np.bool_]) -> Floats:
        return np.stack([_statistics(steps[key][keep], kinds[keep], students[keep].tolist(), config) for key in steps])

    few = f"not enough data: {len(later)} steps between states, at least {FEWEST} are needed"
    enough = len(later) >= FEWEST
    found = jackknife(statistics, students.tolist(), seed=config.seed, groups=config.groups)
    varying = {key: values for key, values in steps.items() if enough and values.std() > 0}
    planes = {key: _plane(values, config)[1] for key, values in varying.items()}
    return Directions(
        keys=[*steps], jackknife=found,
        separations={
            key: separation(
                plane, kinds, students.tolist(), permutations=config.permutations, seed=config.seed
            )
            for key, plane in planes.items()
        },
        planes=planes, kinds=kinds, students=students.tolist(), titles=vectors.titles[later].tolist(),
        reason=None if enough else few,
    )  # fmt: skip


def _plane(steps_ED: Floats, config: RepresentConfig) -> tuple[Floats, Floats]:
    """Shares of variance (C,), nan beyond the dimensions there are, and coordinates (E, 2)."""
    shares_C = np.full(config.components, np.nan)
    pca = PCA(min(config.components, *steps_ED.shape), svd_solver="covariance_eigh").fit(steps_ED)
    shares_C[: len(pca.explained_variance_ratio_)] = pca.explained_variance_ratio_
    return shares_C, pca.transform(steps_ED)[:, :PLANE]


def _statistics(steps_ED: Floats, kinds: NDArray[np.int64], students: list[str], config: RepresentConfig) -> Floats:
    found = np.full(config.components + 2, np.nan)
    if len(steps_ED) < FEWEST or not steps_ED.std() > 0:
        return found
    found[: config.components], plane_EC = _plane(steps_ED, config)
    if len(np.unique(kinds)) > 1:
        apart = separation(plane_EC, kinds, students, permutations=SHUFFLED_AGAIN, seed=config.seed)
        found[SEPARATION], found[ABOVE_CHANCE] = apart.value, apart.value - apart.permuted
    return found
