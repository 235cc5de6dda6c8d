"""What a model says comes next, for many drafts at once that stand at different places.

In: a student model, and step by step the new tokens of any of its rows (`cache.Step`), packed without padding. Out:
logits. The model's own `forward` is the definition. There are three ways to compute it, each checked against the one
below by a few tokens before it is used:

    lean      small gpt2s and llamas written out again in compiled loops, without the library's work around the numbers
    library   the model's `forward`, its attention exchanged for ours by transformers' own interface
    whole     the model's `forward` over all tokens of a row at every step: slow, for whatever is left

Axes in names: N new tokens, M of them whose next is wanted, D the LM's width, V vocabulary; see also `cache`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from copy import copy
from typing import Any, Protocol, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import AttentionInterface

from redraft.lm import loops
from redraft.lm.cache import Cache, Step, looped, make_step
from redraft.lm.model import StudentLM
from redraft.lm.product import panels_of, product

ATTENTION = "redraft"
"""Our attention's name in transformers."""
PROBE = 24
"""Tokens on which ways are compared; three quarters in one step, the others in another."""
SMALL = 1 << 21
"""Weights of a block that threads don't share: what starting and stopping them costs is more than they save."""


class Decoder(Protocol):
    """One way of computing logits; keeps what it needs of tokens seen before."""

    model: StudentLM

    def __init__(self, model: StudentLM, rows: int) -> None: ...

    @property
    def small(self) -> bool:
        """Whether threads had better take rows each than share every operation."""

    @staticmethod
    def fits(model: StudentLM) -> bool:
        """Whether the model is of a kind that this way knows."""

    def beside(self, rows: int) -> Decoder:
        """Another of this kind, for other rows; what is made of the weights is shared."""

    def logits(self, step: Step) -> Tensor:
        """Logits (M, V) of the tokens after the wanted ones."""


def decoder_for(model: StudentLM, rows: int) -> Decoder:
    """The fastest way that gives this model's logits, for so many rows."""
    ways: tuple[type[Decoder], ...] = (*LEAN, Library)
    known = [way for way in ways if way.fits(model)]
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
    """The library's forward over whole rows, nothing kept but their ids."""

    small = False

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
        rows, places = step.rows.tolist(), step.places.tolist()
        for token, student, row, place in zip(step.ids.tolist(), step.students.tolist(), rows, places, strict=True):
            self._rows[row][place:] = [token]
            self._students[row] = student
        line_of = {row: line for line, row in enumerate(dict.fromkeys(rows))}
        width = max(len(self._rows[row]) for row in line_of)
        # causal attention doesn't see the padding on the right, whatever it is
        lines = [self._rows[row] + [0] * (width - len(self._rows[row])) for row in line_of]
        lines_N = torch.tensor([line_of[row] for row in rows], device=self.model.device)
        logits_RLV: Tensor = self.model(
            torch.tensor(lines, device=self.model.device),
            torch.tensor([self._students[row] for row in line_of], device=self.model.device),
            use_cache=False,
        ).logits
        return logits_RLV[lines_N[step.wanted], step.places[step.wanted]]


class Library:
    """The library's forward over packed tokens, with our attention."""

    small = False

    def __init__(self, model: StudentLM, rows: int) -> None:
        self.model, self._cache = model, Cache(rows)
        self._nothing = torch.zeros(1, 1, 1, 1, dtype=model.lm.dtype, device=model.device)

    @staticmethod
    def fits(model: StudentLM) -> bool:
        """It fits models whose attention can be exchanged."""
        return bool(model.lm._supports_attention_backend)

    def beside(self, rows: int) -> Library:
        """Another for other rows."""
        return Library(self.model, rows)

    def logits(self, step: Step) -> Tensor:
        """Logits (M, V) of the tokens after the wanted ones."""
        config = self.model.lm.config
        before, config._attn_implementation = config._attn_implementation, ATTENTION
        try:
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
        return logits_1MV[0]


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


class Lean(ABC):
    """A family written out again in compiled loops, for small models on CPUs: each thread may take rows of its own."""

    small = True

    def __init__(self, model: StudentLM, rows: int) -> None:
        self.model, self._cache = model, Cache(rows)
        self._head = panels_of(_array(model.lm.lm_head.weight))
        self._vocabulary = model.lm.config.vocab_size

    @staticmethod
    @abstractmethod
    def blocks(model: StudentLM) -> Sequence[Any]:
        """The blocks; none if the model isn't of this family."""

    @classmethod
    def fits(cls, model: StudentLM) -> bool:
        """It fits small models of the family, where compiled loops run."""
        sizes = [sum(p.numel() for p in block.parameters()) for block in cls.blocks(model)]
        return bool(sizes) and max(sizes) <= SMALL and looped(model.lm.lm_head.weight)

    def beside(self, rows: int) -> Self:
        """Another for other rows, with the same panels."""
        made = copy(self)
        made._cache = Cache(rows)
        return made

    @abstractmethod
    def outputs(self, step: Step) -> NDArray[Any]:
        """What the blocks make of the new tokens (N, D), normed."""

    def logits(self, step: Step) -> Tensor:
        """Logits (M, V) of the tokens after the wanted ones."""
        wanted_MD = self.outputs(step)[step.wanted.numpy()]
        logits_MV = np.empty((len(wanted_MD), self._vocabulary), wanted_MD.dtype)
        product(wanted_MD, self._head, logits_MV[0, :0], logits_MV, False)
        return torch.from_numpy(logits_MV)

    def room(self, layer: int, step: Step, n_groups: int, size: int) -> list[NDArray[Any]]:
        """The layer's keys and values, with the rows and places of the new tokens."""
        keys, values = self._cache.room(layer, step.length, n_groups, self.model.lm.lm_head.weight.new_empty(0, size))
        return [tensor.numpy() for tensor in (keys, values, step.rows, step.places)]


