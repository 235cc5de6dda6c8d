"""What a training starts from: the tokenizer, the untrained model, the encoded traces.

In: a dataset, its split, a view, settings. Out: a `Model` with fresh (or a base model's) weights and the `Chunks` to
train on and to be judged by; a run that trains several views reads the dataset for all of them at once (`read_for`).
The same seed gives the same tokenizer and the same initial weights whatever the view.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
)

from redraft.data.split import Split
from redraft.data.store import Dataset
from redraft.data.views import VIEWS
from redraft.errors import InputError, suggestion
from redraft.lm.base import load_base
from redraft.lm.batch import Chunks
from redraft.lm.checkpoint import Model
from redraft.lm.codec import CODECS, Codec
from redraft.lm.corpus import Corpus, made_of, make_corpus, open_corpus
from redraft.lm.foreign import check_architecture
from redraft.lm.model import StudentLM, StudentVectors
from redraft.lm.optimizer import OPTIMIZERS
from redraft.lm.rows import UPDATES
from redraft.lm.schedule import SCHEDULES
from redraft.lm.settings import PRESETS, Preset, Recipe, TrainConfig, recipe_of
from redraft.lm.tokenizer import Tokenizer


class Prepared(NamedTuple):
    """A training before its first step."""

    model: Model
    training: Chunks
    held_out: dict[str, Chunks]
    """Some traces of each split that isn't trained on and isn't empty, the validation split first."""


def check(view: str, config: TrainConfig) -> None:
    """Refuse names that aren't known and numbers that make no sense.

    Raises:
        InputError: Says which.
    """
    if config.base is None and config.preset not in PRESETS:
        raise InputError(f"unknown preset {config.preset!r}. {suggestion(config.preset, PRESETS)}")
    names: tuple[tuple[str, str | None, Collection[str]], ...] = (
        ("view", view, VIEWS), ("codec", config.codec, CODECS), ("optimizer", config.optimizer, OPTIMIZERS),
        ("schedule", config.schedule, SCHEDULES), ("student_updates", config.student_updates, UPDATES),
    )  # fmt: skip
    for name, value, known in names:
        if value not in known:
            raise InputError(f"unknown {name} {value!r}. {suggestion(str(value), known)}")
    counts = (
        "epochs", "steps", "batch_tokens", "batch_size", "accumulate", "validate_every", "patience", "student_dim",
        "context",
    )  # fmt: skip
    for name in counts:
        value = getattr(config, name)
        if value is not None and value < 1:
            raise InputError(f"{name} is {value}; it must be at least 1.")
    for name in ("lr", "student_lr", "minutes"):
        value = getattr(config, name)
        if value is not None and not value > 0:
            raise InputError(f"{name} is {value}; it must be above 0.")
    for name in ("student_dropout", "title_mask", "warmup"):
        if not 0 <= getattr(config, name) < 1:
            raise InputError(f"{name} is {getattr(config, name)}; it must be a share from 0 to below 1.")
    assert config.cooldown is not None  # filled in by its preset
    if not 0 <= config.cooldown < math.inf:
        raise InputError(f"cooldown is {config.cooldown}; it must be a share from 0 up.")


def prepare(
    dataset: Dataset,
    split: Split,
    view: str,
    config: TrainConfig,
    *,
    card: Mapping[str, Any],
    tokenizer: Tokenizer | None,
    folder: Path,
    shared: Path | None = None,
) -> Prepared:
    """The untrained model, and the encoded training and validation traces.

    Args:
        dataset: All traces.
        split: Which of them train and validate.
        view: What of them the model sees.
        config: Settings, those of its preset filled in.
        card: What the model's card begins with.
        tokenizer: The one to use, if not the base model's or one trained here.
        folder: Where what is read here is kept, and found again.
        shared: Where a run keeps the same for several views, if it does.

    Raises:
        InputError: There is nothing to train on, feedback without verdicts, or the base model can't be used.
    """
    wanted = made_of(dataset, split, config, tokenizer)
    places = [place for place in (shared, folder) if place]
    found = (open_corpus(place, wanted, view, config, tokenizer) for place in places)
    corpus = next(filter(None, found), None) or _read(dataset, split, [view], config, tokenizer, folder)
    lm = _new_lm(config, corpus.codec, len(corpus.students))
    about = {**card, "language": corpus.language, "context": lm.context}
    model = Model(lm=lm, codec=corpus.codec, students=corpus.students, card=about)
    training = corpus.training(view)
    if not len(training):
        raise InputError(f"the view {view!r} leaves no traces to train on.", where=dataset.path)
    return Prepared(model, training, corpus.held_out(view))


def read_for(dataset: Dataset, split: Split, views: Sequence[str], config: TrainConfig, folder: Path) -> None:
    """Read a dataset once for the models of several views, for `train` to find in `folder`.

    Raises:
        InputError: As `prepare`, and for settings that make no sense.
    """
    config, _ = filled_in(config)
    for view in views:
        check(view, config)
    wanted = made_of(dataset, split, config, None)
    if not all(open_corpus(folder, wanted, view, config, None) for view in views):
        _read(dataset, split, views, config, None, folder)


def filled_in(config: TrainConfig) -> tuple[TrainConfig, Recipe]:
    """The settings with what they leave to their preset, and that alone."""
    recipe, base = recipe_of(config)
    return replace(config, base=base, **asdict(recipe)), recipe


def _read(
    dataset: Dataset, split: Split, views: Sequence[str], config: TrainConfig, tokenizer: Tokenizer | None, folder: Path
) -> Corpus:
    def context(codec: Codec) -> int:
        return _new_lm(config, codec, 1).context

    return make_corpus(dataset, split, views, config, tokenizer, context=context, folder=folder)


def _new_lm(config: TrainConfig, codec: Codec, n_students: int) -> StudentLM:
    """A fresh model; the same seed gives the same weights whatever the view."""
    torch.manual_seed(config.seed)
    if config.base:
        lm = load_base(config.base, codec.vocab_size)
    elif config.architecture:
        lm = _of_architecture(config.architecture, codec)
    else:
        shape = PRESETS[config.preset]
        lm = from_scratch(replace(shape, context=config.context or shape.context), codec)
    vectors = StudentVectors(n_students, width=lm.get_input_embeddings().embedding_dim, dim=config.student_dim)
    return StudentLM(lm, vectors, codec.student_id, context=config.context)


def _gpt2(shape: Preset, codec: Codec) -> Any:
    """A GPT-2. Without dropout: one that sees each token a few times underfits, and dropout costs time."""
    return GPT2LMHeadModel(
        GPT2Config(
            vocab_size=codec.vocab_size,
            n_positions=shape.context,
            n_embd=shape.width,
            n_layer=shape.layers,
            n_head=shape.heads,
            activation_function="gelu_pytorch_tanh",  # GPT-2's own, in one kernel
            embd_pdrop=0.0,
            attn_pdrop=0.0,
            resid_pdrop=0.0,
            bos_token_id=None,
            eos_token_id=codec.end_id,
            pad_token_id=codec.pad_id,
        )
    )


def _llama(shape: Preset, codec: Codec) -> Any:
    """A Llama. Its rotary positions are relative: it learns to copy from the state before much sooner."""
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=codec.vocab_size,
            max_position_embeddings=shape.context,
            hidden_size=shape.width,
            intermediate_size=3 * shape.width,
            num_hidden_layers=shape.layers,
            num_attention_heads=shape.heads,
            tie_word_embeddings=True,
            bos_token_id=None,
            eos_token_id=codec.end_id,
            pad_token_id=codec.pad_id,
        )
    )


FAMILIES: dict[str, Callable[[Preset, Codec], Any]] = {"gpt2": _gpt2, "llama": _llama}
"""Architecture -> how to make an untrained one."""


def from_scratch(shape: Preset, codec: Codec) -> Any:
    """An untrained causal LM of `shape`."""
    return FAMILIES[shape.family](shape, codec)


def _of_architecture(source: str, codec: Codec) -> Any:
    """An untrained causal LM of the shape in a config.json, with this codec's vocabulary.

    Raises:
        InputError: There is no config, or not of a causal LM.
    """
    ids = {"bos_token_id": None, "eos_token_id": codec.end_id, "pad_token_id": codec.pad_id}
    check_architecture(Path(source))
    try:
        config = AutoConfig.from_pretrained(
            source, local_files_only=True, trust_remote_code=False, vocab_size=codec.vocab_size, **ids
        )
        return AutoModelForCausalLM.from_config(config, dtype=torch.float32, trust_remote_code=False)
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            "no causal language model can be made from here.", where=source, remedy="Name a transformers config.json."
        ) from error
