"""Blocks of an access log into raw states: the rules that `redraft.data.sources.pencilcode` states.

In: a block of lines. Out: a `Part`. Compiled loops do what is done to every byte; the odd cases go through Python's
own functions, one by one, so that the meaning is theirs.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from urllib.parse import unquote_to_bytes

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from redraft.data.languages import COFFEESCRIPT, language_named
from redraft.data.sources import logline
from redraft.data.sources.logline import BAD_TIME
from redraft.data.sources.reading import Block, Lines, is_utf8, split_lines
from redraft.data.sources.states import RAW_STATES, TRUNCATED_AT, WHITE_SPACE, Part, rejected

FORMAT = "%d/%b/%Y:%H:%M:%S %z"
LONGEST_TITLE = 100
NOBODY = ("-", hashlib.md5(b"-").hexdigest(), hashlib.md5(b"").hexdigest())
_SERVER_ESCAPE = re.compile(r"\\x([0-9A-Fa-f]{2})")
"""As servers write bytes beyond ASCII, quotes and backslashes."""
_BAD_ESCAPE = re.compile("%(?![0-9A-Fa-f]{2})")
NO_PERSON = ("event", "example", "frame", "guide", "gymstage", "share", "start")
"""Sites of Pencil Code that nobody owns: what stands there is whoever's."""
_NO_PERSON = pa.array([*NO_PERSON, *(hashlib.md5(name.encode()).hexdigest() for name in NO_PERSON)])
_LANGUAGES = {"cs": COFFEESCRIPT, "n": None, "": None}
"""What the editor writes otherwise than people do."""
_MODES = {"b": "b", "t": "t"}


def parse(number: int, block: Block, identity: str, actions: Sequence[str], *, shared_sites: bool = False) -> Part:
    """The states of a block of input `number`, and why its other lines hold none."""
    lines = split_lines(block)
    found = _Found(lines, actions)
    students, nobody = found.students(identity)
    titles, title_reasons = _titles(found.field(logline.PATH))
    moments = found.moments()
    text, bad_text = found.programs()
    reasons = {
        **lines.unreadable,
        "malformed": found.has(logline.MALFORMED),
        "bad_time": moments == BAD_TIME,
        "not_log": found.has(logline.NOT_LOG),
        "no_student": nobody,
        "no_person": np.zeros(len(nobody), bool) if shared_sites or identity != "owner" else found.of_no_person(),
        **title_reasons,
        "other_action": found.has(logline.OTHER_ACTION),
        "no_code": found.has(logline.NO_CODE),
        "bad_escape": bad_text,
    }
    first = np.select(list(reasons.values()), np.arange(len(reasons)), -1)
    usable, unused = np.flatnonzero(first < 0), np.flatnonzero(first >= 0)
    lines_used, count = pa.array(usable), len(usable)
    moments = moments[usable]
    columns = {
        "file": pa.repeat(pa.scalar(number, pa.int32()), count),
        "row": block.first + usable,
        "student": students.take(lines_used),
        "title": titles.take(lines_used),
        "trace": np.zeros(count, np.int64),
        "rank": moments.astype(np.float64),
        "tie": np.zeros(count),
        "at": moments.view("datetime64[us]"),
        "code": pc.utf8_rtrim(text.take(lines_used), characters=WHITE_SPACE),
        "language": _translated(found.field(logline.LANG).take(lines_used), _language),
        "mode": _translated(found.field(logline.MODE).take(lines_used), _MODES.get),
        "truncated": found.units[usable] >= TRUNCATED_AT,
        **{name: pa.nulls(count, RAW_STATES.field(name).type) for name in ("score", "verdict", "judged", "errors")},
        "ended": np.ones(count, bool),
    }
    names = pa.array(list(reasons)).take(pa.array(first[unused]))
    return Part(pa.table(columns, schema=RAW_STATES), rejected(number, block.first + unused, names))


