"""The field's measures of struggling with compile errors: Error Quotient, Repeated Error Density, Watwin.

In: the drafts of a trace in order, each with what compiling it came to. Out: a number per measure, None where it is
undefined. A draft stands for a compilation event. Consecutive identical drafts are collapsed before, so compiling the
same text again counts once.

    Error Quotient           M. C. Jadud, Methods and tools for exploring novice compilation behaviour, ICER 2006; with
                             the weights 8 and 3 of his thesis (2006) and of Jadud and Dorn, ICER 2015
    Repeated Error Density   B. A. Becker, A new metric to quantify repeated compiler errors for novice programmers,
                             ITiCSE 2016
    Watwin                   C. Watson, F. W. B. Li, J. L. Godwin, Predicting performance in an introductory programming
                             course by logging and analyzing student programming behavior, ICALT 2013

Two errors are of one type if their messages agree without what names the student's own things (`error_type`). Of a
draft with several errors the first counts, as in BlueJ, where the measures come from.

Not guaranteed: the time that Watwin takes for an error's mending is that between two drafts of one trace; the paper
also takes off work on other files in between.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from redraft.metrics.languages import Profile, is_comment

BOTH_FAIL, SAME_TYPE = 8, 3
"""Error Quotient: what a pair of failing drafts scores, and what it scores more if their errors are of one type."""
SAME_MESSAGE, SAME_GENERAL, SAME_LINE = 4, 4, 2
QUICK, USUAL, SLOW = 1, 15, 25
"""Watwin: what a pair scores for errors alike, and for the time that mending took."""
_MOST = SAME_MESSAGE + SAME_GENERAL + SAME_LINE + SLOW

_NAMED = re.compile(r"(['\"`‘“])[\w.$ ]*\w[\w.$ ]*(['\"`’”])")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_DETAIL = re.compile(r"\s+-\s+.*", re.DOTALL)


class Failure(NamedTuple):
    """A compile error."""

    message: str
    """What the student saw."""
    line: int | None
    """The student's own line, from 1."""

    @property
    def type(self) -> str:
        """The message without the student's own names."""
        return error_type(self.message)


class Draft(NamedTuple):
    """A compilation event."""

    code: str
    compiles: bool | None
    """None: not known."""
    failure: Failure | None
    """What went wrong; None where it compiles, or where that isn't known."""


class Usual(NamedTuple):
    """How long errors of a type take to be mended, by all students."""

    mean: float
    """Seconds."""
    deviation: float
    """Their standard deviation, of all pairs and not of a sample of them."""


class Mending(NamedTuple):
    """A failing draft and the one after it."""

    before: Draft
    after: Draft
    seconds: float | None
    """Between the two."""


def error_type(message: str) -> str:
    """A message's type: no quoted names, no numbers, nothing after a dash ('unknown class - Pet': 'unknown class')."""
    general = _DETAIL.sub("", message.split("\n")[0].strip())
    return " ".join(_NUMBER.sub("#", _NAMED.sub(r"\1…\2", general)).split())


def error_quotient(drafts: Sequence[Draft]) -> float | None:
    """Mean over pairs of consecutive drafts of (8 if both fail, 3 more if the type is the same) / 11.

    None without a pair, and where it isn't known whether a draft compiles or which error it has.
    """
    scores = []
    for before, after in pairwise(drafts):
        same = _same_type(before, after)
        if same is None:
            return None
        both = not before.compiles and not after.compiles
        scores.append((BOTH_FAIL + SAME_TYPE * same) / (BOTH_FAIL + SAME_TYPE) if both else 0.0)
    return sum(scores) / len(scores) if scores else None


def repeated_error_density(drafts: Sequence[Draft]) -> float | None:
    """Sum of r² / (r + 1) over the longest runs of drafts with one type of error, r + 1 of them.

    A single draft has no repeated error and scores 0.
    """
    if drafts[0].compiles is None:
        return None
    total, repeated = 0.0, 0
    for before, after in pairwise(drafts):
        same = _same_type(before, after)
        if same is None:
            return None
        if same:
            repeated += 1
        else:
            total, repeated = total + repeated**2 / (repeated + 1), 0
    return total + repeated**2 / (repeated + 1)


