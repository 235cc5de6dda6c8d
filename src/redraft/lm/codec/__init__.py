"""Traces to token ids and back: what a model reads and writes. One registry, `CODECS`; `base` says what all share.

In: traces and a tokenizer, or a model's folder. Out: a codec.
"""

from __future__ import annotations

import json
from pathlib import Path

from redraft.config import build
from redraft.errors import DatasetError, RedraftError
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
from redraft.lm.codec.full import FullCodec
from redraft.lm.codec.headers import NO_TIME, pieces
from redraft.lm.tokenizer import load_tokenizer

__all__ = [
    "CODECS", "CODEC_FILE", "EDIT", "ENDING", "NO_TIME", "SCHEMA_VERSION", "TIME", "Codec", "CodecConfig", "Coded",
    "Decoded", "DiffCodec", "FullCodec", "Verdicts", "load_codec", "pieces",
]  # fmt: skip

CODECS: dict[str, type[Codec]] = {codec.name: codec for codec in (FullCodec, DiffCodec)}
"""Codec name -> class."""


def load_codec(folder: Path) -> Codec:
    """The codec saved in a model's folder.

    Raises:
        DatasetError: There is none, it or its tokenizer is damaged, or it is of a newer redraft.
    """
    file = folder / CODEC_FILE
    try:
        saved = json.loads(file.read_text(encoding="utf-8"))
        version, name = saved["schema_version"], saved["name"]
        if version <= SCHEMA_VERSION and name in CODECS:
            return CODECS[name](load_tokenizer(folder), build(CodecConfig, saved["config"]))
    except (OSError, ValueError, KeyError, TypeError, RedraftError) as error:
        raise DatasetError("has no readable codec.", where=folder, remedy="Train the model again.") from error
    raise DatasetError(
        f"the codec {name!r} (schema version {version}) is of a newer redraft.", where=file, remedy="Upgrade redraft."
    )
