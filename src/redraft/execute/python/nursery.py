"""The process with Python loaded and warm, and its copies: one for a program, one more for its checks.

In: what to load, limits, questions: {"code", "seed", "tests"}. Out: for each, as JSON, {"ended", "errors"} of the
program, and with tests {"passed"}. `ended` is what Python says of the program's end (done, waiting, exit, crash) or
how its copy was stopped (timeout, stuck, memory, output, crash).

Checks run in a copy that never meets the program. It asks the program's copy for values through this process, which
hands texts on and has the last word on limits. What counts is what the checks' copy says at its end.
"""

from __future__ import annotations

import base64
import ctypes
import json
import socket
import time
from contextlib import suppress
from typing import Any

from redraft.execute.python.bundle import Loaded
from redraft.execute.python.talk import NEXT, Child, Copy
from redraft.execute.v8.copies import ASLEEP
from redraft.execute.v8.isolate import Isolate
from redraft.execute.v8.sealing import Seal
from redraft.execute.v8.usage import RunLimits
from redraft.execute.v8.zygote import Ran

FLAGS = ("--single-threaded", "--wasm-sync-tier-up", "--stack-size=3900")
"""V8's flags: no threads, which a copy wouldn't have; so what runs long is compiled for speed on the spot. And a stack
(in KB) that is deep enough for Python to find its own limit of recursion before."""
STACK = 8 << 20
"""Bytes of the stack that V8's thread gets, whatever the user's limits say."""
TRIAL = json.dumps({"do": "run", "code": "print(sum(range(10 ** 5)), 2 ** 0.5, {1: [2]})", "seed": 0, "lines": None})
"""What the first copy runs."""
MAX_RUNS = 100
"""How often checks may run a program anew."""
_TURNS = 10_000


class Nursery:
    """The warm Python, and its copies."""

    def __init__(self, library: ctypes.CDLL, seal: Seal, *, loaded: Loaded, limits: RunLimits) -> None:
        self._limits, self._seal = limits, seal
        _deepen()
        self._isolate = Isolate(library, int(limits.heap_mb * 1e6))
        self._eval(loaded.script)
        for name, data in loaded.files.items():
            self._eval(f"__python.hand({json.dumps(name)}, '{base64.b64encode(data).decode()}')")
        self._eval(f"__python.load({json.dumps(loaded.begin)})")
        for _ in range(_TURNS):
            if self._eval(NEXT) == b"loaded":
                return
        raise OSError("Python doesn't load")

    def _eval(self, script: str) -> bytes:
        said = self._isolate.eval(script)
        if said.kind >= 200:
            raise OSError(said.text.decode("utf-8", "replace"))
        return said.text

    def try_walls(self) -> Ran:
        """Run a program of ours in a first copy: which walls don't stand around it, and why not, as JSON."""
        child, ran = self._begin(TRIAL, first=True)
        if ran.ended != "done":
            self._seal.problems["seccomp"] = "Python doesn't run behind it here"
            child, ran = self._begin(TRIAL, first=True)
        child.close()
        told: dict[str, Any] = json.loads(ran.text) if ran.ended == "done" else {"said": "{}"}
        if json.loads(told["said"]).get("errors") != []:
            raise OSError("a process that was walled in didn't live")
        self._seal.problems = told["problems"]
        return Ran("done", json.dumps(told["problems"]).encode("ascii"))

    def answer(self, question: dict[str, Any]) -> Ran:
        """What becomes of a program, and of its checks."""
        start = {"do": "run", "code": question["code"], "seed": question["seed"], "lines": None}
        child, ran = self._begin(json.dumps(start))
        try:
            told = _told(ran)
            if question["tests"] is not None and not told["errors"] and told["ended"] in ("done", "waiting"):
                told |= _Checking(self, child, question).run()
        finally:
            child.close()
        return Ran("done", json.dumps(told).encode("ascii"))

    def begin(self, message: dict[str, Any]) -> tuple[Child, Ran]:
        """A copy that is told something, and what it says."""
        return self._begin(json.dumps(message))

    def _begin(self, message: str, *, first: bool = False) -> tuple[Child, Ran]:
        for patience in ASLEEP:
            here, there = socket.socketpair()
            copy = Copy(self._isolate, self._seal, there.fileno(), message, first=first)
            child = Child(self._isolate.fork(copy.hear), here, self._limits)
            there.close()
            ran = child.hear(patience=patience)
            if ran is not None:
                return child, ran
        return child, Ran("stuck", b"")


class _Checking:
    """One program's checks."""

    def __init__(self, nursery: Nursery, child: Child, question: dict[str, Any]) -> None:
        self._nursery, self._child, self._question = nursery, child, question
        self._runs = 0
        self._until = time.monotonic() + nursery._limits.wall_seconds

    def run(self) -> dict[str, Any]:
        """Whether they pass, and what didn't."""
        self._child.allow_anew()
        checks, ran = self._nursery.begin({"do": "check", "tests": self._question["tests"]})
        try:
            while ran.ended == "done":
                said = json.loads(ran.text)
                if "passed" in said:
                    return {"passed": said["passed"] is True, "errors": said["errors"]}
                ran = checks.ask(self._answer(said, ran.text))
        except (ValueError, KeyError, TypeError):
            pass
        finally:
            checks.close()
            if self._runs:
                self._child.close()
        kind = ran.ended if ran.ended != "done" else "crash"
        return {"passed": False, "errors": [{"kind": kind, "message": "", "line": None}]}

    def _answer(self, said: dict[str, Any], text: bytes) -> bytes:
        """What the program says to its checks."""
        if time.monotonic() > self._until:
            return b'{"lost": "timeout"}'
        if said["do"] != "again":
            ran = self._child.ask(text)
            if ran.ended == "done" and not ran.text.startswith(b'{"ended"'):
                return ran.text
            ended = ran.ended if ran.ended != "done" else _told(ran)["ended"]
            return json.dumps({"lost": ended}).encode("ascii")
        self._child.close()
        self._runs += 1
        if self._runs > MAX_RUNS:
            return b'{"lost": "timeout"}'
        start = {"do": "run", "code": self._question["code"], "seed": self._question["seed"], "lines": said["lines"]}
        self._child, ran = self._nursery.begin(start)
        told = _told(ran)
        if told["ended"] in ("done", "exit"):
            return json.dumps(told).encode("ascii")
        return json.dumps({"lost": told["ended"]}).encode("ascii")


def _deepen() -> None:
    """Have threads made from now on with a large stack, if the C library can."""
    attributes, library = ctypes.create_string_buffer(256), ctypes.CDLL(None)
    with suppress(AttributeError):
        library.pthread_attr_init(attributes)
        library.pthread_attr_setstacksize(attributes, ctypes.c_size_t(STACK))
        library.pthread_setattr_default_np(attributes)


def _told(ran: Ran) -> dict[str, Any]:
    """What a copy says of its program; if that is nothing of the kind, it broke."""
    if ran.ended != "done":
        return {"ended": ran.ended, "errors": []}
    try:
        told = json.loads(ran.text)
        status = told.get("status", 0)
        if told["ended"] == "exit" and status:
            return {
                "ended": "exit",
                "errors": [{"kind": "exit", "message": f"the program ended with code {int(status)}"}],
            }
        return {"ended": str(told["ended"]), "errors": list(told.get("errors", ()))}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {"ended": "crash", "errors": []}
