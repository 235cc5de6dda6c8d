"""Figures, tables and findings of the study of recovery (paper figure 7, table 4).

In: results rows of the study `recover`, from a run's folder. Out: figures and tables, without those that would have no
scored value; and a sentence a model on whether it beats the baselines. Baselines and the students themselves are grey.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from redraft import results
from redraft.plots.style import BASELINE, MUTED, Figure, draw, origin_words, quiet, view_style
from redraft.plots.tables import DASH, Table, counts, number, probability, table, with_interval
from redraft.results import Result
from redraft.studies.recover.baselines import BASELINES
from redraft.studies.recover.estimates import ALL, ANY_BASELINE, BESIDE, BESIDE_RULES, PRIMARY, STUDENT
from redraft.studies.recover.measures import KEPT, MEASURES
from redraft.studies.recover.settings import FREE
from redraft.studies.recover.steering import HANDS, OWN, STRONG

METHODS: tuple[str, ...] = (
    "A case is a program of a held-out student that fails, in the middle of a trace; one a student and title, drawn by "
    "a seed. A model is given the title, the states up to that program and the time of the next one (some seconds "
    "later), and goes on to the trace's end. Its first edit begins where the verdict blames the program ('blamed': "
    "what stands before is left as it is), or wherever the model likes ('free', the paper's). Programs run in a "
    "sandbox. A kept success runs, keeps at least 80% of the failing program's lines, blank ones aside, and is no "
    "farther from the student's real final program than the failing one: deleting everything is none. Each candidate "
    "counts by its first program that runs, which the sandbox can tell without knowing the final program; with several "
    "candidates one success is enough, for baselines as for models. Which of several would have been shown first is "
    "measured apart, by the ranking of redraft suggest, likelihood left out.",
    "Baselines propose as many programs: the failing program without a line, the latest programs before that ran, the "
    "nearest running programs of other training students on the title, unknown names replaced by near known ones, and "
    "all of these in turn but the neighbours' ('rules'). Beside the rules, every other candidate of a model is the "
    "rules' next one; there are as many in all. A model beats the best baseline if its contrast with every baseline "
    "has an interval above zero, so that none has to be picked by its result. Strong students are those who backtrack "
    "least over enough training traces of at least three states; matched students have as many traces. Intervals "
    "resample students and titles; with fewer than ten of one, only the other ('conditional').",
)
"""How it was done."""

WORDS = {
    "executes": "final program runs", "attempts": "programs until the end", "bleu_recovered": "BLEU to the real final",
    "kept_success_final": "kept success, final program", KEPT: "kept success",
    "kept_success_amended": "kept success, amended lines count", "kept_success_first": "kept success, ranked first",
    "recovered": "a running program found", "edit_size": "characters typed", "lines_kept": "lines kept",
    "style_distance": "style distance (sd)",
}  # fmt: skip
SIGNIFICANT = 0.05
RULES = BESIDE["beside"]
SHAPES = ("|", "x", "+", "1", "2", "3", "_")
"""Markers of baselines."""


def figures(run: Path) -> list[Figure]:
    """The study's figures; none without results."""
    rows = results.of_study(run, "recover")
    made = [_by_candidates(rows), _by_time(rows)] if rows else []
    return [figure for figure in made if figure is not None]


def tables(run: Path) -> list[Table]:
    """The study's tables; none without results."""
    rows = results.of_study(run, "recover")
    made = [_primary(rows), _edits(rows), _times(rows), _contrasts(rows)] if rows else []
    return [one for one in made if one.rows]


def sentences(rows: Sequence[Result]) -> list[str]:
    """For each model, alone and beside rules, whether it beats the best baseline; unscored is said to be so."""
    found = []
    for view, beside in ((view, beside) for view in _views(rows) for beside in (None, RULES)):
        mine = [row for row in rows if row.family == (BESIDE_RULES if beside else PRIMARY) and row.model == view]
        side = _main(rows, model=view, metric=KEPT, beside=beside)
        stamp = origin_words(rows[0].origin, rows[0].dataset)
        if side is None or side.value is None or not mine:
            why = side.note if side else next((row.note for row in rows if row.model == view), None)
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
    return found


def _below(row: Result) -> bool:
    """Significantly below zero, Holm's correction made."""
    beyond = row.high is not None and row.high < 0
    return beyond and row.p_adjusted is not None and row.p_adjusted < SIGNIFICANT


def _views(rows: Iterable[Result]) -> list[str]:
    return list(dict.fromkeys(row.model for row in rows if row.model))


def _means(rows: Sequence[Result], **wanted: object) -> list[Result]:
    """Means of sides over all cases."""
    return [
        row for row in rows
        if row.statistic == "mean" and row.split == ALL and all(getattr(row, k) == v for k, v in wanted.items())
    ]  # fmt: skip


