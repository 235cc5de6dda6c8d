"""difflib's matching of texts and of lines, compiled, and the same on every Python.

In: texts as integers (characters, lines) that lie one behind the other. Out: `distances`, how far the released code
takes two programs to be apart; `differences`, the lines that `difflib.Differ` marks - and +. Both follow CPython up to
3.12 (later versions pair similar lines differently), with the heuristic that leaves out popular elements of long
sequences, which difflib has on by default. Equality with difflib is kept by tests/metrics/test_released.py.

a is the old and b the new sequence, x[a0:a1] and y[b0:b1]; i and j are places in them. A range is from low (included)
to high (not included). Plain loops over numbers, for that compiles several times faster than slices and tuples.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from redraft.compiling import compiled

Ints = NDArray[np.int32]
Longs = NDArray[np.int64]

POINTS = 0x110000
"""Characters there are."""
POPULAR_FROM = 200
"""From so many elements on, those that make up more than 1% of the new sequence are not looked up."""
WORTH, CUTOFF = 0.74, 0.75
"""Texts of a ratio above the one are candidates, from the other on versions of one line."""
REMOVED, ADDED = 0, 1


class Texts(NamedTuple):
    """Some texts."""

    characters: Ints
    """Of all texts, one behind the other, numbered from 0."""
    starts: Longs
    """(N + 1,) where each text begins, and the last ends."""


def number_texts(texts: Sequence[str]) -> Texts:
    """Texts as numbers."""
    points = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), np.int32)
    present: NDArray[np.bool_] = np.zeros(POINTS, np.bool_)
    present[points] = True
    number: Ints = np.empty(POINTS, np.int32)
    number[present] = np.arange(np.count_nonzero(present))
    return Texts(number[points], np.cumsum([0, *map(len, texts)]))


class Work(NamedTuple):
    """Arrays to work in; every use leaves them as it found them, but for the clock."""

    first: Ints
    """(elements,) where an element first occurs in b, or -1."""
    following: Ints
    """(longest,) where the element at a place of b occurs next, or -1."""
    occurs: Ints
    """(elements,) how often it occurs in b."""
    spare: Ints
    """(elements,) zeros."""
    runs: Ints
    """(2, longest + 1) for even and odd rows: length of the match that ends before a place of b."""
    rows: Longs
    """(2, longest + 1) in which row that was noted; older notes don't count."""
    clock: Longs
    """(1,) the last row's number."""


def work(elements: int, longest: int) -> Work:
    """For sequences of numbers below `elements`, `longest` of them at most."""
    return Work(
        np.full(elements, -1, np.int32), np.zeros(longest, np.int32),
        np.zeros(elements, np.int32), np.zeros(elements, np.int32),
        np.zeros((2, longest + 1), np.int32), np.zeros((2, longest + 1), np.int64), np.zeros(1, np.int64),
    )  # fmt: skip


def work_for(texts: Texts) -> Work:
    """For the characters of `texts`."""
    return work(int(texts.characters.max(initial=-1)) + 1, int(np.diff(texts.starts).max(initial=0)))


@compiled
def _index(y: Ints, b0: int, b1: int, w: Work) -> None:
    """Note where the elements of b = y[b0:b1] are."""
    n = b1 - b0
    for j in range(n - 1, -1, -1):
        element = y[b0 + j]
        w.following[j] = w.first[element]
        w.first[element] = j
        w.occurs[element] += 1
    if n >= POPULAR_FROM:
        for j in range(b0, b1):
            if w.occurs[y[j]] > n // 100 + 1:
                w.first[y[j]] = -1


@compiled
def _forget(y: Ints, b0: int, b1: int, w: Work) -> None:
    for j in range(b0, b1):
        w.first[y[j]] = -1
        w.occurs[y[j]] = 0


