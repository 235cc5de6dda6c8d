"""How well a model in training knows traces it isn't trained on, and what knowing their students is worth.

In: the model, encoded validation traces, whose vectors to read them with. Out: nats a token and bits a trace. Several
processes take turns with the batches and all get the sums.

Axes in names: B sequences, L tokens, V vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from accelerate import Accelerator
from torch import Tensor

from redraft.lm.batch import Chunks, Collator, plan
from redraft.lm.codec import Codec
from redraft.lm.model import IGNORE, UNKNOWN, StudentLM, next_token_loss


class Known(NamedTuple):
    """How well a model knows some traces."""

    loss: float
    """Nats a token, titles included."""
    bits_per_trace: float
    """Bits of a whole trace, its title given: those of the ids that the codec charges."""


@torch.no_grad()
def validate(
    model: StudentLM,
    chunks: Chunks,
    codec: Codec,
    accelerator: Accelerator,
    *,
    batch_tokens: int,
    whose: Callable[[Tensor], Tensor] = lambda rows_B: rows_B,
) -> Known | None:
    """How well `model` knows `chunks`, titles and students shown; None if there are none.

    Args:
        model: The model, its students' rows current.
        chunks: The traces.
        codec: Their codec.
        accelerator: The processes that share the work.
        batch_tokens: Tokens in a batch.
        whose: Which rows of the table to read chunks with, given their own students'.
    """
    if not len(chunks):
        return None
    model.eval()
    collate, device = Collator(chunks, codec), accelerator.device
    sums = torch.zeros(3, dtype=torch.float64, device=device)  # nats, tokens, nats charged
    batches = plan(chunks, batch_tokens=batch_tokens, seed=0, epoch=0)
    for which in batches[accelerator.process_index :: accelerator.num_processes]:
        batch = collate(which)
        ids_BL, rows_B, labels_BL = (tensor.to(device) for tensor in batch)
        with accelerator.autocast():
            logits_BLV = model(ids_BL, whose(rows_B), use_cache=False).logits
        nats, charged = _nats(logits_BLV, labels_BL), _nats(logits_BLV, collate.charged(which).to(device))
        sums += torch.stack([nats, nats.new_tensor(batch.tokens), charged])
    if accelerator.num_processes > 1:
        sums = accelerator.reduce(sums, reduction="sum")
    nats_sum, tokens, charged_sum = sums.tolist()
    return Known(nats_sum / tokens, charged_sum / math.log(2) / max(int(chunks.heads.sum()), 1))


def _nats(logits_BLV: Tensor, labels_BL: Tensor) -> Tensor:
    """All labels' negative log-likelihood."""
    return next_token_loss(logits_BLV, labels_BL).double() * (labels_BL[:, 1:] != IGNORE).sum()


def another(n_students: int) -> Callable[[Tensor], Tensor]:
    """For each known student another one; the unknown one stays."""
    return lambda rows_B: torch.where(rows_B == UNKNOWN, UNKNOWN, 1 + rows_B % n_students)


def nobody(rows_B: Tensor) -> Tensor:
    """For each student the unknown one."""
    return torch.full_like(rows_B, UNKNOWN)
