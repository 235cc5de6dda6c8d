"""The paper's training recipe against ours after equal CPU-seconds: docs/results/recipes.md.

    redraft ingest rollouts ../shared/data/rollouts/all_*.json.xz --out rollouts.dataset
    python bench/recipes.py rollouts.dataset recipes docs/results

In: a dataset of the rollouts' `all_*` traces, a folder to work in, a folder for the results. Out there: `recipes.csv`
(a row a validation), `recipes.svg` and `recipes.md`. Each training is a cell with a file of its own in the work
folder, and a training that was killed goes on, so the same command started again ends what is left.

Both train the same model (llama-3m, from scratch, a tokenizer per codec) on one thread; a budget counts the process's own
seconds of training, validation left out, and the learning rate has run down when it is spent. Held out are all pairs of
a fifth of the students; of each such pair one trace tests. Nearly every student of the rollouts has a single title, so
those tested are unknown ones: student dropout trains the row of the unknown student in both recipes, though the paper's
leaves it untrained.
"""

from __future__ import annotations

import csv
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from itertools import groupby
from pathlib import Path
from typing import Any

import matplotlib
import torch
from accelerate import Accelerator
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import FuncFormatter

from redraft.data.split import Split, SplitConfig, make_split
from redraft.data.store import Dataset, open_dataset
from redraft.data.trace import Trace
from redraft.lm import train as training
from redraft.lm.batch import encode
from redraft.lm.checkpoint import Model
from redraft.lm.settings import PRESETS, TrainConfig
from redraft.lm.train import train
from redraft.lm.validate import validate
from redraft.plots.style import RC
from redraft.rundir import atomic_folder, write_json, write_text

