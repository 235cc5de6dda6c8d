"""Who the students of a simulated class are: their traits, and what these make them do.

In: a random generator, or a truth table (see `truth`). Out: `Traits` (the truth, kept in `traits.parquet`) and
`Behaviour` (the same at a strength between 0 and 1, in the terms the writing process uses). Not guaranteed: that
traits of real students are spread, or independent of each other, like these. They are drawn independently.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")


class Weights(NamedTuple, Generic[T]):
    """A distribution over a few values."""

    values: tuple[T, ...]
    weights: tuple[float, ...]

    def draw(self, rng: Random, avoid: Collection[T] = ()) -> T:
        """One value; not one of `avoid` if another is left."""
        if avoid:
            left = [w * (v not in avoid) for v, w in zip(self.values, self.weights, strict=True)]
            if sum(left) > 0:
                return rng.choices(self.values, left)[0]
        return rng.choices(self.values, self.weights)[0]

    def towards(self, favourites: Sequence[T], shares: Sequence[float], strength: float) -> Weights[T]:
        """Move by `strength` towards a distribution where favourite i has `shares[i]`, and this one the rest."""
        own = dict(zip(favourites, shares, strict=True))
        total, rest = sum(self.weights), 1 - sum(own.values())
        mixed = []
        for value, weight in zip(self.values, self.weights, strict=True):
            usual = weight / total
            mixed.append(usual + strength * (own.get(value, 0.0) + rest * usual - usual))
        return Weights(self.values, tuple(mixed))


COLOURS = Weights(
    ("red", "blue", "green", "purple", "black", "orange", "yellow", "pink", "skyblue", "gold",
     "brown", "violet", "deeppink", "turquoise", "lime", "crimson", "navy", "teal", "coral", "maroon"),
    (14, 13, 10, 9, 9, 6, 6, 5, 4, 4, 3, 3, 3, 3, 2, 2, 2, 2, 2, 2),
)  # fmt: skip
SPEEDS = Weights((1, 2, 5, 10, 20, 50, 100), (1, 3, 4, 5, 4, 3, 3))
PENS = Weights((1, 2, 3, 5, 8, 10, 15, 20), (2, 3, 3, 5, 2, 5, 2, 2))
YEARS = Weights(tuple(range(2015, 2025)), (4, 5, 7, 9, 9, 10, 10, 8, 7, 5))
MODES = Weights(("b", "t"), (1.0, 1.0))


class Mixture(NamedTuple):
    """A `share` of the class draws a tendency from the first Beta distribution, the others from the second."""

    share: float
    some: tuple[float, float]
    others: tuple[float, float]

    @property
    def mean(self) -> float:
        """The class mean."""
        (a, b), (c, d) = self.some, self.others
        return self.share * a / (a + b) + (1 - self.share) * c / (c + d)

    def draw(self, rng: Random) -> float:
        """One student's tendency."""
        return rng.betavariate(*(self.some if rng.random() < self.share else self.others))


SKILL = Mixture(1.0, (2.2, 2.2), (1.0, 1.0))
BACKTRACKING = Mixture(0.38, (7.0, 9.5), (1.0, 25.0))
COMMENTS = Mixture(0.18, (10.0, 2.0), (1.0, 60.0))
FUNCTIONS = Mixture(0.28, (12.0, 1.5), (1.0, 12.0))
PACE, PACE_SPREAD = 17.0, 0.62
"""The class's median gap between runs in seconds, and the standard deviation of its logarithm over students."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Traits:
    """One student. Each field's `metadata["range"]` bounds what a truth table may hold."""

    skill: float = field(metadata={"range": (0, 1)})
    """0 to 1: the more, the fewer errors, the faster mended, and the fewer runs needed."""
    backtracking: float = field(metadata={"range": (0, 1)})
    """Chance, each run, to turn away from where the program is going."""
    comment_rate: float = field(metadata={"range": (0, 1)})
    """Chance that a program gets comments."""
    palette: tuple[str, ...] = field(metadata={"values": COLOURS.values})
    """Three favourite colours, the first one most."""
    speed: int = field(metadata={"values": SPEEDS.values})
    """The turtle's speed in nearly all programs that set one."""
    pen_width: int = field(metadata={"values": PENS.values})
    """The pen's width in nearly all programs that draw lines."""
    function_use: float = field(metadata={"range": (0, 1)})
    """Chance to take a plan with functions where there is one."""
    pace: float = field(metadata={"range": (1, 600)})
    """Median seconds between two runs."""
    year: int = field(metadata={"values": YEARS.values})
    """The year the student was in class."""
    mode: str = field(metadata={"values": MODES.values})
    """The editor's mode in nearly all traces: `b` blocks, `t` text. It changes nothing else."""
    placebo: float = field(metadata={"range": (-math.inf, math.inf)})
    """Standard normal, never used: whoever finds it in the traces has found noise."""


