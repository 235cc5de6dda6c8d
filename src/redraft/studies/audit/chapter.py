"""Figure and table of the bias audit: where a model knows some less well than the rest.

In: a run's folder with `results/audit.parquet`. Out: figures and tables, from its rows alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure as Canvas

from redraft import results
from redraft.plots.style import INK, MUTED, Figure, draw, origin_words, quiet, view_style
from redraft.plots.tables import DASH, Table, counts, number, probability, table, with_interval
from redraft.results import Result

GAP = "_difference"
SIGNIFICANT = 0.05

METHODS: tuple[str, ...] = (
    "The bias audit compares every subgroup (year, editor mode, language, activity, frequency of the title, and any "
    "covariate handed in with the logs) with all other test pairs. The within-title r says whether the model knows who "
    "is who there. It falls where real values range less, without any bias, so the mean error (generated less real) "
    "and the mean absolute error stand beside it.",
    "Bars are 95% intervals of the gap (students and titles resampled). p is from exchanging the subgroup labels of "
    "whole students, or of whole titles, and is corrected for all subgroups, metrics and statistics of a model by the "
    "largest standardised gap (Westfall and Young's single step). Subgroups may write other titles: a gap says where "
    "to look, not why.",
)


def sentences(rows: Sequence[Result]) -> list[str]:
    """The gaps that are significant after correction, and of how many they are."""
    tested = [row for row in rows if row.p_adjusted is not None]
    found = [row for row in tested if (row.p_adjusted or 0) < SIGNIFICANT]
    told = []
    for row in found:
        name = row.statistic.removesuffix(GAP).replace("_", " ")
        told.append(
            f"{origin_words(row.origin, row.dataset)}. {row.model}, {row.subgroup}: {name} of {row.metric} differs "
            f"from the rest by {with_interval(row)}, p {probability(row.p_adjusted)} ({row.n} pairs, "
            f"{row.n_students} students)"
        )
    return [*told, f"{len(found)} of {len(tested)} gaps are significant after correction."]


def figures(folder: Path) -> list[Figure]:
    """The gaps in within-title r, a panel a metric, if any is scored."""
    rows = results.of_study(folder, "audit")
    shown = [row for row in rows if row.statistic == f"within_r{GAP}" and row.value is not None]
    if not shown:
        return []
    metrics, groups, views = (list(dict.fromkeys(getattr(row, name) for row in shown))
                              for name in ("metric", "subgroup", "model"))  # fmt: skip
    stamp = origin_words(shown[0].origin, shown[0].dataset)

    def paint(canvas: Canvas) -> None:
        panels = canvas.subplots(1, len(metrics), squeeze=False, sharex=True, sharey=True)[0]
        for axes, metric in zip(panels, metrics, strict=True):
            for place, view in enumerate(views):
                mine = [row for row in shown if (row.metric, row.model) == (metric, view)]
                y = [groups.index(row.subgroup) + (place - (len(views) - 1) / 2) * 0.7 / len(views) for row in mine]
                colour, marker = view_style(view, views)
                for at, row in zip(y, mine, strict=True):
                    found = row.p_adjusted is not None and row.p_adjusted < SIGNIFICANT
                    if row.low is not None and row.high is not None:
                        axes.plot([row.low, row.high], [at, at], color=colour, linewidth=1.4, alpha=1 if found else 0.5)
                    axes.plot([row.value or 0.0], [at], marker, color=colour, markersize=5,
                              markerfacecolor=colour if found else "white")  # fmt: skip
            axes.axvline(0, color=MUTED, linewidth=0.9)
            axes.set_title(metric.replace("_", " "), color=INK)
            axes.set_xlabel("gap in within-title r")
            axes.grid(visible=False, axis="y")
            quiet(axes, keep="bottom")
        panels[0].set_yticks(range(len(groups)), [f"{g} ({_most(shown, g)})" for g in groups])
        panels[0].set_ylim(len(groups) - 0.5, -0.5)
        handles = [panels[0].plot([], [], view_style(v, views)[1], color=view_style(v, views)[0], label=v)[0]
                   for v in views]  # fmt: skip
        canvas.legend(handles=handles, loc="outside upper left", ncols=6)

    return [draw(
        "audit", paint, size=(2.2 + 1.9 * len(metrics), 1.3 + 0.16 * len(groups) * (1 + len(views))), stamp=stamp,
        points=results.to_table(shown), title="Whom does a model know less well?",
        caption=f"{stamp}. A subgroup's within-title r less that of the rest: left of the line the model knows the "
        "subgroup less well. Bars are 95% intervals; a filled mark is a gap with p < .05 after correction for all "
        "subgroups, an open one is not significant. In parentheses the subgroup's pairs. A lower r without a larger "
        "error (see the table) may only mean that the subgroup varies less.",
        alt="Dots with intervals: gaps in within-title r by subgroup, metric and model.",
    )]  # fmt: skip


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
                              gap.note or ""))  # fmt: skip
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


def _most(rows: Sequence[Result], group: str) -> int:
    return max(row.n for row in rows if row.subgroup == group)
