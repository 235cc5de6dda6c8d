"""What stands between a student's program and this system: nothing runs outside a sealed process, and nothing leaves one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from redraft.cli import main
from redraft.errors import RedraftError, UsageError
from redraft.execute.cache import Cache
from redraft.execute.engine import Done, EngineOptions, Job, execute, isolation, refuse_lacking
from redraft.execute.v8.engine import V8
from redraft.execute.v8.usage import RunLimits
from redraft.execute.verdict import Attempt, Outcome, Program, Verdict

BROKEN = (sys.executable, str(Path(__file__).with_name("broken_v8.py")))
USERS = (None, 12345) if hasattr(os, "geteuid") and os.geteuid() == 0 else (None,)
"""As whom the engine is started: as root also as somebody else."""
OPEN_FILES = {"open", "creat", "unlink", "rename", "mkdir", "truncate", "symlink", "execv"}


def broken(*arguments: object) -> dict[str, Any]:
    done = subprocess.run([*BROKEN, *map(str, arguments)], capture_output=True, text=True, timeout=120, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a process would have every right by its files' modes."""
    file = tmp_path / "precious"
    file.write_text("x")
    for path in (file, *tmp_path.parents[:3], tmp_path):
        path.chmod(0o777)
    return tmp_path


@pytest.fixture
def victim() -> Iterator[subprocess.Popen[bytes]]:
    """A process to reach for."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as process:
        yield process
        process.kill()


@pytest.fixture(scope="module")
def engine() -> Iterator[V8]:
    with V8(EngineOptions(workers=1), RunLimits(cpu_seconds=1)) as made:
        yield made


def one(engine: V8, code: str, language: str) -> Verdict:
    return next(execute([Program(id="a", code=code, language=language)], engine))


@pytest.mark.parametrize("user", USERS)
def test_native_code_gets_nowhere(folder: Path, victim: subprocess.Popen[bytes], user: int | None) -> None:
    found = broken("escape", folder, victim.pid, *(["--user", user] if user else []))
    if "seccomp" in found["problems"]:
        pytest.skip(f"this system has no filter of system calls: {found['problems']['seccomp']}")
    got = {name: what for name, what in found["tries"].items() if not name.startswith("descriptor")}
    assert set(got.values()) == {"EPERM"}, got
    assert {what for name, what in found["tries"].items() if name not in got} == {"EBADF"}
    assert victim.poll() is None
    assert [path.name for path in folder.iterdir()] == ["precious"]


@pytest.mark.parametrize("user", USERS)
def test_no_wall_is_the_only_one(folder: Path, victim: subprocess.Popen[bytes], user: int | None) -> None:
    found = broken("escape", folder, victim.pid, "--without", "seccomp", *(["--user", user] if user else []))
    assert found["problems"]["seccomp"] == "not here"
    assert found["facts"]["no_new_privs"] == 1
    assert found["facts"]["uid"] != 0
    passes = {name for name, what in found["tries"].items() if what == "done"}
    lacking = found["problems"].keys() - {"seccomp"}
    assert passes <= {"prctl", "mmap", "mprotect"} | (OPEN_FILES if "landlock" in lacking else set()), lacking


def test_nothing_of_a_students_runs_where_programs_are_compiled() -> None:
    found = broken("compile")
    assert found["ran"] == []
    assert found["lines"] == [2, 3, 2]
    assert found["endless"] == "done"  # read to its end, but not run


def test_a_program_nested_too_deep_to_check_costs_no_worker(engine: V8) -> None:
    one(engine, "fd(1)", "javascript")
    before = list(engine.pool.pids)
    for depth in range(2200, 2260, 3):
        assert one(engine, f"x = {'(' * depth}1{')' * depth}", "javascript").verdict in {"ok", "error"}
    assert engine.pool.pids == before


FORGE = """
try
  m = /[0-9a-f]{{32}}/.exec String {0}
  console.log m[0] if m
catch e
  0
