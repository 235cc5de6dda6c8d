"""A process that is copied for every program: the runtime is loaded and compiled once, and each copy runs one program.

In: the runtime's bundle, limits, programs as JavaScript. Out: what the runtime says of each, or how its copy ended.
A copy (fork) costs a few milliseconds where loading the runtime into a fresh isolate costs twenty, and whatever a
program does to it is gone with it. The copy is watched from outside: V8 maps so much address space that no limit on
it can be set, and a process that is out of memory can't be trusted to notice.

`Zygote` starts the process and talks to it; `_Nursery` is what runs there. It does nothing else, as every page that it
writes to after a fork has to be copied.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import resource
import select
import signal
import time
from contextlib import suppress
from typing import Any, BinaryIO, Literal, NamedTuple, NoReturn

from redraft.execute.v8.isolate import RUNNING, Isolate, Result, load_library
from redraft.execute.v8.usage import RunLimits, Usage, usage_of

POLL = 0.02
"""Seconds between two looks at a copy: at a gigabyte a second, a bomb gets 20 MB past its limit."""
ASLEEP = (1.0, 4.0, 16.0)
"""Seconds without any progress after which a copy is taken for one that was born with a lock taken, and made again: a
few in ten thousand. The longer ones are for machines so busy that a copy may wait for its turn."""
STEPS = 500
"""Callbacks between two returns of the runtime, which let promises' jobs run."""
MAX_RETURNS = 200_000
READ = 1 << 16
NOTE = 4096
OUT_OF_MEMORY = 3
"""A copy's exit code when its isolate went past the limit of its heap."""
DESCRIPTORS = 8
"""Beyond those open at the start: pipes to a copy, and what reading /proc takes."""
_LIBC = ctypes.CDLL(None)
PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS = 1, 38

Ended = Literal["done", "timeout", "stuck", "memory", "output", "crash"]


class Ran(NamedTuple):
    """What became of a program."""

    ended: Ended
    """`done`: the runtime said something. Otherwise the copy is dead."""
    text: bytes
    """What it said; or a dead copy's last words."""


class Zygote:
    """The process, as its parent sees it. To be made before V8 is loaded: threads aren't copied."""

    def __init__(self, runtime: str, limits: RunLimits) -> None:
        tasks, asked = os.pipe()
        told, replies = os.pipe()
        if os.fork() == 0:
            os.close(asked)
            os.close(told)
            _live(os.fdopen(tasks, "rb"), os.fdopen(replies, "wb"), runtime, limits)
        os.close(tasks)
        os.close(replies)
        self._out, self._in = os.fdopen(asked, "wb"), os.fdopen(told, "rb")

    def run(self, program: str, options: dict[str, Any]) -> Ran:
        """Run JavaScript in a copy; `options` are those of the runtime's `start` (host.js).

        Raises:
            EOFError: The process is gone.
        """
        start = f"__redraft.run({json.dumps(program)}, {json.dumps(json.dumps(options))})"
        self._out.write(json.dumps(start).encode("ascii") + b"\n")
        self._out.flush()
        head = self._in.readline()
        if not head:
            raise EOFError("the process that is copied for programs is gone")
        ended, length = json.loads(head)
        return Ran(ended, self._in.read(length))


def _live(source: BinaryIO, out: BinaryIO, runtime: str, limits: RunLimits) -> NoReturn:
    """Answer until the parent goes away."""
    code = 1
    try:
        die_with_parent()
        nursery = _Nursery(load_library(RUNNING), runtime, limits)
        give_up_rights()
        gc.freeze()  # or each copy's first collection would touch, and so copy, every page
        while line := source.readline():
            ran = nursery.run(json.loads(line))
            out.write(json.dumps([ran.ended, len(ran.text)]).encode("ascii") + b"\n" + ran.text)
            out.flush()
        code = 0
    finally:
        os._exit(code)  # a clean exit may hang in V8


