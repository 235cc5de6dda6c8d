"""What the released code finds out about traces, of many traces at once.

In: programs and times of traces. Out: `Facts`. A program, a pair of programs or a step that occurs again, in whichever
trace, is looked at once.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from redraft.metrics.released.colours import colour_substrings
from redraft.metrics.released.edits import count_edits
from redraft.metrics.released.match import Longs, distances, number_texts, work_for
from redraft.metrics.released.reading import Reading

Floats = NDArray[np.float64]

COUNTED = ("box", "await", "turtle", "functions", "comments")
"""What is counted in a program, in the order of `Facts.final` and `Facts.summed`."""

_WORDS = re.compile(r"\b(?:box|await|turtle)\b")
_FUNCTION = re.compile(r"=\s*->")


class Facts(NamedTuple):
    """N traces, each of at least one program."""

    states: Longs
    """(N,) programs of each, T."""
    number: Floats
    """(N,) the number in the final program's header."""
    year: Longs
    """(N,) of the final program."""
    seconds: Floats
    """(N,) from the first program to the final one."""
    final: Longs
    """(N, 5) `COUNTED` in the final program."""
    summed: Longs
    """(N, 5) the same, over all programs."""
    to_final: list[list[int]]
    """Distances of the T - 1 programs before the final one to it; [0] for T = 1."""
    steps: Longs
    """(N,) sum of the T - 1 distances between consecutive programs."""
    edits: Longs
    """(N, 12) `edits.COUNTS`, over the T - 1 steps."""
    colours: list[dict[str, int]]
    """Colours in the final program, the released code's substring counts."""


def look(readings: Sequence[Reading]) -> Facts:
    """Look at traces."""
    number: dict[str, int] = {}
    ids = [[number.setdefault(draft.program, len(number)) for draft in reading.drafts] for reading in readings]
    programs = list(number)
    counts = np.array([count_in(program) for program in programs], np.int64).reshape(-1, len(COUNTED))
    states = np.array([len(of) for of in ids], np.int64)
    owner = np.repeat(np.arange(len(ids)), states)
    flat = np.array([program for of in ids for program in of], np.int64)
    last = np.cumsum(states) - 1
    final = flat[last]
    inner = np.ones(len(flat), np.bool_)  # not the final program
    inner[last] = False
    before = np.flatnonzero(inner)
    steps = np.stack([flat[before], flat[before + 1]], axis=1)
    goals = np.stack([flat[before], final[owner[before]]], axis=1)
    step_distance, to_final = _apart(programs, steps, goals)
    seconds = [(reading.times[-1] - reading.times[0]).total_seconds() for reading in readings]
    return Facts(
        states=states,
        number=np.array([float(reading.drafts[-1].number) for reading in readings], np.float64),
        year=np.array([reading.times[-1].year for reading in readings], np.int64),
        seconds=np.array(seconds, np.float64),
        final=counts[final],
        summed=_summed(owner, counts[flat], len(ids)),
        to_final=[part.tolist() or [0] for part in np.split(to_final, np.cumsum(states - 1)[:-1])] if len(ids) else [],
        steps=_summed(owner[before], step_distance, len(ids)),
        edits=_summed(owner[before], _edits(programs, steps), len(ids)),
        colours=[_colours(programs[program]) for program in final],
    )


@lru_cache(maxsize=20_000)
def count_in(program: str) -> tuple[int, ...]:
    """`COUNTED` in a program."""
    words = _WORDS.findall(program)
    functions = len(_FUNCTION.findall(program)) if "->" in program else 0
    comments = sum(token[0] == "#" for token in program.split()) if "#" in program else 0
    return words.count("box"), words.count("await"), words.count("turtle"), functions, comments


_colours = lru_cache(maxsize=20_000)(colour_substrings)


def _apart(programs: Sequence[str], steps: Longs, goals: Longs) -> tuple[Longs, Longs]:
    """The distances of both kinds of pairs, each distinct pair looked at once."""
    pairs, which = _distinct(np.concatenate([steps, goals]))
    texts = number_texts(programs)
    found = distances(texts, pairs, work_for(texts))[which]
    return found[: len(steps)], found[len(steps) :]


def _edits(programs: Sequence[str], steps: Longs) -> Longs:
    pairs, which = _distinct(steps)
    return count_edits(programs, pairs)[which]


def _distinct(pairs: Longs) -> tuple[Longs, Longs]:
    """The distinct rows, and which of them each row is."""
    key = pairs[:, 0] * (int(pairs.max(initial=0)) + 1) + pairs[:, 1]
    _, first, which = np.unique(key, return_index=True, return_inverse=True)
    return np.ascontiguousarray(pairs[first]), which


def _summed(owner: Longs, values: Longs, count: int) -> Longs:
    total = np.zeros((count, *values.shape[1:]), np.int64)
    np.add.at(total, owner, values)
    return total
