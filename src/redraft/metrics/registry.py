"""Every metric, declared once: what it is, how it is computed, what it needs, and where reports show it.

In: the facts of a trace. Out: `METRICS`, by name, and `shown`, the metrics of a place. A metric of a program or a trace
has a `compute`; a metric of a pair or a collection of samples is computed by `metrics.pairs`. A value of None is
'unscored': the metric is undefined there, which is neither zero nor failure. A metric is added by declaring it here;
`make docs` then documents it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Literal

from redraft.data.edits import LARGE
from redraft.metrics.behaviour import ACTIVE_GAP, Edit, ProgramFacts, TraceFacts
from redraft.metrics.metric import Compute, Group, Metric, Need, Place
from redraft.metrics.running import mean_of_all, running

Definitions = Literal["corrected", "released"]
"""Whose definitions: the paper's text made exact, or its released code's (`released.counterparts`)."""

PROPERTIES = "section 3.3, properties of programs"
TRACES = "section 3.3, properties of traces"
MEASURES = "section 3.3, behavioral evaluation metrics"
CORRECTED = " (corrected)"

FINAL_PROGRAM = "final program"
WHOLE_TRACE = "whole trace"


def _program(
    name: str, unit: str, label: str, definition: str, get: Callable[[ProgramFacts], float | None], *,
    source: str = PROPERTIES + CORRECTED, needs: tuple[Need, ...] = ("language",), place: int,
    also: Mapping[Place, int] | None = None, mean_also: Mapping[Place, int] | None = None,
    released: tuple[str, str | None],
) -> Iterator[Metric]:  # fmt: skip
    """A property of programs: of the final one, and its mean over the trace's.

    Args:
        name: What both names begin with.
        unit: Of both.
        label: Of both.
        definition: What is counted in a program.
        get: Its value.
        source: Of both.
        needs: Of both.
        place: How far down it is shown among properties of final programs.
        also: Where else the final program's is shown.
        mean_also: Where the mean is shown.
        released: The released code's columns.
    """
    yield Metric(
        name=f"{name}_final", label=label, part=FINAL_PROGRAM, group=Group.CONTENT, level="program", unit=unit,
        source=source, needs=needs, definition=f"{definition}, in the final program.", released=released[0],
        shown={Place.FINAL_PROGRAMS: place} | dict(also or {}), compute=lambda f: get(f.programs[-1]),
    )  # fmt: skip
    yield Metric(
        name=f"{name}_mean", label=label, part="mean of programs", group=Group.CONTENT, level="trace", unit=unit,
        source=source, needs=needs, definition=f"{definition}: mean over the trace's programs.", released=released[1],
        shown=dict(mean_also or {}), compute=lambda f: mean_of_all([get(program) for program in f.programs]),
    )  # fmt: skip


def _word(word: str, *, place: int, mean: str | None) -> Iterator[Metric]:
    """A word of the platform's language, counted in programs."""
    yield from _program(
        word, "occurrences", f"word “{word}”", f"Occurrences of the word `{word}`",
        lambda program: program.words.get(word), source=PROPERTIES, place=place,
        released=(f"num_occurrences_{word}_last", mean),
    )  # fmt: skip


def _programs() -> Iterator[Metric]:
    yield from _word("turtle", place=4, mean="mean_num_occurrences_turtle")
    yield from _word("box", place=5, mean="mean_num_occurrences_box")
    yield from _word("await", place=6, mean=None)
    yield from _program(
        "functions", "functions", "functions",
        "Functions defined (in CoffeeScript `->`, `=>` with or without arguments, and `function`), comment lines aside",
        lambda p: p.functions, place=2, also={Place.STEER: 2}, released=("num_functions_last", "mean_num_functions"),
    )  # fmt: skip
    yield from _program(
        "comments", "lines", "comments",
        "Lines whose first non-blank character is `#` (in JavaScript and Java: characters are `//`)",
        lambda p: p.comments, place=1, also={Place.STEER: 1, Place.AUDIT: 1, Place.ADAPT: 3},
        mean_also={Place.ADAPT: 4}, released=("num_comments_last", None),
    )  # fmt: skip
    yield from _program(
        "colours", "occurrences", "colours", "Whole words that name one of the 139 CSS colours",
        lambda p: p.colours.total(), needs=(), place=3, released=("colors_last", None),
    )  # fmt: skip
    yield Metric(
        name="year_final", label="year", part=FINAL_PROGRAM, group=Group.TIME, level="program", unit="year",
        source=PROPERTIES, needs=("time",), definition="UTC year in which the final program was run.",
        released="trace_year_last", shown={Place.FINAL_PROGRAMS: 7, Place.ADAPT: 1}, compute=lambda f: f.years[-1],
    )  # fmt: skip
    yield Metric(
        name="year_mean", label="year", part="mean of programs", group=Group.TIME, level="trace", unit="year",
        source=PROPERTIES, needs=("time",),
        definition="UTC year in which a program was run: mean over the trace's programs.",
        compute=lambda f: mean_of_all(f.years),
    )  # fmt: skip


