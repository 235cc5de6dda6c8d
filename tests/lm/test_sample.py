"""Sampling: whole traces into ordinary datasets, resumable to the byte."""

from __future__ import annotations

import multiprocessing as mp
import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest

from known import known
from redraft.cli import app
from redraft.data.split import Split, SplitConfig, make_split
from redraft.data.store import open_dataset
from redraft.errors import DatasetError, InputError, UsageError
from redraft.lm import sample as sampling
from redraft.lm.checkpoint import Model, load_model
from redraft.lm.generate import Draft, generate
from redraft.lm.sample import Request, SampleConfig, exchanged, requests_for, sample
from redraft.lm.train import train
from toy import TOY, prepare_torch, toy_dataset


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("toy")


@pytest.fixture(scope="module")
def toy(folder: Path) -> tuple[Split, Model]:
    prepare_torch()
    dataset, split = toy_dataset(folder / "data")
    model = train(dataset, split=split, view="trace", out=folder / "model", config=replace(TOY, steps=200, lr=2e-2))
    return split, model


# Datasets of samples


def test_samples_are_an_ordinary_dataset(toy: tuple[Split, Model], tmp_path: Path) -> None:
    split, model = toy
    requests = requests_for(split)
    dataset = sample(model, requests, out=tmp_path / "g", config=SampleConfig(per_pair=3, batch=16))
    assert dataset.origin == "model"
    assert dataset.manifest.provenance["trained_on"] == "simulated"
    assert dataset.manifest.provenance["split_hash"] == split.hash
    assert dataset.manifest.provenance["model"]["view"] == "trace"
    rejected = dataset.manifest.rejected
    assert len(dataset) == 3 * len(requests), "samples without a whole program are records too"
    assert rejected.get("no_state", 0) == sum(not trace.states for trace in dataset.traces())
    traces = list(dataset.traces())
    assert {trace.pair for trace in traces} <= {(request.student, request.title) for request in requests}
    assert {trace.sample for trace in traces} == {0, 1, 2}
    assert {trace.source for trace in traces} == {"sample:trace"}
    assert {state.language for trace in traces for state in trace.states} == {"coffeescript"}
    assert all(trace.request for trace in traces)
    assert [(t.student, t.title, t.request, t.sample) for t in traces] == sorted(
        (t.student, t.title, t.request, t.sample) for t in traces
    )
    assert sum(trace.ended for trace in traces) > len(traces) / 2  # a toy this small is learned


