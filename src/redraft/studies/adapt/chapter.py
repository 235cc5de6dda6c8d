"""Figures and tables of the adaptation study (paper figure 6).

In: a run's folder with `results/adapt.parquet` and `points-adapt-students.parquet`. Out: figures (none without a scored
value), tables (which say why, if there is none), the method in words.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from redraft import results
from redraft.plots.style import BASELINE, MUTED, Figure, draw, origin_words, view_style
from redraft.plots.tables import DASH, Table, number, probability, table, with_interval
from redraft.results import Result

OTHER, MEAN_VECTOR = "other-student", "mean-vector"
BITS = "bits_per_trace"
K = "k, first traces fitted to"
WORDS = {
    "bleu_final": "BLEU, final program", "bleu_trace": "BLEU, whole trace", "year_final": "year",
    "comments_final": "comments, final program", "comments_mean": "comments, mean of programs",
}  # fmt: skip
STATISTICS = {"mean": "mean, 0 to 1", "pooled_r": "pooled r", "within_r": "within-title r"}

METHODS: tuple[str, ...] = (
    "Students whom the model has not met, with enough traces on titles it has, get vectors fitted to their "
    "first k traces in time; nothing else learns. All vectors of a k are fitted side by side, each with a "
    "loss, batches and an optimizer of its own, so that a student's does not depend on who else is there. A "
    "few students choose, for each k, the learning rate and the number of epochs by their bits on later "
    "traces, and are then left out. The others' traces after the last k test every k alike: in bits (of "
    "programs, times and endings, the title given; lower is better), and on some of them by what the model "
    "generates, against what the student wrote. k = 0 is the vector that fits begin as.",
    "The same test traces are read, and generated, with the vector fitted to another new student's first k traces, "
    "of one who began in the same year where there is one; and with the mean of all trained vectors. Own minus "
    "other is what the model has learned about this student rather than about new students. In bits each student "
    "counts once, and students are resampled; generated pairs are resampled by student and title. That the last k "
    "adds nothing to an earlier one is claimed only if the interval of the difference lies within the margin.",
)


def figures(run: Path) -> list[Figure]:
    """The study's figures, of the models it has values for."""
    rows = results.of_study(run, "adapt")
    found = []
    for view in _views(rows):
        mine = [row for row in rows if row.model == view]
        points = pq.read_table(run / "points-adapt-students.parquet").to_pylist()
        found += [_bits(view, mine, [point for point in points if point["model"] == view]), _generated(view, mine)]
    return [figure for figure in found if figure]


def tables(run: Path) -> list[Table]:
    """The study's tables."""
    rows = results.of_study(run, "adapt")
    found = []
    for view in _views(rows):
        mine = [row for row in rows if row.model == view]
        found += [_bits_table(view, mine), _generated_table(view, mine)]
    return [made for made in found if made]


def sentences(rows: Sequence[Result]) -> list[str]:
    """What came out, a line for each model and k; or why nothing did."""
    said = []
    for view in _views(rows):
        mine = [row for row in rows if row.model == view]
        stamp = origin_words(mine[0].origin, mine[0].dataset)
        if not _scored(mine, BITS):
            said.append(f"{stamp}. {view}: {_reason(mine)}.")
            continue
        for k in _ks(mine, BITS):
            own, apart = _at(mine, BITS, "mean", k), _at(mine, BITS, "mean_difference", k, OTHER)
            line = f"{stamp}. {view}, k = {k}: {with_interval(own)} bits a trace with the student's own vector"
            said.append(line + (f"; own - other {with_interval(apart)}" if apart else ""))
    return said


def _views(rows: Sequence[Result]) -> list[str]:
    return list(dict.fromkeys(row.model for row in rows if row.model))


def _ks(rows: Sequence[Result], metric: str) -> list[int]:
    return sorted({int(row.condition["k"]) for row in rows if row.metric == metric and "k" in row.condition})


def _scored(rows: Sequence[Result], metric: str) -> bool:
    return any(row.metric == metric and row.value is not None for row in rows)


def _reason(rows: Sequence[Result]) -> str:
    return next((row.note for row in rows if row.note), "nothing to report")


def _at(
    rows: Sequence[Result], metric: str, statistic: str, k: int | None, baseline: str | None = None
) -> Result | None:
    """The row at this place; None if there is none."""
    for row in rows:
        number_of_traces = int(row.condition["k"]) if "k" in row.condition else None
        if (row.metric, row.statistic, number_of_traces, row.baseline) == (metric, statistic, k, baseline):
            return row
    return None


