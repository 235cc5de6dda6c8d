"""Whose voice goes on with a trace: the student's own, a strong student's, a matched one's, or nobody's.

In: how training students work. Out: the strong students, and as many others matched to them.

The paper's strong student (appendix J) is the one who backtracks least among those with more than 20 traces; that
favours students who run a program once, and one student may be strong for any reason. Here strong students are the 20
who backtrack least over at least 20 training traces of at least 3 states each; they are compared with the unknown
student's vector and with 20 other trained students, each matched to a strong one by the number of training traces. Of
few students fewer are strong: the number of traces asked for is halved until four times as many students as are wanted
have them, and no more than a quarter of those are strong. `Voices.note` says what was done.

The candidates of a case go round the students of a kind, in an order of the case's own, so that a mean over cases is
one over students too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from redraft.rundir import sha256_json
from redraft.studies.recover.evidence import Habit
from redraft.studies.recover.settings import RecoverConfig

OWN, UNKNOWN, STRONG, MATCHED = "own", "unknown", "strong", "matched"
KINDS = (OWN, UNKNOWN, STRONG, MATCHED)
"""Kinds of voices."""


class Voices(NamedTuple):
    """Students whose vectors go on with others' traces."""

    strong: tuple[str, ...]
    matched: tuple[str, ...]
    """One for each strong student, in their order."""
    note: str
    """How many there are, and by which rule."""

    def of(self, kind: str, own: str | None, case: str, n: int) -> list[str | None]:
        """Whose vector draws each of `n` candidates of a case; None is the unknown student's.

        Args:
            kind: One of `KINDS`.
            own: The case's student.
            case: The case's id.
            n: How many.
        """
        if kind == OWN:
            return [own] * n
        if kind == UNKNOWN:
            return [None] * n
        chosen = self.strong if kind == STRONG else self.matched
        order = sorted(chosen, key=lambda student: sha256_json([case, student]))
        return [order[i % len(order)] for i in range(n)]


def choose(habits: Mapping[str, Habit], config: RecoverConfig) -> Voices:
    """The strong students and their matches; none if fewer than two students have a trace that counts."""
    traces = config.strong_traces
    while traces > 1 and sum(habit.counted >= traces for habit in habits.values()) < 4 * config.strong_students:
        traces //= 2
    able = {student: habit for student, habit in habits.items() if habit.counted >= traces}
    count = min(config.strong_students, max(1, len(able) // 4)) if len(able) > 1 else 0

    def draw(student: str) -> str:
        return sha256_json([config.seed, student])

    def order(student: str) -> tuple[float, int, str]:
        habit = able[student]
        return habit.backtracking / habit.counted, -habit.traces, draw(student)

    strong = sorted(able, key=order)[:count]
    rest = sorted(able.keys() - set(strong), key=draw)
    matched = []
    for student in strong:
        nearest = min(rest, key=lambda other: abs(able[other].traces - able[student].traces))
        rest.remove(nearest)
        matched.append(nearest)
    designed = (config.strong_students, config.strong_traces)
    note = (
        f"strong: the {count} students who backtrack least of {len(able)} with at least {traces} training traces of at "
        f"least {config.strong_states} states"
    )
    if (count, traces) != designed:
        note += f" (designed for {designed[0]} of at least {designed[1]} traces; this data has fewer)"
    return Voices(tuple(strong), tuple(matched), note)
