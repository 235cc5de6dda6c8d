"""A drawing as SVG, PNG, or a timeline for a page that replays it.

In: a `Drawing`. Out: text of SVG, bytes of PNG, JSON values. The SVG holds shapes and text only: no script, style, link
or reference to anything outside it, and everything in it went through the XML writer.

Not guaranteed: pictures a program loads are outlines, and a browser's fonts differ from the PNG's.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree.ElementTree import Element, SubElement, tostring

from redraft.execute.drawing import REACH, Drawing, Mark, Points, Turtle, clean

MARGIN = 12.0
LARGEST_PNG = 4_096
"""Longest side of a PNG, in pixels."""
USUAL_PNG = 1_600
"""The same where no width is asked for: four times the pixels take four times as long."""
FONT, LINE = 16, 20
"""Size of written text, and of its line."""
SMALLEST = 160.0
"""Sides of the smallest cropped picture."""
LONGEST_RUN = 1_000
"""Lines written as one path at most."""
TIMELINE_VERSION = 1


class Box(NamedTuple):
    """A rectangle in turtle coordinates."""

    left: float
    bottom: float
    right: float
    top: float


def bounds(drawing: Drawing, *, crop: bool = False) -> Box:
    """What a picture must show: all that's drawn with a margin and the field, or with `crop` only what's drawn."""
    wide, high = drawing.field
    corners = [corner for mark in drawing.visible if not _backs(mark, drawing) for corner in _extent(mark)]
    corners += [(t.x + d * s, t.y + d * s) for t in drawing.turtles for d in (-1, 1) for s in (_reach(t),)]
    margin = MARGIN
    if not crop:
        margin = 0 if all(abs(x) <= wide / 2 and abs(y) <= high / 2 for x, y in corners) else MARGIN
        corners += [(-wide / 2, -high / 2), (wide / 2, high / 2)]
    xs, ys = zip(*(corners or [(0, 0)]), strict=True)
    sides = [min(xs) - margin, min(ys) - margin, max(xs) + margin, max(ys) + margin]
    left, bottom, right, top = (min(max(side, -REACH), REACH) for side in sides)
    if crop:
        texts = _texts(drawing, crop=True)
        top += LINE * len(texts)
        right = max(right, left + 0.55 * FONT * max(map(len, texts), default=0))
        wider, taller = (max(0, SMALLEST - side) / 2 for side in (right - left, top - bottom))
        return Box(left - wider, bottom - taller, right + wider, top + taller)
    return Box(left, bottom, right, top)


def _backs(mark: Mark, drawing: Drawing) -> bool:
    """Whether a mark colours the ground: it is no reason to show more of it."""
    return mark.kind in ("dot", "box") and mark.size[0] >= max(drawing.field)


def _reach(turtle: Turtle) -> float:
    return 0.7 * max(turtle.size) * turtle.scale


def _extent(mark: Mark) -> Iterator[tuple[float, float]]:
    if mark.kind == "erase" or mark.erases or (mark.color == "none" and mark.stroke is None):
        return
    reach = mark.width / 2 if mark.kind == "line" or mark.stroke else 0
    for points in mark.paths:
        xs, ys = zip(*points, strict=True)
        yield min(xs) - reach, min(ys) - reach
        yield max(xs) + reach, max(ys) + reach
    if not mark.paths:
        across, up = mark.size
        if mark.kind == "text":
            across *= 0.6 * max(map(len, mark.text.splitlines()), default=0)
        reach = math.hypot(across, up) / 2 if mark.direction else 0
        yield mark.x - (reach or across / 2), mark.y - (reach or up / 2)
        yield mark.x + (reach or across / 2), mark.y + (reach or up / 2)


def svg(drawing: Drawing, *, title: str = "What the program drew", crop: bool = False) -> str:
    """The drawing as an SVG file's text."""
    return tostring(svg_element(drawing, title=title, crop=crop), encoding="unicode")


def svg_element(drawing: Drawing, *, title: str, crop: bool = False) -> Element:
    """The drawing as an `svg` element, to stand alone or inside another page or picture."""
    box = bounds(drawing, crop=crop)
    wide, high = box.right - box.left, box.top - box.bottom
    view = " ".join(map(_short, (box.left, -box.top, wide, high)))
    root = Element("svg", xmlns="http://www.w3.org/2000/svg", viewBox=view, width=_short(wide), height=_short(high),
                   role="img")  # fmt: skip
    SubElement(root, "title").text = clean(title)
    _rectangle(root, box.left, -box.top, wide, high, fill=drawing.background)
    for mark in joined(drawing.visible):
        _SHAPES[mark.kind](root, replace(mark, color=drawing.background) if mark.erases else mark)
    left, top = (box.left, box.top) if crop else (-drawing.field[0] / 2, drawing.field[1] / 2)
    for row, text in enumerate(_texts(drawing, crop=crop), 1):
        place = {"x": _short(left + 8), "y": _short(LINE * row - top), "font-size": str(FONT)}
        SubElement(root, "text", {**place, "font-family": "sans-serif", "fill": "black"}).text = text
    for turtle in drawing.turtles:
        _draw_turtle(root, turtle)
    return root


