"""What one pass over a dataset tells a study of recovery.

In: a dataset and its split. Out: `Evidence`: the test traces that cases may come from, programs of training students by
title, programs that say how style varies, the test students' other programs, and how often training students
backtrack. Where more would be found than is wanted, what is kept is drawn by a seeded hash, whatever the order.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, NamedTuple, TypeVar

from redraft.data.split import TRAIN, Split
from redraft.data.store import Dataset
from redraft.data.trace import Pair, Trace
from redraft.metrics.behaviour import trace_facts
from redraft.metrics.registry import MEASURED
from redraft.progress import track
from redraft.rundir import sha256_json
from redraft.studies.recover.baselines import Written
from redraft.studies.recover.settings import RecoverConfig

LOOKED_AT = 20
"""Test pairs looked at for each case that is wanted, at most: most traces have no failing program."""

T = TypeVar("T")


class Drawn(Generic[T]):
    """At most `n` of the items it is shown: those whose keys have the smallest hash."""

    def __init__(self, n: int, seed: int) -> None:
        self._n, self._seed = n, seed
        self._heap: list[tuple[int, int, T]] = []
        self._shown = 0

    def show(self, item: T, *key: Any) -> None:
        """Perhaps keep an item."""
        number = -int(sha256_json([self._seed, *key])[:15], 16)
        self._shown += 1
        push = heapq.heappush if len(self._heap) < self._n else heapq.heappushpop
        push(self._heap, (number, -self._shown, item))

    def __iter__(self) -> Iterator[T]:
        """Those kept, in an order that depends on their keys alone."""
        return (item for _, _, item in sorted(self._heap, key=lambda one: (-one[0], -one[1])))


class Final(NamedTuple):
    """A student's final program on a title."""

    title: str
    code: str
    language: str | None
    at: datetime | None
    """When it was run."""


@dataclass(kw_only=True)
class Habit:
    """How a training student works."""

    traces: int = 0
    """Training traces."""
    counted: int = 0
    """Those of enough states to backtrack in."""
    backtracking: float = 0.0
    """Sum of their backtracking."""


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What a pass over the dataset found."""

    wanted: dict[Pair, str]
    """Test pairs in the order in which cases are looked for, and the split of each."""
    traces: dict[Pair, Trace] = field(default_factory=dict)
    """The first trace of each of them that has at least two states."""
    programs: dict[str, Drawn[Written]] = field(default_factory=dict)
    """Title -> programs of training students."""
    finals: Drawn[Written]
    """Training students' final programs, of any title."""
    others: dict[str, list[Final]] = field(default_factory=lambda: defaultdict(list))
    """Test student -> their final programs."""
    habits: dict[str, Habit] = field(default_factory=lambda: defaultdict(Habit))
    """Training student -> how they work."""


def gather(dataset: Dataset, split: Split, config: RecoverConfig) -> Evidence:
    """Read the dataset once."""
    pairs = [(pair, place) for pair, place in split.of.items() if place in config.splits]
    pairs.sort(key=lambda one: sha256_json([config.seed, *one[0]]))
    wanted = dict(pairs[: LOOKED_AT * config.cases])
    students = {pair.student for pair in wanted}
    found = Evidence(wanted=wanted, finals=Drawn(config.style_programs, config.seed))
    for title in {pair.title for pair in wanted}:
        found.programs[title] = Drawn(config.neighbours, config.seed)
    for trace in track(dataset.traces(), "reading traces", len(dataset)):
        if trace.pair in wanted and len(trace.states) > 1:
            found.traces.setdefault(trace.pair, trace)
        if trace.student in students:
            final = trace.final
            found.others[trace.student].append(Final(trace.title, final.code, final.language, final.at))
        if split.of.get(trace.pair) == TRAIN:
            _train(found, trace, config)
    return found


def _train(found: Evidence, trace: Trace, config: RecoverConfig) -> None:
    final = trace.final
    found.finals.show(Written(trace.student, final.code, final.language), *trace.pair, trace.sample)
    if trace.title in found.programs:
        for state in _distinct(trace):
            found.programs[trace.title].show(state, trace.student, state.code)
    habit = found.habits[trace.student]
    habit.traces += 1
    if len(trace.states) >= config.strong_states:
        habit.counted += 1
        habit.backtracking += MEASURED["backtracking"](trace_facts(trace)) or 0.0


def _distinct(trace: Trace) -> Iterable[Written]:
    return dict.fromkeys(Written(trace.student, state.code, state.language) for state in trace.states)
