"""Figures of the behaviour study (paper figures 2, 3 and 9): agreement by split, likeness of text, backtracking.

In: a run's folder with `results/behaviour.parquet` and `points-pairs.parquet`. Out: figures, none without a
scored value.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from matplotlib.figure import Figure as Canvas

from redraft import results
from redraft.metrics.distance import KS
from redraft.metrics.metric import Place
from redraft.metrics.registry import labels, shown
from redraft.metrics.titles import MIN_PAIRS, title_correlations
from redraft.plots.style import (
    BASELINE_MARKERS,
    INK,
    MUTED,
    RULE,
    Figure,
    draw,
    origin_words,
    view_style,
)
from redraft.plots.tables import with_interval
from redraft.plots.words import definitions
from redraft.results import Result
from redraft.rundir.tables import read_table
from redraft.studies.behaviour.dots import Panels, dots
from redraft.studies.behaviour.levels import REAL_HALVES, REAL_TRACES
from redraft.studies.common.run import CONTROLS

LEVEL = "standardised_difference"
R_STATISTICS = {"pooled_r": "pooled r", "within_r": "within-title r"}


def figures(run: Path) -> list[Figure]:
    """Agreement of final programs and of whole traces, likeness of texts, backtracking pair by pair and by title."""
    rows = results.of_study(run, "behaviour")
    if not rows:
        return []
    origin, dataset = rows[0].origin, rows[0].dataset
    views = list(dict.fromkeys(row.model for row in rows if row.model))
    points = read_table(run / "points-pairs.parquet")
    found = [*_agreement(rows, views), _levels(rows, views), _distances(rows, views), _likeness(rows, views)]
    found += [scatter(points, rows, views, origin, dataset) for scatter in (backtracking, frequency)]
    return [figure for figure in found if figure is not None]


def _agreement(rows: Sequence[Result], views: list[str]) -> list[Figure | None]:
    """Figures 2 and 3 of the paper: correlations of final programs, and of whole traces."""
    splits = _splits(rows)
    known = {row.metric for row in rows}
    read = (
        "Above, r over all pairs, which a model can win by knowing titles alone; below, r after both sides are centred "
        "on their title means, which only knowledge of students can win. Grey marks are baselines without a language "
        "model. Where there is no dot, r is undefined: one side hardly varies."
    )

    def one(name: str, metrics: Sequence[str], models: list[str], title: str, what: str) -> Figure | None:
        named = labels(metric for metric in metrics if metric in known)
        baselines = [name for name in BASELINE_MARKERS if name != "real-students"]
        panels = Panels(R_STATISTICS, named, splits, models, baselines, _limits(rows, named))
        alt = f"{what} Dots with intervals by split, metric and model; the values are in the tables."
        return dots(name, rows, panels, title=title, caption=f"{what} {read}", alt=alt)

    asked = (row.metric for row in rows if row.level == "trace" and row.statistic in R_STATISTICS)
    of_traces = list(dict.fromkeys([*shown(Place.WHOLE_TRACES), *asked]))
    tracing = list(dict.fromkeys(row.model for row in rows if row.model and row.metric in of_traces))
    return [
        one("final-programs", shown(Place.FINAL_PROGRAMS), views,
            "Do generated final programs agree with the students' own?",
            "Correlation of each property of the final program, real against generated."),
        one("whole-traces", of_traces, [view for view in views if view in tracing],
            "Do generated traces agree with the students' own?",
            "Correlation of each property of the whole trace, real against generated; models of final programs "
            "have none."),
    ]  # fmt: skip


def _levels(rows: Sequence[Result], views: list[str]) -> Figure | None:
    """How far models' means lie from the real traces', which no correlation sees."""
    apart = [row for row in _of_levels(rows) if row.baseline == REAL_TRACES and row.value and row.effect_size]
    scaled = [_scaled(row, row.effect_size / row.value) for row in apart if row.effect_size and row.value]
    named = labels(shown(Place.LEVELS))
    limit = max([0.5, *(1.1 * abs(row.value) for row in scaled if row.value is not None)])
    panels = Panels({LEVEL: "generated − real, sd"}, named, _splits(rows), _with_rows(views, scaled), [],
                    (-limit, limit))  # fmt: skip
    return dots(
        "levels", scaled, panels, title="Do models do as much as the students?",
        caption="How far the mean of what models write lies from the mean of the students' own test traces, in "
        "standard deviations of that difference over pairs; at 0 they do as much. A model may know who does much and "
        "who little and still do too much or too little of it: correlations don't see that.",
        alt="Dots with intervals of the standardised difference of generated and real means, by split and model.",
    )  # fmt: skip


def _distances(rows: Sequence[Result], views: list[str]) -> Figure | None:
    """How far the distributions of models' traces lie from the real ones, beside halves of the real students."""
    apart = [
        replace(row, baseline=None) if row.model else row
        for row in _of_levels(rows, halves=True)
        if row.statistic == KS
    ]
    top = max([0.3, *(min(1.0, 1.1 * row.high) for row in apart if row.high is not None)])
    panels = Panels({KS: "KS distance, 0 to 1"}, labels(shown(Place.LEVELS)), _splits(rows), _with_rows(views, apart),
                    [REAL_HALVES], (-0.02, top))  # fmt: skip
    return dots(
        "distances", apart, panels, title="Do models write what the students write, as a whole?",
        caption="The largest gap between the cumulative distribution of what models write and that of the students' "
        "own test traces (Kolmogorov and Smirnov). At 0 they are the same; grey marks are the distance between two "
        "random halves of the students, which chance alone brings about. A model at the mark is as near as other "
        "students are.",
        alt="Dots with intervals of the distance of generated from real traces by metric, split and model.",
    )  # fmt: skip


