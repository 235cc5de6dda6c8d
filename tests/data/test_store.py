"""Datasets: what is written comes back, and nothing half-written passes for whole."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import textwrap
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import redraft
from factories import make_dataset, make_trace
from places import SUPPORT
from redraft.data.store import DatasetWriter, open_dataset
from redraft.data.trace import State, Trace, from_batch, program_id, to_table
from redraft.errors import DatasetError

text = st.text(st.characters(codec="utf-8"), max_size=40)
states = st.builds(
    State,
    code=text,
    at=st.none() | st.datetimes(datetime(1970, 1, 2), datetime(2100, 1, 1)).map(lambda d: d.replace(tzinfo=UTC)),
    language=st.none() | text,
    mode=st.none() | st.sampled_from("bt"),
    truncated=st.booleans(),
    score=st.none() | st.floats(0, 1),
)
traces = st.builds(
    Trace, student=text, title=text, states=st.lists(states, min_size=1, max_size=4).map(tuple), source=text,
    sample=st.integers(0, 9), request=st.none() | text, ended=st.booleans(),
)  # fmt: skip


@given(st.lists(traces, max_size=4))
@settings(max_examples=50, deadline=None)
def test_traces_survive_arrow(items: list[Trace]) -> None:
    assert list(from_batch(to_table(items))) == items


def test_a_dataset_gives_back_its_traces_and_counts(tmp_path: Path) -> None:
    items = [make_trace(["a", "b"], student=s, title=t) for s in ("s1", "s2") for t in ("house", "star")]
    make_dataset(tmp_path / "d", items, origin="model")
    dataset = redraft.open_dataset(tmp_path / "d")
    assert list(dataset.traces()) == items
    assert (len(dataset), dataset.manifest.states, dataset.manifest.students, dataset.manifest.titles) == (4, 8, 2, 2)
    assert dataset.origin == "model"
    assert dataset.to_arrow().num_rows == 4
    assert dataset.to_arrow(["title"]).column_names == ["title"]
    assert dataset.pairs().to_pylist()[0] == {"student": "s1", "title": "house"}
    dataset.verify()


def test_an_empty_dataset_is_a_dataset(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path / "d", [])
    assert list(dataset.traces()) == []
    assert dataset.to_arrow().num_rows == 0
    assert dataset.pairs().num_rows == 0


def test_the_same_request_twice_is_done_already_and_another_is_refused(tmp_path: Path) -> None:
    make_dataset(tmp_path / "d", [make_trace(["a"])])
    with DatasetWriter(tmp_path / "d", origin="students", provenance={"test": "d"}) as writer:
        assert writer.complete
    with (
        pytest.raises(DatasetError, match="--overwrite"),
        DatasetWriter(tmp_path / "d", origin="students", provenance={"test": "other"}),
    ):
        pass
    with DatasetWriter(tmp_path / "d", origin="students", provenance={"test": "other"}, overwrite=True) as writer:
        assert not writer.complete
        writer.write_shard(0, [make_trace(["b"])])
        assert [t.final.code for t in open_dataset(tmp_path / "d").traces()] == ["a"]
        writer.finish()
    assert [t.final.code for t in open_dataset(tmp_path / "d").traces()] == ["b"]


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis").write_text("precious")
    with pytest.raises(DatasetError, match="left alone"), DatasetWriter(tmp_path, origin="students", provenance={}):
        pass
    assert (tmp_path / "thesis").read_text() == "precious"


def test_killed_half_way_is_unfinished_and_goes_on(tmp_path: Path) -> None:
    script = textwrap.dedent(f"""
        import os, signal, sys
        sys.path.insert(0, {str(SUPPORT)!r})
        from factories import make_trace
        from redraft.data.store import DatasetWriter
        with DatasetWriter({str(tmp_path / "d")!r}, origin="students", provenance={{"x": 1}}) as writer:
            writer.write_shard(0, [make_trace(["a"])])
            os.kill(os.getpid(), signal.SIGKILL)
    """)
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == -signal.SIGKILL
    with pytest.raises(DatasetError, match="unfinished"):
        open_dataset(tmp_path / "d")
    with (
        pytest.raises(DatasetError, match="beginnings of another"),
        DatasetWriter(tmp_path / "d", origin="students", provenance={"x": 2}),
    ):
        pass


def test_killed_half_way_keeps_its_shards(tmp_path: Path) -> None:
    with DatasetWriter(tmp_path / "d", origin="students", provenance={"x": 1}) as writer:
        writer.write_shard(0, [make_trace(["a"])])
    with DatasetWriter(tmp_path / "d", origin="students", provenance={"x": 1}) as writer:
        assert writer.has_shard(0)
        assert not writer.has_shard(1)
        writer.write_shard(1, [make_trace(["b"], student="s2")])
        dataset = writer.finish()
    assert len(dataset) == 2
    assert not (tmp_path / "d.partial").exists()
    assert sorted(p.name for p in dataset.path.iterdir()) == [
        "manifest.json", "traces-00000.parquet", "traces-00001.parquet",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"schema_version": 99}, "Upgrade redraft"),
        ({"schema_version": 0}, "no version"),
        ({"schema_version": True}, "no version"),
        ({"schema_version": "1"}, "no version"),
        ({"origin": "aliens"}, "proper value of origin"),
        ({"traces": "1"}, "proper value of traces"),
        ({"traces": None}, "proper value of traces"),
        ({"rejected": []}, "proper value of rejected"),
        ({"files": ["traces-00000.parquet"]}, "proper value of files"),
        ({"files": {}}, "no files of traces"),
        ({"traces": -1}, "fewer than none"),
        ({"files": {"traces-gone.parquet": "0" * 64}}, "files are missing"),
        ({"files": {"traces-/../../d/manifest.json": "0" * 64}}, "in a way"),
        ({"surprise": 1}, "no dataset has"),
    ],
)
def test_a_manifest_that_is_not_ours_is_explained(tmp_path: Path, change: dict[str, object], words: str) -> None:
    make_dataset(tmp_path / "d", [make_trace(["a"])])
    file = tmp_path / "d" / "manifest.json"
    unsealed = {key: value for key, value in json.loads(file.read_text()).items() if key != "seal"}
    file.write_text(json.dumps({**unsealed, **change}))
    with pytest.raises(DatasetError, match=words):
        open_dataset(tmp_path / "d")


def test_not_a_dataset_and_a_damaged_one_are_explained(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no such dataset"):
        open_dataset(tmp_path / "none")
    with pytest.raises(DatasetError, match="not a dataset"):
        open_dataset(tmp_path)
    dataset = make_dataset(tmp_path / "d", [make_trace(["a"])])
    dataset.shards[0].write_bytes(b"garbage")
    with pytest.raises(DatasetError, match="changed or damaged"):
        dataset.verify()
    with pytest.raises(DatasetError, match="changed or damaged"):
        list(dataset.traces())


def test_the_same_traces_make_the_same_bytes(tmp_path: Path) -> None:
    one, two = (make_dataset(tmp_path / name / "d", [make_trace(["a"])]) for name in ("x", "y"))
    assert one.manifest == two.manifest
    assert one.fingerprint == two.fingerprint


def test_a_programs_id_depends_on_its_language() -> None:
    assert program_id("fd 1", "coffeescript") != program_id("fd 1", "javascript")
    assert program_id("fd 1", None) == State(code="fd 1").id
    assert isinstance(to_table([]), pa.Table)
