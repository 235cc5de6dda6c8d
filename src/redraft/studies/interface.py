"""What every study gives: settings that follow a run's budget, and a chapter of its report.

In: minutes, and what a study may need to know of the run. Out: `Budget`, by which settings shrink (`Settings.within`);
from `FULL_MINUTES` on they have the size of the paper's design.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol, Self

from redraft.results import Result

if TYPE_CHECKING:
    from redraft.plots.style import Figure
    from redraft.plots.tables import Table

FULL_MINUTES = 480
"""Budget from which on studies have the size that the paper's design asks for; a choice, not a measurement."""


class Budget(NamedTuple):
    """What there is for a run."""

    minutes: float
    """What the whole run may take, about."""
    seed: int
    """The run's."""
    views: tuple[str, ...]
    """Views that the run trains a model of."""

    @property
    def is_tight(self) -> bool:
        """Whether there is less than half of what the paper's design asks for."""
        return 2 * self.minutes < FULL_MINUTES

    def some(self, full: int, least: int, by: float = FULL_MINUTES) -> int:
        """As much of `full` as there is time for, all of it from `by` minutes on; at least `least`."""
        return max(least, min(full, round(full * self.minutes / by)))


class Settings(Protocol):
    """The settings of a study: a frozen dataclass, whose fields are the keys of a section of `run.toml`."""

    def within(self, budget: Budget, /) -> Self:
        """These settings, of a size that fits a budget."""


class Chapter(Protocol):
    """A module that reports a study, from results rows and points alone."""

    METHODS: tuple[str, ...]
    """How it was done, in paragraphs."""

    def figures(self, run: Path, /) -> list[Figure]:
        """The study's figures; none without a scored value."""

    def tables(self, run: Path, /) -> list[Table]:
        """The study's tables."""

    def sentences(self, rows: Sequence[Result], /) -> list[str]:
        """What came out, a sentence each."""
