"""Drawing tokens: from the model's distribution, whoever shares the batch and whatever is guessed."""

from __future__ import annotations

import itertools
import math
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2
from transformers import AutoConfig, AutoModelForCausalLM

from redraft.errors import InputError
from redraft.lm import generate as generating
from redraft.lm.cache import Cache, Step, make_step
from redraft.lm.checkpoint import Model
from redraft.lm.decode import Decoder, Draw, Library, Whole
from redraft.lm.fast import attention as attending
from redraft.lm.fast import lean
from redraft.lm.fast.attention import LoopedCache, LoopedLibrary
from redraft.lm.fast.lean import LeanGPT2, LeanLlama
from redraft.lm.fast.nucleus import nucleus as looped_nucleus
from redraft.lm.fastest import decoder_for
from redraft.lm.generate import Draft, drawn, generate
from redraft.lm.model import StudentIndex, StudentLM, StudentVectors
from redraft.lm.nucleus import Groups, nucleus, probabilities_of
from redraft.lm.sample import SampleConfig
from redraft.lm.speculate import Copies, Memory

PLACEHOLDER, END = 0, 1
OVERLAP = 7
SIZES: dict[str, Any] = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4}
SHAPES: dict[str, tuple[str, dict[str, Any]]] = {
    "gpt2": ("gpt2", {"n_embd": 16, "n_layer": 2, "n_head": 4, "scale_attn_by_inverse_layer_idx": True}),
    "llama": ("llama", {**SIZES, "num_key_value_heads": 2}),
    "llama with biases": (
        "llama",
        {**SIZES, "attention_bias": True, "mlp_bias": True, "head_dim": 6, "tie_word_embeddings": True,
         "rope_parameters": {"rope_type": "linear", "factor": 2.0, "rope_theta": 100.0}},
    ),
    "gpt_neox": ("gpt_neox", SIZES),
    "olmo2": ("olmo2", SIZES),
    "mistral": ("mistral", {**SIZES, "num_key_value_heads": 2, "sliding_window": 5}),
    "gemma2": ("gemma2", {**SIZES, "num_key_value_heads": 2, "head_dim": 4, "sliding_window": 5, "attn_logit_softcapping": None}),
    "gptj": ("gptj", {"n_embd": 16, "n_layer": 2, "n_head": 4, "rotary_dim": 2}),
}  # fmt: skip


