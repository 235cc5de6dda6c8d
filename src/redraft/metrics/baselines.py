"""Predictions without a language model, which a model has to beat before it can be said to know a student.

In: the metric table of all real traces and the split of each pair. Out: pair tables like those of `metrics.pairs`
(real_X, generated_X, counts), with a baseline's prediction in place of a model's samples. Baselines see training pairs
only; every training pair counts once. What a baseline can't know falls back: an unseen title or student to the mean
of all training pairs. They predict numbers, so BLEU, Self-BLEU and cosines are not among the columns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from redraft.data.trace import Pair
from redraft.metrics.pairs import ByPair, Column, Floats, pair_table, pairs_of
from redraft.metrics.registry import MEASURED


@dataclass(frozen=True, kw_only=True)
class Training:
    """The training pairs, and where the pairs to predict stand among them."""

    students: NDArray[np.int64]
    """(N,) student codes of the training pairs."""
    titles: NDArray[np.int64]
    """(N,) title codes."""
    test_students: NDArray[np.int64]
    """(M,) student codes of the pairs to predict; -1 for unseen ones."""
    test_titles: NDArray[np.int64]
    """(M,) title codes, -1 for unseen ones."""
    drawn: NDArray[np.int64]
    """(M,) for each pair to predict, a random training pair of its title (of any title, where that is unseen)."""


Baseline = Callable[[Floats, Training], Floats]
"""Maps a metric's values on the training pairs, (N,) with nan for unscored, to predictions, (M,)."""


def title_mean(values: Floats, training: Training) -> Floats:
    """The mean over the title's training pairs."""
    return _group_mean(values, training.titles, training.test_titles)


def student_mean(values: Floats, training: Training) -> Floats:
    """The mean over the student's training pairs."""
    return _group_mean(values, training.students, training.test_students)


def both_means(values: Floats, training: Training) -> Floats:
    """Student mean + title mean - grand mean."""
    return student_mean(values, training) + title_mean(values, training) - _grand_mean(values)


def random_trace(values: Floats, training: Training) -> Floats:
    """The value of a random training pair of the title: the same pair for every metric."""
    return values[training.drawn]


BASELINES: dict[str, Baseline] = {
    "title-mean": title_mean,
    "student-mean": student_mean,
    "student+title": both_means,
    "random-trace": random_trace,
}
"""Name -> baseline."""


def predict(
    baseline: str, real: pa.Table, split_of: Mapping[Pair, str], pairs: Sequence[Pair], *, seed: int = 0
) -> pa.Table:
    """The pair table of a baseline.

    Args:
        baseline: A name in `BASELINES`.
        real: `measure` of all real traces.
        split_of: The split of each pair; baselines learn from those in `train`.
        pairs: The pairs to predict, rows of the result.
        seed: Of what is drawn at random.
    """
    train = sorted({pair for pair in pairs_of(real) if split_of.get(pair) == "train"})
    known, test = ByPair(real, train), ByPair(real, pairs)
    training = _training(train, pairs, np.random.default_rng(seed))
    columns: dict[str, Column] = {"n_real": test.counts, "truncated_real": test.means("truncated") > 0}
    for name in MEASURED:
        columns[f"real_{name}"] = test.means(name)
        values = known.means(name)
        columns[f"generated_{name}"] = BASELINES[baseline](values, training) if train else np.full(len(pairs), np.nan)
    return pair_table(pairs, columns)


def _training(train: Sequence[Pair], pairs: Sequence[Pair], rng: np.random.Generator) -> Training:
    students = {student: code for code, student in enumerate(sorted({pair.student for pair in train}))}
    titles = {title: code for code, title in enumerate(sorted({pair.title for pair in train}))}
    of_title: dict[str, list[int]] = {}
    for index, pair in enumerate(train):
        of_title.setdefault(pair.title, []).append(index)
    drawn = []
    for pair in pairs if train else ():
        options = of_title.get(pair.title) or range(len(train))
        drawn.append(options[int(rng.integers(len(options)))])
    return Training(
        students=np.array([students[pair.student] for pair in train], np.int64),
        titles=np.array([titles[pair.title] for pair in train], np.int64),
        test_students=np.array([students.get(pair.student, -1) for pair in pairs], np.int64),
        test_titles=np.array([titles.get(pair.title, -1) for pair in pairs], np.int64),
        drawn=np.array(drawn, np.int64),
    )


def _grand_mean(values: Floats) -> float:
    scored = np.isfinite(values)
    return float(values[scored].mean()) if scored.any() else float("nan")


def _group_mean(values: Floats, groups: NDArray[np.int64], wanted: NDArray[np.int64]) -> Floats:
    """The mean of each wanted group's scored values; the grand mean where it has none."""
    scored = np.isfinite(values)
    size = int(groups.max()) + 1
    count = np.bincount(groups[scored], minlength=size)
    total = np.bincount(groups[scored], values[scored], minlength=size)
    grand = _grand_mean(values)
    # one more group for the unseen, which code -1 finds at the end
    means: Floats = np.append(np.divide(total, count, out=np.full(size, grand), where=count > 0), grand)
    return means[wanted]
