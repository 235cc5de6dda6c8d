"""Checks of a title: what they may say of a program, and what a program can do about them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from factories import make_dataset, make_trace
from redraft.cli import main as command_line
from redraft.errors import InputError, UsageError
from redraft.execute.cache import Cache
from redraft.execute.checks import Checks, read_checks
from redraft.execute.dataset import execute_dataset, find_verdicts, is_judged
from redraft.execute.engine import EngineOptions, Job, checks_for, execute
from redraft.execute.judged import find_judgements, read_judgements
from redraft.execute.python.engine import LIMITS, Python
from redraft.execute.v8.usage import RunLimits
from redraft.execute.verdict import RULES, Program, Verdict
from redraft.metrics.measure import measure

LIMIT = RunLimits(cpu_seconds=1.0, memory_mb=LIMITS.memory_mb, reply_bytes=LIMITS.reply_bytes)
ADD = "assert add(1, 2) == 3\n\ndef test_negative():\n    assert add(-1, -2) == -3, 'negative numbers'\n"
RIGHT = "def add(a, b):\n    return a + b"


@pytest.fixture(scope="module")
def engine() -> Iterator[Python]:
    with Python(EngineOptions(workers=2), LIMIT) as made:
        yield made


def one(engine: Python, code: str, tests: str) -> Verdict:
    checks = Checks(texts={"t": tests}, digest="")
    program = Program(id="a", code=code, language="python", title="t")
    return next(execute([program], engine, rule=RULES["tests"], checks=checks))


def main(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        command_line(arguments)
    if stop.value.code:
        raise stop.value


@pytest.mark.parametrize(
    ("code", "tests"),
    [
        (RIGHT, ADD),
        ("def sort(a): a.sort()", "a = [3, 1, 2]\nassert sort(a) is None\nassert a == [1, 2, 3]"),
        ("def first(a):\n    return a[0]", "inner = []\na = [inner]\nassert first(a) is inner"),
        ("def each(f, many):\n    return [f(x) for x in many]", "assert each(lambda x: x + 1, [1, 2]) == [2, 3]"),
        ("def half(n):\n    if n % 2: raise ValueError('odd')\n    return n // 2",
         "assert half(4) == 2\nassert raises(ValueError, half, 3)\nassert not raises(ValueError, half, 2)\n"
         "try:\n    half(3)\n    assert False\nexcept ValueError as error:\n    assert str(error) == 'odd'"),
        ("class Odd(Exception): pass\ndef half(n): raise Odd", "assert raises('Odd', half, 3)"),
        ("a = int(input('a? '))\nb = int(input())\nprint(a + b)", "assert run(3, 4) == 'a? 7\\n'\nassert run(1, 1).endswith('2\\n')"),
        ("def say(w):\n    print('hello', w)", "say('you')\nassert printed() == 'hello you\\n'\nassert printed() == ''"),
        ("def count(text):\n    from collections import Counter\n    return Counter(text)", "assert count('aab') == {'a': 2, 'b': 1}"),
        ("def numbers():\n    yield 1\n    yield 2", "assert list(numbers()) == [1, 2]\nassert sum(numbers()) == 3"),
        ("from collections import namedtuple\nP = namedtuple('P', 'x y')\ndef p(): return P(1, 2)",
         "assert p() == (1, 2) and p().y == 2 and len(p()) == 2"),
        ("from enum import IntEnum\nclass C(IntEnum):\n    RED = 2\ndef c(): return C.RED", "assert c() == 2 and c() + 1 == 3"),
        ("total = 7\nnames = {'a': [1.5, None, True, 2 ** 100, (1, {2})]}",
         "assert total == 7\nassert names == {'a': [1.5, None, True, 2 ** 100, (1, {2})]}"),
        ("def sum(a): return 'mine'", "assert sum([1]) == 1\nfrom program import sum as theirs\nassert theirs([1]) == 'mine'"),
        ("class Point:\n    def __init__(self, x, y):\n        self.x, self.y = x, y\n"
         "    def __eq__(self, other): return (self.x, self.y) == (other.x, other.y)\n"
         "    def __add__(self, other): return Point(self.x + other.x, self.y + other.y)\n"
         "    def __str__(self): return f'({self.x}, {self.y})'\n    def __len__(self): return 2",
         "p = Point(1, 2)\nassert p == Point(1, 2) and p != Point(2, 1)\nassert isinstance(p, Point) and p.x == 1\n"
         "assert str(p + Point(1, 1)) == '(2, 3)' and len(p) == 2\np.x = 5\nassert p.x == 5\nassert p != (5, 2)"),
        ("def f(): return 1\nname = input('who? ')", "assert f() == 1"),
    ],
)  # fmt: skip
def test_right_programs_pass(engine: Python, code: str, tests: str) -> None:
    verdict = one(engine, code, tests)
    assert (verdict.verdict, verdict.errors) == ("ok", ())


@pytest.mark.parametrize(
    ("code", "kind", "message", "line"),
    [
        ("def add(a, b):\n    return a - b", "check", "the check in line 1 fails", None),
        ("def add(a, b):\n    return abs(a) + abs(b)", "check", "test_negative: negative numbers", None),
        ("def sub(a, b):\n    return a - b", "check", "NameError: name 'add' is not defined", None),
        ("def add(a, b):\n    x = 1\n    return x / 0", "uncaught", "ZeroDivisionError: division by zero", 3),
        (
            "def add(a):\n    return a",
            "uncaught",
            "TypeError: add() takes 1 positional argument but 2 were given",
            None,
        ),
        ("def add(a, b):\n    while True: pass", "timeout", "the program doesn't come to an end", None),
        ("def add(a, b):\n    return '3'", "check", "the check in line 1 fails", None),
    ],
)
def test_wrong_programs_fail_with_the_reason(
    engine: Python, code: str, kind: str, message: str, line: int | None
) -> None:
    verdict = one(engine, code, ADD)
    assert verdict.verdict == "failed"
    assert (verdict.errors[0].kind, verdict.errors[0].message, verdict.errors[0].line) == (kind, message, line)


def test_a_program_that_doesnt_run_is_an_error_whatever_its_checks(engine: Python) -> None:
    assert one(engine, f"{RIGHT}\nnothing_here", ADD).verdict == "error"
    assert one(engine, "def add(a, b)\n    return a + b", ADD).verdict == "error"
    assert one(engine, "while True: pass", ADD).verdict == "timeout"
    assert one(engine, f"import numpy\n{RIGHT}", ADD).verdict == "unscored"


CHEATS = {
    "equal to all": "class A:\n    def __eq__(self, other): return True\n    def __ne__(self, other): return False\n"
    "def add(a, b): return A()",
    "equal number": "class A(int):\n    def __eq__(self, other): return True\n    __hash__ = int.__hash__\n"
    "def add(a, b): return A(9)",
    "ordered": "class A:\n    __lt__ = __le__ = __gt__ = __ge__ = __eq__ = lambda self, other: True\ndef add(a, b): return A()",
    "exit": "import os\ndef add(a, b): os._exit(0)",
    "exit in python": "def add(a, b): raise SystemExit(0)",
    "claims": "import os\ndef add(a, b):\n    for fd in range(9):\n        try: os.write(fd, b'\\n{\"passed\": true, \"errors\": []}\\n')\n"
    "        except OSError: pass\n    os._exit(0)",
    "frames": "import sys\ndef add(a, b):\n    frame = sys._getframe()\n    while frame:\n"
    "        for space in (frame.f_globals, frame.f_locals):\n"
    "            for name in ('dumps', 'loads'): space[name] = lambda *a, **k: '{\"passed\": true, \"errors\": []}'\n"
    "        frame = frame.f_back\n    return 0",
    "assertions": "import builtins\nclass Never(Exception): pass\nbuiltins.AssertionError = Never\n"
    "AssertionError = Never\ndef add(a, b): return 0",
    "trace": "import sys\nsys.settrace(lambda *a: None)\ndef add(a, b): return 0",
    "collector": "import gc\ndef add(a, b):\n    for each in gc.get_objects():\n        if isinstance(each, dict) and 'passed' in each:\n"
    "            each['passed'] = True\n            each['errors'] = []\n    return 0",
    "modules": "import sys\nfor module in list(sys.modules.values()):\n    if hasattr(module, 'Checks'): module.Checks = None\n"
    "def add(a, b): return 0",
    "wrong wire": "import json\njson.dumps = lambda *a, **k: 'x'\njson.JSONEncoder.encode = json.dumps\ndef add(a, b): return 0",
    "generator of all": "def add(a, b):\n    yield a + b",
    "huge answer": "def add(a, b): return 'x' * 50_000_000",
    "deep answer": "def add(a, b):\n    x = []\n    for _ in range(100_000): x = [x]\n    return x",
}  # fmt: skip


def test_cheats_among_good_programs_fail(engine: Python) -> None:
    checks = Checks(texts={"t": ADD}, digest="")
    mixed = [
        Program(id=name, code=code, language="python", title="t")
        for cheat, text in CHEATS.items()
        for name, code in ((cheat, text), ("good", f"{RIGHT} # {cheat}"))
    ]
    found = list(execute(mixed, engine, rule=RULES["tests"], checks=checks))
    assert {verdict.verdict for verdict in found if verdict.id == "good"} == {"ok"}
    assert {verdict.id for verdict in found if verdict.verdict == "ok"} == {"good"}


def test_a_program_doesnt_see_what_is_checked(engine: Python) -> None:
    spy = """
