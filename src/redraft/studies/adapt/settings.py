"""Settings of the adaptation study."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal, Self

from redraft.data.split import TEST_SPLITS
from redraft.errors import InputError, suggestion
from redraft.lm.settings import SampleConfig
from redraft.metrics.metric import Place
from redraft.metrics.registry import MEASURED, shown
from redraft.studies.interface import Budget


@dataclass(frozen=True, kw_only=True)
class AdaptConfig:
    """How adaptation to new students is studied: the section [adapt] of `run.toml`."""

    views: tuple[str, ...] = ("trace",)
    """Views whose models are studied, of those the run has."""
    split: str = "unseen-seen"
    """The test split whose students are new to the model; their traces in it are all that is used."""
    min_traces: int = 20
    """New students with fewer traces are left out."""
    fewest_students: int = 50
    """If fewer new students than this have as many, `min_traces` is lowered, trace by trace, until as many do, but no
    further than leaves one trace to test; rows say so. 0: never."""
    max_traces: int = 200
    """Those with more, too: they may be accounts shared by a class."""
    ks: tuple[int, ...] = (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10)
    """Numbers of first traces to fit a vector to; 0: none, the vector it begins as. What comes after the largest
    number tests all of them."""
    tuning_share: float = 0.05
    """Share of the students who choose epochs and learning rate for each k, and are not evaluated; at least one."""
    tuning_students: int = 20
    """Of these, at most so many."""
    tuning_traces: int = 10
    """Test traces of each of them, at most."""
    students: int = 100
    """Students evaluated, at most; a seeded choice."""
    test_traces: int = 0
    """Test traces of each, at most, the first in time; 0: all."""
    lrs: tuple[float, ...] = (5e-4, 5e-3, 5e-2)
    """Learning rates to choose from. The paper's is 5e-4, for rows that begin a thousand times smaller than ours."""
    max_epochs: int = 100
    """Epochs to choose from (paper, appendix G)."""
    patience: int = 10
    """Epochs without improvement after which no more are tried."""
    batch: int = 32
    """Sequences of one student in a step, at most."""
    trains: Literal["vector", "mlp"] = "vector"
    """What is fitted: the student's numbers, or these and a copy of the module's weights behind them (biases never)."""
    start: Literal["unknown", "random"] = "unknown"
    """What a vector begins as: the unknown student's, or an untrained row (the paper), drawn anew for each seed."""
    neural_cache: bool = True
    """Also read the test traces with a neural cache of the first k traces, beside the unknown student's vector and
    beside the fitted one, as `redraft score --neural-cache` does."""
    seeds: int = 3
    """Repetitions averaged: other students as controls, other samples, other untrained rows."""
    plateau: tuple[int, ...] = (4, 10)
    """Two numbers of traces: does the second add anything to the first?"""
    sampled_pairs: int = 3
    """Test traces of each student that are also generated, for k in `sampled_ks`; 0: none, bits alone."""
    sampled_ks: tuple[int, ...] = (0, 1, 2, 4, 7, 10)
    """Numbers of first traces for which traces are generated."""
    sample: SampleConfig = field(default_factory=lambda: SampleConfig(per_pair=1))
    """How they are generated."""
    metrics: tuple[str, ...] = tuple(name for name in shown(Place.ADAPT) if name in MEASURED)
    """Properties of generated traces whose agreement with the real ones is measured."""
    batch_tokens: int = 4096
    """Tokens computed at once."""
    replicates: int = 2000
    """Bootstrap replicates of each interval."""
    seed: int = 0
    """Draws who tunes and who is evaluated, and with `seeds` everything else."""

    def __post_init__(self) -> None:
        if self.split not in TEST_SPLITS:
            raise InputError(f"unknown split {self.split!r} in [adapt]. {suggestion(self.split, TEST_SPLITS)}")
        for name in self.metrics:
            if name not in MEASURED:
                raise InputError(f"unknown metric {name!r} in [adapt]. {suggestion(name, MEASURED)}")
        counts = ("tuning_students", "tuning_traces", "students", "max_epochs", "patience", "batch", "seeds")
        if wrong := [name for name in counts if getattr(self, name) < 1]:
            raise InputError(f"in [adapt] {', '.join(wrong)} must be at least 1.")
        if not self.ks or min(self.ks) < 0 or not self.lrs or min(self.lrs) <= 0:
            raise InputError("in [adapt] ks must be numbers from 0 on, and lrs numbers above 0.")
        if self.min_traces <= max(self.ks):
            raise InputError(
                f"in [adapt] min_traces = {self.min_traces} leaves nothing to test after {max(self.ks)} traces.",
                remedy="Make it larger than the largest of ks.",
            )
        if len(self.plateau) != 2 or not {*self.plateau, *self.sampled_ks} <= {*self.ks}:
            raise InputError("in [adapt] plateau must be two of ks, and sampled_ks some of them.")

    def within(self, budget: Budget) -> Self:
        """Of a size that fits a budget."""
        # fits cost as many traces as the ks add up to, 17 in place of 55
        ks, sampled_ks = ((0, 1, 2, 4, 10), (0, 1, 4, 10)) if budget.is_tight else (self.ks, self.sampled_ks)
        return replace(
            self, ks=ks, sampled_ks=sampled_ks, students=budget.some(100, 20), tuning_students=budget.some(20, 2),
            tuning_traces=budget.some(10, 4), seeds=budget.some(3, 1), max_epochs=budget.some(100, 20),
            test_traces=budget.some(100, 10), seed=budget.seed,
        )  # fmt: skip
