r"""Foreign text made safe to show: what would steer a terminal or turn words around is written out.

In: any text. Out: the same text, with each control character, bidirectional or invisible formatting character, line
or paragraph separator and half of a surrogate pair as `\uXXXX`, which is also how JSON writes it.
"""

from __future__ import annotations

import unicodedata


def visible(text: str, *, lines: bool = False) -> str:
    """The text, in which nothing is hidden.

    Args:
        text: Whatever came from a file, or from a command line.
        lines: Keep line ends and tabs: the text is a program, or a page of several lines.
    """
    if text.isprintable():  # most texts: such characters are none of them
        return text
    return text.translate(_KEEPING_LINES if lines else _ALL)


class _Escapes(dict[int, str]):
    """A character's number -> what is shown for it, found out when it is first met."""

    def __init__(self, kept: str = "") -> None:
        super().__init__({ord(char): char for char in kept})

    def __missing__(self, point: int) -> str:
        char = chr(point)
        self[point] = _escape(char) if unicodedata.category(char) in _HIDDEN else char
        return self[point]


_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode's categories: controls, formats, halves of surrogate pairs, separators of lines and of paragraphs."""
_ALL, _KEEPING_LINES = _Escapes(), _Escapes("\n\t")


def _escape(char: str) -> str:
    units = char.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i : i + 2].hex()}" for i in range(0, len(units), 2))
