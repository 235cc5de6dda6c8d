"""What may come next in a trace of edits: the grammar of the codec `diff`.

In: the ids so far. Out: places (`grammar.Grammar`) from which only what the codec itself could have written goes on:

- A state begins with a time. The first says its time in full, later ones too where times aren't relative or a day or
  more has passed. It is a date that exists and not before the state before; or no time.
- Steps stay within the program before: lines above the pointer are always its own, for the pointer only moves up.
- Text begins with a line break where the editor ignores it up to there, and is UTF-8.
- A hunk that has put back what it took is not done, so that no edit is empty; nor is an edit that has only gone up. Two
  hunks that together change nothing aren't found out.

Other ids may stand in what is gone on from, and are passed over or read as `Editor` reads them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache, lru_cache
from typing import Protocol

import numpy as np

from redraft.lm.codec.base import CodecConfig
from redraft.lm.codec.edits import words
from redraft.lm.codec.grammar import GOES_ON, NEVER, NEXT_DRAFT, TRACE_ENDS, Grammar, May
from redraft.lm.codec.headers import DAY, latest, time_text

Trail = tuple["Trail", int] | None
"""The ids of a state so far, the last one outermost."""

BEGUN, UPPED_ON, UPPED, CUT_ON, CUT, KEPT, KEPT_LAST, LINE, LINES = range(9)
"""Where an edit stands: nothing yet; the largest UP, which another may follow; any other; the same of CUT; a KEEP that
one of the next line may follow; one after a CUT; text that completes a line; other text."""
MAY_UP, MAY_CUT = (BEGUN, UPPED_ON, CUT_ON, CUT, KEPT, KEPT_LAST, LINE, LINES), (BEGUN, UPPED_ON, UPPED, CUT_ON)
MAY_KEEP = (BEGUN, UPPED_ON, UPPED, CUT_ON, CUT, KEPT, LINE)
COMPLETES = (KEPT, KEPT_LAST, LINE, LINES)
"""Where text needs no line break."""
BEFORE_CHANGES = (BEGUN, UPPED_ON, UPPED)

TEXT, AT, PART, UP, CUTS, KEEP, DONE, OTHER = range(8)
"""Kinds of ids."""
REMEMBERED = 4096
"""Beginnings of dates, and of letters, whose next ids are kept."""
_DATE = "0000-00-00 00:00:00"
_ALIKE = ((16, "2000-01-01 00:00"), (13, "2000-01-01 00"), (10, "2000-01-01"))
"""What the first letters of a date are to those that follow: all the same."""


class Edits(Protocol):
    """What is asked of the codec: its ids, and what those of a state say."""

    vocab_size: int
    end_id: int
    done_id: int | None
    at_id: int
    seconds: range
    minutes: range
    hours: range
    ups: range
    cuts: range
    keeps: range
    config: CodecConfig

    def time_of(self, ids: Sequence[int], after: datetime | None) -> datetime | None:
        """The time of a state, counted from the one before; a `ValueError` if it is none."""

    def lines_after(self, before: Sequence[str], ids: Sequence[int]) -> list[str]:
        """The lines of the program after a state, from those before."""


@dataclass(frozen=True, slots=True)
class Before:
    """The program that an edit changes, and a time."""

    lines: list[str]
    at: datetime | None

    @property
    def counts(self) -> bool:
        """Whether a time can be counted from this one."""
        return self.at is not None and self.at.replace(tzinfo=None) < datetime.max - timedelta(seconds=DAY)

    def least(self, *, relative: bool) -> str:
        """The first time that a state after this one says in full."""
        if self.at is None:
            return ""
        if not relative:
            return time_text(self.at)
        return time_text(self.at + timedelta(seconds=DAY)) if self.counts else "there is none"


class Rules:
    """What a codec's ids are, and which may come where.

    Args:
        codec: The codec.
        spelled: The bytes that its tokenizer's ids stand for.
    """

    def __init__(self, codec: Edits, spelled: Sequence[bytes]) -> None:
        self.codec = codec
        self.relative = bool(codec.config.relative_time)
        self.texts = [*spelled, *[b""] * (codec.vocab_size - len(spelled))]
        self.tails = [_tail(b"", text) for text in self.texts]
        self.kinds = [TEXT if text else OTHER for text in self.texts]
        self.kinds[codec.at_id] = AT
        for ids, kind in ((range(codec.seconds.start, codec.hours.stop), PART), (codec.ups, UP), (codec.cuts, CUTS),
                          (codec.keeps, KEEP)):  # fmt: skip
            self.kinds[ids.start : ids.stop] = [kind] * len(ids)
        if codec.done_id is not None:
            self.kinds[codec.done_id] = DONE
        whole_V = np.array([bool(text) and tail is not None for text, tail in zip(self.texts, self.tails, strict=True)])
        self._text = {True: whole_V, False: whole_V & np.array([text.startswith(b"\n") for text in self.texts])}
        signs = [(i, text.decode()) for i, text in enumerate(self.texts) if text and not text.strip(b"0123456789-: ")]
        self._signs = [[sign for sign in signs if _fits(at, sign[1])] for at in range(len(_DATE) + 1)]
        self.edit, self.part, self.between = cache(self._edit), cache(self._part), cache(self._between)
        self.letter, self._dates = lru_cache(REMEMBERED)(self._letter), lru_cache(REMEMBERED)(self._date)

    # What may come where

    def _none(self) -> May:
        return np.full(self.codec.vocab_size, NEVER, np.int8)

    def _times(self, may_V: May, counts: bool) -> None:
        may_V[self.codec.at_id] = NEXT_DRAFT
        if counts and self.relative:
            may_V[self.codec.seconds.start : self.codec.hours.stop] = NEXT_DRAFT

    def _between(self, counts: bool, first: bool) -> May:
        """Between states: in front of the first, or behind one whose end was said."""
        may_V = self._none()
        self._times(may_V, counts)
        if not first:
            may_V[self.codec.end_id] = TRACE_ENDS
        return may_V

    def _part(self, hours: bool) -> May:
        """Behind hours, or behind minutes."""
        may_V = self._none()
        may_V[self.codec.seconds.start : (self.codec.minutes if hours else self.codec.seconds).stop] = GOES_ON
        return may_V

    def _edit(self, anything: bool, ups: int, cuts: int, keeps: int, ends: bool, counts: bool) -> May:
        """Within an edit: any text, or a line break; so many lines up, cut, so many words kept; or its end."""
        may_V = self._none()
        may_V[self._text[anything]] = GOES_ON
        for ids, most in ((self.codec.ups, ups), (self.codec.cuts, cuts), (self.codec.keeps, keeps)):
            may_V[ids.start : ids.start + most] = GOES_ON
        if ends and self.codec.done_id is not None:
            may_V[self.codec.done_id] = NEXT_DRAFT
        elif ends:
            self._times(may_V, counts)
            may_V[self.codec.end_id] = TRACE_ENDS
        return may_V

    def _letter(self, begun: bytes) -> May:
        """Within a letter of several bytes."""
        may_V = self._none()
        for token, text in enumerate(self.texts):
            if text and text[0] >= 0x80 and _tail(begun, text) is not None:
                may_V[token] = GOES_ON
        return may_V

    def date(self, begun: str, least: str) -> May:
        """Within a date that isn't before `least`."""
        if begun > least[: len(begun)]:
            least = ""
        if not least and len(begun) >= 4:
            year = "2000" if latest(f"{begun[:4]}-02-29") else "2001"
            n, head = next((each for each in _ALIKE if len(begun) >= each[0]), (4, year))
            begun = head + begun[n:]
        return self._dates(begun, least)

    def _date(self, begun: str, least: str) -> May:
        may_V = self._none()
        for token, text in self._signs[len(begun)]:
            if (found := latest(begun + text)) and found >= least:
                may_V[token] = GOES_ON
        return may_V

    # Where a state begins and ends

    def begin(self, before: Before, token: int) -> Grammar:
        """The place behind the id that begins a state, from the program and time before."""
        if self.kinds[token] == AT:
            return _Date(self, before, (None, token), "")
        return _Part(self, before, None).after(token)

    def changing(self, before: Before, trail: Trail) -> _Edit:
        """The beginning of an edit, behind its time."""
        try:
            at = self.codec.time_of(_ids(trail), before.at)
        except ValueError:
            at = None
        # an empty program's first line break puts in nothing yet
        rest = None if before.lines else b"\n"
        return _Edit(self, Before(before.lines, at), trail, BEGUN, len(before.lines), rest, b"")


