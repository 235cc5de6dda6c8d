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
    """Which of the (N,) pairs' final programs equal a training student's of the title, up to a share of the characters.

    Args:
        finals: The programs.
        pairs: The pairs in question.
        threshold: Normalised Levenshtein similarity from which on programs count as the same, 0 to 1.
    """
    found = dict.fromkeys(pairs, False)
    for title, programs in finals.train.items():
        mine = [pair for pair in pairs if pair.title == title]
        if mine and programs:
            likeness = cdist(
                [finals.test[pair] for pair in mine], sorted(set(programs)), dtype=np.float64,
                scorer=Levenshtein.normalized_similarity, score_cutoff=threshold,
            )  # fmt: skip
            found.update(zip(mine, (likeness.max(axis=1) >= threshold).tolist(), strict=True))
    return np.array([found[pair] for pair in pairs], dtype=bool)


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
