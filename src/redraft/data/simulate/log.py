"""Pencil Code access logs of a simulated class: a gzip file per year, in order of time, as a server writes them.

In: works in any order. Out: `access-YEAR.log.gz`. Lines wait on disk by month until all are there, so that memory is
bounded by the busiest month. The bytes depend on the works alone (and on the gzip library's version).
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from random import Random
from typing import IO
from urllib.parse import quote

from redraft.data.simulate.classroom import Event, Work, sent
from redraft.data.simulate.truth import owner

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
"""Not `strftime`'s, which follow the locale."""
AGENTS = (
    "Mozilla/5.0 (X11; CrOS x86_64)",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64)",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)",
)


class _Escapes(dict[int, str]):
    """For `str.translate`: how the editor writes a character of a program in a URL."""

    def __missing__(self, sign: int) -> str:
        self[sign] = quote(chr(sign), safe=",!'()*~")
        return self[sign]


ESCAPES = _Escapes(str.maketrans({" ": "+", "\n": "|"}))


def log_lines(work: Work, *, seed: int) -> Iterator[tuple[Event, str]]:
    """The work's events, each with its line of the access log (without the newline)."""
    browser = Random(f"{seed} browser {work.number}")
    uid, agent = f"{browser.getrandbits(128):032X}", browser.choice(AGENTS)
    place = Random(f"{seed} place {work.number} {work.title}").choices(range(1, 255), k=3)
    site, title = owner(work.number), quote(work.title)
    front = f"{'.'.join(map(str, [10, *place]))} {site} uid={uid}"
    back = f'HTTP/1.1" 200 0 "https://{site}.pencilcode.net/edit/{title}" "{agent}"'
    for event in work.events:
        code = sent(event.code)[0].translate(ESCAPES)
        request = f"/log/{title}?{event.action}&mode={event.mode}&lang=cs&code={code}"
        yield event, f'{front} [{_stamp(event.at)}] "GET {request} {back}'


def _key(at: datetime) -> str:
    """Sorts like the moment, within a month."""
    return f"{at.day:02d}{at.hour:02d}{at.minute:02d}{at.second:02d}"


def _stamp(at: datetime) -> str:
    return f"{at.day:02d}/{MONTHS[at.month - 1]}/{at.year}:{at.hour:02d}:{at.minute:02d}:{at.second:02d} +0000"


class LogWriter:
    """Collects works and writes their logs."""

    def __init__(self, folder: Path, *, seed: int) -> None:
        self._folder, self._seed = folder, seed
        self._months: dict[tuple[int, int], IO[str]] = {}
        self._exits = ExitStack()

    def add(self, work: Work) -> None:
        """Take in a work; its lines keep their order where times are equal."""
        for event, line in log_lines(work, seed=self._seed):
            self._month(event.at).write(f"{_key(event.at)}{line}\n")

    def _month(self, at: datetime) -> IO[str]:
        month = (at.year, at.month)
        if month not in self._months:
            file = (self._folder / f"month-{at.year}-{at.month:02d}").open("w", encoding="ascii", newline="\n")
            self._months[month] = self._exits.enter_context(file)
        return self._months[month]

    def finish(self) -> int:
        """Sort each month and write the years; returns the number of lines."""
        self._exits.close()
        lines = 0
        for year in sorted({year for year, _ in self._months}):
            with _packed(self._folder / f"access-{year}.log.gz") as log:
                for month in sorted(month for of, month in self._months if of == year):
                    part = self._folder / f"month-{year}-{month:02d}"
                    for line in _sorted(part):
                        log.write(line)
                        lines += 1
                    part.unlink()
        return lines


def _sorted(part: Path) -> Iterator[bytes]:
    stamp = len("DDhhmmss")
    for line in sorted(part.read_bytes().splitlines(keepends=True), key=lambda line: line[:stamp]):
        yield line[stamp:]


@contextmanager
def _packed(path: Path) -> Iterator[gzip.GzipFile]:
    """A gzip file without a name or time of its own."""
    with path.open("wb") as raw, gzip.GzipFile(fileobj=raw, mode="wb", filename="", mtime=0) as packed:
        yield packed
