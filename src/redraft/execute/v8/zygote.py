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
import select
import signal
import time
from contextlib import suppress
from typing import Any, BinaryIO, Literal, NamedTuple, NoReturn

from redraft.execute.v8.isolate import RUNNING, Isolate, Result, load_library
from redraft.execute.v8.sealing import Seal
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
NEVER = "\nlet undefined;"
"""The end of a script that isn't to run. V8 reads all of it; then the language has it fail before the first statement,
since no script may declare a name that the page can't give up."""
TRIAL = """__redraft.run("fd(10); /(a+)+b/.test('aaaa'); for (var i = 0, s = ''; i < 1e5; i++) s += i;", "{}")"""
"""What the first copy runs: moves, a pattern, a loop that is worth compiling, memory."""
OUT_OF_MEMORY = 3
"""A copy's exit code when its isolate went past the limit of its heap."""

Ended = Literal["done", "timeout", "stuck", "memory", "output", "crash"]


class Ran(NamedTuple):
    """What became of a program."""

    ended: Ended
    """`done`: the runtime said something. Otherwise the copy is dead."""
    text: bytes
    """What it said; or a dead copy's last words."""


class Zygote:
    """The process, as its parent sees it. To be made before V8 is loaded: threads aren't copied."""

    def __init__(self, runtime: str, limits: RunLimits, seal: Seal) -> None:
        tasks, asked = os.pipe()
        told, replies = os.pipe()
        if os.fork() == 0:
            os.close(asked)
            os.close(told)
            _live(os.fdopen(tasks, "rb"), os.fdopen(replies, "wb"), runtime, limits, seal)
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

    def run(self, program: str, options: dict[str, Any]) -> Ran:
        """Run JavaScript in a copy; `options` are those of the runtime's `start` (host.js).

        Raises:
            EOFError: The process is gone.
        """
        return self._ask(["run", f"__redraft.run({json.dumps(program)}, {json.dumps(json.dumps(options))})"])

    def syntax_error(self, script: str) -> str:
        """V8's own message about a script that isn't JavaScript, read in a copy; empty if it is. Nothing of it runs.

        Behind the message stands `@` and the number of the column.

        Raises:
            EOFError: The process is gone.
        """
        ran = self._ask(["parse", script + NEVER])
        return ran.text.decode("utf-8", "replace") if ran.ended == "done" else ""

    def _ask(self, question: list[str]) -> Ran:
        self._out.write(json.dumps(question).encode("ascii") + b"\n")
        self._out.flush()
        return self._answer()

    def _answer(self) -> Ran:
        head = self._in.readline()
        if not head:
            raise EOFError("the process that is copied for programs is gone")
        ended, length = json.loads(head)
        return Ran(ended, self._in.read(length))


def _live(source: BinaryIO, out: BinaryIO, runtime: str, limits: RunLimits, seal: Seal) -> NoReturn:
    """Answer until the parent goes away."""
    code = 1

    def answer(ran: Ran) -> None:
        out.write(json.dumps([ran.ended, len(ran.text)]).encode("ascii") + b"\n" + ran.text)
        out.flush()

    try:
        library = load_library(RUNNING)
        seal.settle()
        seal.prepare()
        nursery = _Nursery(library, runtime, limits, seal)
        gc.freeze()  # or each copy's first collection would touch, and so copy, every page
        answer(nursery.try_walls())
        while line := source.readline():
            kind, script = json.loads(line)
            answer(nursery.run(script, COPIES[kind]))
        code = 0
    finally:
        os._exit(code)  # a clean exit may hang in V8