BUDGETS = (300, 1200)
"""CPU-seconds."""
_ALL = TrainConfig(
    preset="llama-3m", student_dropout=0.1, epochs=1000, patience=1000, validation_traces=100, tracker="none",
    precision="fp32",
)  # fmt: skip
PAPER = replace(
    _ALL, codec="full", optimizer="adamw", weight_decay=0.0, batch_size=32, schedule="linear", warmup=0.0,
    student_lr=1.0,
)  # fmt: skip
SMALL = replace(PAPER, batch_size=4)
"""Within minutes on a CPU the paper's batches allow too few steps; so its recipe is tried with small ones too."""
OUR_CODEC = PRESETS[_ALL.preset].codec
CODEC = replace(SMALL, codec=OUR_CODEC)
OURS = replace(_ALL, codec=OUR_CODEC, batch_tokens=1024)
RECIPES = {"paper": PAPER, "small": SMALL, "codec": CODEC, "ours": OURS}
PAPERS = ("paper", "small")
PAPER_RATES, OUR_RATE = (1e-3, 3e-3, 1e-2), 1e-2
SPLIT = SplitConfig(held_students=0.2, held_titles=0, train_share=1.0, validation_share=0.05)
VALIDATIONS = 6
"""In each training; more would be mostly validation."""
STEP_SECONDS = {"paper": 7.5, "small": 0.9, "codec": 0.5, "ours": 0.6}
"""About, on the machine of the results: how often to validate is set in steps."""
WORDS = {
    "paper": "the paper's recipe", "small": "the same, batches of 4", "codec": f"the same, codec `{OUR_CODEC}`",
    "ours": "ours",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One training."""

    recipe: str
    lr: float
    budget: int

    @property
    def name(self) -> str:
        return f"{self.recipe}-{self.lr:g}-{self.budget}"

    @property
    def config(self) -> TrainConfig:
        every = max(1, int(self.budget / VALIDATIONS / STEP_SECONDS[self.recipe]))
        return replace(RECIPES[self.recipe], lr=self.lr, minutes=self.budget / 60, validate_every=every)


def test_traces(dataset: Dataset, split: Split) -> list[Trace]:
    """One trace of each held-out pair."""
    held = sorted(split.select(dataset.traces(), "unseen-seen"), key=lambda trace: (trace.pair, trace.sample))
    return [next(same) for _, same in groupby(held, key=lambda trace: trace.pair)]


def bits(model: Model, traces: list[Trace]) -> float:
    """Bits per trace, by the unknown student's vector where the student is unknown."""
    chunks = encode(traces, model.codec, model.students, model.lm.context)
    known = validate(model.lm, chunks, model.codec, Accelerator(cpu=True), batch_tokens=8192)
    return float(known.bits.sum()) / len(traces)


def run(cell: Cell, dataset: Dataset, split: Split, work: Path) -> dict[str, Any]:
    """Train a cell, or read what came out of it."""
    file = work / f"{cell.name}.json"
    if not file.exists():
        tokenizer = work / f"tokenizer-{cell.config.codec}"
        model = train(
            dataset, split=split, view="trace", out=work / "models" / cell.name, config=cell.config,
            tokenizer_from=tokenizer if tokenizer.exists() else None,
        )  # fmt: skip
        if not tokenizer.exists():
            with atomic_folder(tokenizer) as temporary:
                model.codec.tokenizer.save(temporary)
        result = {
            **asdict(cell),
            "steps": model.card["training"]["steps"],
            "tokens": model.card["training"]["tokens"],
            "validation": min(point.bits_per_trace for point in model.history if point.bits_per_trace is not None),
            "test": bits(model, test_traces(dataset, split)),
            "curve": [asdict(point) for point in model.history],
        }
        write_json(file, result)
        print(f"{cell.name}: {result['steps']} steps, {result['tokens']:,} tokens, {result['test']:.1f} bits per trace",
              flush=True)  # fmt: skip
    found: dict[str, Any] = json.loads(file.read_text())
    return found


def run_all(dataset: Dataset, split: Split, work: Path) -> list[dict[str, Any]]:
    """All trainings. With the larger budget the paper's recipe gets the batches and the learning rate that the smaller
    one finds best by validation; so does the codec alone with the smaller one."""
    small, large = BUDGETS

    def trained(recipe: str, lr: float, budget: int) -> dict[str, Any]:
        return run(Cell(recipe=recipe, lr=lr, budget=budget), dataset, split, work)

    done = [trained("ours", OUR_RATE, small)]
    first = [trained(recipe, lr, small) for recipe in PAPERS for lr in PAPER_RATES]
    ranked = sorted(first, key=lambda cell: cell["validation"])
    done += [*first, trained("codec", ranked[0]["lr"], small), trained("ours", OUR_RATE, large)]
    return done + [trained(cell["recipe"], cell["lr"], large) for cell in ranked[:1]]


# What came out


def best(cells: list[dict[str, Any]], recipes: Sequence[str], budget: int) -> dict[str, Any]:
    """The training that validates best."""
    of = [cell for cell in cells if cell["recipe"] in recipes and cell["budget"] == budget]
    return min(of, key=lambda cell: cell["validation"])


def draw(cells: list[dict[str, Any]], file: Path) -> None:
    """Bits a validation trace against CPU-seconds, a curve a training."""
    shades = dict(zip(PAPER_RATES, ("#E8B76B", "#D98200", "#8C5400"), strict=True))
    marks = {"paper": "s", "small": "^", "codec": "v", "ours": "o"}
    with matplotlib.rc_context({**RC, "svg.hashsalt": "recipes"}):
        canvas = Canvas(figsize=(8.4, 4), layout="constrained")
        axes = canvas.subplots()
        for cell in cells:
            curve = [(point["seconds"], point["bits_per_trace"]) for point in cell["curve"]]
            colour = {"ours": "#0072B2", "codec": "#009E73"}.get(cell["recipe"]) or shades[cell["lr"]]
            small = cell["budget"] == BUDGETS[0]
            axes.plot(*zip(*curve, strict=True), color=colour, marker=marks[cell["recipe"]], markersize=3.5,
                      linestyle="--" if small else "-",
                      label=f"{WORDS[cell['recipe']]}, {cell['lr']:g}, {cell['budget']:,} s")  # fmt: skip
        axes.set(xlabel="CPU-seconds of training", ylabel="bits per validation trace", yscale="log")
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.set_title("Traces made by a model, not by students", loc="left")
        axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5), title="recipe, learning rate, budget")
        canvas.savefig(file, format="svg", metadata={"Date": None})


