"""Text to token ids and back, without loss.

In: texts to train a byte-level BPE on, or any Hugging Face tokenizer (a folder or a hub id). Out: a `Tokenizer` that
knows the project's special tokens, and that is saved as ordinary `transformers` files.

Student text is never mistaken for a special token: `<mask>` typed by a student becomes plain pieces, and only the
codec puts special ids. A foreign tokenizer is used only if it gives back, piece by piece, every text of a probe
set; that is a good test, not a proof.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import product
from pathlib import Path

from tokenizers import AddedToken, Regex, decoders, models, pre_tokenizers, trainers
from tokenizers import Tokenizer as Backend

from redraft.errors import InputError, RedraftError
from redraft.lm.foreign import check_files

PAD, END, MASK, START, STUDENT = "<pad>", "<|endoftext|>", "<mask>", "<start>", "<|student|>"
SPECIAL_TOKENS = (PAD, END, MASK, START, STUDENT)

PRETOKENS = r"\n[ \t]*| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
"""How text falls into words before merging: GPT-2's rule (words and numbers with the space before them), except
that a line break takes the next line's indentation with it."""

PROBES = (
    "pen red\n\tfd 100\n\n\n  rt  90   \n",
    " leading and trailing ",
    "\n",
    "\r\n\r\u0085\u2028\u2029\u000b\u000c",
    "nul \0 bell \x07 del \x7f",
    "It 's n't , . ! ? do not",
    "e\u0301 \u00e9 \u1e9b\u0323 \u212b \ufb01 \u00bd",
    "\u0645\u0631\u062d\u0628\u0627 \u4f60\u597d \U0001f422\u200d\U0001f3fd \u2581 \u0120 \u010a \ufeff \ufffd",
    "UPPER lower 1234567890 #ff0000 ->=>::==",
    *SPECIAL_TOKENS,
    "write '<mask><|endoftext|> <s></s> [MASK] [UNK] <unk>'",
    "".join(map(chr, range(256))),
)  # fmt: skip


_SPARE_IDS = 4096
"""Ids without an entry that a tokenizer may have; some leave a few for later."""


def _letters() -> dict[str, int]:
    """The letter by which byte-level vocabularies write each byte -> that byte."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in shown]
    return {chr(byte): byte for byte in shown} | {chr(256 + i): byte for i, byte in enumerate(hidden)}


_BYTES = _letters()


class Tokenizer:
    """A lossless tokenizer with the project's special tokens.

    Args:
        backend: The `tokenizers` object; it is changed (special tokens added, padding and truncation switched off).
        added: How many special tokens were missing before; a checkpoint's embeddings must grow to `vocab_size`.
    """

    def __init__(self, backend: Backend, added: int = 0) -> None:
        backend.no_padding()
        backend.no_truncation()
        added += backend.add_special_tokens(
            [AddedToken(token, special=True, normalized=False) for token in SPECIAL_TOKENS]
        )
        backend.encode_special_tokens = True  # special tokens typed by students are plain text
        self.backend, self.added = backend, added
        self.pad_id, self.end_id, self.mask_id, self.start_id, self.student_id = map(self._id, SPECIAL_TOKENS)
        self.special_ids = frozenset(map(self._id, SPECIAL_TOKENS))

    def _id(self, token: str) -> int:
        found = self.backend.token_to_id(token)
        assert found is not None
        return int(found)

    @property
    def vocab_size(self) -> int:
        """Rows an embedding needs: the largest id + 1."""
        return max(self.backend.get_vocab(with_added_tokens=True).values()) + 1

    def encode(self, text: str) -> list[int]:
        """Ids of `text` as plain text: none of them is one of the project's special ids."""
        ids: list[int] = self.backend.encode(text, add_special_tokens=False).ids
        return ids

    def encode_many(self, texts: Sequence[str]) -> list[list[int]]:
        """`encode` of each text, on all cores."""
        return [coded.ids for coded in self.backend.encode_batch_fast(texts, add_special_tokens=False)]

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids; bytes that aren't UTF-8 (a model may emit them) become U+FFFD, unknown ids nothing."""
        text: str = self.backend.decode(ids, skip_special_tokens=False)
        return text

    def spelled(self) -> list[bytes] | None:
        """The bytes that each id stands for, none for ids that text is never encoded to; None: it isn't byte-level."""
        saved = json.loads(self.backend.to_str())
        if (saved["decoder"] or {}).get("type") != "ByteLevel":
            return None
        special = self.special_ids | {token["id"] for token in saved["added_tokens"] if token["special"]}
        found = [b""] * self.vocab_size
        for token, number in self.backend.get_vocab(with_added_tokens=True).items():
            if number not in special:
                spelt = [_BYTES.get(letter) for letter in token]
                known = [byte for byte in spelt if byte is not None]
                found[number] = bytes(known) if len(known) == len(token) else token.encode()
        return found

    def save(self, folder: Path) -> None:
        """Write the files of a `transformers` fast tokenizer into `folder`."""
        from transformers import PreTrainedTokenizerFast

        wrapped = PreTrainedTokenizerFast(tokenizer_object=self.backend, pad_token=PAD, eos_token=END, mask_token=MASK)
        wrapped.save_pretrained(folder)


