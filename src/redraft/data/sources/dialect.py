"""What a text table is written in: which characters, which separator, which sign before decimals.

In: what the user says, and a file's bytes. Out: its bytes as UTF-8 without a byte order mark, and its separator. What
isn't said is found where the file tells it: UTF-16 by its mark or its zero bytes; the separator by a first line
`sep=;`, as Excel writes it, or as the one that makes the wanted columns' names of the header. A semicolon comes from
where decimals have commas, so there they do. Otherwise a table is UTF-8 with decimal points. A byte that can't be
decoded becomes one that no UTF-8 holds, so that its row alone is rejected.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, Any, cast

from redraft.data.sources.reading import Begun
from redraft.errors import UsageError

SEPARATORS = (",", ";", "\t", "|")
"""Those that are found."""
_WORDS = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|"}
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"), (codecs.BOM_UTF32_BE, "utf-32-be"), (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"),
)  # fmt: skip
_PART = 1 << 20
_SEP_LINE = re.compile(rb"\s*\"?sep=(.|\\t)\"?\r?\n", re.IGNORECASE)
HEAD = 1 << 20
"""Bytes of a table's beginning that tell."""


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """What the user says of a text table; None: it is found."""

    separator: str | None = None
    encoding: str | None = None
    decimal: str | None = None

    @property
    def decimal_found(self) -> str:
        """The sign before decimals, as far as it isn't told by the file's separator."""
        return self.decimal or "."


def dialect(separator: str | None, encoding: str | None, decimal: str | None) -> Dialect:
    """A dialect from a user's words.

    Raises:
        UsageError: They can't be used.
    """
    if separator is not None:
        separator = _WORDS.get(separator.lower(), separator)
        if len(separator) != 1 or not separator.isascii() or separator in '"\r\n':
            raise UsageError(
                "a separator is one character.", where="--separator", remedy="Give , or ; or | or the word tab."
            )
    if encoding is not None:
        try:
            found = codecs.lookup(encoding)
            "".encode(encoding)
        except LookupError:
            found = None
        if found is None or not found._is_text_encoding:
            raise UsageError(
                f"{encoding!r} is no encoding of text.", where="--encoding",
                remedy="Known are, among others: utf-8, utf-16, cp1252 (Windows), latin-1, shift_jis, gb18030.",
            )  # fmt: skip
        encoding = found.name
    if decimal is not None and decimal not in (".", ","):
        raise UsageError("decimals begin with a point or a comma.", where="--decimal", remedy="Give . or a comma.")
    return Dialect(separator=separator, encoding=encoding, decimal=decimal)


def _instead(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    return "\udcff", error.end


codecs.register_error("redraft-row", _instead)


class _Transcoded(io.RawIOBase):
    """A stream in another encoding as UTF-8; what can't be decoded is the byte 255."""

    def __init__(self, stream: IO[bytes], encoding: str) -> None:
        self._stream, self._left = stream, b""
        self._decoder = codecs.getincrementaldecoder(encoding)("redraft-row")
        self._ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, space: Any) -> int:
        while not self._left and not self._ended:
            part = self._stream.read(_PART)
            self._ended = not part
            text = self._decoder.decode(part or b"", final=self._ended)
            self._left = text.encode("utf-8", "surrogateescape")
        count = min(len(self._left), len(space))
        space[:count] = self._left[:count]
        self._left = self._left[count:]
        return count


def _filled(stream: IO[bytes], count: int) -> bytes:
    parts: list[bytes] = []
    while count and (part := stream.read(count)):
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def plain_text(stream: IO[bytes], said: Dialect) -> tuple[IO[bytes], bytes, str | None]:
    """A table's bytes as UTF-8, their beginning, and the separator that its first line names, if it does."""
    head = _filled(stream, HEAD)
    mark, marked = next(((mark, name) for mark, name in _MARKS if head.startswith(mark)), (b"", None))
    encoding = marked or said.encoding or _by_zeros(head)
    head = head[len(mark) :]
    if encoding and encoding != "utf-8":
        text = cast(IO[bytes], _Transcoded(cast(IO[bytes], Begun(head, stream)), encoding))
        head = _filled(text, HEAD).removeprefix(codecs.BOM_UTF8)
    else:
        text = stream
    separator = None
    if match := _SEP_LINE.match(head):
        separator = match[1].decode("utf-8", "replace").replace("\\t", "\t")
        head = head[match.end() :]
    return cast(IO[bytes], io.BufferedReader(Begun(head, text), _PART)), head, separator


def _by_zeros(head: bytes) -> str | None:
    """UTF-16 without a mark: ASCII in it has a zero in every second byte."""
    start = head[:200]
    if len(start) > 7 and len(start) % 2 == 0:
        if not any(start[1::2]) and all(start[::2]):
            return "utf-16-le"
        if not any(start[::2]) and all(start[1::2]):
            return "utf-16-be"
    return None


def separator_of(head: bytes, said: str | None, wanted: Sequence[str]) -> str:
    """The separator of a table: `said`, else that whose header has most of the wanted columns, then most columns."""
    if said:
        return said
    text = head.decode("utf-8", "replace")
    found = {sign: header_in(text, sign) for sign in SEPARATORS}
    return max(SEPARATORS, key=lambda sign: (len(set(found[sign]) & set(wanted)), len(found[sign])))


def header_in(text: str, separator: str) -> list[str]:
    """The names in a table's first line that isn't blank."""
    try:
        row = next((row for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator) if any(row)), [])
    except csv.Error:
        return []
    return [name.strip().removeprefix("\ufeff") for name in row]


def decimal_of(said: Dialect, separator: str | None) -> str:
    """The sign before decimals in a table with this separator."""
    return said.decimal or ("," if separator == ";" else ".")