class _Found:
    """What the compiled loops find in some lines."""

    def __init__(self, lines: Lines, actions: Sequence[str]) -> None:
        count = len(lines.cuts) - 1
        self._data, self._readable = lines.data, lines.readable
        self._flags = np.zeros(count, np.uint8)
        self._fields = np.empty((logline.FIELDS, 2, count), np.int32)
        self._moments = np.empty(count, np.int64)
        self._plain = np.empty(len(lines.data), np.uint8)
        self._program_cuts = np.zeros(count + 1, np.int32)
        self.units = np.zeros(count, np.int64)
        """The programs' lengths in UTF-16 units."""
        wanted = np.frombuffer(f" {' '.join(actions)} ".encode(), np.uint8)
        logline.take_apart(
            self._data, lines.cuts, self._readable, wanted,
            self._flags, self._fields, self._moments, self._plain, self._program_cuts, self.units,
        )  # fmt: skip

    def has(self, flag: int) -> np.ndarray:
        """Which lines have a flag."""
        return (self._flags & flag) > 0

    def field(self, number: int) -> pa.Array:
        """One field of every line; empty if it has none."""
        cuts = np.ascontiguousarray(self._fields[number].T).reshape(-1)  # a field, what is between, the next field ...
        both = pa.Array.from_buffers(
            pa.string(), max(0, len(cuts) - 1), [None, pa.py_buffer(cuts), pa.py_buffer(self._data)]
        )
        return both.take(pa.array(np.arange(0, len(both), 2)))

    def students(self, identity: str) -> tuple[pa.Array, np.ndarray]:
        """Every line's student, and where it names nobody."""
        numbers = {"owner": [logline.OWNER], "uid": [logline.UID], "both": [logline.OWNER, logline.UID]}[identity]
        parts = [self.field(number) for number in numbers]
        nobody = np.any([pc.is_in(part, pa.array(NOBODY)).to_numpy(zero_copy_only=False) for part in parts], axis=0)
        return parts[0] if len(parts) == 1 else pc.binary_join_element_wise(*parts, " "), nobody

    def of_no_person(self) -> np.ndarray:
        """Which lines are of a site that belongs to no person."""
        found: np.ndarray = pc.is_in(self.field(logline.OWNER), _NO_PERSON).to_numpy(zero_copy_only=False)
        return found

    def moments(self) -> np.ndarray:
        """Every line's time in microseconds since 1970, in UTC; `BAD_TIME` if its stamp is no such moment."""
        odd = (self._moments == BAD_TIME) & self._readable & ~self.has(logline.MALFORMED)
        for line in np.flatnonzero(odd):
            start, end = self._fields[logline.STAMP, :, line]
            self._moments[line] = _moment(self._data[start:end].tobytes().decode())
        return self._moments

    def programs(self) -> tuple[pa.Array, np.ndarray]:
        """Every line's program, and which could not be decoded."""
        cuts, bad = self._program_cuts, self.has(logline.BAD_ESCAPE)
        plain = self._plain[: cuts[-1]]
        text = pa.Array.from_buffers(pa.string(), len(bad), [None, pa.py_buffer(cuts), pa.py_buffer(plain)])
        beyond_ascii = self.has(logline.BEYOND_ASCII)
        if beyond_ascii.any() and not is_utf8(text):
            for line in np.flatnonzero(beyond_ascii):
                bad[line] |= not is_utf8(text[line : line + 1])
        return text, bad


def _language(code: str) -> str | None:
    return _LANGUAGES[code] if code in _LANGUAGES else language_named(code)


def _moment(stamp: str) -> int:
    try:
        moment = datetime.strptime(stamp, FORMAT).astimezone(UTC)
    except (ValueError, OverflowError):
        return int(BAD_TIME)
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86400 + since.seconds) * 10**6 + since.microseconds


def _translated(values: pa.Array, translate: Callable[[str], str | None]) -> pa.Array:
    """Each value's translation; one that comes again is translated once."""
    distinct = pc.dictionary_encode(values)
    return pa.array([translate(value) for value in distinct.dictionary.to_pylist()], pa.string()).take(distinct.indices)


def _titles(paths: pa.Array) -> tuple[pa.Array, dict[str, np.ndarray]]:
    """Each path's title, and the reasons why some have none."""
    distinct = pc.dictionary_encode(paths)
    found = [_title(path) for path in distinct.dictionary.to_pylist()]
    titles = pa.array([title for title, _ in found], pa.string()).take(distinct.indices)
    rows = distinct.indices.to_numpy()
    wrong = {reason: np.array([why == reason for _, why in found], bool)[rows] for reason in ("no_title", "bad_title")}
    return titles, wrong


def _title(path: str) -> tuple[str | None, str | None]:
    escaped = _SERVER_ESCAPE.sub(r"%\1", path.removeprefix("/log/"))
    try:
        title = unquote_to_bytes(escaped).decode().rsplit("/", 1)[-1].lower()
    except UnicodeDecodeError:
        return None, "bad_title"
    if _BAD_ESCAPE.search(escaped) or len(title) > LONGEST_TITLE:
        return None, "bad_title"
    return (title, None) if title else (None, "no_title")