def _texts(drawing: Drawing, *, crop: bool) -> Sequence[str]:
    if not crop:
        return drawing.texts
    most = [text if len(text) <= 40 else text[:39] + "…" for text in drawing.texts[:8]]
    return most + ["…"] * (len(drawing.texts) > 8)


def joined(marks: Iterable[Mark]) -> Iterator[Mark]:
    """The same marks with lines of one pen that follow each other as one, so that their corners close."""
    run: list[Mark] = []
    for mark in marks:
        if run and not (len(run) < LONGEST_RUN and _continues(run[-1], mark)):
            yield _one(run)
            run = []
        run.append(mark)
    if run:
        yield _one(run)


def _continues(last: Mark, mark: Mark) -> bool:
    if not last.kind == mark.kind == "line" or _pen(last) != _pen(mark):
        return False
    return len(last.paths) == len(mark.paths) == 1 and last.paths[0][-1] == mark.paths[0][0]


def _pen(mark: Mark) -> tuple[str, float, str, bool]:
    return mark.color, mark.width, mark.cap, mark.erases


def _one(run: list[Mark]) -> Mark:
    if len(run) == 1:
        return run[0]
    points = [run[0].paths[0][0]]
    for mark in run:
        points += mark.paths[0][1:]
    return replace(run[0], end=run[-1].end, paths=(tuple(points),))


def _line(root: Element, mark: Mark) -> None:
    SubElement(root, "path", {"d": _d(mark.paths), "fill": "none", "stroke": mark.color,
                              "stroke-width": _short(mark.width), "stroke-linecap": mark.cap,
                              "stroke-linejoin": "round"})  # fmt: skip


def _fill(root: Element, mark: Mark) -> None:
    SubElement(root, "path", {"d": _d(mark.paths, close=True), "fill": mark.color, **_edge(mark)})


def _dot(root: Element, mark: Mark) -> None:
    place = {"cx": _short(mark.x), "cy": _short(-mark.y), "r": _short(mark.size[0] / 2)}
    SubElement(root, "circle", {**place, "fill": mark.color, **_edge(mark)})


def _box(root: Element, mark: Mark) -> None:
    across, up = mark.size
    _rectangle(root, mark.x - across / 2, -mark.y - up / 2, across, up, fill=mark.color, **_edge(mark), **_turned(mark))


def _image(root: Element, mark: Mark) -> None:
    across, up = mark.size
    _rectangle(root, mark.x - across / 2, -mark.y - up / 2, across, up, **_OUTLINE, **_turned(mark))


def _label(root: Element, mark: Mark) -> None:
    size = min(mark.size[0] or 16, 400)
    lines = mark.text.splitlines()
    attributes = {"font-size": _short(size), "font-family": "sans-serif", "fill": mark.color, "text-anchor": mark.align}
    for row, line in enumerate(lines):
        # A third below the middle: where the baseline of text lies that is centred on its middle.
        down = -mark.y + size * (0.35 - mark.rise + 1.2 * (row - (len(lines) - 1) / 2))
        label = SubElement(root, "text", {"x": _short(mark.x), "y": _short(down), **attributes, **_turned(mark)})
        label.text = line


def _rubbed(root: Element, mark: Mark) -> None:
    """Nothing: what a clearing hides is left out."""


_OUTLINE = {"fill": "none", "stroke": "gray", "stroke-width": "1", "stroke-dasharray": "4 3"}
_SHAPES: dict[str, Callable[[Element, Mark], None]] = {
    "line": _line, "fill": _fill, "dot": _dot, "box": _box, "text": _label, "image": _image, "erase": _rubbed,
}  # fmt: skip


def _draw_turtle(root: Element, turtle: Turtle) -> None:
    place = f"translate({_short(turtle.x)} {_short(-turtle.y)}) rotate({_short(turtle.direction)})"
    body = SubElement(root, "g", transform=f"{place} scale({_short(turtle.scale)})")
    body.set("fill", turtle.color)
    if turtle.shape in _BODIES:
        for tag, attributes in _BODIES[turtle.shape]:
            SubElement(body, tag, attributes)
        return
    (across, up), (left, top) = turtle.size, turtle.origin
    plain = turtle.shape == "box" and turtle.color != "none"
    _rectangle(body, -left, -top, across, up, **({} if plain else _OUTLINE))


