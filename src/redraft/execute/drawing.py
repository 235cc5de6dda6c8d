"""What a program drew, read from the runtime's record.

In: the drawing record of a run, `{width, height, items, turtles, texts}`, in turtle coordinates (the field's centre is
the origin, y points up, directions are degrees clockwise from north), times in milliseconds of the program's own time.
Out: `Drawing`. The record comes from the process that ran a hostile program, so nothing in it is trusted: numbers are
finite and clamped, colours known to CSS, text short and free of control characters, counts bounded (`cut` says when
something was left out). What isn't understood is left out, never an error.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

FIELD = (1200.0, 900.0)
"""The turtle field's size where the record doesn't tell."""
REACH = 2_000.0
"""How far from the centre a picture may show anything, in pixels: one step of 10^9 must not shrink the rest away."""
FARTHEST = 1e5
"""Coordinates are clamped to this, which no renderer chokes on."""
MOST_MARKS = 20_000
MOST_POINTS = 100_000
MOST_TURTLES = 500
MOST_TEXTS = 40
LONGEST_TEXT = 300
ARC_STEP = 4.0
"""Degrees of an arc that are drawn as one straight line."""

Points = tuple[tuple[float, float], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Mark:
    """One thing drawn."""

    kind: str
    """line, fill, dot, box, text, image or erase."""
    start: float = 0.0
    """When it began to appear, in milliseconds."""
    end: float = 0.0
    """When it was whole."""
    color: str = "black"
    """A colour of CSS."""
    width: float = 1.0
    """The stroke's width; 0: none."""
    stroke: str | None = None
    """Colour of the edge of a fill, dot or box."""
    cap: str = "round"
    """How a line ends: round, square or butt."""
    join: str = "round"
    """How a line bends: round, miter or bevel."""
    closed: bool = False
    """A line's last point is joined to its first."""
    opacity: float = 1.0
    by: int | None = None
    """The turtle that drew it (`Turtle.id`)."""
    on: int | None = None
    """The turtle it lies on and moves with; its places are that turtle's own, heading up, at scale 1."""
    clip: tuple[Points, ...] = ()
    """What it shows of itself; none: all."""
    evenodd: bool = False
    """Whether rings in a fill are holes however they run."""
    erases: bool = False
    """It takes away what is below it."""
    paths: tuple[Points, ...] = ()
    """The way of a line, the rings of a fill, the eraser's way (none: all before is cleared)."""
    x: float = 0.0
    y: float = 0.0
    size: tuple[float, float] = (0.0, 0.0)
    """Width and height; a dot's diameter and a text's font size stand in both."""
    direction: float = 0.0
    """Degrees clockwise from upright."""
    text: str = ""
    align: str = "middle"
    """Which part of a text stands at (x, y): start, middle or end."""
    rise: float = 0.0
    """1: a text's lower edge is at (x, y), -1: its upper, 0: its middle."""
    baseline: bool = False
    """It is the first line's baseline that is at (x, y)."""
    scale: tuple[float, float] = (1.0, 1.0)
    """How far a text is stretched, across and along."""
    family: str = "serif"
    """A text's font: serif, sans-serif or monospace."""
    bold: bool = False
    italic: bool = False
    ground: str = "none"
    """Colour behind a text."""
    front: bool = False
    """It stands before the field, as labels do, and not on it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Turtle:
    """A turtle as the program left it."""

    x: float
    y: float
    id: int = 0
    """Its number: marks name it."""
    name: str = ""
    """Its id in the page."""
    direction: float = 0.0
    scale: tuple[float, float] = (1.0, 1.0)
    """Across and along; negative: mirrored."""
    twist: float = 0.0
    """Degrees it looks to the right of where it heads."""
    opacity: float = 1.0
    color: str = "mediumseagreen"
    shape: str = "turtle"
    """What it looks like; a shape not known to `draw` is an outline of its size."""
    size: tuple[float, float] = (20.0, 24.0)
    origin: tuple[float, float] = (10.0, 13.0)
    """The point that stands at (x, y), from its left and top."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Drawing:
    """Everything drawn, in order."""

    field: tuple[float, float] = FIELD
    """Width and height of the turtle field."""
    background: str = "white"
    marks: tuple[Mark, ...] = ()
    turtles: tuple[Turtle, ...] = ()
    """Those to be seen at the end, the topmost last."""
    texts: tuple[str, ...] = ()
    """What was written on the page, from its top."""
    page: Any = None
    """The tree of what is on the page beside the field, as the record has it: for `written.lay_out`."""
    cut: bool = False
    """Whether something was left out for its amount."""
    until: float | None = None
    """Of a program that goes on, the moment up to which it is drawn, in milliseconds."""

    @property
    def visible(self) -> Sequence[Mark]:
        """The marks since the last time all was cleared."""
        cleared = {mark.on: i for i, mark in enumerate(self.marks) if mark.kind == "erase" and not mark.paths}
        seen = {turtle.id for turtle in self.turtles} | {None}
        return [m for i, m in enumerate(self.marks) if i > cleared.get(m.on, -1) and m.on in seen]

    @property
    def empty(self) -> bool:
        """Whether there's nothing to see but turtles."""
        return not any(mark.kind != "erase" for mark in self.visible) and not self.texts


