"""Embeddings of prefixes: those of a plain forward pass of each, one by one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from factories import make_trace
from redraft.data.trace import Trace
from redraft.errors import UsageError
from redraft.lm import embed as embedding
from redraft.lm.checkpoint import Model
from redraft.lm.codec import CODECS, CodecConfig
from redraft.lm.embed import Reading, count_layers, count_steps, cut, embed, untrained
from redraft.lm.model import UNKNOWN, StudentIndex, StudentLM, StudentVectors

CONTEXT = 128
SIZES = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2}
FAMILIES = {
    "gpt2": {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": CONTEXT},
    "llama": {**SIZES, "max_position_embeddings": CONTEXT},
    "olmo2": {**SIZES, "max_position_embeddings": CONTEXT},
}
PENS = ("red", "blue", "green")
SHORT = make_trace(["pen red", "pen red\nfd 10", "pen blue\nfd 10\nrt 90"], student="a", title="square")
ONE = make_trace(["dot green"], student="b", title="star")
LONG = make_trace([f"pen {PENS[i % 3]}\nfd {i}\n" + "rt 90\n" * (i % 9) for i in range(25)], student="c", title="long")
HUGE = make_trace(["\n".join(f"fd {i}" for i in range(99)), "fd 1"], student="nobody", title="square")
TRACES = [SHORT, ONE, LONG, HUGE]
MESSAGES = {state.id: "" if n % 2 else "fd is not defined" for n, state in enumerate(LONG.states)}


def make_model(family: str = "gpt2", codec: str = "full", **options: bool) -> Model:
    torch.set_num_threads(1)
    torch.manual_seed(1)
    coder = CODECS[codec].trained_on(TRACES, 300, CodecConfig(title_tokens=6, overlap=8, **options))
    ids = {"bos_token_id": None, "eos_token_id": coder.end_id, "pad_token_id": coder.pad_id}
    config = AutoConfig.for_model(family, vocab_size=coder.vocab_size, **ids, **FAMILIES[family])
    lm = StudentLM(AutoModelForCausalLM.from_config(config), StudentVectors(3, width=16, dim=8), coder.student_id)
    return Model(lm=lm.eval(), codec=coder, students=StudentIndex(["a", "b", "c"]), card={})


def prefix(model: Model, trace: Trace, step: int, hide: bool, verdicts: Mapping[str, str] | None) -> list[int]:
    states = trace.states[:step]
    ids = model.codec.prefix(trace.title, states, mask_title=hide, verdicts=verdicts)
    return ids if step else ids + model.codec.header(1, trace.states[0].at)


def plainly(
    model: Model,
    trace: Trace,
    step: int,
    *,
    student: str | None,
    hide: bool = False,
    over: str = "trace",
    verdicts: Mapping[str, str] | None = None,
) -> np.ndarray:
    """(layers, D), by the codec's prefixes and a pass of its own; too long: the first states leave one by one."""
    while len(ids := prefix(model, trace, step, hide, verdicts)) > CONTEXT - 1 and step > 1:
        trace, step = replace(trace, states=trace.states[1:]), step - 1
    before = prefix(model, trace, step - 1, hide, verdicts) if step > 1 else ids[: ids.index(model.codec.start_id) + 1]
    row = model.students.row(student) if student else UNKNOWN
    ids_1L = torch.tensor([[model.codec.student_id, *ids[: CONTEXT - 1]]])
    with torch.inference_mode():
        states = model.lm(ids_1L, torch.tensor([row]), output_hidden_states=True).hidden_states
    start = 1 + ids.index(model.codec.start_id)
    start = {"trace": start, "all": 0, "state": 1 + len(before) if step else start}[over]
    return np.stack([layer[0, start:].mean(0).numpy() for layer in states])


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("codec", CODECS)
def test_vectors_are_those_of_plain_passes(family: str, codec: str) -> None:
    model = make_model(family, codec)
    readings = [Reading(trace=trace, voice=trace.student, hide_title=trace is ONE) for trace in TRACES]
    found = embed(model, readings, batch_tokens=300)
    assert found.shape == (count_steps(readings), 16)
    assert found.dtype == np.float32
    expected = [
        plainly(model, r.trace, step, student=r.voice, hide=r.hide_title)[-1] for r in readings for step in r.looks
    ]
    np.testing.assert_allclose(found, expected, atol=2e-5)
    too_long = cut(model, readings)
    assert too_long.sum() > 10
    assert not too_long[:6].any()


