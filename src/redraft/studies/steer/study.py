"""The study of steering: rows of what vectors of students who do much, or little, of something make a model do.

In: a run's folder with a model. Out: `results/steer.parquet`. Students at both ends of a target, and the unknown
student, write on the same titles; the paper leaves such steering to future work (appendix J). Rows, by target:

- `mean`, condition `voice` (most, least, unknown): what is written in that voice, a mean over students and titles;
- `mean`, baseline `training-traces`, condition `voice`: what those students' own training traces hold, of all titles;
- `mean_difference`, condition `voice` and `against`: most less least, and each less unknown;
- metric `executes`, condition `target`: whether final programs run, by voice, and most less unknown: steering that
  breaks programs is no use.

Samples are kept in `work/steer/`, so that a killed run goes on. Students are clusters, and titles: intervals resample
both. The unknown voice counts as many times as there are students a side, drawn anew each time.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from redraft import results
from redraft.data.store import Dataset
from redraft.lm.checkpoint import Model
from redraft.lm.sample import Request, sample
from redraft.lm.settings import SampleConfig
from redraft.metrics.agreement import Estimate, estimated, mean, title_sums
from redraft.metrics.bootstrap import Clusters, Counts, Floats, Statistic
from redraft.results import Result
from redraft.rundir import sha256_json
from redraft.studies.common.families import adjusted
from redraft.studies.common.models import open_model, views_with_models
from redraft.studies.common.run import Run, open_run
from redraft.studies.common.running import open_runner
from redraft.studies.common.work import work_folder
from redraft.studies.steer.chosen import Chosen, Ends, choose
from redraft.studies.steer.pick import EXECUTES, LEAST, MOST, TRAINING, UNKNOWN
from redraft.studies.steer.settings import SteerConfig
from redraft.studies.steer.targets import Target, amounts, target_named

STUDY = "steer"
CONTRASTS = ((MOST, LEAST), (MOST, UNKNOWN), (LEAST, UNKNOWN))
UNTRAINED = "trained without student dropout: the unknown student's vector is untrained"


@dataclass(frozen=True)
class Cells:
    """What was written in each voice on each title: means over its samples."""

    students: list[str]
    """(N,) whose vector; the unknown student's goes by several names."""
    titles: list[str]
    values: Mapping[str, Floats]
    """Target, or `executes` -> (N,)."""

    def written_by(self, students: Collection[str]) -> NDArray[np.bool_]:
        """(N,) which cells are these students'."""
        wanted = set(students)
        return np.array([student in wanted for student in self.students], np.bool_)

    def clusters(self, kept: NDArray[np.bool_]) -> Clusters:
        """Of some cells."""
        return Clusters.of(*([name for name, keep in zip(names, kept, strict=True) if keep]
                             for names in (self.students, self.titles)))  # fmt: skip


def steer(folder: str | Path, config: SteerConfig | None = None) -> list[Result]:
    """Study how far a run's model can be steered by students' vectors, and write the results.

    Args:
        folder: The run's folder: `run.toml`, and a model in `models/VIEW/`.
        config: Settings; None: those in `run.toml`.

    Raises:
        InputError: The folder is no run, or its settings are wrong.
        DatasetError: No such model, or it was trained on another split.
    """
    run = open_run(folder)
    config = config or run.section(STUDY, SteerConfig)
    model = open_model(run, views_with_models(run, [config.view])[0])
    targets = [target_named(name) for name in config.targets]
    chosen = choose(run, model, targets, config)
    if model.codec.run_id is not None:
        ends = Ends(reason="this model was trained with feedback, and can't write without it")
        chosen = replace(chosen, ends=dict.fromkeys(chosen.ends, ends))
    samples = _drawn(run, model, chosen, config) if chosen.students else None
    cells = _cells(run, samples, targets, chosen, config)
    trained = bool(model.card["config"]["student_dropout"])
    rows = adjusted([
        row for target in targets for row in _rows(run, cells, target, chosen.ends[target.name], trained, config)
    ])  # fmt: skip
    results.write(rows, run.path / "results" / f"{STUDY}.parquet")
    return rows


def _strangers(config: SteerConfig) -> list[str]:
    """Names that no student has: the model reads each as the unknown student."""
    return [f"{UNKNOWN}-{number}" for number in range(config.students)]


def _drawn(run: Run, model: Model, chosen: Chosen, config: SteerConfig) -> Dataset:
    """Everyone's samples on every title; kept."""
    how = replace(run.section("sample", SampleConfig), per_pair=config.per_pair, seed=config.seed)
    requests = [
        Request(student, title, sha256_json([student, title])[:16])
        for student in [*chosen.students, *_strangers(config)] for title in chosen.titles
    ]  # fmt: skip
    folder = work_folder(run.path, STUDY, model=model.fingerprint, requests=requests, how=how.__dict__)
    return sample(model, requests, out=folder / "samples", config=how)


