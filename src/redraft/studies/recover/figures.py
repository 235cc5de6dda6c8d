"""Figures of the recovery study (paper figure 7). Baselines and the students themselves are grey.

In: a run's folder with `results/recover.parquet`. Out: figures, none without a scored value.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from redraft import results
from redraft.plots.style import BASELINE, MUTED, Figure, draw, origin_words, quiet, view_style
from redraft.plots.words import verdicts
from redraft.results import Result
from redraft.studies.recover.baselines import BASELINES
from redraft.studies.recover.estimates import ANY_BASELINE, STUDENT
from redraft.studies.recover.measures import KEPT, MEASURES
from redraft.studies.recover.pick import RULES, WORDS, grid_size, is_main, means, primary_condition, views_of, who
from redraft.studies.recover.settings import FREE
from redraft.studies.recover.voices import OWN, STRONG

SHAPES = ("|", "x", "+", "1", "2", "3", "_")
"""Markers of baselines."""


def figures(run: Path) -> list[Figure]:
    """The study's figures; none without results."""
    rows = results.of_study(run, "recover")
    made = [_by_candidates(rows), _by_time(rows)] if rows else []
    return [figure for figure in made if figure is not None]


def _by_candidates(rows: Sequence[Result]) -> Figure | None:
    """Kept success against the number of candidates."""
    metrics = (KEPT, "kept_success_amended", "kept_success_first")
    main = primary_condition(rows)
    shown = [row for row in means(rows) if row.metric in metrics and row.value is not None and is_main(row, main)]
    if not any(row.model for row in shown):
        return None
    sizes = sorted({int(row.condition["candidates"]) for row in shown})
    views = views_of(shown)
    stamp, n = origin_words(shown[0].origin, shown[0].dataset), max(row.n for row in shown)

    def paint(canvas: Canvas) -> None:
        grid = canvas.subplots(1, len(metrics), sharey=True, squeeze=False)[0]
        for axes, metric in zip(grid, metrics, strict=True):
            here = [row for row in shown if row.metric == metric]
            _candidates_panel(axes, here, sizes, views)
            axes.set(title=WORDS[metric].replace(", ", ",\n"), xlabel="candidates", ylim=(-0.02, 1.02))
        grid[0].set_ylabel("share of cases")
        handles, labels = grid[0].get_legend_handles_labels()
        canvas.legend(handles, labels, loc="outside upper left", ncols=4)

    return draw(
        "recover-candidates", paint, size=(8.6, 4.0), stamp=f"n = {n} failing programs. {stamp}",
        points=results.to_table(shown),
        title="Who mends failing programs, and keeps them the student's own?",
        caption=f"{stamp}. n = {n} failing programs. A success runs, keeps at least 80% of the failing program's "
        "lines, and is no farther from the real final program. Left: lines must be unchanged; middle: a line changed "
        "in place counts while it is half of what it was; right: of the edit sequence that would be shown first. "
        "Hollow: every other candidate is the rules'. Grey: baselines without a model, with as many candidates; the "
        "dotted line is what the students themselves came to with their next running program. Bars are 95% intervals."
        + verdicts(shown),
        alt="Three panels: share of kept successes by number of candidates, a line per model, grey for baselines.",
    )  # fmt: skip


def _candidates_panel(axes: Axes, rows: Sequence[Result], sizes: list[int], views: list[str]) -> None:
    baselines = [*BASELINES, ANY_BASELINE]
    sides = [*((None, name, None) for name in baselines), *((v, None, how) for v in views for how in (None, RULES))]
    width = 0.7 / len(sides)
    for index, (view, baseline, beside) in enumerate(sides):
        of_side = [row for row in rows if (row.model, row.baseline) == (view, baseline)]
        mine = [row for row in of_side if row.condition.get("beside") == beside]
        at = [sizes.index(int(row.condition["candidates"])) + (index - len(sides) / 2) * width for row in mine]
        colour, marker = view_style(view, views) if view else (BASELINE, SHAPES[baselines.index(baseline or "")])
        axes.errorbar(
            at, [row.value or 0.0 for row in mine], yerr=_bars(mine), color=colour, marker=marker, markersize=5,
            linewidth=0, elinewidth=1.2 if view else 0.7, label=who(view, baseline, beside),
            markerfacecolor="none" if beside else colour,
        )  # fmt: skip
    for row in rows:
        if row.baseline == STUDENT and row.value is not None:
            axes.axhline(row.value, color=MUTED, linestyle=":", linewidth=1.2, label="students themselves")
    axes.set_xticks(range(len(sizes)), [str(size) for size in sizes])
    quiet(axes, keep="left bottom")


