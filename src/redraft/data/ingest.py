"""Logs into a dataset: the part that is alike for every source.

In: a `Source` and where its dataset goes. Out: the dataset, with `rejected.parquet` (file, line, reason: the lines or
rows not used; of each file the first `LISTED` for each reason, further ones are counted) and, if given,
`covariates.parquet` beside the traces, and `verdicts-platform.parquet` if the platform judged programs. A file is the
number of an input, from 1, in the order of the manifest's list, which tells inputs by size and hash: their names may be
students'.
Two passes, both in bounded memory and resumable:

1. Every input is read in pieces; each is parsed, its students' ids hashed, and its states spooled by bucket.
2. Every bucket is sorted by DuckDB (on disk if need be) and gathered into traces: one shard.

An input that is damaged or of another format is rejected as a whole and named; the others make the dataset, and
the command still ends with an error. A file that was found in a folder and is of another format is named as left out,
and is no error. Nothing written depends on the clock, the machine or where a run was killed.
"""

from __future__ import annotations

import shutil
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from redraft.data.companions import read_covariates, write_covariates
from redraft.data.consent import Lists, Matches, read_ids
from redraft.data.duck import Workspace, parse_memory
from redraft.data.gather import ORDER, gather, limited, whole_pairs
from redraft.data.identity import clean_id, key_fingerprint, keyed_hash, load_key
from redraft.data.platform import keeping, told, write_platform
from redraft.data.reasons import MENDABLE, REASONS, in_words, remedy_of_most
from redraft.data.sources.growth import UNPACK_RATIO
from redraft.data.sources.reading import is_packed, left_out
from redraft.data.sources.states import REJECTED, Damaged, Piece, Source, WithColumns, WithCompanions
from redraft.data.spool import LISTED, Spool, Tally, bucket_count
from redraft.data.store import Dataset, DatasetWriter, Origin, open_dataset
from redraft.data.trace import SCHEMA
from redraft.errors import InputError, RedraftError
from redraft.progress import bar, say
from redraft.rundir import read_record, sha256_file, write_record
from redraft.rundir.tables import ROW_GROUP, table_writer

PACKED_RATIO = 12
"""How much a packed log is taken to grow when it is unpacked; only the number of shards follows from it."""
WORKERS = 2
_NAMED = 20
"""Files left out that are named for each reason."""
REJECTED_FILE = "rejected.parquet"

T = TypeVar("T")
_REJECTED_LIST = pa.schema([("file", pa.int64()), ("line", pa.int64()), ("reason", pa.string())])
_LIST_GROUP = 65536
_LISTED_ROWS = """
SELECT * FROM rejected
QUALIFY row_number() OVER (PARTITION BY file, reason ORDER BY row NULLS FIRST) <= $listed
ORDER BY file, row NULLS FIRST, reason
"""


@dataclass(frozen=True, kw_only=True)
class IngestOptions:
    """What every source's command takes."""

    origin: Origin | None = None
    """Who wrote the programs; by default students, and for rollouts a model."""
    key: Path | None = None
    """File with the key of the students' hashes; by default the user's own, made on first use."""
    memory: str = "2GB"
    """About how much memory to work in."""
    unpack_ratio: int = UNPACK_RATIO
    """How many times its size a packed input may grow; one that grows further is rejected as a whole."""
    covariates: Path | None = None
    """CSV or Parquet with a column `student` of raw ids, and others to keep beside the dataset."""
    include_students: Path | None = None
    """Raw ids, one per line: use only these students."""
    exclude_students: Path | None = None
    """Raw ids, one per line: leave these students out."""
    allow_unmatched: bool = False
    """Go on if some ids to exclude match nobody."""
    overwrite: bool = False
    """Replace another dataset at the same place."""


