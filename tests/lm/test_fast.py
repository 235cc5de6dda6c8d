"""Fast decoding: every preset is taken, what can't be taken isn't, and all works without the folder."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

import plainly
import redraft
from redraft.lm.cache import make_step
from redraft.lm.checkpoint import Model, save_model
from redraft.lm.codec import Codec, CodecConfig, FullCodec
from redraft.lm.decode import Decoder, Library
from redraft.lm.fast import DECODERS
from redraft.lm.fast.attention import LoopedLibrary
from redraft.lm.fast.lean import LeanGPT2, LeanLlama
from redraft.lm.fastest import decoder_for
from redraft.lm.model import StudentIndex, StudentLM, StudentVectors
from redraft.lm.prepare import from_scratch
from redraft.lm.settings import PRESETS, Preset
from redraft.lm.tokenizer import train_tokenizer

VOCABULARY, CONTEXT, PLACEHOLDER = 90, 64, 0
IDS = cast(Codec, SimpleNamespace(student_id=PLACEHOLDER, end_id=1, pad_id=2, vocab_size=VOCABULARY))
BASES: dict[str, dict[str, int]] = {
    "paper-gpt2": {"n_embd": 48, "n_layer": 2, "n_head": 12, "n_positions": CONTEXT},
    "paper-olmo2": {
        "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 16,
        "max_position_embeddings": CONTEXT,
    },
    "smollm2": {
        "hidden_size": 36, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 9,
        "num_key_value_heads": 3, "max_position_embeddings": CONTEXT,
    },
}  # fmt: skip
"""Presets with pretrained weights: the published model's architecture and activation, small."""


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)


def student_lm(lm: Any) -> StudentLM:
    """With weights that make a difference, and students."""
    students = StudentVectors(3, width=lm.get_input_embeddings().embedding_dim, dim=8)
    with torch.no_grad():
        for parameter in (*lm.parameters(), *students.parameters()):
            parameter.copy_(torch.randn_like(parameter) * 0.2 + (parameter.ndim == 1))
    return StudentLM(lm.eval(), students, PLACEHOLDER)


def of_config(family: str, **sizes: Any) -> StudentLM:
    """A small causal LM of any family."""
    ids = {"bos_token_id": None, "eos_token_id": 1, "pad_token_id": 2}
    config = AutoConfig.for_model(family, vocab_size=VOCABULARY, **ids, **sizes)
    return student_lm(AutoModelForCausalLM.from_config(config))


def of_preset(name: str, preset: Preset) -> StudentLM:
    """The preset as training makes it, but for the number of blocks; pretrained ones small."""
    if preset.base:
        return of_config(preset.family, **BASES[name])
    return student_lm(from_scratch(replace(preset, layers=2, context=CONTEXT), IDS))


@torch.inference_mode()
def assert_logits_are_the_librarys(lm: StudentLM, decoder: Decoder) -> None:
    """Two students' texts, in three steps, against the model's own forward over both."""
    ids_2L = torch.randint(3, VOCABULARY, (2, 40))
    ids_2L[:, 0] = PLACEHOLDER
    found = []
    for start, end in ((0, 25), (25, 26), (26, 40)):
        new = ids_2L[:, start:end].tolist()
        step = make_step([0, 1], [start, start], new, [end - start] * 2, [1, 2], lm.device)
        found.append(decoder.logits(step).view(2, end - start, VOCABULARY))
    expected_2LV = lm(ids_2L, torch.tensor([1, 2])).logits
    torch.testing.assert_close(torch.cat(found, dim=1), expected_2LV, atol=2e-4, rtol=2e-4)


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_every_preset_takes_the_fast_way(name: str) -> None:
    preset = PRESETS[name]
    lm = of_preset(name, preset)
    decoder = decoder_for(lm, 2)
    assert isinstance(decoder, DECODERS)
    if preset.family in ("gpt2", "llama"):
        assert isinstance(decoder, {"gpt2": LeanGPT2, "llama": LeanLlama}[preset.family])
    assert_logits_are_the_librarys(lm, decoder)


@pytest.mark.parametrize(
    ("family", "sizes"),
    [
        ("gpt2", {**BASES["paper-gpt2"], "activation_function": "gelu"}),
        ("gpt2", {**BASES["paper-gpt2"], "activation_function": "relu"}),
        ("llama", {**BASES["smollm2"], "hidden_act": "gelu"}),
        ("llama", {**BASES["smollm2"], "rope_parameters": {
            "rope_type": "longrope", "rope_theta": 1e4, "short_factor": [1.0, 1.0], "long_factor": [1.0, 9.0],
            "original_max_position_embeddings": 32}}),
    ],
)  # fmt: skip
def test_what_was_not_written_out_is_left_to_the_library(family: str, sizes: dict[str, Any]) -> None:
    lm = of_config(family, **sizes)
    assert isinstance(decoder_for(lm, 2), LoopedLibrary)


def test_gelus_approximation_is_one_function_by_either_name() -> None:
    """Weights are the same; the library computes one name by torch's kernel, the other step by step."""
    kernel = of_config("gpt2", **BASES["paper-gpt2"], activation_function="gelu_pytorch_tanh")
    written = of_config("gpt2", **BASES["paper-gpt2"], activation_function="gelu_new")
    written.load_state_dict(kernel.state_dict())
    for lm in (kernel, written):
        assert_logits_are_the_librarys(lm, LeanGPT2(kernel, 2))


# Without the folder


def saved(name: str, folder: Path) -> Path:
    """An untrained model of a preset, surer of what comes next than it would be, so that guesses are right at times."""
    codec = FullCodec(train_tokenizer(["pen red", "fd 100"], 300), CodecConfig(title_tokens=6, overlap=8))
    lm = from_scratch(replace(PRESETS[name], context=CONTEXT), codec)
    with torch.no_grad():
        for parameter in lm.parameters():
            parameter.mul_(3)
    students = StudentVectors(2, width=PRESETS[name].width, dim=8)
    card = {"view": "trace", "split": "default", "split_hash": "a", "dataset": "toy", "dataset_fingerprint": "b",
            "origin": "students", "language": "coffeescript"}  # fmt: skip
    student_lm = StudentLM(lm, students, codec.student_id).eval()
    save_model(folder, Model(lm=student_lm, codec=codec, students=StudentIndex(["a", "b"]), card=card))
    return folder


def test_without_the_folder_the_same_is_drawn_by_the_librarys_forward(tmp_path: Path) -> None:
    shutil.copytree(
        Path(redraft.__file__).parent,
        tmp_path / "redraft",
        ignore=shutil.ignore_patterns("fast", "runtime", "__pycache__"),
    )
    assert not (tmp_path / "redraft" / "lm" / "fast").exists()
    models = [saved(name, tmp_path / name) for name in ("cpu-200k", "llama-200k")]
    path = os.pathsep.join([str(tmp_path), str(Path(plainly.__file__).parent)])
    ran = subprocess.run(
        [sys.executable, plainly.__file__, *map(str, models)],
        env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert "drawing with the library's forward" in ran.stderr
    for model, plain in zip(models, json.loads(ran.stdout), strict=True):
        assert plain["package"] == str(tmp_path / "redraft")
        assert plain["way"] == Library.__name__
        assert plain["compilers"] == []
        fast = plainly.drawn(model)
        assert fast["way"].startswith("Lean")
        assert plain["ids"] == fast["ids"]
        assert len({token for ids in fast["ids"] for token in ids}) > 20