def train_tokenizer(texts: Iterable[str], vocab_size: int = 2048) -> Tokenizer:
    """Train a byte-level BPE; the same texts in the same order give the same tokenizer.

    Args:
        texts: What the codec will encode (`Codec.texts`), of the train split's trace view; read once, streamed.
        vocab_size: Entries wanted, special tokens and the 256 bytes included; fewer come out of small data.

    Raises:
        InputError: `vocab_size` has no room for the bytes and special tokens.
    """
    least = 256 + len(SPECIAL_TOKENS)
    if vocab_size < least:
        raise InputError(f"a vocabulary of {vocab_size} is too small.", remedy=f"Choose at least {least}.")
    backend = Backend(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PRETOKENS), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        min_frequency=2,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    backend.train_from_iterator(texts, trainer)
    return Tokenizer(backend)


def byte_tokenizer() -> Tokenizer:
    """One whose tokens are bytes: for a codec whose texts are to train another on."""
    return train_tokenizer((), 256 + len(SPECIAL_TOKENS))


def load_tokenizer(source: str | Path) -> Tokenizer:
    """Load a tokenizer: one of ours, or any lossless Hugging Face one, with missing special tokens added.

    Args:
        source: A folder; a `str` that is no folder is taken for a hub id, the only case in which anything may be
            downloaded.

    Raises:
        InputError: There is no fast tokenizer at `source`, or it loses text.
    """
    with _refusing(source):
        return _lossless(_backend(source), source)


@contextmanager
def _refusing(source: str | Path) -> Iterator[None]:
    """Say of whatever the library makes of a stranger's file that it is no tokenizer; a panic in it is no Exception."""
    try:
        yield
    except (RedraftError, MemoryError, KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:
        raise InputError(
            "no fast tokenizer can be loaded from here.", where=source,
            remedy="Name a folder with a tokenizer.json that the library reads, or let redraft train its own.",
        ) from error  # fmt: skip


def _lossless(backend: Backend, source: str | Path) -> Tokenizer:
    _check_ids(backend, source)
    text = backend.to_str()
    # byte-level tokenizers that normalise (NFC), or lack rare bytes (SmolLM2's), are lossless without and with them
    for all_bytes, drop_normalizer in product((False, True), repeat=2):
        backend = Backend.from_str(_with_all_bytes(text) if all_bytes else text)
        if drop_normalizer:
            backend.normalizer = None
        tokenizer = Tokenizer(backend)
        if not _losses(tokenizer):
            return tokenizer
    raise InputError(
        f"this tokenizer does not give back {_losses(tokenizer)[0]!a} unchanged, so programs would be altered.",
        where=source,
        remedy="Use a byte-level tokenizer (GPT-2's or OLMo's, for instance), or let redraft train its own.",
    )


def _check_ids(backend: Backend, source: str | Path) -> None:
    """Refuse ids far beyond the number of entries: a model has a row for each id up to the largest.

    Raises:
        InputError: The largest one is.
    """
    ids = backend.get_vocab(with_added_tokens=True).values()
    if ids and max(ids) > 2 * len(ids) + _SPARE_IDS:
        raise InputError(
            f"this tokenizer has {len(ids):,} entries, but ids up to {max(ids):,}.", where=source,
            remedy="Use another tokenizer, or let redraft train its own.",
        )  # fmt: skip


def _with_all_bytes(text: str) -> str:
    """A saved byte-level tokenizer, the bytes that its vocabulary lacks added behind all its ids."""
    saved = json.loads(text)
    if saved["model"]["type"] != "BPE":
        return text
    vocabulary = saved["model"]["vocab"]
    taken = max([*vocabulary.values(), *(token["id"] for token in saved["added_tokens"])])
    missing = sorted(set(pre_tokenizers.ByteLevel.alphabet()) - set(vocabulary))
    vocabulary.update({letter: taken + number for number, letter in enumerate(missing, start=1)})
    return json.dumps(saved)


def gguf_file(source: str | Path) -> str | None:
    """The name of the GGUF file that a model's folder without a config.json has in its place."""
    folder = Path(source)
    files = sorted(path.name for path in folder.glob("*.gguf")) if folder.is_dir() else []
    return files[0] if files and not (folder / "config.json").exists() else None


def _backend(source: str | Path) -> Backend:
    folder = Path(source)
    local = folder.is_dir() or isinstance(source, Path)
    check_files(folder)
    try:
        if (folder / "tokenizer.json").is_file():
            return Backend.from_file(str(folder / "tokenizer.json"))
        from transformers import AutoTokenizer

        options = {"gguf_file": file} if (file := gguf_file(source)) else {}
        return AutoTokenizer.from_pretrained(
            os.fspath(source), local_files_only=local, trust_remote_code=False, **options
        ).backend_tokenizer
    except Exception as error:
        remedy = "Name a folder with a tokenizer.json" + (", or a hub id." if not local else ".")
        raise InputError("no fast tokenizer can be loaded from here.", where=source, remedy=remedy) from error


def _losses(tokenizer: Tokenizer) -> list[str]:
    """Probes that don't survive: alone, joined to one another, or because special ids stand for plain text."""
    coded = tokenizer.encode_many(PROBES)
    lost = [text for text, ids in zip(PROBES, coded, strict=True) if tokenizer.decode(ids) != text]
    lost += [text for text, ids in zip(PROBES, coded, strict=True) if not tokenizer.special_ids.isdisjoint(ids)]
    if tokenizer.decode([token for ids in coded for token in ids]) != "".join(PROBES):
        lost.append("pieces joined")
    return lost
