"""Which size of model each kind of data can bear: bits per trace against compute, per view: docs/results/sizes.md.

    python bench/sizes.py work docs/results class.dataset itap.dataset newcaledonia.dataset --minutes 10

In: datasets. Each gets a split of its own, which holds out a fifth of the pairs to validate. Out, in the second folder: `sizes.csv` (a row per validation),
`sizes.svg` and `sizes.md`. Each training is a cell with a file of its own in the work folder, and a training that was
killed goes on, so the same command started again ends what is left, and more sizes or minutes add to it.

A cell trains one view with one preset on one thread until patience runs out or the CPU-minutes are spent (the process's
own, validation left out); which of the two it was stands beside its bits. One tokenizer serves all cells of a dataset.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from datetime import date
from itertools import groupby
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import FuncFormatter

from redraft.data.split import SplitConfig, load_split, make_split
from redraft.data.store import open_dataset
from redraft.lm import train as training
from redraft.lm.machine import be_a_worker
from redraft.lm.settings import TrainConfig
from redraft.lm.train import train
from redraft.plots.style import RC, origin_words
from redraft.rundir import write_json, write_text

SPLIT_NAME, SPLIT = "sizes", SplitConfig(held_students=0, held_titles=0, train_share=1.0, validation_share=0.2)
PRESETS = ("llama-200k", "llama-1m", "llama-3m", "llama-12m")
VIEWS = ("trace", "synthetic", "last")
COLOURS = dict(zip(PRESETS, ("#0072B2", "#009E73", "#D98200", "#CC79A7"), strict=True))
COLUMNS = ("dataset", "view", "preset", "seed", "minutes", "step", "tokens", "seconds", "bits_per_trace",
           "validation_loss", "train_loss")  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One training."""

    dataset: Path
    view: str
    preset: str
    seed: int
    minutes: float

    @property
    def name(self) -> str:
        """Its file's name."""
        return f"{self.dataset.stem}-{self.view}-{self.preset}-{self.minutes:g}-{self.seed}"

    @property
    def config(self) -> TrainConfig:
        """Until patience runs out, or the time."""
        return TrainConfig(
            preset=self.preset, precision="fp32", epochs=1000, minutes=self.minutes, validate_every=100, patience=6,
            validation_traces=200, seed=self.seed, tracker="none",
        )  # fmt: skip


def run(cell: Cell, work: Path) -> None:
    """Train a cell, if that wasn't done before."""
    file = work / f"{cell.name}.json"
    if file.exists():
        return
    training.clock = time.process_time
    dataset = open_dataset(cell.dataset)
    split = load_split(dataset, SPLIT_NAME)
    model = train(dataset, split=split, view=cell.view, out=work / "models" / cell.name, config=cell.config)
    about = model.card["training"]
    result = {
        **asdict(cell), "dataset": cell.dataset.stem, "origin": dataset.origin,
        "weights": sum(weights.numel() for weights in model.lm.lm.parameters()),
        "train_traces": split.counts()["train"], **about,
        "best": min(point.bits_per_trace for point in model.history if point.bits_per_trace is not None),
        "curve": [asdict(point) for point in model.history],
    }  # fmt: skip
    write_json(file, result)
    print(
        f"{cell.name}: {about['steps']} steps, {result['best']:.1f} bits, stopped by {about['stopped_by']}", flush=True
    )


def draw(cells: Sequence[dict[str, Any]], file: Path) -> None:
    """Bits per validation trace against CPU-seconds, a panel per dataset and view."""
    names = list(dict.fromkeys(cell["dataset"] for cell in cells))
    views = [view for view in VIEWS if any(cell["view"] == view for cell in cells)]
    with matplotlib.rc_context({**RC, "svg.hashsalt": "sizes"}):
        canvas = Canvas(figsize=(0.6 + 2.6 * len(names), 0.9 + 2.2 * len(views)), layout="constrained")
        grid = canvas.subplots(len(views), len(names), squeeze=False)
        for line, view in zip(grid, views, strict=True):
            for axes, name in zip(line, names, strict=True):
                for cell in (cell for cell in cells if (cell["dataset"], cell["view"]) == (name, view)):
                    points = [(point["seconds"], point["bits_per_trace"]) for point in cell["curve"]]
                    axes.plot(*zip(*points, strict=True), color=COLOURS[cell["preset"]], linewidth=1.2,
                              linestyle="-" if cell["converged"] else "--", label=cell["preset"])  # fmt: skip
                axes.set(xscale="log", yscale="log", title=f"{name}, {view}")
                for axis in (axes.yaxis, axes.xaxis):
                    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
                axes.yaxis.set_minor_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        for axes in grid[-1]:
            axes.set_xlabel("CPU-seconds of training")
        for axes in grid[:, 0]:
            axes.set_ylabel("bits per validation trace")
        found = dict(zip(*reversed(grid[0][0].get_legend_handles_labels()), strict=True))
        canvas.legend(found.values(), found.keys(), loc="outside upper left", ncols=len(found), frameon=False)
        canvas.savefig(file, format="svg", metadata={"Date": None})


