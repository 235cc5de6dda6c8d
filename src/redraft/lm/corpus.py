"""A run's traces as token ids: read once, tokenized once, for all views whose models are trained on them.

In: a dataset, its split, views, settings. Out: a folder, published by one rename, that says what it was made of:

- tokenizer/, if one was trained: on the train traces, whatever the views, so that all views share it;
- students.parquet, of the train traces, in order; corpus.json: what it was made of, languages;
- PART.VIEW.ids and PART.VIEW.npz, of each part of the split: its `Chunks` as a view shows them, ids to be mapped into
  memory and the rest.

The dataset is gone through once (`data.route`), the spooled train traces a second time, all views together, so that a
text that several views show is tokenized once. Downsampled views have no ids of their own: they are those of the view
that they drop traces of, and which stay follows from the tokens counted here. Memory holds a batch of the dataset's,
the few traces of each part to test on, and a few numbers per trace; ids go to disk as they come.

Not guaranteed: that a folder outlives its trainings. It holds what students wrote, so whoever makes it removes it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, replace
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from redraft.data.route import Look, Route
from redraft.data.split import TRAIN, Split
from redraft.data.store import Dataset
from redraft.data.trace import Trace, from_batch
from redraft.data.views import VIEWS, downsampled, number_of, undropped
from redraft.errors import InputError
from redraft.execute.dataset import find_verdicts, read_messages
from redraft.lm.base import base_tokenizer
from redraft.lm.batch import ENCODE_AT_ONCE, Chunks, Encoded, cut
from redraft.lm.codec import CODECS, Codec, Verdicts
from redraft.lm.model import StudentIndex
from redraft.lm.settings import TrainConfig
from redraft.lm.tokenizer import Tokenizer, load_tokenizer
from redraft.progress import say
from redraft.rundir import (
    atomic_folder,
    check_files,
    hashes_of,
    normal,
    read_record,
    sha256_file,
    sha256_json,
    versions,
    write_record,
)
from redraft.rundir.tables import read_table, write_table

SCHEMA_VERSION = 1
MANIFEST = "corpus.json"
LAST = "last"
"""The view whose tokens downsampled ones must match."""
_INDEX = ("lengths", "rows", "heads", "characters")

Context = Callable[[Codec], int]
"""Tokens of a sequence at most, of the model that a codec is for."""


class Corpus:
    """What a folder holds."""

    def __init__(self, folder: Path, codec: Codec, seed: int) -> None:
        self.folder, self.codec, self._seed = folder, codec, seed
        about = _about(folder)
        check_files(folder, about["files"], remedy=_remedy(folder))
        self.students = StudentIndex(read_table(folder / "students.parquet", ["student"])["student"].to_pylist())
        """Of the train traces."""
        self.language: str | None = about["language"]
        """The one that most states of the train traces are in."""
        self._parts: list[str] = about["parts"]

    def training(self, view: str) -> Chunks:
        """What a model of a view is trained on."""
        of = undropped(view)
        found = self._chunks(TRAIN, of)
        if not VIEWS[view].downsampled:
            return found.chunks
        target = int(self._chunks(TRAIN, LAST).tokens.sum())
        return _kept(found.chunks, downsampled(view, found.tokens, found.numbers, target))

    def held_out(self, view: str) -> dict[str, Chunks]:
        """Some traces of each part that isn't trained on and isn't empty: all that the view shows of them."""
        return {part: self._chunks(part, undropped(view)).chunks for part in self._parts}

    def _chunks(self, part: str, view: str) -> _Stored:
        return _read(self.folder, part, view)


class _Stored(NamedTuple):
    """A part's chunks as a view shows them; the other arrays have an entry per trace."""

    chunks: Chunks
    tokens: NDArray[np.int64]
    numbers: NDArray[np.uint64]


def made_of(dataset: Dataset, split: Split, config: TrainConfig, tokenizer: Tokenizer | None) -> dict[str, Any]:
    """All that decides what a corpus holds, but for its views; `config` with its preset's settings filled in."""
    verdicts = find_verdicts(dataset) if config.codec_options.feedback else ()
    names = ("preset", "base", "architecture", "context", "codec", "vocabulary", "seed", "validation_traces")
    return {
        "schema_version": SCHEMA_VERSION,
        "dataset_fingerprint": dataset.fingerprint,
        "split_hash": split.hash,
        "config": {name: getattr(config, name) for name in names},
        "codec_options": asdict(config.codec_options),
        "given_tokenizer": sha256_json(tokenizer.backend.to_str()) if tokenizer else None,
        "verdicts": [sha256_file(file) for file in verdicts],
        "versions": versions(),
    }


