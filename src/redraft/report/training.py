"""What became of the models, and how long a run's stages took: validation curves and tables.

In: the cards and histories in `models/VIEW/`, read without loading a model; a run's stages. Out: a figure and a table
of the models, each None where a run has none (its samples may come from elsewhere); a table of the stages.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
from matplotlib.figure import Figure as Canvas

from redraft.plots.style import Figure, draw, short_number, view_style
from redraft.plots.tables import Table, number, table
from redraft.rundir import read_record
from redraft.rundir.tables import read_table

REMEDY = "Remove the model, and train it again, or copy it anew."


def cards(run: Path, views: list[str]) -> dict[str, dict[str, Any]]:
    """The card of each view's model, for the views that have one."""
    files = {view: run / "models" / view / "redraft.json" for view in views}
    return {view: read_record(file, remedy=REMEDY) for view, file in files.items() if file.exists()}


def curves(run: Path, views: list[str], stamp: str) -> Figure | None:
    """Validation loss against tokens learned from, a line per view."""
    tables = []
    for view in views:
        file = run / "models" / view / "history.parquet"
        if file.exists() and (history := read_table(file, remedy=REMEDY)).num_rows:
            tables.append(history.append_column("model", pa.array([view] * history.num_rows, pa.string())))
    if not tables:
        return None
    points = pa.concat_tables(tables)
    cooldowns = _cooldowns(run, views)
    trained = list(dict.fromkeys(points["model"].to_pylist()))

    def paint(canvas: Canvas) -> None:
        axes = canvas.subplots()
        for row_view in trained:
            rows = [row for row in points.to_pylist() if row["model"] == row_view]
            colour, marker = view_style(row_view, views)
            known = [row for row in rows if row["validation_loss"] is not None]
            axes.plot([row["tokens"] for row in known], [row["validation_loss"] for row in known], color=colour,
                      marker=marker, markersize=4, label=row_view)  # fmt: skip
            axes.plot([row["tokens"] for row in rows], [row["train_loss"] for row in rows], color=colour,
                      linewidth=1, linestyle=(0, (2, 2)), alpha=0.7)  # fmt: skip
            for row in rows:
                if row["step"] == cooldowns.get(row_view):
                    axes.axvline(row["tokens"], color=colour, linewidth=1, alpha=0.7)
        axes.set(xlabel="tokens learned from", ylabel="loss (nats per token)")
        axes.xaxis.set_major_formatter(lambda value, _: short_number(value))
        canvas.legend(*axes.get_legend_handles_labels(), loc="outside upper left", ncols=3)

    return draw(
        "training", paint, size=(6.4, 3.5), stamp=stamp, points=points, title="Training",
        caption=f"{stamp}. Loss on validation traces (solid) and on training traces (dotted) while the models learned. "
        "Losses of different views aren't comparable: each predicts its own kind of text. A solid line still falling "
        "at its end is a model that had not finished learning; one that rises again has begun to learn by heart. "
        "The weights kept are those of its lowest point." + (_COOLDOWN if cooldowns else ""),
        alt="Validation and training loss against tokens, one pair of lines per view: " + ", ".join(trained) + ".",
    )  # fmt: skip


_COOLDOWN = (
    " At a vertical line the patience with a model had run out: it went back to its best weights until then and"
    " learned on from them while the learning rate fell to 0."
)


def _cooldowns(run: Path, views: list[str]) -> dict[str, int]:
    """The step after which each model's cooldown began, for the models that had one."""
    ends = {view: card.get("training") or {} for view, card in cards(run, views).items()}
    return {view: end["steps"] - end["cooldown_steps"] for view, end in ends.items() if end.get("cooldown_steps")}


def models(run: Path, views: list[str]) -> Table | None:
    """What each model was trained on, and how that ended."""
    header = ("model", "tokens", "steps", "best step", "validation loss", "ended by")
    rows = []
    for view, card in cards(run, views).items():
        training = card.get("training") or {}
        rows.append((
            view, short_number(training.get("tokens", 0)), f"{training.get('steps', 0):,}",
            f"{training.get('best_step', 0):,}", number(_best_loss(run, view), 3), str(training.get("stopped_by", "")),
        ))  # fmt: skip
    if not rows:
        return None
    caption = (
        "One set of weights a view, so every statement is about these checkpoints. A model that didn't end by "
        "'patience' might have learned more with more steps."
    )
    return table("models", "Models", caption, header, rows, [])


def stages(found: Mapping[str, Mapping[str, Any]]) -> Table:
    """Seconds of each stage of the run."""
    lines = [(name, f"{entry['seconds']:,.1f}") for name, entry in found.items() if "seconds" in entry]
    if lines:
        lines.append(("together", f"{sum(entry.get('seconds', 0) for entry in found.values()):,.1f}"))
    return table("stages", "Time of each stage", "Wall-clock seconds on the machine that ran it.",
                 ("stage", "seconds"), lines, [])  # fmt: skip


def _best_loss(run: Path, view: str) -> float | None:
    file = run / "models" / view / "history.parquet"
    losses = read_table(file, remedy=REMEDY)["validation_loss"].to_pylist() if file.exists() else []
    return min((loss for loss in losses if loss is not None), default=None)
