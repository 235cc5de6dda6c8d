"""An observer that knows how the class works, and what it can tell of a student: how much there is to be found.

The observer reads programs for five of a student's choices (`ASPECTS`): colours, pen width, speed, functions, comments.
From what it has seen it works out by Bayes' rule how likely each possible student is. `headroom` asks it for each
student's choices in free assignments, in bits, after three kinds of study: none, the final programs of the student's
set assignments, and all drafts of these. Traces can teach as much more than final programs as the last two differ.

In: programs with their titles. Out: beliefs, traits drawn from them, a table of bits. Not guaranteed: that nobody could
know more. The observer takes each distinct choice of a trace as made once, and skips words that a plan of the title
itself uses.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from random import Random
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from redraft.data.simulate.assignments import Plan, base_of, is_free, plans_for
from redraft.data.simulate.sheet import Sheet
from redraft.data.simulate.slips import is_code
from redraft.data.simulate.traits import (
    COLOURS,
    COMMENTS,
    FUNCTIONS,
    PENS,
    SPEEDS,
    Behaviour,
    Mixture,
    Traits,
    Weights,
    behaviour,
    draw_traits,
)

Floats = npt.NDArray[np.float64]
STEPS = 200
"""Possible values of a tendency between 0 and 1."""
YES_OR_NO = ("functions", "comments")
"""Aspects that are so in a trace if they are so in any program of it."""

NAMED = re.compile(r"'[^']*'|\"[^\"]*\"|#.*|\b[a-z]+\b")
PEN = re.compile(r"^\s*pen \w+, (\d+)$", re.MULTILINE)
SPEED = re.compile(r"^speed (\d+)$", re.MULTILINE)


def colours_in(code: str) -> list[str]:
    """Colours that a program names, strings and comments left out."""
    return [word for word in NAMED.findall(code) if is_code(word) and word in COLOURS.values]


def has_comments(code: str) -> bool:
    """Whether a line is a comment."""
    return any(line.lstrip().startswith("#") for line in code.splitlines())


@dataclass(frozen=True, kw_only=True, eq=False)
class Aspect:
    """One thing in which students differ, as the observer thinks of it."""

    trait: str
    """The field of `Traits`."""
    students: tuple[Any, ...]
    """Possible values of it."""
    prior: Floats
    """How likely each is before anything is seen."""
    choices: tuple[Any, ...]
    """What a student chooses from."""
    weights: Callable[[Behaviour], Sequence[float]]
    """How likely a student chooses each."""
    read: Callable[[str], list[Any]]
    """The choices that show in a program."""
    of_plan: Callable[[Plan], list[Any]] = lambda plan: []
    """Those that a plan may make itself, whoever takes it."""

    def chances(self, strength: float) -> Floats:
        """A row per possible student, a column per choice."""
        typical = draw_traits(Random(0))
        rows = [self.weights(behaviour(replace(typical, **{self.trait: value}), strength)) for value in self.students]
        table = np.array(rows, dtype=float)
        return np.asarray(table / table.sum(1, keepdims=True))

    def seen(self, title: str, codes: Iterable[str]) -> tuple[int, ...]:
        """The distinct choices that show in programs of a title, in order of appearance; as numbers."""
        skip = _of_plans(self, base_of(title))
        found = dict.fromkeys(choice for code in codes for choice in self.read(code))
        return tuple(self.choices.index(choice) for choice in found if choice in self.choices and choice not in skip)


@cache
def _of_plans(aspect: Aspect, base: str) -> frozenset[Any]:
    return frozenset(choice for plan in plans_for(base) for choice in aspect.of_plan(plan))


def _palettes() -> tuple[tuple[tuple[str, ...], ...], Floats]:
    """All ordered palettes of three, and how likely each is drawn."""
    share = dict(zip(COLOURS.values, COLOURS.weights, strict=True))
    total = sum(COLOURS.weights)
    found = {
        (a, b, c): share[a] * share[b] / (total - share[a]) * share[c] / (total - share[a] - share[b])
        for a in share for b in share for c in share if len({a, b, c}) == 3
    }  # fmt: skip
    return tuple(found), np.array(list(found.values())) / total


def _tendency(mixture: Mixture) -> tuple[tuple[float, ...], Floats]:
    """A grid between 0 and 1, and the mixture's density there."""
    grid = (np.arange(STEPS) + 0.5) / STEPS
    density = np.zeros(STEPS)
    for share, (a, b) in ((mixture.share, mixture.some), (1 - mixture.share, mixture.others)):
        part = grid ** (a - 1) * (1 - grid) ** (b - 1)
        density += share * part / part.sum()
    return tuple(grid.tolist()), density


