"""Small Llamas and GPT-2s written out again in compiled loops, without the library's work around the numbers.

In and out: as `decode.Decoder`. Each thread may take rows of its own, and a row's logits are the same to the last bit
whatever else is in the step. Weights are laid out anew once, for products of few tokens.

Axes in names: N new tokens, M of them whose next is wanted, D the LM's width, V vocabulary, P places.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from copy import copy
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from redraft.lm.cache import Cache, Step
from redraft.lm.decode import Draw, Mix, embed
from redraft.lm.fast import loops
from redraft.lm.fast.loops import looped
from redraft.lm.fast.mixture import mixed
from redraft.lm.fast.nucleus import nucleus
from redraft.lm.fast.product import panels_of, product
from redraft.lm.model import StudentLM

SMALL = 1 << 21
"""Weights of a block that threads don't share: what starting and stopping them costs is more than they save."""
GELUS = ("gelu_new", "gelu_pytorch_tanh")
"""The library's names for GELU's approximation by the hyperbolic tangent, written out or as torch's own kernel."""


class Lean(ABC):
    """A family written out again in compiled loops, for small models on CPUs: each thread may take rows of its own."""

    small = True
    draw: Draw = staticmethod(nucleus)
    mix: Mix = staticmethod(mixed)

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
        return self.read(step)[0]

    def read(self, step: Step) -> tuple[Tensor, Tensor]:
        """These logits, and the hidden states (M, D) that the last layer makes them of."""
        wanted_MD = self.outputs(step)[step.wanted.numpy()]
        logits_MV = np.empty((len(wanted_MD), self._vocabulary), wanted_MD.dtype)
        product(wanted_MD, self._head, logits_MV[0, :0], logits_MV, False)
        return torch.from_numpy(logits_MV), torch.from_numpy(wanted_MD)

    def room(self, layer: int, step: Step, n_groups: int, size: int) -> list[NDArray[Any]]:
        """The layer's keys and values, with the rows and places of the new tokens."""
        keys, values = self._cache.room(layer, step.length, n_groups, self.model.lm.lm_head.weight.new_empty(0, size))
        return [tensor.numpy() for tensor in (keys, values, step.rows, step.places)]


class LeanLlama(Lean):
    """Llama, as `transformers` defines it."""

    name = "a Llama in compiled loops"

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

    name = "a GPT-2 in compiled loops"

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
        known = config.model_type == "gpt2" and config.activation_function in GELUS
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


def _joined(*maps: Any) -> tuple[NDArray[Any], NDArray[Any]]:
    """Weights of linear maps of one input, in panels, and their biases, empty if there are none."""
    weights, biases = ([getattr(each, part) for each in maps] for part in ("weight", "bias"))
    weight = torch.cat(weights)
    return panels_of(_array(weight)), _array(weight[0, :0] if biases[0] is None else torch.cat(biases))


def _array(weight: Tensor) -> NDArray[Any]:
    return weight.detach().numpy()
