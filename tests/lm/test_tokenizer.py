"""Tokenizers: lossless for any text, the same from the same texts, and foreign ones checked before use."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer as Backend
from tokenizers import decoders, models, normalizers, pre_tokenizers, trainers

from redraft.errors import InputError
from redraft.lm.tokenizer import END, PROBES, SPECIAL_TOKENS, Tokenizer, load_tokenizer, train_tokenizer

TEXTS = [f"pen red\nfor [1..{n}]\n  fd {n * 10}\n  rt 90\n# colour {n}\n" for n in range(60)]
TOKENIZER = train_tokenizer(TEXTS, 400)
text = st.text(st.characters(codec="utf-8"))


def foreign(**parts: Any) -> Backend:
    """A byte-level BPE as others make them, with GPT-2's one special token."""
    backend = Backend(models.BPE())
    backend.pre_tokenizer = parts.get("pre_tokenizer", pre_tokenizers.ByteLevel(add_prefix_space=False))
    backend.decoder = parts.get("decoder", decoders.ByteLevel())
    if "normalizer" in parts:
        backend.normalizer = parts["normalizer"]
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=[END], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    backend.train_from_iterator(TEXTS, trainer)
    return backend


def saved(backend: Backend, folder: Path) -> Path:
    folder.mkdir()
    backend.save(str(folder / "tokenizer.json"))
    return folder


@given(text, text)
def test_any_text_survives_alone_and_joined(one: str, other: str) -> None:
    ids = TOKENIZER.encode(one)
    assert TOKENIZER.decode(ids) == one
    assert TOKENIZER.decode(ids + TOKENIZER.encode(other)) == one + other
    assert TOKENIZER.encode_many([one, other]) == [ids, TOKENIZER.encode(other)]


@given(st.lists(st.sampled_from(SPECIAL_TOKENS) | text).map("".join))
def test_special_tokens_typed_by_students_are_plain_text(typed: str) -> None:
    ids = TOKENIZER.encode(typed)
    assert TOKENIZER.special_ids.isdisjoint(ids)
    assert TOKENIZER.decode(ids) == typed


def test_special_ids_are_distinct_and_inside_the_vocabulary() -> None:
    ids = [TOKENIZER.pad_id, TOKENIZER.end_id, TOKENIZER.mask_id, TOKENIZER.start_id, TOKENIZER.student_id]
    assert len(set(ids)) == len(SPECIAL_TOKENS)
    assert max(ids) < TOKENIZER.vocab_size <= 400
    assert TOKENIZER.added == 0


def test_training_learns_words_and_keeps_indentation_with_the_line_break() -> None:
    assert len(TOKENIZER.encode("\n  fd")) < len("\n  fd")
    assert len(TOKENIZER.encode("\n  ")) == 1


def test_training_is_the_same_in_another_process() -> None:
    program = (
        "import hashlib; from redraft.lm.tokenizer import train_tokenizer; "
        f"print(hashlib.sha256(train_tokenizer({TEXTS!r}, 400).backend.to_str().encode()).hexdigest())"
    )
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == hashlib.sha256(TOKENIZER.backend.to_str().encode()).hexdigest()


def test_small_data_give_a_smaller_vocabulary_and_no_data_bytes_alone() -> None:
    assert train_tokenizer([], 2048).vocab_size == 256 + len(SPECIAL_TOKENS)
    with pytest.raises(InputError, match="at least 261"):
        train_tokenizer([], 260)