def _bars(rows: Sequence[Result]) -> list[list[float]]:
    """Lengths of the bars below and above; 0 without an interval."""
    below = [(row.value or 0) - row.low if row.low is not None else 0.0 for row in rows]
    above = [row.high - (row.value or 0) if row.high is not None else 0.0 for row in rows]
    return [[max(0.0, length) for length in side] for side in (below, above)]


def _by_time(rows: Sequence[Result]) -> Figure | None:
    """The paper's figure 7: what time and a strong student's vector change."""
    metrics = ("executes", "attempts", "bleu_recovered", "kept_success_final")
    size = grid_size(rows)
    shown = [
        row for row in means(rows)
        if row.model and row.metric in metrics and row.value is not None and row.condition.get("candidates") == size
        and row.condition.get("voice") in (OWN, STRONG) and row.condition.get("start") == FREE
    ]  # fmt: skip
    if not shown:
        return None
    times = sorted({float(row.condition["seconds"]) for row in shown})
    views, stamp = views_of(shown), origin_words(shown[0].origin, shown[0].dataset)
    n = max(row.n for row in shown)
    own = {row.metric: row.value for row in means(rows, baseline=STUDENT)}

    def paint(canvas: Canvas) -> None:
        grid = canvas.subplots(1, len(metrics), squeeze=False)[0]
        for axes, metric in zip(grid, metrics, strict=True):
            _time_panel(axes, [row for row in shown if row.metric == metric], times, views)
            value = own.get(metric)
            if value is not None and metric in ("executes", "attempts"):
                axes.axhline(value, color=MUTED, linestyle=":", linewidth=1.2)
            axes.set(title=WORDS[metric], xlabel="seconds added")
            axes.title.set_fontsize(8.5)
            axes.set_ylim(*((0, None) if MEASURES[metric].unit == "states" else (-0.02, 1.02)))
            quiet(axes, keep="left bottom")
        handles, labels = grid[0].get_legend_handles_labels()
        canvas.legend(handles, labels, loc="outside upper left", ncols=4, handlelength=3.5)

    return draw(
        "recover-time", paint, size=(10.4, 3.9), stamp=f"n = {n} failing programs. {stamp}",
        points=results.to_table(shown),
        title="What time and a strong student's vector change",
        caption=f"{stamp}. n = {n} failing programs, {size} continuations each. The header "
        "of the next program is set so many seconds after the failing one (headers hold whole seconds). Solid: the "
        "student's own vector, which is the unknown student's where the model has not met them; dashed: strong "
        "students'. Dotted grey: the students' own outcome. BLEU compares with the real final program. Bars are 95% "
        "intervals." + verdicts(shown),
        alt="Four panels by seconds added: share that runs, attempts, BLEU, kept success; a line per model and vector.",
    )  # fmt: skip


def _time_panel(axes: Axes, rows: Sequence[Result], times: list[float], views: list[str]) -> None:
    for view in views:
        colour, marker = view_style(view, views)
        for voice, line in ((OWN, "-"), (STRONG, "--")):
            mine = [row for row in rows if (row.model, row.condition["voice"]) == (view, voice)]
            mine.sort(key=lambda row: float(row.condition["seconds"]))
            shift = 0.06 * (views.index(view) - 1) + 0.03 * (voice == STRONG)
            at = [times.index(float(row.condition["seconds"])) + shift for row in mine]
            axes.errorbar(
                at, [row.value or 0.0 for row in mine], yerr=_bars(mine), color=colour, marker=marker, markersize=4,
                linestyle=line, elinewidth=0.8, label=f"{view}, {voice} student",
            )  # fmt: skip
    axes.set_xticks(range(len(times)), [f"{time:g}" for time in times])
