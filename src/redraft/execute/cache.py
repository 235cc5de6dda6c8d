"""Outcomes kept from earlier runs, in one SQLite file that any number of runs may share.

In: keys (hashes of all that an outcome depends on) and outcomes. Out: the same. SQLite's write-ahead log lets runs read
while another writes; every transaction is whole or absent, so that a killed run loses its last second at most.

Not guaranteed: that the file is right on a network file system, where locks often aren't.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any

from redraft.errors import RedraftError
from redraft.execute.verdict import Attempt, ErrorRecord, Outcome, error_rows

FILE = "outcomes-1.sqlite"
"""The name carries the format's version: another format is another file."""
PATIENCE = 60.0
"""Seconds to wait for another run's transaction."""
KEEP_EVERY = 1.0
"""Seconds between transactions."""


def default_folder() -> Path:
    """Where outcomes are kept unless told otherwise."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "redraft" / "execute"


class Cache:
    """A context manager; outcomes kept are written every second and at its end."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / FILE
        self._waiting: dict[bytes, Outcome] = {}
        self._written = time.monotonic()

    def __enter__(self) -> Cache:
        """Open the file, made if it's missing."""
        # Error messages quote the programs of students: nobody else's business.
        self.file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self._explained():
            self._database = sqlite3.connect(self.file, timeout=PATIENCE, isolation_level=None)
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = NORMAL")
            self._database.execute(
                "CREATE TABLE IF NOT EXISTS outcomes (key BLOB PRIMARY KEY, outcome TEXT NOT NULL) WITHOUT ROWID"
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write what waits, and close."""
        try:
            self.flush()
        finally:
            self._database.close()

    def find(self, keys: Sequence[bytes]) -> dict[bytes, Outcome]:
        """Those of the keys' outcomes that are kept; unreadable ones are left out."""
        found: dict[bytes, Outcome] = {}
        with self._explained():
            for part in _parts(keys, 500):
                marks = ", ".join("?" * len(part))
                rows = self._database.execute(f"SELECT key, outcome FROM outcomes WHERE key IN ({marks})", part)
                for key, text in rows:
                    outcome = _read(text)
                    if outcome is not None:
                        found[bytes(key)] = outcome
        return found

    def keep(self, key: bytes, outcome: Outcome) -> None:
        """Keep an outcome; it is on disk within about a second."""
        self._waiting[key] = outcome
        if time.monotonic() - self._written > KEEP_EVERY:
            self.flush()

    def flush(self) -> None:
        """Write what waits, in one transaction."""
        rows = [(key, _text(outcome)) for key, outcome in self._waiting.items()]
        if rows:
            with self._explained():
                self._database.execute("BEGIN IMMEDIATE")
                try:
                    self._database.executemany("INSERT OR REPLACE INTO outcomes VALUES (?, ?)", rows)
                    self._database.execute("COMMIT")
                except BaseException:
                    self._database.execute("ROLLBACK")
                    raise
        self._waiting.clear()
        self._written = time.monotonic()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            remedy = "Remove that file, give another --cache, or use --no-cache."
            raise RedraftError(f"the cache can't be used ({error}).", where=self.file, remedy=remedy) from error


def _parts(keys: Iterable[bytes], size: int) -> Iterator[list[bytes]]:
    source = iter(keys)
    while part := list(islice(source, size)):
        yield part


def _text(outcome: Outcome) -> str:
    attempts = [
        {
            "language": attempt.language,
            "end_reached": attempt.end_reached,
            "errors": error_rows(attempt.errors),
            "ended": attempt.ended,
            "used_assets": attempt.used_assets,
        }
        for attempt in outcome.attempts
    ]
    return json.dumps({"attempts": attempts, "seconds": round(outcome.seconds, 4)})


def _read(text: str) -> Outcome | None:
    try:
        value: dict[str, Any] = json.loads(text)
        attempts = tuple(
            Attempt(**{**attempt, "errors": tuple(ErrorRecord(**error) for error in attempt["errors"])})
            for attempt in value["attempts"]
        )
        return Outcome(attempts=attempts, seconds=value["seconds"])
    except (ValueError, KeyError, TypeError):
        return None
