"""Times as exports write them: understood exactly, or refused."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everyday import read, rejected, table
from redraft.data.sources.times import Clock, DayMonth, Moment, clock, zone_named
from redraft.data.store import Dataset
from redraft.errors import InputError, UsageError

MOMENTS = st.datetimes(datetime(1991, 1, 1), datetime(2098, 1, 1)).map(lambda at: at.replace(microsecond=0))
ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


def micros(moment: datetime) -> int:
    since = moment.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86400 + since.seconds) * 10**6 + since.microseconds


@given(MOMENTS, ZONES)
def test_aware_times_are_read_whatever_form_they_have(moment: datetime, zone: timezone) -> None:
    aware = moment.replace(tzinfo=zone)
    local = aware.strftime("%z")
    forms = [
        aware.isoformat(),
        aware.isoformat(" "),
        aware.strftime("%Y-%m-%d %H:%M:%S ") + local,
        aware.strftime("%Y/%m/%d %H:%M:%S") + local,
        aware.strftime("%Y%m%dT%H%M%S") + local,
        aware.strftime("%a, %d %b %Y %H:%M:%S ") + local,
        aware.strftime("%a %b %d %Y %H:%M:%S GMT") + local + " (somewhere)",
        aware.strftime("%d/%b/%Y:%H:%M:%S ") + local,
        aware.isoformat(timespec="milliseconds").replace(".", ","),
        str(micros(aware) // 10**6),
        f"{micros(aware) // 10**6}.0",
        str(micros(aware) // 1000),
        str(micros(aware)),
        str(micros(aware) * 1000),
    ]
    other = Clock(zone=timezone(timedelta(hours=5)))
    assert {form: other.read(form).micros for form in forms} == dict.fromkeys(forms, micros(aware))


@given(MOMENTS)
def test_times_without_a_zone_are_of_the_one_given(moment: datetime) -> None:
    forms = [
        moment.isoformat(),
        moment.strftime("%Y-%m-%d %I:%M:%S %p"),
        moment.strftime("%Y-%m-%d-%H-%M-%S"),
        moment.strftime("%Y%m%d%H%M%S"),
        moment.strftime("%B %d, %Y %I:%M:%S %p"),
        moment.strftime("%A, %d %B %Y, %I:%M:%S %p"),
        moment.strftime("%a %b %d %H:%M:%S %Y"),
    ]
    at = micros(moment.replace(tzinfo=timezone(timedelta(hours=2))))
    read_with = Clock(zone=timezone(timedelta(hours=2)))
    assert {form: read_with.read(form).micros for form in forms} == dict.fromkeys(forms, at)


@given(st.text(max_size=30))
def test_any_text_is_a_time_or_a_reason(text: str) -> None:
    found = Clock().read(text)
    assert (found.micros is None) == (found.why is not None)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("2021-03-01", "date_only"), ("20210301", "date_only"), ("2021-W09-1", "date_only"), ("1 March 2021", "date_only"),
        ("03/04/2021 10:00", "day_or_month"), ("2021-02-30 10:00", "bad_time"), ("2021-03-01 25:00", "bad_time"),
        ("2021-03-01 05:00:00 EST", "bad_time"), ("44256.416667", "bad_time"), ("12", "bad_time"), ("1.6E+12", "bad_time"),
        ("2021-03-01 10:00:60", "bad_time"), ("13:00 PM", "bad_time"), ("2021-03-01 13:00 PM", "bad_time"),
    ],
)  # fmt: skip
def test_what_cannot_be_told_has_a_reason(text: str, why: str) -> None:
    assert Clock().read(text) == Moment(None, why)


def test_local_times_that_come_twice_or_never_are_refused() -> None:
    york = Clock(zone=ZoneInfo("America/New_York"))
    assert york.read("2022-11-06 01:30:00").why == "twice_that_day"
    assert york.read("2022-03-13 02:30:00").why == "bad_time"
    assert york.read("2022-11-06 00:59:59").micros == micros(datetime(2022, 11, 6, 4, 59, 59, tzinfo=UTC))
    assert york.read("2022-11-06T01:30:00-05:00").micros == micros(datetime(2022, 11, 6, 6, 30, tzinfo=UTC))


@given(st.lists(st.tuples(st.integers(1, 31), st.integers(1, 12)), min_size=1))
def test_the_column_tells_the_order_of_day_and_month_or_nothing_does(days: list[tuple[int, int]]) -> None:
    for form, first in (("{0:02}/{1:02}/2021 10:00", True), ("{1:02}/{0:02}/2021 10:00", False)):
        seen = DayMonth()
        seen.look(form.format(*day) for day in days)
        told = any(day > 12 for day, _ in days)
        assert seen.day_first == (first if told else None)
        assert (seen.trouble is None) == (told or all(day == month for day, month in days))


def test_a_column_that_contradicts_itself_is_refused() -> None:
    seen = DayMonth()
    seen.look(["13/01/2021 10:00", "01/13/2021 10:00"])
    assert seen.day_first is None
    assert "others with the month" in (seen.trouble or "")


@pytest.mark.parametrize(
    ("given_format", "text", "at"),
    [
        ("%d.%m.%y %H:%M", "01.03.21 10:00", (10, 0)), ("s", "1614592800", (10, 0)), ("ms", "1614592800000", (10, 0)),
        ("excel", "44256.416666667", (10, 0)), ("%Y-%m-%d", "2021-03-01", (0, 0)),
    ],
)  # fmt: skip
def test_a_format_that_is_given_counts(given_format: str, text: str, at: tuple[int, int]) -> None:
    assert clock(given_format, None).read(text).micros == micros(datetime(2021, 3, 1, *at, tzinfo=UTC))


@pytest.mark.parametrize("zone", ["CET or so", "EST", "Europe/Nowhere", "../etc/passwd", "+25:00"])
def test_zones_that_are_not_known_are_refused(zone: str) -> None:
    assert zone_named(zone) is None
    with pytest.raises(UsageError, match="no time zone"):
        clock(None, zone)


def written(file: Path, times: Sequence[str], **columns: str) -> Path:
    with file.open("w", newline="", encoding="utf-8") as out:
        rows = csv.writer(out)
        rows.writerow(["student", "title", "time", "code", *columns])
        rows.writerows(["s1", "house", time, f"fd {n}", *columns.values()] for n, time in enumerate(times))
    return file


def times_of(dataset: Dataset) -> list[datetime | None]:
    return [state.at for trace in dataset.traces() for state in trace.states]


RIGHT = [datetime(2021, 3, 1, 10, minute, tzinfo=UTC) for minute in range(3)]
REFUSED = {"dateonly": "date_only", "week": "date_only", "excel": "bad_time", "est": "bad_time"}


def test_every_notation_is_read_rightly_or_refused(cases: Path, tmp_path: Path) -> None:
    files = sorted((cases / "09-times").glob("*.csv"))
    assert len(files) > 20
    for file in files:
        if file.stem in ("eu", "us"):
            with pytest.raises(InputError, match=r"3 April or March 4.*day first.*month first"):
                read(table(file), tmp_path)
        elif file.stem in REFUSED:
            with pytest.raises(InputError, match=rf"3 {REFUSED[file.stem]}.*--order"):
                read(table(file), tmp_path)
        else:
            assert times_of(read(table(file), tmp_path)) == RIGHT, file.name


def test_day_and_month_are_told_by_any_value_of_any_file(tmp_path: Path) -> None:
    one = written(tmp_path / "a.csv", ["03/01/2021 10:00", "03/01/2021 10:01"])
    two = written(tmp_path / "b.csv", ["03/13/2021 10:02"])
    assert [at and at.month for at in times_of(read(table(one, two), tmp_path))] == [3, 3, 3]
    with pytest.raises(InputError, match="%d/%m/%Y %H:%M'"):
        read(table(one), tmp_path)
    assert times_of(read(table(one, time_format="%m/%d/%Y %H:%M"), tmp_path)) == RIGHT[:2]


def test_zones_come_from_a_column_or_an_option(tmp_path: Path) -> None:
    file = written(tmp_path / "t.csv", ["2021-03-01T05:00:00", "2021-03-01T05:01:00"], zone="America/New_York")
    assert times_of(read(table(file, timezone_column="zone"), tmp_path)) == RIGHT[:2]
    assert times_of(read(table(file, timezone="-0500"), tmp_path)) == RIGHT[:2]
    other = written(tmp_path / "u.csv", ["2021-03-01T05:00:00", "2021-03-01T10:00:00Z"], zone="Mars/Base")
    with pytest.raises(InputError, match="2 bad_timezone"):
        read(table(other, timezone_column="zone"), tmp_path)


def test_that_times_say_no_zone_is_told_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    read(table(written(tmp_path / "t.csv", ["2021-03-01T10:00:00"])), tmp_path)
    assert "read as UTC (--timezone says another)" in " ".join(capsys.readouterr().err.split())
    dataset = read(table(written(tmp_path / "u.csv", ["2021-03-01T10:00:00Z", "x"])), tmp_path)
    assert "read as UTC" not in capsys.readouterr().err
    assert rejected(dataset) == {"bad_time": 1}