class LeanLlama(Lean):
    """Llama, as `transformers` defines it."""

    def __init__(self, model: StudentLM, rows: int) -> None:
        super().__init__(model, rows)
        inner, config = model.lm.model, model.lm.config
        places_1P = torch.arange(model.context, device=model.device)[None]
        self._rotation = [table[0].numpy() for table in inner.rotary_emb(model.lm.lm_head.weight, places_1P)]
        self._heads, self._groups, self._size = config.num_attention_heads, config.num_key_value_heads, config.head_dim
        scaling = float(inner.layers[0].self_attn.scaling)
        self._rest = config.intermediate_size, self._heads, scaling, config.rms_norm_eps
        self._norm = _array(inner.norm.weight)
        self._layers = [self._arrays(layer) for layer in inner.layers]

    @staticmethod
    def blocks(model: StudentLM) -> Sequence[Any]:
        """The blocks; none if the model isn't a Llama."""
        config = model.lm.config
        return model.lm.model.layers if config.model_type == "llama" and config.hidden_act == "silu" else ()

    @staticmethod
    def _arrays(layer: Any) -> list[NDArray[Any]]:
        """A block's weights, in the order in which the loop takes them."""
        attn, mlp = layer.self_attn, layer.mlp
        norm1, norm2 = _array(layer.input_layernorm.weight), _array(layer.post_attention_layernorm.weight)
        qkv, out = _joined(attn.q_proj, attn.k_proj, attn.v_proj), _joined(attn.o_proj)
        up, down = _joined(mlp.gate_proj, mlp.up_proj), _joined(mlp.down_proj)
        return [norm1, *qkv, *out, norm2, *up, *down]

    def outputs(self, step: Step) -> NDArray[Any]:
        """What the blocks make of the new tokens (N, D), normed."""
        x_ND = embed(self.model, step).numpy()
        for index, arrays in enumerate(self._layers):
            room = self.room(index, step, self._groups, self._size)
            loops.llama_block(x_ND, *room, *self._rotation, *arrays, *self._rest)
        loops.norm(x_ND, self._norm, self._norm[:0], self._rest[-1], x_ND)
        return x_ND


class LeanGPT2(Lean):
    """GPT-2, as `transformers` defines it."""

    def __init__(self, model: StudentLM, rows: int) -> None:
        super().__init__(model, rows)
        inner, config = model.lm.transformer, model.lm.config
        self._heads, self._eps = config.num_attention_heads, config.layer_norm_epsilon
        self._norm = [_array(inner.ln_f.weight), _array(inner.ln_f.bias)]
        self._layers = [(self._arrays(block), float(block.attn.scaling)) for block in inner.h]

    @staticmethod
    def blocks(model: StudentLM) -> Sequence[Any]:
        """The blocks; none if the model isn't a GPT-2."""
        config = model.lm.config
        known = config.model_type == "gpt2" and config.activation_function == "gelu_new"
        return model.lm.transformer.h if known else ()

    @staticmethod
    def _arrays(block: Any) -> list[NDArray[Any]]:
        """A block's weights, in the order in which the loop takes them; this family keeps them transposed."""
        attn, mlp = block.attn, block.mlp
        norms_and_maps = [block.ln_1, attn.c_attn, attn.c_proj, block.ln_2, mlp.c_fc, mlp.c_proj]
        weights = [_array(each.weight) for each in norms_and_maps]
        biases = [_array(each.bias) for each in norms_and_maps]
        laid_out = [panels_of(weight.T) if weight.ndim > 1 else weight for weight in weights]
        return [array for both in zip(laid_out, biases, strict=True) for array in both]

    def outputs(self, step: Step) -> NDArray[Any]:
        """What the blocks make of the new tokens (N, D), normed."""
        embedded_ND: Tensor = embed(self.model, step) + self.model.lm.transformer.wpe.weight[step.places]
        x_ND = embedded_ND.numpy()
        for index, (arrays, scaling) in enumerate(self._layers):
            room = self.room(index, step, self._heads, x_ND.shape[1] // self._heads)
            loops.gpt2_block(x_ND, *room, *arrays, self._heads, scaling, self._eps)
        loops.norm(x_ND, *self._norm, self._eps, x_ND)
        return x_ND


LEAN: tuple[type[Decoder], ...] = (LeanLlama, LeanGPT2)


def _joined(*maps: Any) -> tuple[NDArray[Any], NDArray[Any]]:
    """Weights of linear maps of one input, in panels, and their biases, empty if there are none."""
    weights, biases = ([getattr(each, part) for each in maps] for part in ("weight", "bias"))
    weight = torch.cat(weights)
    return panels_of(_array(weight)), _array(weight[0, :0] if biases[0] is None else torch.cat(biases))


def _array(weight: Tensor) -> NDArray[Any]:
    return weight.detach().numpy()
