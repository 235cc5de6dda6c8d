"""The table of the bias audit: every subgroup beside the rest.

In: a run's folder with `results/audit.parquet`. Out: the table.
"""

from __future__ import annotations

from pathlib import Path

from redraft import results
from redraft.plots.tables import DASH, Table, counts, number, probability, table, with_interval
from redraft.studies.audit.study import GAP, SIGNIFICANT


def tables(folder: Path) -> list[Table]:
    """Every subgroup: r, error, and their gaps to the rest."""
    rows = results.of_study(folder, "audit")
    gaps = {(r.model, r.metric, r.subgroup, r.statistic): r for r in rows if r.baseline}
    lines, significant = [], 0
    alone = {(r.model, r.metric, r.subgroup, r.statistic): r for r in rows if not r.baseline}
    for model, metric, group in dict.fromkeys((r.model, r.metric, r.subgroup) for r in rows if r.baseline):
        for statistic in ("within_r", "mean_error", "mean_absolute_error", "mean"):
            gap = gaps.get((model, metric, group, f"{statistic}{GAP}"))
            if gap is not None:
                own = alone[model, metric, group, statistic]
                lines.append((model or DASH, metric, group or DASH, statistic.replace("_", " "), number(own.value),
                              with_interval(gap), probability(gap.p), probability(gap.p_adjusted), counts(own),
                              gap.remarks))  # fmt: skip
                significant += gap.p_adjusted is not None and gap.p_adjusted < SIGNIFICANT
    tested = sum(row.p_adjusted is not None for row in gaps.values())
    caption = (
        f"Of {tested} gaps tested, {significant} have p < .05 after correction. Gap: the subgroup less all other test "
        "pairs. Mean error is generated less real. A dash is unscored; the note says why."
    )
    header = ("model", "metric", "subgroup", "statistic", "in the subgroup", "gap", "p", "p (largest gap)",
              "pairs / students / titles", "note")  # fmt: skip
    return [table("audit", "Bias audit", caption, header, lines, list(gaps.values()), words=4, last_words=1,
                  folded=True)] if lines else []  # fmt: skip