def test_saved_and_loaded_it_is_the_same_and_transformers_reads_it(tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    TOKENIZER.save(tmp_path)
    loaded = load_tokenizer(tmp_path)
    assert loaded.added == 0
    assert loaded.encode_many(PROBES) == TOKENIZER.encode_many(PROBES)
    assert TOKENIZER.decode(TOKENIZER.encode("<mask>")) == "<mask>"
    theirs = AutoTokenizer.from_pretrained(tmp_path)
    assert theirs.encode("fd 100\n") == TOKENIZER.encode("fd 100\n")
    assert (theirs.pad_token_id, theirs.eos_token_id) == (TOKENIZER.pad_id, TOKENIZER.end_id)


def test_a_foreign_tokenizer_gets_the_missing_special_tokens(tmp_path: Path) -> None:
    backend = foreign()
    before = backend.get_vocab_size()
    tokenizer = load_tokenizer(saved(backend, tmp_path / "gpt"))
    assert tokenizer.added == len(SPECIAL_TOKENS) - 1
    assert tokenizer.vocab_size == before + tokenizer.added
    assert tokenizer.end_id == backend.token_to_id(END)


def test_a_normaliser_that_would_change_programs_is_left_out(tmp_path: Path) -> None:
    folder = saved(foreign(normalizer=normalizers.NFC()), tmp_path / "nfc")
    tokenizer = load_tokenizer(folder)
    assert tokenizer.decode(tokenizer.encode("e\u0301")) == "e\u0301"


@pytest.mark.parametrize(
    "parts",
    [
        {"pre_tokenizer": pre_tokenizers.ByteLevel(add_prefix_space=True)},
        {"pre_tokenizer": pre_tokenizers.Metaspace(), "decoder": decoders.Metaspace()},
        {"pre_tokenizer": pre_tokenizers.Whitespace(), "decoder": decoders.WordPiece()},
    ],
    ids=["prefix-space", "metaspace", "words"],
)
def test_a_lossy_tokenizer_is_refused(parts: dict[str, object], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="programs would be altered"):
        load_tokenizer(saved(foreign(**parts), tmp_path / "lossy"))


def test_a_tokenizer_that_spells_a_special_token_is_refused(tmp_path: Path) -> None:
    backend = foreign(pre_tokenizer=pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False))
    backend.train_from_iterator(
        ["<pad>"] * 9,
        trainers.BpeTrainer(vocab_size=300, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False),
    )
    assert backend.token_to_id("<pad>") is not None
    with pytest.raises(InputError, match="<pad>"):
        load_tokenizer(saved(backend, tmp_path / "spells"))


@pytest.mark.parametrize("content", [None, "", "{}", "\0\1"])
def test_no_tokenizer_is_an_error_and_nothing_is_downloaded(content: str | None, tmp_path: Path) -> None:
    folder = tmp_path / "none"
    folder.mkdir()
    if content is not None:
        (folder / "tokenizer.json").write_text(content)
    with pytest.raises(InputError, match=r"tokenizer\.json"):
        load_tokenizer(folder)


@pytest.mark.parametrize("code", [" " * 200_000 + "x", "a" * 200_000, "\n" * 200_000, "1" * 200_000])
def test_long_runs_stay_fast(code: str) -> None:
    assert TOKENIZER.decode(TOKENIZER.encode(code)) == code


def test_ids_beyond_the_vocabulary_decode_to_nothing() -> None:
    assert TOKENIZER.decode([*TOKENIZER.encode("fd"), TOKENIZER.vocab_size + 7]) == "fd"


def test_wrapping_twice_adds_nothing() -> None:
    assert Tokenizer(Backend.from_str(TOKENIZER.backend.to_str())).added == 0


def test_bytes_that_a_vocabulary_lacks_are_added_behind_its_ids(tmp_path: Path) -> None:
    """As SmolLM2's lacks some; without them text would vanish."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: i for i, token in enumerate([*letters[:200], "<|endoftext|>"])}
    backend = Backend(models.BPE(vocabulary, []))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    assert backend.decode(backend.encode("".join(PROBES)).ids) != "".join(PROBES)
    backend.save(str(tmp_path / "tokenizer.json"))
    tokenizer = load_tokenizer(tmp_path)
    assert tokenizer.decode(tokenizer.encode("".join(PROBES))) == "".join(PROBES)
    assert tokenizer.end_id == 200
    known = tokenizer.backend.get_vocab()
    assert all(known[token] == i for token, i in vocabulary.items())
    tokenizer.save(tmp_path / "again")
    assert load_tokenizer(tmp_path / "again").encode("\x00 fd") == tokenizer.encode("\x00 fd")