def ingest(source: Source, out: Path, options: IngestOptions | None = None) -> Dataset:
    """Read `source` into a dataset at `out`; goes on where a killed run was.

    Raises:
        InputError: Inputs are missing (before anything starts); or some were rejected as a whole (after the dataset
            of the others is published); or nothing usable is left (then there is no dataset).
        DatasetError: `out` holds something else.
    """
    options = options or IngestOptions()
    files = list(source.inputs())
    _say_left_out(source)
    memory = parse_memory(options.memory)
    key = load_key(options.key)
    covariates = read_covariates(options.covariates) if options.covariates else None
    lists = Lists(
        include=read_ids(options.include_students) if options.include_students else None,
        exclude=read_ids(options.exclude_students) if options.exclude_students else None,
        covariates=covariates.ids if covariates else None,
    )
    origin = options.origin or source.origin
    provenance = _provenance(source, files, options, key) | {"origin": origin}
    with DatasetWriter(out, origin=origin, provenance=provenance, overwrite=options.overwrite, inputs=files) as writer:
        if writer.complete:
            say(f"{out} already holds this dataset.")
            return open_dataset(out)
        job = _Job(source, files, writer, memory, options.unpack_ratio)
        try:
            with closing(job.workspace):
                spool = job.spool(key, lists)
                matches = _matched(lists, spool, writer, key, allow_unmatched=options.allow_unmatched)
                rejected = job.gather(spool, matches)
        except duckdb.OutOfMemoryException as error:
            raise RedraftError("ran out of memory.", where=out, remedy="Give more with --memory.") from error
        except duckdb.IOException as error:
            raise RedraftError(f"working files can't be written or read ({error}).", where=writer.scratch) from error
        _say_rejected(rejected)
        if not job.any_traces:
            writer.discard()
            columns = source.columns_of_reasons if isinstance(source, WithColumns) else {}
            raise InputError(
                " ".join(["nothing usable was found.", *job.complaints, *job.left_out]), where=_named(source),
                remedy=remedy_of_most(rejected, columns) if rejected else "There is no row in it.",
            )  # fmt: skip
        for left in job.left_out:
            say(left)
        if isinstance(source, WithCompanions):

            def allowed(raw_id: str) -> str | None:
                student = keyed_hash(clean_id(raw_id), key)
                return student if matches.allows(student) else None

            source.write_companions(writer.folder, allowed, job.usable, options.unpack_ratio)
        if covariates is not None:
            write_covariates(covariates, matches, writer.folder)
        dataset = writer.finish(rejected=rejected)
    if job.complaints:
        raise InputError(
            " ".join(job.complaints), remedy=f"{out} was made of the other inputs; mend these and ingest again."
        )
    return dataset