def table(cells: Sequence[dict[str, Any]]) -> list[str]:
    """Markdown lines: the bits of every cell, the best size of a dataset and view in bold."""
    lines = ["| data | view | training traces | model | weights | CPU-seconds | passes | bits per trace | ended by |",
             "| --- | --- | ---: | --- | ---: | ---: | ---: | ---: | --- |"]  # fmt: skip
    order = sorted(cells, key=lambda cell: (cell["dataset"], VIEWS.index(cell["view"])))
    for _, group in groupby(order, key=lambda cell: (cell["dataset"], cell["view"])):
        same = sorted(group, key=lambda cell: cell["weights"])
        least = min(cell["best"] for cell in same)
        for cell in same:
            bits = f"**{cell['best']:.1f}**" if cell["best"] == least else f"{cell['best']:.1f}"
            lines.append(
                f"| {cell['dataset']} ({cell['origin']}) | {cell['view']} | {cell['train_traces']:,} "
                f"| {cell['preset']}, seed {cell['seed']} | {cell['weights']:,} | {cell['curve'][-1]['seconds']:.0f} "
                f"| {cell['steps'] / cell['steps_per_epoch']:.1f} | {bits} | {cell['stopped_by']} |"
            )
    return lines


PAGE = """# Which size of model the data can bear

Bits per validation trace by view and size, trained on one thread until patience ran out or the CPU-minutes were spent
(`ended by`). Lower is better within a view of a dataset; views aren't comparable with one another, since a final
program is less than a trace. A cell that ended by `minutes` still learned, so it is a checkpoint and its size may yet
win.

{table}

{about}

![Bits per validation trace against CPU-seconds](sizes.svg)

Dashed: ended by the time. Every validation is in [sizes.csv](sizes.csv).
"""


def report(cells: Sequence[dict[str, Any]], out: Path, command: str) -> None:
    """Write the page, the figure, the rows."""
    out.mkdir(parents=True, exist_ok=True)
    with (out / "sizes.csv").open("w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(COLUMNS)
        for cell in cells:
            rows.writerows([{**cell, **point}[column] for column in COLUMNS] for point in cell["curve"])
    draw(cells, out / "sizes.svg")
    origins = dict.fromkeys(origin_words(cell["origin"], cell["dataset"]) for cell in cells)
    about = f"{'. '.join(origins)}. `{command}`, {date.today():%Y-%m-%d}."
    write_text(out / "sizes.md", PAGE.format(table="\n".join(table(cells)), about=about))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("work", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("datasets", type=Path, nargs="+")
    parser.add_argument("--views", nargs="+", default=["trace", "last"], choices=VIEWS)
    parser.add_argument("--presets", nargs="+", default=PRESETS[:3], choices=PRESETS)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--jobs", type=int, default=2)
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    cells = [
        Cell(dataset=dataset, view=view, preset=preset, seed=seed, minutes=given.minutes)
        for preset in given.presets for view in given.views for seed in given.seeds for dataset in given.datasets
    ]  # fmt: skip
    for dataset in map(open_dataset, given.datasets):
        make_split(dataset, SPLIT, name=SPLIT_NAME)
    with ProcessPoolExecutor(given.jobs, mp_context=get_context("spawn"), initializer=be_a_worker) as pool:
        for running in [pool.submit(run, cell, given.work) for cell in cells]:
            running.result()
    done = [json.loads(file.read_text()) for file in sorted(given.work.glob("*.json"))]
    options = f"--views {' '.join(given.views)} --presets {' '.join(given.presets)} --minutes {given.minutes:g}"
    names = " ".join(path.name for path in given.datasets)
    report(done, given.out, f"python bench/sizes.py {given.work.name} {given.out} {names} {options}")


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
