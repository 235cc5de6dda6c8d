"""What a training starts from: the tokenizer, the untrained model, the encoded traces.

In: a dataset, its split, a view, settings. Out: a `Model` with fresh (or a base model's) weights and the `Chunks` to
train on and to be judged by. The same seed gives the same tokenizer and the same initial weights whatever the view.
"""

from __future__ import annotations

import heapq
import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace
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

from redraft.data.split import TEST_SPLITS, TRAIN, VALIDATION, Split
from redraft.data.store import Dataset
from redraft.data.trace import Trace
from redraft.data.views import VIEWS, apply_view
from redraft.errors import InputError, suggestion
from redraft.execute.dataset import read_messages
from redraft.lm.base import base_tokenizer, load_base
from redraft.lm.batch import Chunks, encode
from redraft.lm.checkpoint import Model
from redraft.lm.codec import CODECS, Codec, pieces
from redraft.lm.model import StudentIndex, StudentLM, StudentVectors
from redraft.lm.optimizer import OPTIMIZERS
from redraft.lm.rows import UPDATES
from redraft.lm.schedule import SCHEDULES
from redraft.lm.settings import PRESETS, Preset, TrainConfig
from redraft.lm.tokenizer import Tokenizer, load_tokenizer, train_tokenizer
from redraft.progress import say
from redraft.rundir import atomic_folder, sha256_json


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


def _codec(dataset: Dataset, split: Split, config: TrainConfig, given: Tokenizer | None, folder: Path) -> Codec:
    """The codec with the tokenizer given, the base model's, or one trained on the train traces, kept in `folder`."""
    if given:
        tokenizer = given
    elif config.base:
        tokenizer = base_tokenizer(config.base)
    elif folder.exists():
        tokenizer = load_tokenizer(folder)
    else:
        say("training the tokenizer")
        texts = (piece for trace in _train_traces(dataset, split) for piece in pieces(trace.title, trace.states))
        tokenizer = train_tokenizer(texts, config.vocabulary)
        with atomic_folder(folder) as temporary:
            tokenizer.save(temporary)
    assert config.codec is not None  # filled in by its preset
    return CODECS[config.codec](tokenizer, config.codec_options)


def _train_traces(dataset: Dataset, split: Split) -> Iterator[Trace]:
    return split.select(dataset.traces(), TRAIN)


def prepare(
    dataset: Dataset,
    split: Split,
    view: str,
    config: TrainConfig,
    *,
    card: Mapping[str, Any],
    tokenizer: Tokenizer | None,
    folder: Path,
) -> Prepared:
    """The untrained model, and the encoded training and validation traces.

    Args:
        dataset: All traces.
        split: Which of them train and validate.
        view: What of them the model sees.
        config: Settings.
        card: What the model's card begins with.
        tokenizer: The one to use, if not the base model's or one trained here.
        folder: Where a tokenizer trained here is kept, and found again.

    Raises:
        InputError: There is nothing to train on, feedback without verdicts, or the base model can't be used.
    """
    students: set[str] = set()
    languages: Counter[str] = Counter()
    for trace in _train_traces(dataset, split):
        students.add(trace.student)
        languages.update(state.language for state in trace.states if state.language)
    if not students:
        raise InputError(
            f"the split {split.name!r} has no traces to train on.",
            where=dataset.path,
            remedy="Split again, with fewer students and titles held out.",
        )
    verdicts = read_messages(dataset) if config.codec_options.feedback else None
    index = StudentIndex(sorted(students))
    codec = _codec(dataset, split, config, tokenizer, folder)
    lm = _new_lm(config, codec, len(index))
    ranked = sorted(languages, key=lambda language: (-languages[language], language))
    about = {**card, "language": ranked[0] if ranked else None, "context": lm.context}
    model = Model(lm=lm, codec=codec, students=index, card=about)

    def chosen(part: str) -> Iterable[Trace]:
        return apply_view(
            view,
            lambda: split.select(dataset.traces(), part),
            seed=config.seed,
            count_tokens=codec.count_tokens,
            downsample=part == TRAIN,
        )

    say(f"encoding the {view} view")
    training = encode(chosen(TRAIN), codec, index, lm.context, verdicts=verdicts)
    if not len(training):
        raise InputError(f"the view {view!r} leaves no traces to train on.", where=dataset.path)

    def some(part: str) -> Chunks:
        few = heapq.nsmallest(
            config.validation_traces, chosen(part), key=lambda trace: sha256_json([*trace.pair, trace.sample])
        )
        return encode(few, codec, index, lm.context, verdicts=verdicts)

    counts = split.counts()
    return Prepared(model, training, {part: some(part) for part in (VALIDATION, *TEST_SPLITS) if counts[part]})


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
    try:
        config = AutoConfig.from_pretrained(source, local_files_only=True, vocab_size=codec.vocab_size, **ids)
        return AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            "no causal language model can be made from here.", where=source, remedy="Name a transformers config.json."
        ) from error
