"""Counts how often each shard of a dataset is read."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest


class Passes:
    """Shard -> readings; each whole only if all rows were read, or all row groups one by one."""

    def __init__(self) -> None:
        self._read: Counter[Path] = Counter()

    def add(self, file: Path, rows: int, of: int) -> None:
        """A reading of some rows."""
        if file.name.startswith("traces-") and of:
            self._read[file.resolve()] += Fraction(rows, of)  # type: ignore[assignment]

    def of(self, dataset: Path) -> list[int | Fraction]:
        """How often each shard of a dataset was read."""
        return [self._read[shard] for shard in sorted(dataset.resolve().glob("traces-*.parquet"))]


@contextmanager
def counted() -> Iterator[Passes]:
    """Count every reading in this process, by pyarrow or by DuckDB, while it lasts."""
    passes = Passes()
    opened, batches, group = pq.ParquetFile.__init__, pq.ParquetFile.iter_batches, pq.ParquetFile.read_row_group
    whole, table, connect = pq.ParquetFile.read, pq.read_table, duckdb.connect

    def open_it(self: pq.ParquetFile, source: Any, *args: Any, **rest: Any) -> None:
        opened(self, source, *args, **rest)
        self.counted_as = Path(source) if isinstance(source, str | Path) else Path("no file")

    def iter_batches(self: pq.ParquetFile, *args: Any, **rest: Any) -> Iterator[Any]:
        for batch in batches(self, *args, **rest):
            passes.add(self.counted_as, batch.num_rows, self.metadata.num_rows)
            yield batch

    def read_row_group(self: pq.ParquetFile, *args: Any, **rest: Any) -> Any:
        found = group(self, *args, **rest)
        passes.add(self.counted_as, found.num_rows, self.metadata.num_rows)
        return found

    def read(self: pq.ParquetFile, *args: Any, **rest: Any) -> Any:
        passes.add(self.counted_as, 1, 1)
        return whole(self, *args, **rest)

    def read_table(source: Any, *args: Any, **rest: Any) -> Any:
        if isinstance(source, str | Path):
            passes.add(Path(source), 1, 1)
        return table(source, *args, **rest)

    class Database:
        """A connection whose queries of the view `shards` are counted."""

        def __init__(self, connection: Any) -> None:
            self.connection, self.shards = connection, list[str]()

        def __enter__(self) -> Database:
            return self

        def __exit__(self, *error: object) -> None:
            self.connection.close()

        def __getattr__(self, name: str) -> Any:
            return getattr(self.connection, name)

        def read_parquet(self, shards: list[str]) -> Any:
            self.shards = shards
            return self.connection.read_parquet(shards)

        def execute(self, query: str, *args: Any) -> Any:
            for _ in re.findall(r"FROM shards\b", query):
                for shard in self.shards:
                    passes.add(Path(shard), 1, 1)
            return self.connection.execute(query, *args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pq.ParquetFile, "__init__", open_it)
        patch.setattr(pq.ParquetFile, "iter_batches", iter_batches)
        patch.setattr(pq.ParquetFile, "read_row_group", read_row_group)
        patch.setattr(pq.ParquetFile, "read", read)
        patch.setattr(pq, "read_table", read_table)
        patch.setattr(duckdb, "connect", lambda *args, **rest: Database(connect(*args, **rest)))
        yield passes
