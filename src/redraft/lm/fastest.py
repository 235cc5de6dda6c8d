"""The fastest way of decoding that gives a model's logits, and the only door to `lm/fast`.

In: a model. Out: a decoder for it. A way is taken if it knows the model's kind and gives, for a few tokens, the logits
of the model's own forward. Without the folder `fast` all models are decoded by the plain ways of `decode`, more slowly.
"""

from __future__ import annotations

from contextlib import suppress

import torch
from torch import Tensor

from redraft.lm.cache import make_step
from redraft.lm.decode import Decoder, Library, Whole
from redraft.lm.model import StudentLM

PROBE = 24
"""Tokens on which ways are compared; three quarters in one step, the others in another."""


def ways() -> tuple[type[Decoder], ...]:
    """Ways that are faster than `Whole`, the fastest first."""
    try:
        from redraft.lm.fast import DECODERS
    except ImportError as missing:
        if missing.name != "redraft.lm.fast":  # the folder is there, and something it needs is not
            raise
        return (Library,)
    return (*DECODERS, Library)


@torch.inference_mode()
def decoder_for(model: StudentLM, rows: int) -> Decoder:
    """The fastest way that gives this model's logits, for so many rows."""
    known = [way for way in ways() if way.fits(model)]
    if known:
        expected = _probe(Whole(model, 1))
        for way in known:
            with suppress(NotImplementedError):
                if _close(_probe(way(model, 1)), expected):
                    return way(model, rows)
    return Whole(model, rows)


def _probe(way: Decoder) -> Tensor:
    """Logits after each of a few tokens; the last ones come in a second step, as they do in sampling."""
    model = way.model
    some = torch.linspace(0, model.lm.config.vocab_size - 1, min(PROBE, model.context) - 1).long().tolist()
    ids = [model.placeholder_id, *(token for token in some if token != model.placeholder_id)]
    first = len(ids) * 3 // 4
    steps = [([0], [0], [ids[:first]], [first]), ([0], [first], [ids[first:]], [len(ids) - first])]
    return torch.cat([way.logits(make_step(*step, students=[0], device=model.device)) for step in steps])


def _close(ours: Tensor, expected: Tensor) -> bool:
    tolerance = torch.finfo(expected.dtype if expected.dtype != torch.float64 else torch.float32).eps ** 0.5
    return bool((ours - expected).abs().max() <= tolerance * expected.abs().max())
