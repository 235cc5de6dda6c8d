"""From a dataset to a report: split, train, sample, execute, study.

In: a dataset (the demo makes its own). Out: a run folder with run.toml, models/VIEW/, samples/VIEW/, metrics/,
results/, figures/ and report.html. Nothing here knows how a stage works, only what it is called with.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from redraft import config as settings
from redraft.data.ingest import IngestOptions, ingest
from redraft.data.matching import habits
from redraft.data.simulate import SimulateConfig, simulate
from redraft.data.sources.pencilcode import PencilCode
from redraft.data.split import TEST_SPLITS, TRAIN, Split, SplitConfig, load_split, make_split, split_file
from redraft.data.store import Dataset, open_dataset
from redraft.errors import UsageError
from redraft.execute.cache import Cache, default_folder
from redraft.execute.dataset import execute_dataset, is_judged, verdict_file
from redraft.execute.engine import EngineOptions, checks_for, make_engine
from redraft.lm.checkpoint import load_model
from redraft.lm.machine import parallel_models
from redraft.lm.prepare import read_for
from redraft.lm.sample import exchanged, requests_for, sample
from redraft.lm.settings import SampleConfig, TrainConfig
from redraft.lm.train import train
from redraft.metrics.shuffle import derange
from redraft.pipeline.settings import (
    PRECISION,
    PRESET,
    RUN_FILE,
    RunConfig,
    WholeRun,
    fit_studies,
    protocol_files,
    within,
)
from redraft.pipeline.stages import Stage, Stages
from redraft.progress import say
from redraft.report.html import write_report
from redraft.rundir import lock, read_record, write_record, write_text
from redraft.studies.common.compared import CONTROLLED
from redraft.studies.common.findings import findings
from redraft.studies.common.run import control_folder, read_settings
from redraft.studies.interface import FULL_MINUTES


class DemoSize(NamedTuple):
    """How much the demo does."""

    students: int
    steps: int
    """Of each model's training."""
    pairs: int
    """Sampled from each test split, at most."""
    per_pair: int
    """Samples of each."""
    note: str
    """What the report says of it."""


DEMO = DemoSize(students=120, steps=1000, pairs=28, per_pair=SampleConfig.per_pair, note="")
SMALL_DEMO = DemoSize(
    students=60, steps=250, pairs=24, per_pair=2,
    note="This is the small demo: half of the demo's class, a quarter of its training and few samples. It shows that "
    "everything works, and its models know little.",
)  # fmt: skip
HELD = 0.2
"""Share of the demo's students and titles held out."""
TRAIN_SHARE, SAMPLE_SHARE = 0.45, 0.2
"""Shares of a budget for training and sampling; the rest is for tokenizing, executing, the studies and the report."""
CORPUS = "corpus"
"""The folder of a run in which what all its models start from is, as long as they are trained."""
MATCHED = "matched-student"
PILOT = 10
"""Pairs per split, drawn once to learn how long a trace takes; with five samples each they fill a batch."""


def demo(
    out: Path, *, seed: int, students: int | None = None, small: bool = False, config: Sequence[Path] = ()
) -> Path:
    """Simulate a class, study it, print three findings; returns the report's path.

    Raises:
        DatasetError: Another process is working in `out`.
    """
    with lock(out.resolve()):
        return _demo(out, seed=seed, students=students, small=small, config=config)


def _demo(out: Path, *, seed: int, students: int | None, small: bool, config: Sequence[Path]) -> Path:
    size = SMALL_DEMO if small else DEMO
    students = size.students if students is None else students
    stages = Stages(out)
    if size.note:
        say(size.note)
    logs, dataset = out / "logs", out / "class.dataset"
    made = SimulateConfig(students=students, seed=seed)
    stages("simulate", asdict(made), lambda: simulate(made, logs), logs)
    stages("ingest", asdict(made), lambda: _ingest(logs, dataset), dataset)
    defaults = WholeRun(
        dataset=dataset.name,
        views=("trace", "synthetic", "last"),
        unsampled_views=(),
        controls=(),
        studies=("variance",),
        seed=seed,
        command=f"redraft demo --out {out} --seed {seed} --students {students}{' --small' if small else ''}",
        note=size.note,
        max_pairs=size.pairs,
        splitting=SplitConfig(
            seed=seed,
            held_students=max(1, round(HELD * made.students)),
            held_titles=max(1, round(HELD * made.titles)),
            validation_share=0.05,
        ),
        train=TrainConfig(
            seed=seed, preset=PRESET, precision=PRECISION, steps=size.steps, validate_every=100, patience=3
        ),
        sample=SampleConfig(seed=seed, rounds=2, per_pair=size.per_pair),
    )
    wanted = settings.load(WholeRun, config, base=fit_studies(defaults, FULL_MINUTES), read=read_settings)
    return _study(stages, wanted)


