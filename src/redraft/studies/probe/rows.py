"""Results rows of the probes: one look for scores, contrasts, controls and the leak meter.

In: estimates and what they are of. Out: `Result`s. `condition` holds `part` (code or students) and `target` (of student
probes: mean or residual), `grouping`, `input` (own, shuffled, matched, permuted) and, in contrasts, `against`.
"""

from __future__ import annotations

from dataclasses import dataclass

from redraft.metrics.agreement import Estimate
from redraft.results import Result
from redraft.studies.run import Run

STUDY = "probe"
OWN = "own"
UNITS = {
    "f1": "F1, 0 to 1", "macro_f1": "macro F1, 0 to 1", "average_precision": "average precision, 0 to 1",
    "prevalence": "share of prefixes", "pearson": "r", "spearman": "rank r",
}  # fmt: skip
"""Statistic -> unit."""
DIFFERENCE = "_difference"


@dataclass(frozen=True, kw_only=True)
class Maker:
    """Makes rows of one part of the study."""

    run: Run
    part: str
    """code or students."""
    split: str
    level: str
    note: str | None = None
    """What to keep in mind of all of them."""

    def row(
        self, found: Estimate, metric: str, *, model: str | None = None, baseline: str | None = None,
        family: str | None = None, test: str | None = None, p: float | None = None, note: str | None = None,
        **condition: str,
    ) -> Result:  # fmt: skip
        """A row; `p` with its `test` takes the place of the estimate's."""
        statistic = found.statistic.removesuffix(DIFFERENCE)
        tested = found.value is not None and (p is not None or found.p is not None)
        return Result(
            origin=self.run.dataset.origin, dataset=self.run.dataset.name, study=STUDY, model=model, baseline=baseline,
            condition={"part": self.part, **condition}, metric=metric, level=self.level, unit=UNITS[statistic],
            direction="" if statistic == "prevalence" else "higher", split=self.split,
            note="; ".join(text for text in (self.note, note, found.note) if text) or None,
            family=family if tested else None,
            **{
                **found.columns,
                "test": (test or found.test) if tested else None,
                "p": (found.p if p is None else p) if tested else None,
            },
        )  # fmt: skip
