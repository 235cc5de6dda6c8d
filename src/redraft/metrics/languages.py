"""What comments, functions and counted words look like in each language the metrics know.

In: a language's name as the sources record it. Out: a `Profile`, or None for any other language, whose metrics are
then unscored. These are patterns on lines, not parsers: a function inside a string is counted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from redraft.data.languages import COFFEESCRIPT, JAVA, JAVASCRIPT, PYTHON


@dataclass(frozen=True, kw_only=True, eq=False)
class Profile:
    """How one language is read."""

    comment: str
    """What a comment line starts with, after blanks."""
    function: re.Pattern[str]
    """One match a function defined on a line."""
    keywords: tuple[str, ...] = ()
    """Words counted as metrics; a word a language doesn't have is unscored in it."""


_JAVA_FUNCTION = (
    r"->|^\s*(?!(?:else|return|new|throw)\b)(?:[\w.<>\[\],?@]+\s+)+\w+\s*\([^;()]*\)\s*(?:throws\s[\w.,\s]+)?(?:\{|$)"
)

_TURTLE_WORDS = ("turtle", "box", "await")

PROFILES: dict[str, Profile] = {
    COFFEESCRIPT: Profile(comment="#", function=re.compile(r"->|=>|\bfunction\b"), keywords=_TURTLE_WORDS),
    JAVASCRIPT: Profile(comment="//", function=re.compile(r"=>|\bfunction\b"), keywords=_TURTLE_WORDS),
    PYTHON: Profile(
        comment="#", function=re.compile(r"^\s*(?:async\s+)?def\b|\blambda\b"), keywords=("turtle", "await")
    ),
    JAVA: Profile(comment="//", function=re.compile(_JAVA_FUNCTION)),
}
"""Language, as the sources record it -> its profile."""


def is_comment(line: str, profile: Profile) -> bool:
    """Whether the line's first non-blank characters start a comment (corrected: `#ff0000` or an inline # is none)."""
    return line.lstrip().startswith(profile.comment)


@lru_cache(maxsize=10_000)  # drafts repeat most of their lines
def functions_in(line: str, profile: Profile) -> int:
    """How many functions the line defines, arguments or not; a comment line defines none."""
    return 0 if is_comment(line, profile) else len(profile.function.findall(line))
