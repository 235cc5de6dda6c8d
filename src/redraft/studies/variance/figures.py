"""The figure of the study of variance: the shares of each metric.

In: a folder with `results/variance.parquet`. Out: the figure, none without a scored share.
"""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D

from redraft import results
from redraft.metrics.registry import labels
from redraft.plots.style import BASELINE, VIEW_STYLE, Figure, draw, origin_words, quiet
from redraft.plots.tables import counts

STYLES = {
    "student_share": ("student", VIEW_STYLE["trace"][0], "o"),
    "title_share": ("title", VIEW_STYLE["last"][0], "s"),
    "residual_share": ("neither", BASELINE, "x"),
}
"""Statistic -> label, colour, marker."""


def figures(folder: Path) -> list[Figure]:
    """The shares of each metric, if the study was run and anything is scored."""
    shown = [row for row in results.of_study(folder, "variance") if row.statistic in STYLES and row.value is not None]
    if not shown:
        return []
    metrics = list(dict.fromkeys(row.metric for row in shown))
    stamp = origin_words(shown[0].origin, shown[0].dataset)

    def paint(canvas: Canvas) -> None:
        axes = canvas.subplots()
        for number, (statistic, (_, colour, marker)) in enumerate(STYLES.items()):
            mine = [row for row in shown if row.statistic == statistic]
            y = [metrics.index(row.metric) + (number - 1) * 0.22 for row in mine]
            bars = [(at, row.low, row.high) for at, row in zip(y, mine, strict=True) if row.low is not None]
            if bars:
                axes.hlines(*zip(*bars, strict=True), color=colour, linewidth=1.5)
            axes.plot([row.value or 0.0 for row in mine], y, marker, color=colour, markersize=5)
        axes.set_yticks(range(len(metrics)), list(labels(metrics).values()))
        axes.set(xlim=(-0.02, 1.02), ylim=(len(metrics) - 0.4, -0.6), xlabel="share of the variance over pairs")
        axes.grid(visible=False, axis="y")
        quiet(axes, keep="bottom")
        handles = [Line2D([], [], color=c, marker=m, linestyle="", label=name) for name, c, m in STYLES.values()]
        canvas.legend(handles=handles, loc="outside upper left", ncols=3)

    n = {counts(row) for row in shown}
    return [draw(
        "variance", paint, size=(6.4, 1.1 + 0.34 * len(metrics)), stamp=stamp, points=results.to_table(shown),
        title="What is the student's, what the title's?",
        caption=f"{stamp}. Shares of each metric's variance over pairs of a student and a title; bars are 95% "
        "intervals. Where the student's share is next to nothing, no model can know the student by this metric. "
        f"Pairs / students / titles: {'; '.join(sorted(n))}.",
        alt="Dots with intervals: for each metric the shares of variance of student, title and neither.",
    )]  # fmt: skip
