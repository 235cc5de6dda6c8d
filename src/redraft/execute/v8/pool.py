"""A pool of disposable worker processes: each holds one task at a time, and may die of it without harm to any other.

In: the command that starts a worker, what to tell it first, and tasks (JSON values). Out: a `Reply` to every task,
exactly once, as soon as it's there: the worker's answer, or how the worker ended. Workers talk by lines of JSON over
their standard input and output.

A task's worker is killed when it has used its CPU seconds, when it holds more memory than allowed, when it answers with
more than allowed, or when the wall clock says that it's stuck; then another worker takes its place. Workers are also
replaced after a number of tasks or when they have grown, so that nothing grows with the number of tasks.

Why watched from outside: V8 maps so much address space that no limit on it can be set, and a process that is out of
memory can't be trusted to notice.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, NamedTuple

from redraft.errors import RedraftError
from redraft.execute.v8.usage import usage_of

POLL = 0.02
"""Seconds between two looks at the workers: at a gigabyte a second, a bomb gets 20 MB past its limit."""
READ = 1 << 16
NOTE = 4096
"""Bytes of a worker's standard error that are kept."""
MAX_FAILED_STARTS = 5

Ended = Literal["done", "timeout", "stuck", "memory", "output", "crash"]


@dataclass(frozen=True, kw_only=True)
class PoolLimits:
    """What a worker may use."""

    cpu_seconds: float = 5.0
    """A worker's own processor time for a task."""
    wall_seconds: float = 60.0
    """A task's time by the clock, for a worker that waits for nothing or a machine that is too busy."""
    start_seconds: float = 60.0
    """From a worker's start until it is ready."""
    memory_mb: float = 400.0
    """A worker's resident memory."""
    reply_bytes: int = 16 << 20
    """Length of an answer."""
    tasks: int = 10_000
    """After so many tasks a worker is replaced ..."""
    grown_mb: float = 220.0
    """... or when it holds more than this between two tasks."""


class Task(NamedTuple):
    """Something for a worker to do."""

    key: Any
    """Given back with the reply."""
    payload: dict[str, Any]


class Reply(NamedTuple):
    """What became of a task."""

    task: Task
    ended: Ended
    """`done`: the worker answered. Otherwise it is dead."""
    answer: dict[str, Any]
    """The worker's answer; empty if there is none."""
    seconds: float
    note: str
    """The end of what a dead worker said on standard error."""


