"""What a metric declares of itself.

Out: `Metric`, with the groups that metrics fall into and the places where reports show them. `metrics.registry` holds
the declarations; figures, tables and studies ask it for what they show and by which name, and list no metrics.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Literal

from redraft.metrics.behaviour import TraceFacts

Level = Literal["program", "trace", "pair", "collection"]
Need = Literal["time", "language", "samples", "verdict", "score"]
Compute = Callable[[TraceFacts], float | None]


class Group(Enum):
    """What a metric is about, in plain words."""

    CONTENT = "what programs hold"
    COURSE = "the way to the final program"
    TIME = "time"
    EDITS = "kinds of edits"
    RUNNING = "whether programs run"
    SUCCESS = "whether programs do what was asked for"
    LIKENESS = "likeness and variety of texts"


class Place(Enum):
    """Where reports show metrics by themselves, in plain words; a study asked for other metrics shows those."""

    FINAL_PROGRAMS = "figure 'final programs' (paper figure 2)"
    WHOLE_TRACES = "figure 'whole traces' (paper figure 3)"
    LIKENESS = "figure 'likeness'"
    TEXT = "table 'likeness of text' (paper table 3)"
    FREQUENCY = "figure 'title frequency' (paper figure 3, right)"
    LEVELS = "figures 'levels' and 'distances'"
    ADAPT = "adaptation study (paper figure 6)"
    STEER = "steering study"
    AUDIT = "bias audit"


@dataclass(frozen=True, kw_only=True)
class Declared:
    """What is declared of a metric by any definitions."""

    name: str
    """Its column's name."""
    level: Level
    """What it describes: the final program; the trace; a (student, title) pair's generated samples against the real
    trace; or a pair's samples among themselves (a collection)."""
    unit: str
    """Unit of its values."""
    direction: Literal["higher", "lower", ""] = ""
    """Which way is better; empty where neither is (programs and traces are compared by correlation)."""
    definition: str
    """What is computed."""
    source: str
    """Where the paper has it; 'corrected' where the paper's released code computes something else; or that code."""
    needs: tuple[Need, ...] = ()
    """What it is unscored without: times, a language profile, at least two samples, verdicts (of an engine or the
    platform), grades or verdicts of tests."""


@dataclass(frozen=True, kw_only=True)
class Metric(Declared):
    """One measurable property."""

    label: str
    """What it is called in figures whose title says the rest."""
    part: str = ""
    """What of the work it is about, where metrics of the same label need telling apart."""
    group: Group
    """What it is about."""
    shown: Mapping[Place, int] = field(default_factory=dict)
    """Where reports show it, and how far down: lower numbers come first, and no two metrics share one."""
    whole_traces: bool = False
    """Of pairs: whether it compares whole traces, so that models of final programs have none."""
    generated_from: str | None = None
    """The metric to take on the generated side, where this one is for a selection of real traces only."""
    released: str | None = None
    """What stands for it by the released code's definitions: that code's column; of pairs, the definition in words."""
    compute: Compute | None = None
    """Its value on a trace; None for pairs and collections."""

    @property
    def words(self) -> str:
        """Its full name for people, which no other metric has."""
        return f"{self.label}, {self.part}" if self.part else self.label

    @property
    def of_traces(self) -> bool:
        """Whether it needs whole traces: a model of final programs has none."""
        return self.level == "trace" or self.whole_traces
