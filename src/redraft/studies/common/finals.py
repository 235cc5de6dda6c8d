"""The real final programs of a split: which test programs a model may have seen nearly word for word in training.

In: a dataset's programs, its split, the test pairs. Out: `Finals`, and what follows from comparing the two sides. Held
in memory: the final programs of training on the test titles.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein
from rapidfuzz.process import cdist

from redraft.data.split import TRAIN, Split
from redraft.data.trace import Pair
from redraft.metrics.bootstrap import Floats
from redraft.metrics.likeness import LIKENESS, Likeness
from redraft.metrics.programs import Programs
from redraft.metrics.text import tokens

_AT_ONCE = 256
"""Test programs compared with all training programs at a time."""


class Finals(NamedTuple):
    """Final programs on both sides of a split."""

    train: Mapping[str, Sequence[str]]
    """Title -> the training students' final programs, one each."""
    test: Mapping[Pair, str]
    """Pair -> its final program."""


def finals_of(programs: Programs, split: Split, pairs: Sequence[Pair]) -> Finals:
    """The final programs of `pairs`, and of training on their titles; `programs` holds both."""
    train = {
        title: [code for student, code in programs.finals[title] if split.of.get(Pair(student, title)) == TRAIN]
        for title in {pair.title: None for pair in pairs}
    }
    return Finals(train, {pair: programs.of[pair][0].final for pair in pairs})


def near_duplicates(finals: Finals, pairs: Sequence[Pair], threshold: float) -> NDArray[np.bool_]:
    """Which of the (N,) pairs' final programs equal a training student's, up to a share of the characters.

    Those of all titles compared count, as titles may share their plans: a model that saw the twin of a program under
    another title has seen it.

    Args:
        finals: The programs.
        pairs: The pairs in question.
        threshold: Normalised Levenshtein similarity from which on programs count as the same, 0 to 1.
    """
    trained = sorted({code for programs in finals.train.values() for code in programs})
    tested = sorted({finals.test[pair] for pair in pairs})
    if not trained or not tested:
        return np.zeros(len(pairs), bool)
    twins: set[str] = set()
    for start in range(0, len(tested), _AT_ONCE):
        some = tested[start : start + _AT_ONCE]
        likeness = cdist(
            some, trained, dtype=np.float32, scorer=Levenshtein.normalized_similarity, score_cutoff=threshold, workers=1
        )
        twins.update(code for code, most in zip(some, likeness.max(axis=1), strict=True) if most >= threshold - 1e-6)
    return np.array([finals.test[pair] in twins for pair in pairs], dtype=bool)


def random_bleu(
    finals: Finals, pairs: Sequence[Pair], *, seed: int, likeness: Likeness = LIKENESS["corrected"]
) -> Floats:
    """BLEU of a random training student's final program of the title, (N,); nan for titles without training."""
    rng = np.random.default_rng(seed)
    scores = []
    for pair in pairs:
        programs = finals.train[pair.title]
        drawn = programs[int(rng.integers(len(programs)))] if programs else None
        score = likeness.bleu([tokens(drawn)], [tokens(finals.test[pair])]) if drawn is not None else None
        scores.append(np.nan if score is None else score)
    return np.array(scores, dtype=np.float64)
