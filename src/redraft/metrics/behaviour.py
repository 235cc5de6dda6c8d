"""What one trace shows: facts about its programs, its edits and its times, from which the metrics are read off.

In: a trace. Out: `TraceFacts`. Each distinct program is looked at once. Definitions are the corrected ones (paper
section 3.3 and appendix D). What a language profile or times are needed for is None without them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from rapidfuzz.distance import Levenshtein

from redraft.data.edits import LineEdits, edit_type, line_edits, lines_of
from redraft.data.trace import State, Trace
from redraft.data.verdicts import COMPILED, FULL, PLATFORM, RAN
from redraft.execute.judged import Judgement
from redraft.metrics.colours import colour_counts, mask_colours
from redraft.metrics.compile_errors import Draft, Failure, Mending, Usual, mendings
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
    successes: list[bool | None]
    """Whether each state's program does what was asked for; None where nobody says."""
    compiled: list[Draft]
    """What compiling each state's program came to."""
    mendings: list[Mending]
    """The pairs of `compiled` that Watwin looks at."""
    usual: Mapping[str, Usual]
    """How long errors take all students, by type."""


def trace_facts(
    trace: Trace, language: str | None = None, judgements: Sequence[Judgement | None] | None = None,
    usual: Mapping[str, Usual] | None = None,
) -> TraceFacts:  # fmt: skip
    """Look at a trace.

    Args:
        trace: The trace.
        language: Stands in for states that record none.
        judgements: What is said of each state's program.
        usual: How long errors take all students, by type.
    """
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
    gaps, judged = _gaps(states), judgements or [None] * len(states)
    compiled = [_compiled(code, one) for code, one in zip(codes, judged, strict=True)]
    return TraceFacts(
        programs=programs,
        years=[state.at.year if state.at else None for state in states],
        to_final=[Levenshtein.distance(code, final) for code in codes],
        steps=[Levenshtein.distance(old, new) for old, new in pairs],
        edits=[edit_facts(line_edits(*pair), profile) for pair, profile in zip(pairs, profiles[1:], strict=True)],
        gaps=gaps,
        runs=[one.runs if one else None for one in judged],
        successes=[succeeds(state, one) for state, one in zip(states, judged, strict=True)],
        compiled=compiled,
        mendings=mendings(compiled, gaps, profiles[-1]),
        usual=usual or {},
    )


def mendings_of(
    trace: Trace, language: str | None, judgements: Sequence[Judgement | None]
) -> list[Mending]:  # fmt: skip
    """The failing programs of a trace and the next ones, as Watwin looks at them; arguments as of `trace_facts`."""
    compiled = [_compiled(state.code, one) for state, one in zip(trace.states, judgements, strict=True)]
    if all(draft.compiles is not False for draft in compiled):
        return []
    return mendings(compiled, _gaps(trace.states), PROFILES.get(trace.final.language or language or ""))


def succeeds(state: State, judgement: Judgement | None) -> bool | None:
    """Whether a program does what was asked for: by its grade, else by tests or the platform; None: nobody says."""
    if state.score is not None:
        return state.score >= FULL
    if judgement is None or (judgement.judged == RAN and judgement.by != PLATFORM):
        return None
    return None if judgement.judged == COMPILED and judgement.runs else judgement.runs


def _compiled(code: str, judgement: Judgement | None) -> Draft:
    if judgement is None:
        return Draft(code, None, None)
    error = judgement.error
    return Draft(code, judgement.compiles, Failure(error.message, error.line) if error else None)


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
