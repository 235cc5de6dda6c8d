"""How alike two representations of the same inputs are: debiased linear CKA.

In: vectors of the same N inputs, from two models or layers; their widths may differ. Out: a number: 1 if one is the
other rotated, scaled or moved; about 0 if they have nothing to do with each other. Plain CKA (Kornblith et al. 2019) of
unrelated vectors grows with their width and nears 1 when there are more dimensions than inputs; here the estimate of
HSIC is the unbiased one (Song et al. 2012, by U-centring: Székely and Rizzo 2014), so it can be slightly below 0.

    grams_KNN = np.stack([centred_gram(vectors_ND) for vectors_ND in layers])
    similarities(grams_KNN)                                    # (K, K), every layer with every other
    debiased_cka(x_ND, y_NE)                                   # two of them

Not guaranteed: anything about inputs that depend on each other (states of one trace): take one input a trace.

Axes: N inputs, D and E dimensions, K representations, M others.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

FEWEST = 4
"""Inputs below which the estimate does not exist."""


def centred_gram(vectors_ND: NDArray[np.floating]) -> Floats:
    """The U-centred Gram matrix (N, N): zero diagonal, rows and columns that sum to 0."""
    n = len(vectors_ND)
    if n < FEWEST:
        return np.full((n, n), np.nan)
    centred_ND = vectors_ND.astype(np.float64) - vectors_ND.mean(0, dtype=np.float64)  # no effect but on rounding
    gram_NN = centred_ND @ centred_ND.T
    np.fill_diagonal(gram_NN, 0)
    return recentred(gram_NN)


def recentred(gram_NN: Floats) -> Floats:
    """A Gram matrix with zero diagonal, or a part of a U-centred one, U-centred (anew)."""
    n = len(gram_NN)
    rows_N = gram_NN.sum(1) / (n - 2)
    made: Floats = gram_NN - rows_N[:, None] - rows_N + gram_NN.sum() / ((n - 1) * (n - 2))
    np.fill_diagonal(made, 0)
    return made


def similarities(grams_KNN: Floats, others_MNN: Floats | None = None) -> Floats:
    """Debiased CKA of each representation with each other (K, M), nan where one doesn't vary.

    Args:
        grams_KNN: U-centred Gram matrices.
        others_MNN: Those of other representations of the same inputs; None: the same ones.
    """
    mine_KX = grams_KNN.reshape(len(grams_KNN), -1)
    others_MX = mine_KX if others_MNN is None else others_MNN.reshape(len(others_MNN), -1)
    norms_K, norms_M = (np.sqrt((flat**2).sum(1)) for flat in (mine_KX, others_MX))
    product_KM = norms_K[:, None] * norms_M
    with np.errstate(divide="ignore", invalid="ignore"):
        found: Floats = np.where(product_KM > 0, mine_KX @ others_MX.T / product_KM, np.nan)
    return found


def debiased_cka(x_ND: NDArray[np.floating], y_NE: NDArray[np.floating]) -> float:
    """Debiased linear CKA of two representations of the same inputs; nan if one doesn't vary or N is below 4."""
    return float(similarities(centred_gram(x_ND)[None], centred_gram(y_NE)[None])[0, 0])
