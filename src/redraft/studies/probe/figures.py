"""Figures of the probes (paper figures 4 and 5), and the leak meter.

In: a run's folder with `results/probe.parquet`. Out: figures. One without a scored value is left out; a target that
nothing is known of is named in the caption.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D

from redraft import results
from redraft.metrics.registry import METRICS
from redraft.plots.style import BASELINE, INK, MUTED, Figure, draw, origin_words, quiet, view_style
from redraft.results import Result
from redraft.studies.probe.pick import (
    DIFFERENCE,
    SIDES,
    TARGET_WORDS,
    grouping,
    is_score,
    part,
    side,
    side_words,
    target,
    views,
)
from redraft.studies.probe.settings import COUNTED

PANELS = (("F1", ("f1", "macro_f1")), ("Pearson r", ("pearson",)))
"""Axis -> the statistics on it."""


class Look(NamedTuple):
    """How a side is drawn."""

    colour: str
    marker: str
    words: str
    main: bool = True
    """With an interval and a place of its own; else a thin mark behind the others."""


FOLDS: dict[str, Look] = {
    "student": Look(INK, "o", "folds keep students together", main=False),
    "trace": Look("#8c959f", "s", "... only traces", main=False),
    "title": Look("#56B4E9", "^", "... only titles", main=False),
    "prefix": Look("#D55E00", "D", "... nothing", main=False),
}


class Dot(NamedTuple):
    """A value on a line of a panel."""

    line: str
    side: str
    row: Result


class Chart(NamedTuple):
    """Panels side by side, each with lines of its own, and what the marks are."""

    panels: dict[str, list[Dot]]
    """Axis -> dots."""
    looks: Mapping[str, Look]
    """Side -> look."""
    joined: bool = False
    """A line's dots are joined."""


def figures(run: Path) -> list[Figure]:
    """The study's figures."""
    rows = results.of_study(run, "probe")
    code, students = part(rows, "code"), part(rows, "students")
    found = [_scores(code), _leads(code), _leaks(code), _students(students)]
    return [figure for figure in found if figure is not None]


def _looks(shown: Sequence[str]) -> dict[str, Look]:
    """Views in their colours, all else in grey."""
    looks = {view: Look(*view_style(view, list(shown)), view) for view in shown}
    return looks | {name: Look(BASELINE, marker, words, main=False) for name, (marker, words) in SIDES.items()}


def _scores(code: Sequence[Result]) -> Figure | None:
    folds = grouping(code)
    panels = {
        axis: [Dot(target(row), side(row), row) for row in code if is_score(row, folds) and row.statistic in names]
        for axis, names in PANELS
    }
    return _drawn(
        "probes-code", Chart(panels, _looks(views(code))), code,
        title="What a prefix's embedding says of what comes later",
        caption="Scores of ridge probes for students they were not trained on (for the title, macro F1). Grey marks "
        "are controls and baselines: a model's score means something where it is clear of them.",
        alt="Dots with intervals: a line a target, F1 at the left, correlations at the right.",
    )  # fmt: skip


def _leads(code: Sequence[Result]) -> Figure | None:
    folds, shown = grouping(code), views(code)
    looks = {name: Look(view_style(name, shown)[0], view_style(name, shown)[1], name) for name in shown[1:]}
    looks |= {name: Look(MUTED, marker, side_words(name)) for name, marker in
              (("shuffled", "o"), ("matched", "D"), ("surface", "s"))}  # fmt: skip
    panels = {
        f"difference in {axis}": [
            Dot(target(row), row.condition["against"], row) for row in code
            if row.condition.get("against") in looks and row.condition["grouping"] == folds
            and row.statistic.removesuffix(DIFFERENCE) in names
        ] for axis, names in PANELS
    }  # fmt: skip
    first = shown[0] if shown else ""
    return _drawn(
        "probes-leads", Chart(panels, looks), code, title=f"What the {first} model's embeddings have over others",
        caption=f"The score of the {first} model's embeddings less that of the ones named: right of zero, they say "
        "more. Against another student's vector, it is what knowing the student adds.",
        alt="Dots with intervals around zero: a line a target, a mark a comparison.",
    )  # fmt: skip


def _leaks(code: Sequence[Result]) -> Figure | None:
    first = (views(code) or [""])[0]
    shown = [row for row in code if side(row) == first and "grouping" in row.condition
             and "against" not in row.condition]  # fmt: skip
    if len({row.condition["grouping"] for row in shown}) < 2:
        return None
    panels = {
        axis: [Dot(target(row), row.condition["grouping"], row) for row in shown if row.statistic in names]
        for axis, names in PANELS
    }
    return _drawn(
        "leak-meter", Chart(panels, FOLDS, joined=True), code, title="Leak meter: the same probes with leaky folds",
        caption=f"The {first} model's probes, with folds that keep students, only traces, or nothing together. The "
        "distance between the marks is what a probe gains by recognising a student or a trace that it was trained on; "
        "only the black dot says something of new students.",
        alt="Marks joined by a bar: a line a target, a mark a way of making folds.",
    )  # fmt: skip


