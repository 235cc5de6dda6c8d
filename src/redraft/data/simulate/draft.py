"""A program while it is being written: pieces that stand in it or not yet, as wanted or not yet.

In: the lines of a plan. Out: the program's text at any moment. A piece keeps its place whether shown or not, so that
what is taken out comes back where it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field


@dataclass(slots=True, eq=False)
class Piece:
    """One line."""

    wanted: str
    """As the student would have it."""
    text: str = ""
    """As it stands, once shown."""
    shown: bool = False
    """Whether it stands in the program."""
    fails: bool = False
    """Whether it stops the program with an error."""

    def show(self, text: str | None = None, *, fails: bool = False) -> None:
        """Write it, as wanted or as `text`."""
        self.text, self.shown, self.fails = self.wanted if text is None else text, True, fails


@dataclass(slots=True)
class Draft:
    """A program: its pieces in order, and the units that wait to be written."""

    pieces: list[Piece] = field(default_factory=list)
    waiting: list[list[Piece]] = field(default_factory=list)
    """Groups of lines that make sense only together (a loop and its first line), in the order of writing."""

    @property
    def code(self) -> str:
        """The program's text."""
        return "\n".join(piece.text for piece in self.pieces if piece.shown)

    @property
    def shown(self) -> list[Piece]:
        """The pieces that stand in the program."""
        return [piece for piece in self.pieces if piece.shown]

    def insert(self, lines: Iterable[str], at: int | None = None) -> list[Piece]:
        """Add pieces for `lines` before position `at` (default: at the end), not shown yet."""
        new = [Piece(line) for line in lines]
        place = len(self.pieces) if at is None else at
        self.pieces[place:place] = new
        return new


def units(pieces: Sequence[Piece]) -> list[list[Piece]]:
    """Pieces grouped so that each group can be added without leaving a block or a bracket open."""
    groups: list[list[Piece]] = []
    depth, before = 0, 0
    for piece in pieces:
        line = piece.wanted
        indent = len(line) - len(line.lstrip())
        if groups and (depth > 0 or indent > before):
            groups[-1].append(piece)
        else:
            groups.append([piece])
        depth += sum(line.count(sign) for sign in "([{") - sum(line.count(sign) for sign in ")]}")
        before = indent
    return groups
