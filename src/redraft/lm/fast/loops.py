"""What sampling computes in compiled loops: attention, and whole blocks of a Llama and a GPT-2.

In and out: arrays, written in place. Much of the library's time goes into starting its many small operations, and
threads wait for one another while they do; a loop has none to start, and leaves Python to other threads.

Axes in comments: N tokens, D the LM's width, C heads of queries, keys and values, K numbers per head.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from redraft.compiling import compiled_in_order, compiled_sums
from redraft.lm.fast.prefetch import LINE, prefetch
from redraft.lm.fast.product import product

LOOPED = (torch.float32, torch.float64)
"""What the loops can read."""
AHEAD = 8
"""Places ahead of the one read whose keys are asked for."""
GELU_ROOT, GELU_CUBE = math.sqrt(2 / math.pi), 0.044715
"""Of GELU's approximation by the hyperbolic tangent (Hendrycks and Gimpel)."""


def looped(tensor: Tensor) -> bool:
    """Whether the loops can work on it."""
    return tensor.device.type == "cpu" and tensor.dtype in LOOPED


@compiled_sums
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


@compiled_sums
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


@compiled_sums
def norm(x, weight, bias, eps, out):  # type: ignore[no-untyped-def]
    """A layer norm (N, D), or without a bias a root mean square norm."""
    n_tokens, width = x.shape
    number = x.dtype.type
    for n in range(n_tokens):
        mean = number(0)
        if len(bias):
            for d in range(width):
                mean += x[n, d]
            mean /= width
        squares = number(0)
        for d in range(width):
            squares += (x[n, d] - mean) * (x[n, d] - mean)
        factor = number(1 / math.sqrt(squares / width + eps))
        for d in range(width):
            out[n, d] = (x[n, d] - mean) * factor * weight[d]
        for d in range(len(bias)):
            out[n, d] += bias[d]


@compiled_in_order
def exponentials(x):  # type: ignore[no-untyped-def]
    """The exponential of each number of `x` (L,), in place; of float32s many at once, as math's isn't.

    For these: powers of 2 times a polynomial (Cephes' expf), right but for the last bit or two; powers beyond -87 and
    88 are taken as these.
    """
    if x.itemsize != 4:
        for i in range(len(x)):
            x[i] = math.exp(x[i])
        return
    bits = np.empty(len(x), np.int32)
    number = x.dtype.type
    for i in range(len(x)):
        value = min(max(x[i], number(-87)), number(88))
        twos = np.floor(value * number(1 / math.log(2)) + number(0.5))
        rest = value - twos * number(0.693359375) + twos * number(2.12194440e-4)  # of log 2, in two parts
        part = number(1.9875691500e-4)
        part = part * rest + number(1.3981999507e-3)
        part = part * rest + number(8.3334519073e-3)
        part = part * rest + number(4.1665795894e-2)
        part = part * rest + number(1.6666665459e-1)
        part = part * rest + number(5.0000001201e-1)
        x[i] = part * rest * rest + rest + number(1)
        bits[i] = (np.int32(twos) + 127) << 23  # the exponent of a float32
    factors = bits.view(x.dtype)
    for i in range(len(x)):
        x[i] *= factors[i]


@compiled_sums
def attention(  # type: ignore[no-untyped-def]
    x, normed, keys, values, rows, places, cos, sin, qkv, qkv_bias, o, o_bias, n_heads, scaling
):
    """A block's first half: `normed` (N, D) looks back, and what it finds is added to `x` (N, D)."""
    n_tokens = len(x)
    n_groups, size = keys.shape[1], keys.shape[3]
    packed = np.empty((n_tokens, n_heads + 2 * n_groups, size), x.dtype)
    product(normed, qkv, qkv_bias, packed.reshape(n_tokens, -1), False)
    write(packed, keys, values, rows, places, cos, sin, n_heads)
    attended = np.empty((n_tokens, n_heads, size), x.dtype)
    attend(packed, keys, values, rows, places, attended, scaling, 0, 0, n_tokens)
    product(attended.reshape(n_tokens, -1), o, o_bias, x, True)


@compiled_sums
def llama_block(  # type: ignore[no-untyped-def]
    x, keys, values, rows, places, cos, sin, norm1, qkv, qkv_bias, o, o_bias, norm2, up, up_bias, down, down_bias,
    inner, n_heads, scaling, eps,
):  # fmt: skip
    """A Llama's block: `x` (N, D) becomes its output. `up` holds the gate's `inner` weights first."""
    number = x.dtype.type
    normed = np.empty_like(x)
    norm(x, norm1, norm1[:0], eps, normed)
    attention(x, normed, keys, values, rows, places, cos, sin, qkv, qkv_bias, o, o_bias, n_heads, scaling)
    norm(x, norm2, norm2[:0], eps, normed)
    risen = np.empty((len(x), 2 * inner), x.dtype)
    product(normed, up, up_bias, risen, False)
    gated = np.empty((len(x), inner), x.dtype)
    for n in range(len(x)):
        for d in range(inner):
            gated[n, d] = -risen[n, d]
        exponentials(gated[n])
        for d in range(inner):
            gated[n, d] = risen[n, d] / (number(1) + gated[n, d]) * risen[n, inner + d]
    product(gated, down, down_bias, x, True)


@compiled_sums
def gpt2_block(  # type: ignore[no-untyped-def]
    x, keys, values, rows, places, norm1, norm1_bias, qkv, qkv_bias, o, o_bias, norm2, norm2_bias, up, up_bias,
    down, down_bias, n_heads, scaling, eps,
):  # fmt: skip
    """A GPT-2's block, with the usual approximation of GELU: `x` (N, D) becomes its output."""
    number = x.dtype.type
    nothing = np.empty((0, 0), x.dtype)
    normed = np.empty_like(x)
    norm(x, norm1, norm1_bias, eps, normed)
    attention(x, normed, keys, values, rows, places, nothing, nothing, qkv, qkv_bias, o, o_bias, n_heads, scaling)
    norm(x, norm2, norm2_bias, eps, normed)
    risen = np.empty((len(x), len(up_bias)), x.dtype)
    product(normed, up, up_bias, risen, False)
    powers = np.empty(len(up_bias), x.dtype)
    for n in range(len(x)):
        for d in range(len(up_bias)):
            value = risen[n, d]
            powers[d] = number(-2 * GELU_ROOT) * (value + number(GELU_CUBE) * value * value * value)
        exponentials(powers)
        for d in range(len(up_bias)):
            risen[n, d] /= number(1) + powers[d]
    product(risen, down, down_bias, x, True)
