"""A dataset as a ProgSnap2 data set: it keeps the specification, says what is made up, and reads as the same traces."""

from __future__ import annotations

import csv
import hashlib
import io
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from factories import make_dataset, make_key, make_trace
from redraft import progsnap2
from redraft.data.identity import keyed_hash
from redraft.data.ingest import IngestOptions, ingest
from redraft.data.sources.progsnap2 import ProgSnap2
from redraft.data.store import Dataset
from redraft.data.trace import State, Trace
from redraft.errors import RedraftError
from redraft.execute.dataset import verdict_writer
from redraft.execute.verdict import Verdict

KEY = b"a key of more than sixteen bytes"


def ingested(folder: Path, out: Path) -> Dataset:
    make_key(out.with_name("key"), KEY)
    return ingest(ProgSnap2(folder=folder), out, IngestOptions(key=out.with_name("key"), memory="256MB"))


def rows(folder: Path) -> list[dict[str, str]]:
    return [*csv.DictReader(io.StringIO((folder / "MainTable.csv").read_bytes().decode(), newline=""))]


TEXTS = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from('\0\r\n",;\t '), max_size=12)
TIMES = st.none() | st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1)).map(lambda at: at.replace(tzinfo=UTC))
STATES = st.builds(
    State,
    code=TEXTS | st.sampled_from(["", "a\r\nb", "x ", "nan", "1.0"]),
    at=TIMES | st.just(datetime(2020, 1, 1, tzinfo=UTC)),
    language=st.sampled_from([None, "python", "coffeescript", "Brain Fun"]),
    mode=st.sampled_from([None, "b", "t"]),
    truncated=st.booleans(),
    score=st.none() | st.floats(0, 1),
)
TRACES = st.lists(
    st.tuples(
        st.sampled_from(["s1", "s2"]),
        TEXTS.filter(bool) | st.sampled_from(["nan", "NULL", "3.0", " x", "UNKNOWN"]),
        st.lists(st.tuples(st.lists(STATES, min_size=1, max_size=4), st.booleans()), min_size=1, max_size=3),
    ),
    min_size=1, max_size=4, unique_by=lambda one: one[:2],
)  # fmt: skip


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(TRACES)
def test_export_then_ingest_gives_the_same_traces(drawn: list[tuple[str, str, list[tuple[list[State], bool]]]]) -> None:
    traces = [
        Trace(student=student, title=title, states=tuple(states), source="test", sample=number, ended=ended)
        for student, title, samples in drawn
        for number, (states, ended) in enumerate(samples)
    ]
    with TemporaryDirectory() as name:
        folder = Path(name)
        progsnap2.export(make_dataset(folder / "d", traces, origin="model"), folder / "p", memory="256MB")
        assert list(progsnap2.validate(folder / "p")) == []
        found = ingested(folder / "p", folder / "again")
        told = {(t.student, t.title, t.sample): (t.states, t.ended) for t in found.traces()}
    assert told == {(keyed_hash(t.student, KEY), t.title, t.sample): (t.states, t.ended) for t in traces}
    assert (found.origin, found.manifest.rejected) == ("model", {})


def test_a_rows_cells(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path / "d", [make_trace(["a", "b", "a"]), make_trace(["é\0"], student="s2")])
    progsnap2.export(dataset, tmp_path / "p")
    found = rows(tmp_path / "p")
    assert [row["CodeStateID"] for row in found] == [
        hashlib.sha256(c.encode()).hexdigest() for c in ("a", "b", "a", "é\0")
    ]
    assert [row["Order"] for row in found] == ["1", "2", "3", "4"]
    assert found[0]["ServerTimestamp"] == "2020-01-01T09:00:00.000000+0000"
    assert (found[0]["EventType"], found[0]["ToolInstances"]) == ("Submit", "test;coffeescript")
    states = (tmp_path / "p/CodeStates/CodeStates.csv").read_bytes().decode()
    assert sorted(row["Code"] for row in csv.DictReader(io.StringIO(states, newline=""))) == ["a", "b", "é\0"]


def test_verdicts_are_results_and_made_up_ones_say_so(tmp_path: Path) -> None:
    trace = make_trace(["ok", "bad", "slow", "big", "unknown", "never run"])
    dataset = make_dataset(tmp_path / "d", [trace])
    said = dict(zip(trace.states, ("ok", "error", "timeout", "memory", "unscored"), strict=False))
    with verdict_writer(dataset, "v8", version="v8 of a test") as keep:
        for state, verdict in said.items():
            keep(Verdict(id=state.id, verdict=verdict, language="coffeescript", end_reached=True, errors=()))
    progsnap2.export(dataset, tmp_path / "p")
    assert [(row["EventType"], row["ExecutionResult"], row["IsFabricatedEvent"]) for row in rows(tmp_path / "p")] == [
        ("Run.Program", "Success", "true"), ("Run.Program", "Error", "true"), ("Run.Program", "Timeout", "true"),
        ("Run.Program", "Error", "true"), ("Submit", "", "false"), ("Submit", "", "false"),
    ]  # fmt: skip
    assert list(progsnap2.validate(tmp_path / "p")) == []
    again = ingested(tmp_path / "p", tmp_path / "again")
    assert not (again.path / "verdicts-platform.parquet").exists(), "what we found out isn't the platform's word"