def draw_traits(rng: Random) -> Traits:
    """A student of the class, each trait drawn independently of the others."""
    palette: list[str] = []
    while len(palette) < 3:
        palette.append(COLOURS.draw(rng, avoid=palette))
    return Traits(
        skill=SKILL.draw(rng),
        backtracking=BACKTRACKING.draw(rng),
        comment_rate=COMMENTS.draw(rng),
        palette=tuple(palette),
        speed=SPEEDS.draw(rng),
        pen_width=PENS.draw(rng),
        function_use=FUNCTIONS.draw(rng),
        pace=min(120.0, max(4.0, math.exp(rng.gauss(math.log(PACE), PACE_SPREAD)))),
        year=YEARS.draw(rng),
        mode=MODES.draw(rng),
        placebo=rng.gauss(0, 1),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Behaviour:
    """What the writing process asks of a student. All chances are between 0 and 1."""

    error: float
    """Chance that a written line is wrong at first."""
    mend: float
    """Chance that a turn spent on an error removes it."""
    settle: float
    """Chance that a turn spent on a number or colour that isn't right yet leaves it as wanted."""
    once: float
    """Chance that a program is run once only."""
    stamina: float
    """Mean number of runs after the first, where there are any."""
    backtracking: float
    """Chance, each run, to turn away from where the program is going."""
    comments: float
    """Chance that a program gets comments."""
    functions: float
    """Chance to take a plan with functions where there is one."""
    pace: float
    """Median seconds between two runs."""
    colours: Weights[str]
    speeds: Weights[int]
    pens: Weights[int]
    years: Weights[int]
    modes: Weights[str]


def behaviour(traits: Traits, strength: float) -> Behaviour:
    """How a student with `traits` behaves when these count by `strength` (0: like the class's mean; 1: fully).

    A chance moves linearly from the class's mean to the student's own, the pace on a log scale, and a choice of
    colour, speed ... from the class's distribution to the student's.
    """

    def shrunk(own: float, mean: float) -> float:
        return mean + strength * (own - mean)

    skill = shrunk(traits.skill, SKILL.mean)
    return Behaviour(
        error=0.035 - 0.03 * skill,
        mend=0.06 + 0.14 * skill,
        settle=0.45 + 0.5 * skill,
        once=0.2 + 0.66 * skill,
        stamina=12.0 - 10.0 * skill,
        backtracking=shrunk(traits.backtracking, BACKTRACKING.mean),
        comments=shrunk(traits.comment_rate, COMMENTS.mean),
        functions=shrunk(traits.function_use, FUNCTIONS.mean),
        pace=math.exp(shrunk(math.log(traits.pace), math.log(PACE))),
        colours=COLOURS.towards(traits.palette, (0.5, 0.3, 0.14), strength),
        speeds=SPEEDS.towards((traits.speed,), (0.94,), strength),
        pens=PENS.towards((traits.pen_width,), (0.9,), strength),
        years=YEARS.towards((traits.year,), (1.0,), strength),
        modes=MODES.towards((traits.mode,), (0.94,), strength),
    )
