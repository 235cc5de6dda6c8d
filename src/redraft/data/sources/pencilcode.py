"""Pencil Code access logs: every press of the run button is a request for `/log/TITLE?run&…&code=…`.

In: log files or folders of them, plain, gzip or zstd, in either of two forms, mixed at will:

    ADDR OWNER UID [04/Feb/2022:06:25:26 +0000] "GET /log/TITLE?ACTION&mode=b&lang=cs&code=… HTTP/1.1" 200 0 "…" "…"
    md5(OWNER) md5(UID) [04/Feb/2022:06:25:26 +0000]GET /log/TITLE?ACTION&mode=b&lang=cs&code=…

Out: a raw state for each line of a wanted action, and one reason for each other line, the first that holds of:

- too_long: over 2,000,000 bytes. not_utf8: the line is no valid UTF-8.
- malformed: neither form (the request isn't closed, a field is missing or holds a quote or bracket ...). What follows
  status and bytes is free.
- bad_time: not `day/Mon/year:h:m:s +hhmm`, or no such moment (31/Feb, second 60, year 0).
- not_log: no GET of a path below /log/.
- no_student: the identity's field is `-` (or its MD5). `both` needs both fields.
- no_title: nothing after the path's last slash. bad_title: over 100 characters, or it can't be decoded.
- other_action: the query's first word without `=` is none of the wanted actions.
- no_code: no `code=`. bad_escape: an invalid %XX in it, or it decodes to invalid UTF-8.

A title is the path's last part, percent-decoded, in lower case. A program is decoded in this order: `|` to newline,
`+` to space, %XX. The editor sends its first 1,024 UTF-16 units only: a state that long is marked truncated. Of a
parameter given twice, the first counts. Not guaranteed: that a line with status other than 200 was ever run.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, get_args
from urllib.parse import unquote_to_bytes

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from redraft.data.duck import Workspace, in_batches
from redraft.data.sources.accesslog import BAD_TIME, decode_programs, micros
from redraft.data.sources.reading import Block, Lines, expand, line_blocks, split_lines
from redraft.data.sources.states import RAW_STATES, TRUNCATED_AT, WHITE_SPACE, Part, Piece, column, rejected
from redraft.data.sources.usualline import usual_lines
from redraft.data.store import SIMULATION_NOTE, Origin
from redraft.errors import UsageError, suggestion

Identity = Literal["owner", "uid", "both"]

CODE_ACTIONS = ("run", "save", "load", "new", "toggle")
"""The editor's actions that carry a program."""
LONGEST_TITLE = 100
_NOBODY = ("-", hashlib.md5(b"-").hexdigest(), hashlib.md5(b"").hexdigest())
_BAD_ESCAPE = re.compile("%(?![0-9A-Fa-f]{2})")
_LANGUAGES = {"cs": "coffeescript", "js": "javascript", "py": "python", "n": None, "": None}
_WHO = {
    "owner": "CASE WHEN owner IN {nobody} THEN NULL ELSE owner END",
    "uid": "CASE WHEN uid IN {nobody} THEN NULL ELSE uid END",
    "both": "CASE WHEN owner IN {nobody} OR uid IN {nobody} THEN NULL ELSE owner || ' ' || uid END",
}


def _first(start: str) -> str:
    """SQL: the first of `words` with this start, less the start. Queries seldom have more than four words."""
    tries = " ".join(f"WHEN starts_with(words[{i}], '{start}') THEN words[{i}]" for i in range(1, 5))
    rest = f"list_filter(words[5 :], lambda word: starts_with(word, '{start}'))[1]"
    return f"(CASE {tries} WHEN len(words) > 4 THEN {rest} END)[{len(start) + 1} :]"