def test_a_platforms_verdicts_come_back(tmp_path: Path) -> None:
    main = "EventType,SubjectID,CodeStateID,ProblemID,ExecutionResult\n" + "".join(
        f"Run.Program,ann,{code},p,{result}\n"
        for code, result in (("a", "Error"), ("b", "TestFailed"), ("c", "Success"))
    )
    (tmp_path / "given/CodeStates").mkdir(parents=True)
    (tmp_path / "given/MainTable.csv").write_text(main)
    (tmp_path / "given/CodeStates/CodeStates.csv").write_text("CodeStateID,Code\na,1\nb,2\nc,3\n")
    first = ingested(tmp_path / "given", tmp_path / "d")
    progsnap2.export(first, tmp_path / "p")
    assert {row["IsFabricatedEvent"] for row in rows(tmp_path / "p")} == {"false"}
    again = ingested(tmp_path / "p", tmp_path / "again")
    verdicts = [dataset.path / "verdicts-platform.parquet" for dataset in (first, again)]
    one, other = (pq.read_table(file).select(["id", "title", "verdict"]).to_pylist() for file in verdicts)
    assert one == other


def test_what_is_there_is_left_alone_and_the_same_is_not_written_twice(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path / "d", [make_trace(["a"])])
    progsnap2.export(dataset, tmp_path / "p")
    before = (tmp_path / "p/MainTable.csv").stat().st_mtime_ns
    progsnap2.export(dataset, tmp_path / "p")
    assert (tmp_path / "p/MainTable.csv").stat().st_mtime_ns == before
    other = make_dataset(tmp_path / "e", [make_trace(["b"])])
    with pytest.raises(RedraftError, match="left alone"):
        progsnap2.export(other, tmp_path / "p")
    progsnap2.export(other, tmp_path / "p", overwrite=True)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/notes.txt").write_text("keep")
    with pytest.raises(RedraftError, match="left alone"):
        progsnap2.export(dataset, tmp_path / "mine", overwrite=True)


def test_samples_without_drafts_are_counted(tmp_path: Path) -> None:
    nothing = Trace(student="s1", title="p", states=(), source="test", sample=1, ended=False)
    dataset = make_dataset(tmp_path / "d", [make_trace(["a"], title="p"), nothing], origin="model")
    progsnap2.export(dataset, tmp_path / "p")
    assert Counter(row["EventType"] for row in rows(tmp_path / "p")) == {"Submit": 1, "X-NoDraft": 1}
    assert list(progsnap2.validate(tmp_path / "p")) == []
    assert ingested(tmp_path / "p", tmp_path / "again").manifest.rejected == {"other_event": 1}


def test_a_data_set_of_ones_own(tmp_path: Path) -> None:
    columns = ["EventType", "EventID", "SubjectID", "ToolInstances", "CodeStateID", "ServerTimestamp", "X-Mood"]
    events = [
        {"EventType": "Submit", "EventID": 1, "SubjectID": "s", "ToolInstances": "t", "CodeStateID": "c",
         "ServerTimestamp": datetime(2020, 1, 1, tzinfo=UTC), "X-Mood": True},
        {"EventType": "X-Sigh", "EventID": 2, "SubjectID": "s", "ToolInstances": "t", "CodeStateID": None},
    ]  # fmt: skip
    progsnap2.write(
        tmp_path / "p", columns=columns, events=events, code_states=[{"CodeStateID": "c", "Code": 'a\n"b"'}]
    )
    assert list(progsnap2.validate(tmp_path / "p")) == []
    data = progsnap2.read(tmp_path / "p")
    assert data.columns == columns
    assert (data.representation, data.metadata["EventOrderScope"]) == ("Table", "None")
    assert [event["X-Mood"] for event in data.events()] == ["true", ""]
    assert [event["ServerTimestamp"] for event in data.events(["ServerTimestamp"])] == ["2020-01-01T00:00:00+00:00", ""]
    assert [tuple(state) for state in data.code_states()] == [("c", "", "", 'a\n"b"')]
    with pytest.raises(RedraftError, match="Mood"):
        progsnap2.write(tmp_path / "q", columns=[*columns, "Mood"], events=[], code_states=[])
    with pytest.raises(RedraftError, match="ToolInstances"):
        progsnap2.write(tmp_path / "q", columns=["EventType"], events=[], code_states=[])
    assert not (tmp_path / "q").exists()


def test_nothing_of_it_loads_torch() -> None:
    code = (
        "import sys, redraft.progsnap2 as p; assert p.read and p.write and p.validate; sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
