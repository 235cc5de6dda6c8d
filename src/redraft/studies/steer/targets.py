"""What a model may be steered by: how much of something a trace holds.

In: a target's name, a trace. Out: a number, nan where it is unscored. Targets are the metrics of programs and traces,
and those that the paper's appendix J names beside: certain colours (`colour:NAME`), high speeds (`speed`), the language
of texts, of which the script is seen (`other_script`).
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from redraft.data.trace import Trace
from redraft.errors import InputError, suggestion
from redraft.metrics.behaviour import TraceFacts, trace_facts
from redraft.metrics.colours import COLOURS
from redraft.metrics.registry import MEASURED, METRICS

FASTEST = 1000.0
"""What `speed Infinity` counts as."""
COLOUR = "colour:"

_SPEED = re.compile(r"\bspeed\b\s*\(?\s*(\d+(?:\.\d+)?|Infinity)")
_TEXT = re.compile(r"""(["'])((?:\\.|(?!\1)[^\\\n])*)\1|(?:#|//)(.*)""")


@dataclass(frozen=True, kw_only=True)
class Target:
    """Something that students do more or less of."""

    name: str
    level: str = "program"
    """What it describes: the final program, or the trace."""
    unit: str
    definition: str
    of: Callable[[Trace, TraceFacts], float | None]
    """How much of it a trace holds; None: unscored."""


def target_named(name: str) -> Target:
    """A target.

    Raises:
        InputError: There is none of this name.
    """
    if name in OWN_TARGETS:
        return OWN_TARGETS[name]
    if name in MEASURED:
        metric, compute = METRICS[name], MEASURED[name]
        return Target(name=name, level=metric.level, unit=metric.unit, definition=metric.definition,
                      of=lambda _, facts: compute(facts))  # fmt: skip
    colour = name.removeprefix(COLOUR)
    if name.startswith(COLOUR) and colour in COLOURS:
        number = COLOURS.index(colour)
        return Target(
            name=name, unit="occurrences", definition=f"Occurrences of the word `{colour}` in the final program.",
            of=lambda _, facts: facts.programs[-1].colours[number],
        )  # fmt: skip
    known = [*OWN_TARGETS, *MEASURED, *(COLOUR + colour for colour in COLOURS)]
    raise InputError(f"unknown target {name!r} in [steer]. {suggestion(name, known)}")


def amounts(trace: Trace, targets: Sequence[Target], language: str | None = None) -> list[float]:
    """How much of each target a trace holds; nan where unscored.

    Args:
        trace: A student's or a generated one.
        targets: What is looked for.
        language: Stands in for states that record none.
    """
    if not trace.states:  # a sample without a whole program
        return [math.nan] * len(targets)
    facts = trace_facts(trace, language)
    found = [target.of(trace, facts) for target in targets]
    return [math.nan if value is None else float(value) for value in found]


def _speed(trace: Trace, _: TraceFacts) -> float | None:
    said = _SPEED.findall(trace.final.code)
    speed = (FASTEST if said[-1] == "Infinity" else min(float(said[-1]), FASTEST)) if said else 0.0
    return math.log2(speed) if speed > 0 else None


def _other_script(trace: Trace, _: TraceFacts) -> float | None:
    texts = (inside or comment for _, inside, comment in _TEXT.findall(trace.final.code))
    letters = [letter for text in texts for letter in text if letter.isalpha()]
    return sum(not _is_latin(letter) for letter in letters) / len(letters) if letters else None


@lru_cache(maxsize=10_000)
def _is_latin(letter: str) -> bool:
    return unicodedata.name(letter, "").startswith(("LATIN", "FULLWIDTH LATIN", "FEMININE", "MASCULINE"))


OWN_TARGETS = {
    target.name: target
    for target in (
        Target(
            name="speed", unit="doublings", of=_speed,
            definition="log2 of the number after the last `speed` in the final program, `Infinity` and all above it "
            f"taken for {FASTEST:,.0f}; unscored without one above 0.",
        ),
        Target(
            name="other_script", unit="share of letters", of=_other_script,
            definition="Share of the letters in the final program's strings and comments that aren't Latin; unscored "
            "without any.",
        ),
    )
}  # fmt: skip
"""Targets that are no metric of the registry."""
