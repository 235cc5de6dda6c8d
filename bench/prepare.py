"""What reading a dataset once is worth to a run: `python bench/prepare.py [TRACES]`. Seconds are the process's own.

All that five models (the paper's views) start from, as token ids: with one reading of 200,000 made-up traces for all of
them (`lm.corpus`), and in the old way, which is kept only here: eight readings for each view, nine for a downsampled
one, a tokenizer each, every text tokenized anew. Both ways must give the same ids. The ratio is of this run.
"""

from __future__ import annotations

import heapq
import random
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from redraft.data.split import TEST_SPLITS, TRAIN, VALIDATION, Split, SplitConfig, make_split
from redraft.data.store import Dataset, DatasetWriter
from redraft.data.trace import State, Trace
from redraft.data.views import apply_view
from redraft.lm.batch import Chunks, encode
from redraft.lm.codec import CODECS
from redraft.lm.corpus import make_corpus
from redraft.lm.model import StudentIndex
from redraft.lm.prepare import filled_in
from redraft.lm.settings import TrainConfig
from redraft.rundir import sha256_json

VIEWS = ("trace", "last", "synthetic", "trace-downsampled", "synthetic-downsampled")
CONTEXT, TITLES, SHARD = 512, 20, 20_000
LINES = ("pen {colour}", "fd {n}", "rt {n}", "for [1..{n}]\n  fd {n}\n  lt 90", "dot {colour}, {n}", "# {colour}")
COLOURS = ("red", "blue", "green", "orange", "pink", "gold", "black")


def made_up(folder: Path, count: int) -> Dataset:
    """Traces of about five growing programs; each student has one of every title."""
    drawn = random.Random(0)

    def trace(student: int, title: int) -> Trace:
        at, program, states = datetime(2020, 1, 1, tzinfo=UTC), list[str](), []
        for _ in range(drawn.randint(1, 9)):
            line = drawn.choice(LINES).format(colour=drawn.choice(COLOURS), n=drawn.randint(1, 300))
            program.insert(drawn.randint(0, len(program)), line)
            at += timedelta(seconds=drawn.randint(1, 90))
            states.append(State(code="\n".join(program), at=at, language="coffeescript", mode="t"))
        return Trace(student=f"{student:08}", title=f"title {title}", states=tuple(states), source="made up")

    with DatasetWriter(folder, origin="simulated", provenance={}) as writer:
        for shard, start in enumerate(range(0, count, SHARD)):
            numbers = range(start, min(start + SHARD, count))
            writer.write_shard(shard, (trace(*divmod(number, TITLES)) for number in numbers))
        return writer.finish()


def old(dataset: Dataset, split: Split, view: str, config: TrainConfig) -> dict[str, Chunks]:
    """What a model of one view was made from before: a reading for each thing needed."""

    def train_traces() -> Iterator[Trace]:
        return split.select(dataset.traces(), TRAIN)

    students: set[str] = set()
    languages: Counter[str] = Counter()
    for trace in train_traces():
        students.add(trace.student)
        languages.update(state.language for state in trace.states if state.language)
    codec = CODECS[config.codec or ""].trained_on(train_traces(), config.vocabulary, config.codec_options)
    index = StudentIndex(sorted(students))

    def chosen(part: str) -> Iterable[Trace]:
        return apply_view(
            view, lambda: split.select(dataset.traces(), part),
            seed=config.seed, count_tokens=codec.count_tokens, downsample=part == TRAIN,
        )  # fmt: skip

    made = {TRAIN: encode(chosen(TRAIN), codec, index, CONTEXT)}
    for part in (VALIDATION, *TEST_SPLITS):
        if split.counts()[part]:
            few = heapq.nsmallest(
                config.validation_traces, chosen(part), key=lambda trace: sha256_json([*trace.pair, trace.sample])
            )
            made[part] = encode(few, codec, index, CONTEXT)
    return made


def same(one: Chunks, other: Chunks) -> bool:
    """Whether the chunks are, wherever their ids are kept."""

    def ids(chunks: Chunks) -> list[int]:
        return [
            hash(chunks.ids[start : start + length].tobytes())
            for start, length in zip(chunks.starts, chunks.lengths, strict=True)
        ]

    return np.array_equal(one.rows, other.rows) and ids(one) == ids(other)


def main(count: int) -> None:
    """Both ways, one after the other."""
    config, _ = filled_in(TrainConfig(preset="llama-200k"))
    with TemporaryDirectory() as scratch:
        dataset = made_up(Path(scratch) / "data", count)
        split = make_split(dataset, SplitConfig(held_students=0.1, held_titles=0.1, validation_share=0.05))
        started = time.process_time()
        corpus = make_corpus(
            dataset, split, VIEWS, config, None, context=lambda codec: CONTEXT, folder=Path(scratch) / "corpus"
        )
        found = {view: {TRAIN: corpus.training(view), **corpus.held_out(view)} for view in VIEWS}
        new = time.process_time() - started
        taken = 0.0
        for view in VIEWS:
            started = time.process_time()
            before = old(dataset, split, view, config)
            taken += time.process_time() - started
            assert list(before) == list(found[view])
            assert all(same(chunks, found[view][part]) for part, chunks in before.items()), view
    print(
        f"what {len(VIEWS)} models start from, {count:,} traces: {taken:.0f} s view by view, {new:.0f} s with one "
        f"reading for all: {taken / new:.1f} times faster"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200_000)
