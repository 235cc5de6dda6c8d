"""What a model's every id costs, trace by trace: -log2 of the probability it gives to the id after all before.

In: a model, encoded traces, the voices to read them in (`voice`). Out: bits, an entry per id, 0 for those that aren't
charged (see `codec.base`); a trace longer than the context is read chunk by chunk, as in training.

Axes in names: R readings, one per voice, N ids of a trace, B sequences, L tokens, V vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import cross_entropy, pad

from redraft.lm.batch import Chunks, Collator, Encoded, cut, plan
from redraft.lm.checkpoint import Model
from redraft.lm.model import IGNORE
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
    model.lm.eval()
    chunks = cut(encoded, model.codec, model.lm.context)
    collate = Collator(chunks, model.codec)
    costs: list[NDArray[np.float64]] = [np.empty(0)] * len(chunks)
    for which in plan(chunks, batch_tokens=batch_tokens, seed=0, epoch=0):
        ids_BL, rows_B, _ = (tensor.to(model.lm.device) for tensor in collate(which))
        charged_BL = collate.charged(which).to(model.lm.device)
        nats_RBL = np.stack([_nats(model, ids_BL, voice(rows_B), charged_BL) for voice in voices])
        for nats_RL, chunk in zip(nats_RBL.swapaxes(0, 1), which.tolist(), strict=True):
            costs[chunk] = nats_RL[:, : chunks.lengths[chunk]] / math.log(2)
        done(int(chunks.heads[which].sum()))
    return _joined(model, chunks, costs)


def _nats(model: Model, ids_BL: Tensor, rows_B: Tensor, charged_BL: Tensor) -> NDArray[np.float64]:
    """Negative log-likelihood of each charged id (B, L), a place before it: where it is predicted."""
    logits_BLV = model.lm(ids_BL, rows_B, use_cache=False).logits
    precise = torch.promote_types(logits_BLV.dtype, torch.float32)
    targets_BL = pad(charged_BL[:, 1:], (0, 1), value=IGNORE)
    nats_N = cross_entropy(logits_BLV.flatten(0, 1).to(precise), targets_BL.flatten(), reduction="none")
    found: NDArray[np.float64] = nats_N.view_as(targets_BL).double().cpu().numpy()
    return found


def _joined(model: Model, chunks: Chunks, costs: Sequence[NDArray[np.float64]]) -> list[NDArray[np.float64]]:
    """Each trace's costs: its chunks', without what a chunk took over from the one before."""
    traces: list[list[NDArray[np.float64]]] = []
    for start, length, head, cost in zip(chunks.starts, chunks.lengths, chunks.heads, costs, strict=True):
        if head:
            traces.append([])
        traces[-1].append(cost[:, model.codec.given(chunks.ids[start : start + length].tolist()) :])
    return [np.concatenate(parts, axis=1) for parts in traces]
