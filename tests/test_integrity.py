"""What is read is what was written: any changed bit is refused, with the file's name, or changes nothing."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from factories import make_dataset, make_trace
from redraft import results
from redraft.data.companions import COVARIATES_FILE
from redraft.data.split import SplitConfig, load_split, make_split
from redraft.data.store import Dataset, DatasetWriter, open_dataset
from redraft.errors import RedraftError
from redraft.execute.dataset import find_verdicts, read_messages, verdict_file, verdict_writer
from redraft.execute.verdict import Verdict
from redraft.rundir import RunDir
from redraft.rundir.tables import read_table, write_table
from redraft.studies.common.work import kept_array, kept_table
from unsealed import unseal

FLIPS = 60


def _covariates(dataset: Dataset) -> object:
    table = dataset.covariates()
    return table and table.to_pylist()


READ: dict[str, Callable[[Path], object]] = {
    "class/manifest.json": lambda home: open_dataset(home / "class").manifest,
    "class/traces-00000.parquet": lambda home: list(open_dataset(home / "class").traces()),
    "class/covariates.parquet": lambda home: _covariates(open_dataset(home / "class")),
    "class/splits/default.parquet": lambda home: load_split(open_dataset(home / "class")).of,
    "class/verdicts-v8.parquet": lambda home: (
        read_messages(open_dataset(home / "class")), find_verdicts(open_dataset(home / "class"))
    ),
    "run/results/toy.parquet": lambda home: results.of_study(home / "run", "toy"),
    "run/stages.json": lambda home: RunDir(home / "run").stages,
    "run/kept.parquet": lambda home: kept_table(home / "run" / "kept.parquet", pa.table).to_pylist(),
    "run/kept.npy": lambda home: kept_array(home / "run" / "kept.npy", lambda: np.zeros(1)).tolist(),
}  # fmt: skip
"""File -> what a user gets from it."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("whole")
    traces = [
        make_trace([f"pen red\nfd {i}", f"pen blue\nrt {j}"], student=f"s{i}", title=f"t{j}")
        for i in range(6) for j in range(5)
    ]  # fmt: skip
    with DatasetWriter(home / "class", origin="students", provenance={"command": "test"}) as writer:
        writer.write_shard(0, traces)
        write_table(pa.table({"student": ["s1", "s2"], "age": [11, 12]}), writer.folder / COVARIATES_FILE)
        dataset = writer.finish(rejected={"empty": 3})
    make_split(dataset, SplitConfig(held_students=2, held_titles=1))
    with verdict_writer(dataset, "v8", version="1") as keep:
        for trace in traces:
            keep(
                Verdict(
                    id=trace.final.id, verdict="ok", language="coffeescript", end_reached=True, errors=(), seconds=0
                )
            )
    row = results.Result(origin="students", dataset="class", study="toy", metric="m", level="trace", statistic="mean",
                         n=5, n_students=3, n_titles=2, value=0.25, condition={"k": "1"})  # fmt: skip
    results.write([row], home / "run" / "results" / "toy.parquet")
    RunDir(home / "run").finish("toy", {}, 1.5, [home / "run" / "results"])
    kept_table(home / "run" / "kept.parquet", lambda: pa.table({"x": list(range(50))}))
    kept_array(home / "run" / "kept.npy", lambda: np.arange(50.0))
    return home


@pytest.fixture
def home(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "home"))


def _outcome(read: Callable[[Path], object], home: Path, name: str) -> object:
    """What is read, or None where it is refused with the file's name and a remedy."""
    try:
        return read(home)
    except RedraftError as error:
        refusal = error
    assert Path(name).name in str(refusal), refusal
    assert refusal.remedy
    return None


@pytest.mark.parametrize("name", READ)
def test_a_changed_bit_is_refused_or_changes_nothing(home: Path, name: str) -> None:
    file, read, draw = home / name, READ[name], random.Random(name)
    true, contents = read(home), file.read_bytes()
    refused = 0
    for _ in range(FLIPS):
        flipped = bytearray(contents)
        place = draw.randrange(len(contents))
        flipped[place] ^= 1 << draw.randrange(8)
        file.write_bytes(flipped)
        found = _outcome(read, home, name)
        refused += found is None
        assert found is None or found == true, place
    assert refused > FLIPS / 2


