"""Findings: every claim with its verdict, whatever came out.

In: results rows of any studies. Out: a sentence or two for each claim that was measured; a table with one line for
every claim, also as a page of Markdown. Which comparisons are told, and what it takes to support one, was fixed
beforehand (`studies.claims`); what isn't significant is said to be so, and nothing is said about students unless
students wrote the traces.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

from redraft import results
from redraft.plots.style import VIEW_STYLE, origin_words
from redraft.plots.tables import Table, number, probability, split_words, table, with_interval
from redraft.plots.words import BANNERS, verdicts
from redraft.results import Result
from redraft.studies.common.claims import Claim, Verdict, judge, metric_words, own_claims
from redraft.studies.registry import STUDIES

STATISTICS = own_claims().statistics
"""Statistic -> words."""
CONDITIONAL = {
    "student (conditional)": "; holds for these titles only",
    "title (conditional)": "; holds for these students only",
}
"""By what was resampled: what an interval from one side only is limited to."""


def findings(run: Path, limit: int | None = 3) -> list[str]:
    """The run's most important findings, a sentence or two each, beginning with the origin of the data.

    Args:
        run: A run's folder, with results of at least one study.
        limit: How many; None for all.
    """
    return sentences(read_rows(run), limit)


def read_rows(run: Path) -> list[Result]:
    """The rows of all studies that have claims and were run."""
    return [row for study in STUDIES if study.claims for row in results.of_study(run, study.name)]


def sentences(rows: Sequence[Result], limit: int | None = None) -> list[str]:
    """The claims that were measured, each with its verdict, in the order of `claims.toml`."""
    found = [_sentence(verdict, rows) for verdict in judge(rows) if verdict.row is not None]
    return found[:limit]


def by_study(rows: Sequence[Result], each: int = 3) -> dict[str, list[str]]:
    """Study -> the sentences of its `each` most important claims that were measured; all claims are in the table."""
    return {study: sentences([row for row in rows if row.study == study], each)
            for study in dict.fromkeys(row.study for row in rows)}  # fmt: skip


def claims_table(rows: Sequence[Result], claims: Sequence[Claim] | None = None) -> Table:
    """One line for every claim, measured or not: what it says, what came out, and the verdict the origin allows."""
    verdicts = judge(rows, claims)
    lines = [
        (
            verdict.claim.study, verdict.claim.about, claim_sides(verdict.claim), _difference(verdict.row),
            probability(verdict.p), f"±{number(verdict.claim.margin)}", _counts(verdict.row), _printed(verdict.claim),
            "; ".join(filter(None, [verdict.words, _knowable(verdict, rows)])),
        )
        for verdict in verdicts
    ]  # fmt: skip
    origins = dict.fromkeys(origin_words(row.origin, row.dataset) for row in rows)
    caption = (
        f"{'; '.join(origins)}. Written down before the run (claims.toml). A claim is supported if the 95% interval of "
        "the difference is beyond zero in its direction, p is below .05 after Holm's correction within the study, and "
        "the difference is at least the smallest of interest; equivalent if its 90% interval lies within the margin "
        "(two one-sided tests at .05). Only students' own traces can support or contradict a claim: in a simulated "
        "class planted effects are recovered or missed, and a model's traces show how that model is imitated. d: the "
        "mean difference in standard deviations of the single differences; of correlations and scores the difference "
        "is the effect size."
    )
    header = ("study", "claim", "compared", "difference", "p (Holm)", "margin", "n / students / titles", "paper",
              "verdict")  # fmt: skip
    measured = [verdict.row for verdict in verdicts if verdict.row is not None]
    return table("findings", "Every claim and its verdict", caption, header, lines, measured, words=3, last_words=2)


def findings_page(run: Path, command: str = "") -> str:
    """The findings as Markdown, to be kept or sent: what the data is, how it was made, a line per claim by study.

    Args:
        run: A run's folder, with results of at least one study.
        command: What made the run.
    """
    rows = read_rows(run)
    shown = claims_table(rows)
    origin, dataset = rows[0].origin, rows[0].dataset
    lines = [f"# Findings: {dataset}", "", f"**{origin_words(origin, dataset)}.** {BANNERS[origin]}", ""]
    lines += [f"Made by `{command}` on {datetime.now(UTC):%Y-%m-%d}.", ""] if command else []
    lines += [shown.caption, ""]
    for study, of_study in groupby(shown.rows, key=lambda cells: cells[0]):
        lines += [f"## {study[0].upper()}{study[1:]}", "", markdown_row(shown.header[1:]), "| --- " * 8 + "|"]
        lines += [*(markdown_row(cells[1:]) for cells in of_study), ""]
    return "\n".join(lines)


def markdown_row(cells: Sequence[str]) -> str:
    """A line of a Markdown table."""
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _sentence(verdict: Verdict, rows: Sequence[Result]) -> str:
    """The claim, the verdict, by how much, on how many, and what that may mean."""
    claim, row = verdict.claim, verdict.row
    assert row is not None
    begin = f"{origin_words(row.origin, row.dataset)}. Claim: “{claim.about}.”"
    numbers = _numbers(verdict, row, rows)
    if verdict.outcome == "not testable":
        return f"{begin} This is not testable here: {verdict.reason}{f' ({numbers})' if numbers else ''}."
    weak = verdict.outcome == "inconclusive" and verdict.seen == "not significant"
    text = f"{begin} {_outcome(verdict)} ({numbers})."
    if weak and verdict.reason:
        text += f" {verdict.reason[0].upper()}{verdict.reason[1:]}."
    if weak and row.smallest_detectable is not None:
        text += f" Only a difference of {number(row.smallest_detectable)} or more was likely to be found."
    if known := _knowable(verdict, rows):
        text += f" {known[0].upper()}{known[1:]}."
    return f"{text} {_meaning(verdict, row)}".rstrip() + verdicts([row])


def _outcome(verdict: Verdict) -> str:
    """What is seen; for students' traces, the verdict before it."""
    claim, row = verdict.claim, verdict.row
    assert row is not None
    sides = f" between {_name(claim.model)} and {_name(claim.other)}" if claim.other else ""
    what = "difference" if claim.other else "agreement"
    side = "higher" if (row.value or 0) > 0 else "lower"
    seen = {
        "not significant": f"no significant {what}{sides}",
        "no difference that matters": f"no {what} that matters{sides}",
    }.get(verdict.seen, f"{_name(claim.model)} is {side} than {_name(claim.other) if claim.other else 'zero'}")
    if verdict.unfinished:
        names = " and ".join(verdict.unfinished)
        return f"Of these checkpoints, as {names} had not converged: {seen}"
    if row.origin == "students":
        seen = f"{verdict.outcome}{', as claimed' if verdict.holds else ''}: {seen}"
    return seen[0].upper() + seen[1:]