_FUNCTIONAL = re.compile(r"(?:rgb|hsl)a?\(\s*[-+.\d]+(?:deg)?%?(?:\s*[,/\s]\s*[-+.\d]+%?){2,3}\s*\)")
_HEX = re.compile(r"#(?:[0-9a-f]{3,4}|[0-9a-f]{6}|[0-9a-f]{8})")
_ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
KINDS = ("line", "arc", "fill", "dot", "box", "text", "image", "erase")


def read_drawing(record: Mapping[str, Any] | None, *, most: int = MOST_MARKS) -> Drawing:
    """The drawing a record tells of, its first `most` marks; what isn't understood is left out, never an error."""
    record = record if isinstance(record, Mapping) else {}
    items, turtles, texts = (_list(record.get(name)) for name in ("items", "turtles", "texts"))
    marks: list[Mark] = []
    points = 0
    cut = bool(record.get("dropped"))
    for item in items:
        mark = _mark(item) if isinstance(item, Mapping) else None
        if mark is None:
            continue
        points += sum(map(len, mark.paths))
        if len(marks) == most or points > MOST_POINTS:
            cut = True
            break
        marks.append(mark)
    shown = [_turtle(t) for t in turtles[:MOST_TURTLES] if isinstance(t, Mapping) and t.get("shown", True)]
    # The main turtle, the first of all, lies over the others.
    shown.sort(key=lambda turtle: turtle.name == "turtle")
    return Drawing(
        field=(_number(record.get("width"), FIELD[0], 1, REACH), _number(record.get("height"), FIELD[1], 1, REACH)),
        background=css_colour(record.get("background"), "white"),
        marks=tuple(marks),
        turtles=tuple(shown),
        texts=tuple(_lines(texts)),
        page=record.get("page"),
        until=_until(record.get("cut")),
        cut=cut or len(turtles) > MOST_TURTLES,
    )


def _until(cut: Any) -> float | None:
    watched = isinstance(cut, Mapping) and cut.get("reason") == "watched"
    return _number(cut.get("time"), 0, 0, 1e9) if watched else None


def css_colour(value: Any, unknown: str = "black") -> str:
    """`value` as SVG writes it, `none` if it is no paint at all, `unknown` if CSS doesn't know it."""
    if not isinstance(value, str):
        return unknown
    text = " ".join(value[:80].lower().split())
    if text in ("transparent", "none"):
        return "none"
    return text if _HEX.fullmatch(text) or _FUNCTIONAL.fullmatch(text) or text in _names() else unknown


@cache
def _names() -> frozenset[str]:
    from matplotlib.colors import CSS4_COLORS  # slow to load, and seldom needed before a drawing is

    return frozenset(CSS4_COLORS)


def _mark(item: Mapping[str, Any]) -> Mark | None:
    kind = item.get("kind")
    if kind not in KINDS:
        return None
    paths = _way(item) if kind in ("line", "arc") else _paths(item.get("paths", item.get("points")))
    if kind in ("line", "arc", "fill") and not paths:
        return None
    start = _number(item.get("t0"), 0, 0, 1e9)
    sides = side[:99].split() if isinstance(side := item.get("side"), str) else []
    return Mark(
        kind="line" if kind == "arc" else kind,
        start=start,
        end=max(start, _number(item.get("t1"), start, 0, 1e9)),
        color=css_colour(item.get("color")),
        width=_number(item.get("width"), 1, 0, REACH),
        stroke=css_colour(item["stroke"]) if item.get("stroke") else None,
        cap=cap if (cap := item.get("cap")) in ("square", "butt") else "round",
        join=join if (join := item.get("join")) in ("miter", "bevel") else "round",
        closed=item.get("closed") is True,
        opacity=_number(item.get("alpha"), 1, 0, 1),
        by=_whole(item.get("by")),
        on=_whole(item.get("on")),
        clip=_paths(item.get("clip")),
        evenodd=item.get("rule") == "evenodd",
        erases=item.get("erase") is True,
        paths=paths,
        x=_number(item.get("x"), 0),
        y=_number(item.get("y"), 0),
        size=_size(item),
        direction=_number(item.get("direction"), 0) % 360,
        text=clean(item.get("text")),
        align=_align(item, sides),
        rise=float(("top" in sides) - ("bottom" in sides)),
        baseline="baseline" in item,
        front="side" in item,
        scale=(_number(item.get("scale"), 1, -100, 100), _number(item.get("scaleY"), 1, -100, 100)),
        family=family if (family := item.get("family")) in ("sans-serif", "monospace") else "serif",
        bold=item.get("bold") is True,
        italic=item.get("italic") is True,
        ground=css_colour(item["background"], "none") if item.get("background") else "none",
    )


