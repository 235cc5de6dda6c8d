"""The chapter on recover: can a model help a stuck student in the student's own style (paper section 4.5)?

In: a run's folder, the study's results rows. Out: figures and tables, the method in words, and a sentence a model on
whether it beats the baselines.
"""

from __future__ import annotations

from collections.abc import Sequence

from redraft.plots.style import origin_words
from redraft.plots.tables import counts, with_interval
from redraft.plots.words import verdicts
from redraft.results import Result
from redraft.studies.recover.estimates import BESIDE_RULES, PRIMARY
from redraft.studies.recover.figures import figures
from redraft.studies.recover.measures import KEPT
from redraft.studies.recover.pick import RULES, main_row, views_of
from redraft.studies.recover.tables import tables

__all__ = ["METHODS", "figures", "sentences", "tables"]

METHODS: tuple[str, ...] = (
    "A case is a program of a held-out student that fails, in the middle of a trace; one per student and title, "
    "drawn by a seed. A model is given the title, the states up to that program and the time of the next one (some "
    "seconds later), and goes on to the trace's end. Its first edit begins where the verdict blames the program "
    "('blamed': what stands before is left as it is), or wherever the model likes ('free', the paper's). Programs "
    "run in a sandbox; where no engine runs their language, the platform's own verdicts tell which of the students' "
    "programs fail, and what a model proposes is unscored. A kept success runs, keeps at least 80% of the failing "
    "program's lines, blank ones aside, and is no farther from the student's real final program than the failing "
    "one: deleting everything is none. Each candidate counts by its first program that runs, which the sandbox can "
    "tell without knowing the final program; with several candidates one success is enough, for baselines as for "
    "models. Which of several would have been shown first is measured apart, by the ranking of redraft suggest, "
    "likelihood left out.",
    "Baselines propose as many programs: the failing program without a line, the latest programs before that ran, the "
    "nearest running programs of other training students on the title, unknown names replaced by near known ones, and "
    "all of these in turn but the neighbours' ('rules'). Beside the rules, every other candidate of a model is the "
    "rules' next one; there are as many in all. A model beats the best baseline if its contrast with every baseline "
    "has an interval above zero, so that none has to be picked by its result. Strong students are those who backtrack "
    "least over enough training traces of at least three states; matched students have as many traces. Intervals "
    "resample students and titles; with fewer than ten of one, only the other ('conditional').",
)
"""How it was done."""
SIGNIFICANT = 0.05


def sentences(rows: Sequence[Result]) -> list[str]:
    """For each model, alone and beside rules, whether it beats the best baseline; unscored is said to be so."""
    found = []
    for view, beside in ((view, beside) for view in views_of(rows) for beside in (None, RULES)):
        mine = [row for row in rows if row.family == (BESIDE_RULES if beside else PRIMARY) and row.model == view]
        side = main_row(rows, model=view, metric=KEPT, beside=beside)
        stamp = origin_words(rows[0].origin, rows[0].dataset)
        if side is None or side.value is None or not mine:
            why = side.reason if side else next((row.reason for row in rows if row.model == view), None)
            if not beside:
                found.append(f"{stamp}. Recovery by the {view} model is unscored: {why or 'no failing programs'}.")
            continue
        worst = min(mine, key=lambda row: row.value if row.value is not None else 0.0)
        tail = (
            f"kept success with {side.condition['candidates']} candidates {with_interval(side)}; less "
            f"{worst.baseline}, the nearest baseline, {with_interval(worst)} "
            f"({counts(worst)} cases / students / titles)."
        )
        if any(row.low is None for row in mine):
            verdict = "can't be compared with the baselines: too few students and titles for an interval"
        elif all(row.low is not None and row.low > 0 for row in mine):
            verdict = "mends more failing programs than every baseline"
        elif any(_below(row) for row in mine):
            verdict = "does not beat the best baseline, which mends more"
        else:
            verdict = "does not beat the best baseline significantly"
        who = f"{view} model beside simple rules" if beside else f"{view} model"
        found.append(f"{stamp}. The {who} {verdict}: {tail}")
    return [*found, verdicts(rows).strip()] if verdicts(rows) else found


def _below(row: Result) -> bool:
    """Significantly below zero, Holm's correction made."""
    beyond = row.high is not None and row.high < 0
    return beyond and row.p_adjusted is not None and row.p_adjusted < SIGNIFICANT
