"""Any table of programs with a row per draft: CSV and its kin, JSON lines, Parquet.

In: files and folders, and which of the columns hold student, title and code, and perhaps the time (see `times`), an
order (numbers), language, editor's mode, score and verdict. Out: raw states. Traces are ordered by `order` if given,
else by time, else as the rows stand. Without times a state's `at` is null and metrics of time are unscored. Rows not
used, first reason that holds: malformed, not_utf8, not_text, too_long, not_where, no_student, no_title, those of
`times`, bad_order, bad_score, bad_verdict, no_code (null; an empty text is an empty program). A column inside another
is named with dots.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.compute as pc

from redraft.data.duck import Workspace, in_batches
from redraft.data.identity import MISSING
from redraft.data.languages import language_named, language_option
from redraft.data.sources.archives import given_name
from redraft.data.sources.dialect import Dialect, dialect
from redraft.data.sources.growth import UNPACK_RATIO
from redraft.data.sources.portions import Bounds
from redraft.data.sources.reading import expand
from redraft.data.sources.rows import Rows, read_rows, require_columns, to_part
from redraft.data.sources.states import Damaged, Part, Piece
from redraft.data.sources.times import Clock, DayMonth, clock, zone_named, zoned_moments
from redraft.data.sources.where import Where, where
from redraft.data.store import Origin
from redraft.data.verdicts import verdict_named
from redraft.errors import InputError, UsageError
from redraft.progress import say

_ROLES = ("student", "title", "code", "time", "order", "language_column", "mode", "score", "verdict", "timezone_column")
_STATES = """
WITH numbered AS (
    SELECT *, trim(title, $white) AS bare, trim(student, $white) AS bare_student,
        CASE WHEN $decimal = '.' THEN "order" WHEN NOT contains("order", '.') THEN replace("order", ',', '.') END
            AS number
    FROM draft
)
SELECT row, student, title, micros, code,
    CASE WHEN $by_order THEN TRY_CAST(number AS DOUBLE) ELSE coalesce(micros, 0)::DOUBLE END AS rank,
    0.0 AS tie, coalesce(languages.name, $language::VARCHAR) AS language, nullif(trim(mode, $white), '') AS mode,
    false AS truncated, scores.value AS score, verdicts.name AS verdict,
    CASE WHEN NOT ({where}) THEN 'not_where'
        WHEN coalesce(bare_student, '') = '' OR bare_student = 'NA' OR lower(bare_student) IN $missing THEN 'no_student'
        WHEN coalesce(bare, '') = '' OR bare = 'NA' OR lower(bare) IN $missing THEN 'no_title'
        WHEN $timed AND micros IS NULL THEN coalesce(moments.why, 'bad_time')
        WHEN rank IS NULL OR isnan(rank) THEN 'bad_order'
        WHEN scores.bad THEN 'bad_score'
        WHEN verdicts.bad THEN 'bad_verdict'
        WHEN code IS NULL THEN 'no_code'
    END AS reason
FROM numbered LEFT JOIN moments ON moments.text = numbered.time AND moments.zone = coalesce(timezone_column, '')
    LEFT JOIN languages ON languages.text = language_column
    LEFT JOIN scores ON scores.text = numbered.score
    LEFT JOIN verdicts ON verdicts.text = numbered.verdict
