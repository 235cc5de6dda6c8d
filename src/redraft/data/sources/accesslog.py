"""The two costly parts of an access-log line, for a whole block of lines at once: its time and its escapes.

In: Arrow arrays of text. Out: NumPy arrays. Done with array arithmetic because these two are most of the work of
reading a log; the odd cases go through Python's own functions, one by one, so that the meaning is theirs.
"""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import product
from string import hexdigits
from typing import NamedTuple

import numpy as np
import pyarrow as pa

FORMAT = "%d/%b/%Y:%H:%M:%S %z"
_WIDTH = len("04/Feb/2022:06:25:26 +0000")
_DIGITS = [0, 1, 7, 8, 9, 10, 12, 13, 15, 16, 18, 19, 22, 23, 24, 25]
_SIGNS = {2: "/", 6: "/", 11: ":", 14: ":", 17: ":", 20: " "}
_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTHS = np.array([int.from_bytes(name.encode(), "big") for name in _NAMES])
_SIGNS_TO_BLANKS = bytes.maketrans(b"|+", b"\n ")
_ESCAPES = np.full(1 << 16, 256, np.uint16)
"""Two hexadecimal digits, as a number of two bytes -> the byte they stand for; 256: they are none."""
for _high, _low in product(hexdigits, repeat=2):
    _ESCAPES[ord(_high) << 8 | ord(_low)] = int(_high + _low, 16)
_EARLIEST, _LATEST = -62_135_596_800_000_000, 253_402_300_799_000_000  # the years 1 to 9999
BAD_TIME = np.iinfo(np.int64).min


class Decoded(NamedTuple):
    """Programs as the editor had them."""

    text: pa.Array
    """string; not to be used where `bad`."""
    bad: np.ndarray
    """An escape is not two hexadecimal digits, or the bytes are no valid UTF-8."""
    units: np.ndarray
    """Length in UTF-16 units."""


def _parts(texts: pa.Array) -> tuple[np.ndarray, bytes]:
    """Offsets from 0 and the bytes they cut."""
    _, offsets, data = texts.buffers()
    cuts = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1]
    return cuts - cuts[0], data[cuts[0] : cuts[-1]].to_pybytes() if data is not None else b""


def micros(stamps: pa.Array) -> np.ndarray:
    """Microseconds since 1970 in UTC of stamps in `FORMAT`; `BAD_TIME` for null and what is no such moment."""
    found = np.full(len(stamps), BAD_TIME, np.int64)
    cuts, data = _parts(stamps)
    usual = np.flatnonzero(np.diff(cuts) == _WIDTH)
    if len(usual):
        found[usual] = _usual(np.frombuffer(data, np.uint8)[cuts[usual][:, None] + np.arange(_WIDTH)])
    for index in np.flatnonzero((found == BAD_TIME) & (np.diff(cuts) > 0)):
        found[index] = _slowly(stamps[int(index)].as_py())
    return found


def _usual(stamp_NW: np.ndarray) -> np.ndarray:
    """Stamps of the usual width as bytes (N lines, W characters); `BAD_TIME` for any doubt."""
    digits = stamp_NW[:, _DIGITS].astype(np.int64) - ord("0")
    good = ((digits >= 0) & (digits <= 9)).all(axis=1)
    for place, sign in _SIGNS.items():
        good &= stamp_NW[:, place] == ord(sign)
    day, century, year, hour, minute, second, east, past = (
        digits[:, i] * 10 + digits[:, i + 1] for i in range(0, 16, 2)
    )
    year = century * 100 + year
    letters = (stamp_NW[:, 3:6] | 0x20).astype(np.int64) @ np.array([1 << 16, 1 << 8, 1])
    matches = letters[:, None] == _MONTHS
    good &= matches.any(axis=1) & (year >= 1) & (hour < 24) & (minute < 60) & (second < 60) & (east < 24) & (past < 60)
    good &= np.isin(stamp_NW[:, 21], [ord("+"), ord("-")])
    months = np.where(good, (year - 1970) * 12 + matches.argmax(axis=1), 0).astype("datetime64[M]")
    first = months.astype("datetime64[D]").astype(np.int64)
    length = (months + 1).astype("datetime64[D]").astype(np.int64) - first
    good &= (day >= 1) & (day <= length)
    ahead = np.where(stamp_NW[:, 21] == ord("-"), -60, 60) * (east * 60 + past)
    found = ((first + day - 1) * 86400 + hour * 3600 + minute * 60 + second - ahead) * 10**6
    good &= (found >= _EARLIEST) & (found <= _LATEST)
    moments: np.ndarray = np.where(good, found, BAD_TIME)
    return moments


def _slowly(stamp: str) -> int:
    try:
        moment = datetime.strptime(stamp, FORMAT).astimezone(UTC)
    except (ValueError, OverflowError):
        return int(BAD_TIME)
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86400 + since.seconds) * 10**6 + since.microseconds


def decode_programs(escaped: pa.Array) -> Decoded:
    """Turn `|` into newline and `+` into space, then decode %XX as UTF-8."""
    cuts, data = _parts(escaped)
    bytes_B = np.frombuffer(bytearray(data).translate(_SIGNS_TO_BLANKS) + b"\0\0", np.uint8)
    bad = np.zeros(len(escaped), bool)
    for back in (1, 2):  # an escape cut off by the program's end must not take from the next program
        cut_off = np.flatnonzero((np.diff(cuts) >= back) & (bytes_B[cuts[1:] - back] == ord("%")))
        bad[cut_off] = True
        bytes_B[cuts[1:][cut_off] - back] = ord("?")
    at = np.flatnonzero(bytes_B == ord("%"))
    value = _ESCAPES[bytes_B[at + 1].astype(np.uint16) << 8 | bytes_B[at + 2]]
    if value.max(initial=0) > 255:
        bad[_rows(at[value > 255], cuts)] = True
        at, value = at[value <= 255], value[value <= 255]
    bytes_B[at] = value
    kept = np.ones(len(bytes_B), bool)
    kept[at + 1] = False
    kept[at + 2] = False
    kept[len(data) :] = False
    beyond_ascii = np.unique(_rows(at[value > 127], cuts))
    plain_B = bytes_B[kept]
    cuts = (cuts - 2 * np.searchsorted(at, cuts)).astype(np.int32)
    text = pa.Array.from_buffers(pa.string(), len(escaped), [None, pa.py_buffer(cuts), pa.py_buffer(plain_B)])
    if len(beyond_ascii) and not _is_utf8(text):
        for index in beyond_ascii:
            bad[index] |= not _decodes(plain_B[cuts[index] : cuts[index + 1]].tobytes())
    return Decoded(text, bad, _utf16_units(plain_B, cuts))


def _rows(places: np.ndarray, cuts: np.ndarray) -> np.ndarray:
    """Which row each place in the bytes belongs to."""
    rows: np.ndarray = np.searchsorted(cuts, places, side="right") - 1
    return rows


def _utf16_units(bytes_B: np.ndarray, cuts: np.ndarray) -> np.ndarray:
    """Bytes, less those that go on a character, and one more for a character of four bytes (a surrogate pair)."""
    units = np.diff(cuts)
    beyond = np.flatnonzero(bytes_B > 127)
    if len(beyond):
        going_on = beyond[bytes_B[beyond] < 0xC0]
        of_four = beyond[bytes_B[beyond] >= 0xF0]
        units = units - np.diff(np.searchsorted(going_on, cuts)) + np.diff(np.searchsorted(of_four, cuts))
    found: np.ndarray = units
    return found


def _is_utf8(text: pa.Array) -> bool:
    try:
        text.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _decodes(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
