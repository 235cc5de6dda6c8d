"""A neural cache mixed into what a model says, in a compiled loop.

In and out: as `redraft.lm.neural_cache.mixture`, whose definition this is, a place at a time.

Axes in names: V vocabulary, D the LM's width, K keys.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from redraft.compiling import compiled_sums
from redraft.lm.fast.loops import exponentials, looped
from redraft.lm.neural_cache import mixture
from redraft.lm.neural_cache.mixture import Past


def mixed(logits_NV: Tensor, hidden_ND: Tensor, past: Past) -> Tensor:
    """Logarithms of the mixture's probabilities (N, V), as `redraft.lm.neural_cache.mixture.mixed` has them."""
    if not (looped(logits_NV) and logits_NV.dtype == hidden_ND.dtype):
        return mixture.mixed(logits_NV, hidden_ND, past)
    mixing, found_NV = past.mixing, torch.empty_like(logits_NV)
    keys_KD, values_K = past.keys.to(logits_NV.dtype).numpy(), past.values.numpy()
    for logits_V, hidden_D, found_V in zip(logits_NV.numpy(), hidden_ND.numpy(), found_NV.numpy(), strict=True):
        _mix(logits_V, hidden_D, keys_KD, values_K,
             mixing.sharpness, mixing.ceiling, mixing.slope, mixing.offset, found_V)  # fmt: skip
    return found_NV


@compiled_sums
def _mix(logits, hidden, keys, values, sharpness, ceiling, slope, offset, found):  # type: ignore[no-untyped-def]
    """The logarithms of a place's mixture."""
    n_keys, width = keys.shape
    shares, cache = np.empty(n_keys, logits.dtype), np.zeros(len(logits), logits.dtype)
    square = np.float64(0.0)
    for d in range(width):
        square += hidden[d] * hidden[d]
    length = max(np.sqrt(square), 1e-12)
    nearest = -2.0
    for k in range(n_keys):
        product = hidden[0] * keys[k, 0]
        for d in range(1, width):
            product += hidden[d] * keys[k, d]
        shares[k] = product / length
        nearest = max(nearest, np.float64(shares[k]))
    for k in range(n_keys):
        shares[k] = sharpness * (shares[k] - nearest)
    exponentials(shares)
    total = np.float64(0.0)
    for k in range(n_keys):
        cache[values[k]] += shares[k]
        total += shares[k]
    highest = logits[0]
    for v in range(len(logits)):
        highest = max(highest, logits[v])
    for v in range(len(logits)):
        found[v] = logits[v] - highest
    exponentials(found)
    whole = np.float64(0.0)
    for v in range(len(logits)):
        whole += found[v]
    share = ceiling / (1.0 + np.exp(-(slope * nearest + offset)))
    of_model, of_cache = (1.0 - share) / whole, share / total
    for v in range(len(logits)):
        found[v] = np.log(of_model * found[v] + of_cache * cache[v])
