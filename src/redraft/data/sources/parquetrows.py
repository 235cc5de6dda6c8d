"""Rows of Parquet files.

In: a file. Out: its rows in portions, `columns` of them as text; a column inside another is named with dots
(`user.id`). Texts are read by number, and looked up once it is known how many bytes that makes, however a file repeats
itself. A value that isn't UTF-8 rejects its row. Whole numbers stored as floating point lose their `.0`. Columns of
lists, records, days and other things that are no text, number or time are refused before anything is read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from redraft.data.sources.growth import Growth
from redraft.data.sources.portions import (
    LONGEST_CELL,
    ROW_SIZE,
    ROWS_AT_ONCE,
    Bounds,
    Rows,
    decoded,
    in_portions,
    nothing,
)  # fmt: skip
from redraft.errors import InputError

_TEXTS = (
    pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view, pa.types.is_binary,
    pa.types.is_large_binary, pa.types.is_binary_view,
)  # fmt: skip
_OTHERS = (
    pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_boolean, pa.types.is_timestamp,
    pa.types.is_null,
)  # fmt: skip


def is_parquet(file: Path) -> bool:
    """Whether the file is Parquet, by its first bytes."""
    with file.open("rb") as raw:
        return raw.read(4) == b"PAR1"


def parquet_names(file: Path) -> list[str]:
    """The columns' names, those of columns inside others with dots."""
    return [name for field in pq.read_schema(file) for name in _names(field, "")]


def _names(field: pa.Field, before: str) -> Iterator[str]:
    yield before + field.name
    if pa.types.is_struct(field.type):
        for place in range(field.type.num_fields):
            yield from _names(field.type.field(place), f"{before}{field.name}.")


def refuse_unreadable(file: Path, wanted: Sequence[str]) -> None:
    """Refuse columns that hold no text, number or time, and names that stand for several.

    Raises:
        InputError: One is among `wanted`.
    """
    schema = pq.read_schema(file)
    names = parquet_names(file)
    for name in wanted:
        if names.count(name) > 1:
            raise InputError(
                f"has several columns {name!r}, or one inside another that is called the same.", where=file,
                remedy="Give each column a name of its own.",
            )  # fmt: skip
        kind = _type_of(schema, name)
        if not any(is_kind(_plain(kind)) for is_kind in (*_TEXTS, *_OTHERS)):
            raise InputError(
                f"its column {name!r} holds {_in_words(kind)} ({_type_name(kind)}).", where=file, remedy=_remedy(kind)
            )


