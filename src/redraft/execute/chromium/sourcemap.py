"""Source maps (version 3): which line of the source a place in compiled JavaScript comes from.

In: a map as JSON or as a `data:` address, and a place. Out: the source's line, or None. One source per map is assumed.
Not guaranteed: anything of a damaged map but that it gives None; a program may have written it.
"""

from __future__ import annotations

import base64
import binascii
import json
from bisect import bisect_left, bisect_right
from string import ascii_lowercase, ascii_uppercase, digits
from urllib.parse import unquote_to_bytes

DIGITS = {letter: value for value, letter in enumerate(ascii_uppercase + ascii_lowercase + digits + "+/")}
MAX_LENGTH = 16 * 2**20


def mappings_of(address: str) -> str | None:
    """The mappings of a map that stands in a `data:` address."""
    head, comma, body = address[:MAX_LENGTH].partition(",")
    if not head.startswith("data:") or not comma:
        return None
    try:
        text = base64.b64decode(body) if head.endswith(";base64") else unquote_to_bytes(body)
        found = json.loads(text)
    except (binascii.Error, ValueError, RecursionError):
        return None
    mappings = found.get("mappings") if isinstance(found, dict) else None
    return mappings if isinstance(mappings, str) else None


def decode(mappings: str) -> list[tuple[int, int, int]]:
    """(line, column, source line) of every mapping, in order; lines and columns count from 0.

    Raises:
        ValueError: The mappings are damaged.
    """
    places, source_line = [], 0
    for line, segments in enumerate(mappings.split(";")):
        column = 0
        for segment in filter(None, segments.split(",")):
            numbers = _numbers(segment)
            column += numbers[0]
            if len(numbers) >= 4:
                source_line += numbers[2]
                places.append((line, column, source_line))
    return places


def _numbers(segment: str) -> list[int]:
    """The numbers of a segment: base 64, five bits a digit, the lowest bit of a number its sign."""
    numbers, value, shift = [], 0, 0
    for letter in segment:
        if letter not in DIGITS or shift > 50:
            raise ValueError("not a base 64 number")
        value |= (DIGITS[letter] & 31) << shift
        shift += 5
        if not DIGITS[letter] & 32:
            numbers.append(-(value >> 1) if value & 1 else value >> 1)
            value = shift = 0
    if shift:
        raise ValueError("the last number is cut off")
    return numbers


def original_line(address: str, line: int, column: int) -> int | None:
    """The source's line (from 0) for a place (from 0) in the compiled text: the nearest mapping at or before it.

    The place stays on its own line where that has any mapping. CoffeeScript maps what stands before a line's first
    word to the block around it, or not at all, while V8 may name the place before it: then the word's mapping counts.
    """
    mappings = mappings_of(address)
    if mappings is None:
        return None
    try:
        places = sorted(decode(mappings))
    except ValueError:
        return None
    first, behind = bisect_left(places, (line, 0, -1)), bisect_left(places, (line + 1, 0, -1))
    if first == behind:  # no mapping on this line: the last before it
        return places[first - 1][2] if first > 0 else None
    at = max(first, bisect_right(places, (line, column, 2**60)) - 1)
    if at == first and at + 1 < behind:
        return max(places[at][2], places[at + 1][2])
    return places[at][2]