class _Nursery:
    """The warm isolate, and its copies."""

    def __init__(self, library: ctypes.CDLL, runtime: str, limits: RunLimits, seal: Seal) -> None:
        self._limits, self._seal = limits, seal
        self._isolate = Isolate(library, int(limits.heap_mb * 1e6))
        said = self._isolate.eval(runtime)
        assert said.kind < 200, said.text

    def try_walls(self) -> Ran:
        """Run a program of ours in a first copy: which walls don't stand around it, and why not, as JSON."""
        ran = self.run(TRIAL, _First)
        if ran.ended != "done":
            self._seal.problems["seccomp"] = "V8 doesn't run behind it here"
            ran = self.run(TRIAL, _First)
        if ran.ended != "done":
            raise OSError("a process that was walled in didn't live")
        self._seal.problems = json.loads(ran.text)
        return ran

    def run(self, script: str, kind: type[_Copy]) -> Ran:
        """What a copy of some kind makes of a script."""
        for patience in ASLEEP:
            ran = self._run(script, kind, patience)
            if ran is not None:
                return ran
        return Ran("stuck", b"")

    def _run(self, script: str, kind: type[_Copy], patience: float) -> Ran | None:
        source, sink = os.pipe()
        try:
            child = self._isolate.fork(kind(self._isolate, self._seal, sink, script).hear)
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
    """What happens in a copy, on the isolate's thread: it is walled in, then takes its steps."""

    def __init__(self, isolate: Isolate, seal: Seal, sink: int, script: str) -> None:
        self._isolate, self._seal, self._sink, self._script = isolate, seal, sink, script
        self._born = False

    def hear(self, result: Result) -> None:
        """The next step, given the last one's value."""
        try:
            if result.out_of_memory:
                self._leave(b"", code=OUT_OF_MEMORY)
            if self._born:
                self._next(result)
            else:
                self._born = True
                self._begin()
        except BaseException as error:  # noqa: BLE001 - nobody is above: this thread is the whole process
            self._leave(f"{type(error).__name__}: {error}".encode()[:NOTE], code=1)

    def _begin(self) -> None:
        self._sink = self._seal.seal(self._sink)
        self._isolate.post(self._script)

    def _next(self, result: Result) -> None:
        raise NotImplementedError

    def _leave(self, last: bytes, *, code: int = 0) -> NoReturn:
        data = memoryview(b"\n" + last)
        while data:
            data = data[os.write(self._sink, data) :]
        os._exit(code)


class _First(_Copy):
    """Runs a program of ours, and says which walls don't stand."""

    def _begin(self) -> None:
        self._sink = self._seal.seal(self._sink, first=True)
        self._isolate.post(self._script)

    def _next(self, result: Result) -> None:
        self._leave(json.dumps(self._seal.problems).encode("ascii"), code=0 if result.is_text else 1)


class _Parse(_Copy):
    """Says why a script isn't JavaScript."""

    def _next(self, result: Result) -> None:
        # The head of the message has the line; what follows quotes it, and points at a place in it.
        head, _, rest = result.text.partition(b"\n")
        under = rest.split(b"\n", 2)[1] if rest.count(b"\n") else b""
        column = under.find(b"^") + 1
        self._leave(head + b" @%d" % max(column, 1) if result.no_parse else b"")


class _Run(_Copy):
    """Runs a program: the runtime's steps, one after the other."""

    def __init__(self, isolate: Isolate, seal: Seal, sink: int, script: str) -> None:
        super().__init__(isolate, seal, sink, script)
        self._stage: Literal["started", "stepping", "ending"] = "started"
        self._returns = 0

    def _next(self, result: Result) -> None:
        if self._stage == "ending" or (self._stage == "started" and result.is_text):
            self._leave(result.text, code=0 if result.is_text else 1)
        elif self._stage == "stepping" and (_is_done(result) or self._returns >= MAX_RETURNS):
            self._stage = "ending"
            self._isolate.post("__redraft.result()")
        else:
            self._stage = "stepping"
            self._returns += 1
            self._isolate.post(f"__redraft.step({STEPS})")


COPIES: dict[str, type[_Copy]] = {"run": _Run, "parse": _Parse}
"""What a copy may be asked for."""


def _is_done(result: Result) -> bool:
    if not result.is_text:
        raise ValueError(result.text.decode("utf-8", "replace"))
    return bool(json.loads(result.text)["done"])