def reproduce(
    data: Path, *, budget_minutes: float, out: Path, seed: int, split_name: str, protocol: str = "corrected",
    config: Sequence[Path] = (),
) -> Path:  # fmt: skip
    """Study any dataset within about `budget_minutes`; returns the report's path.

    Raises:
        DatasetError: Another process is working in `out`.
        UsageError: The budget is too small for anything, or there is no such protocol.
    """
    files = [*protocol_files(protocol), *config]
    if not budget_minutes >= 1:
        raise UsageError(f"a budget of {budget_minutes:g} minutes is too small.", remedy="Give at least one minute.")
    open_dataset(data)
    models = len(RunConfig.views) + len(RunConfig.unsampled_views)
    share = TRAIN_SHARE * budget_minutes * min(parallel_models(), models) / models
    wanted = WholeRun(
        protocol=protocol,
        dataset=os.path.relpath(data.resolve(), out.resolve()),
        split=split_name,
        seed=seed,
        command=f"redraft reproduce --data {data.name} --protocol {protocol} --budget {budget_minutes:g} --seed {seed}",
        splitting=SplitConfig(seed=seed, held_students=0.1, held_titles=0.1, validation_share=0.05),
        train=TrainConfig(seed=seed, preset=PRESET, precision=PRECISION, epochs=200, patience=8, minutes=share),
        sample=SampleConfig(seed=seed),
    )
    wanted = settings.load(WholeRun, files, base=within(wanted, budget_minutes), read=read_settings)
    with lock(out.resolve()):
        return _study(Stages(out), wanted, sampling_seconds=SAMPLE_SHARE * 60 * budget_minutes)


def _ingest(logs: Path, dataset: Path) -> None:
    source = PencilCode(paths=sorted(logs.glob("access-*.log.gz")))
    ingest(source, dataset, IngestOptions(key=logs / "ingest.key", origin="simulated"))


def _study(stages: Stages, config: RunConfig, sampling_seconds: float = 60) -> Path:
    """Split, train and sample each view, study, report; the findings go to standard output."""
    run = stages.run.path
    dataset = open_dataset(run / config.dataset)
    stages("split", asdict(config.splitting) | {"name": config.split}, lambda: _split(dataset, config),
           split_file(dataset, config.split))  # fmt: skip
    split = load_split(dataset, config.split)
    config = replace(config, controls=_told_apart(dataset, split, config.controls))
    trained = {"dataset": dataset.fingerprint, "split": split.hash, "train": asdict(config.train)}
    write_text(run / RUN_FILE, settings.dump(config))
    workers = parallel_models()
    views = config.trained_views
    trainings = {
        f"train {view}": Stage(trained, partial(_train, run, view, config), (run / "models" / view,)) for view in views
    }
    done = {name: stages.run.is_done(name, stage.wanted, stage.outputs) for name, stage in trainings.items()}
    if untrained := [view for view in views if not done[f"train {view}"]]:
        _read(run, untrained, config)
    stages.side_by_side(trainings, workers=min(workers, len(views)))
    shutil.rmtree(run / CORPUS, ignore_errors=True)  # it holds what students wrote, and has served its purpose
    if not config.max_pairs:
        config = _plan_sampling(stages, config, split, sampling_seconds * workers)
        write_text(run / RUN_FILE, settings.dump(config))
    sampled = {**trained, "sample": asdict(config.sample), "max_pairs": config.max_pairs}
    samplings = {
        f"sample {view}": Stage(sampled, partial(_sample, run, view, config), (run / "samples" / view,))
        for view in config.views
    }
    for control in config.controls if CONTROLLED in config.views else ():
        draw, folder = partial(_sample_control, run, control, config), control_folder(CONTROLLED, control)
        samplings[f"sample {folder}"] = Stage(sampled, draw, (run / "samples" / folder,))
    stages.side_by_side(samplings, workers=min(workers, len(samplings)))
    executed = {**sampled, "controls": config.controls, "execute": asdict(config.execute)}
    judged = [verdict_file(data, config.execute.engine, config.execute.rule) for data in _to_judge(run, config)]
    stages("execute", executed, lambda: _execute(run, config), *judged)
    for study in config.to_do:
        wanted = {**executed, study.name: asdict(config.of(study))}
        stages(study.name, wanted, partial(study.do, run), run / "results" / f"{study.name}.parquet")
    stages("report", {**asdict(config), **trained}, lambda: write_report(run), run / "report.html")
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


def _told_apart(dataset: Dataset, split: Split, controls: Sequence[str]) -> tuple[str, ...]:
    """The controls that differ: where nobody can be matched by year or mode, `matched-student` is `other-student`."""
    students = {pair.student for pair, place in split.of.items() if place == TRAIN}
    if MATCHED not in controls or len({*habits(dataset, students).values()}) > 1:
        return tuple(controls)
    say(f"All students work in the same year and editor mode: {MATCHED} would be other-student again, and is left out.")
    return tuple(control for control in controls if control != MATCHED)


def _filled(split: Split) -> list[str]:
    return [name for name in TEST_SPLITS if split.counts()[name]]


