"""Draw tokens: many drafts side by side, each with its own stream of random numbers.

In: a model and drafts, each a student and the ids so far. Out: the same drafts, gone on to their end token or as far
as they may. Drafts share batches in the order given; by whom a draft is surrounded changes its logits by rounding
alone, and its random numbers not at all.

Axes in names: B drafts in a batch, L tokens in the cache, T new tokens, V vocabulary, K likeliest tokens.
"""

from __future__ import annotations

import hashlib
import json
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from redraft.errors import InputError
from redraft.lm.checkpoint import Model
from redraft.lm.settings import SampleConfig

LIKELIEST = (64, 512)
"""How many tokens are looked at before the whole vocabulary is sorted; the first nearly always hold the nucleus."""
GROWTH = 128
"""Tokens by which the cache grows."""


@dataclass(kw_only=True)
class Draft:
    """A trace while it is being drawn."""

    student: int
    """Row of its student."""
    ids: list[int]
    """What is there so far, without the placeholder; at first the prefix."""
    stream: tuple[int, str, int]
    """Seed, request and number: what its random numbers depend on."""
    rounds: int = 0
    """Contexts filled."""

    def uniforms(self, n: int) -> NDArray[np.float64]:
        """`n` numbers in [0, 1) for the coming round."""
        key = hashlib.sha256(json.dumps([*self.stream, self.rounds]).encode()).digest()
        return np.random.Generator(np.random.Philox(key=int.from_bytes(key[:16]))).random(n)


def generate(
    model: Model, drafts: Sequence[Draft], config: SampleConfig, done: Callable[[float], None] = lambda _: None
) -> None:
    """Go on with each draft, in place, until its end token or until it has filled `config.rounds` contexts.

    From a full context a draft goes on with its last tokens, as many as training's chunks share. Drafts that do so
    queue up behind those not begun yet.

    Args:
        model: Draws the tokens.
        drafts: Student, prefix and random stream of each.
        config: Nucleus, rounds and batch size.
        done: Told how many drafts were finished since the last call.

    Raises:
        InputError: A prefix leaves no room in the context.
    """
    waiting = deque(drafts)
    while waiting:
        batch = [waiting.popleft() for _ in range(min(config.batch, len(waiting)))]
        _fill_context(model, batch, config)
        unfinished = [draft for draft in batch if draft.ids[-1] != model.codec.end_id and draft.rounds < config.rounds]
        waiting.extend(unfinished)
        done(len(batch) - len(unfinished))


@torch.inference_mode()
def _fill_context(model: Model, drafts: Sequence[Draft], config: SampleConfig) -> None:
    """Draw tokens for all drafts side by side until each has ended or its context is full.

    Drafts that are done leave the batch, an eighth of it at a time, since leaving copies the cache.
    """
    end, overlap = model.codec.end_id, model.codec.config.overlap
    heads = [draft.ids[-overlap:] if draft.rounds else draft.ids for draft in drafts]
    rooms_B = np.array([model.lm.context - 1 - len(head) for head in heads])
    if rooms_B.min() < 1:
        raise InputError(
            f"a prefix of {max(map(len, heads))} tokens leaves no room in a context of {model.lm.context}.",
            remedy="Use a model with a longer context.",
        )
    steps = int(rooms_B.max())
    uniforms_BT = np.stack([draft.uniforms(steps) for draft in drafts])
    drawn_BT = np.zeros((len(drafts), steps), dtype=np.int64)
    lengths_B = np.zeros(len(drafts), dtype=np.int64)
    context = _Context(model, heads, [draft.student for draft in drafts])
    rows = np.arange(len(drafts))  # the drafts still in the batch
    live = np.full(len(drafts), True)  # those of them that aren't done
    for step in range(steps):
        logits_BV = context.next_logits()
        uniforms_B = torch.from_numpy(uniforms_BT[rows, step]).to(logits_BV.device)
        tokens_B = nucleus(logits_BV, uniforms_B, top_p=config.top_p, temperature=config.temperature)
        context.append(tokens_B)
        tokens = tokens_B.cpu().numpy()
        drawn_BT[rows[live], step] = tokens[live]
        lengths_B[rows[live]] = step + 1
        live &= (tokens != end) & (step + 1 < rooms_B[rows])
        if not live.any():
            break
        if live.sum() <= len(live) * 7 // 8:
            context.keep(torch.from_numpy(np.flatnonzero(live)))
            rows, live = rows[live], live[live]
    for draft, drawn, length in zip(drafts, drawn_BT, lengths_B, strict=True):
        draft.ids.extend(drawn[:length].tolist())
        draft.rounds += 1


