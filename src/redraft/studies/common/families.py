"""Results rows with p values corrected within their families."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from redraft.metrics.agreement import holm
from redraft.results import Result


def adjusted(rows: Sequence[Result]) -> list[Result]:
    """The rows in their order, with Holm's correction over those that name the same family."""
    found = list(rows)
    for family in {row.family for row in rows if row.family}:
        members = [index for index, row in enumerate(rows) if row.family == family]
        for index, p in zip(members, holm([rows[index].p for index in members]), strict=True):
            found[index] = replace(rows[index], p_adjusted=p)
    return found
