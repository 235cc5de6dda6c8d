"""The V8 engine: verdicts like the real runtime's, hostile programs among good ones, verdicts beside a dataset."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from factories import make_dataset, make_trace
from processes import descendants
from redraft.cli import main as command_line
from redraft.errors import DatasetError, InputError
from redraft.execute.cache import Cache
from redraft.execute.dataset import (
    execute_dataset,
    find_verdicts,
    is_judged,
    programs,
    read_messages,
    read_runs,
    verdict_file,
    verdict_writer,
)
from redraft.execute.engine import EngineOptions, execute, make_engine
from redraft.execute.v8.engine import V8
from redraft.execute.v8.usage import RunLimits, usage_of
from redraft.execute.verdict import RULES, ErrorRecord, Program, Verdict
from redraft.metrics.measure import measure

GOOD = "pen red, 3\nfor [1..4]\n  fd 100\n  rt 90\ndot blue, 20"
HOSTILE = {
    "endless": "while true\n  x = 1",
    "endless timer": "setTimeout (-> (loop\n  1)), 5",
    "endless interval": "setInterval (-> setTimeout (->), 0), 0",
    "endless promise": "f = -> Promise.resolve().then f\nf()",
    "endless regex": "/^(a+)+$/.test 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!'",
    "endless getter": "var o = {get x() { while (true); }}; o.x;",
    "endless generator": "for (var x of (function* () { while (true) yield 1; })()) ;",
    "endless proxy": "var p = new Proxy({}, {get: (t, n, self) => self[n + 1]}); p.x;",
    "string bomb": 'a = "x".repeat(1 << 28).split("")',
    "array doubling": "a = [1]\nloop\n  a = a.concat a",
    "array fill": "var a = new Array(1e9).fill(0);",
    "typed arrays": "a = []\nloop\n  a.push new Uint8Array(1e8).fill 1",
    "large number": "var a = 2n ** 100000000n * 3n;",
    "many moves": "for i in [1..1000000000]\n  fd 1",
    "many turtles": "loop\n  new Turtle",
    "many words": "loop\n  write 'x'",
    "deep": "f = -> f() + 1\nf()",
    "deep brackets": "(" * 50_000,
    "odd characters": "write '\0 \ud800 \udfff'",
    "toString loop": "throw {toString: -> (loop\n  1)}",
    "message loop": "var a; throw {get message() { while (true); }};",
    "stack hook": "Error.prepareStackTrace = -> (loop\n  1)\nnothing_here",
    "flood": "loop\n  console.log 'x'.repeat 100000",
    "error flood": "loop\n  console.error 'x'.repeat 100000",
    "fetch": "fetch 'http://192.0.2.1/'",
    "require": "require 'fs'",
    "process": "process.exit 1",
    "import": "eval \"import('fs').then(function (m) { m.unlinkSync('/') }, function (e) { throw e })\"",
    "wasm": "new WebAssembly.Memory {initial: 65536}",
    "wait": "Atomics.wait(new Int32Array(new SharedArrayBuffer 8), 0, 0)",
    "constructor": "x = (->).constructor.constructor('return process')()\nx.exit 1",
    "prototype": "Object.prototype.toString = -> throw 1\nArray.prototype.push = -> throw 2\n"
    "Object.defineProperty Object.prototype, 'x', {get: -> throw 3}\nfd 10",
    "thenable": "Object.prototype.then = -> (loop\n  1)\nawait setTimeout defer(), 5\nfd 1",
    "frozen": "Object.freeze Array.prototype\nObject.freeze Object.prototype\nObject.freeze window\nfd 10",
    "globals": "window.fd = null\nwindow.Promise = null\nwindow.JSON = null\nJSON = null",
    "host": "__redraft.step(1e9)\n__redraft.result = -> '{}'\n__redraft.start 'fd 1', '{}'",
    "forged end": "console.log 'END_REACHED'\nx = nothing_here",
    "forged log": "console.log = (x) -> window.seen = x\nx = nothing_here",
    "large": "x = 1\n" * 150_000,
}
MAY_RUN = {
    "endless interval", "endless promise", "odd characters", "flood", "prototype", "thenable", "frozen", "globals",
    "host", "large", "large number", "many words", "many turtles",
}  # fmt: skip
"""Not wrong in themselves, or only so after the window: any verdict will do."""


def main(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        command_line(arguments)
    if stop.value.code:
        raise stop.value


def named(code: str, **fields: str) -> Program:
    return Program(id="a", code=code, **fields)


@pytest.fixture(scope="module")
def engine() -> Iterator[V8]:
    with V8(EngineOptions(workers=2), RunLimits(cpu_seconds=1)) as made:
        yield made


def one(engine: V8, code: str, language: str | None = None, rule: str = "corrected") -> Verdict:
    return next(execute([Program(id="a", code=code, language=language)], engine, rule=RULES[rule]))


@pytest.mark.parametrize(
    ("code", "kind", "line"),
    [
        ("fd 100\nrt 90\nbabyblue", "uncaught", 3),
        ("fd 100\n\n\nturtle.nothing()", "uncaught", 4),
        ("fill()", "uncaught", None),
        ("fd 100\nif x is", "syntax", 2),
        ("fd 100\nforever ->\n  fd 1\n  oops()", "uncaught", 4),
        ("console.error 'no'", "console", None),
        ("Promise.reject new Error 'late'", "rejection", None),
    ],
)
def test_errors_have_the_students_own_lines(engine: V8, code: str, kind: str, line: int | None) -> None:
    verdict = one(engine, code)
    assert verdict.verdict == "error"
    assert verdict.errors[0].kind == kind
    assert line is None or verdict.errors[0].line == line


@pytest.mark.parametrize(
    "code",
    [
        GOOD,
        "fd 'abc'\npen 5\ndot 'babyblue'\nspeed 'abc'",  # wrong arguments that the real runtime takes silently
        "await read 'name?', defer x\nwrite x",
        "forever 10, -> fd 1",
        "speed 1\nfor [1..100]\n  fd 10",  # takes minutes to draw
        "tick 2, -> write 'tock'",
        "turtle.fd(10).rt(30)\n$('.turtle').hide()",
    ],
)
def test_programs_that_run(engine: V8, code: str) -> None:
    verdict = one(engine, code)
    assert (verdict.verdict, verdict.errors) == ("ok", ())


def test_a_program_may_be_javascript(engine: V8) -> None:
    code = "for (var i = 0; i < 4; i++) { fd(100); rt(90); }"
    assert (one(engine, code).verdict, one(engine, code).language) == ("ok", "javascript")
    assert one(engine, code, "javascript").language == "javascript"
    assert one(engine, GOOD, "python").verdict == "unscored"


def test_an_end_cant_be_forged(engine: V8) -> None:
    forged = one(engine, "console.log 'END_REACHED'\nthrow new Error 'no'")
    assert (forged.verdict, forged.end_reached) == ("error", False)


def test_nothing_leaks_from_one_program_to_the_next(engine: V8) -> None:
    spoil = "window.leak = 1\nArray.prototype.leak = 2\nsetTimeout (-> window.late = 3), 100\nwindow.fd = null"
    look = "throw new Error 'leak' if window.leak? or [].leak? or window.late?\nfd 1\nwrite random 1000000"
    verdicts = list(execute([named(code) for code in (spoil, look) * 6], engine))
    assert [verdict.verdict for verdict in verdicts] == ["ok"] * 12


def test_hostile_programs_cost_nobody_elses_result(engine: V8) -> None:
    mixed = [
        program
        for name, code in HOSTILE.items()
        for program in (Program(id=name, code=code), Program(id="good", code=f"{GOOD} # {name}"))
    ]
    verdicts = list(execute(mixed, engine))
    assert [verdict.id for verdict in verdicts] == [program.id for program in mixed]
    assert Counter(verdict.verdict for verdict in verdicts if verdict.id == "good") == {"ok": len(HOSTILE)}
    found = {verdict.id: verdict.verdict for verdict in verdicts if verdict.id != "good"}
    assert {name for name, verdict in found.items() if verdict == "ok"} <= MAY_RUN
    assert {found[name] for name in ("endless", "endless regex", "endless getter")} == {"timeout"}
    assert found["string bomb"] in {"memory", "crash"}
    assert {found[name] for name in ("forged end", "forged log", "require", "process", "wasm")} == {"error"}
    # Nothing grows, and no copy is left behind: each worker, and the process that it has copied.
    time.sleep(0.2)
    left = descendants(os.getpid())
    assert len(left) <= 2 * 2
    assert all(usage_of(pid).resident_mb < 250 for pid in left)


def test_outcomes_are_cached_and_judged_anew_by_other_rules(engine: V8, tmp_path: Path) -> None:
    wanted = [Program(id=str(i), code=f"fd {i}") for i in range(5)]

    class Unused:
        version = engine.version
        languages = engine.languages

        def run(self, jobs: object) -> Iterator[None]:
            raise AssertionError("ran again")
            yield None

    with Cache(tmp_path) as cache:
        first = list(execute(wanted, engine, cache=cache))
    with Cache(tmp_path) as cache:
        assert list(execute(wanted, Unused(), cache=cache)) == first  # type: ignore[arg-type]


def test_json_lines_come_out_in_order_and_bad_ones_are_all_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [
        {"id": 7, "code": "fd 1"},
        {"id": "b", "code": "oops"},
        {"id": "c", "code": "print(1)", "language": "python"},
    ]
    given, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    given.write_text("".join(json.dumps(row) + "\n" for row in rows))
    command = ["execute", str(given), "--out", str(out), "--cache", str(tmp_path / "cache")]
    main(command)
    found = [json.loads(line) for line in out.read_text().splitlines()]
    assert [(row["id"], row["verdict"]) for row in found] == [(7, "ok"), ("b", "error"), ("c", "unscored")]
    assert found[1]["errors"] == [{"kind": "uncaught", "message": "oops is not defined", "line": 1}]
    given.write_text('{"id": 1, "code": "fd 1"}\nnonsense\n{"id": 2}\n')
    with pytest.raises(SystemExit) as stop:
        main(command)
    assert stop.value.code == 1
    said = capsys.readouterr().err
    assert "in.jsonl:2" in said
    assert "in.jsonl:3" in said


def test_a_datasets_verdicts_become_metrics(tmp_path: Path) -> None:
    traces = [make_trace(["fd 1", "fd oops", "fd 2"], title="t"), make_trace(["oops"], title="u")]
    dataset = make_dataset(tmp_path / "d", traces)
    assert measure(dataset)["runs_final"].to_pylist() == [None, None]
    main(["execute", str(dataset.path), "--cache", str(tmp_path / "cache")])
    assert len(list(programs(dataset))) == 4
    assert Counter(read_runs([dataset.path / "verdicts-v8.parquet"]).values()) == {True: 2, False: 2}
    table = measure(dataset)
    assert table["runs_final"].to_pylist() == [1.0, 0.0]
    assert table["runs_mean"].to_pylist() == [pytest.approx(2 / 3), 0.0]
    assert table["mended"].to_pylist() == [1.0, None]
    assert table["broken"].to_pylist() == [1.0, None]


def test_verdicts_of_a_dataset_are_read(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path / "d", [make_trace(["fd 1"])])
    assert find_verdicts(dataset) == ()
    with pytest.raises(InputError, match="no verdicts"):
        read_messages(dataset)
    found = [
        Verdict(id=name, verdict=verdict, language=None, end_reached=False, errors=tuple(errors))
        for name, verdict, errors in [
            ("a", "ok", []),
            ("b", "error", [ErrorRecord(kind="uncaught", message="fdd"), ErrorRecord(kind="uncaught", message="more")]),
            ("c", "timeout", []),
            ("d", "unscored", [ErrorRecord(kind="uncaught", message="no")]),
        ]
    ]
    file = verdict_file(dataset, "v8")
    with verdict_writer(dataset, "v8", version="v8-1") as add:
        for verdict in found:
            add(verdict)
    assert find_verdicts(dataset) == (file,)
    assert read_messages(dataset) == {"a": "", "b": "fdd", "c": "timeout"}
    assert read_runs([file]) == {"a": True, "b": False, "c": False, "d": None}
    broken = verdict_writer(dataset, "chromium", version="c")
    broken.__enter__()(found[0])
    broken.__exit__(RuntimeError, RuntimeError(), None)
    assert find_verdicts(dataset) == (file,)  # nothing half-written passes for whole
    file.write_bytes(b"PAR1")
    with pytest.raises(DatasetError, match="verdicts"):
        read_runs([file])
    with pytest.raises(DatasetError, match="verdicts"):
        find_verdicts(dataset)


WAITS = "button 'go', -> fd 1\nawait read 'name?', defer x\nwrite x"
"""Runs by the corrected rule, which lets programs wait for their reader; not by the paper's."""


