"""Results rows with p values corrected within their families, and what can be detected so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from scipy.stats import norm

from redraft.metrics.agreement import holm
from redraft.results import Result

SIGNIFICANT, WANTED = 0.05, 0.8
"""Level of tests, and the power that says what can be detected."""


def adjusted(rows: Sequence[Result]) -> list[Result]:
    """The rows in their order, with Holm's correction over those that name the same family.

    What a row can detect is corrected too: it is what is found with 80% power if its p has to be the family's smallest,
    Holm's first and strictest step.
    """
    found = list(rows)
    for family in {row.family for row in rows if row.family}:
        members = [index for index, row in enumerate(rows) if row.family == family]
        harder = stricter(tested(rows, family))
        for index, p in zip(members, holm([rows[index].p for index in members]), strict=True):
            found[index] = replace(rows[index], p_adjusted=p)
            least = rows[index].smallest_detectable
            if p is not None and least is not None:
                found[index] = replace(found[index], smallest_detectable=least * harder)
    return found


def tested(rows: Sequence[Result], family: str) -> int:
    """How many rows of a family have a p."""
    return sum(row.family == family and row.p is not None for row in rows)


def stricter(tests: int) -> float:
    """How many times as large a difference must be to be found among so many tests as alone, with the same power."""
    if tests < 2:
        return 1.0
    alone, among = (norm.isf(SIGNIFICANT / 2 / many) + norm.isf(1 - WANTED) for many in (1, tests))
    return float(among / alone)
