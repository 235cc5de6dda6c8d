"""Who may read what is written: nobody but its owner, whatever the umask, unless `REDRAFT_UMASK` says otherwise.

`REDRAFT_UMASK` is what a umask is, an octal number of the permissions that are left out: 077 if it isn't set, 027 for a
group that reads, 007 for one that works together. It holds for what is made new; what is there stays as it is. Systems
without such permissions, and disks that refuse to change them, are left to their own.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

from redraft.errors import UsageError

SETTING = "REDRAFT_UMASK"
PRIVATE = "077"


def make_folder(path: Path) -> None:
    """Make a folder that isn't there, and those above it."""
    if path.is_dir():
        return
    make_folder(path.parent)
    with suppress(FileExistsError):  # somebody else was faster
        path.mkdir(mode=0o777 & ~_left_out())
        settle(path)


def make_file(path: Path, *, like: Path) -> None:
    """Make an empty file, with the permissions of `like` if that is there."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666 & ~_left_out())
    os.close(descriptor)
    if like.exists():
        _change(path, stat.S_IMODE(like.stat().st_mode))
    else:
        settle(path)


def settle(path: Path) -> None:
    """Give a file or a folder the permissions of what is made new; a folder for a group's files stays one."""
    if not path.is_symlink():
        mode = path.stat().st_mode
        everything = 0o777 if stat.S_ISDIR(mode) else 0o666
        _change(path, everything & ~_left_out() | (mode & stat.S_ISGID))


def settle_all(folder: Path) -> None:
    """The same for a folder and all that is in it."""
    for root, _, names in os.walk(folder):
        for name in names:
            settle(Path(root, name))
        settle(Path(root))


def _change(path: Path, mode: int) -> None:
    if os.name != "nt":
        with suppress(OSError):
            path.chmod(mode)


def _left_out() -> int:
    text = os.environ.get(SETTING) or PRIVATE
    try:
        mask = int(text, 8)
    except ValueError:
        mask = -1
    if mask & ~0o077:  # of more than a group and others, or no number
        raise UsageError(
            f"{text!r} is no octal number from 000 to 077.", where=SETTING, remedy="027 lets your group read."
        )
    return mask
