"""Datasets on disk: a folder of `traces-*.parquet`, a manifest, and what stands beside them.

`open_dataset(path)` reads one; `DatasetWriter` builds one as `redraft.rundir.output` says, so a folder called OUT is
always whole. Shards already written survive a kill and are not written again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, get_type_hints

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset
import pyarrow.parquet as pq

from redraft.data.trace import SCHEMA, SCHEMA_VERSION, Trace, from_batch, to_table
from redraft.errors import DatasetError
from redraft.rundir import (
    Kind,
    Output,
    Version,
    check_files,
    check_seal,
    hashes_of,
    is_unfinished,
    other_level,
    read_json,
    read_record,
    refuse_links_out,
    sweep,
    write_record,
)
from redraft.rundir.tables import ROW_GROUP, read_table, readable, write_table

Origin = Literal["students", "model", "simulated"]

MANIFEST = "manifest.json"
_HASH = re.compile("[0-9a-f]{64}")
SIMULATION_NOTE = "simulation.json"
"""Stands beside raw logs that a simulation wrote, so that no one takes them for students'."""
REMEDY = "Remove the dataset, and make it again with the command that made it, or copy it anew."


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a dataset says of itself."""

    schema_version: int
    """Version of the folder's format; an older one stays loadable."""
    origin: Origin
    """Who wrote the programs: real students, a model, or a simulation."""
    traces: int
    """Number of traces."""
    states: int
    """Number of states in them."""
    students: int
    """Number of distinct students."""
    titles: int
    """Number of distinct titles."""
    rejected: dict[str, int] = field(default_factory=dict)
    """Input not used: reason -> count."""
    files: dict[str, str] = field(default_factory=dict)
    """File name -> SHA-256 of its bytes."""
    provenance: dict[str, Any] = field(default_factory=dict)
    """The command, its options and its inputs."""


class Dataset:
    """A whole dataset. Cheap to open; rows are read when asked for."""

    def __init__(self, path: Path, manifest: Manifest) -> None:
        self.path, self.manifest = path, manifest

    def __repr__(self) -> str:
        m = self.manifest
        counts = f"{m.traces} traces, {m.students} students, {m.titles} titles"
        return f"Dataset({str(self.path)!r}, {m.origin}: {counts})"

    def __len__(self) -> int:
        return self.manifest.traces

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.path.name

    @property
    def origin(self) -> Origin:
        """Who wrote the programs; belongs on every figure."""
        return self.manifest.origin

    @cached_property
    def fingerprint(self) -> str:
        """A hash of the traces' files: two datasets with the same fingerprint hold the same traces."""
        import hashlib

        listed = sorted(item for item in self.manifest.files.items() if item[0].startswith("traces-"))
        return hashlib.sha256(json.dumps(listed).encode()).hexdigest()

    @property
    def shards(self) -> list[Path]:
        """The Parquet files of traces, in order of student."""
        return [self.path / name for name in sorted(self.manifest.files) if name.startswith("traces-")]

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """Record batches of at most 4,096 traces, in order; `columns` limits what is read."""
        for shard in self.shards:
            self.check(shard)
            with readable(shard, remedy=REMEDY), pq.ParquetFile(shard) as file:
                yield from file.iter_batches(batch_size=ROW_GROUP, columns=list(columns) if columns else None)

    def traces(self) -> Iterator[Trace]:
        """All traces, in order of (student, title, request, sample)."""
        for batch in self.batches():
            yield from from_batch(batch)

    def to_arrow(self, columns: Sequence[str] | None = None) -> pa.Table:
        """The whole dataset as one Arrow table (in memory)."""
        wanted = [SCHEMA.field(name) for name in columns] if columns else list(SCHEMA)
        return pa.Table.from_batches(self.batches(columns or SCHEMA.names), schema=pa.schema(wanted))

    def pairs(self) -> pa.Table:
        """Distinct (student, title), sorted: columns student, title."""
        table = self.to_arrow(["student", "title"])
        distinct = table.group_by(["student", "title"]).aggregate([])
        return distinct.sort_by([("student", "ascending"), ("title", "ascending")])

    def covariates(self) -> pa.Table | None:
        """What is known of the students beside their traces: column student and others; None if nothing is."""
        file = self.path / "covariates.parquet"
        if not file.exists():
            return None
        self.check(file)
        return read_table(file, remedy=REMEDY)

    def check(self, *files: Path) -> None:
        """Refuse files of this dataset that aren't what they were when it was made. Whoever reads one calls this first.

        Each is hashed once per process. What the manifest doesn't list, such as verdicts, came later and has a seal.

        Raises:
            DatasetError: One was changed or damaged, isn't there, or can't be read.
        """
        listed = {file.name: self.manifest.files[file.name] for file in files if file.name in self.manifest.files}
        check_files(self.path, listed, remedy=REMEDY)

    def verify(self) -> None:
        """Check every file that the manifest lists.

        Raises:
            DatasetError: One is missing or not what the manifest says.
        """
        self.check(*(self.path / name for name in self.manifest.files))


