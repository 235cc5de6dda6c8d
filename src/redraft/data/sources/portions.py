"""Rows of tables in portions: what every kind of table hands on.

In: columns of a stretch of a file. Out: `Rows`, none of them large, every column as text; rows of which a cell isn't
UTF-8 are sorted out, and they alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol

import numpy as np
import pyarrow as pa

LONGEST_CELL = 2_000_000
"""Bytes of a cell."""
ROWS_AT_ONCE = 65536
ROW_SIZE = 8
"""Bytes that a value takes, be it empty."""


class Bounds(Protocol):
    """What reading keeps to; a `Workspace` has it."""

    @property
    def block_bytes(self) -> int:
        """Bytes of a portion."""

    @property
    def unpack_ratio(self) -> int:
        """How many times its size a file may grow."""


class Rows(NamedTuple):
    """Some rows of a file."""

    table: pa.Table
    """`row` (int64) and the wanted columns (string)."""
    bad_rows: list[int]
    bad_reasons: list[str]
    size: int
    """Bytes of the file they took, about."""
    decimal: str = "."
    """What stands before decimals in it."""


def in_portions(sizes: np.ndarray, most: int) -> Iterator[slice]:
    """Slices of rows of at most `most` bytes and `ROWS_AT_ONCE` rows, or of a single longer row."""
    ends = np.cumsum(sizes)
    start = 0
    while start < len(sizes):
        before = int(ends[start - 1]) if start else 0
        stop = int(np.searchsorted(ends, before + most, side="right"))
        stop = min(max(stop, start + 1), start + ROWS_AT_ONCE)
        yield slice(start, stop)
        start = stop


def nothing(columns: list[str]) -> pa.Table:
    """No rows."""
    return pa.table({"row": pa.array([], pa.int64()), **{name: pa.array([], pa.string()) for name in columns}})


def decoded(table: pa.Table) -> tuple[pa.Table, list[int]]:
    """Binary columns as strings, and the numbers of the rows that don't decode, which are left out."""
    good = np.ones(table.num_rows, bool)
    for name in table.column_names[1:]:
        if not pa.types.is_binary(table[name].type):
            continue
        try:
            table[name].cast(pa.string())
        except pa.ArrowInvalid:
            good &= np.array([_decodes(value) for value in table[name].to_pylist()], bool)
    bad = table["row"].to_numpy()[~good].tolist()
    if bad:
        table = table.filter(pa.array(good))
    schema = pa.schema([pa.field("row", pa.int64()), *(pa.field(name, pa.string()) for name in table.column_names[1:])])
    return table.cast(schema), bad


def _decodes(value: bytes | None) -> bool:
    if value is None:
        return True
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True
