"""Sampling with a neural cache: from the mixture exactly, whoever shares the batch."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import chi2
from torch.nn.functional import normalize
from transformers import AutoConfig, AutoModelForCausalLM

from factories import make_dataset, make_trace
from redraft.data.split import SplitConfig, make_split
from redraft.lm.cache import make_step
from redraft.lm.checkpoint import Model
from redraft.lm.codec import CodecConfig
from redraft.lm.continuation import Continuation, edit_bits, go_on, prefix_of
from redraft.lm.decode import Library, Whole
from redraft.lm.fastest import ways
from redraft.lm.generate import Draft, generate
from redraft.lm.model import StudentIndex, StudentLM, StudentVectors
from redraft.lm.neural_cache.mixture import Mixing, Past, mixed
from redraft.lm.neural_cache.store import make_cache, open_cache, student_file
from redraft.lm.sample import Request, SampleConfig, sample
from redraft.lm.train import train
from toy import TOY, prepare_torch

PLACEHOLDER = 0
SHAPES: dict[str, dict[str, Any]] = {
    "gpt2": {"n_embd": 16, "n_layer": 2, "n_head": 4, "n_positions": 48},
    "llama": {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4},
    "olmo2": {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4},
}
MIXING = Mixing(sharpness=8.0, ceiling=0.6, slope=4.0, offset=0.0)


def make_model(shape: str, vocabulary: int) -> Model:
    """A random model in float64 whose traces never end."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    config = AutoConfig.for_model(
        shape, vocab_size=vocabulary, bos_token_id=None, eos_token_id=None, pad_token_id=None,
        **({} if shape == "gpt2" else {"max_position_embeddings": 48}), **SHAPES[shape],
    )  # fmt: skip
    lm = AutoModelForCausalLM.from_config(config).eval().double()
    students = StudentVectors(3, width=16).double()
    with torch.no_grad():
        for parameter in (*lm.parameters(), *students.parameters()):
            parameter.copy_(torch.randn_like(parameter) * 0.25 + (parameter.ndim == 1))
    codec: Any = SimpleNamespace(
        student_id=PLACEHOLDER, end_id=-1, run_id=None, restart=lambda ids, length: ids[-7:],
        shows_ids=frozenset(), shown=lambda ids, place=None: [], grammar=lambda ids: None,
    )  # fmt: skip
    known = StudentIndex(["a", "b", "c"])
    return Model(lm=StudentLM(lm, students, PLACEHOLDER, context=12), codec=codec, students=known, card={})


def past_of(vocabulary: int, seed: int = 0, keys: int = 9) -> Past:
    rng = np.random.default_rng(seed)
    drawn = torch.from_numpy(rng.normal(size=(keys, 16)))
    return Past(normalize(drawn, dim=-1), torch.from_numpy(rng.integers(1, vocabulary, keys)), MIXING)


@pytest.mark.parametrize("shape", SHAPES)
@torch.inference_mode()
def test_every_way_of_decoding_gives_the_last_hidden_states(shape: str) -> None:
    lm = make_model(shape, 20).lm
    ids = torch.randint(1, 20, (2, 9), generator=torch.manual_seed(1))
    ids[:, 0] = PLACEHOLDER
    logits_BLV, hidden_BLD = lm.read(ids, torch.tensor([1, 2]))
    assert hidden_BLD.shape == (2, 9, 16)
    torch.testing.assert_close(lm.lm.get_output_embeddings()(hidden_BLD), logits_BLV)
    step = make_step([0, 1], [0, 0], ids.tolist(), [2, 3], [1, 2], lm.device)
    expected = torch.cat([hidden_BLD[0, -2:], hidden_BLD[1, -3:]])
    for way in (*[each for each in ways() if each.fits(lm)], Whole, Library):
        decoder = way(lm, 2)
        logits_MV, hidden_MD = decoder.read(step)
        torch.testing.assert_close(hidden_MD, expected, rtol=1e-5, atol=1e-6)
        assert (way(lm, 2).logits(step) == logits_MV).all()