def _cells(run: Run, samples: Dataset | None, targets: Sequence[Target], chosen: Chosen, config: SteerConfig) -> Cells:
    """Measure the samples, and run their final programs; without samples there are no cells."""
    traces = list(samples.traces()) if samples else []
    held_NK = np.array([amounts(trace, targets, chosen.language) for trace in traces]).reshape(-1, len(targets))
    with open_runner(config.engine, workers=config.workers, rule=run.rule) as runner:
        found = runner.run([trace.final.code for trace in traces], chosen.language)
        ran = [
            math.nan if one is None else float(one and bool(trace.states))  # nothing drawn is nothing that runs
            for one, trace in zip(found, traces, strict=True)
        ]
    by_pair = defaultdict(list)
    for number, trace in enumerate(traces):
        by_pair[trace.pair].append(number)
    names = [*(target.name for target in targets), EXECUTES]
    values = {
        name: np.array([_mean_scored(column[numbers]) for numbers in by_pair.values()])
        for name, column in zip(names, [*held_NK.T, np.array(ran)], strict=True)
    }
    return Cells([pair.student for pair in by_pair], [pair.title for pair in by_pair], values)


def _mean_scored(values: Floats) -> float:
    scored = values[np.isfinite(values)]
    return float(scored.mean()) if len(scored) else math.nan


def _rows(run: Run, cells: Cells, target: Target, ends: Ends, trained: bool, config: SteerConfig) -> Iterator[Result]:
    """A target's rows: unscored if nobody stands at its ends. `trained`: the unknown student's vector was."""
    who = {MOST: ends.most, LEAST: ends.least, UNKNOWN: tuple(_strangers(config)[: len(ends.most)])}
    common = Result(
        origin=run.dataset.origin, dataset=run.dataset.name, study=STUDY, model=config.view, metric=target.name,
        level=target.level, statistic="mean", unit=target.unit, n=0, n_students=0, n_titles=0, value=None,
        note=ends.note, reason=ends.reason,
    )  # fmt: skip
    for voice, done in zip((MOST, LEAST), ends.done, strict=True):
        n = len(who[voice])
        yield replace(common, baseline=TRAINING, condition={"voice": voice}, n=n, n_students=n,
                      value=None if math.isnan(done) else done)  # fmt: skip
    broken = replace(common, metric=EXECUTES, level="program", unit="share", condition={"target": target.name})
    for base, contrasts in ((common, CONTRASTS), (broken, CONTRASTS[1:2])):
        strange = base if trained else replace(base, note=results.noted(UNTRAINED, base.note))
        for voice in dict.fromkeys(voice for both in contrasts for voice in both):
            found = replace(_mean(cells, base.metric, who[voice], config), p=None)  # not being 0 is no finding
            yield _filled(strange if voice == UNKNOWN else base, found, voice=voice)
        for voice, against in contrasts:
            found = _difference(cells, base.metric, who[voice], who[against], config)
            family = f"steer: {voice} - {against}" + (", programs that run" if base is broken else "")
            about = replace(strange if against == UNKNOWN else base, family=family)
            yield _filled(about, found, voice=voice, against=against)


def _filled(base: Result, found: Estimate, **condition: str) -> Result:
    """The row of an estimate; where nobody was chosen, that is why it is unscored."""
    columns = replace(found.in_unit(base.unit), reason=base.reason or found.reason).columns
    return replace(base, condition={**base.condition, **condition}, **columns)


def _mean(cells: Cells, metric: str, students: Collection[str], config: SteerConfig) -> Estimate:
    """What was written in one voice."""
    mine = cells.written_by(students)
    return mean(cells.values[metric][mine], cells.clusters(mine), seed=config.seed, replicates=config.replicates)


def _difference(
    cells: Cells, metric: str, students: Collection[str], others: Collection[str], config: SteerConfig
) -> Estimate:
    """What was written in one voice less what in the other, with d: that difference in standard deviations of cells."""
    first, second = cells.written_by(students), cells.written_by(others)
    either = first | second
    values, mine = cells.values[metric][either], first[either].astype(np.float64)
    found = estimated(
        "mean_difference", (values, mine), cells.clusters(either), _between_groups, config.seed, config.replicates
    )
    sides = [side[np.isfinite(side)] for side in (values[mine > 0], values[mine == 0])]
    variance = np.mean([side.var(ddof=1) if len(side) > 1 else 0.0 for side in sides])
    return found if found.value is None or variance == 0 else replace(found, effect_size=found.value / variance**0.5)


def _between_groups(clusters: Clusters, values: Floats, first: Floats) -> Statistic:
    """The mean of the cells marked 1 less that of those marked 0."""
    sums = title_sums(clusters, first, first * values, 1 - first, (1 - first) * values)

    def compute(counts: Counts) -> Floats:
        here, here_sum, there, there_sum = ((counts.titles * sum_TB).sum(0) for sum_TB in sums(counts))
        with np.errstate(divide="ignore", invalid="ignore"):
            difference: Floats = here_sum / here - there_sum / there
        return difference

    return compute