@pytest.mark.parametrize("name", READ)
def test_one_cut_short_or_emptied_is_refused(home: Path, name: str) -> None:
    file, read = home / name, READ[name]
    true, contents = read(home), file.read_bytes()
    for length in {0, 1, 4, len(contents) // 3, len(contents) // 2, len(contents) - 8, len(contents) - 1}:
        file.write_bytes(contents[:length])
        found = _outcome(read, home, name)
        assert found is None or found == true  # a last newline may go
    file.write_bytes(b"")
    assert _outcome(read, home, name) is None


@pytest.mark.parametrize("text", ["[]", "null", "3", '"a"', "{}", '{"a": {', "[" * 100_000, "\ud800", "NaN"])
@pytest.mark.parametrize("name", ["class/manifest.json", "run/stages.json"])
def test_json_of_another_shape_is_refused(home: Path, name: str, text: str) -> None:
    (home / name).write_bytes(text.encode("utf-8", "surrogatepass"))
    found = _outcome(READ[name], home, name)
    assert found is None or (name == "run/stages.json" and found == {})


def test_a_shard_of_another_dataset_is_refused(home: Path) -> None:
    other = make_dataset(home / "other", [make_trace(["fd 1"])])
    shutil.copy(other.shards[0], home / "class" / "traces-00000.parquet")
    with pytest.raises(RedraftError, match=r"traces-00000.parquet: was changed"):
        list(open_dataset(home / "class").traces())
    with pytest.raises(RedraftError, match=r"traces-00000.parquet: was changed"):
        open_dataset(home / "class").pairs()


def test_a_change_between_two_readings_is_noticed(home: Path) -> None:
    dataset = open_dataset(home / "class")
    assert len(list(dataset.traces())) == 30
    contents = bytearray(dataset.shards[0].read_bytes())
    contents[len(contents) // 2] ^= 1
    dataset.shards[0].write_bytes(contents)
    with pytest.raises(RedraftError, match="was changed"):
        list(dataset.traces())


def test_files_of_earlier_versions_are_read(home: Path) -> None:
    """Without seals, the manifest's hashes still hold."""
    manifest = json.loads((home / "class" / "manifest.json").read_text())
    unseal(home / "class" / "manifest.json", files=manifest["files"])
    unseal(home / "run" / "stages.json")
    table = read_table(home / "class" / "splits" / "default.parquet")
    pa.parquet.write_table(table, home / "class" / "splits" / "default.parquet")
    verdicts = verdict_file(open_dataset(home / "class"), "v8")
    pa.parquet.write_table(read_table(verdicts), verdicts)
    for name, read in READ.items():
        assert read(home), name


@pytest.fixture
def begun(tmp_path: Path) -> Path:
    """A dataset cut short."""
    with DatasetWriter(tmp_path / "d", origin="students", provenance={"x": 1}) as writer:
        writer.write_shard(0, [make_trace(["a"])])
    return tmp_path / "d.partial"


def test_a_shard_that_was_damaged_while_its_dataset_was_unfinished_is_not_published(begun: Path) -> None:
    shard = begun / "result" / "traces-00000.parquet"
    contents = bytearray(shard.read_bytes())
    contents[20] ^= 1
    shard.write_bytes(contents)
    with DatasetWriter(begun.with_suffix(""), origin="students", provenance={"x": 1}) as writer:
        with pytest.raises(RedraftError, match=r"traces-00000.parquet: was changed"):
            writer.has_shard(0)
        shard.unlink()
        assert not writer.has_shard(0)


def test_a_damaged_request_is_named_and_left_alone(begun: Path) -> None:
    request = begun / "request.json"
    request.write_bytes(request.read_bytes()[:20])
    with (
        pytest.raises(RedraftError, match=r"request.json.*left alone"),
        DatasetWriter(begun.with_suffix(""), origin="students", provenance={"x": 1}),
    ):
        pass
    assert request.exists()
