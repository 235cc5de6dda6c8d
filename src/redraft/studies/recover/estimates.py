"""The study's results rows: means of every side, and the contrasts that it is judged by.

In: sides, each with a value per case. Out: rows with intervals, for which students and titles are resampled. Which
contrasts are made was fixed before any run:

- **primary**: kept success with all candidates, own voice, main time, the first of `starts`: each model less each
  baseline, Holm over them. A model beats *the best* baseline if it beats every one of them: then it doesn't matter
  which is the best, and none need be chosen by looking. Beside it stands the model less `any-baseline`, the success of
  any of the baselines, which together have as many times more candidates: more than any one of them could reach.
- **beside rules**: the same of the model's candidates and the rules' in turn, as many in all: does a model add to what
  simple rules mend? The baseline to look at is `rules`, all of whose candidates are rules'.
- models: the first view less each other, at each start.
- voices: a strong student's less the student's own, the unknown one's, and a matched one's.
- time: each time less the shortest. The paper finds none for success, which needs equivalence: the note says whether
  the whole interval lies within the margin.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product

import numpy as np

from redraft.metrics.agreement import mean, mean_contrast
from redraft.metrics.bootstrap import Clusters, Floats
from redraft.results import Result, noted
from redraft.studies.common.families import adjusted
from redraft.studies.common.run import Run
from redraft.studies.recover.baselines import BASELINES
from redraft.studies.recover.cases import Case
from redraft.studies.recover.measures import KEPT, MEASURES
from redraft.studies.recover.settings import FREE, RecoverConfig
from redraft.studies.recover.voices import MATCHED, OWN, STRONG, UNKNOWN

ALL = "all"
"""Not a split: all cases."""
STUDENT = "student"
"""The student's own outcome, shown as a baseline."""
ANY_BASELINE = "any-baseline"
"""Success of any of the baselines."""
PRIMARY = "recover: primary"
BESIDE_RULES = "recover: beside rules"
BESIDE: Mapping[str, str] = {"beside": "rules"}
"""The condition that every other candidate is the rules'."""
ALONE: Mapping[str, str] = {}
"""The condition that none is."""
ALIKE = "every case has this value, so that resampling them can't tell how far others may be from it"
"""What is said of an interval without width."""
AGAINST_BASELINES = (KEPT, "kept_success_amended", "kept_success_first")
"""Measures by which models are compared with baselines."""
CONTRASTED = ("executes", "attempts", "bleu_recovered", "kept_success_final", KEPT, "kept_success_first")
"""Measures by which models and voices are compared."""
BY_SPLIT = ("executes", KEPT, "kept_success_first")
"""Those told for each split too."""
TIMED = ("executes", "attempts", "bleu_recovered", "kept_success_final")
"""Those by which times are."""


@dataclass(frozen=True, kw_only=True)
class Side:
    """One who mends: a model under a condition, or a baseline, with what is measured of it."""

    view: str | None = None
    """A model's view; None for a baseline."""
    baseline: str | None = None
    """A baseline's name."""
    condition: Mapping[str, str] = field(default_factory=dict)
    """`voice`, `seconds`, `start`, and perhaps `BESIDE`."""
    columns: Mapping[tuple[int, str], Floats]
    """(Candidates, measure) -> (N,) values by case."""
    note: str | None = None
    """What to keep in mind."""
    reason: str | None = None
    """Why nothing is measured of it, if so."""


@dataclass(frozen=True, kw_only=True)
class _Table:
    """The cases that rows are about."""

    run: Run
    config: RecoverConfig
    students: list[str]
    titles: list[str]
    splits: np.ndarray
    empty: str
    """Why there is nothing, if so."""

    def row(
        self, side: Side, size: int, measure: str, *, split: str = ALL, less: Floats | None = None,
        condition: Mapping[str, str] | None = None, baseline: str | None = None, family: str | None = None,
        note: str | None = None,
    ) -> Result:  # fmt: skip
        """The mean of a side's measure, or of its difference from the values `less`."""
        known = MEASURES[measure]
        values = side.columns.get((size, measure), np.full(len(self.students), np.nan))
        here = np.ones(len(values), bool) if split == ALL else self.splits == split
        clusters = Clusters.of(self.students, self.titles).select(here)
        seed, replicates = self.config.seed, self.config.replicates
        if less is None:
            found = mean(values[here], clusters, seed=seed, replicates=replicates)
        else:
            found = mean_contrast(values[here], less[here], clusters, seed=seed, replicates=replicates)
        found = found.in_unit(known.unit)
        why = (side.reason or found.reason) if len(self.students) else self.empty
        alike = ALIKE if found.low is not None and found.low == found.high else None
        return Result(
            origin=self.run.dataset.origin, dataset=self.run.dataset.name, study="recover", model=side.view,
            baseline=baseline or side.baseline,
            condition={**side.condition, "candidates": str(size), **(condition or {})},
            metric=measure, level="program", unit=known.unit, direction=known.direction, split=split, family=family,
            note=noted(side.note, alike, note), **replace(found, reason=why).columns,
        )  # fmt: skip


def rows_of(
    run: Run, sides: Sequence[Side], cases: Sequence[Case], config: RecoverConfig, *, empty: str
) -> list[Result]:
    """All rows.

    Args:
        run: The run.
        sides: Baselines, the student, models.
        cases: The cases that the sides' columns are of (N).
        config: Bootstrap and margin.
        empty: Why there are no cases, if there are none.
    """
    table = _Table(
        run=run, config=config, students=[case.pair.student for case in cases],
        titles=[case.pair.title for case in cases], splits=np.array([case.split for case in cases], dtype=str),
        empty=empty,
    )  # fmt: skip
    sides = [*sides, _any_baseline(sides, len(cases))]
    rows = [*_means(table, sides), *_primary(table, sides), *_models(table, sides), *_voices(table, sides)]
    return adjusted([*rows, *_times(table, sides)])


