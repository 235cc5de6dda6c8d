"""A ProgSnap2 main table: its columns whatever their case, its rows, and what each of them says.

In: a `Layout` and which events and titles are wanted. Out: rows in batches, by the format's names for columns, and
`EVENT`, a query that tells of each row the student, the title, the moment, the score and what the platform said.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from redraft.data.duck import Workspace
from redraft.data.languages import known_language, language_named
from redraft.data.sources.progsnap2.layout import Layout
from redraft.data.sources.progsnap2.said import RESULT
from redraft.data.sources.progsnap2.specification import COLUMNS, FALSE, TRUE, UNKNOWN
from redraft.data.sources.progsnap2.survey import MISSING, Survey, survey
from redraft.data.sources.rows import Rows, column_names, read_rows
from redraft.data.sources.times import Clock, zone_named

Titles = Literal["auto", "problem", "assignment", "both"]

_OWN_COLUMNS = ("X-Language", "X-EditorMode", "X-Truncated", "X-Grade", "X-Sample", "X-Ended", "X-ElapsedTime",
                "ServerTimezone", "ClientTimezone", "Correct", "InsertText", "DeleteText")  # fmt: skip
INLINE = ("X-CodeState", "X-Code", "Code", "CodeState", "X-SourceCode", "SourceCode")
"""Columns of the main table that may hold programs, where there are no code states."""
TIMES = ("ServerTimestamp", "ClientTimestamp")
TITLES = ("ProblemID", "AssignmentID")
READ = (
    "EventType", "EventID", "SubjectID", "CodeStateID", "Order", *TIMES, "ServerTimezone", "ClientTimezone",
    *TITLES, "Score", "Correct", "X-Grade", "ExecutionResult", "CompileResult", "IsFabricatedEvent", "ToolInstances",
    "X-Language", "X-EditorMode", "X-Truncated", "X-Sample", "X-Ended", "X-ElapsedTime",
)  # fmt: skip

EVENT = f"""
SELECT row, "EventID" AS event_id, CASE WHEN $own THEN "SubjectID" WHEN {MISSING.format('"SubjectID"')}
        OR trim("SubjectID") = '{UNKNOWN}' THEN '' ELSE "SubjectID" END AS student,
    CASE WHEN $own OR NOT {MISSING.format('"ProblemID"')} THEN "ProblemID" ELSE '' END AS problem_id,
    CASE WHEN $own OR NOT {MISSING.format('"AssignmentID"')} THEN "AssignmentID" ELSE '' END AS assignment_id,
    CASE WHEN $whole_problems THEN regexp_replace(problem_id, '\\.0$', '') ELSE problem_id END AS problem,
    CASE WHEN $whole_assignments THEN regexp_replace(assignment_id, '\\.0$', '') ELSE assignment_id END AS assignment,
    coalesce(nullif(CASE WHEN $titles = 'assignment' THEN assignment
        WHEN problem = '' THEN assignment
        WHEN assignment <> '' AND ($titles = 'both' OR ($titles = 'auto' AND problem_id IN $shared))
            THEN assignment || '/' || problem
        ELSE problem END, ''), $title) AS title,
    lower(trim("EventType")) AS type, type IN $events AS chosen,
    nullif("X-EditorMode", '') AS mode, coalesce(lower("X-Truncated") IN $true, false) AS truncated,
    TRY_CAST(coalesce(nullif("Order", ''), nullif("X-ElapsedTime", '')) AS DOUBLE) AS number,
    lower(trim("Correct")) AS is_correct, TRY_CAST("Score" AS DOUBLE) AS share,
    CASE WHEN share BETWEEN 0 AND 1 THEN share WHEN is_correct IN $true THEN 1 WHEN is_correct IN $false THEN 0
        ELSE TRY_CAST("X-Grade" AS DOUBLE) / $grades END AS score,
    CASE WHEN lower("IsFabricatedEvent") IN $true THEN NULL
        ELSE coalesce({RESULT.format('"ExecutionResult"')}, {RESULT.format('"CompileResult"')}) END AS result,
    CASE WHEN result IS NULL THEN NULL WHEN {RESULT.format('"ExecutionResult"')} IS NULL THEN 'compiled'
        WHEN result = 'failed' THEN 'tested' ELSE 'ran' END AS result_of,
    coalesce(TRY_CAST("X-Sample" AS BIGINT), 0) AS trace, coalesce(lower("X-Ended") NOT IN $false, true) AS ended,
    language, stamp, micros, why, {{more}}
