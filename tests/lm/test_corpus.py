"""What models are trained on, read and tokenized once for all views."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from factories import make_dataset, make_trace
from passes import counted
from redraft.data.split import TEST_SPLITS, TRAIN, VALIDATION, Split, SplitConfig, make_split
from redraft.data.store import Dataset, DatasetWriter
from redraft.data.views import VIEWS, apply_view
from redraft.errors import InputError
from redraft.lm.batch import Chunks, encode
from redraft.lm.codec import CODECS
from redraft.lm.corpus import Corpus, made_of, open_corpus
from redraft.lm.prepare import filled_in, read_for
from redraft.lm.settings import TrainConfig
from redraft.lm.tokenizer import Tokenizer
from redraft.lm.train import train
from redraft.rundir import sha256_json
from toy import TOY, prepare_torch

SETTINGS = replace(TOY, validation_traces=3, seed=4, vocabulary=400)


@pytest.fixture(autouse=True, scope="module")
def _toy_preset() -> None:
    prepare_torch()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> tuple[Dataset, Split]:
    """Two shards of students whose every program is like no other; some end with nothing, some are long."""
    traces = [
        make_trace(
            [*(f"pen s{s}-{t}-{n}\nfd {n}\n" + "rt 90\n" * s for n in range(1 + (s + t) % 4)), "" if t == s % 7 else f"# {s} {t}"],
            student=f"s{s:02}", title=f"t{t}",
        )
        for s in range(14) for t in range(7)
    ]  # fmt: skip
    folder = tmp_path_factory.mktemp("corpus") / "data"
    with DatasetWriter(folder, origin="simulated", provenance={}) as writer:
        writer.write_shard(0, [trace for trace in traces if trace.student < "s06"])
        writer.write_shard(1, [trace for trace in traces if trace.student >= "s06"])
        dataset = writer.finish()
    return dataset, make_split(dataset, SplitConfig(held_students=3, held_titles=2, validation_share=0.2))


def read(data: tuple[Dataset, Split], config: TrainConfig, folder: Path, views: Sequence[str] = tuple(VIEWS)) -> Corpus:
    """The corpus of some views."""
    read_for(*data, views, config, folder)
    config, _ = filled_in(config)
    corpus = open_corpus(folder, made_of(*data, config, None), views[0], config, None)
    assert corpus
    return corpus


def plainly(data: tuple[Dataset, Split], view: str, corpus: Corpus, part: str) -> Chunks:
    """The same chunks, of one view and by its own readings."""
    dataset, split = data
    traces = apply_view(
        view, lambda: split.select(dataset.traces(), part),
        seed=SETTINGS.seed, count_tokens=corpus.codec.count_tokens, downsample=part == TRAIN,
    )  # fmt: skip
    if part != TRAIN:
        traces = iter(heapq.nsmallest(3, traces, key=lambda trace: sha256_json([*trace.pair, trace.sample])))
    return encode(traces, corpus.codec, corpus.students, 128)


def lines(chunks: Chunks) -> list[list[int]]:
    """Each chunk's ids."""
    return [
        chunks.ids[start : start + length].tolist() for start, length in zip(chunks.starts, chunks.lengths, strict=True)
    ]


@pytest.mark.parametrize("codec", CODECS)
def test_every_views_traces_are_those_of_its_own_reading(
    data: tuple[Dataset, Split], tmp_path: Path, codec: str
) -> None:
    corpus = read(data, replace(SETTINGS, codec=codec), tmp_path / "corpus")
    assert list(corpus.students.students) == sorted(
        {pair.student for pair, part in data[1].of.items() if part == TRAIN}
    )
    parts = [part for part in (VALIDATION, *TEST_SPLITS) if data[1].counts()[part]]
    assert len(parts) == 5
    for view in VIEWS:
        held_out = corpus.held_out(view)
        assert list(held_out) == parts
        for part, found in ((TRAIN, corpus.training(view)), *held_out.items()):
            wanted = plainly(data, view, corpus, part)
            assert lines(found) == lines(wanted)
            for name in ("lengths", "rows", "heads", "characters"):
                assert np.array_equal(getattr(found, name), getattr(wanted, name)), (view, part, name)
    whole, some = corpus.training("trace"), corpus.training("trace-downsampled")
    assert 0 < some.heads.sum() < whole.heads.sum()
    assert isinstance(whole.ids.base, np.memmap)


def test_a_dataset_is_read_once_for_all_views_and_each_program_is_tokenized_once(
    data: tuple[Dataset, Split], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts: Counter[str] = Counter()
    tokenize = Tokenizer.encode_many

    def spy(self: Tokenizer, some: Sequence[str]) -> list[list[int]]:
        texts.update(some)
        return tokenize(self, some)

    monkeypatch.setattr(Tokenizer, "encode_many", spy)
    with counted() as passes:
        read(data, SETTINGS, tmp_path / "corpus")
        assert passes.of(data[0].path) == [1, 1]
        for view in ("trace", "trace-downsampled", "synthetic"):
            train(*data[:1], split=data[1], view=view, out=tmp_path / view, config=replace(SETTINGS, steps=1),
                  corpus=tmp_path / "corpus")  # fmt: skip
    programs = {state.code for trace in data[1].select(data[0].traces(), TRAIN) for state in trace.states} - {""}
    assert {texts[program] for program in programs} == {1}
    assert passes.of(data[0].path) == [1, 1]  # the models were trained from what is there


@pytest.mark.parametrize("view", ["trace", "trace-downsampled"])
def test_a_model_alone_is_trained_in_one_pass(data: tuple[Dataset, Split], tmp_path: Path, view: str) -> None:
    with counted() as passes:
        train(data[0], split=data[1], view=view, out=tmp_path / view, config=replace(SETTINGS, steps=1))
    assert passes.of(data[0].path) == [1, 1]
    assert {path.name for path in tmp_path.iterdir()} == {view}


def test_what_was_made_of_something_else_is_not_used(data: tuple[Dataset, Split], tmp_path: Path) -> None:
    read(data, SETTINGS, tmp_path / "corpus", ["last"])
    config, _ = filled_in(SETTINGS)

    def open_it(config: TrainConfig, view: str) -> Corpus | None:
        return open_corpus(tmp_path / "corpus", made_of(*data, config, None), view, config, None)

    assert open_it(config, "last")
    assert not open_it(config, "trace")
    for other in (
        replace(config, seed=5), replace(config, vocabulary=300), replace(config, codec="diff"),
        replace(config, validation_traces=2), replace(config, context=127),
    ):  # fmt: skip
        assert not open_it(other, "last")
    again = train(data[0], split=data[1], view="trace", out=tmp_path / "m", config=replace(SETTINGS, steps=1),
                  corpus=tmp_path / "corpus")  # fmt: skip
    assert again.card["view"] == "trace"


def test_no_unfinished_corpus_is_left(data: tuple[Dataset, Split], tmp_path: Path) -> None:
    held = replace(data[1].config, held_students=14)
    dataset = make_dataset(tmp_path / "data", data[0].traces())
    with pytest.raises(InputError, match="no traces to train on"):
        read_for(dataset, make_split(dataset, held), ["trace"], SETTINGS, tmp_path / "run" / "corpus")
    assert not [*(tmp_path / "run").iterdir()]