def _any_baseline(sides: Sequence[Side], n: int) -> Side:
    """The largest of the baselines' successes, case by case; unscored where all of them are."""
    found: dict[tuple[int, str], Floats] = {}
    for side in sides:
        if side.baseline in BASELINES:
            for key, values in side.columns.items():
                if key[1] in (KEPT, "kept_success_amended", "kept_success_final", "recovered"):
                    found[key] = np.fmax(found.get(key, np.full(n, np.nan)), values)
    return Side(baseline=ANY_BASELINE, columns=found)


def _means(table: _Table, sides: Sequence[Side]) -> Iterator[Result]:
    splits = [split for split in table.config.splits if (table.splits == split).any()]
    for side in sides:
        for size, measure in side.columns or [(table.config.candidates[-1], KEPT)]:
            by_split = measure in BY_SPLIT and len(splits) > 1
            for split in (ALL, *(splits if by_split else ())):
                yield table.row(side, size, measure, split=split)


def _primary(table: _Table, sides: Sequence[Side]) -> Iterator[Result]:
    most = table.config.candidates[-1]
    against = {side.baseline: side for side in sides if side.baseline in (*BASELINES, ANY_BASELINE)}
    start = table.config.starts[0]
    for main, beside in ((PRIMARY, ALONE), (BESIDE_RULES, BESIDE)):
        for side in _at(sides, table.config, voice=OWN, start=start, beside=beside):
            for (name, other), measure in product(against.items(), AGAINST_BASELINES):
                key = most, measure
                if key in side.columns and key in other.columns:
                    among = f"{main}, {side.view} - baselines, {measure}"
                    family = main if measure == KEPT and name in BASELINES else among
                    yield table.row(side, *key, less=other.columns[key], baseline=name, family=family)


def _models(table: _Table, sides: Sequence[Side]) -> Iterator[Result]:
    for start in table.config.starts:
        mine = _at(sides, table.config, voice=OWN, start=start)
        for other in mine[1:]:
            for measure in CONTRASTED:
                yield from _between(table, mine[0], other, measure, baseline=other.view, family="recover: models")


def _voices(table: _Table, sides: Sequence[Side]) -> Iterator[Result]:
    for strong in _at(sides, table.config, voice=STRONG):
        for voice in (OWN, UNKNOWN, MATCHED):
            for other in _at(sides, table.config, voice=voice):
                if other.view == strong.view:
                    for measure in CONTRASTED:
                        yield from _between(
                            table, strong, other, measure, condition={"against": voice}, family="recover: voices"
                        )


def _times(table: _Table, sides: Sequence[Side]) -> Iterator[Result]:
    config = table.config
    size = min(config.grid_candidates, config.candidates[-1])
    for voice in (OWN, STRONG):
        views = dict.fromkeys(side.view for side in sides if side.view)
        for view in views:
            in_voice = [side for side in sides if side.view == view and side.condition["voice"] == voice]
            mine = {float(side.condition["seconds"]): side for side in in_voice if side.condition["start"] == FREE}
            times = sorted(mine)
            for seconds in times[1:]:
                for measure in TIMED:
                    found = _between(
                        table, mine[seconds], mine[times[0]], measure, size=size,
                        condition={"against": f"{times[0]:g} s"}, family="recover: time",
                    )  # fmt: skip
                    yield from (_equivalent(row, config.equivalence) for row in found)


def _equivalent(row: Result, margin: float) -> Result:
    """A row that says whether its whole interval is within the margin."""
    if row.unit != "share":
        return row
    row = replace(row, condition={**row.condition, "margin": f"{margin:g}"})
    return replace(row, note=noted(row.note, reading(row)))


def reading(row: Result) -> str:
    """Whether a row's whole interval lies within its margin, in words; one without width shows nothing."""
    if "margin" not in row.condition or row.low is None or row.high is None:
        return ""
    margin = float(row.condition["margin"])
    if row.low == row.high:
        return "not shown to be equivalent: no case differs from another"
    if -margin < row.low and row.high < margin:
        return f"equivalent: the whole interval lies within {margin:g}"
    return f"not shown to be equivalent: the interval reaches beyond {margin:g}"


def _between(
    table: _Table, side: Side, other: Side, measure: str, *, size: int | None = None, baseline: str | None = None,
    condition: Mapping[str, str] | None = None, family: str,
) -> Iterator[Result]:  # fmt: skip
    size = size or table.config.candidates[-1]
    if (size, measure) in side.columns and (size, measure) in other.columns:
        note = other.note if other.note != side.note else None
        yield table.row(
            side,
            size,
            measure,
            less=other.columns[size, measure],
            condition=condition,
            baseline=baseline,
            family=family,
            note=note,
        )


def _at(
    sides: Sequence[Side], config: RecoverConfig, *, voice: str, start: str = FREE, beside: Mapping[str, str] = ALONE
) -> list[Side]:
    """The models' sides in a voice at the main time."""
    wanted = {"voice": voice, "seconds": f"{config.main_seconds:g}", "start": start, **beside}
    return [side for side in sides if side.view and dict(side.condition) == wanted]
