"""Draw a token from the likeliest ones, found one after another in a compiled loop.

In and out: as `redraft.lm.nucleus`, whose definition this is. Most nuclei are a few tokens, for which sorting even
some of the vocabulary is too much; what is left over is drawn as there.

Axes in names: B rows, V vocabulary, S lines of groups.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from redraft.compiling import compiled_sums
from redraft.lm.fast.loops import looped
from redraft.lm.nucleus import Groups, draw

ONE_BY_ONE = 32
"""How many tokens are found one after another; nearly all nuclei are smaller."""


def nucleus(probabilities_BV: Tensor, uniforms_B: Tensor, *, top_p: float, groups: Groups | None = None) -> Tensor:
    """Ids (B,), as `redraft.lm.nucleus.nucleus` draws them."""
    tokens_B = torch.full_like(uniforms_B, -1, dtype=torch.long)
    if looped(probabilities_BV):
        one = torch.zeros(1, probabilities_BV.shape[-1], dtype=torch.int8), torch.zeros_like(tokens_B)
        kinds_SV, lines_B = one if groups is None else groups
        _draw_one_by_one(
            probabilities_BV.numpy(), uniforms_B.numpy(), top_p, groups is not None, kinds_SV.numpy(), lines_B.numpy(),
            tokens_B.numpy(), ONE_BY_ONE,
        )  # fmt: skip
    return draw(probabilities_BV, uniforms_B, tokens_B, top_p, groups)


@compiled_sums
def _draw_one_by_one(probabilities, uniforms, top_p, grouped, kinds, lines, tokens, most):  # type: ignore[no-untyped-def]
    """Tokens drawn among the likeliest, found one after another.

    Where `most` of them don't reach `top_p`, the rest of the group is sorted; without groups there is -1.
    """
    n_rows, vocabulary = probabilities.shape
    left = np.empty(vocabulary, probabilities.dtype)
    ids = np.empty(vocabulary, np.int64)
    order = np.empty(vocabulary, np.int64)
    found = np.empty(3, np.float64)
    for row in range(n_rows):
        kind, group, uniform, whole = kinds[lines[row]], 0.0, uniforms[row], 1.0
        if grouped:
            _draw_group(probabilities[row], kind, uniform, found)
            group, uniform, whole = found
        goal = top_p * whole
        # tokens below this are too unlikely, all together, for the others not to reach the goal
        least = (1 - top_p) * whole / vocabulary * (1 - 1e-3)
        n_left = 0
        for token in range(vocabulary):
            ids[n_left] = token
            left[n_left] = probabilities[row, token]
            n_left += (kind[token] == group) & (left[n_left] >= least)
        n, mass = 0, 0.0
        while n < min(most, n_left) and (mass < goal or n == 0):
            best = np.argmax(left[:n_left])
            order[n] = ids[best]
            mass += left[best]
            left[best] = -1
            n += 1
        if mass < goal and n < vocabulary and not grouped:
            tokens[row] = -1
            continue
        if mass < goal and n < n_left:
            for place in np.argsort(-left[:n_left], kind="mergesort")[: n_left - n]:
                if mass < goal:
                    order[n] = ids[place]
                    mass += left[place]
                    n += 1
        reached, place = np.float64(probabilities[row, order[0]]), 0
        while place < n - 1 and reached <= uniform * mass:
            place += 1
            reached += probabilities[row, order[place]]
        tokens[row] = order[place]


@compiled_sums
def _draw_group(probabilities, kinds, uniform, found):  # type: ignore[no-untyped-def]
    """The group drawn, the number's place in its share, and its mass."""
    first = second = third = 0.0
    for token in range(len(kinds)):
        probability = np.float64(probabilities[token])
        first += probability if kinds[token] == 0 else 0.0
        second += probability if kinds[token] == 1 else 0.0
        third += probability if kinds[token] == 2 else 0.0
    masses = (first, second, third)
    target = uniform * (first + second + third)
    if first + second + third <= 0:  # as numbers are rounded
        found[0], found[1], found[2] = kinds.max(), 0.0, 0.0
        return
    group, before, end = 0, 0.0, 0.0
    for each in range(3):
        if masses[each] > 0 and target >= end:
            group, before = each, end
            end += masses[each]
    found[0], found[2] = group, masses[group]
    found[1] = min(max((target - before) / masses[group], 0.0), 1 - 2.0**-53)
