"""What every source hands on: raw states, and the rows it could not use.

In: nothing. Out: the two Arrow schemas, `Part`, and the `Source` protocol that the log formats follow.
A source reads, classifies and decodes; it neither sorts, collapses nor hashes: `redraft.data.ingest` does that
for all of them alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

import pyarrow as pa

from redraft.data.duck import Workspace
from redraft.data.store import Origin
from redraft.data.verdicts import ERRORS

RAW_STATES = pa.schema(
    [
        pa.field("file", pa.int32()),  # the input's number
        pa.field("row", pa.int64()),  # line, row or record in it, from 1
        pa.field("student", pa.string()),  # the raw id: hashed before anything is written
        pa.field("title", pa.string()),
        pa.field("trace", pa.int64()),  # tells apart several traces of one (student, title): generated ones
        pa.field("rank", pa.float64()),  # states of a trace are ordered by rank, tie, file, row
        pa.field("tie", pa.float64()),
        pa.field("at", pa.timestamp("us")),  # in UTC
        pa.field("code", pa.string()),
        pa.field("language", pa.string()),
        pa.field("mode", pa.string()),
        pa.field("truncated", pa.bool_()),
        pa.field("score", pa.float64()),
        pa.field("verdict", pa.string()),  # what the platform said of it: `redraft.data.platform`
        pa.field("judged", pa.string()),  # ... and of what: compiled, ran, tested
        pa.field("errors", ERRORS),  # ... and what it said went wrong
        pa.field("ended", pa.bool_()),
    ]
)
REJECTED = pa.schema([("file", pa.int32()), ("row", pa.int64()), ("reason", pa.string())])

TRUNCATED_AT = 1024
"""UTF-16 units of a program that Pencil Code's editor sends at most."""

WHITE_SPACE = "".join(chr(point) for point in range(0x3001) if chr(point).isspace())
"""What `str.rstrip` drops; given to Arrow, so that both agree on every character."""


class Part(NamedTuple):
    """What one stretch of an input holds."""

    states: pa.Table
    """`RAW_STATES`."""
    rejected: pa.Table
    """`REJECTED`: what is not used, and why; a state may be listed that is used (a generated header's bad date)."""


class Piece(NamedTuple):
    """A stretch of an input that is read but not yet parsed; what is already done need not be parsed again."""

    size: int
    """Bytes of the input it took, for the progress bar."""
    parse: Callable[[], Part]


class Damaged(Exception):  # noqa: N818  (raised while reading an input; never leaves redraft.data)
    """An input that can't be read to its end, or holds nothing of the format; the message says what is wrong."""

    def __init__(self, reason: str, message: str) -> None:
        self.reason = reason
        super().__init__(message)


class Source(Protocol):
    """One log format: a frozen dataclass. Its first field is what to read, the others are its command's options."""

    @property
    def name(self) -> str:
        """The format's name: the command's, and the start of every trace's `source`."""

    @property
    def whole_drafts(self) -> bool:
        """True if states are kept as they stand: nothing collapsed, no empty program dropped."""

    @property
    def formless(self) -> frozenset[str]:
        """Reasons that say a row isn't of the format at all: a file with no others is of another format."""

    @property
    def origin(self) -> Origin:
        """Who wrote such programs, unless the user knows better."""

    def inputs(self) -> Sequence[Path]:
        """The files to read, in the order that breaks equal times; errors about them all together."""

    def options(self) -> Mapping[str, Any]:
        """The options that shape the output, as JSON values: part of the dataset's provenance."""

    def warm_up(self) -> None:
        """Load what parsing needs: called while the inputs are hashed."""

    def label(self, file: Path) -> str:
        """A trace's `source` column for states of `file`."""

    def pieces(self, number: int, file: Path, work: Workspace) -> Iterator[Piece]:
        """Read input `number`, in stretches that depend on the file and on `work.block_bytes` alone.

        Raises:
            Damaged: The file is to be rejected as a whole.
        """


@runtime_checkable
class WithColumns(Protocol):
    """A source of columns that the user named."""

    @property
    def columns_of_reasons(self) -> Mapping[str, str | None]:
        """Reason -> the column that it is about."""


@runtime_checkable
class WithCompanions(Protocol):
    """A source that keeps more than states."""

    def write_companions(
        self, folder: Path, hashed: Callable[[str], str | None], files: Sequence[Path], unpack_ratio: int
    ) -> None:
        """Write files beside the traces.

        Args:
            folder: The dataset's.
            hashed: A student's hash by raw id; None for one whose data may not be used.
            files: The inputs that aren't rejected as a whole.
            unpack_ratio: How many times its size each of them may grow.
        """


def rejected(number: int, rows: Sequence[int] | pa.Array, reasons: Sequence[str] | pa.Array) -> pa.Table:
    """A `REJECTED` table for one input."""
    files = pa.repeat(pa.scalar(number, pa.int32()), len(rows))
    return pa.table({"file": files, "row": rows, "reason": reasons}, schema=REJECTED)


def column(table: pa.Table, name: str) -> pa.Array:
    """A column in one piece."""
    chunks = table[name].chunks
    return pa.concat_arrays(chunks) if chunks else pa.array([], table.schema.field(name).type)
