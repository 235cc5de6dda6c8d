"""A drawing as SVG, PNG, or a timeline for a page that replays it.

In: a `Drawing`. Out: text of SVG, bytes of PNG, JSON values. The SVG holds shapes and text only: no script, style, link
or reference to anything outside it, and everything in it went through the XML writer.

Not guaranteed: pictures a program loads are outlines, and a browser's fonts differ from the PNG's.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from typing import Any, NamedTuple
from xml.etree.ElementTree import Element, SubElement, tostring

from redraft.execute.bodies import BODIES
from redraft.execute.drawing import REACH, Drawing, Mark, Points, Turtle, clean
from redraft.execute.fonts import ASCENT, LINE_HEIGHT, font_files, text_width
from redraft.execute.written import lay_out

MARGIN = 12.0
LARGEST_PNG = 4_096
"""Longest side of a PNG, in pixels."""
USUAL_PNG = 1_600
"""The same where no width is asked for: four times the pixels take four times as long."""
FONT, LINE = 16, 20
"""Size of written text, and of its line."""
SMALLEST = 160.0
"""Sides of the smallest cropped picture."""
MOST_RUBBED = 50
"""Times that something is rubbed out of a sprite; each hides what is before it in one more group."""
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
    laid_out = lay_out(drawing.page, drawing.field)
    placed = () if _is_plain(laid_out) else laid_out
    corners = [corner for mark in [*drawing.visible, *placed] if not _backs(mark, drawing) for corner in _extent(mark)]
    corners += [(t.x + d * s, t.y + d * s) for t in drawing.turtles if _looks(t) for d in (-1, 1) for s in (_reach(t),)]
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
    return 0.7 * max(turtle.size) * max(map(abs, turtle.scale))


def _looks(turtle: Turtle) -> bool:
    """Whether there's anything to see of it: an empty sprite is no reason to show more of the field."""
    return turtle.shape != "box" or turtle.color != "none"


def _extent(mark: Mark) -> Iterator[tuple[float, float]]:
    if mark.kind == "erase" or mark.erases or mark.on is not None or (mark.color == "none" and mark.stroke is None):
        return
    reach = mark.width / 2 if mark.kind == "line" or mark.stroke else 0
    for points in mark.paths:
        xs, ys = zip(*points, strict=True)
        yield min(xs) - reach, min(ys) - reach
        yield max(xs) + reach, max(ys) + reach
    if mark.kind == "text":
        yield from _text_extent(mark)
    elif not mark.paths:
        across, up = mark.size
        reach = math.hypot(across, up) / 2 if mark.direction else 0
        yield mark.x - (reach or across / 2), mark.y - (reach or up / 2)
        yield mark.x + (reach or across / 2), mark.y + (reach or up / 2)


_BEFORE = {"start": 0.0, "middle": 0.5, "end": 1.0}
"""Which share of a text lies left of its place."""


def _text_extent(mark: Mark) -> Iterator[tuple[float, float]]:
    lines, size = mark.text.splitlines(), mark.size[0] or FONT
    across = max((text_width(line, size, mark) for line in lines), default=0) * abs(mark.scale[0])
    up = LINE_HEIGHT * size * len(lines) * abs(mark.scale[1])
    left, below = across * _BEFORE[mark.align], up * (0.5 - 0.5 * mark.rise)
    if mark.baseline:
        below = (LINE_HEIGHT - ASCENT) * size
    if mark.direction:
        reach = math.hypot(max(left, across - left), max(below, up - below))
        left = below = reach
        across = up = 2 * reach
    yield mark.x - left, mark.y - below
    yield mark.x + across - left, mark.y + up - below


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
    marks = list(joined(drawing.visible))
    labels = [mark for mark in marks if mark.front]
    for mark in marks:
        if mark.on is None and not mark.front:
            _draw(root, mark, drawing.background)
    for mark in labels:
        _draw(root, mark, drawing.background)
    for turtle in drawing.turtles:
        _draw_turtle(root, turtle, [mark for mark in marks if mark.on == turtle.id])
    for mark in _written(drawing, box if crop else None):
        _draw(root, mark, drawing.background)
    return root