# Figures


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
    if not _scored(rows, BITS):
        return None
    ks = _ks(rows, BITS)
    stamp = origin_words(rows[0].origin, rows[0].dataset)
    colour, marker = view_style(view, [view])
    shown = [row for row in rows if row.metric == BITS]
    n = max(row.n for row in shown)

    def paint(canvas: Canvas) -> None:
        left, middle, right = canvas.subplots(1, 3)
        _curve(left, [_at(rows, BITS, "mean", k) for k in ks], colour, marker, "own traces")
        others = [_at(rows, BITS, "mean", k, OTHER) for k in ks]
        _curve(left, others, BASELINE, "s", "another student's (control)", line="--", beside=True)
        mean = _at(rows, BITS, "mean", None, MEAN_VECTOR)
        if mean is not None and mean.value is not None:
            left.axhline(mean.value, color=BASELINE, linewidth=1.2, linestyle=":", label="mean vector (control)")
        left.set(xlabel=K, ylabel="bits a test trace", title="What a test trace costs")
        apart = {name: [_at(rows, BITS, "mean_difference", k, name) for k in ks] for name in (OTHER, MEAN_VECTOR)}
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
        "fitted to as many traces of the same year, and with the mean of all trained vectors. Middle: the "
        "differences; below zero, the student's own traces say something about the student. Right: each student, "
        "against the vector it began as. Bars are 95% intervals (students resampled).",
        alt="Three panels against the number of traces fitted to: bits with own, another student's and the mean "
        "vector; differences with intervals; a thin line for each student.",
    )  # fmt: skip


def _students(axes: Axes, points: list[dict[str, Any]], colour: str) -> None:
    """Each student's bits against those with the vector it began as."""
    own = {(point["student"], point["k"]): point["bits"] for point in points if point["whose"] == "own"}
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
            ks = _ks(rows, metric)
            _curve(axes, [_at(rows, metric, statistic, k) for k in ks], colour, marker, "own traces")
            others = [_at(rows, metric, statistic, k, OTHER) for k in ks]
            _curve(axes, others, BASELINE, "s", "another student's", line="--", beside=True)
            axes.set(title=_words(metric), ylabel=STATISTICS[statistic], xlabel=K)
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


def _words(metric: str) -> str:
    return WORDS.get(metric, metric.removesuffix("_final").removesuffix("_count").replace("_", " "))


# Tables


def _bits_table(view: str, rows: Sequence[Result]) -> Table:
    header = (
        "k", "epochs", "learning rate", "own", "another's", "own − another's", "p (Holm)", "own − mean vector",
        "own − k = 0", "detectable", "students",
    )  # fmt: skip
    shown = [row for row in rows if row.metric in (BITS, "bits_per_character", "fit_epochs")]
    epochs = {int(row.condition["k"]): row for row in rows if row.metric == "fit_epochs"}
    lines = []
    for k in _ks(rows, BITS):
        own = _at(rows, BITS, "mean", k)
        chosen = epochs.get(k)
        apart, mean, begun = (_at(rows, BITS, "mean_difference", k, name) for name in (OTHER, MEAN_VECTOR, "k=0"))
        lines.append((
            str(k), number(chosen.value, 0) if chosen else DASH, chosen.condition["lr"] if chosen else DASH,
            with_interval(own, 1), with_interval(_at(rows, BITS, "mean", k, OTHER), 1), with_interval(apart, 2),
            probability(apart.p_adjusted if apart else None), with_interval(mean, 2), with_interval(begun, 2),
            number(apart.smallest_detectable if apart else None, 2), str(own.n if own else 0),
        ))  # fmt: skip
    caption = (
        "Bits a test trace; less is better. Differences: below zero, the student's own traces are worth more. "
        "'Detectable' is the difference that would be found with 80% power." + _plateau(rows)
    )
    if not _scored(rows, BITS):
        caption = f"{_reason(rows)[:1].upper()}{_reason(rows)[1:]}."
    return table(f"adapt-{view}", f"New students, {view} model: bits", caption, header, lines, shown)


def _plateau(rows: Sequence[Result]) -> str:
    """A sentence on whether later traces add anything to earlier ones."""
    found = [
        row for row in rows
        if row.metric == BITS and row.value is not None and (row.baseline or "k=0").startswith("k=")
        and row.baseline not in (None, "k=0")
    ]  # fmt: skip
    return "".join(
        f" k = {row.condition['k']} against {str(row.baseline).replace('=', ' = ')}: {with_interval(row, 2)} bits."
        for row in found
    )


def _generated_table(view: str, rows: Sequence[Result]) -> Table | None:
    keys = dict.fromkeys(
        (row.metric, row.statistic) for row in rows if row.statistic in STATISTICS and not row.metric.startswith("bits")
    )
    if not keys or not any(_scored(rows, metric) for metric, _ in keys):
        return None
    header = ("metric", "statistic", "k", "own", "another's", "own − another's", "p (Holm)", "own − k = 0", "pairs")
    lines = []
    for metric, statistic in keys:
        for k in _ks(rows, metric):
            own = _at(rows, metric, statistic, k)
            apart, begun = (_at(rows, metric, f"{statistic}_difference", k, name) for name in (OTHER, "k=0"))
            lines.append((
                _words(metric), statistic.replace("_", " "), str(k), with_interval(own),
                with_interval(_at(rows, metric, statistic, k, OTHER)), with_interval(apart),
                probability(apart.p_adjusted if apart else None), with_interval(begun), str(own.n if own else 0),
            ))  # fmt: skip
    shown = [row for row in rows if any(row.metric == metric for metric, _ in keys)]
    caption = "Agreement of generated traces with the student's own. A dash is unscored: what never varies has no r."
    return table(
        f"adapt-generated-{view}", f"New students, {view} model: generated traces", caption, header, lines, shown,
        words=2, folded=True,
    )  # fmt: skip
