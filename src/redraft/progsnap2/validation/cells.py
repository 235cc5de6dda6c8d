"""Which cells of a column are of its type.

In: a column's name and a cell's text, which isn't empty. Out: the rule that it breaks, if any, and what to say.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from redraft.data.sources.progsnap2.specification import COLUMNS, EVENTS, FROM_ONE, SHARES, VALUES, Kind, is_own

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?(Z|[+-]\d\d:?\d\d(?::?\d\d)?)?")
_INTEGER = re.compile(r"[+-]?\d{1,40}")
_REAL = re.compile(r"[+-]?(?:\d{1,400}(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,4})?")


class Broken(NamedTuple):
    """A rule that a cell breaks."""

    rule: str
    message: str


def broken(column: str, text: str) -> Broken | None:
    """What is wrong with a cell of a column of the specification; None: nothing."""
    check = _CHECKS.get(COLUMNS[column])
    return check(column, text) if check else None


def _integer(column: str, text: str) -> Broken | None:
    if not _INTEGER.fullmatch(text):
        return Broken("not-an-integer", "is no whole number")
    if column in FROM_ONE and int(text) < 1:
        return Broken("out-of-range", "is less than 1")
    return None


def _real(column: str, text: str) -> Broken | None:
    if not _REAL.fullmatch(text):
        return Broken("not-a-number", "is no number")
    if column in SHARES and not 0 <= float(text) <= 1:
        return Broken("out-of-range", "isn't from 0 to 1")
    return None


def _boolean(column: str, text: str) -> Broken | None:
    return None if text.lower() in ("true", "false") else Broken("not-a-boolean", "is neither true nor false")


def _timestamp(column: str, text: str) -> Broken | None:
    match = _TIME.fullmatch(text)
    try:
        if not match:
            raise ValueError
        datetime.fromisoformat(text)
    except ValueError:
        return Broken("not-a-timestamp", "is no time like 2021-03-01T10:00:00.000+0000")
    return None if match[1] else Broken("timestamp-without-zone", "has no time zone, such as +0000")


def _value(column: str, text: str) -> Broken | None:
    if column == "EventType":
        if text in EVENTS or is_own(text):
            return None
        return Broken("event-type-unknown", "is no event type of the specification, and doesn't begin with X-")
    if text in VALUES[column] or is_own(text):
        return None
    return Broken("not-a-value", f"is none of {', '.join(VALUES[column])}, and doesn't begin with X-")


def _path(column: str, text: str) -> Broken | None:
    parts = text.replace("\\", "/").split("/")
    if text.startswith(("/", "\\")) or ".." in parts or re.match(r"[A-Za-z]:", text) or "\0" in text:
        return Broken("not-a-path", "is no relative path within the code state")
    return None


_CHECKS: dict[Kind, Callable[[str, str], Broken | None]] = {
    "Integer": _integer, "Real": _real, "Boolean": _boolean, "Timestamp": _timestamp, "Enum": _value, "Path": _path,
}  # fmt: skip
