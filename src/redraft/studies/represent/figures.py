"""Figures of the representations study (paper figure 10).

In: a run's folder with `results/represent.parquet` and `points-represent-steps.parquet`. Out: figures, none without a
scored value.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D

from redraft import results
from redraft.plots.style import BASELINE, INK, MUTED, Figure, draw, origin_words, view_style
from redraft.plots.tables import number, probability
from redraft.results import Result
from redraft.rundir.tables import read_table
from redraft.studies.represent.pick import INPUTS, PERMUTED, UNTRAINED, find, models_of

EDITS = {
    "large_add": ("#0072B2", "o", "5 or more lines added"), "small_add": ("#56B4E9", "^", "lines added"),
    "large_del": ("#D55E00", "s", "5 or more lines deleted"), "small_del": ("#E69F00", "v", "lines deleted"),
    "modify": ("#7A5195", "D", "lines changed"),
}  # fmt: skip
"""Kind of edit -> colour, marker, words."""
SHADES = LinearSegmentedColormap.from_list("likeness", ["#f6f8fa", "#9ecae1", "#08519c"])
GREYS = LinearSegmentedColormap.from_list("control", ["#f6f8fa", "#8c959f", "#24292f"])


def figures(run: Path) -> list[Figure]:
    """The study's figures."""
    rows = results.of_study(run, "represent")
    if not rows:
        return []
    made = (_likeness(rows), _variance(rows), _steps(rows, read_table(run / "points-represent-steps.parquet")))
    return [figure for figure in made if figure]


def _stamp(rows: Sequence[Result]) -> str:
    return origin_words(rows[0].origin, rows[0].dataset)


def _matrix(rows: Sequence[Result], model: str, other: str, baseline: str | None) -> np.ndarray:
    """CKA by the layers of `model` (rows) and of `other`."""
    cells = {
        (int(row.condition["layer"]), int(row.condition["with_layer"])): row.value
        for row in rows
        if row.metric == "cka" and row.model == model and row.baseline == baseline and row.statistic == "value"
        and row.condition["with"] == other and "readings" not in row.condition
    }  # fmt: skip
    size = tuple(1 + max((key[axis] for key in cells), default=-1) for axis in (0, 1))
    found = np.full(size, np.nan)
    for at, value in cells.items():
        found[at] = np.nan if value is None else value
    return found


def _likeness(rows: Sequence[Result]) -> Figure | None:
    """Layers against layers of each pair of models; the controls in grey."""
    models = models_of(rows)
    trained = [model for model in models if model != UNTRAINED]
    if not models:
        return None
    first = models[0]
    panels: list[tuple[str, str, str | None]] = [(a, b, None) for a, b in combinations(trained, 2)]
    panels += [(first, UNTRAINED, None), *((a, b, PERMUTED) for a, b, _ in (panels[-1:] or [(first, UNTRAINED, None)]))]
    shown = [(panel, matrix) for panel in panels if np.isfinite(matrix := _matrix(rows, *panel)).any()]
    if not shown:
        return None
    cka = [row for row in rows if row.metric == "cka"]
    n, students = max(row.n for row in cka), max(row.n_students for row in cka)

    def paint(canvas: Canvas) -> None:
        grid = canvas.subplots(1, len(shown), squeeze=False)[0]
        for axes, ((model, other, baseline), matrix) in zip(grid, shown, strict=True):
            control = baseline is not None or other == UNTRAINED
            axes.imshow(matrix, cmap=GREYS if control else SHADES, vmin=0, vmax=1, origin="lower", aspect="equal")
            for (y, x), value in np.ndenumerate(matrix) if matrix.size <= 36 else ():
                axes.text(x, y, number(round(float(value), 2) + 0.0), ha="center", va="center", size=8,
                          color="white" if value > 0.55 else INK)  # fmt: skip
            axes.set(ylabel=f"layer, {model}", xlabel=f"layer, {other}")
            words = "inputs permuted" if baseline else f"{model} and {other}"
            axes.set_title(f"{words}\n{'(control)' if control else ''}")
            axes.set_xticks(range(matrix.shape[1]))
            axes.set_yticks(range(matrix.shape[0]))
            axes.grid(visible=False)

    return draw(
        "represent-likeness", paint, size=(0.5 + 2.2 * len(shown), 2.9), stamp=f"{_stamp(rows)}, n = {n} traces",
        points=results.to_table(cka), title="How alike do the models represent the same traces?",
        caption=f"{_stamp(rows)}. Debiased linear CKA of every layer of one model with every layer of another, on "
        f"{n} beginnings of traces, one per trace, by {students} students. 1: the same up to a rotation; 0: nothing "
        "in common. Layer 0 is the embeddings, the last one what programs are predicted from. Grey: the controls, "
        "a model never trained and permuted inputs. Intervals are in the table.",
        alt="Heat maps of layer against layer for each pair of models, and for the controls.",
    )  # fmt: skip


