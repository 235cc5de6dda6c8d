"""A generated text as the released code reads it.

In: a rollout's whole text, or a trace. Out: `Reading`. Different from `data.sources.rollouts` on purpose: here every
`CODE 7` begins a piece, also inside a student's line or before `<start>`; a program runs up to the next piece and so
keeps its newline, but for the last one, which needs an end token; an empty last program is left out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from typing import NamedTuple

from redraft.data.trace import State

END = "<|endoftext|>"
_PIECE = re.compile(r"CODE \d+")
_HEAD = re.compile(r"CODE (\d+) \(")
_WRITTEN_SO = re.compile("0|[1-9][0-9]*")
_TIME = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2}) ([0-9]{2}):([0-9]{2}):([0-9]{2})")


class Draft(NamedTuple):
    """One program of a text."""

    number: str
    """The digits after `CODE`."""
    date: str
    """What stands in its brackets."""
    program: str
    """What follows, with its newline."""


class Reading(NamedTuple):
    """What the released code finds in a text."""

    drafts: list[Draft]
    """The programs; empty where that code fails on the text."""
    times: list[datetime]
    """One per draft."""
    ended: bool
    """Whether the last piece holds an end token."""


def read(text: str) -> Reading:
    """The programs of a text; none where the released code fails.

    It fails on a text without a program or with nothing but an empty one, with more than one piece that is no program
    (an unfinished last one is the usual one), with such a piece between programs, with a program's number that isn't
    written as numbers are, and with an impossible date.
    """
    starts = [found.start() for found in _PIECE.finditer(text)]
    pieces = [text[start:end] for start, end in pairwise([*starts, len(text)])]
    found = [_draft(piece, last=place == len(pieces) - 1) for place, piece in enumerate(pieces)]
    ended = bool(pieces) and END in pieces[-1]
    places = [place for place, draft in enumerate(found) if draft]
    drafts = [draft for draft in found if draft]
    if drafts and not drafts[-1].program.strip():
        drafts.pop()
        places.pop()
    times = [time for draft in drafts if _WRITTEN_SO.fullmatch(draft.number) and (time := _time(draft.date))]
    together = not places or places[-1] - places[0] < len(places)
    if found.count(None) > 1 or len(times) < len(drafts) or not together:
        return Reading([], [], ended)
    return Reading(drafts, times, ended)


def write(states: Sequence[State], *, ended: bool) -> str:
    """The text that the released code would have been given for a trace without one: programs numbered from 1.

    A state without a time gets a date that is none.
    """
    parts = []
    for number, state in enumerate(states, 1):
        date = state.at.replace(tzinfo=None).isoformat(" ", "seconds") if state.at else ""
        parts.append(f"CODE {number} ({date}):\n{state.code}")
    return "\n".join(parts) + (END if ended else f"\nCODE {len(states) + 1}")


def _draft(piece: str, *, last: bool) -> Draft | None:
    head = _HEAD.match(piece)
    date_end = piece.find("):\n", head.end()) if head else -1
    end = piece.find(END, date_end + 3) if last else len(piece)
    if not head or date_end < 0 or end < 0:
        return None
    return Draft(head[1], piece[head.end() : date_end], piece[date_end + 3 : end])


def _time(date: str) -> datetime | None:
    """`datetime.strptime`'s answer, faster."""
    usual = _TIME.fullmatch(date)
    try:
        if usual:
            year, month, day, hour, minute, second = map(int, usual.groups())
            return datetime(year, month, day, hour, minute, second)
        return datetime.strptime(date, "%Y-%m-%d %H:%M:%S")
    except ValueError:
        return None
