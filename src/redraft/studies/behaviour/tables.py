"""Tables of the behaviour study.

In: a run's folder with `results/behaviour.parquet`. Out: the primary claims and how they hold up under stricter
conditions, likeness of text by split (as the paper's table 3), and, folded, every correlation and contrast.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from redraft import results
from redraft.metrics.agreement import CORRELATIONS
from redraft.metrics.distance import KS
from redraft.metrics.metric import Place
from redraft.metrics.registry import labels
from redraft.metrics.registry import shown as shown_at
from redraft.plots.tables import DASH, Table, counts, number, probability, split_words, table, with_interval
from redraft.results import Result
from redraft.studies.behaviour.levels import REAL_HALVES, REAL_TRACES
from redraft.studies.behaviour.study import ALL
from redraft.studies.common.claims import PRIMARY, PRIMARY_FAMILY, judge
from redraft.studies.common.findings import STATISTICS

Sides = dict[tuple[str | None, str | None, str, str, str | None], Result]
"""(model, baseline, metric, statistic, split) -> row without conditions."""


def tables(run: Path) -> list[Table]:
    """All tables that have rows."""
    rows = results.of_study(run, "behaviour")
    sides: Sides = {(r.model, r.baseline, r.metric, r.statistic, r.split): r for r in rows if not r.condition}
    splits = list(dict.fromkeys(r.split for r in rows if r.split and r.n and not r.condition))
    made = [_claims(rows, sides), _conditions(rows), _levels(rows, sides), _text(rows, sides, splits)]
    made += [_agreement(rows, sides, split) for split in splits]
    made.append(_contrasts(rows))
    return [one for one in made if one.rows]


def _claims(rows: Sequence[Result], sides: Sides) -> Table:
    found = [(v, v.claim, v.row) for v in judge(rows) if v.row and v.claim in PRIMARY]
    header = ("claim", "compared", "values", "difference", "p (Holm)", "detectable", "pairs / students / titles",
              "reading")  # fmt: skip
    lines = []
    for verdict, claim, row in found:
        a = sides.get((claim.model, None, claim.metric, claim.statistic, claim.split))
        b = sides.get((claim.against, None, claim.metric, claim.statistic, claim.split)) or sides.get(
            (None, claim.against, claim.metric, claim.statistic, claim.split)
        )
        what = f"{claim.model} − {claim.against}, {STATISTICS[claim.statistic]} of {claim.metric}"
        lines.append((
            f"{claim.about} ({split_words(claim.split)})", what, _values(a, b), with_interval(row),
            probability(verdict.p), number(row.smallest_detectable), counts(row), verdict.words,
        ))  # fmt: skip
    caption = (
        "Fixed before any result was seen. 'Detectable' is the smallest difference found with 80% power. A dash is "
        "unscored: undefined, or too little data."
    )
    return table("claims", "Primary comparisons", caption, header, lines, [row for _, _, row in found], words=2,
                 last_words=1)  # fmt: skip


def _conditions(rows: Sequence[Result]) -> Table:
    """Each primary claim under each condition, beside the unconditional difference."""
    primary = [row for row in rows if (row.family or "").startswith(PRIMARY_FAMILY)]
    conditions = list(dict.fromkeys(_condition(row) for row in primary if row.condition))
    lines, behind = [], []
    for claim in PRIMARY:
        mine = {_condition(row): row for row in primary if claim.is_of(row)}
        if mine:
            lines.append([f"{claim.about} ({split_words(claim.split)})", f"{claim.model} − {claim.against}"]
                         + [_with_n(mine.get(condition)) for condition in ("", *conditions)])  # fmt: skip
            behind += list(mine.values())
    caption = (
        "The primary differences again: without pairs whose real final program the platform cut off, without pairs "
        "whose final program is nearly a training student's, and with generations that reached their end only. In "
        "parentheses the number of pairs. A difference that changes sign or size here should not be trusted."
    )
    header = ("claim", "difference", "all pairs", *conditions)
    return table("conditions", "Do the comparisons hold up?", caption, header, lines, behind, words=2)


def _levels(rows: Sequence[Result], sides: Sides) -> Table:
    """Whether models do as much as the students, over all test pairs."""
    shown = [r for r in rows if r.baseline == REAL_TRACES and r.model and r.split == ALL and r.n and not r.condition]
    order = {metric: place for place, metric in enumerate(shown_at(Place.LEVELS))}
    found = sorted((r for r in shown if r.statistic == "mean_difference"),
                   key=lambda r: order.get(r.metric, len(order)))  # fmt: skip
    lines = []
    for row in found:
        real, halves = (sides.get((None, side, row.metric, statistic, ALL))
                        for side, statistic in ((REAL_TRACES, "mean"), (REAL_HALVES, KS)))  # fmt: skip
        apart = sides.get((row.model, REAL_TRACES, row.metric, KS, ALL))
        lines.append(
            [row.metric, str(row.model), number(real.value if real else None), with_interval(row),
             number(row.effect_size), probability(row.p_adjusted), number(row.smallest_detectable),
             with_interval(apart) if apart else DASH, with_interval(halves) if halves else DASH, counts(row)]
        )  # fmt: skip
    header = ("metric", "model", "real mean", "generated − real", "d_z", "p (Holm)", "detectable", "distance (KS)",
              "of two halves", "pairs / students / titles")  # fmt: skip
    caption = (
        "Means over all test pairs of what models write, less those of the students' own traces. d_z: that difference "
        "over its standard deviation across pairs. Distance: the largest gap between the two cumulative distributions, "
        "0 to 1; of two halves: between random halves of the students, with the range of 95% of the halvings."
    )
    return table("levels", "Do models do as much as the students?", caption, header, lines, shown, words=2,
                 folded=True)  # fmt: skip


PRINTED = {
    "last": {"seen-seen": ".262 ± .013", "unseen-seen": ".246 ± .013", "seen-unseen": ".042 ± .005"},
    "trace-downsampled": {"seen-seen": ".284 ± .013", "unseen-seen": ".276 ± .013", "seen-unseen": ".059 ± .006"},
}
"""The paper's table 3: BLEU of final programs ± standard error, OLMo-2 1B on Pencil Code's students."""


def _text(rows: Sequence[Result], sides: Sides, splits: Iterable[str]) -> Table:
    metrics = shown_at(Place.TEXT)
    shown = [r for r in rows if not r.condition and r.statistic == "mean" and r.metric in metrics and r.n]
    owners = list(dict.fromkeys((r.model, r.baseline) for r in shown))
    lines = []
    for split in splits:
        for model, baseline in owners:
            cells = [sides.get((model, baseline, metric, "mean", split)) for metric in metrics]
            known = [cell for cell in cells if cell is not None and cell.value is not None]
            if known:
                name = model or f"{(baseline or '').replace('-', ' ')} (baseline)"
                printed = PRINTED.get(model or "", {}).get(split, DASH)
                first, *others = map(_likeness, cells)
                lines.append([split_words(split), name, first, printed, *others, str(known[0].n)])
    bleu, *others = labels(metrics).values()
    header = ("split", "model", bleu, "paper's table 3", *others, "pairs")
    caption = (
        "Means over pairs, of means over samples. BLEU compares a sample with the student's own program; Self-BLEU "
        "compares the samples of a pair among themselves, so neither high nor low is good: 'real students' is how "
        "alike as many students are on the title. 'Random trace' is another student's training program. "
        "The paper's table 3 is of a model of a billion weights and of other students: a yardstick, not a target."
    )
    return table("text", "Likeness of text", caption, header, lines, shown, words=2)


def _likeness(row: Result | None) -> str:
    """A mean with its interval; among how many programs, where that matters to it."""
    among = re.search(r"among \d+", row.note or "") if row and row.value is not None else None
    return with_interval(row) + (f" {among[0]}" if among else "")


def _agreement(rows: Sequence[Result], sides: Sides, split: str) -> Table:
    shown = [r for r in rows if not r.condition and r.split == split and r.statistic in CORRELATIONS]
    lines = []
    for metric in dict.fromkeys(r.metric for r in shown):
        for model, baseline in dict.fromkeys((r.model, r.baseline) for r in shown if r.metric == metric):
            found = [sides.get((model, baseline, metric, s, split)) for s in ("pooled_r", "within_r", "between_r")]
            row = next(cell for cell in found if cell is not None)
            name = model or f"{(baseline or '').replace('-', ' ')} (baseline)"
            lines.append([metric, name, *(with_interval(cell) for cell in found), counts(row), f"{row.unscored}"])
    header = ("metric", "model", "pooled r", "within-title r", "between-title r", "pairs / students / titles",
              "unscored")  # fmt: skip
    words = split_words(split)
    caption = (
        f"Pearson's r between real and generated values over the pairs of {words}. Only the within-title r speaks "
        "about students; the title mean has none, being the same for all of a title."
    )
    return table(f"agreement-{split}", f"Agreement by metric: {words}", caption, header, lines, shown, words=2,
                 folded=True)  # fmt: skip


def _contrasts(rows: Sequence[Result]) -> Table:
    shown = [r for r in rows if not r.condition and r.statistic.endswith("_difference") and r.n
             and r.baseline != REAL_TRACES]  # fmt: skip
    lines = [
        [split_words(r.split), r.metric, STATISTICS.get(r.statistic.removesuffix("_difference"), r.statistic),
         f"{r.model} − {r.baseline}", with_interval(r), probability(r.p), probability(r.p_adjusted),
         number(r.smallest_detectable), number(r.effect_size), counts(r)]
        for r in shown
    ]  # fmt: skip
    header = ("split", "metric", "statistic", "sides", "difference", "p", "p (Holm)", "detectable", "d_z",
              "pairs / students / titles")  # fmt: skip
    caption = (
        "Differences between models on the pairs both score. Holm's correction is within a split and a pair of models; "
        "the primary comparisons are corrected among themselves. d_z: mean difference over its standard deviation."
    )
    return table("contrasts", "All differences between models", caption, header, lines, shown, words=4, folded=True)


def _condition(row: Result) -> str:
    return ", ".join(f"{key.replace('_', '-')} {value}" for key, value in sorted(row.condition.items()))


def _values(a: Result | None, b: Result | None) -> str:
    cells = [number(row.value) if row else DASH for row in (a, b)]
    return DASH if cells == [DASH, DASH] else " vs ".join(cells)


def _with_n(row: Result | None) -> str:
    return f"{with_interval(row)} ({row.n})" if row else DASH
