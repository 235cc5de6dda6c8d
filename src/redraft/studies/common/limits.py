"""Who has enough traces to be studied, and what is done where too few have.

In: counts by student, the limits a study asks for. Out: the students within them; the lower limit is lowered, one by
one, until enough students meet it, and rows say so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Chosen(NamedTuple):
    """Students who have at least so many traces, and at most so many."""

    students: frozenset[str]
    least: int
    """The lower limit, perhaps lowered."""

    def note(self, wanted: int, what: str) -> str | None:
        """Says so, if it was."""
        return f"at least {self.least} {what} per student, as too few have {wanted}" if self.least < wanted else None


def choose(counts: Mapping[str, int], least: int, most: int, fewest: int, floor: int = 1) -> Chosen:
    """Those whose count is within the limits; the lower one is lowered, to `floor` at most, until `fewest` are."""
    for limit in range(max(least, floor), floor - 1, -1):
        found = frozenset(student for student, count in counts.items() if limit <= count <= most)
        if len(found) >= fewest or limit == floor:
            return Chosen(found, limit)
    raise AssertionError
