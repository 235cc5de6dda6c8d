"""The stages in order, resumably: `demo` on a simulated class, `reproduce` on any dataset.

In: a dataset (the demo makes its own). Out: a run folder with run.toml, models/VIEW/, samples/VIEW/, metrics/,
results/, figures/ and report.html. A stage that is done for the same settings is not run again; one cut short resumes
by its own means. Nothing here knows how a stage works, only what it is called with.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from redraft import config as settings
from redraft.data.ingest import IngestOptions, ingest
from redraft.data.simulate import SimulateConfig, simulate
from redraft.data.sources.pencilcode import PencilCode
from redraft.data.split import TEST_SPLITS, Split, SplitConfig, load_split, make_split, split_file
from redraft.data.store import Dataset, open_dataset
from redraft.errors import UsageError
from redraft.lm.checkpoint import load_model
from redraft.lm.machine import be_a_worker, parallel_models
from redraft.lm.sample import requests_for, sample
from redraft.lm.settings import Precision, SampleConfig, TrainConfig
from redraft.lm.train import train
from redraft.progress import hush, say
from redraft.report.findings import findings
from redraft.report.html import write_report
from redraft.rundir import RunDir, write_json, write_text
from redraft.studies.behaviour import EvaluateConfig, evaluate

RUN_FILE = "run.toml"

PRESET = "llama-200k"
"""The smallest model that learns to copy from the state before within a minute or two on one core."""
PRECISION: Precision = "fp32"
"""So small a model gains nothing from bf16, not even on a CPU with units for it (docs/training.md)."""
DEMO_STEPS = 1000
HELD = 0.2
"""Share of the demo's students and titles held out."""
TRAIN_SHARE, SAMPLE_SHARE = 0.5, 0.25
"""Shares of a budget for training and sampling; the rest is for tokenizing, evaluation and the report."""
PILOT = 10
"""Pairs a split drawn once to learn how long a trace takes; with five samples each they fill a batch."""


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """Everything a run is made with; kept, resolved, in run.toml."""

    dataset: str
    """The dataset's folder, absolute or relative to the run's folder."""
    split: str = "default"
    """Name of the dataset's split."""
    views: tuple[str, ...] = ("trace", "synthetic", "last")
    """Views of the training data; one model each."""
    seed: int = 1
    """Seed of the split, the models and the samples."""
    command: str = ""
    """The command that started the run."""
    max_pairs: int = 0
    """Pairs sampled from each test split, at most (a seeded choice, the same for every model); 0: as many as the budget
    allows."""
    splitting: SplitConfig = field(default_factory=SplitConfig)
    """How the split is made, if it doesn't exist."""
    train: TrainConfig = field(default_factory=TrainConfig)
    """How each model is trained."""
    sample: SampleConfig = field(default_factory=SampleConfig)
    """How each model is sampled."""
    evaluate: EvaluateConfig = field(default_factory=EvaluateConfig)
    """How the samples are compared with the students' traces."""


def demo(out: Path, *, seed: int, students: int, config: Sequence[Path] = ()) -> Path:
    """Simulate a class, study it, print three findings; returns the report's path."""
    stages = Stages(out)
    logs, dataset = out / "logs", out / "class.dataset"
    made = SimulateConfig(students=students, seed=seed)
    stages("simulate", asdict(made), lambda: simulate(made, logs))
    stages("ingest", asdict(made), lambda: _ingest(logs, dataset))
    defaults = RunConfig(
        dataset=dataset.name,
        seed=seed,
        command=f"redraft demo --out {out} --seed {seed} --students {students}",
        max_pairs=28,
        splitting=SplitConfig(
            seed=seed,
            held_students=max(1, round(HELD * made.students)),
            held_titles=max(1, round(HELD * made.titles)),
            validation_share=0.05,
        ),
        train=TrainConfig(
            seed=seed, preset=PRESET, precision=PRECISION, steps=DEMO_STEPS, validate_every=100, patience=3
        ),
        sample=SampleConfig(seed=seed, rounds=2),
        evaluate=EvaluateConfig(seed=seed),
    )
    return _study(stages, settings.load(RunConfig, config, base=defaults))


def reproduce(
    data: Path, *, budget_minutes: float, out: Path, seed: int, split_name: str, config: Sequence[Path] = ()
) -> Path:
    """Study any dataset within about `budget_minutes`; returns the report's path.

    Raises:
        UsageError: The budget is too small for anything.
    """
    if not budget_minutes >= 1:
        raise UsageError(f"a budget of {budget_minutes:g} minutes is too small.", remedy="Give at least one minute.")
    open_dataset(data)
    share = TRAIN_SHARE * budget_minutes * min(parallel_models(), len(RunConfig.views)) / len(RunConfig.views)
    wanted = RunConfig(
        dataset=os.path.relpath(data.resolve(), out.resolve()),
        split=split_name,
        seed=seed,
        command=f"redraft reproduce --data {data.name} --budget {budget_minutes:g} --seed {seed}",
        splitting=SplitConfig(seed=seed, held_students=0.1, held_titles=0.1, validation_share=0.05),
        train=TrainConfig(seed=seed, preset=PRESET, precision=PRECISION, epochs=200, patience=8, minutes=share),
        sample=SampleConfig(seed=seed),
        evaluate=EvaluateConfig(seed=seed),
    )
    wanted = settings.load(RunConfig, config, base=wanted)
    return _study(Stages(out), wanted, sampling_seconds=SAMPLE_SHARE * 60 * budget_minutes)