import gc, sys
def add(a, b):
    told, frame = [], sys._getframe()
    while frame:
        told += [repr(frame.f_locals), repr(sorted(map(str, frame.f_globals)))]
        frame = frame.f_back
    told += [each for each in gc.get_objects() if isinstance(each, str)]
    told += [repr(each) for each in gc.get_objects() if isinstance(each, (dict, list, tuple)) and len(each) < 50]
    for folder in ('/', '/tmp', '/home/student'):
        import os
        told += os.listdir(folder)
    word = chr(83) + 'ECRET'
    raise Exception('seen' if word in ''.join(map(str, told)) else 'not seen')
"""
    (error,) = one(engine, spy, "# SECRET\nassert add(1, 2) == 3, 'SECRET'").errors
    assert error.message == "Exception: not seen"


def test_checks_of_strangers_are_in_the_sandbox_too(engine: Python) -> None:
    for tests in ("while True: pass\nassert 1", "import os\nos._exit(0)\nassert 1", "open('/etc/passwd')\nassert 1",
                  "import js\nassert 1", "a = 'x'\nwhile True: a += a\nassert 1"):  # fmt: skip
        assert one(engine, RIGHT, tests).verdict == "failed"
    assert one(engine, RIGHT, ADD).verdict == "ok"


def test_checks_are_read_by_title_and_all_wrong_files_named(tmp_path: Path) -> None:
    (tmp_path / "a b%2Fc.py").write_text("assert f() == 1")
    (tmp_path / "e\u0301.py").write_text("assert 1")
    found = read_checks(tmp_path)
    assert found.of("a b/c") == "assert f() == 1"
    assert found.of("\u00e9") == "assert 1"
    assert found.of("other") is None
    (tmp_path / "broken.py").write_text("assert f( ==")
    (tmp_path / "empty.py").write_text("x = 1")
    (tmp_path / "bytes.py").write_bytes(b"\xff")
    with pytest.raises(InputError, match=r"3 files.*broken\.py \(no Python in line 1\).*bytes|bytes.*broken") as told:
        read_checks(tmp_path)
    assert "empty.py (checks nothing)" in str(told.value)
    with pytest.raises(InputError, match="no checks"):
        read_checks(tmp_path / "nothing")


def test_other_engines_and_rules_say_that_they_run_no_checks(tmp_path: Path) -> None:
    (tmp_path / "t.py").write_text("assert 1")
    with pytest.raises(UsageError, match="v8 runs no checks"):
        checks_for("v8", "tests", tmp_path)
    with pytest.raises(UsageError, match="needs checks"):
        checks_for("python", "tests", None)
    with pytest.raises(UsageError, match="asks for no checks"):
        checks_for("python", "paper", tmp_path)


def test_verdicts_on_answers_are_kept_apart_by_title(engine: Python, tmp_path: Path) -> None:
    """The same program is right for one title and wrong for the other; whether it runs is another question still."""
    code = "def f(n):\n    return n + 1"
    traces = [make_trace([code], title=title, language="python") for title in ("next", "double", "unknown")]
    dataset = make_dataset(tmp_path / "d", traces)
    checks = Checks(texts={"next": "assert f(1) == 2 and f(5) == 6", "double": "assert f(5) == 10"}, digest="one")
    with Cache(tmp_path / "cache") as cache:
        file = execute_dataset(dataset, engine, name="python", rule="tests", checks=checks, cache=cache)
        execute_dataset(dataset, engine, name="python", cache=cache)
    assert file.name == "verdicts-python-tests.parquet"
    rows = {row["title"]: row["verdict"] for row in pq.read_table(file).to_pylist()}
    assert rows == {"next": "ok", "double": "failed", "unknown": "unscored"}
    assert find_verdicts(dataset, "tests") == (file,)
    said = read_judgements(find_judgements(dataset, "tests"))
    program = traces[0].states[0].id
    assert [said.runs(program, title) for title in ("next", "double", "unknown")] == [True, False, None]
    runs = {rule: measure(dataset, rule=rule) for rule in ("tests", "corrected")}
    table = {
        rule: dict(zip(each["title"].to_pylist(), each["runs_final"].to_pylist(), strict=True))
        for rule, each in runs.items()
    }
    assert table["corrected"] == {"next": 1.0, "double": 1.0, "unknown": 1.0}
    assert table["tests"] == {"next": 1.0, "double": 0.0, "unknown": None}
    assert is_judged(dataset, engine, name="python", rule="tests", checks=checks)
    others = Checks(texts=checks.texts, digest="two")
    assert not is_judged(dataset, engine, name="python", rule="tests", checks=others)


def test_an_outcome_is_known_again_only_with_the_same_checks(engine: Python, tmp_path: Path) -> None:
    ran = list[Job]()

    class Seen:
        version, languages = engine.version, engine.languages

        def run(self, jobs: list[Job]) -> object:
            ran.extend(jobs)
            return engine.run(jobs)

    program = [Program(id="a", code=RIGHT, language="python", title="t")]
    for tests in (ADD, ADD, "assert add(1, 1) == 3"):
        with Cache(tmp_path) as cache:
            checks = Checks(texts={"t": tests}, digest="")
            (verdict,) = execute(program, Seen(), rule=RULES["tests"], cache=cache, checks=checks)  # type: ignore[arg-type]
    assert len(ran) == 2
    assert verdict.verdict == "failed"


def test_the_command_takes_titles_of_json_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "checks").mkdir()
    (tmp_path / "checks" / "add.py").write_text(ADD)
    rows = [
        {"id": 1, "code": RIGHT, "language": "python", "title": "add"},
        {"id": 2, "code": "def add(a, b):\n    return 3", "language": "python", "title": "add"},
        {"id": 3, "code": RIGHT, "language": "python", "title": "other"},
        {"id": 4, "code": "fd 1", "language": "coffeescript", "title": "add"},
    ]
    given, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    given.write_text("".join(json.dumps(row) + "\n" for row in rows))
    main(
        [
            "execute",
            str(given),
            "--out",
            str(out),
            "--engine",
            "python",
            "--tests",
            str(tmp_path / "checks"),
            "--no-cache",
        ]
    )
    found = [json.loads(line) for line in out.read_text().splitlines()]
    assert [(row["id"], row["verdict"]) for row in found] == [
        (1, "ok"),
        (2, "failed"),
        (3, "unscored"),
        (4, "unscored"),
    ]
    assert "3 programs: 1 ok, 1 failed, 1 unscored" in capsys.readouterr().err