def _align(item: Mapping[str, Any], sides: Sequence[str]) -> str:
    if "align" in item:
        return {"center": "middle", "right": "end", "end": "end"}.get(str(item["align"])[:9], "start")
    return "start" if "right" in sides else "end" if "left" in sides else "middle"


def _size(item: Mapping[str, Any]) -> tuple[float, float]:
    side = item.get("diameter", item.get("size", 0))
    # The width of anything but an image is its pen's.
    sides = (item.get("width"), item.get("height")) if item["kind"] == "image" else (side, side)
    return _number(sides[0], 0, 0, 4 * REACH), _number(sides[1], 0, 0, 4 * REACH)


def _turtle(item: Mapping[str, Any]) -> Turtle:
    shape = item.get("shape")
    wide, high = _number(item.get("width"), 20, 0, REACH), _number(item.get("height"), 24, 0, REACH)
    return Turtle(
        x=_number(item.get("x"), 0),
        y=_number(item.get("y"), 0),
        id=_whole(item.get("id")) or 0,
        name=clean(item.get("name"), 99),
        direction=_number(item.get("direction"), 0) % 360,
        twist=_number(item.get("twist"), 0) % 360,
        scale=(scale := _number(item.get("scale"), 1, -100, 100), _number(item.get("scaleY"), scale, -100, 100)),
        opacity=_number(item.get("opacity"), 1, 0, 1),
        color=css_colour(item.get("color"), "mediumseagreen"),
        shape=shape if isinstance(shape, str) and len(shape) < 20 else "turtle",
        size=(wide, high),
        origin=(_number(item.get("originX"), wide / 2, 0, REACH), _number(item.get("originY"), high / 2, 0, REACH)),
    )


def _lines(texts: Iterable[Any]) -> list[str]:
    """What was written, line by line; `inline` text goes on where the last ended."""
    lines: list[str] = []
    for item in texts:
        text, inline = (item.get("text"), item.get("inline")) if isinstance(item, Mapping) else (item, None)
        for number, line in enumerate(clean(text).splitlines()):
            if number == 0 and inline is True and lines:
                lines[-1] = (lines[-1] + line)[:LONGEST_TEXT]
            elif line.strip():
                lines.append(line)
        if len(lines) > MOST_TEXTS:
            break
    return lines[:MOST_TEXTS]


def _list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else []


def _number(value: Any, otherwise: float, low: float = -FARTHEST, high: float = FARTHEST) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return otherwise
    # Compared before it's made a float: JSON's integers have no bound, and `float` would raise.
    value = min(max(value, low), high)
    return float(value) if math.isfinite(value) else otherwise


def _whole(value: Any) -> int | None:
    return None if (found := _number(value, -1, -1, 1e9)) < 0 else int(found)


def clean(value: Any, longest: int = LONGEST_TEXT) -> str:
    """Text of at most `longest` characters that XML allows."""
    return _ILLEGAL.sub("", value[:longest]) if isinstance(value, str) else ""


def _paths(value: Any) -> tuple[Points, ...]:
    """One path, as `[x, y, x, y …]` or `[[x, y] …]`, or a list of such."""
    rows = _list(value)[: 2 * MOST_POINTS + 2]
    if not rows:
        return ()
    if isinstance(rows[0], list) and rows[0] and (isinstance(rows[0][0], list) or len(rows[0]) > 2):
        return tuple(points for row in rows if (points := _points(_list(row)[: 2 * MOST_POINTS + 2])))
    points = _points(rows)
    return (points,) if points else ()


def _way(item: Mapping[str, Any]) -> tuple[Points, ...]:
    """The way of a line or an arc: given by its points, its ends, or its circle."""
    if "points" in item:
        return _paths(item["points"])
    if item["kind"] == "line":
        return (tuple((_number(item.get(f"x{end}"), 0), _number(item.get(f"y{end}"), 0)) for end in (0, 1)),)
    x, y, radius = _number(item.get("cx"), 0), _number(item.get("cy"), 0), abs(_number(item.get("r"), 0))
    start, sweep = _number(item.get("start"), 0), _number(item.get("sweep"), 0, -3_600, 3_600)
    steps = max(2, math.ceil(abs(sweep) / ARC_STEP))
    angles = (math.radians(start + sweep * step / steps) for step in range(steps + 1))
    return (tuple((x + radius * math.sin(angle), y + radius * math.cos(angle)) for angle in angles),)


def _points(row: Sequence[Any]) -> Points:
    if row and isinstance(row[0], list):
        return tuple((_number(p[0], 0), _number(p[1], 0)) for p in row if isinstance(p, list) and len(p) == 2)
    return tuple((_number(x, 0), _number(y, 0)) for x, y in zip(row[::2], row[1::2], strict=False))
