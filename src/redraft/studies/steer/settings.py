"""Settings of the steering study. Loads no torch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

from redraft.errors import InputError
from redraft.execute.registry import DEFAULT_ENGINE
from redraft.metrics.metric import Place
from redraft.metrics.registry import shown
from redraft.studies.interface import Budget
from redraft.studies.steer.targets import target_named


@dataclass(frozen=True, kw_only=True)
class SteerConfig:
    """How steering is studied: the section [steer] of `run.toml`."""

    view: str = "trace"
    """The view whose model is steered."""
    targets: tuple[str, ...] = (
        *shown(Place.STEER), "colour:red", "colour:blue", "speed", "other_script",
    )  # fmt: skip
    """What is steered: metrics of programs and traces, `colour:NAME`, `speed`, `other_script` (appendix J)."""
    students: int = 20
    """Students who do most of it, and as many who do least; of few, a quarter of them a side."""
    traces: int = 10
    """Training traces that show how much a student does, at least; fewer where too few students have them."""
    pool: int = 2000
    """Training students looked at, at most; a seeded choice."""
    titles: int = 20
    """Titles of the training traces that all of them write on, at most; a seeded choice."""
    per_pair: int = 2
    """Samples of each student and title."""
    engine: str = DEFAULT_ENGINE
    """What runs the programs."""
    workers: int = 2
    """Programs that run at the same time."""
    replicates: int = 2000
    """Bootstrap replicates of each interval."""
    seed: int = 0
    """Draws students, titles, samples and resamples."""

    def __post_init__(self) -> None:
        for name in self.targets:
            target_named(name)
        wrong = [
            name for name in ("students", "traces", "pool", "titles", "per_pair", "workers", "replicates")
            if getattr(self, name) < 1
        ]  # fmt: skip
        if wrong:
            raise InputError(f"in [steer] {', '.join(wrong)} must be at least 1.")

    def within(self, budget: Budget) -> Self:
        """Of a size that fits a budget."""
        return replace(self, students=budget.some(20, 10), per_pair=budget.some(2, 1), seed=budget.seed)
