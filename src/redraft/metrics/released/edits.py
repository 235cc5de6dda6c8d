"""What the released code counts in the step from one program to the next.

In: programs as numbers of their distinct lines. Out: one row of counts a step. The rules, as found in that code: a
line that `difflib.Differ` marks + is taken with the nearest - line before it, one marked - with the nearest + line
after it, whether or not that one is taken already; from then on lines that read like either are left out, in this step,
so repeats vanish. A line taken with an empty one counts as nothing at all.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from redraft.compiling import compiled
from redraft.metrics.released.colours import COLOURS
from redraft.metrics.released.match import ADDED, Ints, Longs, Texts, Work, differences, number_texts, work, work_for

LARGE = 5
"""From so many added (deleted) lines on, an addition (deletion) is large."""

COUNTS = (
    "lines_added", "lines_deleted", "lines_modified", "color_changes", "number_changes", "comment_additions",
    "function_additions", "num_large_add", "num_large_del", "num_small_add", "num_small_del", "num_modify_existing",
)  # fmt: skip
"""What is counted, in the order of the columns of `count_edits`."""

_COLOUR = re.compile(r"\b(?:" + "|".join(COLOURS) + r")\b")
_DIGITS = re.compile(r"\d+")


def count_edits(programs: Sequence[str], steps: Longs) -> Longs:
    """(S, 12) the `COUNTS` of each step.

    Args:
        programs: The programs' texts.
        steps: (S, 2) numbers of the old and the new program.
    """
    number: dict[str, int] = {}
    places: list[int] = []
    ends = [0]
    for program in programs:
        places += [number.setdefault(line, len(number)) for line in program.splitlines()]
        ends.append(len(places))
    texts = list(number)
    numbered = number_texts(texts)
    lines = _Programs(np.array(places, np.int32), np.array(ends, np.int64))
    comments = np.array([text.lstrip()[:1] == "#" for text in texts], np.bool_)
    functions = np.array(["->" in text for text in texts], np.bool_)
    of_lines = work(len(texts), int(np.diff(lines.ends).max(initial=0)))
    counts, changed = _count(lines, steps, numbered, comments, functions, of_lines, work_for(numbered))
    for step, old, new in changed.tolist():
        if _without_colours(texts[old]) == _without_colours(texts[new]):
            counts[step, 3] += 1
        elif _without_digits(texts[old]) == _without_digits(texts[new]):
            counts[step, 4] += 1
    return counts


class _Programs(NamedTuple):
    """Programs as numbers of lines."""

    lines: Ints
    """Of all programs, one behind the other."""
    ends: Longs
    """(N + 1,) 0, and where each program ends."""


@lru_cache(maxsize=100_000)
def _without_colours(line: str) -> str:
    return _COLOUR.sub("<COLOR>", line)


@lru_cache(maxsize=100_000)
def _without_digits(line: str) -> str:
    return _DIGITS.sub("", line)


@compiled
def _count(
    programs: _Programs, steps: Longs, lines: Texts, comments: NDArray[np.bool_], functions: NDArray[np.bool_],
    of_lines: Work, of_characters: Work,
) -> tuple[Longs, Longs]:  # fmt: skip
    """(S, 12) counts without those of colours and digits, and (M, 3) step, line and other line of all modifications."""
    counts = np.zeros((len(steps), 12), np.int64)
    longest = len(of_lines.following)
    blocks = np.empty((max(longest, len(of_characters.following)) + 1, 3), np.int64)
    marked, nearest = np.empty((2 * longest, 2), np.int32), np.empty(2 * longest, np.int32)
    most, m = 0, 0
    for step in range(len(steps)):
        old, new = steps[step, 0], steps[step, 1]
        most += programs.ends[old + 1] - programs.ends[old] + programs.ends[new + 1] - programs.ends[new]
    changed = np.empty((most, 3), np.int64)
    taken = np.full(len(comments), -1, np.int64)  # the step in which a line was last taken with another
    for step in range(len(steps)):
        old, new = steps[step, 0], steps[step, 1]
        n = differences(
            programs.ends[old], programs.ends[old + 1], programs.ends[new], programs.ends[new + 1], programs.lines,
            lines, of_lines, of_characters, blocks, marked,
        )  # fmt: skip
        _find_nearest(marked, n, nearest)
        for place in range(n):
            line, other = marked[place, 1], nearest[place]
            if other >= 0 and taken[line] != step:
                taken[line] = taken[other] = step
                if lines.starts[other] < lines.starts[other + 1]:  # not empty
                    changed[m, 0], changed[m, 1], changed[m, 2] = step, line, other
                    m += 1
                    counts[step, 2] += 1
        for place in range(n):
            line = marked[place, 1]
            if taken[line] == step:
                continue
            if marked[place, 0] == ADDED:
                counts[step, 0] += 1
                counts[step, 5] += comments[line]
                counts[step, 6] += functions[line]
            else:
                counts[step, 1] += 1
        counts[step, 7 + _type(counts[step, 0], counts[step, 1])] = 1
    return counts, changed[:m]


@compiled
def _find_nearest(marked: Ints, n: int, nearest: Ints) -> None:
    """For each added line the last removed one before it, for each removed one the first added after it; or -1."""
    line = -1
    for place in range(n):
        nearest[place] = line
        if marked[place, 0] != ADDED:
            line = marked[place, 1]
    line = -1
    for place in range(n - 1, -1, -1):
        if marked[place, 0] == ADDED:
            line = marked[place, 1]
        else:
            nearest[place] = line


@compiled
def _type(added: int, deleted: int) -> int:
    """Large addition, large deletion, small addition, small deletion, modification: the first that fits."""
    if added >= LARGE:
        return 0
    if deleted >= LARGE:
        return 1
    if added > 0:
        return 2
    return 3 if deleted > 0 else 4