PLAIN = [name for name, rule in RULES.items() if not rule.checked]


def test_each_rule_has_verdicts_of_its_own(engine: V8, tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path / "d", [make_trace(["fd 1", WAITS], title="t")])
    files = {}
    for rule in PLAIN:
        seen = list[Verdict]()
        files[rule] = execute_dataset(dataset, engine, name="v8", rule=rule, each=seen.append)
        assert [verdict.id for verdict in seen] == [program.id for program in programs(dataset)]
    assert [file.name for file in files.values()] == [
        "verdicts-v8.parquet", "verdicts-v8-paper.parquet", "verdicts-v8-released.parquet"
    ]  # fmt: skip
    for rule, file in files.items():
        assert pq.read_schema(file).metadata == {
            b"rule": rule.encode(), b"engine": engine.version.encode(), b"dataset": dataset.fingerprint.encode()
        }  # fmt: skip
        assert find_verdicts(dataset, rule) == (file,)
    runs = {rule: measure(dataset, rule=rule)["runs_final"].to_pylist() for rule in PLAIN}
    assert runs == {"corrected": [1.0], "paper": [0.0], "released": [1.0]}
    assert set(read_messages(dataset).values()) == {""}  # what students see is told by the corrected rule


def test_verdicts_by_another_rule_are_not_taken(engine: V8, tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path / "d", [make_trace(["fd 1"])])
    file = execute_dataset(dataset, engine, name="v8", rule="paper")
    assert find_verdicts(dataset) == ()
    assert measure(dataset)["runs_final"].to_pylist() == [None]
    with pytest.raises(InputError, match="no verdicts"):
        read_messages(dataset)
    file.rename(verdict_file(dataset, "v8"))
    for read in (find_verdicts, read_messages, measure):
        with pytest.raises(DatasetError, match=r"'paper'.*'corrected'.*redraft execute --engine v8 --rule corrected"):
            read(dataset)
    assert not is_judged(dataset, engine, name="v8")


