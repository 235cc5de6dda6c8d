"""The library's forward over packed tokens, with attention in a compiled loop.

In and out: as `decode.Library`. No sequence is padded and none costs more than its own length. Threads share a step
where there is enough to read. Numbers that the loops can't read, bfloat16 among them, are left to torch's attention.

Axes in names: N new tokens, H heads, G heads of keys and values, C all of these heads, K numbers per head.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from redraft.lm.cache import Cache, Step
from redraft.lm.decode import Draw, Library
from redraft.lm.fast import loops
from redraft.lm.fast.loops import looped
from redraft.lm.fast.nucleus import nucleus
from redraft.lm.model import StudentLM

WORTH_A_THREAD = 1 << 20
"""Numbers of keys read in a step that are worth another thread's start."""


class LoopedCache(Cache):
    """A cache that is looked at by compiled loops."""

    def attend(
        self, layer: int, step: Step, packed_NCK: Tensor, n_heads: int, *, scaling: float, window: int = 0
    ) -> Tensor:
        """What the step's tokens attend to (N, H, K)."""
        if not looped(packed_NCK):
            return super().attend(layer, step, packed_NCK, n_heads, scaling=scaling, window=window)
        keys, values = self.room(layer, step.length, (packed_NCK.shape[1] - n_heads) // 2, packed_NCK)
        arrays = [tensor.numpy() for tensor in (packed_NCK, keys, values, step.rows, step.places)]
        packed, n_new = arrays[0], len(packed_NCK)
        out = np.empty((n_new, n_heads, packed.shape[-1]), packed.dtype)
        loops.write(*arrays, *[np.empty((0, 0), packed.dtype)] * 2, n_heads)
        parts = min(torch.get_num_threads(), 1 + step.read * n_heads * packed_NCK.shape[-1] // WORTH_A_THREAD)
        bounds = [n_new * part // parts for part in range(parts + 1)]
        arguments = (*arrays, out, float(scaling), window)
        others = [
            threads(os.getpid(), parts - 1).submit(loops.attend, *arguments, first, last)
            for first, last in pairwise(bounds[1:])
        ]
        loops.attend(*arguments, 0, bounds[1])
        for other in others:
            other.result()
        return torch.from_numpy(out)


@cache
def threads(process: int, n: int) -> ThreadPoolExecutor:
    """Helpers; a forked process needs its own."""
    return ThreadPoolExecutor(n, f"sampling of {process}")


class LoopedLibrary(Library):
    """The library's forward, with attention and draws in compiled loops."""

    name = "the library's forward, with attention in compiled loops"
    cache_type = LoopedCache
    draw: Draw = staticmethod(nucleus)

    @staticmethod
    def fits(model: StudentLM) -> bool:
        """It fits models on CPUs whose attention can be exchanged."""
        return Library.fits(model) and model.device.type == "cpu"
