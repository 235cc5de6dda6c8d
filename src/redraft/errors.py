"""The errors a user may see.

Every one is a single paragraph: what went wrong, where, and what to do about it. The command line prints it
without a traceback and exits with `exit_code`.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class RedraftError(Exception):
    """Something outside the program's control went wrong; the message says what, and `remedy` what to do.

    Args:
        cause: What went wrong, in one sentence.
        where: The file, `file:line` or option it happened at, if there is one.
        remedy: What the user can do about it.
    """

    exit_code = 1

    def __init__(self, cause: str, *, where: object | None = None, remedy: str | None = None) -> None:
        self.cause, self.where, self.remedy = cause, where, remedy
        place = f"{where}: " if where is not None else ""
        advice = f" {remedy}" if remedy else ""
        super().__init__(f"{place}{cause}{advice}")


class UsageError(RedraftError):
    """The command's options do not fit together; exit code 2."""

    exit_code = 2


class InputError(RedraftError):
    """A file or folder given by the user can't be read as what it should be."""


class DatasetError(RedraftError):
    """A dataset or model folder is unfinished, damaged, or of another version or split."""


def suggestion(word: str, known: Iterable[str]) -> str:
    """`Did you mean 'x'?`, or the list of what is known when nothing is near."""
    names = sorted(known)
    near = get_close_matches(word, names, n=1)
    return f"Did you mean {near[0]!r}?" if near else f"Known are: {', '.join(names)}."