def _written(drawing: Drawing, crop: Box | None) -> Sequence[Mark]:
    """What is on the page beside the field; in a cropped picture its first lines, from the picture's top."""
    laid_out = lay_out(drawing.page, drawing.field)
    if laid_out and (crop is None or not _is_plain(laid_out)):
        return laid_out
    left, top = (crop.left, crop.top) if crop else (-drawing.field[0] / 2, drawing.field[1] / 2)
    return [
        Mark(kind="text", text=text, x=left + 8, y=top - LINE * row, size=(FONT, FONT), align="start", baseline=True)
        for row, text in enumerate(_texts(drawing, crop=crop is not None), 1)
    ]


def _is_plain(marks: Sequence[Mark]) -> bool:
    """Whether a page has nothing but text: then its place says little."""
    return all(mark.kind == "text" for mark in marks)


def _draw(root: Element, mark: Mark, background: str) -> None:
    inside = _clipped(root, mark) if mark.clip else root
    _SHAPES[mark.kind](inside, replace(mark, color=background) if mark.erases else mark)


def _clipped(root: Element, mark: Mark) -> Element:
    """A group that shows nothing outside a mark's clip."""
    way = _d(mark.clip, close=True)
    name = _named(way)
    SubElement(SubElement(root, "clipPath", id=name), "path", d=way)
    return SubElement(root, "g", {"clip-path": f"url(#{name})"})


def _named(text: str) -> str:
    """A name for what is described by a text: the same thing may be named twice on a page, no two things alike."""
    return "n" + hashlib.sha256(text.encode()).hexdigest()[:16]


def _texts(drawing: Drawing, *, crop: bool) -> Sequence[str]:
    if not crop:
        return drawing.texts
    if not _is_plain(lay_out(drawing.page, drawing.field)):
        return ()
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
    if last.closed or mark.closed or _faint(mark):
        return False
    return len(last.paths) == len(mark.paths) == 1 and last.paths[0][-1] == mark.paths[0][0]


def _faint(mark: Mark) -> bool:
    """Whether what is below shows through: lines that cross are darker then, and mustn't become one."""
    hexadecimal = mark.color[0] == "#" and len(mark.color) in (5, 9)
    return mark.opacity < 1 or hexadecimal or mark.color.startswith(("rgba", "hsla"))


def _pen(mark: Mark) -> tuple[object, ...]:
    return mark.color, mark.width, mark.cap, mark.join, mark.erases, mark.on, mark.opacity, mark.clip


def _one(run: list[Mark]) -> Mark:
    if len(run) == 1:
        return run[0]
    points = [run[0].paths[0][0]]
    for mark in run:
        points += mark.paths[0][1:]
    return replace(run[0], end=run[-1].end, paths=(tuple(points),))


def _line(root: Element, mark: Mark) -> None:
    SubElement(root, "path", {"d": _d(mark.paths, close=mark.closed), "fill": "none", "stroke": mark.color,
                              "stroke-width": _short(mark.width), "stroke-linecap": mark.cap,
                              "stroke-linejoin": mark.join, "stroke-miterlimit": "10", **_opacity(mark)})  # fmt: skip


def _fill(root: Element, mark: Mark) -> None:
    rule = {"fill-rule": "evenodd"} if mark.evenodd else {}
    attributes = {"fill": mark.color, **rule, **_edge(mark), **_opacity(mark)}
    SubElement(root, "path", {"d": _d(mark.paths, close=True), **attributes})


def _opacity(mark: Mark) -> dict[str, str]:
    return {"opacity": _short(mark.opacity)} if mark.opacity < 1 else {}


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
    size = min(mark.size[0] or FONT, 400)
    lines = mark.text.splitlines() or [""]
    style = {"font-size": _short(size), "font-family": mark.family, "fill": mark.color, "text-anchor": mark.align,
             **({"font-weight": "bold"} if mark.bold else {}), **({"font-style": "italic"} if mark.italic else {}),
             **_opacity(mark)}  # fmt: skip
    group = SubElement(root, "g", transform=_at(mark)) if mark.direction or mark.scale != (1, 1) else root
    x, y = (0.0, 0.0) if group is not root else (mark.x, -mark.y)
    high = LINE_HEIGHT * size * len(lines)
    top = y - high * (0.5 + 0.5 * mark.rise)
    wide = max(text_width(line, size, mark) for line in lines)
    if mark.ground != "none":
        left = x - wide * _BEFORE[mark.align]
        _rectangle(group, left, top, wide, high, fill=mark.ground)
    if len(lines) > 1:
        # Lines of one label begin below each other, wherever the label stands.
        x -= wide * _BEFORE[mark.align]
        style["text-anchor"] = "start"
    for row, line in enumerate(lines):
        down = y if mark.baseline else top + size * (ASCENT + LINE_HEIGHT * row)
        SubElement(group, "text", {"x": _short(x), "y": _short(down), **style}).text = line


