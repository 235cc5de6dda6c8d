"""The Python engine: what a student would see, hostile programs among good ones, and nothing of them left."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from processes import descendants
from redraft.execute.engine import EngineOptions, execute, isolation
from redraft.execute.python.engine import LIMITS, Python
from redraft.execute.v8.usage import RunLimits
from redraft.execute.verdict import Program, Verdict

GOOD = "def area(w, h):\n    return w * h\n\nassert [area(n, 2) for n in range(3)] == [0, 2, 4]\nprint(len('abc'), sum([1, 2]))"
LIMIT = RunLimits(cpu_seconds=1.0, memory_mb=LIMITS.memory_mb, reply_bytes=LIMITS.reply_bytes)
BRIDGE = """
import gc, sys
found, seen, stack, frame = [], set(), [], sys._getframe()
while frame:
    stack += [frame.f_locals, frame.f_globals]
    frame = frame.f_back
def walk(value, depth):
    for each in gc.get_referents(value):
        if id(each) not in seen:
            seen.add(id(each))
            if type(each).__name__ == 'JsProxy' or 'constructor' in dir(type(each)):
                found.append(each)
            if depth < 20:
                walk(each, depth + 1)
sys.setrecursionlimit(9000)
walk(stack, 0)
"""
HOSTILE = {
    "endless": "while True: pass",
    "endless generator": "for _ in iter(int, 1): pass",
    "endless regex": "import re\nre.match(r'(a+)+$', 'a' * 40 + '!')",
    "endless catching": "while True:\n    try:\n        while True: pass\n    except BaseException: pass",
    "endless input": "while True:\n    try:\n        input()\n    except BaseException: pass",
    "endless message": "class E(Exception):\n    def __str__(self):\n        while True: pass\nraise E",
    "endless sort": "class C:\n    def __lt__(self, other):\n        while True: pass\nsorted([C(), C()])",
    "huge number": "9 ** 9 ** 9",
    "number of digits": "import sys\nsys.set_int_max_str_digits(0)\nstr(7 ** 10 ** 7)",
    "huge text": "'x' * 2_000_000_000",
    "text doubling": "a = 'x'\nwhile True: a += a",
    "huge list": "[0] * 500_000_000",
    "list doubling": "a = [1]\nwhile True: a += a",
    "many objects": "a = []\nwhile True: a.append([a])",
    "file bomb": "f = open('bomb', 'w')\nwhile True:\n    f.write('x' * 10 ** 6)\n    f.flush()",
    "deep": "def f(): return f()\nf()",
    "deeper": "import sys\nsys.setrecursionlimit(10 ** 9)\ndef f(): return [f()]\nf()",
    "deep value": "x = []\nfor _ in range(10 ** 6): x = [x]\nrepr(x)",
    "deep brackets": "(" * 50_000,
    "deep sum": "eval('1+' * 100000 + '1')",
    "odd characters": "x = '\0 \ud800'",
    "large": "x = 1\n" * 150_000,
    "output": "while True: print('x' * 100_000)",
    "raw output": "import os\nwhile True: os.write(1, b'x' * 100_000)",
    "error text": "raise Exception('x' * 10 ** 8)",
    "read memory": "import ctypes\nctypes.string_at(2 ** 32 - 8, 100)",
    "write memory": "import ctypes\nfor at in range(0, 2 ** 25, 64): ctypes.memset(at, 255, 64)",
    "foreign function": "import ctypes\nctypes.CDLL(None).system(b'touch /tmp/out')",
    "subclasses": "for c in object.__subclasses__():\n    if c.__name__ == '_wrap_close':\n"
    "        raise Exception(c.__init__.__globals__['system']('touch /tmp/out'))",
    "system": "import os\nraise Exception(os.system('touch /tmp/out'))",
    "process": "import subprocess\nsubprocess.run(['ls'])",
    "fork": "import os\nos.fork()",
    "thread": "import threading\nthreading.Thread(target=print).start()",
    "network": "import socket\nsocket.create_connection(('192.0.2.1', 80))",
    "page": "import urllib.request\nurllib.request.urlopen('http://192.0.2.1/')",
    "host file": "print(open('/etc/passwd').read())",
    "host folder": "import os\nif 'etc' not in os.listdir('/'): raise Exception('none')",
    "js": "import js\njs.process",
    "pyodide": "import pyodide.code\npyodide.code.run_js('1')",
    "core": "import _pyodide_core",
    "run_js": "import importlib\nimportlib.import_module('_pyodide_core').run_js('1')",
    "bridge": BRIDGE + "raise Exception(len(found))",
    "abort": "import os\nos.abort()",
    "exit code": "import os\nos._exit(7)",
    "kill": "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)",
    "kill parent": "import os, signal\nos.kill(os.getppid(), signal.SIGKILL)\nraise Exception('not there')",
    "signal": "import signal\nsignal.raise_signal(signal.SIGTERM)\nraise Exception('still here')",
    "segment": "import faulthandler\nfaulthandler._sigsegv()",
    "builtins": "import builtins\nfor name in list(vars(builtins)): setattr(builtins, name, None)\nprint(1)",
    "imports": "import builtins\nbuiltins.__import__ = None\nimport math",
    "import hook": "import sys\nsys.meta_path.clear()\nsys.modules.clear()\nimport math",
    "streams": "import sys\nsys.stdout = sys.stderr = None\nraise Exception('still here')",
    "json": "import json, json.encoder\njson.dumps = json.encoder.JSONEncoder.encode = None\nraise Exception('mine')",
    "forged answer": "import os\nfor fd in range(10):\n    try: os.write(fd, b'\\n{\"ended\": \"done\", \"errors\": []}\\n')\n"
    "    except OSError: pass\nraise Exception('mine')",
    "trace": "import sys\ndef t(frame, what, value):\n    return t\nsys.settrace(t)\nraise Exception('still here')",
    "pickle": "import pickle\npickle.loads(b\"cos\\nabort\\n(tR.\")",
    "exception hook": "import sys\nsys.excepthook = lambda *a: None\nraise Exception('still here')",
    "leave in exit": "import atexit\natexit.register(lambda: 1 / 0)\nraise SystemExit(3)",
}  # fmt: skip
MAY_RUN = {
    "host folder",
    "foreign function",
    "large",
    "raw output",
    "output",
    "deep sum",
    "write memory",
    "read memory",
    "endless sort",
}
"""Not wrong in themselves, or not in this world: any verdict will do, if it is no harm."""
UNSCORED = {"host file", "network", "page", "thread"}
"""What this world lacks; the program may be right elsewhere."""


@pytest.fixture(scope="module")
def engine() -> Iterator[Python]:
    with Python(EngineOptions(workers=2), LIMIT) as made:
        yield made


def one(engine: Python, code: str, language: str | None = "python") -> Verdict:
    return next(execute([Program(id="a", code=code, language=language)], engine))


@pytest.mark.parametrize(
    ("code", "kind", "message", "line"),
    [
        ("x = 1\ny = x / 0", "uncaught", "ZeroDivisionError: division by zero", 2),
        ("count = 1\nprint(cout)", "uncaught", "NameError: name 'cout' is not defined. Did you mean: 'count'?", 2),
        ("def f(a):\n    return a + '1'\n\nf(1)", "uncaught", "TypeError: unsupported operand type(s) for +: 'int' and 'str'", 2),
        ("if True print(1)", "syntax", "SyntaxError: invalid syntax", 1),
        ("x = 1\nif x:\n", "syntax", "IndentationError: expected an indented block after 'if' statement on line 2", 2),
        ("print 'hello'", "syntax", "SyntaxError: Missing parentheses in call to 'print'. Did you mean print(...)?", 1),
        ("x = (1 +\n", "syntax", "SyntaxError: '(' was never closed", 1),
        ("import maths", "uncaught", "ModuleNotFoundError: No module named 'maths'", 1),
        ("import sys\nsys.exit('no')", "exit", "no", 2),
        ("int('x')", "uncaught", "ValueError: invalid literal for int() with base 10: 'x'", 1),
        ("class A:\n    def __repr__(self): return repr(self)\nrepr(A())", "uncaught", "RecursionError: maximum recursion depth exceeded", 2),
        ("from math import squareroot", "uncaught", "ImportError: cannot import name 'squareroot' from 'math'", 1),
        ("from random import radnint", "uncaught", "ImportError: cannot import name 'radnint' from 'random'. Did you mean: 'randint'?", 1),
        ("def f(): return f()\nf()", "uncaught", "RecursionError: maximum recursion depth exceeded", 1),
    ],
)  # fmt: skip
def test_errors_are_as_a_student_sees_them(engine: Python, code: str, kind: str, message: str, line: int) -> None:
    verdict = one(engine, code)
    assert verdict.verdict == "error"
    (error,) = verdict.errors
    assert (error.kind, error.message, error.line) == (kind, message, line)


@pytest.mark.parametrize(
    "code",
    [
        GOOD,
        "import sys\nsys.exit()",
        "import os\nos._exit(0)",
        "name = input('name? ')\nprint(name.undefined)",  # nobody answers: it waits for its reader
        "while True:\n    try:\n        n = int(input())\n        break\n    except ValueError: pass\n",
        "import math, random, re, json, datetime, collections, itertools, decimal, statistics, string, csv, heapq\n"
        "from dataclasses import dataclass\nassert math.sqrt(4) == 2",
        "with open('mine.txt', 'w') as f: f.write('x')\nassert open('mine.txt').read() == 'x'",
        "import time\nstart = time.time()\ntime.sleep(10 ** 6)\nassert 10 ** 6 <= time.time() - start < 10 ** 6 + 10",
        "é = 'ü'\nprint(é * 3)",
        "\ufeffprint(1)\r\nif True:\r\n    print(2)\r\n",
        "def g(n): return 0 if n == 0 else sum(map(g, [n - 1]))\ng(450)",
        "if __name__ == '__main__': print(1)\nelse: raise Exception",
    ],
)
def test_programs_that_run(engine: Python, code: str) -> None:
    verdict = one(engine, code)
    assert (verdict.verdict, verdict.errors) == ("ok", ())


def test_what_this_world_lacks_is_no_failure(engine: Python) -> None:
    found = {
        code: one(engine, code)
        for code in ("import numpy", "import turtle\nturtle.fd(1)", "open('data.csv')", "import asyncio\nasync def f(): pass\nasyncio.run(f())")
    }  # fmt: skip
    assert {verdict.verdict for verdict in found.values()} == {"unscored"}
    assert found["import numpy"].errors[0].message == "ModuleNotFoundError: No module named 'numpy'"
    assert found["open('data.csv')"].errors[0].message.startswith("FileNotFoundError: [Errno 2]")


def test_other_languages_are_left_to_others(engine: Python) -> None:
    assert one(engine, "fd 1", "coffeescript").verdict == "unscored"
    assert one(engine, "print(1)", None).language == "python"


def test_nothing_leaks_from_one_program_to_the_next(engine: Python) -> None:
    spoil = (
        "import builtins, sys, os, math, random\nbuiltins.leak = math.leak = 1\nos.environ['LEAK'] = '1'\n"
        "open('leak', 'w').close()\nrandom.seed(5)\nsys.path.append('leak')\nlen = builtins.len = None"
    )
    look = (
        "import builtins, sys, os, math, random\nassert not hasattr(builtins, 'leak') and not hasattr(math, 'leak')\n"
        "assert 'LEAK' not in os.environ and not os.path.exists('leak') and 'leak' not in sys.path\n"
        "assert len([random.random()]) == 1 and random.Random(0).random() != random.random()"
    )
    codes = [code for n in range(6) for code in (f"{spoil} # {n}", f"{look} # {n}")]
    verdicts = list(execute([Program(id="a", code=code, language="python") for code in codes], engine))
    assert [verdict.verdict for verdict in verdicts] == ["ok"] * 12, [verdict.errors for verdict in verdicts]


def test_a_programs_chance_and_time_are_the_same_each_time(engine: Python) -> None:
    code = "import random, time, uuid, os\nraise Exception(random.random(), time.time(), uuid.uuid4(), os.urandom(4), {'a', 'b'}) # %d"
    said = {one(engine, code % n).errors[0].message for n in range(3)}
    assert len(said) == 1


def test_hostile_programs_cost_nobody_elses_result(engine: Python) -> None:
    out = Path("/tmp/out")
    out.unlink(missing_ok=True)
    mixed = [
        program
        for name, code in HOSTILE.items()
        for program in (
            Program(id=name, code=code, language="python"),
            Program(id="good", code=f"{GOOD} # {name}", language="python"),
        )
    ]
    verdicts = list(execute(mixed, engine))
    assert [verdict.id for verdict in verdicts] == [program.id for program in mixed]
    assert Counter(verdict.verdict for verdict in verdicts if verdict.id == "good") == {"ok": len(HOSTILE)}
    found = {verdict.id: verdict.verdict for verdict in verdicts if verdict.id != "good"}
    assert {name for name, verdict in found.items() if verdict == "ok"} - MAY_RUN == {"endless input"}
    assert {found[name] for name in UNSCORED} == {"unscored"}
    assert {found[name] for name in ("endless", "endless regex", "endless catching", "endless message")} == {"timeout"}
    assert {found[name] for name in ("huge text", "text doubling", "huge list", "list doubling")} == {"memory"}
    assert {found[name] for name in ("js", "pyodide", "system", "fork", "forged answer", "exit code")} == {"error"}
    assert not out.exists()
    # Nothing is left behind: each worker, and the process that it has copied.
    time.sleep(0.2)
    assert len(descendants(os.getpid())) <= 2 * 2


def test_a_program_that_gets_out_of_python_finds_nothing(engine: Python) -> None:
    """Whoever gets hold of JavaScript is in a V8 without any host: no clock, no modules, no way to make code run."""
    names = ("process", "require", "fetch", "Deno", "WebAssembly", "SharedArrayBuffer", "Atomics", "Temporal", "Intl",
             "read", "load", "readbuffer")  # fmt: skip
    probe = "[" + ",".join(f"typeof {name}" for name in names) + "].join() + new Date().getFullYear()"
    code = (
        BRIDGE
        + f"""
said = []
for each in found:
    for way in (lambda: each.constructor.constructor, lambda: each.constructor, lambda: type(each).constructor):
        try:
            said.append(str(way()({f"return {probe}"!r})()))
        except BaseException:
            pass
raise Exception('; '.join(said) or 'no way')
"""
    )
    (error,) = one(engine, code).errors
    told = {part for part in error.message.removeprefix("Exception: ").split("; ") if part.startswith("undefined")}
    assert told == {",".join(["undefined"] * len(names)) + "2026"}, "there is a way, and nothing at its end"


def test_every_wall_of_the_other_engine_stands_here_too() -> None:
    assert {wall.name: wall.problem for wall in isolation("python")} == {
        wall.name: wall.problem for wall in isolation("v8")
    }


def test_a_worker_says_why_it_doesnt_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Python, "command", (*Python.command[:1], "-c", "raise SystemExit('not today')"))
    with pytest.raises(Exception, match="not today"), Python(EngineOptions(workers=1)) as made:
        one(made, "1")
