"""Findings: one sentence for each claim of the behaviour study, whatever came out.

In: results rows. Out: sentences with intervals. Which comparisons are told was fixed beforehand (`studies.claims`);
what isn't significant is said to be so, and nothing is said about students unless students wrote the traces.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from redraft import results
from redraft.report.style import origin_words
from redraft.report.tables import number, probability, split_words, with_interval
from redraft.results import Result
from redraft.studies.claims import PRIMARY, PRIMARY_FAMILY, Claim

STATISTICS = {
    "within_r": "within-title r",
    "pooled_r": "pooled r",
    "between_r": "between-title r",
    "mean": "mean",
}
SIGNIFICANT = 0.05
CONDITIONAL = {
    "student (conditional)": "; holds for these titles only",
    "title (conditional)": "; holds for these students only",
}
"""By what was resampled: what an interval from one side only is limited to."""


def findings(run: Path, limit: int | None = 3) -> list[str]:
    """The run's most important findings, a sentence or two each, beginning with the origin of the data.

    Args:
        run: A run's folder, evaluated.
        limit: How many; None for all.
    """
    return sentences(results.read(run / "results" / "behaviour.parquet"), limit)


def sentences(rows: Sequence[Result], limit: int | None = None) -> list[str]:
    """The findings in the rows of the behaviour study."""
    found = []
    for claim in PRIMARY:
        row = find(rows, claim)
        if row is not None:
            sentence = _sentence(claim, row, rows)
            found.append(f"{origin_words(row.origin, row.dataset)}. {sentence[0].upper()}{sentence[1:]}")
    return found[:limit]


def find(rows: Sequence[Result], claim: Claim) -> Result | None:
    """The row of a claim's comparison, without conditions."""
    wanted = (claim.metric, f"{claim.statistic}_difference", claim.model, claim.against, claim.split)
    for row in rows:
        key = (row.metric, row.statistic, row.model, row.baseline, row.split)
        if row.family == PRIMARY_FAMILY and not row.condition and key == wanted:
            return row
    return None


def is_significant(row: Result) -> bool:
    """The interval is beyond zero and p, corrected, below .05."""
    p = row.p_adjusted if row.p_adjusted is not None else row.p
    beyond = row.low is not None and row.high is not None and (row.low > 0 or row.high < 0)
    return beyond and p is not None and p < SIGNIFICANT


def reading(row: Result, claim: Claim) -> str:
    """What a claim's row amounts to, in the words its origin allows."""
    if row.value is None:
        return "not testable"
    if row.low is None:
        return "not testable (no interval)"
    outcome = "not significant"
    if is_significant(row):
        outcome = f"{claim.model} {'higher' if row.value > 0 else 'lower'}"
    if row.origin == "simulated" and claim.planted:
        hit = is_significant(row) and row.value > 0
        return f"{outcome}: planted effect {'recovered' if hit else 'missed'}"
    return outcome + {"model": ": imitation of a model"}.get(row.origin, "")


def _sentence(claim: Claim, row: Result, rows: Sequence[Result]) -> str:
    """Who is ahead in what, by how much, on how many, and what that may mean."""
    where = f"in {claim.about} ({split_words(claim.split)})"
    against = _name(claim.against)
    statistic = "BLEU" if claim.metric.startswith("bleu") else STATISTICS[claim.statistic]
    a, b = (_side(rows, claim, name) for name in (claim.model, claim.against))
    if row.value is None or row.low is None:
        alone = f"; the {claim.model} model alone has a {statistic} of {with_interval(a)}" if a and a.value else ""
        why = (row.note or "too little data").split("; ")[-1]
        return (
            f"whether the {claim.model} model is ahead of {against} {where} is not testable with these {row.n} pairs"
            f" ({why}){alone}."
        )
    if is_significant(row):
        verb = "agrees better with the real traces than" if row.value > 0 else "agrees less with the real traces than"
        text = f"the {claim.model} model {verb} {against} {where}"
    else:
        text = f"no significant difference between the {claim.model} model and {against} {where}"
    # Each side's own value is told only if it stands on the same pairs as the difference.
    same = a and b and a.n == b.n == row.n
    sides = f"{statistic} {number(a.value)} against {number(b.value)}, " if a and b and same else f"{statistic}, "
    conditional = CONDITIONAL.get(row.clusters or "", "")
    text += (
        f": {sides}difference {with_interval(row)}, p {_p(row)} ({row.n} pairs, {row.n_students} students,"
        f" {row.n_titles} titles{conditional})."
    )
    if not is_significant(row) and row.smallest_detectable is not None:
        text += f" Only a difference of {number(row.smallest_detectable)} or more was likely to be found."
    return f"{text} {_meaning(claim, row)}".rstrip()


def _meaning(claim: Claim, row: Result) -> str:
    if row.origin == "model":
        return "This is the imitation of a model, no evidence about students."
    if row.origin == "simulated":
        if not claim.planted:
            return "A comparison of models on a simulated class; it says nothing about students."
        recovered = is_significant(row) and (row.value or 0) > 0
        return f"Planted effect {'recovered' if recovered else 'missed'}."
    return ""


def _side(rows: Sequence[Result], claim: Claim, name: str) -> Result | None:
    for row in rows:
        owner = row.model if row.baseline is None else row.baseline if row.model is None else None
        if (owner, row.metric, row.statistic, row.split) == (name, claim.metric, claim.statistic, claim.split) and (
            not row.condition
        ):
            return row
    return None


def _name(side: str) -> str:
    return {"title-mean": "the title mean"}.get(side, f"the {side} model")


def _p(row: Result) -> str:
    p = probability(row.p_adjusted if row.p_adjusted is not None else row.p)
    return p if p.startswith("<") else f"= {p}"
