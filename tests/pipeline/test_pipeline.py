"""The whole pipeline, small: on a simulated class, and on slices of the supplied data."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch

import redraft
from factories import make_dataset, make_trace
from redraft import pipeline, results
from redraft.cli import main
from redraft.data.sources.states import Source
from redraft.data.split import SplitConfig, make_split
from redraft.data.store import Origin
from redraft.errors import DatasetError
from redraft.execute.dataset import ExecuteConfig, read_runs
from redraft.pipeline.settings import RunConfig
from redraft.pipeline.study import share_out
from redraft.rundir import lock

SMALL = """
views = ["trace", "synthetic", "last"]
unsampled_views = []
controls = ["other-student"]
studies = ["variance"]
max_pairs = 3
[train]
preset = "llama-200k"
vocabulary = 512
steps = 8
validate_every = 4
[sample]
per_pair = 2
rounds = 1
[behaviour]
replicates = 60
workers = 1
"""


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Settings that make a run quick."""
    file = tmp_path / "small.toml"
    file.write_text(SMALL)
    return file


def study(data: Path, out: Path, settings: Path) -> Path:
    """`redraft reproduce` with small settings."""
    with pytest.raises(SystemExit) as ended:
        main(["reproduce", "--data", str(data), "--budget", "1", "--out", str(out), "--config", str(settings)])
    assert ended.value.code == 0
    return out


@pytest.mark.parametrize(
    ("traces", "planned"), [(1, (5, 2)), (80, (10, 2)), (400, (50, 2)), (401, (50, 2)), (600, (50, 4)), (1e9, (50, 5))]
)
def test_time_left_when_all_pairs_are_sampled_goes_into_more_samples_of_each(
    traces: float, planned: tuple[int, int]
) -> None:
    assert share_out(traces, [50, 40, 30, 20], 2) == planned


def check(run: Path, origin: str) -> None:
    """What every run must have, whatever its models are worth."""
    rows = results.read(run / "results" / "behaviour.parquet")
    assert {row.origin for row in rows} == {origin}
    assert {row.model for row in rows} >= {"trace", "last", "synthetic"}
    assert {row.statistic for row in rows} >= {"pooled_r", "within_r"}
    assert any(row.baseline == "title-mean" for row in rows)
    for row in rows:
        assert row.value is None or row.value == row.value  # never nan
        assert row.value is not None or row.reason, row
        assert row.low is None or row.high is None or row.low <= row.high
    page = (run / "report.html").read_text()
    assert page.count("<svg") >= 2
    assert 'src="http' not in page
    assert {path.name for path in (run / "samples").iterdir()} >= {"last", "synthetic", "trace"}


