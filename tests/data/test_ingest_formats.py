"""Rollouts, ProgSnap2 folders and plain tables: contents and reasons."""

from __future__ import annotations

import gzip
import json
import lzma
import re
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from factories import make_key
from redraft.data.identity import keyed_hash
from redraft.data.ingest import IngestOptions, ingest
from redraft.data.sources.progsnap2 import ProgSnap2
from redraft.data.sources.rollouts import Rollouts
from redraft.data.sources.states import Source
from redraft.data.sources.table import Table
from redraft.data.store import Dataset, open_dataset
from redraft.errors import InputError

KEY = b"a key of more than sixteen bytes"


def read(source: Source, tmp_path: Path, out: str = "d") -> Dataset:
    make_key(tmp_path / "key", KEY)
    return ingest(source, tmp_path / out, IngestOptions(key=tmp_path / "key", memory="256MB"))


def listed(dataset: Dataset) -> list[tuple[int, str]]:
    table = pq.read_table(dataset.path / "rejected.parquet")
    return list(zip(table["line"].to_pylist(), table["reason"].to_pylist(), strict=True))


# Rollouts


def rollout(body: str, student: str = "s", title: str = "square") -> list[str]:
    return [f"{title}<mask><mask><start>{body}", student, title]


def test_rollouts_states_begin_at_exact_header_lines(tmp_path: Path) -> None:
    body = (
        "noise\nCODE 3 (2020-01-02 03:04:05):\n  fd 1\nCODE 7\nx CODE 9 (2020-01-02 03:04:05):\n\n"
        "CODE 1 (2019-01-01 00:00:00):\nCODE 2 (2019-01-01 00:00:01):\nfd 1\r\n \n<|endoftext|>CODE 4 (2020-01-02 03:04:05):\nno"
    )
    (tmp_path / "all_square.json").write_text(json.dumps([rollout(body)]))
    dataset = read(Rollouts(paths=[tmp_path / "all_square.json"]), tmp_path)
    assert dataset.origin == "model"
    (trace,) = dataset.traces()
    assert [state.code for state in trace.states] == [
        "  fd 1\nCODE 7\nx CODE 9 (2020-01-02 03:04:05):\n",
        "",
        "fd 1\r\n \n",
    ]
    assert trace.states[0].at == datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert (trace.ended, trace.source, trace.student) == (True, "rollouts:all_square", keyed_hash("s", KEY))


def test_rollouts_unfinished_impossible_and_empty_records(tmp_path: Path) -> None:
    one, two = "CODE 1 (2020-01-01 00:00:00):\na\n", "CODE 2 (2020-01-01 00:00:01):\nb"
    records = [
        rollout(one + two),
        rollout(one + two + "\nCODE 3 (2020-02-31 00:00:00):\nc<|endoftext|>"),
        rollout(one),
        rollout("nothing<|endoftext|>"),
        ["only two", "s"],
        rollout(one + "<|endoftext|>", student=""),
        rollout(one + "<|endoftext|>", title=""),
        rollout(one + "\ud800<|endoftext|>"),
        rollout("CODE 1 (2020-01-01 25:00:00):\na<|endoftext|>"),
        rollout(one + "x" * 1024 + "<|endoftext|>", student="t"),
    ]
    (tmp_path / "a.json").write_text(json.dumps(records))
    dataset = read(Rollouts(paths=[tmp_path / "a.json"]), tmp_path)
    traces = {(t.student, t.sample): ([s.code for s in t.states], t.ended, t.final.truncated) for t in dataset.traces()}
    s, t = keyed_hash("s", KEY), keyed_hash("t", KEY)
    assert traces == {
        (s, 0): (["a"], False, False),
        (s, 1): (["a", "b"], False, False),
        (t, 0): (["a\n" + "x" * 1024], True, True),
    }
    assert listed(dataset) == [
        (2, "bad_date"), (3, "no_state"), (4, "no_state"), (5, "malformed"), (6, "no_student"), (7, "no_title"),
        (8, "not_utf8"), (9, "bad_date"), (9, "no_state"),
    ]  # fmt: skip


