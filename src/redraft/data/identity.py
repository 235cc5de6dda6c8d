"""Students' ids leave ingest only as keyed hashes (HMAC-SHA-256), never as plain digests.

The key is a file of random bytes outside every dataset. Who has it can find a known student's rows again; who
hasn't can't test a guess. Whoever needs the same hashes on two machines copies the key file.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Iterable
from pathlib import Path

from redraft.errors import InputError

KEY_BYTES = 32


def default_key_file() -> Path:
    """The user's own key: `$XDG_CONFIG_HOME/redraft/ingest.key`."""
    base = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(base) / "redraft" / "ingest.key"


def load_key(file: Path | None = None) -> bytes:
    """The key in `file`; without one, the user's own, made on first use with mode 0600.

    Raises:
        InputError: The file can't be read or is too short to be a key.
    """
    path = file or default_key_file()
    try:
        if file is None and not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            try:
                descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            except FileExistsError:
                pass
            else:
                with os.fdopen(descriptor, "wb") as new:
                    new.write(secrets.token_bytes(KEY_BYTES))
        key = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"the key can't be read ({error.strerror}).", where=path, remedy="Name a readable file with --key."
        ) from error
    if len(key) < 16:
        raise InputError("is too short for a key.", where=path, remedy="Use at least 16 random bytes.")
    return key


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