class _Worker:
    """One process, and the task it has."""

    def __init__(self, command: Sequence[str], environment: dict[str, str], setup: bytes) -> None:
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd="/",
            env=environment,
            start_new_session=True,  # Ctrl-C is the parent's to handle
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self.input = self.process.stdin.fileno()
        self.output = self.process.stdout.fileno()
        self.errors = self.process.stderr.fileno()
        for descriptor in (self.input, self.output, self.errors):
            os.set_blocking(descriptor, False)
        self.unsent = memoryview(setup)
        self.received = bytearray()
        self.note = bytearray()
        self.task: Task | None = None
        self.ready = False
        self.done = 0
        self.resident_mb = 0.0
        self.started = time.monotonic()
        self.cpu_before = 0.0

    @property
    def free(self) -> bool:
        return self.ready and self.task is None

    def give(self, task: Task) -> None:
        self.task = task
        self.unsent = memoryview(json.dumps(task.payload).encode("ascii") + b"\n")
        self.cpu_before = usage_of(self.process.pid).cpu_seconds
        self.started = time.monotonic()

    def close(self) -> None:
        """Kill the process if it lives, and forget it."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()


class Pool:
    """A context manager: workers start with the first tasks and end with it.

    Args:
        command: Starts a worker.
        setup: What every worker is told first; it answers with an object when it is ready.
        workers: How many at a time.
        limits: What each may use.
    """

    def __init__(
        self, command: Sequence[str], setup: dict[str, Any], *, workers: int, limits: PoolLimits | None = None
    ) -> None:
        self._command, self._setup = list(command), json.dumps(setup).encode("ascii") + b"\n"
        self._size, self._limits = workers, limits or PoolLimits()
        self._workers: list[_Worker] = []
        self._failed_starts = 0

    def __enter__(self) -> Pool:
        self._selector = selectors.DefaultSelector()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End all workers."""
        for worker in list(self._workers):
            self._drop(worker)
        self._selector.close()

    @property
    def pids(self) -> list[int]:
        """Process ids of the workers, for those who measure."""
        return [worker.process.pid for worker in self._workers]

    def run(self, tasks: deque[Task]) -> Iterator[Reply]:
        """Reply to every task of `tasks`; whoever takes the replies may append more meanwhile.

        Raises:
            RedraftError: Workers can't be started.
        """
        while tasks or any(worker.task for worker in self._workers):
            self._staff(len(tasks))
            for worker in self._workers:
                if tasks and worker.free:
                    worker.give(tasks.popleft())
                    self._send(worker)
            yield from self._events()
            yield from self._watch()

    def _staff(self, wanted: int) -> None:
        busy = sum(worker.task is not None for worker in self._workers)
        while len(self._workers) < min(self._size, busy + wanted):
            worker = _Worker(self._command, environment(), self._setup)
            self._workers.append(worker)
            self._selector.register(worker.output, selectors.EVENT_READ, worker)
            self._selector.register(worker.errors, selectors.EVENT_READ, worker)
            self._send(worker)

    def _send(self, worker: _Worker) -> None:
        """Write what the pipe takes now, and the rest when it takes more."""
        try:
            while worker.unsent:
                worker.unsent = worker.unsent[os.write(worker.input, worker.unsent) :]
        except BlockingIOError:
            if worker.input not in self._selector.get_map():
                self._selector.register(worker.input, selectors.EVENT_WRITE, worker)
            return
        except OSError:  # it is dead: its closed output says so too
            worker.unsent = memoryview(b"")
        if worker.input in self._selector.get_map():
            self._selector.unregister(worker.input)

    def _events(self) -> Iterator[Reply]:
        for key, _ in self._selector.select(POLL):
            worker: _Worker = key.data
            if worker not in self._workers:
                continue
            if key.fd == worker.input:
                self._send(worker)
            elif key.fd == worker.errors:
                self._listen(worker)
            else:
                yield from self._receive(worker)

    def _listen(self, worker: _Worker) -> None:
        data = _read(worker.errors)
        if data == b"":
            self._selector.unregister(worker.errors)
        elif data:
            worker.note = (worker.note + data)[-NOTE:]

    def _receive(self, worker: _Worker) -> Iterator[Reply]:
        data = _read(worker.output)
        if data is None:
            return
        if data == b"":
            yield from self._end(worker, "crash")
            return
        worker.received += data
        if len(worker.received) > self._limits.reply_bytes:
            yield from self._end(worker, "output")
        elif data.endswith(b"\n"):
            yield from self._answer(worker)

    def _answer(self, worker: _Worker) -> Iterator[Reply]:
        try:
            answer = json.loads(worker.received)
        except (ValueError, RecursionError):
            answer = None
        worker.received.clear()
        if not isinstance(answer, dict) or (worker.ready and worker.task is None):
            yield from self._end(worker, "crash")
            return
        if not worker.ready:
            worker.ready = True
            self._failed_starts = 0
            return
        task, worker.task = worker.task, None
        assert task is not None
        worker.done += 1
        reply = Reply(task, "done", answer, time.monotonic() - worker.started, "")
        if worker.done >= self._limits.tasks or worker.resident_mb > self._limits.grown_mb:
            self._drop(worker)
        yield reply

    def _watch(self) -> Iterator[Reply]:
        """Look at every worker that is at work for longer than a moment."""
        now = time.monotonic()
        for worker in list(self._workers):
            age = now - worker.started
            if (worker.ready and worker.task is None) or age < POLL:
                continue
            used = usage_of(worker.process.pid)
            worker.resident_mb = used.resident_mb
            if used.resident_mb > self._limits.memory_mb:
                yield from self._end(worker, "memory")
            elif worker.task and used.cpu_seconds - worker.cpu_before > self._limits.cpu_seconds:
                yield from self._end(worker, "timeout")
            elif age > (self._limits.wall_seconds if worker.ready else self._limits.start_seconds):
                yield from self._end(worker, "stuck")

    def _end(self, worker: _Worker, ended: Ended) -> Iterator[Reply]:
        """A worker is dead or must die: say so of its task."""
        self._drop(worker)
        note = bytes(worker.note).decode("utf-8", "replace")
        if not worker.ready:
            self._failed_starts += 1
            if self._failed_starts >= MAX_FAILED_STARTS:
                last = next((line.strip() for line in reversed(note.splitlines()) if line.strip()), "it said nothing")
                raise RedraftError(
                    f"the processes that run programs don't start ({last[:300]}).",
                    remedy="Check that mini-racer is installed for this platform, and that memory is left.",
                )
        if worker.task is not None:
            yield Reply(worker.task, ended, {}, time.monotonic() - worker.started, note)

    def _drop(self, worker: _Worker) -> None:
        self._workers.remove(worker)
        for descriptor in (worker.input, worker.output, worker.errors):
            if descriptor in self._selector.get_map():
                self._selector.unregister(descriptor)
        with suppress(OSError):  # the last words of a process that died: why
            while data := os.read(worker.errors, READ):
                worker.note = (worker.note + data)[-NOTE:]
        worker.close()


def _read(descriptor: int) -> bytes | None:
    """What is there; empty at the end, None if nothing has come."""
    try:
        return os.read(descriptor, READ)
    except BlockingIOError:
        return None
    except OSError:
        return b""


def environment() -> dict[str, str]:
    """A worker's: it knows nothing of the user's environment but where Python's modules are."""
    package = Path(__file__).resolve().parents[3]
    return {"PYTHONPATH": str(package), "PATH": os.defpath, "LC_ALL": "C.UTF-8"}
