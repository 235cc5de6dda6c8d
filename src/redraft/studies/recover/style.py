"""How a program is written, as far as simple counts tell, and how far a program is from a student's own.

In: programs. Out: `FEATURES` of each, and a distance. A feature is a count a line that isn't blank, so that long
programs and short ones compare. **Style distance** of a program from a student: the root mean square, over the
features, of (its value - the mean over the student's own programs) / the feature's standard deviation over reference
programs (those of training; of the programs at hand where there are none). Features that don't vary, or that a
language has no profile for, are left out; without any, or without a program of the student's, it is unscored.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from redraft.data.edits import lines_of
from redraft.metrics.behaviour import program_facts
from redraft.metrics.bootstrap import Floats
from redraft.metrics.languages import PROFILES

KEYWORDS = ("turtle", "box", "await")
FEATURES = (
    "comments", "functions", "colours", *KEYWORDS, "characters", "words", "indented", "blank",
)  # fmt: skip
"""A line that isn't blank: comment lines, functions defined, colour names, three keywords, characters, white-space
tokens, lines indented, blank lines."""


@lru_cache(maxsize=50_000)  # a student's own programs are asked for again with every candidate
def features(code: str, language: str | None) -> Floats:
    """The features of a program, (F,); nan where the language has no profile, all nan if it has no line."""
    lines = lines_of(code)
    full = [line for line in lines if line.strip()]
    if not full:
        return np.full(len(FEATURES), np.nan)
    facts = program_facts(code, PROFILES.get(language or ""))
    counts = [
        facts.comments, facts.functions, facts.colours.total(), *(facts.words.get(word) for word in KEYWORDS),
        sum(len(line) for line in full), sum(len(line.split()) for line in full),
        sum(line[0] in " \t" for line in full), len(lines) - len(full),
    ]  # fmt: skip
    return np.array([np.nan if count is None else count / len(full) for count in counts], dtype=np.float64)


class Style:
    """How much programs differ in style.

    Args:
        reference: (N, F) features of the programs that say how much each feature varies.
    """

    def __init__(self, reference: Floats) -> None:
        self._scale = np.full(len(FEATURES), np.nan)
        for index, column in enumerate(reference.T):
            known = column[np.isfinite(column)]
            if len(known) > 1 and np.ptp(known) > 1e-9:
                self._scale[index] = known.std(ddof=1)

    @classmethod
    def of(cls, programs: Sequence[str], language: str | None) -> Style:
        """From reference programs of one language."""
        return cls(np.array([features(code, language) for code in programs]).reshape(-1, len(FEATURES)))

    def distance(self, code: str, own: Sequence[str], language: str | None) -> float | None:
        """How far a program is from a student's own ones; None: unscored."""
        theirs = np.array([row for each in own if np.isfinite(row := features(each, language)).any()])
        if not len(theirs):
            return None
        apart = (features(code, language) - theirs.mean(axis=0)) / self._scale
        scored = apart[np.isfinite(apart)]
        return float(np.sqrt((scored**2).mean())) if len(scored) else None