def test_verdicts_without_a_rule_are_corrected(engine: V8, tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path / "d", [make_trace(["fd 1"])])
    file = execute_dataset(dataset, engine, name="v8")
    old = pq.read_table(file).replace_schema_metadata(None)
    pq.write_table(old, file)
    assert find_verdicts(dataset) == (file,)
    assert list(read_runs([file]).values()) == [True]
    pq.write_table(old, verdict_file(dataset, "v8", "paper"))
    with pytest.raises(DatasetError, match="by the rule 'corrected'"):
        find_verdicts(dataset, "paper")


def test_a_dataset_is_judged_until_it_or_the_engine_changes(engine: V8, tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path / "d", [make_trace(["fd 1"])])
    grown = make_dataset(tmp_path / "grown", [make_trace(["fd 1", "fd 2"])])
    assert not is_judged(dataset, engine, name="v8")
    file = execute_dataset(dataset, engine, name="v8")
    assert is_judged(dataset, engine, name="v8")
    assert not is_judged(dataset, engine, name="v8", rule="paper")
    with V8(EngineOptions(seed=1)) as other:
        assert not is_judged(dataset, other, name="v8")
    shutil.copy(file, grown.path)
    assert not is_judged(grown, engine, name="v8")
    file.write_bytes(b"PAR1")
    assert not is_judged(dataset, engine, name="v8")


