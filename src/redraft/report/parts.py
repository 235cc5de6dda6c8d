"""Who reports which study: the chapters of a report, in its order.

In: nothing. Out: `PARTS`. A chapter's module makes figures and tables from results rows and points alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from redraft.plots.style import Figure, save
from redraft.plots.tables import Table
from redraft.results import Result
from redraft.studies.adapt import chapter as adapt
from redraft.studies.audit import chapter as audit
from redraft.studies.behaviour import chapter as behaviour
from redraft.studies.probe import chapter as probe
from redraft.studies.recover import chapter as recover
from redraft.studies.represent import chapter as represent
from redraft.studies.steer import chapter as steer
from redraft.studies.variance import chapter as variance


class Part(Protocol):
    """A module that reports a study."""

    METHODS: tuple[str, ...]
    """Paragraphs."""

    def figures(self, run: Path, /) -> list[Figure]:
        """The study's figures."""

    def tables(self, run: Path, /) -> list[Table]:
        """The study's tables."""

    def sentences(self, rows: Sequence[Result], /) -> list[str]:
        """What came out, a sentence each."""


PARTS: dict[str, tuple[str, Part]] = {
    "behaviour": ("Do generated traces behave like the real ones?", behaviour),
    "variance": ("Whose is the variance?", variance),
    "probe": ("What do the models' vectors say?", probe),
    "adapt": ("How few traces does a new student need?", adapt),
    "recover": ("Can a model help a stuck student in the student's own style?", recover),
    "steer": ("Does a student's vector hand a model the student's ways?", steer),
    "represent": ("What do the models make of traces?", represent),
    "audit": ("Does a model know some students less well?", audit),
}
"""Studies a run may have -> heading, and who reports them."""


def save_part(study: str, folder: Path) -> None:
    """Write a study's figures and tables beside its results."""
    part = PARTS[study][1]
    for figure in part.figures(folder):
        save(figure, folder)
    for table in part.tables(folder):
        table.save(folder)
