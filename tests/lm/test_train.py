"""Training: it learns, it resumes to the bit, and it refuses what it can't do."""

from __future__ import annotations

import errno
import itertools
import json
import math
import multiprocessing as mp
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Literal
from unittest.mock import patch

import numpy as np
import pytest
import torch
from accelerate import tracking

from factories import make_dataset, make_trace
from known import known
from places import SUPPORT
from redraft.cli import app
from redraft.data.split import Split, SplitConfig, load_split, make_split
from redraft.data.store import Dataset, open_dataset
from redraft.errors import DatasetError, InputError
from redraft.lm import launch
from redraft.lm import schedule as scheduling
from redraft.lm import train as training
from redraft.lm.batch import Chunks, Collator, encode, plan
from redraft.lm.checkpoint import MODEL, Model, load_model, read_card
from redraft.lm.codec.base import Codec
from redraft.lm.model import IGNORE, UNKNOWN, StudentIndex, StudentLM
from redraft.lm.optimizer import Optimizer
from redraft.lm.prepare import Prepared, from_scratch, prepare
from redraft.lm.schedule import Schedule
from redraft.lm.settings import BASE, PRESETS, Preset, TrainConfig, recipe_of
from redraft.lm.train import TrainingError, train
from redraft.rundir import Output
from toy import TOY, prepare_torch, toy_dataset


@pytest.fixture(autouse=True)
def toy_preset() -> None:
    prepare_torch()


