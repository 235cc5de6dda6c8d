"""The copies of the process that holds the runtime: one for every program, walled in, watched, and gone afterwards.

In: the runtime's bundle, limits, programs as JavaScript. Out: what the runtime says of each, or how its copy ended.
`V8Zygote` is the process as the worker sees it (`zygote`); `Nursery` is what runs there, with the runtime loaded and
compiled; `_Copy` is what happens in a copy.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import time
from contextlib import suppress
from functools import partial
from typing import Any, Literal, NoReturn

from redraft.execute.v8.isolate import RUNNING, Isolate, Result
from redraft.execute.v8.sealing import Seal
from redraft.execute.v8.seccomp import COPY
from redraft.execute.v8.usage import RunLimits, Usage, usage_of
from redraft.execute.v8.zygote import NOTE, POLL, READ, Ended, Ran, Zygote

ASLEEP = (1.0, 4.0, 16.0)
"""Seconds without any progress after which a copy is taken for one that was born with a lock taken, and made again: a
few in ten thousand. The longer ones are for machines so busy that a copy may wait for its turn."""
STEPS = 500
"""Callbacks between two returns of the runtime, which let promises' jobs run."""
MAX_RETURNS = 200_000
NEVER = "\nlet undefined;"
"""The end of a script that isn't to run. V8 reads all of it; then the language has it fail before the first statement,
since no script may declare a name that the page can't give up."""
TRIAL = """__redraft.run("fd(10); /(a+)+b/.test('aaaa'); for (var i = 0, s = ''; i < 1e5; i++) s += i;", "{}")"""
"""What the first copy runs: moves, a pattern, a loop that is worth compiling, memory."""
OUT_OF_MEMORY = 3
"""A copy's exit code when its isolate went past the limit of its heap."""


class V8Zygote(Zygote):
    """The process that holds our runtime, as the worker sees it."""

    def __init__(self, runtime: str, limits: RunLimits, seal: Seal) -> None:
        super().__init__(partial(Nursery, runtime=runtime, limits=limits), RUNNING, COPY, seal)

    def run(self, program: str, options: dict[str, Any]) -> Ran:
        """Run JavaScript in a copy; `options` are those of the runtime's `start` (host.js).

        Raises:
            EOFError: The process is gone.
        """
        return self.ask(["run", f"__redraft.run({json.dumps(program)}, {json.dumps(json.dumps(options))})"])

    def syntax_error(self, script: str) -> str:
        """V8's own message about a script that isn't JavaScript, read in a copy; empty if it is. Nothing of it runs.

        Behind the message stands `@` and the number of the column.

        Raises:
            EOFError: The process is gone.
        """
        ran = self.ask(["parse", script + NEVER])
        return ran.text.decode("utf-8", "replace") if ran.ended == "done" else ""


class Nursery:
    """The warm isolate, and its copies."""

    def __init__(self, library: ctypes.CDLL, seal: Seal, *, runtime: str, limits: RunLimits) -> None:
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

    def answer(self, question: Any) -> Ran:
        """What a copy of the kind that is asked for makes of a script."""
        kind, script = question
        return self.run(script, COPIES[kind])

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
                stopped = too_much(usage, limits) or ("stuck" if now - started > limits.wall_seconds else "")
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


def too_much(used: Usage, limits: RunLimits) -> Literal["", "memory", "timeout"]:
    """What a process has used too much of, if anything."""
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