def _as_drawn(weights: Weights[int]) -> tuple[tuple[int, ...], Floats]:
    return weights.values, np.array(weights.weights) / sum(weights.weights)


@cache
def aspects() -> dict[str, Aspect]:
    """Name -> aspect."""
    no_yes = (False, True)
    palettes, pens, speeds = _palettes(), _as_drawn(PENS), _as_drawn(SPEEDS)
    functions, comments = _tendency(FUNCTIONS), _tendency(COMMENTS)
    return {
        "colours": Aspect(
            trait="palette", students=palettes[0], prior=palettes[1], choices=COLOURS.values,
            weights=lambda person: person.colours.weights, read=colours_in, of_plan=lambda plan: colours_in(plan.code),
        ),
        "pen": Aspect(
            trait="pen_width", students=pens[0], prior=pens[1], choices=PENS.values,
            weights=lambda person: person.pens.weights, read=_numbers(PEN), of_plan=_pens_of,
        ),
        "speed": Aspect(
            trait="speed", students=speeds[0], prior=speeds[1], choices=SPEEDS.values,
            weights=lambda person: person.speeds.weights, read=_numbers(SPEED),
            of_plan=lambda plan: _numbers(SPEED)(plan.code),
        ),
        "functions": Aspect(
            trait="function_use", students=functions[0], prior=functions[1], choices=no_yes,
            weights=lambda person: (1 - person.functions, person.functions), read=lambda code: ["->" in code],
        ),
        "comments": Aspect(
            trait="comment_rate", students=comments[0], prior=comments[1], choices=no_yes,
            weights=lambda person: (1 - person.comments, person.comments), read=lambda code: [has_comments(code)],
        ),
    }  # fmt: skip


def _numbers(pattern: re.Pattern[str]) -> Callable[[str], list[Any]]:
    return lambda code: [int(number) for number in pattern.findall(code)]


Choices = Mapping[str, tuple[int, ...]]
"""What shows of each aspect."""


def _pens_of(plan: Plan) -> list[int]:
    """Widths that stand in the plan, and all that its own numbers may give."""
    found = _numbers(PEN)(plan.code)
    for slot in re.findall(r"pen [\w$]+, \$(\w+)", plan.code):
        low, high, step = plan.numbers.get(slot, (0, -1, 1))
        found += range(low, high + 1, step)
    return found


class Seen(NamedTuple):
    """What the observer keeps of one trace: the student's own choices."""

    free: bool
    """Whether the assignment is."""
    drafts: Choices
    """In all programs."""
    final: Choices
    """In the last one; nothing where that is the sheet's."""

    @classmethod
    def of(cls, title: str, codes: Sequence[str], sheet: Sheet | None) -> Seen:
        """Read a trace's programs; the observer knows the sheet that may have been followed."""
        own = list(codes)
        while sheet is not None and own and _says(sheet, title, own[-1]):
            del own[-1]
        return cls(is_free(title), _choices(title, own), _choices(title, codes[-1:]) if len(own) == len(codes) else {})


def _choices(title: str, codes: Sequence[str]) -> dict[str, tuple[int, ...]]:
    found = {name: aspect.seen(title, codes) for name, aspect in aspects().items()} if codes else {}
    return {name: (max(seen),) if name in YES_OR_NO and seen else seen for name, seen in found.items()}


def _says(sheet: Sheet, title: str, code: str) -> bool:
    """Whether a program is all as a sheet says, as far as it goes."""
    asked: dict[str, set[Any]] = {
        "colours": {*sheet.colours}, "pen": {sheet.pen}, "speed": {sheet.speed},
        "functions": {False, sheet.plan.has_functions}, "comments": {False, sheet.comments},
    }  # fmt: skip
    found = _choices(title, [code])
    return all({aspects()[name].choices[one] for one in seen} <= asked[name] for name, seen in found.items())


