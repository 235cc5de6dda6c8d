"""The mixture of a model's distribution and a neural cache's.

In: logits and hidden states, and a student's past: unit keys and the ids that followed them. Out: logits of the
mixture p = (1 - g) p_model + g p_cache. p_cache gives each id the sum of exp(sharpness * s) over the keys that it
followed, by the share of all keys, where s is the cosine of hidden state and key. The weight g depends on the nearest
key: g = ceiling * sigmoid(slope * max s + offset), so that a student's past is silent where nothing in it is alike.

Axes in names: N places, D the LM's width, V vocabulary, K keys.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid, normalize

from redraft.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Mixing:
    """How a cache is mixed in; fitted to validation traces (`fit`)."""

    sharpness: float
    """Factor of the cosine: the larger, the more the nearest keys alone count."""
    ceiling: float
    """The largest weight a cache can have, above 0 and below 1."""
    slope: float
    """How fast the weight rises with the nearest key's cosine."""
    offset: float
    """What is added to that."""

    def __post_init__(self) -> None:
        if not 0 < self.ceiling < 1:
            raise InputError(f"a cache's ceiling is {self.ceiling}; it must be above 0 and below 1.")


class Past(NamedTuple):
    """What of a student's work came before a trace, at least one key, and how to mix it in."""

    keys: Tensor
    """(K, D) hidden states, each of length 1; float32 or better."""
    values: Tensor
    """(K,) the ids that came next."""
    mixing: Mixing


def cosines(hidden_ND: Tensor, keys_KD: Tensor) -> Tensor:
    """How alike hidden states and unit keys are (N, K), from -1 to 1, in float32 or better."""
    precise = torch.promote_types(hidden_ND.dtype, torch.float32)
    return normalize(hidden_ND.to(precise), dim=-1) @ keys_KD.to(hidden_ND.device, precise).T


def log_share(nearest_N: Tensor, ceiling: Tensor, slope: Tensor | float, offset: Tensor | float) -> Tensor:
    """The logarithm of the cache's weight (N,), by the nearest key's cosine."""
    return ceiling.log() + logsigmoid(slope * nearest_N + offset)


def log_mixture(model_N: Tensor, cache_N: Tensor, log_share_N: Tensor) -> Tensor:
    """The logarithm of a mixture, of those of its two parts and of the second's weight; shapes are broadcast."""
    return torch.logaddexp(torch.log1p(-log_share_N.exp()) + model_N, log_share_N + cache_N)


def mixed(logits_NV: Tensor, hidden_ND: Tensor, past: Past) -> Tensor:
    """Logarithms of the mixture's probabilities (N, V), to be used like logits."""
    cosines_NK = cosines(hidden_ND, past.keys)
    shares_NK = torch.softmax(past.mixing.sharpness * cosines_NK, dim=-1)
    cache_NV = shares_NK.new_zeros(logits_NV.shape).index_add_(1, past.values.to(logits_NV.device), shares_NK)
    mixing, nearest_N = past.mixing, cosines_NK.amax(-1)
    share_N = log_share(nearest_N, nearest_N.new_tensor(mixing.ceiling), mixing.slope, mixing.offset)
    model_NV = torch.log_softmax(logits_NV, dim=-1, dtype=cache_NV.dtype)
    return log_mixture(model_NV, cache_NV.log(), share_N[:, None])
