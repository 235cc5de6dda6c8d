"""ProgSnap2 data sets into states, as `redraft ingest progsnap2` reads them; docs/progsnap2.md tells it to users.

In: a folder or a zip. Out: a raw state for each event of the wanted types; of a keystroke log, for each draft that the
keystrokes make (`strokes`). Student: SubjectID; title: ProblemID, or AssignmentID where there is none, or both where a
ProblemID stands in several assignments. The program: its code state, in any of the three layouts, or a column of the
main table. The states' order is `Order` where the metadata (or its absence) lets it be, else ServerTimestamp (or
ClientTimestamp), then Order, then the row. Score, else Correct, else X-Grade, is the state's score; ExecutionResult,
CompileResult and the compile and test events of the same program are the platform's verdict (`said`). The language
comes from X-Language or ToolInstances.

Rows not used, first reason that holds: malformed, not_utf8, other_event, no_student (also UNKNOWN), no_title, bad_time,
bad_order, and of the program no_code (no CodeStateID, or one without a code state), not_utf8_code, too_long_code,
damaged_code. Rows of the code states' table that can't be read are code_malformed and the like.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal, get_args

import pyarrow as pa

from redraft.data.duck import Workspace, in_batches
from redraft.data.languages import SUFFIXES
from redraft.data.sources.growth import Growth
from redraft.data.sources.progsnap2 import said
from redraft.data.sources.progsnap2.codestates import contents_digest
from redraft.data.sources.progsnap2.layout import Layout, find_layout
from redraft.data.sources.progsnap2.maintable import EVENT, READ, TITLES, MainTable, Titles
from redraft.data.sources.progsnap2.programs import KEYS, load_folder, load_table
from redraft.data.sources.progsnap2.specification import Representation
from redraft.data.sources.progsnap2.strokes import load_strokes, stroke_parts
from redraft.data.sources.rows import Rows, in_portions, require_columns, to_part
from redraft.data.sources.states import RAW_STATES, REJECTED, Part, Piece
from redraft.data.sources.times import clock
from redraft.data.store import Origin
from redraft.errors import InputError, UsageError
from redraft.progress import say

DEFAULT_EVENTS = ("Submit", "Run.Program")
_ENDINGS = " ".join(f"WHEN '{suffix}' THEN '{name}'" for suffix, name in SUFFIXES.items())
"""What the ends of files' names say of their language, in SQL."""
_STATES = f"""
WITH event AS ({EVENT.format(more="{more}")})
SELECT event.row, student, title, trace, ended, micros, {{code}} AS code,
    coalesce(language, CASE WHEN NOT $own THEN CASE code_state.suffix {_ENDINGS} END END) AS language, mode, truncated,
    score, CASE WHEN $by_order THEN number ELSE micros::DOUBLE END AS rank,
    CASE WHEN $by_order THEN 0 ELSE coalesce(number, 0) END AS tie,
    coalesce(result, {{verdict}}) AS verdict,
    CASE WHEN result IS NOT NULL THEN result_of ELSE {{judged}} END AS judged,
    CASE WHEN coalesce(result, 'error') <> 'ok' THEN {{errors}} END AS errors,
    CASE WHEN NOT chosen THEN 'other_event'
        WHEN student = '' THEN 'no_student'
        WHEN title = '' THEN 'no_title'
        WHEN micros IS NULL AND (stamp <> '' OR NOT $by_order) THEN coalesce(why, 'bad_time')
        WHEN rank IS NULL OR isnan(rank) OR isnan(tie) THEN 'bad_order'
        WHEN code_state.wrong IS NOT NULL THEN code_state.wrong
        WHEN {{code}} IS NULL THEN 'no_code'
    END AS reason
FROM event LEFT JOIN code_state ON code_state.key = event.key
    {{said}}
"""
_SAID = """
    LEFT JOIN said by_event ON by_event.key = 'E' || event_id
    LEFT JOIN said by_code ON by_code.key = 'S' || program
"""


