"""Models made to harm who opens them: no code of theirs runs, nobody is asked, and nothing large is made."""

from __future__ import annotations

import builtins
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from memory import peak_memory
from redraft.errors import InputError, RedraftError
from redraft.lm.base import base_tokenizer, load_base
from redraft.lm.checkpoint import load_lm, load_model
from redraft.lm.foreign import KNOWN, check_architecture
from redraft.lm.model import StudentLM, StudentVectors
from redraft.lm.tokenizer import SPECIAL_TOKENS, load_tokenizer, train_tokenizer
from redraft.lm.train import train
from toy import TOY, prepare_torch, toy_dataset

SHAPE: dict[str, Any] = {
    "vocab_size": 300, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2,
    "num_key_value_heads": 2, "max_position_embeddings": 256, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
}  # fmt: skip
OLD_SHAPE = {"vocab_size": 300, "n_embd": 32, "n_layer": 2, "n_head": 2, "n_positions": 256, "rotary_dim": 8}
PARTICULAR: dict[str, dict[str, Any]] = {
    "gpt2": OLD_SHAPE, "gptj": OLD_SHAPE, "gpt_bigcode": OLD_SHAPE,
    "opt": {**SHAPE, "ffn_dim": 64, "word_embed_proj_dim": 32},
    **{name: {**SHAPE, "head_dim": 16} for name in ("gemma", "gemma2", "gemma3_text", "glm", "glm4", "helium", "ministral")},
}  # fmt: skip
PROGRAM = "from pathlib import Path\nPath({!r}).write_text('run')\n"


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A good model with its tokenizer."""
    prepare_torch()
    torch.manual_seed(0)
    LlamaForCausalLM(LlamaConfig(**SHAPE)).save_pretrained(tmp_path / "base")
    train_tokenizer(["fd 1"] * 9, 300).save(tmp_path / "base")
    return tmp_path / "base"


@pytest.fixture
def nobody_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is asked, says yes, and the test fails."""

    def answer(*words: object) -> str:
        raise AssertionError("somebody is asked")

    monkeypatch.setattr(builtins, "input", answer)


def change(file: Path, **values: Any) -> None:
    file.write_text(json.dumps({**(json.loads(file.read_text()) if file.exists() else {}), **values}))


@pytest.mark.parametrize("kind", sorted(KNOWN))
def test_every_known_type_takes_students_and_goes_on_from_its_cache(kind: str) -> None:
    torch.manual_seed(0)
    config = AutoConfig.for_model(kind, **PARTICULAR.get(kind, SHAPE))
    lm = AutoModelForCausalLM.from_config(config).eval()
    model = StudentLM(lm, StudentVectors(3, width=32), 9).eval()
    ids, students = torch.tensor([[9, 10, 11, 12], [9, 13, 14, 15]]), torch.tensor([1, 2])
    with torch.no_grad():
        whole = model(ids, students, output_hidden_states=True, use_cache=False)
        assert len(whole.hidden_states) == config.num_hidden_layers + 1
        begun = model(ids[:, :2], students, use_cache=True)
        rest = lm(input_ids=ids[:, 2:], past_key_values=begun.past_key_values, use_cache=True)
        assert torch.allclose(torch.cat([begun.logits, rest.logits], 1), whole.logits, atol=1e-4)
        assert not torch.equal(whole.logits, model(ids, students.flip(0), use_cache=False).logits)


# Code


@pytest.mark.usefixtures("nobody_asked")
@pytest.mark.parametrize("file", ["config.json", "tokenizer_config.json", "generation_config.json"])
@pytest.mark.parametrize("known", [True, False])
def test_code_in_a_folder_is_never_run_and_nobody_is_asked(base: Path, tmp_path: Path, file: str, known: bool) -> None:
    program = PROGRAM.format(str(tmp_path / "marker"))
    for name in ("modeling_evil", "configuration_evil", "tokenization_evil", "custom_generate/generate"):
        (base / name).parent.mkdir(exist_ok=True)
        (base / f"{name}.py").write_text(program)
    change(base / file, auto_map={
        "AutoConfig": "configuration_evil.C", "AutoModelForCausalLM": "modeling_evil.M",
        "AutoTokenizer": ["tokenization_evil.T", "tokenization_evil.T"],
    })  # fmt: skip
    if not known:
        change(base / "config.json", model_type="evil")
        (base / "tokenizer.json").unlink()
    tries: tuple[Callable[[], Any], ...] = (
        lambda: load_lm(base), lambda: load_base(str(base), 300), lambda: base_tokenizer(str(base)),
    )  # fmt: skip
    for attempt in tries:
        with pytest.raises(InputError, match="has 'auto_map', which names code"):
            attempt()
    if file == "config.json":
        with pytest.raises(InputError, match="has 'auto_map', which names code"):
            check_architecture(base)
    assert not (tmp_path / "marker").exists()


