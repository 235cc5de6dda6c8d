"""Files that are none of what is read here, told by their first bytes: named, never read as text.

In: a file's first bytes and its name. Out: what it is and what to do about it. Archives that hold several files are
opened by `archives`; what is packed in one of the usual ways is unpacked by `reading`.
"""

from __future__ import annotations

from typing import NamedTuple

HEAD = 512
"""Bytes that tell."""
ZIP = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
_TAR_MAGIC = slice(257, 262)


class Foreign(NamedTuple):
    """What a file is, and what to do about it."""

    kind: str
    remedy: str


_SAVE = "Save it as CSV (UTF-8) or Parquet, and give that."
_UNPACK = "Unpack it, and give what is in it."
_SPREADSHEET = (".xlsx", ".xlsm", ".xltx", ".xlsb", ".xls", ".ods", ".numbers")
_STARTS: tuple[tuple[bytes, Foreign], ...] = (
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", Foreign("an Excel workbook or another file of older Office", _SAVE)),
    (b"SQLite format 3\x00", Foreign("an SQLite database", "Write its table to CSV or Parquet, and give that.")),
    (b"ARROW1\x00\x00", Foreign("an Arrow (Feather) file", "Save it as Parquet, and give that.")),
    (b"\x89HDF", Foreign("an HDF5 file", _SAVE)),
    (b"<stata_dta><header>", Foreign("a Stata file", _SAVE)),
    (b"$FL2@(#)", Foreign("an SPSS file", _SAVE)),
    (b"RDX3\n", Foreign("an R data file", _SAVE)),
    (b"%PDF-", Foreign("a PDF", "Give the table or the logs that it was made of.")),
    (b"7z\xbc\xaf\x27\x1c", Foreign("packed by 7-Zip", _UNPACK)),
    (b"Rar!\x1a\x07", Foreign("a RAR archive", _UNPACK)),
    (b"\x1f\x9d", Foreign("packed by compress (.Z)", _UNPACK)),
    (b"\x1f\xa0", Foreign("packed by compress (.Z)", _UNPACK)),
    (b"LZIP\x01", Foreign("packed by lzip", _UNPACK)),
    (b"\x89LZO\x00", Foreign("packed by lzop", _UNPACK)),
    (b"\x5d\x00\x00", Foreign("packed as LZMA", _UNPACK)),
    (b"\xff\x06\x00\x00sNaPpY", Foreign("packed by Snappy", _UNPACK)),
    (b"MSCF\x00\x00\x00\x00", Foreign("a cabinet archive", _UNPACK)),
)


def is_zip(head: bytes) -> bool:
    """Whether these are the first bytes of a zip archive."""
    return head.startswith(ZIP)


def is_tar(head: bytes) -> bool:
    """Whether these are the first bytes of a tar archive: its word, or a first header whose checksum holds."""
    if head[_TAR_MAGIC] == b"ustar":
        return True
    if len(head) < HEAD or not head[0] or not head[148:156].strip(b" \0").isdigit():
        return False
    try:
        said = int(head[148:156].strip(b" \0"), 8)
    except ValueError:
        return False
    return said == sum(head[:148]) + 8 * 32 + sum(head[156:])


def foreign(head: bytes, name: str) -> Foreign | None:
    """What the file is if it is nothing that is read here; None if it may be."""
    if name.lower().endswith(_SPREADSHEET) and (is_zip(head) or not head[:64].isascii() or b"\0" in head[:64]):
        return Foreign("a spreadsheet (Excel or the like)", _SAVE)
    return next((found for start, found in _STARTS if head.startswith(start)), None)
