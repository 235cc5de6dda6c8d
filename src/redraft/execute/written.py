"""What is written on the page, laid out as a browser does it: lines, headings, typed text, boxes, buttons, tables.

In: the page's tree of a run's record, `[text | {tag, t0, style, nodes, value, at} …]`, not trusted in anything. Out:
marks in turtle coordinates that stand before the field: texts by their baseline, fills for grounds, lines for edges.

Not guaranteed: floats, places of absolute elements inside others, and a browser's own fonts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from redraft.execute.drawing import Mark, clean, css_colour
from redraft.execute.fonts import ASCENT, LINE_HEIGHT, text_width
from redraft.execute.pagestyle import Style, border_of, css_of, pixels, styled

MARGIN = 8.0
MOST_NODES = 5_000
DEEPEST = 40
_SPACE = {"p": 1.0, "pre": 1.0, "ul": 1.0, "ol": 1.0, "blockquote": 1.0, "h1": 0.67, "h2": 0.83, "h3": 1.0, "h4": 1.33,
          "h5": 1.67, "h6": 2.33}  # fmt: skip
_BLOCK = frozenset(re.findall(r"\w+", """
    address article aside blockquote body center dd details div dl dt fieldset figure footer form h1 h2 h3 h4 h5 h6
    header hr html li main nav ol p pre section table tbody td tfoot th thead tr ul"""))  # fmt: skip
_CELLS = frozenset(("td", "th"))
_WIDGETS = frozenset(("button", "input", "select", "textarea", "img", "canvas", "video", "audio", "iframe"))


@dataclass(slots=True)
class Piece:
    """A part of a line: a word, or a box."""

    width: float
    height: float
    style: Style
    text: str = ""
    marks: tuple[Mark, ...] = ()
    """Of a box, around its top left corner."""
    ends: bool = False
    """The line ends after it."""


def lay_out(page: Any, field: tuple[float, float]) -> tuple[Mark, ...]:
    """The marks of a page's tree."""
    if not isinstance(page, list):
        return ()
    layout = _Layout(field)
    marks, _, _ = layout.block(page, Style(), field[0] - 2 * MARGIN, 0)
    left, top = -field[0] / 2 + MARGIN, field[1] / 2 - MARGIN
    return tuple(_moved(mark, left, top) for mark in marks) + tuple(layout.free)


def _moved(mark: Mark, across: float, up: float) -> Mark:
    paths = tuple(tuple((x + across, y + up) for x, y in path) for path in mark.paths)
    return replace(mark, x=mark.x + across, y=mark.y + up, paths=paths)


def _all_moved(marks: Sequence[Mark], across: float, down: float) -> list[Mark]:
    return [_moved(mark, across, -down) for mark in marks]