def test_simulate_to_report_and_again(tmp_path: Path, small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    logs = redraft.simulate(redraft.SimulateConfig(students=25, titles=4, seed=2), tmp_path / "logs")
    source = redraft.PencilCode(paths=sorted(logs.glob("access-*.log.gz")))
    options = redraft.IngestOptions(key=logs / "ingest.key", origin="simulated")
    dataset = redraft.ingest(source, tmp_path / "class.dataset", options)
    truth = pq.read_table(logs / "traits.parquet")["student"].to_pylist()
    assert set(dataset.to_arrow(["student"])["student"].to_pylist()) <= set(truth)

    run = study(dataset.path, tmp_path / "run", small)
    check(run, "simulated")
    assert "imulated" in (run / "report.html").read_text()
    stages = json.loads((run / "stages.json").read_text())
    del stages["seal"]
    assert {"split", "train trace", "sample last", "describe", "behaviour", "report"} <= set(stages)
    samples = redraft.open_dataset(run / "samples" / "trace")
    assert samples.origin == "model"

    capsys.readouterr()
    weights = (run / "models" / "trace" / "model.safetensors").stat().st_mtime_ns
    study(dataset.path, run, small)
    assert capsys.readouterr().err.count("done before") == len(stages)
    assert (run / "models" / "trace" / "model.safetensors").stat().st_mtime_ns == weights

    shutil.rmtree(run / "samples" / "last")
    (run / "report.html").write_text("somebody's")
    study(dataset.path, run, small)
    said = capsys.readouterr().err
    again = {"sample last", "report", "execute"}  # the verdicts on the samples went with them
    assert {line.split(":")[0] for line in said.splitlines() if "gone or changed" in line} == again
    assert said.count("done before") == len(stages) - len(again)

    cut = run / "models" / "synthetic" / "model.safetensors"
    whole = cut.read_bytes()
    cut.write_bytes(whole[:-1])
    study(dataset.path, run, small)
    said = capsys.readouterr().err
    assert "train synthetic: what it left is gone or changed" in said
    assert "sample synthetic: what it came from was made anew" in said  # the history has other times
    assert said.count("done before") == 3  # the split and the two other trainings
    assert cut.read_bytes() == whole


def test_matching_is_left_out_where_nobody_can_be_told_apart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    both = ("other-student", "matched-student")
    for years, kept in ((2020, 2020), both[:1]), ((2020, 2021), both):
        name = f"class-{years[-1]}"
        dataset = make_dataset(tmp_path / name, [
            make_trace(["fd 1", f"fd {t}"], f"s{s}", f"t{t}", datetime(years[s % 2], 1, 1, tzinfo=UTC))
            for s in range(6) for t in range(6)
        ])  # fmt: skip
        split = make_split(dataset, SplitConfig(held_students=1, held_titles=1))
        assert pipeline.study._told_apart(dataset, split, both) == kept
        assert ("same year and editor mode" in capsys.readouterr().err) == (kept != both)


def test_programs_are_judged_once_by_each_rule(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    judge = pipeline.study._execute
    dataset = make_dataset(tmp_path / "class", [make_trace(["fd 1", "await read 'name?', defer x\nwrite x"])])
    corrected, paper = (dataset.path / name for name in ("verdicts-v8.parquet", "verdicts-v8-paper.parquet"))
    config = RunConfig(dataset="../class", views=(), controls=())
    by_paper = replace(config, execute=ExecuteConfig(rule="paper"))
    run = tmp_path / "run"
    run.mkdir()
    judge(run, config)
    first = corrected.read_bytes(), corrected.stat().st_mtime_ns
    judge(run, by_paper)
    judge(run, config)
    assert (corrected.read_bytes(), corrected.stat().st_mtime_ns) == first
    assert [list(read_runs([file]).values()).count(True) for file in (corrected, paper)] == [2, 1]

    shutil.rmtree(dataset.path)
    make_dataset(dataset.path, [make_trace(["fd 1", "fd 2", "fd 3"])])
    corrected.write_bytes(first[0])  # of a dataset that isn't there any more
    judge(run, config)
    assert len(read_runs([corrected])) == 3


def test_a_killed_run_goes_on(tmp_path: Path, small: Path) -> None:
    logs = redraft.simulate(redraft.SimulateConfig(students=12, titles=4, seed=5), tmp_path / "logs")
    source = redraft.PencilCode(paths=[logs])
    options = redraft.IngestOptions(key=logs / "ingest.key")
    dataset = redraft.ingest(source, tmp_path / "class.dataset", options)
    assert dataset.origin == "simulated"  # the note beside the logs says so
    run = tmp_path / "run"
    command = [sys.executable, "-m", "redraft", "reproduce", "--data", str(dataset.path), "--budget", "1"]
    command += ["--out", str(run), "--config", str(small)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    while not (run / "models").exists() or not any((run / "models").iterdir()):
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    time.sleep(2)  # the workers see within a second that they are alone
    again = subprocess.run(command, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    check(run, "simulated")


def test_a_run_that_is_at_work_is_left_alone(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path / "class.dataset", [make_trace(["fd 1"])]).path
    with lock(tmp_path / "run"):
        with pytest.raises(DatasetError, match="another redraft process"):
            pipeline.demo(tmp_path / "run", seed=1)
        with pytest.raises(DatasetError, match="another redraft process"):
            pipeline.reproduce(dataset, budget_minutes=1, out=tmp_path / "run", seed=1, split_name="default")
    assert not (tmp_path / "run").exists()


def test_demo_ends_with_a_report_and_three_findings(
    tmp_path: Path, small: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = pipeline.demo(tmp_path / "demo", seed=3, students=20, small=True, config=[small])
    out = capsys.readouterr().out.strip().splitlines()
    assert "This is the small demo" in report.read_text()
    assert len(out) == 4
    assert all("imulated" in line for line in out[:3])
    assert out[3].endswith("report.html")


@pytest.mark.supplied
@pytest.mark.parametrize(
    ("name", "origin"), [("logs", "model"), ("rollouts", "model"), ("itap", "students")], ids=lambda value: value
)
def test_supplied_data_goes_all_the_way(name: str, origin: Origin, shared: Path, tmp_path: Path, small: Path) -> None:
    sources: dict[str, Callable[[], Source]] = {
        "logs": lambda: redraft.PencilCode(paths=[shared / "logs" / "access-2024.log.gz"]),
        "rollouts": lambda: redraft.Rollouts(paths=sorted((shared / "rollouts").glob("all_s*.json.xz"))[:2]),
        "itap": lambda: redraft.ProgSnap2(folder=shared / "itap"),
    }
    dataset = redraft.ingest(sources[name](), tmp_path / "d", redraft.IngestOptions(origin=origin))
    assert dataset.origin == origin
    check(study(dataset.path, tmp_path / "run", small), origin)
