"""The V8 engine: programs in embedded V8, with our own headless runtime of Pencil Code, in virtual time.

In: jobs. Out: outcomes. A pool of worker processes (`worker`) runs one attempt, that is one program in one language,
at a time; this module asks for the second attempt where the first wasn't clean, and says what a dead worker means.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from redraft.execute.engine import Done, Job
from redraft.execute.v8.bundle import bundle_text
from redraft.execute.v8.pool import Reply, Task
from redraft.execute.v8.pooled import PooledEngine
from redraft.execute.v8.usage import RunLimits
from redraft.execute.verdict import Attempt, Ended, ErrorRecord, Outcome

BUNDLES = ("compiler", "runtime")
"""Those of the runtime's that a worker needs."""
_MESSAGES = {
    "timeout": "the program doesn't come to an end",
    "memory": "the program needs too much memory",
    "crash": "the process that ran the program died",
    "exit": "the program ended itself",
}
_ENDINGS: dict[str, Ended] = {
    "done": "done",
    "timeout": "timeout",
    "stuck": "timeout",
    "memory": "memory",
    "output": "memory",
}
"""A worker's word for how a program was stopped -> the verdict's; any other: its process died."""


class V8(PooledEngine):
    """The engine; a context manager."""

    name, limits = "v8", RunLimits()
    command = (sys.executable, "-m", "redraft.execute.v8.worker")

    @classmethod
    def told(cls) -> dict[str, Any]:
        """The bundles' texts."""
        return {name: bundle_text(name) for name in BUNDLES}

    @classmethod
    def made_of(cls) -> dict[str, Any]:
        """The bundles."""
        return {"bundles": cls.told()}

    def run(self, jobs: Sequence[Job]) -> Iterator[Done]:
        """Run jobs; yields each as it is finished."""
        tasks = deque(self._task(job, 0) for job in jobs)
        first: dict[int, Outcome] = {}
        for reply in self.pool.run(tasks):
            job, place = reply.task.key
            attempt = attempt_of(reply, job.languages[place])
            before = first.pop(job.number, Outcome(attempts=()))
            outcome = replace(before, attempts=(*before.attempts, attempt), seconds=before.seconds + reply.seconds)
            if attempt.clean or place + 1 == len(job.languages):
                yield Done(job.number, outcome)
            else:
                first[job.number] = outcome
                tasks.appendleft(self._task(job, place + 1))  # soon, so that answers stay near their order

    def _task(self, job: Job, place: int) -> Task:
        payload = {
            "code": job.code,
            "language": job.languages[place],
            "first": place == 0,
            "window": list(job.window),
            "seed": self._options.seed,
            "drawing": self._options.drawing,
        }
        return Task((job, place), payload)


def attempt_of(reply: Reply, language: str) -> Attempt:
    """What a reply says of the program: the worker's answer, or what its death means."""
    if reply.ended == "done" and reply.answer.get("ended") == "done":
        answer = reply.answer
        errors = tuple(
            ErrorRecord(kind=error["kind"], message=error["message"], line=error["line"]) for error in answer["errors"]
        )
        return Attempt(
            language=language,
            end_reached=answer["end_reached"],
            errors=errors,
            used_assets=answer["used_assets"],
            drawing=_mapping(answer.get("drawing")),
        )
    ended = ending_of(reply)
    ended = "crash" if ended == "done" else ended
    return Attempt(language=language, ended=ended, errors=(ErrorRecord(kind=ended, message=message_of(ended)),))


def ending_of(reply: Reply) -> Ended:
    """How a program ended, or was stopped."""
    how = reply.answer.get("ended", "crash") if reply.ended == "done" else reply.ended
    return _ENDINGS.get(how, "crash")


def message_of(kind: str) -> str:
    """What is said of a program that was stopped."""
    return _MESSAGES.get(kind, kind)


def _mapping(value: Any) -> Mapping[str, Any] | None:
    return value if isinstance(value, dict) else None