@pytest.mark.usefixtures("nobody_asked")
def test_a_generate_of_the_folder_is_not_run(base: Path, tmp_path: Path) -> None:
    (base / "custom_generate").mkdir()
    (base / "custom_generate/generate.py").write_text(PROGRAM.format(str(tmp_path / "marker")))
    lm, _ = load_lm(base)
    lm.generate(torch.tensor([[5, 6]]), max_new_tokens=1)
    assert not (tmp_path / "marker").exists()


@pytest.mark.parametrize("name", ["config.json", "generation_config.json"])
@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ({"quantization_config": {"quant_method": "bitsandbytes"}}, "quantization_config"),
        ({"text_config": {"auto_map": {"AutoConfig": "x.C"}}}, "auto_map"),
        ({"attn_implementation": "org/kernel"}, "loads no kernels"),
        ({"_attn_implementation": {"": "org/kernel:flash"}}, "loads no kernels"),
    ],
)
def test_settings_that_lead_to_code_are_refused(base: Path, name: str, setting: dict[str, Any], said: str) -> None:
    change(base / name, **setting)
    with pytest.raises(InputError, match=said):
        load_lm(base)


def test_weights_that_are_programs_are_refused(base: Path, tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.write_text, (tmp_path / "marker", "run"))

    (base / "model.safetensors").unlink()
    torch.save(Evil(), base / "pytorch_model.bin")
    with pytest.raises(InputError, match=r"weights are pickled \(pytorch_model.bin\): opening them runs a program"):
        load_base(str(base), 300)
    (base / "pytorch_model.bin").rename(base / "model.safetensors")
    with pytest.raises(InputError, match="is not safetensors"):
        load_base(str(base), 300)
    assert not (tmp_path / "marker").exists()


def test_an_index_of_weights_leads_nowhere_else(base: Path, tmp_path: Path) -> None:
    weights = sorted(load_file(base / "model.safetensors"))
    (base / "model.safetensors").rename(base / "part.safetensors")
    change(base / "model.safetensors.index.json", metadata={}, weight_map=dict.fromkeys(weights, "part.safetensors"))
    assert load_lm(base)[1] == []
    (base / "part.safetensors").rename(tmp_path / "part.safetensors")
    change(base / "model.safetensors.index.json", weight_map=dict.fromkeys(weights, "../part.safetensors"))
    with pytest.raises(InputError, match="is no list of files beside it"):
        load_lm(base)


def test_an_adapter_is_refused(base: Path) -> None:
    change(base / "adapter_config.json", base_model_name_or_path="../elsewhere")
    with pytest.raises(InputError, match="names another model"):
        load_lm(base)


# Sizes and types


def test_other_types_are_refused_with_the_list(base: Path) -> None:
    for kind in ("rwkv", "t5", "bert", "../llama", None, ["llama"]):
        change(base / "config.json", model_type=kind)
        with pytest.raises(InputError, match=r"which redraft does not know\. Known are: cohere, .*starcoder2"):
            load_base(str(base), 300)


@pytest.mark.parametrize(
    "claim",
    [
        {"num_hidden_layers": 100_000}, {"hidden_size": 2**20}, {"vocab_size": 2**40}, {"intermediate_size": 10**9},
        {"num_labels": 10**9}, {"sliding_window": "x"}, {"num_attention_heads": 0}, {"num_hidden_layers": "many"}, {"head_dim": 10**7},
    ],
)  # fmt: skip
def test_claims_that_the_weights_dont_account_for_are_refused_at_once(base: Path, claim: dict[str, Any]) -> None:
    change(base / "config.json", **claim)
    start = time.perf_counter()
    with pytest.raises(InputError):
        load_base(str(base), 300)
    assert time.perf_counter() - start < 5


