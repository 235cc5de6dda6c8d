"""Small inputs into datasets, for tests of what is read and what is refused."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from factories import make_key
from redraft.data.identity import keyed_hash
from redraft.data.ingest import IngestOptions, ingest
from redraft.data.sources.pencilcode import PencilCode
from redraft.data.sources.states import Source
from redraft.data.sources.table import Table
from redraft.data.store import Dataset

KEY = b"a key of more than sixteen bytes"


def read(source: Source, tmp_path: Path, out: str = "d", **options: Any) -> Dataset:
    """The dataset of a source."""
    make_key(tmp_path / "key", KEY)
    said = IngestOptions(key=tmp_path / "key", memory="256MB", overwrite=True, **options)
    return ingest(source, tmp_path / out, said)


def table(*paths: Path, **options: Any) -> Table:
    """A table with the usual columns' names."""
    columns = {"student": "student", "title": "title", "code": "code", "time": "time", **options}
    return Table(path=paths, **columns)


def logs(*paths: Path, **options: Any) -> PencilCode:
    """Access logs."""
    return PencilCode(paths=paths, **options)


def line(owner: str = "mira", title: str = "house", code: str = "fd+1", minute: int = 0, uid: str = "u1") -> str:
    """A line of an access log."""
    return (
        f'1.1.1.1 {owner} {uid} [04/Feb/2022:06:{minute:02}:00 +0000] "GET /log/{title}?run&mode=b&lang=cs&code={code} '
        'HTTP/1.1" 200 0 "-" "-"\n'
    )


def codes(dataset: Dataset) -> list[list[str]]:
    """The programs of each trace, in the order of the titles and programs."""
    return sorted([state.code for state in trace.states] for trace in dataset.traces())


def rejected(dataset: Dataset) -> Counter[str]:
    """Rows that aren't used, by reason."""
    return Counter(pq.read_table(dataset.path / "rejected.parquet")["reason"].to_pylist())


def hashed(raw_id: str) -> str:
    """A student's id as datasets have it."""
    return keyed_hash(raw_id, KEY)
