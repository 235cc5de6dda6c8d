"""Engines stand in one list, each judges its own languages, and their verdicts on a dataset are read as one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path

import pytest

from factories import make_dataset, make_trace
from places import ROOT
from redraft.cli.execute import execute
from redraft.data.languages import LANGUAGES, labels, language_named, language_of
from redraft.data.store import Dataset
from redraft.execute.dataset import find_verdicts, read_messages, read_runs, verdict_writer
from redraft.execute.engine import Done, Engine, EngineOptions, Job, make_engine
from redraft.execute.registry import DEFAULT_ENGINE, ENGINES, EngineEntry, described
from redraft.execute.verdict import RULES, Attempt, ErrorRecord, Outcome, Verdict
from redraft.metrics.measure import measure

TOYLANG = "toylang"


class Toy:
    """An engine: a program of toylang runs unless it says `bug`."""

    version = "toy-1"
    languages = (TOYLANG,)

    def run(self, jobs: Sequence[Job]) -> Iterator[Done]:
        for job in jobs:
            assert job.languages == (TOYLANG,)
            errors = (ErrorRecord(kind="uncaught", message="a bug"),) if "bug" in job.code else ()
            yield Done(job.number, Outcome(attempts=(Attempt(language=TOYLANG, end_reached=True, errors=errors),)))


def make_toy(options: EngineOptions) -> AbstractContextManager[Engine]:
    return nullcontext(Toy())


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = EngineEntry(factory=f"{__name__}:make_toy", languages=(TOYLANG,), summary="pretends")
    monkeypatch.setitem(ENGINES, "toy", entry)


@pytest.fixture
def both(tmp_path: Path) -> Dataset:
    """A dataset with programs in a language that V8 judges and in another one."""
    mixed = [make_trace(["fd 1", "oops"], title="house"), make_trace(["bug", "go"], title="toys")]
    toys = replace(mixed[1], states=tuple(replace(state, language=TOYLANG) for state in mixed[1].states))
    return make_dataset(tmp_path / "class", [mixed[0], toys])


@pytest.mark.usefixtures("toy")
def test_two_engines_judge_a_dataset_and_metrics_join_their_verdicts(
    both: Dataset, capsys: pytest.CaptureFixture[str]
) -> None:
    execute(both.path, engine="v8", no_cache=True)
    assert measure(both)["runs_mean"].to_pylist() == [0.5, None]
    said = capsys.readouterr().err
    assert "2 programs get no verdict: v8 judges only CoffeeScript and JavaScript (2 of toylang)" in said
    assert "2 programs: 1 ok, 1 error" in said
    first = (both.path / "verdicts-v8.parquet").read_bytes()

    execute(both.path, engine="toy", no_cache=True)
    assert "2 programs get no verdict: toy judges only toylang (2 of coffeescript)" in capsys.readouterr().err
    assert (both.path / "verdicts-v8.parquet").read_bytes() == first
    assert [file.name for file in find_verdicts(both)] == ["verdicts-v8.parquet", "verdicts-toy.parquet"]
    table = measure(both)
    assert table["runs_mean"].to_pylist() == [0.5, 0.5]
    assert table["runs_final"].to_pylist() == [0.0, 1.0]
    assert sorted(read_messages(both).values()) == ["", "", "a bug", "oops is not defined"]


@pytest.mark.usefixtures("toy")
def test_json_lines_say_of_every_program_whether_it_was_judged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    rows = [{"id": 1, "code": "bug"}, {"id": 2, "code": "fd 1", "language": "coffeescript"}]
    given.write_text("".join(json.dumps(row) + "\n" for row in rows))
    execute(given, out=out, engine="toy", no_cache=True)
    found = [json.loads(line) for line in out.read_text().splitlines()]
    assert [(row["id"], row["verdict"]) for row in found] == [(1, "error"), (2, "unscored")]
    assert "1 programs get no verdict: toy judges only toylang (1 of coffeescript)" in capsys.readouterr().err


def _write(dataset: Dataset, engine: str) -> Callable[[dict[str, str]], None]:
    def write(verdicts: dict[str, str]) -> None:
        with verdict_writer(dataset, engine, version=f"{engine}-1") as keep:
            for name, verdict in verdicts.items():
                errors = () if verdict == "ok" else (ErrorRecord(kind="uncaught", message=f"{engine} says so"),)
                keep(Verdict(id=name, verdict=verdict, language=None, end_reached=True, errors=errors))

    return write


@pytest.mark.parametrize("order", [("v8", "chromium"), ("chromium", "v8")])
def test_the_engine_nearest_to_students_counts_unless_it_can_tell_nothing(
    both: Dataset, order: tuple[str, str]
) -> None:
    verdicts = {
        "chromium": {"a": "ok", "b": "error", "c": "unscored", "d": "unscored"},
        "v8": {"a": "error", "b": "ok", "c": "ok", "d": "unscored", "e": "error"},
    }
    for engine in order:  # which was written first doesn't matter
        _write(both, engine)(verdicts[engine])
    assert read_runs(find_verdicts(both)) == {"a": True, "b": False, "c": True, "d": None, "e": False}
    assert read_messages(both) == {"a": "", "b": "chromium says so", "c": "", "e": "v8 says so"}


def test_every_engine_is_what_the_list_says_and_is_documented() -> None:
    documented = (ROOT / "docs" / "execution.md").read_text(encoding="utf-8")
    assert DEFAULT_ENGINE in ENGINES
    for name, entry in ENGINES.items():
        assert "-" not in name, "verdict files are called verdicts-ENGINE-RULE.parquet"
        assert name not in {"platform", *RULES}
        assert set(entry.languages) <= set(LANGUAGES)
        assert f"{name} ({labels(entry.languages)}): {entry.summary}" in described()
        assert make_engine(name, EngineOptions()).languages == entry.languages  # type: ignore[attr-defined]
    (header,) = (line for line in documented.splitlines() if line.startswith("| |") and "v8" in line)
    assert [cell.strip(" `") for cell in header.split("|")[2:-1]] == list(ENGINES)
    (judges,) = (line for line in documented.splitlines() if line.startswith("| judges"))
    assert [cell.strip() for cell in judges.split("|")[2:-1]] == [labels(each.languages) for each in ENGINES.values()]


def test_languages_have_one_name_however_they_are_spelled() -> None:
    assert [language_named(word) for word in ("JS", "IcedCoffeeScript", "Python3", "Befunge")] == [
        "javascript", "coffeescript", "python", "befunge"
    ]  # fmt: skip
    assert [language_of(name) for name in ("a.coffee", "B.JS", "c.py", "d.java", "e.txt")] == [
        "coffeescript", "javascript", "python", "java", None
    ]  # fmt: skip
    words = [word for each in LANGUAGES.values() for word in (each.name, *each.spellings)]
    assert len(words) == len(set(words))
