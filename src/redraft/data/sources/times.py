"""Times as exports write them, understood without a guess.

In: texts of a column, and a `Clock`: the format, the time zone of times without one, and whether 03/04/2021 begins with
the day. Out: microseconds since 1970 in UTC, or the reason why there are none:

- bad_time: not a time of a known form, or no such moment (31 February, an hour that a change of clocks leaves out).
- date_only: a day without a time of day; midnight would be hours off.
- day_or_month: 03/04/2021, and nothing in the column tells which comes first.
- twice_that_day: a local time that a change of clocks makes come twice.
- bad_timezone: a zone that isn't known.

Known forms: ISO 8601 and what looks like it (a blank for the T, slashes, a comma before fractions, AM and PM); seconds,
milliseconds, microseconds and nanoseconds since 1970 (told apart by their size: from 1990 to 2099 these don't meet);
20210301100000; RFC 2822; months by their English names; day, month and year in figures. Fractions are cut to
microseconds. Zones are Z, UTC, GMT and offsets: EST and the like are refused, as several zones share such names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from redraft.errors import UsageError

EPOCHS = {"s": 10**6, "ms": 10**3, "us": 1, "ns": None, "excel": None}
"""Formats that are numbers: what since 1970, or Excel's days since 1900."""
_LONGEST = 100
"""Characters of a time."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EARLIEST, _LATEST = 631_152_000, 4_102_444_800
"""Seconds since 1970 of the years 1990 and 2100."""
_EXCEL_DAY_0 = datetime(1899, 12, 30)
_CLOCK = (
    r"(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<fraction>\d+))?)?"
    r"(?:\s*(?P<half>[AaPp])\.?[Mm]\.?)?"
)
_ZONE = r"(?:\s*(?P<zone>[Zz]|(?:UTC|GMT)?[+-]\d{2}(?::?\d{2}){0,2}|UTC|GMT|UT)(?:\s*\[[\w/+-]+\]|\s*\([^()]*\))?)?"
_REST = rf"(?:[T,\s]\s*{_CLOCK}{_ZONE})?\s*"
_WEEKDAY = r"(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*\.?,?\s+)?"
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_MONTH = r"(?P<name>jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
_NUMBER = re.compile(r"[+-]?\d+(?:\.\d*)?")
_DAY_MONTH = re.compile(rf"(?P<first>\d{{1,2}})(?P<sign>[/.-])(?P<second_>\d{{1,2}})(?P=sign)(?P<year>\d{{4}}){_REST}")
_FORMS = tuple(
    re.compile(form, re.IGNORECASE)
    for form in (
        rf"(?P<year>\d{{4}})(?P<sign>[-/.])(?P<month>\d{{1,2}})(?P=sign)(?P<day>\d{{1,2}}){_REST}",
        rf"(?P<year>\d{{4}})(?P<month>\d{{2}})(?P<day>\d{{2}})T(?P<hour>\d{{2}})(?P<minute>\d{{2}})"
        rf"(?:(?P<second>\d{{2}})(?:[.,](?P<fraction>\d+))?)?{_ZONE}",
        r"(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)[-_](?P<hour>\d\d)[-_.](?P<minute>\d\d)[-_.](?P<second>\d\d)",
        rf"{_WEEKDAY}(?P<day>\d{{1,2}})(?:st|nd|rd|th)?[\s/-]+{_MONTH}[\s/,-]+(?P<year>\d{{4}})(?:,?\s+at)?"
        rf"(?:(?:[T,:]\s*|\s+){_CLOCK}{_ZONE})?\s*",
        rf"{_WEEKDAY}{_MONTH}\s+(?P<day>\d{{1,2}})(?:st|nd|rd|th)?,?\s+(?P<year>\d{{4}})(?:,?\s+at)?{_REST}",
        rf"{_WEEKDAY}{_MONTH}\s+(?P<day>\d{{1,2}})\s+{_CLOCK}{_ZONE}\s+(?P<year>\d{{4}})",
    )
)
_COMPACT = {14: "%Y%m%d%H%M%S", 12: "%Y%m%d%H%M"}


class Moment(NamedTuple):
    """A text's moment, or why it has none."""

    micros: int | None
    why: str | None = None


BAD = Moment(None, "bad_time")


@dataclass(frozen=True, kw_only=True)
class Clock:
    """How a column's times are read."""

    format: str | None = None
    """As Python's strptime has it, or one of `EPOCHS`; None: any known form."""
    zone: tzinfo = UTC
    """Of times that say none."""
    day_first: bool | None = None
    """Whether 03/04/2021 is in April; None: it can't be told."""

    def read(self, text: str, zone: tzinfo | None = None) -> Moment:
        """The moment of a text; `zone`, if known, is that of this time alone."""
        text = text.strip()
        if len(text) > _LONGEST:
            return BAD
        zone = zone or self.zone
        try:
            if self.format in EPOCHS:
                return _number(text, self.format, zone)
            if self.format is not None:
                return _utc(datetime.strptime(text, self.format), zone)
            return _any_form(text, zone, self.day_first)
        except (ValueError, OverflowError):
            return BAD


