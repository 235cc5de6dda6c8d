"""What students do to a line: slips that make it fail, and other numbers and colours that don't.

In: a line of CoffeeScript. Out: another line, or None where there is nothing to change. Strings and comments are
left alone. A misspelt name is never a name of Pencil Code's, so that running it raises a ReferenceError.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random

from redraft.data.simulate.traits import COLOURS, Weights

COMMANDS = frozenset(
    {
        "fd", "bk", "rt", "lt", "pen", "dot", "box", "fill", "speed", "jump", "jumpto", "moveto", "turnto", "slide",
        "home", "wear", "label", "write", "play", "say", "random", "button", "click", "keydown", "tick", "pause",
        "hide", "grow", "read", "readnum", "round", "floor",
    }
)  # fmt: skip
"""Pencil Code's names that the plans use."""
SPELT_OUT = {
    "fd": ("forward", "foward"), "bk": ("back", "backward"), "rt": ("right", "rigth"), "lt": ("left", "letf"),
}  # fmt: skip
"""Names a beginner expects; none is defined."""
PLAIN = ("white", "snow", "lightgray", "gray", "indigo")
"""Colours only plans use."""
NAMES = COMMANDS | set(COLOURS.values) | set(PLAIN)
TAKEN = NAMES | {
    "pe", "pu", "pd", "pf", "st", "ht", "cs", "do", "if", "in", "is", "of", "on", "or", "by", "to", "no", "and", "not",
    "off", "yes", "then", "when",
}  # fmt: skip
"""What a misspelling must not come out as: names that are defined, words of the language."""

STRING = r"'[^']*'|\"[^\"]*\""
WORD = re.compile(rf"{STRING}|#.*|(?<![\w.$])[A-Za-z]\w*")
NUMBER = re.compile(rf"{STRING}|#.*|(?<![\w$])(?<!\w\.)\d+(?![\w.])")
ANGLES = (30, 45, 60, 72, 90, 120, 135, 144, 180, 360)


def is_code(token: str) -> bool:
    """Whether a match of `WORD` or `NUMBER` is code rather than a string or a comment."""
    return token[0] not in "'\"#"


def misspell(rng: Random, line: str) -> str | None:
    """A command or colour misspelt, or a command stuck to its number (`fd100`)."""
    found = [match for match in WORD.finditer(line) if match[0] in NAMES]
    if not found:
        return None
    match = rng.choice(found)
    word, before, after = match[0], line[: match.start()], line[match.end() :]
    if re.match(r" \d", after) and not before.strip() and rng.random() < 0.15:
        return f"{before}{word}{after[1:]}"
    if word in SPELT_OUT and rng.random() < 0.6:
        return f"{before}{rng.choice(SPELT_OUT[word])}{after}"
    for _ in range(8):
        wrong = rng.choice(MISTYPINGS)(word, rng.randrange(len(word) - 1))
        if wrong not in TAKEN and len(wrong) > 1:
            return f"{before}{wrong}{after}"
    return None


MISTYPINGS: tuple[Callable[[str, int], str], ...] = (
    lambda word, i: word[:i] + word[i + 1] + word[i] + word[i + 2 :],
    lambda word, i: word[: i + 1] + word[i + 2 :],
    lambda word, i: word[: i + 1] + word[i:],
    lambda word, i: word.capitalize(),
)
"""Swap two letters, leave one out, double one, begin with a capital."""


def unbalance(rng: Random, line: str) -> str | None:
    """A closing quote or bracket forgotten."""
    ends = [i for i, sign in enumerate(line) if sign in ")]"]
    strings = [match.end() - 1 for match in WORD.finditer(line) if match[0][0] in "'\""]
    if line.lstrip().startswith("#") or not ends + strings:
        return None
    cut = rng.choice(ends + strings)
    return line[:cut] + line[cut + 1 :]


def dedent(rng: Random, line: str) -> str | None:
    """The indentation forgotten."""
    return line.lstrip() if line.startswith(" ") else None


SLIPS = Weights((misspell, unbalance, dedent), (8, 2, 1))
"""The ways to get a line wrong."""


def slip(rng: Random, line: str) -> str | None:
    """The line with an error in it."""
    return SLIPS.draw(rng)(rng, line) or misspell(rng, line)


def retune(rng: Random, line: str) -> str | None:
    """One number of the line changed to another a student might try; habits (speed, pen) stay."""
    if line.startswith(("speed", "pen")):
        return None
    found = [match for match in NUMBER.finditer(line) if is_code(match[0]) and match[0] != "0"]
    if not found:
        return None
    match = rng.choice(found)
    value = int(match[0])
    if value in ANGLES and line.lstrip()[:2] in ("rt", "lt", "tu"):
        tries = [angle for angle in ANGLES if angle != value]
    elif value < 10:
        tries = [other for other in (value - 1, value + 1, value + 2, value * 2) if other > 0]
    else:
        tries = [value - 10, value + 10, value + 20, value + 50, value // 2, value * 2, value * 10]
    new = rng.choice([other for other in tries if other not in (0, value)])
    return f"{line[: match.start()]}{new}{line[match.end() :]}"


def recolour(rng: Random, line: str, colours: Weights[str]) -> str | None:
    """One colour of the line changed to another of `colours`."""
    found = [match for match in WORD.finditer(line) if match[0] in COLOURS.values]
    if not found:
        return None
    match = rng.choice(found)
    return f"{line[: match.start()]}{colours.draw(rng, avoid=(match[0],))}{line[match.end() :]}"
