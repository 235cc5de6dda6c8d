"""Results rows of the adaptation study.

In: a run. Out: `results/adapt.parquet`, `points-adapt-students.parquet`. A bits row is a mean over students, each of
whom counts once however many traces test them, and its interval resamples students; a row about generated traces is
about pairs, and resamples students and titles. `condition` says k; `baseline` whose vector stands against the
student's own: `other-student`, `mean-vector`, or the student's own after j traces, `k=j`. Ways with a neural cache say
so in `condition`, as `way`; `own` against them is the fitted vector alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from redraft import results
from redraft.execute.dataset import read_messages
from redraft.lm.checkpoint import Model
from redraft.lm.neural_cache.store import KNOWN, UNKNOWN, fits_of
from redraft.metrics import agreement
from redraft.metrics.agreement import Estimate
from redraft.metrics.bootstrap import Clusters, Floats
from redraft.metrics.registry import METRICS
from redraft.results import Result
from redraft.rundir.tables import write_table
from redraft.studies.adapt.drawn import TEXT, Drawn, draw
from redraft.studies.adapt.fits import BOTH, CACHE, MEAN_VECTOR, OTHER, OWN, Choice, Fits, depends_on
from redraft.studies.adapt.newcomers import Newcomers, newcomers
from redraft.studies.adapt.settings import AdaptConfig
from redraft.studies.common.families import adjusted
from redraft.studies.common.models import open_model, views_with_models
from redraft.studies.common.run import Run, open_run
from redraft.studies.common.work import work_folder

BITS = ("bits_per_trace", "bits_per_character")
STUDY = "adapt"


def adapt(folder: str | Path, config: AdaptConfig | None = None) -> list[Result]:
    """Measure how few traces a new student needs, and write the results.

    Args:
        folder: The run's folder: `run.toml`, and models in `models/VIEW/`.
        config: Settings; None: those in `run.toml`.

    Raises:
        InputError: The folder is no run, or its settings are wrong.
        DatasetError: There is no model of any of the views, or it was trained on another split.
    """
    run = open_run(folder)
    config = config or run.section(STUDY, AdaptConfig)
    found = [_evidence(run, view, config) for view in views_with_models(run, config.views)]
    rows = adjusted([row for evidence in found for row in _rows(run, evidence, config)])
    results.write(rows, run.path / "results" / f"{STUDY}.parquet")
    write_table(pa.concat_tables(evidence.points for evidence in found), run.path / "points-adapt-students.parquet")
    return rows


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What the rows of one model are computed from."""

    view: str
    newcomers: Newcomers
    choices: dict[int, Choice]
    """What the tuning students chose for each k."""
    bits: dict[tuple[str, str, int], Floats]
    """(metric, voice, k) -> a value per student."""
    drawn: Drawn | None
    titles: int
    """Distinct titles among the test traces."""
    note: str | None
    """What to keep in mind."""
    reason: str | None
    """Why there are no values, if there are none."""
    points: pa.Table
    """Bits per trace by student (a number), k and whose vector."""


POINTS = pa.schema(
    [("model", pa.string()), ("student", pa.int64()), ("k", pa.int64()), ("voice", pa.string()), ("bits", pa.float64())]
)


def _evidence(run: Run, view: str, config: AdaptConfig) -> Evidence:
    model = open_model(run, view)
    new = newcomers(run, model.students, config)
    if new.reason:
        return Evidence(
            view=view, newcomers=new, choices={}, bits={}, drawn=None, titles=0, note=None,
            reason=new.reason, points=POINTS.empty_table(),
        )  # fmt: skip
    verdicts = read_messages(run.dataset) if model.codec.config.feedback else None
    mixings = {}
    if config.neural_cache:
        fitted = fits_of(model, run.dataset, run.split, verdicts or {})
        mixings = {CACHE: fitted[UNKNOWN].mixing, BOTH: fitted[KNOWN].mixing}
    fits = Fits(
        model=model, newcomers=new, config=config, folder=_folder(run, view, model, config, new), verdicts=verdicts,
        mixings=mixings,
    )  # fmt: skip
    bits, points = _by_student(view, fits.bits())
    generates = config.sampled_pairs and model.codec.run_id is None
    strangers = sum(count for _, count in fits.partners)
    notes = [
        f"{strangers} of {len(fits.students) * config.seeds} stand-ins are of another year" if strangers else "",
        f"{new.without_times} students without times left out" if new.without_times else "",
        new.lowered or "",
    ]
    return Evidence(
        view=view, newcomers=new, choices={k: fits.chosen(k) for k in config.ks if k}, bits=bits,
        drawn=draw(fits) if generates else None,
        titles=len({trace.title for traces in new.evaluated.values() for trace in fits.tests(traces)}),
        note=results.noted(*notes), reason=None, points=points,
    )  # fmt: skip


