"""Cross-validation that keeps groups whole: what one student (trace, title) wrote is on one side of every fold.

In: the group of each row. Out: the fold of each row. Other draws give other folds; sizes are as even as whole groups
allow when they are dealt out in random order.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.int64]


def grouped_folds(groups: Codes, folds: int, rng: np.random.Generator) -> Codes:
    """The fold, 0 to at most `folds` - 1, of each row (N,); all rows of a group have the same.

    Groups come in random order, each into the fold that has the fewest rows so far. With fewer groups than `folds`
    there are as many folds as groups: with one group, a single fold, which leaves nothing to train on.
    """
    sizes = np.bincount(groups)
    present = np.flatnonzero(sizes)
    filled = np.zeros(max(1, min(folds, len(present))), np.int64)
    fold_of = np.zeros(len(sizes), np.int64)
    for group in rng.permutation(present):
        fold_of[group] = filled.argmin()
        filled[fold_of[group]] += sizes[group]
    return fold_of[groups]


def sides(folds: Codes) -> Iterator[tuple[Codes, Codes]]:
    """The rows to train on and the rows to test, of each fold that leaves both."""
    for fold in np.unique(folds):
        train, test = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        if len(train):
            yield train, test