def clock(time_format: str | None, zone: str | None) -> Clock:
    """A clock from what the user says.

    Raises:
        UsageError: The format or the zone can't be used.
    """
    if time_format is not None and time_format not in EPOCHS:
        if "%Z" in time_format:
            raise UsageError(
                "names of time zones mean different zones in different places, so %Z can't be read.",
                where="--time-format", remedy="Write the name as it stands, and give --timezone.",
            )  # fmt: skip
        if "%" not in time_format:
            raise UsageError(
                f"{time_format!r} is no format of times.", where="--time-format",
                remedy=f"Write it like '%d/%m/%Y %H:%M', or give one of {', '.join(EPOCHS)}.",
            )  # fmt: skip
    if zone is None:
        return Clock(format=time_format)
    found = zone_named(zone)
    if found is None:
        raise UsageError(
            f"{zone!r} is no time zone that is known.", where="--timezone",
            remedy="Write it like Europe/Berlin, America/New_York, +0200 or UTC.",
        )  # fmt: skip
    return Clock(format=time_format, zone=found)


@lru_cache(maxsize=4096)
def zone_named(text: str) -> tzinfo | None:
    """The zone that a text means: an offset (+0200, -05:00, UTC+2), a name like Europe/Berlin, or UTC; else None."""
    word = text.strip()
    if word.upper() in ("Z", "UTC", "GMT", "UT", "ETC/UTC"):
        return UTC
    if match := re.fullmatch(r"(?:UTC|GMT)?([+-])(\d{1,2})(?::?(\d{2}))?(?::?00)?", word, re.IGNORECASE):
        return _offset(match[1], int(match[2]), int(match[3] or 0))
    if "/" not in word or not re.fullmatch(r"[A-Za-z]+(?:/[A-Za-z0-9_+-]+){1,2}", word):
        return None
    try:
        return ZoneInfo(word)
    except (ValueError, OSError, KeyError):
        return None


def _offset(sign: str, hours: int, minutes: int) -> tzinfo | None:
    if hours > 14 or minutes > 59:
        return None
    ahead = timedelta(hours=hours, minutes=minutes)
    return timezone(-ahead if sign == "-" else ahead)


def _any_form(text: str, zone: tzinfo, day_first: bool | None) -> Moment:
    if len(text) >= 19 and text[4] == text[7] == "-" and text[10] in "T " and text[13] == text[16] == ":":
        try:
            return _utc(datetime.fromisoformat(text), zone)
        except ValueError:
            pass
    if _NUMBER.fullmatch(text):
        return _number(text, None, zone)
    if match := _DAY_MONTH.fullmatch(text):
        first, second = int(match["first"]), int(match["second_"])
        if match["hour"] is None:
            return Moment(None, "date_only")
        if first != second and day_first is None:
            return Moment(None, "day_or_month")
        day, month = (first, second) if day_first else (second, first)
        return _of_parts(match, month, day, zone)
    for form in _FORMS:
        if match := form.fullmatch(text):
            parts = match.groupdict()
            if parts["hour"] is None:
                return Moment(None, "date_only")
            month = _MONTHS.index(parts["name"][:3].lower()) + 1 if parts.get("name") else int(parts["month"])
            return _of_parts(match, month, int(parts["day"]), zone)
    if re.fullmatch(r"\d{4}-?W\d\d(?:-?\d)?", text):
        return Moment(None, "date_only")
    return BAD


def _of_parts(match: re.Match[str], month: int, day: int, zone: tzinfo) -> Moment:
    """The moment that a match's parts make."""
    parts = match.groupdict()
    hour = int(parts["hour"])
    if half := parts.get("half"):
        if not 1 <= hour <= 12 and not (hour == 0 and half in "Aa"):
            return BAD
        hour = hour % 12 + 12 * (half in "Pp")
    fraction = int((parts.get("fraction") or "0")[:6].ljust(6, "0"))
    found = datetime(int(parts["year"]), month, day, hour, int(parts["minute"]), int(parts["second"] or 0), fraction)
    if said := parts.get("zone"):
        own = zone_named(said)
        if own is None:
            return BAD
        return _utc(found.replace(tzinfo=own), zone)
    return _utc(found, zone)


