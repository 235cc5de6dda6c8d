"""A program's edit as few small steps, and the steps as an edit again.

In: two programs as lines. Out: steps for a pointer that starts behind the program's last line and only moves up:

- `Up(n)`: the pointer goes up n lines.
- `Cut(n)`: the n lines above the pointer go.
- `Keep(n)`: the line above the pointer loses all but its first n words, and the pointer goes up past it; the text of a
  `Write` that follows begins by completing this line.
- `Write(text)`: the text's lines, each behind a line break, are put in below the pointer, which stays.

So a line added at the end is a `Write` alone, and a number changed in the last line a `Keep` and a `Write` of the
number. Most edits are of these two kinds: students work at the end of a program, in one line. A word is what stands
between spaces, letters and signs, with the white space before it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import takewhile
from operator import eq
from typing import NamedTuple

from cydifflib import SequenceMatcher

_WORD = re.compile(r"\s*\w+|\s*[^\w\s]+|\s+")


class Up(NamedTuple):
    """Go up."""

    n: int


class Cut(NamedTuple):
    """Remove lines."""

    n: int


class Keep(NamedTuple):
    """Rewrite a line from a word on."""

    n: int


class Write(NamedTuple):
    """Put in lines."""

    text: str


Step = Up | Cut | Keep | Write


def steps(old: Sequence[str], new: Sequence[str], most_kept: int) -> Iterator[Step]:
    """The steps from the lines `old` to the lines `new`.

    Args:
        old: Lines of the program before.
        new: Lines of the program after.
        most_kept: Words that a `Keep` may keep, at most; 0: lines are rewritten whole.
    """
    pointer = len(old)
    for i1, i2, j1, j2 in reversed(list(_changes(old, new))):
        if pointer > i2:
            yield Up(pointer - i2)
        yield from _change(old[i1:i2], new[j1:j2], most_kept)
        pointer = i1


def _changes(old: Sequence[str], new: Sequence[str]) -> Iterator[tuple[int, int, int, int]]:
    """Where lines differ: old[i1:i2] becomes new[j1:j2].

    The common beginning is taken off first, then the common end, so that of equal lines the last counts as added.
    """
    head = _common(old, new)
    tail = _common(old[head:][::-1], new[head:][::-1])
    old, new = old[head : len(old) - tail], new[head : len(new) - tail]
    if not old or not new:
        operations = [("replace", 0, len(old), 0, len(new))] if old or new else []
    else:
        operations = SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    for tag, i1, i2, j1, j2 in operations:
        if tag != "equal":
            yield i1 + head, i2 + head, j1 + head, j2 + head


def _change(old: Sequence[str], new: Sequence[str], most_kept: int) -> Iterator[Step]:
    """Lines above the pointer become others: one by one if each keeps its beginning, else together."""
    kept = [min(_common(words(one), words(other)), most_kept) for one, other in zip(old, new, strict=False)]
    if len(old) == len(new) and all(kept):
        for n, line in reversed(list(zip(kept, new, strict=True))):
            yield from _completed(n, line, ())
    elif kept and kept[0]:
        if len(old) > 1:
            yield Cut(len(old) - 1)
        yield from _completed(kept[0], new[0], new[1:])
    else:
        if old:
            yield Cut(len(old))
        if new:
            yield Write("".join("\n" + line for line in new))


def _completed(n: int, line: str, more: Sequence[str]) -> Iterator[Step]:
    yield Keep(n)
    text = "\n".join(["".join(words(line)[n:]), *more])
    if text:
        yield Write(text)


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    return sum(1 for _ in takewhile(bool, map(eq, one, other)))


def words(line: str) -> list[str]:
    """A line's words; joined, they are the line."""
    return _WORD.findall(line)


class Editor:
    """Takes steps; any steps, since models write them.

    Steps beyond the program's first line stop there, a `Keep` there begins a new line, and text where a line break is
    due is ignored up to the first one.
    """

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        self._pointer = len(lines)
        self._open = False

    @property
    def seen(self) -> str | None:
        """The line that is being rewritten, else the one above the pointer; None at the top."""
        at = self._pointer - (not self._open)
        return self.lines[at] if at >= 0 else None

    def take(self, step: Step) -> None:
        """Take one step."""
        if isinstance(step, Write):
            self._write(step.text)
            return
        above = max(0, self._pointer - step.n)
        self._open = isinstance(step, Keep)
        if isinstance(step, Keep):
            if self._pointer == 0:
                self.lines.insert(0, "")
            self._pointer = max(0, self._pointer - 1)
            self.lines[self._pointer] = "".join(words(self.lines[self._pointer])[: step.n])
        else:
            if isinstance(step, Cut):
                del self.lines[above : self._pointer]
            self._pointer = above

    def _write(self, text: str) -> None:
        rest, *lines = text.split("\n")
        if self._open:
            self.lines[self._pointer] += rest
        at = self._pointer + self._open
        self.lines[at:at] = lines
