"""What `killing` needs a model for: a toy one and its dataset, made once in the process that forks."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from redraft.data.split import load_split
from redraft.data.store import open_dataset
from redraft.data.trace import Trace
from redraft.errors import DatasetError
from redraft.lm import sample as sampling
from redraft.lm import score as scoring
from redraft.lm import train as training
from redraft.lm.checkpoint import Model, load_model
from redraft.lm.sample import Request, SampleConfig, sample
from redraft.lm.score import score
from redraft.lm.train import train
from toy import TOY, prepare_torch, toy_dataset

CONFIG = replace(TOY, steps=2, validate_every=1, validation_traces=2, tracker="none")


def scenarios() -> dict[str, dict[str, Callable[[Path], object]]]:
    """Name -> the parts of a `killing.Scenario`."""
    prepare_torch()
    folder = Path(tempfile.mkdtemp(prefix="killing-"))
    toy_dataset(folder / "data")
    _train(folder, folder / "model")
    begun = _begun(folder)
    model, data = load_model(folder / "model"), open_dataset(folder / "data")
    few = list(data.traces())[:4]

    def draw(model: Model, requests: list[Request], *_: object) -> tuple[list[Trace], dict[str, int]]:
        return few[:1], {"bad_date": len(requests)}

    setattr(sampling, "_draw_shard", draw)  # noqa: B010 (what is drawn matters nothing here)
    scoring.PART = 20
    requests = [Request("s1", "star", "a"), Request("s2", "star", "b")]
    drawing = SampleConfig(per_pair=1, shard=1)

    def copy(place: Path) -> None:
        shutil.copytree(begun, place / "out.partial")

    def whole(place: Path) -> None:
        if (place / "out").exists():
            try:
                load_model(place / "out")
            except DatasetError as error:
                raise AssertionError from error

    return {
        "sample": {"do": lambda place: sample(model, requests, out=place / "out", config=drawing)},
        "score": {"do": lambda place: score(model, data, out=place / "out")},
        "train": {"before": copy, "do": lambda place: _train(folder, place / "out"), "look": whole},
    }


def _train(folder: Path, out: Path) -> None:
    data = open_dataset(folder / "data")
    train(data, split=load_split(data), view="trace", out=out, config=CONFIG)


def _begun(folder: Path) -> Path:
    """A training that has taken its last step and is about to be published."""
    publish: Any = training._publish

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    setattr(training, "_publish", stop)  # noqa: B010
    try:
        _train(folder, folder / "begun")
    except KeyboardInterrupt:
        pass
    finally:
        setattr(training, "_publish", publish)  # noqa: B010
    return folder / "begun.partial"
