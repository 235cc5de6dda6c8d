"""Models on disk: a folder that holds everything needed to use one.

    config.json, model.safetensors   the causal LM; `transformers` opens the folder as it is
    students.safetensors, .parquet   the students' vectors, and whose they are (keyed hashes)
    tokenizer files, codec.json      text to ids and back
    redraft.json                     format version, hashes of the files above, and the card: data, split, view,
                                     settings, versions
    history.parquet, README.md       the validation curve; the card for people

In: a `Model`. Out: the folder, written aside and moved in place by one rename; and the `Model` again.
"""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM
from transformers.utils import logging as transformers_logging

from redraft.errors import DatasetError
from redraft.lm import foreign
from redraft.lm.codec import Codec, load_codec
from redraft.lm.model import StudentIndex, StudentLM, StudentVectors
from redraft.rundir import (
    Kind,
    Version,
    atomic_folder,
    check_files,
    hashes_of,
    is_unfinished,
    other_level,
    read_record,
    refuse_links_out,
    write_record,
    write_text,
)
from redraft.rundir.tables import read_table, write_table

FORMAT_VERSION = 1
CARD = "redraft.json"
WEIGHTS = ("model.safetensors", "students.safetensors")
FILES = "files"
"""Where a card lists the hashes of the folder's other files."""
_OTHERS = (CARD, "README.md", "history.parquet")
"""Not among them: the card itself, what people may edit, and what has a seal of its own, as no two runs take the same
time."""
REMEDY = "Remove the model, and train it again, or copy it anew."
_NEEDED = {
    **dict.fromkeys(("view", "split", "split_hash", "dataset", "dataset_fingerprint", "origin"), str),
    **dict.fromkeys(("config", "versions", "training"), dict[str, Any] | None),
    "language": str | None,
    "context": int | None,
    FILES: dict[str, str] | None,
}
"""What a card must hold."""


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """One point of the validation curve."""

    step: int
    """Optimizer steps so far."""
    tokens: int
    """Tokens learned from so far, padding and masks not counted."""
    train_loss: float
    """Mean of the steps since the last point, nats per token."""
    validation_loss: float | None
    """Nats per token on validation traces; None if the split has none."""
    bits_per_trace: float | None = None
    """Bits of a whole validation trace, its title given; None also in models of earlier versions."""
    seconds: float | None = field(default=None, compare=False)
    """Seconds of training so far, validation not counted; no two runs take the same."""


