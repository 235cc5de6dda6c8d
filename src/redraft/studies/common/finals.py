"""The real final programs of a split: which test programs a model may have seen nearly word for word in training.

In: a dataset, its split, the test pairs. Out: `Finals`, and what follows from comparing the two sides. Held in memory:
the distinct final programs of training on the test titles.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein
from rapidfuzz.process import cdist

from redraft.data.split import TRAIN, Split
from redraft.data.store import Dataset
from redraft.data.trace import Pair
from redraft.metrics.bootstrap import Floats
from redraft.metrics.likeness import LIKENESS, Likeness
from redraft.metrics.text import tokens


class Finals(NamedTuple):
    """Final programs on both sides of a split."""

    train: Mapping[str, Sequence[str]]
    """Title -> the training students' final programs, one each."""
    test: Mapping[Pair, str]
    """Pair -> its final program."""


def read_finals(dataset: Dataset, split: Split, pairs: Sequence[Pair]) -> Finals:
    """The final programs of `pairs`, and of training on their titles."""
    wanted = set(pairs)
    train: dict[str, list[str]] = {pair.title: [] for pair in pairs}
    test: dict[Pair, str] = {}
    titles = pa.array(sorted(train), pa.string())
    for batch in dataset.batches(["student", "title", "states"]):
        rows = batch.filter(pc.is_in(batch["title"], titles))
        ends = pc.cast(pc.cumulative_sum(pc.list_value_length(rows["states"])), pa.int64())
        codes = rows["states"].flatten().field("code").take(pc.subtract(ends, 1))
        for *ids, code in zip(*(c.to_pylist() for c in (rows["student"], rows["title"], codes)), strict=True):
            pair = Pair(*ids)
            if split.of.get(pair) == TRAIN:
                train[pair.title].append(code)
            elif pair in wanted:
                test.setdefault(pair, code)
    return Finals(train, test)


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
