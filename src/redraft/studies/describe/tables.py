"""Tables of what is in a dataset (paper tables 1 and 2).

In: a folder with `results/describe.parquet`. Out: tables, none without a row.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from redraft import results
from redraft.plots.tables import DASH, Table, split_words, table
from redraft.results import Result
from redraft.studies.describe.study import CATEGORIES, NUMBERS, SHARES

QUANTILES = ("mean", "min", "q05", "q25", "q50", "q75", "q95", "max")


def tables(folder: Path) -> list[Table]:
    """Splits, distributions, shares, titles and rejected input, as far as there are any."""
    rows = results.of_study(folder, "describe")
    return [made for made in (_splits(rows), _distributions(rows), _shares(rows), _titles(rows), _rejected(rows))
            if made.rows]  # fmt: skip


PRINTED = {
    "train": "2,941,032 / 1,110,554", "seen-seen": "507,221 / 226,673", "seen-unseen": "71,799 / 49,240",
    "unseen-seen": "259,345 / 208,666", "unseen-unseen": "8,814 / 6,185",
}  # fmt: skip
"""The paper's table 2: traces / students of each split of Pencil Code."""


def _splits(rows: Sequence[Result]) -> Table:
    shown = [row for row in rows if row.split and row.statistic == "count"]
    by_split: dict[tuple[str, str], dict[str, str]] = {}
    for row in shown:
        key = (row.condition.get("split_name", ""), row.split or "")
        by_split.setdefault(key, {})[row.metric] = _count(row)
    lines = [(name, split_words(split), *(cells.get(unit, DASH) for unit in ("traces", "students", "titles")),
              PRINTED.get(split, DASH))
             for (name, split), cells in by_split.items()]  # fmt: skip
    caption = (
        "Pairs of a student and a title, and the students and titles among them; beside them the paper's table 2, of "
        "Pencil Code's 3.8 million traces."
    )
    header = ("name", "split", "pairs", "students", "titles", "paper: traces / students")
    return table("splits", "Splits", caption, header, lines, shown, words=2)


def _distributions(rows: Sequence[Result]) -> Table:
    shown = [row for row in rows if row.metric in NUMBERS and row.statistic in QUANTILES and not row.subgroup]
    by_metric: dict[str, dict[str, Result]] = {}
    for row in shown:
        by_metric.setdefault(row.metric, {})[row.statistic] = row
    lines = [
        (NUMBERS[name].label, f"{cells['mean'].n:,}", *(f"{cells[q].value:,.4g}" for q in QUANTILES))
        for name, cells in by_metric.items()
    ]
    header = ("", "n", "mean", "least", "5%", "25%", "median", "75%", "95%", "most")
    return table("distributions", "What is in the data", "Mean and quantiles.", header, lines, shown)


def _shares(rows: Sequence[Result]) -> Table:
    shown = [row for row in rows if row.metric in SHARES or row.metric in CATEGORIES]
    lines = []
    for row in shown:
        label = (SHARES.get(row.metric) or CATEGORIES[row.metric]).label
        if "value" in row.condition:
            label = f"{label}: {row.condition['value']}"
        value = DASH if row.value is None else f"{100 * row.value:.1f}%"
        lines.append((label, value, f"{row.n:,} {row.level}s"))
    return table("shares", "Shares", "Of the states or traces that have a value.", ("", "share", "of"), lines, shown,
                 folded=True)  # fmt: skip


def _titles(rows: Sequence[Result]) -> Table:
    shown = [row for row in rows if row.subgroup and row.metric == "states_per_trace"]
    lines = [(row.subgroup or "", f"{row.n_students:,}", f"{row.n:,}", f"{row.value:.2f}") for row in shown]
    return table("titles", "Most used titles", "Titles of one student only are never listed.",
                 ("title", "students", "traces", "mean states per trace"), lines, shown, folded=True)  # fmt: skip


def _rejected(rows: Sequence[Result]) -> Table:
    shown = [row for row in rows if row.metric == "rejected"]
    lines = [(row.condition["reason"].replace("_", " "), _count(row)) for row in shown]
    return table("rejected", "Input not used", "By the first reason that applied.", ("reason", "lines or records"),
                 lines, shown)  # fmt: skip


def _count(row: Result) -> str:
    return DASH if row.value is None else f"{int(row.value):,}"
