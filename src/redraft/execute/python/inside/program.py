"""Inside the sandbox: run a program as a student would, then let checks use what it defined.

In: messages as JSON texts, from outside. Out: one JSON text for each. A copy of this process runs one program, so
nothing here is ever used for two. The program shares this interpreter and may break all of it; what it says by that
is its own verdict's harm alone, and nothing outside takes it for more than a claim.

`run`     {"code", "seed", "lines", "tests"}: what became of the program: ended (done, waiting, exit), errors, names
`values`  {"names"}: what some of the program's names hold
`do`      {"what", "args"}: something done with the program's objects; {"value", "changed"} or {"error"}

Everything needed is taken hold of before the program runs, with built-ins of its own.
"""

from __future__ import annotations

import builtins
import errno
import io
import os
import random
import sys
import time
import traceback
import types
from collections.abc import Callable
from json import dumps, loads
from typing import Any

from redraft.execute.python.inside.wire import OPERATIONS, Objects, Reader, Writer

FILE = "<program>"
KEPT_OUTPUT = 1 << 20
"""Characters that are kept of what a program prints; the rest is dropped."""
BRIDGES = frozenset(("js", "pyodide", "pyodide_js", "_pyodide", "_pyodide_core", "micropip"))
"""Modules that lead out of Python."""
_PARSING = (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError)


class Waiting(BaseException):
    """The program asked its reader for something."""


class Blocker:
    """Finds no bridge out of Python."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> None:
        """Refuse what leads out; anything else is for others to find."""
        if name.partition(".")[0] in BRIDGES:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


class Output(io.TextIOBase):
    """Where a program prints to."""

    encoding = "utf-8"
    errors = "strict"

    def __init__(self) -> None:
        self.kept: list[str] = []
        self.room = KEPT_OUTPUT

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, text: str) -> int:
        """Keep what there is room for."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        if self.room > 0:
            self.kept.append(text[: self.room])
            self.room -= len(text)
        return len(text)

    def taken(self) -> str:
        """What was printed since this was asked last."""
        text = "".join(self.kept)
        self.kept.clear()
        self.room = KEPT_OUTPUT
        return text


class Input(io.TextIOBase):
    """Where a program reads from: the lines that were given; without any, nobody ever answers."""

    encoding = "utf-8"

    def __init__(self, lines: list[str] | None, leave: Callable[[], None]) -> None:
        self._lines = None if lines is None else [line + "\n" for line in lines]
        self._leave = leave
        self._asked = False

    def readable(self) -> bool:
        """It is."""
        return True

    def readline(self, size: int | None = -1, /) -> str:  # type: ignore[override]
        """The next line; empty at the end of those that were given."""
        if self._lines is not None:
            return self._lines.pop(0) if self._lines else ""
        if self._asked:
            self._leave()  # it caught what it should have ended by
        self._asked = True
        raise Waiting

    def read(self, size: int | None = -1, /) -> str:
        """All lines that are left."""
        text = self.readline()
        while self._lines:
            text += self._lines.pop(0)
        return text


