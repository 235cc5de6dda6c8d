"""Compile loops on first use, so that no compiler is needed to install the package."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba

Loop = Callable[..., None]


def compiled(function: Loop) -> Loop:
    """Sums may be reordered, so that they are computed many at once."""
    return _compile(function, fastmath={"reassoc", "contract", "nsz"})


def compiled_in_order(function: Loop) -> Loop:
    """Sums are made in the order in which they are written."""
    return _compile(function)


def _compile(function: Loop, **more: Any) -> Loop:
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy", **more}
    try:
        made: Loop = numba.njit(cache=True, **options)(function)
    except RuntimeError:  # nowhere to keep it: a read-only installation of a user without a home
        made = numba.njit(**options)(function)
    return made
