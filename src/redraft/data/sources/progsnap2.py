"""ProgSnap2: the common format of programming-education data, in its Table layout.

In: a folder with `MainTable.csv`, `CodeStates/CodeStates.csv` and perhaps `DatasetMetadata.csv`; what is found in
the wild is read too: `Metadata.csv` or none, `CodeState.csv`, the older property names, TRUE/true/1.
Out: a raw state for each event of the wanted types. Student: SubjectID; title: ProblemID, or AssignmentID where
there is no ProblemID. The states' order is `Order` where the metadata (or its absence) lets it be, else
ServerTimestamp (or ClientTimestamp), then Order, then the row. Score, else Correct, is the state's score; the
language comes from X-Language or ToolInstances. A code state in several sections is joined by newlines.

Rows not used, first reason that holds: malformed, not_utf8, other_event, no_student, no_title, bad_time, bad_order,
no_code (no CodeStateID, or one without a code state). The Directory and Git layouts are refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from csv import Error as CSVError
from csv import reader as csv_reader
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa

from redraft.data.duck import Workspace, in_batches
from redraft.data.languages import known_language, language_named
from redraft.data.sources.growth import Growth
from redraft.data.sources.rows import Rows, column_names, in_portions, moments, read_rows, require_columns, to_part
from redraft.data.sources.states import RAW_STATES, REJECTED, Part, Piece
from redraft.data.store import Origin
from redraft.errors import InputError
from redraft.rundir import refuse_links_out

_COLUMNS = (
    "EventType", "SubjectID", "CodeStateID", "Order", "ServerTimestamp", "ClientTimestamp", "ProblemID", "AssignmentID",
    "Score", "Correct", "ToolInstances", "X-Language", "X-EditorMode", "X-Truncated",
)  # fmt: skip
_LONGEST_METADATA = 10**6
"""Bytes."""
_OLDER_NAMES = {
    "AreEventsOrdered": "IsEventOrderingConsistent",
    "EventOrderingScope": "EventOrderScope",
    "EventOrderingScopeColumns": "EventOrderScopeColumns",
}
_TRUE = ("true", "1", "1.0", "t", "yes")
_FALSE = ("false", "0", "0.0", "f", "no")

_EVENTS = """
WITH event AS (
    SELECT row, "EventType", "SubjectID" AS student, coalesce(nullif("ProblemID", ''), "AssignmentID") AS title,
        "CodeStateID", "Order", coalesce(nullif("ServerTimestamp", ''), "ClientTimestamp") AS stamp,
        nullif("X-EditorMode", '') AS mode, lower("X-Truncated") IN $true AS truncated,
        TRY_CAST("Order" AS DOUBLE) AS number, lower("Correct") AS judged,
        CASE WHEN TRY_CAST("Score" AS DOUBLE) BETWEEN 0 AND 1 THEN TRY_CAST("Score" AS DOUBLE)
            WHEN judged IN $true THEN 1 WHEN judged IN $false THEN 0 END AS score,
        language
    FROM main JOIN tool USING ("ToolInstances", "X-Language")
)
SELECT row, student, title, micros, code_state.code, language, mode, coalesce(truncated, false) AS truncated, score,
    CASE WHEN $by_order THEN number ELSE micros::DOUBLE END AS rank,
    CASE WHEN $by_order THEN 0 ELSE coalesce(number, 0) END AS tie,
    CASE WHEN "EventType" NOT IN $events THEN 'other_event'
        WHEN student = '' THEN 'no_student'
        WHEN title = '' THEN 'no_title'
        WHEN micros IS NULL AND (stamp <> '' OR NOT $by_order) THEN 'bad_time'
        WHEN rank IS NULL OR isnan(rank) OR isnan(tie) THEN 'bad_order'
        WHEN code_state.code IS NULL THEN 'no_code'
    END AS reason
