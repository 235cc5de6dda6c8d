"""The Python engine: programs in CPython, compiled to WebAssembly, inside embedded V8.

In: jobs, with the checks of their titles if those are to count. Out: outcomes. A pool of worker processes (`worker`)
runs a program at a time; this module says what their answers mean.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

from redraft.data.languages import PYTHON
from redraft.execute.engine import Done, Job
from redraft.execute.python.bundle import load
from redraft.execute.v8.engine import ending_of, message_of
from redraft.execute.v8.pool import PoolLimits, Reply, Task
from redraft.execute.v8.pooled import PooledEngine
from redraft.execute.v8.usage import RunLimits
from redraft.execute.verdict import Attempt, ErrorRecord, Outcome

LIMITS = RunLimits(memory_mb=700.0, reply_bytes=4 << 20)
"""What a program may use. Python itself takes 200 MB of the memory, and stops a program that wants more than 256 of its
own, as a MemoryError."""
POOL = PoolLimits(wall_seconds=240.0, start_seconds=240.0)
"""A worker waits for a program, for its checks, and at its start for Python to load."""


class Python(PooledEngine):
    """The engine; a context manager."""

    name, limits, pool_limits = "python", LIMITS, POOL
    command = (sys.executable, "-m", "redraft.execute.python.worker")

    @classmethod
    def made_of(cls) -> dict[str, Any]:
        """Pyodide, and what runs inside it."""
        return {"loaded": load().digest}

    def run(self, jobs: Sequence[Job]) -> Iterator[Done]:
        """Run jobs; yields each as it is finished."""
        tasks = deque(Task(job, {"code": job.code, "seed": self._options.seed, "tests": job.tests}) for job in jobs)
        for reply in self.pool.run(tasks):
            yield Done(reply.task.key.number, Outcome(attempts=(attempt_of(reply),), seconds=reply.seconds))


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
