"""The records of a long JSON list, one by one, however long the list is.

In: a stream of bytes. Out: portions of records as they stand, each to be parsed alone: one that is broken or nested too
deeply is wrong by itself. A record longer than `LONGEST_RECORD` is never held whole. Brackets and quotes alone tell
where a record ends, so one that leaves any open takes what follows with it; the list is then not closed at its end, or
the record is too long.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from typing import IO, Any, NamedTuple

import numpy as np

from redraft.compiling import compiled
from redraft.data.sources.states import Damaged

LONGEST_RECORD = 2_000_000
"""Bytes; a longer record is rejected as too_long."""
RECORDS_AT_ONCE = 1 << 14
_PART = 1 << 20
"""Bytes looked through at a time."""
_WHITE = b" \t\r\n"

_BEFORE, _WITHIN, _BEHIND = range(3)
_STATE, _DEPTH, _QUOTED, _ESCAPED = range(4)
_QUOTE, _COMMA, _BACKSLASH = 34, 44, 92
_OPEN_LIST, _CLOSE_LIST, _OPEN_OBJECT, _CLOSE_OBJECT = 91, 93, 123, 125


class Records(NamedTuple):
    """Some records of a list."""

    texts: list[bytes | None]
    """None: one that is too long."""
    first: int
    """The number of the first, from 1."""

    def parsed(self) -> Iterator[tuple[int, Any, str | None]]:
        """Each record's number, what it holds, and why that can't be read, if it can't."""
        for number, text in enumerate(self.texts, self.first):
            if text is None:
                yield number, None, "too_long"
                continue
            try:
                yield number, json.loads(text), None
            except (
                ValueError,
                RecursionError,
            ):  # of a ValueError's kinds: not JSON, not UTF-8, a number of many digits
                yield number, None, "malformed"


@compiled
def _find_ends(data: np.ndarray, state: np.ndarray, ends: np.ndarray) -> int:
    """Where records end in `data`: at a comma between two, or the list's closing bracket; how many ends there are.

    Args:
        data: uint8.
        state: int64 (4,): where in the list, how deep in the record, whether in a string, whether behind a backslash;
            changed.
        ends: Out: as many as `data` has bytes, at most.
    """
    found = 0
    for at in range(len(data)):
        sign = data[at]
        if state[_ESCAPED]:
            state[_ESCAPED] = 0
        elif state[_QUOTED]:
            if sign == _BACKSLASH:
                state[_ESCAPED] = 1
            elif sign == _QUOTE:
                state[_QUOTED] = 0
        elif sign == _QUOTE:
            state[_QUOTED] = 1
        elif sign in (_OPEN_LIST, _OPEN_OBJECT):
            state[_DEPTH] += 1
        elif sign in (_CLOSE_LIST, _CLOSE_OBJECT):
            if state[_DEPTH] == 0:
                ends[found] = at
                state[_STATE] = _BEHIND
                return found + 1
            state[_DEPTH] -= 1
        elif sign == _COMMA and state[_DEPTH] == 0:
            ends[found] = at
            found += 1
    return found


def read_records(stream: IO[bytes], size: int) -> Iterator[Records]:
    """The records of a JSON list, in portions of about `size` bytes that depend on the list and `size` alone.

    Raises:
        Damaged: It is something else, or ends in the middle; possibly after records were handed out.
    """
    portion = _Portion(size)
    state = np.zeros(4, np.int64)
    ends = np.empty(_PART, np.int64)
    while part := stream.read(_PART):
        if state[_STATE] == _BEFORE:
            part = part.removeprefix(codecs.BOM_UTF8).lstrip(_WHITE)
            if not part:
                continue
            if part[:1] != b"[":
                raise Damaged("wrong_format", "it is not a JSON list of [text, student, title]")
            part, state[_STATE] = part[1:], _WITHIN
        start = 0
        if state[_STATE] == _WITHIN:
            for end in ends[: _find_ends(np.frombuffer(part, np.uint8), state, ends)].tolist():
                portion.extend(part[start:end])
                start = end + 1
                if portion.close(last=part[end : end + 1] != b","):
                    yield portion.taken()
        if state[_STATE] == _WITHIN:
            portion.extend(part[start:])
        elif part[start:].strip(_WHITE):
            raise Damaged("wrong_format", "it is not JSON: something follows the list")
    if state[_STATE] != _BEHIND:
        raise Damaged("wrong_format", "it is not JSON: the list isn't closed, or a bracket or quote in it")
    if portion.texts:
        yield portion.taken()


class _Portion:
    """Records that are gathered until there are enough."""

    def __init__(self, size: int) -> None:
        self.texts: list[bytes | None] = []
        self._size, self._first, self._bytes = size, 1, 0
        self._record = bytearray()
        self._too_long = False

    def extend(self, part: bytes) -> None:
        """Add to the record that is being read."""
        self._too_long |= len(self._record) + len(part) > LONGEST_RECORD + len(_WHITE)
        if self._too_long:
            self._record.clear()
        else:
            self._record += part

    def close(self, *, last: bool) -> bool:
        """End the record; whether there are enough."""
        text = bytes(self._record).strip(_WHITE)
        if text or self._too_long or self.texts or self._first > 1 or not last:  # an empty list has no record
            self.texts.append(None if self._too_long else text)
            self._bytes += len(text)
        self._record.clear()
        self._too_long = False
        return self._bytes >= self._size or len(self.texts) >= RECORDS_AT_ONCE

    def taken(self) -> Records:
        """What was gathered; begins anew."""
        records = Records(self.texts, self._first)
        self._first += len(self.texts)
        self.texts, self._bytes = [], 0
        return records
