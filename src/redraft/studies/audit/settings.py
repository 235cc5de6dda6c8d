"""Settings of the bias audit. Loads no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from redraft.errors import InputError, suggestion
from redraft.metrics.metric import Place
from redraft.metrics.permutation import PERMUTATIONS
from redraft.metrics.registry import METRICS, shown
from redraft.studies.interface import Budget


@dataclass(frozen=True, kw_only=True)
class AuditConfig:
    """How a run is audited: the section [audit] of `run.toml`."""

    metrics: tuple[str, ...] = shown(Place.AUDIT)
    """What is compared; names of the metrics' registry."""
    models: tuple[str, ...] = ()
    """Views to audit; none: all that have samples."""
    smallest: int = 10
    """Fewest students (titles, for titles' subgroups) in a subgroup and in the rest."""
    permutations: int = PERMUTATIONS
    """Reassignments of labels behind each p."""
    replicates: int = 2000
    """Bootstrap replicates of each interval."""
    seed: int = 0
    """Seed of both."""
    workers: int = 0
    """Processes that measure; 0: one a core."""

    def __post_init__(self) -> None:
        for name in self.metrics:
            if name not in METRICS:
                raise InputError(f"unknown metric {name!r} in [audit]. {suggestion(name, METRICS)}")

    def within(self, budget: Budget) -> Self:
        """Of a size that fits a budget."""
        return self