def test_the_command_writes_each_rules_verdicts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dataset = make_dataset(tmp_path / "d", [make_trace(["fd 1", WAITS])])
    lines = {}
    for rule in ("corrected", "paper"):
        out = tmp_path / f"{rule}.jsonl"
        command = ["execute", str(dataset.path), "--out", str(out), "--cache", str(tmp_path / "cache")]
        main([*command, "--rule", rule])
        lines[rule] = [json.loads(line)["verdict"] for line in out.read_text().splitlines()]
    assert lines == {"corrected": ["ok", "ok"], "paper": ["ok", "error"]}
    said = capsys.readouterr().err
    assert "2 programs: 1 ok, 1 error" in said
    assert "verdicts-v8-paper.parquet" in said
    assert all(read_runs([verdict_file(dataset, "v8")]).values())
    assert not all(read_runs([verdict_file(dataset, "v8", "paper")]).values())
    main(["metrics", str(dataset.path), "--rule", "paper", "--out", str(tmp_path / "m.parquet")])
    assert pq.read_table(tmp_path / "m.parquet")["runs_final"].to_pylist() == [0.0]


@pytest.mark.supplied
def test_verdicts_agree_with_the_real_runtimes(shared: Path) -> None:
    rows = [json.loads(line) for line in (shared / "execution-verdicts.jsonl").read_text().splitlines()]
    judged = [row for row in rows if row["verdict"] in ("ok", "error")]
    some = [row for i, row in enumerate(judged) if row["verdict"] == "error" or i % 5 == 0]
    with make_engine("v8", EngineOptions(workers=2)) as engine:
        verdicts = list(execute([Program(id=str(row["id"]), code=row["code"]) for row in some], engine))
    wrong = [v.id for row, v in zip(some, verdicts, strict=True) if v.verdict != row["verdict"]]
    assert len(wrong) <= 1, wrong
