"""A worker of the Python engine: `python -m redraft.execute.python.worker`, started by the pool only.

In, on standard input: a line of JSON with the limits, then a line per task: {"code", "seed", "tests"}. Out, on standard
output: a line per task. This process runs no program and parses none: it hands a program on to the process with Python
loaded (`nursery`), which is copied for it, and says in clean words what came back.
"""

from __future__ import annotations

import json
import os
import re
from functools import partial
from typing import Any

from redraft.execute.python.absent import is_absent
from redraft.execute.python.bundle import load
from redraft.execute.python.nursery import FLAGS, Nursery
from redraft.execute.v8.sealing import Seal
from redraft.execute.v8.seccomp import TALKING
from redraft.execute.v8.usage import RunLimits
from redraft.execute.v8.working import MAX_MESSAGE, Answer, work
from redraft.execute.v8.zygote import Zygote

MAX_ERRORS = 20
LACKING = ("file", "thread", "network")
"""Causes of an error that lie in this world, not in the program."""
_PLACE = re.compile(r" \((?:unknown location|/lib/python[^)]*)\)")
"""Where a module lies in the sandbox."""
KINDS = ("syntax", "uncaught", "exit", "check", "timeout", "stuck", "memory", "output", "crash")


def run(zygote: Zygote, task: dict[str, Any]) -> dict[str, Any]:
    """Run a program: the answer.

    Raises:
        EOFError: The process that is copied is gone.
    """
    told = json.loads(zygote.ask(task).text)
    errors = told["errors"] if isinstance(told["errors"], list) else []
    first = errors[0] if errors and isinstance(errors[0], dict) else {}
    ended = str(told["ended"])
    if ended in ("done", "exit") and first.get("cause") == "memory" and "passed" not in told:
        ended = "memory"
    module = first.get("module")
    return {
        "ended": "done" if ended in ("done", "exit", "waiting") else ended,
        "end_reached": (ended in ("done", "exit") and not errors) or told.get("passed") is not None,
        "waiting": ended == "waiting",
        "passed": told.get("passed"),
        "errors": [clean(error, task["code"]) for error in errors[:MAX_ERRORS] if isinstance(error, dict)],
        "absent": (isinstance(module, str) and is_absent(module)) or first.get("cause") in LACKING,
    }


def clean(error: dict[str, Any], code: str) -> dict[str, Any]:
    """An error record, nothing in it trusted."""
    line, kind = error.get("line"), error.get("kind")
    message = _PLACE.sub("", str(error.get("message", ""))[:MAX_MESSAGE])
    message = message.replace("[Errno 44]", "[Errno 2]")  # as Linux numbers it
    lines = code.count("\n") + 1
    kind = "memory" if error.get("cause") == "memory" else kind
    return {
        "kind": kind if kind in KINDS else "uncaught",
        "message": "".join(letter if letter.isprintable() else " " for letter in message),
        "line": min(line, lines) if isinstance(line, int) and line >= 1 else None,
    }


def answer(zygote: Zygote, task: dict[str, Any]) -> dict[str, Any]:
    """Run a program; whatever happens, an answer."""
    try:
        return run(zygote, task)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {"ended": "crash"}  # a program made Python say something else


def prepare(setup: dict[str, Any], seal: Seal) -> Answer:
    """Load the process that is copied."""
    make = partial(Nursery, loaded=load(), limits=RunLimits(**setup["limits"]))
    zygote = Zygote(make, FLAGS, TALKING, seal)
    seal.settle()
    seal.enclose()
    seal.problems = zygote.problems() | seal.problems
    return partial(answer, zygote)


if __name__ == "__main__":
    os.environ["TZ"] = "UTC"
    work(prepare)
