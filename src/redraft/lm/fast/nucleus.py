"""Draw a token from the likeliest ones, found one after another in a compiled loop.

In and out: as `redraft.lm.nucleus`, whose definition this is. Most nuclei are a few tokens, for which sorting even
some of the vocabulary is too much; what is left over is drawn as there.

Axes in names: B rows, V vocabulary.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from redraft.compiling import compiled_sums
from redraft.lm.fast.loops import looped
from redraft.lm.nucleus import draw, probabilities_of

ONE_BY_ONE = 32
"""How many tokens are found one after another; nearly all nuclei are smaller."""


def nucleus(logits_BV: Tensor, uniforms_B: Tensor, *, top_p: float, temperature: float = 1.0) -> Tensor:
    """Ids (B,), as `redraft.lm.nucleus.nucleus` draws them."""
    probabilities_BV = probabilities_of(logits_BV, temperature)
    tokens_B = torch.full_like(uniforms_B, -1, dtype=torch.long)
    if looped(probabilities_BV):
        _draw_one_by_one(probabilities_BV.numpy(), uniforms_B.numpy(), top_p, tokens_B.numpy(), ONE_BY_ONE)
    return draw(probabilities_BV, uniforms_B, tokens_B, top_p)


@compiled_sums
def _draw_one_by_one(probabilities, uniforms, top_p, tokens, most):  # type: ignore[no-untyped-def]
    """Tokens drawn among the likeliest, found one after another; -1 where `most` of them don't reach `top_p`."""
    n_rows, vocabulary = probabilities.shape
    # tokens below this are too unlikely, all together, for the others not to have `top_p`
    least = (1 - top_p) / vocabulary * (1 - 1e-3)
    left = np.empty(vocabulary, probabilities.dtype)
    ids = np.empty(vocabulary, np.int64)
    order = np.empty(most, np.int64)
    for row in range(n_rows):
        n_left = 0
        for token in range(vocabulary):
            ids[n_left] = token
            left[n_left] = probabilities[row, token]
            n_left += left[n_left] >= least
        n, mass = 0, 0.0
        while n < min(most, n_left) and mass < top_p:
            best = np.argmax(left[:n_left])
            order[n] = ids[best]
            mass += left[best]
            left[best] = -1
            n += 1
        if mass < top_p and n < vocabulary:
            tokens[row] = -1
            continue
        reached, place = np.float64(probabilities[row, order[0]]), 0
        while place < n - 1 and reached <= uniforms[row] * mass:
            place += 1
            reached += probabilities[row, order[place]]
        tokens[row] = order[place]
