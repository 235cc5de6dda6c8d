"""Settings of the behaviour study. Loads no torch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

from redraft.errors import InputError, suggestion
from redraft.metrics.metric import Place
from redraft.metrics.registry import MEASURED, Definitions, shown
from redraft.studies.interface import Budget


@dataclass(frozen=True, kw_only=True)
class BehaviourConfig:
    """How samples are compared with the students' traces: the section [behaviour] of `run.toml`."""

    metrics: tuple[str, ...] = shown(Place.FINAL_PROGRAMS, Place.WHOLE_TRACES)
    """Properties of programs and traces to compare by correlation; names of the metrics' registry."""
    definitions: Definitions = "corrected"
    """Whose definitions of them: the corrected ones, or those of the paper's released code (docs/metrics.md)."""
    replicates: int = 2000
    """Bootstrap replicates of each interval."""
    seed: int = 0
    """Seed of the bootstrap and of the random baseline."""
    near_duplicate: float = 0.9
    """Normalised similarity (0 to 1) to a training final program from which on a test pair is a near-duplicate."""
    workers: int = 0
    """Processes that measure and threads that resample; 0: one a core."""

    def __post_init__(self) -> None:
        for name in self.metrics:
            if name not in MEASURED:
                raise InputError(f"unknown metric {name!r} in [behaviour]. {suggestion(name, MEASURED)}")

    def within(self, budget: Budget) -> Self:
        """Of a size that fits a budget."""
        return replace(self, seed=budget.seed)
