"""The line the editor nearly always writes, taken apart for a whole block at once.

    ADDR OWNER UID [04/Feb/2022:06:25:26 +0000] "GET /log/TITLE?run&mode=t&lang=cs&code=… HTTP/1.1" 200 0 …

In: a block's lines. Out: which of them have exactly this form, and their fields, cut at the places of their signs:
faster than any query over the lines. It decides nothing by itself: any other line, however slightly other, is left
to the general rules, and for these lines it finds what those would find.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa

# The signs of such a line up to the quote after HTTP/1.1, by their numbers in order; any other sign among them, or one
# out of its place, makes a line another.
_SIGNS = b' "?&[]'
_ADDR, _OWNER, _UID, _OPENS, _ZONE, _CLOSES, _GAP, _QUOTE, _GET, _MARK, _MODE, _LANG, _CODE, _HTTP, _END = range(15)
_WORDS = (
    (_ADDR, " "), (_OWNER, " "), (_UID, " ["), (_ZONE, " "), (_CLOSES, '] "GET /log/'), (_MARK, "?run&mode="),
    (_LANG, "&lang="), (_CODE, "&code="), (_HTTP, ' HTTP/1.1" 200 0 '),
)  # fmt: skip
_DISTANCES = (
    (_UID, _OPENS, 1), (_CLOSES, _GAP, 1), (_CLOSES, _QUOTE, 2), (_CLOSES, _GET, 6), (_MARK, _MODE, 4),
    (_MARK, _LANG, 11), (_HTTP, _END, 9),
)  # fmt: skip
_SLICE = 1 << 18


class Usual(NamedTuple):
    """The lines of the usual form."""

    lines: np.ndarray
    """Whether each line of the block is one of them."""
    fields: dict[str, pa.Array]
    """owner, uid, stamp, path, mode, lang and (still escaped) code of those that are, in order."""


def usual_lines(text: pa.Array) -> Usual:
    """Take apart the lines of the usual form."""
    offsets, data = text.buffers()[1:]
    if data is None or data.size < 64:
        return Usual(np.zeros(len(text), bool), {})
    cuts = np.frombuffer(offsets, np.int32)[text.offset : text.offset + len(text) + 1]
    signs = _places(np.frombuffer(data, np.uint8))
    first = np.searchsorted(signs, cuts)
    lines = np.flatnonzero(np.diff(first) > _END)
    at = [signs[first[lines] + number] for number in range(_END + 1)]
    here = _Reader(data)
    usual = (at[_ADDR] > cuts[lines]) & (at[_OWNER] > at[_ADDR] + 1) & (at[_UID] > at[_OWNER] + 1)
    for number, words in _WORDS:
        usual &= here.reads(at[number], words)
    for number, following, distance in _DISTANCES:
        usual &= at[following] == at[number] + distance
    mode = here.eight(at[_MARK] + 10) & np.uint64(0xFF)
    usual &= (mode == ord("b")) | (mode == ord("t"))
    at = [places[usual] for places in at]
    fields = {
        "owner": (at[_ADDR] + 1, at[_OWNER]),
        "uid": (at[_OWNER] + 1, at[_UID]),
        "stamp": (at[_OPENS] + 1, at[_CLOSES]),
        "path": (at[_GET] + 1, at[_MARK]),
        "mode": (at[_MARK] + 10, at[_LANG]),
        "lang": (at[_LANG] + 6, at[_CODE]),
        "code": (at[_CODE] + 6, at[_HTTP]),
    }
    found = np.zeros(len(text), bool)
    found[lines[usual]] = True
    return Usual(found, {name: _spans(data, start, end) for name, (start, end) in fields.items()})


def _places(bytes_B: np.ndarray) -> np.ndarray:
    """Where the signs are; looked for in slices that stay in the processor's cache."""
    found = [np.zeros(0, np.int32)]
    hit, one = np.empty(_SLICE, bool), np.empty(_SLICE, bool)
    for start in range(0, len(bytes_B), _SLICE):
        part = bytes_B[start : start + _SLICE]
        any_sign, this_sign = hit[: len(part)], one[: len(part)]
        any_sign[:] = False
        for sign in _SIGNS:
            np.equal(part, sign, out=this_sign)
            np.logical_or(any_sign, this_sign, out=any_sign)
        found.append((np.flatnonzero(any_sign) + start).astype(np.int32))
    return np.concatenate(found)


class _Reader:
    """Compares bytes at many places, eight at a time."""

    def __init__(self, data: pa.Buffer) -> None:
        self._size = data.size
        self._eights = np.ndarray((data.size - 7,), "<u8", data, strides=(1,))

    def reads(self, places: np.ndarray, text: str) -> np.ndarray:
        """Whether `text` stands at each place."""
        wanted = text.encode()
        same = np.ones(len(places), bool)
        for i in range(0, len(wanted), 8):
            part = wanted[i : i + 8]
            found = self.eight(places + i) & np.uint64((1 << 8 * len(part)) - 1)
            same &= (found == int.from_bytes(part, "little")) & (places + i <= self._size - 8)
        return same

    def eight(self, places: np.ndarray) -> np.ndarray:
        """The eight bytes at each place; near the data's end those before it."""
        found: np.ndarray = self._eights[np.minimum(places, self._size - 8)]
        return found


def _spans(data: pa.Buffer, starts: np.ndarray, ends: np.ndarray) -> pa.Array:
    """The pieces of `data` from each start to its end, in order: every other value of an array cut at both."""
    cuts = np.empty(2 * len(starts), np.int32)
    cuts[::2], cuts[1::2] = starts, ends
    both = pa.Array.from_buffers(pa.string(), max(0, len(cuts) - 1), [None, pa.py_buffer(cuts), data])
    return both.take(pa.array(np.arange(0, len(both), 2)))