def _backtracking(facts: TraceFacts) -> float:
    away = sum(later > earlier for earlier, later in zip(facts.to_final, facts.to_final[1:], strict=False))
    return away / max(len(facts.edits), 1)


def _traces() -> Iterator[Metric]:
    yield Metric(
        name="attempts", label="attempts", group=Group.COURSE, level="trace", unit="states", source=TRACES,
        definition="States of the trace (T).", released="trace_length",
        shown={Place.WHOLE_TRACES: 1, Place.AUDIT: 2, Place.ADAPT: 2, Place.LEVELS: 1},
        compute=lambda f: len(f.programs),
    )  # fmt: skip
    yield Metric(
        name="backtracking", label="backtracking", group=Group.COURSE, level="trace", unit="share of edits",
        source=TRACES + CORRECTED,
        definition="Goal backtracking: share of the T - 1 edits after which the Levenshtein distance to the final "
        "state is larger than before; 0 for T of at most 2.",
        released="backtracking_ratio",
        shown={Place.WHOLE_TRACES: 2, Place.FREQUENCY: 1, Place.STEER: 3, Place.AUDIT: 3, Place.ADAPT: 5,
               Place.LEVELS: 3},
        compute=_backtracking,
    )  # fmt: skip
    yield Metric(
        name="backtracking_t3", label="backtracking (T ≥ 3)", group=Group.COURSE, level="trace",
        unit="share of edits", source=TRACES + CORRECTED,
        definition="Goal backtracking of traces of at least 3 states, as no shorter one can backtrack. Only real "
        "traces are selected so; generated ones are taken whatever their length.",
        generated_from="backtracking", shown={Place.WHOLE_TRACES: 3},
        compute=lambda f: _backtracking(f) if len(f.programs) >= 3 else None,
    )  # fmt: skip
    yield from _times()
    yield Metric(
        name="edit_distance_total", label="total edit distance", group=Group.COURSE, level="trace", unit="characters",
        source=TRACES + CORRECTED, definition="Sum of the Levenshtein distances between consecutive states.",
        compute=lambda f: sum(f.steps),
    )  # fmt: skip
    yield Metric(
        name="edit_distance_mean", label="mean edit distance", group=Group.COURSE, level="trace", unit="characters",
        source=TRACES + CORRECTED, definition="Mean Levenshtein distance between consecutive states; 0 for one state.",
        released="mean_sequential_edit_distance", shown={Place.WHOLE_TRACES: 5},
        compute=lambda f: sum(f.steps) / max(len(f.steps), 1),
    )  # fmt: skip


def _times() -> Iterator[Metric]:
    yield Metric(
        name="seconds_total", label="total seconds", group=Group.TIME, level="trace", unit="s", source=TRACES,
        needs=("time",), released="total_time",
        definition="Seconds from the first state to the last (negative where a generated clock runs backwards).",
        compute=lambda f: None if f.gaps is None else sum(f.gaps),
    )  # fmt: skip
    yield Metric(
        name="seconds_mean", label="mean seconds between states", group=Group.TIME, level="trace", unit="s",
        source=TRACES, needs=("time",), definition="Mean seconds between consecutive states; 0 for one state.",
        released="mean_time_diff", compute=lambda f: None if f.gaps is None else sum(f.gaps) / max(len(f.gaps), 1),
    )  # fmt: skip
    yield Metric(
        name="seconds_active", label="active seconds", group=Group.TIME, level="trace", unit="s", source=TRACES,
        needs=("time",), shown={Place.WHOLE_TRACES: 4, Place.AUDIT: 4, Place.LEVELS: 2},
        definition=f"Seconds between consecutive states, without the gaps of more than {ACTIVE_GAP:.0f} s (breaks) or "
        "less than 0 s.",
        compute=lambda f: None if f.gaps is None else sum(gap for gap in f.gaps if 0 <= gap <= ACTIVE_GAP),
    )  # fmt: skip


