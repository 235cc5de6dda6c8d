"""Figures of the adaptation study (paper figure 6).

In: a run's folder with `results/adapt.parquet` and `points-adapt-students.parquet`. Out: figures, none without a scored
value.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from redraft import results
from redraft.plots.style import BASELINE, MUTED, Figure, draw, origin_words, view_style
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
    row_at,
    views,
    words,
)

K = "k, first traces fitted to"


def figures(run: Path) -> list[Figure]:
    """The study's figures, of the models it has values for."""
    rows = results.of_study(run, "adapt")
    found = []
    for view in views(rows):
        mine = [row for row in rows if row.model == view]
        points = results.read_points(run / "points-adapt-students.parquet").to_pylist()
        found += [_bits(view, mine, [point for point in points if point["model"] == view]), _generated(view, mine)]
    return [figure for figure in found if figure]


def _curve(
    axes: Axes, rows: Sequence[Result | None], colour: str, marker: str, label: str, *, line: str = "-",
    beside: bool = False,
) -> None:  # fmt: skip
    """Values against k with 95% intervals; `beside` another curve, a little to the right, so that both can be seen."""
    shown = [row for row in rows if row is not None and row.value is not None]
    k = [float(row.condition["k"]) for row in shown]
    k = [at + 0.02 * max(k) * beside for at in k]
    axes.plot(k, [row.value or 0.0 for row in shown], color=colour, marker=marker, markersize=5, linestyle=line,
              markeredgecolor="white", markeredgewidth=0.6, label=label, zorder=3)  # fmt: skip
    bars = [(at, row.low, row.high) for at, row in zip(k, shown, strict=True) if row.low is not None]
    if bars:
        axes.vlines(*zip(*bars, strict=True), color=colour, linewidth=1.5, zorder=2)


def _bits(view: str, rows: Sequence[Result], points: list[dict[str, Any]]) -> Figure | None:
    """Bits against k, the difference to another student's, and every student's own curve."""
    if not is_scored(rows, BITS):
        return None
    ks = ks_of(rows, BITS)
    stamp = origin_words(rows[0].origin, rows[0].dataset)
    colour, marker = view_style(view, [view])
    shown = [row for row in rows if row.metric == BITS]
    n = max(row.n for row in shown)

    def paint(canvas: Canvas) -> None:
        left, middle, right = canvas.subplots(1, 3)
        _curve(left, [row_at(rows, BITS, "mean", k) for k in ks], colour, marker, "own traces")
        others = [row_at(rows, BITS, "mean", k, OTHER) for k in ks]
        _curve(left, others, BASELINE, "s", "another student's (control)", line="--", beside=True)
        for number, (way, label) in enumerate(
            ((CACHE, "neural cache, no vector"), (BOTH, "own vector and neural cache"))
        ):
            cached = [row_at(rows, BITS, "mean", k, way=way) for k in ks]
            if any(cached):
                _curve(left, cached, colour, "v^"[number], label, line=("-.", ":")[number], beside=True)
        mean = row_at(rows, BITS, "mean", None, MEAN_VECTOR)
        if mean is not None and mean.value is not None:
            left.axhline(mean.value, color=BASELINE, linewidth=1.2, linestyle=":", label="mean vector (control)")
        left.set(xlabel=K, ylabel="bits a test trace", title="What a test trace costs")
        apart = {name: [row_at(rows, BITS, "mean_difference", k, name) for k in ks] for name in (OTHER, MEAN_VECTOR)}
        _curve(middle, apart[OTHER], colour, marker, "own − another's")
        _curve(middle, apart[MEAN_VECTOR], BASELINE, "D", "own − mean vector", beside=True)
        middle.axhline(0, color=MUTED, linewidth=0.9)
        middle.set(xlabel=K, ylabel="bits a test trace", title="What one's own are worth")
        _students(right, points, colour)
        for axes in (left, middle, right):
            axes.set_xticks(ks)
        left.legend(loc="lower left", bbox_to_anchor=(0, 1.1), borderaxespad=0)
        middle.legend(loc="lower left", bbox_to_anchor=(0, 1.1), borderaxespad=0)

    return draw(
        f"adapt-bits-{view}", paint, size=(9.6, 3.8), stamp=f"{stamp}, n = {n} new students",
        points=results.to_table(shown),
        title=f"New students: how few traces are enough? ({view} model)",
        caption=f"{stamp}. {n} students whom the model had not met. Left: what a later trace of theirs costs, in "
        "bits, after their vector was fitted to their first k traces; grey: with the vector of another new student "
        "fitted to as many traces of the same year, and with the mean of all trained vectors. Broken lines: with a "
        "neural cache of the first k traces. Middle: the "
        "differences; below zero, the student's own traces say something about the student. Right: each student, "
        "against the vector it began as. Bars are 95% intervals (students resampled).",
        alt="Three panels against the number of traces fitted to: bits with own, another student's and the mean "
        "vector; differences with intervals; a thin line for each student.",
    )  # fmt: skip


