"""BLEU of whole collections, as the released code has it from nltk.

In: tokens of texts, in groups. Out: one score a group. Unlike `metrics.text`, n-gram matches and lengths are summed
over a group's texts before anything is divided; a precision of zero is taken as the smallest normal float; of the
references' lengths the nearest counts, of two equally near ones the shorter. Every reference is meant for every text:
instead of comparing each pair, an n-gram's two largest counts and the owner of the largest are found by sorting.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

MAX_ORDER = 4

Longs = NDArray[np.int64]


class Sums(NamedTuple):
    """What a group's scores are made of; G groups."""

    matches: Longs
    """(G, 4) n-grams that a reference has too, each up to its largest count in one of them."""
    totals: Longs
    """(G, 4) n-grams; at least 1 a text."""
    lengths: Longs
    """(G,) tokens of the texts."""
    references: Longs
    """(G,) tokens of the nearest references."""


def self_bleu(texts: Sequence[Sequence[str]], groups: Sequence[int] | Longs) -> list[list[float]]:
    """Self-BLEU of each group 0..G-1: its texts against the others of the group.

    Args:
        texts: Tokens of each text.
        groups: The group of each; at least two texts each.

    Returns:
        Of each group the cumulative scores of orders 1 to 4; the released code's Self-BLEU is their `mean`.
    """
    group = np.asarray(groups, np.int64)
    count = int(group.max(initial=-1)) + 1
    lengths = np.array([len(text) for text in texts], np.int64)
    matches, totals = np.zeros((count, MAX_ORDER), np.int64), np.zeros((count, MAX_ORDER), np.int64)
    for order, (gram, text) in enumerate(_grams(texts, lengths)):
        counts, place, owner = _counted(_paired(group[text], gram), text)
        top, second, first = _tops(counts, place)
        at_hand = np.where(np.arange(len(counts)) == first[place], second[place], top[place])
        matches[:, order] = _sums(group[owner], np.minimum(counts, at_hand), count)
        totals[:, order] = _sums(group, np.maximum(lengths - order, 1), count)
    nearest = _nearest_others(lengths, group)
    return _scores(Sums(matches, totals, _sums(group, lengths, count), _sums(group, nearest, count)))


def reference_bleu(texts: Sequence[Sequence[str]], references: Sequence[Sequence[str]]) -> list[float]:
    """The cumulative scores of orders 1 to 4 of all texts, each against all references."""
    lengths = np.array([len(text) for text in (*texts, *references)], np.int64)
    n = len(texts)
    matches, totals = np.zeros((1, MAX_ORDER), np.int64), np.zeros((1, MAX_ORDER), np.int64)
    for order, (gram, text) in enumerate(_grams((*texts, *references), lengths)):
        counts, place, owner = _counted(gram, text)
        at_hand = np.zeros(int(place.max(initial=-1)) + 1, np.int64)
        np.maximum.at(at_hand, place[owner >= n], counts[owner >= n])
        matches[0, order] = np.minimum(counts, at_hand[place])[owner < n].sum()
        totals[0, order] = np.maximum(lengths[:n] - order, 1).sum()
    available = np.sort(lengths[n:])
    above = np.searchsorted(available, lengths[:n])
    longer = available[np.minimum(above, len(available) - 1)]
    nearest = _nearer(lengths[:n], available[np.maximum(above - 1, 0)], longer)
    return _scores(Sums(matches, totals, lengths[:n].sum(keepdims=True), nearest.sum(keepdims=True)))[0]


def mean(values: Sequence[float]) -> float:
    """Added from left to right, as Python's `sum` did before 3.12, and divided: the same in the last bit everywhere."""
    total = 0.0
    for value in values:
        total += value
    return total / len(values)


def _grams(texts: Sequence[Sequence[str]], lengths: Longs) -> Iterator[tuple[Longs, Longs]]:
    """For n = 1..4 all n-grams, numbered, and the text each is from."""
    words = [word for text in texts for word in text]
    number = {word: place for place, word in enumerate(dict.fromkeys(words))}
    token = np.fromiter(map(number.__getitem__, words), np.int64, len(words))
    text = np.repeat(np.arange(len(lengths)), lengths)
    left = np.repeat(np.cumsum(lengths), lengths) - np.arange(len(token))  # tokens from this one to its text's end
    gram = token
    for order in range(1, MAX_ORDER + 1):
        if order > 1:
            gram = _paired(gram[: len(token[order - 1 :])], token[order - 1 :])
        whole = left[: len(gram)] >= order
        yield gram[whole], text[: len(gram)][whole]


def _paired(a: Longs, b: Longs) -> Longs:
    """Pairs of numbers, numbered."""
    _, number = np.unique(a * (int(b.max(initial=0)) + 1) + b, return_inverse=True)
    return np.asarray(number, np.int64)


def _counted(gram: Longs, text: Longs) -> tuple[Longs, Longs, Longs]:
    """How often each gram occurs in each text: the counts, the grams (numbered, ascending), and the texts."""
    texts = int(text.max(initial=0)) + 1
    key, counts = np.unique(gram * texts + text, return_counts=True)
    return counts.astype(np.int64), np.cumsum(np.diff(key // texts, prepend=-1) > 0) - 1, key % texts


def _tops(counts: Longs, place: Longs) -> tuple[Longs, Longs, Longs]:
    """Of each place (ascending) the largest count, the second largest, and where the (first) largest is."""
    starts = np.flatnonzero(np.diff(place, prepend=-1))
    if not len(starts):
        return starts, starts, starts
    top = np.maximum.reduceat(counts, starts)
    at = np.flatnonzero(counts == top[place])
    first = at[np.diff(place[at], prepend=-1) > 0]
    others = counts.copy()
    others[first] = 0
    return top, np.maximum.reduceat(others, starts), first


def _nearest_others(lengths: Longs, group: Longs) -> Longs:
    """Of each text the length that is nearest to its own among the others of its group."""
    order = np.lexsort((lengths, group))
    own, of = lengths[order], group[order]
    joined = of[1:] == of[:-1]
    below, above = own.copy(), own.copy()
    below[1:], above[:-1] = own[:-1], own[1:]
    first, last = np.append(True, ~joined)[: len(own)], np.append(~joined, True)[: len(own)]
    below, above = np.where(first, above, below), np.where(last, below, above)
    nearest = np.empty_like(lengths)
    nearest[order] = _nearer(own, below, above)
    return nearest


def _nearer(own: Longs, shorter: Longs, longer: Longs) -> Longs:
    return np.where(np.abs(own - shorter) <= np.abs(longer - own), shorter, longer)


def _sums(group: Longs, values: Longs, count: int) -> Longs:
    total = np.zeros(count, np.int64)
    np.add.at(total, group, values)
    return total


def _scores(sums: Sums) -> list[list[float]]:
    scores = []
    for matches, totals, length, reference in zip(*(part.tolist() for part in sums), strict=True):
        if not matches[0]:
            scores.append([0.0] * MAX_ORDER)
            continue
        penalty = 1.0 if length > reference else math.exp(1 - reference / length)
        logs = [math.log(n / of if n else sys.float_info.min) for n, of in zip(matches, totals, strict=True)]
        scores.append([
            penalty * math.exp(math.fsum(1 / order * log for log in logs[:order]))
            for order in range(1, MAX_ORDER + 1)
        ])  # fmt: skip
    return scores
