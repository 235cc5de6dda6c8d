"""How often each shard is read, and for what: a dataset may be 3.8 million traces, a reading of which takes long."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from fabricate import draw_trace, fake_samples, habits, make_run
from passes import counted
from redraft.data.split import load_split
from redraft.data.store import Dataset, DatasetWriter, open_dataset
from redraft.data.trace import Pair
from redraft.lm.checkpoint import Model
from redraft.lm.sample import Request
from redraft.lm.settings import SampleConfig
from redraft.pipeline import study
from redraft.studies.behaviour.study import behaviour

SETTINGS = """
views = ["trace", "last", "trace-downsampled"]
recovery_views = []
controls = ["other-student"]
studies = ["variance"]
max_pairs = 3
[train]
preset = "llama-200k"
vocabulary = 400
steps = 2
validate_every = 2
[behaviour]
replicates = 20
workers = 1
"""

BEHAVIOUR = {
    "every metric, by row group, in as many processes as there are cores; kept for later": 1,
    "programs of the pairs that were sampled, and their titles' final ones: for likeness, baselines, near-duplicates": 1,
}
"""Why behaviour reads the real traces. Metrics tell the languages that samples are measured in; of which pairs programs
are compared, only the measured samples tell."""
OF_SAMPLES = {"every metric, as of the real ones": 1, "programs, for likeness, under all conditions": 1}
"""Why it reads each model's samples."""
AGAIN = {reason: times for reason, times in BEHAVIOUR.items() if "metric" not in reason}
"""Why it reads the real traces once more if what was measured is kept."""
REPRODUCE = {
    "split: who and what there is, ids alone": 1,
    "every model's training, validation and tests": 1,
    "execute: every distinct program": 1,
    "describe: counts of everything, by DuckDB": 1,
    **BEHAVIOUR,
}
"""Why reproduce reads the real traces; the study of variance takes what behaviour measured."""


@pytest.fixture(autouse=True)
def _one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_num_threads(1)
    monkeypatch.setattr(study, "parallel_models", lambda: 1)


def test_behaviour_reads_the_real_traces_once_for_each_reason_and_so_each_models_samples(tmp_path: Path) -> None:
    run = make_run(tmp_path, students=8, titles=6, replicates=20)
    with counted() as passes:
        behaviour(run)
    assert passes.of(tmp_path / "class") == [sum(BEHAVIOUR.values())]
    for samples in (run / "samples").iterdir():
        assert passes.of(samples) == [sum(OF_SAMPLES.values())], samples.name
    with counted() as passes:
        behaviour(run)
    assert passes.of(tmp_path / "class") == [sum(AGAIN.values())]
    assert passes.of(run / "samples" / "trace") == [1]


def test_reproduce_reads_the_real_traces_once_for_each_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    true = habits(12, rng)
    traces = [draw_trace(student, f"title{t}", true[student], rng) for student in sorted(true) for t in range(8)]
    with DatasetWriter(tmp_path / "class", origin="simulated", provenance={}) as writer:
        for shard in (0, 1):
            writer.write_shard(shard, traces[48 * shard : 48 * shard + 48])
        dataset = writer.finish()

    def sample(model: Model, requests: Sequence[Request], *, out: Path, config: SampleConfig) -> Dataset:
        pairs = [Pair(request.student, request.title) for request in requests]
        return fake_samples(out, pairs, true.__getitem__, load_split(dataset), rng, str(model.card["view"]), 2)

    monkeypatch.setattr(study, "sample", sample)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "small.toml").write_text(SETTINGS)
    with counted() as passes:
        study.reproduce(
            dataset.path, budget_minutes=1, out=tmp_path / "run", seed=1, split_name="default",
            config=[tmp_path / "small.toml"],
        )  # fmt: skip
    assert passes.of(dataset.path) == [sum(REPRODUCE.values())] * 2
    assert not (tmp_path / "run" / "corpus").exists()
    assert len(open_dataset(tmp_path / "run" / "samples" / "trace-downsampled"))
