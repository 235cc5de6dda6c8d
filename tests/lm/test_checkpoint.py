"""Model folders: everything comes back, and what is wrong with one is said."""

from __future__ import annotations

import random
import resource
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from redraft.errors import DatasetError, RedraftError
from redraft.lm.checkpoint import Evaluation, Model, load_model, save_model
from redraft.lm.codec import FullCodec
from redraft.lm.model import StudentIndex, StudentLM, StudentVectors
from redraft.lm.prepare import from_scratch
from redraft.lm.settings import PRESETS
from redraft.lm.tokenizer import train_tokenizer
from toy import prepare_torch
from unsealed import unseal

CARD = {
    "view": "trace", "split": "default", "split_hash": "abc", "dataset": "toy", "dataset_fingerprint": "def",
    "origin": "students", "language": "coffeescript",
}  # fmt: skip


@pytest.fixture
def model() -> Model:
    prepare_torch()
    torch.manual_seed(0)
    codec = FullCodec(train_tokenizer(["pen red", "fd 100"], 300))
    lm = StudentLM(from_scratch(PRESETS["toy"], codec), StudentVectors(2, width=16, dim=8), codec.student_id).eval()
    history = (Evaluation(step=5, tokens=100, train_loss=2.5, validation_loss=None),)
    return Model(lm=lm, codec=codec, students=StudentIndex(["anna", "ben"]), card=CARD, history=history)


def test_everything_comes_back(model: Model, tmp_path: Path) -> None:
    save_model(tmp_path / "m", model)
    loaded = load_model(tmp_path / "m")
    ids_BL, students_B = torch.tensor([[model.codec.student_id, 7, 8]]), torch.tensor([2])
    assert torch.equal(loaded.lm(ids_BL, students_B).logits, model.lm(ids_BL, students_B).logits)
    assert loaded.fingerprint == model.fingerprint
    assert loaded.students.students == ("anna", "ben")
    assert loaded.codec.prefix("square") == model.codec.prefix("square")
    assert loaded.card == CARD
    assert tuple(loaded.history) == model.history
    assert "real students" in (tmp_path / "m" / "README.md").read_text()


def test_transformers_opens_the_folder_as_it_is(model: Model, tmp_path: Path) -> None:
    save_model(tmp_path / "m", model)
    lm = AutoModelForCausalLM.from_pretrained(tmp_path / "m")
    ids_BL = torch.tensor([[6, 7, 8]])
    assert torch.equal(lm(ids_BL).logits, model.lm(ids_BL).logits)


def test_saving_again_replaces_the_whole_folder(model: Model, tmp_path: Path) -> None:
    save_model(tmp_path / "m", model)
    (tmp_path / "m" / "old").write_text("")
    save_model(tmp_path / "m", replace(model, card={**CARD, "view": "last"}))
    assert load_model(tmp_path / "m").card["view"] == "last"
    assert not (tmp_path / "m" / "old").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


def test_a_full_disk_is_said_and_leaves_the_old_model(model: Model, tmp_path: Path) -> None:
    save_model(tmp_path / "m", model)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
        with pytest.raises((DatasetError, OSError)):
            save_model(tmp_path / "m", replace(model, card={**CARD, "view": "last"}))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, ignored)
    assert load_model(tmp_path / "m").card == CARD
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


def test_another_split_is_refused(model: Model) -> None:
    model.check_split("abc")
    with pytest.raises(DatasetError, match="another split"):
        model.check_split("xyz")


def test_no_model_an_unfinished_one_and_something_else(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no such model"):
        load_model(tmp_path / "m")
    with pytest.raises(DatasetError, match="is not a model"):
        load_model(tmp_path)
    (tmp_path / "m.partial").mkdir()
    with pytest.raises(DatasetError, match="unfinished"):
        load_model(tmp_path / "m")


@pytest.mark.parametrize(
    "name",
    ["config.json", "model.safetensors", "students.safetensors", "students.parquet", "codec.json", "tokenizer.json"],
)
@pytest.mark.parametrize("damage", ["missing", "cut", "garbage"])
def test_a_damaged_folder_is_said_to_be(model: Model, tmp_path: Path, name: str, damage: str) -> None:
    save_model(tmp_path / "m", model)
    file = tmp_path / "m" / name
    if damage == "missing":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:-20] if damage == "cut" else b"\x00garbage\xff" * 9)
    with pytest.raises(RedraftError, match=str(tmp_path)):
        load_model(tmp_path / "m")


