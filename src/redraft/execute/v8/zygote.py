"""A process that is copied for every program: what programs need is loaded and compiled once, and each copy runs one.

In: what makes the `Nursery`, V8's flags, the system calls that a copy may make; questions (JSON values). Out: an answer
to each. A copy (fork) costs a few milliseconds where loading what it needs would cost many times that, and whatever a
program does to it is gone with it. The copies are watched from outside: V8 maps so much address space that no limit on
it can be set, and a process that is out of memory can't be trusted to notice.

`Zygote` starts the process and talks to it; a `Nursery` is what runs there. It does nothing else, as every page that it
writes to after a fork has to be copied.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
from collections.abc import Callable, Sequence
from typing import Any, BinaryIO, Literal, NamedTuple, NoReturn, Protocol

from redraft.execute.v8.isolate import load_library
from redraft.execute.v8.sealing import Seal
from redraft.execute.v8.seccomp import Rules

POLL = 0.02
"""Seconds between two looks at a copy: at a gigabyte a second, a bomb gets 20 MB past its limit."""
READ = 1 << 16
NOTE = 4096

Ended = Literal["done", "timeout", "stuck", "memory", "output", "crash"]


class Ran(NamedTuple):
    """What became of a program."""

    ended: Ended
    """`done`: the runtime said something. Otherwise the copy is dead."""
    text: bytes
    """What it said; or a dead copy's last words."""


class Nursery(Protocol):
    """What runs in the process: it copies itself."""

    def try_walls(self) -> Ran:
        """Run a program of ours in a first copy: which walls don't stand around it, and why not, as JSON."""

    def answer(self, question: Any) -> Ran:
        """What a copy makes of a question."""


class Zygote:
    """The process, as its parent sees it. To be made before V8 is loaded: threads aren't copied.

    Args:
        make: Makes the nursery, there, of V8's library and the walls.
        flags: V8's.
        calls: The system calls that a copy may make.
        seal: The walls.
    """

    def __init__(
        self, make: Callable[[ctypes.CDLL, Seal], Nursery], flags: Sequence[str], calls: Rules, seal: Seal
    ) -> None:
        tasks, asked = os.pipe()
        told, replies = os.pipe()
        if os.fork() == 0:
            os.close(asked)
            os.close(told)
            _live(os.fdopen(tasks, "rb"), os.fdopen(replies, "wb"), make, flags, calls, seal)
        os.close(tasks)
        os.close(replies)
        self._out, self._in = os.fdopen(asked, "wb"), os.fdopen(told, "rb")

    def problems(self) -> dict[str, str]:
        """Which walls don't stand around a copy, and why not; to be asked once, first of all.

        Raises:
            EOFError: The process is gone.
        """
        found: dict[str, str] = json.loads(self._answer().text)
        return found

    def ask(self, question: Any) -> Ran:
        """What becomes of a question (a JSON value).

        Raises:
            EOFError: The process is gone.
        """
        self._out.write(json.dumps(question).encode("ascii") + b"\n")
        self._out.flush()
        return self._answer()

    def _answer(self) -> Ran:
        head = self._in.readline()
        if not head:
            raise EOFError("the process that is copied for programs is gone")
        ended, length = json.loads(head)
        return Ran(ended, self._in.read(length))


def _live(
    source: BinaryIO, out: BinaryIO, make: Callable[[ctypes.CDLL, Seal], Nursery], flags: Sequence[str], calls: Rules,
    seal: Seal,
) -> NoReturn:  # fmt: skip
    """Answer until the parent goes away."""
    code = 1

    def answer(ran: Ran) -> None:
        out.write(json.dumps([ran.ended, len(ran.text)]).encode("ascii") + b"\n" + ran.text)
        out.flush()

    try:
        library = load_library(flags)
        seal.settle()
        seal.prepare(calls)
        nursery = make(library, seal)
        gc.freeze()  # or each copy's first collection would touch, and so copy, every page
        answer(nursery.try_walls())
        while line := source.readline():
            answer(nursery.answer(json.loads(line)))
        code = 0
    finally:
        os._exit(code)  # a clean exit may hang in V8
