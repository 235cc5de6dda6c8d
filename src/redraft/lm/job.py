"""What a training is asked for, and what of it is there already.

In: data and settings. Out: the request, a JSON object; whether a folder holds its model; a folder for its work.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from redraft.data.split import Split
from redraft.data.store import Dataset
from redraft.errors import DatasetError
from redraft.lm.checkpoint import CARD, read_card
from redraft.lm.settings import TrainConfig
from redraft.lm.tokenizer import Tokenizer
from redraft.rundir import sha256_json, versions, write_json


def request(
    dataset: Dataset, split: Split, view: str, config: TrainConfig, tokenizer: Tokenizer | None
) -> dict[str, Any]:
    """All that decides the weights, and where the data comes from; the card begins with it."""
    card = {
        "view": view,
        "split": split.name,
        "split_hash": split.hash,
        "dataset": dataset.name,
        "dataset_fingerprint": dataset.fingerprint,
        "origin": dataset.origin,
        "given_tokenizer": sha256_json(tokenizer.backend.to_str()) if tokenizer else None,
        "config": asdict(config),
        "versions": versions(),
    }
    normal: dict[str, Any] = json.loads(json.dumps(card))
    return normal


def is_done(out: Path, request: Mapping[str, Any], overwrite: bool) -> bool:
    """Whether `out` holds the model asked for.

    Raises:
        DatasetError: It holds something else, which isn't to be overwritten.
    """
    if (out / CARD).exists():
        card = read_card(out)
        if all(card.get(key) == value for key, value in request.items()):
            return True
        if not overwrite:
            raise DatasetError(
                "already holds another model, or one of other settings.",
                where=out,
                remedy="Choose another --out, or add --overwrite.",
            )
    elif out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DatasetError("exists and is not a model; it is left alone.", where=out, remedy="Choose another --out.")
    return False


def claim(partial: Path, request: Mapping[str, Any], overwrite: bool) -> None:
    """Make sure that what is in `partial` was begun for the same request; without a checkpoint it is nothing yet."""
    file = partial / "request.json"
    if not file.exists() or json.loads(file.read_text()) != request:
        if (partial / "checkpoint.pt").exists() and not overwrite:
            raise DatasetError(
                "holds the beginnings of a training with other settings.",
                where=partial,
                remedy="Choose another --out, add --overwrite, or remove that folder.",
            )
        for path in partial.iterdir():
            if path.name != ".lock":
                shutil.rmtree(path) if path.is_dir() else path.unlink()
    write_json(file, request)
