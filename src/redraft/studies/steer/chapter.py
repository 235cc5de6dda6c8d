"""The chapter on steering: does a student's vector hand a model the student's ways (paper appendix J)?

In: a run's folder, the study's results rows. Out: the figure and the table, the method in words, a sentence a target.
"""

from __future__ import annotations

from collections.abc import Sequence

from redraft.plots.style import origin_words
from redraft.plots.tables import probability, with_interval
from redraft.results import Result
from redraft.studies.steer.figures import figures
from redraft.studies.steer.pick import LEAST, MOST, find, targets_of, words
from redraft.studies.steer.tables import tables

__all__ = ["METHODS", "figures", "sentences", "tables"]

METHODS: tuple[str, ...] = (
    "How much a student does of something is the mean over their training traces, each less its title's mean. With the "
    "vectors of those who do most of it and of those who do least, and with the unknown student's as many times, the "
    "model writes on the same titles from the beginning, whoever worked on them. It is steered if it writes more of it "
    "in the voice of those who do most than of those who do least. Intervals resample students and titles. Whether "
    "programs still run is shown beside it. A vector may carry more than the one trait: students who do most of "
    "something may share other habits. The students' own training traces are those they were chosen by, so that they "
    "lie farther apart than what the same students do otherwise.",
)
"""How it was done."""


def sentences(rows: Sequence[Result]) -> list[str]:
    """What came out, a line per target."""
    said = []
    for target in targets_of(rows):
        apart = find(rows, target, voice=MOST, against=LEAST)
        if apart is None:
            continue
        stamp = origin_words(apart.origin, apart.dataset)
        if apart.value is None:
            said.append(f"{stamp}. {words(target)}: unscored ({apart.remarks}).")
        else:
            p = probability(apart.p_adjusted)
            said.append(f"{stamp}. {words(target)}: most − least {with_interval(apart)}, p (Holm) {p}.")
    return said
