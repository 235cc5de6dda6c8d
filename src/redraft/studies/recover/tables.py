"""Tables of the recovery study (paper table 4).

In: a run's folder with `results/recover.parquet`. Out: tables, none without a row.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from redraft import results
from redraft.plots.tables import DASH, Table, counts, number, probability, table, with_interval
from redraft.results import Result
from redraft.studies.recover.baselines import BASELINES
from redraft.studies.recover.estimates import ANY_BASELINE, STUDENT, reading
from redraft.studies.recover.measures import KEPT
from redraft.studies.recover.pick import RULES, WORDS, grid_size, main_row, means, views_of, who
from redraft.studies.recover.settings import FREE
from redraft.studies.recover.voices import KINDS, OWN


def tables(run: Path) -> list[Table]:
    """The study's tables; none without results."""
    rows = results.of_study(run, "recover")
    made = [_primary(rows), _edits(rows), _times(rows), _contrasts(rows)] if rows else []
    return [one for one in made if one.rows]


def _primary(rows: Sequence[Result]) -> Table:
    """Each model against each baseline."""
    shown = [row for row in rows if row.model and row.baseline in (*BASELINES, ANY_BASELINE) and row.n]
    lines = []
    for row in shown:
        beside = row.condition.get("beside")
        mine = main_row(rows, metric=row.metric, model=row.model, beside=beside)
        sides = [mine, main_row(rows, metric=row.metric, baseline=row.baseline)]
        values = " vs ".join(number(side.value) if side else DASH for side in sides)
        compared = f"{who(row.model, None, beside)} − {row.baseline}"
        lines.append([WORDS[row.metric], compared, values, with_interval(row),
                      probability(row.p_adjusted), number(row.smallest_detectable), counts(row)])  # fmt: skip
    header = ("measure", "compared", "values", "difference", "p (Holm)", "detectable", "cases / students / titles")
    caption = (
        "With all candidates on both sides, the student's own voice, at the main time, beginning where the verdict "
        "blames the program unless settings say otherwise. The first measure is the main one: a model beats the best "
        "baseline only if every difference is above zero. 'Any baseline' succeeds if any of them does: of all their "
        "candidates together. 'Beside rules': every other candidate is the rules', as many in all."
    )
    return table("recover-baselines", "Models against baselines", caption, header, lines, shown, words=2)


def _edits(rows: Sequence[Result]) -> Table:
    """Every side with its success and the edits it proposes first."""
    metrics = (KEPT, "kept_success_first", "recovered", "edit_size", "lines_kept", "style_distance")
    sides: list[tuple[str | None, str | None, str | None]]
    sides = [(view, None, beside) for view in views_of(rows) for beside in (None, RULES)]
    sides += [(None, name, None) for name in (*BASELINES, STUDENT)]
    lines, behind = [], []
    for view, baseline, beside in sides:
        cells = [main_row(rows, metric=metric, model=view, baseline=baseline, beside=beside) for metric in metrics]
        known = [cell for cell in cells if cell is not None]
        if known:
            lines.append([who(view, baseline, beside), *(with_interval(cell) for cell in cells), str(known[0].n)])
            behind += known
    header = ("who", *(WORDS[metric] for metric in metrics), "cases")
    caption = (
        "With all candidates. Edit size, lines kept and style distance are of the edit sequence ranked first, over the "
        "cases that have one; style distance is in standard deviations of training programs, 0 being the mean of the "
        "student's own programs. The students' rows are their next programs."
    )
    return table("recover-edits", "Success, and what is edited", caption, header, lines, behind)


def _times(rows: Sequence[Result]) -> Table:
    """The paper's table 4: share of final programs that run, by time."""
    size = grid_size(rows)
    shown = [
        row for row in means(rows, metric="executes")
        if row.model and row.condition.get("candidates") == size and row.condition["start"] == FREE
    ]  # fmt: skip
    sides = list(dict.fromkeys((row.model, row.condition["voice"]) for row in shown))
    lines = []
    cells = {(row.model, row.condition["voice"], row.condition["seconds"]): row for row in shown}
    for seconds in sorted({row.condition["seconds"] for row in shown}, key=float):
        lines.append([seconds, *(with_interval(cells.get((*side, seconds))) for side in sides)])
    header = ("seconds added", *(f"{view}, {voice}" for view, voice in sides))
    caption = (
        f"Share of final programs that run (mean of {size} continuations). The paper's table 4 (section J), of its own "
        "models and students: trace .64, .60, .64; synthetic .39, .39, .45; synthetic-complex .41, .40, .40 at .01, 1 "
        "and 60 s. Unknown and matched voices are drawn at the main time only."
    )
    return table("recover-time", "Final programs that run, by time added", caption, header, lines, shown)


def _contrasts(rows: Sequence[Result]) -> Table:
    """Models, voices and times against one another."""
    families = ("recover: models", "recover: voices", "recover: time")
    shown = [row for row in rows if row.family in families and row.n]
    lines = []
    for row in shown:
        against = row.condition.get("against") or str(row.baseline)
        voice, seconds = row.condition.get("voice", OWN), row.condition.get("seconds", "")
        left = {"recover: models": str(row.model), "recover: voices": f"{row.model}: {voice}"}
        side = left.get(row.family or "", f"{row.model}, {voice}: {seconds} s")
        against = f"{against} ({row.condition.get('start')})" if row.family == "recover: models" else against
        against = f"{against} student" if against in KINDS else against
        lines.append([WORDS[row.metric], f"{side} − {against}", with_interval(row), probability(row.p),
                      probability(row.p_adjusted), number(row.smallest_detectable), counts(row),
                      reading(row)])  # fmt: skip
    header = ("measure", "compared", "difference", "p", "p (Holm)", "detectable", "cases / students / titles",
              "reading")  # fmt: skip
    caption = (
        "Paired differences over the cases both score. Times are compared with the shortest: 'equivalent' needs the "
        "whole interval within the margin, and not significant is not the same."
    )
    return table("recover-contrasts", "Models, voices and times compared", caption, header, lines, shown, words=2,
                 last_words=1, folded=True)  # fmt: skip