@dataclass(frozen=True, kw_only=True)
class Model:
    """A student model with all it needs to be used."""

    lm: StudentLM
    """The LM and the students' vectors."""
    codec: Codec
    """Traces to ids and back."""
    students: StudentIndex
    """Whose vector is in which row."""
    card: Mapping[str, Any]
    """view, split and split_hash, dataset and dataset_fingerprint, origin, language, config, versions; once trained,
    also what training came to."""
    history: Sequence[Evaluation] = ()
    """The validation curve."""

    @cached_property
    def fingerprint(self) -> str:
        """A hash of all weights: two models with the same one draw the same samples."""
        digest = hashlib.sha256()
        for name, tensor in sorted(self.lm.state_dict().items()):
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
            digest.update(tensor.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
        return digest.hexdigest()

    def check_split(self, split_hash: str) -> None:
        """Refuse a split that isn't the one the model was trained on.

        Raises:
            DatasetError: The hashes differ: test traces might have been trained on.
        """
        if self.card["split_hash"] != split_hash:
            raise DatasetError(
                f"this model was trained on another split ({self.card['split']!r} of {self.card['dataset']!r}, "
                f"{self.card['split_hash'][:12]}) than this one ({split_hash[:12]}), so its test traces may have been "
                "trained on.",
                remedy="Name the split it was trained on, or train a model on this one.",
            )


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Say plainly what torch, safetensors and the system report in words of their own when the disk is full."""
    try:
        yield
    except (RuntimeError, SafetensorError, OSError) as error:
        if isinstance(error, OSError) and error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise DatasetError(
            "the weights can't be written; the disk may be full.",
            where=path,
            remedy="Free some space, then start the same command again; it goes on.",
        ) from error


def save_model(folder: Path, model: Model) -> None:
    """Write `model` to `folder`, replacing what is there, whole or not at all."""
    with atomic_folder(folder) as temporary:
        write_model(temporary, model)


def write_model(folder: Path, model: Model) -> None:
    """Write a model's files into an existing folder."""
    transformers_logging.disable_progress_bar()
    vectors = {name: tensor.cpu().contiguous() for name, tensor in model.lm.students.state_dict().items()}
    with writing(folder):
        model.lm.lm.save_pretrained(folder)
        save_file(vectors, folder / "students.safetensors")
        names = pa.table({"student": pa.array(model.students.students, pa.string())})
        write_table(names, folder / "students.parquet")
        model.codec.save(folder)
        history = pa.Table.from_pylist([asdict(point) for point in model.history], schema=_HISTORY)
        write_table(history, folder / "history.parquet")
        files = hashes_of(folder, {file.name for file in folder.iterdir() if file.is_file()}.difference(_OTHERS))
        write_text(folder / "README.md", _readme(model))
        write_record(folder / CARD, {"format_version": FORMAT_VERSION, FILES: files, **model.card})


def load_model(folder: str | Path) -> Model:
    """Load a model's folder onto the CPU.

    Raises:
        DatasetError: There is no model at `folder`, it is unfinished or damaged, or it was made by a newer redraft.
        InputError: Its settings are of nothing that redraft opens.
    """
    folder = Path(folder)
    card = read_card(folder)
    missing = [name for name in ("config.json", *WEIGHTS, "students.parquet") if not (folder / name).exists()]
    if missing:
        raise DatasetError(f"files of this model are missing: {', '.join(missing)}.", where=folder, remedy=REMEDY)

    refuse_links_out(folder)
    check_model(folder)
    foreign.check_files(folder)
    codec = load_codec(folder)
    try:
        lm, lacking = load_lm(folder)
        if lacking:
            raise DatasetError(f"weights are missing: {', '.join(lacking)}.", where=folder, remedy=REMEDY)
        vectors = load_file(folder / "students.safetensors")
        n_rows, dim = vectors["rows.weight"].shape
        if (named := pq.read_metadata(folder / "students.parquet").num_rows) != n_rows - 1:
            raise DatasetError(f"{n_rows - 1} students' vectors, {named} students.", where=folder, remedy=REMEDY)
        index = StudentIndex(read_table(folder / "students.parquet", ["student"], remedy=REMEDY)["student"].to_pylist())
        students = StudentVectors(n_rows - 1, width=vectors["out.weight"].shape[0], dim=dim)
        students.load_state_dict(vectors)
        history = [Evaluation(**point) for point in read_table(folder / "history.parquet", remedy=REMEDY).to_pylist()]
    except (OSError, ValueError, KeyError, RuntimeError, TypeError, SafetensorError, pa.ArrowInvalid) as error:
        raise DatasetError(f"the model can't be read ({type(error).__name__}).", where=folder, remedy=REMEDY) from error
    _check_codec(codec, card, lm, folder)
    student_lm = StudentLM(lm.eval(), students.to(lm.dtype), codec.student_id, context=card.get("context")).eval()
    return Model(lm=student_lm, codec=codec, students=index, card=card, history=history)


def _check_codec(codec: Codec, card: Mapping[str, Any], lm: Any, folder: Path) -> None:
    """Refuse a codec or tokenizer that isn't the one the weights were trained with.

    Raises:
        DatasetError: Says what doesn't fit.
    """
    trained = (card.get("config") or {}).get("codec", codec.name)
    rows = lm.get_input_embeddings().num_embeddings
    if codec.name != trained:
        cause = f"the model was trained with the codec {trained!r}, but its folder holds the codec {codec.name!r}."
    elif codec.tokenizer.added:
        cause = f"its tokenizer lacks {codec.tokenizer.added} of the special tokens, so it would split them."
    elif codec.vocab_size > rows:
        cause = f"its tokenizer and codec have {codec.vocab_size:,} ids, but the model {rows:,}."
    else:
        return
    raise DatasetError(cause, where=folder, remedy="Take the folder as it was written, or train the model again.")


def load_lm(source: str | Path, **options: Any) -> tuple[Any, list[str]]:
    """A `transformers` causal LM in a folder, and the names of weights its files lack (which are then random).

    Args:
        source: The folder, checked before it is opened: it may be a stranger's.
        options: For the library.

    Raises:
        InputError: It is refused; `redraft.lm.foreign` says what is.
    """
    folder = Path(source)
    if file := options.get("gguf_file"):
        foreign.check_gguf(folder / file)
    else:
        foreign.check_model(folder)
        options["use_safetensors"] = True
    transformers_logging.disable_progress_bar()
    loaded: Any = AutoModelForCausalLM.from_pretrained(
        folder, output_loading_info=True, local_files_only=True, trust_remote_code=False, **options
    )
    lm, info = loaded
    return lm, sorted(info["missing_keys"])


def read_card(folder: Path) -> dict[str, Any]:
    """A model's card, without loading its weights.

    Raises:
        DatasetError: As `load_model`.
    """
    file = folder / CARD
    if not file.exists():
        if is_unfinished(folder):
            raise DatasetError(
                "this model is unfinished.", where=folder, remedy="Start the same `redraft train` again; it goes on."
            )
        cause = "is not a model (it has no redraft.json)." if folder.exists() else "no such model."
        raise DatasetError(cause, where=folder, remedy=other_level(folder, CARD) or "Make one with `redraft train`.")
    card = read_record(file, remedy=REMEDY, needs=_NEEDED, version=Version("format_version", FORMAT_VERSION))
    return {key: value for key, value in card.items() if key not in ("format_version", FILES)}


def check_model(folder: Path, names: Iterable[str] | None = None) -> None:
    """Refuse a model's folder whose files, or some of them, aren't those that were written with its card.

    A model of an earlier version lists no hashes, and is believed.

    Raises:
        DatasetError: A file was changed, damaged or exchanged, or isn't there; or the card can't be read.
    """
    listed = read_record(folder / CARD, remedy=REMEDY, needs={FILES: dict[str, str] | None}).get(FILES) or {}
    check_files(folder, {name: listed[name] for name in names or listed if name in listed}, remedy=REMEDY)


MODEL = Kind(
    name="a model",
    another="another model, or one of other settings",
    made_for=lambda folder: read_card(folder) if (folder / CARD).exists() else None,
    effort="checkpoint.pt",
)

_HISTORY = pa.schema(
    [("step", pa.int64()), ("tokens", pa.int64()), ("train_loss", pa.float64()), ("validation_loss", pa.float64()),
     ("bits_per_trace", pa.float64()), ("seconds", pa.float64())]
)  # fmt: skip


def _bits_table(bits: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """How well the model knows each split: `validate.Bits`."""
    columns = ("traces", "per_trace", "per_character", "known_traces", "gained_over_unknown", "gained_over_another")
    titles = ("traces", "bits per trace", "bits per character", "of students with a vector",
              "bits saved by it, against the unknown student's", "against another student's")  # fmt: skip
    lines = [f"| split | {' | '.join(titles)} |", f"| --- |{' ---: |' * len(titles)}"]
    for name, values in bits.items():
        shown = ("none" if values[key] is None else f"{values[key]:,.4g}" for key in columns)
        lines.append(f"| {name} | {' | '.join(shown)} |")
    return lines


_ORIGINS = {
    "students": "real students",
    "model": "samples of a model, not students",
    "simulated": "a simulated class, not students",
}


def _readme(model: Model) -> str:
    card = model.card
    training = card.get("training") or {}
    weights = sum(parameter.numel() for parameter in model.lm.lm.parameters())
    lines = [
        f"# A student model: view `{card['view']}`",
        "",
        "A causal language model of program-edit traces with a vector per student, made by `redraft train`.",
        "",
        f"- Trained on the traces of **{_ORIGINS[card['origin']]}** (dataset `{card['dataset']}`, split "
        f"`{card['split']}`, {card['split_hash'][:12]}).",
        f"- {weights:,} weights, and {len(model.students):,} students' vectors (keyed hashes, never raw ids).",
    ]
    if training:
        lines += [
            f"- {training['steps']:,} steps, {training['tokens']:,} tokens; stopped by: {training['stopped_by']}. "
            f"The weights are those of step {training['best_step']:,}.",
        ]
        if steps := training.get("cooldown_steps"):
            lines.append(
                f"- The last {steps:,} steps began once more from the best weights before them, with a learning rate "
                "that fell to 0."
            )
        if not training["converged"]:
            lines.append("- **Not converged**: training ended before the validation loss stopped improving.")
    if bits := training.get("bits"):
        lines += ["", *_bits_table(bits)]
    lines += ["", "| step | tokens | train loss | validation loss |", "| ---: | ---: | ---: | ---: |"]
    lines += [
        f"| {p.step:,} | {p.tokens:,} | {p.train_loss:.4f} | "
        f"{'none' if p.validation_loss is None else format(p.validation_loss, '.4f')} |"
        for p in model.history
    ]
    lines += ["", "Losses are in nats per token, masks and padding not counted. `redraft.json` says the rest.", ""]
    return "\n".join(lines)
