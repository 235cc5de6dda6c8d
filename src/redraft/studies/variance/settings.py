"""Settings of the study of variance. Loads no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from redraft.errors import InputError, suggestion
from redraft.metrics.metric import Place
from redraft.metrics.registry import MEASURED, shown
from redraft.studies.interface import Budget


@dataclass(frozen=True, kw_only=True)
class VarianceConfig:
    """How variance is shared out: the section [variance] of `run.toml`."""

    metrics: tuple[str, ...] = shown(Place.FINAL_PROGRAMS, Place.WHOLE_TRACES)
    """Properties of programs and traces; names of the metrics' registry."""
    seed: int = 0
    """Seed of the groups of students and titles that the intervals leave out."""
    workers: int = 0
    """Processes that measure; 0: one a core."""

    def __post_init__(self) -> None:
        for name in self.metrics:
            if name not in MEASURED:
                raise InputError(f"unknown metric {name!r} in [variance]. {suggestion(name, MEASURED)}")

    def within(self, budget: Budget) -> Self:
        """Of a size that fits a budget."""
        return self