class Between:
    """Between states, where an end was said or none has been begun."""

    line = None

    def __init__(self, rules: Rules, before: Before, *, first: bool = False) -> None:
        self._rules, self._before = rules, before
        self.may = rules.between(before.counts, first)

    def after(self, token: int) -> Grammar:
        """The place behind one more id."""
        begins = self._rules.kinds[token] in (AT, PART)
        return self._rules.begin(self._before, token) if begins else self


class _Part:
    """Within a relative time."""

    __slots__ = ("_before", "_rules", "_trail", "may")
    line = None

    def __init__(self, rules: Rules, before: Before, trail: Trail) -> None:
        self._rules, self._before, self._trail = rules, before, trail
        self.may = rules.part(trail is not None and trail[1] in rules.codec.hours)

    def after(self, token: int) -> Grammar:
        """The place behind one more id."""
        if self._rules.kinds[token] != PART:
            return self._rules.changing(self._before, self._trail).after(token)
        trail = (self._trail, token)
        if token in self._rules.codec.seconds:
            return self._rules.changing(self._before, trail)
        return _Part(self._rules, self._before, trail)


class _Date:
    """Within a time in full, or behind it."""

    __slots__ = ("_before", "_begun", "_rules", "_trail", "may")
    line = None

    def __init__(self, rules: Rules, before: Before, trail: Trail, begun: str) -> None:
        self._rules, self._before, self._trail, self._begun = rules, before, trail, begun
        self.may = rules.date(begun, before.least(relative=rules.relative))
        if not begun or latest(begun) == begun:
            self.may = np.maximum(self.may, rules.changing(before, trail).may)

    def after(self, token: int) -> Grammar:
        """The place behind one more id."""
        rules = self._rules
        if rules.kinds[token] == TEXT:
            begun = self._begun + rules.texts[token].decode(errors="replace")
            if latest(begun):
                return _Date(rules, self._before, (self._trail, token), begun)
        return rules.changing(self._before, self._trail).after(token)


