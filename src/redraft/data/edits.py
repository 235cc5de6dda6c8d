"""What changed between two programs, line by line, and what kind of edit that is.

In: two programs as text. Out: the lines modified, added and deleted, and the edit's type. Lines end at newlines
only; an empty program has no lines. The diff is difflib's (matching blocks, longest first), without its
'popular line' heuristic: not always the shortest edit script, but one and the same everywhere.
"""

from __future__ import annotations

from typing import NamedTuple

from cydifflib import SequenceMatcher

EDIT_TYPES = ("large_add", "large_del", "small_add", "small_del", "modify")
"""Types of an edit, in the order in which they are tried."""

LARGE = 5
"""From so many added (deleted) lines on, an addition (deletion) is large."""


class LineEdits(NamedTuple):
    """The lines in which two programs differ."""

    modified: tuple[tuple[str, str], ...]
    """(old line, new line), never equal."""
    added: tuple[str, ...]
    """New lines without an old one."""
    deleted: tuple[str, ...]
    """Old lines without a new one."""


def lines_of(code: str) -> list[str]:
    """A program's lines; the empty program has none."""
    return code.split("\n") if code else []


def line_edits(old: str, new: str) -> LineEdits:
    """The lines that change from `old` to `new`.

    Each block of `difflib.SequenceMatcher(None, old, new, autojunk=False)` that replaces m lines by n pairs the
    first min(m, n) in order as modified; the rest are added or deleted (corrected from paper section 3.3, whose
    released code pairs a line with the nearest earlier deletion, used or not).
    """
    old_lines, new_lines = lines_of(old), lines_of(new)
    modified: list[tuple[str, str]] = []
    added: list[str] = []
    deleted: list[str] = []
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, old_lines, new_lines, autojunk=False).get_opcodes():
        if tag == "equal":
            continue
        paired = min(i2 - i1, j2 - j1)
        modified.extend(zip(old_lines[i1 : i1 + paired], new_lines[j1 : j1 + paired], strict=True))
        deleted.extend(old_lines[i1 + paired : i2])
        added.extend(new_lines[j1 + paired : j2])
    return LineEdits(tuple(modified), tuple(added), tuple(deleted))


def edit_type(edits: LineEdits) -> str:
    """The first of `EDIT_TYPES` that fits: at least 5 lines added, at least 5 deleted, any added, any deleted.

    Else it is `modify`, even if nothing changes.
    """
    added, deleted = len(edits.added), len(edits.deleted)
    if added >= LARGE:
        return "large_add"
    if deleted >= LARGE:
        return "large_del"
    if added:
        return "small_add"
    return "small_del" if deleted else "modify"