# Splitting at a character makes views, no copies: some twenty times faster than a regular expression over the line.
# Only lines that `usual_lines` leaves come here; with actions other than run all of them do.
_REQUESTS = rf"""
WITH cut AS (
    SELECT row, text, string_split(text, '"') AS quote, ends_with(quote[1], '] ') AS quoted,
        CASE WHEN quoted THEN quote[1] ELSE text END AS front,
        strpos(front, '[') AS opens, strpos(front, ']') AS closes
    FROM block
), form AS (
    SELECT row, quoted, string_split(front[: opens - 1], ' ') AS head, front[opens + 1 : closes - 1] AS stamp,
        opens > 0 AND closes > opens AND (NOT quoted OR closes = length(front) - 1) AS bracketed,
        CASE WHEN NOT quoted THEN split_part(text[closes + 1 :], chr(10), 1) END AS rest,
        string_split(CASE WHEN quoted THEN quote[2] WHEN ends_with(rest, chr(13)) THEN rest[: -2] ELSE rest END, ' ')
            AS request,
        CASE WHEN NOT quoted OR starts_with(quote[3], ' 200 0 ') THEN true
            ELSE regexp_matches(array_to_string(quote[3 : 4], '"'), '^ [0-9]{{3}} ([0-9]+|-)(\s|$)') END AS closed
    FROM cut
), field AS (
    SELECT row, stamp, request[1] AS method, string_split(request[2], '?') AS url, url[1] AS path,
        CASE len(url) WHEN 1 THEN '' WHEN 2 THEN url[2] ELSE array_to_string(url[2 :], '?') END AS query,
        head[-3] AS owner, head[-2] AS uid,
        bracketed AND closed AND head[-1] = '' AND head[1] <> '' AND owner <> '' AND uid <> ''
            AND len(head) = CASE WHEN quoted THEN 4 ELSE 3 END AND request[2] <> ''
            AND CASE WHEN method = 'GET' THEN true ELSE regexp_full_match(method, '[A-Z]+') END
            AND CASE WHEN len(request) = 2 OR NOT quoted AND NOT starts_with(request[3], 'HTTP/') THEN
                    NOT quoted AND len(request) = 2
                ELSE starts_with(request[3], 'HTTP/') AND (len(request) = 3 OR NOT quoted) END AS well_formed
    FROM form
), asked AS (
    SELECT row, stamp, method, path, owner, uid, coalesce(well_formed, false) AS well_formed,
        string_split(query, '&') AS words,
        CASE WHEN contains(words[1], '=') THEN list_filter(words, lambda word: NOT contains(word, '='))[1]
            ELSE words[1] END AS action,
        {_first("code=")} AS escaped, {_first("lang=")} AS lang, {_first("mode=")} AS mode
    FROM field
)
SELECT row, CASE WHEN well_formed THEN stamp ELSE '' END AS stamp, IDENTITY AS student, path, lang,
    CASE WHEN mode IN ('b', 't') THEN mode END AS mode,
    coalesce(escaped, '') AS escaped,
    CASE WHEN NOT well_formed THEN 'malformed' END AS malformed,
    CASE WHEN method <> 'GET' OR NOT starts_with(path, '/log/') THEN 'not_log'
        WHEN student IS NULL THEN 'no_student' END AS not_theirs,
    CASE WHEN action IS NULL OR action NOT IN ACTIONS THEN 'other_action'
        WHEN escaped IS NULL THEN 'no_code' END AS not_code
FROM asked
"""