Trained = tuple[Path, Dataset, Split, Model]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A dataset, its split and a model of it."""
    prepare_torch()
    folder = tmp_path_factory.mktemp("trained")
    dataset, split = toy_dataset(folder / "data")
    model = train(dataset, split=split, view="trace", out=folder / "model", config=TOY)
    return folder, dataset, split, model


# Batches


def chunks_of(dataset: Dataset, split: Split, codec: Codec, context: int = 128) -> Chunks:
    traces = list(split.select(dataset.traces(), "train"))
    return encode(traces, codec, StudentIndex(sorted({trace.student for trace in traces})), context)


def test_chunks_hold_every_token_once_as_a_label(trained: Trained) -> None:
    model = trained[3]
    long = make_trace([f"fd {i}\n" * 40 for i in range(3)], student="s1")
    ids = model.codec.encode(long)
    chunks = encode([long], model.codec, StudentIndex(["s1"]), 128)
    assert len(chunks) > 1
    batch = Collator(chunks, model.codec)(np.arange(len(chunks)))
    assert batch.input_ids.shape[1] <= 128
    assert (batch.input_ids[:, 0] == model.codec.student_id).all()
    assert batch.student_ids.tolist() == [1] * len(chunks)
    learned = [token for line in batch.labels.tolist() for token in line if token != IGNORE]
    assert learned == [token for token in ids if token != model.codec.mask_id]


def test_plan_holds_every_chunk_once_within_the_budget_and_differs_by_epoch(trained: Trained) -> None:
    _, dataset, split, model = trained
    chunks = chunks_of(dataset, split, model.codec)
    plans = [plan(chunks, batch_tokens=1024, seed=0, epoch=epoch) for epoch in (0, 0, 1)]
    for batches in plans:
        assert sorted(np.concatenate(batches).tolist()) == list(range(len(chunks)))
        assert all(len(batch) * (1 + chunks.lengths[batch].max()) <= 1024 for batch in batches)
        assert len(batches) == len(plans[0])
    same, other = ([batch.tolist() for batch in batches] for batches in plans[1:])
    assert same == [batch.tolist() for batch in plans[0]]
    assert other != same


def test_titles_and_students_are_hidden_at_their_rates(trained: Trained) -> None:
    _, dataset, split, model = trained
    chunks = chunks_of(dataset, split, model.codec)
    collate = Collator(chunks, model.codec, seed=1, title_mask=0.5, student_dropout=0.3)
    masked, unknown, n = 0, 0, 0
    for epoch in range(40):
        collate.start_epoch(epoch)
        batch = collate(np.arange(len(chunks)))
        titles_BL = batch.input_ids[:, 1 : 1 + model.codec.config.title_tokens]
        masked += int((titles_BL == model.codec.mask_id).all(1).sum())
        unknown += int((batch.student_ids == UNKNOWN).sum())
        n += len(chunks)
    assert abs(masked / n - 0.5) < 0.06
    assert abs(unknown / n - 0.3) < 0.06


# Training


def test_it_learns_and_says_what_it_did(trained: Trained) -> None:
    folder, dataset, split, model = trained
    first, last = model.history[0], model.history[-1]
    assert last.train_loss < first.train_loss < math.log(model.codec.vocab_size)
    assert last.validation_loss is not None
    assert first.validation_loss is not None
    assert last.validation_loss < first.validation_loss
    card = model.card
    assert (card["view"], card["split_hash"], card["origin"]) == ("trace", split.hash, "simulated")
    assert card["dataset_fingerprint"] == dataset.fingerprint
    assert card["language"] == "coffeescript"
    assert card["training"]["steps"] == 30
    assert card["training"]["stopped_by"] == "steps"
    assert not card["training"]["converged"]
    seen = {pair.student for pair, place in split.of.items() if place == "train"}
    assert set(model.students.students) == seen
    readme = (folder / "model" / "README.md").read_text()
    assert "simulated class" in readme
    assert "Not converged" in readme
    assert list((folder / "model" / "logs").iterdir())
    assert not (folder / "model.partial").exists()


def test_students_differ_and_the_unknown_one_is_trained_by_dropout(trained: Trained) -> None:
    _, _, _, model = trained
    rows = model.lm.students.rows.weight
    assert rows[UNKNOWN].abs().sum() > 0  # it starts at zero
    ids_BL = torch.tensor([[model.codec.student_id, *model.codec.prefix("square")]] * 3)
    logits_BV = model.lm(ids_BL, torch.tensor([UNKNOWN, 1, 2])).logits[:, -1]
    assert not torch.equal(logits_BV[0], logits_BV[1])
    assert not torch.equal(logits_BV[1], logits_BV[2])


def test_traces_are_likelier_with_their_own_students_vector(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, dataset, split, _ = trained
    monkeypatch.setitem(
        PRESETS,
        "wide",
        Preset(summary="a toy", family="gpt2", layers=2, heads=2, width=64, context=128, lr=5e-3, batch_tokens=1024),
    )
    config = replace(TOY, preset="wide", steps=200, lr=None, validate_every=200)
    model = train(dataset, split=split, view="trace", out=tmp_path / "m", config=config)
    chunks = chunks_of(dataset, split, model.codec)
    batch = Collator(chunks, model.codec)(np.arange(len(chunks)))
    losses = []
    for shift in range(5):  # students whose numbers differ by 5 share a colour
        own = [int(model.students.students[row - 1][1:]) for row in chunks.rows]
        others = [model.students.row(f"s{(number + shift) % 10}") for number in own]
        with torch.no_grad():
            losses.append(model.lm(batch.input_ids, torch.tensor(others), labels=batch.labels).loss.item())
    assert losses[0] < min(losses[1:]) - 0.01


def test_without_dropout_the_unknown_row_stays_as_it_was(trained: Trained, tmp_path: Path) -> None:
    _, dataset, split, _ = trained
    config = replace(TOY, steps=3, student_dropout=0.0)
    model = train(dataset, split=split, view="last", out=tmp_path / "m", config=config)
    assert (model.lm.students.rows.weight[UNKNOWN] == 0).all()


def test_views_share_tokenizer_and_initial_weights(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, dataset, split, model = trained
    starts = {}

    def spy(dataset: Dataset, split: Split, view: str, config: TrainConfig, **rest: Any) -> Prepared:
        prepared = prepare(dataset, split, view, config, **rest)
        starts[view] = {name: tensor.clone() for name, tensor in prepared.model.lm.state_dict().items()}
        return prepared

    monkeypatch.setattr(training, "prepare", spy)
    for view in ("trace", "last", "synthetic", "trace-downsampled"):
        made = train(dataset, split=split, view=view, out=tmp_path / view, config=replace(TOY, steps=1))
        assert made.codec.tokenizer.backend.to_str() == model.codec.tokenizer.backend.to_str()
    for view in ("last", "synthetic", "trace-downsampled"):
        assert all(torch.equal(starts[view][name], tensor) for name, tensor in starts["trace"].items())


def test_tokenizer_can_be_given(trained: Trained, tmp_path: Path) -> None:
    folder, dataset, split, model = trained
    made = train(
        dataset, split=split, view="last", out=tmp_path / "m", config=replace(TOY, steps=1, vocabulary=999),
        tokenizer_from=folder / "model",
    )  # fmt: skip
    assert made.codec.vocab_size == model.codec.vocab_size


def test_a_base_model_is_gone_on_from(trained: Trained, tmp_path: Path) -> None:
    folder, dataset, split, model = trained
    config = replace(TOY, base=str(folder / "model"), steps=1, lr=1e-9)
    made = train(dataset, split=split, view="trace", out=tmp_path / "m", config=config)
    before, after = model.lm.lm.state_dict(), made.lm.lm.state_dict()
    assert all(torch.allclose(before[name], after[name], atol=1e-6) for name in before)


IMPATIENT = replace(TOY, steps=60, validate_every=2, patience=3, lr=0.3, warmup=0.0)


def test_patience_stops_and_keeps_the_best(trained: Trained, tmp_path: Path) -> None:
    _, dataset, split, _ = trained
    config = replace(IMPATIENT, cooldown=0.0)
    model = train(dataset, split=split, view="trace", out=tmp_path / "m", config=config)
    outcome = model.card["training"]
    losses = {point.step: known(point.validation_loss) for point in model.history}
    assert outcome["best_step"] == min(losses, key=losses.__getitem__)
    assert outcome["stopped_by"] == "patience"
    assert outcome["converged"]
    assert list(losses)[-4] == outcome["best_step"]
    assert model.history[-1].step == outcome["steps"] < 60
    assert outcome["cooldown_steps"] == 0


@pytest.fixture
def rates(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The learning rate of each step taken."""
    taken: list[float] = []
    step = Optimizer.step

    def spy(self: Optimizer, students_B: torch.Tensor, rate: float) -> Any:
        taken.append(rate)
        return step(self, students_B, rate)

    monkeypatch.setattr(Optimizer, "step", spy)
    return taken


