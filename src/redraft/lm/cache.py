"""Keys and values of many sequences of different lengths, and attention over them.

In: the queries, keys and values of new tokens, packed one after the other whatever their sequences: a sequence may
bring one token or its whole prefix. Out: what each token attends to: its own sequence up to itself. Torch's own
attention does it, for which the new tokens are padded to the longest sequence's; nothing that is kept is padded.

Axes in names: R rows of the cache, N new tokens, M of them whose next is wanted, T new tokens of a row, H heads,
G heads of keys and values, L tokens a row has room for, C heads of queries, keys and values, K numbers per head.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

SMALLEST = 128
"""Tokens a row has room for at first; the room doubles when a row outgrows it."""


class Step(NamedTuple):
    """The new tokens of a step; those of a row stand together, in order."""

    ids: Tensor
    """(N,) what they are."""
    students: Tensor
    """(N,) rows of the student table; matters where the placeholder stands."""
    rows: Tensor
    """(N,) rows of the cache."""
    places: Tensor
    """(N,) positions in the row, from 0."""
    wanted: Tensor
    """(M,) those of the N after which the next token is to be predicted."""
    length: int
    """Tokens of the longest of these rows, the new ones included."""
    read: int
    """Tokens that all the new ones attend to, together."""


def make_step(
    rows: Sequence[int], starts: Sequence[int], tokens: Sequence[Sequence[int]], wanted: Sequence[int],
    students: Sequence[int], device: torch.device,
) -> Step:  # fmt: skip
    """Pack new tokens, a list a row: the row, where its first new token stands, of how many the next is wanted."""
    counts = np.array([len(new) for new in tokens])
    firsts = np.cumsum(counts) - counts
    within_N = np.arange(counts.sum()) - np.repeat(firsts, counts)
    places_N = np.repeat(np.asarray(starts), counts) + within_N
    new_N = np.fromiter(chain.from_iterable(tokens), dtype=np.int64, count=len(places_N))
    wanted_M = np.flatnonzero(within_N >= np.repeat(counts - np.asarray(wanted), counts))

    def tensor(column: Any) -> Tensor:
        return torch.from_numpy(np.asarray(column, dtype=np.int64)).to(device)

    return Step(
        ids=tensor(new_N),
        students=tensor(np.repeat(students, counts)),
        rows=tensor(np.repeat(rows, counts)),
        places=tensor(places_N),
        wanted=tensor(wanted_M),
        length=int(places_N.max()) + 1,
        read=int(places_N.sum()) + len(places_N),
    )


class Cache:
    """Keys and values of `rows` sequences, layer by layer.

    A row is begun anew by writing at its position 0: what stands behind a token is never looked at.
    """

    def __init__(self, rows: int) -> None:
        self.rows = rows
        self._layers: dict[int, tuple[Tensor, Tensor]] = {}

    def attend(
        self, layer: int, step: Step, packed_NCK: Tensor, n_heads: int, *, scaling: float, window: int = 0
    ) -> Tensor:
        """What the step's tokens attend to (N, H, K), after their keys and values are written.

        Args:
            layer: Which one.
            step: Where the tokens stand.
            packed_NCK: Queries (H), keys (G) and values (G) of each, in this order along C. Overwritten.
            n_heads: H.
            scaling: Factor of the scores.
            window: How many tokens, itself included, a token may look at; 0: all.
        """
        n_groups = (packed_NCK.shape[1] - n_heads) // 2
        keys_RGLK, values_RGLK = self.room(layer, step.length, n_groups, packed_NCK)
        rows_N, places_N = step.rows, step.places
        query_NHK = packed_NCK[:, :n_heads]
        key_NGK, value_NGK = packed_NCK[:, n_heads:].chunk(2, dim=1)
        keys_RGLK[rows_N, :, places_N], values_RGLK[rows_N, :, places_N] = key_NGK, value_NGK
        starts = torch.ones_like(rows_N, dtype=torch.bool)
        starts[1:] = rows_N[1:] != rows_N[:-1]
        order_N = torch.arange(len(rows_N), device=rows_N.device)
        within_N = order_N - torch.where(starts, order_N, 0).cummax(0).values
        width, length = int(within_N.max()) + 1, step.length
        query_RTHK = query_NHK.new_zeros(len(keys_RGLK), width, *query_NHK.shape[1:])
        query_RTHK[rows_N, within_N] = query_NHK
        places_RT = rows_N.new_zeros(len(keys_RGLK), width)
        places_RT[rows_N, within_N] = places_N
        behind_RTL = places_RT[:, :, None] - torch.arange(length, device=rows_N.device)
        seen_RTL = (behind_RTL >= 0) & (behind_RTL < (window or length))
        out_RHTK = torch.nn.functional.scaled_dot_product_attention(
            query_RTHK.transpose(1, 2), keys_RGLK[:, :, :length], values_RGLK[:, :, :length],
            attn_mask=seen_RTL[:, None], scale=scaling, enable_gqa=n_groups != n_heads,
        )  # fmt: skip
        return out_RHTK.transpose(1, 2)[rows_N, within_N]

    def room(self, layer: int, length: int, n_groups: int, like: Tensor) -> tuple[Tensor, Tensor]:
        """The layer's keys and values, (R, G, L, K) each, with room for `length` tokens."""
        old = self._layers.get(layer)
        if old is None or old[0].shape[2] < length:
            room = max(SMALLEST, 1 << (length - 1).bit_length())
            grown = tuple(like.new_zeros(self.rows, n_groups, room, like.shape[-1]) for _ in range(2))
            for new, before in zip(grown, old or (), strict=False):
                new[:, :, : before.shape[2]] = before
            self._layers[layer] = (grown[0], grown[1])
        return self._layers[layer]
