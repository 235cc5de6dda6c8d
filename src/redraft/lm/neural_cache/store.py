"""Neural caches on disk: a folder with a file per student.

    neural-cache.json               the model it is of, the mixture's numbers, what they were fitted to
    students/STUDENT.safetensors    keys, values, times and titles of a student's traces

In: a model and a dataset. Out: the folder, and what came before a trace of it. The files are students' private data:
only their owner may read them (mode 0600), unless `REDRAFT_UMASK` says otherwise. To forget a student, delete their
file. No weight holds anything of it.

A mixture is fitted for students that the model has met, and one for those it hasn't, who are read with the unknown
student's vector.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from functools import cached_property, lru_cache
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from redraft.config import build
from redraft.data.split import VALIDATION, Split
from redraft.data.store import Dataset
from redraft.data.trace import Trace
from redraft.errors import DatasetError, RedraftError
from redraft.execute.dataset import read_messages
from redraft.lm.checkpoint import Model
from redraft.lm.codec import Verdicts
from redraft.lm.model import StudentIndex
from redraft.lm.neural_cache.fit import Fit, fit
from redraft.lm.neural_cache.mixture import Mixing, Past
from redraft.lm.neural_cache.work import Work, works
from redraft.progress import bar
from redraft.rundir import (
    Kind,
    Output,
    Version,
    atomic_file,
    check_seal,
    make_folder,
    read_record,
    sha256_json,
    write_record,
)
from redraft.rundir.seals import BLANK, seal

SCHEMA_VERSION = 1
"""Version of the folder's format."""
COMMAND, MANIFEST, STUDENTS = "neural-cache", "neural-cache.json", "students"
REMEDY = "Remove the cache, and make it again with `redraft neural-cache`, or copy it anew."
KNOWN, UNKNOWN = "known", "unknown"
"""Students that the model has met, and others."""
AT_ONCE = 256
"""Traces read between two looks at the disk, or a student's, if these are more."""
OPEN = 64
"""Students' files held in memory."""


class Made(NamedTuple):
    """What a cache was made of."""

    students: int
    fits: Mapping[str, Mapping[str, Any]]
    """Of students known and unknown: `Fit`, its mixing written out."""


@dataclass(frozen=True, kw_only=True)
class NeuralCache:
    """A cache on disk. Open one with `open_cache`, make one with `make_cache`."""

    folder: Path
    model: Model
    mixings: Mapping[str, Mixing]
    """Of students known and unknown."""

    @cached_property
    def fingerprint(self) -> str:
        """Of the model, the numbers, and which students' files there are."""
        files = sorted((file.name, file.stat().st_size) for file in (self.folder / STUDENTS).iterdir())
        numbers = {name: asdict(mixing) for name, mixing in self.mixings.items()}
        return sha256_json([self.model.fingerprint, numbers, files])

    def past(self, student: str, title: str, at: datetime | None) -> Past | None:
        """What a student wrote before a trace of this title that began at `at`; None: nothing, or no file."""
        work = _read(student_file(self.folder, student))
        return work.before(title, at, self._mixing(student)) if work else None

    def past_of_pair(self, student: str, title: str) -> Past | None:
        """What a student wrote before they began a title, by the time in the cache."""
        work = _read(student_file(self.folder, student))
        return work.before(title, work.began(title), self._mixing(student)) if work else None

    def _mixing(self, student: str) -> Mixing:
        return self.mixings[KNOWN if student in self.model.students else UNKNOWN]


def student_file(folder: Path, student: str) -> Path:
    """A student's file in a cache; ids that can't be a file's name stand as their hash."""
    plain = re.fullmatch(r"[\w-]{1,128}", student, flags=re.ASCII)
    return folder / STUDENTS / f"{student if plain else sha256_json(student)}.safetensors"


def make_cache(
    model: Model, dataset: Dataset, *, out: Path, split: Split | None, like: NeuralCache | None = None,
    overwrite: bool = False,
) -> Made:  # fmt: skip
    """Fit the mixture, read every student's traces, and write the folder.

    Args:
        model: Reads them.
        dataset: Whose traces.
        out: The folder to write.
        split: The model's; its validation pairs fit the mixture. None: the dataset isn't the model's.
        like: Another cache of the model, whose numbers to use; needed without a split.
        overwrite: Replace another cache at `out`.

    Raises:
        DatasetError: `out` holds something else, or there is nothing to take numbers from.
    """
    if split is None and like is None:
        raise DatasetError(
            "this dataset doesn't have the model's split, so there are no validation traces to fit the mixture to.",
            where=dataset.path,
            remedy="Name a cache of the same model, made from its own dataset, with --like.",
        )
    verdicts = read_messages(dataset) if model.codec.run_id is not None else {}
    numbers = None if like is None else {name: asdict(mixing) for name, mixing in like.mixings.items()}
    request = {
        "schema_version": SCHEMA_VERSION,
        "command": COMMAND,
        "model_fingerprint": model.fingerprint,
        "dataset": dataset.name,
        "dataset_fingerprint": dataset.fingerprint,
        "origin": dataset.origin,
        "split_hash": split.hash if split else None,
        "like": numbers,
    }
    with Output(out, kind=CACHE, request=request, overwrite=overwrite, inputs=[dataset.path]) as output:
        if output.done:
            return _made(out)
        home = output.folder / STUDENTS
        make_folder(home)
        with bar("reading", len(dataset)) as watcher:
            for traces in _by_students(dataset.traces()):
                if not all(student_file(output.folder, trace.student).exists() for trace in traces):
                    for student, work in works(model, traces, split, verdicts=verdicts).items():
                        _write(student_file(output.folder, student), work)
                watcher.advance(len(traces))
        if like is not None:
            fits: dict[str, Any] = {name: {"mixing": mixing} for name, mixing in (numbers or {}).items()}
        else:
            assert split is not None
            fits = {name: _to_json(one) for name, one in fits_of(model, dataset, split, verdicts).items()}
        write_record(output.folder / MANIFEST, {**request, "fits": fits, "students": len([*home.iterdir()])})
        output.publish()
    return _made(out)


