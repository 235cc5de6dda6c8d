"""Inside the sandbox: run a title's checks against a program that lives in another process.

In: the checks' text and the names that the program defined, from outside. Out: whether all checks passed, and what
didn't. Nothing of the program is in this process. Its plain data comes over by value and is compared here; its
functions and objects stay there, and are used through a `Remote`. So a program can't see its checks, change them or
answer for them. It answers for its own objects: whether two of them are equal, what `len` or `in` says of one, is for
its own methods to say.

What checks find among their names, beside Python's own:

    every name that the program defined, unless Python or the checks define it
    program         all of the program's names as attributes; `from program import sum`
    run(*lines)     run the program again from its start, with these lines to read; what it prints
    printed()       what the program printed since it was asked last
    raises(kind, function, *args)    whether a call raises that kind of exception
"""

from __future__ import annotations

import ast
import builtins
import functools
import sys
import types
from collections.abc import Callable, Iterator
from json import dumps, loads
from typing import Any

from redraft.execute.python.inside.wire import Reader, Writer

FILE = "<checks>"
MAX_ERRORS = 20


class ProgramError(Exception):
    """The program raised an exception of its own kind."""


class Lost(Exception):  # noqa: N818 - not the checks' to catch by this name
    """The program is gone: it was stopped, or its process died."""


class Remote:
    """An object of the program's."""

    __slots__ = ("_content", "_kind", "_link", "_number", "_plain", "_run")

    def __init__(self, link: Link, number: int, content: Any, kind: str) -> None:
        for name, value in (("_link", link), ("_number", number), ("_run", link.runs), ("_kind", kind)):
            object.__setattr__(self, name, value)
        object.__setattr__(self, "_plain", content is not None)
        object.__setattr__(self, "_content", None if content is None else link.read(content))

    def __call__(self, *args: Any, **named: Any) -> Any:
        """Call it, where it lives."""
        return self._link.do("call", self, *args, **named)

    def __getattr__(self, name: str) -> Any:
        return self._link.do("getattr", self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        self._link.do("setattr", self, name, value)

    def __delattr__(self, name: str) -> None:
        self._link.do("delattr", self, name)

    def __instancecheck__(self, value: Any) -> bool:
        return isinstance(value, Remote) and self._link.do("isinstance", value, self) is True

    def __eq__(self, other: object) -> Any:
        if not isinstance(other, Remote):  # data is only equal to data, whatever the program's own __eq__ says
            return self._plain and self._content == other
        return self._link.do("eq", self, other)

    def __ne__(self, other: object) -> Any:
        if not isinstance(other, Remote):
            return not (self._plain and self._content == other)
        return self._link.do("ne", self, other)

    def __hash__(self) -> int:
        return hash(self._content) if self._plain else int(self._link.do("hash", self))

    def __bool__(self) -> bool:
        return bool(self._content) if self._plain else self._link.do("bool", self) is True

    def __iter__(self) -> Iterator[Any]:
        if self._plain:
            yield from self._content
            return
        inner = self._link.do("iter", self)
        while True:
            try:
                yield self._link.do("next", inner)
            except StopIteration:
                return

    def __next__(self) -> Any:
        return self._link.do("next", self)

    def __repr__(self) -> str:
        return str(self._link.do("repr", self))

    def __str__(self) -> str:
        return str(self._link.do("str", self))

    def __format__(self, spec: str) -> str:
        return str(self._link.do("format", self, spec))

    def __len__(self) -> int:
        return len(self._content) if self._plain else self._link.do("len", self)


def _give_operators() -> None:
    """Operators of `Remote`: done with its plain content if it has any, else where it lives."""

    def single(name: str) -> Callable[..., Any]:
        return lambda self, *args: self._link.do(name, self, *args)

    def binary(name: str, special: str) -> Callable[[Remote, Any], Any]:
        compares = name in ("lt", "le", "gt", "ge")

        def operate(self: Remote, other: Any) -> Any:
            if self._plain and not isinstance(other, Remote):
                return getattr(self._content, special)(other)
            if compares and not isinstance(other, Remote):
                return NotImplemented  # data is only compared with data
            return self._link.do(name, self, other)

        return operate

    def swapped(name: str, special: str) -> Callable[[Remote, Any], Any]:
        def operate(self: Remote, other: Any) -> Any:
            if self._plain and hasattr(self._content, special):
                return getattr(self._content, special)(other)
            return self._link.do(name, other, self)

        return operate

    for name in ("abs", "round", "neg", "pos", "invert", "int", "float", "index"):
        setattr(Remote, f"__{name}__", single(name))
    for name in ("getitem", "contains", "lt", "le", "gt", "ge"):
        setattr(Remote, f"__{name}__", binary(name, f"__{name}__"))
    for name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and_", "or_", "xor",
                 "lshift", "rshift"):  # fmt: skip
        bare = name.rstrip("_")
        setattr(Remote, f"__{bare}__", binary(name, f"__{bare}__"))
        setattr(Remote, f"__r{bare}__", swapped(name, f"__r{bare}__"))
    for name in ("setitem", "delitem"):
        setattr(Remote, f"__{name}__", lambda self, *args, _name=name: self._link.do(_name, self, *args))


