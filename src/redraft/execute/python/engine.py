"""The Python engine: programs in CPython, compiled to WebAssembly, inside embedded V8.

In: jobs, with the checks of their titles if those are to count. Out: outcomes. A pool of worker processes (`worker`)
runs a program at a time; this module says what their answers mean.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from importlib import metadata
from types import TracebackType
from typing import Any

from redraft.data.languages import PYTHON
from redraft.errors import RedraftError
from redraft.execute.engine import Done, EngineOptions, Job, Wall, refuse_lacking
from redraft.execute.python.bundle import load
from redraft.execute.registry import ENGINES
from redraft.execute.v8.engine import ending_of, message_of
from redraft.execute.v8.isolation import found_by
from redraft.execute.v8.pool import Pool, PoolLimits, Reply, Task
from redraft.execute.v8.usage import RunLimits
from redraft.execute.verdict import Attempt, ErrorRecord, Outcome

COMMAND = (sys.executable, "-m", "redraft.execute.python.worker")
LIMITS = RunLimits(memory_mb=700.0, reply_bytes=4 << 20)
"""What a program may use. Python itself takes 200 MB of the memory, and stops a program that wants more than 256 of its
own, as a MemoryError."""
POOL = PoolLimits(wall_seconds=240.0, start_seconds=240.0)
"""A worker waits for a program, for its checks, and at its start for Python to load."""


class Python:
    """The engine; a context manager."""

    languages = ENGINES["python"].languages

    def __init__(self, options: EngineOptions, limits: RunLimits | None = None) -> None:
        self._options, self._limits = options, limits or LIMITS

    def __enter__(self) -> Python:
        """Start the workers.

        Raises:
            RedraftError: Processes can't be copied here, the runtime is missing, or a wall is lacking and that was to
            be
                refused.
        """
        setup = _setup(self._limits, strict=self._options.strict)
        package = metadata.version("redraft")
        parts = {"loaded": load().digest, "limits": setup["limits"], "package": package, "seed": self._options.seed}
        digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
        self._version = f"python-{digest[:16]}"
        if self._options.strict:
            refuse_lacking("python", isolation())
        self.pool = Pool(COMMAND, setup, workers=self._options.workers, limits=POOL)
        self.pool.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the workers."""
        self.pool.__exit__(kind, error, trace)

    @property
    def version(self) -> str:
        """A hash of Pyodide, what runs inside it, the limits, the seed and the package's version."""
        return self._version

    def run(self, jobs: Sequence[Job]) -> Iterator[Done]:
        """Run jobs; yields each as it is finished."""
        tasks = deque(Task(job, {"code": job.code, "seed": self._options.seed, "tests": job.tests}) for job in jobs)
        for reply in self.pool.run(tasks):
            yield Done(reply.task.key.number, Outcome(attempts=(attempt_of(reply),), seconds=reply.seconds))


def isolation() -> list[Wall]:
    """What stands between a program and this system, as a worker finds it; raises as `Python.__enter__` does."""
    return found_by(COMMAND, _setup(LIMITS, strict=False))


def _setup(limits: RunLimits, *, strict: bool) -> dict[str, Any]:
    """What workers are told first."""
    if not hasattr(os, "fork"):
        raise RedraftError(
            "programs are run in copies of a process (fork), which this system doesn't make.",
            where="the Python engine",
            remedy="Run this command on Linux; on Windows, in its Subsystem for Linux (WSL).",
        )
    load()
    return {"limits": asdict(limits), "strict": strict}


def attempt_of(reply: Reply) -> Attempt:
    """What a reply says of the program: the worker's answer, or what its death means."""
    answer = reply.answer if reply.ended == "done" else {}
    ended = ending_of(reply)
    errors = tuple(_record(error) for error in answer.get("errors", ()))
    if ended != "done" and not errors:
        errors = (ErrorRecord(kind=ended, message=message_of(ended)),)
    return Attempt(
        language=PYTHON,
        ended=ended,
        end_reached=bool(answer.get("end_reached")),
        errors=errors,
        used_assets=bool(answer.get("absent")),
        waiting=bool(answer.get("waiting")),
        passed=answer.get("passed"),
    )


def _record(error: dict[str, Any]) -> ErrorRecord:
    kind = {"stuck": "timeout", "output": "memory"}.get(error["kind"], error["kind"])
    return ErrorRecord(kind=kind, message=error["message"] or message_of(kind), line=error["line"])
