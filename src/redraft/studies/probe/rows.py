"""The look of the probes' results rows, and their intervals.

In: scores, and the same without each group of students in turn. Out: `Result`s. `condition` holds `part` (code or
students), of student probes the `target` (mean or residual), of code probes the `grouping` of folds; `input` (own,
shuffled, matched, permuted); in differences, `against`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from redraft.metrics.agreement import Estimate
from redraft.metrics.bootstrap import Statistic
from redraft.metrics.folds import Codes
from redraft.metrics.jackknife import Jackknife, estimate
from redraft.metrics.ridge import Floats
from redraft.metrics.scores import estimate as bootstrapped
from redraft.results import Result
from redraft.studies.probe.settings import ProbeConfig
from redraft.studies.run import Run

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
    without: Floats
    """(G,) the same without each group of students; none if there are no groups."""
    bootstrap: Statistic | None = None
    """The same as a function of students' counts: intervals are to come from resampling students."""
    students: Codes
    """(M,) the rows' students, coded without gaps."""
    titles: Codes
    """(M,) and titles."""
    unscored: int = 0
    """Rows left out."""
    is_difference: bool = False


def groups_of(students: Codes, config: ProbeConfig) -> list[Codes]:
    """The students (codes) left out together, group by group; none if there are to be none, or too few students."""
    present = np.unique(students)
    if not config.jackknife_groups or len(present) < config.jackknife_groups:
        return []
    shuffled = np.random.default_rng([config.seed, 6]).permutation(present)
    return [shuffled[group :: config.jackknife_groups] for group in range(config.jackknife_groups)]


def estimated(scored: Scored, config: ProbeConfig) -> Estimate:
    """With its interval: from the scores without each group, or else from resampling students."""
    name = scored.statistic + DIFFERENCE * scored.is_difference
    if scored.bootstrap is not None and np.isfinite(scored.value):
        found = bootstrapped(name, scored.bootstrap, scored.students, titles=len(np.unique(scored.titles)),
                             seed=config.seed, replicates=config.replicates)  # fmt: skip
    else:
        found = estimate(
            Jackknife(np.array([scored.value]), scored.without[:, None]), lambda values: float(values[0]),
            students=scored.students.tolist(), titles=scored.titles.tolist(), seed=config.seed, statistic=name,
        )  # fmt: skip
    low = -1 if scored.is_difference or scored.statistic in ("pearson", "spearman") else 0
    bounds = {
        end: float(np.clip(value, low, 1))
        for end in ("low", "high", "low_90", "high_90") if (value := getattr(found, end)) is not None
    }  # fmt: skip
    changes: dict[str, Any] = {**bounds, "unscored": scored.unscored, "statistic": name}
    return replace(found, **changes)


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
        family: str | None = None, test: str | None = None, p: float | None = None, notes: Sequence[str | None] = (),
        **condition: str,
    ) -> Result:  # fmt: skip
        """A row; the p of a score is the one given, with its `test`."""
        found = estimated(scored, self.config)
        if not scored.is_difference:
            found = replace(found, p=p, test=test or "")
        reason = next((note for note in notes if note), None) if found.value is None else None
        told = [self.note, *(notes if reason is None else [reason]), found.note if reason is None else None]
        return Result(
            origin=self.run.dataset.origin, dataset=self.run.dataset.name, study=STUDY, model=model, baseline=baseline,
            condition={"part": self.part, **condition}, metric=metric, level=self.level, split=self.split,
            unit=UNITS[scored.statistic], direction="" if scored.statistic == "prevalence" else "higher",
            family=family if found.p is not None else None, note="; ".join(text for text in told if text) or None,
            **found.columns,
        )  # fmt: skip
