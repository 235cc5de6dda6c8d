"""Failing programs of held-out students: what the study asks models and baselines to mend.

In: the evidence of a dataset. Out: `Case`s, one a (student, title) at most, in a seeded order.

A case is a state that isn't the trace's last, whose program fails, is not blank and was not cut off by the platform.
Of several in a trace one is drawn, by a hash of the seed and the pair. Every program's verdict comes from the engine,
or from the platform where the engine doesn't judge its language. Where neither says anything, there is no case, and
`Found.left_out` counts why.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import NamedTuple

from redraft.data.trace import Pair, State, Trace
from redraft.rundir import sha256_json
from redraft.studies.common.running import Code, Runner, runs
from redraft.studies.recover.evidence import Evidence, Final
from redraft.studies.recover.problem import Problem
from redraft.studies.recover.settings import RecoverConfig

BLOCK = 64
"""Traces whose programs are run together."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """A failing program, and what its student did next."""

    id: str
    """Of (student, title, state)."""
    problem: Problem
    """What may be known when it is to be mended."""
    split: str
    """Where the pair is."""
    own: tuple[str, ...]
    """The student's own programs until then: this trace's, and final programs of others, run before."""
    after: tuple[State, ...]
    """What the student did next; the last one is the real final program."""

    @property
    def pair(self) -> Pair:
        """Student and title."""
        return Pair(self.problem.student or "", self.problem.title)

    @property
    def final(self) -> str:
        """The student's final program."""
        return self.after[-1].code


class Found(NamedTuple):
    """The cases there are."""

    cases: list[Case]
    left_out: Counter[str]
    """Why traces that were looked at gave none."""


def find_cases(evidence: Evidence, runner: Runner, config: RecoverConfig) -> Found:
    """Look for as many cases as are wanted."""
    found, left_out = list[Case](), Counter[str]()
    pairs = [pair for pair in evidence.wanted if pair in evidence.traces]
    left_out["one state only"] = len(evidence.wanted) - len(pairs)
    for start in range(0, len(pairs), BLOCK):
        traces = [evidence.traces[pair] for pair in pairs[start : start + BLOCK]]
        runner.verdicts(
            (Code(s.code, s.language) for trace in traces for s in trace.states), label="looking for failing programs"
        )
        for trace in traces:
            case = _case(trace, evidence, runner, config)
            if isinstance(case, Case):
                found.append(case)
            else:
                left_out[case] += 1
            if len(found) == config.cases:
                return Found(found, +left_out)
    return Found(found, +left_out)


def _case(trace: Trace, evidence: Evidence, runner: Runner, config: RecoverConfig) -> Case | str:
    """The trace's case, or why it has none."""
    verdicts = [runner.on(Code(state.code, state.language), trace.title) for state in trace.states]
    ran = tuple(runs(verdict) for verdict in verdicts)
    if all(each is None for each in ran):
        return "; ".join(sorted({error.message for verdict in verdicts for error in verdict.errors})) or "unscored"
    failing = [i for i, each in enumerate(ran[:-1]) if each is False and trace.states[i].code.strip()]
    whole = [i for i in failing if not trace.states[i].truncated]
    if not whole:
        return "failing programs cut off" if failing else "no failing program before the last"
    at = whole[int(sha256_json([config.seed, "state", *trace.pair]), 16) % len(whole)]
    states = trace.states[: at + 1]
    return Case(
        id=sha256_json([*trace.pair, trace.sample, at])[:16],
        problem=Problem(
            student=trace.student, title=trace.title, states=states, runs=ran[: at + 1], verdict=verdicts[at]
        ),
        split=evidence.wanted[trace.pair],
        own=_own(states, trace.title, evidence.others[trace.student]),
        after=trace.states[at + 1 :],
    )


def _own(states: tuple[State, ...], title: str, others: list[Final]) -> tuple[str, ...]:
    """The student's programs until a state: without times, no other trace is known to be earlier."""
    failing = states[-1]
    earlier = [
        final.code for final in others
        if final.title != title and final.language == failing.language
        and final.at is not None and failing.at is not None and final.at < failing.at
    ]  # fmt: skip
    return (*(state.code for state in states), *earlier)
