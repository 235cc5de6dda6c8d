"""What the behaviour study measures and which comparisons it is judged by, fixed before any result is seen."""

from __future__ import annotations

from dataclasses import dataclass

FINAL_METRICS = (
    "comments_final", "functions_final", "colours_final", "turtle_final", "box_final", "await_final", "year_final",
)  # fmt: skip
"""Properties of final programs (paper figure 2)."""

TRACE_METRICS = (
    "attempts", "backtracking", "backtracking_t3", "seconds_active", "edit_distance_mean", "large_add_count",
    "small_add_count", "large_del_count", "small_del_count", "modify_count", "colour_change_count",
    "number_change_count", "comment_added_count", "function_added_count",
)  # fmt: skip
"""Properties of whole traces (paper figure 3)."""

FINAL_TEXT = ("bleu_final", "colour_cosine")
TRACE_TEXT = ("bleu_trace", "colour_cosine_trace")
"""Likeness of a pair's samples to its real trace, averaged over pairs."""

FINAL_ONLY = frozenset({"last"})
"""Views whose models write final programs only; trace metrics don't apply to them."""

CONTRASTS = (("trace", "last"), ("trace", "synthetic"))
"""Pairs of views that are compared on every metric both have."""

PRIMARY_FAMILY = "behaviour: primary"


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A comparison that counts: a model against another, or against a baseline."""

    metric: str
    """The metric's name in the registry."""
    statistic: str
    """within_r, pooled_r or mean; the claim is about the difference."""
    model: str = "trace"
    """The view expected to be ahead."""
    against: str
    """Another view, or a baseline."""
    split: str
    """Where."""
    about: str
    """What is compared, in words a teacher understands."""
    planted: bool = False
    """A simulated class has this effect: its students keep their habits from title to title."""


PRIMARY: tuple[Claim, ...] = (
    Claim(
        metric="bleu_final", statistic="mean", against="last", split="seen-seen",
        about="the text of the final program",
    ),
    Claim(
        metric="backtracking", statistic="within_r", against="synthetic", split="seen-seen", planted=True,
        about="how often a student backtracks, compared with others on the same title",
    ),
    Claim(
        metric="colour_cosine", statistic="mean", against="last", split="seen-seen",
        about="which colours a student uses",
    ),
    Claim(
        metric="comments_final", statistic="pooled_r", against="title-mean", split="seen-seen", planted=True,
        about="how many comments a student's final program has",
    ),
    Claim(
        metric="comments_final", statistic="within_r", against="last", split="seen-seen",
        about="how many comments a student writes, compared with others on the same title",
    ),
    Claim(
        metric="bleu_final", statistic="mean", against="last", split="seen-unseen",
        about="the text of the final program, on titles the models never saw",
    ),
    Claim(
        metric="bleu_final", statistic="mean", against="last", split="unseen-seen",
        about="the text of the final program, of students the models never saw",
    ),
)  # fmt: skip
"""In order of importance: the first three are what a run ends with. Holm's correction is over all of them."""
