"""Settings of the description of a dataset. Loads no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from redraft.studies.interface import Budget


@dataclass(frozen=True, kw_only=True)
class DescribeConfig:
    """How a run's dataset is described: the section [describe] of `run.toml`."""

    memory: str = "2GB"
    """What the database may use before it spills to disk."""

    def within(self, budget: Budget) -> Self:
        """Of a size that fits a budget."""
        return self