def open_corpus(
    folder: Path, wanted: Mapping[str, Any], view: str, config: TrainConfig, tokenizer: Tokenizer | None
) -> Corpus | None:
    """The corpus in `folder`, if there is one that was made of what is wanted and has the view."""
    file = folder / MANIFEST
    if not file.exists():
        return None
    about = _about(folder)
    if about["made_of"] != normal(wanted) or not _needed([view]) <= set(about["views"]):
        return None
    return Corpus(
        folder, _codec(config, tokenizer or _ready(config) or load_tokenizer(folder / "tokenizer")), config.seed
    )


def make_corpus(
    dataset: Dataset, split: Split, views: Sequence[str], config: TrainConfig, tokenizer: Tokenizer | None, *,
    context: Context, folder: Path,
) -> Corpus:  # fmt: skip
    """Read the dataset, and write what models of `views` are trained on and judged by.

    Args:
        dataset: All traces.
        split: Which of them train, validate and test.
        views: What of them models will see.
        config: Settings, those of its preset filled in.
        tokenizer: The one to use, if not the base model's or one trained here.
        context: Tokens of a sequence at most, once the codec is known.
        folder: Where.

    Raises:
        InputError: There is nothing to train on, or feedback is asked for without verdicts.
    """
    looks = {view: _look(view, config.seed) for view in VIEWS if view in _needed(views)}
    wanted = made_of(dataset, split, config, tokenizer)
    verdicts = read_messages(dataset) if config.codec_options.feedback else None
    with atomic_folder(folder) as temporary:
        spool = temporary / "spool"
        route = Route(dataset, split, spool=spool, few=config.validation_traces, views=looks)
        codec = _codec(config, _tokenizer(route, config, tokenizer, temporary / "tokenizer"))
        if not route.students:
            raise InputError(
                f"the split {split.name!r} has no traces to train on.",
                where=dataset.path,
                remedy="Split again, with fewer students and titles held out.",
            )
        students = sorted(route.students)
        say(f"encoding the view{'s' * (len(looks) > 1)} {', '.join(looks)}")
        encoder = _Encoder(codec, StudentIndex(students), context(codec), config.seed, verdicts, temporary)
        encoder(TRAIN, (trace for batch in route.again() for trace in from_batch(batch)), looks)
        for part, few in route.held_out.items():
            encoder(part, few.traces, {view: partial(few.look, view) for view in looks})
        spool.unlink()
        write_table(pa.table({"student": pa.array(students, pa.string())}), temporary / "students.parquet")
        ranked = sorted(route.languages, key=lambda language: (-route.languages[language], language))
        write_record(temporary / MANIFEST, {
            "made_of": wanted,
            "views": list(looks),
            "parts": list(route.held_out),
            "language": ranked[0] if ranked else None,
            "files": hashes_of(temporary, (str(f.relative_to(temporary)) for f in temporary.rglob("*") if f.is_file())),
        })  # fmt: skip
    return Corpus(folder, codec, config.seed)


def _about(folder: Path) -> dict[str, Any]:
    """What a corpus says of itself."""
    needs = {
        "made_of": dict[str, Any],
        **dict.fromkeys(("views", "parts"), list[str]),
        "language": str | None,
        "files": dict[str, str],
    }
    return read_record(folder / MANIFEST, remedy=_remedy(folder), needs=needs)


def _remedy(folder: Path) -> str:
    return f"Remove {folder}, and start the command again: the dataset is read again."


def _needed(views: Iterable[str]) -> set[str]:
    """The views whose ids are needed."""
    views = list(views)
    return {undropped(view) for view in views} | ({LAST} if any(VIEWS[view].downsampled for view in views) else set())


def _look(view: str, seed: int) -> Look:
    of = VIEWS[view].of
    return lambda trace: of(trace, seed)


def _ready(config: TrainConfig) -> Tokenizer | None:
    """The base model's tokenizer, if there is one."""
    return base_tokenizer(config.base) if config.base else None