def nucleus(logits_BV: Tensor, uniforms_B: Tensor, *, top_p: float, temperature: float = 1.0) -> Tensor:
    """Draw a token a row from its nucleus: the likeliest tokens, as few as have `top_p` of the probability together.

    The draw inverts the cumulative distribution over tokens from likely to unlikely at `uniforms_B` (B,) in [0, 1),
    so a row's token depends on its logits and its number alone. Returns ids (B,).
    """
    precision = torch.promote_types(logits_BV.dtype, torch.float32)
    probabilities_BV = torch.softmax(logits_BV / temperature, dim=-1, dtype=precision)
    tokens_B = torch.empty_like(uniforms_B, dtype=torch.long)
    rows = torch.arange(len(tokens_B), device=tokens_B.device)
    for width in LIKELIEST:
        likeliest = probabilities_BV[rows].topk(min(width, probabilities_BV.shape[-1]), dim=-1)
        tokens_B[rows], reached = _draw(*likeliest, uniforms_B[rows], top_p)
        rows = rows[~reached]
        if not len(rows):
            return tokens_B
    everything = probabilities_BV[rows].sort(dim=-1, descending=True)
    tokens_B[rows] = _draw(*everything, uniforms_B[rows], top_p)[0]
    return tokens_B


def _draw(sorted_BK: Tensor, ids_BK: Tensor, uniforms_B: Tensor, top_p: float) -> tuple[Tensor, Tensor]:
    """Tokens drawn among the likeliest, and whether those reach `top_p`."""
    sorted_BK = sorted_BK.double()
    cumulative_BK = sorted_BK.cumsum(-1)
    inside_BK = cumulative_BK - sorted_BK < top_p
    mass_B1 = (sorted_BK * inside_BK).sum(-1, keepdim=True)
    places_B1 = (cumulative_BK <= uniforms_B[:, None] * mass_B1).sum(-1, keepdim=True)
    places_B1 = places_B1.minimum(inside_BK.sum(-1, keepdim=True) - 1)
    return ids_BK.gather(-1, places_B1).squeeze(-1), cumulative_BK[:, -1] >= top_p


class _Context:
    """A batch of sequences that grow token by token, with their keys and values.

    Sequences of different lengths are padded on the left; a mask and positions are made only then.
    """

    def __init__(self, model: Model, heads: Sequence[list[int]], students: Sequence[int]) -> None:
        self._lm, codec = model.lm.eval(), model.codec
        self._device = model.lm.device
        lengths_B = torch.tensor([1 + len(head) for head in heads])
        width = int(lengths_B.max())
        rows = [[codec.pad_id] * (width - 1 - len(head)) + [codec.student_id, *head] for head in heads]
        self._new_BL = torch.tensor(rows, device=self._device)
        self._students_B: Tensor | None = torch.tensor(students, device=self._device)
        self._pads_B = (width - lengths_B).to(self._device)
        self._length = width
        self._cache = _cache(self._lm.lm.config)

    def next_logits(self) -> Tensor:
        """Logits (B, V) of the token after the last."""
        masked: dict[str, Any] = {}
        if bool(self._pads_B.any()):
            places_L = torch.arange(self._length, device=self._device)
            new_L = places_L[self._length - self._new_BL.shape[1] :]
            masked["attention_mask"] = (places_L >= self._pads_B[:, None]).long()
            # a sequence that is done may stay a while, with its context full
            masked["position_ids"] = (new_L - self._pads_B[:, None]).clamp(0, self._lm.context - 1)
        output = self._lm(
            self._new_BL, self._students_B, past_key_values=self._cache, use_cache=True, logits_to_keep=1, **masked
        )
        logits_BV: Tensor = output.logits[:, -1]
        return logits_BV

    def append(self, tokens_B: Tensor) -> None:
        """Add a token to each sequence."""
        self._new_BL, self._students_B = tokens_B[:, None], None
        self._length += 1

    def keep(self, rows: Tensor) -> None:
        """Keep only these sequences."""
        rows = rows.to(self._device)
        self._new_BL, self._pads_B = self._new_BL[rows], self._pads_B[rows]
        self._cache.batch_select_indices(rows)


def _cache(config: Any) -> DynamicCache:
    """The LM's own kind of cache, with layers that grow in steps where it would copy everything at every token."""
    cache = DynamicCache(config=config)
    cache.layers = [_GrowingLayer() if type(layer) is DynamicLayer else layer for layer in cache.layers]
    return cache


class _GrowingLayer(DynamicLayer):  # type: ignore[no-untyped-call]
    """Keys and values (B, heads, L, numbers a head) in buffers longer than needed yet."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._buffers: tuple[Tensor, ...] = ()
        self._length = 0

    def update(self, key_states: Tensor, value_states: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        """Add new keys and values; all of them so far."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        end = self._length + key_states.shape[-2]
        if not self._buffers or end > self._buffers[0].shape[-2]:
            grown = tuple(
                new.new_empty(*new.shape[:2], end + GROWTH, new.shape[-1]) for new in (key_states, value_states)
            )
            for buffer, old in zip(grown, self._buffers, strict=False):
                buffer[:, :, : self._length] = old[:, :, : self._length]
            self._buffers = grown
        for buffer, new in zip(self._buffers, (key_states, value_states), strict=True):
            buffer[:, :, self._length : end] = new
        self._length = end
        self.keys, self.values = (buffer[:, :, :end] for buffer in self._buffers)
        return self.keys, self.values

    def get_seq_length(self) -> int:
        """Tokens held."""
        return self._length

    def batch_select_indices(self, indices: Tensor) -> None:
        """Keep only these sequences."""
        self._buffers = tuple(buffer.index_select(0, indices) for buffer in self._buffers)
