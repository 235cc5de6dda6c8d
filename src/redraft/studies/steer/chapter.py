"""Figure and table of the steering study: whose vector writes how much of what.

In: results rows of the study `steer`, from a run's folder. Out: the figure (none without a scored target), the table
(which says why, if a target is unscored), a sentence a target, the method in words.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from redraft import results
from redraft.plots.style import BASELINE, Figure, draw, origin_words, quiet, view_style
from redraft.plots.tables import Table, counts, number, probability, table, with_interval
from redraft.results import Result
from redraft.studies.common.claims import own_claims

MOST, LEAST, UNKNOWN = "most", "least", "unknown"
HANDS = (LEAST, UNKNOWN, MOST)
TRAINING, EXECUTES = "training-traces", "executes"
COLUMNS = 4
"""Panels side by side."""

METHODS: tuple[str, ...] = (
    "How much a student does of something is the mean over their training traces, each less its title's mean. With the "
    "vectors of those who do most of it and of those who do least, and with the unknown student's as many times, the "
    "model writes on the same titles from the beginning, whoever worked on them. It is steered if it writes more of it "
    "by the hand of those who do most than of those who do least. Intervals resample students and titles. Whether "
    "programs still run is shown beside it. A vector may carry more than the one trait: students who do most of "
    "something may share other habits. The students' own training traces are those they were chosen by, so that they "
    "lie farther apart than what the same students do otherwise.",
)
"""How it was done."""


def figures(run: Path) -> list[Figure]:
    """What each hand writes, a panel a target."""
    rows = results.of_study(run, "steer")
    shown = [row for row in rows if row.statistic == "mean" and row.value is not None and row.metric != EXECUTES]
    targets = [name for name in _targets(rows) if any(row.metric == name and row.baseline is None for row in shown)]
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
            stamp=f"{stamp}, {students} students a hand, {titles} titles",
            points=results.to_table(shown), title="What a student's vector hands to the model",
            caption=f"{stamp}. What the model writes by the hand of up to {students} students who do least of "
            f"something, of the unknown student, and of as many who do most, all on the same {titles} titles; a panel "
            "each. Grey: what those students' own training traces hold, on the titles they worked on. Bars are 95% "
            "intervals (students and titles resampled).",
            alt="Panels, one a target: least, unknown and most from left to right; what the model writes with "
            "interval, and what the students do themselves in grey.",
        )
    ]  # fmt: skip


def _panel(axes: Axes, rows: Sequence[Result]) -> None:
    places = {hand: place for place, hand in enumerate(HANDS)}
    real = [row for row in rows if row.baseline == TRAINING]
    drawn = [row for row in rows if row.baseline is None]
    colour, marker = view_style(drawn[0].model or "", [drawn[0].model or ""])
    axes.plot([places[row.condition["hand"]] + 0.15 for row in real], [row.value or 0.0 for row in real], "_",
              color=BASELINE, markersize=14, markeredgewidth=1.6, label="these students' training traces")  # fmt: skip
    at = [places[row.condition["hand"]] for row in drawn]
    bars = [(x, row.low, row.high) for x, row in zip(at, drawn, strict=True) if row.low is not None]
    if bars:
        axes.vlines(*zip(*bars, strict=True), color=colour, linewidth=1.5)
    axes.plot(at, [row.value or 0.0 for row in drawn], marker, color=colour, markersize=6, markeredgecolor="white",
              markeredgewidth=0.6, label=f"the {drawn[0].model} model by their hand")  # fmt: skip
    axes.set_xticks(range(len(HANDS)), HANDS)
    axes.set(xlim=(-0.5, len(HANDS) - 0.5), title=_words(rows[0].metric), ylabel=rows[0].unit)
    axes.grid(visible=False, axis="x")
    quiet(axes, keep="left bottom")


def tables(run: Path) -> list[Table]:
    """A line a target; the caption says who the students are, or why there are none."""
    rows = results.of_study(run, "steer")
    lines, notes = [], dict[str, list[str]]()
    for target in _targets(rows):
        apart = _find(rows, target, hand=MOST, against=LEAST)
        if apart is None:
            continue
        notes.setdefault(apart.note or "", []).append(_words(target))
        ran = [_find(rows, EXECUTES, target=target, hand=hand) for hand in (MOST, UNKNOWN)]
        lines.append((
            _words(target), *(with_interval(_find(rows, target, hand=hand)) for hand in HANDS), with_interval(apart),
            number(apart.effect_size), probability(apart.p_adjusted), number(apart.smallest_detectable),
            " / ".join(number(row.value if row else None) for row in ran), counts(apart),
        ))  # fmt: skip
    header = ("target", *HANDS, "most − least", "d", "p (Holm)", "detectable", "run",
              "cells / students / titles")  # fmt: skip
    caption = (
        "What the model writes by each hand, and how far those who do most lie above those who do least; d in "
        "standard deviations of cells (a student on a title). 'Detectable' is the difference that would be found with "
        "80% power. Run: the share of final programs that do, by the hand of most / of the unknown student. "
        + " ".join(f"{', '.join(targets)}: {note}." for note, targets in notes.items())
    )
    return [table("steer", "Steering by students' vectors", caption, header, lines, rows)] if lines else []


def sentences(rows: Sequence[Result]) -> list[str]:
    """What came out, a line a target."""
    said = []
    for target in _targets(rows):
        apart = _find(rows, target, hand=MOST, against=LEAST)
        if apart is None:
            continue
        stamp = origin_words(apart.origin, apart.dataset)
        if apart.value is None:
            said.append(f"{stamp}. {_words(target)}: unscored ({apart.note}).")
        else:
            p = probability(apart.p_adjusted)
            said.append(f"{stamp}. {_words(target)}: most − least {with_interval(apart)}, p (Holm) {p}.")
    return said


def _targets(rows: Sequence[Result]) -> list[str]:
    return list(dict.fromkeys(row.metric for row in rows if row.metric != EXECUTES))


def _find(rows: Sequence[Result], metric: str, **condition: str) -> Result | None:
    return next((row for row in rows if (row.metric, row.condition, row.baseline) == (metric, condition, None)), None)


def _words(target: str) -> str:
    return own_claims().metrics.get(target, target.removesuffix("_final").replace("_", " "))
