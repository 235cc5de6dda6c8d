"""Where ingest puts what it has parsed, until every input is read: hashed, and parted by student.

In: `Part`s of raw states. Out: the states of one bucket of students at a time. A student's hash decides the bucket,
in order, so that bucket after bucket is sorted by student. Each piece is one file, written atomically: after a kill
those that are there are whole and need not be parsed again. Raw ids are hashed before anything is written. Of the rows
that aren't used all are counted, but few are listed: a file may hold nothing else.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from redraft.data.consent import Lists, fold_hashes, folded
from redraft.data.identity import clean_id, is_rounded, keyed_hashes
from redraft.data.sources.states import RAW_STATES, REJECTED, Part
from redraft.rundir import atomic_file, read_record, write_record

_BUCKET = 64 * 10**6
"""Bytes of input a bucket at most, so that several can be gathered at once."""
LISTED = 100_000
"""Rows of an input that are listed for each reason at most; further ones are counted."""
Tally = Counter[tuple[int, str]]
"""(input, reason) -> rows."""
NOTHING: Mapping[tuple[int, str], int] = {}
_COUNTS = b"counts"
_OPTIONS = pa.ipc.IpcWriteOptions(compression="lz4", use_threads=False)


class Spool:
    """A folder of parsed pieces.

    Args:
        folder: Where; made if missing. What is there is taken as done.
        buckets: How many buckets; the same for a folder's whole life.
        key: The key of the students' hashes.
        lists: Students known to be left out are rejected here, as `no_consent`, while their raw ids are at hand.
    """

    def __init__(self, folder: Path, *, buckets: int, key: bytes, lists: Lists) -> None:
        self.folder, self.buckets, self._key, self._lists = folder, buckets, key, lists
        folder.mkdir(exist_ok=True)

    def _path(self, number: int, piece: int, kind: str) -> Path:
        return self.folder / f"{number:06d}-{piece:06d}.{kind}"

    @property
    def _remedy(self) -> str:
        return f"Remove {self.folder}, and start the command again."

    def has(self, number: int, piece: int) -> bool:
        """Whether this piece of input `number` is written, whole."""
        return self._path(number, piece, "states").exists()

    def outcome(self, number: int) -> dict[str, Any] | None:
        """What `close` said of input `number`; None if it isn't read to its end yet."""
        file = self.folder / f"{number:06d}.done"
        if not file.exists():
            return None
        return read_record(file, remedy=self._remedy, needs={"wrong": str | None})

    def close(self, number: int, outcome: dict[str, Any]) -> None:
        """Remember that input `number` is done with."""
        write_record(self.folder / f"{number:06d}.done", outcome)

    def discard(self, number: int) -> None:
        """Remove all pieces of input `number`."""
        for file in self.folder.glob(f"{number:06d}-*"):
            file.unlink()

    def write(self, number: int, piece: int, part: Part, listed: Mapping[tuple[int, str], int] = NOTHING) -> None:
        """Hash the students, and write the states parted by bucket and the rejected rows.

        Args:
            number: The input's number.
            piece: The piece's number in it.
            part: What it holds.
            listed: How many rows are listed of pieces before it (all of them, or some).
        """
        states, ranges, refused, seen = self._hashed(part.states)
        if self._lists.folds:
            write_record(self._path(number, piece, "seen"), seen)
        _write_rejected(self._path(number, piece, "rejected"), [part.rejected, refused], listed)
        order = np.argsort(ranges, kind="stable")
        cuts = np.searchsorted(ranges[order], np.arange(self.buckets + 1))
        ordered = states.take(pa.array(order)) if self.buckets > 1 else states
        parted = [ordered.slice(cuts[i], cuts[i + 1] - cuts[i]) for i in range(self.buckets)]
        _write(self._path(number, piece, "states"), parted, RAW_STATES)

    def seen(self) -> dict[str, set[str]]:
        """Of ids that stand in a list in any case: hash of the folded id -> hashes of those that were met."""
        found: dict[str, set[str]] = {}
        for file in sorted(self.folder.glob("*.seen")):
            for student, fold in read_record(file, remedy=self._remedy).items():
                found.setdefault(fold, set()).add(student)
        return found

    def reader(self, bucket: int, refused: Sequence[str] = ()) -> pa.RecordBatchReader:
        """The states of one bucket, in no particular order, without those of the students refused."""
        batches = self._states(bucket)
        if refused:
            batches = (batch.filter(pc.invert(_of(batch, refused))) for batch in batches)
        return pa.RecordBatchReader.from_batches(RAW_STATES, batches)

    def refused(self, bucket: int, refused: Sequence[str]) -> pa.Table:
        """The rows that `reader` leaves out."""
        found = [batch.filter(_of(batch, refused)) for batch in self._states(bucket)] if refused else []
        return _rejected(pa.Table.from_batches(found, RAW_STATES), "no_consent")

    def _states(self, bucket: int) -> Iterator[pa.RecordBatch]:
        for file in sorted(self.folder.glob("*.states")):
            with pa.ipc.open_file(file) as reader:
                yield reader.get_batch(bucket)

    def write_dropped(self, bucket: int, tables: list[pa.Table]) -> None:
        """Add what was dropped when `bucket` was gathered to the rejected rows."""
        _write_rejected(self.folder / f"dropped-{bucket:06d}.rejected", tables, NOTHING)

    def rejected(self) -> Iterator[pa.RecordBatch]:
        """The rejected rows that are listed, of all inputs."""
        for file in sorted(self.folder.glob("*.rejected")):
            with pa.ipc.open_file(file) as reader:
                yield reader.get_batch(0)

    def tally(self, number: int | None = None, piece: int | None = None) -> Tally:
        """How many rows are rejected and why: of one piece, of one input, or of all."""
        if number is not None and piece is not None:
            files = [self._path(number, piece, "rejected")]
        else:
            files = [*self.folder.glob("*.rejected" if number is None else f"{number:06d}-*.rejected")]
        total: Tally = Counter()
        for file in files:
            with pa.ipc.open_file(file) as reader:
                entries = json.loads(reader.schema.metadata[_COUNTS])
            total.update({(number, reason): count for number, reason, count in entries})
        return total

    def count(self, number: int) -> int:
        """How many states input `number` has."""
        total = 0
        for file in self.folder.glob(f"{number:06d}-*.states"):
            with pa.ipc.open_file(file) as reader:
                total += sum(reader.get_batch(i).num_rows for i in range(reader.num_record_batches))
        return total

    def _hashed(self, states: pa.Table) -> tuple[pa.Table, np.ndarray, pa.Table, dict[str, str]]:
        """The states that may be used, by hashes; their buckets; the others, as rejected rows; and who is in a list."""
        ids = pc.dictionary_encode(states["student"].combine_chunks())
        given = ids.dictionary.to_pylist()
        raw = [clean_id(raw_id) for raw_id in given]
        digests = keyed_hashes(raw, self._key)
        buckets = np.array([int(digest[:8], 16) * self.buckets >> 32 for digest in digests], np.int64)
        listed = {raw_id: digest for raw_id, digest in zip(raw, digests, strict=True) if self._is_listed(raw_id)}
        seen = dict(zip(listed.values(), fold_hashes(listed, self._key), strict=True))
        rows = ids.indices.to_numpy()
        hashes = pa.array(digests, pa.string()).take(ids.indices)
        states = states.set_column(states.schema.get_field_index("student"), "student", hashes)
        nobody = np.array([not raw_id for raw_id in raw], bool)
        refused = np.array([self._lists.refuses(raw_id) for raw_id in raw], bool) & ~nobody
        if not (nobody.any() or refused.any()):
            return states, buckets[rows], REJECTED.empty_table(), seen
        rounded = np.array([not raw_id and is_rounded(was) for raw_id, was in zip(raw, given, strict=True)], bool)[rows]
        nobody, refused = nobody[rows], refused[rows]
        out = [
            _rejected(states.filter(pa.array(which)), reason)
            for which, reason in ((nobody & ~rounded, "no_student"), (rounded, "rounded_id"), (refused, "no_consent"))
        ]
        used = ~nobody & ~refused
        return states.filter(pa.array(used)), buckets[rows[used]], pa.concat_tables(out), seen

    def _is_listed(self, raw_id: str) -> bool:
        return bool(self._lists.folds) and folded(raw_id) in self._lists.folds