class _Edit:
    """Within an edit."""

    __slots__ = ("_above", "_before", "_letter", "_mode", "_rest", "_rules", "_trail", "may")

    def __init__(
        self, rules: Rules, before: Before, trail: Trail, mode: int, above: int, rest: bytes | None, letter: bytes,
        may: May | None = None,
    ) -> None:  # fmt: skip
        self._rules, self._before, self._trail, self._mode, self._above = rules, before, trail, mode, above
        self._rest = rest
        """What would put back all that the hunk took; None: it has become something else."""
        self._letter = letter
        """The first bytes of a letter whose others are to come."""
        self.may = self._allowed() if may is None else may

    @property
    def line(self) -> str | None:
        """As `Grammar` says; lines above the pointer are the old program's own."""
        lines, token = self._before.lines, self._trail[1] if self._trail else -1
        kind = self._rules.kinds[token]
        if kind == KEEP and self._above < len(lines):
            return "".join(words(lines[self._above])[: token - self._rules.codec.keeps.start + 1])
        return lines[self._above - 1] if kind == UP and self._above else None

    def _allowed(self) -> May:
        rules, mode, above = self._rules, self._mode, self._above
        if self._letter:
            return rules.letter(self._letter)
        changed = mode not in BEFORE_CHANGES and self._rest != b""
        steps = above if changed or mode in BEFORE_CHANGES else 0
        return rules.edit(
            mode in COMPLETES,
            min(steps, len(rules.codec.ups)) if mode in MAY_UP else 0,
            min(steps, len(rules.codec.cuts)) if mode in MAY_CUT else 0,
            min(len(words(self._before.lines[above - 1])), len(rules.codec.keeps)) if steps and mode in MAY_KEEP else 0,
            changed,
            self._before.counts,
        )

    def after(self, token: int) -> Grammar:
        """The place behind one more id."""
        rules, kind = self._rules, self._rules.kinds[token]
        if kind == TEXT:
            return self._written(token, rules.texts[token])
        if kind in (UP, CUTS, KEEP):
            return self._stepped(token, kind)
        if kind in (AT, PART, DONE):
            after = Before(rules.codec.lines_after(self._before.lines, _ids(self._trail)), self._before.at)
            return Between(rules, after) if kind == DONE else rules.begin(after, token)
        return self

    def _written(self, token: int, text: bytes) -> _Edit:
        rules, mode, rest = self._rules, self._mode, self._rest
        letter = _tail(self._letter, text) or b"" if self._letter else rules.tails[token] or b""
        mode = LINE if mode in (KEPT, LINE) and b"\n" not in text else LINES
        if rest is not None:
            rest = rest[len(text) :] if rest.startswith(text) else None
        same = mode == self._mode and rest is None and self._rest is None and letter == self._letter
        may = self.may if same else None
        return _Edit(rules, self._before, (self._trail, token), mode, self._above, rest, letter, may)

    def _stepped(self, token: int, kind: int) -> _Edit:
        codec, lines, mode = self._rules.codec, self._before.lines, self._mode
        if kind == UP:
            n = token - codec.ups.start + 1
            mode, above, rest = UPPED_ON if n == len(codec.ups) else UPPED, max(0, self._above - n), None
        elif kind == CUTS:
            n = token - codec.cuts.start + 1
            above = max(0, self._above - n)
            taken = "".join(f"\n{line}" for line in lines[above : self._above]).encode()
            rest = taken + (self._rest or b"" if mode == CUT_ON else b"")
            mode = CUT_ON if n == len(codec.cuts) else CUT
        else:
            above = max(0, self._above - 1)
            line = lines[above] if self._above else ""
            lost = "".join(words(line)[token - codec.keeps.start + 1 :]).encode()
            rest = lost + (self._rest or b"" if mode in (CUT_ON, CUT) else b"")
            mode = KEPT_LAST if mode in (CUT_ON, CUT) else KEPT
        return _Edit(self._rules, self._before, (self._trail, token), mode, above, rest, b"")


def _ids(trail: Trail) -> list[int]:
    ids = []
    while trail is not None:
        trail, token = trail
        ids.append(token)
    return ids[::-1]


def _fits(at: int, text: str) -> bool:
    """Whether a text has the shape of that part of a date."""
    return re.sub("[0-9]", "0", text) == _DATE[at : at + len(text)]


def _tail(begun: bytes, text: bytes) -> bytes | None:
    """The bytes at the end that begin a letter; None: it isn't UTF-8."""
    joined = begun + text
    try:
        joined.decode()
    except UnicodeDecodeError as error:
        return joined[error.start :] if error.reason == "unexpected end of data" else None
    return b""
