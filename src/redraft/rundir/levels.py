"""A folder that isn't what it should be, although the one above it or one in it is.

In: a folder, and the file that tells what is meant. Out: words that name the right level, for messages.
"""

from __future__ import annotations

from pathlib import Path

_SHOWN = 3


def other_level(folder: Path, name: str) -> str:
    """`The folder above (or: a folder in it) is one: ...`, if it holds a file called `name`; else nothing."""
    if not folder.exists():
        return ""
    if (folder.resolve().parent / name).is_file():
        return f"The folder above it is one: {folder.parent if folder.name else folder.resolve().parent}."
    try:
        found = sorted(inside.parent for inside in folder.glob(f"*/{name}"))[:_SHOWN]
    except OSError:
        return ""
    if not found:
        return ""
    names = ", ".join(map(str, found))
    return f"A folder in it is one: {names}." if len(found) == 1 else f"Folders in it are: {names}."