@pytest.mark.parametrize("over", ["all", "state"])
@pytest.mark.parametrize("codec", CODECS)
def test_other_positions_layers_steps_and_voices(codec: str, over: str) -> None:
    model = make_model("gpt2", codec)
    readings = [
        Reading(trace=LONG, voice=None, steps=(9, 0, 3, 25)), Reading(trace=SHORT, voice="c", steps=(2,)),
        Reading(trace=HUGE, voice="a", steps=(1, 1)), Reading(trace=SHORT, voice="a", hide_title=True),
    ]  # fmt: skip
    found = embed(model, readings, over=over, layers=range(count_layers(model)))  # type: ignore[arg-type]
    assert found.shape == (3, 11, 16)
    expected = [
        plainly(model, r.trace, step, student=r.voice, hide=r.hide_title, over=over)
        for r in readings for step in r.looks
    ]  # fmt: skip
    if over == "state":  # nothing of a state that fills the context but a part of it
        assert np.isfinite(found).all()
    np.testing.assert_allclose(found, np.stack(expected, 1), atol=2e-5)
    np.testing.assert_array_equal(embed(model, readings, over=over, layers=[-1])[0], embed(model, readings, over=over))  # type: ignore[arg-type]


@pytest.mark.parametrize("codec", CODECS)
def test_feedback_belongs_to_its_state(codec: str) -> None:
    model = make_model("gpt2", codec, feedback=True, relative_time=True)
    reading = Reading(trace=LONG, voice="c")
    found = embed(model, [reading], verdicts=MESSAGES)
    expected = [plainly(model, LONG, step, student="c", verdicts=MESSAGES)[-1] for step in reading.looks]
    np.testing.assert_allclose(found, expected, atol=2e-5)
    assert not np.allclose(found[1:], embed(model, [reading])[1:], atol=1e-3)


def test_only_what_was_so_far_counts() -> None:
    """What a student does later, how the trace ends, and where it is read don't change a prefix's vector."""
    model = make_model()
    other = replace(SHORT, states=(*SHORT.states[:2], replace(SHORT.states[2], code="dot 99")), ended=False)
    here, there = (embed(model, [Reading(trace=trace, voice="a")]) for trace in (SHORT, other))
    np.testing.assert_allclose(here[:3], there[:3], atol=1e-5)
    assert not np.allclose(here[3], there[3], atol=1e-3)


def test_students_and_titles_make_a_difference_and_nobody_is_unknown() -> None:
    model = make_model()
    own, another, unknown, stranger = (
        embed(model, [Reading(trace=SHORT, voice=student)]) for student in ("a", "b", None, "never met")
    )
    assert not np.allclose(own, another, atol=1e-3)
    np.testing.assert_array_equal(unknown, stranger)
    x, y = (
        embed(model, [Reading(trace=replace(SHORT, title=title), voice="a", hide_title=True)]) for title in ("x", "y")
    )
    np.testing.assert_array_equal(x, y)


def test_vectors_go_where_they_are_wanted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedding, "ENCODE_AT_ONCE", 2)
    model = make_model()
    readings = [Reading(trace=trace, voice="a") for trace in TRACES]
    file = np.lib.format.open_memmap(tmp_path / "e.npy", mode="w+", dtype=np.float32, shape=(count_steps(readings), 16))
    told: list[int] = []
    embed(model, readings, out=file, done=told.append)
    file.flush()
    assert told == [2, 2]
    monkeypatch.setattr(embedding, "ENCODE_AT_ONCE", 256)
    np.testing.assert_allclose(np.load(tmp_path / "e.npy"), embed(model, readings), atol=2e-5)
    with pytest.raises(UsageError, match="shape"):
        embed(model, readings, out=np.empty((3, 16), np.float32))
    with pytest.raises(UsageError, match="from 0 to 3"):
        embed(model, [Reading(trace=SHORT, voice="a", steps=(4,))])
    assert embed(model, []).shape == (0, 16)


def test_an_untrained_model_differs_in_weights_alone() -> None:
    model = make_model("llama")
    fresh, again, other = untrained(model, seed=3), untrained(model, seed=3), untrained(model, seed=4)
    assert fresh.fingerprint == again.fingerprint != other.fingerprint
    assert model.fingerprint not in (fresh.fingerprint, other.fingerprint)
    shapes = [{name: tensor.shape for name, tensor in m.lm.state_dict().items()} for m in (model, fresh)]
    assert shapes[0] == shapes[1]
    reading = Reading(trace=SHORT, voice="a")
    assert not np.allclose(embed(model, [reading]), embed(fresh, [reading]), atol=1e-3)
