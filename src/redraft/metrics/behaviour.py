"""What one trace shows: facts about its programs, its edits and its times, from which the metrics are read off.

In: a trace. Out: `TraceFacts`. Each distinct program is looked at once. Definitions are the corrected ones (paper
section 3.3 and appendix D). What a language profile or times are needed for is None without them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from rapidfuzz.distance import Levenshtein

from redraft.data.edits import LineEdits, edit_type, line_edits, lines_of
from redraft.data.trace import State, Trace
from redraft.metrics.colours import colour_counts, mask_colours
from redraft.metrics.languages import PROFILES, Profile, functions_in, is_comment

ACTIVE_GAP = 600.0
"""Seconds; a longer gap between two states is a break, not work."""

_NUMERAL = re.compile(r"(?<!\w)(?:\d+(?:\.\d+)?|\.\d+)(?!\w)")
_WORD = re.compile(r"\w+")


class ProgramFacts(NamedTuple):
    """What one program holds."""

    comments: int | None
    """Lines whose first non-blank characters start a comment; None without a language profile."""
    functions: int | None
    """Functions defined; None without a language profile."""
    words: dict[str, int]
    """Counts of the profile's keywords, as whole words."""
    colours: Counter[int]
    """Counts by colour."""


class Edit(NamedTuple):
    """One step from a state to the next."""

    type: str
    """One of `data.edits.EDIT_TYPES`."""
    added: int
    """Lines added."""
    deleted: int
    """Lines deleted."""
    modified: int
    """Lines modified."""
    colour_change: bool
    """A modified line differs in colour words only."""
    number_change: bool
    """A modified line differs in numerals only."""
    comment_added: bool | None
    """An added line is a comment; None without a language profile."""
    function_added: bool | None
    """An added line defines a function; None without a language profile."""


class TraceFacts(NamedTuple):
    """What one trace of T states shows."""

    programs: list[ProgramFacts]
    """One per state."""
    years: list[int | None]
    """UTC year of each state, None where it has no time."""
    to_final: list[int]
    """Levenshtein distance (characters) of each state to the final one."""
    steps: list[int]
    """T - 1 Levenshtein distances between consecutive states."""
    edits: list[Edit]
    """T - 1 edits."""
    gaps: list[float] | None
    """T - 1 seconds between consecutive states (negative where a generated clock runs backwards); None unless every
    state has a time."""
    runs: list[bool | None]
    """Whether each state's program runs; None where no verdict is known."""


def trace_facts(trace: Trace, language: str | None = None, runs: Sequence[bool | None] | None = None) -> TraceFacts:
    """Look at a trace; `language` stands in for states that record none, `runs` says which states' programs run."""
    states, final = trace.states, trace.final.code
    profiles = [PROFILES.get(state.language or language or "") for state in states]
    codes = [state.code for state in states]
    seen: dict[tuple[str, int], ProgramFacts] = {}
    programs = []
    for code, profile in zip(codes, profiles, strict=True):
        key = (code, id(profile))
        if key not in seen:
            seen[key] = program_facts(code, profile)
        programs.append(seen[key])
    pairs = list(pairwise(codes))
    return TraceFacts(
        programs=programs,
        years=[state.at.year if state.at else None for state in states],
        to_final=[Levenshtein.distance(code, final) for code in codes],
        steps=[Levenshtein.distance(old, new) for old, new in pairs],
        edits=[edit_facts(line_edits(*pair), profile) for pair, profile in zip(pairs, profiles[1:], strict=True)],
        gaps=_gaps(states),
        runs=[None] * len(states) if runs is None else list(runs),
    )


def program_facts(code: str, profile: Profile | None) -> ProgramFacts:
    """Look at a program."""
    words = Counter(_WORD.findall(code))
    colours = colour_counts(words)
    if profile is None:
        return ProgramFacts(None, None, {}, colours)
    lines = lines_of(code)
    return ProgramFacts(
        comments=sum(is_comment(line, profile) for line in lines),
        functions=sum(functions_in(line, profile) for line in lines),
        words={word: words[word] for word in profile.keywords},
        colours=colours,
    )


def edit_facts(edits: LineEdits, profile: Profile | None) -> Edit:
    """Classify an edit; `profile` is the new state's."""
    return Edit(
        type=edit_type(edits),
        added=len(edits.added),
        deleted=len(edits.deleted),
        modified=len(edits.modified),
        colour_change=any(mask_colours(old) == mask_colours(new) for old, new in edits.modified),
        number_change=any(_mask_numerals(old) == _mask_numerals(new) for old, new in edits.modified),
        comment_added=any(is_comment(line, profile) for line in edits.added) if profile else None,
        function_added=any(functions_in(line, profile) for line in edits.added) if profile else None,
    )


def _mask_numerals(line: str) -> str:
    return _NUMERAL.sub("\0", line)


def _gaps(states: tuple[State, ...]) -> list[float] | None:
    times = [state.at for state in states]
    known = [at for at in times if at is not None]
    if len(known) < len(times):
        return None
    return [(later - earlier).total_seconds() for earlier, later in pairwise(known)]
