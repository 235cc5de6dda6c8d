"""Whether models do as much as the students, which no correlation sees: lengths, time, ways back, running, edits.

In: a run's measured traces, and the pairs compared. Out: jobs. Per metric the mean of the students' test traces; per
view and metric how far its mean lies from that, and how far apart the two distributions lie (`metrics.distance`);
beside it the distance between two halves of the students, as nobody's traces come nearer to theirs than others of
their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from redraft.metrics import agreement
from redraft.metrics.agreement import Estimate
from redraft.metrics.bootstrap import Clusters, Floats
from redraft.metrics.distance import between_halves, distance
from redraft.metrics.metric import Place
from redraft.metrics.pairs import pairs_of
from redraft.metrics.registry import METRICS, shown
from redraft.studies.behaviour.job import Job
from redraft.studies.behaviour.settings import BehaviourConfig
from redraft.studies.common.compared import Compared, Measures

REAL_TRACES = "real-traces"
"""The test traces themselves, as what a model's traces are compared with."""
REAL_HALVES = "real-halves"
"""One half of the students, as what the other half's traces are compared with."""

Compute = Callable[[Clusters, BehaviourConfig], Estimate]


def levels(measures: Measures, part: Compared, split: str, config: BehaviourConfig) -> Iterator[Job]:
    """The rows of one split.

    Args:
        measures: The run's measured traces: samples one by one.
        part: The pairs of the split.
        split: Its name.
        config: Settings.
    """
    owners = {view: _owners(measures, view, part) for view in part.views}
    asked = dict.fromkeys([*shown(Place.LEVELS), *config.metrics])
    for metric in asked:
        if METRICS[metric].generated_from is not None:  # a selection of real traces, of generated ones none
            continue

        def job(
            compute: Compute, *, model: str | None = None, baseline: str, family: str | None = None,
            metric: str = metric,
        ) -> Job:  # fmt: skip
            return Job(
                compute=compute, clusters=part.clusters(), metric=metric, model=model, baseline=baseline, split=split,
                condition={}, family=family, note=part.note(metric, model), nothing=part.nothing,
            )  # fmt: skip

        real, spread = part.real[metric], metric in shown(Place.LEVELS)
        if "score" in METRICS[metric].needs and not np.isfinite(real).any():
            continue  # nobody graded these students: there is nothing to say, and nothing is missed
        yield job(_mean(real), baseline=REAL_TRACES)
        if spread:
            yield job(_halves(real), baseline=REAL_HALVES)
        for view, columns in part.views.items():
            if metric not in columns:
                continue
            family = f"behaviour: levels of {view}, {split}"
            yield job(_difference(columns[metric], real), model=view, baseline=REAL_TRACES, family=family)
            if spread:
                rows, of = owners[view]
                drawn = measures.generated[view][metric].to_numpy(zero_copy_only=False)[rows].astype(np.float64)
                drawn = np.where(np.isfinite(columns[metric][of]), drawn, np.nan)  # unscored by pair, so one by one
                yield job(_distance(real, drawn, of), model=view, baseline=REAL_TRACES)


def _owners(measures: Measures, view: str, part: Compared) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Which of a view's samples are of the part's pairs, and of which pair each of these is."""
    places = {pair: index for index, pair in enumerate(part.pairs)}
    of = np.array([places.get(pair, -1) for pair in pairs_of(measures.generated[view])], np.int64)
    return np.flatnonzero(of >= 0), of[of >= 0]


def _mean(real: Floats) -> Compute:
    return lambda clusters, config: agreement.mean(real, clusters, seed=config.seed, replicates=config.replicates)


def _difference(generated: Floats, real: Floats) -> Compute:
    return lambda clusters, config: agreement.mean_contrast(
        generated, real, clusters, seed=config.seed, replicates=config.replicates
    )


def _halves(real: Floats) -> Compute:
    return lambda clusters, config: between_halves(real, clusters, seed=config.seed)


def _distance(real: Floats, drawn: Floats, owners: NDArray[np.int64]) -> Compute:
    return lambda clusters, config: distance(
        real, drawn, owners, clusters, seed=config.seed, replicates=config.replicates
    )
