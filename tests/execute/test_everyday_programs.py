"""Programs as students and platforms hand them in: lines of syntax errors, other files, loops, files of programs."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from redraft.cli import main as command_line
from redraft.execute.engine import EngineOptions, execute, make_engine, rule_named
from redraft.execute.outside import needed
from redraft.execute.v8.engine import V8
from redraft.execute.verdict import Program, Verdict


@pytest.fixture(scope="module")
def engine() -> Iterator[V8]:
    with make_engine("v8", EngineOptions(workers=1)) as made:
        assert isinstance(made, V8)
        yield made


def judged(engine: V8, programs: dict[str, str], language: str | None = "coffeescript") -> dict[str, Verdict]:
    given = [Program(id=name, code=code, language=language) for name, code in programs.items()]
    return {verdict.id: verdict for verdict in execute(iter(given), engine, rule=rule_named("corrected"))}


def programs_of(file: Path) -> dict[str, str]:
    rows = map(json.loads, file.read_text(encoding="utf-8").splitlines())
    return {row["id"]: row["code"] for row in rows}


def test_every_syntax_error_has_the_students_own_line(engine: V8, cases: Path) -> None:
    found = judged(engine, programs_of(cases / "30-syntax-lines" / "programs.jsonl"))
    lines = {name: verdict.errors[0].line for name, verdict in found.items()}
    assert lines == {
        "smart5": 5,
        "nbsp3": 3,
        "badu2": 2,
        "emoji2": 2,
        "reserved": 2,
        "regex": 2,
        "octal": 2,
        "dupparam": 2,
    }


def test_no_line_is_beyond_the_program(engine: V8) -> None:
    programs = {
        "within": "fd 1\nwrite [\n  'a'\n  “b”\n]\nfd 2\n",
        "open": "fd 1\nwrite (1",
        "no body": "fd 1\nif x",
        "compiler": "fd 1\nawait readnum 'n', defer round v\nwrite v\n",
        "quote": "fd 1\nwrite 'a",
    }
    found = judged(engine, programs)
    assert {name: verdict.errors[0].line for name, verdict in found.items()} == {
        "within": 4, "open": 2, "no body": 2, "compiler": 2, "quote": 2,
    }  # fmt: skip
    javascript = judged(engine, {"list": "fd(1);\nvar a = [1,\n 'b\n];", "open": "fd(1);\nif (x) {"}, "javascript")
    assert {name: verdict.errors[0].line for name, verdict in javascript.items()} == {"list": 3, "open": 2}


def test_loops_that_await_are_those_of_pencil_codes_compiler(engine: V8, cases: Path) -> None:
    found = judged(engine, programs_of(cases / "32-iced-loops" / "programs.jsonl"))
    said = {name: verdict.errors[0].message for name, verdict in found.items() if verdict.errors}
    assert said == {"bys": "by k 5", "by2": "by2 xyz", "rev": "nested 3"}


def test_programs_that_need_other_files_are_unscored(engine: V8, cases: Path) -> None:
    found = judged(engine, programs_of(cases / "31-outside-scripts" / "programs.jsonl"))
    assert {name: verdict.verdict for name, verdict in found.items()} == {
        "pragma": "unscored", "pragma-lib": "unscored", "loadscript-await": "unscored", "plain-unknown": "error",
        "html-part": "unscored",
    }  # fmt: skip
    assert {verdict.errors[0].kind for verdict in found.values() if verdict.verdict == "unscored"} == {"outside"}


def test_only_what_is_needed_is_outside(engine: V8) -> None:
    programs = {
        "a word": "write 'loadscript'\n# loadscript too\nfd 5",
        "its own": "$('body').append '<div id=\"b\"></div>'\nx = document.getElementById('b').foo.bar",
        "null": "x = null\nx.y",
        "broken": "# @script //lib.example/a.js\nfd (",
        "later": "c = document.querySelector '#pad'\nc.addEventListener 'click', -> fd 5",
    }
    found = judged(engine, programs)
    assert {name: verdict.verdict for name, verdict in found.items()} == {
        "a word": "ok", "its own": "error", "null": "error", "broken": "error", "later": "unscored",
    }  # fmt: skip
    assert needed("# @script a\n", "python", []) is None


def by_command(tmp_path: Path, content: bytes, name: str = "p.jsonl") -> list[dict[str, Any]]:
    (tmp_path / name).write_bytes(content)
    out = tmp_path / "out.jsonl"
    with suppress(SystemExit):
        command_line(["execute", str(tmp_path / name), "--out", str(out), "--no-cache", "--workers", "1"])
    return [json.loads(line) for line in out.read_text().splitlines()]


@pytest.mark.parametrize("packed", [False, True])
def test_files_of_programs_are_read_as_tools_write_them(tmp_path: Path, packed: bool) -> None:
    lines = b'\xef\xbb\xbf{"id":"a","code":"fd 10","language":"CoffeeScript"}\r\n\r\n{"id":2,"code":"fd(1)","language":"js"}\r\n'
    found = by_command(tmp_path, gzip.compress(lines) if packed else lines)
    assert [(row["id"], row["verdict"], row["language"]) for row in found] == [
        ("a", "ok", "coffeescript"), (2, "ok", "javascript"),
    ]  # fmt: skip
    assert [row["id"] for row in by_command(tmp_path, b' [{"id":"x","code":"fd 1"},\n{"id":"y","code":"fd 2"}]')] == [
        "x",
        "y",
    ]
