"""Linear maps in compiled loops: tokens, packed one after the other, times weights that are laid out for it once.

In: tokens (N, K) and weights in panels (`panels_of`). Out: an array (N, O), written in place. Libraries lay weights
out anew at each product, which for as few tokens as sampling has takes half as long as the product or more, and they
are called from Python, for which threads wait in turn. Each row of the result is summed in one order whatever the other
rows are, so that a token's neighbours don't change it, not even by rounding.

Axes: N tokens, K numbers in, O numbers out, P panels, W numbers out of a panel.
"""

from __future__ import annotations

from itertools import chain
from typing import Any

import numpy as np
from llvmlite import binding, ir
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from redraft.compiling import compiled_in_order

_FEATURES = binding.get_host_cpu_features()
VECTOR = 64 if _FEATURES.get("avx512f") else 32
"""Bytes that are computed at once."""
VECTORS = 2
"""Vectors of a panel's row: two sums of each token can be under way at once."""
TALL = 8 if VECTOR == 64 else 4
"""Tokens whose sums are kept in registers together, `VECTORS` each; there are 32 registers of 64 bytes, or 16."""
FUSED = ("contract", "nsz")
"""A product and its sum may be rounded once; nothing is reordered."""


def panels_of(weight_OK: NDArray[Any]) -> NDArray[Any]:
    """Weights (O, K) in panels (P, K, W): what W numbers out need of each number in stands together.

    The last panel is filled up with zeros.
    """
    n_out, size = weight_OK.shape
    width = VECTORS * VECTOR // weight_OK.itemsize
    full = np.zeros((-(-n_out // width) * width, size), weight_OK.dtype)
    full[:n_out] = weight_OK
    return np.ascontiguousarray(full.reshape(-1, width, size).transpose(0, 2, 1))


def _tile(height: int) -> Any:
    """`height` tokens, from `first` on, times panel `p`, put into or added to columns of `out` from `column` on.

    A function for compiled code, written as instructions, since no loop in numba keeps its sums in registers.
    """

    def tile(context: Any, x: Any, first: Any, panels: Any, p: Any, out: Any, column: Any, add: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            number = signature.args[0].dtype
            lanes = VECTOR * 8 // number.bitwidth
            vector = ir.VectorType(context.get_value_type(number), lanes)
            x, panels, out = (context.make_array(signature.args[i])(context, builder, arguments[i]) for i in (0, 2, 4))
            first, p, column = arguments[1], arguments[3], arguments[5]
            size, n_out = (builder.extract_value(array.shape, 1) for array in (x, out))
            place, zero = size.type, ir.Constant(vector, None)

            def at(data: Any, *steps: Any) -> Any:
                return builder.gep(data, [steps[0] if len(steps) == 1 else builder.add(*steps)])

            def load(address: Any) -> Any:
                found = builder.load(builder.bitcast(address, vector.as_pointer()))
                found.align = number.bitwidth // 8
                return found

            def spread(scalar: Any) -> Any:
                one = builder.insert_element(ir.Constant(vector, ir.Undefined), scalar, ir.IntType(32)(0))
                everywhere = ir.Constant(ir.VectorType(ir.IntType(32), lanes), None)
                return builder.shuffle_vector(one, ir.Constant(vector, ir.Undefined), everywhere)

            panel = at(panels.data, builder.mul(builder.mul(p, size), place(VECTORS * lanes)))
            tokens = [at(x.data, builder.mul(builder.add(first, place(n)), size)) for n in range(height)]
            before, loop, after = builder.block, builder.append_basic_block(), builder.append_basic_block()
            builder.branch(loop)
            builder.position_at_end(loop)
            k = builder.phi(place)
            sums = [[builder.phi(vector) for _ in range(VECTORS)] for _ in range(height)]
            row = builder.mul(k, place(VECTORS * lanes))
            weights = [load(at(panel, row, place(v * lanes))) for v in range(VECTORS)]
            new = []
            for token, each in zip(tokens, sums, strict=True):
                factor = spread(builder.load(at(token, k)))
                products = [builder.fmul(factor, weight, flags=FUSED) for weight in weights]
                new.append([builder.fadd(s, m, flags=FUSED) for s, m in zip(each, products, strict=True)])
            following = builder.add(k, place(1))
            changing = [(k, place(0), following)]
            pairs = zip(chain(*sums), chain(*new), strict=True)
            changing += [(each, zero, end) for each, end in pairs]
            for phi, start, end in changing:
                phi.add_incoming(start, before)
                phi.add_incoming(end, loop)
            builder.cbranch(builder.icmp_signed("<", following, size), loop, after)
            builder.position_at_end(after)
            adds = context.cast(builder, arguments[6], signature.args[6], types.boolean)
            for n, ends in enumerate(new):
                line = builder.add(builder.mul(builder.add(first, place(n)), n_out), column)
                for v, end in enumerate(ends):
                    address = at(out.data, line, place(v * lanes))
                    old = builder.select(adds, load(address), zero)
                    stored = builder.store(builder.fadd(old, end), builder.bitcast(address, vector.as_pointer()))
                    stored.align = number.bitwidth // 8
            return context.get_dummy_value()

        return types.void(x, types.intp, panels, types.intp, out, types.intp, types.boolean), generate

    return intrinsic(tile)


_tall, _low, _single = (_tile(height) for height in (TALL, TALL // 2, 1))


@compiled_in_order
def _by_panel(x, panels, p, out, column, add):  # type: ignore[no-untyped-def]
    """All tokens times one panel, which stays in the nearest cache meanwhile."""
    n, n_tokens = 0, x.shape[0]
    while n + TALL <= n_tokens:
        _tall(x, n, panels, p, out, column, add)
        n += TALL
    while n + TALL // 2 <= n_tokens:
        _low(x, n, panels, p, out, column, add)
        n += TALL // 2
    while n < n_tokens:
        _single(x, n, panels, p, out, column, add)
        n += 1


@compiled_in_order
def product(x, panels, bias, out, add):  # type: ignore[no-untyped-def]
    """Tokens `x` (N, K) times weights in panels, with the bias (O,) if it isn't empty: put into `out` (N, O), or added.

    All arrays are contiguous and of one type.
    """
    n_tokens, n_out = out.shape
    width = panels.shape[2]
    for n in range(n_tokens if len(bias) else 0):
        for o in range(n_out):
            out[n, o] = (out[n, o] if add else x.dtype.type(0)) + bias[o]
    adds = add or len(bias) > 0
    for p in range(panels.shape[0]):
        column = p * width
        if column + width <= n_out:
            _by_panel(x, panels, p, out, column, adds)
        else:
            last = np.empty((n_tokens, width), x.dtype)
            _by_panel(x, panels, p, last, 0, False)
            for n in range(n_tokens):
                for o in range(column, n_out):
                    out[n, o] = last[n, o - column] + (out[n, o] if adds else x.dtype.type(0))
