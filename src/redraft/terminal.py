"""What is printed goes through here, so that no text of a file can steer the terminal.

`guarded` wraps standard output and standard error for the time of a command: whatever is printed to them by any means
is made visible first. `Console` is rich's, for tables and bars: it makes every text visible, and its own colours and
cursor movements go past the guard. A plain `rich.console.Console` is guarded too, colours included.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import IO, TYPE_CHECKING, Any, cast

import rich.console
from rich.segment import Segment

from redraft.visible import visible

if TYPE_CHECKING:
    from rich.console import ConsoleOptions, RenderableType
    from rich.text import Text


_PLAIN = "\x1b[0m"
"""Ends all colours, and does nothing else."""


class _Guard:
    """A text stream that shows what it is given and obeys none of it."""

    def __init__(self, stream: IO[str]) -> None:
        self.unguarded = stream

    def write(self, text: str) -> int:
        if text == _PLAIN:  # a library's farewell, as the process ends
            return self.unguarded.write(text)
        # A library's bar goes back to the line's beginning, and then writes all of the line.
        start = "\r" if text.startswith("\r") else ""
        shown = start + visible(text.removeprefix(start), lines=True)
        encoding = getattr(self.unguarded, "encoding", None) or "utf-8"
        self.unguarded.write(shown.encode(encoding, "backslashreplace").decode(encoding))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.unguarded, name)


@contextmanager
def guarded() -> Iterator[None]:
    """Guard standard output and standard error."""
    with (
        redirect_stdout(cast(IO[str], _Guard(sys.stdout))),
        redirect_stderr(cast(IO[str], _Guard(sys.stderr))),
    ):
        yield


class Console(rich.console.Console):
    """Rich's console, which shows control characters instead of sending them."""

    @property
    def file(self) -> IO[str]:
        """Where it writes: past the guard, as every text is made visible here."""
        found = super().file
        return cast(IO[str], getattr(found, "unguarded", found))

    @file.setter
    def file(self, new: IO[str]) -> None:
        self._file = new

    def render_str(self, text: str, **options: Any) -> Text:
        """A string as rich text; made visible before it is measured, so that a table's columns fit."""
        return super().render_str(visible(text, lines=True), **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """What is written, piece by piece; what isn't the console's own is made visible."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=visible(segment.text, lines=True))
