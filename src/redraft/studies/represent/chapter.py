"""The chapter on representations: what do the models make of traces (paper appendix I, figure 10)?

In: a run's folder, the study's results rows. Out: figures and tables, the method in words, a line a contrast.
"""

from __future__ import annotations

from collections.abc import Sequence

from redraft.plots.style import origin_words
from redraft.plots.tables import with_interval
from redraft.results import Result
from redraft.studies.represent.figures import figures
from redraft.studies.represent.tables import tables

__all__ = ["METHODS", "figures", "sentences", "tables"]

METHODS: tuple[str, ...] = (
    "All models read the same beginnings of the same test traces; a representation is the mean of a layer's "
    "states over the trace's tokens. Each trace gives one randomly chosen beginning, since those of one trace "
    "depend on each other. Likeness is linear CKA with the unbiased estimate of HSIC: plain CKA of unrelated "
    "representations is far above 0 when there are few inputs for many dimensions. Controls: the inputs of one "
    "side permuted, and a model of the same shape that was never trained. Intervals leave out students, a "
    "twentieth at a time (grouped jackknife): a bootstrap would take a student drawn twice for structure.",
    "A step is the difference between the last layer's representations of two consecutive states: each with all "
    "states before it, or each read alone. The share of variance in the first two principal components says how "
    "few directions steps take. How far kinds of edit divide them is the share of variance in that plane between "
    "the kinds' means; it is compared with kinds permuted within each student, so that students' own mixtures of "
    "edits and manners don't count. It isn't shown that the kind of edit, rather than something that goes with it "
    "such as its place in the trace, is what divides them; an untrained model stands beside for what text alone "
    "gives.",
)


def sentences(rows: Sequence[Result]) -> list[str]:
    """What came out: each contrast in a line."""
    said = []
    for row in rows:
        if row.statistic == "value_difference":
            place = ", ".join(f"{key} {value}" for key, value in sorted(row.condition.items()))
            value = with_interval(row, 3) if row.value is not None else row.remarks
            stamp = origin_words(row.origin, row.dataset)
            said.append(f"{stamp}. {row.metric}, {row.model} − {row.baseline}{f' ({place})' if place else ''}: {value}")
    return said