_give_operators()


class Link:
    """The way to the program.

    Args:
        ask: Says a JSON text outside, and gives what is said back.
    """

    def __init__(self, ask: Callable[[str], str]) -> None:
        self._ask = ask
        self._callbacks: list[Any] = []
        self.runs = 0
        self.last_error: dict[str, Any] | None = None

    def do(self, what: str, *args: Any, **named: Any) -> Any:
        """Have something done where the program lives; raises what is raised there."""
        writer = Writer(self._mine)
        told = {
            "do": "do", "what": what, "args": [writer.write(value) for value in args],
            "named": {name: writer.write(value) for name, value in named.items()},
        }  # fmt: skip
        answer = self._said(told)
        if "error" in answer:
            self._raise(answer["error"])
        known = [*writer.containers]
        reader = Reader(self._callbacks.__getitem__, self._theirs, known)
        value = reader.read(answer["value"])
        reader.refill(answer["changed"], len(known))
        return value

    def values(self, names: list[str]) -> dict[str, Any]:
        """What names of the program hold, those that it defines."""
        answer = self._said({"do": "values", "names": names})
        return {name: self.read(answer["value"][name]) for name in names if name in answer["value"]}

    def again(self, lines: list[str]) -> dict[str, Any]:
        """Run the program anew, with lines to read."""
        self.runs += 1
        return self._said({"do": "again", "lines": lines})

    def read(self, told: list[Any]) -> Any:
        """A value of the program's."""
        return Reader(self._callbacks.__getitem__, self._theirs).read(told)

    def _said(self, told: dict[str, Any]) -> dict[str, Any]:
        answer = loads(self._ask(dumps(told)))
        while "callback" in answer:
            answer = loads(self._ask(dumps(self._called(answer))))
        if "lost" in answer:
            raise Lost(answer["lost"])
        if not isinstance(answer, dict):
            raise ValueError("no answer")
        return answer

    def _called(self, told: dict[str, Any]) -> dict[str, Any]:
        """The program calls a function of the checks."""
        try:
            function = self._callbacks[told["callback"]]
            return {"do": "back", "value": Writer(self._mine).write(function(*map(self.read, told["args"])))}
        except Exception as error:  # noqa: BLE001 - whatever checks or programs raise
            return {"do": "back", "raised": f"{type(error).__name__}: {error}"}

    def _mine(self, value: Any) -> list[Any]:
        if isinstance(value, Remote):
            if value._run != self.runs:
                raise Lost("an object of an earlier run is used")
            return ["h", value._number]
        self._callbacks.append(value)
        return ["k", len(self._callbacks) - 1]

    def _theirs(self, number: int, content: Any, kind: str, calls: bool) -> Remote:
        return Remote(self, number, content, kind)

    def _raise(self, error: dict[str, Any]) -> None:
        if error.get("stop"):
            raise StopIteration
        self.last_error = error
        for name in error["names"]:
            base = getattr(builtins, name, None)
            if isinstance(base, type) and issubclass(base, BaseException):
                # Checks may well say `except ValueError`; what ends Python is never theirs to meet.
                raise (base if issubclass(base, Exception) else ProgramError)(error["text"])
        raise ProgramError(error["message"])