def test_another_student_may_draw(toy: tuple[Split, Model], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, model = toy
    one, other = model.students.students[:2]
    (lent,) = exchanged([Request(one, "square", "q"), Request(other, "square", "r")], {one: other})
    rows: list[int] = []
    real = generate

    def watched(model: Model, drafts: list[Draft], *rest: Any) -> None:
        rows.extend(draft.student for draft in drafts)
        real(model, drafts, *rest)

    monkeypatch.setattr(sampling, "generate", watched)
    made = sample(model, [lent], out=tmp_path / "g", config=SampleConfig(per_pair=2))
    assert rows == [model.students.row(other)] * 2
    assert {trace.student for trace in made.traces()} == {one}


def test_unknown_students_are_counted(toy: tuple[Split, Model], tmp_path: Path) -> None:
    _, model = toy
    requests = [Request("nobody", "square", "q"), Request(model.students.students[0], "square", "r")]
    made = sample(model, requests, out=tmp_path / "g", config=SampleConfig(per_pair=1))
    assert made.manifest.provenance["unknown_students"] == 1


def test_empty_and_badly_dated_samples_are_counted(
    toy: tuple[Split, Model], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = toy[1]
    good, bad = "CODE 1 (2020-01-01 09:00:00):", "CODE 2 (2020-13-01 09:00:00):"
    texts = iter(["", f"{good}\nfd 1\n{bad}\nfd 2", f"{good}\nfd 3"])

    def write(
        model: Model, drafts: list[Draft], config: SampleConfig, done: Callable[[Draft], None], tell: Any
    ) -> None:
        for draft in drafts:
            draft.ids += [*model.codec.tokenizer.encode(next(texts)), model.codec.end_id]

    monkeypatch.setattr(sampling, "generate", write)
    request = Request("s1", "square", "r")
    dataset = sample(model, [request], out=tmp_path / "g", config=SampleConfig(per_pair=3))
    assert dataset.manifest.rejected == {"no_state": 1, "bad_date": 1}
    empty, cut, whole = dataset.traces()
    assert (empty.sample, empty.ended, empty.states, empty.final.code) == (0, False, (), "")
    assert (cut.sample, cut.ended, cut.final.code) == (1, False, "fd 1")
    assert (whole.sample, whole.ended, whole.final.code) == (2, True, "fd 3")
    assert whole.final.at == datetime(2020, 1, 1, 9, tzinfo=UTC)


def test_done_is_done_and_other_requests_are_refused(toy: tuple[Split, Model], tmp_path: Path) -> None:
    split, model = toy
    requests = requests_for(split, max_pairs=1)
    made = sample(model, requests, out=tmp_path / "g", config=SampleConfig(per_pair=1))
    assert sample(model, requests, out=tmp_path / "g", config=SampleConfig(per_pair=1)).fingerprint == made.fingerprint
    with pytest.raises(DatasetError, match="--overwrite"):
        sample(model, requests, out=tmp_path / "g", config=SampleConfig(per_pair=1, seed=1))
    other = sample(model, requests, out=tmp_path / "g", config=SampleConfig(per_pair=1, seed=1), overwrite=True)
    assert other.fingerprint != made.fingerprint


@pytest.mark.parametrize(
    "changes", [{"per_pair": 0}, {"top_p": 0.0}, {"top_p": 1.1}, {"temperature": 0.0}, {"rounds": 0}]
)
def test_settings_that_make_no_sense_are_said(
    toy: tuple[Split, Model], tmp_path: Path, changes: dict[str, Any]
) -> None:
    split, model = toy
    with pytest.raises(InputError, match=next(iter(changes))):
        sample(model, requests_for(split), out=tmp_path / "g", config=SampleConfig(**changes))


# Requests


def test_requests_are_the_test_pairs(toy: tuple[Split, Model]) -> None:
    split, _ = toy
    expected = sorted(pair for pair, place in split.of.items() if place in ("seen-seen", "unseen-seen"))
    requests = requests_for(split, ["seen-seen", "unseen-seen"])
    assert [(request.student, request.title) for request in requests] == expected
    assert len({request.id for request in requests}) == len(requests)
    few = requests_for(split, ["seen-seen", "unseen-seen"], max_pairs=2)
    assert len(few) == 4
    assert set(few) <= set(requests)
    assert requests_for(split, ["seen-seen", "unseen-seen"], max_pairs=2, seed=5) != few


def test_requests_that_cannot_be_are_said(toy: tuple[Split, Model]) -> None:
    split, _ = toy
    with pytest.raises(UsageError, match="Did you mean 'seen-seen'"):
        requests_for(split, ["seen-seem"])
    with pytest.raises(UsageError, match="no pairs"):
        requests_for(split, ["forward"])
    with pytest.raises(UsageError, match="no pairs"):
        requests_for(split, assignments=True)


# On the command line


def test_the_command_samples_and_refuses_another_split(
    toy: tuple[Split, Model], folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    split, _ = toy
    command = ["sample", str(folder / "model"), "--dataset", str(folder / "data"), "--per-pair", "2"]
    app([*command, "--split", "seen-seen,unseen-seen", "--out", str(tmp_path / "g")], result_action="return_value")
    assert f"of {split.counts()['seen-seen'] + split.counts()['unseen-seen']} pairs" in capsys.readouterr().out
    app([*command, "--max-pairs", "1", "--out", str(tmp_path / "all")], result_action="return_value")
    assert "of 4 pairs" in capsys.readouterr().out

    make_split(open_dataset(folder / "data"), SplitConfig(held_students=1, held_titles=1), name="other")
    with pytest.raises(DatasetError, match="another split"):
        app([*command, "--split-name", "other", "--out", str(tmp_path / "o")], result_action="return_value")


# Killed and started again

CONFIG = SampleConfig(per_pair=2, shard=6, batch=4)


def _sample_slowly(folder: Path, out: Path) -> None:
    """In a child process: sample with a pause a shard, so that a kill finds it at work."""
    prepare_torch()
    draw = sampling._draw_shard

    def slow(*args: Any) -> Any:
        time.sleep(0.05)
        return draw(*args)

    patch.object(sampling, "_draw_shard", slow).start()
    model = load_model(folder / "model")
    requests = [Request(f"s{s}", title, f"{s}{title}") for s in range(10) for title in ("house", "star")]
    sample(model, requests, out=out, config=CONFIG)


def test_killed_at_any_moment_it_ends_with_the_same_bytes(tmp_path: Path) -> None:
    prepare_torch()
    dataset, split = toy_dataset(tmp_path / "data")
    train(dataset, split=split, view="trace", out=tmp_path / "model", config=TOY)
    context = mp.get_context("forkserver")
    context.set_forkserver_preload(["redraft.lm.train", "redraft.lm.sample"])

    def start(name: str) -> mp.process.BaseProcess:
        child = context.Process(target=_sample_slowly, args=(tmp_path, tmp_path / name))
        child.start()
        return child

    whole = start("whole")
    kills, rng = 0, np.random.default_rng(0)
    while not (tmp_path / "killed").exists():
        child = start("killed")
        partial = tmp_path / "killed.partial"
        before = len(list(partial.glob("result/traces-*.parquet")))
        while child.is_alive() and kills < 4:
            if len(list(partial.glob("result/traces-*.parquet"))) > before:
                time.sleep(rng.random() * 0.15)
                os.kill(known(child.pid), signal.SIGKILL)
                kills += 1
                break
            time.sleep(0.005)
        child.join()
    whole.join()
    assert whole.exitcode == 0
    assert kills >= 3
    first, second = open_dataset(tmp_path / "whole"), open_dataset(tmp_path / "killed")
    assert {path.name: path.read_bytes() for path in first.path.iterdir()} == {
        path.name: path.read_bytes() for path in second.path.iterdir()
    }
