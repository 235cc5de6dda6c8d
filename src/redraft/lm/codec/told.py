"""What a model is told amid a trace, and never asked to predict: texts, and where they are in ids.

In: ids of a chunk, or of a whole trace, as flags of what they do. Out: which of them stand in what is told.

Axes in names: L ids.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Flags = NDArray[np.bool_]


class Told(NamedTuple):
    """A text that the model is told: its first ids, so many at most."""

    text: str
    most: int


def within(opens_L: Flags, shuts_L: Flags, others_L: Flags) -> Flags:
    """Which ids stand behind one that opens, up to the next that opens, shuts or is another; and all that shut.

    A chunk may begin inside: what is before the first of all these is within if that one shuts.
    """
    marks = np.flatnonzero(opens_L | shuts_L | others_L)
    last_L = np.searchsorted(marks, np.arange(len(opens_L))) - 1  # the last mark before each id; -1: none
    inside_L: Flags = np.append(opens_L[marks], shuts_L[marks[:1]].any())[last_L]
    inside_L[marks] = False
    return inside_L | shuts_L