def _variance(rows: Sequence[Result]) -> Figure | None:
    """Shares of variance by component, of each model, with and without the past."""
    shown = [row for row in rows if row.metric == "variance_share" and row.value is not None]
    if not shown:
        return None
    models = [model for model in models_of(rows) if any(row.model == model for row in shown)]
    n, students = max(row.n for row in shown), max(row.n_students for row in shown)

    def paint(canvas: Canvas) -> None:
        grid = canvas.subplots(1, 2, sharey=True)
        for axes, (inputs, words) in zip(grid, INPUTS.items(), strict=True):
            for place, model in enumerate(models):
                mine = [row for row in shown if row.model == model and row.condition.get("inputs", "") == inputs]
                colour, marker = (BASELINE, "x") if model == UNTRAINED else view_style(model, models)
                x = [int(row.condition["component"]) + 0.1 * (place - (len(models) - 1) / 2) for row in mine]
                axes.plot(x, [row.value or 0.0 for row in mine], color=colour, marker=marker, markersize=4, linewidth=1,
                          label=model + (" (control)" if model == UNTRAINED else ""))  # fmt: skip
                bars = [(at, row.low, row.high) for at, row in zip(x, mine, strict=True) if row.low is not None]
                if bars:
                    axes.vlines(*zip(*bars, strict=True), color=colour, linewidth=1.5)
            axes.set(title=words, xlabel="principal component")
            axes.set_xticks(sorted({int(row.condition["component"]) for row in shown}))
        grid[0].set_ylabel("share of variance")
        grid[0].set_ylim(bottom=0)
        grid[0].legend(loc="upper right")

    return draw(
        "represent-variance", paint, size=(7.2, 3.0), stamp=f"{_stamp(rows)}, n = {n} steps",
        points=results.to_table(shown),
        title="In how many directions do steps go?",
        caption=f"{_stamp(rows)}. Share of variance along each principal component of the differences between "
        f"consecutive states' representations ({n} steps of {students} students): the steeper, the fewer directions. "
        "Left: states read with all states before them; right: each read alone. Bars are 95% intervals (students left "
        "out in turn).",
        alt="Two panels of variance shares by component, a line per model.",
    )  # fmt: skip


def _steps(rows: Sequence[Result], points: pa.Table) -> Figure | None:
    """Steps in the plane of the first two components, coloured by kind of edit; permuted kinds in grey."""
    models = [model for model in models_of(rows) if model != UNTRAINED]
    first = models[0] if models else ""
    other = "last" if "last" in models[1:] else next(iter(models[1:]), None)
    panels = [(first, ""), (first, "state"), *([(other, "")] if other else []), (UNTRAINED, "")]
    of = {
        (model, inputs): mine for model, inputs in panels
        if (mine := [p for p in points.to_pylist() if p["model"] == model and p["inputs"] == (inputs or "prefix")])
    }  # fmt: skip
    if not of:
        return None
    n = max(row.n for row in rows if row.metric == "components_2")

    def paint(canvas: Canvas) -> None:
        grid = canvas.subplots(1, len(of), squeeze=False)[0]
        for axes, ((model, inputs), mine) in zip(grid, of.items(), strict=True):
            _scatter(axes, mine)
            control = " (control)" if model == UNTRAINED else ""
            axes.set_title(f"{model}{control}\n{INPUTS[inputs]}")
            found = find(rows, "edit_type_separation", model, **({"inputs": inputs} if inputs else {}))
            chance = find(rows, "edit_type_separation", model, PERMUTED, **({"inputs": inputs} if inputs else {}))
            text = f"between kinds {number(found.value if found else None)}"
            if found and chance and found.value is not None and chance.value is not None:
                text += f"\npermuted {number(found.value - chance.value)}, p {probability(chance.p)}"
            low, high = axes.get_ylim()
            axes.set_ylim(low, high + 0.25 * (high - low))  # room for the numbers
            axes.text(0.03, 0.98, text, transform=axes.transAxes, va="top", size=8, color=INK)
            axes.set_xlabel("component 1")
        grid[0].set_ylabel("component 2")
        canvas.legend(handles=_kinds(points), loc="outside upper left", ncols=5, handletextpad=0.2)

    return draw(
        "represent-steps", paint, size=(0.4 + 2.5 * len(of), 3.4), stamp=f"{_stamp(rows)}, n = {n} steps",
        points=points, title="Do directions tell kinds of edit?",
        caption=f"{_stamp(rows)}. A dot is the step from one state to the next, along the first two principal "
        "components of all steps. In each panel: the share of variance in this plane that lies between the kinds "
        "of edit, and what it is when kinds are permuted within students. At most a part of the steps is drawn; "
        "all are counted.",
        alt="Scatter plots of steps in two dimensions, coloured by kind of edit, one per model and way of reading.",
    )  # fmt: skip


def _scatter(axes: Axes, points: list[dict[str, Any]]) -> None:
    """A dot per step; rare kinds above frequent ones."""
    kinds = sorted(EDITS, key=lambda kind: -sum(point["edit"] == kind for point in points))
    for kind in kinds:
        mine = [point for point in points if point["edit"] == kind]
        colour, marker, _ = EDITS[kind]
        axes.scatter([p["x"] for p in mine], [p["y"] for p in mine], s=9, c=colour, marker=marker, alpha=0.55,
                     linewidths=0)  # fmt: skip
    axes.axhline(0, color=MUTED, linewidth=0.6, zorder=1)
    axes.axvline(0, color=MUTED, linewidth=0.6, zorder=1)


def _kinds(points: pa.Table) -> list[Line2D]:
    """The legend: the kinds of edit there are."""
    there = set(points["edit"].to_pylist())
    return [
        Line2D([], [], color=colour, marker=marker, markersize=4, linestyle="", label=words)
        for kind, (colour, marker, words) in EDITS.items() if kind in there
    ]  # fmt: skip