class Observer:
    """Knows the class's manner, and learns who a student is from traces."""

    def __init__(self, strength: float, *, redraw: bool = False) -> None:
        # Where traits are redrawn each time, nothing that was seen tells of another trace.
        self._deaf = redraw
        self._chances = {name: aspect.chances(strength) for name, aspect in aspects().items()}

    def beliefs(self, seen: Iterable[Choices]) -> dict[str, Floats]:
        """How likely each possible student is, by aspect, after traces of whom this was seen."""
        logs = {name: np.log(aspect.prior) for name, aspect in aspects().items()}
        for trace in () if self._deaf else seen:
            for name, choices in trace.items():
                logs[name] += self._logs(name, choices)
        return {name: _normal(log) for name, log in logs.items()}

    def bits(self, beliefs: Mapping[str, Floats], name: str, choices: Sequence[int]) -> float:
        """Of choices made together, for whom believes this."""
        return -float(np.log2(beliefs[name] @ np.exp(self._logs(name, choices))))

    def _logs(self, name: str, choices: Sequence[int]) -> Floats:
        """Log likelihood of choices for each possible student, each different from those before it."""
        table = self._chances[name]
        total, before = np.zeros(len(table)), np.zeros(len(table))
        for choice in choices:
            total += np.log(table[:, choice]) - np.log(np.maximum(1 - before, 1e-12))
            before += table[:, choice]
        return total


def _normal(log: Floats) -> Floats:
    likely = np.exp(log - log.max())
    return np.asarray(likely / likely.sum())


def traits_by(beliefs: Mapping[str, Floats], rng: Random) -> Traits:
    """A student who may be the one believed in; what the observer doesn't look at is drawn like anybody's."""
    drawn = {
        aspect.trait: rng.choices(aspect.students, beliefs[name].tolist())[0] for name, aspect in aspects().items()
    }
    return replace(draw_traits(rng), **drawn)


@dataclass(frozen=True, kw_only=True)
class Headroom:
    """Bits per choice in students' final programs of free assignments, for an observer who has seen ..."""

    choices: int
    """How many choices."""
    students: int
    """Whose."""
    nothing: float
    """... nothing of the student."""
    finals: float
    """... the final programs of the student's set assignments."""
    drafts: float
    """... all drafts of these."""


def headroom(students: Iterable[Sequence[Seen]], observer: Observer) -> dict[str, Headroom]:
    """What there is to be found in a class, by aspect; a student without free or without set work is left out."""
    rows: dict[str, list[tuple[int, float, float, float]]] = {name: [] for name in aspects()}
    for traces in students:
        own, known = [t for t in traces if t.free], [t for t in traces if not t.free]
        if not own or not known:
            continue
        beliefs = [observer.beliefs(evidence) for evidence in ((), (t.final for t in known), (t.drafts for t in known))]
        for name, of_aspect in rows.items():
            made = [t.final[name] for t in own if t.final.get(name)]
            if made:
                nothing, finals, drafts = (
                    sum(observer.bits(belief, name, choices) for choices in made) for belief in beliefs
                )
                of_aspect.append((sum(map(len, made)), nothing, finals, drafts))
    return {name: _headroom(of_aspect) for name, of_aspect in rows.items() if of_aspect}


def _headroom(rows: Sequence[tuple[int, float, float, float]]) -> Headroom:
    choices, *bits = (sum(column) for column in zip(*rows, strict=True))
    nothing, finals, drafts = (round(total / choices, 4) for total in bits)
    return Headroom(choices=int(choices), students=len(rows), nothing=nothing, finals=finals, drafts=drafts)


def as_lines(found: Mapping[str, Headroom]) -> Iterator[str]:
    """A table of it."""
    yield f"{'bits per choice':<16}{'nothing':>9}{'finals':>9}{'drafts':>9}{'choices':>9}{'students':>9}"
    for name, row in found.items():
        yield (f"{name:<16}{row.nothing:>9.2f}{row.finals:>9.2f}{row.drafts:>9.2f}{row.choices:>9,}{row.students:>9,}")
