"""Draw a token from the likeliest ones, without sorting the vocabulary.

In: probabilities and a random number per row; where only some tokens may come, or decisions are to keep their
probabilities, each token's group too. Out: a token per row, which depends on that row alone.

With groups the draw is one of a group first, each by its probability among all that may come, then of a token within
it. A nucleus over everything would leave out a group whose tokens are each unlikely, however likely they are together.

Axes in names: B rows, V vocabulary, K likeliest tokens, S lines of groups, G groups.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

LIKELIEST = (64, 512)
"""How many tokens are looked at together before the whole vocabulary is sorted."""
GROUPS = 3
"""Groups that tokens can be in."""


class Groups(NamedTuple):
    """Each token's group, from 0 to before `GROUPS`, for each row; a token without one (-1) can't be drawn."""

    kinds: Tensor
    """(S, V) in 8 bits: few lines, for most rows share one. Each has a token that can be drawn."""
    lines: Tensor
    """(B,) which line is a row's."""


def probabilities_of(logits_BV: Tensor, temperature: float) -> Tensor:
    """The distribution (B, V) of each row's next token, in float32 or better."""
    precision = torch.promote_types(logits_BV.dtype, torch.float32)
    return torch.softmax(logits_BV / temperature, dim=-1, dtype=precision)


def nucleus(probabilities_BV: Tensor, uniforms_B: Tensor, *, top_p: float, groups: Groups | None = None) -> Tensor:
    """Draw a token per row from its nucleus: the likeliest tokens, as few as have `top_p` of the probability together.

    The draw inverts the cumulative distribution over tokens from likely to unlikely at `uniforms_B` (B,) in [0, 1),
    so a row's token depends on its probabilities and its number alone. With `groups`, a group is drawn first by
    inverting the cumulative distribution over groups; the number's place within that group's share draws from the
    nucleus of the group. Returns ids (B,).
    """
    tokens_B = torch.full_like(uniforms_B, -1, dtype=torch.long)
    return draw(probabilities_BV, uniforms_B, tokens_B, top_p, groups)


def draw(
    probabilities_BV: Tensor, uniforms_B: Tensor, tokens_B: Tensor, top_p: float, groups: Groups | None = None
) -> Tensor:
    """Draw a token for each row of `tokens_B` (B,) that has none yet (-1), in place."""
    rows = (tokens_B < 0).nonzero().squeeze(-1)
    if not len(rows):
        return tokens_B
    probabilities_BV, uniforms_B = probabilities_BV[rows], uniforms_B[rows]
    goals_B = torch.full_like(uniforms_B, top_p)
    if groups is not None:
        kinds_BV = groups.kinds[groups.lines[rows]]
        probabilities_BV, uniforms_B, mass_B = _in_group(probabilities_BV, uniforms_B, kinds_BV)
        goals_B *= mass_B
    found_B = torch.full_like(rows, -1)
    vocabulary = probabilities_BV.shape[-1]
    for width in (*LIKELIEST, vocabulary):
        left = (found_B < 0).nonzero().squeeze(-1)
        if not len(left):
            break
        likeliest = probabilities_BV[left].topk(min(width, vocabulary), dim=-1)
        drawn_B, reached_B = _draw(*likeliest, uniforms_B[left], goals_B[left, None])
        found_B[left] = torch.where(reached_B | (width >= vocabulary), drawn_B, -1)
    tokens_B[rows] = found_B
    return tokens_B


def _in_group(probabilities_BV: Tensor, uniforms_B: Tensor, kinds_BV: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Draw a group: probabilities, -1 outside of it; the number's place in the group's share; the group's mass."""
    inside_GBV = torch.stack([kinds_BV == group for group in range(GROUPS)])
    masses_BG = torch.stack([(probabilities_BV * inside_BV).double().sum(-1) for inside_BV in inside_GBV], dim=-1)
    ends_BG = masses_BG.cumsum(-1)
    targets_B1 = (uniforms_B * ends_BG[:, -1])[:, None]
    # of groups that all have no probability, as numbers are rounded, the last that is there
    possible_BG = torch.where(ends_BG[:, -1:] > 0, masses_BG > 0, inside_GBV.any(-1).T)
    last_B1 = (possible_BG * torch.arange(1, GROUPS + 1, device=possible_BG.device)).amax(-1, keepdim=True) - 1
    groups_B1 = (ends_BG <= targets_B1).sum(-1, keepdim=True).minimum(last_B1)
    mass_B = masses_BG.gather(-1, groups_B1).squeeze(-1)
    befores_BG = torch.cat((torch.zeros_like(targets_B1), ends_BG[:, :-1]), dim=-1)
    into_B = (targets_B1 - befores_BG.gather(-1, groups_B1)).squeeze(-1)
    places_B = (into_B / mass_B).nan_to_num(0).clamp(0, 1 - 2**-53)
    return torch.where(kinds_BV == groups_B1, probabilities_BV, -1), places_B, mass_B


def _draw(sorted_BK: Tensor, ids_BK: Tensor, uniforms_B: Tensor, goals_B1: Tensor) -> tuple[Tensor, Tensor]:
    """Tokens drawn among the likeliest, and whether those reach their goal or there are no others."""
    may_BK = sorted_BK >= 0
    sorted_BK = sorted_BK.double().clamp(min=0)
    cumulative_BK = sorted_BK.cumsum(-1)
    inside_BK = (cumulative_BK - sorted_BK < goals_B1) & may_BK
    inside_BK[:, 0] = True
    mass_B1 = (sorted_BK * inside_BK).sum(-1, keepdim=True)
    places_B1 = (cumulative_BK <= uniforms_B[:, None] * mass_B1).sum(-1, keepdim=True)
    places_B1 = places_B1.minimum(inside_BK.sum(-1, keepdim=True) - 1)
    return ids_BK.gather(-1, places_B1).squeeze(-1), (cumulative_BK[:, -1:] >= goals_B1).squeeze(-1) | ~may_BK[:, -1]
