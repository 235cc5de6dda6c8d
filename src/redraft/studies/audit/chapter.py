"""The chapter on the bias audit: does a model know some students, or some titles, less well than the rest?

In: a run's folder, the study's results rows. Out: the figure and the table, the method in words, the significant gaps.
"""

from __future__ import annotations

from collections.abc import Sequence

from redraft.plots.style import origin_words
from redraft.plots.tables import probability, with_interval
from redraft.results import Result
from redraft.studies.audit.figures import figures
from redraft.studies.audit.study import GAP, SIGNIFICANT
from redraft.studies.audit.tables import tables

__all__ = ["METHODS", "figures", "sentences", "tables"]

METHODS: tuple[str, ...] = (
    "The bias audit compares every subgroup (year, editor mode, language, activity, frequency of the title, and any "
    "covariate handed in with the logs) with all other test pairs. The within-title r says whether the model knows who "
    "is who there. It falls where real values range less, without any bias, so the mean error (generated less real) "
    "and the mean absolute error stand beside it.",
    "Bars are 95% intervals of the gap (students and titles resampled). p is from exchanging the subgroup labels of "
    "whole students, or of whole titles, and is corrected for all subgroups, metrics and statistics of a model by the "
    "largest standardised gap (Westfall and Young's single step). Subgroups may write other titles: a gap says where "
    "to look, not why.",
)


def sentences(rows: Sequence[Result]) -> list[str]:
    """The gaps that are significant after correction, and of how many they are."""
    tested = [row for row in rows if row.p_adjusted is not None]
    found = [row for row in tested if (row.p_adjusted or 0) < SIGNIFICANT]
    told = []
    for row in found:
        name = row.statistic.removesuffix(GAP).replace("_", " ")
        told.append(
            f"{origin_words(row.origin, row.dataset)}. {row.model}, {row.subgroup}: {name} of {row.metric} differs "
            f"from the rest by {with_interval(row)}, p {probability(row.p_adjusted)} ({row.n} pairs, "
            f"{row.n_students} students)"
        )
    return [*told, f"{len(found)} of {len(tested)} gaps are significant after correction."]