def _folder(run: Run, view: str, model: Model, config: AdaptConfig, new: Newcomers) -> Path:
    return work_folder(
        run.path, f"{STUDY}-{view}", model=model.fingerprint, dataset=run.dataset.fingerprint, split=run.split.hash,
        settings=depends_on(config, new.evaluated),
    )  # fmt: skip


def _by_student(view: str, table: pa.Table) -> tuple[dict[tuple[str, str, int], Floats], pa.Table]:
    """Each student's bits by metric, whose vector and k, means over seeds; and the points drawn."""
    means = [(name, "mean") for name in ("bits", "traces", "characters")]
    table = table.group_by(["voice", "k", "student"]).aggregate(means)
    table = table.sort_by([("voice", "ascending"), ("k", "ascending"), ("student", "ascending")])
    voice, k = np.array(table["voice"].to_pylist()), table["k"].to_numpy()
    bits, traces, characters = (table[f"{name}_mean"].to_numpy() for name, _ in means)
    per_character = np.divide(bits, characters, out=np.full(len(bits), np.nan), where=characters > 0)
    per = dict(zip(BITS, (bits / traces, per_character), strict=True))
    found = {
        (metric, str(side), int(number)): values[(voice == side) & (k == number)]
        for metric, values in per.items() for side, number in {*zip(voice.tolist(), k.tolist(), strict=True)}
    }  # fmt: skip
    columns = [[view] * len(bits), table["student"], k, table["voice"], per["bits_per_trace"]]
    return found, pa.table(columns, schema=POINTS)


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A row to be computed: where it stands in the table."""

    metric: str
    statistic: str
    """mean, pooled_r or within_r."""
    k: int
    voice: str = OWN
    """The side whose value it is, if it isn't a contrast."""
    against: str | None = None
    """The other side of a contrast; None: a value."""

    @property
    def condition(self) -> dict[str, str]:
        """How many traces are known, and the way of knowing them, if it isn't a vector."""
        if self.voice == MEAN_VECTOR:
            return {}
        return {"k": str(self.k), **({"way": self.voice} if self.voice in (CACHE, BOTH) else {})}

    @property
    def other(self) -> tuple[str, int]:
        """Whose vector the other side is, and after how many traces."""
        against = self.against or ""
        earlier = against.removeprefix("k=")
        if earlier != against:
            return OWN, int(earlier)
        return against, 0 if against == MEAN_VECTOR else self.k


def cells(config: AdaptConfig) -> Iterator[Cell]:
    """All rows of a model, whether or not there is data for them."""
    for metric in BITS:
        yield from _of(metric, "mean", config.ks, config, mean_vector=True)
        yield from _with_cache(metric, config)
    if config.sampled_pairs:
        for metric in TEXT:
            yield from _of(metric, "mean", config.sampled_ks, config)
        for metric in config.metrics:
            for statistic in ("pooled_r", "within_r"):
                yield from _of(metric, statistic, config.sampled_ks, config)


def _of(
    metric: str, statistic: str, ks: Sequence[int], config: AdaptConfig, *, mean_vector: bool = False
) -> Iterator[Cell]:
    if mean_vector and 0 in ks:
        yield Cell(metric=metric, statistic=statistic, k=0, voice=MEAN_VECTOR)
    for k in ks:
        yield Cell(metric=metric, statistic=statistic, k=k)
        if not k:
            continue
        yield Cell(metric=metric, statistic=statistic, k=k, voice=OTHER)
        others = [OTHER]
        if 0 in ks:
            others += [MEAN_VECTOR, "k=0"] if mean_vector else ["k=0"]
        if k == config.plateau[1] and config.plateau[0] in ks:
            others.append(f"k={config.plateau[0]}")
        for against in others:
            yield Cell(metric=metric, statistic=statistic, k=k, against=against)


def _with_cache(metric: str, config: AdaptConfig) -> Iterator[Cell]:
    """Ways with a neural cache: against knowing nothing, and against the fitted vector alone."""
    for k in [k for k in config.ks if k] if config.neural_cache else ():
        for way in (CACHE, BOTH):
            yield Cell(metric=metric, statistic="mean", k=k, voice=way)
            for against in ("k=0", OWN) if 0 in config.ks else (OWN,):
                yield Cell(metric=metric, statistic="mean", k=k, voice=way, against=against)