def test_samples_are_numbered_over_files_in_the_order_given(tmp_path: Path) -> None:
    def body(code: str) -> str:
        return f"CODE 1 (2020-01-01 00:00:00):\n{code}<|endoftext|>"

    (tmp_path / "b.json.xz").write_bytes(lzma.compress(json.dumps([rollout(body(c)) for c in "01"]).encode()))
    later = [rollout(body("2")), rollout(body("0"), title="star"), rollout(body("3"))]
    (tmp_path / "a.json.gz").write_bytes(gzip.compress(json.dumps(later).encode()))
    dataset = read(Rollouts(paths=[tmp_path / "b.json.xz", tmp_path / "a.json.gz"]), tmp_path)
    assert [(t.title, t.sample, t.final.code) for t in dataset.traces()] == [
        ("square", 0, "0"), ("square", 1, "1"), ("square", 2, "2"), ("square", 3, "3"), ("star", 0, "0"),
    ]  # fmt: skip


@pytest.mark.parametrize("data", [b"{}", b"not json", b"[1", lzma.compress(b"[" * 9000)[:-20]])
def test_a_file_that_is_no_list_of_rollouts_is_named(tmp_path: Path, data: bytes) -> None:
    good = json.dumps([rollout("CODE 1 (2020-01-01 00:00:00):\na<|endoftext|>")])
    (tmp_path / "a.json").write_text(good)
    (tmp_path / "b.json").write_bytes(data)
    with pytest.raises(InputError, match=r"b\.json"):
        read(Rollouts(paths=[tmp_path / "a.json", tmp_path / "b.json"]), tmp_path)
    dataset = open_dataset(tmp_path / "d")
    assert len(dataset) == 1
    ((row, reason),) = listed(dataset)
    assert row is None
    assert reason in ("wrong_format", "damaged_file")


@pytest.mark.supplied
def test_supplied_rollouts_read_exactly(shared: Path, tmp_path: Path) -> None:
    dataset = read(Rollouts(paths=[shared / "rollouts"]), tmp_path)
    assert (len(dataset), dataset.manifest.states, dataset.manifest.rejected) == (27236, 87334, {"no_state": 14})
    header = re.compile(r"CODE \d+ \((\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)\):")
    expected: dict[tuple[str, str], list[tuple[Any, ...]]] = defaultdict(list)
    for file in sorted((shared / "rollouts").iterdir()):
        for text, student, title in json.loads(lzma.decompress(file.read_bytes())):
            body, ended, _ = text.split("<start>", 1)[1].partition("<|endoftext|>")
            states: list[tuple[str, list[str]]] = []
            for part in body.split("\n"):
                if match := header.fullmatch(part):
                    states.append((match[1], []))
                elif states:
                    states[-1][1].append(part)
            kept = [(at, "\n".join(lines)) for at, lines in (states if ended else states[:-1])]
            if kept:
                expected[keyed_hash(student, KEY), title].append((kept, bool(ended), "rollouts:" + file.name[:-8]))
    found: dict[tuple[str, str], list[tuple[Any, ...]]] = defaultdict(list)
    for trace in dataset.traces():
        told = [(s.at.strftime("%Y-%m-%d %H:%M:%S"), s.code) for s in trace.states if s.at]
        assert trace.sample == len(found[trace.pair])
        found[trace.pair].append((told, trace.ended, trace.source))
    assert found == expected


# ProgSnap2

MAIN = """EventType,EventID,SubjectID,ToolInstances,CodeStateID,Order,ServerTimestamp,ProblemID,Score,X-EditorMode
Submit,1,ann,ITAP; Python 3,c1,20,2020-01-01T10:00:00+02:00,p1,0.5,
Run.Program,2,ann,PencilCode;IcedCoffeeScript 1.8.0-c,c2,10,2020-01-01T09:00:00Z,p1,,b
Submit,3,ann,ITAP; Python,c2,15,2020-01-01T10:00:00,p1,2,
X-HintRequest,4,ann,ITAP,c1,30,2020-01-01T10:00:00,p1,,
Submit,5,,ITAP,c1,30,2020-01-01T10:00:00,p1,,
Submit,6,bob,ITAP,c1,30,2020-01-01T10:00:00,,,
Submit,7,bob,ITAP,c1,30,yesterday,p1,,
Submit,8,bob,ITAP,c1,,2020-01-01T10:00:00,p1,,
Submit,9,bob,ITAP,nope,30,2020-01-01T10:00:00,p1,,
Submit,10,bob,ITAP,,30,2020-01-01T10:00:00,p1,,
Submit,11,bob
Submit,12,bob,Java,c1,31,2020-01-01T10:00:00,p1,1,
"""
CODES = 'CodeStateID,Code\nc1,"print(""hi"")\n  x = 1  \n"\nc2,other\n'


