"""Students' ids leave ingest only as keyed hashes (HMAC-SHA-256), never as plain digests.

The key is a file of random bytes outside every dataset. Who has it can find a known student's rows again; who
hasn't can't test a guess. So a key that others may read is refused. Whoever needs the same hashes on two machines
copies the key file. Ids are cleaned before they are hashed, in logs and in lists alike.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import shlex
import stat
import unicodedata
from collections.abc import Iterable
from pathlib import Path

from redraft.data.store import SIMULATION_NOTE
from redraft.errors import InputError
from redraft.progress import say
from redraft.rundir import make_secret

KEY_BYTES = 32
_AROUND = re.compile(
    r"^[\s\x00\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]+|[\s\x00\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]+$"
)
_QUOTES = frozenset({'""', "''", "``", "“”", "„“", "„”", "‘’", "‚‘", "«»", "»«"})
_WHOLE = re.compile(r"([+-]?[0-9]+)\.0+")
MISSING = frozenset({"", "nan", "none", "null", "(null)", "<na>", "n/a", "#n/a", "undefined", "\\n"})
"""What exports write for no value, in small letters; and `NA`, in capitals alone."""
_LONGEST_MISSING = max(map(len, MISSING))
_ROUNDED = re.compile(r"[+-]?[0-9](?:[.,][0-9]+)?[eE]\+[0-9]{2,3}")
"""A number as spreadsheets round it: 1.23457E+17 may be any of many ids."""


def clean_id(raw: str) -> str:
    """An id as it is hashed and compared: without what spreadsheets and exports put around it.

    That is space and invisible characters around it, one pair of quotes, a byte order mark, and `.0` behind a whole
    number; letters with accents are written in one way (Unicode's form NFC). Empty for what stands for no id: `MISSING`
    in any case, and `NA`; and for a rounded number, which may be any of many ids.
    """
    text = raw
    usual = raw.isascii() and raw.isprintable() and raw[:1].isalnum() and raw[-1:].isalnum() and ".0" not in raw
    if not usual:
        text = _AROUND.sub("", unicodedata.normalize("NFC", raw))
        if len(text) > 1 and text[0] + text[-1] in _QUOTES:
            text = _AROUND.sub("", text[1:-1])
        text = _WHOLE.sub(r"\1", text) if _WHOLE.fullmatch(text) else text
    if len(text) <= _LONGEST_MISSING and (text == "NA" or text.casefold() in MISSING):
        return ""
    return "" if "+" in text and _ROUNDED.fullmatch(text) else text


def is_rounded(raw: str) -> bool:
    """Whether an id is a number that a spreadsheet rounded."""
    return "+" in raw and _ROUNDED.fullmatch(raw.strip()) is not None


def default_key_file() -> Path:
    """The user's own key: `$XDG_CONFIG_HOME/redraft/ingest.key`."""
    base = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(base) / "redraft" / "ingest.key"


def load_key(file: Path | None = None) -> bytes:
    """The key in `file`; without one, the user's own, made on first use with mode 0600.

    Raises:
        InputError: The file can't be read, is open to others, or is too short to be a key.
    """
    path = file or default_key_file()
    try:
        if file is None and not path.exists():
            make_secret(path, KEY_BYTES)
        _refuse_open(path)
        key = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"the key can't be read ({error.strerror}).", where=path, remedy="Name a readable file with --key."
        ) from error
    if len(key) < 16:
        raise InputError("is too short for a key.", where=path, remedy="Use at least 16 random bytes.")
    return key


def _refuse_open(path: Path) -> None:
    """Refuse a key that others may read or change; a simulated class's own is no secret: its seed makes it."""
    if os.name == "nt" or (path.parent / SIMULATION_NOTE).exists():
        return
    found = path.stat()
    if stat.S_IMODE(found.st_mode) & 0o077:
        raise InputError(
            "the key is open to others on this machine, who could find students by it.",
            where=path,
            remedy=f"Close it: chmod 600 {shlex.quote(str(path))}",
        )
    if found.st_uid != os.geteuid():
        say(f"{path}: the key belongs to another user of this machine, who can find students by it.")


def keyed_hash(raw_id: str, key: bytes) -> str:
    """HMAC-SHA-256 of a raw id, its first 32 hex digits (128 bits)."""
    return hmac.digest(key, raw_id.encode(), "sha256").hex()[:32]


def keyed_hashes(raw_ids: Iterable[str], key: bytes) -> list[str]:
    """`keyed_hash` of each, in half the time: the key is hashed once, not once an id (RFC 2104, section 4)."""
    block = (key if len(key) <= 64 else hashlib.sha256(key).digest()).ljust(64, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in block))
    outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in block))
    found = []
    for raw_id in raw_ids:
        message, digest = inner.copy(), outer.copy()
        message.update(raw_id.encode())
        digest.update(message.digest())
        found.append(digest.hexdigest()[:32])
    return found


def key_fingerprint(key: bytes) -> str:
    """A short name for a key that gives nothing away: tells whether two datasets share one."""
    return keyed_hash("redraft key fingerprint", key)[:12]
