"""DuckDB as this package uses it: a thread for each thread that asks, a bound on memory, its overflow where we say."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb
import pyarrow as pa

from redraft.errors import UsageError

_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
SMALLEST_MEMORY = 256 * 10**6


def parse_memory(text: str) -> int:
    """Bytes of `512MB`, `2GB` and the like.

    Raises:
        UsageError: It isn't a size, or less than 256 MB.
    """
    match = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([KMGT]?)(?:I?B)?\s*", text.upper())
    if not match:
        raise UsageError(f"{text!r} is not a size.", where="--memory", remedy="Write it like 512MB or 2GB.")
    size = int(float(match[1]) * _UNITS[match[2]])
    if size < SMALLEST_MEMORY:
        raise UsageError(f"{text} is too little to work in.", where="--memory", remedy="Give at least 256MB.")
    return size


BATCH = 4096
"""Rows per batch handed to DuckDB: its threads share a table's batches."""


def connect(memory: int, overflow: Path) -> duckdb.DuckDBPyConnection:
    """An in-memory database of at most `memory` bytes; what doesn't fit goes to files under `overflow`."""
    return duckdb.connect(
        config={
            "threads": 1,
            "memory_limit": f"{memory // 10**6}MB",
            "temp_directory": str(overflow),
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        }
    )


class Workspace:
    """One database for a whole command, shared by its threads, and the sizes that follow from its memory."""

    def __init__(self, memory: int, overflow: Path, *, unpack_ratio: int) -> None:
        self.memory = memory
        self.unpack_ratio = unpack_ratio
        """How many times its size an input may grow."""
        self._database = connect(memory // 2, overflow)

    @property
    def block_bytes(self) -> int:
        """Input parsed at a time: small beside the memory, since a block is copied a few times on its way."""
        return min(max(self.memory // 40, 4 * 10**6), 16 * 10**6)

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """A connection of the calling thread's own; close it (it is a context manager)."""
        return self._database.cursor()

    def close(self) -> None:
        """Close the database and drop its overflow."""
        self._database.close()


def in_batches(table: pa.Table) -> pa.Table:
    """The same table, cut so that DuckDB can work on it with several threads."""
    return pa.Table.from_batches(table.combine_chunks().to_batches(max_chunksize=BATCH), table.schema)