def progsnap2(folder: Path, main: str = MAIN, codes: str = CODES, metadata: dict[str, str] | None = None) -> ProgSnap2:
    (folder / "CodeStates").mkdir(parents=True)
    (folder / "MainTable.csv").write_text(main)
    (folder / "CodeStates" / "CodeStates.csv").write_text(codes)
    if metadata is not None:
        rows = "".join(f"{name},{value}\n" for name, value in metadata.items())
        (folder / "DatasetMetadata.csv").write_text("Property,Value\n" + rows)
    return ProgSnap2(folder=folder)


def test_progsnap2_events_and_reasons(tmp_path: Path) -> None:
    dataset = read(progsnap2(tmp_path / "p"), tmp_path)
    traces = {(t.student, t.title): [(s.code, s.language, s.score, s.mode) for s in t.states] for t in dataset.traces()}
    program = 'print("hi")\n  x = 1'
    assert traces == {
        (keyed_hash("ann", KEY), "p1"): [("other", "python", None, None), (program, "python", 0.5, None)],
        (keyed_hash("bob", KEY), "p1"): [(program, "java", 1.0, None)],
    }
    assert listed(dataset) == [
        (2, "duplicate"), (4, "other_event"), (5, "no_student"), (6, "no_title"), (7, "bad_time"), (8, "bad_order"),
        (9, "no_code"), (10, "no_code"), (11, "malformed"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("metadata", "codes"),
    [
        (None, ["b", "c", "a"]),
        ({"IsEventOrderingConsistent": "TRUE", "EventOrderScope": "Global"}, ["b", "c", "a"]),
        ({"AreEventsOrdered": "true", "EventOrderingScope": "Restricted", "EventOrderScopeColumns": "SubjectID"}, ["b", "c", "a"]),
        ({"EventOrderScope": "Restricted", "EventOrderScopeColumns": "SessionID"}, ["a", "b", "c"]),
        ({"EventOrderScope": "None"}, ["a", "b", "c"]),
        ({"AreEventsOrdered": "0"}, ["a", "b", "c"]),
    ],
)  # fmt: skip
def test_progsnap2_order_is_what_the_metadata_lets_it_be(
    tmp_path: Path, metadata: dict[str, str], codes: list[str]
) -> None:
    main = "EventType,SubjectID,CodeStateID,Order,ServerTimestamp,AssignmentID,Correct\n" + "".join(
        f"Submit,ann,{code},{order},2020-01-01T10:00:0{second},hw,{correct}\n"
        for code, order, second, correct in (("c", 2, 1, "TRUE"), ("b", 1, 1, "false"), ("a", 3, 0, ""))
    )
    source = progsnap2(tmp_path / "p", main, "CodeStateID,Code\na,a\nb,b\nc,c\n", metadata)
    (trace,) = read(source, tmp_path).traces()
    assert [state.code for state in trace.states] == codes
    assert {state.code: state.score for state in trace.states} == {"a": None, "b": 0, "c": 1}
    assert trace.title == "hw"


def test_progsnap2_sections_and_other_names(tmp_path: Path) -> None:
    main = "EventType,SubjectID,CodeStateID,ProblemID\nSubmit,ann,1,p\nSubmit,ann,2,p\n"
    progsnap2(tmp_path / "p", main, "CodeStateID,CodeStateSection,Code\n1,b,x\n1,a,y\n2,a,z\n")
    (tmp_path / "p/CodeStates/CodeStates.csv").rename(tmp_path / "p/CodeStates/CodeState.csv")
    (trace,) = read(ProgSnap2(folder=tmp_path / "p"), tmp_path).traces()
    assert [(state.code, state.at) for state in trace.states] == [("x\ny", None), ("z", None)]


def test_progsnap2_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no column 'SubjectID'"):
        read(progsnap2(tmp_path / "b", main="EventType,Subject,CodeStateID,ProblemID\n"), tmp_path)
    with pytest.raises(InputError, match="does not exist"):
        read(ProgSnap2(folder=tmp_path / "nope"), tmp_path)
    (tmp_path / "c").mkdir()
    with pytest.raises(InputError, match=r"MainTable\.csv"):
        read(ProgSnap2(folder=tmp_path / "c"), tmp_path)


@pytest.mark.supplied
def test_supplied_itap_reads_exactly(shared: Path, tmp_path: Path) -> None:
    dataset = read(ProgSnap2(folder=shared / "itap"), tmp_path)
    assert dataset.origin == "students"
    assert (len(dataset), dataset.manifest.states, dataset.manifest.students) == (577, 2005, 58)
    assert dataset.manifest.rejected["other_event"] == 247
    states = [state for trace in dataset.traces() for state in trace.states]
    assert {state.language for state in states} == {"python"}
    assert {state.score for state in states} == {0.0, 1.0, None}  # some submissions were not judged


# Tables

CSV = """who,task,text,when,n
ann,p,"a
b",2020-01-01 10:00,3
ann,p,c,2020-01-01 09:00,1
ann,p,,2020-01-01 11:00,2
,p,c,2020-01-01 09:00,1
bob,,c,2020-01-01 09:00,1
bob,p,c,later,1
bob,p,c
bob,q,d,2020-01-01T09:00:00.5+01:00,x
"""


def table(path: Path, **columns: Any) -> Table:
    return Table(path=path, student="who", title="task", code="text", **columns)


def test_a_csv_table_by_time_by_order_and_by_row(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(CSV)
    ann = keyed_hash("ann", KEY)

    def codes(dataset: Dataset) -> list[str]:
        return next([s.code for s in t.states] for t in dataset.traces() if t.student == ann)

    timed = read(table(path, time="when", language="python"), tmp_path, "timed")
    assert codes(timed) == ["c", "a\nb"]
    assert listed(timed) == [(3, "empty_edge"), (4, "no_student"), (5, "no_title"), (6, "bad_time"), (7, "malformed")]
    other = next(t for t in timed.traces() if t.title == "q")
    assert other.final.at == datetime(2020, 1, 1, 8, 0, 0, 500000, tzinfo=UTC)
    assert other.final.language == "python"
    ordered = read(table(path, order="n"), tmp_path, "ordered")
    assert codes(ordered) == ["c", "", "a\nb"]
    assert (8, "bad_order") in listed(ordered)
    assert next(ordered.traces()).final.at is None
    assert codes(read(table(path), tmp_path, "rows")) == ["a\nb", "c"]


def test_a_parquet_table(tmp_path: Path) -> None:
    late, early = datetime(2020, 1, 2, tzinfo=UTC), datetime(2020, 1, 1, tzinfo=UTC)
    columns = {
        "who": [7, 7, 7],
        "task": ["p", "p", "p"],
        "text": ["b", "a", None],
        "when": [late, early, early],
    }
    pq.write_table(pa.table(columns), tmp_path / "t.bin")
    dataset = read(table(tmp_path / "t.bin", time="when"), tmp_path)
    (trace,) = dataset.traces()
    assert [(state.code, state.at) for state in trace.states] == [("a", early), ("b", late)]
    assert trace.student == keyed_hash("7", KEY)
    assert listed(dataset) == [(3, "no_code")]


def test_a_column_that_is_not_there_is_refused_with_a_suggestion(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(CSV)
    with pytest.raises(InputError, match=r"no column 'wen'. Did you mean 'when'\?"):
        read(table(tmp_path / "t.csv", time="wen"), tmp_path)
    (tmp_path / "u.csv").write_bytes(b"\0\1\2")
    with pytest.raises(InputError, match="can't be read: it is no text"):
        read(table(tmp_path / "u.csv"), tmp_path)


def test_rows_that_are_not_utf8(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b"who,task,text\nann,p,a\nann,p,\xff\nann,p\nann,\xff,b\nann,p,b\n")
    dataset = read(table(tmp_path / "t.csv"), tmp_path)
    assert listed(dataset) == [(2, "not_utf8"), (3, "malformed"), (4, "not_utf8")]
    assert [state.code for state in next(dataset.traces()).states] == ["a", "b"]
