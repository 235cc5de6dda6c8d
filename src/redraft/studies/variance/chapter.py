"""The chapter on variance: what is the student's, what the title's?

In: a folder with the study's results. Out: figure and table, the method in words, a sentence a metric.
"""

from __future__ import annotations

from collections.abc import Sequence

from redraft.plots.style import origin_words
from redraft.plots.tables import with_interval
from redraft.results import Result
from redraft.studies.variance.figures import figures
from redraft.studies.variance.tables import tables

__all__ = ["METHODS", "figures", "sentences", "tables"]

METHODS: tuple[str, ...] = (
    "The shares come from crossed random effects, y = mean + student + title + rest, one value a pair of a student "
    "and a title (no language model). Variances are moment estimates (Gao and Owen 2017), which are the analysis of "
    "variance where every student did every title; one below 0 counts as 0. 95% intervals are from jackknifes over "
    "students and over titles, whose variances add up, with Satterthwaite's degrees of freedom. 'Rest' is "
    "everything that is neither the student's nor the title's alone: chance, and what a student does on this title "
    "only. The shares are estimates, as uncertain as their intervals are wide, and bound no model: one that "
    "knows more than who the student is may agree with the truth better than they suggest.",
)


def sentences(rows: Sequence[Result]) -> list[str]:
    """What came out: the student's share of each metric that has one."""
    return [
        f"{origin_words(row.origin, row.dataset)}. {row.metric}: share of the student {with_interval(row)}"
        for row in rows if row.statistic == "student_share" and row.value is not None
    ]  # fmt: skip
