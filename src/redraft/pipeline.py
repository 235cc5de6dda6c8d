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
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from redraft import config as settings
from redraft.data.ingest import IngestOptions, ingest
from redraft.data.simulate import SimulateConfig, simulate
from redraft.data.sources.pencilcode import PencilCode
from redraft.data.split import TEST_SPLITS, Split, SplitConfig, load_split, make_split
from redraft.data.store import Dataset, open_dataset
from redraft.errors import DatasetError, UsageError
from redraft.lm.checkpoint import load_model
from redraft.lm.sample import Request, requests_for, sample
from redraft.lm.settings import SampleConfig, TrainConfig
from redraft.lm.train import train
from redraft.progress import say
from redraft.report.findings import findings
from redraft.report.html import write_report
from redraft.rundir import RunDir, write_json, write_text
from redraft.studies.behaviour import EvaluateConfig, evaluate

RUN_FILE = "run.toml"

DEMO_STEPS = 400
HELD = 0.2
"""Share of the demo's students and titles held out."""
TRAIN_SHARE, SAMPLE_SHARE = 0.5, 0.25
"""Shares of a budget for training and sampling; the rest is for tokenizing, evaluation and the report."""
PILOT = 32
"""Pairs a split drawn once to learn how long a trace takes."""


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """Everything a run is made with; kept, resolved, in run.toml."""

    dataset: str
    """The dataset's folder, absolute or relative to the run's folder."""
    split: str = "default"
    """Name of the dataset's split."""
    views: tuple[str, ...] = ("trace", "last", "synthetic")
    """Views of the training data; one model each."""
    seed: int = 1
    """Seed of the split, the models and the samples."""
    command: str = ""
    """The command that started the run."""
    max_pairs: int = 100
    """Pairs sampled from each test split, at most (a seeded choice, the same for every model)."""
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
        max_pairs=60,
        splitting=SplitConfig(
            seed=seed,
            held_students=max(1, round(HELD * made.students)),
            held_titles=max(1, round(HELD * made.titles)),
            validation_share=0.05,
        ),
        train=TrainConfig(seed=seed, steps=DEMO_STEPS),
        sample=SampleConfig(seed=seed),
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
    views = RunConfig.views
    wanted = RunConfig(
        dataset=os.path.relpath(data.resolve(), out.resolve()),
        split=split_name,
        seed=seed,
        command=f"redraft reproduce --data {data.name} --budget {budget_minutes:g} --seed {seed}",
        splitting=SplitConfig(seed=seed, held_students=0.1, held_titles=0.1, validation_share=0.05),
        train=TrainConfig(seed=seed, epochs=200, patience=8, minutes=TRAIN_SHARE * budget_minutes / len(views)),
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
        if self.run.is_done(name, wanted):
            say(f"{name:<20}{'done before':>12}")
            return
        with self.run.stage(name, wanted):
            do()
        say(f"{name:<20}{self.run.stages[name]['seconds']:>10.1f} s")


def _ingest(logs: Path, dataset: Path) -> None:
    source = PencilCode(paths=sorted(logs.glob("access-*.log.gz")))
    ingest(source, dataset, IngestOptions(key=logs / "ingest.key", origin="simulated"))


def _study(stages: Stages, config: RunConfig, sampling_seconds: float | None = None) -> Path:
    """Split, train and sample each view, evaluate, report; the findings go to standard output."""
    run = stages.run.path
    dataset = open_dataset(run / config.dataset)
    stages("split", asdict(config.splitting) | {"name": config.split}, lambda: _split(dataset, config))
    split = load_split(dataset, config.split)
    data = {"dataset": dataset.fingerprint, "split": split.hash}
    write_text(run / RUN_FILE, settings.dump(config))
    for view in config.views:
        out = run / "models" / view
        wanted = {**data, **asdict(config.train)}
        stages(f"train {view}", wanted, partial(train, dataset, split=split, view=view, out=out, config=config.train))
    if sampling_seconds is not None:
        config = _plan_sampling(stages, config, split, sampling_seconds)
        write_text(run / RUN_FILE, settings.dump(config))
    requests = requests_for(split, _filled(split), max_pairs=config.max_pairs, seed=config.seed)
    for view in config.views:
        wanted = {**data, **asdict(config.train), **asdict(config.sample), "max_pairs": config.max_pairs}
        stages(f"sample {view}", wanted, partial(_sample, run, view, requests, config.sample))
    wanted |= asdict(config.evaluate)
    stages("evaluate", wanted, lambda: evaluate(run))
    stages("report", wanted, lambda: write_report(run))
    write_report(run)  # once more, now that the stages' times are known
    total = time.perf_counter() - stages.started
    say(f"{'total':<20}{total:>10.1f} s")
    print("\n".join(findings(run)))  # noqa: T201
    report = run / "report.html"
    print(f"Report: {report}")  # noqa: T201
    return report


def _split(dataset: Dataset, config: RunConfig) -> None:
    """Make the run's split, unless it is one the user made before."""
    try:
        load_split(dataset, config.split)
    except DatasetError:
        make_split(dataset, config.splitting, name=config.split)


def _filled(split: Split) -> list[str]:
    return [name for name in TEST_SPLITS if split.counts()[name]]


def _sample(run: Path, view: str, requests: Sequence[Request], config: SampleConfig) -> None:
    sample(load_model(run / "models" / view), requests, out=run / "samples" / view, config=config)


def _plan_sampling(stages: Stages, config: RunConfig, split: Split, seconds: float) -> RunConfig:
    """As many pairs a split as fit into `seconds`, by the time that a few take; kept for a run that goes on."""
    file = stages.run.path / "plan.json"
    if not file.exists():
        splits = _filled(split)
        requests = requests_for(split, splits, max_pairs=PILOT, seed=config.seed)
        started = time.perf_counter()
        with TemporaryDirectory() as scratch:
            model = load_model(stages.run.path / "models" / config.views[0])
            sample(model, requests, out=Path(scratch) / "pilot", config=replace(config.sample, per_pair=1))
        each = (time.perf_counter() - started) / len(requests)
        pairs = int(seconds / (each * config.sample.per_pair * len(config.views) * len(splits)))
        write_json(file, {"seconds_a_trace": round(each, 4), "max_pairs": max(pairs, 5)})
    planned = json.loads(file.read_text())
    say(f"Sampling {planned['max_pairs']} pairs a split, at {planned['seconds_a_trace']} s a trace.")
    return replace(config, max_pairs=planned["max_pairs"])
