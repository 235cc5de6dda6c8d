"""What may come next in a trace that a model writes: a codec's grammar.

In: the ids of a trace so far. Out: which ids go on to a valid trace, and which of three things each would say: the
draft goes on, the draft is done and another follows, the trace ends. `Codec.grammar` makes one for a trace; a codec
without a grammar has none, and then anything may come.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

NEVER, GOES_ON, NEXT_DRAFT, TRACE_ENDS = -1, 0, 1, 2
"""What an id would say: it can't come, or which group it is in."""

May = NDArray[np.int8]
"""An entry per id (V): one of the four. Shared by many places, so never written to."""


class Grammar(Protocol):
    """A place in a trace. It never changes: going on from it makes another, so a guess costs nothing to take back."""

    @property
    def may(self) -> May:
        """What each id would say if it came next; one at least may come, until the trace has ended."""

    @property
    def line(self) -> str | None:
        """The program's line that the last id's step leads to, or what is kept of it; None: there is none."""

    def after(self, token: int) -> Grammar:
        """The place behind one more id, which need not be one that may come."""
