"""Any table of programs: a CSV or Parquet file with a row per draft.

In: the file, and which of its columns hold student, title and code, and perhaps the time (ISO 8601; without a zone
UTC) or an order (numbers). Out: raw states. Traces are ordered by `order` if given, else by time, else as the rows
stand. Without times a state's `at` is null and metrics of time are unscored. Rows not used, first reason that
holds: malformed, not_utf8, no_student, no_title, bad_time, bad_order, no_code (Parquet null; an empty text is an
empty program).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa

from redraft.data.duck import Workspace, in_batches
from redraft.data.sources.reading import expand
from redraft.data.sources.rows import Rows, moments, read_rows, require_columns, to_part
from redraft.data.sources.states import Part, Piece
from redraft.data.store import Origin

_STATES = """
SELECT row, student, title, micros, code,
    CASE WHEN $by_order THEN TRY_CAST("order" AS DOUBLE) ELSE coalesce(micros, 0)::DOUBLE END AS rank,
    0.0 AS tie, $language::VARCHAR AS language, NULL::VARCHAR AS mode, false AS truncated, NULL::DOUBLE AS score,
    CASE WHEN coalesce(student, '') = '' THEN 'no_student'
        WHEN coalesce(title, '') = '' THEN 'no_title'
        WHEN $timed AND micros IS NULL THEN 'bad_time'
        WHEN rank IS NULL OR isnan(rank) THEN 'bad_order'
        WHEN code IS NULL THEN 'no_code'
    END AS reason
FROM draft LEFT JOIN moments ON moments.text = draft.time
"""


@dataclass(frozen=True, kw_only=True)
class Table:
    """Read any CSV or Parquet file with a row per draft.

    Example: redraft ingest table drafts.csv --out drafts.dataset --student id --title task --code text --time when
    """

    path: Path
    """CSV with a header, or Parquet."""
    student: str
    """The column of student ids."""
    title: str
    """The column of titles: what was to be written."""
    code: str
    """The column of programs."""
    time: str | None = None
    """The column of times (ISO 8601; without a zone UTC). Without it metrics of time are unscored."""
    order: str | None = None
    """The column of numbers that order a trace; without it the times do, or the rows as they stand."""
    language: str | None = None
    """The language of all programs."""

    name = "table"
    origin: ClassVar[Origin] = "students"
    whole_drafts = False
    formless = frozenset({"malformed", "not_utf8"})

    def inputs(self) -> Sequence[Path]:
        """The file, its columns checked."""
        files = expand([self.path])
        require_columns(self.path, self._columns)
        return files

    def options(self) -> Mapping[str, Any]:
        """The columns and the language."""
        return {**self._roles, "language": self.language}

    def warm_up(self) -> None:
        """Nothing to load."""

    def label(self, file: Path) -> str:
        """The same for all files."""
        return self.name

    def pieces(self, number: int, file: Path, work: Workspace) -> Iterator[Piece]:
        """Batches of rows."""
        for rows in read_rows(file, self._columns, work):
            yield Piece(rows.size, partial(self._parse, number, rows, work))

    @property
    def _roles(self) -> dict[str, str | None]:
        return {name: getattr(self, name) for name in ("student", "title", "code", "time", "order")}

    @property
    def _columns(self) -> list[str]:
        return [column for column in self._roles.values() if column is not None]

    def _parse(self, number: int, rows: Rows, work: Workspace) -> Part:
        nothing = pa.nulls(rows.table.num_rows, pa.string())
        roles = {role: nothing if column is None else rows.table[column] for role, column in self._roles.items()}
        values = {"language": self.language, "timed": self.time is not None, "by_order": self.order is not None}
        with work.cursor() as duck:
            duck.register("draft", in_batches(pa.table({"row": rows.table["row"], **roles})))
            duck.register("moments", moments(roles["time"]))
            return to_part(number, rows, duck.sql(_STATES, params=values).to_arrow_table())