def _rows(run: Run, evidence: Evidence, config: AdaptConfig) -> Iterator[Result]:
    for cell in cells(config):
        found = _estimate(cell, evidence, config)
        known = METRICS.get(cell.metric)
        contrast = cell.against is not None
        yield _row(
            run, evidence, found, note=_left_out(cell, evidence.drawn), metric=cell.metric,
            level=known.level if known else "trace",
            baseline=cell.against or (cell.voice if cell.voice in (OTHER, MEAN_VECTOR) else None),
            condition=cell.condition,
            unit=_unit(cell), direction=("lower" if cell.metric in BITS else "higher"),
            family=_family(cell, evidence.view) if contrast else None,
        )  # fmt: skip
    for k, choice in evidence.choices.items():
        found = Estimate(
            statistic="chosen", value=float(choice.epochs), n=len(evidence.newcomers.tuning),
            n_students=len(evidence.newcomers.tuning), n_titles=0,
        )  # fmt: skip
        most = "the most that was tried: more might have been better" if choice.epochs == config.max_epochs else None
        yield _row(
            run, evidence, found, note=most, metric="fit_epochs", level="collection", baseline=None,
            condition={"k": str(k), "lr": f"{choice.lr:g}"}, unit="epochs", direction="", family=None,
        )  # fmt: skip


def _family(cell: Cell, view: str) -> str:
    """The contrasts whose p values are corrected together."""
    return f"adapt {view}: {cell.metric} {cell.statistic}, {cell.voice} - {cell.against}"


def _row(run: Run, evidence: Evidence, found: Estimate, *, note: str | None = None, **address: Any) -> Result:
    return Result(
        origin=run.dataset.origin, dataset=run.dataset.name, study=STUDY, model=evidence.view,
        note=results.noted(evidence.note, note), **found.columns, **address,
    )  # fmt: skip


def _unit(cell: Cell) -> str:
    return {"bits_per_trace": "bits", "bits_per_character": "bits", "mean": "BLEU"}.get(
        cell.metric if cell.metric in BITS else cell.statistic, "r"
    )


def _estimate(cell: Cell, evidence: Evidence, config: AdaptConfig) -> Estimate:
    if cell.metric in BITS:
        return _of_bits(cell, evidence, config)
    name = cell.statistic if cell.against is None else f"{cell.statistic}_difference"
    drawn = evidence.drawn
    if drawn is None:
        reason = (
            evidence.reason or "nothing was generated: the model needs feedback, which can't be told while sampling"
        )
        return Estimate(statistic=name, value=None, n=0, n_students=0, n_titles=0, reason=reason)
    clusters = Clusters.of([pair.student for pair in drawn.pairs], [pair.title for pair in drawn.pairs])
    mine = drawn.generated[cell.voice, cell.k][cell.metric]
    theirs = drawn.generated[cell.other][cell.metric] if cell.against else None
    options: dict[str, Any] = {"seed": config.seed, "replicates": config.replicates}
    if cell.statistic == "mean":
        return agreement.mean(mine, clusters, **options) if theirs is None else agreement.mean_contrast(
            mine, theirs, clusters, **options)  # fmt: skip
    if theirs is None:
        return agreement.correlation(cell.statistic, drawn.real[cell.metric], mine, clusters, **options)
    return agreement.correlation_contrast(
        cell.statistic, drawn.real[cell.metric], mine, theirs, clusters, **options
    )  # fmt: skip


def _left_out(cell: Cell, drawn: Drawn | None) -> str | None:
    """That not all pairs could be compared, if so."""
    if drawn is None or cell.metric in BITS or not drawn.left_out:
        return None
    return f"{drawn.left_out} pairs without a sample of every k and side left out"


def _of_bits(cell: Cell, evidence: Evidence, config: AdaptConfig) -> Estimate:
    """Means over students, who alone are resampled."""
    name = "mean" if cell.against is None else "mean_difference"
    if not evidence.bits:
        return Estimate(statistic=name, value=None, n=0, n_students=evidence.newcomers.found, n_titles=0,
                        reason=evidence.reason)  # fmt: skip
    students = [*evidence.newcomers.evaluated]
    clusters = Clusters.of(students, ["all"] * len(students))
    mine = evidence.bits[cell.metric, cell.voice, cell.k]
    options: dict[str, Any] = {"seed": config.seed, "replicates": config.replicates}
    if cell.against is None:
        found = agreement.mean(mine, clusters, **options)
    else:
        found = agreement.mean_contrast(mine, evidence.bits[(cell.metric, *cell.other)], clusters, **options)
    few = found.clusters is None and found.value is not None
    return replace(
        found, n_titles=evidence.titles, clusters=found.clusters and "student",
        reason=f"no interval: {len(students)} students" if few else found.reason,
    )  # fmt: skip
