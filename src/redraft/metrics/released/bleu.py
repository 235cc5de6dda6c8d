"""BLEU of whole collections, as the released code has it from nltk.

In: tokens of texts, in groups. Out: the scores of each group. Unlike `metrics.text`, n-gram matches and lengths are
summed over a group's texts before anything is divided; a precision of zero is taken as the smallest normal float; of
the references' lengths the nearest counts, of two equally near ones the shorter. Every reference is meant for every
text: instead of comparing each pair, an n-gram's two largest counts and the owner of the largest are found by sorting.
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


class Counted(NamedTuple):
    """The n-grams of some texts."""

    lengths: Longs
    """Tokens of each text."""
    orders: list[tuple[Longs, Longs, Longs]]
    """For n = 1..4, in order of the n-gram's number and then of the text: n-gram, text, and how often."""


def count(texts: Sequence[Sequence[str]]) -> Counted:
    """Count the n-grams of texts, given as tokens, once for several scores."""
    lengths = np.array([len(text) for text in texts], np.int64)
    orders = []
    for gram, text in _grams(texts, lengths):
        key, counts = np.unique(gram * len(lengths) + text, return_counts=True)
        orders.append((key // len(lengths), key % len(lengths), counts.astype(np.int64)))
    return Counted(lengths, orders)


def self_bleu(counted: Counted, groups: Sequence[int] | Longs) -> list[list[float]]:
    """Self-BLEU of each group 0..G-1: its texts against the others of the group.

    Args:
        counted: The texts.
        groups: The group of each; a text alone in its group has nothing to match and scores 0.

    Returns:
        Of each group the cumulative scores of orders 1 to 4; the released code's Self-BLEU is their `mean`.
    """
    group, lengths = np.asarray(groups, np.int64), counted.lengths
    number = int(group.max(initial=-1)) + 1
    matches, totals = np.zeros((number, MAX_ORDER), np.int64), np.zeros((number, MAX_ORDER), np.int64)
    for order, (gram, text, counts) in enumerate(counted.orders):
        if number > 1:
            by_group = np.lexsort((gram, group[text]))
            gram, text, counts = gram[by_group], text[by_group], counts[by_group]
        owner = group[text]
        new = np.append(True, (np.diff(gram) != 0) | (np.diff(owner) != 0))[: len(gram)]
        top, second, first = _tops(counts, np.flatnonzero(new), np.cumsum(new) - 1)
        at_hand = top[np.cumsum(new) - 1]
        at_hand[first] = second
        matches[:, order] = _sums(owner, np.minimum(counts, at_hand), number)
        totals[:, order] = _sums(group, np.maximum(lengths - order, 1), number)
    nearest = _nearest_others(lengths, group)
    return _scores(Sums(matches, totals, _sums(group, lengths, number), _sums(group, nearest, number)))


def reference_bleu(texts: Sequence[Sequence[str]], references: Sequence[Sequence[str]]) -> list[float]:
    """The cumulative scores of orders 1 to 4 of all texts, each against all references."""
    counted, n = count([*texts, *references]), len(texts)
    own, available = counted.lengths[:n], np.sort(counted.lengths[n:])
    matches, totals = np.zeros((1, MAX_ORDER), np.int64), np.zeros((1, MAX_ORDER), np.int64)
    for order, (gram, text, counts) in enumerate(counted.orders):
        most = np.zeros(int(gram.max(initial=-1)) + 1, np.int64)
        np.maximum.at(most, gram[text >= n], counts[text >= n])
        matches[0, order] = np.minimum(counts, most[gram])[text < n].sum()
        totals[0, order] = np.maximum(own - order, 1).sum()
    above = np.searchsorted(available, own)
    shorter, longer = available[np.maximum(above - 1, 0)], available[np.minimum(above, len(available) - 1)]
    return _scores(Sums(matches, totals, own.sum(keepdims=True), _nearer(own, shorter, longer).sum(keepdims=True)))[0]


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


def _tops(counts: Longs, starts: Longs, place: Longs) -> tuple[Longs, Longs, Longs]:
    """Of each run of `counts` the largest, the second largest, and where the (first) largest is.

    `starts` is where the runs begin, `place` which run each count is in.
    """
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
