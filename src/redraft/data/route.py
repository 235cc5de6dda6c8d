"""One pass over a dataset that takes each trace to the part of the split that it is in.

In: a dataset, its split. Out: the traces to train on, spooled to one file as they come by, so that whoever needs them
twice (to train a tokenizer, then to encode) reads the dataset once; a few traces of each part that isn't trained on;
who the students are, and in which languages they write. Memory holds a batch of the dataset's, and those few traces.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from heapq import heappush, heapreplace
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from redraft.data.split import TEST_SPLITS, TRAIN, VALIDATION, Split
from redraft.data.store import Dataset
from redraft.data.trace import SCHEMA, Pair, Trace, from_batch
from redraft.rundir import sha256_json

HELD_OUT = (VALIDATION, *TEST_SPLITS)
"""Parts that aren't trained on."""
_OPTIONS = pa.ipc.IpcWriteOptions(compression="lz4")


Look = Callable[[Trace], Trace | None]
"""What a view makes of a trace; None: it leaves the trace out."""


class _Ranked(NamedTuple):
    """A trace in the order in which few are chosen; negative, as a heap gives its smallest first."""

    key: int
    number: int
    trace: Trace


class Few:
    """Some traces of a part, for each view those that it shows whose hashed keys are smallest.

    Args:
        most: How many for each view, at most.
        views: View -> what it makes of a trace.
    """

    def __init__(self, most: int, views: Mapping[str, Look]) -> None:
        self._most, self._views = most, views
        self._chosen: dict[str, list[_Ranked]] = {view: [] for view in views}

    def offer(self, key: int, number: int, trace: Callable[[], Trace]) -> None:
        """Take a trace for the views to which it is among the smallest so far; only then is it asked for."""
        for view, heap in self._chosen.items():
            full = len(heap) >= self._most
            if full and (not heap or (-key, -number) < heap[0][:2]):
                continue
            found = trace()
            if self._views[view](found) is not None:
                (heapreplace if full else heappush)(heap, _Ranked(-key, -number, found))

    @property
    def traces(self) -> list[Trace]:
        """All that some view chose, the smallest key first."""
        all_of_them = {ranked.number: ranked for heap in self._chosen.values() for ranked in heap}
        return [ranked.trace for ranked in sorted(all_of_them.values(), reverse=True)]

    def look(self, view: str, trace: Trace) -> Trace | None:
        """What a view makes of one of them, if it is among those chosen for the view."""
        return self._views[view](trace) if any(ranked.trace is trace for ranked in self._chosen[view]) else None


class Route:
    """The pass: go through `training` to its end; then the rest is there.

    Args:
        dataset: All traces.
        split: Which part each pair is in; pairs that it doesn't know are left out.
        spool: The file that the traces to train on are written to.
        few: How many traces of each other part are kept for each view.
        views: View -> what it makes of a trace.
    """

    def __init__(self, dataset: Dataset, split: Split, *, spool: Path, few: int, views: Mapping[str, Look]) -> None:
        self.dataset, self.split, self.spool = dataset, split, spool
        self.students: set[str] = set()
        """Of the traces to train on."""
        self.languages: Counter[str] = Counter()
        """Language -> states in it, of the traces to train on."""
        counts = split.counts()
        self.held_out = {part: Few(few, views) for part in HELD_OUT if counts[part]}
        """Part -> its few traces, of the parts that aren't empty."""
        self._passed = 0

    def training(self) -> Iterator[pa.RecordBatch]:
        """The traces to train on, in the dataset's order; each batch is in the spool when it is given out."""
        writer: pa.RecordBatchStreamWriter | None = None
        with pa.OSFile(str(self.spool), "wb") as file:
            for batch in self.dataset.batches(SCHEMA.names):
                writer = writer or pa.ipc.new_stream(file, batch.schema, options=_OPTIONS)
                ids = zip(batch["student"].to_pylist(), batch["title"].to_pylist(), strict=True)
                pairs = [Pair(*pair) for pair in ids]
                places = [self.split.of.get(pair) for pair in pairs]
                self._set_aside(batch, pairs, places)
                train = batch.filter(pa.array([place == TRAIN for place in places], pa.bool_()))
                if train.num_rows:
                    writer.write_batch(train)
                    self._take_down(train)
                    yield train
            if writer:
                writer.close()

    def again(self) -> Iterator[pa.RecordBatch]:
        """The same batches, from the spool."""
        if not self.spool.stat().st_size:
            return
        with pa.memory_map(str(self.spool)) as file, pa.ipc.open_stream(file) as reader:
            yield from reader

    def _set_aside(self, batch: pa.RecordBatch, pairs: Sequence[Pair], places: Sequence[str | None]) -> None:
        samples = batch["sample"].to_pylist()
        for row, place in enumerate(places):
            if place in self.held_out:
                rank = int(sha256_json([*pairs[row], samples[row]]), 16)
                self.held_out[place].offer(rank, self._passed + row, _Row(batch, row))
        self._passed += len(places)

    def _take_down(self, train: pa.RecordBatch) -> None:
        self.students.update(train["student"].unique().to_pylist())
        for found in pc.value_counts(train["states"].flatten().field("language")).to_pylist():
            if found["values"]:
                self.languages[found["values"]] += found["counts"]


class _Row:
    """A row of a batch, made a trace once it is asked for."""

    def __init__(self, batch: pa.RecordBatch, row: int) -> None:
        self._batch, self._row = batch, row
        self._trace: Trace | None = None

    def __call__(self) -> Trace:
        if self._trace is None:
            self._trace = next(from_batch(self._batch.slice(self._row, 1)))
        return self._trace