class _Layout:
    """Lays nodes out; marks have their place from the top left corner of what holds them, y upwards."""

    def __init__(self, field: tuple[float, float]) -> None:
        self.field = field
        self.free: list[Mark] = []
        """Marks of what stands anywhere on the page, in turtle coordinates."""
        self.left = MOST_NODES

    def block(self, nodes: Any, style: Style, width: float, depth: int) -> tuple[list[Mark], float, float]:
        """The marks of nodes below each other, and how wide and high they are."""
        marks: list[Mark] = []
        line: list[Piece] = []
        wide = high = space = 0.0

        def flush() -> None:
            nonlocal wide, high, space
            if line:
                found, across, down = _lines(line, style, width)
                if down:
                    high += space
                    space = 0.0
                marks.extend(_all_moved(found, 0, high))
                wide, high = max(wide, across), high + down
                line.clear()

        for node in nodes if isinstance(nodes, list) and depth < DEEPEST else ():
            self.left -= 1
            if self.left < 0:
                break
            if self._is_free(node):
                self._put_free(node, style, depth)
            elif not _is_block(node):
                line += self.inline(node, style, width, depth)
            else:
                flush()
                found, across, down, gap = self._one(node, style, width, depth)
                high += max(space, gap)
                marks.extend(_all_moved(found, 0, high))
                wide, high, space = max(wide, across), high + down, gap
        flush()
        return marks, wide, high + (space if depth == 0 else 0)

    def _is_free(self, node: Any) -> bool:
        css = css_of(node)
        return isinstance(node, Mapping) and ("at" in node or css.get("position") in ("absolute", "fixed"))

    def _put_free(self, node: Any, style: Style, depth: int) -> None:
        css = css_of(node)
        inner = {**node, "style": {**css, "position": "static", "display": "inline-block"}}
        at = inner.pop("at", None)
        pieces = self.inline(inner, style, self.field[0], depth)
        marks, wide, high = _lines(pieces, style, self.field[0])
        if isinstance(at, Mapping):
            x, y = (pixels(at.get(axis), 0) for axis in ("x", "y"))
            self.free += [_moved(mark, x - wide / 2, y + high / 2) for mark in marks]
            return
        left = pixels(css.get("left"), self.field[0] - wide - pixels(css.get("right"), 0) if "right" in css else MARGIN)
        top = pixels(css.get("top"), self.field[1] - high - pixels(css.get("bottom"), 0) if "bottom" in css else MARGIN)
        self.free += [_moved(mark, left - self.field[0] / 2, self.field[1] / 2 - top) for mark in marks]

    def _one(
        self, node: Mapping[str, Any], style: Style, width: float, depth: int
    ) -> tuple[list[Mark], float, float, float]:
        """A block's marks, width and height, and the space it needs above and below."""
        tag, css = str(node.get("tag")), css_of(node)
        own = styled(node, style)
        space = _SPACE.get(tag, 0.0) * own.size
        space = (
            pixels(css.get("marginTop", css.get("margin")), space) if ("marginTop" in css or "margin" in css) else space
        )
        left = 40.0 if tag in ("ul", "ol", "blockquote", "dd") else 0.0
        left = pixels(css.get("marginLeft"), left)
        if tag == "hr":
            return [_edge(((0, -1), (width, -1)), "gray", own.start)], width, 2, 8
        if tag == "table":
            found, wide, high = _Table(self, own, depth).lay(node)
        else:
            pad, edge = pixels(css.get("padding"), 0), border_of(css)[0]
            inset = pad + edge
            given = pixels(css.get("width"), 0, width)
            room = (given or width - left) - (0 if given else 2 * inset)
            found, wide, high = self.block(_without_gaps(node, css), own, room, depth + 1)
            shrinks = css.get("display") in ("table", "inline-block") or given
            full = (given or wide) + 2 * inset if shrinks else width - left
            high = pixels(css.get("height"), high) + 2 * inset
            found = _framed(_all_moved(found, inset, inset), css, full, high, own.start)
            wide = full if shrinks or own.align != "left" else wide + 2 * inset
        if tag == "li":
            found.append(Mark(kind="dot", x=-12, y=-own.line / 2, size=(5.0, 5.0), color=own.color, front=True))
        return _all_moved(found, left, 0), wide + left, high, space

    def inline(self, node: Any, style: Style, width: float, depth: int) -> list[Piece]:
        """The pieces of a node that stands in a line."""
        if isinstance(node, str):
            return _words(clean(node, 1_000), style)
        if not isinstance(node, Mapping) or depth > DEEPEST or self.left < 0:
            return []
        self.left -= 1
        tag, css, own = str(node.get("tag")), css_of(node), styled(node, style)
        if css.get("visibility") == "hidden":
            own = replace(own, color="none", ground="none")
        if tag == "br":
            return [Piece(0, own.line, own, ends=True)]
        if tag in _WIDGETS:
            return [Piece(pixels(css.get("marginLeft"), 0), 0, own), _widget(node, tag, css, own)]
        if css.get("display") == "inline-block":
            inner = {**node, "style": {name: value for name, value in css.items() if name != "display"}}
            given, inset = pixels(css.get("width"), 0, own.size), pixels(css.get("padding"), 0) + border_of(css)[0]
            marks, wide, high = self.block(inner.get("nodes"), own, given or width, depth + 1)
            wide, high = (
                (given or wide) + 2 * inset,
                (pixels(css.get("height"), high, own.size) or own.line) + 2 * inset,
            )
            framed = _framed(_all_moved(marks, inset, inset), css, wide, high, own.start)
            return [Piece(wide, high, own, marks=tuple(framed))]
        pieces: list[Piece] = []
        ground = css_colour(css.get("backgroundColor", css.get("background")), "none")
        own = replace(own, ground="yellow" if tag == "mark" else ground if ground != "none" else own.ground)
        for child in node.get("nodes") or () if isinstance(node.get("nodes"), list) else ():
            pieces += self.inline(child, own, width, depth + 1)
        return pieces


