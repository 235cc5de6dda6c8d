"""What mends programs without a language model: what a model has to beat, with as many candidates.

In: a problem, and what is known of the platform and of training students. Out: candidate programs, the best guess
first, each another than the failing one; fewer than asked for where there are no more. Nothing here sees what the
student did next.

- `delete-line`: without the line that the verdict blames, then without each other line, the nearest to it first; from
  the top where it blames none.
- `revert`: the last program before that ran, then the one before it ...
- `neighbour`: running programs of other training students on the title, the nearest (Levenshtein) first. A title
  without training traces has none.
- `name-repair`: unknown names replaced by the nearest known ones (`names`).
- `rules`: what name repair, deleting a line and reverting propose, in turn. These three show nobody else's program, so
  they can stand beside a model's suggestions; and a model with them beside it has to beat them alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from typing import NamedTuple

from rapidfuzz.distance import Levenshtein

from redraft.data.edits import lines_of
from redraft.studies.common.running import Code, Runner, runs
from redraft.studies.recover.names import in_turn, platform_names, repairs, usage_of
from redraft.studies.recover.problem import Problem

TRIED = 4
"""Nearest training programs that are run for each running one that is wanted, at most."""


class Written(NamedTuple):
    """A training student's program."""

    student: str
    code: str
    language: str | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Knowledge:
    """What baselines may know."""

    runner: Runner
    """Runs programs."""
    programs: Mapping[str, Sequence[Written]]
    """Title -> programs of training students."""
    _usage: dict[str, Counter[str]] = field(default_factory=dict)

    @cached_property
    def platform(self) -> Collection[str]:
        """Names that the platform defines."""
        return platform_names(self.runner)

    def usage(self, title: str, language: str | None) -> Counter[str]:
        """How many training programs of the title use each name."""
        if title not in self._usage:
            self._usage[title] = usage_of((each.code for each in self.programs.get(title, ())), language)
        return self._usage[title]


Baseline = Callable[[Problem, Knowledge, int], Iterable[str]]
"""Proposes programs, the best guess first; asked for so many, it may give more or fewer."""


def delete_line(problem: Problem, known: Knowledge, n: int) -> Iterable[str]:
    """Without one line."""
    lines = lines_of(problem.failing.code)
    blamed = problem.error_line or 0
    order = sorted((i for i, line in enumerate(lines) if line.strip()), key=lambda i: (abs(i - blamed), i))
    return ("\n".join(lines[:i] + lines[i + 1 :]) for i in order)


def revert(problem: Problem, known: Knowledge, n: int) -> Iterable[str]:
    """A program before that ran, the latest first."""
    pairs = zip(reversed(problem.states[:-1]), reversed(problem.runs[:-1]), strict=True)
    return (state.code for state, ran in pairs if ran)


def neighbour(problem: Problem, known: Knowledge, n: int) -> Iterable[str]:
    """The nearest running programs of other training students on the title."""
    code, language = problem.failing.code, problem.failing.language
    others = {
        each.code for each in known.programs.get(problem.title, ())
        if each.student != problem.student and each.language == language and each.code.strip()
    }  # fmt: skip
    near = sorted(others, key=lambda other: (Levenshtein.distance(code, other), other))[: TRIED * n]
    verdicts = (known.runner.on(Code(other, language), problem.title) for other in near)
    return (other for other, verdict in zip(near, verdicts, strict=True) if runs(verdict))


def name_repair(problem: Problem, known: Knowledge, n: int) -> Iterable[str]:
    """Unknown names replaced by near known ones."""
    usage = known.usage(problem.title, problem.failing.language)
    return repairs(problem, known.platform, usage)


def rules(problem: Problem, known: Knowledge, n: int) -> Iterable[str]:
    """Every rule's proposals in turn."""
    return in_turn(*(RULES[name](problem, known, n) for name in RULES))


RULES: dict[str, Baseline] = {"name-repair": name_repair, "delete-line": delete_line, "revert": revert}
"""Baselines that make their program of the student's own alone."""
BASELINES: dict[str, Baseline] = {
    "delete-line": delete_line,
    "revert": revert,
    "neighbour": neighbour,
    "name-repair": name_repair,
    "rules": rules,
}
"""Name -> baseline."""


def proposals(name: str, problem: Problem, known: Knowledge, n: int) -> list[str]:
    """The first `n` different programs that a baseline proposes, none of them the failing one."""
    found = dict.fromkeys(code for code in islice(BASELINES[name](problem, known, n), 4 * n + 4))
    return [code for code in found if code != problem.failing.code][:n]
