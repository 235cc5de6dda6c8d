"""Keystrokes into drafts: what each file held when its student ran or submitted it, or paused.

In: the rows of a keystroke log in order, student after student, title after title. Out: drafts, and the rows that can't
be used, with the reason. A row edits its file at a character offset (`SourceLocation`: `4`, `4.0`, `Text:4` or
`Text:4-7`): `DeleteText` is taken out there, then `InsertText` put in. Offsets count characters; where what is taken
out doesn't stand there, UTF-16 units, as editors in browsers count.

A row that doesn't fit (it takes out what isn't there, or stands beyond the end) is `bad_edit`, and the file isn't known
from there on: its rows are `unreliable`. Edits that no draft follows are `no_draft`. A run that names no file is one of
the file that was edited last; of a title in which nothing was edited it is `no_code`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

LONGEST_FILE = 500_000
"""Characters of a file; what makes it longer is a bad edit."""
_OFFSET = re.compile(r"(?:text:)?\s*(\d{1,9})(?:\.0+)?(?:\s*-\s*(?:text:)?\d+(?:\.0+)?)?", re.IGNORECASE)


class Keystroke(NamedTuple):
    """A row of a log."""

    row: int
    title: tuple[str, str]
    """Student and title."""
    file: str
    """The file that it is about; empty if the row doesn't say."""
    micros: int | None
    """When."""
    location: str | None
    """Where it edits; None: it is no edit but one of the events that make a draft."""
    insert: str = ""
    delete: str = ""


class Draft(NamedTuple):
    """What a file held at a row: at a run, or at the last edit before a pause. Or why the row is of no use."""

    row: int
    file: str = ""
    code: str | None = None
    reason: str | None = None


@dataclass
class _File:
    text: str = ""
    known: bool = True
    since: list[int] = field(default_factory=list)
    """Rows of edits since the last draft."""
    last: int | None = None
    """When it was last edited."""


def rebuilt(rows: Iterable[Keystroke], pause: float | None) -> Iterator[Draft]:
    """Drafts of all files, and the rows that can't be used.

    Args:
        rows: In order of student and title; then in the order they came.
        pause: Seconds without an edit of a file after which what it holds is a draft, as is what it holds at the end;
            None: drafts are made by the rows without a `location`.
    """
    title: tuple[str, str] | None = None
    files: dict[str, _File] = {}
    current = ""
    for row in rows:
        if row.title != title:
            yield from _ended(files, pause)
            title, files, current = row.title, {}, ""
        if row.location is None:
            if pause is None:
                name = row.file or current
                yield from _draft(row.row, name, files.get(name))
            continue
        current = row.file or current
        file = files.setdefault(current, _File())
        if pause is not None and file.since and _paused(file, row, pause):
            yield from _draft(file.since[-1], current, file)
        file.last = row.micros if row.micros is not None else file.last
        yield from _edited(file, row)
    yield from _ended(files, pause)


def _paused(file: _File, row: Keystroke, pause: float) -> bool:
    return file.last is not None and row.micros is not None and row.micros - file.last >= pause * 1e6


def _ended(files: dict[str, _File], pause: float | None) -> Iterator[Draft]:
    for name, file in files.items():
        if pause is not None and file.since:
            yield from _draft(file.since[-1], name, file)
        yield from (Draft(row, reason="no_draft") for row in file.since)


def _draft(row: int, name: str, file: _File | None) -> Iterator[Draft]:
    """A draft of a file at a row; or, of a file that isn't known, the row and those that led to it."""
    if file is None:
        yield Draft(row, reason="no_code")
        return
    if file.known:
        yield Draft(row, name, file.text)
    else:
        yield from (Draft(edit, reason="unreliable") for edit in sorted({*file.since, row}))
    file.since.clear()


def _edited(file: _File, row: Keystroke) -> Iterator[Draft]:
    if not file.known:
        yield Draft(row.row, reason="unreliable")
        return
    match = _OFFSET.fullmatch((row.location or "").strip())
    around = _fitted(file.text, int(match[1]), row.delete) if match else None
    if around is None or len(around[0]) + len(row.insert) + len(around[1]) > LONGEST_FILE:
        file.known = False
        yield Draft(row.row, reason="bad_edit")
        return
    file.text = around[0] + row.insert + around[1]
    file.since.append(row.row)


def _fitted(text: str, start: int, delete: str) -> tuple[str, str] | None:
    """What stands before and behind an edit that takes out `delete`; None if that doesn't stand there."""
    if start <= len(text) and text.startswith(delete, start):
        return text[:start], text[start + len(delete) :]
    if text.isascii():
        return None
    before = text.encode("utf-16-le", "surrogatepass")[: 2 * start].decode("utf-16-le", "ignore")
    units = len(before.encode("utf-16-le", "surrogatepass")) // 2
    if units == start and text.startswith(delete, len(before)):
        return before, text[len(before) + len(delete) :]
    return None
