"""What a model says comes next, for many drafts at once that stand at different places.

In: a student model, and step by step the new tokens of any of its rows (`cache.Step`), packed without padding. Out:
logits, the hidden states they are made of, and tokens drawn. The model's own `forward` is the definition, and `Whole`
is that. `Library` keeps keys and values, so that a step costs what is new. `fastest` picks among these and the compiled
ways.

Axes in names: N new tokens, M of them whose next is wanted, R rows of the step, L tokens of a row, D the LM's width,
V vocabulary, H heads, K numbers per head, C heads of queries, keys and values together.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any, Protocol, Self

import torch
from torch import Tensor
from transformers import AttentionInterface

from redraft.lm.cache import Cache, Step
from redraft.lm.model import StudentLM, heard
from redraft.lm.neural_cache.mixture import Past, mixed
from redraft.lm.nucleus import Groups, nucleus

ATTENTION = "redraft"
"""Our attention's name in transformers."""


class Draw(Protocol):
    """Draws a token from each line of probabilities (M, V) by its random number (M,)."""

    def __call__(
        self, probabilities_BV: Tensor, uniforms_B: Tensor, *, top_p: float, groups: Groups | None = None
    ) -> Tensor:
        """Ids (M,)."""


class Mix(Protocol):
    """Mixes a student's past into logits (N, V), given hidden states (N, D)."""

    def __call__(self, logits_NV: Tensor, hidden_ND: Tensor, past: Past) -> Tensor:
        """Logarithms of probabilities (N, V)."""


class Decoder(Protocol):
    """One way of computing logits; keeps what it needs of tokens seen before."""

    model: StudentLM
    name: str
    """What it is, for people."""
    small: bool
    """Whether threads had better take rows each than share every operation."""
    draw: Draw
    """How a token is drawn from what is likely: as `nucleus` defines it."""
    mix: Mix
    """How a neural cache is mixed in: as `mixed` defines it."""

    def __init__(self, model: StudentLM, rows: int) -> None: ...

    @staticmethod
    def fits(model: StudentLM) -> bool:
        """Whether the model is of a kind that this way knows."""

    def beside(self, rows: int) -> Decoder:
        """Another of this kind, for other rows; what is made of the weights is shared."""

    def logits(self, step: Step) -> Tensor:
        """Logits (M, V) of the tokens after the wanted ones."""

    def read(self, step: Step) -> tuple[Tensor, Tensor]:
        """These logits, and the hidden states (M, D) that the last layer makes them of."""


def embed(model: StudentLM, step: Step) -> Tensor:
    """The new tokens' embeddings (N, D), students' vectors in the placeholders' place."""
    embedded_ND: Tensor = model.lm.get_input_embeddings()(step.ids)
    students_N = step.ids == model.placeholder_id
    if bool(students_N.any()):
        # one by one, for a library's products are rounded otherwise when there are more
        vectors = [model.students(student[None]) for student in step.students[students_N]]
        embedded_ND[students_N] = torch.cat(vectors).to(embedded_ND.dtype)
    return embedded_ND


class Whole:
    """The library's forward over whole rows, nothing kept but their ids: slow, and right for any model."""

    name = "the library's forward, over whole texts"
    small = False
    draw: Draw = staticmethod(nucleus)
    mix: Mix = staticmethod(mixed)

    def __init__(self, model: StudentLM, rows: int) -> None:
        self.model, self._rows = model, defaultdict[int, list[int]](list)
        self._students: dict[int, int] = {}

    @staticmethod
    def fits(model: StudentLM) -> bool:
        """It fits any."""
        return True

    def beside(self, rows: int) -> Whole:
        """Another for other rows."""
        return Whole(self.model, rows)

    def logits(self, step: Step) -> Tensor:
        """Logits (M, V) of the tokens after the wanted ones."""
        return self.read(step)[0]

    def read(self, step: Step) -> tuple[Tensor, Tensor]:
        """These logits, and the hidden states (M, D) that the last layer makes them of."""
        rows, places = step.rows.tolist(), step.places.tolist()
        for token, student, row, place in zip(step.ids.tolist(), step.students.tolist(), rows, places, strict=True):
            self._rows[row][place:] = [token]
            self._students[row] = student
        line_of = {row: line for line, row in enumerate(dict.fromkeys(rows))}
        width = max(len(self._rows[row]) for row in line_of)
        # causal attention doesn't see the padding on the right, whatever it is
        lines = [self._rows[row] + [0] * (width - len(self._rows[row])) for row in line_of]
        lines_N = torch.tensor([line_of[row] for row in rows], device=self.model.device)
        read = self.model.read(
            torch.tensor(lines, device=self.model.device),
            torch.tensor([self._students[row] for row in line_of], device=self.model.device),
            use_cache=False,
        )
        logits_MV, hidden_MD = (each[lines_N[step.wanted], step.places[step.wanted]] for each in read)
        return logits_MV, hidden_MD


class Library:
    """The library's forward over packed tokens, its attention exchanged for the cache's by transformers' interface."""

    name = "the library's forward"
    small = False
    cache_type: type[Cache] = Cache
    draw: Draw = staticmethod(nucleus)
    mix: Mix = staticmethod(mixed)

    def __init__(self, model: StudentLM, rows: int) -> None:
        self.model, self._cache = model, self.cache_type(rows)
        self._nothing = torch.zeros(1, 1, 1, 1, dtype=model.lm.dtype, device=model.device)

    @staticmethod
    def fits(model: StudentLM) -> bool:
        """It fits models whose attention can be exchanged."""
        return bool(model.lm._supports_attention_backend)

    def beside(self, rows: int) -> Self:
        """Another for other rows."""
        return type(self)(self.model, rows)

    def logits(self, step: Step) -> Tensor:
        """Logits (M, V) of the tokens after the wanted ones."""
        return self.read(step)[0]

    def read(self, step: Step) -> tuple[Tensor, Tensor]:
        """These logits, and the hidden states (M, D) that the last layer makes them of."""
        config = self.model.lm.config
        before, config._attn_implementation = config._attn_implementation, ATTENTION
        try:
            with heard(self.model.lm) as states:
                logits_1MV: Tensor = self.model.lm(
                    inputs_embeds=embed(self.model, step)[None],
                    position_ids=step.places[None],
                    attention_mask=self._nothing,  # a mask of four axes is taken as it is; none is needed
                    use_cache=False,
                    logits_to_keep=step.wanted,
                    redraft=(self._cache, step),
                ).logits
        finally:
            config._attn_implementation = before
        return logits_1MV[0], states[-1][0]


def _attention(
    module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, *,
    redraft: tuple[Cache, Step], scaling: float | None = None, sliding_window: int | None = None,
    softcap: float | None = None, s_aux: Tensor | None = None, **_: Any,
) -> tuple[Tensor, None]:  # fmt: skip
    """Attention as transformers calls it: (1, heads, N, K) each; (1, N, heads, K) is expected."""
    if softcap is not None or s_aux is not None:
        raise NotImplementedError
    cache, step = redraft
    packed_NCK = torch.cat((query[0], key[0], value[0])).transpose(0, 1).contiguous()
    out_NHK = cache.attend(
        module.layer_idx, step, packed_NCK, query.shape[1],
        scaling=scaling if scaling is not None else query.shape[-1] ** -0.5, window=sliding_window or 0,
    )  # fmt: skip
    return out_NHK[None], None


AttentionInterface.register(ATTENTION, _attention)