@compiled
def _blocks(x: Ints, a0: int, a1: int, y: Ints, b0: int, b1: int, w: Work, blocks: Longs) -> int:
    """Write the matching blocks (i, j, size) of a = x[a0:a1] and the indexed b = y[b0:b1] to `blocks`; how many.

    Each is the longest common run of its range, the first one in a, then in b, and then come the ranges before and
    after it. Popular elements begin no run, they only prolong one.
    """
    ranges = np.empty((2 * min(a1 - a0, b1 - b0) + 4, 5), np.int64)  # left to do: to search (0) or found (1)
    ranges[0, 0] = ranges[0, 1] = ranges[0, 3] = 0
    ranges[0, 2], ranges[0, 4] = a1 - a0, b1 - b0
    waiting, n, now = 1, 0, w.clock[0]
    while waiting:
        waiting -= 1
        alo, ahi, blo, bhi = ranges[waiting, 1], ranges[waiting, 2], ranges[waiting, 3], ranges[waiting, 4]
        if ranges[waiting, 0]:
            blocks[n, 0], blocks[n, 1], blocks[n, 2] = alo, blo, ahi - alo
            n += 1
            continue
        i, j, size = alo, blo, 0
        now += 1  # a number that no row has, so that the first row continues none
        for row in range(alo, ahi):
            now += 1
            here, above = row & 1, 1 - (row & 1)
            place = w.first[x[a0 + row]]
            while 0 <= place < bhi:
                if place >= blo:
                    length = w.runs[above, place] + 1 if w.rows[above, place] == now - 1 else 1
                    w.runs[here, place + 1] = length
                    w.rows[here, place + 1] = now
                    if length > size:
                        i, j, size = row - length + 1, place - length + 1, length
                place = w.following[place]
        while i > alo and j > blo and x[a0 + i - 1] == y[b0 + j - 1]:
            i, j, size = i - 1, j - 1, size + 1
        while i + size < ahi and j + size < bhi and x[a0 + i + size] == y[b0 + j + size]:
            size += 1
        if size:  # what is done last is put down first
            ranges[waiting, 0], ranges[waiting, 1], ranges[waiting, 3] = 0, i + size, j + size  # to ahi and bhi
            ranges[waiting, 2], ranges[waiting, 4] = ahi, bhi
            waiting += i + size < ahi and j + size < bhi
            ranges[waiting, 0], ranges[waiting, 1], ranges[waiting, 2], ranges[waiting, 3] = 1, i, i + size, j
            waiting += 1
            ranges[waiting, 0], ranges[waiting, 1], ranges[waiting, 3] = 0, alo, blo
            ranges[waiting, 2], ranges[waiting, 4] = i, j
            waiting += alo < i and blo < j
    w.clock[0] = now
    return n


@compiled
def _ratio(x: Ints, a0: int, a1: int, y: Ints, b0: int, b1: int, w: Work, blocks: Longs) -> float:
    """`SequenceMatcher.ratio` of a and the indexed b."""
    total = 0
    for block in range(_blocks(x, a0, a1, y, b0, b1, w, blocks)):
        total += blocks[block, 2]
    return 2.0 * total / (a1 - a0 + b1 - b0) if a1 - a0 + b1 - b0 else 1.0


@compiled
def distances(texts: Texts, pairs: Longs, w: Work) -> Longs:
    """(P,) int(longer length * (1 - ratio)) of each pair of texts; the order of a pair matters.

    Args:
        texts: The texts.
        pairs: (P, 2) numbers of the old and the new text.
        w: To work with their characters.
    """
    x, starts = texts.characters, texts.starts
    blocks = np.empty((len(w.following), 3), np.int64)
    found = np.empty(len(pairs), np.int64)
    for p in range(len(pairs)):
        a0, a1 = starts[pairs[p, 0]], starts[pairs[p, 0] + 1]
        b0, b1 = starts[pairs[p, 1]], starts[pairs[p, 1] + 1]
        _index(x, b0, b1, w)
        found[p] = int(max(a1 - a0, b1 - b0) * (1 - _ratio(x, a0, a1, x, b0, b1, w, blocks)))
        _forget(x, b0, b1, w)
    return found


@compiled
def _shared(x: Ints, a0: int, a1: int, w: Work) -> int:
    """How many elements a has in common with the indexed b, wherever they are: no ratio is larger than that allows."""
    total = 0
    for i in range(a0, a1):
        if w.spare[x[i]] < w.occurs[x[i]]:
            w.spare[x[i]] += 1
            total += 1
    for i in range(a0, a1):
        w.spare[x[i]] = 0
    return total