def _kind(
    name: str, label: str, text: str, is_one: Callable[[Edit], bool | None], *, place: int, released: str,
    needs: tuple[Need, ...] = (), share: bool = False, level: int | None = None,
) -> Iterator[Metric]:  # fmt: skip
    """A kind of edit: counted, and as a share of the trace's edits.

    Args:
        name: What both names begin with.
        label: Of both.
        text: What edits of the kind do.
        is_one: Whether an edit is of the kind.
        place: How far down the count is shown among properties of whole traces.
        released: What the released code calls the kind.
        needs: Of both.
        share: Whether that code's mean of it is a share of edits; of lines it is none.
        level: How far down the share is shown among levels, if it is.
    """

    def count(facts: TraceFacts) -> float | None:
        if "language" in needs and any(program.comments is None for program in facts.programs):
            return None
        return sum(bool(is_one(edit)) for edit in facts.edits)

    def part(facts: TraceFacts) -> float | None:
        found = count(facts)
        return None if found is None else found / max(len(facts.edits), 1)

    yield Metric(
        name=f"{name}_count", label=label, group=Group.EDITS, level="trace", unit="edits", source=TRACES + CORRECTED,
        needs=needs, definition=f"Edits that {text}.", released=f"edit_sum_{released}",
        shown={Place.WHOLE_TRACES: place}, compute=count,
    )  # fmt: skip
    yield Metric(
        name=f"{name}_share", label=label, part="share of edits", group=Group.EDITS, level="trace",
        unit="share of edits", source=TRACES + CORRECTED, needs=needs,
        definition=f"Share of the T - 1 edits that {text}; 0 for T = 1.",
        released=f"edit_mean_{released}" if share else None, shown={} if level is None else {Place.LEVELS: level},
        compute=part,
    )  # fmt: skip


def _lines(done: str, count: Callable[[Edit], int]) -> Metric:
    return Metric(
        name=f"lines_{done}", label=f"lines {done}", group=Group.EDITS, level="trace", unit="lines",
        source=TRACES + CORRECTED, definition=f"Lines {done}, over all edits.", released=f"edit_sum_lines_{done}",
        compute=lambda f: sum(count(edit) for edit in f.edits),
    )  # fmt: skip


def _edits() -> Iterator[Metric]:
    yield from _kind("large_add", "large additions", f"add at least {LARGE} lines", lambda e: e.type == "large_add",
                     place=6, released="num_large_add", share=True, level=8)  # fmt: skip
    yield from _kind("large_del", "large deletions", f"delete at least {LARGE} lines, being no large_add",
                     lambda e: e.type == "large_del", place=8, released="num_large_del", share=True,
                     level=10)  # fmt: skip
    yield from _kind("small_add", "small additions", "add lines, being neither of the large ones",
                     lambda e: e.type == "small_add", place=7, released="num_small_add", share=True,
                     level=9)  # fmt: skip
    yield from _kind("small_del", "small deletions", "delete lines, being none of the former",
                     lambda e: e.type == "small_del", place=9, released="num_small_del", share=True,
                     level=11)  # fmt: skip
    yield from _kind("modify", "modifications", "neither add nor delete lines", lambda e: e.type == "modify", place=10,
                     released="num_modify_existing", share=True, level=12)  # fmt: skip
    yield from _kind("colour_change", "colour changes", "modify a line in nothing but whole colour words",
                     lambda e: e.colour_change, place=11, released="color_changes")  # fmt: skip
    yield from _kind("number_change", "number changes", "modify a line in nothing but numerals",
                     lambda e: e.number_change, place=12, released="number_changes")  # fmt: skip
    yield from _kind("comment_added", "comments added", "add a comment line", lambda e: e.comment_added, place=13,
                     released="comment_additions", needs=("language",))  # fmt: skip
    yield from _kind("function_added", "functions added", "add a line that defines a function",
                     lambda e: e.function_added, place=14, released="function_additions",
                     needs=("language",))  # fmt: skip
    yield _lines("added", lambda edit: edit.added)
    yield _lines("deleted", lambda edit: edit.deleted)
    yield _lines("modified", lambda edit: edit.modified)


