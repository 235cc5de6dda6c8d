"""A worker of the V8 engine: `python -m redraft.execute.v8.worker`, started by the pool only.

In, on standard input: a line of JSON with the two bundles and the limits, then a line per task. Out, on standard
output: a line per task. Compiling happens here, in a trusted isolate that never runs a program; every program runs in
a process copied for it alone (`zygote`). The embedded V8 has no files, network, processes or real clock to offer a
program; beyond that the copy gives up what it can: file descriptors, files, core dumps, privileges.

The copies are watched by the process they are of, this one by the pool: a program so large that compiling it takes
too long costs the worker. It ends by `os._exit`: a clean exit may hang in V8.
"""

from __future__ import annotations

import json
import re
import secrets
from ctypes import CDLL
from functools import partial
from typing import Any

from redraft.execute.v8.copies import V8Zygote
from redraft.execute.v8.isolate import COMPILING, Isolate, load_library
from redraft.execute.v8.sealing import Seal
from redraft.execute.v8.usage import RunLimits
from redraft.execute.v8.working import MAX_MESSAGE, Answer, work
from redraft.execute.v8.zygote import Ran

MAX_ERRORS = 20
COMPILER_MB = 160
_DIED_OF_MEMORY = re.compile(rb"out of memory|\bOOM\b|invalid (?:\w+ )*(?:size|length)|allocation failed", re.I)
_LINE = re.compile(r"[^:]*:(\d+):")


class CompilerError(Exception):
    """The compiler gave no answer."""


class Compiler:
    """The trusted isolate with compiler.js."""

    def __init__(self, library: CDLL, text: str) -> None:
        self._library, self._text = library, text
        self._isolate = self._load()

    def _load(self) -> Isolate:
        isolate = Isolate(self._library, int(COMPILER_MB * 1e6))
        isolate.eval(self._text)
        return isolate

    def renew(self) -> None:
        """Take a new isolate; the old one is freed."""
        self._isolate.free()
        self._isolate = self._load()

    def call(self, function: str, **arguments: Any) -> Any:
        """Call a function of compiler.js.

        Raises:
            CompilerError: It ran out of memory, or broke.
        """
        said = self._isolate.eval(f"__compiler.{function}({_literal(json.dumps(arguments))})")
        if not said.is_text:
            self.renew()
            raise CompilerError("memory" if said.out_of_memory else "crash")
        return json.loads(said.text)


def _literal(text: str) -> str:
    """A string of JavaScript, in ASCII: it may hold NUL and lone surrogates."""
    return json.dumps(text)


def run(compiler: Compiler, zygote: V8Zygote, task: dict[str, Any]) -> dict[str, Any]:
    """Run a program in one language: the answer.

    Raises:
        CompilerError: It can't be compiled, for another reason than its syntax.
        EOFError: The process that is copied is gone.
    """
    token = secrets.token_hex(16)
    code: str = task["code"]
    source = f'{code}\nconsole.log("{token}")'
    coffee = task["language"] == "coffeescript"
    if coffee:
        made = compiler.call("compile", code=source)
        if made.get("error", {}).get("kind") == "internal":
            compiler.renew()
    elif code.startswith("#!"):
        made = {}  # allowed at the head of a script, not of a function
    else:
        made = compiler.call("check", code=source)
        if made.get("error", {}).get("kind") == "internal":
            made = {}  # nested too deep for this process to tell: the copy will
    if "error" in made:
        return _not_parsed(zygote, task, source, made["error"])
    options = {
        "token": token,
        "seed": task["seed"],
        "limitMs": task["window"][0],
        "extraMs": task["window"][1],
        "drawing": task["drawing"],
    }
    ran = zygote.run(made.get("js", source), options)
    if ran.ended != "done":
        return {"ended": _how_it_died(ran)}
    result = json.loads(ran.text)
    if result.get("frozen"):
        return {"ended": "timeout"}
    errors = _errors(result["errors"], None if coffee else _lines(code))
    if coffee and errors:
        _place_syntax(zygote, made["js"], errors)
        _locate(compiler, source, errors, _lines(code))
    return {
        "ended": "done",
        "end_reached": bool(result["endReached"]),
        "errors": errors,
        "used_assets": bool(result.get("usedAssets")),
        "drawing": result.get("drawing") if task["drawing"] else None,
    }


def _how_it_died(ran: Ran) -> str:
    return "memory" if ran.ended == "crash" and _DIED_OF_MEMORY.search(ran.text) else ran.ended


def _lines(code: str) -> int:
    return code.count("\n") + 1


def _not_parsed(zygote: V8Zygote, task: dict[str, Any], source: str, error: dict[str, Any]) -> dict[str, Any]:
    line = error["line"]
    if task["language"] == "javascript" and task["first"]:
        # `<anonymous>:LINE: SyntaxError: ...`
        place = _LINE.match(zygote.syntax_error(source))
        line = int(place[1]) if place else None
    record = {"kind": "syntax", "message": error["message"], "line": line, "column": None}
    errors = _errors([record], _lines(task["code"]))
    return {"ended": "done", "end_reached": False, "errors": errors, "used_assets": False}


def _errors(found: Any, lines: int | None) -> list[dict[str, Any]]:
    """Error records, nothing in them trusted; `lines` of the program, unless the places are of compiled JavaScript."""
    errors = []
    for error in found[:MAX_ERRORS]:
        line, column = error.get("line"), error.get("column")
        message = "".join(letter if letter.isprintable() else " " for letter in str(error["message"])[:MAX_MESSAGE])
        errors.append(
            {
                "kind": str(error["kind"])[:20],
                "message": message,
                # The last line is ours: a program that breaks off there broke off at its own end.
                "line": min(int(line), lines or int(line)) if isinstance(line, int | float) and line >= 1 else None,
                "column": int(column) if isinstance(column, int | float) else 1,
            }
        )
    return errors


def _place_syntax(zygote: V8Zygote, compiled: str, errors: list[dict[str, Any]]) -> None:
    """Where in compiled JavaScript V8 found what the compiler had let through, such as smart quotes."""
    for error in errors:
        if error["kind"] == "syntax" and error["line"] is None:
            said = zygote.syntax_error(compiled)
            if place := _LINE.match(said):
                error["line"], error["column"] = int(place[1]), int(said.rsplit("@", 1)[-1])


def _locate(compiler: Compiler, source: str, errors: list[dict[str, Any]], lines: int) -> None:
    """Lines of compiled JavaScript into the student's own."""
    placed = [error for error in errors if error["line"] is not None]
    places = [[error["line"], error["column"]] for error in placed]
    if not places:
        return
    for error, line in zip(placed, compiler.call("locate", code=source, places=places), strict=True):
        error["line"] = min(line, lines) if line else None


def answer(compiler: Compiler, zygote: V8Zygote, task: dict[str, Any]) -> dict[str, Any]:
    """Run a program; whatever happens, an answer."""
    try:
        return run(compiler, zygote, task)
    except CompilerError as error:
        return {"ended": str(error)}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {"ended": "crash"}  # a program made the runtime say something else


def prepare(setup: dict[str, Any], seal: Seal) -> Answer:
    """Load the compiler, and the process that is copied."""
    zygote = V8Zygote(setup["runtime"], RunLimits(**setup["limits"]), seal)
    library = load_library(COMPILING)
    seal.settle()
    seal.enclose()
    compiler = Compiler(library, setup["compiler"])
    compiler.call("compile", code="fd 1")
    seal.problems = zygote.problems() | seal.problems
    return partial(answer, compiler, zygote)


if __name__ == "__main__":
    work(prepare)
