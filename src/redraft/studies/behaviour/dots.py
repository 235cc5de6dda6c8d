"""Dots with 95% intervals, in panels: a row of panels per statistic, a column per split (paper figures 2 and 3).

In: results rows of the study `behaviour`, what goes where. Out: a figure; none without a scored value.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D

from redraft import results
from redraft.plots.style import (
    BASELINE,
    BASELINE_MARKERS,
    MUTED,
    SPLIT_WORDS,
    Figure,
    draw,
    origin_words,
    quiet,
    view_style,
)
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
    """Dots with 95% intervals: a row of panels per statistic, a column per split, a line per metric, a colour per view.

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


def _count(rows: Sequence[Result]) -> str:
    counts = [row.n for row in rows if row.model]
    if not counts:
        return "n = 0"
    return f"n = {max(counts)}" if min(counts) == max(counts) else f"n = {min(counts)}–{max(counts)}"


def _words(split: str) -> str:
    return SPLIT_WORDS.get(split, split).replace("\n", " ")