@dataclass(frozen=True, kw_only=True)
class PencilCode:
    """The log format above, as a source."""

    paths: Sequence[Path]
    """Log files, and folders of them."""
    identity: Identity = "owner"
    """Who a student is: the site's owner, the browser's cookie, or both together."""
    actions: Sequence[str] = ("run",)
    """The editor's actions that make a state."""

    name = "pencilcode"
    whole_drafts = False
    formless = frozenset({"too_long", "not_utf8", "malformed"})

    def __post_init__(self) -> None:
        if self.identity not in get_args(Identity):
            raise UsageError(f"{self.identity!r} is no identity. {suggestion(self.identity, get_args(Identity))}")
        if not self.actions:
            raise UsageError("no action is given.", where="--actions", remedy=f"Known are: {', '.join(CODE_ACTIONS)}.")
        for action in self.actions:
            if action not in CODE_ACTIONS:
                raise UsageError(f"{action!r} is no action that carries a program. {suggestion(action, CODE_ACTIONS)}")

    @property
    def origin(self) -> Origin:
        """Students, unless `redraft simulate` left its note beside the logs."""
        return "simulated" if any((file.parent / SIMULATION_NOTE).exists() for file in self.inputs()) else "students"

    def inputs(self) -> Sequence[Path]:
        """The log files, in the order given; of a folder those named *.log*, if there are any, sorted."""
        return expand(self.paths, mark=".log")

    def options(self) -> Mapping[str, Any]:
        """Identity and actions."""
        return {"identity": self.identity, "actions": sorted(self.actions)}

    def label(self, file: Path) -> str:
        """The same for all files."""
        return self.name

    def pieces(self, number: int, file: Path, work: Workspace) -> Iterator[Piece]:
        """Blocks of lines."""
        for block in line_blocks(file, work.block_bytes):
            yield Piece(block.size, partial(self._parse, number, block, work))

    def _parse(self, number: int, block: Block, work: Workspace) -> Part:
        lines = split_lines(block)
        found = self._requests(lines, work)
        at = micros(column(found, "stamp"))
        programs = decode_programs(column(found, "escaped"))
        titles, no_title = _titles(column(found, "path"))
        reason = pc.coalesce(
            found["malformed"],
            _where(at == BAD_TIME, "bad_time"),
            found["not_theirs"],
            no_title,
            found["not_code"],
            _where(programs.bad, "bad_escape"),
        )
        usable = pc.is_null(reason)
        columns = {
            "file": pa.repeat(pa.scalar(number, pa.int32()), len(at)),
            "row": found["row"],
            "student": found["student"],
            "title": titles,
            "trace": pa.repeat(pa.scalar(0, pa.int64()), len(at)),
            "rank": at.astype(np.float64),
            "tie": np.zeros(len(at)),
            "at": at.view("datetime64[us]"),
            "code": programs.text,
            "language": _languages(column(found, "lang")),
            "mode": found["mode"],
            "truncated": programs.units >= TRUNCATED_AT,
            "score": pa.nulls(len(at), pa.float64()),
            "ended": pa.repeat(pa.scalar(True), len(at)),
        }
        states = pa.table(columns, schema=RAW_STATES).filter(usable)
        code = pc.utf8_rtrim(states["code"], characters=WHITE_SPACE)
        unused = pc.invert(usable)
        unreadable = rejected(number, lines.bad_rows, lines.bad_reasons)
        refused = rejected(number, found["row"].filter(unused), reason.filter(unused))
        return Part(
            states.set_column(states.schema.get_field_index("code"), "code", code),
            pa.concat_tables([unreadable, refused]),
        )

    def _requests(self, lines: Lines, work: Workspace) -> pa.Table:
        """What each line asks for: the columns of `_REQUESTS`."""
        usual = usual_lines(lines.text)
        if "run" not in self.actions or not usual.lines.any():
            return self._general(lines.rows, lines.text, work)
        owner, uid = usual.fields["owner"], usual.fields["uid"]
        no_owner, no_uid = (pc.is_in(field, pa.array(_NOBODY)) for field in (owner, uid))
        student, nobody = {
            "owner": lambda: (owner, no_owner),
            "uid": lambda: (uid, no_uid),
            "both": lambda: (pc.binary_join_element_wise(owner, uid, " "), pc.or_(no_owner, no_uid)),
        }[self.identity]()
        nothing = pa.nulls(len(owner), pa.string())
        columns = {
            "row": lines.rows.filter(pa.array(usual.lines)),
            "stamp": usual.fields["stamp"],
            "student": student,
            "path": usual.fields["path"],
            "lang": usual.fields["lang"],
            "mode": usual.fields["mode"],
            "escaped": usual.fields["code"],
            "malformed": nothing,
            "not_theirs": pc.if_else(nobody, "no_student", nothing),
            "not_code": nothing,
        }
        found = pa.table(columns)
        if usual.lines.all():
            return found
        others = pa.array(~usual.lines)
        return pa.concat_tables([found, self._general(lines.rows.filter(others), lines.text.filter(others), work)])

    def _general(self, rows: pa.Array, text: pa.Array, work: Workspace) -> pa.Table:
        actions = ", ".join(f"'{action}'" for action in self.actions)  # known words: see __post_init__
        sql = _REQUESTS.replace("IDENTITY", _WHO[self.identity].format(nobody=_NOBODY)).replace(
            "ACTIONS", f"({actions})"
        )
        with work.cursor() as duck:
            duck.register("block", in_batches(pa.table({"row": rows, "text": text})))
            return duck.sql(sql).to_arrow_table()


def _where(mask: np.ndarray, reason: str) -> pa.Array:
    return pc.if_else(pa.array(mask), reason, pa.scalar(None, pa.string()))


def _titles(paths: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Each path's title, or the reason why it has none; a path that comes again is decoded once."""
    distinct = pc.dictionary_encode(paths)
    found = [_title(path) for path in distinct.dictionary.to_pylist()]
    titles, reasons = (pa.array([pair[i] for pair in found], pa.string()) for i in (0, 1))
    return titles.take(distinct.indices), reasons.take(distinct.indices)


def _languages(codes: pa.Array) -> pa.Array:
    distinct = pc.dictionary_encode(codes)
    names = [_LANGUAGES.get(code, code.lower()) for code in distinct.dictionary.to_pylist()]
    return pa.array(names, pa.string()).take(distinct.indices)


def _title(path: str) -> tuple[str | None, str | None]:
    escaped = path.removeprefix("/log/")
    try:
        title = unquote_to_bytes(escaped).decode().rsplit("/", 1)[-1].lower()
    except UnicodeDecodeError:
        return None, "bad_title"
    if _BAD_ESCAPE.search(escaped) or len(title) > LONGEST_TITLE:
        return None, "bad_title"
    return (title, None) if title else (None, "no_title")