def _primary_condition(rows: Sequence[Result]) -> dict[str, str]:
    """Hand, time and start of the primary comparisons."""
    found = next((row.condition for row in rows if row.family == PRIMARY), {})
    return {key: value for key, value in found.items() if key != "candidates"}


def _main(
    rows: Sequence[Result], *, metric: str, model: str | None = None, baseline: str | None = None,
    beside: str | None = None,
) -> Result | None:  # fmt: skip
    """A side's mean with the most candidates; a model's under the primary condition, beside rules if asked for."""
    main = _primary_condition(rows)
    mine = [
        row for row in _means(rows, metric=metric, model=model, baseline=baseline)
        if _is_main(row, main) and row.condition.get("beside") == beside
    ]  # fmt: skip
    return max(mine, key=lambda row: int(row.condition["candidates"]), default=None)


def _is_main(row: Result, main: dict[str, str]) -> bool:
    """Of a baseline; or of a model under the primary condition, alone or beside rules."""
    return row.model is None or {key: row.condition.get(key) for key in main} == main


def _by_candidates(rows: Sequence[Result]) -> Figure | None:
    """Kept success against the number of candidates."""
    metrics = (KEPT, "kept_success_amended", "kept_success_first")
    main = _primary_condition(rows)
    shown = [row for row in _means(rows) if row.metric in metrics and row.value is not None and _is_main(row, main)]
    if not any(row.model for row in shown):
        return None
    sizes = sorted({int(row.condition["candidates"]) for row in shown})
    views = _views(shown)
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
        "dotted line is what the students themselves came to with their next running program. Bars are 95% intervals.",
        alt="Three panels: share of kept successes by number of candidates, a line a model, grey marks for baselines.",
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
            linewidth=0, elinewidth=1.2 if view else 0.7, label=_who(view, baseline, beside),
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
    size = _grid_size(rows)
    shown = [
        row for row in _means(rows)
        if row.model and row.metric in metrics and row.value is not None and row.condition.get("candidates") == size
        and row.condition.get("student") in (OWN, STRONG) and row.condition.get("start") == FREE
    ]  # fmt: skip
    if not shown:
        return None
    times = sorted({float(row.condition["seconds"]) for row in shown})
    views, stamp = _views(shown), origin_words(shown[0].origin, shown[0].dataset)
    n = max(row.n for row in shown)
    own = {row.metric: row.value for row in _means(rows, baseline=STUDENT)}

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
        "intervals.",
        alt="Four panels by seconds added: share that runs, attempts, BLEU, kept success; a line a model and vector.",
    )  # fmt: skip


def _time_panel(axes: Axes, rows: Sequence[Result], times: list[float], views: list[str]) -> None:
    for view in views:
        colour, marker = view_style(view, views)
        for hand, line in ((OWN, "-"), (STRONG, "--")):
            mine = [row for row in rows if (row.model, row.condition["student"]) == (view, hand)]
            mine.sort(key=lambda row: float(row.condition["seconds"]))
            shift = 0.06 * (views.index(view) - 1) + 0.03 * (hand == STRONG)
            at = [times.index(float(row.condition["seconds"])) + shift for row in mine]
            axes.errorbar(
                at, [row.value or 0.0 for row in mine], yerr=_bars(mine), color=colour, marker=marker, markersize=4,
                linestyle=line, elinewidth=0.8, label=f"{view}, {hand} student",
            )  # fmt: skip
    axes.set_xticks(range(len(times)), [f"{time:g}" for time in times])


def _grid_size(rows: Sequence[Result]) -> str:
    """The number of candidates that every time has."""
    sizes: dict[str, set[str]] = {}
    for row in rows:
        if row.model and row.statistic == "mean" and row.metric == "executes":
            sizes.setdefault(row.condition["seconds"], set()).add(row.condition["candidates"])
    common = set.intersection(*sizes.values()) if sizes else set()
    return max(common, key=int, default="")


def _primary(rows: Sequence[Result]) -> Table:
    """Each model against each baseline."""
    shown = [row for row in rows if row.model and row.baseline in (*BASELINES, ANY_BASELINE) and row.n]
    lines = []
    for row in shown:
        beside = row.condition.get("beside")
        mine = _main(rows, metric=row.metric, model=row.model, beside=beside)
        sides = [mine, _main(rows, metric=row.metric, baseline=row.baseline)]
        values = " vs ".join(number(side.value) if side else DASH for side in sides)
        compared = f"{_who(row.model, None, beside)} − {row.baseline}"
        lines.append([WORDS[row.metric], compared, values, with_interval(row),
                      probability(row.p_adjusted), number(row.smallest_detectable), counts(row)])  # fmt: skip
    header = ("measure", "compared", "values", "difference", "p (Holm)", "detectable", "cases / students / titles")
    caption = (
        "With all candidates on both sides, the student's own hand, at the main time, beginning where the verdict "
        "blames the program unless settings say otherwise. The first measure is the main one: a model beats the best "
        "baseline only if every difference is above zero. 'Any baseline' succeeds if any of them does: of all their "
        "candidates together. 'Beside rules': every other candidate is the rules', as many in all."
    )
    return table("recover-baselines", "Models against baselines", caption, header, lines, shown, words=2)


