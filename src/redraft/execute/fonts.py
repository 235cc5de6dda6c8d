"""The fonts of drawings: those that come with matplotlib, so that a picture is the same on every machine.

In: a line of text, its size, family, weight and slant. Out: its width in pixels. A browser with other fonts shows the
same text a little narrower or wider.
"""

from __future__ import annotations

from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from matplotlib.ft2font import FT2Font

LINE_HEIGHT, ASCENT = 1.164, 0.928
"""Height of a line of text and where its baseline lies from its top, in font sizes."""
LONGEST = 2_000
WITHOUT_GLYPH = 60.0
"""Width of a character that the font doesn't have, where its size is 100."""
_FAMILIES = {"serif": "DejaVuSerif", "sans-serif": "DejaVuSans", "monospace": "DejaVuSansMono"}
_SLANTED = {"serif": "Italic", "sans-serif": "Oblique", "monospace": "Oblique"}
_UNITS = 100


class Style(Protocol):
    """What a text looks like."""

    @property
    def family(self) -> str:
        """serif, sans-serif or monospace."""

    @property
    def bold(self) -> bool:
        """Whether it is bold."""

    @property
    def italic(self) -> bool:
        """Whether it is slanted."""


def font_files() -> list[str]:
    """All files of the fonts used."""
    return [str(_folder() / _file(family, bold, slanted))
            for family in _FAMILIES for bold in (False, True) for slanted in (False, True)]  # fmt: skip


def text_width(text: str, size: float, style: Style) -> float:
    """Width of a line, in the units of `size`."""
    return _width(text[:LONGEST], style.family, style.bold, style.italic) * size


@cache
def _folder() -> Path:
    spec = find_spec("matplotlib")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "mpl-data/fonts/ttf"


def _file(family: str, bold: bool, slanted: bool) -> str:
    kind = "Bold" * bold + _SLANTED[family] * slanted
    return f"{_FAMILIES[family]}{'-' if kind else ''}{kind}.ttf"


@cache
def _font(family: str, bold: bool, slanted: bool) -> FT2Font:
    from matplotlib.ft2font import FT2Font

    font = FT2Font(str(_folder() / _file(family, bold, slanted)))
    font.set_size(_UNITS, 72)
    return font


@lru_cache(maxsize=10_000)
def _width(text: str, family: str, bold: bool, slanted: bool) -> float:
    from matplotlib.ft2font import LoadFlags

    font = _font(family, bold, slanted)
    found = 0.0
    for character in text:
        if not font.get_char_index(ord(character)):
            found += WITHOUT_GLYPH
            continue
        found += font.load_char(ord(character), flags=LoadFlags.NO_HINTING).linearHoriAdvance / 65_536
    return found / _UNITS