def _numbers(verdict: Verdict, row: Result, rows: Sequence[Result]) -> str:
    """Both sides' values if they stand on the same pairs, the difference, p, and how many."""
    claim = verdict.claim
    if row.value is None:
        alone = _side(rows, claim, claim.model)
        known = alone is not None and alone.value is not None
        return f"the {claim.model} model alone has a {_statistic(claim)} of {with_interval(alone)}" if known else ""
    a, b = (_side(rows, claim, name) for name in (claim.model, claim.against))
    sides = f" {number(a.value)} against {number(b.value)}" if a and b and a.n == b.n == row.n else ""
    what = f"{_statistic(claim)}{sides}, difference " if claim.other else f"{_statistic(claim)} "
    p = f", p {_p(verdict.p)}" if verdict.p is not None else ""
    released = "; by the released code's definition" if row.definitions == "released" else ""
    limits = CONDITIONAL.get(row.clusters or "", "") + released
    return f"{what}{_difference(row)}{p}; {_counts(row, words=True)}{limits}"


def _difference(row: Result | None) -> str:
    """With its interval, and its effect size where that is another number."""
    d = "" if row is None or row.effect_size is None else f", d {number(row.effect_size)}"
    return f"{with_interval(row)}{d}"


def _knowable(verdict: Verdict, rows: Sequence[Result]) -> str:
    """What there was to know where a model's agreement isn't significant: that of the students' own training means."""
    claim = verdict.claim
    if verdict.outcome != "inconclusive" or claim.statistic not in ("within_r", "pooled_r"):
        return ""
    known = _side(rows, claim, "student-mean")
    if known is None or known.value is None:
        return ""
    return f"the mean of the student's own training traces has {with_interval(known)}"


def _meaning(verdict: Verdict, row: Result) -> str:
    if row.origin == "model":
        return "This is the imitation of a model, no evidence about students."
    if row.origin == "simulated":
        if not verdict.claim.planted:
            return "A comparison of models on a simulated class; it says nothing about students."
        return f"{verdict.of_planted[0].upper()}{verdict.of_planted[1:]}."
    return ""


def _side(rows: Sequence[Result], claim: Claim, name: str) -> Result | None:
    """The row of one side alone."""
    for row in rows:
        owner = row.model if row.baseline is None else row.baseline if row.model is None else None
        address = (owner, row.study, row.metric, row.statistic, row.split, row.subgroup)
        if address == (name, claim.study, claim.metric, claim.statistic, claim.split, None) and (
            row.condition == claim.condition
        ):
            return row
    return None


def _statistic(claim: Claim) -> str:
    """What the numbers are: `BLEU`, `kept success`, `within-title r`."""
    if claim.statistic not in ("mean", "value"):
        return STATISTICS[claim.statistic]
    return metric_words(claim.metric)


def claim_sides(claim: Claim) -> str:
    """What a claim compares, of which metric, where: `trace − last, BLEU of bleu_final (seen student, seen title)`."""
    sides = f"{claim.model} − {claim.other}" if claim.other else claim.model
    where = [split_words(claim.split)] if claim.split else []
    where += [f"{key} {value}" for key, value in claim.condition.items() if key != "against"]
    return f"{sides}, {STATISTICS[claim.statistic]} of {claim.metric}" + (f" ({'; '.join(where)})" if where else "")


def _printed(claim: Claim) -> str:
    return ", ".join(f"{side} {value:.3g}" for side, value in claim.printed.items()) or "–"


def _counts(row: Result | None, *, words: bool = False) -> str:
    if row is None:
        return "–"
    if words:
        units = f"{row.n} pairs" if row.study in ("behaviour", "adapt") else f"n = {row.n}"
        return f"{units}, {row.n_students} students, {row.n_titles} titles"
    return f"{row.n} / {row.n_students} / {row.n_titles}"


OTHERS = {
    "title-mean": "the title mean",
    "other-student": "another student's vector",
    "shuffled": "another student's vector",
    "permuted": "permuted ones",
    "least": "students who do least of it",
    "own": "the student's own voice",
    "matched": "other students with as many traces",
    "0.5 s": "half a second",
    "k=0": "none of the student's traces",
    "k=4": "four of the student's traces",
}
"""Sides that aren't models, in words."""


def _name(side: str) -> str:
    return f"the {side} model" if side in VIEW_STYLE else OTHERS.get(side, side.replace("-", " "))


def _p(p: float | None) -> str:
    shown = probability(p)
    return shown if shown.startswith("<") else f"= {shown}"
