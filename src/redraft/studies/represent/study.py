"""Results rows of the representations study.

In: a run. Out: `results/represent.parquet`, `points-represent-steps.parquet`. Metrics:

- `cka`: model's layer `layer` against layer `with_layer` of the model `with`; baseline `permuted`: the same with the
  inputs of one side permuted (mean, and the central 95% of permutations). Differences: is a model's last layer nearer
  to the first view's than another model's is? `readings` = `prefix, state`: states with their past against without it.
- `variance_share` (by `component`), `components_2` (the first two), `edit_type_separation` (share of the variance in
  the first two components that lies between kinds of edit; against `permuted` kinds, its p is exact).

`inputs` = `state`: states are read alone, as traces of one state; rows without it are of states with their past.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pyarrow as pa

from redraft import results
from redraft.data.edits import EDIT_TYPES
from redraft.metrics.agreement import Estimate
from redraft.metrics.jackknife import Floats, estimate
from redraft.results import Result
from redraft.rundir.tables import write_table
from redraft.studies.common.families import adjusted
from redraft.studies.common.run import Run, open_run
from redraft.studies.represent.directions import ABOVE_CHANCE, PLANE, SEPARATION, Directions, directions
from redraft.studies.represent.likeness import Likeness, likeness
from redraft.studies.represent.settings import RepresentConfig
from redraft.studies.represent.vectors import PREFIX, STATE, UNTRAINED, Vectors, read

STUDY = "represent"
PERMUTED = "permuted"
POINTS = pa.schema(
    [("model", pa.string()), ("inputs", pa.string()), ("x", pa.float64()), ("y", pa.float64()), ("edit", pa.string())]
)
"""Columns of `points-represent-steps.parquet`: differences along the first two components."""


def represent(folder: str | Path, config: RepresentConfig | None = None) -> list[Result]:
    """Compare what the run's models make of traces, and write the results.

    Args:
        folder: The run's folder: `run.toml`, and models in `models/VIEW/`.
        config: Settings; None: those in `run.toml`.

    Raises:
        InputError: The folder is no run, or its settings are wrong.
        DatasetError: There is no model of any of the views, or one was trained on another split.
    """
    run = open_run(folder)
    config = config or run.section(STUDY, RepresentConfig)
    vectors = read(run, config)
    alike, steps = likeness(vectors, config), directions(vectors, config)
    rows = adjusted([*_likeness_rows(run, vectors, alike, config), *_direction_rows(run, vectors, steps, config)])
    results.write(rows, run.path / "results" / f"{STUDY}.parquet")
    write_table(_points(steps, config), run.path / "points-represent-steps.parquet")
    return rows


# Likeness


def _likeness_rows(run: Run, vectors: Vectors, alike: Likeness, config: RepresentConfig) -> Iterator[Result]:
    layers = {model: len(vectors.of[model, PREFIX]) for model in vectors.models}

    def made(pick: Callable[[Floats], float], statistic: str = "value") -> Estimate:
        return estimate(
            alike.jackknife, pick, students=alike.students, titles=alike.titles, seed=config.seed, statistic=statistic
        )

    def row(found: Estimate, model: str, condition: Mapping[str, str], baseline: str | None = None) -> Result:
        family = "represent: cka" if baseline not in (None, PERMUTED) else None
        central = f"central 95% of {config.row_permutations} permutations, not an interval of the mean"
        return _row(run, vectors, found, model, "cka", condition, baseline, unit="CKA", family=family,
                    note=central if baseline == PERMUTED and found.value is not None else None)  # fmt: skip

    for model, other in [*combinations(vectors.models, 2), *((model, model) for model in vectors.models)]:
        for a in range(layers[model]):
            for b in range(a + 1 if model == other else 0, layers[other]):
                at = alike.places[model, PREFIX, a], alike.places[other, PREFIX, b]
                condition = {"with": other, "layer": str(a), "with_layer": str(b)}
                yield row(_without_p(made(_place(at))), model, condition)
                if model != other:
                    yield row(_permuted(alike.permuted[:, *at], made(_place(at)), config), model, condition, PERMUTED)
    for model in vectors.models:
        for a in range(layers[model]):
            at = alike.places[model, PREFIX, a], alike.places[model, STATE, a]
            condition = {"with": model, "layer": str(a), "with_layer": str(a), "readings": f"{PREFIX}, {STATE}"}
            yield row(_without_p(made(_place(at))), model, condition)
    first, *others = vectors.models
    for earlier, later in combinations(others, 2):
        model, baseline = (earlier, later) if later == UNTRAINED else (later, earlier)
        reference, mine, theirs = (alike.places[name, PREFIX, layers[name] - 1] for name in (first, model, baseline))
        found = made(_difference((mine, reference), (theirs, reference)), "value_difference")
        yield row(found, model, {"with": first, "layer": "last"}, baseline)


def _place(at: tuple[int, ...]) -> Callable[[Floats], float]:
    return lambda values: float(values[at])


def _difference(a: tuple[int, ...], b: tuple[int, ...]) -> Callable[[Floats], float]:
    return lambda values: float(values[a] - values[b])


def _without_p(found: Estimate, least: float = -1.0) -> Estimate:
    """That a similarity or a share isn't 0 is no finding: the controls say what chance gives. Both end at 1."""
    low, high = (None if end is None else min(max(end, least), 1.0) for end in (found.low, found.high))
    return replace(found, p=None, low=low, high=high)


