"""Rows of the probes, picked for their figures and tables, and what they are called.

In: results rows of the study `probe`. Out: those wanted, and words.
"""

from __future__ import annotations

from collections.abc import Sequence

from redraft.results import Result

TARGET_WORDS = {
    "title": "title (hidden)", "is_last": "is the last state", "halfway": "past halfway",
    "backtracks": "will backtrack", "attempts_left": "attempts to come", "seconds_left_log": "seconds left (log)",
    "seconds_left": "seconds left", "distance_to_final": "edit distance to final", "final_runs": "final program runs",
}  # fmt: skip
SIDES: dict[str, tuple[str, str]] = {
    "shuffled": ("x", "another student's vector"), "matched": ("+", "another's, same year and mode"),
    "permuted": (".", "embeddings exchanged"), "untrained": ("1", "untrained model"),
    "surface": ("2", "surface features"), "always-yes": ("|", "always yes"), "trace-count": ("1", "trace count"),
    "year": ("2", "year"), "title-mix": ("3", "title mix"),
}  # fmt: skip
"""Control or baseline -> thin grey marker and words."""
DIFFERENCE = "_difference"


def part(rows: Sequence[Result], name: str) -> list[Result]:
    """The rows of code or students."""
    return [row for row in rows if row.condition.get("part") == name]


def views(rows: Sequence[Result]) -> list[str]:
    """The views probed, the one with controls first."""
    own = [row for row in rows if row.condition.get("input") == "own" and "against" not in row.condition]
    return list(dict.fromkeys(row.model for row in own if row.model))


def side(row: Result) -> str:
    """The view, control or baseline that a score is of."""
    control = row.condition.get("input", "own")
    return control if control != "own" else row.model or row.baseline or ""


def grouping(rows: Sequence[Result]) -> str:
    """What the main probes' folds keep whole."""
    return next((row.condition["grouping"] for row in rows if row.baseline and "grouping" in row.condition), "student")


def is_score(row: Result, folds: str) -> bool:
    """Whether a row is a score with the main folds."""
    return "against" not in row.condition and row.condition.get("grouping", folds) == folds


def target(row: Result) -> str:
    """What a code probe's row is about, in words."""
    return TARGET_WORDS[row.metric.removeprefix("probe_")]


def side_words(name: str) -> str:
    """A view, control or baseline in words."""
    return SIDES[name][1] if name in SIDES else name
