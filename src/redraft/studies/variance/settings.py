"""Settings of the study of variance. Loads no torch."""

from __future__ import annotations

from dataclasses import dataclass

from redraft.errors import InputError, suggestion
from redraft.metrics.registry import MEASURED
from redraft.studies.common.claims import FINAL_METRICS, TRACE_METRICS


@dataclass(frozen=True, kw_only=True)
class VarianceConfig:
    """How variance is shared out: the section [variance] of `run.toml`."""

    metrics: tuple[str, ...] = (*FINAL_METRICS, *TRACE_METRICS)
    """Properties of programs and traces; names of the metrics' registry."""
    seed: int = 0
    """Seed of the groups of students and titles that the intervals leave out."""
    workers: int = 0
    """Processes that measure; 0: one a core."""

    def __post_init__(self) -> None:
        for name in self.metrics:
            if name not in MEASURED:
                raise InputError(f"unknown metric {name!r} in [variance]. {suggestion(name, MEASURED)}")