def _at(mark: Mark) -> str:
    (across, along) = mark.scale
    stretch = f" scale({_short(across)} {_short(along)})" if mark.scale != (1, 1) else ""
    return f"translate({_short(mark.x)} {_short(-mark.y)}) rotate({_short(mark.direction)}){stretch}"


def _rubbed(root: Element, mark: Mark) -> None:
    """Nothing: what a clearing hides is left out."""


_OUTLINE = {"fill": "none", "stroke": "gray", "stroke-width": "1", "stroke-dasharray": "4 3"}
_SHAPES: dict[str, Callable[[Element, Mark], None]] = {
    "line": _line, "fill": _fill, "dot": _dot, "box": _box, "text": _label, "image": _image, "erase": _rubbed,
}  # fmt: skip


def _draw_turtle(root: Element, turtle: Turtle, marks: Sequence[Mark]) -> None:
    (across, along), (wide, high), (left, top) = turtle.scale, turtle.size, turtle.origin
    stretch = _short(across) if across == along else f"{_short(across)} {_short(along)}"
    twist = f" rotate({_short(turtle.twist)})" if turtle.twist else ""
    place = f"translate({_short(turtle.x)} {_short(-turtle.y)}) rotate({_short(turtle.direction)})"
    body = SubElement(root, "g", transform=f"{place} scale({stretch}){twist}", fill=turtle.color)
    if turtle.opacity < 1:
        body.set("opacity", _short(turtle.opacity))
    if turtle.shape in BODIES:
        for tag, attributes in BODIES[turtle.shape]:
            own = {"stroke": turtle.color} if attributes.get("stroke") == "own" else {}
            SubElement(body, tag, {**attributes, **own})
    elif turtle.shape != "box":
        _rectangle(body, -left, -top, wide, high, **_OUTLINE)
    if turtle.shape == "box" or marks:
        _draw_surface(body, turtle, marks)


def _draw_surface(body: Element, turtle: Turtle, marks: Sequence[Mark]) -> None:
    """A sprite's ground and what lies on it, not beyond its edges; what was rubbed out lets the field through."""
    (wide, high), (left, top) = turtle.size, turtle.origin
    sides = [_short(side) for side in (-left, -top, wide, high)]
    frame = dict(zip(("x", "y", "width", "height"), sides, strict=True))
    surface = SubElement(body, "svg", {**frame, "viewBox": " ".join(sides)}) if marks else body
    if turtle.shape == "box" and turtle.color != "none":
        _rectangle(surface, -left, -top, wide, high)
    rubbed: list[Mark] = []
    times = 0
    for mark in [*marks, None]:
        if mark is not None and mark.erases:
            rubbed.append(mark)
            continue
        if rubbed and times < MOST_RUBBED:
            _rub_out(surface, frame, rubbed)
            times += 1
        rubbed = []
        if mark is not None:
            _draw(surface, mark, "white")


def _rub_out(surface: Element, frame: dict[str, str], rubbed: Sequence[Mark]) -> None:
    """Take away what these marks cover of all that is on a surface so far."""
    mask = Element("mask", {"maskUnits": "userSpaceOnUse", **frame})
    SubElement(mask, "rect", {"fill": "white", **frame})
    for mark in rubbed:
        _draw(mask, replace(mark, stroke=None), "black")
    name = _named(tostring(mask, encoding="unicode"))
    mask.set("id", name)
    before = list(surface)
    for element in before:
        surface.remove(element)
    surface.append(mask)
    SubElement(surface, "g", mask=f"url(#{name})").extend(before)


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
    from resvg_py import svg_to_bytes

    own_width, own_height = (float(found) for found in re.findall(r' (?:width|height)="([\d.]+)"', picture[:400])[:2])
    largest = LARGEST_PNG if width else USUAL_PNG
    scale = min((width or own_width) / own_width, largest / max(own_width, own_height))
    # The renderer keeps the picture's proportions: told both sides it may round the longer one down.
    longest = max(1, round(max(own_width, own_height) * scale))
    wide, high = (longest, None) if own_width >= own_height else (None, longest)
    return svg_to_bytes(
        picture, width=wide, height=high,
        skip_system_fonts=True, font_files=font_files(), font_family="DejaVu Sans",
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
