"""Rows of the steering study, picked for its figure, table and sentences.

In: results rows of the study `steer`. Out: those wanted, and words.
"""

from __future__ import annotations

from collections.abc import Sequence

from redraft.results import Result
from redraft.studies.common.claims import metric_words

MOST, LEAST, UNKNOWN = "most", "least", "unknown"
VOICES = (LEAST, UNKNOWN, MOST)
EXECUTES = "executes"
TRAINING = "training-traces"


def targets_of(rows: Sequence[Result]) -> list[str]:
    """What was steered, in order."""
    return list(dict.fromkeys(row.metric for row in rows if row.metric != EXECUTES))


def find(rows: Sequence[Result], metric: str, **condition: str) -> Result | None:
    """The row of a metric whose condition is exactly the one given."""
    return next((row for row in rows if (row.metric, row.condition, row.baseline) == (metric, condition, None)), None)


def words(target: str) -> str:
    """A target in words."""
    return metric_words(target)
