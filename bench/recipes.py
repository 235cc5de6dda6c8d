"""The paper's training recipe against ours after equal CPU-seconds: docs/results/recipes.md.

    redraft ingest rollouts ../shared/data/rollouts/all_*.json.xz --out rollouts.dataset
    python bench/recipes.py rollouts.dataset recipes docs/results

In: a dataset of the rollouts' `all_*` traces, a folder to work in, a folder for the results. Out there: `recipes.csv`
(a row a validation), `recipes.svg` and `recipes.md`. Each training is a cell with a file of its own in the work
folder, and a training that was killed goes on, so the same command started again ends what is left.

Both train the same model (llama-3m, from scratch, one tokenizer) on one thread; a budget counts the process's own
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
from dataclasses import asdict, dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator

from redraft.data.split import Split, SplitConfig, make_split
from redraft.data.store import Dataset, open_dataset
from redraft.data.trace import Trace
from redraft.lm import train as training
from redraft.lm.batch import encode
from redraft.lm.checkpoint import Model
from redraft.lm.codec import CodecConfig
from redraft.lm.settings import TrainConfig
from redraft.lm.train import train
from redraft.lm.validate import validate
from redraft.rundir import write_json, write_text

BUDGETS = (300, 1200)
"""CPU-seconds."""
_ALL = TrainConfig(
    preset="llama-3m", student_dropout=0.1, epochs=1000, patience=1000, validation_traces=150, tracker="none",
    precision="fp32",
)  # fmt: skip
PAPER = replace(
    _ALL, codec="full", optimizer="adamw", weight_decay=0.0, batch_size=32, schedule="linear", warmup=0.0,
    student_lr=1.0,
)  # fmt: skip
OURS = replace(_ALL, codec="diff", codec_options=CodecConfig(relative_time=True))
RECIPES = {"paper": PAPER, "ours": OURS}
RATES = {"paper": (1e-3, 3e-3, 1e-2), "ours": (1e-2,)}
STEP_SECONDS = {"paper": 3.2, "ours": 0.8}
"""About, on the machine of the results: how often to validate is set in steps."""


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
        every = max(1, round(self.budget / 12 / STEP_SECONDS[self.recipe]))
        return replace(RECIPES[self.recipe], lr=self.lr, minutes=self.budget / 60, validate_every=every)


def test_traces(dataset: Dataset, split: Split) -> list[Trace]:
    """One trace of each held-out pair."""
    held = sorted(split.select(dataset.traces(), "unseen-seen"), key=lambda trace: (trace.pair, trace.sample))
    return [next(same) for _, same in groupby(held, key=lambda trace: trace.pair)]


def bits(model: Model, traces: list[Trace]) -> float:
    """Bits a trace, by the unknown student's vector where the student is unknown."""
    chunks = encode(traces, model.codec, model.students, model.lm.context)
    known = validate(model.lm, chunks, model.codec, Accelerator(cpu=True), batch_tokens=8192)
    assert known
    return known.bits_per_trace


def run(cell: Cell, dataset: Dataset, split: Split, work: Path) -> dict[str, Any]:
    """Train a cell, or read what came out of it."""
    file = work / f"{cell.name}.json"
    if not file.exists():
        given = work / "tokenizer" if (work / "tokenizer").exists() else None
        out = work / "models" / cell.name
        model = train(dataset, split=split, view="trace", out=out, config=cell.config, tokenizer_from=given)
        if not given:
            model.codec.tokenizer.save(work / "tokenizer")
        result = {
            **asdict(cell),
            "steps": model.card["training"]["steps"],
            "tokens": model.card["training"]["tokens"],
            "validation": min(point.bits_per_trace for point in model.history),
            "test": bits(model, test_traces(dataset, split)),
            "curve": [asdict(point) for point in model.history],
        }
        write_json(file, result)
        print(f"{cell.name}: {result['steps']} steps, {result['tokens']:,} tokens, {result['test']:.1f} bits a trace",
              flush=True)  # fmt: skip
    found: dict[str, Any] = json.loads(file.read_text())
    return found
