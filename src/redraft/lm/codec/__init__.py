"""Traces to token ids and back: what a model reads and writes. One registry, `CODECS`; `base` says what all share.

In: traces and a tokenizer, or a model's folder. Out: a codec.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from redraft.config import build
from redraft.errors import DatasetError, InputError
from redraft.lm.codec.base import (
    CODEC_FILE,
    EDIT,
    ENDING,
    SCHEMA_VERSION,
    TIME,
    Codec,
    CodecConfig,
    Coded,
    Decoded,
    Verdicts,
)  # fmt: skip
from redraft.lm.codec.diff import DiffCodec
from redraft.lm.codec.echo import EchoCodec
from redraft.lm.codec.full import FullCodec
from redraft.lm.codec.headers import NO_TIME
from redraft.lm.tokenizer import load_tokenizer
from redraft.rundir import Version, read_record

__all__ = [
    "CODECS", "CODEC_FILE", "EDIT", "ENDING", "NO_TIME", "SCHEMA_VERSION", "TIME", "Codec", "CodecConfig", "Coded",
    "Decoded", "DiffCodec", "EchoCodec", "FullCodec", "Verdicts", "load_codec",
]  # fmt: skip

REMEDY = "Remove the model, and train it again, or copy it anew."
CODECS: dict[str, type[Codec]] = {codec.name: codec for codec in (FullCodec, DiffCodec, EchoCodec)}
"""Codec name -> class."""


def load_codec(folder: Path) -> Codec:
    """The codec saved in a model's folder.

    Raises:
        DatasetError: There is none, it or its tokenizer is damaged, or it is of a newer redraft.
    """
    file, needs = folder / CODEC_FILE, {"name": str, "config": dict[str, Any]}
    saved = read_record(file, remedy=REMEDY, needs=needs, version=Version("schema_version", SCHEMA_VERSION))
    if saved["name"] not in CODECS:
        raise DatasetError("names a codec of a newer redraft.", where=file, remedy="Upgrade redraft.")
    try:
        config = build(CodecConfig, saved["config"])
    except InputError as error:
        raise DatasetError("holds settings that no codec has.", where=file, remedy=REMEDY) from error
    try:
        return CODECS[saved["name"]](load_tokenizer(folder), config)
    except InputError as error:
        raise DatasetError(error.cause, where=folder / "tokenizer.json", remedy=REMEDY) from error
