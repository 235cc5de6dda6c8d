"""Rows of the recovery study, picked for its figures, tables and sentences, and what they are called.

In: results rows of the study `recover`. Out: those wanted, and words.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from redraft.results import Result
from redraft.studies.recover.estimates import ALL, ANY_BASELINE, BESIDE, PRIMARY, STUDENT
from redraft.studies.recover.measures import KEPT

WORDS = {
    "executes": "final program runs", "attempts": "programs until the end", "bleu_recovered": "BLEU to the real final",
    "kept_success_final": "kept success, final program", KEPT: "kept success",
    "kept_success_amended": "kept success, amended lines count", "kept_success_first": "kept success, ranked first",
    "recovered": "a running program found", "edit_size": "characters typed", "lines_kept": "lines kept",
    "style_distance": "style distance (sd)",
}  # fmt: skip
RULES = BESIDE["beside"]


def views_of(rows: Iterable[Result]) -> list[str]:
    """The models that rows are about, in order."""
    return list(dict.fromkeys(row.model for row in rows if row.model))


def means(rows: Sequence[Result], **wanted: object) -> list[Result]:
    """Means of sides over all cases."""
    return [
        row for row in rows
        if row.statistic == "mean" and row.split == ALL and all(getattr(row, k) == v for k, v in wanted.items())
    ]  # fmt: skip


def primary_condition(rows: Sequence[Result]) -> dict[str, str]:
    """Voice, time and start of the primary comparisons."""
    found = next((row.condition for row in rows if row.family == PRIMARY), {})
    return {key: value for key, value in found.items() if key != "candidates"}


def main_row(
    rows: Sequence[Result], *, metric: str, model: str | None = None, baseline: str | None = None,
    beside: str | None = None,
) -> Result | None:  # fmt: skip
    """A side's mean with the most candidates; a model's under the primary condition, beside rules if asked for."""
    main = primary_condition(rows)
    mine = [
        row for row in means(rows, metric=metric, model=model, baseline=baseline)
        if is_main(row, main) and row.condition.get("beside") == beside
    ]  # fmt: skip
    return max(mine, key=lambda row: int(row.condition["candidates"]), default=None)


def is_main(row: Result, main: dict[str, str]) -> bool:
    """Of a baseline; or of a model under the primary condition, alone or beside rules."""
    return row.model is None or {key: row.condition.get(key) for key in main} == main


def grid_size(rows: Sequence[Result]) -> str:
    """The number of candidates that every time has."""
    sizes: dict[str, set[str]] = {}
    for row in rows:
        if row.model and row.statistic == "mean" and row.metric == "executes":
            sizes.setdefault(row.condition["seconds"], set()).add(row.condition["candidates"])
    common = set.intersection(*sizes.values()) if sizes else set()
    return max(common, key=int, default="")


def who(view: str | None, baseline: str | None, beside: str | None = None) -> str:
    """A side in words."""
    if baseline in (STUDENT, ANY_BASELINE):
        return "students themselves" if baseline == STUDENT else "any of these baselines"
    if beside:
        return f"{view} beside {beside}"
    return view or f"{(baseline or '').replace('-', ' ')} (baseline)"