def fits_of(model: Model, dataset: Dataset, split: Split, verdicts: Verdicts) -> dict[str, Fit]:
    """The mixture for students the model has met, and for others, as whom the same validation traces are read."""
    validating = [*split.select(dataset.traces(), VALIDATION)]
    wanted = {trace.student for trace in validating}
    traces = [trace for trace in dataset.traces() if trace.student in wanted]
    voices = {KNOWN: model, UNKNOWN: replace(model, students=StudentIndex([]))}
    return {
        name: fit(knowing, validating, works(knowing, traces, split, verdicts=verdicts), verdicts=verdicts)
        for name, knowing in voices.items()
    }


def open_cache(folder: Path, model: Model) -> NeuralCache:
    """Open a model's cache.

    Raises:
        DatasetError: There is none, it can't be read, it is of another model, or of a newer redraft.
    """
    if _made_for(folder) is None:
        raise DatasetError("is not a neural cache.", where=folder, remedy="Make one with `redraft neural-cache`.")
    made = _manifest(folder)
    if made["model_fingerprint"] != model.fingerprint:
        raise DatasetError(
            "was made with another model, whose hidden states say nothing to this one.",
            where=folder,
            remedy="Make one with this model: `redraft neural-cache`.",
        )
    try:
        mixings = {name: build(Mixing, made["fits"][name]["mixing"]) for name in (KNOWN, UNKNOWN)}
    except (LookupError, TypeError, AttributeError, RedraftError) as error:
        raise DatasetError("does not say how much is mixed in.", where=folder / MANIFEST, remedy=REMEDY) from error
    return NeuralCache(folder=folder, model=model, mixings=mixings)


def _made_for(folder: Path) -> dict[str, Any] | None:
    """What a cache was made for; None if there is none."""
    if not (folder / MANIFEST).is_file():
        return None
    found = read_record(folder / MANIFEST, remedy=REMEDY)
    return found if found.get("command") == COMMAND else None


CACHE = Kind(
    name="a neural cache", another="another neural cache", made_for=_made_for, effort=f"result/{STUDENTS}/*.safetensors"
)


def _manifest(folder: Path) -> dict[str, Any]:
    needs = {"model_fingerprint": str, "students": int, "fits": dict[str, dict[str, Any]]}
    version = Version("schema_version", SCHEMA_VERSION)
    return read_record(folder / MANIFEST, remedy=REMEDY, needs=needs, version=version)


def _made(out: Path) -> Made:
    manifest = _manifest(out)
    return Made(manifest["students"], manifest["fits"])


def _to_json(one: Fit) -> dict[str, Any]:
    return {**one._asdict(), "mixing": asdict(one.mixing)}


def _by_students(traces: Iterator[Trace]) -> Iterator[list[Trace]]:
    """All traces of some students together, about `AT_ONCE`."""
    some: list[Trace] = []
    for _, mine in groupby(traces, key=lambda trace: trace.student):
        some += mine
        if len(some) >= AT_ONCE:
            yield some
            some = []
    if some:
        yield some


def _write(file: Path, work: Work) -> None:
    """Write a student's file, which `atomic_file` makes its owner's alone."""
    tensors = {
        "keys": work.keys.contiguous(),
        "values": work.values.to(torch.int32),
        "at": torch.from_numpy(work.at),
        "trace": torch.from_numpy(work.trace),
        "begun": torch.from_numpy(work.begun),
        "trained": torch.from_numpy(work.trained),
    }
    with atomic_file(file) as temporary:
        save_file(tensors, temporary, {"titles": json.dumps(work.titles), "seal": BLANK.decode()})
        seal(temporary)


@lru_cache(OPEN)
def _read_file(file: Path, _changed: int) -> Work:
    try:
        check_seal(file, remedy=REMEDY)
        with safe_open(file, "pt") as opened:
            found = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 it is no mapping
            titles = tuple(json.loads(opened.metadata()["titles"]))
    except (OSError, SafetensorError, KeyError, ValueError, TypeError) as error:
        raise DatasetError("a student's file can't be read.", where=file.parent, remedy=REMEDY) from error
    return Work(
        keys=found["keys"], values=found["values"].long(), at=found["at"].numpy(),
        trace=found["trace"].numpy(), titles=titles, begun=found["begun"].numpy(),
        trained=found["trained"].numpy(),
    )  # fmt: skip


def _read(file: Path) -> Work | None:
    """A student's work; None if there is no file, which may have been deleted a moment ago."""
    try:
        return _read_file(file, file.stat().st_mtime_ns)
    except FileNotFoundError:
        return None