class _Job:
    """One ingest between its lock and its manifest."""

    def __init__(
        self, source: Source, files: list[Path], writer: DatasetWriter, memory: int, unpack_ratio: int
    ) -> None:
        self.source, self.files, self.writer = source, files, writer
        self.names = input_names(files)
        text = sum(file.stat().st_size * (PACKED_RATIO if is_packed(file) else 1) for file in files)
        self.buckets = bucket_count(text, memory)
        self.workspace = Workspace(memory, writer.scratch / "overflow", unpack_ratio=unpack_ratio)
        self.complaints: list[str] = []
        self.left_out: list[str] = []
        """Files of folders and archives that are of another format."""
        self.usable: list[Path] = []
        """The inputs that aren't rejected as a whole."""

    @property
    def any_traces(self) -> bool:
        return any(pq.read_metadata(shard).num_rows for shard in self.writer.folder.glob("traces-*.parquet"))

    def spool(self, key: bytes, lists: Lists) -> Spool:
        """The first pass: all inputs, parsed."""
        plan = {"buckets": self.buckets, "block": self.workspace.block_bytes, "listed": LISTED}
        folder = self.writer.scratch / "spool"
        if folder.exists() and not _is_plan(folder / "plan.json", plan):  # begun with another --memory
            for shard in self.writer.folder.glob("traces-*.parquet"):
                shard.unlink()
            shutil.rmtree(folder)  # last: while it is there, a kill in between is noticed
        spool = Spool(folder, buckets=self.buckets, key=key, lists=lists)
        write_record(folder / "plan.json", plan)
        with bar("reading", sum(file.stat().st_size for file in self.files)) as watcher:
            for number in range(len(self.files)):
                for size in self._read(spool, number):
                    watcher.advance(size)
        return spool

    def gather(self, spool: Spool, matches: Matches) -> dict[str, int]:
        """The second pass: all traces; the counts of what was rejected, by reason."""
        refused = matches.refused
        with bar("sorting", self.buckets) as watcher, ThreadPoolExecutor(WORKERS) as workers:
            for _ in _in_order(workers, ((self._shard, (spool, bucket, refused)) for bucket in range(self.buckets))):
                watcher.advance()
        write_platform(self.writer.folder, map(self._said, range(self.buckets)), self.workspace)
        return self._list_rejected(spool)

    def _read(self, spool: Spool, number: int) -> Iterator[int]:
        """Spool one input; yields the bytes done with, and notes what is wrong with it as a whole."""
        outcome = spool.outcome(number)
        if outcome is None:
            outcome = {"wrong": None}
            try:
                listed: Tally = Counter()
                with ThreadPoolExecutor(WORKERS) as workers:
                    for size, counts in _in_order(workers, self._tasks(spool, number, listed)):
                        listed.update(counts)
                        yield size
                if self._of_another_format(spool, number):
                    outcome = {"wrong": self._other_format(spool, number), "other": True}
            except Damaged as error:
                spool.discard(number)
                outcome = {"wrong": str(error), "reason": error.reason}
            spool.close(number, outcome)
        else:
            yield self.files[number].stat().st_size
        if outcome.get("other") and self.files[number] not in _given(self.source):
            self.left_out.append(f"{self.names[number]}: left out: {outcome['wrong']}.")
        elif outcome["wrong"]:
            self.complaints.append(f"{self.names[number]}: {outcome['wrong']}; it is rejected as a whole.")
        else:
            self.usable.append(self.files[number])

    def _tasks(self, spool: Spool, number: int, listed: Tally) -> Iterator[tuple[Any, tuple[Any, ...]]]:
        """A task for each piece of an input; `listed` counts the rejected rows of those that are done, in order."""
        for index, piece in enumerate(self.source.pieces(number, self.files[number], self.workspace)):
            yield _spool_piece, (spool, number, index, piece, dict(listed))

    def _of_another_format(self, spool: Spool, number: int) -> bool:
        reasons = {reason for _, reason in spool.tally(number)}
        return bool(reasons) and reasons <= self.source.formless and not spool.count(number)

    def _other_format(self, spool: Spool, number: int) -> str:
        reasons = sorted({in_words(reason) for _, reason in spool.tally(number)})
        return f"it is not of the format ({self.source.name}): each line is {' or '.join(reasons)}"

    def _shard(self, spool: Spool, bucket: int, refused: Sequence[str]) -> None:
        """Sort one bucket and write its traces; what was dropped on the way is noted first."""
        if self.writer.has_shard(bucket):
            return
        labels = [self.source.label(file) for file in self.files]
        dropped = [spool.refused(bucket, refused)]
        with self.workspace.cursor() as duck:
            duck.register("bucket", spool.reader(bucket, refused))
            ordered = duck.sql(f"SELECT * FROM bucket ORDER BY {ORDER}").to_arrow_reader(batch_size=ROW_GROUP)
            place = bucket << 40
            with table_writer(self.writer.shard_path(bucket), SCHEMA) as shard:
                with keeping(self._said(bucket)) as said:
                    for states in whole_pairs(limited(ordered, dropped)):
                        traces, gone = gather(states, labels, whole_drafts=self.source.whole_drafts)
                        shard.write_table(traces, row_group_size=ROW_GROUP)
                        dropped.append(gone)
                        said.append(told(states, place))
                        place += states.num_rows
                spool.write_dropped(bucket, dropped)

    def _said(self, bucket: int) -> Path:
        """Where what the platform said of a bucket's programs is kept until all are there; goes with the spool."""
        return self.writer.scratch / "spool" / f"said-{bucket:06d}.arrow"

    def _list_rejected(self, spool: Spool) -> dict[str, int]:
        """Write the list of rejected rows in order, as many as are listed; the counts of all, by reason."""
        reasons = {number: (spool.outcome(number) or {}).get("reason") for number in range(len(self.files))}
        whole = pa.Table.from_pylist([{"file": n, "reason": why} for n, why in reasons.items() if why], REJECTED)
        rows = pa.RecordBatchReader.from_batches(REJECTED, (*whole.to_batches(), *spool.rejected()))
        counts = Counter(why for why in reasons.values() if why)
        for (_, reason), count in spool.tally().items():
            counts[reason] += count
        with self.workspace.cursor() as duck:
            duck.register("rejected", rows)
            ordered = duck.sql(_LISTED_ROWS, params={"listed": LISTED})
            with table_writer(self.writer.folder / REJECTED_FILE, _REJECTED_LIST) as file:
                for batch in ordered.to_arrow_reader(batch_size=_LIST_GROUP):
                    columns = [pc.add(batch["file"].cast(pa.int64()), 1), batch["row"], batch["reason"]]
                    file.write_batch(pa.record_batch(columns, schema=_REJECTED_LIST))
        return dict(sorted(counts.items()))