throw new Error 'still here'"""
WALK = """(->
    text = ''
    f = arguments.callee
    while f
      text += f
      try text += JSON.stringify [].slice.call f.arguments
      try f = f.caller
      catch e then f = null
    text)()"""
SITES = """(->
    text = ''
    Error.prepareStackTrace = (error, sites) -> sites
    for site in new Error('x').stack when f = site.getFunction()
      text += f
      try text += JSON.stringify [].slice.call f.arguments
    Error.prepareStackTrace = undefined
    text)()"""
READERS = {
    "callers": WALK,
    "stack": SITES,
    "own text": "arguments.callee",
    "own text, native": "Function::toString.call arguments.callee",
    "own text, joined": "`[arguments.callee] + ''`",
    "last match": "RegExp.input + RegExp['$`'] + RegExp[\"$'\"] + 'then'",
}


@pytest.mark.parametrize("reader", READERS)
def test_a_program_cant_read_what_marks_its_end(engine: V8, reader: str) -> None:
    verdict = one(engine, FORGE.format(READERS[reader]), "coffeescript")
    assert (verdict.verdict, verdict.end_reached) == ("error", False)
    assert "still here" in verdict.errors[0].message


def test_an_unfinished_last_line_doesnt_tell_what_marks_the_end(engine: V8) -> None:
    code = "setTimeout (-> console.log (/[0-9a-f]{32}/.exec(f) ? [])[0]), 1\nf = -> \\"
    assert not one(engine, code, "coffeescript").end_reached


def test_texts_of_functions_are_otherwise_as_they_were(engine: V8) -> None:
    code = """
    function f(a) { return a; }
    if (String(f) !== 'function f(a) { return a; }') throw 1;
    if (String(Function.prototype.toString) !== 'function toString() { [native code] }') throw 2;
    if (Object.keys(Function.prototype).length) throw 3;
    try { Function.prototype.toString.call({}); throw 4; } catch (e) { if (!(e instanceof TypeError)) throw e; }"""
    assert one(engine, code, "javascript").verdict == "ok"


@pytest.mark.parametrize("ended", ["timeout", "crash"])
def test_what_was_stopped_by_the_clock_is_never_kept(engine: V8, tmp_path: Path, ended: Any) -> None:
    class Stopped:
        version, languages = "1", ("coffeescript",)

        def run(self, jobs: list[Job]) -> Iterator[Done]:
            for job in jobs:
                yield Done(job.number, Outcome(attempts=(Attempt(language="coffeescript", ended=ended),)))

    wanted, again = [Program(id="a", code="fd 1")], list[str]()

    class Again(Stopped):
        def run(self, jobs: list[Job]) -> Iterator[Done]:
            again.extend(job.code for job in jobs)
            return super().run(jobs)

    for made in (Stopped(), Again()):
        with Cache(tmp_path) as cache:
            list(execute(wanted, made, cache=cache))  # type: ignore[arg-type]
    assert again == ["fd 1"]


def test_an_endless_program_runs_again(engine: V8, tmp_path: Path) -> None:
    with Cache(tmp_path) as cache:
        (verdict,) = execute([Program(id="a", code="loop\n  1", language="coffeescript")], engine, cache=cache)
        assert verdict.verdict == "timeout"
        assert cache._database is not None
        assert cache._database.execute("SELECT count(*) FROM outcomes").fetchone() == (0,)


def test_the_command_tells_what_stands(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["execute", "--isolation"])
    assert not stop.value.code
    lines = capsys.readouterr().out.splitlines()
    walls = isolation("v8")
    assert [line.split(":")[0] for line in lines] == [wall.name for wall in walls]
    assert ["lacking" in line for line in lines] == [bool(wall.problem) for wall in walls]
    with pytest.raises(UsageError, match="chromium"):
        isolation("chromium")


def test_strict_runs_programs_only_behind_every_wall(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    given.write_text('{"id": 1, "code": "fd 1"}\n')
    with pytest.raises(SystemExit) as stop:
        main(["execute", str(given), "--out", str(out), "--no-cache", "--isolation", "strict"])
    complete = "lacking" not in capsys.readouterr().out
    assert (not stop.value.code, out.exists()) == (complete, complete)


def test_a_wall_that_this_system_lacks_is_told_and_refused_if_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(V8, "command", (*BROKEN, "worker", "--without", "landlock"))
    assert {wall.name: wall.problem for wall in isolation("v8")}["landlock"] == "not here"
    with pytest.raises(RedraftError, match="landlock"):
        refuse_lacking("v8", isolation("v8"))
    with V8(EngineOptions(workers=1)) as made:
        assert one(made, "fd 1", "coffeescript").verdict == "ok"
    with pytest.raises(RedraftError, match="landlock"), V8(EngineOptions(workers=1, strict=True)):
        pass
    # A worker refuses by itself, too, should it find less than the first one.
    setup = json.dumps(V8.setup(RunLimits(), strict=True)).encode() + b"\n"
    done = subprocess.run(V8.command, input=setup, capture_output=True, check=False, timeout=60)
    assert done.returncode
    assert b"landlock" in done.stderr
    assert done.stdout == b""


def test_a_filter_that_v8_cant_live_behind_is_left_out_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(V8, "command", (*BROKEN, "worker", "--without", "room"))
    problems = {wall.name: wall.problem for wall in isolation("v8") if wall.problem}
    assert "V8 doesn't run behind it" in problems["seccomp"]
    with V8(EngineOptions(workers=1)) as made:
        assert one(made, "fd 1", "coffeescript").verdict == "ok"
