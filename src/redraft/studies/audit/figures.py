"""The figure of the bias audit: where a model knows some less well than the rest.

In: a run's folder with `results/audit.parquet`. Out: the figure, none without a scored gap.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure as Canvas

from redraft import results
from redraft.metrics.registry import METRICS
from redraft.plots.style import INK, MUTED, Figure, draw, origin_words, quiet, view_style
from redraft.plots.words import definitions
from redraft.results import Result
from redraft.studies.audit.study import GAP, SIGNIFICANT


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
            axes.set_title(METRICS[metric].words, color=INK)
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
        "error (see the table) may only mean that the subgroup varies less." + definitions(shown),
        alt="Dots with intervals: gaps in within-title r by subgroup, metric and model.",
    )]  # fmt: skip


def _most(rows: Sequence[Result], group: str) -> int:
    return max(row.n for row in rows if row.subgroup == group)