def _permuted(values: Floats, like: Estimate, config: RepresentConfig) -> Estimate:
    """The mean over permutations, and where the central 95% of them lie."""
    base = replace(like, p=None, se=None, low_90=None, high_90=None, clusters=None, reason=None)
    if not np.isfinite(values).all():
        return replace(base, value=None, low=None, high=None, reason="undefined in some permutations")
    low, high = np.quantile(values, (0.025, 0.975))
    return replace(base, value=float(values.mean()), low=float(low), high=float(high))


# Directions


def _direction_rows(run: Run, vectors: Vectors, steps: Directions, config: RepresentConfig) -> Iterator[Result]:
    def made(pick: Callable[[Floats], float], statistic: str = "value") -> Estimate:
        found = estimate(
            steps.jackknife, pick, students=steps.students, titles=steps.titles, seed=config.seed, statistic=statistic
        )
        return found if steps.reason is None else replace(found, value=None, reason=steps.reason)

    def row(
        found: Estimate, model: str, metric: str, way: str, baseline: str | None = None, **condition: str
    ) -> Result:
        condition |= {"inputs": STATE} if way == STATE else {}
        family = f"represent: {metric}" if baseline else None
        return _row(run, vectors, found, model, metric, condition, baseline, unit="share", family=family)

    for number, (model, way) in enumerate(steps.keys):
        for component in range(config.components):
            found = _without_p(made(_place((number, component))), 0.0)
            yield row(found, model, "variance_share", way, component=str(component + 1))
        yield row(_without_p(made(_plane_share(number)), 0.0), model, "components_2", way)
        yield row(_without_p(made(_place((number, SEPARATION))), 0.0), model, "edit_type_separation", way)
        chance = made(_place((number, ABOVE_CHANCE)), "value_difference")
        yield row(_with_exact_p(chance, steps, (model, way), config), model, "edit_type_separation", way, PERMUTED)
    first, *others = vectors.models
    for way in (PREFIX, STATE):
        mine = steps.keys.index((first, way))
        for other in others:
            theirs = steps.keys.index((other, way))
            shares = made(_plane_difference(mine, theirs), "value_difference")
            yield row(shares, first, "components_2", way, other)
            apart = made(_difference((mine, SEPARATION), (theirs, SEPARATION)), "value_difference")
            yield row(apart, first, "edit_type_separation", way, other)


def _plane_share(number: int) -> Callable[[Floats], float]:
    return lambda values: float(values[number, :PLANE].sum())


def _plane_difference(a: int, b: int) -> Callable[[Floats], float]:
    return lambda values: float(values[a, :PLANE].sum() - values[b, :PLANE].sum())


def _with_exact_p(found: Estimate, steps: Directions, key: tuple[str, str], config: RepresentConfig) -> Estimate:
    """The separation above chance, tested by all permutations; its interval is the jackknife's."""
    if found.value is None:
        return found
    test = f"{config.permutations} permutations of labels within students"
    if found.low is not None:
        test += f"; interval: {found.test}"
    return replace(found, p=steps.separations[key].p, test=test)


def _row(
    run: Run, vectors: Vectors, found: Estimate, model: str, metric: str, condition: Mapping[str, str],
    baseline: str | None, *, unit: str, family: str | None, note: str | None = None,
) -> Result:  # fmt: skip
    left = f"{vectors.left_out} states too long for the context left out" if vectors.left_out else None
    return Result(
        origin=run.dataset.origin, dataset=run.dataset.name, study=STUDY, model=model, baseline=baseline,
        condition=dict(condition), metric=metric, level="collection", unit=unit, family=family,
        note=results.noted(left, note), **found.columns,
    )  # fmt: skip


def _points(steps: Directions, config: RepresentConfig) -> pa.Table:
    """Some differences along the first two components, by model and way of reading; students are left out."""
    tables = [POINTS.empty_table()]
    chosen = np.sort(np.random.default_rng([config.seed, 4]).permutation(len(steps.kinds))[: config.drawn])
    names = [EDIT_TYPES[kind] for kind in steps.kinds[chosen]]
    for (model, way), plane_E2 in steps.planes.items():
        x, y = plane_E2[chosen].T
        tables.append(pa.table([[model] * len(x), [way] * len(x), x, y, names], schema=POINTS))
    return pa.concat_tables(tables)