def make_lm(shape: str, *, vocabulary: int = 40, context: int = 48, spread: float = 0.3, **more: Any) -> StudentLM:
    """A random model in float64, sure enough of some tokens to repeat itself."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    family, sizes = SHAPES[shape]
    length = "n_positions" if family in ("gpt2", "gptj") else "max_position_embeddings"
    config = AutoConfig.for_model(
        family, vocab_size=vocabulary, bos_token_id=None, eos_token_id=None, pad_token_id=None,
        **{length: context, **sizes, **more},
    )  # fmt: skip
    lm = AutoModelForCausalLM.from_config(config).eval().double()
    students = StudentVectors(3, width=16).double()
    with torch.no_grad():
        for parameter in (*lm.parameters(), *students.parameters()):
            parameter.copy_(torch.randn_like(parameter) * spread + (parameter.ndim == 1))
    return StudentLM(lm, students, PLACEHOLDER)


def make_model(lm: StudentLM, *, end: int | None = None, temperature: float = 1.0) -> Model:
    """With a codec that knows no more than drawing needs; traces end with a token that comes now and then."""
    codec: Any = SimpleNamespace(
        student_id=PLACEHOLDER,
        end_id=-1,
        run_id=None,
        restart=lambda ids, length: ids[-OVERLAP:],
        shows_ids=frozenset(),
        shown=lambda ids, place=None: [],
        grammar=lambda ids: None,
    )
    model = Model(lm=lm, codec=codec, students=StudentIndex(["a", "b", "c"]), card={})
    if end is None:
        prefixes = [len(draft.ids) for draft in drafts_of()]
        samples = samples_of(model, rounds=1, temperature=temperature, top_p=0.9)
        drawn = Counter(token for ids, n in zip(samples, prefixes, strict=True) for token in ids[n:])
        end = min(drawn, key=lambda token: abs(drawn[token] - drawn.total() / 150))
    codec.end_id = end
    return model


def drafts_of(n: int = 12, *, vocabulary: int = 40) -> list[Draft]:
    """Prefixes of many lengths."""
    rng = np.random.default_rng(5)
    return [
        Draft(student=i % 4, ids=rng.integers(2, vocabulary, 1 + i * 5 % 23).tolist(), stream=(0, f"request {i}", i))
        for i in range(n)
    ]


# The nucleus


def plainly(logits: np.ndarray, uniform: float, top_p: float, temperature: float) -> int:
    """The definition, token by token."""
    p = np.exp((logits - logits.max()) / temperature)
    p /= p.sum()
    order = sorted(range(len(p)), key=lambda token: -p[token])
    chosen, total = [], 0.0
    for token in order:
        if total >= top_p:
            break
        chosen.append(token)
        total += p[token]
    threshold, reached = uniform * total, 0.0
    for token in chosen:
        reached += p[token]
        if reached > threshold:
            return token
    return chosen[-1]


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([3, 64, 65, 700]),
    st.sampled_from([0.1, 0.9, 0.999, 1.0]),
    st.sampled_from([0.5, 1.0, 3.0]),
    st.sampled_from([0.1, 1.0, 5.0]),
    st.sampled_from([nucleus, looped_nucleus]),
)
def test_nucleus_equals_its_definition(
    seed: int, vocabulary: int, top_p: float, temperature: float, spread: float, way: Draw
) -> None:
    rng = np.random.default_rng(seed)
    logits_BV = rng.normal(size=(6, vocabulary)) * spread
    uniforms_B = rng.random(6)
    probabilities_BV = probabilities_of(torch.from_numpy(logits_BV), temperature)
    tokens = way(probabilities_BV, torch.from_numpy(uniforms_B), top_p=top_p)
    expected = [plainly(line, u, top_p, temperature) for line, u in zip(logits_BV, uniforms_B, strict=True)]
    assert tokens.tolist() == expected


def plainly_in_groups(p: np.ndarray, kinds: np.ndarray, uniform: float, top_p: float) -> int:
    """The definition: a group by all its probability, then a token of its nucleus."""
    masses = [p[kinds == group].sum() for group in range(3)]
    target, before = uniform * sum(masses), 0.0
    group = 0
    while not masses[group] or target >= before + masses[group]:
        before += masses[group]
        group += 1
    inside = np.flatnonzero(kinds == group)
    logits = np.log(np.maximum(p[inside], 1e-300))
    return int(inside[plainly(logits, (target - before) / masses[group], top_p, 1.0)])


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([3, 64, 65, 700]),
    st.sampled_from([0.1, 0.9, 0.999, 1.0]),
    st.sampled_from([0.1, 1.0, 5.0]),
    st.sampled_from([nucleus, looped_nucleus]),
)
def test_groups_keep_their_probability(seed: int, vocabulary: int, top_p: float, spread: float, way: Draw) -> None:
    rng = np.random.default_rng(seed)
    logits_BV = rng.normal(size=(6, vocabulary)) * spread
    kinds_SV = rng.choice([-1, 0, 1, 2], size=(4, vocabulary), p=rng.dirichlet(np.ones(4))).astype(np.int8)
    kinds_SV[range(4), rng.integers(0, vocabulary, 4)] = 1
    lines_B, uniforms_B = rng.integers(0, 4, 6), rng.random(6)
    probabilities_BV = probabilities_of(torch.from_numpy(logits_BV), 1.0)
    groups = Groups(torch.from_numpy(kinds_SV), torch.from_numpy(lines_B))
    tokens = way(probabilities_BV, torch.from_numpy(uniforms_B), top_p=top_p, groups=groups)
    rows = zip(probabilities_BV.numpy(), kinds_SV[lines_B], uniforms_B, strict=True)
    assert tokens.tolist() == [plainly_in_groups(p, kinds, u, top_p) for p, kinds, u in rows]


@pytest.mark.parametrize("way", [nucleus, looped_nucleus])
def test_only_what_may_come_is_drawn_however_unlikely(way: Draw) -> None:
    probabilities_BV = torch.tensor([[1.0, 0.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0], [0.0, 0.4, 0.6, 0.0]])
    groups = Groups(torch.tensor([[-1, 0, -1, -1], [-1, -1, 0, 2], [-1, 0, -1, 1]], dtype=torch.int8), torch.arange(3))
    tokens = way(probabilities_BV, torch.tensor([0.3, 0.3, 0.999999], dtype=torch.float64), top_p=0.9, groups=groups)
    assert tokens.tolist() == [1, 3, 1]


@pytest.mark.parametrize("way", [nucleus, looped_nucleus])
def test_an_ending_outside_the_nucleus_is_drawn_as_often_as_the_model_has_it(way: Draw) -> None:
    """40 ways for a draft to end, .1 together, none of which is in a nucleus of .8 over everything."""
    p = torch.cat((torch.tensor([0.6, 0.25, 0.05]), torch.full((40,), 0.0025))).double()
    kinds_1V = torch.tensor([[0, 0, 0, *[1] * 40]], dtype=torch.int8)
    uniforms_B = torch.arange(20_000, dtype=torch.float64) / 20_000
    groups = Groups(kinds_1V, torch.zeros(20_000, dtype=torch.long))
    drawn = way(p.expand(20_000, -1).contiguous(), uniforms_B, top_p=0.8, groups=groups)
    counts = torch.bincount(drawn, minlength=43) / 20_000
    assert counts[3:].sum() == pytest.approx(0.1, abs=1e-4)
    torch.testing.assert_close(counts[:3], torch.tensor([0.9 * 0.6 / 0.85, 0.9 * 0.25 / 0.85, 0]), atol=2e-4, rtol=0)


def test_nucleus_draws_in_proportion_and_nothing_outside() -> None:
    p = torch.tensor([0.5, 0.3, 0.15, 0.05], dtype=torch.float64)
    uniforms_B = torch.arange(10_000, dtype=torch.float64) / 10_000
    drawn = nucleus(p.expand(10_000, -1), uniforms_B, top_p=0.9)
    counts = torch.bincount(drawn, minlength=4) / 10_000
    torch.testing.assert_close(counts, torch.tensor([0.5, 0.3, 0.15, 0]).float() / 0.95, atol=2e-4, rtol=0)


def test_one_token_may_be_the_whole_nucleus() -> None:
    probabilities_BV = torch.tensor([[0.0, 1.0, 0.0]])
    assert nucleus(probabilities_BV, torch.tensor([0.999999], dtype=torch.float64), top_p=0.9).tolist() == [1]


# Logits


@torch.inference_mode()
def assert_way_is_right(lm: StudentLM, way: Callable[[StudentLM, int], Decoder]) -> None:
    """Rows that begin, go on, step back and begin anew, several tokens at once, in any order."""
    rng = np.random.default_rng(0)
    ours, expected = way(lm, 4), Whole(lm, 4)
    lengths = [0, 0, 0, 0]
    for _ in range(30):
        rows = rng.permutation(4)[: rng.integers(1, 5)].tolist()
        for row in rows:
            if rng.random() < 0.3 or lengths[row] > 34:
                lengths[row] = int(rng.integers(0, 1 + lengths[row])) if rng.random() < 0.7 else 0
        starts = [lengths[row] for row in rows]
        new = [rng.integers(1, 40, rng.integers(1, 14)).tolist() for _ in rows]
        for row, start, tokens in zip(rows, starts, new, strict=True):
            if start == 0:
                tokens[0] = PLACEHOLDER
            lengths[row] = start + len(tokens)
        wanted = [int(rng.integers(1, 1 + len(tokens))) for tokens in new]
        step = make_step(rows, starts, new, wanted, [row % 4 for row in rows], lm.device)
        found, should = ours.logits(step), expected.logits(step)
        assert found.shape == (sum(wanted), 40)
        # the library computes a Llama's norms and rotations in float32, whatever the weights are
        torch.testing.assert_close(found, should, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("way", [Library, LoopedLibrary])
@pytest.mark.parametrize("shape", [shape for shape in SHAPES if shape != "gptj"])
def test_the_librarys_forward_with_our_attention_gives_its_logits(shape: str, way: type[Library]) -> None:
    assert_way_is_right(make_lm(shape), way)


@pytest.mark.parametrize("shape", ["llama", "llama with biases", "gpt2"])
def test_the_lean_forwards_give_the_librarys_logits(shape: str) -> None:
    lm = make_lm(shape)
    assert_way_is_right(lm, LeanGPT2 if shape == "gpt2" else LeanLlama)


@torch.inference_mode()
@pytest.mark.parametrize("shape", ["llama with biases", "gpt2"])
def test_batch_mates_change_no_logit_by_as_much_as_a_rounding(shape: str) -> None:
    lm = make_lm(shape).float()
    way = LeanGPT2 if shape == "gpt2" else LeanLlama
    rng = np.random.default_rng(0)
    tokens = [[PLACEHOLDER, *rng.integers(1, 40, n).tolist()] for n in (3, 30, 11, 1, 7, 20, 2)]
    counts = [len(each) for each in tokens]
    together = way(lm, 7).logits(make_step(range(7), [0] * 7, tokens, counts, [1, 2, 3, 0, 1, 2, 3], lm.device))
    for student, each, expected in zip([1, 2, 3, 0, 1, 2, 3], tokens, together.split(counts), strict=True):
        alone = way(lm, 1)
        half = len(each) // 2
        steps = ([0], each[:half]), ([half], each[half:])
        found = [alone.logits(make_step([0], at, [new], [len(new)], [student], lm.device)) for at, new in steps if new]
        assert torch.equal(torch.cat(found), expected)


@pytest.mark.parametrize("kept", [Cache, LoopedCache])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("spread", [0.1, 3.0, 40.0])
@pytest.mark.parametrize("window", [0, 37])
def test_attention_equals_its_definition_however_sure_it_is(
    kept: type[Cache], dtype: torch.dtype, spread: float, window: int
) -> None:
    torch.manual_seed(0)
    n, heads, groups, size = 203, 4, 2, 12
    packed_NCK = torch.randn(n, heads + 2 * groups, size, dtype=torch.float64)
    packed_NCK[:, :heads] *= spread
    query, key, value = (part.transpose(0, 1) for part in packed_NCK.split((heads, groups, groups), dim=1))
    scores = (query @ key.repeat_interleave(2, 0).transpose(1, 2)) * 0.5
    behind = torch.arange(n)[:, None] - torch.arange(n)
    scores[:, (behind < 0) | (behind >= (window or n))] = -math.inf
    expected = (scores.softmax(-1) @ value.repeat_interleave(2, 0)).transpose(0, 1)
    step = make_step([0], [0], [list(range(n))], [1], [0], torch.device("cpu"))
    found = kept(1).attend(0, step, packed_NCK.to(dtype), heads, scaling=0.5, window=window)
    # a float32's scores are off by their own rounding, which grows with them
    exact = 1e-6 * max(1.0, spread) * size if dtype == torch.float32 else 1e-12
    torch.testing.assert_close(found.double(), expected, atol=exact, rtol=exact)


def test_threads_share_the_attention(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attending, "WORTH_A_THREAD", 1)
    lm = make_lm("llama")
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    assert_way_is_right(lm, LoopedLibrary)


@pytest.mark.parametrize(
    ("shape", "way"),
    [("gpt2", LeanGPT2), ("llama", LeanLlama), ("olmo2", LoopedLibrary), ("mistral", LoopedLibrary), ("gptj", Whole)],
)
def test_each_model_gets_the_fastest_way_it_fits(shape: str, way: type[Decoder]) -> None:
    with torch.inference_mode():
        assert type(decoder_for(make_lm(shape), 2)) is way
        if way in (LeanGPT2, LeanLlama):
            with patch.object(lean, "SMALL", 100):
                assert type(decoder_for(make_lm(shape), 2)) is LoopedLibrary, (
                    "torch's own threads share large operations"
                )
        assert type(decoder_for(make_lm(shape).bfloat16(), 2)) is (Whole if way is Whole else LoopedLibrary)


@pytest.mark.parametrize(("shape", "way"), [("gpt2", LeanGPT2), ("llama", LeanLlama)])
def test_decoders_side_by_side_share_weights_and_nothing_else(shape: str, way: type[LeanGPT2 | LeanLlama]) -> None:
    lm = make_lm(shape)
    first = way(lm, 1)
    with patch("redraft.lm.fast.lean.panels_of", side_effect=AssertionError("laid out again")):
        assert_way_is_right(lm, lambda lm, rows: first.beside(rows))
    assert not first._cache._layers, "the other's rows are in this one's cache"


@torch.inference_mode()
def test_a_way_that_gives_other_logits_is_not_used() -> None:
    capped = make_lm("gemma2", attn_logit_softcapping=50.0)
    assert type(decoder_for(capped, 2)) is Whole
    changed = make_lm("llama")
    changed.lm.model.layers[0].mlp.register_forward_hook(lambda module, inputs, output: output * 1.5)
    assert type(decoder_for(changed, 2)) is LoopedLibrary


def test_the_models_own_attention_is_left_as_it_was() -> None:
    lm = make_lm("olmo2")
    before = lm.lm.config._attn_implementation
    generate(make_model(lm), drafts_of(2), SampleConfig(rounds=1))
    assert lm.lm.config._attn_implementation == before


# Samples


def samples_of(model: Model, n: int = 12, order: int = 1, **settings: Any) -> list[list[int]]:
    drafts = drafts_of(n)
    generate(model, drafts[::order], SampleConfig(**settings))
    return [draft.ids for draft in drafts]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How guessing goes."""
    counts: Counter[str] = Counter()
    take = generating._Row.take

    def count(self: generating._Row, tokens: Any) -> None:
        guessed, before = len(self.guessed), len(self.draft.ids)
        take(self, tokens)
        counts.update(steps=1, guessed=guessed, right=len(self.draft.ids) - before - 1)

    monkeypatch.setattr(generating._Row, "take", count)
    return counts