def report(cells: list[dict[str, Any]], out: Path, about: str) -> None:
    """Write the page, the figure, the rows."""
    out.mkdir(parents=True, exist_ok=True)
    columns = ("recipe", "lr", "budget", "step", "tokens", "seconds", "bits_per_trace", "validation_loss", "train_loss")
    with (out / "recipes.csv").open("w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(columns)
        for cell in cells:
            rows.writerows([{**cell, **point}[column] for column in columns] for point in cell["curve"])
    draw(cells, out / "recipes.svg")
    lines = ["| CPU-seconds | the paper's recipe | ours | ratio |", "| ---: | ---: | ---: | ---: |"]
    for budget in BUDGETS:
        paper, ours = (best(cells, recipes, budget) for recipes in (PAPERS, ("ours",)))
        batch = RECIPES[paper["recipe"]].batch_size
        lines.append(f"| {budget:,} | {paper['test']:.0f} (learning rate {paper['lr']:g}, batches of {batch}) "
                     f"| {ours['test']:.0f} "
                     f"| **{ours['test'] / paper['test']:.2f}** |")  # fmt: skip
    lines += ["", "| training | steps | tokens learned from | bits, validation | bits, held out |"]
    lines += ["| --- | ---: | ---: | ---: | ---: |"]
    lines += [
        f"| {WORDS[cell['recipe']]}, learning rate {cell['lr']:g}, {cell['budget']:,} s | {cell['steps']:,} "
        f"| {cell['tokens']:,} | {cell['validation']:.0f} | {cell['test']:.0f} |"
        for cell in cells
    ]
    write_text(out / "recipes.md", PAGE.format(about=about, codec=OUR_CODEC, tables="\n".join(lines)))


PAGE = """# The paper's recipe against ours

Bits per trace on held-out (student, title) pairs of the rollouts' `all_*` traces, after equal CPU-seconds of training:
lower is better, and half the bits means that the same traces need half the information once the model is known. **No
student wrote these traces: a model did** (origin `model`).

{tables}

{about}

![Bits per validation trace against CPU-seconds of training](recipes.svg)

Dashed: the trainings of the smaller budget, whose learning rate falls sooner. Every training's validations are in
[recipes.csv](recipes.csv).

- Both: llama-3m from scratch, context 512, a tokenizer of 2,048 entries at most that learned from what the codec writes,
  title hidden in 15% of the traces, one seed.
- The paper's recipe: codec `full`, AdamW without decay, batches of 32 sequences drawn at random and padded to the
  longest, linear learning rate. As these budgets allow few such steps on a CPU, batches of 4 are tried too; what counts
  is the best by validation of both with learning rates 1e-3, 3e-3 and 1e-2 (with the larger budget, the one that the
  smaller one finds best). One thing is better than the paper's: student dropout of 0.1 trains the row of unknown
  students, whose traces these are.
- `codec {codec}` in between: the best of these with the codec alone changed. The rest of the way is Muon and batches.
- Ours: codec `{codec}` with relative times, Muon, batches of sequences of similar length (1,024 tokens), the preset's
  linear learning rate after a warm-up of 5%, decay by the size of the data; settings chosen in a few trials of 80 CPU-seconds.
- The budget counts the process's own seconds on one thread, validation left out.
"""


def main() -> None:
    torch.set_num_threads(1)
    training.clock = time.process_time
    data, work, out = map(Path, sys.argv[1:4])
    dataset = open_dataset(data)
    split = make_split(dataset, SPLIT, name="recipes")
    work.mkdir(parents=True, exist_ok=True)
    cells = run_all(dataset, split, work)
    counts = split.counts()
    about = (
        f"`python bench/recipes.py` on {date.today():%Y-%m-%d}; {counts['train']:,} pairs train, "
        f"{counts['validation']} validate, {counts['unseen-seen']} test (one trace each)."
    )
    report(cells, out, about)


if __name__ == "__main__":
    main()
