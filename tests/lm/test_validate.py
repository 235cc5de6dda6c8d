"""Validation: bits of each split against values reckoned by hand, and what knowing the student is worth."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from accelerate import Accelerator

from known import known
from redraft.cli import app
from redraft.data.split import VALIDATION, Split
from redraft.data.store import Dataset
from redraft.data.trace import Trace
from redraft.lm.batch import encode
from redraft.lm.checkpoint import Model
from redraft.lm.codec import CODECS
from redraft.lm.model import UNKNOWN
from redraft.lm.train import train
from redraft.lm.validate import validate
from toy import TOY, prepare_torch, toy_dataset

Trained = tuple[Dataset, Split, Model, Path]


@pytest.fixture(scope="module", params=CODECS)
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    prepare_torch()
    folder = tmp_path_factory.mktemp("validated")
    dataset, split = toy_dataset(folder / "data")
    config = replace(TOY, codec=request.param)
    return dataset, split, train(dataset, split=split, view="trace", out=folder / "model", config=config), folder


def by_hand(model: Model, trace: Trace, row: int) -> float:
    """Bits of what follows the start token, one trace at a time."""
    ids = [model.codec.student_id, *model.codec.encode(trace)]
    with torch.no_grad():
        logits_LV = model.lm(torch.tensor([ids]), torch.tensor([row])).logits[0]
    nats_L = -logits_LV[:-1].double().log_softmax(-1).gather(1, torch.tensor(ids[1:])[:, None])[:, 0]
    return float(nats_L[ids.index(model.codec.start_id) :].sum()) / math.log(2)


def test_bits_by_split_are_those_by_hand(trained: Trained) -> None:
    dataset, split, model, _ = trained
    measured = model.card["training"]["bits"]
    counts = split.counts()
    places = [
        name for name in ("validation", "seen-seen", "seen-unseen", "unseen-seen", "unseen-unseen") if counts[name]
    ]
    assert set(measured) == set(places)
    assert len(places) >= 4
    n = len(model.students)
    for place in places:
        traces = list(split.select(dataset.traces(), place))
        found = measured[place]
        assert found["traces"] == len(traces)
        rows = [model.students.row(trace.student) for trace in traces]
        own = [by_hand(model, trace, row) for trace, row in zip(traces, rows, strict=True)]
        assert found["per_trace"] == pytest.approx(sum(own) / len(own), rel=1e-5)
        characters = sum(len(state.code) for trace in traces for state in trace.states)
        assert found["per_character"] == pytest.approx(sum(own) / characters, rel=1e-5)
        known = [i for i, row in enumerate(rows) if row != UNKNOWN]
        assert found["known_traces"] == len(known)
        if place.startswith("unseen"):
            assert not known
            assert found["gained_over_unknown"] is None
            assert found["gained_over_another"] is None
        elif known:
            unknown = sum(by_hand(model, traces[i], UNKNOWN) - own[i] for i in known) / len(known)
            other = sum(by_hand(model, traces[i], 1 + rows[i] % n) - own[i] for i in known) / len(known)
            assert found["gained_over_unknown"] == pytest.approx(unknown, rel=1e-3, abs=1e-3)
            assert found["gained_over_another"] == pytest.approx(other, rel=1e-3, abs=1e-3)
    assert any(found["known_traces"] for found in measured.values())


def test_the_curve_and_the_end_measure_the_same(trained: Trained) -> None:
    _, _, model, folder = trained
    best = next(point for point in model.history if point.step == model.card["training"]["best_step"])
    assert model.card["training"]["bits"][VALIDATION]["per_trace"] == pytest.approx(best.bits_per_trace)
    assert known(best.seconds) > 0
    readme = (folder / "model" / "README.md").read_text()
    assert "| validation | " in readme
    assert "| unseen-seen | " in readme


def test_batches_change_nothing(trained: Trained) -> None:
    dataset, split, model, _ = trained
    chunks = encode(split.select(dataset.traces(), "train"), model.codec, model.students, model.lm.context)
    known = [validate(model.lm, chunks, model.codec, Accelerator(cpu=True), batch_tokens=n) for n in (1, 5000)]
    assert known[0].loss == pytest.approx(known[1].loss, rel=1e-5)
    assert known[0].bits == pytest.approx(known[1].bits, rel=1e-4)


def test_the_command_ends_by_saying_them(trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dataset = trained[0]
    app(["train", "--dataset", str(dataset.path), "--view", "trace", "--out", str(tmp_path / "m"), "--preset", "toy",
         "--vocabulary", "300", "--steps", "2", "--tracker", "none"], result_action="return_value")  # fmt: skip
    said = capsys.readouterr().out
    assert "validation: " in said
    assert "unseen-seen: " in said
    assert "bits per trace" in said
    assert "knowing the student saves" in said