class Checks:
    """One title's checks, for one program."""

    def __init__(self, ask: Callable[[str], str]) -> None:
        self._link = Link(ask)
        self._errors: list[dict[str, Any]] = []

    def take(self, text: str) -> str:
        """Run the checks."""
        message = loads(text)
        try:
            self._check(message["tests"])
        except Lost as lost:
            self._errors.append({"kind": str(lost), "message": "", "line": None})
        return dumps({"passed": not self._errors, "errors": self._errors[:MAX_ERRORS]})

    def _check(self, tests: str) -> None:
        tree = ast.parse(tests, FILE)
        names: dict[str, Any] = {"__name__": "checks", **self._offered()}
        wanted = _names_used(tree) - names.keys() - vars(builtins).keys()
        names |= self._link.values(sorted(wanted))
        sys.modules["program"] = _Module(self._link)
        if not self._passes("the checks", lambda: exec(compile(tree, FILE, "exec"), names)):
            return
        for name, function in list(names.items()):
            if name.startswith("test") and isinstance(function, types.FunctionType):
                self._passes(name, function)

    def _offered(self) -> dict[str, Any]:
        link = self._link

        def run(*lines: object) -> str:
            told = link.again([str(line) for line in lines])
            if told["errors"]:
                link.last_error = told["errors"][0]
                raise ProgramError(told["errors"][0]["message"])
            return str(link.do("printed"))

        def raises(kind: Any, function: Callable[..., Any], *args: Any, **named: Any) -> bool:
            wanted = kind if isinstance(kind, str) else kind.__name__
            link.last_error = None
            try:
                function(*args, **named)
            except Exception as error:  # noqa: BLE001 - whatever checks or programs raise
                told = link.last_error
                names = told["names"] if told else [each.__name__ for each in type(error).__mro__]
                return wanted in names
            return False

        return {"run": run, "raises": raises, "printed": functools.partial(link.do, "printed")}

    def _passes(self, name: str, check: Callable[[], object]) -> bool:
        self._link.last_error = None
        try:
            check()
        except Lost:
            raise
        except AssertionError as error:
            line = _line_of(error)
            place = name if name != "the checks" else f"the check in line {line}"
            said = f"{place}: {error}" if str(error) else f"{place} fails"
            self._errors.append({"kind": "check", "message": said, "line": None})
        except Exception as error:  # noqa: BLE001 - whatever checks or programs raise
            told = self._link.last_error
            if told and told.get("kind"):
                record = {key: told[key] for key in ("kind", "message", "line")}
            else:
                record = {"kind": "check", "message": f"{type(error).__name__}: {error}", "line": None}
            self._errors.append(record)
        else:
            return True
        return False


class _Module(types.ModuleType):
    """The program's names as attributes, for `import program`."""

    def __init__(self, link: Link) -> None:
        super().__init__("program")
        self._link = link

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        found = self._link.values([name])
        if name not in found:
            raise AttributeError(f"the program defines no {name}")
        return found[name]


def _names_used(tree: ast.Module) -> set[str]:
    """Names that checks use, but for those that they themselves give a value at the top."""
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    given = set[str]()
    for top in tree.body:
        match top:
            case ast.FunctionDef() | ast.ClassDef():
                given.add(top.name)
            case ast.Import() | ast.ImportFrom():
                given |= {alias.asname or alias.name.partition(".")[0] for alias in top.names}
            case _:
                inner = (node for node in ast.walk(top) if isinstance(node, ast.Name))
                given |= {node.id for node in inner if isinstance(node.ctx, ast.Store)}
    return used - given


def _line_of(error: BaseException) -> int | None:
    line, step = None, error.__traceback__
    while step is not None:
        if step.tb_frame.f_code.co_filename == FILE:
            line = step.tb_lineno
        step = step.tb_next
    return line
