"""A simulated class at work: which titles each student does, when, and what reaches the server.

In: the truth about the students, how many titles, a seed. Out: `Work`, one per (student, title), student by student;
each depends on the seed, its student and its title alone. Times are UTC, on school days between January and
December; gaps between runs are log-normal around the student's pace. Not guaranteed: that the traces of one student
never overlap in time.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import NamedTuple

from redraft.data.languages import COFFEESCRIPT
from redraft.data.simulate.assignments import class_titles, is_free
from redraft.data.simulate.process import write_program
from redraft.data.simulate.sheet import follow, sheet_of
from redraft.data.simulate.traits import Behaviour, Traits, Weights, behaviour, draw_traits
from redraft.data.simulate.truth import Truth
from redraft.data.trace import State, Trace

LONGEST = 1024
"""UTF-16 units of a program that the editor sends."""
FEWEST_SHARE, TAIL = 0.35, 1.5
"""Every student does at least this share of the titles; the rest is Pareto with this exponent, at most all."""
HOURS = Weights((13, 14, 15, 16, 17, 18, 19, 20), (6, 8, 10, 10, 9, 9, 8, 4))
"""School hours of the Americas, in UTC."""
TERMS = ((15, 160), (237, 350))
"""Days of the year with school."""
GAP_SPREAD = 0.5
"""Standard deviation of the logarithm of one student's gaps."""


class Event(NamedTuple):
    """One request to the server."""

    at: datetime
    action: str
    mode: str
    code: str


class Work(NamedTuple):
    """All that one student does under one title."""

    number: int
    title: str
    events: tuple[Event, ...]

    @property
    def codes(self) -> list[str]:
        """The programs that were run."""
        return [event.code for event in self.events if event.action == "run"]

    def trace(self, student: str) -> Trace:
        """The trace an ingest of the logs makes of it: what was run, cut as the editor does, repeats collapsed."""
        states: list[State] = []
        for event in self.events:
            if event.action != "run":
                continue
            code, cut = sent(event.code)
            code = code.rstrip()
            if states and states[-1].code == code:
                states.pop()
            states.append(State(code=code, at=event.at, language=COFFEESCRIPT, mode=event.mode, truncated=cut))
        return Trace(student=student, title=self.title, states=tuple(states), source="pencilcode")


def sent(code: str) -> tuple[str, bool]:
    """What the editor sends of a program, and whether that may be less than all of it."""
    units = code.encode("utf-16-le")
    return units[: 2 * LONGEST].decode("utf-16-le", "ignore"), len(units) >= 2 * LONGEST


class Manner(NamedTuple):
    """How a class works: everything but who is in it."""

    titles: int
    """How many titles the class has."""
    seed: int
    """Seed of everything but the traits."""
    strength: float = 1.0
    """How much traits count, 0 to 1."""
    redraw: bool = False
    """Draw other traits for each work."""
    drafts_tell: float = 0.0
    """Chance that a set assignment ends as its sheet says."""


def works_of(truth: Truth, number: int, manner: Manner, *, take: int | None = None) -> Iterator[Work]:
    """What student `number` does.

    Args:
        truth: The class.
        number: The student's place in it.
        manner: How the class works.
        take: None: the class's own works. A number: the same student on the same titles, another time.
    """
    again = "work" if take is None else f"take {take}"
    for title in _chosen(Random(f"{manner.seed} titles {number}"), class_titles(manner.titles)):
        rng = Random(f"{manner.seed} {again} {number} {title}")
        traits = draw_traits(rng) if manner.redraw else truth.students[number]
        yield work_on(rng, number, traits, title, manner)


def work_on(rng: Random, number: int, traits: Traits, title: str, manner: Manner) -> Work:
    """What a student of these traits does under one title."""
    person = behaviour(traits, manner.strength)
    codes = write_program(rng, person, title)
    if manner.drafts_tell and not is_free(title) and rng.random() < manner.drafts_tell:
        codes += follow(sheet_of(manner.seed, title), rng, person, title, after=codes[-1])
    return Work(number, title, tuple(_events(rng, person, codes)))


def _chosen(rng: Random, titles: list[str]) -> list[str]:
    """A student's titles: how many is heavy-tailed, the first ones are the most popular; in the class's order."""
    share = min(1.0, FEWEST_SHARE * rng.paretovariate(TAIL))
    keys = [rng.random() ** math.sqrt(rank + 2) for rank in range(len(titles))]
    chosen = sorted(range(len(titles)), key=keys.__getitem__, reverse=True)[: max(1, round(share * len(titles)))]
    return [titles[rank] for rank in sorted(chosen)]


def _events(rng: Random, person: Behaviour, codes: list[str]) -> Iterator[Event]:
    """The runs of `codes`, and a few other things: loads and saves, switches of the mode, double clicks."""
    at = _start(rng, person.years.draw(rng))
    mode = person.modes.draw(rng)
    if rng.random() < 0.04:
        yield Event(at - timedelta(seconds=rng.randint(2, 20)), "load", mode, codes[0])
    for turn, code in enumerate(codes):
        if turn:
            at += timedelta(seconds=max(2, round(person.pace * math.exp(rng.gauss(0, GAP_SPREAD)))))
            if rng.random() < 0.003:
                at += timedelta(days=1)
        if rng.random() < 0.01:
            mode = "t" if mode == "b" else "b"
            yield Event(at, "toggle", mode, code)
        yield Event(at, "run", mode, code)
        dirt = rng.random()
        if dirt < 0.015:
            yield Event(at, "run", mode, code)
        elif dirt < 0.03:
            yield Event(at + timedelta(seconds=1), "save", mode, code)


def _start(rng: Random, year: int) -> datetime:
    """A moment of a school day of `year`."""
    while True:
        day = datetime(year, 1, 1, tzinfo=UTC) + timedelta(days=rng.randint(*rng.choice(TERMS)))
        if day.weekday() < 5:
            return day + timedelta(hours=HOURS.draw(rng), seconds=rng.randrange(3600))
