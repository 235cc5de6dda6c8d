"""What sampling computes in compiled loops: attention, and a Llama's whole block for a few tokens.

In and out: arrays, written in place. For a few tokens most of the library's time goes into starting its many small
operations; a loop has none to start. For many tokens its matrix products are the faster ones.

Axes in comments: N tokens, D the LM's width, C heads of queries, keys and values, K numbers a head.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numba
import numpy as np

from redraft.lm.prefetch import LINE, prefetch

AHEAD = 8
"""Places ahead of the one read whose keys are asked for."""


def compiled(function: Callable[..., None]) -> Callable[..., None]:
    """Compile on first use; sums may be reordered, so that they are computed many at once."""
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": {"reassoc", "contract", "nsz"}}
    try:
        made: Callable[..., None] = numba.njit(cache=True, **options)(function)
    except RuntimeError:  # nowhere to keep it: a read-only installation of a user without a home
        made = numba.njit(**options)(function)
    return made


@compiled
def write(packed, keys, values, rows, places, cos, sin, n_heads):  # type: ignore[no-untyped-def]
    """Rotate queries and keys, in place, and put keys and values where they belong."""
    n_tokens, _, size = packed.shape
    n_groups = keys.shape[1]
    half = size // 2
    for n in range(n_tokens):
        row, place = rows[n], places[n]
        if len(cos):
            for head in range(n_heads + n_groups):
                vector = packed[n, head]
                for d in range(half):
                    one, other = vector[d], vector[d + half]
                    vector[d] = one * cos[place, d] - other * sin[place, d]
                    vector[d + half] = other * cos[place, d + half] + one * sin[place, d + half]
        for group in range(n_groups):
            key, value = packed[n, n_heads + group], packed[n, n_heads + n_groups + group]
            for d in range(size):
                keys[row, group, place, d] = key[d]
                values[row, group, place, d] = value[d]


@compiled
def attend(packed, keys, values, rows, places, out, scaling, window, first, last):  # type: ignore[no-untyped-def]
    """What the tokens from `first` to before `last` attend to. Places are taken by fours: sums side by side.

    Nearly all the time goes into waiting for keys and values. So memory is asked for before its turn, and values whose
    weights all together are lost in rounding aren't read: most of them, once a model is trained. Weights that small
    would be denormal numbers, too, which processors multiply a hundred times slower.
    """
    size = packed.shape[2]
    n_heads, n_groups = out.shape[1], keys.shape[1]
    number = packed.dtype.type
    factor = number(scaling)
    least = number(math.log(np.finfo(packed.dtype).eps / keys.shape[2]))
    line = LINE // packed.itemsize
    scores = np.empty(keys.shape[2], packed.dtype)
    for n in range(first, last):
        row, end = rows[n], places[n] + 1
        start = max(0, end - window) if window else 0
        fours = end - (end - start) % 4
        for head in range(n_heads):
            group = head * n_groups // n_heads
            query, key, value, mixed = packed[n, head], keys[row, group], values[row, group], out[n, head]
            for j in range(start, fours, 4):
                for d in range(0, 4 * size, line):
                    prefetch(key, (j + AHEAD) * size + d)
                k0, k1, k2, k3 = key[j], key[j + 1], key[j + 2], key[j + 3]
                s0 = s1 = s2 = s3 = number(0)
                for d in range(size):
                    s0 += query[d] * k0[d]
                    s1 += query[d] * k1[d]
                    s2 += query[d] * k2[d]
                    s3 += query[d] * k3[d]
                scores[j], scores[j + 1], scores[j + 2], scores[j + 3] = s0, s1, s2, s3
            for j in range(fours, end):
                s0 = number(0)
                for d in range(size):
                    s0 += query[d] * key[j, d]
                scores[j] = s0
            best = number(-np.inf)
            for j in range(start, end):
                scores[j] *= factor
                best = max(best, scores[j])
            total = number(0)
            for j in range(start, end):
                score = scores[j] - best
                if score > least:
                    scores[j] = math.exp(score)
                    for d in range(0, size, line):
                        prefetch(value, j * size + d)
                else:
                    scores[j] = number(0)
                total += scores[j]
            for d in range(size):
                mixed[d] = number(0)
            for j in range(start, fours, 4):
                v0, v1, v2, v3 = value[j], value[j + 1], value[j + 2], value[j + 3]
                s0, s1, s2, s3 = scores[j], scores[j + 1], scores[j + 2], scores[j + 3]
                if s0 + s1 + s2 + s3 == 0:
                    continue
                for d in range(size):
                    mixed[d] += s0 * v0[d] + s1 * v1[d] + s2 * v2[d] + s3 * v3[d]
            for j in range(fours, end):
                s0 = scores[j]
                for d in range(size):
                    mixed[d] += s0 * value[j, d]
            for d in range(size):
                mixed[d] /= total


@compiled
def norm(x, weight, eps, out):  # type: ignore[no-untyped-def]
    """Root mean square norm (N, D)."""
    n_tokens, width = x.shape
    number = x.dtype.type
    for n in range(n_tokens):
        squares = number(0)
        for d in range(width):
            squares += x[n, d] * x[n, d]
        factor = number(1 / math.sqrt(squares / width + eps))
        for d in range(width):
            out[n, d] = x[n, d] * factor * weight[d]


@compiled
def _map(x, weight, bias, out, add):  # type: ignore[no-untyped-def]
    """A linear map, put into `out` or added to it. Tokens are taken by fours: each weight is read once for them."""
    n_tokens, size = x.shape
    number = x.dtype.type
    fours = n_tokens - n_tokens % 4
    for o in range(weight.shape[0]):
        w = weight[o]
        more = bias[o] if len(bias) else number(0)
        for n in range(0, fours, 4):
            x0, x1, x2, x3 = x[n], x[n + 1], x[n + 2], x[n + 3]
            s0 = s1 = s2 = s3 = number(0)
            for d in range(size):
                s0 += x0[d] * w[d]
                s1 += x1[d] * w[d]
                s2 += x2[d] * w[d]
                s3 += x3[d] * w[d]
            out[n, o] = s0 + more + (out[n, o] if add else number(0))
            out[n + 1, o] = s1 + more + (out[n + 1, o] if add else number(0))
            out[n + 2, o] = s2 + more + (out[n + 2, o] if add else number(0))
            out[n + 3, o] = s3 + more + (out[n + 3, o] if add else number(0))
        for n in range(fours, n_tokens):
            s0 = number(0)
            for d in range(size):
                s0 += x[n, d] * w[d]
            out[n, o] = s0 + more + (out[n, o] if add else number(0))


@compiled
def llama_block(  # type: ignore[no-untyped-def]
    x, keys, values, rows, places, cos, sin, norm1, qkv, qkv_bias, o, o_bias, norm2, up, up_bias, down, down_bias,
    n_heads, scaling, eps,
):  # fmt: skip
    """A Llama's block: `x` (N, D) becomes its output. `up` holds the gate's weights first."""
    n_tokens, width = x.shape
    n_groups, size = keys.shape[1], keys.shape[3]
    number = x.dtype.type
    normed = np.empty((n_tokens, width), x.dtype)
    norm(x, norm1, eps, normed)
    packed = np.empty((n_tokens, n_heads + 2 * n_groups, size), x.dtype)
    _map(normed, qkv, qkv_bias, packed.reshape(n_tokens, -1), False)
    write(packed, keys, values, rows, places, cos, sin, n_heads)
    attended = np.empty((n_tokens, n_heads, size), x.dtype)
    attend(packed, keys, values, rows, places, attended, scaling, 0, 0, n_tokens)
    _map(attended.reshape(n_tokens, -1), o, o_bias, x, True)
    norm(x, norm2, eps, normed)
    risen = np.empty((n_tokens, up.shape[0]), x.dtype)
    _map(normed, up, up_bias, risen, False)
    inner = up.shape[0] // 2
    gated = np.empty((n_tokens, inner), x.dtype)
    for n in range(n_tokens):
        for d in range(inner):
            gated[n, d] = risen[n, d] / (number(1) + math.exp(-risen[n, d])) * risen[n, inner + d]
    _map(gated, down, down_bias, x, True)
