"""A class whose students differ strongly, or not at all, and a model of it that knows it; newcomers to fit to."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import torch

from factories import make_dataset, make_trace
from redraft.data.split import Split, SplitConfig, make_split
from redraft.data.store import Dataset
from redraft.data.trace import Trace
from redraft.lm.checkpoint import Model
from redraft.lm.codec import CodecConfig
from redraft.lm.settings import PRESETS, Preset, TrainConfig
from redraft.lm.train import train

COLOURS = ("red", "blue", "green", "pink", "gold", "black")
TITLES = tuple(f"title{i}" for i in range(9))
CONFIG = TrainConfig(
    preset="newcomers", vocabulary=320, steps=250, validate_every=250, lr=1e-2, precision="fp32", title_mask=0.0,
    student_dropout=0.1, codec="diff", codec_options=CodecConfig(title_tokens=4, overlap=8, relative_time=True),
    tracker="none",
)  # fmt: skip


def colour_of(student: str) -> str:
    return COLOURS[int(student[1:]) % len(COLOURS)]


def a_trace(student: str, title: str, day: int, rng: np.random.Generator, *, differ: bool) -> Trace:
    """Three states in the student's colour; or, where students don't differ, each in a colour of its own."""
    colour = colour_of(student) if differ else rng.choice(COLOURS)
    codes = [f"pen {colour}", f"pen {colour}\ndot {colour}", f"pen {colour}\ndot {colour}\nbox {colour}"]
    start = datetime(2019 + int(student[1:]) % 2, 1, 1, 9, tzinfo=UTC) + timedelta(days=day)
    return make_trace(codes, student, title, start)


def newcomer_class(folder: Path, *, differ: bool = True, students: int = 48, held: int = 24) -> tuple[Dataset, Split]:
    """All students on all titles; so many of them held out, and no title."""
    rng = np.random.default_rng(5)
    traces = []
    for number in range(students):
        days = rng.permutation(len(TITLES))
        traces += [
            a_trace(f"s{number:02d}", title, int(day), rng, differ=differ)
            for title, day in zip(TITLES, days, strict=True)
        ]
    dataset = make_dataset(folder, traces, origin="simulated")
    wanted = SplitConfig(held_students=held, held_titles=0, train_share=1, validation_share=0.05)
    return dataset, make_split(dataset, wanted)


def newcomer_model(folder: Path, dataset: Dataset, split: Split, view: str = "trace", **changes: Any) -> Model:
    """A model of the class, trained in seconds."""
    torch.set_num_threads(1)
    PRESETS["newcomers"] = Preset(
        summary="a toy",
        family="llama",
        layers=1,
        heads=2,
        width=32,
        context=96,
        lr=1e-2,
        batch_tokens=1024,
        optimizer="muon",
    )
    return train(dataset, split=split, view=view, out=folder, config=replace(CONFIG, **changes))