class _Table:
    """A table: columns as wide as their widest cell."""

    def __init__(self, layout: _Layout, style: Style, depth: int) -> None:
        self.layout, self.style, self.depth = layout, style, depth

    def lay(self, table: Mapping[str, Any]) -> tuple[list[Mark], float, float]:
        """Marks, width and height."""
        rows = [[self._cell(cell) for cell in row] for row in _rows(table, self.depth)]
        columns = max((len(row) for row in rows), default=0)
        wide = [max((row[n][1] for row in rows if n < len(row)), default=0) for n in range(columns)]
        marks: list[Mark] = []
        down = 0.0
        for row in rows:
            high, across = max((cell[2] for cell in row), default=0), 0.0
            for (found, own, tall, node, style), room in zip(row, wide, strict=False):
                css = css_of(node)
                shift = {"center": 0.5, "right": 1.0}.get(style.align, 0.0) * (room - own)
                inner = _all_moved(found, shift, (high - tall) / 2)
                marks += _all_moved(_framed(inner, css, room, high, style.start, collapsed=True), across, down)
                across += room
            down += high
        return marks, sum(wide) + 1, down + 1

    def _cell(self, node: Mapping[str, Any]) -> tuple[list[Mark], float, float, Mapping[str, Any], Style]:
        css, style = css_of(node), styled(node, self.style)
        if node.get("tag") == "th" and "textAlign" not in css:
            style = replace(style, align="center")
        edge = border_of(css)[0]
        pad = pixels(css.get("padding"), 1)
        given = pixels(css.get("width"), 0), pixels(css.get("height"), 0)
        marks, wide, high = self.layout.block(
            node.get("nodes"), replace(style, align="left"), given[0] or self.layout.field[0], self.depth + 2
        )
        centred = {"center": 0.5, "right": 1.0}.get(style.align, 0.0) * max(0, given[0] - wide)
        marks = _all_moved(marks, centred + pad + edge / 2, max(0, given[1] - high) / 2 + pad + edge / 2)
        return marks, max(wide, given[0]) + 2 * pad + edge, max(high, given[1]) + 2 * pad + edge, node, style


def _rows(node: Mapping[str, Any], depth: int) -> list[list[Mapping[str, Any]]]:
    found: list[list[Mapping[str, Any]]] = []
    nodes = node.get("nodes")
    for child in nodes if isinstance(nodes, list) and depth < DEEPEST else ():
        if not isinstance(child, Mapping):
            continue
        if child.get("tag") == "tr":
            cells = child.get("nodes")
            some = cells if isinstance(cells, list) else []
            found.append([cell for cell in some if isinstance(cell, Mapping) and cell.get("tag") in _CELLS])
        else:
            found += _rows(child, depth + 1)
    return found


def _lines(pieces: Sequence[Piece], style: Style, width: float) -> tuple[list[Mark], float, float]:
    """Pieces in lines of a width: marks, width and height."""
    marks: list[Mark] = []
    wide = down = 0.0
    line: list[Piece] = []
    across = 0.0

    def flush() -> None:
        nonlocal wide, down, line, across
        while line and line[-1].text.isspace() and not line[-1].style.kept:
            across -= line.pop().width
        high = max((piece.height for piece in line), default=0)
        base = max((_ascent(piece) for piece in line), default=0)
        x = {"center": 0.5, "right": 1.0}.get(style.align, 0.0) * max(0, width - across)
        for piece in line:
            marks.extend(_placed(piece, x, down + base))
            x += piece.width
        wide, down = max(wide, across), down + high
        line, across = [], 0.0

    for piece in pieces:
        blank = piece.text.isspace() and not piece.style.kept
        if blank and not line:
            continue
        if across + piece.width > width and line and not blank and not piece.style.kept:
            flush()
        line.append(piece)
        across += piece.width
        if piece.ends:
            flush()
    flush()
    return _merged(marks), wide, down


def _ascent(piece: Piece) -> float:
    if piece.marks:
        # A box stands on the line's foot as its own text does.
        return piece.height - 0.24 * piece.style.size
    return (piece.style.line - LINE_HEIGHT * piece.style.size) / 2 + ASCENT * piece.style.size


def _placed(piece: Piece, x: float, base: float) -> list[Mark]:
    style = piece.style
    if piece.marks:
        return _all_moved(piece.marks, x, base - _ascent(piece))
    if not piece.text.strip("\n"):
        return []
    return [
        Mark(
            kind="text", start=style.start, end=style.start, color=style.color, x=x, y=-base, text=piece.text,
            size=(style.size, style.size), align="start", baseline=True, family=style.family, bold=style.bold,
            italic=style.italic, ground=style.ground, front=True,
        )
    ]  # fmt: skip


def _merged(marks: list[Mark]) -> list[Mark]:
    """The words of a line that look alike as one text: a reader's fonts may be narrower than ours."""
    found: list[Mark] = []
    for mark in marks:
        last = found[-1] if found else None
        if last and _goes_on(last, mark):
            found[-1] = replace(last, text=last.text + mark.text)
        else:
            found.append(mark)
    return [mark for mark in found if mark.kind != "text" or mark.text.strip()]


def _goes_on(last: Mark, mark: Mark) -> bool:
    """Whether a text looks like the last one and begins where that ends."""
    if not last.kind == mark.kind == "text" or replace(last, text="", x=0) != replace(mark, text="", x=0):
        return False
    return abs(last.x + text_width(last.text, last.size[0], last) - mark.x) < 0.1


