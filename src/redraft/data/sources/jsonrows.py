"""Rows of JSON: an object per line, or a list of objects.

In: a file, perhaps packed. Out: its rows in portions, `columns` of them as text. A column inside another is named with
dots: `user.id`. A key that is missing, and `null`, are no value. A line that is no object is malformed; one that holds
a list or an object where a value is wanted is not_text; half a surrogate pair is not_utf8.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa

from redraft.data.sources.growth import UNPACK_RATIO
from redraft.data.sources.portions import LONGEST_CELL, ROWS_AT_ONCE, Bounds, Rows, nothing
from redraft.data.sources.reading import line_blocks, unpacked

_LOOKED_AT = 1000
"""Records whose keys are the columns' names."""
_RARE = 200
"""A column is a key of more than one in so many records."""
_MISSING = object()


def is_json(head: bytes) -> bool:
    """Whether these are the first bytes of JSON lines or of a JSON list."""
    start = head.removeprefix(codecs.BOM_UTF8).lstrip()
    return start.startswith((b'{"', b"[{")) or (start[:1] in b"[{" and start[1:].lstrip()[:1] in (b"{", b'"', b"}"))


def json_names(file: Path, ratio: int = UNPACK_RATIO) -> list[str]:
    """The columns' names: keys of the first records, those of objects within them with dots.

    A key that one of many records has alone may be an id, and is no column.
    """
    found: dict[str, int] = {}
    count = 0
    for _, record, _ in islice(json_records(file, 1 << 22, ratio), _LOOKED_AT):
        if isinstance(record, dict):
            count += 1
            for name in _names(record, ""):
                found[name] = found.get(name, 0) + 1
    return [name for name, times in found.items() if times * _RARE > count]


def _names(record: dict[str, Any], before: str) -> Iterator[str]:
    for key, value in record.items():
        yield before + key
        if isinstance(value, dict) and before.count(".") < 10:
            yield from _names(value, f"{before}{key}.")


def json_records(file: Path, size: int, ratio: int) -> Iterator[tuple[int, Any, str | None]]:
    """The number of each line or record, from 1, what it holds, and why it can't be read.

    Args:
        file: JSON lines or a JSON list, perhaps packed.
        size: Bytes read at a time.
        ratio: How many times its size the file may grow.

    Raises:
        Damaged: It can't be read to its end.
    """
    with unpacked(file, ratio) as (stream, _):
        start = stream.read(1 << 16)
        listed = start.removeprefix(codecs.BOM_UTF8).lstrip().startswith(b"[")
    if listed:
        from redraft.data.sources.records import read_records  # with numba, which takes a while to load

        with unpacked(file, ratio) as (stream, _):
            for records in read_records(stream, size):
                yield from records.parsed()
        return
    for block in line_blocks(file, size, ratio):
        for number, line in enumerate(bytes(block.data).split(b"\n"), block.first):
            text = line.strip().removeprefix(codecs.BOM_UTF8) if number == 1 else line.strip()
            if not text:
                continue
            if len(text) > LONGEST_CELL:
                yield number, None, "too_long"
                continue
            try:
                yield number, json.loads(text), None
            except UnicodeDecodeError:
                yield number, None, "not_utf8"
            except (ValueError, RecursionError):
                yield number, None, "malformed"


def json_rows(file: Path, columns: Sequence[str], work: Bounds) -> Iterator[Rows]:
    """The rows of a file.

    Raises:
        Damaged: It can't be read to its end.
    """
    left = file.stat().st_size
    values: dict[str, list[Any]] = {"row": [], **{name: [] for name in columns}}
    bad: list[tuple[int, str]] = []
    size = 0

    def taken(size: int) -> Rows:
        table = pa.table(
            {"row": pa.array(values["row"], pa.int64()), **{n: pa.array(values[n], pa.string()) for n in columns}}
        )
        rows = Rows(table, [row for row, _ in bad], [why for _, why in bad], size)
        for column in values.values():
            column.clear()
        bad.clear()
        return rows

    for number, record, wrong in json_records(file, work.block_bytes, work.unpack_ratio):
        row = [] if wrong else [_text(_value(record, name)) for name in columns]
        if wrong or not isinstance(record, dict):
            bad.append((number, wrong or "malformed"))
        elif _MISSING in row:
            bad.append((number, "not_text"))
        elif not _encodes(row):
            bad.append((number, "not_utf8"))
        else:
            values["row"].append(number)
            for name, text in zip(columns, row, strict=True):
                values[name].append(text)
                size += len(text or "")
        if size > work.block_bytes // 4 or len(values["row"]) + len(bad) >= ROWS_AT_ONCE:
            part = min(left, size)
            left, size = left - part, 0
            yield taken(part)
    yield taken(left)
    yield Rows(nothing(list(columns)), [], [], 0)


def _value(record: Any, name: str) -> Any:
    """What a record holds under a name, or under a name with dots in the objects within."""
    if not isinstance(record, dict):
        return None
    if name in record:
        return record[name]
    for at in (place for place, sign in enumerate(name) if sign == "."):
        if isinstance(inner := record.get(name[:at]), dict):
            return _value(inner, name[at + 1 :])
    return None


def _text(value: Any) -> Any:
    """A value as text; `_MISSING` for lists and objects."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
    return str(value) if isinstance(value, int) and abs(value) < 10**40 else _MISSING


def _encodes(row: Sequence[Any]) -> bool:
    try:
        "".join(filter(None, row)).encode()
    except UnicodeEncodeError:
        return False
    return True
