"""What a model says comes next, for many drafts at once that stand at different places.

In: a student model, and step by step the new tokens of any of its rows (`cache.Step`), packed without padding. Out:
logits. The model's own `forward` is the definition. There are three ways to compute it, each checked against the one
below by a few tokens before it is used:

    lean      gpt2 and llama written out again, which saves most of the library's work around the numbers
    library   the model's `forward`, its attention exchanged for ours by transformers' own interface
    whole     the model's `forward` over all tokens of a row at every step: slow, for whatever is left

Axes in names: N new tokens, M of them whose next is wanted, D the LM's width, V vocabulary; see also `cache`.
"""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn.functional import layer_norm, linear
from transformers import AttentionInterface

from redraft.lm import loops
from redraft.lm.cache import Cache, Rotation, Step, looped, make_step
from redraft.lm.model import StudentLM

ATTENTION = "redraft"
"""Our attention's name in transformers."""
PROBE = 24
"""Tokens on which ways are compared; three quarters in one step, the others in another."""
FEW = 16
"""New tokens for which loops are faster than the library's operations."""
SMALL = 1 << 21
"""Weights of a block that threads don't share: what starting and stopping them costs is more than they save."""


class Decoder(Protocol):
    """One way of computing logits; keeps what it needs of tokens seen before."""

    model: StudentLM

    def __init__(self, model: StudentLM, rows: int) -> None: ...

    @property
    def small(self) -> bool:
        """Whether threads had better take rows each than share every operation; needs no lock."""

    @staticmethod
    def fits(model: StudentLM) -> bool:
        """Whether the model is of a kind that this way knows."""

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
    first = len(ids) * 3 // 4  # more than FEW, and fewer
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
        embedded_ND[students_N] = model.students(step.students[students_N]).to(embedded_ND.dtype)
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


class LeanLlama:
    """Llama, as `transformers` defines it."""

    def __init__(self, model: StudentLM, rows: int) -> None:
        self.model, self._cache = model, Cache(rows)
        inner, config = model.lm.model, model.lm.config
        places_1P = torch.arange(model.context, device=model.device)[None]
        self._rotation = Rotation(*(table[0].numpy() for table in inner.rotary_emb(model.lm.lm_head.weight, places_1P)))
        self._heads, self._groups = config.num_attention_heads, config.num_key_value_heads
        self._eps, self._last_norm = config.rms_norm_eps, inner.norm.weight.detach().numpy()
        self._layers = [_LlamaLayer(layer) for layer in inner.layers]
        self.small = sum(p.numel() for p in inner.layers[0].parameters()) <= SMALL
        self._looped = config.hidden_act == "silu"

    @staticmethod
    def fits(model: StudentLM) -> bool:
        """It fits plain Llamas, where the compiled loop runs."""
        return model.lm.config.model_type == "llama" and looped(model.lm.lm_head.weight)

    def logits(self, step: Step) -> Tensor:
        """Logits (M, V) of the tokens after the wanted ones."""
        x_ND = embed(self.model, step)
        few = self._looped and self.small and len(x_ND) <= FEW
        x_ND = self._by_loops(x_ND, step) if few else self._by_operations(x_ND, step)
        wanted_MD = x_ND[step.wanted]
        loops.norm(wanted_MD.numpy(), self._last_norm, self._eps, wanted_MD.numpy())
        return linear(wanted_MD, self.model.lm.lm_head.weight)

    def _by_loops(self, x_ND: Tensor, step: Step) -> Tensor:
        rows, places, x = step.rows.numpy(), step.places.numpy(), x_ND.numpy()
        for index, layer in enumerate(self._layers):
            keys, values = self._cache.room(index, step.length, self._groups, x_ND.new_empty(0, layer.size))
            loops.llama_block(
                x, keys.numpy(), values.numpy(), rows, places, *self._rotation, *layer.arrays,
                self._heads, layer.scaling, self._eps,
            )  # fmt: skip
        return x_ND

    def _by_operations(self, x_ND: Tensor, step: Step) -> Tensor:
        """By as few operations as can be, as each may have to wait for Python in a thread beside others."""
        n, first = len(x_ND), self._layers[0]
        normed_ND = torch.empty_like(x_ND)
        packed_NC, risen_NF = (x_ND.new_empty(n, weight.shape[1]) for weight in (first.qkv_T[0], first.up_T[0]))
        gate_NI, other_NI = risen_NF.chunk(2, dim=-1)
        packed_NCK = packed_NC.view(n, -1, first.size)
        for index, layer in enumerate(self._layers):
            loops.norm(x_ND.numpy(), layer.norm1, self._eps, normed_ND.numpy())
            _map(normed_ND, *layer.qkv_T, out=packed_NC)
            attended_NHK = self._cache.attend(
                index, step, packed_NCK, self._heads, scaling=layer.scaling, rotation=self._rotation
            )
            _add(attended_NHK.view(n, -1), *layer.out_T, to=x_ND)
            loops.norm(x_ND.numpy(), layer.norm2, self._eps, normed_ND.numpy())
            _map(normed_ND, *layer.up_T, out=risen_NF)
            _add(layer.act(gate_NI) * other_NI, *layer.down_T, to=x_ND)
        return x_ND


