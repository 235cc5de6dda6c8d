r"""Pencil Code access logs: every press of the run button is a request for `/log/TITLE?run&…&code=…`.

In: log files or folders of them, plain or packed, in either of two forms, mixed at will:

    ADDR OWNER UID [04/Feb/2022:06:25:26 +0000] "GET /log/TITLE?ACTION&mode=b&lang=cs&code=… HTTP/1.1" 200 0 "…" "…"
    md5(OWNER) md5(UID) [04/Feb/2022:06:25:26 +0000]GET /log/TITLE?ACTION&mode=b&lang=cs&code=…

Out: a raw state for each line of a wanted action, and one reason for each other line, the first that holds of:

- too_long: over 2,000,000 bytes. not_utf8: the line is no valid UTF-8.
- malformed: neither form (the request isn't closed, a field is missing or holds a quote or bracket ...). What follows
  status and bytes is free.
- bad_time: not `day/Mon/year:h:m:s +hhmm`, or no such moment (31/Feb, second 60, year 0).
- not_log: no GET of a path below /log/.
- no_student: the identity's field is `-` (or its MD5). `both` needs both fields.
- no_person: with the site's owner as identity, a site that belongs to no person (event, example, frame, guide,
  gymstage, share, start): anybody's programs stand there. `--shared-sites` keeps them, each as if it were one student.
- no_title: nothing after the path's last slash. bad_title: over 100 characters, or it can't be decoded.
- other_action: the query's first word without `=` is none of the wanted actions.
- no_code: no `code=`. bad_escape: an invalid %XX in it, or it decodes to invalid UTF-8.

Bytes that the server wrote as `\xHH` are put back first, in titles and programs.
A title is the path's last part, percent-decoded, in lower case. A program is decoded in this order: `|` to newline,
`+` to space, %XX. The editor sends its first 1,024 UTF-16 units only: a state that long is marked truncated. Of a
parameter given twice, the first counts. Not guaranteed: that a line with status other than 200 was ever run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, get_args

from redraft.data.duck import Workspace
from redraft.data.sources.reading import Block, expand, line_blocks
from redraft.data.sources.states import Piece
from redraft.data.store import SIMULATION_NOTE, Origin
from redraft.errors import UsageError, suggestion

Identity = Literal["owner", "uid", "both"]

CODE_ACTIONS = ("run", "save", "load", "new", "toggle")
"""The editor's actions that carry a program."""


@dataclass(frozen=True, kw_only=True)
class PencilCode:
    """Read Pencil Code access logs, plain or packed (gz, zst, bz2, xz, lz4, zip, tar).

    Example: redraft ingest pencilcode logs/ --out pencil.dataset --identity owner --actions run,save
    """

    paths: Sequence[Path]
    """Log files, and folders of them; their order breaks equal times."""
    identity: Identity = "owner"
    """Who a student is: the site's owner, the browser's cookie (uid), or both together."""
    actions: Sequence[str] = ("run",)
    """The actions that make a state, separated by commas: run, save, load, new, toggle."""
    shared_sites: bool = False
    """Keep the sites that belong to no person (frame, share ...), each as if it were one student."""

    name = "pencilcode"
    whole_drafts = False
    formless = frozenset({"too_long", "not_utf8", "malformed"})

    def __post_init__(self) -> None:
        if self.identity not in get_args(Identity):
            raise UsageError(f"{self.identity!r} is no identity. {suggestion(self.identity, get_args(Identity))}")
        if not self.actions:
            raise UsageError("no action is given.", where="--actions", remedy=f"Known are: {', '.join(CODE_ACTIONS)}.")
        for action in self.actions:
            if action not in CODE_ACTIONS:
                raise UsageError(f"{action!r} is no action that carries a program. {suggestion(action, CODE_ACTIONS)}")

    @property
    def origin(self) -> Origin:
        """Students, unless `redraft simulate` left its note beside the logs."""
        return "simulated" if any((file.parent / SIMULATION_NOTE).exists() for file in self.inputs()) else "students"

    def inputs(self) -> Sequence[Path]:
        """The log files, in the order given; a folder's sorted."""
        return expand(self.paths)

    def options(self) -> Mapping[str, Any]:
        """Identity, actions, and whether sites of no person are kept."""
        kept = {"shared_sites": True} if self.shared_sites else {}
        return {"identity": self.identity, "actions": sorted(self.actions), **kept}

    def warm_up(self) -> None:
        """Load the compiled loops, or compile them if no process before has."""
        from redraft.data.sources.accesslog import parse

        parse(0, Block(b"\n", 1, 0), self.identity, self.actions)

    def label(self, file: Path) -> str:
        """The same for all files."""
        return self.name

    def pieces(self, number: int, file: Path, work: Workspace) -> Iterator[Piece]:
        """Blocks of lines."""
        from redraft.data.sources.accesslog import parse  # with numba, which takes a while to load; only this needs it

        for block in line_blocks(file, work.block_bytes, work.unpack_ratio):
            yield Piece(block.size, partial(
                parse, number, block, self.identity, self.actions, shared_sites=self.shared_sites))  # fmt: skip
