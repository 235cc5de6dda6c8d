"""What a training is asked for: data and settings in, a JSON object out."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from redraft.data.split import Split
from redraft.data.store import Dataset
from redraft.lm.settings import TrainConfig
from redraft.lm.tokenizer import Tokenizer
from redraft.rundir import normal, sha256_json, versions


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
    return normal(card)