def _number(text: str, unit: str | None, zone: tzinfo) -> Moment:
    if not _NUMBER.fullmatch(text):
        return BAD
    if unit == "excel":
        return _utc(_EXCEL_DAY_0 + timedelta(milliseconds=round(float(text) * 86_400_000)), zone)
    whole, _, fraction = text.partition(".")
    if unit is None:
        digits = whole.lstrip("+-")
        if len(digits) in _COMPACT and not fraction and digits[:2] in ("19", "20"):
            return _utc(datetime.strptime(digits, _COMPACT[len(digits)]), zone)
        if len(digits) == 8 and not fraction and digits[:2] in ("19", "20"):
            return Moment(None, "date_only")
        size = abs(int(whole))
        places = [3 * power for power in range(4) if _EARLIEST <= size // 1000**power < _LATEST]
        if not places:
            return BAD
        (shift,) = places
    else:
        shift = {"s": 0, "ms": 3, "us": 6, "ns": 9}[unit]
    # exact to the microsecond: no float has that many digits
    nanos = int(whole + fraction[: 9 - shift].ljust(9 - shift, "0"))
    micros = nanos // 1000
    _EPOCH + timedelta(microseconds=micros)  # raises if there is no such year
    return Moment(micros)


def _utc(found: datetime, zone: tzinfo) -> Moment:
    if found.tzinfo is None:
        found = found.replace(tzinfo=zone)
        if isinstance(zone, ZoneInfo):
            other = found.replace(fold=1)
            if found.utcoffset() != other.utcoffset():
                back = found.astimezone(UTC).astimezone(zone)
                there = back.replace(tzinfo=None) == found.replace(tzinfo=None)
                return Moment(None, "twice_that_day") if there else BAD
    since = found.astimezone(UTC) - _EPOCH
    return Moment((since.days * 86400 + since.seconds) * 10**6 + since.microseconds)


class DayMonth:
    """What a column's values tell of the order of day and month."""

    def __init__(self) -> None:
        self.any = False
        """Whether there are days and months in figures, before a year."""
        self._day = self._month = self._open = False
        self._rest = ""

    def look(self, texts: Iterable[str]) -> None:
        """Take in some values."""
        for text in texts:
            if len(text) <= _LONGEST and (match := _DAY_MONTH.fullmatch(text.strip())):
                self.any = True
                self._rest = self._rest or _format_of(match)
                first, second = int(match["first"]), int(match["second_"])
                self._day |= 12 < first <= 31 and second <= 12
                self._month |= 12 < second <= 31 and first <= 12
                self._open |= first != second and max(first, second) <= 12

    @property
    def day_first(self) -> bool | None:
        """Whether the day comes first; None if nothing tells, or if values contradict each other."""
        return None if self._day == self._month else self._day

    @property
    def formats(self) -> tuple[str, str]:
        """Formats that say it: with the day first, and with the month."""
        sign, rest = self._rest[:1] or "/", self._rest[1:]
        return f"%d{sign}%m{sign}%Y{rest}", f"%m{sign}%d{sign}%Y{rest}"

    @property
    def trouble(self) -> str | None:
        """Why it can't be told, if that matters."""
        if self._day and self._month:
            return "some of its times begin with the day and others with the month"
        if self._open and not self._day and not self._month:
            return "nothing tells whether its times begin with the day or with the month"
        return None


def _format_of(match: re.Match[str]) -> str:
    """The sign between day and month, and how the time of day is written behind the year."""
    if match["hour"] is None:
        return match["sign"]
    seconds = (":%S" if match["second"] else "") + (".%f" if match["fraction"] else "")
    half = " %p" if match["half"] else ""
    zone = "%z" if match["zone"] else ""
    return f"{match['sign']} {'%I' if half else '%H'}:%M{seconds}{half}{zone}"


def moments(texts: pa.Array | pa.ChunkedArray, clock: Clock = Clock()) -> pa.Table:
    """Each distinct non-empty text with its moment: columns text, micros (since 1970 in UTC), why (there is none)."""
    distinct = [text for text in pc.unique(texts).to_pylist() if text]
    found = [clock.read(text) for text in distinct]
    return pa.table(
        {
            "text": pa.array(distinct, pa.string()),
            "micros": pa.array([moment.micros for moment in found], pa.int64()),
            "why": pa.array([moment.why for moment in found], pa.string()),
        }
    )


def zoned_moments(times: pa.Array | pa.ChunkedArray, zones: pa.Array | pa.ChunkedArray, clock: Clock) -> pa.Table:
    """The same for each distinct pair of a time and its zone (empty or null: the clock's): columns text, zone, ..."""
    pairs = pa.table({"text": times, "zone": pc.fill_null(zones, "")})
    pairs = pairs.group_by(["text", "zone"], use_threads=False).aggregate([])
    found = []
    for text, zone in zip(pairs["text"].to_pylist(), pairs["zone"].to_pylist(), strict=True):
        own = zone_named(zone) if zone.strip() else None
        bad = own is None and bool(zone.strip())
        found.append(Moment(None, "bad_timezone") if bad else clock.read(text or "", own))
    return pairs.append_column("micros", pa.array([moment.micros for moment in found], pa.int64())).append_column(
        "why", pa.array([moment.why for moment in found], pa.string())
    )