class Stages:
    """Runs each named stage once, and prints how long it took."""

    def __init__(self, folder: Path) -> None:
        self.run = RunDir(folder)
        self.started = time.perf_counter()

    def __call__(self, name: str, wanted: Mapping[str, Any], do: Callable[[], object]) -> None:
        """Run `do` unless it was done before for the same settings."""
        self.side_by_side({name: Stage(wanted, do)}, workers=1)

    def side_by_side(self, stages: Mapping[str, Stage], *, workers: int) -> None:
        """Run stages that don't depend on each other, several at once, each in a process of its own if so.

        Small models gain little from a second core each; two models on a core each gain all of it.
        """
        todo = {}
        for name, stage in stages.items():
            if self.run.is_done(name, stage.wanted):
                say(f"{name:<20}{'done before':>12}")
            else:
                todo[name] = stage
        if workers == 1 or len(todo) < 2:
            for name, stage in todo.items():
                self._done(name, stage, _timed(stage.do))
            return
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=be_a_worker) as pool:
            first = next(iter(todo))  # two bars at once would overwrite each other: the first, the longest, is drawn
            running = {pool.submit(_timed, todo[name].do, quiet=name != first): name for name in todo}
            for future in as_completed(running):
                name = running[future]
                self._done(name, todo[name], future.result())

    def _done(self, name: str, stage: Stage, seconds: float) -> None:
        self.run.finish(name, stage.wanted, seconds)
        say(f"{name:<20}{seconds:>10.1f} s")


class Stage(NamedTuple):
    """A stage still to be run."""

    wanted: Mapping[str, Any]
    """The settings it is done for."""
    do: Callable[[], object]
    """What it does; can be sent to another process where stages run side by side."""


def _timed(do: Callable[[], object], quiet: bool = False) -> float:
    if quiet:
        hush()
    started = time.perf_counter()
    do()
    return time.perf_counter() - started


def _ingest(logs: Path, dataset: Path) -> None:
    source = PencilCode(paths=sorted(logs.glob("access-*.log.gz")))
    ingest(source, dataset, IngestOptions(key=logs / "ingest.key", origin="simulated"))


def _study(stages: Stages, config: RunConfig, sampling_seconds: float = 60) -> Path:
    """Split, train and sample each view, evaluate, report; the findings go to standard output."""
    run = stages.run.path
    dataset = open_dataset(run / config.dataset)
    stages("split", asdict(config.splitting) | {"name": config.split}, lambda: _split(dataset, config))
    split = load_split(dataset, config.split)
    trained = {"dataset": dataset.fingerprint, "split": split.hash, "train": asdict(config.train)}
    write_text(run / RUN_FILE, settings.dump(config))
    workers = min(parallel_models(), len(config.views))
    trainings = {f"train {view}": Stage(trained, partial(_train, run, view, config)) for view in config.views}
    stages.side_by_side(trainings, workers=workers)
    if not config.max_pairs:
        config = _plan_sampling(stages, config, split, sampling_seconds * workers)
        write_text(run / RUN_FILE, settings.dump(config))
    sampled = {**trained, "sample": asdict(config.sample), "max_pairs": config.max_pairs}
    samplings = {f"sample {view}": Stage(sampled, partial(_sample, run, view, config)) for view in config.views}
    stages.side_by_side(samplings, workers=workers)
    evaluated = {**sampled, "evaluate": asdict(config.evaluate)}
    stages("evaluate", evaluated, lambda: evaluate(run))
    stages("report", evaluated, lambda: write_report(run))
    total = time.perf_counter() - stages.started
    say(f"{'total':<20}{total:>10.1f} s")
    print("\n".join(findings(run)))  # noqa: T201
    report = run / "report.html"
    print(f"Report: {report}")  # noqa: T201
    return report


def _split(dataset: Dataset, config: RunConfig) -> None:
    """Make the run's split if it is the default one and isn't there; any other must have been made before."""
    if config.split == RunConfig.split and not split_file(dataset, config.split).exists():
        make_split(dataset, config.splitting, name=config.split)
    load_split(dataset, config.split)


def _filled(split: Split) -> list[str]:
    return [name for name in TEST_SPLITS if split.counts()[name]]


def _train(run: Path, view: str, config: RunConfig) -> None:
    dataset = open_dataset(run / config.dataset)
    split = load_split(dataset, config.split)
    train(dataset, split=split, view=view, out=run / "models" / view, config=config.train)


def _sample(run: Path, view: str, config: RunConfig) -> None:
    split = load_split(open_dataset(run / config.dataset), config.split)
    requests = requests_for(split, _filled(split), max_pairs=config.max_pairs, seed=config.seed)
    sample(load_model(run / "models" / view), requests, out=run / "samples" / view, config=config.sample)


def _plan_sampling(stages: Stages, config: RunConfig, split: Split, seconds: float) -> RunConfig:
    """As many pairs a split as fit into `seconds`, by the time that a few take; kept for a run that goes on."""
    file = stages.run.path / "plan.json"
    if not file.exists():
        splits = _filled(split)
        requests = requests_for(split, splits, max_pairs=PILOT, seed=config.seed)
        model = load_model(stages.run.path / "models" / config.views[0])
        with TemporaryDirectory() as scratch:
            started = time.perf_counter()
            sample(model, requests, out=Path(scratch) / "pilot", config=config.sample)
            each = (time.perf_counter() - started) / (len(requests) * config.sample.per_pair)
        pairs = int(seconds / (each * config.sample.per_pair * len(config.views) * len(splits)))
        write_json(file, {"seconds_a_trace": round(each, 4), "max_pairs": max(pairs, 5)})
    planned = json.loads(file.read_text())
    say(f"Sampling {planned['max_pairs']} pairs a split, at {planned['seconds_a_trace']} s a trace.")
    return replace(config, max_pairs=planned["max_pairs"])
