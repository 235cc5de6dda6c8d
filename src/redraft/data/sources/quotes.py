"""Quotes of a CSV file: where does a row end, and is each quote closed, and soon enough?

In: a stream of bytes. Out: the same bytes in blocks of whole rows. A quote that nobody closed takes the rows
behind it into its cell, to the next quote or to the file's end, and a reader of CSV can't know. A cell of more than
`LONGEST_CELL` bytes or `TALLEST_CELL` lines is taken for one: the file is refused, and the line named where the quote
opens. Not noticed: a lost quote after which another one comes sooner.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

import numpy as np

from redraft.compiling import compiled
from redraft.data.sources.reading import fill
from redraft.data.sources.states import Damaged

LONGEST_CELL = 2_000_000
"""Bytes."""
TALLEST_CELL = 20_000
"""Lines."""
LONGEST_ROW = 4 * 10**6
"""Bytes of a row: half of a block."""

_STATE, _LINE, _OPENED, _SIZE = range(4)
_CELL_BEGINS, _PLAIN, _QUOTED, _QUOTE_WITHIN = range(4)
_LF, _CR, _QUOTE = 10, 13, 34


@compiled
def _follow(data: np.ndarray, start: int, state: np.ndarray, longest: int, tallest: int, separator: int) -> int:
    """Go through `data` from `start` on; where its last whole row ends, or -1 if a cell is too long, told in `state`.

    Args:
        data: uint8.
        start: What is before it was looked through.
        state: int64 (4,): where in a cell, the line, the line where the last quote opened, bytes since; changed.
        longest: Bytes a cell may have.
        tallest: Lines it may have.
        separator: What stands between cells.
    """
    cut = 0
    for place in range(start, len(data)):
        sign = data[place]
        state[_LINE] += sign == _LF
        if state[_STATE] == _QUOTED:
            state[_SIZE] += 1
            if sign == _QUOTE:
                state[_STATE] = _QUOTE_WITHIN
            elif state[_SIZE] > longest or state[_LINE] - state[_OPENED] > tallest:
                return -1
            continue
        if place and sign != _LF and data[place - 1] == _CR and state[_STATE] == _CELL_BEGINS:
            cut = place
        if sign == _LF:
            cut = place + 1
        if sign in (separator, _LF, _CR):
            state[_STATE] = _CELL_BEGINS
        elif sign == _QUOTE and state[_STATE] != _PLAIN:
            if state[_STATE] == _CELL_BEGINS:
                state[_OPENED], state[_SIZE] = state[_LINE], 0
            state[_STATE] = _QUOTED
        else:
            state[_STATE] = _PLAIN
    return cut


def whole_rows(stream: IO[bytes], separator: str = ",") -> Iterator[memoryview]:
    """Blocks of whole rows, of up to twice `LONGEST_ROW` bytes; none is empty.

    Raises:
        Damaged: A quote isn't closed, or a row is too long.
    """
    state = np.array([_CELL_BEGINS, 1, 0, 0], np.int64)
    size, carry = 2 * LONGEST_ROW, b""
    while True:
        block = bytearray(size)
        block[: len(carry)] = carry
        end = len(carry) + fill(stream, memoryview(block)[len(carry) :])
        cut = _follow(np.frombuffer(block, np.uint8, end), len(carry), state, LONGEST_CELL, TALLEST_CELL,
                      ord(separator))  # fmt: skip
        if cut < 0 or (end < size and state[_STATE] == _QUOTED):
            raise Damaged(
                "open_quote",
                f"the quote that opens in line {state[_OPENED]:,} isn't closed within {LONGEST_CELL:,} bytes and "
                f"{TALLEST_CELL:,} lines, so rows would be lost in its cell (close it, or take the row out)",
            )
        if end < size:
            if end:
                yield memoryview(block)[:end]
            return
        if not cut:
            raise Damaged("damaged_file", f"it holds a row longer than {LONGEST_ROW:,} bytes")
        yield memoryview(block)[:cut]
        carry = bytes(block[cut:])