def _tokenizer(route: Route, config: TrainConfig, given: Tokenizer | None, folder: Path) -> Tokenizer:
    """The one to use, after the pass over the dataset: it is trained as the traces come by, unless there is one."""
    ready = given or _ready(config)
    if ready:
        for _ in route.training():
            pass
        return ready
    say("training the tokenizer")
    traces = (trace for batch in route.training() for trace in from_batch(batch))
    trained = _kind(config).trained_on(traces, config.vocabulary, config.codec_options).tokenizer
    folder.mkdir()
    trained.save(folder)
    return trained


def _kind(config: TrainConfig) -> type[Codec]:
    assert config.codec is not None  # filled in by its preset
    return CODECS[config.codec]


def _codec(config: TrainConfig, tokenizer: Tokenizer) -> Codec:
    return _kind(config)(tokenizer, config.codec_options)


class _Encoder:
    """Writes parts of a split as views show them."""

    def __init__(
        self, codec: Codec, students: StudentIndex, context: int, seed: int, verdicts: Verdicts | None, folder: Path
    ) -> None:
        self.codec, self.students, self.context = codec, students, context
        self.seed, self.verdicts, self.folder = seed, verdicts, folder

    def __call__(self, part: str, traces: Iterable[Trace], views: Mapping[str, Look]) -> None:
        """Write `traces`, at each of `views`; a text that stands in several of some traces' is tokenized once."""
        with ExitStack() as files:
            writers = {view: files.enter_context(_Writer(self.folder, part, view)) for view in views}
            for view in views:
                writers[view].add(self._encoded([], []))
            rest = iter(traces)
            while group := list(islice(rest, ENCODE_AT_ONCE)):
                shown = {
                    view: [seen for trace in group if (seen := look(trace)) is not None] for view, look in views.items()
                }
                coded = iter(self.codec.encode_many(list(chain(*shown.values())), verdicts=self.verdicts))
                for view, some in shown.items():
                    writers[view].add(self._encoded(some, list(islice(coded, len(some)))))

    def _encoded(self, traces: Sequence[Trace], coded: Sequence[Sequence[int]]) -> _Stored:
        encoded = (
            Encoded(ids, self.students.row(trace.student), sum(len(state.code) for state in trace.states))
            for trace, ids in zip(traces, coded, strict=True)
        )
        return _Stored(
            cut(encoded, self.codec, self.context),
            np.fromiter(map(self.codec.counted, coded), np.int64, len(coded)),
            np.fromiter((number_of(trace, self.seed) for trace in traces), np.uint64, len(traces)),
        )


class _Writer:
    """Writes a part's chunks as a view shows them: the ids at once, the rest at the end."""

    def __init__(self, folder: Path, part: str, view: str) -> None:
        self._files, self._pieces = _files(folder, part, view), list[dict[str, NDArray[Any]]]()

    def __enter__(self) -> _Writer:
        self._ids = self._files[0].open("wb")
        return self

    def add(self, piece: _Stored) -> None:
        """Behind what there is."""
        piece.chunks.ids.tofile(self._ids)
        index = {name: getattr(piece.chunks, name) for name in _INDEX}
        self._pieces.append({**index, "tokens": piece.tokens, "numbers": piece.numbers})

    def __exit__(self, *error: object) -> None:
        self._ids.close()
        whole = {name: np.concatenate([piece[name] for piece in self._pieces]) for name in self._pieces[0]}
        np.savez(self._files[1], allow_pickle=False, **whole)


def _files(folder: Path, part: str, view: str) -> tuple[Path, Path]:
    """Where a part's ids as a view shows them are, and where the other arrays."""
    return folder / f"{part}.{view}.ids", folder / f"{part}.{view}.npz"


def _read(folder: Path, part: str, view: str) -> _Stored:
    ids, rest = _files(folder, part, view)
    mapped = np.memmap(ids, np.int32, mode="r") if ids.stat().st_size else np.empty(0, np.int32)
    with np.load(rest) as index:
        found = {name: index[name] for name in index.files}
    starts = np.cumsum(found["lengths"]) - found["lengths"]
    chunks = Chunks(ids=np.asarray(mapped), starts=starts, **{name: found[name] for name in _INDEX})
    return _Stored(chunks, found["tokens"], found["numbers"])


def _kept(chunks: Chunks, keep_N: NDArray[np.bool_]) -> Chunks:
    """The chunks of the traces kept; the ids stay all where they are."""
    kept = keep_N[np.cumsum(chunks.heads) - 1]
    some = {name: getattr(chunks, name)[kept] for name in (*_INDEX, "starts")}
    return replace(chunks, **some)
