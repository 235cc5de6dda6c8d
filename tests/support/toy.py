"""A toy class and a toy model, small enough to train in a second."""

from __future__ import annotations

from pathlib import Path

import torch

from factories import make_dataset, make_trace
from redraft.data.split import Split, SplitConfig, make_split
from redraft.data.store import Dataset
from redraft.lm.settings import PRESETS, Preset, TrainConfig

TOY = TrainConfig(preset="toy", codec="full", vocabulary=300, steps=30, validate_every=10, lr=1e-2, precision="fp32")


def prepare_torch() -> None:
    """One thread, and the toy's shape among the presets."""
    torch.set_num_threads(1)
    PRESETS["toy"] = Preset(
        summary="a toy", family="gpt2", layers=1, heads=2, width=16, context=128, lr=1e-2, batch_tokens=1024
    )


def toy_dataset(folder: Path) -> tuple[Dataset, Split]:
    """Ten students who each have a colour, and four titles."""
    colours = ("red", "blue", "green", "pink", "gold")
    traces = []
    for s in range(10):
        for t, title in enumerate(("square", "star", "house", "spiral")):
            pen = f"pen {colours[s % 5]}"
            codes = [pen, f"{pen}\nfd {10 * t}", f"{pen}\nfd {10 * t}\nrt 90"]
            traces.append(make_trace(codes, student=f"s{s}", title=title))
    dataset = make_dataset(folder, traces, origin="simulated")
    return dataset, make_split(dataset, SplitConfig(held_students=2, held_titles=1, validation_share=0.1))
