"""Models that a stranger may have made: what is checked of a folder before the library opens it.

In: a folder of `transformers` files, or of one GGUF file. Out: nothing, or an error that says what is wrong. No code of
a folder is ever run: `load_lm`, `load_tokenizer` and the other places that open one say `trust_remote_code=False`,
which also means that nobody is asked. What is checked here are the ways that are left:

- Weights are safetensors (or GGUF), never pickles, which are programs.
- The model is of a type in `KNOWN`: one that takes students' vectors.
- No setting names code, a kernel of a hub, a quantizer or another model.
- What config.json claims is accounted for by the weights, so that little files make no large model.

Not guaranteed: that a tokenizer's patterns end soon on every text, or that weights say what their card claims.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
from safetensors import SafetensorError, safe_open

from redraft.errors import InputError

KNOWN = frozenset(
    {"cohere", "cohere2", "exaone4", "gemma", "gemma2", "gemma3_text", "glm", "glm4", "gpt2", "gpt_bigcode", "gpt_neox",
     "gptj", "granite", "helium", "llama", "ministral", "mistral", "olmo", "olmo2", "olmo3", "opt", "phi", "phi3",
     "qwen2", "qwen3", "smollm3", "stablelm", "starcoder2"}
)  # fmt: skip
"""Types of models that take students' vectors and go on from a cache; a test tries each."""
LONGEST_CONFIG = 10**6
LONGEST_TOKENIZER = 64 * 10**6
LONGEST_HEADER = 16 * 10**6
"""Bytes of a config, of each file of a tokenizer, and of the list of tensors in a file of weights."""
MOST_LAYERS = 1000
"""Of a model without weights."""
MOST_LABELS = 1000

_CONFIGS = ("config.json", "generation_config.json", "tokenizer_config.json")
_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "merges.txt", "added_tokens.json",
               "special_tokens_map.json")  # fmt: skip
_CODE = ("auto_map", "custom_pipelines", "custom_generate", "quantization_config", "compression_config",
         "base_model_name_or_path", "transformers_weights")  # fmt: skip
_LAYERS = ("num_hidden_layers", "n_layer", "n_layers", "num_layers")
_OWN_ATTENTION = (None, "eager", "sdpa")


def check_files(folder: Path) -> None:
    """Refuse a folder whose settings name code, or are too large: before its tokenizer or its model is loaded.

    Raises:
        InputError: Says which file, and what is wrong with it.
    """
    for name in _CONFIGS:
        if (folder / name).is_file():
            _refuse_code(_read(folder / name), folder / name)
    for name in _TOKENIZERS:
        _check_size(folder / name, LONGEST_TOKENIZER)
    if (folder / "adapter_config.json").exists():
        raise InputError(
            "is an adapter, which names another model to load.", where=folder / "adapter_config.json",
            remedy="Merge it into its base first, and name the folder of the whole model.",
        )  # fmt: skip


def check_model(folder: Path) -> None:
    """Refuse a folder that isn't a model of a known type, whole in safetensors.

    Raises:
        InputError: Says what is wrong.
    """
    check_files(folder)
    config = _known(_read(folder / "config.json"), folder / "config.json")
    shapes = [shape for file in _weights(folder) for shape in _shapes(file)]
    _check_layers(config, len(shapes), folder / "config.json")
    stored = sum(_product(shape) for shape in shapes)
    claimed = _claimed(folder)
    if claimed > 2 * stored:  # tied weights may be stored once
        raise InputError(
            f"claims {claimed:,} weights, but the files hold {stored:,}.", where=folder / "config.json",
            remedy="Fetch the whole model again.",
        )  # fmt: skip


def check_architecture(source: Path) -> None:
    """Refuse a config.json (or a folder with one) that no model of a known type can be made from on this machine.

    Raises:
        InputError: Says what is wrong.
    """
    file = source / "config.json" if source.is_dir() else source
    if not file.is_file():
        raise InputError(
            "there is no config here.", where=file,
            remedy="Name a config.json of `transformers`, or a folder with one.",
        )  # fmt: skip
    config = _known(_refuse_code(_read(file), file), file)
    _check_layers(config, MOST_LAYERS, file)
    size, memory = 4 * _claimed(source), psutil.virtual_memory().total
    if size > memory:
        raise InputError(
            f"a model of this shape takes {size / 1e9:,.0f} GB; this machine has {memory / 1e9:,.0f} GB.", where=file,
            remedy="Choose a smaller one.",
        )  # fmt: skip


def check_gguf(file: Path) -> None:
    """Refuse a GGUF file that isn't of a known type, or claims more layers than it has.

    Raises:
        InputError: Says what is wrong.
    """
    from gguf import GGUFReader

    reader = GGUFReader(file)
    field = reader.get_field("general.architecture")
    kind = str(field.contents()) if field else "none"
    _known({"model_type": kind}, file)
    layers = reader.get_field(f"{kind}.block_count")
    _check_layers({_LAYERS[0]: layers.contents() if layers else None}, len(reader.tensors), file)


def _read(file: Path) -> dict[str, Any]:
    _check_size(file, LONGEST_CONFIG if file.name != "tokenizer_config.json" else LONGEST_TOKENIZER)
    try:
        found = json.loads(file.read_bytes())
    except OSError as error:
        raise InputError(f"can't be read ({error.strerror}).", where=file, remedy="Fetch the model again.") from error
    except (ValueError, RecursionError) as error:
        raise InputError("is not JSON.", where=file, remedy="Fetch the model again.") from error
    if not isinstance(found, dict):
        raise InputError("holds no settings.", where=file, remedy="Fetch the model again.")
    return found


