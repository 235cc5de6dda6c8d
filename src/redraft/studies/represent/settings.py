"""Settings of the representations study."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, Self

from redraft.data.split import SPLITS
from redraft.errors import InputError, suggestion
from redraft.studies.interface import Budget


@dataclass(frozen=True, kw_only=True)
class RepresentConfig:
    """How representations are studied: the section [represent] of `run.toml`."""

    views: tuple[str, ...] = ("trace", "synthetic", "last")
    """Views whose models are compared, of those the run has."""
    splits: tuple[str, ...] = ("seen-seen",)
    """Parts of the split whose traces are read."""
    traces: int = 1000
    """Traces read, at most; a seeded choice. Each gives one input to the comparison of models."""
    states: int = 20
    """Of each trace, at most so many first states."""
    over: Literal["trace", "all"] = "trace"
    """What a vector is the mean of: trace: the token states from the start token on; all: those of the student and the
    title too (the paper's)."""
    components: int = 8
    """Principal components of the differences between consecutive states (paper, appendix I)."""
    permutations: int = 999
    """Permutations of labels, within students."""
    row_permutations: int = 20
    """Permutations of inputs, for what unrelated representations give."""
    groups: int = 20
    """Groups of students left out in turn, for intervals."""
    drawn: int = 1500
    """Differences drawn in a panel of the figure, at most."""
    seed: int = 0
    """Draws traces, permutations and groups."""

    def __post_init__(self) -> None:
        for name in self.splits:
            if name not in SPLITS:
                raise InputError(f"unknown split {name!r} in [represent]. {suggestion(name, SPLITS)}")
        wrong = [
            name for name in ("traces", "states", "components", "permutations", "row_permutations")
            if getattr(self, name) < 1
        ]  # fmt: skip
        if wrong or self.groups < 2:
            raise InputError(f"in [represent] {', '.join(wrong or ['groups'])} must be at least {1 if wrong else 2}.")

    def within(self, budget: Budget) -> Self:
        """Of a size that fits a budget."""
        return replace(self, traces=budget.some(1000, 100), seed=budget.seed)
