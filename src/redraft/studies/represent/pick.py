"""Rows of the representations study, picked for its figures and tables.

In: results rows of the study `represent`. Out: those wanted, and words.
"""

from __future__ import annotations

from collections.abc import Sequence

from redraft.results import Result

UNTRAINED, PERMUTED = "untrained", "permuted"
INPUTS = {"": "with its past", "state": "a state alone"}


def models_of(rows: Sequence[Result]) -> list[str]:
    """The models in order, the untrained one last."""
    found = list(dict.fromkeys(row.model for row in rows if row.metric == "components_2" and row.model))
    return [model for model in found if model != UNTRAINED] + [model for model in found if model == UNTRAINED]


def find(
    rows: Sequence[Result], metric: str, model: str, baseline: str | None = None, **condition: str
) -> Result | None:
    """The row of a metric, model and baseline whose condition is exactly the one given."""
    for row in rows:
        if (row.metric, row.model, row.baseline, row.condition) == (metric, model, baseline, condition):
            return row
    return None


def why_unscored(rows: Sequence[Result]) -> str:
    """Why there is nothing, as a sentence."""
    note = next((row.reason for row in rows if row.value is None and row.reason), "")
    return f" {note[:1].upper()}{note[1:]}." if note else ""
