"""Decoding in compiled loops: fast, and harder to read than what it stands in for.

In and out: as `redraft.lm.decode.Decoder`, by whose plain ways each of these is checked before it is used. Nothing but
`redraft.lm.fastest` knows this folder; without it the project works, only more slowly.

    lean.py       small Llamas and GPT-2s written out again
    attention.py  the library's forward, with attention in a loop
    nucleus.py    a token from the likeliest
    loops.py  product.py  prefetch.py      the loops; products with few tokens; memory asked for ahead

Compiled functions carry no annotations: numba makes one for each kind of array that they are called with.
"""

from __future__ import annotations

from redraft.lm.decode import Decoder
from redraft.lm.fast.attention import LoopedLibrary
from redraft.lm.fast.lean import LeanGPT2, LeanLlama

DECODERS: tuple[type[Decoder], ...] = (LeanLlama, LeanGPT2, LoopedLibrary)
"""The fastest first."""