class _Nursery:
    """The warm isolate, and its copies."""

    def __init__(self, library: ctypes.CDLL, runtime: str, limits: RunLimits) -> None:
        self._limits = limits
        self._isolate = Isolate(library, int(limits.heap_mb * 1e6))
        said = self._isolate.eval(runtime)
        assert said.kind < 200, said.text

    def run(self, start: str) -> Ran:
        """Run the script that starts a program, and the runtime until it's done."""
        for patience in ASLEEP:
            ran = self._run(start, patience)
            if ran is not None:
                return ran
        return Ran("stuck", b"")

    def _run(self, start: str, patience: float) -> Ran | None:
        source, sink = os.pipe()
        try:
            child = self._isolate.fork(_Copy(self._isolate, sink, start).hear)
            os.close(sink)
            sink = -1
            return self._watch(child, source, patience)
        finally:
            os.close(source)
            if sink >= 0:
                os.close(sink)

    def _watch(self, child: int, source: int, patience: float) -> Ran | None:
        """What becomes of a copy; nothing if it fell asleep, for which a program has no means."""
        said, limits = bytearray(), self._limits
        started = looked = moved = time.monotonic()
        used = 0.0
        stopped: Ended | Literal["", "asleep"] = ""
        while not stopped:
            if select.select([source], [], [], POLL)[0]:
                data = os.read(source, READ)
                said += data
                moved = time.monotonic()
                if not data:
                    break
            now = time.monotonic()
            if now - looked >= POLL:
                looked, usage = now, usage_of(child)
                if usage.cpu_seconds > used:
                    used, moved = usage.cpu_seconds, now
                stopped = _too_much(usage, limits) or ("stuck" if now - started > limits.wall_seconds else "")
            if len(said) > limits.reply_bytes:
                stopped = "output"
            elif now - moved > patience:
                stopped = "asleep"
        if stopped:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if stopped:
            return None if stopped == "asleep" else Ran(stopped, b"")
        if status == OUT_OF_MEMORY:
            return Ran("memory", b"")
        # V8 may have said something before; the answer is the last line.
        return Ran("done", bytes(said.rpartition(b"\n")[2])) if status == 0 else Ran("crash", bytes(said[-NOTE:]))


def _too_much(used: Usage, limits: RunLimits) -> Literal["", "memory", "timeout"]:
    if used.resident_mb > limits.memory_mb:
        return "memory"
    return "timeout" if used.cpu_seconds > limits.cpu_seconds else ""


class _Copy:
    """What runs in the copy: the runtime's steps, one after the other, on the isolate's thread."""

    def __init__(self, isolate: Isolate, sink: int, start: str) -> None:
        self._isolate, self._sink, self._start = isolate, sink, start
        self._stage: Literal["born", "started", "stepping", "ending"] = "born"
        self._returns = 0

    def hear(self, result: Result) -> None:
        """The next step, given the last one's value."""
        try:
            self._next(result)
        except BaseException as error:  # noqa: BLE001 - nobody is above: this thread is the whole process
            self._leave(f"{type(error).__name__}: {error}".encode()[:NOTE], code=1)

    def _next(self, result: Result) -> None:
        if result.out_of_memory:
            self._leave(b"", code=OUT_OF_MEMORY)
        if self._stage == "born":
            seal(self._sink)
            self._stage = "started"
            self._isolate.post(self._start)
        elif self._stage == "ending" or (self._stage == "started" and result.is_text):
            self._leave(result.text, code=0 if result.is_text else 1)
        elif self._stage == "stepping" and (_is_done(result) or self._returns >= MAX_RETURNS):
            self._stage = "ending"
            self._isolate.post("__redraft.result()")
        else:
            self._stage = "stepping"
            self._returns += 1
            self._isolate.post(f"__redraft.step({STEPS})")

    def _leave(self, last: bytes, *, code: int = 0) -> NoReturn:
        data = memoryview(b"\n" + last)
        while data:
            data = data[os.write(self._sink, data) :]
        os._exit(code)


def _is_done(result: Result) -> bool:
    if not result.is_text:
        raise ValueError(result.text.decode("utf-8", "replace"))
    return bool(json.loads(result.text)["done"])


def seal(sink: int) -> None:
    """Give up what no program needs; the rest was given up before copying (`give_up_rights`)."""
    os.dup2(sink, 2)  # V8's last words
    die_with_parent()
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))  # those that are open stay open, but no more come


def give_up_rights() -> None:
    """Give up files, privileges and all but a few descriptors; copies inherit it.

    What the system refuses to take stays: the isolate is the first wall.
    """
    most = max(int(name) for name in os.listdir("/dev/fd")) + DESCRIPTORS  # noqa: PTH208 - names alone
    for limit, value in ((resource.RLIMIT_NOFILE, most), (resource.RLIMIT_CORE, 0), (resource.RLIMIT_FSIZE, 0)):
        with suppress(OSError, ValueError):
            resource.setrlimit(limit, (value, value))
    with suppress(OSError, AttributeError):
        _LIBC.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def die_with_parent() -> None:
    """Be killed when the process above ends."""
    with suppress(OSError, AttributeError):
        _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