def _words(text: str, style: Style) -> list[Piece]:
    if style.kept:
        rows = text.split("\n")
        return [
            Piece(text_width(row, style.size, style), style.line, style, text=row, ends=number < len(rows) - 1)
            for number, row in enumerate(rows)
            if row or number < len(rows) - 1
        ]
    words = re.findall(r"[^ \t\n\r\f]+|[ \t\n\r\f]+", text)
    plain = [" " if word.isspace() and "\u00a0" not in word else word.replace("\u00a0", " ") for word in words]
    return [Piece(text_width(word, style.size, style), style.line, style, text=word) for word in plain]


def _widget(node: Mapping[str, Any], tag: str, css: Mapping[str, str], style: Style) -> Piece:
    """A button, a box to write into, or an outline of what isn't known."""
    own = replace(style, size=pixels(css.get("fontSize"), 13.333), family="sans-serif", ground="none")
    kind = str(node.get("type", ""))
    label = _text_of(node) if tag in ("button", "select") else clean(node.get("value"), 100)
    words = text_width(label, own.size, own)
    if tag == "input" and kind in ("radio", "checkbox"):
        dot = Mark(kind="dot", x=11.5, y=-8, size=(12.0, 12.0), color="white", stroke="#767676", front=True)
        return Piece(21, 19, style, marks=(dot,))
    high = own.line + (5 if tag == "button" else 3)
    wide = {"button": words + 16, "select": words + 26, "input": 175.0, "textarea": 182.0}.get(tag, 0.0)
    if tag not in ("button", "select", "input", "textarea"):
        high = pixels(css.get("height"), 0)
        wide = pixels(css.get("width"), high)
    wide, high = pixels(css.get("width"), wide), pixels(css.get("height"), high)
    if not wide or not high:
        return Piece(0, 0, style)
    button = tag == "button" or kind in ("button", "submit")
    ground = css_colour(css.get("backgroundColor", css.get("background")), "none")
    fill = ground if ground != "none" else "#efefef" if button else "white"
    box = ((0.5, -0.5), (wide - 0.5, -0.5), (wide - 0.5, 0.5 - high), (0.5, 0.5 - high))
    marks = [Mark(kind="fill", paths=(box,), color=fill, stroke="#767676", width=1, start=style.start, front=True)]
    if label.strip():
        x = (wide - words) / 2 if button else 3
        text = Mark(kind="text", x=x, y=-(high - own.line) / 2 - ASCENT * own.size, text=label, align="start",
                    size=(own.size, own.size), baseline=True, family=own.family, color=own.color,
                    front=True)  # fmt: skip
        marks.append(text)
    return Piece(wide, high, own, marks=tuple(marks))


def _text_of(node: Any, depth: int = 0) -> str:
    if isinstance(node, str):
        return " ".join(clean(node).split())
    nodes = node.get("nodes") if isinstance(node, Mapping) and depth < DEEPEST else None
    return "".join(_text_of(child, depth + 1) for child in nodes)[:300] if isinstance(nodes, list) else ""


def _framed(marks: list[Mark], css: Mapping[str, str], wide: float, high: float, start: float, *,
            collapsed: bool = False) -> list[Mark]:  # fmt: skip
    """Marks on the ground and inside the edge that a style gives them."""
    ground = css_colour(css.get("backgroundColor", css.get("background")), "none")
    edge, color = border_of(css)
    if ground == "none" and not edge:
        return marks
    inset = 0 if collapsed else edge / 2
    shift = edge / 2 if collapsed else 0
    box = tuple(
        (x + shift, y - shift)
        for x, y in ((inset, -inset), (wide - inset, -inset), (wide - inset, inset - high), (inset, inset - high))
    )
    frame = Mark(kind="fill", paths=(box,), color=ground, stroke=color if edge else None, width=edge, start=start,
                 end=start, front=True)  # fmt: skip
    return [frame, *marks]


def _edge(path: tuple[tuple[float, float], ...], color: str, start: float) -> Mark:
    return Mark(kind="line", paths=(path,), color=color, width=1, cap="butt", start=start, end=start, front=True)


def _without_gaps(node: Mapping[str, Any], css: Mapping[str, str]) -> Any:
    """What is in a node; a table has no blanks between its parts, not even one that only looks like a table."""
    nodes = node.get("nodes")
    if css.get("display") != "table" or not isinstance(nodes, list):
        return nodes
    return [child for child in nodes if not (isinstance(child, str) and child.strip(" \t\n\r\f") == "")]


def _is_block(node: Any) -> bool:
    if not isinstance(node, Mapping):
        return False
    display = css_of(node).get("display")
    if display:
        return not display.startswith("inline")
    return node.get("tag") in _BLOCK
