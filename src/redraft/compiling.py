"""Loops over numbers and bytes, compiled by numba on first use.

They are several times faster than NumPy's passes over whole arrays, let other threads work meanwhile, and need no
compiler at install. What is compiled is kept beside the package, or in the user's cache, for the next process; the
first time takes up to half a minute, which is said.
"""

from __future__ import annotations

from collections.abc import Callable
from multiprocessing import parent_process
from typing import Any, ParamSpec, TypeVar

import numba
from numba.core.event import Event, Listener, register

from redraft.progress import say

P = ParamSpec("P")
T = TypeVar("T")
Loop = Callable[..., None]
"""Works on arrays in place; of any types that numba can read."""


def compiled(function: Callable[P, T]) -> Callable[P, T]:
    """As Python computes it: whole numbers divided by 0 raise."""
    return _compile(function)


def compiled_sums(function: Loop) -> Loop:
    """As NumPy computes it, and sums may be reordered, so that they are computed many at once."""
    return _compile(function, error_model="numpy", fastmath={"reassoc", "contract", "nsz"})


def compiled_in_order(function: Loop) -> Loop:
    """As NumPy computes it, sums in the order in which they are written."""
    return _compile(function, error_model="numpy")


def _compile(function: Callable[P, T], **options: Any) -> Callable[P, T]:
    try:
        made: Callable[P, T] = numba.njit(cache=True, nogil=True, **options)(function)
    except RuntimeError:  # nowhere to keep it: a read-only installation of a user without a home
        made = numba.njit(nogil=True, **options)(function)
    return made


class _Notice(Listener):
    """Says once that loops are compiled; what was kept isn't compiled again. Silent in worker processes."""

    said = False

    def on_start(self, event: Event) -> None:
        if not self.said and parent_process() is None:
            self.said = True
            say("compiling loops for this machine, once ...")

    def on_end(self, event: Event) -> None:
        pass


register("numba:compile", _Notice())
