"""Figure and table of the study of variance: what is the student's, what the title's.

In: a folder with `results/variance.parquet`. Out: figures and tables; nothing here opens the dataset.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D

from redraft import results
from redraft.plots.style import BASELINE, VIEW_STYLE, Figure, draw, origin_words, quiet
from redraft.plots.tables import Table, counts, table, with_interval
from redraft.results import Result

STYLES = {
    "student_share": ("student", VIEW_STYLE["trace"][0], "o"),
    "title_share": ("title", VIEW_STYLE["last"][0], "s"),
    "residual_share": ("neither", BASELINE, "x"),
}
"""Statistic -> label, colour, marker."""

METHODS: tuple[str, ...] = (
    "The shares come from crossed random effects, y = mean + student + title + rest, one value a pair of a student "
    "and a title (no language model). Variances are moment estimates (Gao and Owen 2017), which are the analysis of "
    "variance where every student did every title; one below 0 counts as 0. 95% intervals are from jackknifes over "
    "students and over titles, whose variances add up, with Satterthwaite's degrees of freedom. 'Rest' is "
    "everything that is neither the student's nor the title's alone: chance, and what a student does on this title "
    "only. A prediction that knows only who the student is can't correlate with the truth within titles by more "
    "than the root of the student's share within titles.",
)


def sentences(rows: Sequence[Result]) -> list[str]:
    """What came out: the student's share of each metric that has one."""
    return [
        f"{origin_words(row.origin, row.dataset)}. {row.metric}: share of the student {with_interval(row)}"
        for row in rows if row.statistic == "student_share" and row.value is not None
    ]  # fmt: skip


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
        axes.set_yticks(range(len(metrics)), [metric.replace("_", " ") for metric in metrics])
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


def tables(folder: Path) -> list[Table]:
    """All shares, and the most that knowing the student alone can give within titles."""
    rows = results.of_study(folder, "variance")
    names = (*STYLES, "student_within_title_share")
    lines = []
    for metric in dict.fromkeys(row.metric for row in rows):
        mine = {row.statistic: row for row in rows if row.metric == metric}
        first = mine[names[0]]
        lines.append((metric, *(with_interval(mine[name]) for name in names), counts(first), str(first.unscored),
                      first.note or ""))  # fmt: skip
    header = ("metric", "student", "title", "rest", "student within titles", "pairs / students / titles", "unscored",
              "note")  # fmt: skip
    caption = (
        "Shares of variance with 95% intervals. 'Student within titles' is student / (student + rest). A dash is "
        "unscored; the note says why."
    )
    return [table("variance", "Shares of variance", caption, header, lines, rows, last_words=1)] if lines else []
