"""How often the probes' intervals call a difference that isn't there, and one that is: a part of bench/validity.py.

Two sets of features hold a target's cause equally well, or one better, beside noise of their own. The study's own code
probes both, on 50 students of 4 traces; other draws of students, targets and features each time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace

import numpy as np

from redraft.data.trace import State, Trace
from redraft.execute.judged import Judgements
from redraft.metrics.ridge import Floats
from redraft.results import Result
from redraft.studies.probe.code_rows import _Work
from redraft.studies.probe.prefixes import Prefixes, prefixes_of
from redraft.studies.probe.rows import Maker
from redraft.studies.probe.settings import ProbeConfig

STUDENTS, TRACES, FEATURES = 50, 4, 10
TARGETS = {"attempts_left": "pearson", "backtracks": "f1"}
"""A number and a yes or no; what is asked of them doesn't matter, they are drawn."""
WAYS = {"20 random halves refitted (the default)": 20, "10 halves": 10, "students resampled, fits kept": 0}
"""How intervals are made -> `[probe] halves`."""


def probe_table(repetitions: int) -> Iterator[str]:
    """Rows of the page's table."""
    yield "| intervals by | score | equal: called different | equal: 95% covers 0 | one better: found | mean lead |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for words, halves in WAYS.items():
        rows = {strength: [leads(seed, halves, strength) for seed in range(repetitions)] for strength in (1.0, 2.0)}
        for name, statistic in TARGETS.items():
            equal, better = ([found[name] for found in rows[strength]] for strength in (1.0, 2.0))
            called = np.mean([row.p is not None and row.p < 0.05 for row in equal])
            covered = np.mean([row.low is None or row.high is None or row.low <= 0 <= row.high for row in equal])
            found = np.mean([row.p is not None and row.p < 0.05 and (row.value or 0) > 0 for row in better])
            lead = np.mean([row.value for row in better])
            yield f"| {words} | {statistic} | {called:.1%} | {covered:.1%} | {found:.1%} | {lead:.2f} |"


def leads(seed: int, halves: int, strength: float) -> dict[str, Result]:
    """By target, the row of what the first features have over the second."""
    rng = np.random.default_rng(seed)
    asked = _drawn(rng)
    config = ProbeConfig(targets=tuple(TARGETS), halves=halves, repeats=1, permutations=0, replicates=500, seed=seed)
    run = SimpleNamespace(dataset=SimpleNamespace(origin="simulated", name="drawn"))
    work = _Work(asked, Maker(run=run, config=config, part="code", split="seen-seen", level="trace"), config)  # type: ignore[arg-type]
    first, second = (_features(asked, rng, s) for s in (strength, 1.0))
    sides = [work.side("a", lambda _: first, model="a"), work.side("b", lambda _: second, model="b")]
    return {
        name: row for row in work.leads(*sides) for name, statistic in TARGETS.items()
        if row.metric == f"probe_{name}" and row.statistic == f"{statistic}_difference"
    }  # fmt: skip


def _drawn(rng: np.random.Generator) -> Prefixes:
    traces = [
        Trace(student=f"s{s:02d}", title=f"t{t}", states=(State(code="fd 1"),), source="drawn")
        for s in range(STUDENTS) for t in range(TRACES)
    ]  # fmt: skip
    asked = prefixes_of(traces, Judgements(), ProbeConfig())
    cause = rng.normal(size=STUDENTS)[asked.student] + rng.normal(size=len(traces))[asked.trace]
    targets = {"attempts_left": cause, "backtracks": (cause > 1).astype(float)}
    return replace(asked, targets=targets, asked={name: np.isfinite(values) for name, values in targets.items()})


def _features(asked: Prefixes, rng: np.random.Generator, strength: float) -> Floats:
    """(N, 10): noise of students and traces; the first also holds the target's cause."""
    of_student = rng.normal(size=(STUDENTS, FEATURES))[asked.student]
    x_ND = of_student + rng.normal(size=(len(asked.traces), FEATURES))[asked.trace]
    x_ND[:, 0] += strength * asked.targets["attempts_left"]
    return x_ND
