"""A row of the behaviour study that is still to be computed; rows are computed side by side.

In: what to compute, of which pairs, and what it is about. Out: a results row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from redraft.execute.judged import OWN
from redraft.metrics.agreement import Estimate
from redraft.metrics.bootstrap import Clusters
from redraft.metrics.distance import KS
from redraft.metrics.registry import METRICS
from redraft.metrics.released.counterparts import ABSENT, DEFINED, NO_SUCH
from redraft.results import Result
from redraft.studies.behaviour.settings import BehaviourConfig
from redraft.studies.common.run import Run

MEAN = "mean"
ANOTHER_JUDGE = "the platform judged the students' programs, and nobody judged the models' in the same way"


@dataclass(frozen=True, kw_only=True)
class Job:
    """One row still to be computed."""

    compute: Callable[[Clusters, BehaviourConfig], Estimate]
    clusters: Clusters
    metric: str
    model: str | None = None
    baseline: str | None = None
    split: str
    condition: Mapping[str, str]
    family: str | None = None
    note: str | None = None
    nothing: str
    """Why there are no pairs, where there are none."""

    def row(self, run: Run, config: BehaviourConfig) -> Result:
        """Compute it."""
        found = self.compute(self.clusters, config)
        unit = _unit(self.metric, found.statistic)
        found, known = found.in_unit(unit), METRICS[self.metric]
        redefined = config.definitions == "released" and DEFINED[self.metric] != known
        if redefined and self.metric in ABSENT:
            found = replace(found, reason=NO_SUCH)
        elif not len(self.clusters):
            found = replace(found, reason=self.nothing)
        elif found.value is None and self.model and OWN in (self.note or ""):
            found = replace(found, reason=ANOTHER_JUDGE)
        return Result(
            origin=run.dataset.origin, dataset=run.dataset.name, study="behaviour", model=self.model,
            baseline=self.baseline, condition=dict(self.condition), metric=self.metric,
            definitions="released" if redefined else "corrected",
            level=known.level, unit=unit,
            direction=known.direction, split=self.split, family=self.family,
            note=self.note, **found.columns,
        )  # fmt: skip


def _unit(metric: str, statistic: str) -> str:
    if statistic.startswith(MEAN):
        return METRICS[metric].unit
    if statistic == KS:
        return "share of traces"
    return "rho" if statistic.endswith("spearman") else "r"