def _same_type(before: Draft, after: Draft) -> bool | None:
    """Whether both fail with errors of one type; None: not known."""
    if before.compiles is None or after.compiles is None:
        return None
    if before.compiles or after.compiles:
        return False
    if before.failure is None or after.failure is None:
        return None
    return before.failure.type == after.failure.type


def mendings(drafts: Sequence[Draft], gaps: Sequence[float] | None, profile: Profile | None) -> list[Mending]:
    """The pairs that Watwin looks at: a failing draft and the next one.

    Left out are pairs that differ in comments and white space alone, and pairs in which the failing line was commented
    out or something was deleted and nothing else done, as nothing was mended.
    """
    times = gaps if gaps is not None else [None] * (len(drafts) - 1)
    return [
        Mending(before, after, seconds)
        for (before, after), seconds in zip(pairwise(drafts), times, strict=True)
        if before.compiles is False and after.compiles is not None and _mends(before, after, profile)
    ]


def _mends(before: Draft, after: Draft, profile: Profile | None) -> bool:
    if _bare(before.code, profile) == _bare(after.code, profile):
        return False
    if len(after.code) < len(before.code) and _is_part(after.code, before.code):
        return False
    return not _commented_out(before, after, profile)


def _bare(code: str, profile: Profile | None) -> list[str]:
    lines = [" ".join(line.split()) for line in code.splitlines()]
    return [line for line in lines if line and not (profile and is_comment(line, profile))]


def _is_part(part: str, whole: str) -> bool:
    """Whether a text is another one with characters deleted."""
    left = iter(whole)
    return all(character in left for character in part)


def _commented_out(before: Draft, after: Draft, profile: Profile | None) -> bool:
    lines = before.code.splitlines()
    if profile is None or before.failure is None or not 1 <= (before.failure.line or 0) <= len(lines):
        return False
    failing = lines[(before.failure.line or 0) - 1].strip()
    return bool(failing) and any(is_comment(line, profile) and failing in line for line in after.code.splitlines())


def usual_times(pairs: Iterable[Mending]) -> dict[str, Usual]:
    """How long each type of error takes, over all pairs with times."""
    seconds: dict[str, list[float]] = {}
    for pair in pairs:
        if pair.before.failure is not None and pair.seconds is not None:
            seconds.setdefault(pair.before.failure.type, []).append(pair.seconds)
    return {kind: Usual(float(np.mean(some)), float(np.std(some))) for kind, some in seconds.items()}


def watwin(drafts: Sequence[Draft], pairs: Sequence[Mending], usual: Mapping[str, Usual]) -> float | None:
    """Mean over pairs of how alike their errors are (0 to 10) and how long mending took (1, 15 or 25), over 35.

    Args:
        drafts: All drafts of the trace.
        pairs: Their `mendings`.
        usual: `usual_times` of all students: more than a standard deviation below the mean is quick, above it slow.

    Returns:
        0 where nothing was mended; None without two drafts, without times (its own or all students'), or where it
        isn't known what failed.
    """
    if len(drafts) < 2 or any(draft.compiles is None for draft in drafts):
        return None
    scores = []
    for before, after, seconds in pairs:
        if before.failure is None or seconds is None or (after.compiles is False and after.failure is None):
            return None
        score = 0
        if after.failure is not None:
            score += SAME_MESSAGE * (before.failure.message == after.failure.message)
            score += SAME_GENERAL * (before.failure.type == after.failure.type)
            score += SAME_LINE * (before.failure.line is not None and before.failure.line == after.failure.line)
        if before.failure.type not in usual:
            return None
        mean, deviation = usual[before.failure.type]
        scores.append(score + (QUICK if seconds < mean - deviation else SLOW if seconds > mean + deviation else USUAL))
    return sum(scores) / (_MOST * len(scores)) if scores else 0.0
