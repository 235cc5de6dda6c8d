"""Lists of titles, and families of titles that are variants of each other.

In: a text file of titles; a regular expression. Out: titles; the family of each. Not guaranteed: that titles of one
family are one assignment. That is what the expression's author says.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

from redraft.errors import InputError
from redraft.progress import say


def titles_in(file: str, known: Collection[str]) -> set[str]:
    """The titles that a text file names, one per line, those that the dataset lacks included.

    Raises:
        InputError: The file can't be read.
    """
    try:
        lines = Path(file).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("the titles file can't be read.", where=file,
                         remedy="Give a UTF-8 text file, one title a line.") from error  # fmt: skip
    wanted = {line.strip() for line in lines} - {""}
    if missing := wanted - set(known):
        say(f"{len(missing)} of the {len(wanted)} titles in {file} are not in this dataset.")
    return wanted


def families_of(titles: Collection[str], pattern: str | None) -> dict[str, str]:
    """The family of each title: what `pattern` finds in it, in its first group if it has one.

    A title in which it finds nothing is a family of its own; without a pattern, all are.
    """
    if pattern is None:
        return {title: title for title in titles}
    found = {title: re.search(pattern, title) for title in titles}
    return _told({title: (match[match.re.groups > 0] or title) if match else title for title, match in found.items()})


def numbered(titles: Collection[str]) -> dict[str, str]:
    """The family of each title of a simulated class: `square2` is a variant of `square`, if there is that title."""
    plain = {title: title.rstrip("0123456789") for title in titles}
    return _told({title: base if base in plain else title for title, base in plain.items()})


def _told(families: dict[str, str]) -> dict[str, str]:
    count = len({*families.values()})
    if count < len(families):
        say(f"{len(families)} titles are {count} families; each is held out as a whole or not.")
    return families