def _students(axes: Axes, points: list[dict[str, Any]], colour: str) -> None:
    """Each student's bits against those with the vector it began as."""
    own = {(point["student"], point["k"]): point["bits"] for point in points if point["voice"] == "own"}
    students, ks = (sorted({key[i] for key in own}) for i in (0, 1))
    change = np.array([[own[s, k] - own[s, ks[0]] for k in ks] for s in students])
    axes.plot(ks, change.T, color=colour, alpha=max(0.08, min(0.5, 8 / len(students))), linewidth=1)
    axes.plot(ks, np.median(change, axis=0), color=colour, linewidth=2, label="median student")
    axes.axhline(0, color=MUTED, linewidth=0.9)
    axes.set(xlabel=K, ylabel=f"bits, compared with k = {ks[0]:g}", title="Student by student")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1.1), borderaxespad=0)


def _generated(view: str, rows: Sequence[Result]) -> Figure | None:
    """The paper's figure 6: text likeness and correlations of generated traces against k."""
    panels = [
        (metric, statistic)
        for statistic in STATISTICS
        for metric in dict.fromkeys(row.metric for row in rows if row.statistic == statistic)
        if not metric.startswith("bits")
        and any(row.value is not None for row in rows if (row.metric, row.statistic) == (metric, statistic))
    ]
    if not panels:
        return None
    stamp = origin_words(rows[0].origin, rows[0].dataset)
    colour, marker = view_style(view, [view])
    shown = [row for row in rows if (row.metric, row.statistic) in panels]
    n, students, titles = (max(getattr(row, name) for row in shown) for name in ("n", "n_students", "n_titles"))
    columns = min(len(panels), 4)

    def paint(canvas: Canvas) -> None:
        lines = -(-len(panels) // columns)
        grid = canvas.subplots(lines, columns, squeeze=False).ravel()
        for axes, (metric, statistic) in zip(grid, panels, strict=False):
            ks = ks_of(rows, metric)
            _curve(axes, [row_at(rows, metric, statistic, k) for k in ks], colour, marker, "own traces")
            others = [row_at(rows, metric, statistic, k, OTHER) for k in ks]
            _curve(axes, others, BASELINE, "s", "another student's", line="--", beside=True)
            axes.set(title=words(metric), ylabel=STATISTICS[statistic], xlabel=K)
            axes.set_xticks(ks)
            if statistic != "mean":
                axes.axhline(0, color=MUTED, linewidth=0.9, zorder=1)
        for axes in grid[len(panels) :]:
            axes.set_visible(False)
        canvas.legend(*grid[0].get_legend_handles_labels(), loc="outside upper left", ncols=2)

    return draw(
        f"adapt-generated-{view}", paint, size=(0.4 + 2.4 * columns, 0.7 + 2.4 * -(-len(panels) // columns)),
        stamp=f"{stamp}, n = {n} pairs", points=results.to_table(shown),
        title=f"What the {view} model writes for new students",
        caption=f"{stamp}. {n} test traces of {students} new students on {titles} titles, generated with vectors "
        "fitted to the student's first k traces (k = 0: none), beside another new student's (grey). BLEU: likeness "
        "to the student's own program or trace. r: agreement of a property, real against generated, over all "
        "pairs, and within titles, which alone is about students (the year apart: the other student is one of the "
        "same year). Bars are 95% intervals (students and titles resampled).",
        alt="Panels of BLEU and correlations against the number of traces fitted to, own and another student's.",
    )  # fmt: skip
