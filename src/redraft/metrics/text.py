"""BLEU and Self-BLEU of programs, exact and unsmoothed (paper section 3.3, corrected).

In: programs as lists of tokens. Out: numbers from 0 to 1, or None where nothing is defined. The score of order m is
BP * exp(mean of log p_1..p_m), 0 if any p is 0; the result is its mean over m = 1..4, leaving out orders longer than
all the texts, in which no n-gram exists that could match. Agrees with sacrebleu (tokenize none, smooth none) order by
order; not tied to any language's syntax.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

MAX_ORDER = 4

Grams = tuple[Counter[tuple[str, ...]], ...]
"""The n-grams of a text and how often each occurs, for n = 1..4."""


def tokens(text: str) -> list[str]:
    """White-space tokens."""
    return text.split()


def grams(words: Sequence[str]) -> Grams:
    """Count the n-grams of a text once, to compare it with many."""
    return tuple(
        Counter(zip(*(words[start:] for start in range(order)), strict=False)) for order in range(1, MAX_ORDER + 1)
    )


def bleu(hypothesis: Sequence[str], reference: Sequence[str]) -> float | None:
    """BLEU of one text against one other, mean over orders 1 to 4; None if both are empty."""
    return bleu_of_grams(grams(hypothesis), grams(reference))


def bleu_of_grams(hypothesis: Grams, reference: Grams) -> float | None:
    """The same from counted n-grams."""
    matches = [
        sum(min(count, known[gram]) for gram, count in found.items() if gram in known)
        for found, known in zip(hypothesis, reference, strict=True)
    ]
    return _score(matches, hypothesis[0].total(), reference[0].total(), reference[0].total())


def self_bleu(samples: Sequence[Sequence[str]]) -> float | None:
    """Mean BLEU of each sample against all the others; None for fewer than two.

    An n-gram counts up to its largest count in another sample, and the brevity penalty takes the other sample nearest
    in length (ties: the shorter). Linear in the samples' length: instead of comparing all pairs it keeps each
    n-gram's two largest counts and the owner of the largest.
    """
    if len(samples) < 2:
        return None
    counted = [grams(sample) for sample in samples]
    tops = [_tops([sample[order] for sample in counted]) for order in range(MAX_ORDER)]
    lengths = [len(sample) for sample in samples]
    scores = []
    for index, sample in enumerate(counted):
        matches = []
        for found, top in zip(sample, tops, strict=True):
            total = 0
            for gram, count in found.items():
                owner, first, second = top[gram]
                total += min(count, second if owner == index else first)
            matches.append(total)
        others = lengths[:index] + lengths[index + 1 :]
        nearest = min(others, key=lambda other: (abs(other - lengths[index]), other))
        scores.append(_score(matches, lengths[index], nearest, max(others)))
    known = [score for score in scores if score is not None]
    return sum(known) / len(known) if known else None


def _tops(texts: Sequence[Counter[tuple[str, ...]]]) -> dict[tuple[str, ...], tuple[int, int, int]]:
    """N-gram -> (owner of its largest count, largest count, second largest)."""
    tops: dict[tuple[str, ...], tuple[int, int, int]] = {}
    for index, text in enumerate(texts):
        for gram, count in text.items():
            owner, first, second = tops.get(gram, (-1, 0, 0))
            if count > first:
                tops[gram] = (index, count, first)
            elif count > second:
                tops[gram] = (owner, first, count)
    return tops


def _score(matches: Sequence[int], length: int, reference_length: int, longest_reference: int) -> float | None:
    """Mean over orders of BP * exp(mean log p), from clipped matches per order; lengths in tokens."""
    orders = min(max(length, longest_reference), MAX_ORDER)
    if orders == 0:
        return None
    penalty = 1.0 if length >= reference_length else math.exp(1 - reference_length / length) if length else 0.0
    total = logs = 0.0
    for order in range(1, orders + 1):
        if not matches[order - 1]:
            break  # this order and all longer ones score 0
        logs += math.log(matches[order - 1] / (length - order + 1))
        total += penalty * math.exp(logs / order)
    return total / orders
