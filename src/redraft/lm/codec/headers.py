r"""Times as text, and the lines that head a state in full text.

In: times and programs. Out: headers, and programs in which no line looks like one; and both read back.

A header is `CODE 2 (2020-01-16 15:06:01):`, without a time `CODE 2 (no time):`. With relative times it is
`CODE 2 (+33):`, the seconds since the state before, wherever those are from 0 to a day; the first state, and one that
comes after another day or before its predecessor, says its time in full.

A program's line that is a header to the letter, or such a line behind backslashes, gets one more backslash before it,
which reading takes away; every other line stands as it is. Lines end at "\n" alone.
"""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import UTC, datetime, timedelta
from functools import lru_cache

NO_TIME = "no time"
DAY = 86_400
"""Seconds; a gap as long as this or longer is no relative time."""

_ABSOLUTE = rf"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}} [0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}|{NO_TIME}"
_RELATIVE = r"\+[0-9]{1,5}"


class Headers:
    """Headers with or without relative times.

    Args:
        relative: Write the seconds since the state before where that is possible.
    """

    def __init__(self, *, relative: bool = False) -> None:
        self.relative = relative
        header = rf"CODE [0-9]+ \(({_ABSOLUTE}{'|' + _RELATIVE if relative else ''})\):$"
        self.line = re.compile(rf"^{header}", re.MULTILINE)
        self._to_escape = re.compile(rf"^(?=\\*{header})", re.MULTILINE)
        self._escaped = re.compile(rf"^\\(?=\\*{header})", re.MULTILINE)

    def write(self, n: int, at: datetime | None, after: datetime | None) -> str:
        """The header of state `n` (from 1) with the line breaks around it; the first follows the start token at once.

        Args:
            n: The state's number.
            at: Its time.
            after: The time of the state before.
        """
        seconds = gap(at, after) if self.relative else None
        time = f"+{seconds}" if seconds is not None else time_text(at) or NO_TIME
        return f"{chr(10) if n > 1 else ''}CODE {n} ({time}):\n"

    def read(self, time: str, after: datetime | None) -> datetime | None:
        """The time in a header.

        Raises:
            ValueError: There is no such date or time of day, or no state before to count from.
        """
        return later(after, int(time[1:])) if time.startswith("+") else read_time("" if time == NO_TIME else time)

    def escape(self, code: str) -> str:
        """A program without lines that are headers."""
        return self._to_escape.sub(r"\\", code)

    def unescape(self, text: str) -> str:
        """Undo `escape`."""
        return self._escaped.sub("", text)


def time_text(at: datetime | None) -> str:
    """A time in UTC to the second, `2020-01-16 15:06:01`; nothing if there is none."""
    return _second(at).replace(tzinfo=None).isoformat(" ") if at else ""


def read_time(text: str) -> datetime | None:
    """Undo `time_text`.

    Raises:
        ValueError: There is no such date or time of day.
    """
    if not text:
        return None
    if not re.fullmatch(_ABSOLUTE, text) or text == NO_TIME:
        raise ValueError(text)
    year, month, day, hour, minute, second = map(int, re.findall("[0-9]+", text))
    return datetime(year, month, day, hour, minute, second, tzinfo=UTC)


def latest(text: str) -> str | None:
    """The latest time that begins like this, written as `time_text` writes it; None if no time does."""
    year = text[:4] + "9999"[len(text[:4]) :]
    if not (year.isascii() and year.isdigit()) or year == "0000":
        return None
    month = _latest("-", 12, text[4:7])
    days = monthrange(int(year), int(month[1:]))[1] if month else 0
    limits = (("-", days), (" ", 23), (":", 59), (":", 59))
    fields = [_latest(sign, high, text[at : at + 3]) for (sign, high), at in zip(limits, range(7, 19, 3), strict=True)]
    found = "".join((year, month or "", *(field or "" for field in fields)))
    return found if len(found) == 19 >= len(text) else None


@lru_cache
def _latest(sign: str, high: int, text: str) -> str | None:
    """The largest number up to `high` that begins like this, behind its sign; days and months begin with 1."""
    low = int(sign == "-")
    fitting = (f"{sign}{n:02}" for n in range(high, low - 1, -1) if f"{sign}{n:02}".startswith(text))
    return next(fitting, None)


def gap(at: datetime | None, after: datetime | None) -> int | None:
    """Seconds from `after` to `at`, both cut to the second; None unless they are from 0 to a day."""
    if at is None or after is None:
        return None
    seconds = int((_second(at) - _second(after)).total_seconds())
    return seconds if 0 <= seconds < DAY else None


def later(at: datetime | None, seconds: int) -> datetime:
    """Undo `gap`.

    Raises:
        ValueError: There is no time to count from, or the year 9999 is over.
    """
    if at is None:
        raise ValueError("no time to count from")
    try:
        return at + timedelta(seconds=seconds)
    except OverflowError as error:
        raise ValueError("beyond the last year") from error


def _second(at: datetime) -> datetime:
    return (at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)).replace(microsecond=0)