def test_a_cooldown_follows_from_the_best_weights(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rates: list[float]
) -> None:
    _, dataset, split, _ = trained
    began: list[tuple[int, int]] = []
    step = training._Run._step

    def spy(self: training._Run, *args: Any) -> None:
        if self.state.cooldown and self.state.step == self.state.cooldown.step:
            best = load_model(self.folder / f"best-{self.state.best_step:08d}").lm.state_dict()
            assert all(torch.equal(best[name], tensor) for name, tensor in self.net.state_dict().items())
            began.append((self.state.step, self.state.best_step))
        step(self, *args)

    monkeypatch.setattr(training._Run, "_step", spy)
    model = train(dataset, split=split, view="trace", out=tmp_path / "m", config=IMPATIENT)
    outcome, ((start, best_step),) = model.card["training"], began
    cooled = outcome["cooldown_steps"]
    assert start == best_step + 3 * 2
    assert cooled == 2 * outcome["steps_per_epoch"] < round(0.5 * best_step), "two passes at most"
    assert (outcome["steps"], outcome["stopped_by"], outcome["converged"]) == (start + cooled, "patience", True)
    first = 0.3 * (1 - best_step / 60)
    assert rates[start:] == pytest.approx([first * (1 - done / cooled) for done in range(cooled)])
    steps = [point.step for point in model.history]
    assert steps == sorted({*range(2, outcome["steps"], 2), outcome["steps"]})
    losses = {point.step: known(point.validation_loss) for point in model.history}
    assert losses[outcome["best_step"]] == min(losses.values())
    assert f"The last {cooled} steps" in (tmp_path / "m" / "README.md").read_text()


def test_a_cooldown_lasts_for_a_share_of_the_best_weights_steps() -> None:
    schedule = Schedule(replace(BASE, validate_every=10), steps=2000, minutes=None, steps_per_epoch=100)

    def steps(best_step: int) -> int:
        return schedule.cooldown(best_step + 30, 0.0, best_step=best_step, best_seconds=0.0).steps

    assert [steps(best) for best in (4, 100, 400, 1000, 1900)] == [10, 50, 200, 200, 70]


def test_a_cooldown_ends_with_the_steps_there_are(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rates: list[float]
) -> None:
    _, dataset, split, _ = trained
    monkeypatch.setattr(scheduling, "COOLDOWN_EPOCHS", 100.0)
    config = replace(IMPATIENT, cooldown=50.0)
    outcome = train(dataset, split=split, view="trace", out=tmp_path / "m", config=config).card["training"]
    assert len(rates) == outcome["steps"] == 60
    assert outcome["stopped_by"] == "patience"
    cooled = outcome["cooldown_steps"]
    assert rates[-1] == pytest.approx(rates[-cooled] / cooled)


def test_a_cooldown_ends_with_the_time_there_is(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rates: list[float]
) -> None:
    _, dataset, split, _ = trained
    ticks = itertools.count(step=0.5)
    monkeypatch.setattr(training, "clock", lambda: next(ticks))  # half a second in each step, none between
    monkeypatch.setattr(scheduling, "COOLDOWN_EPOCHS", 100.0)
    config = replace(IMPATIENT, steps=100_000, minutes=0.5, cooldown=50.0)
    outcome = train(dataset, split=split, view="trace", out=tmp_path / "m", config=config).card["training"]
    assert len(rates) == outcome["steps"] == 60
    assert outcome["stopped_by"] == "patience"
    cooled = outcome["cooldown_steps"]
    assert 0 < cooled < 60
    assert rates[-1] == pytest.approx(rates[-cooled] / cooled)


def test_a_time_limit_ends_it(trained: Trained, tmp_path: Path) -> None:
    _, dataset, split, _ = trained
    config = replace(TOY, steps=100_000, minutes=0.01)
    outcome = train(dataset, split=split, view="trace", out=tmp_path / "m", config=config).card["training"]
    assert outcome["stopped_by"] == "minutes"
    assert 1 <= outcome["steps"] < 100_000


def test_no_validation_traces_means_the_last_weights(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path / "d", [make_trace(["fd 1", "fd 2"], student=f"s{i}") for i in range(4)])
    split = make_split(dataset, SplitConfig(held_students=0, held_titles=0, train_share=1, validation_share=0))
    config = replace(TOY, steps=4, validate_every=3)
    model = train(dataset, split=split, view="trace", out=tmp_path / "m", config=config)
    assert [point.validation_loss for point in model.history] == [None, None]
    assert model.card["training"]["best_step"] == 4


# Again, and other settings


