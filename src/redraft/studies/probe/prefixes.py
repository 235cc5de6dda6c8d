"""What code probes are asked: prefixes of traces, what is to be predicted from each, and what is seen without a model.

In: a run. Out: `Prefixes`: a sample of test traces, a row for the prefix after each of 0 to n states, and a column a
target, nan where it isn't asked or can't be known. Definitions are those of `settings.TARGETS`; d is the Levenshtein
distance (characters) to the final program, from the empty program after 0 states.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein

from redraft.data.edits import lines_of
from redraft.data.split import TRAIN
from redraft.data.trace import Pair, State, Trace
from redraft.execute.judged import Judgements, find_judgements, read_judgements
from redraft.metrics.folds import Codes
from redraft.metrics.ridge import Floats
from redraft.results import noted
from redraft.studies.common.limits import choose
from redraft.studies.common.run import Run
from redraft.studies.probe.settings import TARGETS, ProbeConfig

SURFACE = 7
"""Numbers seen without a model."""


@dataclass(frozen=True, kw_only=True)
class Prefixes:
    """The prefixes of some traces, trace by trace, by number of states. N rows."""

    traces: Sequence[Trace]
    """The traces."""
    trace: Codes
    """(N,) number of the trace."""
    step: Codes
    """(N,) states in the prefix."""
    student: Codes
    """(N,) number of the student, in order of id."""
    title: Codes
    """(N,) number of the title, in alphabetical order."""
    targets: Mapping[str, Floats]
    """Target -> (N,) values; 1 and 0 for yes and no; nan where it isn't asked or unscored."""
    asked: Mapping[str, NDArray[np.bool_]]
    """Target -> (N,) where it is asked."""
    surface: Floats
    """(N, F) what is seen without a model, all but the title."""
    note: str | None = None
    """What to keep in mind of all rows."""

    def __len__(self) -> int:
        return len(self.trace)

    def unscored(self, target: str) -> int:
        """Prefixes that a target is asked of in vain."""
        return int((self.asked[target] & ~np.isfinite(self.targets[target])).sum())

    def without(self, left_out: NDArray[np.bool_]) -> Prefixes:
        """Nothing is asked of the prefixes marked (N,)."""
        return replace(
            self,
            targets={name: np.where(left_out, np.nan, values) for name, values in self.targets.items()},
            asked={name: is_asked & ~left_out for name, is_asked in self.asked.items()},
        )

    def noted(self, note: str) -> Prefixes:
        """With another thing to keep in mind."""
        return replace(self, note=noted(self.note, note))

    def groups(self, grouping: str) -> Codes:
        """(N,) what a fold keeps whole."""
        return {"student": self.student, "trace": self.trace, "title": self.title, "prefix": np.arange(len(self))}[
            grouping
        ]


def training_counts(run: Run) -> Counter[str]:
    """Training pairs of each student."""
    return Counter(pair.student for pair, place in run.split.of.items() if place == TRAIN)


def make_prefixes(run: Run, config: ProbeConfig) -> Prefixes:
    """The run's prefixes to be probed; none if its split has no trace that fits."""
    chosen = choose(training_counts(run), config.fewest_traces, config.most_traces, config.fewest_students)
    pairs = _sample(run, config, chosen.students)
    traces: dict[Pair, Trace] = {}
    for trace in run.dataset.traces():
        if trace.pair in pairs:
            traces.setdefault(trace.pair, trace)  # of a pair with several samples the first: a pair counts once
    judgements = read_judgements(find_judgements(run.dataset, run.rule))
    note = noted(chosen.note(config.fewest_traces, "training traces"), judgements.words)
    return prefixes_of([*traces.values()], judgements, config, note=note)


def _sample(run: Run, config: ProbeConfig, students: frozenset[str]) -> set[Pair]:
    of_title: dict[str, list[Pair]] = {}
    assignments = run.split.assignments
    for pair, place in run.split.of.items():
        if place == config.split and pair.student in students and (not assignments or pair.title in assignments):
            of_title.setdefault(pair.title, []).append(pair)
    ranked = sorted(of_title, key=lambda title: (-len(of_title[title]), title))
    rng = np.random.default_rng([config.seed, 0])
    found: set[Pair] = set()
    for title in ranked[: config.titles]:
        pairs = sorted(of_title[title])
        if len(pairs) >= config.fewest_per_title:
            found.update(pairs[i] for i in rng.permutation(len(pairs))[: config.traces_per_title])
    return found


