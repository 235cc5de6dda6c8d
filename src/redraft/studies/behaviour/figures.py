"""Figures of the behaviour study (paper figures 2 and 3): agreement by split, similarity of text, backtracking.

In: results rows of the study `behaviour`, and the points it wrote. Out: figures; a figure without a single scored
value is left out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D

from redraft import results
from redraft.metrics.titles import MIN_PAIRS, title_correlations
from redraft.plots.style import (
    BASELINE,
    BASELINE_MARKERS,
    INK,
    MUTED,
    RULE,
    SPLIT_WORDS,
    Figure,
    draw,
    origin_words,
    quiet,
    view_style,
)
from redraft.plots.tables import with_interval
from redraft.plots.words import definitions
from redraft.results import Result


class Panels(NamedTuple):
    """What a figure of dots and intervals shows: rows of panels by statistic, columns by split."""

    statistics: dict[str, str]
    """Statistic -> words for the axis."""
    metrics: dict[str, str]
    """Metric -> label, from top to bottom."""
    splits: list[str]
    """Splits with data, from left to right."""
    views: list[str]
    baselines: list[str]
    limits: tuple[float, float]
    """Of the horizontal axis."""


def dots(name: str, rows: Sequence[Result], panels: Panels, *, title: str, caption: str, alt: str) -> Figure | None:
    """Dots with 95% intervals: a row of panels a statistic, a column a split, a line a metric, a colour a view.

    Args:
        name: The figure's name.
        rows: Results rows; those of other statistics, metrics, splits or conditions are ignored.
        panels: What goes where.
        title: A short heading.
        caption: What it shows; origin and n are put before and after it.
        alt: Alternative text.
    """
    shown = [
        row for row in rows
        if row.value is not None and not row.condition and row.statistic in panels.statistics
        and row.metric in panels.metrics and row.split in panels.splits
        and (row.model is None) != (row.baseline is None)
    ]  # fmt: skip
    if not any(row.model for row in shown):
        return None
    stamp = origin_words(shown[0].origin, shown[0].dataset)
    scored = {row.metric for row in shown}
    unscored = [label for metric, label in panels.metrics.items() if metric not in scored]
    panels = panels._replace(metrics={m: label for m, label in panels.metrics.items() if m in scored})

    def paint(canvas: Canvas) -> None:
        grid = canvas.subplots(len(panels.statistics), len(panels.splits), squeeze=False, sharex=True, sharey=True)
        for line, (statistic, words) in zip(grid, panels.statistics.items(), strict=True):
            for axes, split in zip(line, panels.splits, strict=True):
                here = [row for row in shown if row.statistic == statistic and row.split == split]
                _dot_panel(axes, here, panels)
                axes.set_xlabel(words)
        for axes, split in zip(grid[0], panels.splits, strict=True):
            axes.set_title(f"{SPLIT_WORDS.get(split, split)}\n", pad=2)
            axes.annotate(_count([r for r in shown if r.split == split]), (0.5, 1), xycoords="axes fraction",
                          xytext=(0, 4), textcoords="offset points", ha="center", size=8, color=MUTED)  # fmt: skip
        columns = len(panels.splits) + 1  # of about two inches
        canvas.legend(handles=_legend(panels), loc="outside upper left", ncols=columns, handletextpad=0.4,
                      columnspacing=1.4)  # fmt: skip

    height = len(panels.statistics) * (0.55 + 0.1 * len(panels.metrics) * (1 + len(panels.views))) + 0.8
    return draw(
        name, paint, size=(1.7 + 2.05 * len(panels.splits), height), stamp=stamp, points=results.to_table(shown),
        title=title, alt=alt,
        caption=f"{stamp}. {caption} Bars are 95% intervals (students and titles resampled); a dot without one comes "
        "from too few of both. Test pairs: "
        + "; ".join(f"{_words(s)}, {_count([r for r in shown if r.split == s])}" for s in panels.splits) + "."
        + (f" Unscored everywhere: {', '.join(unscored)}." if unscored else "") + definitions(shown),
    )  # fmt: skip


def _dot_panel(axes: Axes, rows: Sequence[Result], panels: Panels) -> None:
    lines = {metric: i for i, metric in enumerate(panels.metrics)}
    step = 0.76 / max(len(panels.views), 1)
    for i in range(0, len(lines), 2):
        axes.axhspan(i - 0.5, i + 0.5, color="#f6f8fa", zorder=0, linewidth=0)
    for baseline in panels.baselines:
        mine = [row for row in rows if row.baseline == baseline]
        marker = BASELINE_MARKERS.get(baseline, "_")
        size = 15 if marker == "|" else 6
        axes.plot(_values(mine), [lines[row.metric] for row in mine], marker, color=BASELINE, markersize=size,
                  markeredgewidth=1.3, zorder=2)  # fmt: skip
    for number, view in enumerate(panels.views):
        mine = [row for row in rows if row.model == view]
        colour, marker = view_style(view, panels.views)
        y = [lines[row.metric] + (number - (len(panels.views) - 1) / 2) * step for row in mine]
        bars = [(at, row.low, row.high) for at, row in zip(y, mine, strict=True)
                if row.low is not None and row.high is not None]  # fmt: skip
        if bars:
            axes.hlines(*zip(*bars, strict=True), color=colour, linewidth=1.5, zorder=3)
        axes.plot(_values(mine), y, marker, color=colour, markersize=5, markeredgecolor="white", markeredgewidth=0.6,
                  zorder=4)  # fmt: skip
    axes.axvline(0, color=MUTED, linewidth=0.9, zorder=1)
    axes.set_yticks(range(len(lines)), list(panels.metrics.values()))
    axes.set_ylim(len(lines) - 0.5, -0.5)
    axes.set_xlim(*panels.limits)
    axes.locator_params(axis="x", nbins=4)
    axes.grid(visible=False, axis="y")
    quiet(axes, keep="bottom")


def _values(rows: Sequence[Result]) -> list[float]:
    return [row.value for row in rows if row.value is not None]


def _legend(panels: Panels) -> list[Line2D]:
    handles = []
    for view in panels.views:
        colour, marker = view_style(view, panels.views)
        handles.append(Line2D([], [], color=colour, marker=marker, markersize=5, label=view))
    for baseline in panels.baselines:
        marker = BASELINE_MARKERS.get(baseline, "_")
        size = 11 if marker == "|" else 6
        handles.append(
            Line2D([], [], color=BASELINE, marker=marker, markersize=size, markeredgewidth=1.3, linestyle="",
                   label=f"{baseline.replace('-', ' ')} (baseline)")
        )  # fmt: skip
    return handles


def backtracking(
    points: pa.Table, rows: Sequence[Result], views: Sequence[str], origin: str, dataset: str
) -> Figure | None:
    """Generated against real backtracking, a dot a test pair (paper figure 3, right).

    Args:
        points: Columns title, split, model, real, generated (mean over samples), frequency (training traces of the
            title).
        rows: Results rows, for the correlations printed into the panels.
        views: The views to show, in order.
        origin: Who wrote the real programs.
        dataset: Their dataset's name.

    Returns:
        None if no pair is scored on both sides.
    """
    models = points["model"].to_pylist()
    shown = [view for view in views if view in models]
    if not shown:
        return None
    stamp = origin_words(origin, dataset)
    columns = {name: points[name].to_numpy() for name in ("real", "generated", "frequency")}
    if not np.isfinite(columns["real"] + columns["generated"]).any():  # by the released definitions, without times
        return None
    largest = np.nanmax([columns["real"], columns["generated"]], initial=0.0)
    top = max(0.3, np.ceil(10 * largest) / 10 + 0.1)

    def paint(canvas: Canvas) -> None:
        grid = canvas.subplots(1, len(shown), squeeze=False, sharex=True, sharey=True)[0]
        for axes, view in zip(grid, shown, strict=True):
            mine = np.array([model == view for model in models])
            x, y, frequency = (columns[name][mine] for name in ("real", "generated", "frequency"))
            alpha = 0.15 + 0.75 * np.log1p(frequency) / max(np.log1p(frequency).max(), 1)
            colour, marker = view_style(view, list(views))
            axes.plot([0, 1], [0, 1], color=RULE, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
            axes.scatter(x, y, s=18, c=colour, marker=marker, alpha=alpha, linewidths=0)
            axes.set(title=view, xlabel="real", xlim=(-0.02, top), ylim=(-0.02, top), aspect="equal")
            axes.text(0.03, 0.97, _agreement(rows, view), transform=axes.transAxes, va="top", size=8, color=INK,
                      linespacing=1.4)  # fmt: skip
        grid[0].set_ylabel("generated (mean of samples)")

    return draw(
        "backtracking", paint, size=(0.6 + 2.9 * len(shown), 3.9), stamp=stamp, points=points,
        title="Backtracking, pair by pair",
        caption=f"{stamp}. A dot is one student on one title: the share of edits that lead away from the final "
        "program, as the student did it and as the model does it on average. Darker dots are titles with more training "
        "traces. A model that knows who backtracks follows the dashed line; a flat cloud knows only the average."
        + definitions(rows),
        alt="One scatter plot a model: real backtracking ratio against the generated one, with a diagonal.",
    )  # fmt: skip


def frequency(
    points: pa.Table, rows: Sequence[Result], views: Sequence[str], origin: str, dataset: str
) -> Figure | None:
    """A title's agreement on backtracking against how often it was trained on, a dot a title (paper figure 3, right).

    Arguments as of `backtracking`; None if no title has enough pairs.
    """
    models, titles = points["model"].to_pylist(), points["title"].to_pylist()
    real, generated, trained = (points[name].to_numpy() for name in ("real", "generated", "frequency"))
    pairs = defaultdict[tuple[str, str], list[int]](list)
    for number, key in enumerate(zip(models, titles, strict=True)):
        pairs[key].append(number)
    found: list[dict[str, Any]] = []
    for (view, title), mine in sorted(pairs.items()):
        (r,) = title_correlations(real[mine], generated[mine], np.zeros(len(mine), int))
        if view in views and np.isfinite(r):
            found.append({"model": view, "title": title, "frequency": int(trained[mine[0]]), "r": float(r),
                          "n": len(mine)})  # fmt: skip
    if not found:
        return None
    drawn = pa.Table.from_pylist(found)
    shown = [view for view in views if view in drawn["model"].to_pylist()]
    stamp = origin_words(origin, dataset)

    def paint(canvas: Canvas) -> None:
        grid = canvas.subplots(1, len(shown), squeeze=False, sharex=True, sharey=True)[0]
        for axes, view in zip(grid, shown, strict=True):
            mine = [point for point in found if point["model"] == view]
            colour, marker = view_style(view, list(views))
            axes.scatter([point["frequency"] for point in mine], [point["r"] for point in mine],
                         s=[4 + 2 * point["n"] for point in mine], c=colour, marker=marker, alpha=0.6,
                         linewidths=0)  # fmt: skip
            axes.axhline(0, color=MUTED, linewidth=0.9, zorder=1)
            axes.set(title=view, xlabel="training pairs of the title", xscale="symlog", ylim=(-1.05, 1.05))
            axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
            trend = [row for row in rows if (row.model, row.statistic) == (view, "frequency_spearman")]
            text = [f"Spearman {with_interval(row)}, {row.n_titles} titles" for row in trend if row.value is not None]
            axes.text(0.03, 0.03, "".join(text) or "no trend: too few titles", transform=axes.transAxes, size=8,
                      color=INK)  # fmt: skip
        grid[0].set_ylabel("r of the title")

    return draw(
        "title-frequency", paint, size=(0.8 + 2.9 * len(shown), 3.2), stamp=stamp, points=drawn,
        title="Are models better on titles they met more often?",
        caption=f"{stamp}. A dot is a title with at least {MIN_PAIRS} test pairs: the correlation, over its pairs, of "
        "real and generated backtracking, against how many pairs of the title the model was trained on. Larger dots "
        "have more pairs; a title's r from few pairs is noisy. Above the axis: Spearman's correlation of the two, with "
        "its 95% interval." + definitions(rows),
        alt="One scatter plot a model: a title's correlation against its number of training pairs.",
    )  # fmt: skip


def _agreement(rows: Sequence[Result], view: str) -> str:
    lines = []
    for statistic, label in (("pooled_r", "r"), ("within_r", "within title r")):
        for row in rows:
            if (row.model, row.metric, row.statistic, row.split) == (view, "backtracking", statistic, "all") and (
                not row.condition and row.baseline is None and row.value is not None
            ):
                lines.append(f"{label} = {with_interval(row)}, n = {row.n}")
    return "\n".join(lines)


def _count(rows: Sequence[Result]) -> str:
    counts = [row.n for row in rows if row.model]
    if not counts:
        return "n = 0"
    return f"n = {max(counts)}" if min(counts) == max(counts) else f"n = {min(counts)}–{max(counts)}"


def _words(split: str) -> str:
    return SPLIT_WORDS.get(split, split).replace("\n", " ")
