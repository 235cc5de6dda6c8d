"""What an edit changes, in plain words, and as a diff.

In: two programs. Out: sentences a teacher can read aloud, and lines of a unified diff. Lines count from 1, in the
program before the edit.
"""

from __future__ import annotations

from collections.abc import Iterator

from cydifflib import SequenceMatcher, unified_diff

from redraft.data.edits import line_edits, lines_of
from redraft.metrics.behaviour import edit_facts
from redraft.metrics.languages import PROFILES

QUOTED = 60
"""Characters of a line that are quoted."""


def changes(old: str, new: str) -> list[str]:
    """What changes, a sentence a place."""
    before, after = lines_of(old), lines_of(new)
    said: list[str] = []
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if tag != "equal":
            paired = min(i2 - i1, j2 - j1)
            said += [_modified(i + 1, before[i], after[j1 + i - i1]) for i in range(i1, i1 + paired)]
            said += _deleted(i1 + paired + 1, before[i1 + paired : i2])
            said += _added(i1 + paired, after[j1 + paired : j2])
    return said


def kinds(old: str, new: str, language: str | None) -> list[str]:
    """What an edit amounts to: `only a colour`, `a comment` ..."""
    edit = edit_facts(line_edits(old, new), PROFILES.get(language or ""))
    only = edit.modified and not edit.added and not edit.deleted
    found = {
        "a colour is changed": only and edit.colour_change,
        "a number is changed": only and edit.number_change,
        "a comment is added": edit.comment_added,
        "a function is added": edit.function_added,
    }
    return [words for words, true in found.items() if true]


def diff(old: str, new: str) -> list[str]:
    """Lines of a unified diff, without its head."""
    return list(unified_diff(lines_of(old), lines_of(new), lineterm="", n=1))[2:]


def _modified(number: int, old: str, new: str) -> str:
    if old.strip() == new.strip():
        return f"line {number} is indented by {_indent(new)} instead of {_indent(old)}: {_quote(new)}"
    return f"line {number}, {_quote(old)}, becomes {_quote(new)}"


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _deleted(first: int, lines: list[str]) -> Iterator[str]:
    if lines:
        where = f"line {first} goes" if len(lines) == 1 else f"lines {first} to {first + len(lines) - 1} go"
        yield f"{where}: {_some(lines)}"


def _added(after: int, lines: list[str]) -> Iterator[str]:
    if lines:
        what = "a line comes" if len(lines) == 1 else f"{len(lines)} lines come"
        where = "at the top" if after == 0 else f"after line {after}"
        yield f"{what} in {where}: {_some(lines)}"


def _some(lines: list[str]) -> str:
    full = [line for line in lines if line.strip()] or lines
    return _quote(full[0]) + (" ..." if len(full) > 1 else "")


def _quote(line: str) -> str:
    text = line.strip()
    return f"`{text if len(text) <= QUOTED else text[: QUOTED - 1] + '…'}`" if text else "a blank line"
