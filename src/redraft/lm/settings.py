"""Settings of training and sampling, and the sizes a model can be made in. Loads no torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from redraft.lm.codec import CodecConfig


@dataclass(frozen=True, kw_only=True)
class Preset:
    """The shape of a model trained from scratch, and the step that suits it."""

    family: str
    """Architecture: gpt2 (the paper's) or llama."""
    layers: int
    """Transformer blocks."""
    heads: int
    """Attention heads a block."""
    width: int
    """Numbers a token."""
    context: int
    """Tokens the model can look at, the student's included."""
    lr: float
    """Peak learning rate."""
    batch_tokens: int
    """Tokens in a batch. Small models on a CPU learn more from many small steps than from few large ones."""


PRESETS: dict[str, Preset] = {
    "cpu-1m": Preset(family="gpt2", layers=4, heads=4, width=128, context=512, lr=3e-3, batch_tokens=2048),
    "cpu-200k": Preset(family="gpt2", layers=2, heads=2, width=64, context=512, lr=5e-3, batch_tokens=1024),
    "llama-200k": Preset(family="llama", layers=2, heads=2, width=64, context=512, lr=5e-3, batch_tokens=1024),
    "llama-1m": Preset(family="llama", layers=4, heads=4, width=128, context=512, lr=3e-3, batch_tokens=2048),
}
"""Preset name -> shape. The names say about how many weights a vocabulary of 2,048 gives."""

BASE_LR = 5e-5
"""Learning rate for a pretrained base (paper, appendix B)."""
BASE_BATCH_TOKENS = 32 * 1024
"""Tokens in its batch: 32 contexts (paper, appendix B)."""


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """How a model is made and trained."""

    preset: str = "cpu-1m"
    """Shape of a model trained from scratch: cpu-1m or cpu-200k."""
    base: str | None = None
    """Folder or hub id of a pretrained causal LM to go on from, instead of a preset; its tokenizer is used."""
    architecture: str | None = None
    """Folder or file with a `transformers` config.json: a causal LM of that shape is trained from scratch, with the
    preset's learning rate and batch."""
    student_dim: int = 64
    """Numbers a student, before the MLP (paper section 3.1)."""
    student_dropout: float = 0.1
    """Share of sequences trained without their student, which teaches the row of unknown students the average
    student. 0 leaves that row untrained, as in the paper."""
    title_mask: float = 0.15
    """Share of traces whose title is hidden, drawn anew each epoch (paper, appendix A.1)."""
    codec: str = "full"
    """How traces are written as tokens."""
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
    lr: float | None = None
    """Peak learning rate; default: the preset's, 5e-5 for a base model."""
    student_lr: float = 3.0
    """Learning rate of the students' vectors and their MLP, as a multiple of the LM's. A row is trained by its own
    student's traces alone, so it sees few steps."""
    warmup: float = 0.05
    """Share of the training in which the learning rate rises from 0; it falls linearly to 0 after."""
    weight_decay: float = 0.01
    """AdamW's decay of the LM's matrices; biases, norms and the students' module have none."""
    clip: float = 1.0
    """Largest norm of the gradient."""
    validate_every: int = 100
    """Steps between validations; each also writes a checkpoint to resume from."""
    validation_traces: int = 500
    """Validation traces used, at most."""
    patience: int = 20
    """Validations without improvement before training stops (paper, appendix B)."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """auto: bf16 on a GPU that has it, else fp32."""
    seed: int = 0
    """Draws the initial weights, the order of the data, hidden titles and students, and a view's random choices."""


@dataclass(frozen=True, kw_only=True)
class SampleConfig:
    """How traces are drawn from a model."""

    per_pair: int = 5
    """Samples of each (student, title)."""
    top_p: float = 0.9
    """Nucleus: the likeliest tokens that together have this probability (paper section 4.1)."""
    temperature: float = 1.0
    """Divides the logits; below 1 the likely becomes likelier."""
    rounds: int = 3
    """Contexts a trace may fill before it is cut off (paper, appendix E)."""
    batch: int = 192
    """Traces drawn side by side."""
    shard: int = 1024
    """Traces a file: what is drawn at once, and what a killed run loses at most."""
    seed: int = 0
    """Draws the samples: a trace depends on this, its request and its number alone."""
