"""A command's output folder: claimed, resumed, published by one rename, and mended after a kill.

While a command works, OUT is as it was, and everything new stands in `OUT.partial`:

    request.json   what the folder is being made for; there from the first moment, and until the end
    result/        what will be OUT
    replaced/      the old OUT, between the two renames that replace it
    others         scratch files of the command, which are never published

Publishing: `result` is whole and flushed. With `--overwrite` the old OUT moves to `replaced`. Then `result` becomes
OUT, by one rename. Only then does `OUT.partial` go, under another name first, so that it is never there without its
request. The lock is held from before the first look until after the last removal.

The next start, once it holds the lock, finds one of these:

    result and replaced, no OUT      killed between the two renames: the rename is done now
    replaced, no result, no OUT      somebody took the new OUT away: the old one is put back
    replaced, no result, OUT         killed after the renames: the rest is removed
    result or scratch files          killed at work: the same request goes on, another is refused
    OUT of the same request          done; what else is there of that request is removed

A target is refused, and left alone, if it is a link, a device, a file, a mount point, the current or the home folder
or one that holds it, an input of the command, or any folder that isn't of the expected kind. The same goes for an
`OUT.partial` that has no request of ours, such as one of an earlier version.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from redraft.errors import DatasetError, RedraftError
from redraft.rundir.files import (
    flush,
    fsync,
    has_temporaries,
    refuse_link,
    sweep,
    temporary_name,
    what_is_at,
)
from redraft.rundir.locking import is_locked, lock
from redraft.rundir.modes import make_folder, settle_all
from redraft.rundir.records import normal, read_record, write_record

FORMAT = 1
"""Version of `OUT.partial`; one of another version isn't resumed."""
REQUEST, RESULT, REPLACED = "request.json", "result", "replaced"


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of output folder."""

    name: str
    """In messages: 'a dataset'."""
    another: str
    """In messages: 'another dataset'."""
    made_for: Callable[[Path], Mapping[str, Any] | None]
    """What a folder of this kind was made for, by its manifest; None if the folder isn't of this kind."""
    effort: str | None = None
    """A pattern of entries in `OUT.partial`; without any, nothing would be lost by beginning anew. None: never."""


def partial_of(out: Path) -> Path:
    """Where `out` is while it is being made."""
    return out.parent / f"{out.name}.partial"


def is_unfinished(out: Path) -> bool:
    """Whether a command began to make `out` and didn't end."""
    return partial_of(out).exists()