def test_done_is_done_and_other_settings_are_refused(trained: Trained) -> None:
    folder, dataset, split, model = trained
    before = (folder / "model" / "redraft.json").stat().st_mtime_ns
    again = train(dataset, split=split, view="trace", out=folder / "model", config=TOY)
    assert again.fingerprint == model.fingerprint
    assert (folder / "model" / "redraft.json").stat().st_mtime_ns == before
    with pytest.raises(DatasetError, match="--overwrite"):
        train(dataset, split=split, view="last", out=folder / "model", config=TOY)


def test_overwrite_replaces_the_model_and_begun_trainings(trained: Trained, tmp_path: Path) -> None:
    _, dataset, split, _ = trained
    out = tmp_path / "m"
    train(dataset, split=split, view="trace", out=out, config=replace(TOY, steps=1))
    with Output(out, kind=MODEL, request={"view": "other settings"}, overwrite=True) as begun:
        (begun.scratch / "checkpoint.pt").write_text("of other settings")
    config = replace(TOY, steps=2)
    with pytest.raises(DatasetError, match="--overwrite"):
        train(dataset, split=split, view="last", out=out, config=config)
    assert read_card(out)["view"] == "trace"
    train(dataset, split=split, view="last", out=out, config=config, overwrite=True)
    assert read_card(out)["view"] == "last"


def test_a_folder_that_is_no_model_is_left_alone(trained: Trained, tmp_path: Path) -> None:
    _, dataset, split, _ = trained
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(DatasetError, match="left alone"):
        train(dataset, split=split, view="trace", out=tmp_path, config=TOY, overwrite=True)


# Bad input


@pytest.mark.parametrize(
    ("view", "changes", "message"),
    [
        ("trcae", {}, "Did you mean 'trace'"),
        ("trace", {"codec": "ful"}, "Did you mean 'full'"),
        ("trace", {"preset": "cpu-1M"}, "Did you mean 'cpu-1m'"),
        ("trace", {"epochs": 0}, "epochs"),
        ("trace", {"lr": -1.0}, "lr"),
        ("trace", {"student_dropout": 1.5}, "student_dropout"),
        ("trace", {"accumulate": 0}, "accumulate"),
        ("trace", {"optimizer": "moun"}, "Did you mean 'muon'"),
        ("trace", {"schedule": "lin"}, "linear"),
        ("trace", {"student_updates": "lasy"}, "Did you mean 'lazy'"),
        ("trace", {"precision": "fp16"}, "Did you mean 'bf16'"),
        ("trace", {"tracker": "tensorbord"}, "Did you mean 'tensorboard'"),
        ("trace", {"context": 0}, "context"),
        ("trace", {"cooldown": -0.5}, "cooldown"),
        ("trace", {"base": "/nowhere/model"}, "/nowhere/model"),
    ],
)
def test_what_makes_no_sense_is_said(
    trained: Trained, tmp_path: Path, view: str, changes: dict[str, Any], message: str
) -> None:
    _, dataset, split, _ = trained
    with pytest.raises(InputError, match=message):
        train(dataset, split=split, view=view, out=tmp_path / "m", config=replace(TOY, **changes))
    assert list(tmp_path.iterdir()) == []


def test_a_base_folder_without_weights_is_an_error(trained: Trained, tmp_path: Path) -> None:
    folder, dataset, split, _ = trained
    base = tmp_path / "base"
    base.mkdir()
    for name in ("config.json", "tokenizer.json"):
        (base / name).write_bytes((folder / "model" / name).read_bytes())
    with pytest.raises(InputError, match="has no weights"):
        train(dataset, split=split, view="trace", out=tmp_path / "m", config=replace(TOY, base=str(base)))


def test_nothing_to_train_on_is_an_error(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path / "d", [make_trace(["fd 1"])])
    split = make_split(dataset, SplitConfig(held_students=1, held_titles=0))
    with pytest.raises(InputError, match="no traces to train on"):
        train(dataset, split=split, view="trace", out=tmp_path / "m", config=TOY)
    empty = make_dataset(tmp_path / "e", [make_trace([" "])])
    split = make_split(empty, SplitConfig(held_students=0, held_titles=0, train_share=1, validation_share=0))
    with pytest.raises(InputError, match="leaves no traces"):
        train(empty, split=split, view="last", out=tmp_path / "m", config=TOY)


