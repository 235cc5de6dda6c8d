"""Figures of what is in a dataset: lengths and long tails (paper figure 8).

In: a folder with `results/describe.parquet` and `points-distributions.parquet`. Out: figures. Nothing here opens the
dataset.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from redraft import results
from redraft.plots.style import INK, VIEW_STYLE, Figure, draw, log_ticks, origin_words, quiet, short_number
from redraft.rundir.tables import read_table
from redraft.studies.describe.study import NUMBERS

LENGTHS = ("states_per_trace", "characters_per_program", "lines_per_program", "gap_seconds")
TAILS = ("students_per_title", "traces_per_student", "states_per_trace", "mean_states_per_title")
BLUE = VIEW_STYLE["trace"][0]

Tails = Mapping[str, tuple[np.ndarray, np.ndarray, np.ndarray]]
"""By measure: values, counts, share of observations at least as large."""


def read_tails(points: pa.Table) -> Tails:
    """The points of `studies.describe.tails`, by measure."""
    table = {name: points[name].to_numpy() for name in ("value", "count", "tail")}
    measures = np.asarray(points["measure"].to_pylist())
    return {str(m): tuple(table[name][measures == m] for name in table) for m in dict.fromkeys(measures)}


def figures(folder: Path) -> list[Figure]:
    """The figures a dataset has points for."""
    rows = results.of_study(folder, "describe")
    if not rows:
        return []
    points = read_table(folder / "points-distributions.parquet")
    tails, stamp = read_tails(points), origin_words(rows[0].origin, rows[0].dataset)
    drawn = []
    if any(name in tails for name in LENGTHS):
        drawn.append(_lengths(tails, points, stamp))
    if any(name in tails for name in TAILS):
        drawn.append(_tails(tails, points, stamp))
    return drawn


def _lengths(tails: Tails, points: pa.Table, stamp: str) -> Figure:
    shown = [name for name in LENGTHS if name in tails]

    def paint(canvas: Canvas) -> None:
        for axes, name in zip(_panels(canvas, len(shown)), shown, strict=True):
            _histogram(axes, *tails[name][:2], label=NUMBERS[name].label)

    middles = "; ".join(f"{NUMBERS[name].label.lower()} {_middle(*tails[name][:2])}" for name in shown)
    return draw(
        "lengths", paint, size=(3.0 * len(shown), 2.7), stamp=stamp, points=_only(points, shown),
        title="How long traces and programs are",
        caption=f"{stamp}. Bars count observations, on a logarithmic axis where values span a decade; the line marks "
        f"the median. Medians (5% to 95% of observations): {middles}. Values below 1 and the top 0.1% aren't drawn.",
        alt=f"Histograms. {middles}.",
    )  # fmt: skip


def _tails(tails: Tails, points: pa.Table, stamp: str) -> Figure:
    shown = [name for name in TAILS if name in tails]

    def paint(canvas: Canvas) -> None:
        for axes, name in zip(_panels(canvas, len(shown)), shown, strict=True):
            values, counts, tail = tails[name]
            axes.step(values, tail, where="pre", color=BLUE)
            axes.plot(values[-1:], tail[-1:], "o", color=BLUE, markersize=4)
            axes.set(yscale="log", title=NUMBERS[name].label, ylabel="share at least as large")
            if axes is not canvas.axes[0]:
                axes.set_ylabel("")
            axes.set_ylim(top=1.3)
            if values[-1] >= 10 * values[0]:
                axes.set_xscale("log")
                log_ticks(axes.xaxis)
            log_ticks(axes.yaxis)
            axes.yaxis.set_major_formatter(lambda share, _: f"{100 * share:.3g}%")
            axes.set_xlabel(f"n = {int(counts.sum()):,} {NUMBERS[name].level}s; most: {values[-1]:,.6g}")

    return draw(
        "long-tails", paint, size=(3.0 * len(shown), 2.7), stamp=stamp, points=_only(points, shown),
        title="Long tails",
        caption=f"{stamp}. How often a value is at least as large as the one on the axis, on logarithmic axes: a "
        "nearly straight line that falls slowly is a heavy tail, so that a few titles or students hold much of the "
        "data; a line that drops steeply means they are all alike.",
        alt="Descending curves on logarithmic axes: " + ", ".join(NUMBERS[n].label.lower() for n in shown) + ".",
    )  # fmt: skip


def _panels(canvas: Canvas, count: int) -> list[Axes]:
    return list(canvas.subplots(1, count, squeeze=False)[0])


def _histogram(axes: Axes, values: np.ndarray, counts: np.ndarray, *, label: str) -> None:
    cumulative = np.cumsum(counts) / counts.sum()
    median = _at(values, cumulative, 0.5)
    kept = (values >= 1) & (values <= _at(values, cumulative, 0.999))
    values, counts = values[kept], counts[kept]
    if not len(values):
        axes.set(title=label)
        return
    # Bins narrower than the step between whole numbers would leave gaps, so their edges are whole, too.
    wide = values[-1] >= 10 * values[0]
    space = np.geomspace if wide else np.linspace
    edges = np.unique(np.round(space(values[0], values[-1] + 1, 26))) - 0.5
    heights, _ = np.histogram(values, edges, weights=counts)
    look: dict[str, Any] = {"color": BLUE, "alpha": 0.75, "edgecolor": "white", "linewidth": 0.6}
    axes.bar(edges[:-1], heights, np.diff(edges), align="edge", **look)
    axes.axvline(median, color=INK, linewidth=1.2)
    axes.annotate(f"{median:,.6g}", (median, 1), xycoords=("data", "axes fraction"), xytext=(3, -2),
                  textcoords="offset points", va="top", size=8, color=INK)  # fmt: skip
    axes.set(title=label, xlabel=f"n = {int(counts.sum()):,}")
    if wide:
        axes.set_xscale("log")
        log_ticks(axes.xaxis)
    axes.yaxis.set_major_formatter(lambda value, _: short_number(value))
    axes.grid(visible=False, axis="x")
    quiet(axes, keep="bottom")


def _at(values: np.ndarray, cumulative: np.ndarray, share: float) -> float:
    return float(values[min(int(np.searchsorted(cumulative, share - 1e-12)), len(values) - 1)])


def _middle(values: np.ndarray, counts: np.ndarray) -> str:
    cumulative = np.cumsum(counts) / counts.sum()
    low, median, high = (_at(values, cumulative, share) for share in (0.05, 0.5, 0.95))
    return f"{median:,.6g} ({low:,.6g} to {high:,.6g})"


def _only(points: pa.Table, measures: list[str]) -> pa.Table:
    return points.filter(pc.is_in(points["measure"], pa.array(measures)))
