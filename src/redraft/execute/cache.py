"""Outcomes kept from earlier runs, in one SQLite file that any number of runs may share.

In: keys (hashes of all that an outcome depends on) and outcomes. Out: the same. SQLite's write-ahead log lets runs read
while another writes; every transaction is whole or absent, so that a killed run loses its last second at most.

An entry carries a MAC (HMAC-SHA-256) over its key and its outcome. The key of the MAC is made on first use, in the
user's config folder, mode 0600, apart from the cache. So who can write to the file, but not read that key, can't change
an outcome, move it to another program or add one: such an entry isn't believed, its program runs again, and a note says
how many there were. They can take entries away, which costs time alone. Who can read the key, as the user's own
programs can, could forge entries, but not by accident.

Folder and file are the user's alone (0700, 0600), since messages quote students' programs. A cache of an earlier
version, which had neither, is removed.

The cache saves time and decides nothing: where it can't be written, as on a full disk, that is said once, and the
command goes on without it.

Not guaranteed: that the file is right on a network file system, where locks often aren't.
"""

from __future__ import annotations

import hmac
import json
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any

from redraft.errors import RedraftError
from redraft.execute.verdict import Attempt, ErrorRecord, Outcome, error_rows
from redraft.progress import say
from redraft.rundir import make_secret

FOLDER, FILE = "outcomes-2", "outcomes.sqlite"
"""The folder's name carries the format's version: another format is another folder."""
_OLD = ("outcomes-1.sqlite", "outcomes-1.sqlite-wal", "outcomes-1.sqlite-shm")
PATIENCE = 60.0
"""Seconds to wait for another run's transaction."""
KEEP_EVERY = 1.0
"""Seconds between transactions."""
_KEY_BYTES = 32
_OTHERS = 0o077
"""What others than the owner may do."""
_NO_PLACE = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN)
"""Errors of the disk, not of what is on it."""


def default_folder() -> Path:
    """Where outcomes are kept unless told otherwise."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "redraft" / "execute"


def key_file() -> Path:
    """Where the key of the entries' MACs is: `$XDG_CONFIG_HOME/redraft/cache.key`."""
    base = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(base) / "redraft" / "cache.key"


class Cache:
    """A context manager; outcomes kept are written every second and at its end."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / FOLDER / FILE
        self._database: sqlite3.Connection | None = None
        self._waiting: dict[bytes, Outcome] = {}
        self._written = time.monotonic()
        self._disbelieved = 0

    def __enter__(self) -> Cache:
        """Open the file, made if it's missing.

        Raises:
            RedraftError: The file is damaged.
        """
        try:
            self._key = _load_key(key_file())
            self._make_private()
            self._database = sqlite3.connect(self.file, timeout=PATIENCE, isolation_level=None)
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = NORMAL")
            self._database.execute(
                "CREATE TABLE IF NOT EXISTS outcomes"
                " (key BLOB PRIMARY KEY, outcome TEXT NOT NULL, mac BLOB NOT NULL) WITHOUT ROWID"
            )
        except (OSError, RedraftError) as error:
            self._do_without(error)
        except sqlite3.Error as error:
            self._explain(error)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write what waits, and close."""
        self.flush()
        self._close()
        if self._disbelieved:
            say(
                f"{self.file}: {self._disbelieved:,} outcomes are not as this installation kept them; they were not "
                "believed, and these programs ran again."
            )

    def find(self, keys: Sequence[bytes]) -> dict[bytes, Outcome]:
        """Those of the keys' outcomes that are kept; ones that aren't as they were kept are left out.

        Raises:
            RedraftError: The file is damaged.
        """
        found: dict[bytes, Outcome] = {}
        try:
            for part in _parts(keys, 500):
                if self._database is None:
                    break
                marks = ", ".join("?" * len(part))
                rows = self._database.execute(f"SELECT key, outcome, mac FROM outcomes WHERE key IN ({marks})", part)
                for key, text, mac in rows:
                    outcome = _read(text) if self._is_ours(key, text, mac) else None
                    if outcome is None:
                        self._disbelieved += 1
                    else:
                        found[bytes(key)] = outcome
        except sqlite3.Error as error:
            self._explain(error)
        return found

    def keep(self, key: bytes, outcome: Outcome) -> None:
        """Keep an outcome; it is on disk within about a second."""
        self._waiting[key] = outcome
        if time.monotonic() - self._written > KEEP_EVERY:
            self.flush()

    def flush(self) -> None:
        """Write what waits, in one transaction."""
        rows = [(key, text, self._mac(key, text)) for key, text in self._texts()]
        if rows and self._database is not None:
            try:
                self._database.execute("BEGIN IMMEDIATE")
                self._database.executemany("INSERT OR REPLACE INTO outcomes VALUES (?, ?, ?)", rows)
                self._database.execute("COMMIT")
            except sqlite3.Error as error:
                self._do_without(error)
        self._waiting.clear()
        self._written = time.monotonic()

    def _texts(self) -> Iterator[tuple[bytes, str]]:
        return ((key, _text(outcome)) for key, outcome in self._waiting.items()) if self._database else iter(())

    def _make_private(self) -> None:
        """Make folder and file so that they are the user's alone; remove what an earlier version left."""
        folder = self.file.parent
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(self.file, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600))
        for path in (folder, *folder.iterdir()):
            if path.lstat().st_mode & _OTHERS:
                path.chmod(0o700 if path == folder else 0o600)
        for name in _OLD:
            (folder.parent / name).unlink(missing_ok=True)

    def _mac(self, key: bytes, text: str) -> bytes:
        return hmac.digest(self._key, len(key).to_bytes(8) + key + text.encode(), "sha256")

    def _is_ours(self, key: object, text: object, mac: object) -> bool:
        if not (isinstance(key, bytes) and isinstance(text, str) and isinstance(mac, bytes)):
            return False
        return hmac.compare_digest(mac, self._mac(key, text))

    def _explain(self, error: sqlite3.Error) -> None:
        """Go on without the cache if the disk is at fault; else say what is wrong with the file."""
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in _NO_PLACE:
            self._do_without(error)
            return
        self._close()
        remedy = "Remove that file, give another --cache, or use --no-cache."
        raise RedraftError(f"the cache can't be used ({error}).", where=self.file, remedy=remedy) from error

    def _do_without(self, error: Exception) -> None:
        """Neither find nor keep anything from now on, and say so."""
        self._close()
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        say(f"{self.file}: the cache can't be written ({why}); from here on nothing is kept, and all programs run.")

    def _close(self) -> None:
        if self._database is not None:
            with suppress(sqlite3.Error):
                self._database.close()
        self._database = None


def _load_key(file: Path) -> bytes:
    """The key of the entries' MACs, made on first use; one that others may read, or too short, is replaced."""
    with suppress(FileNotFoundError):
        is_private = os.name == "nt" or not file.stat().st_mode & _OTHERS
        key = file.read_bytes()
        if is_private and len(key) == _KEY_BYTES:
            return key
        file.unlink()
    make_secret(file, _KEY_BYTES)
    return file.read_bytes()


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
            "waiting": attempt.waiting,
            "passed": attempt.passed,
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
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