def test_a_shape_too_large_for_this_machine_is_refused(base: Path) -> None:
    for claim, said in (
        ({"num_hidden_layers": 10**5}, "claims 100000 layers"),
        ({"num_hidden_layers": -1}, "claims -1 layers"),
        ({"hidden_size": 2**30}, "this machine has"),
    ):
        change(base / "config.json", **claim)
        with pytest.raises(InputError, match=said):
            check_architecture(base / "config.json")
        change(base / "config.json", num_hidden_layers=2)


def test_a_hundred_thousand_layers_take_little_memory(base: Path, tmp_path: Path) -> None:
    change(base / "config.json", num_hidden_layers=100_000)
    dataset, _ = toy_dataset(tmp_path / "data")
    command = ["train", "--dataset", dataset.path, "--view", "trace", "--out", tmp_path / "m", "--base", base]
    peak, said = peak_memory(command)
    assert "claims 100000 layers" in said
    assert peak < 1000
    assert not (tmp_path / "m").exists()


def test_files_longer_than_usual_are_refused_unread(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("redraft.lm.foreign.LONGEST_TOKENIZER", 1000)
    with pytest.raises(InputError, match=r"tokenizer.json: has .* bytes; at most 1,000 are read"):
        load_tokenizer(base)
    (base / "config.json").write_text("[" * 900_000)
    with pytest.raises(InputError, match=r"config.json: is not JSON"):
        load_lm(base)
    (base / "config.json").write_text(json.dumps({"model_type": "llama", "x": "y" * 10**6}))
    with pytest.raises(InputError, match=r"config.json: has .* bytes"):
        load_lm(base)


def test_ids_far_beyond_the_vocabulary_are_refused(base: Path) -> None:
    saved = json.loads((base / "tokenizer.json").read_text())
    entry = next(iter(saved["model"]["vocab"]))
    saved["model"]["vocab"][entry] = 2**31
    (base / "tokenizer.json").write_text(json.dumps(saved))
    with pytest.raises(InputError, match="ids up to 2,147,483,648"):
        load_tokenizer(base)


@pytest.mark.parametrize(
    "changed",
    [
        {"pre_tokenizer": {"type": "FixedLength", "length": 0}},
        {"normalizer": {"type": "Precompiled", "precompiled_charsmap": "AAAA"}},
        {"model": {"type": "WordPiece", "unk_token": "zz", "continuing_subword_prefix": "##",
                   "max_input_chars_per_word": 100, "vocab": {"a": 0}}},
    ],
    ids=["panics_at_work", "panics_at_once", "fails_at_work"],
)  # fmt: skip
def test_a_tokenizer_that_makes_the_library_panic_is_refused(base: Path, changed: dict[str, Any]) -> None:
    saved = json.loads((base / "tokenizer.json").read_text())
    (base / "tokenizer.json").write_text(json.dumps({**saved, **changed}))
    with pytest.raises(InputError, match=r"base: no fast tokenizer can be loaded from here"):
        load_tokenizer(base)


def test_a_students_list_longer_than_the_vectors_is_not_read(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    prepare_torch()
    dataset, split = toy_dataset(tmp_path / "data")
    train(dataset, split=split, view="trace", out=tmp_path / "m", config=TOY)
    assert load_model(tmp_path / "m").students.students
    pq.write_table(pa.table({"student": pa.array(["x"] * 10**6)}), tmp_path / "m/students.parquet")
    with pytest.raises(RedraftError):
        load_model(tmp_path / "m")


def test_a_folder_of_the_librarys_own_making_loads(base: Path) -> None:
    lm, lacking = load_lm(base)
    assert lacking == []
    assert isinstance(lm, LlamaForCausalLM)
    assert set(SPECIAL_TOKENS) <= set(load_tokenizer(base).backend.get_vocab())
    assert isinstance(PreTrainedTokenizerFast.from_pretrained(base), PreTrainedTokenizerFast)