@pytest.mark.parametrize("shape", ["gpt2", "llama", "olmo2", "gptj"])
def test_neither_batch_mates_nor_guesses_nor_order_change_a_sample(
    shape: str, told: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = make_model(make_lm(shape), temperature=0.4)
    n = 66 if shape in ("gpt2", "llama") else 18
    ways = ((1, 1), (7, -1), (64, 1))
    found = [samples_of(model, n, order, batch=batch, rounds=2, temperature=0.4) for batch, order in ways]
    assert 0 < told["right"] < told["guessed"]
    monkeypatch.setattr(Copies, "guess", lambda self, limit: [])
    plain = samples_of(model, n, -1, batch=64, rounds=2, temperature=0.4)
    assert len({len(ids) for ids in plain}) > (2 if n > 18 else 1)
    assert all(samples == plain for samples in found)


def test_guesses_are_made_as_long_as_they_are_worth_their_cost() -> None:
    memory = Memory()
    for _ in range(100):
        memory.learn(3, 6, 6)
        memory.learn(2, 0, 4)
    assert memory.worth(3, 6) == 6
    waits = [memory.worth(2, 4) for _ in range(200)]
    assert waits[0] == 0
    assert 0 < waits.index(1) < 100  # seldom, but again
    ids = [5, 6, 7, 8, 9, 5, 6, 7]
    assert Copies(ids, memory).guess(32) == [8, 9, 5, 6, 7, 8]  # round and round
    assert Copies(ids, memory).guess(2) == [8, 9]


@pytest.mark.parametrize("shape", ["gpt2", "llama"])
@pytest.mark.parametrize("endings", ["exact", "nucleus"])
def test_samples_are_those_a_plain_loop_draws(shape: str, endings: str) -> None:
    """No cache, no batch, no guesses: the whole context anew for each token."""
    lm = make_lm(shape)
    model = make_model(lm)
    end = model.codec.end_id
    kinds_1V = torch.zeros(1, 40, dtype=torch.int8)
    kinds_1V[0, end] = 2
    expected = []
    for draft in drafts_of():
        ids, head = list(draft.ids), list(draft.ids)
        for rounds in range(3):
            draft.rounds = rounds
            for uniform in draft.uniforms(lm.context - 1 - len(head)):
                with torch.inference_mode():
                    logits_BV = lm(torch.tensor([[PLACEHOLDER, *head]]), torch.tensor([draft.student])).logits[:, -1]
                groups = Groups(kinds_1V, torch.tensor([0])) if endings == "exact" else None
                p_BV = probabilities_of(logits_BV, 1.2)
                token = int(nucleus(p_BV, torch.tensor([uniform]), top_p=0.8, groups=groups))
                ids.append(token)
                head.append(token)
                if token == end:
                    break
            if ids[-1] == end:
                break
            head = ids[-OVERLAP:]
        expected.append(ids)
    assert any(ids[-1] == end for ids in expected)
    assert endings == "exact" or any(ids[-1] != end for ids in expected)
    assert samples_of(model, batch=5, rounds=3, top_p=0.8, temperature=1.2, endings=endings) == expected


class Counting:
    """A grammar of five tokens: one can't follow itself, another is a draft's end, the third the trace's."""

    given = ()

    def __init__(self, ids: tuple[int, ...]) -> None:
        self.ids, self.may = ids, np.array([0, 2, 1, 0, 0], np.int8)
        self.may[ids[-1]] = -1

    def after(self, token: int) -> Counting:
        return Counting((*self.ids, token))


def test_samples_have_the_models_distribution(told: Counter[str]) -> None:
    """All continuations of a model with five tokens, and how often each is drawn."""
    lm = make_lm("llama", vocabulary=5, context=12, spread=0.25)
    prefix, room, n = [2, 3, 4, 2, 3, 4, 2, 3], 3, 6_000

    @torch.inference_mode()
    def chances(ids: list[int]) -> np.ndarray:
        p = torch.softmax(lm(torch.tensor([[PLACEHOLDER, *ids]]), torch.tensor([2])).logits[0, -1], -1).numpy()
        kinds = Counting(tuple(ids)).may
        shares = np.zeros(5)
        for group in set(kinds) - {-1}:
            there = np.flatnonzero(kinds == group)
            order = there[np.argsort(-p[there])]
            inside = order[: 1 + int((np.cumsum(p[order]) < 0.9 * p[there].sum()).sum())]
            shares[inside] = p[inside] * p[there].sum() / p[inside].sum()
        shares /= p[kinds >= 0].sum()
        return shares

    expected: dict[tuple[int, ...], float] = {}
    for ids in itertools.product(range(5), repeat=room):
        ids = ids[: ids.index(END) + 1] if END in ids else ids
        expected[ids] = math.prod(chances([*prefix, *ids[:i]])[token] for i, token in enumerate(ids))
    assert sum(expected.values()) == pytest.approx(1)

    drafts = [Draft(student=2, ids=list(prefix), stream=(0, "r", i)) for i in range(n)]
    model = make_model(lm, end=END)
    model.codec.grammar = Counting  # type: ignore[method-assign, assignment]
    generate(model, drafts, SampleConfig(batch=16, rounds=1, top_p=0.9))
    assert 0 < told["right"] < told["guessed"]
    counts = Counter(tuple(draft.ids[len(prefix) :]) for draft in drafts)
    assert set(counts) <= {ids for ids, p in expected.items() if p}
    likely = [ids for ids, p in expected.items() if n * p >= 5]
    rest = 1 - sum(expected[ids] for ids in likely)
    pairs = [(counts[ids], n * expected[ids]) for ids in likely]
    pairs += [(n - sum(counts[ids] for ids in likely), n * rest)] if rest > 1e-9 else []
    statistic = sum((count - mean) ** 2 / mean for count, mean in pairs)
    assert len(pairs) > 20
    assert chi2.sf(statistic, len(pairs) - 1) > 0.001


def test_a_model_that_repeats_itself_needs_few_steps(told: Counter[str]) -> None:
    """Without attention, and nearly without chance, what follows depends on the last token alone."""
    lm = make_lm("llama", context=400)
    with torch.no_grad():
        for layer in lm.lm.model.layers:
            layer.self_attn.o_proj.weight.zero_()
    model = make_model(lm, end=-1)
    (ids,) = samples_of(model, 1, batch=1, rounds=1, temperature=0.001)
    assert len(ids) == 399
    assert told["steps"] < 398 / 4


@contextmanager
def three_threads() -> Iterator[None]:
    torch.set_num_threads(3)
    try:
        yield
        assert torch.get_num_threads() == 3, "what it found was not put back"
    finally:
        torch.set_num_threads(1)


@pytest.mark.parametrize("shape", ["llama", "gpt2"])
def test_threads_that_take_rows_each_change_no_sample(shape: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = make_model(make_lm(shape))
    plain = samples_of(model, batch=5, rounds=2)
    drew: Counter[int] = Counter()
    advance = generating._advance

    def watch(rows: list[Any], decoder: Decoder, desk: Any) -> None:
        drew[id(decoder)] = max(drew[id(decoder)], len(rows))
        assert torch.get_num_threads() == 1
        advance(rows, decoder, desk)

    monkeypatch.setattr(generating, "_advance", watch)
    with three_threads():
        assert samples_of(model, batch=5, rounds=2) == plain
        assert [rows for _, rows in generating._decoders(model, 5)] == [2, 2, 1]
    assert max(drew.values()) <= 2  # who is quick may leave nothing to another


def test_a_failure_in_a_thread_ends_all_and_is_told() -> None:
    model = make_model(make_lm("llama"), end=-1)
    drafts = drafts_of(30)
    drafts[7].ids *= 40
    with three_threads(), pytest.raises(InputError, match="leaves no room"):
        generate(model, drafts, SampleConfig(batch=3, rounds=1))
    assert sum(draft.rounds for draft in drafts) < 29, "the others went on to the end"


def test_whoever_has_seen_enough_may_leave() -> None:
    drafts = drafts_of(30)
    some = drawn(make_model(make_lm("llama"), end=-1), drafts, SampleConfig(batch=3, rounds=1))
    with three_threads():
        assert isinstance(some, Generator)
        assert len(next(some).ids) == 47
        some.close()
    begun = sum(draft.rounds for draft in drafts)
    assert begun < 30
    time.sleep(0.1)
    assert sum(draft.rounds for draft in drafts) == begun, "a thread is still at work"


# The batch


def test_drafts_are_begun_as_soon_as_there_is_room(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, finished, in_step = 0, 0, []
    drafts = drafts_of(20)
    advance = generating._advance

    def watch(rows: list[Any], decoder: Decoder, desk: Any) -> None:
        in_step.append((len(rows), asked))
        advance(rows, decoder, desk)

    def ask() -> Iterator[Draft]:
        nonlocal asked
        for draft in drafts:
            asked += 1
            yield draft

    model = make_model(make_lm("llama"))
    monkeypatch.setattr(generating, "_advance", watch)
    for draft in drawn(model, ask(), SampleConfig(batch=3, rounds=1)):
        finished += 1
        assert asked <= finished + 3
        assert draft.rounds == 1
        assert draft.ids[-1] == model.codec.end_id or len(draft.ids) == 47
    assert finished == 20
    assert all(rows == 3 for rows, asked in in_step if asked < 20)


def test_long_prefixes_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    model = make_model(make_lm("llama"))
    expected = samples_of(model, batch=12)
    monkeypatch.setattr(generating, "STEP_TOKENS", 30)
    sizes = []
    plain = LeanLlama.logits

    def watch(self: LeanLlama, step: Step) -> torch.Tensor:
        sizes.append(len(step.ids))
        return plain(self, step)

    monkeypatch.setattr(LeanLlama, "logits", watch)
    monkeypatch.setattr(generating, "GUESSES", 0)
    assert samples_of(model, batch=12) == expected
    assert max(sizes) < 30 + 24 + 12


def test_rounds_go_on_from_the_overlap() -> None:
    model = make_model(make_lm("gpt2"), end=-1)
    for rounds in (1, 2, 3):
        for ids in samples_of(model, 3, rounds=rounds):
            assert len(ids) == 47 + (rounds - 1) * (47 - OVERLAP)


def test_no_drafts_are_no_error() -> None:
    generate(make_model(make_lm("llama")), [], SampleConfig())


def test_a_prefix_without_room_is_an_error() -> None:
    draft = Draft(student=0, ids=[7] * 47, stream=(0, "r", 0))
    with pytest.raises(InputError, match="leaves no room"):
        generate(make_model(make_lm("llama")), [draft], SampleConfig())
    draft.ids.pop()
    generate(make_model(make_lm("llama")), [draft], SampleConfig(rounds=1))
    assert len(draft.ids) == 47