_EDGE = {"stroke": "black", "stroke-width": "0.7", "stroke-opacity": "0.5"}
_BODIES: dict[str, tuple[tuple[str, dict[str, str]], ...]] = {
    "turtle": (
        *(("circle", {"cx": x, "cy": y, "r": "2.6"}) for x in ("-7", "7") for y in ("-6", "6")),
        ("circle", {"cx": "0", "cy": "-10.5", "r": "3.2"}),
        ("ellipse", {"cx": "0", "cy": "0", "rx": "7.5", "ry": "9", **_EDGE}),
    ),
    "pointer": (("path", {"d": "M-10 6L0 -18L10 6L0 3Z", **_EDGE}),),
    "radius": (("circle", {"r": "9", **_EDGE}), ("path", {"d": "M0 0V-9", "stroke": "black"})),
    "dot": (("circle", {"r": "6"}),),
    "point": (("circle", {"r": "1.5"}),),
    "pencil": (("path", {"d": "M0 0L-3 -6V-24H3V-6Z", **_EDGE}),),
}
"""What a turtle may look like, at its place and heading up."""


def _rectangle(root: Element, left: float, top: float, wide: float, high: float, **attributes: str) -> None:
    SubElement(root, "rect", {"x": _short(left), "y": _short(top), "width": _short(wide), "height": _short(high),
                              **attributes})  # fmt: skip


def _edge(mark: Mark) -> dict[str, str]:
    return {"stroke": mark.stroke, "stroke-width": _short(mark.width)} if mark.stroke else {}


def _turned(mark: Mark) -> dict[str, str]:
    if not mark.direction:
        return {}
    return {"transform": f"rotate({_short(mark.direction)} {_short(mark.x)} {_short(-mark.y)})"}


def _d(paths: Iterable[Points], *, close: bool = False) -> str:
    end = "Z" if close else ""
    return "".join("M" + "L".join(f"{_short(x)} {_short(-y)}" for x, y in points) + end for points in paths)


def _short(value: float) -> str:
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def png(picture: str, *, width: int | None = None) -> bytes:
    """An SVG made here as PNG bytes, `width` pixels wide (by default its own width).

    The fonts are those that come with matplotlib, so that a picture is the same on every machine.
    """
    from importlib.util import find_spec

    from resvg_py import svg_to_bytes

    own_width, own_height = (float(found) for found in re.findall(r' (?:width|height)="([\d.]+)"', picture[:400])[:2])
    largest = LARGEST_PNG if width else USUAL_PNG
    scale = min((width or own_width) / own_width, largest / max(own_width, own_height))
    # The renderer keeps the picture's proportions: told both sides it may round the longer one down.
    longest = max(1, round(max(own_width, own_height) * scale))
    wide, high = (longest, None) if own_width >= own_height else (None, longest)
    spec = find_spec("matplotlib")
    assert spec is not None
    assert spec.origin is not None
    fonts = Path(spec.origin).parent / "mpl-data/fonts/ttf"
    names = ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf", "DejaVuSansMono.ttf", "DejaVuSerif.ttf")
    return svg_to_bytes(
        picture, width=wide, height=high,
        skip_system_fonts=True, font_files=[str(fonts / name) for name in names], font_family="DejaVu Sans",
        sans_serif_family="DejaVu Sans", serif_family="DejaVu Serif", monospace_family="DejaVu Sans Mono",
    )  # fmt: skip


def timeline(drawing: Drawing) -> dict[str, Any]:
    """What appears when, for a page that replays it: JSON values in turtle coordinates, milliseconds, in order."""
    box = bounds(drawing)
    fields = (
        "color",
        "width",
        "stroke",
        "paths",
        "x",
        "y",
        "size",
        "direction",
        "text",
        "align",
        "rise",
        "cap",
        "erases",
    )
    blank = asdict(Mark(kind="line"))
    segments = []
    for mark in drawing.marks:
        known = asdict(mark)
        shown = {name: known[name] for name in fields if known[name] != blank[name] or name in ("color", "width")}
        segments.append({"kind": mark.kind, "start": mark.start, "end": mark.end, **shown})
    return {
        "version": TIMELINE_VERSION,
        "field": drawing.field,
        "view": {"left": box.left, "bottom": box.bottom, "right": box.right, "top": box.top},
        "background": drawing.background,
        "duration": max((mark.end for mark in drawing.marks), default=0),
        "segments": segments,
        "turtles": [asdict(turtle) for turtle in drawing.turtles],
        "texts": drawing.texts,
        "cut": drawing.cut,
    }