def _of(batch: pa.RecordBatch, students: Sequence[str]) -> pa.Array:
    return pc.is_in(batch["student"], pa.array(students, pa.string()))


def _rejected(states: pa.Table, reason: str) -> pa.Table:
    return pa.table([states["file"], states["row"], pa.repeat(reason, states.num_rows)], schema=REJECTED)


def bucket_count(text_bytes: int, memory: int) -> int:
    """How many buckets let one be sorted in a fraction of `memory`; text_bytes is the inputs' size, unpacked.

    An even number, if it isn't one: two workers share them.
    """
    count = min(-(-text_bytes // min(memory // 8, _BUCKET)), 4095)
    return count + count % 2 if count > 1 else 1


def _write_rejected(path: Path, tables: list[pa.Table], listed: Mapping[tuple[int, str], int]) -> None:
    """Write as many rows for each input and reason as are still listed, and the counts of all."""
    rows = pa.concat_tables([REJECTED.empty_table(), *tables])
    counted = rows.group_by(["file", "reason"]).aggregate([([], "count_all")])
    counts: Tally = Counter(
        dict(zip(zip(counted["file"].to_pylist(), counted["reason"].to_pylist(), strict=True),
                 counted["count_all"].to_pylist(), strict=True))
    )  # fmt: skip
    if any(count + listed.get(entry, 0) > LISTED for entry, count in counts.items()):
        rows = pa.concat_tables(
            rows.filter((pc.field("file") == file) & (pc.field("reason") == reason))
            .sort_by("row")
            .slice(0, max(0, LISTED - listed.get((file, reason), 0)))
            for file, reason in counts
        )
    told = json.dumps([[file, reason, count] for (file, reason), count in counts.items()])
    _write(path, [rows], REJECTED.with_metadata({_COUNTS: told.encode()}))


def _write(path: Path, tables: list[pa.Table], schema: pa.Schema) -> None:
    """An Arrow file of one batch per table, so that each can be read alone."""
    with atomic_file(path) as temporary, pa.ipc.new_file(temporary, schema, options=_OPTIONS) as writer:
        for table in tables:
            batches = table.combine_chunks().to_batches()
            writer.write_batch(batches[0] if batches else pa.RecordBatch.from_pylist([], schema))