def _with_rows(views: Sequence[str], rows: Sequence[Result]) -> list[str]:
    """The views that have a value to show."""
    models = {row.model for row in rows if row.value is not None}
    return [view for view in views if view in models]


def _of_levels(rows: Sequence[Result], *, halves: bool = False) -> list[Result]:
    """The rows that set what models write against the students' test traces; and those of the students' halves."""
    return [row for row in rows if not row.condition
            and ((row.baseline == REAL_TRACES and row.model) or (halves and row.baseline == REAL_HALVES))]  # fmt: skip


def _scaled(row: Result, by: float) -> Result:
    """A difference and its interval in standard deviations."""
    low, high = (None if end is None else end * by for end in (row.low, row.high))
    return replace(row, value=row.effect_size, low=low, high=high, baseline=None, statistic=LEVEL, unit="sd")


def _likeness(rows: Sequence[Result], views: list[str]) -> Figure | None:
    panels = Panels({"mean": "mean, 0 to 1"}, labels(shown(Place.LIKENESS)), _splits(rows), views,
                    ["random-trace", "real-students", *CONTROLS], (-0.02, 1.02))  # fmt: skip
    return dots(
        "likeness", rows, panels, title="How alike are generated and real programs?",
        caption="BLEU and colour cosine: each sample against the student's own program, higher is nearer; in grey "
        "another student's training program, and what the trace model writes with another student's vector. Self-BLEU: "
        "the samples of a pair among themselves; a model as varied as people lies at the grey bar (as many real "
        "students of the title). Ended: samples that came to an end.",
        alt="Dots with intervals of BLEU, colour cosine, Self-BLEU and share ended, by split and model.",
    )  # fmt: skip


def _splits(rows: Sequence[Result]) -> list[str]:
    """Splits with pairs; `all` only if there are several."""
    found = list(dict.fromkeys(row.split for row in rows if row.split and row.n and row.model))
    return found if len(found) > 2 else [split for split in found if split != "all"]


def _limits(rows: Sequence[Result], metrics: dict[str, str]) -> tuple[float, float]:
    """A horizontal axis wide enough for most intervals, the same in all panels."""
    lows = [row.low for row in rows if row.metric in metrics and row.statistic in R_STATISTICS and row.low is not None]
    return (-1.03 if min(lows, default=0) < -0.52 else -0.53, 1.03)


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
            axes.text(0.03, 0.97, _correlations(rows, view), transform=axes.transAxes, va="top", size=8, color=INK,
                      linespacing=1.4)  # fmt: skip
        grid[0].set_ylabel("generated (mean of samples)")

    return draw(
        "backtracking", paint, size=(0.6 + 2.9 * len(shown), 3.9), stamp=stamp, points=points,
        title="Backtracking, pair by pair",
        caption=f"{stamp}. A dot is one student on one title: the share of edits that lead away from the final "
        "program, as the student did it and as the model does it on average. Darker dots are titles with more training "
        "traces. A model that knows who backtracks follows the dashed line; a flat cloud knows only the average."
        + definitions(rows),
        alt="One scatter plot per model: real backtracking ratio against the generated one, with a diagonal.",
    )  # fmt: skip


def frequency(
    points: pa.Table, rows: Sequence[Result], views: Sequence[str], origin: str, dataset: str
) -> Figure | None:
    """A title's agreement on backtracking against how often it was trained on, a dot per title (paper figure 3, right).

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
        alt="One scatter plot per model: a title's correlation against its number of training pairs.",
    )  # fmt: skip


def _correlations(rows: Sequence[Result], view: str) -> str:
    lines = []
    for statistic, label in (("pooled_r", "r"), ("within_r", "within title r")):
        for row in rows:
            if (row.model, row.metric, row.statistic, row.split) == (view, "backtracking", statistic, "all") and (
                not row.condition and row.baseline is None and row.value is not None
            ):
                lines.append(f"{label} = {with_interval(row)}, n = {row.n}")
    return "\n".join(lines)
