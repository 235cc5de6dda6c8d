"""The look of the probes' results rows, and their intervals.

In: scores, and the same on halves of the students. Out: `Result`s. `condition` holds `part` (code or
students), of student probes the `target` (mean or residual), of code probes the `grouping` of folds; `input` (own,
shuffled, matched, permuted); in differences, `against`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from redraft.metrics.agreement import Estimate
from redraft.metrics.bootstrap import MIN_CLUSTERS, Statistic
from redraft.metrics.folds import Codes
from redraft.metrics.ridge import Floats
from redraft.metrics.scores import estimate as bootstrapped
from redraft.results import Result, noted
from redraft.studies.common.run import Run
from redraft.studies.probe.settings import ProbeConfig

STUDY = "probe"
OWN = "own"
DIFFERENCE = "_difference"
UNITS = {
    "f1": "F1, 0 to 1", "macro_f1": "macro F1, 0 to 1", "average_precision": "average precision, 0 to 1",
    "prevalence": "share of prefixes", "pearson": "r", "spearman": "rank r",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Scored:
    """A score, or a difference of two, on some rows."""

    statistic: str
    """A name of `metrics.scores.SCORES`."""
    value: float
    """nan if undefined."""
    halves: Floats
    """(H,) the same on each half of the students; none if there are no halves."""
    bootstrap: Statistic | None = None
    """The same as a function of students' counts: intervals are to come from resampling students."""
    students: Codes
    """(M,) the rows' students, coded without gaps."""
    titles: Codes
    """(M,) and titles."""
    unscored: int = 0
    """Rows left out."""
    is_difference: bool = False


def halves_of(students: Codes, config: ProbeConfig) -> list[Codes]:
    """The students (codes) kept in each random half; none if there are to be none, or too few students."""
    present = np.unique(students)
    if len(present) < MIN_CLUSTERS:
        return []
    rng = np.random.default_rng([config.seed, 6])
    return [rng.permutation(present)[: (len(present) + 1) // 2] for _ in range(config.halves)]


def estimated(scored: Scored, config: ProbeConfig) -> Estimate:
    """With its interval: from the scores on halves, or else from resampling students.

    The spread of a statistic over random halves is its standard error on the whole (the delete-d jackknife of Shao and
    Wu, Annals of Statistics 17, 1989, d = n/2), also where it jumps, as F1 and penalties do.
    """
    name = scored.statistic + DIFFERENCE * scored.is_difference
    n_titles, n_students = len(np.unique(scored.titles)), len(np.unique(scored.students))
    found = Estimate(statistic=name, value=None, n=len(scored.students), n_students=n_students, n_titles=n_titles)
    if scored.bootstrap is not None and np.isfinite(scored.value):
        found = bootstrapped(name, scored.bootstrap, scored.students, titles=n_titles, seed=config.seed,
                             replicates=config.replicates)  # fmt: skip
    elif not np.isfinite(scored.value):
        found = replace(found, reason="undefined: a side doesn't vary, or there are too few rows")
    elif not len(scored.halves) or not np.isfinite(scored.halves).all():
        few = f"fewer than {MIN_CLUSTERS} students" if n_students < MIN_CLUSTERS else "too few for halves of them"
        found = replace(found, value=scored.value, reason=f"no interval: {few}")
    else:
        error, degrees = float(scored.halves.std(ddof=1)), len(scored.halves) - 1
        reach, reach_90 = (float(stats.t.ppf(level, degrees)) * error for level in (0.975, 0.95))
        found = replace(
            found, value=scored.value, low=scored.value - reach, high=scored.value + reach,
            low_90=scored.value - reach_90, high_90=scored.value + reach_90, se=error, seed=config.seed,
            p=2 * float(stats.t.sf(abs(scored.value) / error, degrees)) if error > 0 else float(scored.value == 0),
            clusters="student", test=f"{len(scored.halves)} random halves of the students",
        )  # fmt: skip
    least = -1 if scored.statistic in ("pearson", "spearman") else 0
    return replace(found.within(least, 1), unscored=scored.unscored, statistic=name)


@dataclass(frozen=True, kw_only=True)
class Maker:
    """Makes rows of one part of the study."""

    run: Run
    config: ProbeConfig
    part: str
    """code or students."""
    split: str
    level: str
    note: str | None = None
    """What to keep in mind of all of them."""

    def row(
        self, scored: Scored, metric: str, *, model: str | None = None, baseline: str | None = None,
        family: str | None = None, test: str | None = None, p: float | None = None, note: str | None = None,
        reason: str | None = None, **condition: str,
    ) -> Result:  # fmt: skip
        """A row; the p of a score is the one given, with its `test`; `reason` says why it is unscored, if it is."""
        found = estimated(scored, self.config)
        if not scored.is_difference:
            found = replace(found, p=p, test=test or "")
        if reason and found.value is None:
            found = replace(found, reason=reason)
        return Result(
            origin=self.run.dataset.origin, dataset=self.run.dataset.name, study=STUDY, model=model, baseline=baseline,
            condition={"part": self.part, **condition}, metric=metric, level=self.level, split=self.split,
            unit=UNITS[scored.statistic], direction="" if scored.statistic == "prevalence" else "higher",
            family=family if found.p is not None else None, note=noted(self.note, note), **found.columns,
        )  # fmt: skip