def test_a_loss_that_is_no_number_stops_with_its_step_and_keeps_the_best(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, dataset, split, _ = trained
    step = training._Run._step

    def poisoned(self: training._Run, *args: Any) -> None:
        if self.state.step == 14:
            with torch.no_grad():
                self.model.lm.students.bias.fill_(math.nan)
        step(self, *args)

    monkeypatch.setattr(training._Run, "_step", poisoned)
    with pytest.raises(TrainingError, match="step 15"):
        train(dataset, split=split, view="trace", out=tmp_path / "m", config=TOY)
    assert not (tmp_path / "m").exists()
    kept = load_model(tmp_path / "m.partial" / "best-00000010")
    assert all(torch.isfinite(tensor).all() for tensor in kept.lm.state_dict().values())


def full_disk(monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    """From checkpoint `at` on there is no space left in the middle of writing one."""
    save, calls = torch.save, []

    def fails(contents: object, file: Path) -> None:
        calls.append(file)
        if len(calls) < at:
            save(contents, file)
            return
        file.write_bytes(b"half of it")
        raise OSError(errno.ENOSPC, "No space left on device", str(file))

    monkeypatch.setattr(torch, "save", fails)


def test_a_disk_that_is_full_amid_a_checkpoint_loses_nothing(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, dataset, split, model = trained
    with monkeypatch.context() as patched:
        full_disk(patched, at=2)
        with pytest.raises(DatasetError, match=r"disk may be full.*start the same command again"):
            train(dataset, split=split, view="trace", out=tmp_path / "m", config=TOY)
    partial = tmp_path / "m.partial"
    assert load_model(partial / "best-00000010").card["training"]["steps"] == 10
    assert not list(partial.glob(".checkpoint*"))
    assert torch.load(partial / "checkpoint.pt")["state"]["step"] == 10
    again = train(dataset, split=split, view="trace", out=tmp_path / "m", config=TOY)
    assert again.fingerprint == model.fingerprint
    assert again.history == model.history


def test_a_damaged_checkpoint_and_one_of_another_version_are_said(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, dataset, split, _ = trained
    with monkeypatch.context() as patched:
        full_disk(patched, at=2)
        with pytest.raises(DatasetError):
            train(dataset, split=split, view="trace", out=tmp_path / "m", config=TOY)
    file = tmp_path / "m.partial" / "checkpoint.pt"
    whole = torch.load(file)
    torch.save({**whole, "state": {**whole["state"], "of_a_later_version": 1}}, file)
    for _ in range(2):
        with pytest.raises(DatasetError, match=r"damaged or of another version.*--overwrite"):
            train(dataset, split=split, view="trace", out=tmp_path / "m", config=TOY)
        file.write_bytes(b"torn")
    assert load_model(tmp_path / "m.partial" / "best-00000010")


# Where it runs


def test_precision_is_what_the_hardware_is_good_at(monkeypatch: pytest.MonkeyPatch) -> None:
    def hardware(*, gpu: bool, gpu_bf16: bool, amx: bool) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: gpu_bf16)
        monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)

    for gpu, gpu_bf16, amx, good in ((True, True, False, True), (True, False, True, False), (False, False, True, True),
                                     (False, False, False, False)):  # fmt: skip
        hardware(gpu=gpu, gpu_bf16=gpu_bf16, amx=amx)
        assert launch.precision("auto") == ("bf16" if good else "fp32")
        assert launch.precision("bf16") == "bf16"
        assert launch.precision("fp32") == "fp32"


def test_bf16_learns_too_and_the_weights_stay_fp32(trained: Trained, tmp_path: Path) -> None:
    _, dataset, split, _ = trained
    config = replace(TOY, precision="bf16", optimizer="muon")
    made = train(dataset, split=split, view="trace", out=tmp_path / "m", config=config)
    assert made.card["config"]["precision"] == "bf16"
    assert known(made.history[-1].validation_loss) < known(made.history[0].validation_loss)
    assert all(each.dtype == torch.float32 for each in made.lm.state_dict().values())


FAKE_WANDB = """
import json, os
LOG = os.environ["FAKE_WANDB_LOG"]
class Run:
    config = {}
    def log(self, values, step=None, **rest):
        with open(LOG, "a") as file:
            print(json.dumps([step, values]), file=file)
    def finish(self): open(LOG, "a").write('"finished"\\n')
class Config(dict):
    def update(self, *a, **k): pass
config = Config()
def init(project, **rest): return Run()
"""


def test_one_option_logs_to_another_tracker(trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for W&B's package, found as an installed one is."""
    _, dataset, split, _ = trained
    (tmp_path / "site" / "wandb").mkdir(parents=True)
    (tmp_path / "site" / "wandb" / "__init__.py").write_text(FAKE_WANDB.replace("\\\\n", "\\n"))
    (tmp_path / "site" / "wandb-0.99.dist-info").mkdir()
    (tmp_path / "site" / "wandb-0.99.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: wandb\nVersion: 0.99\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.setattr(tracking, "_available_trackers", [*tracking._available_trackers, tracking.LoggerType.WANDB])
    monkeypatch.setenv("FAKE_WANDB_LOG", str(tmp_path / "log"))
    model = train(
        dataset,
        split=split,
        view="trace",
        out=tmp_path / "m",
        config=replace(TOY, steps=4, validate_every=2, tracker="wandb"),
    )
    sys.modules.pop("wandb", None)
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert lines[-1] == "finished"
    logged = [(step, values) for step, values in lines[:-1]]
    assert [step for step, values in logged if "loss" in values] == [1, 2, 3, 4]
    curve = [values["bits_per_trace"] for _, values in logged if "bits_per_trace" in values]
    assert curve == [point.bits_per_trace for point in model.history]
    assert any("unseen-seen/bits_per_trace" in values for _, values in logged)


def test_tensorboard_draws_the_curves_and_the_splits(trained: Trained) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    folder, _, _, model = trained
    (logs,) = {path.parent for path in (folder / "model" / "logs").rglob("events.out*")}
    events = EventAccumulator(str(logs))
    events.Reload()
    assert [event.step for event in events.Scalars("loss")] == list(range(1, 31))
    curve = [event.value for event in events.Scalars("bits_per_trace")]
    assert curve == pytest.approx([point.bits_per_trace for point in model.history])
    assert "seen-seen/bits_per_trace" in events.Tags()["scalars"]


# On the command line


def test_the_command_trains_and_options_win_over_files(
    trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, dataset, _, _ = trained
    first, second = tmp_path / "a.toml", tmp_path / "b.toml"
    first.write_text('preset = "toy"\nvocabulary = 300\nsteps = 9\nseed = 1')
    second.write_text("seed = 2\nlr = 0.5\n[codec_options]\noverlap = 32")
    arguments = ["train", "--dataset", str(dataset.path), "--view", "last", "--out", str(tmp_path / "m"),
                 "--config", str(first), "--config", str(second), "--lr", "0.01", "--steps", "2"]  # fmt: skip
    app(arguments, result_action="return_value")
    assert "2 steps" in capsys.readouterr().out
    config = read_card(tmp_path / "m")["config"]
    assert (config["seed"], config["lr"], config["steps"], config["codec_options"]["overlap"]) == (2, 0.01, 2, 32)


# Killed and started again

KILLED = replace(TOY, steps=24, validate_every=4, optimizer="muon")


def _train_slowly(data: Path, out: Path) -> None:
    """In a child process: train with dropout and with a pause a step, so that a kill finds it at work."""
    prepare_torch()

    def with_dropout(*args: Any, **rest: Any) -> Prepared:
        prepared = prepare(*args, **rest)
        prepared.model.lm.lm.transformer.drop.p = 0.1
        return prepared

    patch.object(training, "prepare", with_dropout).start()
    step = training._Run._step

    def slow(self: training._Run, *args: Any) -> None:
        time.sleep(0.01)
        step(self, *args)

    patch.object(training._Run, "_step", slow).start()
    dataset = open_dataset(data)
    train(dataset, split=load_split(dataset), view="trace", out=out, config=KILLED)


def test_killed_at_any_moment_it_ends_with_the_same_weights(tmp_path: Path) -> None:
    context = mp.get_context("forkserver")
    context.set_forkserver_preload(["redraft.lm.train"])
    toy_dataset(tmp_path / "data")

    def start(name: str) -> mp.process.BaseProcess:
        child = context.Process(target=_train_slowly, args=(tmp_path / "data", tmp_path / name))
        child.start()
        return child

    whole = start("whole")
    kills, rng = 0, np.random.default_rng(0)
    while not (tmp_path / "killed").exists():
        child = start("killed")
        partial = tmp_path / "killed.partial"
        before = max((int(path.name[5:]) for path in partial.glob("best-*")), default=0)
        while child.is_alive() and kills < 5:
            now = max((int(path.name[5:]) for path in partial.glob("best-*") if path.name[5:].isdigit()), default=0)
            if now > before or (partial / "result" / "config.json").exists():
                time.sleep(rng.random() * 0.1)
                os.kill(known(child.pid), signal.SIGKILL)
                kills += 1
                break
            time.sleep(0.005)
        child.join()
    whole.join()
    assert whole.exitcode == 0
    assert kills >= 3
    first, second = load_model(tmp_path / "whole"), load_model(tmp_path / "killed")
    assert first.fingerprint == second.fingerprint
    assert first.history == second.history
    assert first.card == second.card
    assert not (tmp_path / "killed.partial").exists()


def _dies(method: str, when: Callable[[training._State], bool]) -> None:
    """This process kills itself as it is about to call a method of a training, if its state is so."""
    original = getattr(training._Run, method)

    def deadly(self: training._Run, *args: Any) -> None:
        if self.state.cooldown and when(self.state):
            os.kill(os.getpid(), signal.SIGKILL)
        original(self, *args)

    setattr(training._Run, method, deadly)


MOMENTS: dict[str, tuple[str, Callable[[training._State], bool]]] = {
    "back at the best weights, before the checkpoint": (
        "_write_checkpoint", lambda state: state.step == known(state.cooldown).step),
    "between validations": ("_step", lambda state: state.step == known(state.cooldown).step + 3),
    "validated, before the checkpoint": ("_write_checkpoint", lambda state: state.step > known(state.cooldown).step + 3),
}  # fmt: skip


def _train_impatiently(data: Path, out: Path, moment: str | None = None) -> None:
    """In a child process: train with a cooldown, and die in it."""
    prepare_torch()
    if moment:
        _dies(*MOMENTS[moment])
    dataset = open_dataset(data)
    train(dataset, split=load_split(dataset), view="trace", out=out, config=IMPATIENT)


def test_killed_amid_its_cooldown_it_ends_with_the_same_weights(tmp_path: Path) -> None:
    context = mp.get_context("forkserver")
    context.set_forkserver_preload(["redraft.lm.train"])
    toy_dataset(tmp_path / "data")
    for name, moment in (*(("killed", moment) for moment in MOMENTS), ("killed", None), ("whole", None)):
        child = context.Process(target=_train_impatiently, args=(tmp_path / "data", tmp_path / name, moment))
        child.start()
        child.join()
        assert child.exitcode == (-signal.SIGKILL if moment else 0)
    whole, killed = load_model(tmp_path / "whole"), load_model(tmp_path / "killed")
    assert whole.card["training"]["cooldown_steps"] > 3
    assert whole.fingerprint == killed.fingerprint
    assert whole.history == killed.history
    assert whole.card == killed.card


def test_any_architecture_can_be_trained_from_its_config(tmp_path: Path) -> None:
    prepare_torch()
    dataset, split = toy_dataset(tmp_path / "d")
    shape = {"model_type": "gpt_neox", "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
             "intermediate_size": 32, "max_position_embeddings": 128, "vocab_size": 9}  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps(shape))
    config = replace(TOY, steps=3, architecture=str(tmp_path / "config.json"))
    model = train(dataset, split=split, view="trace", out=tmp_path / "m", config=config)
    assert model.lm.lm.config.model_type == "gpt_neox"
    assert model.lm.lm.config.vocab_size == model.codec.vocab_size
    with pytest.raises(InputError, match="no config here"):
        train(dataset, split=split, view="trace", out=tmp_path / "n", config=replace(TOY, architecture="/nowhere"))


# The step


def test_a_batch_in_pieces_is_the_same_step(trained: Trained, tmp_path: Path) -> None:
    _, dataset, split, _ = trained
    config = replace(TOY, steps=6, validate_every=3)
    whole = train(dataset, split=split, view="trace", out=tmp_path / "a", config=config)
    pieces = train(dataset, split=split, view="trace", out=tmp_path / "b", config=replace(config, accumulate=3))
    same_training(whole, pieces)


def same_training(one: Model, other: Model, within: float = 1e-5) -> None:
    for a, b in zip(one.history, other.history, strict=True):
        assert (a.step, a.tokens) == (b.step, b.tokens)
        assert b.train_loss == pytest.approx(a.train_loss, rel=within)
        assert b.validation_loss == pytest.approx(a.validation_loss, rel=within)
        assert b.bits_per_trace == pytest.approx(a.bits_per_trace, rel=within)
    rows = one.lm.students.rows.weight, other.lm.students.rows.weight
    torch.testing.assert_close(*rows, rtol=100 * within, atol=100 * within)


PROCESS = """
import json
import sys
from pathlib import Path
from accelerate import Accelerator
from dataclasses import replace
sys.path.insert(0, sys.argv[1])
from places import SUPPORT
from redraft.data.split import load_split
from places import SUPPORT
from redraft.data.store import open_dataset
from places import SUPPORT
from redraft.lm.train import train
from redraft.rundir import Output
from toy import TOY, prepare_torch
prepare_torch()
assert Accelerator().num_processes == 2
dataset = open_dataset(sys.argv[2])
train(dataset, split=load_split(dataset), view="trace", out=Path(sys.argv[3]),
      config=replace(TOY, **json.loads(sys.argv[4])))
print("of two:", Accelerator().process_index)
"""


SIX = {"steps": 6, "validate_every": 3}
COOLED = {"steps": 60, "validate_every": 1, "patience": 1, "lr": 0.7, "warmup": 0.0, "cooldown": 2.0}
"""A rate so high that patience ends within a few steps; Adam then makes rounding visible."""


@pytest.mark.parametrize(
    ("settings", "within"),
    [
        ({**SIX, "optimizer": "adamw"}, 1e-5),
        ({**SIX, "optimizer": "muon"}, 1e-5),
        ({**COOLED, "optimizer": "adamw"}, 5e-3),
    ],
    ids=["adamw", "muon", "cooldown"],
)
def test_two_processes_train_as_one(trained: Trained, tmp_path: Path, settings: dict[str, Any], within: float) -> None:
    _, dataset, split, _ = trained
    (tmp_path / "run.py").write_text(PROCESS)
    here = str(SUPPORT)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2",
               str(tmp_path / "run.py"), here, str(dataset.path), str(tmp_path / "two"), json.dumps(settings)]  # fmt: skip
    environment = {**os.environ, "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}
    launched = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        said, complaints = launched.communicate(timeout=300)
    finally:
        launched.terminate()  # unlike a kill, it makes the launcher end its processes
    assert launched.returncode == 0, complaints[-3000:]
    assert "of two: 0" in said
    assert "of two: 1" in said
    assert complaints.count("training the tokenizer") == 1
    config = replace(TOY, **settings)
    one = train(dataset, split=split, view="trace", out=tmp_path / "one", config=config)
    assert bool(one.card["training"]["cooldown_steps"]) == ("cooldown" in settings)
    same_training(one, load_model(tmp_path / "two"), within)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "run.py", "two"]


def test_processes_that_dont_know_of_each_other_are_refused(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, dataset, split, _ = trained
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(InputError, match="ACCELERATE_USE_CPU"):
        train(dataset, split=split, view="trace", out=tmp_path / "m", config=TOY)
    assert list(tmp_path.iterdir()) == []


def test_untouched_students_stay_as_they_were_and_touched_ones_dont_depend_on_their_number(
    trained: Trained, tmp_path: Path
) -> None:
    _, dataset, split, _ = trained
    config = replace(TOY, steps=1, batch_size=2, student_dropout=0.0)
    before = prepare_model(dataset, split, config, tmp_path)
    after = train(dataset, split=split, view="trace", out=tmp_path / "m", config=config)
    moved = (before.students.rows.weight != after.lm.students.rows.weight).any(1)
    assert 1 <= moved.sum() <= 2


def prepare_model(dataset: Dataset, split: Split, config: TrainConfig, folder: Path) -> StudentLM:
    """The model before its first step."""
    recipe, _ = recipe_of(config)
    full = replace(config, **asdict(recipe))
    return prepare(dataset, split, "trace", full, card={}, tokenizer=None, folder=folder / "t").model.lm


def test_the_papers_presets_are_the_papers() -> None:
    recipe, base = recipe_of(TrainConfig(preset="paper-olmo2"))
    assert base == "allenai/OLMo-2-0425-1B"
    assert (recipe.lr, recipe.optimizer, recipe.schedule, recipe.warmup) == (5e-5, "adamw", "linear", 0.0)
    assert (recipe.batch_size, recipe.weight_decay, recipe.student_dropout, recipe.student_lr) == (32, 0.0, 0.0, 1.0)
    assert (recipe.validate_every, recipe.context, recipe.cooldown) == (1000, 1024, 0.0)
    config = TrainConfig(preset="paper-gpt2", lr=1e-3, batch_tokens=512, base="elsewhere")
    recipe, base = recipe_of(config)
    assert (base, recipe.lr, recipe.batch_size, recipe.student_dropout) == ("elsewhere", 1e-3, None, 0.0)
    assert recipe_of(TrainConfig(base="elsewhere"))[0] == BASE
    assert (TrainConfig().epochs, TrainConfig().patience, PRESETS["paper-gpt2"].context) == (3, 20, 1024)


def test_small_llamas_forget_within_two_passes_over_the_data(trained: Trained, tmp_path: Path) -> None:
    _, dataset, split, _ = trained
    config = replace(TOY, preset="llama-200k", steps=1, lr=None)
    made = train(dataset, split=split, view="trace", out=tmp_path / "m", config=config).card["training"]
    assert made["weight_decay"] == pytest.approx(1 / (1e-2 * 2 * made["steps_per_epoch"]))
    given = train(dataset, split=split, view="trace", out=tmp_path / "n", config=replace(config, weight_decay=0.02))
    assert given.card["training"]["weight_decay"] == 0.02


@pytest.mark.parametrize("name", [name for name in PRESETS if name.startswith("llama")])
def test_presets_have_about_as_many_weights_as_their_names_say(trained: Trained, name: str) -> None:
    stated = name.rpartition("-")[2]
    number = float(stated[:-1]) * {"k": 1e3, "m": 1e6}[stated[-1]]
    shape, codec = PRESETS[name], trained[3].codec
    weights = sum(p.numel() for p in from_scratch(shape, codec).parameters())
    weights += (2048 - codec.vocab_size) * shape.width
    assert 0.8 < weights / number < 1.35


def test_random_batches_of_a_number_of_sequences(trained: Trained, tmp_path: Path) -> None:
    _, dataset, split, model = trained
    made = train(dataset, split=split, view="trace", out=tmp_path / "m", config=replace(TOY, steps=2, batch_size=3))
    chunks = len(chunks_of(dataset, split, model.codec))
    assert made.card["training"]["steps_per_epoch"] == math.ceil(chunks / 3)


def test_a_tracker_that_is_missing_is_said(trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, dataset, split, _ = trained
    monkeypatch.setattr(launch, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="pip install wandb"):
        train(dataset, split=split, view="trace", out=tmp_path / "m", config=replace(TOY, tracker="wandb"))
    assert list(tmp_path.iterdir()) == []
    train(dataset, split=split, view="trace", out=tmp_path / "m", config=replace(TOY, steps=1, tracker="none"))
    assert not (tmp_path / "m" / "logs").exists()


@pytest.mark.parametrize("schedule", ["linear", "cosine", "wsd"])
def test_the_learning_rate_rises_and_falls(
    trained: Trained, tmp_path: Path, rates: list[float], schedule: Literal["linear", "cosine", "wsd"]
) -> None:
    _, dataset, split, _ = trained
    config = replace(TOY, steps=20, schedule=schedule, warmup=0.2, lr=1.0e-2)
    train(dataset, split=split, view="trace", out=tmp_path / "m", config=config)
    peak = rates.index(max(rates))
    assert rates[:4] == pytest.approx([0.0025, 0.005, 0.0075, 0.01])
    assert peak in (3, 4)
    assert rates[peak:] == sorted(rates[peak:], reverse=True)
    assert 0 < rates[-1] < 2e-3
    middle = {"linear": 0.5, "cosine": 0.5, "wsd": 1.0}[schedule]
    assert rates[12] == pytest.approx(middle * 0.01)
