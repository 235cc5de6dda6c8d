"""How a simulated class compares with other traces: the table of docs/simulated-class.md.

    redraft ingest rollouts ../shared/data/rollouts/all_*.json.xz --out /tmp/rollouts.dataset
    redraft simulate --students 300 --titles 16 --seed 1 --out /tmp/class
    redraft ingest pencilcode /tmp/class/access-*.log.gz --key /tmp/class/ingest.key --origin simulated \
        --out /tmp/class.dataset
    redraft execute /tmp/rollouts.dataset
    redraft execute /tmp/class.dataset
    python bench/calibrate.py /tmp/rollouts.dataset /tmp/class.dataset

In: two datasets, with verdicts or without. Out: a Markdown table on standard output. Only distributions are compared;
no program is shown.
Both sides are read alike: of consecutive identical programs the last counts, empty ones at a trace's ends don't.
"""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import replace
from itertools import groupby, pairwise
from pathlib import Path

import numpy as np
from scipy.stats import ks_2samp, wasserstein_distance

from redraft.data.edits import EDIT_TYPES, lines_of
from redraft.data.store import open_dataset
from redraft.data.trace import State, Trace
from redraft.execute.dataset import find_verdicts, read_runs
from redraft.metrics.behaviour import ACTIVE_GAP, trace_facts

NUMBERS = {
    "states": "states per trace",
    "backtracking": "backtracking, traces of at least 3 states",
    "lines": "lines of the final program",
    "characters": "characters of the final program",
    "gaps": "seconds between states, breaks over 600 left out",
    "comments": "comment lines of the final program",
}
SHARES: dict[str, tuple[str, Callable[[np.ndarray], np.ndarray]]] = {
    "one state": ("states", lambda values: values == 1),
    "no backtracking, of traces of at least 3 states": ("backtracking", lambda values: values == 0),
    "final programs with comments": ("comments", lambda values: values > 0),
    "final programs of 1,000 characters and more": ("characters", lambda values: values >= 1000),
    "programs that fail, of whole traces": ("runs", lambda values: values == 0),
    "first programs that fail": ("runs first", lambda values: values == 0),
    "final programs that fail": ("runs last", lambda values: values == 0),
    "failing programs that are followed by one that runs": ("mended", lambda values: values == 1),
    "programs that run and are followed by one that fails": ("broken", lambda values: values == 1),
}


class Sample:
    """The distributions of one dataset."""

    def __init__(self, path: Path) -> None:
        self.numbers: dict[str, list[float]] = defaultdict(list)
        self.edits: Counter[str] = Counter()
        dataset = open_dataset(path)
        self.runs = read_runs(find_verdicts(dataset))
        for trace in dataset.traces():
            states = tidied(trace)
            if states:
                self.add(replace(trace, states=states))

    def add(self, trace: Trace) -> None:
        facts = trace_facts(trace, "coffeescript")
        n = len(trace.states)
        self.numbers["states"].append(n)
        if n >= 3:
            ups = sum(after > before for before, after in pairwise(facts.to_final))
            self.numbers["backtracking"].append(ups / (n - 1))
        self.numbers["lines"].append(len(lines_of(trace.final.code)))
        self.numbers["characters"].append(len(trace.final.code))
        self.numbers["gaps"] += [gap for gap in facts.gaps or [] if 0 <= gap <= ACTIVE_GAP]
        self.numbers["comments"].append(facts.programs[-1].comments or 0)
        self.edits.update(edit.type for edit in facts.edits)

        if trace.ended and not any(state.truncated for state in trace.states):
            self.judge([self.runs.get(state.id) for state in trace.states])

    def judge(self, runs: list[bool | None]) -> None:
        """Count what runs; programs without a verdict are left out, and so were traces cut short."""
        for name, some in (("runs", runs), ("runs first", runs[:1]), ("runs last", runs[-1:])):
            self.numbers[name] += [float(ran) for ran in some if ran is not None]
        for before, after in pairwise(runs):
            if before is not None and after is not None:
                self.numbers["broken" if before else "mended"].append(float(after != before))

    def values(self, name: str) -> np.ndarray:
        return np.array(self.numbers[name])


def tidied(trace: Trace) -> tuple[State, ...]:
    """The trace's states, repeats collapsed and empty ends dropped."""
    states = [list(same)[-1] for _, same in groupby(trace.states, key=lambda state: state.code)]
    while states and not states[0].code.strip():
        del states[0]
    while states and not states[-1].code.strip():
        del states[-1]
    return tuple(states)


def quantiles(values: np.ndarray) -> str:
    return " / ".join(f"{value:.3g}" for value in np.quantile(values, [0.1, 0.25, 0.5, 0.75, 0.9, 0.99]))


def table(rollouts: Sample, simulated: Sample) -> list[str]:
    rows = [
        "| what | rollouts: n; 10 / 25 / 50 / 75 / 90 / 99% | simulated | Kolmogorov-Smirnov | Wasserstein |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, label in NUMBERS.items():
        a, b = rollouts.values(name), simulated.values(name)
        rows.append(f"| {label} | {len(a):,}; {quantiles(a)} | {len(b):,}; {quantiles(b)} "
                    f"| {ks_2samp(a, b).statistic:.3f} | {wasserstein_distance(a, b):.3g} |")  # fmt: skip
    rows += ["", "| share of | rollouts | simulated | difference |", "| --- | --- | --- | --- |"]
    for label, (name, holds) in SHARES.items():
        if not (rollouts.numbers[name] and simulated.numbers[name]):
            continue  # not executed
        x, y = holds(rollouts.values(name)).mean(), holds(simulated.values(name)).mean()
        rows.append(f"| {label} | {x:.3f} | {y:.3f} | {y - x:+.3f} |")
    differences = []
    for kind in EDIT_TYPES:
        x, y = (sample.edits[kind] / sample.edits.total() for sample in (rollouts, simulated))
        rows.append(f"| edits: {kind} | {x:.3f} | {y:.3f} | {y - x:+.3f} |")
        differences.append(abs(y - x))
    rows += ["", f"Edit types: {rollouts.edits.total():,} and {simulated.edits.total():,} edits, "
             f"total variation {sum(differences) / 2:.3f}."]  # fmt: skip
    return rows


if __name__ == "__main__":
    print("\n".join(table(Sample(Path(sys.argv[1])), Sample(Path(sys.argv[2])))))