class Output:
    """One output folder and its lock. Use as a context manager.

    Entering finds out what is there. If `done` is True, OUT holds just what is asked for, and there is nothing to do.
    Else write what is to be published into `folder` and anything else into `scratch`, then call `publish`. Leaving
    without it keeps all for the next attempt, unless an error of ours came before anything of worth was made.

    Args:
        out: The folder to make.
        kind: What it is.
        request: All that decides what is in it: JSON values, the same for the same result. The manifest repeats them.
        overwrite: Replace a folder of this kind that was made for something else; None: the command has no such option.
        inputs: What the command reads; none of it may be `out`, or be in it.
    """

    def __init__(
        self, out: Path, *, kind: Kind, request: Mapping[str, Any], overwrite: bool | None = False,
        inputs: Iterable[Path] = (),
    ) -> None:  # fmt: skip
        self.out, self.kind, self.inputs, self._overwrite = out, kind, tuple(inputs), overwrite
        self._request = normal(request)
        self.scratch = partial_of(out)
        self.folder = self.scratch / RESULT
        self.done = False
        self._exits = ExitStack()
        self._still_held: Callable[[], None] | None = None

    def __enter__(self) -> Self:
        """Lock, mend what a kill left, and find out what is there.

        Raises:
            DatasetError: `out` is refused, holds or began something else, or is being written by another process.
        """
        self._refuse()
        if self.is_done() and not (self.scratch.exists() or is_locked(self.out) or has_temporaries(self.out)):
            self.done = True
            return self
        with ExitStack() as exits:
            self._still_held = exits.enter_context(lock(self.out))
            self._mend()
            self._claim()
            self._exits = exits.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Unlock; what is written stays for the next attempt."""
        try:
            hopeless = isinstance(error, RedraftError) or (error is not None and self.kind.effort is None)
            if hopeless and self._is_ours() and not self._is_worth_keeping():
                self.discard()
        finally:
            self._exits.close()

    def is_done(self) -> bool:
        """Whether OUT holds what is asked for.

        Raises:
            DatasetError: It holds something that isn't to be replaced.
        """
        if not self.out.exists() or not any(self.out.iterdir()):
            return False
        found = self.kind.made_for(self.out)
        if found is None:
            raise DatasetError(
                f"exists and is not {self.kind.name}; it is left alone.", where=self.out, remedy="Choose another --out."
            )
        if all(found.get(key) == value for key, value in self._request.items()):
            return True
        if not self._overwrite:
            raise DatasetError(
                f"already holds {self.kind.another}; it is left alone.",
                where=self.out,
                remedy=self._remedy("add --overwrite"),
            )
        return False

    def publish(self) -> None:
        """Put `folder`, which must be whole, manifest included, in the place of OUT; then remove the rest.

        Raises:
            DatasetError: OUT has become something else meanwhile, or the lock was lost.
        """
        assert self._still_held, "an output is entered before it is published"
        self._refuse()
        self.is_done()
        sweep(self.folder, everything=True)
        settle_all(self.folder)
        flush(self.folder)
        fsync(self.scratch)
        self._still_held()
        if self.out.exists():
            self.out.replace(self.scratch / REPLACED)
        self._move_in()
        self.discard()
        self.done = True

    def discard(self) -> None:
        """Remove `OUT.partial`: under another name first, so that it is never there without its request."""
        if self.scratch.exists():
            aside = temporary_name(self.out)
            self.scratch.replace(aside)
            shutil.rmtree(aside, ignore_errors=True)

    # What is there

    def _refuse(self) -> None:
        place = self.out.resolve()
        refuse_link(self.out)
        refuse_link(self.scratch)
        remedy = "Choose another --out."
        if (found := what_is_at(self.out)) not in ("nothing", "folder"):
            raise DatasetError(f"is a {found}, not a folder; it is left alone.", where=self.out, remedy=remedy)
        for name, kept in (("current", Path.cwd()), ("home", Path("~").expanduser())):
            if place in (kept, *kept.parents):
                raise DatasetError(
                    f"is the {name} folder or holds it; it is left alone.", where=self.out, remedy=remedy
                )
        if self.out.is_mount():
            raise DatasetError(
                "is a mount point, which no folder can take the place of.",
                where=self.out,
                remedy="Name a folder in it that doesn't exist yet.",
            )
        for given in map(Path.resolve, self.inputs):
            if place in (given, *given.parents):
                raise DatasetError("is an input of this command, or holds one.", where=self.out, remedy=remedy)

    def _begun(self) -> dict[str, Any] | None:
        """What `OUT.partial` says that it was begun for; None if it isn't there or isn't ours."""
        file = self.scratch / REQUEST
        if not file.is_file():
            return None
        found = read_record(
            file, remedy=f"{self.scratch} is left alone. Move it away or remove it, or choose another --out."
        )
        return found if found.get("format") == FORMAT else None

    def _is_ours(self) -> bool:
        return self._begun() is not None

    def _is_worth_keeping(self) -> bool:
        return self.kind.effort is not None and next(self.scratch.glob(self.kind.effort), None) is not None

    def _remedy(self, *others: str) -> str:
        choices = ["Choose another --out", *others[self._overwrite is None :]]
        return " or ".join([", ".join(choices[:-1]), choices[-1]] if len(choices) > 1 else choices) + "."

    def _mine(self) -> dict[str, Any]:
        return {"format": FORMAT, "kind": self.kind.name, "request": self._request}

    # After a kill

    def _mend(self) -> None:
        """Finish, undo or clean up what a killed run of any request left; see the module's table."""
        if self._is_ours() and (self.scratch / REPLACED).exists():
            if not self.folder.exists():
                if not self.out.exists():
                    (self.scratch / REPLACED).replace(self.out)
            elif self.out.exists():
                raise DatasetError(
                    f"was being replaced when its command was killed, and something else was put here since. The old "
                    f"one is {self.scratch / REPLACED}, the new one {self.folder}.",
                    where=self.out,
                    remedy="Move what is here away, and start the command again.",
                )
            else:
                self._move_in()
            self.discard()
        sweep(self.out.parent, target=self.out.name, everything=True)

    def _move_in(self) -> None:
        self.folder.replace(self.out)
        fsync(self.scratch)
        fsync(self.out.parent)

    def _claim(self) -> None:
        """Go on with what was begun for this request, or begin."""
        self.done, begun = self.is_done(), self._begun()
        if self.done:
            if begun == self._mine():
                self.discard()
            return
        if begun is None and self.scratch.exists() and (not self.scratch.is_dir() or any(self.scratch.iterdir())):
            raise DatasetError(
                "is in the way: it isn't redraft's, or was begun by another version; it is left alone.",
                where=self.scratch,
                remedy="Move it away or remove it, or choose another --out.",
            )
        if begun is not None and begun != self._mine():
            worth = begun.get("kind") != self.kind.name or self._is_worth_keeping()
            if worth and not self._overwrite:
                raise DatasetError(
                    f"holds the beginnings of {self.kind.another}.",
                    where=self.scratch,
                    remedy=self._remedy("add --overwrite", "remove that folder"),
                )
            self.discard()
        if begun != self._mine():
            temporary = temporary_name(self.out)
            make_folder(temporary)
            write_record(temporary / REQUEST, self._mine())
            if self.scratch.exists():
                self.scratch.rmdir()  # empty: some systems don't rename over it
            temporary.replace(self.scratch)
        make_folder(self.folder)
