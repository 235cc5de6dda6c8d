"""Rows of the adaptation study, picked for its figures, tables and sentences, and what they are called.

In: results rows of the study `adapt`. Out: those wanted, and words.
"""

from __future__ import annotations

from collections.abc import Sequence

from redraft.metrics.registry import METRICS
from redraft.results import Result

OTHER, MEAN_VECTOR = "other-student", "mean-vector"
CACHE, BOTH = "cache", "vector and cache"
"""Ways of knowing a student beside the fitted vector, in rows' condition `way`: a neural cache, and both."""
BITS = "bits_per_trace"
STATISTICS = {"mean": "mean, 0 to 1", "pooled_r": "pooled r", "within_r": "within-title r"}


def views(rows: Sequence[Result]) -> list[str]:
    """The models that rows are about, in order."""
    return list(dict.fromkeys(row.model for row in rows if row.model))


def ks_of(rows: Sequence[Result], metric: str) -> list[int]:
    """The numbers of first traces that a metric has rows for."""
    return sorted({int(row.condition["k"]) for row in rows if row.metric == metric and "k" in row.condition})


def is_scored(rows: Sequence[Result], metric: str) -> bool:
    """Whether any of a metric's rows has a value."""
    return any(row.metric == metric and row.value is not None for row in rows)


def reason(rows: Sequence[Result]) -> str:
    """Why there is nothing to show."""
    return next((row.reason for row in rows if row.reason), "nothing to report")


def row_at(
    rows: Sequence[Result], metric: str, statistic: str, k: int | None, baseline: str | None = None,
    *, way: str | None = None,
) -> Result | None:  # fmt: skip
    """The row at this place; None if there is none."""
    wanted = (metric, statistic, k, baseline, way)
    for row in rows:
        number_of_traces = int(row.condition["k"]) if "k" in row.condition else None
        if (row.metric, row.statistic, number_of_traces, row.baseline, row.condition.get("way")) == wanted:
            return row
    return None


def words(metric: str) -> str:
    """A metric in words."""
    return METRICS[metric].words
