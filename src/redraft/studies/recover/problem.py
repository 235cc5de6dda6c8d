"""A failing program, and what is known when it is to be mended.

In: the states so far, the last of which fails. Out: a `Problem`. What the student did afterwards is not in it: whoever
proposes something sees problems only.
"""

from __future__ import annotations

from dataclasses import dataclass

from redraft.data.trace import State
from redraft.execute.verdict import Verdict


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A failing program with its history."""

    student: str | None
    """Who wrote it (keyed hash); None: not known."""
    title: str
    """Of the assignment."""
    states: tuple[State, ...]
    """So far; the last one fails."""
    runs: tuple[bool | None, ...]
    """Whether each of them runs."""
    verdict: Verdict
    """On the last one, with its errors."""

    @property
    def failing(self) -> State:
        """The program that fails."""
        return self.states[-1]

    @property
    def error_line(self) -> int | None:
        """Where it fails, counted from 0; None if the verdict doesn't say, or says a line that isn't there."""
        lines = [error.line for error in self.verdict.errors if error.line]
        known = lines and lines[0] <= self.failing.code.count("\n") + 1
        return lines[0] - 1 if known else None