def test_a_newer_format_and_a_torn_card_are_refused(model: Model, tmp_path: Path) -> None:
    save_model(tmp_path / "m", model)
    file = tmp_path / "m" / "redraft.json"
    unseal(file, format_version=2)
    with pytest.raises(DatasetError, match="Upgrade redraft"):
        load_model(tmp_path / "m")
    file.write_text("{")
    with pytest.raises(DatasetError, match=r"redraft.json: is no JSON"):
        load_model(tmp_path / "m")


def test_students_and_vectors_must_agree(model: Model, tmp_path: Path) -> None:
    save_model(tmp_path / "m", replace(model, students=StudentIndex(["anna"])))
    with pytest.raises(DatasetError, match="2 students' vectors, 1 students"):
        load_model(tmp_path / "m")


def test_another_codec_than_the_trained_one_is_refused(model: Model, tmp_path: Path) -> None:
    save_model(tmp_path / "m", replace(model, card={**CARD, "config": {"codec": "full"}}))
    load_model(tmp_path / "m")
    file = tmp_path / "m" / "codec.json"
    unseal(tmp_path / "m" / "redraft.json")
    unseal(file, name="diff")
    with pytest.raises(DatasetError, match=r"trained with the codec 'full'.*holds the codec 'diff'"):
        load_model(tmp_path / "m")


def test_a_tokenizer_that_would_split_the_special_tokens_is_refused(model: Model, tmp_path: Path) -> None:
    """One whose file was changed since: their ids would be others."""
    save_model(tmp_path / "m", model)
    file = tmp_path / "m" / "tokenizer.json"
    unseal(tmp_path / "m" / "redraft.json")
    file.write_text(file.read_text().replace('"<start>"', '"<begin>"'))
    with pytest.raises(DatasetError, match="lacks 1 of the special tokens, so it would split them"):
        load_model(tmp_path / "m")


def test_more_ids_than_the_model_has_are_refused(model: Model, tmp_path: Path) -> None:
    save_model(tmp_path / "m", model)
    unseal(tmp_path / "m" / "redraft.json")
    train_tokenizer([f"word{i} other{i}" for i in range(500)], 400).save(tmp_path / "m")
    with pytest.raises(DatasetError, match=r"400 ids, but the model"):
        load_model(tmp_path / "m")


@pytest.mark.parametrize("name", ["model.safetensors", "students.safetensors", "students.parquet", "tokenizer.json"])
def test_a_file_of_another_model_is_refused(model: Model, tmp_path: Path, name: str) -> None:
    """Of the same shape, so that nothing else would tell."""
    save_model(tmp_path / "m", model)
    torch.manual_seed(1)
    lm = StudentLM(
        from_scratch(PRESETS["toy"], model.codec), StudentVectors(2, width=16, dim=8), model.codec.student_id
    )
    codec = FullCodec(train_tokenizer(["pen blue"] * 9, 300))
    save_model(tmp_path / "o", replace(model, lm=lm, codec=codec, students=StudentIndex(["carl", "dora"])))
    (tmp_path / "m" / name).write_bytes((tmp_path / "o" / name).read_bytes())
    with pytest.raises(DatasetError, match=rf"{name}: was changed"):
        load_model(tmp_path / "m")


def test_every_changed_bit_of_a_model_is_refused_or_changes_nothing(model: Model, tmp_path: Path) -> None:
    save_model(tmp_path / "m", model)
    draw = random.Random(0)
    for file in sorted(tmp_path.joinpath("m").iterdir()):
        contents = file.read_bytes()
        for _ in range(0 if file.name == "README.md" else 4):
            flipped = bytearray(contents)
            flipped[draw.randrange(len(contents))] ^= 1 << draw.randrange(8)
            file.write_bytes(flipped)
            try:
                loaded = load_model(tmp_path / "m")
            except DatasetError as error:
                refusal = str(error)
            else:
                assert (loaded.fingerprint, loaded.card) == (model.fingerprint, CARD), file.name
                continue
            assert file.name in refusal
        file.write_bytes(contents)