def _students(rows: Sequence[Result]) -> Figure | None:
    scores = [row for row in rows if row.statistic == "pearson" and "against" not in row.condition]
    words = {"mean": "r with the student's mean", "residual": "r with the mean of what title and year leave"}
    panels = {
        axis: [Dot(METRICS[row.metric].words, side(row), row) for row in scores if row.condition["target"] == of]
        for of, axis in words.items()
    }
    return _drawn(
        "probes-students", Chart(panels, _looks(views(rows))), rows,
        title="What a student's vector says of the student",
        caption="Correlation of predicted with real averages, for students whose vectors the probe was not trained on.",
        alt="Dots with intervals: a line per metric, averages at the left, what title and year leave at the right.",
    )  # fmt: skip


def _drawn(name: str, chart: Chart, rows: Sequence[Result], *, title: str, caption: str, alt: str) -> Figure | None:
    every = [dot for dots in chart.panels.values() for dot in dots]
    shown = [dot for dot in every if dot.row.value is not None]
    if not any(chart.joined or chart.looks[dot.side].main for dot in shown):
        return None
    lines = [*TARGET_WORDS.values(), *dict.fromkeys(dot.line for dot in every)]
    unscored = dict.fromkeys(dot.line for dot in every if dot.line not in {one.line for one in shown})
    stamp, n = origin_words(rows[0].origin, rows[0].dataset), _counts([dot.row for dot in shown])
    panels = {axis: [dot for dot in dots if dot.row.value is not None] for axis, dots in chart.panels.items()}
    panels = {axis: sorted(dots, key=lambda dot: lines.index(dot.line)) for axis, dots in panels.items() if dots}
    chart = chart._replace(panels=panels, looks={
        which: look for which, look in chart.looks.items() if which in {dot.side for dot in shown}
    })  # fmt: skip

    def paint(canvas: Canvas) -> None:
        grid = canvas.subplots(1, len(panels), squeeze=False)[0]
        for axes, (axis, dots) in zip(grid, panels.items(), strict=True):
            _panel(axes, dots, chart)
            axes.set_xlabel(axis)
        marks = [Line2D([], [], linestyle="", label=look.words, **_mark(look)) for look in chart.looks.values()]
        canvas.legend(handles=marks, loc="outside upper left", ncols=4, handletextpad=0.4, columnspacing=1.2)

    tallest = max(len({dot.line for dot in dots}) for dots in panels.values())
    main = sum(look.main for look in chart.looks.values())
    notes = [row.note for row in rows if row.note and row.value is not None]
    kept = next((note for note in notes if not note.startswith(COUNTED)), "")
    return draw(
        name, paint, size=(1.2 + 3.9 * len(panels), 1.5 + tallest * (0.22 + 0.09 * main)), title=title, alt=alt,
        stamp=f"{stamp}; {n}", points=results.to_table([dot.row for dot in shown]),
        caption=f"{stamp}. {caption} {'Bars are 95% intervals over students. ' if main else ''}{n}."
        + (f" {kept[0].upper()}{kept[1:]}." if kept else "")
        + (f" Unscored: {', '.join(unscored)}." if unscored else ""),
    )  # fmt: skip


def _counts(rows: Sequence[Result]) -> str:
    def span(counts: Sequence[int]) -> str:
        low, high = min(counts), max(counts)
        return f"{low:,}" if low == high else f"{low:,} to {high:,}"

    students = span([row.n_students for row in rows])
    return f"n = {students} students" if rows[0].level == "student" else (
        f"n = {span([row.n for row in rows])} prefixes of {students} students"
    )  # fmt: skip


def _panel(axes: Axes, dots: Sequence[Dot], chart: Chart) -> None:
    lines = {line: place for place, line in enumerate(dict.fromkeys(dot.line for dot in dots))}
    main = [which for which, look in chart.looks.items() if look.main]
    step = 0.7 / max(len(main), 1)
    for place in range(0, len(lines), 2):
        axes.axhspan(place - 0.5, place + 0.5, color="#f6f8fa", zorder=0, linewidth=0)
    for line, place in lines.items() if chart.joined else ():
        values = [dot.row.value for dot in dots if dot.line == line and dot.row.value is not None]
        axes.hlines(place, min(values), max(values), color="#d0d7de", linewidth=3, zorder=1)
    for dot in dots:
        look, y = chart.looks[dot.side], float(lines[dot.line])
        if look.main:
            y += (main.index(dot.side) - (len(main) - 1) / 2) * step
            if dot.row.low is not None and dot.row.high is not None:
                axes.hlines(y, dot.row.low, dot.row.high, color=look.colour, linewidth=1.5, zorder=3)
        axes.plot([dot.row.value or 0.0], [y], linestyle="", zorder=4 if look.main else 2, **_mark(look))
    axes.axvline(0, color=MUTED, linewidth=0.9, zorder=1)
    axes.set_yticks(range(len(lines)), list(lines))
    axes.set_ylim(len(lines) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")
    quiet(axes, keep="bottom")


def _mark(look: Look) -> dict[str, Any]:
    if look.marker in "x+.123|":
        return {"marker": look.marker, "color": look.colour, "markersize": 7, "markeredgewidth": 1.2}
    edge = {"markeredgecolor": "white", "markeredgewidth": 0.6}
    return {"marker": look.marker, "color": look.colour, "markersize": 5.5, **edge}
