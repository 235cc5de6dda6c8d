"""Quotes of a CSV file: is each one closed, and soon enough?

In: a stream of bytes. Out: the same bytes, looked through on their way. A quote that nobody closed takes the rows
behind it into its cell, to the next quote or to the file's end, and a reader of CSV can't know. A cell of more than
`LONGEST_CELL` bytes or `TALLEST_CELL` lines is taken for one: the file is refused, and the line named where the quote
opens. Not noticed: a lost quote after which another one comes sooner.
"""

from __future__ import annotations

import io
from typing import IO, Any, cast

import numpy as np

from redraft.compiling import compiled
from redraft.data.sources.states import Damaged

LONGEST_CELL = 2_000_000
"""Bytes."""
TALLEST_CELL = 20_000
"""Lines."""

_STATE, _LINE, _OPENED, _SIZE = range(4)
_CELL_BEGINS, _PLAIN, _QUOTED, _QUOTE_WITHIN = range(4)
_LF, _CR, _QUOTE, _COMMA = 10, 13, 34, 44


@compiled
def _follow(data: np.ndarray, state: np.ndarray, longest: int, tallest: int) -> bool:
    """Go through `data`; whether a cell is too long, which is in `state` then.

    Args:
        data: uint8.
        state: int64 (4,): where in a cell, the line, the line where the last quote opened, bytes since; changed.
        longest: Bytes a cell may have.
        tallest: Lines it may have.
    """
    for sign in data:
        state[_LINE] += sign == _LF
        if state[_STATE] == _QUOTED:
            state[_SIZE] += 1
            if sign == _QUOTE:
                state[_STATE] = _QUOTE_WITHIN
            elif state[_SIZE] > longest or state[_LINE] - state[_OPENED] > tallest:
                return True
        elif sign in (_COMMA, _LF, _CR):
            state[_STATE] = _CELL_BEGINS
        elif sign == _QUOTE and state[_STATE] != _PLAIN:
            if state[_STATE] == _CELL_BEGINS:
                state[_OPENED], state[_SIZE] = state[_LINE], 0
            state[_STATE] = _QUOTED
        else:
            state[_STATE] = _PLAIN
    return False


class WatchedQuotes(io.RawIOBase):
    """A stream of CSV; reading it ends in `Damaged` where a quote is taken for one that nobody closed."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._state = np.array([_CELL_BEGINS, 1, 0, 0], np.int64)

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, space: Any) -> int:
        """Read some bytes.

        Raises:
            Damaged: A quote isn't closed.
        """
        count = cast(io.RawIOBase, self._stream).readinto(space) or 0
        too_long = _follow(np.frombuffer(space, np.uint8, count), self._state, LONGEST_CELL, TALLEST_CELL)
        if too_long or (not count and len(space) and self._state[_STATE] == _QUOTED):
            raise Damaged(
                "open_quote",
                f"the quote that opens in line {self._state[_OPENED]:,} isn't closed within {LONGEST_CELL:,} bytes and "
                f"{TALLEST_CELL:,} lines, so rows would be lost in its cell (close it, or take the row out)",
            )
        return count