FROM main
"""
"""What a row says, whatever its program; `main` is what `MainTable.told` gives, with the columns of `more`."""
_BETWEEN = "\x1f"
"""Between two texts that are looked up together."""


@dataclass(frozen=True, kw_only=True)
class MainTable:
    """A main table, and how it is to be read."""

    layout: Layout
    events: tuple[str, ...]
    """The types of events that make a draft."""
    titles: Titles
    title: str
    """Of rows that say none; empty: they are rejected."""
    clock: Clock
    """How times are read."""

    @cached_property
    def metadata(self) -> dict[str, str]:
        """What the metadata say, by today's names."""
        return self.layout.metadata()

    @cached_property
    def is_own(self) -> bool:
        """Whether redraft wrote the data set: its names are exact, whatever they look like."""
        return {"X-Sample", "X-Ended", "X-Truncated"} <= self.named.keys() and "X-Origin" in self.metadata

    @cached_property
    def named(self) -> dict[str, str]:
        """What the main table calls the format's columns, whatever their case: name -> its own name."""
        there = column_names(self.layout.main)
        lower = {name.strip().lower(): name for name in reversed(there)}
        known = (*COLUMNS, *_OWN_COLUMNS, *INLINE)
        return {name: lower[name.lower()] for name in known if name.lower() in lower}

    @cached_property
    def survey(self) -> Survey:
        """What the main table holds."""
        return survey(self.layout.main, self.named, [] if self.has_strokes else self.wanted)

    @cached_property
    def wanted(self) -> list[str]:
        """The event types, in lower case."""
        return [name.strip().lower() for name in self.events]

    @property
    def has_strokes(self) -> bool:
        """Whether it has the columns of keystrokes."""
        return "SourceLocation" in self.named and bool({"InsertText", "DeleteText"} & self.named.keys())

    @cached_property
    def inline(self) -> str | None:
        """The main table's own column of programs, if it has one."""
        return next((name for name in INLINE if name in self.named), None)

    @cached_property
    def by_order(self) -> bool:
        """Whether `Order` orders the events of one subject and problem, as far as the metadata says."""
        if "Order" not in self.named:
            return not self.timed
        if not self.timed:
            return True
        scope = self.metadata.get("EventOrderScope", "Global").lower()
        columns = set(re.split(r"[;,\s]+", self.metadata.get("EventOrderScopeColumns", ""))) - {""}
        consistent = self.metadata.get("IsEventOrderingConsistent", "true").lower() in TRUE
        inside = columns <= {"SubjectID", *(name for name in TITLES if name in self.named)}
        return consistent and (scope == "global" or (scope == "restricted" and inside))

    @cached_property
    def timed(self) -> bool:
        """Whether there are times."""
        return bool(set(TIMES) & self.named.keys())

    def values(self) -> dict[str, Any]:
        """What `EVENT` asks for."""
        found = self.survey
        own = self.is_own
        return {
            "events": self.wanted, "true": TRUE, "false": FALSE, "own": own, "titles": self.titles, "title": self.title,
            "shared": sorted(found.shared) or [""], "whole_problems": found.whole_problems and not own,
            "whole_assignments": found.whole_assignments and not own, "grades": found.grade_scale(),
        }  # fmt: skip

    def read(self, names: Sequence[str], work: Workspace) -> Iterator[Rows]:
        """The main table's rows, its columns by the format's names; those that it hasn't are empty texts."""
        there = [name for name in names if name in self.named]
        for rows in read_rows(self.layout.main, [self.named[name] for name in there], work):
            table = rows.table.rename_columns(["row", *there])
            nothing = pa.repeat("", table.num_rows)
            yield rows._replace(
                table=pa.table({"row": table["row"], **{n: table[n] if n in there else nothing for n in names}})
            )

    def told(self, main: pa.Table) -> pa.Table:
        """Rows of `READ`, and what `EVENT` needs beside them: language, stamp, micros and why (there are none).

        They are looked up here, as each join of a query takes megabytes of a database that may have few.
        """
        if not self.timed and not {"Order", "X-ElapsedTime"} & self.named.keys():  # the rows' order is all there is
            main = main.set_column(main.schema.get_field_index("Order"), "Order", main["row"].cast(pa.string()))
        server = pc.not_equal(main["ServerTimestamp"], "")
        stamp, zone = (
            pc.if_else(server, main[f"Server{what}"], main[f"Client{what}"]) for what in ("Timestamp", "Timezone")
        )
        languages = _each(
            [main["ToolInstances"], main["X-Language"]],
            lambda pair: ((pair[1] or None) if self.is_own else _language(*pair),), [pa.string()],
        )  # fmt: skip
        times = _each([stamp, zone], self._moment, [pa.int64(), pa.string()])
        named = {"language": languages[0], "stamp": stamp, "micros": times[0], "why": times[1]}
        return pa.table({**dict(zip(main.column_names, main.columns, strict=True)), **named})

    def _moment(self, pair: tuple[str, str]) -> tuple[int | None, str | None]:
        text, zone = pair
        own = zone_named(zone) if zone.strip() else None
        if not text or (own is None and zone.strip()):
            return None, "bad_timezone" if text else None
        return self.clock.read(text, own)


def _each(
    columns: Sequence[pa.ChunkedArray], of: Callable[[tuple[str, str]], Sequence[object]], kinds: Sequence[pa.DataType]
) -> list[pa.Array]:
    """What a function gives for each row of two columns, asked once for each distinct pair."""
    joined = pc.binary_join_element_wise(*columns, _BETWEEN)
    joined = joined.combine_chunks() if isinstance(joined, pa.ChunkedArray) else joined
    coded = joined.dictionary_encode()
    texts = [text.split(_BETWEEN, 1) for text in coded.dictionary.to_pylist()]
    found = [of((first, second)) for first, second in texts]
    return [pa.array([one[place] for one in found], kind).take(coded.indices) for place, kind in enumerate(kinds)]


def _language(tools: str, own: str) -> str | None:
    if own.strip():
        return language_named(own.strip())
    named = (known_language(tool.split()[0]) for tool in tools.split(";") if tool.strip())
    return next(filter(None, named), None)