"""
_WHITE = " \t\r\n\u00a0\ufeff"
_ENOUGH = 2000
"""Rows looked at to see how times are written."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """Read any table with a row per draft: CSV or TSV, JSON lines, Parquet; several files and folders of them.

    Example: redraft ingest table drafts.csv --out drafts.dataset --student id --title task --code text --time when
    """

    path: Path | Sequence[Path]
    """Tables, and folders of them: CSV with a header, JSON lines, or Parquet, told by what is in them."""
    student: str
    """The column of student ids."""
    title: str
    """The column of titles: what was to be written."""
    code: str
    """The column of programs."""
    time: str | None = None
    """The column of times. Without it metrics of time are unscored."""
    order: str | None = None
    """The column of numbers that order a trace; without it the times do, or the rows as they stand."""
    language: str | None = None
    """The language of all programs, or of those whose own is empty."""
    language_column: str | None = None
    """The column of languages."""
    mode: str | None = None
    """The column of the editor's mode, such as b (blocks) or t (text)."""
    score: str | None = None
    """The column of the platform's own grades: numbers from 0 to `--score-max`, percentages, or true and false."""
    score_max: float = 1.0
    """The best grade."""
    verdict: str | None = None
    """The column of the platform's own verdicts: words such as ok, passed, failed, error, timeout."""
    time_format: str | None = None
    """How times are written, as in '%d/%m/%Y %H:%M'; or s, ms, us, ns (since 1970) or excel (days)."""
    timezone: str | None = None
    """The zone of times that say none, such as Europe/Berlin or +0200; by default UTC."""
    timezone_column: str | None = None
    """The column that says the zone of each time that says none itself."""
    where: tuple[str, ...] = ()
    """A condition on the rows to read, such as 'event=run', 'course!=test' or 'attempt<=3'; may be given again."""
    separator: str | None = None
    """What stands between columns; by default found."""
    encoding: str | None = None
    """How letters are written as bytes, such as cp1252; by default found for UTF-16, else UTF-8."""
    decimal: str | None = None
    """What stands before decimals; by default a comma where columns are separated by semicolons, else a point."""

    name = "table"
    origin: ClassVar[Origin] = "students"
    whole_drafts = False
    formless = frozenset({"malformed", "not_utf8"})

    def __post_init__(self) -> None:
        for given, option in ((self.time_format, "--time-format"), (self.timezone, "--timezone"),
                              (self.timezone_column, "--timezone-column")):  # fmt: skip
            if given is not None and self.time is None:
                raise UsageError("there is no column of times.", where=option, remedy="Name one with --time.")
        if not self.score_max > 0:
            raise UsageError("the best grade is above 0.", where="--score-max")
        for checked in (self._said, self._where, self._said_clock):
            assert checked
        assert self.language is None or self._language

    @cached_property
    def _said(self) -> Dialect:
        return dialect(self.separator, self.encoding, self.decimal)

    @cached_property
    def _where(self) -> Where:
        return where(self.where)

    @cached_property
    def _said_clock(self) -> Clock:
        return clock(self.time_format, self.timezone)

    @cached_property
    def _language(self) -> str | None:
        return None if self.language is None else language_option(self.language)

    @cached_property
    def _given(self) -> Sequence[Path]:
        return [self.path] if isinstance(self.path, Path) else self.path

    def inputs(self) -> Sequence[Path]:
        """The files, in the order given and a folder's sorted, their columns checked; a folder's others are named."""
        return self._files

    @cached_property
    def _files(self) -> list[Path]:
        found: list[Path] = []
        problems: list[str] = []
        files = expand(self._given)
        named = {path for path in self._given if path.is_file()}
        for file in files:
            try:
                require_columns(file, self._columns, self._said)
                found.append(file)
            except InputError as error:
                if file in named or len(files) == 1:
                    raise
                problems.append(str(error).replace(str(file), given_name(file)))
        if not found:
            raise InputError(
                f"none of its {len(files)} files has the columns; the first: {problems[0]}",
                where=", ".join(map(str, self._given)),
            )
        for problem in problems:
            say(f"left out: {problem}")
        return found

    @cached_property
    def _clock(self) -> Clock:
        """How times are read; the order of day and month is told by the whole column.

        Raises:
            InputError: It isn't told.
        """
        said = self._said_clock
        if self.time is None or said.format is not None:
            return said
        seen = DayMonth()
        naive = False
        for file in self._files:
            texts = list(islice(self._times(file), _ENOUGH))
            seen.look(texts)
            naive |= self.timezone is None and self.timezone_column is None and _without_zone(texts)
        if seen.any:
            for file in self._files:
                seen.look(self._times(file))
            if seen.trouble:
                day, month = seen.formats
                raise InputError(
                    f"in the column {self.time!r} {seen.trouble}: 03/04/2021 may be 3 April or March 4.",
                    where=self._files[0] if len(self._files) == 1 else None,
                    remedy=f"Say it with --time-format '{day}' (day first) or '{month}' (month first).",
                )
        if naive:
            say(f"times in the column {self.time!r} say no zone; they are read as UTC (--timezone says another).")
        return Clock(zone=said.zone, day_first=seen.day_first)

    def _times(self, file: Path) -> Iterator[str]:
        assert self.time is not None
        try:
            for rows in read_rows(file, [self.time], _Survey(), self._said):
                yield from filter(None, pc.unique(rows.table[self.time]).to_pylist())
        except Damaged:  # told when it is read for good
            return

    def options(self) -> Mapping[str, Any]:
        """The columns, and what else shapes the states."""
        plain = {"title", "student", "code", "time", "order"}
        said: dict[str, Any] = {
            name: getattr(self, name)
            for name in (*_ROLES, "time_format", "timezone", "separator", "encoding", "decimal")
        }
        said = {name: value for name, value in said.items() if value is not None or name in plain}
        extra = {"where": list(self.where)} if self.where else {}
        best = {"score_max": self.score_max} if self.score else {}
        return {**said, **extra, **best, "language": self._language}

    def warm_up(self) -> None:
        """Find out how times are written."""
        assert self._clock

    def label(self, file: Path) -> str:
        """The same for all files."""
        return self.name

    def pieces(self, number: int, file: Path, work: Workspace) -> Iterator[Piece]:
        """Batches of rows."""
        for rows in read_rows(file, self._columns, work, self._said):
            yield Piece(rows.size, partial(self._parse, number, rows, work))

    @property
    def columns_of_reasons(self) -> Mapping[str, str | None]:
        """Reason -> the column that it is about."""
        return {
            **dict.fromkeys(("bad_time", "date_only", "day_or_month", "twice_that_day"), self.time),
            "bad_timezone": self.timezone_column, "no_student": self.student, "rounded_id": self.student,
            "no_title": self.title, "no_code": self.code, "bad_order": self.order, "bad_score": self.score,
            "bad_verdict": self.verdict,
        }  # fmt: skip

    @property
    def _roles(self) -> dict[str, str | None]:
        return {name: getattr(self, name) for name in _ROLES}

    @property
    def _columns(self) -> list[str]:
        roles = [column for column in self._roles.values() if column is not None]
        return list(dict.fromkeys([*roles, *self._where.columns]))

    def _parse(self, number: int, rows: Rows, work: Workspace) -> Part:
        nothing = pa.nulls(rows.table.num_rows, pa.string())
        roles = {role: nothing if column is None else rows.table[column] for role, column in self._roles.items()}
        looked_at = {f"where_{place}": rows.table[column] for place, column in enumerate(self._where.columns)}
        values = {
            "language": self._language, "timed": self.time is not None, "by_order": self.order is not None,
            "decimal": rows.decimal, "white": _WHITE, "missing": sorted(MISSING), **self._where.values,
        }  # fmt: skip
        with work.cursor() as duck:
            duck.register("draft", in_batches(pa.table({"row": rows.table["row"], **roles, **looked_at})))
            duck.register("moments", zoned_moments(roles["time"], roles["timezone_column"], self._clock))
            duck.register("languages", _languages(roles["language_column"]))
            duck.register("verdicts", _verdicts(roles["verdict"]))
            duck.register("scores", _scores(roles["score"], rows.decimal, self.score_max))
            found = duck.sql(_STATES.replace("{where}", self._where.sql), params=values).to_arrow_table()
            return to_part(number, rows, found)


