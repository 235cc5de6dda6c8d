"""Tables of the adaptation study, which say why if nothing is scored.

In: a run's folder with `results/adapt.parquet`. Out: tables.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from redraft import results
from redraft.plots.tables import DASH, Table, number, probability, table, with_interval
from redraft.results import Result
from redraft.studies.adapt.pick import (
    BITS,
    BOTH,
    CACHE,
    MEAN_VECTOR,
    OTHER,
    STATISTICS,
    is_scored,
    ks_of,
    reason,
    row_at,
    views,
    words,
)


def tables(run: Path) -> list[Table]:
    """The study's tables."""
    rows = results.of_study(run, "adapt")
    found = []
    for view in views(rows):
        mine = [row for row in rows if row.model == view]
        found += [_bits_table(view, mine), _generated_table(view, mine)]
    return [made for made in found if made]


def _bits_table(view: str, rows: Sequence[Result]) -> Table:
    header = (
        "k", "epochs", "learning rate", "own", "another's", "own − another's", "p (Holm)", "own − mean vector",
        "own − k = 0", "cache − k = 0", "vector and cache − own", "detectable", "students",
    )  # fmt: skip
    shown = [row for row in rows if row.metric in (BITS, "bits_per_character", "fit_epochs")]
    epochs = {int(row.condition["k"]): row for row in rows if row.metric == "fit_epochs"}
    lines = []
    for k in ks_of(rows, BITS):
        own = row_at(rows, BITS, "mean", k)
        chosen = epochs.get(k)
        apart, mean, begun = (row_at(rows, BITS, "mean_difference", k, name) for name in (OTHER, MEAN_VECTOR, "k=0"))
        lines.append((
            str(k), number(chosen.value, 0) if chosen else DASH, chosen.condition["lr"] if chosen else DASH,
            with_interval(own, 1), with_interval(row_at(rows, BITS, "mean", k, OTHER), 1), with_interval(apart, 2),
            probability(apart.p_adjusted if apart else None), with_interval(mean, 2), with_interval(begun, 2),
            with_interval(row_at(rows, BITS, "mean_difference", k, "k=0", way=CACHE), 2),
            with_interval(row_at(rows, BITS, "mean_difference", k, "own", way=BOTH), 2),
            number(apart.smallest_detectable if apart else None, 2), str(own.n if own else 0),
        ))  # fmt: skip
    caption = (
        "Bits a test trace; less is better. Differences: below zero, the student's own traces are worth more. "
        "'Cache' is a neural cache of the first k traces, which needs no fitting. 'Detectable' is the difference that "
        "would be found with 80% power." + _plateau(rows)
    )
    if not is_scored(rows, BITS):
        caption = f"{reason(rows)[:1].upper()}{reason(rows)[1:]}."
    return table(f"adapt-{view}", f"New students, {view} model: bits", caption, header, lines, shown)


def _plateau(rows: Sequence[Result]) -> str:
    """A sentence on whether later traces add anything to earlier ones."""
    found = [
        row for row in rows
        if row.metric == BITS and row.value is not None and (row.baseline or "k=0").startswith("k=")
        and row.baseline not in (None, "k=0") and "way" not in row.condition
    ]  # fmt: skip
    return "".join(
        f" k = {row.condition['k']} against {str(row.baseline).replace('=', ' = ')}: {with_interval(row, 2)} bits."
        for row in found
    )


def _generated_table(view: str, rows: Sequence[Result]) -> Table | None:
    keys = dict.fromkeys(
        (row.metric, row.statistic) for row in rows if row.statistic in STATISTICS and not row.metric.startswith("bits")
    )
    if not keys or not any(is_scored(rows, metric) for metric, _ in keys):
        return None
    header = ("metric", "statistic", "k", "own", "another's", "own − another's", "p (Holm)", "own − k = 0", "pairs")
    lines = []
    for metric, statistic in keys:
        for k in ks_of(rows, metric):
            own = row_at(rows, metric, statistic, k)
            apart, begun = (row_at(rows, metric, f"{statistic}_difference", k, name) for name in (OTHER, "k=0"))
            lines.append((
                words(metric), statistic.replace("_", " "), str(k), with_interval(own),
                with_interval(row_at(rows, metric, statistic, k, OTHER)), with_interval(apart),
                probability(apart.p_adjusted if apart else None), with_interval(begun), str(own.n if own else 0),
            ))  # fmt: skip
    shown = [row for row in rows if any(row.metric == metric for metric, _ in keys)]
    caption = "Agreement of generated traces with the student's own. A dash is unscored: what never varies has no r."
    return table(
        f"adapt-generated-{view}", f"New students, {view} model: generated traces", caption, header, lines, shown,
        words=2, folded=True,
    )  # fmt: skip