def open_dataset(path: str | Path) -> Dataset:
    """Open a dataset folder.

    Raises:
        DatasetError: There is none at `path`, it is unfinished, or it was made by a newer redraft.
    """
    path = Path(path)
    file = path / MANIFEST
    if not file.exists():
        if is_unfinished(path):
            raise DatasetError(
                "this dataset is unfinished.", where=path, remedy="Start the command that makes it again; it goes on."
            )
        cause = "is not a dataset (it has no manifest.json)." if path.exists() else "no such dataset."
        make = "Make one with `redraft ingest` or `redraft simulate`."
        raise DatasetError(cause, where=path, remedy=other_level(path, MANIFEST) or make)
    refuse_links_out(path)
    needs, version = get_type_hints(Manifest), Version("schema_version", SCHEMA_VERSION)
    raw = read_record(file, remedy=REMEDY, needs=needs, version=version)
    if unknown := raw.keys() - needs.keys():
        raise DatasetError(f"has {len(unknown)} keys that no dataset has.", where=file, remedy=REMEDY)
    manifest = Manifest(**raw)
    names = manifest.files
    if min(manifest.traces, manifest.states, manifest.students, manifest.titles, *manifest.rejected.values()) < 0:
        raise DatasetError("counts fewer than none.", where=file, remedy=REMEDY)
    if not all(_HASH.fullmatch(digest) and Path(name).name == name != ".." for name, digest in names.items()):
        raise DatasetError("lists files in a way that none is listed.", where=file, remedy=REMEDY)
    if not any(name.startswith("traces-") for name in names):
        raise DatasetError("lists no files of traces.", where=file, remedy=REMEDY)
    if missing := [name for name in names if not (path / name).exists()]:
        raise DatasetError(f"files are missing: {', '.join(missing)}.", where=path, remedy=REMEDY)
    return Dataset(path, manifest)


def _made_for(folder: Path) -> dict[str, Any] | None:
    """What a dataset's folder was made for; None if there is no dataset's manifest."""
    if not (folder / MANIFEST).is_file():
        return None
    if not {"schema_version", "origin", "files"} <= read_json(folder / MANIFEST, remedy=REMEDY).keys():
        return None
    provenance = open_dataset(folder).manifest.provenance
    inputs = provenance.get("inputs")
    if isinstance(inputs, list):  # until version 0.2 they had names too
        inputs = [{k: v for k, v in one.items() if k != "name"} if isinstance(one, dict) else one for one in inputs]
        provenance = {**provenance, "inputs": inputs}
    return {"provenance": provenance}


DATASET = Kind(name="a dataset", another="another dataset", made_for=_made_for, effort="*/*")


class DatasetWriter:
    """Builds a dataset, resumably.

    Use as a context manager. A dataset begun for the same request is continued, one of another request is refused; if
    OUT is whole and of the same request, `complete` is True and nothing needs to be done.

    What stands in `folder` is published, beside the shards too. What a command needs until then goes into `scratch`.

    Args:
        out: The dataset's folder.
        origin: Who wrote the programs.
        provenance: Command, options and inputs, JSON values without times or secrets; it is also the request.
        overwrite: Replace another dataset at `out`.
        inputs: What the command reads; `out` may be none of it.

    Raises:
        DatasetError: `out` holds something else, or another process is writing it.
    """

    def __init__(
        self, out: str | Path, *, origin: Origin, provenance: Mapping[str, Any], overwrite: bool = False,
        inputs: Iterable[Path] = (),
    ) -> None:  # fmt: skip
        self.out, self.origin, self.provenance = Path(out), origin, dict(provenance)
        self._output = Output(
            self.out, kind=DATASET, request={"provenance": self.provenance}, overwrite=overwrite, inputs=inputs
        )
        self.folder, self.scratch = self._output.folder, self._output.scratch

    @property
    def complete(self) -> bool:
        """Whether OUT is there, whole, and of this request."""
        return self._output.done

    def __enter__(self) -> DatasetWriter:
        """Lock, and find out what is already there."""
        self._output.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Unlock; what is written stays for the next attempt."""
        self._output.__exit__(kind, error, trace)

    def discard(self) -> None:
        """Remove all that was written; OUT stays as it was."""
        self._output.discard()

    def shard_path(self, index: int) -> Path:
        """Where shard `index` goes."""
        return self.folder / f"traces-{index:05d}.parquet"

    def has_shard(self, index: int) -> bool:
        """Whether shard `index` is already written, whole.

        Raises:
            DatasetError: It was changed or damaged since.
        """
        shard = self.shard_path(index)
        if there := shard.exists():
            check_seal(shard, remedy="Remove it, and start the command again.")
        return there

    def write_shard(self, index: int, traces: Iterable[Trace] | pa.Table) -> None:
        """Write a shard atomically; the caller orders its traces by (student, title, request, sample)."""
        table = traces if isinstance(traces, pa.Table) else to_table(traces)
        write_table(table, self.shard_path(index))

    def finish(self, *, rejected: Mapping[str, int] | None = None) -> Dataset:
        """Count and hash what is there, write the manifest, publish the folder."""
        sweep(self.folder, everything=True)
        write_record(self.folder / MANIFEST, asdict(self._manifest(dict(rejected or {}))))
        self._output.publish()
        return open_dataset(self.out)

    def _manifest(self, rejected: dict[str, int]) -> Manifest:
        names = [path.name for path in self.folder.iterdir() if path.is_file() and path.name != MANIFEST]
        shards = sorted(self.folder.glob("traces-*.parquet"))
        traces = states = students = 0
        titles: set[str] = set()
        student: str | None = None
        for shard in shards:
            with pq.ParquetFile(shard) as file:
                # One small field of the states is enough to count them.
                for batch in file.iter_batches(columns=["student", "title", "states.list.element.truncated"]):
                    traces += batch.num_rows
                    states += pc.sum(pc.list_value_length(batch["states"])).as_py() or 0
                    titles.update(pc.unique(batch["title"]).to_pylist())
                    # Traces are in order of student: there may be too many to hold in memory.
                    found = pc.unique(batch["student"])
                    students += len(found) - (found[0].as_py() == student)
                    student = found[-1].as_py()
        return Manifest(
            schema_version=SCHEMA_VERSION,
            origin=self.origin,
            traces=traces,
            states=states,
            students=students,
            titles=len(titles),
            rejected=rejected,
            files=hashes_of(self.folder, names),
            provenance=self.provenance,
        )
