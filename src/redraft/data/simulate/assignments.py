"""What the students of a simulated class write: assignments, each with several plans that differ in kind.

The plans stand in `assignments/*.toml`, as an array of tables per title. A plan's `code` is CoffeeScript for Pencil
Code in steps divided by blank lines (which are not part of the program); a comment that opens a step is written by
students who comment. `$name` is a slot: `$c1` .. `$c3` are different colours of the student's, `$w` the student's
pen width, and other names stand in the plan's `numbers` (low, high, step) or `words` (a list).

In: a title, a student's behaviour. Out: lines. Every filled plan compiles and runs (tests hold it to what can be
told without a compiler).
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from random import Random
from typing import Any, NamedTuple

from redraft.data.simulate.traits import Behaviour

BASE_TITLES = (
    "square", "star", "rainbow", "snowman", "house", "spiral", "flower", "race",
    "guessmynumber", "tictactoe", "story", "piano", "flag", "robot", "polygon", "dice",
    "clock", "maze", "garden", "quiz", "chart", "times", "skyline", "bounce",
)  # fmt: skip
"""The assignments there are, the most given first."""
FREE = frozenset(
    {
        "star", "snowman", "house", "spiral", "flower", "story",
        "flag", "robot", "garden", "chart", "skyline", "bounce",
    }
)  # fmt: skip
"""Of them, those whose sheet leaves everything to the student; the others are set (see `sheet`)."""

SLOT = re.compile(r"\$([a-z]+[0-9]?)")


class Line(NamedTuple):
    """A line of a filled plan; `remark` if it is a comment that opens a step."""

    text: str
    remark: bool = False


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One way to do an assignment."""

    code: str
    """CoffeeScript with slots, steps divided by blank lines."""
    numbers: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    """Slot -> lowest and highest value, step."""
    words: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Slot -> words to choose from."""

    @property
    def has_functions(self) -> bool:
        """Whether it defines functions."""
        return "->" in self.code

    @property
    def is_drawing(self) -> bool:
        """Whether the turtle draws without functions or questions, so that it can simply draw again."""
        return "$c1" in self.code and not self.has_functions and "await" not in self.code

    def fill(self, rng: Random, person: Behaviour) -> list[Line]:
        """The plan's lines with `person`'s colours, pen, and numbers and words of the moment."""
        values: dict[str, str] = {"w": str(person.pens.draw(rng))}
        shades: list[str] = []
        for slot in ("c1", "c2", "c3"):
            shades.append(person.colours.draw(rng, avoid=shades))
            values[slot] = shades[-1]
        for slot, (low, high, step) in self.numbers.items():
            values[slot] = str(rng.randrange(low, high + 1, step))
        for slot, choices in self.words.items():
            values[slot] = rng.choice(choices)
        lines, opens = [], True
        for text in self.code.splitlines():
            if text:
                lines.append(Line(SLOT.sub(lambda match: values[match[1]], text), opens and text[0] == "#"))
            opens = not text
        return lines


@cache
def catalogue() -> dict[str, tuple[Plan, ...]]:
    """Title -> its plans."""
    plans: dict[str, tuple[Plan, ...]] = {}
    for file in sorted((files(__package__) / "assignments").iterdir(), key=lambda entry: entry.name):
        for title, tables in tomllib.loads(file.read_text(encoding="utf-8")).items():
            plans[title] = tuple(_plan(table) for table in tables)
    assert set(plans) == set(BASE_TITLES)
    return plans


def _plan(table: dict[str, Any]) -> Plan:
    numbers = {slot: tuple(bounds) for slot, bounds in table.get("numbers", {}).items()}
    words = {slot: tuple(choices) for slot, choices in table.get("words", {}).items()}
    return Plan(code=table["code"], numbers=numbers, words=words)


def class_titles(count: int) -> list[str]:
    """The first `count` titles; beyond the list they come again, numbered: `square2`, `star2` ..."""
    rounds = -(-count // len(BASE_TITLES))
    return [f"{base}{turn + 1 if turn else ''}" for turn in range(rounds) for base in BASE_TITLES][:count]


def plans_for(title: str) -> tuple[Plan, ...]:
    """The plans of a title, numbered or not."""
    return catalogue()[base_of(title)]


def base_of(title: str) -> str:
    """The assignment of which a title is a variant: what it is without its number."""
    return title.rstrip("0123456789")


def is_free(title: str) -> bool:
    """Whether the title's sheet leaves everything to the student."""
    return base_of(title) in FREE


def choose_plan(rng: Random, person: Behaviour, title: str) -> Plan:
    """The plan `person` takes for `title`: one with functions by that trait, else another; rather a short one."""
    wants = rng.random() < person.functions
    plans = [plan for plan in plans_for(title) if plan.has_functions == wants] or list(plans_for(title))
    return rng.choices(plans, [len(plan.code) ** -0.5 for plan in plans])[0]
