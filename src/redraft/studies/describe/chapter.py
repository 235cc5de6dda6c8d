"""The chapter on the data: what is in a dataset (paper tables 1 and 2, figure 8)?

In: a folder with the study's results. Out: figures and tables, the method in words, the counts in a sentence.
"""

from __future__ import annotations

from collections.abc import Sequence

from redraft.plots.style import origin_words
from redraft.results import Result
from redraft.studies.describe.figures import figures
from redraft.studies.describe.tables import tables

__all__ = ["METHODS", "figures", "sentences", "tables"]

METHODS: tuple[str, ...] = ()
"""Counting needs no words."""
COUNTED = ("traces", "states", "students", "titles")


def sentences(rows: Sequence[Result]) -> list[str]:
    """How much there is of it."""
    counts = {row.metric: int(row.value or 0) for row in rows if row.statistic == "count" and not row.split}
    how_many = ", ".join(f"{counts[name]:,} {name}" for name in COUNTED if name in counts)
    return [f"{origin_words(rows[0].origin, rows[0].dataset)}: {how_many}."] if rows else []