@dataclass(frozen=True, kw_only=True)
class ProgSnap2:
    """Read a ProgSnap2 data set, a folder or a zip, in any of its layouts.

    Example: redraft ingest progsnap2 itap/ --out itap.dataset --events Submit,Run.Program
    """

    folder: Path
    """The folder that holds MainTable.csv, or a zip of it."""
    events: Sequence[str] = DEFAULT_EVENTS
    """The event types that make a state, separated by commas, in any case."""
    title: str | None = None
    """The title of drafts that say none: a data set of one problem may have no ProblemID."""
    drafts: str | None = None
    """Rebuild drafts from keystrokes: `events`, as they were at the events, or `pauses=SECONDS`, after such pauses.
    By default `events`, where there are keystrokes and no programs."""
    time_format: str | None = None
    """How times are written, as in '%d/%m/%Y %H:%M'; or s, ms, us, ns (since 1970) or excel (days)."""
    timezone: str | None = None
    """The zone of times that say none, where no ServerTimezone or ClientTimezone does; by default UTC."""
    titles: Titles = "auto"
    """What a title is: the ProblemID, the AssignmentID, or both. `auto`: the ProblemID, with the AssignmentID where
    several have a problem of that id."""

    name = "progsnap2"
    formless = frozenset({"malformed", "not_utf8"})

    def __post_init__(self) -> None:
        _ = self.pause, clock(self.time_format, self.timezone)  # complain of what can't be understood

    @property
    def origin(self) -> Origin:
        """Students, unless the data set says otherwise, as those that redraft writes do."""
        said = self.main.metadata.get("X-Origin")
        return next((origin for origin in get_args(Origin) if origin == said), "students")

    @property
    def whole_drafts(self) -> bool:
        """Whether drafts are kept as they stand: in a data set that redraft wrote."""
        return self.main.is_own

    def inputs(self) -> Sequence[Path]:
        """The data set's tables and metadata, checked: the code states' table first, as the events need it."""
        lay = self.layout
        if not self.main.named:
            raise InputError(
                "has none of ProgSnap2's columns in its first line.", where=self._where,
                remedy="Write their names there, or read the programs with `redraft ingest table`.",
            )  # fmt: skip
        needed = ["EventType", "SubjectID"]
        require_columns(lay.main, [self.main.named.get(name, name) for name in needed])
        if not set(TITLES) & self.main.named.keys() and not self.title:
            raise InputError(
                "has neither a column ProblemID nor AssignmentID.", where=self._where,
                remedy="If all was written for one problem, name that with --title.",
            )  # fmt: skip
        mode = self.mode
        if mode == "Table":
            assert lay.code_table is not None
            require_columns(lay.code_table, ["CodeStateID", "Code"])
        self._check_events()
        self._tell()
        if lay.temporary is not None:
            return [lay.given]
        table = lay.code_table if mode == "Table" else None
        return [file for file in (table, lay.main, lay.metadata_file) if file is not None]

    def options(self) -> Mapping[str, Any]:
        """The event types, what a title is, how drafts are made, and what the code states' files hold."""
        found: dict[str, Any] = {"events": sorted(self.events)}
        for name in ("time_format", "timezone", "title"):
            if getattr(self, name) is not None:
                found[name] = getattr(self, name)
        if self.titles != "auto":
            found["titles"] = self.titles
        if self.mode == "keystrokes":
            found["drafts"] = self.drafts or "events"
        if self.mode in ("Directory", "Git"):
            found["code_states"] = contents_digest(self.layout)
        return found

    def warm_up(self) -> None:
        """Nothing to load."""

    def label(self, file: Path) -> str:
        """The same for all files."""
        return self.name

    def pieces(self, number: int, file: Path, work: Workspace) -> Iterator[Piece]:
        """Batches of events, or of drafts; the code states are read before."""
        lay = self.layout
        if file == lay.code_table:
            yield from self._code_pieces(number, file, work)
        elif file not in (lay.main, lay.given):
            yield Piece(file.stat().st_size, lambda: Part(RAW_STATES.empty_table(), REJECTED.empty_table()))
        elif self.mode == "keystrokes":
            load_strokes(self.main, work, pauses=self.pause is not None)
            yield from stroke_parts(number, self.pause, file.stat().st_size, work)
        else:
            yield from self._event_pieces(number, work)

    # What there is

    @cached_property
    def layout(self) -> Layout:
        """Where the files lie."""
        return find_layout(self.folder)

    @cached_property
    def main(self) -> MainTable:
        """The main table."""
        return MainTable(
            layout=self.layout, events=tuple(self.events), titles=self.titles, title=self.title or "",
            clock=clock(self.time_format, self.timezone),
        )  # fmt: skip

    @cached_property
    def pause(self) -> float | None:
        """Seconds of a pause after which there is a draft; None: the events make drafts."""
        if self.drafts is None or self.drafts.strip().lower() == "events":
            return None
        match = re.fullmatch(r"pauses=(\d+(?:\.\d+)?)s?", self.drafts.strip().lower())
        if match is None or not 0 < float(match[1]) < 1e9:
            raise UsageError(
                "is neither `events` nor `pauses=SECONDS`.", where="--drafts", remedy="Write it like pauses=60."
            )
        return float(match[1])

    @cached_property
    def mode(self) -> Representation | Literal["inline", "keystrokes"]:
        """Where the programs come from.

        Raises:
            InputError: There are none.
        """
        strokes = self.main.has_strokes
        if self.drafts is not None:
            if not strokes:
                raise InputError(
                    "has no keystrokes to rebuild drafts from: no columns SourceLocation and InsertText or DeleteText.",
                    where=self._where, remedy="Leave --drafts out.",
                )  # fmt: skip
            return "keystrokes"
        layout = self.layout.representation() if "CodeStateID" in self.main.named else None
        others = self.main.inline or strokes
        if layout and not (others and not self.main.survey.with_code):
            return layout
        if self.main.inline:
            return "inline"
        if strokes:
            return "keystrokes"
        if "CodeStateID" not in self.main.named:
            require_columns(self.layout.main, ["CodeStateID"])
        raise InputError(
            "holds no code states: no CodeStates.csv, and no folder CodeStates with programs.", where=self.layout.given,
            remedy="Put them there, or into a column X-CodeState of MainTable.csv.",
        )  # fmt: skip

    @property
    def _where(self) -> Path:
        """The main table, as the user knows it."""
        return self.layout.main if self.layout.temporary is None else self.layout.given / self.layout.main.name

    def _check_events(self) -> None:
        """Refuse types of events that aren't there.

        Raises:
            InputError: None of the wanted ones is; those that are are listed.
        """
        if self.mode == "keystrokes" and self.pause is not None:
            return
        if not any(name.strip().lower() in self.main.wanted for name in self.main.survey.events):
            remedy = "Name those that make a draft with --events"
            if self.mode == "keystrokes":
                remedy += ", or rebuild drafts with --drafts pauses=60"
            raise InputError(
                f"none of its events is of the types {', '.join(self.events)}. There are: {self.main.survey.listed()}.",
                where=self._where, remedy=f"{remedy}.",
            )  # fmt: skip

    def _tell(self) -> None:
        """Say what was decided for the user."""
        found, file = self.main.survey, self._where
        there = {name.strip().lower() for name in found.events}
        absent = [name for name in self.events if name.strip().lower() not in there]
        if absent and tuple(self.events) != DEFAULT_EVENTS and self.pause is None:
            say(f"{file}: none of its events is of the types {', '.join(absent)}. There are: {found.listed()}")
        if found.shared and self.titles == "auto":
            say(f"{file}: {len(found.shared):,} ProblemIDs stand in several assignments; their titles are "
                "AssignmentID/ProblemID (--titles problem merges them)")  # fmt: skip
        if found.odd_scores:
            say(f"{file}: {found.odd_scores:,} values of Score are no numbers from 0 to 1; they are left out")
        if "X-Grade" in self.main.named and found.highest_grade is not None and found.grade_scale() is None:
            say(f"{file}: X-Grade is no grade from 0 to 1 or to 100; it is left out")

    def _code_pieces(self, number: int, file: Path, work: Workspace) -> Iterator[Piece]:
        """Nothing but the rows of the code states' table that can't be read."""
        for size, bad in load_table(file, work):
            yield Piece(size, partial(_refused, number, bad))

    def _event_pieces(self, number: int, work: Workspace) -> Iterator[Piece]:
        lay = self.layout
        size = lay.main.stat().st_size
        with work.cursor() as duck:
            if self.mode == "Table":
                assert lay.code_table is not None
                if not duck.sql("SELECT 1 FROM duckdb_tables() WHERE table_name = 'code_state'").fetchall():
                    for _ in load_table(lay.code_table, work):
                        pass
                size += lay.code_table.stat().st_size
            else:
                size += load_folder(self.main, self.mode if self.mode in ("Directory", "Git") else None, work)
            if self._any_said:
                said.begin(duck)
                for rows in self.main.read(said.COLUMNS, work):
                    said.add(duck, rows.table, self.main.wanted)
                said.join(duck)
        growth = Growth(size, work.unpack_ratio)
        columns = [*READ, *([self.main.inline] if self.mode == "inline" and self.main.inline else [])]
        for rows in self.main.read(columns, work):
            portions = [rows] if self.mode == "inline" else self._with_short_code(rows, growth, work)
            for part in portions:
                yield Piece(part.size, partial(self._parse, number, part, work))

    @property
    def _any_said(self) -> bool:
        """Whether events other than the wanted ones say something of programs."""
        there = {name.strip().lower() for name in self.main.survey.events}
        return bool(there.intersection(said.EVENTS).difference(self.main.wanted))

    def _with_short_code(self, rows: Rows, growth: Growth, work: Workspace) -> Iterator[Rows]:
        """The same rows in portions whose programs take few bytes: many events may share a long one."""
        with work.cursor() as duck:
            duck.register("event", in_batches(rows.table.select(["row", "SubjectID", "CodeStateID", "EventType"])))
            found = duck.sql(
                'SELECT CASE WHEN lower(trim("EventType")) IN $events THEN coalesce(strlen(code_state.code), 0) '
                "ELSE 0 END AS size FROM event "
                f"LEFT JOIN code_state ON code_state.key = {KEYS[self.mode]} ORDER BY row",
                params={"events": self.main.wanted},
            ).to_arrow_table()
        sizes = found["size"].to_numpy()
        growth.add(int(sizes.sum()))
        for part in in_portions(sizes, work.block_bytes):
            yield rows._replace(table=rows.table.slice(part.start, part.stop - part.start))
            rows = rows._replace(bad_rows=[], bad_reasons=[], size=0)
        if not rows.table.num_rows:
            yield rows

    def _parse(self, number: int, rows: Rows, work: Workspace) -> Part:
        code = f'"{self.main.inline}"' if self.mode == "inline" else "code_state.code"
        more = [f"{KEYS[self.mode]} AS key", '"SubjectID" || chr(1) || "CodeStateID" AS program']
        if self.mode == "inline":
            more.append(code)
        with_said = self._any_said
        query = _STATES.replace("{more}", ", ".join(more)).replace("{code}", code)
        query = query.replace("{said}", _SAID if with_said else "")
        for name, kind in (("verdict", "VARCHAR"), ("judged", "VARCHAR"), ("errors", said.ERRORS)):
            other = f"coalesce(by_event.{name}, by_code.{name})" if with_said else f"NULL::{kind}"
            query = query.replace(f"{{{name}}}", other)
        with work.cursor() as duck:
            duck.register("main", in_batches(self.main.told(rows.table)))
            values = self.main.values() | {"by_order": self.main.by_order}
            return to_part(number, rows, duck.sql(query, params=values).to_arrow_table(), whole=self.main.is_own)


def _refused(number: int, bad: list[tuple[int, str]]) -> Part:
    """Rows of the code states' table that can't be read."""
    rows = pa.table(
        {
            "file": pa.array([number] * len(bad), pa.int32()),
            "row": pa.array([row for row, _ in bad], pa.int64()),
            "reason": pa.array([f"code_{reason}" for _, reason in bad], pa.string()),
        },
        schema=REJECTED,
    )
    return Part(RAW_STATES.empty_table(), rows)