FROM event LEFT JOIN moments ON moments.text = stamp LEFT JOIN code_state ON code_state.id = "CodeStateID"
"""


@dataclass(frozen=True, kw_only=True)
class ProgSnap2:
    """Read a ProgSnap2 folder in the Table layout.

    Example: redraft ingest progsnap2 itap/ --out itap.dataset --events Submit,Run.Program
    """

    folder: Path
    """The folder that holds MainTable.csv and CodeStates/."""
    events: Sequence[str] = ("Submit", "Run.Program")
    """The event types that make a state, separated by commas."""

    name = "progsnap2"
    origin: ClassVar[Origin] = "students"
    whole_drafts = False
    formless = frozenset({"malformed", "not_utf8"})

    def inputs(self) -> Sequence[Path]:
        """The folder's tables and metadata, checked."""
        if not self.folder.is_dir():
            raise InputError("is not a folder.", where=self.folder, remedy="Name the folder that holds MainTable.csv.")
        refuse_links_out(self.folder)
        layout = self._metadata.get("CodeStateRepresentation", "Table")
        if layout.lower() != "table" or not self._code_states:
            raise InputError(
                f"its code states are not in the Table layout{'' if self._code_states is None else f' but {layout}'}.",
                where=self.folder,
                remedy="Write them to CodeStates/CodeStates.csv with the columns CodeStateID and Code.",
            )
        if not self._main.exists():
            raise InputError("holds no MainTable.csv.", where=self.folder)
        require_columns(self._main, ["EventType", "SubjectID", "CodeStateID"])
        require_columns(self._code_states, ["CodeStateID", "Code"])
        if not {"ProblemID", "AssignmentID"} & set(self._columns):
            raise InputError("has neither a column ProblemID nor AssignmentID.", where=self._main)
        return [file for file in (self._main, self._code_states, self._metadata_file) if file is not None]

    def options(self) -> Mapping[str, Any]:
        """The event types."""
        return {"events": sorted(self.events)}

    def warm_up(self) -> None:
        """Nothing to load."""

    def label(self, file: Path) -> str:
        """The same for all files."""
        return self.name

    def pieces(self, number: int, file: Path, work: Workspace) -> Iterator[Piece]:
        """Batches of events; the other files are read when the events are."""
        if file != self._main:
            yield Piece(file.stat().st_size, lambda: Part(RAW_STATES.empty_table(), REJECTED.empty_table()))
            return
        self._load_code_states(work)
        assert self._code_states is not None
        growth = Growth(file.stat().st_size + self._code_states.stat().st_size, work.unpack_ratio)
        for rows in read_rows(file, [name for name in _COLUMNS if name in self._columns], work):
            for part in self._with_short_code(rows, growth, work):
                yield Piece(part.size, partial(self._parse, number, part, work))

    @property
    def _main(self) -> Path:
        return self.folder / "MainTable.csv"

    @property
    def _metadata_file(self) -> Path | None:
        return _first(self.folder / "DatasetMetadata.csv", self.folder / "Metadata.csv")

    @property
    def _code_states(self) -> Path | None:
        return _first(self.folder / "CodeStates" / "CodeStates.csv", self.folder / "CodeStates" / "CodeState.csv")

    @cached_property
    def _columns(self) -> frozenset[str]:
        return frozenset(column_names(self._main))

    @cached_property
    def _metadata(self) -> dict[str, str]:
        if self._metadata_file is None:
            return {}
        try:
            if self._metadata_file.stat().st_size > _LONGEST_METADATA:
                raise ValueError
            rows = list(csv_reader(self._metadata_file.read_text(encoding="utf-8-sig").splitlines()))
        except (OSError, ValueError, CSVError) as error:
            raise InputError("can't be read as CSV.", where=self._metadata_file) from error
        found = {row[0].strip(): row[1].strip() for row in rows if len(row) > 1}
        return {_OLDER_NAMES.get(name, name): value for name, value in found.items()}

    @cached_property
    def _by_order(self) -> bool:
        """Whether `Order` orders the events of one subject and problem, as far as the metadata says."""
        if "Order" not in self._columns:
            return False
        if not {"ServerTimestamp", "ClientTimestamp"} & self._columns:
            return True
        scope = self._metadata.get("EventOrderScope", "Global").lower()
        columns = set(re.split(r"[;,\s]+", self._metadata.get("EventOrderScopeColumns", ""))) - {""}
        title = "ProblemID" if "ProblemID" in self._columns else "AssignmentID"
        consistent = self._metadata.get("IsEventOrderingConsistent", "true").lower() in _TRUE
        return consistent and (scope == "global" or (scope == "restricted" and columns <= {"SubjectID", title}))

    def _load_code_states(self, work: Workspace) -> None:
        assert self._code_states is not None
        columns = ["CodeStateID", "Code"]
        sections = "CodeStateSection" in column_names(self._code_states)
        with work.cursor() as duck:
            duck.sql("CREATE OR REPLACE TABLE code_row (row BIGINT, id VARCHAR, code VARCHAR)")
            for rows in read_rows(self._code_states, columns, work):
                duck.register("rows", in_batches(rows.table))
                duck.sql('INSERT INTO code_row SELECT row, "CodeStateID", "Code" FROM rows')
            code = "string_agg(code, chr(10) ORDER BY row)" if sections else "arg_min(code, row)"
            duck.sql(f"CREATE OR REPLACE TABLE code_state AS SELECT id, {code} AS code FROM code_row GROUP BY id")
            duck.sql("DROP TABLE code_row")

    def _with_short_code(self, rows: Rows, growth: Growth, work: Workspace) -> Iterator[Rows]:
        """The same rows in portions whose programs take few bytes: many events may share a long one."""
        with work.cursor() as duck:
            duck.register("event", in_batches(rows.table.select(["row", "CodeStateID"])))
            found = duck.sql(
                "SELECT coalesce(strlen(code_state.code), 0) AS size FROM event "
                'LEFT JOIN code_state ON code_state.id = "CodeStateID" ORDER BY row'
            ).to_arrow_table()
        sizes = found["size"].to_numpy()
        growth.add(int(sizes.sum()))
        for part in in_portions(sizes, work.block_bytes):
            yield rows._replace(table=rows.table.slice(part.start, part.stop - part.start))
            rows = rows._replace(bad_rows=[], bad_reasons=[], size=0)
        if not rows.table.num_rows:
            yield rows

    def _parse(self, number: int, rows: Rows, work: Workspace) -> Part:
        nothing = pa.repeat("", rows.table.num_rows)
        main = {name: rows.table[name] if name in rows.table.column_names else nothing for name in _COLUMNS}
        timed = bool({"ServerTimestamp", "ClientTimestamp"} & self._columns)
        if not timed and "Order" not in self._columns:  # the rows' own order is all there is
            main["Order"] = rows.table["row"].cast(pa.string())
        values = {"events": list(self.events), "true": _TRUE, "false": _FALSE, "by_order": self._by_order or not timed}
        with work.cursor() as duck:
            duck.register("main", in_batches(pa.table({"row": rows.table["row"], **main})))
            duck.register("tool", _tools(main["ToolInstances"], main["X-Language"]))
            stamps = [main[name] for name in ("ServerTimestamp", "ClientTimestamp")]
            duck.register("moments", moments(pa.chunked_array([c for s in stamps for c in _chunks(s)], pa.string())))
            return to_part(number, rows, duck.sql(_EVENTS, params=values).to_arrow_table())


def _first(*files: Path) -> Path | None:
    return next((file for file in files if file.exists()), None)


def _chunks(column: pa.Array | pa.ChunkedArray) -> list[pa.Array]:
    return column.chunks if isinstance(column, pa.ChunkedArray) else [column]


def _tools(instances: pa.Array | pa.ChunkedArray, languages: pa.Array | pa.ChunkedArray) -> pa.Table:
    """Each distinct pair of ToolInstances and X-Language with the language it names."""
    pairs = pa.table({"ToolInstances": instances, "X-Language": languages})
    pairs = pairs.group_by(["ToolInstances", "X-Language"]).aggregate([])
    found = [_language(row["ToolInstances"], row["X-Language"]) for row in pairs.to_pylist()]
    return pairs.append_column("language", pa.array(found, pa.string()))


def _language(tools: str, own: str) -> str | None:
    if own:
        return language_named(own)
    named = (known_language(tool.split()[0]) for tool in tools.split(";") if tool.strip())
    return next(filter(None, named), None)
