"""How alike the layers of the models are, on one random state of each trace.

In: vectors. Out: debiased CKA of every layer of every model with every other, with what is left of it when the inputs
of one side are permuted.

Axes in names: S layers of all models one after the other, N inputs.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from redraft.metrics.cka import centred_gram, recentred, similarities
from redraft.metrics.jackknife import Floats, Jackknife, jackknife
from redraft.studies.represent.settings import RepresentConfig
from redraft.studies.represent.vectors import Vectors


class Likeness(NamedTuple):
    """What was found."""

    places: dict[tuple[str, str, int], int]
    """(model, way of reading, layer) -> place among the S."""
    jackknife: Jackknife
    """Of CKA (S, S)."""
    permuted: Floats
    """CKA with the second side's inputs permuted: (permutations, S, S)."""
    students: list[str]
    """(N,)"""
    titles: list[str]
    """(N,)"""


def likeness(vectors: Vectors, config: RepresentConfig) -> Likeness:
    """Compare all layers of all models and ways of reading."""
    chosen = vectors.one_per_trace(config.seed)
    keys = [(model, way, layer) for (model, way), of in vectors.of.items() for layer in range(len(of))]
    grams = np.stack([centred_gram(vectors.of[model, way][layer][chosen]) for model, way, layer in keys])
    students = vectors.students[chosen].tolist()

    def statistics(keep: NDArray[np.bool_]) -> Floats:
        if keep.all():
            return similarities(grams)
        if keep.sum() < 4:
            return np.full((len(keys), len(keys)), np.nan)
        return similarities(np.stack([recentred(gram[np.ix_(keep, keep)]) for gram in grams]))

    rng = np.random.default_rng([config.seed, 3])
    permuted = []
    for _ in range(config.row_permutations):
        order = rng.permutation(len(chosen))
        permuted.append(similarities(grams, grams[:, order[:, None], order]))
    return Likeness(
        places={key: place for place, key in enumerate(keys)},
        jackknife=jackknife(statistics, students, seed=config.seed, groups=config.groups),
        permuted=np.stack(permuted), students=students, titles=vectors.titles[chosen].tolist(),
    )  # fmt: skip