class Program:
    """The one program of this process, and the objects that checks were told of."""

    def __init__(self, host: Any, ask: Callable[[str], str]) -> None:
        self._host, self._ask = host, ask
        self._names: dict[str, Any] = {}
        self._objects = Objects()
        self._output = Output()
        self._lines = 0
        self._handlers = {"run": self.run, "values": self.values, "do": self.do}

    def take(self, text: str) -> str:
        """Answer a message."""
        message = loads(text)
        return dumps(self._handlers[message["do"]](message))

    def run(self, message: dict[str, Any]) -> dict[str, Any]:
        """Run the program."""
        code: str = message["code"]
        self._lines = code.count("\n") + 1
        self._settle(message)
        try:
            compiled = compile(code.removeprefix("\ufeff"), FILE, "exec", dont_inherit=True)
        except _PARSING as error:
            return self._told("done", [self._not_parsed(error)])
        module = types.ModuleType("__main__")
        module.__dict__["__builtins__"] = builtins
        sys.modules["__main__"] = module
        self._names = module.__dict__
        try:
            exec(compiled, self._names)
        except Waiting:
            return self._told("waiting", [])
        except SystemExit as stop:
            return self._told("done", self._exit(stop))
        except BaseException as error:  # noqa: BLE001 - whatever a program raises
            return self._told("done", [self.error(error)])
        return self._told("done", [])

    def values(self, message: dict[str, Any]) -> dict[str, Any]:
        """What names of the program hold; those that it doesn't define are left out."""
        writer = Writer(self._objects.number)
        found = {name: self._names[name] for name in message["names"] if name in self._names}
        return {"value": {name: writer.write(value) for name, value in found.items()}}

    def do(self, message: dict[str, Any]) -> dict[str, Any]:
        """Do something with the program's objects, for checks."""
        if message["what"] == "printed":
            return {"value": Writer(self._objects.number).write(self._output.taken()), "changed": {}}
        reader = Reader(self._objects.get, self._callback)
        try:
            args = [reader.read(value) for value in message["args"]]
            named = {name: reader.read(value) for name, value in message.get("named", {}).items()}
            value = OPERATIONS[message["what"]](*args, **named)
            writer = Writer(self._objects.number, reader.containers)
            return {"value": writer.write(value), "changed": writer.contents(reader.containers)}
        except Waiting:
            return {"error": {"names": [], "message": "the program waits for input", "line": None, "text": ""}}
        except BaseException as error:  # noqa: BLE001 - whatever a program raises
            names = [each.__name__ for each in type(error).__mro__]
            told = {"text": _text(error), "stop": isinstance(error, StopIteration)}
            return {"error": {"names": names, **self.error(error), **told}}

    def error(self, error: BaseException) -> dict[str, Any]:
        """What a student would see of an error."""
        line, step = None, error.__traceback__
        while step is not None:
            if step.tb_frame.f_code.co_filename == FILE:
                line = step.tb_lineno
            step = step.tb_next
        found: dict[str, Any] = {"kind": "uncaught", "message": _message(error), "line": line}
        if isinstance(error, ModuleNotFoundError) and isinstance(error.name, str):
            found |= {"message": f"ModuleNotFoundError: No module named {error.name!r}", "module": error.name}
        found["cause"] = _cause(error)
        return found

    def _settle(self, message: dict[str, Any]) -> None:
        def leave() -> None:
            self._host.last(dumps(self._told("waiting", [])))
            os._exit(0)

        given = Input(message["lines"], leave)

        def read(prompt: object = "", /) -> str:
            self._output.write(str(prompt))
            line = given.readline()
            if not line:
                raise EOFError("EOF when reading a line")
            return line.removesuffix("\n")

        def sleep(seconds: Any, /) -> None:
            if seconds < 0:
                raise ValueError("sleep length must be non-negative")
            self._host.advance(float(seconds) * 1000)

        builtins.input = read
        time.sleep = sleep
        sys.stdin = sys.__stdin__ = given  # type: ignore[assignment, misc]
        sys.stdout = sys.__stdout__ = self._output  # type: ignore[assignment, misc]
        sys.stderr = sys.__stderr__ = Output()  # type: ignore[assignment, misc]
        sys.argv = ["program.py"]
        random.seed(message["seed"])

    def _told(self, ended: str, errors: list[dict[str, Any]]) -> dict[str, Any]:
        names = [name for name in self._names if isinstance(name, str) and not name.startswith("__")]
        return {"ended": ended, "errors": errors, "names": names}

    def _not_parsed(self, error: BaseException) -> dict[str, Any]:
        line = getattr(error, "lineno", None)
        message = _message(error) if isinstance(error, SyntaxError) else "SyntaxError: the program can't be read"
        return {"kind": "syntax", "message": message.removesuffix(f" ({FILE})"), "line": line}

    def _exit(self, stop: SystemExit) -> list[dict[str, Any]]:
        if stop.code is None or (isinstance(stop.code, int) and stop.code == 0):
            return []
        text = f"the program ended with code {stop.code}" if isinstance(stop.code, int) else str(stop.code)
        return [self.error(stop) | {"kind": "exit", "message": text}]

    def _callback(self, number: int) -> Callable[..., Any]:
        """A function of the checks, for the program to call."""

        def call(*args: Any) -> Any:
            writer = Writer(self._objects.number)
            told = dumps({"callback": number, "args": [writer.write(value) for value in args]})
            answer = loads(self._ask(told))
            if "raised" in answer:
                raise RuntimeError(answer["raised"])
            return Reader(self._objects.get, self._callback).read(answer["value"])

        return call


def _cause(error: BaseException) -> str | None:
    """What this world has too little of, if that is why."""
    reason = getattr(error, "reason", error)
    if isinstance(error, MemoryError):
        return "memory"
    if isinstance(error, FileNotFoundError):
        return "file"
    if isinstance(error, RuntimeError) and error.args == ("can't start new thread",):
        return "thread"
    return "network" if isinstance(reason, OSError) and reason.errno == errno.EHOSTUNREACH else None


def _message(error: BaseException) -> str:
    """The last line of a traceback."""
    try:
        shown = traceback.TracebackException(type(error), error, error.__traceback__, compact=True)
        lines = list(shown.format_exception_only())
        return (lines[-1] if isinstance(error, SyntaxError) else "".join(lines)).strip()
    except BaseException:  # noqa: BLE001 - whatever a program raises
        return type(error).__name__


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except BaseException:  # noqa: BLE001 - whatever a program raises
        return ""


def harden() -> None:
    """Take the bridges out of Python away."""
    for name in [name for name in sys.modules if name.partition(".")[0] in BRIDGES]:
        del sys.modules[name]
    finders = [each for each in sys.meta_path if getattr(each, "__module__", "").startswith(("_frozen_", "importlib"))]
    sys.meta_path[:] = [Blocker, *finders]
    sys.excepthook = sys.__excepthook__
