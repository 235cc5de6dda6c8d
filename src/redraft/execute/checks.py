"""Checks: what a title asks of a program, a file for each title.

In: a folder with a file `TITLE.py` for each title; a title that can't be a file's name is written with `%` and two
hexadecimal digits for each byte that can't, as in addresses. Out: `Checks`, asked by title. Nothing of them runs here:
they are read, and refused if they are no Python or check nothing. `execute/python/inside/checks.py` says what they may
say.
"""

from __future__ import annotations

import ast
import hashlib
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from redraft.errors import InputError

SUFFIX = ".py"
MOST = 1 << 20
"""Bytes of a file of checks."""
SHOWN = 10


@dataclass(frozen=True, kw_only=True)
class Checks:
    """What programs have to pass."""

    texts: dict[str, str]
    """Title -> its checks."""
    digest: str
    """A hash of all of them."""

    def of(self, title: str | None) -> str | None:
        """The checks of a title; None if there are none."""
        return None if title is None else self.texts.get(_alike(title))


def read_checks(folder: Path) -> Checks:
    """The checks in a folder.

    Raises:
        InputError: It has none, or files that are no checks: all named.
    """
    files = sorted(folder.glob(f"*{SUFFIX}")) if folder.is_dir() else []
    if not files:
        raise InputError("holds no checks.", where=folder, remedy=f"Give a folder with a file TITLE{SUFFIX} per title.")
    texts, wrong = dict[str, str](), list[str]()
    for file in files:
        title = _alike(unquote(file.stem))
        try:
            text = _read(file)
        except ValueError as error:
            wrong.append(f"{file.name} ({error})")
            continue
        if title in texts:
            wrong.append(f"{file.name} (another file is of the same title)")
        texts[title] = text
    if wrong:
        more = f" and {len(wrong) - SHOWN:,} more" if len(wrong) > SHOWN else ""
        raise InputError(
            f"{len(wrong):,} files are no checks: {', '.join(wrong[:SHOWN])}{more}.", where=folder,
            remedy="A file of checks is Python with assertions, at its top or in functions called test_….",
        )  # fmt: skip
    digest = hashlib.sha256(repr(sorted(texts.items())).encode()).hexdigest()
    return Checks(texts=texts, digest=digest)


def _alike(title: str) -> str:
    """A title as it is compared: file systems may write the same letters in another way."""
    return unicodedata.normalize("NFC", title)


def _read(file: Path) -> str:
    """A file of checks.

    Raises:
        ValueError: It is none, and why.
    """
    try:
        data = file.read_bytes()
    except OSError as error:
        raise ValueError(error.strerror or "can't be read") from error
    if len(data) > MOST:
        raise ValueError(f"more than {MOST:,} bytes")
    try:
        text = data.decode("utf-8-sig")
        tree = ast.parse(text)
    except SyntaxError as error:
        raise ValueError(f"no Python in line {error.lineno}") from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise ValueError("no Python") from error
    if not any(_checks_something(node) for node in ast.walk(tree)):
        raise ValueError("checks nothing")
    return text


def _checks_something(node: Any) -> bool:
    return isinstance(node, ast.Assert | ast.Raise)
