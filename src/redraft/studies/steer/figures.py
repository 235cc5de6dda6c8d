"""The figure of the steering study: whose vector writes how much of what.

In: a run's folder with `results/steer.parquet`. Out: the figure, none without a scored target.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from redraft import results
from redraft.plots.style import BASELINE, Figure, draw, origin_words, quiet, view_style
from redraft.results import Result
from redraft.studies.steer.pick import EXECUTES, TRAINING, VOICES, targets_of, words

COLUMNS = 4
"""Panels side by side."""


def figures(run: Path) -> list[Figure]:
    """What is written in each voice, a panel a target."""
    rows = results.of_study(run, "steer")
    shown = [row for row in rows if row.statistic == "mean" and row.value is not None and row.metric != EXECUTES]
    targets = [name for name in targets_of(rows) if any(row.metric == name and row.baseline is None for row in shown)]
    if not targets:
        return []
    stamp = origin_words(shown[0].origin, shown[0].dataset)
    lines = -(-len(targets) // COLUMNS)
    students, titles = (max(getattr(row, name) for row in shown) for name in ("n_students", "n_titles"))

    def paint(canvas: Canvas) -> None:
        grid = canvas.subplots(lines, COLUMNS, squeeze=False).ravel()
        for axes, target in zip(grid, targets, strict=False):
            _panel(axes, [row for row in shown if row.metric == target])
        for axes in grid[len(targets) :]:
            axes.set_visible(False)
        canvas.legend(*grid[0].get_legend_handles_labels(), loc="outside upper left", ncols=2)

    return [
        draw(
            "steer", paint, size=(9.6, 0.7 + 2.3 * lines),
            stamp=f"{stamp}, {students} students a voice, {titles} titles",
            points=results.to_table(shown), title="What a student's vector hands to the model",
            caption=f"{stamp}. What the model writes in the voice of up to {students} students who do least of "
            f"something, of the unknown student, and of as many who do most, all on the same {titles} titles; a panel "
            "each. Grey: what those students' own training traces hold, on the titles they worked on. Bars are 95% "
            "intervals (students and titles resampled).",
            alt="Panels, one a target: least, unknown and most from left to right; what the model writes with "
            "interval, and what the students do themselves in grey.",
        )
    ]  # fmt: skip


def _panel(axes: Axes, rows: Sequence[Result]) -> None:
    places = {voice: place for place, voice in enumerate(VOICES)}
    real = [row for row in rows if row.baseline == TRAINING]
    drawn = [row for row in rows if row.baseline is None]
    colour, marker = view_style(drawn[0].model or "", [drawn[0].model or ""])
    axes.plot([places[row.condition["voice"]] + 0.15 for row in real], [row.value or 0.0 for row in real], "_",
              color=BASELINE, markersize=14, markeredgewidth=1.6, label="these students' training traces")  # fmt: skip
    at = [places[row.condition["voice"]] for row in drawn]
    bars = [(x, row.low, row.high) for x, row in zip(at, drawn, strict=True) if row.low is not None]
    if bars:
        axes.vlines(*zip(*bars, strict=True), color=colour, linewidth=1.5)
    axes.plot(at, [row.value or 0.0 for row in drawn], marker, color=colour, markersize=6, markeredgecolor="white",
              markeredgewidth=0.6, label=f"the {drawn[0].model} model in their voice")  # fmt: skip
    axes.set_xticks(range(len(VOICES)), VOICES)
    axes.set(xlim=(-0.5, len(VOICES) - 0.5), title=words(rows[0].metric), ylabel=rows[0].unit)
    axes.grid(visible=False, axis="x")
    quiet(axes, keep="left bottom")