def _edits(rows: Sequence[Result]) -> Table:
    """Every side with its success and the edits it proposes first."""
    metrics = (KEPT, "kept_success_first", "recovered", "edit_size", "lines_kept", "style_distance")
    sides: list[tuple[str | None, str | None, str | None]]
    sides = [(view, None, beside) for view in _views(rows) for beside in (None, RULES)]
    sides += [(None, name, None) for name in (*BASELINES, STUDENT)]
    lines, behind = [], []
    for view, baseline, beside in sides:
        cells = [_main(rows, metric=metric, model=view, baseline=baseline, beside=beside) for metric in metrics]
        known = [cell for cell in cells if cell is not None]
        if known:
            lines.append([_who(view, baseline, beside), *(with_interval(cell) for cell in cells), str(known[0].n)])
            behind += known
    header = ("who", *(WORDS[metric] for metric in metrics), "cases")
    caption = (
        "With all candidates. Edit size, lines kept and style distance are of the edit sequence ranked first, over the "
        "cases that have one; style distance is in standard deviations of training programs, 0 being the mean of the "
        "student's own programs. The students' rows are their next programs."
    )
    return table("recover-edits", "Success, and what is edited", caption, header, lines, behind)


def _who(view: str | None, baseline: str | None, beside: str | None = None) -> str:
    if baseline in (STUDENT, ANY_BASELINE):
        return "students themselves" if baseline == STUDENT else "any of these baselines"
    if beside:
        return f"{view} beside {beside}"
    return view or f"{(baseline or '').replace('-', ' ')} (baseline)"


def _times(rows: Sequence[Result]) -> Table:
    """The paper's table 4: share of final programs that run, by time."""
    size = _grid_size(rows)
    shown = [
        row for row in _means(rows, metric="executes")
        if row.model and row.condition.get("candidates") == size and row.condition["start"] == FREE
    ]  # fmt: skip
    sides = list(dict.fromkeys((row.model, row.condition["student"]) for row in shown))
    lines = []
    cells = {(row.model, row.condition["student"], row.condition["seconds"]): row for row in shown}
    for seconds in sorted({row.condition["seconds"] for row in shown}, key=float):
        lines.append([seconds, *(with_interval(cells.get((*side, seconds))) for side in sides)])
    header = ("seconds added", *(f"{view}, {hand}" for view, hand in sides))
    caption = (
        f"Share of final programs that run (mean of {size} continuations). The paper's table 4 (section J), of its own "
        "models and students: trace .64, .60, .64; synthetic .39, .39, .45; synthetic-complex .41, .40, .40 at .01, 1 "
        "and 60 s. Unknown and matched hands are drawn at the main time only."
    )
    return table("recover-time", "Final programs that run, by time added", caption, header, lines, shown)


def _contrasts(rows: Sequence[Result]) -> Table:
    """Models, hands and times against one another."""
    families = ("recovery: models", "recovery: steering", "recovery: time")
    shown = [row for row in rows if row.family in families and row.n]
    lines = []
    for row in shown:
        against = row.condition.get("against") or str(row.baseline)
        hand, seconds = row.condition.get("student", OWN), row.condition.get("seconds", "")
        left = {"recovery: models": str(row.model), "recovery: steering": f"{row.model}: {hand}"}
        side = left.get(row.family or "", f"{row.model}, {hand}: {seconds} s")
        against = f"{against} ({row.condition.get('start')})" if row.family == "recovery: models" else against
        against = f"{against} student" if against in HANDS else against
        reading = (row.note or "").split("; ")[-1] if "margin" in row.condition else ""
        lines.append([WORDS[row.metric], f"{side} − {against}", with_interval(row), probability(row.p),
                      probability(row.p_adjusted), number(row.smallest_detectable), counts(row), reading])  # fmt: skip
    header = ("measure", "compared", "difference", "p", "p (Holm)", "detectable", "cases / students / titles",
              "reading")  # fmt: skip
    caption = (
        "Paired differences over the cases both score. Times are compared with the shortest: 'equivalent' needs the "
        "whole interval within the margin, and not significant is not the same."
    )
    return table("recover-contrasts", "Models, hands and times compared", caption, header, lines, shown, words=2,
                 last_words=1, folded=True)  # fmt: skip
