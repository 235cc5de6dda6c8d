"""What styles on the page mean: lengths, edges, and what text inherits from what holds it.

In: nodes of the page's tree, whose values may be anything. Out: plain numbers, colours that CSS knows, a `Style`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from redraft.execute.drawing import css_colour
from redraft.execute.fonts import LINE_HEIGHT

_SIZES = {"h1": 2.0, "h2": 1.5, "h3": 1.17, "h4": 1.0, "h5": 0.83, "h6": 0.67, "small": 0.83, "big": 1.2, "sub": 0.83,
          "sup": 0.83}  # fmt: skip
_BOLD = frozenset(["b", "strong", "h1", "h2", "h3", "h4", "h5", "h6", "th"])
_ITALIC = frozenset(["i", "em", "cite", "var", "dfn", "address"])
_MONO = frozenset(["pre", "code", "tt", "kbd", "samp", "textarea"])
_NUMBER = re.compile(r"\s*(-?\d*\.?\d+)(px|pt|em|rem|%)?\s*$")
_EDGES = frozenset(["solid", "dashed", "dotted", "double", "inset", "outset", "groove", "ridge"])
_LARGEST = 2_000.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Style:
    """What text inherits."""

    size: float = 16.0
    family: str = "serif"
    bold: bool = False
    italic: bool = False
    color: str = "black"
    align: str = "left"
    kept: bool = False
    """Blanks and line ends are kept."""
    ground: str = "none"
    """Of text inside a line."""
    start: float = 0.0
    """When it was written."""

    @property
    def line(self) -> float:
        """Height of a line."""
        return round(LINE_HEIGHT * self.size) if self.size > 8 else LINE_HEIGHT * self.size


def css_of(node: Any) -> Mapping[str, str]:
    """The styles that a node was given itself."""
    style = node.get("style") if isinstance(node, Mapping) else None
    if not isinstance(style, Mapping):
        return {}
    return {name: value[:80] for name, value in style.items() if isinstance(name, str) and isinstance(value, str)}


def border_of(css: Mapping[str, str]) -> tuple[float, str]:
    """Width and colour of an edge; 0: none."""
    words = css.get("border", "").split()
    style = css.get(
        "borderStyle", next((w for w in words if w in ("solid", "dashed", "dotted", "double", "inset")), "none")
    )
    if style in ("none", "hidden"):
        return 0.0, "black"
    width = pixels(css.get("borderWidth", next((w for w in words if _NUMBER.match(w)), "3px")), 3)
    colour = css.get("borderColor", next((w for w in words if css_colour(w, "none") != "none"), "black"))
    return min(width, 100), css_colour(colour)


def styled(node: Mapping[str, Any], style: Style) -> Style:
    """The style inside a node."""
    tag, css = str(node.get("tag")), css_of(node)
    size = style.size * _SIZES.get(tag, 1.0)
    size = 13.333 if tag in _MONO and style.family != "monospace" else size
    size = pixels(css.get("fontSize"), size, style.size)
    family = "monospace" if tag in _MONO else style.family
    given = f"{css.get('fontFamily', '')} {css.get('font', '')}".lower()
    if shorthand := re.search(r"([\d.]+)px", css.get("font", "")):
        size = pixels(shorthand[1], size)
    if re.search("mono|courier|consol", given):
        family = "monospace"
    elif re.search("sans|arial|helvetica|verdana|tahoma|comic|impact", given):
        family = "sans-serif"
    elif re.search("serif|times|georgia", given):
        family = "serif"
    weight, slant = (
        f"{css.get('fontWeight', '')} {css.get('font', '')}",
        f"{css.get('fontStyle', '')} {css.get('font', '')}",
    )
    bold = tag in _BOLD or style.bold or bool(re.search("bold|[6-9]00", weight))
    start = node.get("t0")
    return Style(
        size=min(max(size, 1), 400), family=family, bold=bold and "normal" not in weight,
        italic=tag in _ITALIC or style.italic or bool(re.search("italic|oblique", slant)),
        color=css_colour(css.get("color", node.get("color")), "#0000ee" if tag == "a" else style.color),
        align={"center": "center", "right": "right", "end": "right"}.get(
            css.get("textAlign", ""), "left" if "textAlign" in css else "center" if tag == "center" else style.align
        ),
        kept=tag == "pre" or css.get("whiteSpace", "").startswith("pre") or style.kept, ground="none",
        start=float(start) if isinstance(start, int | float) and 0 <= start < 1e9 else style.start,
    )  # fmt: skip


def pixels(value: Any, otherwise: float, whole: float = 16.0) -> float:
    """A length in pixels; `whole` is what an em or a hundred per cent are."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(min(max(value, -_LARGEST), _LARGEST)) if value == value else otherwise
    found = _NUMBER.match(value) if isinstance(value, str) else None
    if found is None:
        return otherwise
    unit = {"pt": 4 / 3, "em": whole, "rem": 16.0, "%": whole / 100}.get(found[2] or "", 1.0)
    return min(max(float(found[1]) * unit, -_LARGEST), _LARGEST)
