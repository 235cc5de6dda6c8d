"""How well a model knows traces it isn't trained on, and what knowing their students is worth.

In: a model, encoded traces, the voice to read them in (`voice`). Out: nats per token, bits of each chunk; from those, a
split's `Bits`. Several processes take turns with the batches and all get the sums.

Axes in names: B sequences, L tokens, V vocabulary, N chunks.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from accelerate import Accelerator
from numpy.typing import NDArray
from torch import Tensor, nn

from redraft.lm.batch import Chunks, Collator, plan
from redraft.lm.codec import Codec
from redraft.lm.model import IGNORE, UNKNOWN, StudentLM
from redraft.lm.voice import Voice, another, nobody, own


class Known(NamedTuple):
    """How well a model knows some chunks."""

    loss: float
    """Nats per token, titles included."""
    bits: NDArray[np.float64]
    """Bits of each chunk (N): those of the ids that the codec charges."""


@dataclass(frozen=True, kw_only=True)
class Bits:
    """How well a model knows a split's traces, their titles given."""

    traces: int
    """Traces measured."""
    per_trace: float
    """Bits of a whole trace: its programs, times and ending."""
    per_character: float | None
    """The same bits, by characters of the traces' programs; None if they have none."""
    known_traces: int
    """Traces whose student has a vector; the others are read with the unknown student's."""
    gained_over_unknown: float | None
    """Bits per trace, over those, saved by their own student's vector in place of the unknown one's; None without."""
    gained_over_another: float | None
    """The same, in place of another student's; None also if the model knows a single student."""


@torch.no_grad()
def validate(
    model: StudentLM,
    chunks: Chunks,
    codec: Codec,
    accelerator: Accelerator,
    *,
    batch_tokens: int,
    voice: Voice = own,
    bf16: bool = False,
) -> Known:
    """How well `model`, its students' rows current, knows `chunks` (at least one), titles and students shown."""
    assert len(chunks)
    model.eval()
    collate, device = Collator(chunks, codec), accelerator.device
    learned = torch.zeros(2, dtype=torch.float64, device=device)  # nats, tokens
    nats_N = torch.zeros(len(chunks), dtype=torch.float64, device=device)
    batches = plan(chunks, batch_tokens=batch_tokens, seed=0, epoch=0)
    for which in batches[accelerator.process_index :: accelerator.num_processes]:
        ids_BL, rows_B, labels_BL = (tensor.to(device) for tensor in collate(which))
        charged_BL = collate.charged(which).to(device)
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            logits_BLV = model(ids_BL, voice(rows_B), use_cache=False).logits
        nats_BL = _nats(logits_BLV, torch.where(labels_BL == IGNORE, charged_BL, labels_BL))
        is_learned_BL = labels_BL[:, 1:] != IGNORE
        learned += torch.stack([nats_BL[is_learned_BL].sum(), is_learned_BL.sum().double()])
        nats_N[torch.from_numpy(which).to(device)] = (nats_BL * (charged_BL[:, 1:] != IGNORE)).sum(1)
    if accelerator.num_processes > 1:
        learned, nats_N = (accelerator.reduce(sums, reduction="sum") for sums in (learned, nats_N))
    nats, tokens = learned.tolist()
    return Known(nats / max(tokens, 1), nats_N.cpu().numpy() / math.log(2))


def _nats(logits_BLV: Tensor, labels_BL: Tensor) -> Tensor:
    """Each label's negative log-likelihood, in float64, but for the first's, which nothing predicts; 0 at `IGNORE`."""
    logits_BVL = logits_BLV[:, :-1].float().transpose(1, 2)
    return nn.functional.cross_entropy(logits_BVL, labels_BL[:, 1:], ignore_index=IGNORE, reduction="none").double()


def bits_of(chunks: Chunks, n_students: int, read: Callable[[Voice], Known]) -> Bits:
    """What a split's chunks come to; unknown students' are read once, as all vectors are one to them.

    Args:
        chunks: The split's, at least one.
        n_students: How many students the model knows.
        read: Reads the chunks in the voice that it is given.
    """
    with_own = read(own).bits
    traces, characters = int(chunks.heads.sum()), int(chunks.characters.sum())
    is_known_N = chunks.rows != UNKNOWN
    known_traces = int((chunks.heads & is_known_N).sum())

    def gained(voice: Voice) -> float:
        return float((read(voice).bits - with_own)[is_known_N].sum()) / known_traces

    return Bits(
        traces=traces,
        per_trace=float(with_own.sum()) / traces,
        per_character=float(with_own.sum()) / characters if characters else None,
        known_traces=known_traces,
        gained_over_unknown=gained(nobody) if known_traces else None,
        gained_over_another=gained(another(n_students)) if known_traces and n_students > 1 else None,
    )
