"""The chapter on behaviour: do generated traces behave like the real ones (paper section 4.1, figures 2, 3, 9)?

In: a run's folder with `results/behaviour.parquet` and `points-pairs.parquet`. Out: figures (none without a scored
value), tables, methods, and what came out in sentences.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq

from redraft import results
from redraft.plots.style import BASELINE_MARKERS, Figure
from redraft.plots.tables import Table
from redraft.results import Result
from redraft.studies.behaviour import tables as behaviour_tables
from redraft.studies.behaviour.figures import Panels, backtracking, dots, frequency
from redraft.studies.behaviour.study import REAL_TRACES
from redraft.studies.common.claims import FINAL_METRICS, TRACE_METRICS
from redraft.studies.common.findings import sentences
from redraft.studies.common.run import CONTROLS

__all__ = ["METHODS", "figures", "sentences", "tables"]

LEVEL = "standardised_difference"
R_STATISTICS = {"pooled_r": "pooled r", "within_r": "within-title r"}
METHODS: tuple[str, ...] = (
    "Pooled r is Pearson's correlation over pairs between the real and the generated value of a metric. It is high "
    "if a model knows which titles need, say, many comments, even if it knows nothing about students. "
    "Between-title r is the correlation of title means. Within-title r is the correlation after both sides are "
    "centred on their title means, and it alone is about students. A correlation with a side that doesn't vary is "
    "undefined; it is unscored, not zero.",
    "Title mean, student mean, their sum (less the grand mean) and a random training trace of the title predict "
    "without a language model, from training pairs only; for an unseen title or student they fall back to the mean "
    "of all training pairs. A model that doesn't beat them has not shown that it knows more than an average.",
    "Correlations say nothing about how much: a model that writes half as many drafts for everyone may have a high r. "
    "So the means of what models write are compared with those of the same students' own test traces.",
    "The primary comparisons are repeated without truncated final programs, without test pairs whose final program "
    "is nearly a training student's (normalised Levenshtein similarity of 0.9 by default), and with only those "
    "generations that reached their end.",
)


def figures(run: Path) -> list[Figure]:
    """Agreement of final programs and of whole traces, likeness of texts, backtracking pair by pair and by title."""
    rows = results.of_study(run, "behaviour")
    if not rows:
        return []
    origin, dataset = rows[0].origin, rows[0].dataset
    views = list(dict.fromkeys(row.model for row in rows if row.model))
    points = pq.read_table(run / "points-pairs.parquet")
    found = [*_agreement(rows, views), _levels(rows, views), _likeness(rows, views)]
    found += [scatter(points, rows, views, origin, dataset) for scatter in (backtracking, frequency)]
    return [figure for figure in found if figure is not None]


def tables(run: Path) -> list[Table]:
    """All tables that have rows."""
    return behaviour_tables.tables(results.of_study(run, "behaviour"))


def _agreement(rows: Sequence[Result], views: list[str]) -> list[Figure | None]:
    """Figures 2 and 3 of the paper: correlations of final programs, and of whole traces."""
    splits = _splits(rows)
    known = {row.metric for row in rows}
    read = (
        "Above, r over all pairs, which a model can win by knowing titles alone; below, r after both sides are centred "
        "on their title means, which only knowledge of students can win. Grey marks are baselines without a language "
        "model. Where there is no dot, r is undefined: one side hardly varies."
    )

    def one(name: str, metrics: Sequence[str], shown: list[str], title: str, what: str) -> Figure | None:
        labels = {metric: _label(metric) for metric in metrics if metric in known}
        baselines = [name for name in BASELINE_MARKERS if name != "real-students"]
        panels = Panels(R_STATISTICS, labels, splits, shown, baselines, _limits(rows, labels))
        alt = f"{what} Dots with intervals by split, metric and model; the values are in the tables."
        return dots(name, rows, panels, title=title, caption=f"{what} {read}", alt=alt)

    asked = (row.metric for row in rows if row.level == "trace" and row.statistic in R_STATISTICS)
    of_traces = list(dict.fromkeys([*TRACE_METRICS, *asked]))
    tracing = list(dict.fromkeys(row.model for row in rows if row.model and row.metric in of_traces))
    return [
        one("final-programs", FINAL_METRICS, views, "Do generated final programs agree with the students' own?",
            "Correlation of each property of the final program, real against generated."),
        one("whole-traces", of_traces, [view for view in views if view in tracing],
            "Do generated traces agree with the students' own?",
            "Correlation of each property of the whole trace, real against generated; models of final programs "
            "have none."),
    ]  # fmt: skip


def _levels(rows: Sequence[Result], views: list[str]) -> Figure | None:
    """How far models' means lie from the real traces', which no correlation sees."""
    apart = [row for row in rows if row.baseline == REAL_TRACES and row.model and row.value and row.effect_size]
    scaled = [_scaled(row, row.effect_size / row.value) for row in apart if row.effect_size and row.value]
    labels = {metric: _label(metric) for metric in dict.fromkeys(row.metric for row in scaled)}
    limit = max([0.5, *(1.1 * abs(row.value) for row in scaled if row.value is not None)])
    panels = Panels({LEVEL: "generated − real, sd"}, labels, _splits(rows), views, [], (-limit, limit))
    return dots(
        "levels", scaled, panels, title="Do models do as much as the students?",
        caption="How far the mean of what models write lies from the mean of the students' own test traces, in "
        "standard deviations of that difference over pairs; at 0 they do as much. A model may know who does much and "
        "who little and still do too much or too little of it: correlations don't see that.",
        alt="Dots with intervals of the standardised difference of generated and real means, by split and model.",
    )  # fmt: skip


def _scaled(row: Result, by: float) -> Result:
    """A difference and its interval in standard deviations."""
    low, high = (None if end is None else end * by for end in (row.low, row.high))
    return replace(row, value=row.effect_size, low=low, high=high, baseline=None, statistic=LEVEL, unit="sd")


def _likeness(rows: Sequence[Result], views: list[str]) -> Figure | None:
    metrics = ("bleu_final", "bleu_trace", "colour_cosine", "self_bleu", "ended_share")
    panels = Panels({"mean": "mean, 0 to 1"}, {metric: _label(metric) for metric in metrics}, _splits(rows), views,
                    ["random-trace", "real-students", *CONTROLS], (-0.02, 1.02))  # fmt: skip
    return dots(
        "likeness", rows, panels, title="How alike are generated and real programs?",
        caption="BLEU and colour cosine: each sample against the student's own program, higher is nearer; in grey "
        "another student's training program, and what the trace model writes with another student's vector. Self-BLEU: "
        "the samples of a pair among themselves; a model as varied as people lies at the grey bar (as many real "
        "students of the title). Ended: samples that came to an end.",
        alt="Dots with intervals of BLEU, colour cosine, Self-BLEU and share ended, by split and model.",
    )  # fmt: skip


def _splits(rows: Sequence[Result]) -> list[str]:
    """Splits with pairs; `all` only if there are several."""
    found = list(dict.fromkeys(row.split for row in rows if row.split and row.n and row.model))
    return found if len(found) > 2 else [split for split in found if split != "all"]


def _limits(rows: Sequence[Result], metrics: dict[str, str]) -> tuple[float, float]:
    """A horizontal axis wide enough for most intervals, the same in all panels."""
    lows = [row.low for row in rows if row.metric in metrics and row.statistic in R_STATISTICS and row.low is not None]
    return (-1.03 if min(lows, default=0) < -0.52 else -0.53, 1.03)


def _label(metric: str) -> str:
    words = {
        "bleu_final": "BLEU, final program", "bleu_trace": "BLEU, whole trace", "colour_cosine": "colour cosine",
        "self_bleu": "Self-BLEU", "ended_share": "ended", "backtracking_t3": "backtracking (T ≥ 3)",
        "seconds_active": "active seconds", "seconds_total": "total seconds",
        "edit_distance_mean": "mean edit distance",
    }  # fmt: skip
    return words.get(metric, metric.removesuffix("_final").removesuffix("_count").replace("_", " "))
