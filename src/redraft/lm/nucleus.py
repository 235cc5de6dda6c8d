"""Draw a token from the likeliest ones, without sorting the vocabulary.

In: logits and a random number a row. Out: a token a row, which depends on that row alone.

Axes in names: B rows, V vocabulary, K likeliest tokens.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from redraft.compiling import compiled_sums
from redraft.lm.cache import looped

ONE_BY_ONE = 32
"""How many tokens a CPU finds one after another; nearly all nuclei are smaller."""
LIKELIEST = (64, 512)
"""How many tokens are looked at together before the whole vocabulary is sorted."""


def nucleus(logits_BV: Tensor, uniforms_B: Tensor, *, top_p: float, temperature: float = 1.0) -> Tensor:
    """Draw a token a row from its nucleus: the likeliest tokens, as few as have `top_p` of the probability together.

    The draw inverts the cumulative distribution over tokens from likely to unlikely at `uniforms_B` (B,) in [0, 1),
    so a row's token depends on its logits and its number alone. Returns ids (B,).
    """
    precision = torch.promote_types(logits_BV.dtype, torch.float32)
    probabilities_BV = torch.softmax(logits_BV / temperature, dim=-1, dtype=precision)
    vocabulary = probabilities_BV.shape[-1]
    tokens_B = torch.full_like(uniforms_B, -1, dtype=torch.long)
    if looped(probabilities_BV):
        _draw_one_by_one(probabilities_BV.numpy(), uniforms_B.numpy(), top_p, tokens_B.numpy(), ONE_BY_ONE)
    for width in (*LIKELIEST, vocabulary):
        rows = (tokens_B < 0).nonzero().squeeze(-1)
        if not len(rows):
            break
        likeliest = probabilities_BV[rows].topk(min(width, vocabulary), dim=-1)
        found, reached = _draw(*likeliest, uniforms_B[rows], top_p)
        tokens_B[rows] = torch.where(reached | (width >= vocabulary), found, -1)
    return tokens_B


def _draw(sorted_BK: Tensor, ids_BK: Tensor, uniforms_B: Tensor, top_p: float) -> tuple[Tensor, Tensor]:
    """Tokens drawn among the likeliest, and whether those reach `top_p`."""
    sorted_BK = sorted_BK.double()
    cumulative_BK = sorted_BK.cumsum(-1)
    inside_BK = cumulative_BK - sorted_BK < top_p
    mass_B1 = (sorted_BK * inside_BK).sum(-1, keepdim=True)
    places_B1 = (cumulative_BK <= uniforms_B[:, None] * mass_B1).sum(-1, keepdim=True)
    places_B1 = places_B1.minimum(inside_BK.sum(-1, keepdim=True) - 1)
    return ids_BK.gather(-1, places_B1).squeeze(-1), cumulative_BK[:, -1] >= top_p


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