def _plain(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _is_text(kind: pa.DataType) -> bool:
    return any(is_kind(kind) for is_kind in _TEXTS)


def _in_words(kind: pa.DataType) -> str:
    if pa.types.is_date(kind):
        return "days without a time"
    if pa.types.is_nested(kind):
        return "lists or records"
    return "bytes of a fixed number" if pa.types.is_fixed_size_binary(kind) else "neither text nor numbers nor times"


def _remedy(kind: pa.DataType) -> str:
    if pa.types.is_date(kind):
        return "Name a column with times of day, or order the drafts by a column of numbers with --order."
    if pa.types.is_struct(kind):
        inside = ", ".join(repr(kind.field(place).name) for place in range(min(5, kind.num_fields)))
        return f"Name a column inside it with a dot ({inside})."
    return "Name a column that holds one text, number or time per row."


def _type_name(kind: pa.DataType) -> str:
    return str(kind) if not pa.types.is_nested(kind) else str(kind).split("<")[0]


def _field_path(schema: pa.Schema, name: str) -> list[str]:
    """The names that lead to a column: one, or those of the columns it is inside of."""
    fields = {field.name: field for field in schema}
    path: list[str] = []
    rest = name
    while rest not in fields:
        at = next(
            place for place, sign in enumerate(rest)
            if sign == "." and rest[:place] in fields and pa.types.is_struct(fields[rest[:place]].type)
        )  # fmt: skip
        path.append(rest[:at])
        kind = fields[rest[:at]].type
        fields = {kind.field(place).name: kind.field(place) for place in range(kind.num_fields)}
        rest = rest[at + 1 :]
    return [*path, rest]


def _type_of(schema: pa.Schema, name: str) -> pa.DataType:
    first, *others = _field_path(schema, name)
    kind = schema.field(first).type
    for inner in others:
        kind = kind.field(inner).type
    return kind


def parquet_rows(file: Path, columns: list[str], work: Bounds) -> Iterator[Rows]:
    """The rows of a file, in portions.

    Raises:
        Damaged: It grows further than `work` lets it.
    """
    packed = file.stat().st_size
    growth = Growth(packed, work.unpack_ratio)
    _check_chunks(file, columns, packed, work.unpack_ratio)
    schema = pq.read_schema(file)
    paths = [_field_path(schema, name) for name in columns]
    first = 1
    with pq.ParquetFile(file, read_dictionary=columns, page_checksum_verification=False) as source:
        total = max(1, source.metadata.num_rows)
        for batch in source.iter_batches(batch_size=ROWS_AT_ONCE, columns=columns, use_threads=False):
            values = [_inside(batch, path) for path in paths]
            sizes = np.full((len(columns), batch.num_rows), ROW_SIZE)
            for place, column in enumerate(values):
                sizes[place] += text_sizes(column)
            too_long = (sizes > LONGEST_CELL).any(0)
            rows = np.arange(first, first + batch.num_rows)
            first += batch.num_rows
            growth.add(int(sizes[:, ~too_long].sum()))
            bad = rows[too_long].tolist()
            if bad:
                values = [column.filter(pa.array(~too_long)) for column in values]
            numbers, size = rows[~too_long], packed * batch.num_rows // total
            reasons = ["too_long"] * len(bad)
            for part in in_portions(sizes[:, ~too_long].sum(0), work.block_bytes):
                taken = [_as_text(column.slice(part.start, part.stop - part.start)) for column in values]
                texts = dict(zip(columns, taken, strict=True))
                table, wrong = decoded(pa.table({"row": numbers[part], **texts}))
                yield Rows(table, [*bad, *wrong], [*reasons, *["not_utf8"] * len(wrong)], size)
                bad, reasons, size = [], [], 0
            if bad:
                yield Rows(nothing(columns), bad, reasons, size)


def _inside(batch: pa.RecordBatch, path: Sequence[str]) -> pa.Array:
    """A column, be it inside others: null where one of these is."""
    first, *others = path
    found = batch.column(batch.schema.get_field_index(first))
    for name in others:
        kind = found.type
        found = found.flatten()[kind.get_field_index(name)]
    return found


def _check_chunks(file: Path, columns: list[str], packed: int, ratio: int) -> None:
    """Refuse a Parquet file before it is read, if what it says of its columns is too much.

    Raises:
        Damaged: It unpacks too far, or has more rows than a file of its size can say anything of.
    """
    metadata = pq.read_metadata(file)
    growth = Growth(packed, ratio)
    growth.add(metadata.num_rows * ROW_SIZE)
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        for place in range(group.num_columns):
            chunk = group.column(place)
            if chunk.path_in_schema in columns:
                growth.add(chunk.total_uncompressed_size)


def text_sizes(values: pa.Array) -> np.ndarray | int:
    """Bytes of each value as text; those of numbers and times are few."""
    if not pa.types.is_dictionary(values.type) or not _is_text(values.type.value_type):
        return 0
    lengths = pc.binary_length(values.dictionary).take(values.indices)
    found: np.ndarray = pc.fill_null(lengths, 0).to_numpy(zero_copy_only=False)
    return found


def _as_text(values: pa.Array) -> pa.Array:
    """Texts as bytes, which may not be UTF-8; numbers and times as text."""
    kind = values.type
    if pa.types.is_dictionary(kind) and _is_text(kind.value_type):
        return values.dictionary.cast(pa.binary()).take(values.indices)
    if pa.types.is_dictionary(kind):
        values, kind = values.dictionary_decode(), kind.value_type
    if _is_text(kind):
        return values.cast(pa.binary())
    if pa.types.is_timestamp(kind):
        moment = values.cast(pa.timestamp("us", kind.tz), safe=False)
        if kind.tz is not None:  # as UTC: not every machine knows every zone
            return pc.binary_join_element_wise(moment.cast(pa.timestamp("us")).cast(pa.string()), "+00:00", "")
        return moment.cast(pa.string())
    if pa.types.is_floating(kind):
        return pa.array([_number(value) for value in values.to_pylist()], pa.string())
    return values.cast(pa.string())


def _number(value: float | None) -> str | None:
    if value is None:
        return None
    return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
