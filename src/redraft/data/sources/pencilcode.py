"""Pencil Code access logs: every press of the run button is a request for `/log/TITLE?run&…&code=…`.

In: log files or folders of them, plain, gzip or zstd, in either of two forms, mixed at will:

    ADDR OWNER UID [04/Feb/2022:06:25:26 +0000] "GET /log/TITLE?ACTION&mode=b&lang=cs&code=… HTTP/1.1" 200 0 "…" "…"
    md5(OWNER) md5(UID) [04/Feb/2022:06:25:26 +0000]GET /log/TITLE?ACTION&mode=b&lang=cs&code=…

Out: a raw state for each line of a wanted action, and one reason for each other line, the first that holds of:

- too_long: over 2,000,000 bytes. not_utf8: the line is no valid UTF-8.
- malformed: neither form (the request isn't closed, a field is missing ...). What follows status and bytes is free.
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
from typing import Any, Final, Literal, get_args
from urllib.parse import unquote_to_bytes

import pyarrow as pa
import pyarrow.compute as pc

from redraft.data.duck import Workspace, in_batches
from redraft.data.sources.reading import Block, expand, line_blocks, split_lines
from redraft.data.sources.states import RAW_STATES, TRUNCATED_AT, WHITE_SPACE, Part, Piece, rejected
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

# Splitting at a character makes views, no copies: some twenty times faster than a regular expression over the line.
_REQUESTS = r"""
WITH cut AS (
    SELECT row, text, string_split(text, '"') AS quote, ends_with(quote[1], '] ') AS quoted,
        CASE WHEN quoted THEN quote[1] ELSE text END AS front,
        strpos(front, '[') AS opens, strpos(front, ']') AS closes
    FROM block
), form AS (
    SELECT row, quoted, string_split(front[: opens - 1], ' ') AS head, front[opens + 1 : closes - 1] AS stamp,
        opens > 0 AND closes > opens AS bracketed,
        string_split(CASE WHEN quoted THEN quote[2]
            ELSE split_part(split_part(text[closes + 1 :], chr(10), 1), chr(13), 1) END, ' ') AS words,
        NOT quoted OR regexp_matches(quote[3], '^ [0-9]{3} ([0-9]+|-)(\s|$)') AS closed
    FROM cut
), field AS (
    SELECT row, stamp, words[1] AS method, string_split(words[2], '?') AS url, url[1] AS path,
        CASE len(url) WHEN 1 THEN '' WHEN 2 THEN url[2] ELSE array_to_string(url[2 :], '?') END AS query,
        head[-3] AS owner, head[-2] AS uid,
        bracketed AND closed AND head[-1] = '' AND head[1] <> '' AND owner <> '' AND uid <> ''
            AND len(head) = CASE WHEN quoted THEN 4 ELSE 3 END
            AND regexp_full_match(method, '[A-Z]+') AND words[2] <> ''
            AND CASE len(words) WHEN 2 THEN NOT quoted WHEN 3 THEN starts_with(words[3], 'HTTP/') ELSE NOT quoted END
            AS well_formed
    FROM form
), timed AS (
    SELECT row, query, method, path, owner, uid, well_formed,
        CASE WHEN regexp_full_match(stamp, '\d{1,2}/\w{3}/\d{4}:\d{1,2}:\d{1,2}:\d{1,2} [+-]([01]\d|2[0-3])[0-5]\d')
            THEN epoch_us(try_strptime(stamp[: -7], '%d/%b/%Y:%H:%M:%S'))
                - 60_000_000 * (CASE WHEN stamp[-5 : -5] = '-' THEN -1 ELSE 1 END)
                * (60 * stamp[-4 : -3]::BIGINT + stamp[-2 :]::BIGINT)
        END AS micros
    FROM field
)
SELECT row, micros, WHO AS student, path, query,
    CASE WHEN well_formed IS NOT TRUE THEN 'malformed'
        WHEN micros IS NULL OR micros NOT BETWEEN -62135596800000000 AND 253402300799000000 -- years 1 to 9999
            THEN 'bad_time'
        WHEN method <> 'GET' OR NOT starts_with(path, '/log/') THEN 'not_log'
        WHEN student IS NULL THEN 'no_student'
    END AS reason
