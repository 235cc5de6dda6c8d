"""Who is new to the model, what they wrote first, and who stands in for whom.

In: a run. Out: `Newcomers`: students of a test split with enough traces, in order of time; who tunes and who is
evaluated, by a seeded hash of their ids; another student of about the same year for each.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from redraft.data.trace import Pair, Trace
from redraft.lm.model import StudentIndex
from redraft.metrics.shuffle import derange
from redraft.rundir import sha256_json
from redraft.studies.adapt.settings import AdaptConfig
from redraft.studies.common.limits import choose
from redraft.studies.common.run import Run

FEWEST = 3
"""One who tunes, and two who are evaluated, each the other's control."""


@dataclass(frozen=True, kw_only=True)
class Newcomers:
    """New students and their traces in order of time."""

    tuning: Mapping[str, Sequence[Trace]]
    """Those who choose epochs and learning rate."""
    evaluated: Mapping[str, Sequence[Trace]]
    """The others."""
    found: int
    """Students with enough traces, all of them."""
    without_times: int
    """Students left out as not all of their traces have a time."""
    lowered: str | None = None
    """Says so, if fewer traces were asked for than was wanted."""

    @property
    def reason(self) -> str | None:
        """Why there is nothing to study; None if there is."""
        if self.found >= FEWEST:
            return None
        untimed = f" ({self.without_times} more have traces without a time)" if self.without_times else ""
        return f"not enough data: {self.found} new students have enough traces{untimed}, but {FEWEST} are needed"


def newcomers(run: Run, known: StudentIndex, config: AdaptConfig) -> Newcomers:
    """The new students of a run, for a model that knows some; of several traces of a pair the first is taken."""
    of: dict[str, dict[Pair, Trace]] = defaultdict(dict)
    for trace in run.split.select(run.dataset.traces(), config.split):
        if trace.student not in known:
            of[trace.student].setdefault(trace.pair, trace)
    counts = {student: len(by) for student, by in of.items()}
    chosen = choose(counts, config.min_traces, config.max_traces, config.fewest_students, floor=max(config.ks) + 1)
    enough = {student: [*of[student].values()] for student in sorted(chosen.students)}
    timed = {s: traces for s, traces in enough.items() if all(trace.states[0].at for trace in traces)}
    drawn = sorted(timed, key=lambda student: sha256_json([config.seed, "adapt", student]))
    tuning = min(max(1, round(config.tuning_share * len(drawn))), len(drawn))

    def ordered(students: Sequence[str]) -> dict[str, Sequence[Trace]]:
        return {s: sorted(timed[s], key=lambda trace: (str(trace.states[0].at), trace.title)) for s in sorted(students)}

    return Newcomers(
        tuning=ordered(drawn[: min(tuning, config.tuning_students)]),
        evaluated=ordered(drawn[tuning : tuning + config.students]),
        found=len(timed),
        without_times=len(enough) - len(timed),
        lowered=chosen.note(config.min_traces, "traces"),
    )


def partners(of: Mapping[str, Sequence[Trace]], seed: int) -> tuple[NDArray[np.int64], int]:
    """Each student's stand-in, by number, of those who began in the same year; and how many have one of another year.

    That is who is alone in theirs.
    """
    years = {student: _year(traces[0]) for student, traces in of.items()}
    drawn = derange(list(of), [(years[student],) for student in of], np.random.default_rng(seed))
    number = {student: index for index, student in enumerate(of)}
    return np.array([number[drawn.of[student]] for student in of]), drawn.unmatched


def _year(trace: Trace) -> int:
    at = trace.states[0].at
    assert at is not None  # students without times were left out
    return at.year