def _read(run: Path, views: Sequence[str], config: RunConfig) -> None:
    """Read the dataset once for all models still to be trained; a run that goes on finds what was read."""
    dataset = open_dataset(run / config.dataset)
    read_for(dataset, load_split(dataset, config.split), views, config.train, run / CORPUS)


def _train(run: Path, view: str, config: RunConfig) -> None:
    dataset = open_dataset(run / config.dataset)
    split = load_split(dataset, config.split)
    train(dataset, split=split, view=view, out=run / "models" / view, config=config.train, corpus=run / CORPUS)


def _sample(run: Path, view: str, config: RunConfig) -> None:
    split = load_split(open_dataset(run / config.dataset), config.split)
    requests = requests_for(split, _filled(split), max_pairs=config.max_pairs, seed=config.seed)
    sample(load_model(run / "models" / view), requests, out=run / "samples" / view, config=config.sample)


def _sample_control(run: Path, control: str, config: RunConfig) -> None:
    """The same requests, each with the vector of another student whom the model knows, where it knows the student."""
    dataset = open_dataset(run / config.dataset)
    split, model = load_split(dataset, config.split), load_model(run / "models" / CONTROLLED)
    requests = requests_for(split, _filled(split), max_pairs=config.max_pairs, seed=config.seed)
    known = sorted({request.student for request in requests if request.student in model.students})
    traits = habits(dataset, known) if control == MATCHED else dict.fromkeys(known, ())
    drawn = derange(known, [traits[student] for student in known], np.random.default_rng(config.seed)).of
    lent = exchanged(requests, {student: other for student, other in drawn.items() if student != other})
    if lent:
        sample(model, lent, out=run / "samples" / control_folder(CONTROLLED, control), config=config.sample)


def _to_judge(run: Path, config: RunConfig) -> list[Dataset]:
    """The run's dataset, and all that was drawn."""
    folders = (*config.views, *(control_folder(CONTROLLED, control) for control in config.controls))
    samples = [run / "samples" / folder for folder in folders]
    return [open_dataset(folder) for folder in (run / config.dataset, *samples) if folder.exists()]


def _execute(run: Path, config: RunConfig) -> None:
    """Verdicts on every program of the dataset and of the samples, where there are none yet."""
    name, rule = config.execute.engine, config.execute.rule
    checks = checks_for(name, rule, Path(config.execute.tests) if config.execute.tests else None)
    with make_engine(name, EngineOptions()) as engine, Cache(default_folder()) as cache:
        for dataset in _to_judge(run, config):
            if not is_judged(dataset, engine, name=name, rule=rule, checks=checks):
                execute_dataset(dataset, engine, name=name, rule=rule, cache=cache, checks=checks)


def _plan_sampling(stages: Stages, config: RunConfig, split: Split, seconds: float) -> RunConfig:
    """How many pairs per split are sampled in `seconds`, by the time that a few take; kept for a run that goes on."""
    file = stages.run.path / "plan.json"
    if not file.exists():
        splits = _filled(split)
        requests = requests_for(split, splits, max_pairs=PILOT, seed=config.seed)
        model = load_model(stages.run.path / "models" / config.views[0])
        scratch = stages.run.path / "work" / "pilot"
        shutil.rmtree(scratch, ignore_errors=True)  # what a killed pilot left would be gone on with, and seem fast
        sample(model, requests[:1], out=scratch / "first", config=config.sample)  # compiles what is compiled
        started = time.perf_counter()
        sample(model, requests, out=scratch / "pilot", config=config.sample)
        each = (time.perf_counter() - started) / (len(requests) * config.sample.per_pair)
        shutil.rmtree(scratch)
        traces = seconds / (each * (len(config.views) + len(config.controls)))
        pairs, per_pair = share_out(traces, [split.counts()[name] for name in splits], config.sample.per_pair)
        write_record(file, {"seconds_a_trace": round(each, 4), "max_pairs": pairs, "per_pair": per_pair})
    remedy = "Remove it: how long sampling takes is measured again."
    needs = {"seconds_a_trace": float, "max_pairs": int, "per_pair": int | None}
    planned = {"per_pair": config.sample.per_pair, **read_record(file, remedy=remedy, needs=needs)}
    say(
        f"Sampling {planned['max_pairs']} pairs per split, {planned['per_pair']} traces each, at "
        f"{planned['seconds_a_trace']} s per trace."
    )
    sampling = replace(config.sample, per_pair=planned["per_pair"])
    return replace(config, max_pairs=planned["max_pairs"], sample=sampling)


def share_out(traces: float, pairs: Sequence[int], per_pair: int) -> tuple[int, int]:
    """How many pairs of each split are sampled, and how often each, if there is time for so many traces.

    More pairs tell more than more samples of each; where there are no more, up to `SampleConfig`'s samples are drawn.

    Args:
        traces: Of each model, over all splits.
        pairs: How many each split has.
        per_pair: Samples per pair, at least.
    """
    most = max(5, int(traces / (per_pair * len(pairs))))
    if most <= max(pairs):
        return most, per_pair
    return max(pairs), max(per_pair, min(SampleConfig.per_pair, int(traces / sum(pairs))))
