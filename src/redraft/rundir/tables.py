"""Parquet files that redraft writes and reads again; each carries a seal (`seals`), so that damage is noticed.

Parquet's own checks don't notice it: a changed bit in a page often reads as other data. A table of an earlier version
has no seal, and is believed. Loads pyarrow, so it isn't imported by the package.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from redraft.errors import DatasetError
from redraft.rundir.files import atomic_file
from redraft.rundir.seals import BLANK, check_seal, seal

ROW_GROUP = 4096
"""Rows per row group: a reader's memory is bounded by one group."""
AGAIN = "Make it again with the command that wrote it, or copy it anew."


@contextmanager
def table_writer(path: Path, schema: pa.Schema) -> Iterator[pq.ParquetWriter]:
    """A writer of a sealed Parquet file, which is there, whole, on a clean exit; the same bytes for the same calls."""
    with atomic_file(path) as temporary:
        with pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
            yield writer
            writer.add_key_value_metadata({"seal": BLANK.decode()})
        seal(temporary)


def write_table(table: pa.Table, path: Path) -> None:
    """Write a sealed Parquet file atomically, the same bytes for the same table."""
    with table_writer(path, table.schema) as writer:
        writer.write_table(table, row_group_size=ROW_GROUP)


@contextmanager
def open_table(file: Path, *, remedy: str = AGAIN) -> Iterator[pq.ParquetFile]:
    """A Parquet file to read from, its seal checked.

    Raises:
        DatasetError: It can't be read, was changed, or turns out to be damaged while it is read.
    """
    with readable(file, remedy=remedy):
        check_seal(file, remedy=remedy)
        with pq.ParquetFile(file) as opened:
            yield opened


def read_table(file: Path, columns: Sequence[str] | None = None, *, remedy: str = AGAIN) -> pa.Table:
    """The table in a file, its seal checked.

    Raises:
        DatasetError: It can't be read, was changed, or lacks one of `columns`.
    """
    with open_table(file, remedy=remedy) as opened:
        lacking = [name for name in columns or () if name not in opened.schema_arrow.names]
        if lacking:
            raise DatasetError(f"lacks the columns {', '.join(lacking)}.", where=file, remedy=remedy)
        table = opened.read(columns=list(columns) if columns else None)
        return table.replace_schema_metadata(opened.schema_arrow.metadata)  # without the seal


def read_metadata(file: Path, *, remedy: str = AGAIN) -> dict[bytes, bytes]:
    """What a table's writer noted in its schema, the seal checked.

    Raises:
        DatasetError: As `read_table`.
    """
    with open_table(file, remedy=remedy) as opened:
        found: dict[bytes, bytes] = opened.schema_arrow.metadata or {}
        return found


@contextmanager
def readable(file: Path, *, remedy: str = AGAIN) -> Iterator[None]:
    """Say of what goes wrong while a Parquet file is read that it can't be read, and which one it is."""
    try:
        yield
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
        why = f" ({error.strerror})" if isinstance(error, OSError) and error.strerror else ""
        raise DatasetError(f"can't be read as a Parquet table{why}.", where=file, remedy=remedy) from error
