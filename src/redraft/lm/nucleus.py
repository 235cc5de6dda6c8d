"""Draw a token from the likeliest ones, without sorting the vocabulary.

In: logits and a random number per row. Out: a token per row, which depends on that row alone.

Axes in names: B rows, V vocabulary, K likeliest tokens.
"""

from __future__ import annotations

import torch
from torch import Tensor

LIKELIEST = (64, 512)
"""How many tokens are looked at together before the whole vocabulary is sorted."""


def nucleus(logits_BV: Tensor, uniforms_B: Tensor, *, top_p: float, temperature: float = 1.0) -> Tensor:
    """Draw a token per row from its nucleus: the likeliest tokens, as few as have `top_p` of the probability together.

    The draw inverts the cumulative distribution over tokens from likely to unlikely at `uniforms_B` (B,) in [0, 1),
    so a row's token depends on its logits and its number alone. Returns ids (B,).
    """
    probabilities_BV = probabilities_of(logits_BV, temperature)
    return draw(probabilities_BV, uniforms_B, torch.full_like(uniforms_B, -1, dtype=torch.long), top_p)


def probabilities_of(logits_BV: Tensor, temperature: float) -> Tensor:
    """The distribution (B, V) of each row's next token, in float32 or better."""
    precision = torch.promote_types(logits_BV.dtype, torch.float32)
    return torch.softmax(logits_BV / temperature, dim=-1, dtype=precision)


def draw(probabilities_BV: Tensor, uniforms_B: Tensor, tokens_B: Tensor, top_p: float) -> Tensor:
    """Draw a token for each row of `tokens_B` (B,) that has none yet (-1), in place."""
    vocabulary = probabilities_BV.shape[-1]
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
