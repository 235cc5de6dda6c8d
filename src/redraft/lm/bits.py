"""What a model's every id costs, trace by trace: -log2 of the probability it gives to the id after all before.

In: a model, encoded traces, the voices to read them in (`voice`). Out: bits, an entry per id, 0 for those that aren't
charged (see `codec.base`); a trace longer than the context is read chunk by chunk, as in training.

Axes in names: R readings, one per voice, N ids of a trace, B sequences, L tokens, D the LM's width, V vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import cross_entropy, pad

from redraft.lm.batch import Encoded
from redraft.lm.checkpoint import Model
from redraft.lm.chunkwise import Read, chunkwise
from redraft.lm.model import IGNORE
from redraft.lm.neural_cache.mixture import Past, mixed
from redraft.lm.voice import Voice


@torch.inference_mode()
def bits_of(
    model: Model,
    encoded: Sequence[Encoded],
    voices: Sequence[Voice],
    *,
    batch_tokens: int,
    done: Callable[[int], None] = lambda _: None,
) -> list[NDArray[np.float64]]:
    """What each id of each trace costs in each voice (R, N).

    Args:
        model: The model.
        encoded: The traces.
        voices: What to read them in.
        batch_tokens: Tokens read at once.
        done: Told how many more traces are begun.
    """

    def read(batch: Read) -> NDArray[np.float64]:
        logits = (model.lm(batch.ids, voice(batch.rows), use_cache=False).logits for voice in voices)
        return np.stack([_bits(logits_BLV, batch.charged) for logits_BLV in logits])

    return chunkwise(model, encoded, read, batch_tokens=batch_tokens, done=done)


@torch.inference_mode()
def bits_with(
    model: Model,
    encoded: Sequence[Encoded],
    pasts: Sequence[Past | None],
    *,
    batch_tokens: int,
    done: Callable[[int], None] = lambda _: None,
) -> list[NDArray[np.float64]]:
    """What each id of each trace costs (2, N): with the student's past mixed in, and without.

    Args:
        model: The model; each trace is read in its own voice.
        encoded: The traces.
        pasts: What each trace's student wrote before it; None: nothing, and both are the same.
        batch_tokens: Tokens read at once.
        done: Told how many more traces are begun.
    """

    def read(batch: Read) -> NDArray[np.float64]:
        logits_BLV, hidden_BLD = model.lm.read(batch.ids, batch.rows, use_cache=False)
        alone_BL = _bits(logits_BLV, batch.charged)
        with_past_BL = alone_BL.copy()
        for line, trace in enumerate(batch.traces):
            if past := pasts[trace]:
                mixed_1LV = mixed(logits_BLV[line], hidden_BLD[line], past)[None]
                with_past_BL[line] = _bits(mixed_1LV, batch.charged[line : line + 1])[0]
        return np.stack([with_past_BL, alone_BL])

    return chunkwise(model, encoded, read, batch_tokens=batch_tokens, done=done)


def _bits(logits_BLV: Tensor, charged_BL: Tensor) -> NDArray[np.float64]:
    """-log2 of the probability of each charged id (B, L), a place before it: where it is predicted."""
    precise = torch.promote_types(logits_BLV.dtype, torch.float32)
    targets_BL = pad(charged_BL[:, 1:], (0, 1), value=IGNORE)
    nats_N = cross_entropy(logits_BLV.flatten(0, 1).to(precise), targets_BL.flatten(), reduction="none")
    found: NDArray[np.float64] = nats_N.view_as(targets_BL).double().cpu().numpy()
    return found / math.log(2)