@compiled
def _most_similar(
    span: Longs, programs: Ints, lines: Texts, w: Work, known: NDArray[np.float64], blocks: Longs
) -> tuple[int, int, bool]:
    """The places (i, j) of the lines to be taken for one, or -1, and whether they are the same.

    `span` is where a and b begin and end in `programs`. `known` holds the ratios found so far by place, and -1.
    """
    x, starts = lines.characters, lines.starts
    best, best_i, best_j, same_i, same_j = WORTH, -1, -1, -1, -1
    for j in range(span[2], span[3]):
        b0, b1 = starts[programs[j]], starts[programs[j] + 1]
        indexed = False
        for i in range(span[0], span[1]):
            if programs[i] == programs[j]:
                if same_i < 0:
                    same_i, same_j = i, j
                continue
            ratio = known[i - span[4], j - span[5]]
            if ratio < 0:
                a0, a1 = starts[programs[i]], starts[programs[i] + 1]
                length = a1 - a0 + b1 - b0
                if 2.0 * min(a1 - a0, b1 - b0) / length <= best:
                    continue
                if not indexed:
                    _index(x, b0, b1, w)
                    indexed = True
                if 2.0 * _shared(x, a0, a1, w) / length <= best:
                    continue
                ratio = known[i - span[4], j - span[5]] = _ratio(x, a0, a1, x, b0, b1, w, blocks)
            if ratio > best:
                best, best_i, best_j = ratio, i, j
        if indexed:
            _forget(x, b0, b1, w)
    if best < CUTOFF:
        return same_i, same_j, True
    return best_i, best_j, False


@compiled
def _replacement(span: Longs, programs: Ints, lines: Texts, w: Work, blocks: Longs, out: Ints) -> None:
    """Write the - and + lines of a range to out[span[6]:], as (REMOVED or ADDED, line), and note where they end.

    The most similar lines become a - and a + line (nothing, if they are the same) between what comes before them and
    what comes after, found in the same way. Where no lines are similar the shorter side comes first.
    """
    size_a, size_b = span[1] - span[0], span[3] - span[2]
    known = np.full((size_a, size_b), -1.0)
    span[4], span[5] = span[0], span[2]
    ranges = np.empty((2 * (size_a + size_b) + 4, 5), np.int64)  # left to do: a range (0) or a pair (1)
    ranges[0, 0], ranges[0, 1], ranges[0, 2], ranges[0, 3], ranges[0, 4] = 0, span[0], span[1], span[2], span[3]
    waiting = 1
    while waiting:
        waiting -= 1
        paired = ranges[waiting, 0]
        alo, ahi, blo, bhi = ranges[waiting, 1], ranges[waiting, 2], ranges[waiting, 3], ranges[waiting, 4]
        i = -1
        if not paired and alo < ahi and blo < bhi:
            span[0], span[1], span[2], span[3] = alo, ahi, blo, bhi
            i, j, same = _most_similar(span, programs, lines, w, known, blocks)
        if i >= 0:  # what is done last is put down first
            ranges[waiting, 1], ranges[waiting, 3] = i + 1, j + 1  # to ahi and bhi
            waiting += 1
            ranges[waiting, 0], ranges[waiting, 1], ranges[waiting, 2] = 1, i, i + 1
            ranges[waiting, 3], ranges[waiting, 4] = j, j + 1
            waiting += not same
            ranges[waiting, 0], ranges[waiting, 1], ranges[waiting, 2] = 0, alo, i
            ranges[waiting, 3], ranges[waiting, 4] = blo, j
            waiting += 1
            continue
        added_first = bhi - blo < ahi - alo
        for turn in range(2):
            kind = ADDED if (turn == 0) == added_first else REMOVED
            for place in range(blo if kind == ADDED else alo, bhi if kind == ADDED else ahi):
                out[span[6], 0], out[span[6], 1] = kind, programs[place]
                span[6] += 1


@compiled
def differences(
    a0: int, a1: int, b0: int, b1: int, programs: Ints, lines: Texts, of_lines: Work, of_characters: Work,
    blocks: Longs, out: Ints,
) -> int:  # fmt: skip
    """Write the lines that `Differ().compare` marks to `out`, as (REMOVED or ADDED, line), in its order; how many.

    The old program is programs[a0:a1], the new one programs[b0:b1], in numbers of `lines`. To work with there are
    arrays for lines and for characters, and `blocks`, (longest line or program + 1, 3); `out` is (lines of both, 2).
    """
    _index(programs, b0, b1, of_lines)
    number = _blocks(programs, a0, a1, programs, b0, b1, of_lines, blocks)
    _forget(programs, b0, b1, of_lines)
    equal = blocks[: number + 1].copy()
    equal[number, 0], equal[number, 1], equal[number, 2] = a1 - a0, b1 - b0, 0
    span = np.zeros(7, np.int64)
    i, j = a0, b0
    for block in range(number + 1):
        to_i, to_j = a0 + equal[block, 0], b0 + equal[block, 1]
        if i < to_i or j < to_j:
            span[0], span[1], span[2], span[3] = i, to_i, j, to_j
            _replacement(span, programs, lines, of_characters, blocks, out)
        i, j = to_i + equal[block, 2], to_j + equal[block, 2]
    return int(span[6])