def _check_size(file: Path, most: int) -> None:
    if file.is_file() and (size := file.stat().st_size) > most:
        raise InputError(
            f"has {size:,} bytes; at most {most:,} are read.", where=file, remedy="Take a model whose files are usual."
        )


def _settings(config: Any) -> Iterator[tuple[str, Any]]:
    """All settings, of all depths."""
    waiting = [config]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            yield from part.items()
            waiting.extend(part.values())
        elif isinstance(part, list):
            waiting.extend(part)


def _refuse_code(config: dict[str, Any], file: Path) -> dict[str, Any]:
    for name, value in _settings(config):
        if name in _CODE and value:
            raise InputError(
                f"has {name!r}, which names code or files of somebody else; redraft uses none of these.", where=file,
                remedy="Take a model that the library knows by itself.",
            )  # fmt: skip
        if name.strip("_").startswith("attn_implementation") and value not in _OWN_ATTENTION:
            raise InputError(
                f"has {name!r}: {str(value)[:60]!r}; redraft loads no kernels.", where=file,
                remedy="Take the line out.",
            )  # fmt: skip
    return config


def _known(config: dict[str, Any], file: Path) -> dict[str, Any]:
    kind = config.get("model_type")
    if not isinstance(kind, str) or kind not in KNOWN:
        raise InputError(
            f"is of the type {str(kind)[:60]!r}, which redraft does not know.", where=file,
            remedy=f"Known are: {', '.join(sorted(KNOWN))}.",
        )  # fmt: skip
    if not isinstance(config.get("sliding_window"), int | None):
        raise InputError("has no number as 'sliding_window'.", where=file, remedy="Fetch the model again.")
    if not isinstance(labels := config.get("num_labels", 0), int) or labels > MOST_LABELS:
        raise InputError("has too many labels.", where=file, remedy="Take the line 'num_labels' out.")
    return config


def _check_layers(config: dict[str, Any], most: int, file: Path) -> None:
    """Each layer has weights; so many modules are made, whatever their shape, before any weight is read."""
    for name in _LAYERS:
        layers = config.get(name, 1)
        if not isinstance(layers, int) or not 1 <= layers <= most:
            raise InputError(
                f"claims {str(layers)[:20]} layers, but there can be 1 to {most:,}.", where=file,
                remedy="Fetch the whole model again.",
            )  # fmt: skip


def _claimed(source: Path) -> int:
    """How many weights and buffers the config claims; none is made.

    Raises:
        InputError: No model can be made from it.
    """
    import torch  # late: settings know tokenizers, and `redraft --help` knows settings
    from transformers import AutoConfig, AutoModelForCausalLM

    try:
        config = AutoConfig.from_pretrained(source, local_files_only=True, trust_remote_code=False)
        with torch.device("meta"):
            lm = AutoModelForCausalLM.from_config(config, trust_remote_code=False)
    except Exception as error:
        raise InputError(
            "no causal language model can be made from here.", where=source,
            remedy="Name a folder with a config.json of `transformers`.",
        ) from error  # fmt: skip
    return sum(part.numel() for part in (*lm.parameters(), *lm.buffers()))


def _weights(folder: Path) -> list[Path]:
    """The files of weights.

    Raises:
        InputError: There are none in safetensors, or the list of them leads elsewhere.
    """
    index = folder / "model.safetensors.index.json"
    names = {"model.safetensors"}
    if not (folder / "model.safetensors").is_file() and index.is_file():
        _check_size(index, LONGEST_HEADER)
        listed = _read_index(index)
        names = set(listed.values())
    missing = sorted(name for name in names if not (folder / name).is_file())
    if not missing:
        return [folder / name for name in sorted(names)]
    pickled = [file.name for file in folder.iterdir() if file.suffix in (".bin", ".pt", ".pth", ".ckpt", ".pkl")]
    cause = f"its weights are pickled ({pickled[0]}): opening them runs a program" if pickled else "has no weights"
    raise InputError(
        f"{cause}.", where=folder,
        remedy="Name a folder with a config.json and its weights (safetensors), or a model's hub id.",
    )  # fmt: skip


def _read_index(index: Path) -> dict[str, str]:
    try:
        listed = json.loads(index.read_bytes())["weight_map"]
        if isinstance(listed, dict) and all(
            isinstance(name, str) and Path(name).name == name and name.endswith(".safetensors")
            for name in listed.values()
        ):
            return listed
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        pass
    raise InputError("is no list of files beside it.", where=index, remedy="Fetch the model again.")


def _shapes(file: Path) -> list[list[int]]:
    """The shape of each tensor; the library checks that they fill the file, no more and no less.

    Raises:
        InputError: It isn't safetensors.
    """
    try:
        with file.open("rb") as raw:
            (length,) = struct.unpack("<Q", raw.read(8))
        if length > LONGEST_HEADER:
            raise ValueError
        with safe_open(file, framework="pt") as tensors:
            return [tensors.get_slice(name).get_shape() for name in tensors.keys()]  # noqa: SIM118  (no mapping)
    except (OSError, ValueError, struct.error, SafetensorError) as error:
        raise InputError(
            "is not safetensors, or it is damaged.", where=file, remedy="Fetch the model again."
        ) from error


def _product(shape: list[int]) -> int:
    count = 1
    for size in shape:
        count *= size
    return count
