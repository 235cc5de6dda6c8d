"""Where the texts come from that the released definitions are computed on.

In: a dataset, or rollout files. Out: `Part`s, each of which yields its texts and can be sent to another process. A
dataset made of rollouts keeps their texts (`data.sources.rollouts`), and those are used: the released code's reading of
a text needs what a dataset's states leave out. Of other datasets the texts are written anew from the states.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from redraft.data.sources.reading import expand
from redraft.data.sources.rollouts import TEXTS_FILE, file_label, file_records
from redraft.data.sources.states import Damaged
from redraft.data.store import REMEDY, Dataset
from redraft.data.trace import from_batch
from redraft.errors import InputError
from redraft.metrics.released.reading import write
from redraft.rundir.tables import readable

_NAMED = 20
"""Records that a message names at most."""


class Text(NamedTuple):
    """One text to measure."""

    file: str
    """The collection it belongs to."""
    idx: int | None
    """Its place in that, from 0; None: the next one."""
    username: str
    """Whose it is."""
    title: str
    """Its title."""
    text: str
    """The text."""


class Part(Protocol):
    """Some of the texts."""

    def texts(self) -> Iterator[Text]:
        """Them, in order."""


class RolloutFile(NamedTuple):
    """A file of rollouts, usernames as they stand in it."""

    file: Path

    def texts(self) -> Iterator[Text]:
        """Its records.

        Raises:
            InputError: It is no such file, or some records are no [text, student, title].
        """
        remedy = "Give files of rollouts, or a dataset's folder."
        try:
            bad = [str(number) for number, _, wrong in file_records(self.file) if wrong]
        except Damaged as error:
            raise InputError(f"can't be used: {error}.", where=self.file, remedy=remedy) from error
        if bad:
            named = ", ".join(bad[:_NAMED]) + (", ..." if len(bad) > _NAMED else "")
            raise InputError(f"no [text, student, title]: records {named}.", where=self.file, remedy=remedy)
        for number, (text, username, title), _ in file_records(self.file):
            yield Text(file_label(self.file), number - 1, username, title, text)


class KeptTexts(NamedTuple):
    """A row group of the texts that a dataset keeps; usernames are keyed hashes."""

    file: Path
    group: int

    def texts(self) -> Iterator[Text]:
        """Its rows."""
        for row in _row_group(self.file, self.group).to_pylist():
            yield Text(row["file"], row["idx"], row["student"], row["title"], row["text"])


class Traces(NamedTuple):
    """A row group of a dataset's traces; the file is their source."""

    shard: Path
    group: int

    def texts(self) -> Iterator[Text]:
        """Their texts, written anew."""
        for trace in from_batch(_row_group(self.shard, self.group)):
            yield Text(trace.source, None, trace.student, trace.title, write(trace.states, ended=trace.ended))


def parts_of(data: Dataset | Path) -> list[Part]:
    """All texts of a dataset, of a rollout file, or of a folder of such files (sorted).

    Raises:
        InputError: There are no such files.
        DatasetError: The dataset can't be read.
    """
    if isinstance(data, Path):
        return [RolloutFile(file) for file in expand([data])]
    kept = data.path / TEXTS_FILE
    if kept.exists():
        data.check(kept)
        return [KeptTexts(kept, group) for group in range(_row_groups(kept))]
    data.check(*data.shards)
    return [Traces(shard, group) for shard in data.shards for group in range(_row_groups(shard))]


def _row_groups(file: Path) -> int:
    with readable(file, remedy=REMEDY):
        return int(pq.read_metadata(file).num_row_groups)


def _row_group(file: Path, group: int) -> pa.Table:
    with readable(file, remedy=REMEDY), pq.ParquetFile(file) as opened:
        return opened.read_row_group(group)