class _LlamaLayer:
    """A block's weights: for operations, transposed, and as arrays in the order in which the loops take them."""

    def __init__(self, layer: Any) -> None:
        attn, mlp = layer.self_attn, layer.mlp
        self.size, self.scaling, self.act = attn.head_dim, float(attn.scaling), mlp.act_fn
        norms = layer.input_layernorm, layer.post_attention_layernorm
        self.norm1, self.norm2 = (norm.weight.detach().numpy() for norm in norms)
        qkv, out = _joined(attn.q_proj, attn.k_proj, attn.v_proj), _joined(attn.o_proj)
        up, down = _joined(mlp.gate_proj, mlp.up_proj), _joined(mlp.down_proj)
        maps = qkv, out, up, down
        self.qkv_T, self.out_T, self.up_T, self.down_T = ((weight.T, bias) for weight, bias in maps)
        arrays = [[self.norm1[:0] if each is None else each.numpy() for each in one] for one in maps]
        self.arrays = [self.norm1, *arrays[0], *arrays[1], self.norm2, *arrays[2], *arrays[3]]


class LeanGPT2:
    """GPT-2, as `transformers` defines it."""

    def __init__(self, model: StudentLM, rows: int) -> None:
        self.model, self._cache = model, Cache(rows)
        self.small = sum(p.numel() for p in model.lm.transformer.h[0].parameters()) <= SMALL

    @staticmethod
    def fits(model: StudentLM) -> bool:
        """It fits plain GPT-2s, where the compiled loop runs."""
        return model.lm.config.model_type == "gpt2" and looped(model.lm.lm_head.weight)

    def logits(self, step: Step) -> Tensor:
        """Logits (M, V) of the tokens after the wanted ones."""
        inner = self.model.lm.transformer
        x_ND = embed(self.model, step) + inner.wpe.weight[step.places]
        n, width = x_ND.shape
        for index, block in enumerate(inner.h):
            attn, mlp = block.attn, block.mlp
            packed = torch.addmm(attn.c_attn.bias, _norm(x_ND, block.ln_1), attn.c_attn.weight)
            attended_NHK = self._cache.attend(
                index, step, packed.view(n, -1, attn.head_dim), attn.num_heads, scaling=attn.scaling
            )
            x_ND = x_ND + torch.addmm(attn.c_proj.bias, attended_NHK.view(n, width), attn.c_proj.weight)
            risen = mlp.act(torch.addmm(mlp.c_fc.bias, _norm(x_ND, block.ln_2), mlp.c_fc.weight))
            x_ND = x_ND + torch.addmm(mlp.c_proj.bias, risen, mlp.c_proj.weight)
        return linear(_norm(x_ND[step.wanted], inner.ln_f), self.model.lm.lm_head.weight)


LEAN: tuple[type[Decoder], ...] = (LeanLlama, LeanGPT2)


def _norm(x_ND: Tensor, norm: Any) -> Tensor:
    return layer_norm(x_ND, norm.normalized_shape, norm.weight, norm.bias, norm.eps)


def _map(x: Tensor, weight_T: Tensor, bias: Tensor | None, *, out: Tensor) -> None:
    """A linear map, into `out`."""
    if bias is None:
        torch.mm(x, weight_T, out=out)
    else:
        torch.addmm(bias, x, weight_T, out=out)


def _add(x: Tensor, weight_T: Tensor, bias: Tensor | None, *, to: Tensor) -> None:
    """A linear map, added `to` what is there."""
    to.addmm_(x, weight_T)
    if bias is not None:
        to += bias


def _joined(*maps: Any) -> tuple[Tensor, Tensor | None]:
    """Weight and bias of linear maps of one input, computed at once."""
    weights, biases = ([getattr(each, part) for each in maps] for part in ("weight", "bias"))
    return _cat(weights), None if biases[0] is None else _cat(biases)


def _cat(parts: list[Tensor]) -> Tensor:
    return torch.cat(parts).detach() if len(parts) > 1 else parts[0].detach()
