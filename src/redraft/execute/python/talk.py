"""A conversation with a copy of a process: what the copy does, and what its watcher does.

In: messages (JSON texts). Out: an answer to each, or how the copy ended. `Copy` walls itself in before the first
message, then hands each one to Python and writes what Python says, over its only descriptor. `Child` is the copy as
its watcher sees it: every wait ends, by an answer or by a limit. Nothing that a copy says is taken for more than a
text.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import time
from contextlib import suppress
from typing import Literal

from redraft.execute.v8.copies import OUT_OF_MEMORY, too_much
from redraft.execute.v8.isolate import Isolate, Result
from redraft.execute.v8.sealing import Seal
from redraft.execute.v8.usage import RunLimits, usage_of
from redraft.execute.v8.zygote import NOTE, POLL, READ, Ended, Ran

MAX_TURNS = 100_000
"""How often a copy asks for an answer that isn't there yet: each time, promises go on."""
NEXT = "__python.next()"


class Copy:
    """What happens in a copy, on the isolate's thread."""

    def __init__(self, isolate: Isolate, seal: Seal, line: int, message: str, *, first: bool = False) -> None:
        self._isolate, self._seal, self._line, self._message, self._first = isolate, seal, line, message, first
        self._stage: Literal["born", "taking", "waiting"] = "born"
        self._turns = 0

    def hear(self, result: Result) -> None:
        """The next step, given the last one's value."""
        try:
            if result.out_of_memory:
                os._exit(OUT_OF_MEMORY)
            self._next(result)
        except BaseException as error:  # noqa: BLE001 - nobody is above: this thread is the whole process
            with suppress(OSError):
                os.write(self._line, f"\n{type(error).__name__}: {error}".encode()[:NOTE])
            os._exit(1)

    def _next(self, result: Result) -> None:
        if self._stage == "born":
            self._line = self._seal.seal(self._line, first=self._first)
            self._take(self._message)
        elif not result.is_text:
            raise ValueError(result.text.decode("utf-8", "replace"))
        elif self._stage == "waiting" and result.text:
            self._say(result.text)
            self._take(self._told())
        else:
            self._stage = "waiting"
            self._turns += 1
            if self._turns > MAX_TURNS:
                raise ValueError("no answer")
            self._isolate.post(NEXT)

    def _take(self, message: str) -> None:
        self._stage, self._turns = "taking", 0
        self._isolate.post(f"__python.take({json.dumps(message)})")

    def _say(self, text: bytes) -> None:
        if self._first:
            text = json.dumps({"problems": self._seal.problems, "said": text.decode("utf-8", "replace")}).encode(
                "ascii"
            )
        data = memoryview(b"\n" + text + b"\n")
        while data:
            data = data[os.write(self._line, data) :]

    def _told(self) -> str:
        received = bytearray()
        while not received.endswith(b"\n"):
            data = os.read(self._line, READ)
            if not data:
                os._exit(0)
            received += data
        return received.decode("ascii")


class Child:
    """A copy, as its watcher sees it.

    Args:
        pid: The copy's process.
        line: The watcher's end of its descriptor.
        limits: What it may use.
    """

    def __init__(self, pid: int, line: socket.socket, limits: RunLimits) -> None:
        self._pid, self._line, self._limits = pid, line, limits
        self._before = 0.0
        self._alive = True
        line.setblocking(False)

    def allow_anew(self) -> None:
        """From now on it may use as much processor time as at its start."""
        self._before = usage_of(self._pid).cpu_seconds

    def ask(self, message: bytes) -> Ran:
        """Say something, and hear what it says."""
        return self.hear(b"", message + b"\n") or Ran("stuck", b"")

    def hear(self, said: bytes = b"", unsent: bytes = b"", patience: float | None = None) -> Ran | None:
        """What it says; nothing if it fell asleep for so many seconds, for which a program has no means."""
        if not self._alive:
            return Ran("crash", b"")
        received, rest = bytearray(said), memoryview(unsent)
        started = looked = moved = time.monotonic()
        used = 0.0
        while True:
            ready = select.select([self._line], [self._line] if rest else [], [], POLL)
            if ready[1]:
                rest = rest[self._send(rest) :]
            if ready[0]:
                data = self._receive()
                received += data
                moved = time.monotonic()
                if not data:
                    return self._died(bytes(received))
                if received.endswith(b"\n") and received.strip():
                    return Ran("done", bytes(received.strip().rpartition(b"\n")[2]))
            now = time.monotonic()
            stopped: Ended | Literal[""] = "output" if len(received) > self._limits.reply_bytes else ""
            if now - looked >= POLL and not stopped:
                looked, usage = now, usage_of(self._pid)
                if usage.cpu_seconds > used:
                    used, moved = usage.cpu_seconds, now
                spent = usage._replace(cpu_seconds=usage.cpu_seconds - self._before)
                stopped = too_much(spent, self._limits)
                stopped = stopped or ("stuck" if now - started > self._limits.wall_seconds else "")
            if stopped:
                self.close()
                return Ran(stopped, b"")
            if patience is not None and now - moved > patience:
                self.close()
                return None

    def close(self) -> None:
        """End it."""
        if self._alive:
            self._alive = False
            with suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
            self._line.close()

    def _send(self, data: memoryview) -> int:
        try:
            return self._line.send(data)
        except BlockingIOError:
            return 0
        except OSError:
            return len(data)  # it is dead: its closed end says so too

    def _receive(self) -> bytes:
        try:
            return self._line.recv(READ)
        except OSError:
            return b""

    def _died(self, said: bytes) -> Ran:
        self._alive = False
        self._line.close()
        status = os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])
        return Ran("memory" if status == OUT_OF_MEMORY else "crash", said[-NOTE:])
