"""Progress bars on standard error, silent when nobody watches.

Every long loop in the project reports through `track` or `bar`, so that they all look alike, and none of them
ever prints program text or raw ids.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from redraft.terminal import Console
from redraft.visible import visible

T = TypeVar("T")

console = Console(stderr=True, highlight=False)

_hushed = False


def hush() -> None:
    """Draw no bars in this process, which works beside another that does."""
    global _hushed
    _hushed = True


class Bar(Protocol):
    """What a long loop tells its watcher."""

    def advance(self, amount: float = 1, note: str = "") -> None:
        """Say that `amount` more is done; `note` replaces the text behind the bar."""


class _RichBar:
    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress, self._task = progress, task

    def advance(self, amount: float = 1, note: str = "") -> None:
        self._progress.update(self._task, advance=amount, note=note)


@contextmanager
def bar(label: str, total: float | None) -> Iterator[Bar]:
    """A progress bar for `total` units (None: unknown); drawn only on a terminal, removed when done."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
               TimeRemainingColumn(), TextColumn("{task.fields[note]}"))  # fmt: skip
    with Progress(*columns, console=console, transient=True, disable=_hushed or not sys.stderr.isatty()) as progress:
        yield _RichBar(progress, progress.add_task(label, total=total, note=""))


def track(items: Iterable[T], label: str, total: float | None = None) -> Iterator[T]:
    """Iterate over `items` behind a bar."""
    with bar(label, total if total is not None else getattr(items, "__len__", lambda: None)()) as watcher:
        for item in items:
            yield item
            watcher.advance()


def say(text: str) -> None:
    """One line for the person at the terminal (standard error; results go to standard output or files)."""
    console.print(visible(text), markup=False, soft_wrap=True)