class _Survey(Bounds):
    """The bounds of a first look."""

    block_bytes = 4 * 10**6
    unpack_ratio = UNPACK_RATIO


def _without_zone(texts: Sequence[str]) -> bool:
    """Whether some times say no zone, so that one must be given."""
    one, other = Clock(), Clock(zone=zone_named("+0100") or Clock().zone)
    return any(one.read(text).micros != other.read(text).micros for text in texts[:100])


def _languages(texts: pa.Array | pa.ChunkedArray) -> pa.Table:
    """Each distinct spelling with the language it means."""
    distinct = [text for text in pc.unique(texts).to_pylist() if text and text.strip()]
    names = [language_named(text.strip()) for text in distinct]
    return pa.table({"text": pa.array(distinct, pa.string()), "name": pa.array(names, pa.string())})


def _verdicts(texts: pa.Array | pa.ChunkedArray) -> pa.Table:
    """Each distinct word of the platform with the verdict it means, or that it means none."""
    distinct = [text for text in pc.unique(texts).to_pylist() if text is not None]
    words = [text.strip() for text in distinct]
    missing = [word == "NA" or word.casefold() in MISSING for word in words]
    names = [None if none else verdict_named(word) for word, none in zip(words, missing, strict=True)]
    return pa.table(
        {
            "text": pa.array(distinct, pa.string()),
            "name": pa.array(names, pa.string()),
            "bad": pa.array([name is None and not none for name, none in zip(names, missing, strict=True)], pa.bool_()),
        }
    )


def _scores(texts: pa.Array | pa.ChunkedArray, decimal: str, best: float) -> pa.Table:
    """Each distinct score from 0 to 1, or that it is none."""
    distinct = [text for text in pc.unique(texts).to_pylist() if text is not None]
    found = [_score(text.strip(), decimal, best) for text in distinct]
    return pa.table(
        {
            "text": pa.array(distinct, pa.string()),
            "value": pa.array([None if score is None or score < 0 else score for score in found], pa.float64()),
            "bad": pa.array([score is not None and score < 0 for score in found], pa.bool_()),
        }
    )


def _score(text: str, decimal: str, best: float) -> float | None:
    """A score from 0 to 1; None for no score, below 0 for what is none."""
    word = text.casefold()
    if text == "NA" or word in MISSING:
        return None
    if word in ("true", "false"):
        return float(word == "true")
    best = 100 if word.endswith("%") else best
    plain = word.removesuffix("%").strip()
    if decimal == ",":
        plain = "bad" if "." in plain else plain.replace(",", ".")
    try:
        score = float(plain) / best
    except ValueError:
        return -1
    return score if 0 <= score <= 1 else -1
