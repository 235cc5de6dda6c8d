"""Ask for memory before it is needed, in compiled loops: `prefetch(array, place)`.

In: an array and a place in it, counted in numbers from its beginning. Out: nothing; the processor begins to load the
line that holds the place, and doesn't wait. A place outside the array does no harm.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

LINE = 64
"""Bytes that a processor loads at once."""


def _prefetch(context: Any, array: Any, place: Any) -> Any:
    """Numba's signature and code: LLVM's instruction of this name, for data, to be read, into all caches."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer, flag = ir.IntType(8).as_pointer(), ir.IntType(32)
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        address = builder.bitcast(builder.gep(data, [arguments[1]]), pointer)
        kind = ir.FunctionType(ir.VoidType(), [pointer, flag, flag, flag])
        instruction = builder.module.declare_intrinsic("llvm.prefetch", [pointer], kind)
        builder.call(instruction, [address, flag(0), flag(3), flag(1)])
        return context.get_dummy_value()

    return types.void(array, types.intp), generate


prefetch: Any = intrinsic(_prefetch)
