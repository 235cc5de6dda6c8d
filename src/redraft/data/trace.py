"""What a trace is: the drafts of one program by one student, and the Arrow schema they are stored in.

In: nothing. Out: `State`, `Trace`, `SCHEMA`, and the conversion between the two. Order and collapse of states are
the sources' business; a `Trace` holds whatever it was given.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import pyarrow as pa

SCHEMA_VERSION = 1

STATE_TYPE = pa.struct(
    [
        pa.field("at", pa.timestamp("us", tz="UTC")),
        pa.field("code", pa.string(), nullable=False),
        pa.field("language", pa.string()),
        pa.field("mode", pa.string()),
        pa.field("truncated", pa.bool_(), nullable=False),
        pa.field("score", pa.float64()),
    ]
)
SCHEMA = pa.schema(
    [
        pa.field("student", pa.string(), nullable=False),
        pa.field("title", pa.string(), nullable=False),
        pa.field("sample", pa.int32(), nullable=False),
        pa.field("request", pa.string()),
        pa.field("ended", pa.bool_(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("states", pa.list_(STATE_TYPE), nullable=False),
    ]
)


class Pair(NamedTuple):
    """One student's work on one title: the unit that splits and statistics count."""

    student: str
    title: str


@dataclass(frozen=True, kw_only=True, slots=True)
class State:
    """A program as it was when the student ran (saved, submitted) it."""

    code: str
    """The program's text; white space at its end is dropped by the sources."""
    at: datetime | None = None
    """When, in UTC; None if the source has no times."""
    language: str | None = None
    """The language the platform recorded: coffeescript, javascript, python, java ..."""
    mode: str | None = None
    """The editor's mode: `b` blocks, `t` text."""
    truncated: bool = False
    """The platform cut the program off (Pencil Code: at 1,024 UTF-16 units)."""
    score: float | None = None
    """The platform's own grade, 0 to 1."""

    @property
    def id(self) -> str:
        """The program's id: SHA-256 of language, NUL and code. Verdicts are joined by it."""
        return program_id(self.code, self.language)


@dataclass(frozen=True, kw_only=True, slots=True)
class Trace:
    """All states of one (student, title), in order; for generated traces, of one sample."""

    student: str
    """Keyed hash of the student's id."""
    title: str
    """The program's title: on Pencil Code, the assignment as the student named it."""
    states: tuple[State, ...]
    """At least one; none of a sample that holds no whole program, which counts all the same."""
    source: str
    """Where it comes from: a source's name, or the model's."""
    sample: int = 0
    """Number of this sample of the pair; 0 for a real trace."""
    request: str | None = None
    """Which request made it (generated traces), null for real ones."""
    ended: bool = True
    """Whether a generated trace reached its end; True for real ones."""

    @property
    def pair(self) -> Pair:
        """(student, title)."""
        return Pair(self.student, self.title)

    @property
    def final(self) -> State:
        """The last state: the student's goal, as far as the log tells; an empty program of a trace without states."""
        return self.states[-1] if self.states else State(code="")


def program_id(code: str, language: str | None) -> str:
    """SHA-256 of `language` + NUL + `code`, as hex."""
    return hashlib.sha256(f"{language or ''}\0{code}".encode()).hexdigest()


def to_table(traces: Iterable[Trace]) -> pa.Table:
    """Traces as an Arrow table with `SCHEMA`."""
    return pa.Table.from_pylist([_row(trace) for trace in traces], schema=SCHEMA)


def from_batch(batch: pa.RecordBatch | pa.Table) -> Iterator[Trace]:
    """The traces of a batch with (at least) the columns of `SCHEMA`."""
    for row in batch.select(SCHEMA.names).to_pylist():
        row["states"] = tuple(State(**state) for state in row["states"])
        yield Trace(**row)


def _row(trace: Trace) -> dict[str, Any]:
    states = [
        {
            "at": state.at,
            "code": state.code,
            "language": state.language,
            "mode": state.mode,
            "truncated": state.truncated,
            "score": state.score,
        }
        for state in trace.states
    ]
    return {
        "student": trace.student,
        "title": trace.title,
        "sample": trace.sample,
        "request": trace.request,
        "ended": trace.ended,
        "source": trace.source,
        "states": states,
    }