def prefixes_of(
    traces: Sequence[Trace], judgements: Judgements, config: ProbeConfig, *, note: str | None = None
) -> Prefixes:
    """All prefixes of `traces`; `judgements` say which programs run."""
    lengths = np.array([len(trace.states) for trace in traces], np.int64)
    trace = np.repeat(np.arange(len(traces)), lengths + 1)
    step = np.concatenate([*(np.arange(length + 1) for length in lengths), np.empty(0, np.int64)]).astype(np.int64)
    students, titles = (
        np.unique(np.array([getattr(one, name) for one in traces], object).astype(str), return_inverse=True)[1]
        for name in ("student", "title")
    )
    before = step < lengths[trace]
    asked = dict.fromkeys(TARGETS, before)
    asked |= {"is_last": step >= 0, "title": (step > 0) & (before | config.title_with_final)}
    columns = [_targets(one, judgements) for one in traces]
    values = {name: np.concatenate([*(column[name] for column in columns), []]) for name in TARGETS if name != "title"}
    values["title"] = titles[trace].astype(float)
    return Prefixes(
        traces=traces, trace=trace, step=step, student=students[trace], title=titles[trace], note=note,
        targets={name: np.where(asked[name], values[name], np.nan) for name in config.targets},
        asked={name: asked[name] for name in config.targets},
        surface=np.concatenate([np.empty((0, SURFACE)), *(_surface(one, judgements) for one in traces)]),
    )  # fmt: skip


def _targets(trace: Trace, judgements: Judgements) -> dict[str, Floats]:
    """Each target but the title after 0 to n states, wherever it is asked; nan where it is unscored."""
    n, final = len(trace.states), trace.final
    step = np.arange(n + 1)
    away = np.array([Levenshtein.distance(code, final.code) for code in ("", *(s.code for s in trace.states))], float)
    # edit u, from state u - 1 to u, leads away; is there one with u > max(t, 1)?
    last = (np.flatnonzero(away[2:] > away[1:-1]) + 2).max(initial=0)
    seconds = _seconds_left(trace.states)
    known = seconds >= 0  # a generated clock may run backwards
    runs_final = None if final.truncated else judgements.runs(final.id, trace.title)
    return {
        "is_last": (step == n).astype(float),
        "halfway": (step >= n / 2).astype(float),
        "backtracks": (last > np.maximum(step, 1)).astype(float),
        "attempts_left": (n - step).astype(float),
        "seconds_left_log": np.where(known, np.log1p(np.where(known, seconds, 0)), np.nan),
        "seconds_left": seconds,
        "distance_to_final": away,
        "final_runs": np.full(n + 1, np.nan if runs_final is None else float(runs_final)),
    }


def _seconds_left(states: Sequence[State]) -> Floats:
    """Seconds from state max(t, 1) to the last one, for t = 0 to n; nan without both times."""
    final = states[-1].at
    left = [np.nan if final is None or state.at is None else (final - state.at).total_seconds() for state in states]
    return np.array([left[0], *left], float)


def _surface(trace: Trace, judgements: Judgements) -> Floats:
    """States, their logarithm, characters, lines, log seconds so far, whether the last program ran, and whether not."""
    rows = [[0.0] * SURFACE]
    began = trace.states[0].at
    for step, state in enumerate(trace.states, 1):
        elapsed = 0.0 if began is None or state.at is None else max(0.0, (state.at - began).total_seconds())
        ran = judgements.runs(state.id, trace.title)
        rows.append([
            step, np.log1p(step), np.log1p(len(state.code)), np.log1p(len(lines_of(state.code))), np.log1p(elapsed),
            float(ran is True), float(ran is False),
        ])  # fmt: skip
    return np.array(rows)
