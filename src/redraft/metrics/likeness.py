"""Likeness of texts by whose definitions: BLEU of samples against real texts, Self-BLEU among them.

In: texts as lists of tokens. Out: `LIKENESS`, by definitions; None where nothing is defined. The corrected BLEU of
several samples is the mean of each one's, unsmoothed (`metrics.text`). The released code sums matches and lengths over
them first, and takes a precision of zero as 2.2e-308 (`metrics.released.bleu`); it pools whole files, while here both
are of one pair. It scores two empty texts 0, where the corrected BLEU is undefined.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from redraft.metrics import text
from redraft.metrics.registry import Definitions
from redraft.metrics.released import bleu as released

Tokens = Sequence[str]


class Likeness(NamedTuple):
    """How alike texts are."""

    bleu: Callable[[Sequence[Tokens], Sequence[Tokens]], float | None]
    """Of a pair's samples against its real texts."""
    self_bleu: Callable[[Sequence[Tokens]], float | None]
    """Of texts among themselves; None for fewer than two."""


def _mean_bleu(hypotheses: Sequence[Tokens], references: Sequence[Tokens]) -> float | None:
    """Mean over samples and references."""
    counted = [text.grams(reference) for reference in references]
    scores = [text.bleu_of_grams(own, reference) for own in map(text.grams, hypotheses) for reference in counted]
    known = [score for score in scores if score is not None]
    return sum(known) / len(known) if known else None


def _released_bleu(hypotheses: Sequence[Tokens], references: Sequence[Tokens]) -> float | None:
    return released.mean(released.reference_bleu(hypotheses, references)) if hypotheses and references else None


def _released_self_bleu(texts: Sequence[Tokens]) -> float | None:
    if len(texts) < 2:
        return None
    return released.mean(released.self_bleu(released.count(texts), [0] * len(texts))[0])


LIKENESS: dict[Definitions, Likeness] = {
    "corrected": Likeness(_mean_bleu, text.self_bleu),
    "released": Likeness(_released_bleu, _released_self_bleu),
}
"""Definitions -> likeness by them."""
