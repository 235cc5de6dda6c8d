"""What the Python engine's processes load: Pyodide and the texts that run inside it.

In: the built runtime (`v8/bundle.py` says when it is refused) and the modules of `inside/`. Out: a script for V8, files
to hand to it, and the Python text that it begins with.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple

from redraft.execute.v8.bundle import PYTHON, bundle_text, file_path

HANDED = {"pyodide.asm.wasm": "pyodide.wasm", "python_stdlib.zip": "stdlib.zip"}
"""What Pyodide asks for -> the file of dist/."""
INSIDE = ("wire", "program", "checks")
"""Modules that run in the sandbox, each after those that it imports."""
KNOWN = """__future__ abc argparse array ast base64 bisect calendar cmath collections.abc colorsys configparser
contextlib copy csv dataclasses datetime decimal difflib doctest enum fractions functools glob hashlib heapq html
inspect io ipaddress itertools json keyword locale logging math numbers operator os pathlib pickle platform pprint
queue random re sched secrets shutil signal statistics string struct sys tempfile textwrap threading time timeit
tokenize traceback types typing unicodedata unittest urllib.parse uuid warnings weakref zlib"""
"""Modules that are loaded before the first copy is made, so that no program waits for them."""
BEGIN = """
import builtins, gc, importlib, sys, types
for name in {known!r}.split():
    importlib.import_module(name)
def begin(name, text):
    module = types.ModuleType(name)
    module.__dict__["__builtins__"] = dict(vars(builtins))
    sys.modules[name] = module
    exec(compile(text, name, "exec"), module.__dict__)
    return module
inside = {{name: begin(name, text) for name, text in {texts!r}.items()}}
for name in inside:
    del sys.modules[name]
def start(host, inside=inside, gc=gc):
    program, checks = inside[{program!r}], inside[{checks!r}]
    from pyodide.ffi import run_sync
    ask = lambda text: run_sync(host.ask(text))
    takes = program.Program(host, ask).take
    tests = checks.Checks(ask).take
    program.harden()
    gc.collect()
    gc.freeze()  # or each copy's first collection would touch, and so copy, every page
    return lambda text: (tests if text.startswith('{{"do": "check"') else takes)(text)
for _ in range(3):  # so that V8 compiles for speed what every program uses, before the first copy
    exec(compile({warm!r}, "warm", "exec"), {{}})
del begin, inside, name, _
start
"""
WARM = """
class Pair:
    def __init__(self, one):
        self.one = one
    def get(self):
        return self.one
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)
def work():
    total, pair, many, words = 0, Pair(3), [], {}
    for i in range(100_000):
        total += i * i % 7
    for i in range(10_000):
        total += pair.get()
        many.append(i)
        many[i] += 1
        words[str(i)] = words.get(str(i - 1), 0) + 1
    fib(16)
    return "".join(sorted(str(each) for each in many[:2000]))
work()
"""


class Loaded(NamedTuple):
    """All that a process loads."""

    script: str
    """For V8."""
    files: dict[str, bytes]
    """Name -> what is handed in."""
    begin: str
    """The Python that runs first."""

    @property
    def digest(self) -> str:
        """A hash of all of it."""
        parts = [self.script.encode(), *self.files.values(), self.begin.encode()]
        return hashlib.sha256(b"\0".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()


def load() -> Loaded:
    """Read it.

    Raises:
        BundleError: The runtime isn't built, or of other sources.
    """
    folder = Path(__file__).with_name("inside")
    texts = {f"{__package__}.inside.{name}": (folder / f"{name}.py").read_text(encoding="utf-8") for name in INSIDE}
    begin = BEGIN.format(
        known=KNOWN, texts=texts, warm=WARM, program=f"{__package__}.inside.program",
        checks=f"{__package__}.inside.checks",
    )  # fmt: skip
    files = {name: file_path(file, PYTHON).read_bytes() for name, file in HANDED.items()}
    return Loaded(bundle_text("pyodide", PYTHON), files, begin)