def _pairs() -> Iterator[Metric]:
    bleu = (
        "each sample against the pair's own real trace: mean over m = 1..4 of BP * exp(mean of log p_1..p_m) on "
        "white-space tokens, unsmoothed, orders longer than both texts left out; mean over samples."
    )
    their_bleu = (
        "by the maths of the released code's BLEU, pair by pair instead of file by file: n-gram matches and lengths of "
        "all the pair's samples are summed before anything is divided, each sample against the real ones; a precision "
        "of zero counts as 2.2e-308; mean over orders 1 to 4 of the cumulative scores."
    )
    whole = "whole traces (their programs joined by newlines, no headers)"
    yield Metric(
        name="bleu_final", label="BLEU", part=FINAL_PROGRAM, group=Group.LIKENESS, level="pair", unit="BLEU, 0 to 1",
        direction="higher", source=MEASURES + CORRECTED, definition=f"BLEU of final programs, {bleu}",
        released=f"BLEU of final programs, {their_bleu}",
        shown={Place.LIKENESS: 1, Place.TEXT: 1, Place.ADAPT: 6, Place.AUDIT: 5},
    )  # fmt: skip
    yield Metric(
        name="bleu_trace", label="BLEU", part=WHOLE_TRACE, group=Group.LIKENESS, level="pair", unit="BLEU, 0 to 1",
        direction="higher", source=MEASURES + CORRECTED, whole_traces=True, definition=f"BLEU of {whole}, {bleu}",
        released=f"BLEU of {whole}, {their_bleu}", shown={Place.LIKENESS: 2, Place.TEXT: 2, Place.ADAPT: 7},
    )  # fmt: skip
    cosine = "colour counts with the samples' mean vector; 0 if one side names no colour, unscored if neither does."
    yield Metric(
        name="colour_cosine", label="colour cosine", part=FINAL_PROGRAM, group=Group.LIKENESS, level="pair",
        unit="cosine", direction="higher", source=MEASURES + CORRECTED,
        definition=f"Cosine of the real final program's {cosine}",
        released="Cosine of the real `colors_last` with the samples' mean; 0 if one side names no colour, unscored if "
        "neither does.",
        shown={Place.LIKENESS: 3, Place.TEXT: 3},
    )  # fmt: skip
    yield Metric(
        name="colour_cosine_trace", label="colour cosine", part=WHOLE_TRACE, group=Group.LIKENESS, level="pair",
        unit="cosine", direction="higher", source=MEASURES + CORRECTED, whole_traces=True,
        definition=f"Cosine of the real trace's mean {cosine}", shown={Place.TEXT: 4},
    )  # fmt: skip
    yield Metric(
        name="self_bleu", label="Self-BLEU", group=Group.LIKENESS, level="collection", unit="BLEU, 0 to 1",
        source=MEASURES + CORRECTED, needs=("samples",),
        definition="BLEU of each of a pair's final programs against the others, mean over samples: high is little "
        "variety. To be compared over equal numbers of samples, beside that of as many real students of the title; a "
        "pair with fewer programs than were asked for is unscored.",
        released="`self_bleu_per_pair`: each of a pair's final programs against the others, matches and lengths summed "
        "over them.",
        shown={Place.LIKENESS: 4, Place.TEXT: 5},
    )  # fmt: skip
    yield Metric(
        name="ended_share", label="ended", group=Group.COURSE, level="collection", unit="share", source="-",
        definition="Share of a pair's samples that reached their end.", shown={Place.LIKENESS: 5, Place.TEXT: 6},
    )  # fmt: skip


METRICS: dict[str, Metric] = {
    metric.name: metric for group in (_programs, _traces, _edits, running, _pairs) for metric in group()
}
"""Every metric by name, in order of documentation."""

MEASURED: dict[str, Compute] = {name: metric.compute for name, metric in METRICS.items() if metric.compute}
"""The metrics of programs and traces: the columns of `metrics.measure.measure`."""

PAIRED: tuple[str, ...] = tuple(
    metric.name for metric in sorted(METRICS.values(), key=lambda m: (m.level == "collection", m.whole_traces))
    if not metric.compute
)  # fmt: skip
"""The metrics of pairs, those of final programs first, and of samples among themselves."""


def shown(*places: Place) -> tuple[str, ...]:
    """The names of the metrics that reports show at some places, place by place, in each from top to bottom."""
    return tuple(
        metric.name for place in places
        for metric in sorted((m for m in METRICS.values() if place in m.shown), key=lambda m: m.shown[place])
    )  # fmt: skip


def labels(names: Iterable[str]) -> dict[str, str]:
    """What metrics are called beside one another: by their labels, with what tells them apart where two share one."""
    metrics = [METRICS[name] for name in names]
    often = Counter(metric.label for metric in metrics)
    return {metric.name: metric.label if often[metric.label] == 1 else metric.words for metric in metrics}