FROM timed
"""

# `query` comes back with its `|` and `+` already turned into newline and space, and with each path's title.
_PROGRAMS = r"""
WITH piece AS (
    SELECT row, micros, student, titles.title, coalesce(request.reason, titles.reason) AS reason,
        string_split(query, '&') AS pieces
    FROM request LEFT JOIN titles USING (path)
), word AS (
    SELECT row, micros, student, title, reason,
        list_filter(pieces, lambda piece: NOT contains(piece, '='))[1] AS action,
        list_filter(pieces, lambda piece: starts_with(piece, 'lang='))[1][6 :] AS lang,
        list_filter(pieces, lambda piece: starts_with(piece, 'mode='))[1][6 :] AS mode,
        list_filter(pieces, lambda piece: starts_with(piece, 'code='))[1][6 :] AS escaped
    FROM piece
), decoded AS (
    SELECT row, micros, student, title, lang, mode,
        CASE WHEN reason IS NOT NULL THEN reason
            WHEN action IS NULL OR NOT list_contains($actions, action) THEN 'other_action'
            WHEN escaped IS NULL THEN 'no_code'
            WHEN regexp_matches(escaped, '(?s)%([^0-9A-Fa-f]|.[^0-9A-Fa-f]|.?$)') THEN 'bad_escape'
        END AS found,
        CASE WHEN found IS NULL THEN
            CASE WHEN regexp_matches(escaped, '%[89A-Fa-f]') THEN TRY(url_decode(escaped)) -- TRY is slow when it fails
                ELSE url_decode(escaped) END
        END AS code
    FROM word
)
SELECT row, micros, student, title, code, lang,
    CASE WHEN mode IN ('b', 't') THEN mode END AS mode,
    CASE WHEN length(code) >= $units THEN true
        WHEN 2 * length(code) < $units OR strlen(code) = length(code) THEN false
        ELSE length(code) + length(regexp_replace(code, '[\x{0}-\x{FFFF}]', '', 'g')) >= $units
    END AS truncated,
    coalesce(found, CASE WHEN code IS NULL THEN 'bad_escape' END) AS reason
FROM decoded
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
    origin: Final = "students"
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

    def inputs(self) -> Sequence[Path]:
        """The log files, in the order given; a folder's sorted."""
        return expand(self.paths)

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
        with work.cursor() as duck:
            duck.register("block", in_batches(pa.table({"row": lines.rows, "text": lines.text})))
            request = duck.sql(_REQUESTS.replace("WHO", _WHO[self.identity].format(nobody=_NOBODY))).to_arrow_table()
            duck.register("titles", _titles(request["path"]))
            duck.register("request", in_batches(_unescape_signs(request)))
            values = {"actions": list(self.actions), "units": TRUNCATED_AT}
            found = duck.sql(_PROGRAMS, params=values).to_arrow_table()
        usable = pc.is_null(found["reason"])
        unused = found.filter(pc.invert(usable))
        unreadable = rejected(number, lines.bad_rows, lines.bad_reasons)
        return Part(
            _states(number, found.filter(usable)),
            pa.concat_tables([unreadable, rejected(number, unused["row"], unused["reason"])]),
        )


def _unescape_signs(request: pa.Table) -> pa.Table:
    """Turn `|` and `+` of the queries into newline and space, over the whole column's bytes at once."""
    table = bytes.maketrans(b"|+", b"\n ")
    query = request["query"].combine_chunks()
    validity, offsets, data = query.buffers()
    plain = pa.py_buffer(data.to_pybytes().translate(table) if data is not None else b"")
    turned = pa.Array.from_buffers(query.type, len(query), [validity, offsets, plain], offset=query.offset)
    return request.set_column(request.schema.get_field_index("query"), "query", turned)


def _titles(paths: pa.ChunkedArray) -> pa.Table:
    """Each distinct path with its title, or with the reason why it has none."""
    distinct = [path for path in pc.unique(paths).to_pylist() if path is not None]
    found = [_title(path) for path in distinct]
    return pa.table(
        {
            "path": pa.array(distinct, pa.string()),
            "title": pa.array([title for title, _ in found], pa.string()),
            "reason": pa.array([reason for _, reason in found], pa.string()),
        }
    )


def _title(path: str) -> tuple[str | None, str | None]:
    escaped = path.removeprefix("/log/")
    try:
        title = unquote_to_bytes(escaped).decode().rsplit("/", 1)[-1].lower()
    except UnicodeDecodeError:
        return None, "bad_title"
    if _BAD_ESCAPE.search(escaped) or len(title) > LONGEST_TITLE:
        return None, "bad_title"
    return (title, None) if title else (None, "no_title")


def _states(number: int, found: pa.Table) -> pa.Table:
    micros = found["micros"]
    count = found.num_rows
    languages = pc.dictionary_encode(found["lang"].combine_chunks())
    names = [_LANGUAGES.get(name, name.lower()) for name in languages.dictionary.to_pylist()]
    return pa.table(
        {
            "file": pa.repeat(pa.scalar(number, pa.int32()), count),
            "row": found["row"],
            "student": found["student"],
            "title": found["title"],
            "trace": pa.repeat(pa.scalar(0, pa.int64()), count),
            "rank": pc.cast(micros, pa.float64(), safe=False),
            "tie": pa.repeat(0.0, count),
            "at": pc.cast(micros, pa.timestamp("us")),
            "code": pc.utf8_rtrim(found["code"], characters=WHITE_SPACE),
            "language": pa.array(names, pa.string()).take(languages.indices),
            "mode": found["mode"],
            "truncated": found["truncated"],
            "score": pa.nulls(count, pa.float64()),
            "ended": pa.repeat(pa.scalar(True), count),
        },
        schema=RAW_STATES,
    )