def _spool_piece(
    spool: Spool, number: int, index: int, piece: Piece, listed: Mapping[tuple[int, str], int]
) -> tuple[int, Tally]:
    """Parse and write a piece that isn't there yet; its bytes, and how many of its rows are rejected and why."""
    if not spool.has(number, index):
        spool.write(number, index, piece.parse(), listed)
    return piece.size, spool.tally(number, index)


def _in_order(workers: ThreadPoolExecutor, tasks: Iterable[tuple[Callable[..., T], tuple[Any, ...]]]) -> Iterator[T]:
    """The tasks' results in their order; few wait at a time, so that memory stays bounded."""
    waiting: deque[Future[T]] = deque()
    for function, arguments in tasks:
        waiting.append(workers.submit(function, *arguments))
        if len(waiting) > WORKERS:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def input_names(files: Sequence[Path]) -> list[str]:
    """A name for each input that tells it from the others, with as few of its folders as that takes, and no more.

    For messages alone: names of files and folders may be students'. What is written says an input's number.
    """
    depth = 1
    while depth < 32 and len({file.resolve().parts[-depth:] for file in files}) < len({f.resolve() for f in files}):
        depth += 1
    return [str(Path(*file.resolve().parts[-depth:])) for file in files]


def _given(source: Source) -> list[Path]:
    """What the user named as inputs."""
    given = getattr(source, fields(source)[0].name)  # type: ignore[arg-type]  # a dataclass, which the protocol can't say
    return [given] if isinstance(given, Path) else list(given)


def _named(source: Source) -> str:
    return ", ".join(map(str, _given(source)))


def _say_left_out(source: Source) -> None:
    """Name what folders and archives hold that isn't read."""
    by_reason: dict[str, list[str]] = {}
    for name, why in left_out([path for path in _given(source) if path.exists()]):
        by_reason.setdefault(why, []).append(name)
    for why, names in by_reason.items():
        shown = ", ".join(names[:_NAMED])
        more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
        say(f"left out: {shown}{more}: {why}.")


def _matched(lists: Lists, spool: Spool, writer: DatasetWriter, key: bytes, *, allow_unmatched: bool) -> Matches:
    """Whom the lists mean; if they can't be followed, nothing is kept, as with other lists all is read anew."""
    try:
        return lists.match(spool.seen(), key, allow_unmatched=allow_unmatched)
    except InputError:
        writer.discard()
        raise


def _provenance(source: Source, files: Sequence[Path], options: IngestOptions, key: bytes) -> dict[str, Any]:
    """Command, options and inputs. Lists of raw ids are named by a keyed hash: a plain one could be guessed."""
    lists = {
        name: keyed_hash(sha256_file(path), key)
        for name in ("covariates", "include_students", "exclude_students")
        if (path := getattr(options, name)) is not None
    }
    ratio = {"unpack_ratio": options.unpack_ratio} if options.unpack_ratio != UNPACK_RATIO else {}
    with ThreadPoolExecutor(WORKERS) as workers:
        digests = workers.map(_digest, files)
        source.warm_up()
    inputs = [{"size": file.stat().st_size, "sha256": digest} for file, digest in zip(files, digests, strict=True)]
    return {
        "command": f"ingest {source.name}",
        "options": {**source.options(), **lists, **ratio},
        "inputs": inputs,
        "key": key_fingerprint(key),
    }


def _digest(file: Path) -> str | None:
    try:
        return sha256_file(file)
    except OSError:  # reported, and counted, when it is read
        return None


def _is_plan(file: Path, plan: Mapping[str, Any]) -> bool:
    return file.exists() and read_record(file, remedy=f"Remove {file.parent}, and start the command again.") == plan


def _say_rejected(rejected: Mapping[str, int]) -> None:
    if rejected:
        say("not used:")
        for reason, count in sorted(rejected.items(), key=lambda item: (-item[1], item[0])):
            words = f" ({in_words(reason)})" if reason in REASONS else ""
            say(f"{count:>12,}  {reason}{words}")
        if mendable := {reason: count for reason, count in rejected.items() if reason in MENDABLE}:
            say(REASONS[max(mendable, key=lambda reason: mendable[reason])][1])
