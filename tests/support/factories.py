"""Small traces and datasets for tests."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from redraft.data.store import Dataset, DatasetWriter, Origin
from redraft.data.trace import Pair, State, Trace
from redraft.metrics.programs import Programs, read_programs


def make_trace(
    codes: Sequence[str],
    student: str = "s1",
    title: str = "square",
    start: datetime = datetime(2020, 1, 1, 9, 0, 0, tzinfo=UTC),
    gap: float = 30,
    language: str | None = "coffeescript",
) -> Trace:
    """A trace of `codes`, `gap` seconds apart."""
    states = tuple(
        State(code=code, at=start + timedelta(seconds=gap * i), language=language, mode="t")
        for i, code in enumerate(codes)
    )
    return Trace(student=student, title=title, states=states, source="test")


def make_dataset(path: Path, traces: Iterable[Trace], origin: Origin = "students") -> Dataset:
    """A dataset of one shard."""
    ordered = sorted(traces, key=lambda t: (t.student, t.title, t.request or "", t.sample))
    with DatasetWriter(path, origin=origin, provenance={"test": path.name}) as writer:
        if not writer.complete:
            writer.write_shard(0, ordered)
        return writer.finish()


def make_key(path: Path, key: bytes) -> None:
    """A file with a key, closed to others."""
    path.touch(mode=0o600)
    path.write_bytes(key)


def programs_of(dataset: Dataset) -> Programs:
    """All programs of a dataset."""
    pairs = [Pair(*row.values()) for row in dataset.pairs().to_pylist()]
    return read_programs(dataset, pairs, {pair.title for pair in pairs})
