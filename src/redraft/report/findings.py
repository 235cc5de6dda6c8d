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
            found.append(f"{origin_words(row.origin, row.dataset)}: {_sentence(claim, row, rows)}")
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
    """`about`, who is ahead by how much, on how many, and what that may mean."""
    start = f"{claim.about} ({split_words(claim.split)})"
    if row.value is None or row.low is None:
        why = f": {row.note}" if row.note else ""
        return f"{start}, {claim.model} against {_name(claim.against)}: not testable{why}."
    sides = ", ".join(
        f"{_name(name)} {number(value)}" for name in (claim.model, claim.against)
        if (value := _side(rows, claim, name)) is not None
    )  # fmt: skip
    statistic = STATISTICS[claim.statistic] if claim.statistic != "mean" else "BLEU"
    numbers = (
        f"difference in {statistic} {with_interval(row)}, p {_p(row)}; {row.n} pairs of {row.n_students} students"
        f" and {row.n_titles} titles" + (f"; {row.clusters}" if row.clusters and "conditional" in row.clusters else "")
    )
    sides = f" ({sides})" if sides else ""
    if is_significant(row):
        ahead = "agrees better with the real traces than" if row.value > 0 else "agrees less with the real traces than"
        text = f"{start}: the {claim.model} model {ahead} {_name(claim.against)}{sides}; {numbers}."
    else:
        power = row.smallest_detectable
        text = (
            f"{start}: no significant difference between {claim.model} and {_name(claim.against)}{sides}; {numbers}"
            + (f"; only differences of {number(power)} or more were likely to be found" if power is not None else "")
            + "."
        )
    return f"{text} {_meaning(claim, row)}".rstrip()


def _meaning(claim: Claim, row: Result) -> str:
    if row.origin == "model":
        return "This is the imitation of a model, no evidence about students."
    if row.origin == "simulated":
        if not claim.planted:
            return "Nothing was planted here; it compares models on a simulated class and says nothing about students."
        recovered = is_significant(row) and (row.value or 0) > 0
        return f"Planted effect {'recovered' if recovered else 'missed'}."
    return ""


def _side(rows: Sequence[Result], claim: Claim, name: str) -> float | None:
    for row in rows:
        owner = row.model if row.baseline is None else row.baseline if row.model is None else None
        if (owner, row.metric, row.statistic, row.split) == (name, claim.metric, claim.statistic, claim.split) and (
            not row.condition
        ):
            return row.value
    return None


def _name(side: str) -> str:
    return {"title-mean": "the title mean", "student-mean": "the student mean"}.get(side, side)


def _p(row: Result) -> str:
    p = probability(row.p_adjusted if row.p_adjusted is not None else row.p)
    return p if p.startswith("<") else f"= {p}"
