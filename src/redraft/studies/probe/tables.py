"""Tables of the probes.

In: a run's folder with `results/probe.parquet`. Out: tables, none without a row.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from redraft import results
from redraft.plots.tables import Table, number, probability, table, with_interval
from redraft.results import Result
from redraft.studies.probe.pick import DIFFERENCE, grouping, is_score, part, side, side_words, target, views

STATISTIC_WORDS = {
    "f1": "F1", "macro_f1": "macro F1", "average_precision": "average precision", "pearson": "r", "spearman": "rank r",
    "prevalence": "share of yes",
}  # fmt: skip
STUDENT_SIDES = ("shuffled", "trace-count", "year", "title-mix")


def tables(run: Path) -> list[Table]:
    """The study's tables; those without a row are left out."""
    rows = results.of_study(run, "probe")
    code = part(rows, "code")
    made = (_scores(code), _leads(code), _leaks(code), _students(part(rows, "students")))
    return [one for one in made if one.rows]


def _scores(code: Sequence[Result]) -> Table:
    folds = grouping(code)
    scores = [row for row in code if is_score(row, folds)]
    shown = [row for row in scores if row.statistic != "prevalence"]
    sides = list(dict.fromkeys(side(row) for row in shown))
    share = {row.metric: row.value for row in scores if row.statistic == "prevalence"}
    cells = []
    for metric, statistic in dict.fromkeys((row.metric, row.statistic) for row in shown):
        here = {side(row): row for row in shown if (row.metric, row.statistic) == (metric, statistic)}
        one = next(iter(here.values()))
        cells.append([
            target(one), STATISTIC_WORDS[statistic], number(share.get(metric)),
            *(with_interval(here.get(name)) for name in sides), f"{one.n:,} / {one.n_students:,}",
        ])  # fmt: skip
    header = ["target", "score", "share of yes", *map(side_words, sides), "prefixes / students"]
    caption = f"Folds keep each {folds} together. Dashes are unscored; the CSV says why, and has p."
    return table("probes-code", "Code probes", caption, header, cells, scores, words=2)


def _leads(code: Sequence[Result]) -> Table:
    folds = grouping(code)
    leads = [row for row in code if "against" in row.condition and row.condition.get("grouping") == folds]
    cells = [
        [side_words(row.condition["against"]), target(row), STATISTIC_WORDS[row.statistic.removesuffix(DIFFERENCE)],
         with_interval(row, 3), probability(row.p), probability(row.p_adjusted), number(row.smallest_detectable, 3)]
        for row in leads
    ]  # fmt: skip
    header = ("against", "target", "score", "difference", "p", "p, Holm", "detectable")
    caption = (
        "What the first model's embeddings have over others, with the same prefixes and folds. Holm's "
        "correction is over the targets of one comparison."
    )
    return table("probes-leads", "Code probes: differences", caption, header, cells, leads, words=3, folded=True)


def _leaks(code: Sequence[Result]) -> Table:
    folds, first = grouping(code), (views(code) or [""])[0]
    leaks = [row for row in code if row.condition.get("against") == folds]
    scores = {
        (row.metric, row.statistic, row.condition.get("grouping")): row
        for row in code if side(row) == first and "against" not in row.condition
    }  # fmt: skip
    cells = []
    for row in leaks:
        statistic, named = row.statistic.removesuffix(DIFFERENCE), row.condition["grouping"]
        cells.append([
            named, target(row), STATISTIC_WORDS[statistic], with_interval(scores.get((row.metric, statistic, folds))),
            with_interval(scores.get((row.metric, statistic, named))), with_interval(row, 3),
        ])  # fmt: skip
    header = ("folds keep together", "target", "score", f"each {folds}", "as named", "gap")
    caption = "How much higher probes score when folds let students, or traces, stand on both sides."
    return table("leak-meter", "Leak meter", caption, header, cells, leaks, words=3, folded=True)


def _students(rows: Sequence[Result]) -> Table:
    mine = [row for row in rows if row.statistic.startswith("pearson")]
    shown = views(mine)
    sides = (*shown, *STUDENT_SIDES)
    leads = [f"{shown[0]} − {view}" for view in shown[1:]]
    header = ["metric", "of", *map(side_words, sides), *leads, *(["p, Holm"] if leads else []), "students"]
    caption = (
        "Pearson's r of predictions for students the probe was not trained on, with 95% intervals. 'residual': of what "
        "title and year leave unexplained. p is that of the last difference."
    )
    cells = list(_student_cells(mine, shown))
    return table("probes-students", "Student probes", caption, header, cells, mine, words=2)


def _student_cells(mine: Sequence[Result], shown: Sequence[str]) -> Iterator[list[str]]:
    for of, metric in dict.fromkeys((row.condition["target"], row.metric) for row in mine):
        here = [row for row in mine if (row.condition["target"], row.metric) == (of, metric)]
        scores = {side(row): row for row in here if "against" not in row.condition}
        leads = {row.condition["against"]: row for row in here if "against" in row.condition}
        others = [leads[view] for view in shown[1:]]
        yield [
            metric, of, *(with_interval(scores.get(name)) for name in (*shown, *STUDENT_SIDES)),
            *map(with_interval, others), *([probability(others[-1].p_adjusted)] if others else []), f"{here[0].n:,}",
        ]  # fmt: skip
