"""What a platform said of its students' drafts comes in with the logs, and counts where no engine ran them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from redraft.data.ingest import IngestOptions, ingest
from redraft.data.sources.states import RAW_STATES, REJECTED, Part, Piece
from redraft.data.store import Dataset, Origin
from redraft.data.trace import program_id
from redraft.data.verdicts import PLATFORM_FILE, PLATFORM_SCHEMA, VERDICTS, verdict_named
from redraft.errors import DatasetError
from redraft.execute.dataset import verdict_writer
from redraft.execute.judged import CompileError, Judgement, find_judgements, read_judgements
from redraft.execute.verdict import ErrorRecord, Verdict

Draft = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A source of drafts that a platform judged; each file holds a student's, as Python has them."""

    files: Mapping[Path, Sequence[Draft]]

    name = "judged"
    whole_drafts = False
    formless: frozenset[str] = frozenset()
    origin: Origin = "students"

    def inputs(self) -> Sequence[Path]:
        return list(self.files)

    def options(self) -> Mapping[str, Any]:
        return {}

    def warm_up(self) -> None: ...

    def label(self, file: Path) -> str:
        return self.name

    def pieces(self, number: int, file: Path, work: Any) -> Iterator[Piece]:
        given = {
            "file": number, "student": file.stem, "title": "sum", "trace": 0, "tie": 0, "truncated": False,
            "ended": True, "language": "python",
        }  # fmt: skip
        rows = [given | {"row": row, "rank": row} | draft for row, draft in enumerate(self.files[file], 1)]
        yield Piece(1, lambda: Part(pa.Table.from_pylist(rows, RAW_STATES), REJECTED.empty_table()))


def dataset_of(folder: Path, *students: Sequence[Draft]) -> Dataset:
    files = {}
    for number, drafts in enumerate(students):
        files[folder / f"s{number}.txt"] = drafts
        (folder / f"s{number}.txt").write_text("x")
    (folder / "key").touch(mode=0o600)
    (folder / "key").write_bytes(b"k" * 32)
    return ingest(Judged(files=files), folder / "out.dataset", IngestOptions(key=folder / "key"))


def said(dataset: Dataset) -> dict[tuple[str, str], tuple[str, str]]:
    rows = pq.read_table(dataset.path / PLATFORM_FILE).to_pylist()
    return {(row["id"], row["title"]): (row["verdict"], row["judged"]) for row in rows}


def key(code: str, title: str = "sum") -> tuple[str, str]:
    return program_id(code, "python"), title


def test_a_score_is_a_verdict_and_a_verdict_told_stays(tmp_path: Path) -> None:
    dataset = dataset_of(tmp_path, [
        {"code": "half", "score": 0.5},
        {"code": "full", "score": 1.0},
        {"code": "thirds", "score": 1 / 3 + 1 / 3 + 1 / 3 - 1e-12},
        {"code": "ran", "verdict": "ok"},
        {"code": "ran wrong", "verdict": "ok", "judged": "ran", "score": 0.0},
        {"code": "broken", "verdict": "error", "judged": "compiled", "score": 0.0,
         "errors": [{"kind": "syntax", "message": "';' expected", "line": 3}]},
        {"code": "nothing said"},
    ])  # fmt: skip
    assert said(dataset) == {
        key("half"): ("failed", "tested"),
        key("full"): ("ok", "tested"),
        key("thirds"): ("ok", "tested"),
        key("ran"): ("ok", "ran"),
        key("ran wrong"): ("failed", "tested"),
        key("broken"): ("error", "compiled"),
    }
    assert pq.read_schema(dataset.path / PLATFORM_FILE).equals(PLATFORM_SCHEMA)
    (trace,) = dataset.traces()
    assert [state.score for state in trace.states][:2] == [0.5, 1.0]
    found = read_judgements(find_judgements(dataset))
    broken = found.of(*key("broken"))
    assert broken == Judgement(False, "platform", "compiled", False, CompileError("';' expected", 3))
    assert found.of(*key("half")) == Judgement(False, "platform", "tested", True)
    assert found.of(*key("nothing said")) is None
    assert found.words == (
        "verdicts on Python programs are the platform's own (whether they compile or whether they ran or whether they "
        "passed its tests)"
    )


def test_nothing_is_known_of_compiling_where_no_compile_error_is_ever_told(tmp_path: Path) -> None:
    dataset = dataset_of(tmp_path, [{"code": "a", "score": 0}, {"code": "b", "score": 1}])
    found = read_judgements(find_judgements(dataset))
    assert [found.of(*key(code)).compiles for code in "ab"] == [None, None]  # type: ignore[union-attr]


def test_the_same_program_may_pass_one_title_and_fail_another(tmp_path: Path) -> None:
    dataset = dataset_of(
        tmp_path, [{"code": "return 1", "score": 1}, {"code": "return 1", "score": 0, "title": "product"}]
    )
    found = read_judgements(find_judgements(dataset))
    assert [found.runs(*key("return 1", title)) for title in ("sum", "product", "other")] == [True, False, None]


def test_of_differing_verdicts_the_commonest_is_kept_and_they_are_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    passing, failing = {"code": "x", "score": 1}, {"code": "x", "score": 0}
    dataset = dataset_of(tmp_path, [failing], [passing], [passing])
    assert said(dataset) == {key("x"): ("ok", "tested")}
    assert "1 programs of a title were judged differently" in capsys.readouterr().err


def test_without_anything_said_there_is_no_file_and_a_changed_one_is_refused(tmp_path: Path) -> None:
    dataset = dataset_of(tmp_path, [{"code": "x"}])
    assert not (dataset.path / PLATFORM_FILE).exists()
    assert find_judgements(dataset) == ()
    (tmp_path / "two").mkdir()
    dataset = dataset_of(tmp_path / "two", [{"code": "x", "score": 1}])
    assert PLATFORM_FILE in dataset.manifest.files
    file = dataset.path / PLATFORM_FILE
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    with pytest.raises(DatasetError):
        find_judgements(dataset)


def test_an_engine_counts_before_the_platform(tmp_path: Path) -> None:
    dataset = dataset_of(tmp_path, [{"code": "a", "score": 0}, {"code": "b", "score": 1}, {"code": "c", "score": 1}])
    with verdict_writer(dataset, "v8", version="v8-1") as keep:
        for code, verdict in (("a", "ok"), ("b", "unscored")):
            note = () if verdict == "ok" else (ErrorRecord(kind="uncaught", message="image"),)
            keep(Verdict(id=key(code)[0], verdict=verdict, language=None, end_reached=True, errors=note))
    found = read_judgements(find_judgements(dataset))
    assert [found.runs(*key(code)) for code in "abc"] == [True, None, True]
    assert [found.of(*key(code)).by for code in "abc"] == ["engine", "engine", "platform"]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("text", "verdict"),
    [("Success", "ok"), ("TestFailed", "failed"), ("Timeout", "timeout"), ("Error", "error"), ("TRUE", "ok"),
     ("time limit exceeded", "timeout"), ("Compile Error", "error"), ("wrong-answer", "failed"), ("maybe", None)],
)  # fmt: skip
def test_usual_words_are_read(text: str, verdict: str | None) -> None:
    assert verdict_named(text) == verdict
    assert verdict is None or verdict in VERDICTS