def test_samples_have_the_mixtures_distribution() -> None:
    """All continuations of a model with five tokens, and how often each is drawn from the mixture's nucleus."""
    model, past, top_p = make_model("llama", 5), past_of(5), 0.9
    prefix, room, n = [2, 3, 4, 2, 3, 4, 2, 3], 3, 5_000

    @torch.inference_mode()
    def chances(ids: list[int], *, known: bool) -> np.ndarray:
        logits_LV, hidden_LD = (each[0, -1:] for each in model.lm.read(torch.tensor([[0, *ids]]), torch.tensor([2])))
        logits_V = mixed(logits_LV, hidden_LD, past)[0] if known else logits_LV[0]
        p = torch.softmax(logits_V, -1).numpy()
        order = np.argsort(-p)
        inside = order[: 1 + int((np.cumsum(p[order]) < top_p).sum())]
        shares: np.ndarray = np.where(np.isin(np.arange(5), inside), p, 0) / p[inside].sum()
        return shares

    def fits(*, known: bool) -> float:
        expected = {
            ids: math.prod(chances([*prefix, *ids[:i]], known=known)[token] for i, token in enumerate(ids))
            for ids in itertools.product(range(5), repeat=room)
        }
        assert sum(expected.values()) == pytest.approx(1)
        likely = [ids for ids, p in expected.items() if n * p >= 5]
        pairs = [(counts[ids], n * expected[ids]) for ids in likely]
        statistic = sum((count - mean) ** 2 / mean for count, mean in pairs)
        return float(chi2.sf(statistic, len(pairs) - 1))

    drafts = [Draft(student=2, ids=list(prefix), stream=(0, "r", i), past=past) for i in range(n)]
    generate(model, drafts, SampleConfig(batch=16, rounds=1, top_p=top_p))
    counts = Counter(tuple(draft.ids[len(prefix) :]) for draft in drafts)
    assert fits(known=True) > 0.001
    assert fits(known=False) < 1e-9


@pytest.mark.parametrize("shape", SHAPES)
def test_batch_mates_change_no_sample_and_who_has_no_past_is_drawn_as_ever(shape: str) -> None:
    model = make_model(shape, 20)

    def drawn(batch: int, order: int, *, known: bool) -> list[list[int]]:
        drafts = [
            Draft(student=i % 4, ids=[2, 3, 4][: 1 + i % 3], stream=(0, "r", i),
                  past=past_of(20, i, 5 + i) if known and i % 2 else None)
            for i in range(14)
        ]  # fmt: skip
        generate(model, drafts[::order], SampleConfig(batch=batch, rounds=2, temperature=0.7))
        return [draft.ids for draft in drafts]

    alone = drawn(1, 1, known=True)
    assert drawn(5, -1, known=True) == alone == drawn(64, 1, known=True)
    plain = drawn(5, 1, known=False)
    assert alone[::2] == plain[::2]
    assert all(ours != theirs for ours, theirs in zip(alone[1::2], plain[1::2], strict=True))


def test_samples_suggestions_and_their_bits_know_what_came_before(tmp_path: Path) -> None:
    prepare_torch()
    traces = [
        make_trace(["pen red", f"pen red\nfd {s}"], student=f"s{s}", title=title) for s in range(6) for title in "ab"
    ]
    traces = [replace(t, states=tuple(replace(state, at=None) for state in t.states)) for t in traces]
    dataset = make_dataset(tmp_path / "data", traces, origin="simulated")
    split = make_split(dataset, SplitConfig(held_students=0, held_titles=0, train_share=1.0, validation_share=0.1))
    options = CodecConfig(title_tokens=8, overlap=16, relative_time=True)
    model = train(
        dataset, split=split, view="trace", out=tmp_path / "model", config=replace(TOY, codec="diff", codec_options=options)
    )  # fmt: skip
    make_cache(model, dataset, out=tmp_path / "cache", split=split)
    student_file(tmp_path / "cache", "s1").unlink()
    cache = open_cache(tmp_path / "cache", model)
    requests = [Request("s0", "a", "r0"), Request("s1", "a", "r1")]
    config = SampleConfig(per_pair=20, rounds=1)
    plain = sample(model, requests, out=tmp_path / "plain", config=config)
    known = sample(model, requests, out=tmp_path / "known", config=config, cache=cache)
    assert known.manifest.provenance["neural_cache"] == cache.fingerprint
    assert "neural_cache" not in plain.manifest.provenance
    of = {name: {t.pair.student: [] for t in each.traces()} for name, each in (("p", plain), ("k", known))}  # type: ignore[var-annotated]
    for name, each in (("p", plain), ("k", known)):
        for trace in each.traces():
            of[name][trace.student].append(trace.states)
    assert of["p"]["s0"] != of["k"]["s0"]
    assert of["p"]["s1"] == of["k"]["s1"]  # forgotten

    states = traces[0].states[:1]
    prefix = prefix_of(model, "a", states, None)
    past = cache.past("s0", "a", None)
    assert past
    wanted = [Continuation(prefix, "s0", "case", n, known) for n in range(30) for known in (None, past)]
    ways_of = [one.states for one in go_on(model, wanted, SampleConfig())]
    assert ways_of[::2] != ways_of[1::2]
    ((without,), (with_past,)) = edit_bits(
        model, [Continuation(prefix, "s0", "case", 0, known) for known in (None, past)], [traces[0].states[1:]] * 2
    )
    assert without != with_past
