"""Every metric, declared once: what it is, how it is computed, and what it needs.

In: the facts of a trace. Out: `METRICS`, by name. A metric of a program or a trace has a `compute`; a metric of a
pair or a collection of samples is computed by `metrics.pairs`. A value of None is 'unscored': the metric is undefined
there, which is neither zero nor failure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from redraft.data.edits import LARGE
from redraft.metrics.behaviour import ACTIVE_GAP, Edit, ProgramFacts, TraceFacts

Level = Literal["program", "trace", "pair", "collection"]
Need = Literal["time", "language", "samples", "verdict"]
Definitions = Literal["corrected", "released"]
"""Whose definitions: the paper's text made exact, or its released code's (`released.counterparts`)."""
Compute = Callable[[TraceFacts], float | None]


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One measurable property."""

    name: str
    """Its column's name."""
    level: Level
    """What it describes: the final program; the trace; a (student, title) pair's generated samples against the real
    trace; or a pair's samples among themselves (a collection)."""
    unit: str
    """Unit of its values."""
    direction: Literal["higher", "lower", ""] = ""
    """Which way is better; empty where neither is (programs and traces are compared by correlation)."""
    definition: str
    """What is computed."""
    source: str
    """Where the paper has it; 'corrected' where the paper's released code computes something else; or that code."""
    needs: tuple[Need, ...] = ()
    """What it is unscored without: times, a language profile, at least two samples, verdicts of `redraft execute`."""
    generated_from: str | None = None
    """The metric to take on the generated side, where this one is for a selection of real traces only."""
    compute: Compute | None = None
    """Its value on a trace; None for pairs and collections."""


PROPERTIES = "section 3.3, properties of programs"
TRACES = "section 3.3, properties of traces"
MEASURES = "section 3.3, behavioral evaluation metrics"
CORRECTED = " (corrected)"


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if len(known) == len(values) else None


def _word(word: str) -> Callable[[ProgramFacts], float | None]:
    return lambda program: program.words.get(word)


def _program(
    name: str,
    unit: str,
    definition: str,
    get: Callable[[ProgramFacts], float | None],
    *,
    source: str = PROPERTIES + CORRECTED,
    needs: tuple[Need, ...] = ("language",),
) -> Iterator[Metric]:
    """A property of programs: of the final one, and its mean over the trace's."""
    yield Metric(
        name=f"{name}_final",
        level="program",
        unit=unit,
        source=source,
        needs=needs,
        definition=f"{definition}, in the final program.",
        compute=lambda f: get(f.programs[-1]),
    )
    yield Metric(
        name=f"{name}_mean",
        level="trace",
        unit=unit,
        source=source,
        needs=needs,
        definition=f"{definition}: mean over the trace's programs.",
        compute=lambda f: _mean([get(program) for program in f.programs]),
    )


def _programs() -> Iterator[Metric]:
    for word in ("turtle", "box", "await"):
        yield from _program(word, "occurrences", f"Occurrences of the word `{word}`", _word(word), source=PROPERTIES)
    yield from _program(
        "functions",
        "functions",
        "Functions defined (in CoffeeScript `->`, `=>` with or without arguments, and `function`), comment lines aside",
        lambda p: p.functions,
    )
    yield from _program(
        "comments",
        "lines",
        "Lines whose first non-blank character is `#` (in JavaScript and Java: characters are `//`)",
        lambda p: p.comments,
    )
    yield from _program(
        "colours",
        "occurrences",
        "Whole words that name one of the 139 CSS colours",
        lambda p: p.colours.total(),
        needs=(),
    )
    yield Metric(
        name="year_final",
        level="program",
        unit="year",
        source=PROPERTIES,
        needs=("time",),
        definition="UTC year in which the final program was run.",
        compute=lambda f: f.years[-1],
    )
    yield Metric(
        name="year_mean",
        level="trace",
        unit="year",
        source=PROPERTIES,
        needs=("time",),
        definition="UTC year in which a program was run: mean over the trace's programs.",
        compute=lambda f: _mean(f.years),
    )


def _backtracking(facts: TraceFacts) -> float:
    away = sum(later > earlier for earlier, later in zip(facts.to_final, facts.to_final[1:], strict=False))
    return away / max(len(facts.edits), 1)


def _traces() -> Iterator[Metric]:
    yield Metric(
        name="attempts",
        level="trace",
        unit="states",
        source=TRACES,
        definition="States of the trace (T).",
        compute=lambda f: len(f.programs),
    )
    yield Metric(
        name="backtracking",
        level="trace",
        unit="share of edits",
        source=TRACES + CORRECTED,
        definition="Goal backtracking: share of the T - 1 edits after which the Levenshtein distance to the final "
        "state is larger than before; 0 for T of at most 2.",
        compute=_backtracking,
    )
    yield Metric(
        name="backtracking_t3",
        level="trace",
        unit="share of edits",
        source=TRACES + CORRECTED,
        definition="Goal backtracking of traces of at least 3 states, as no shorter one can backtrack. Only real "
        "traces are selected so; generated ones are taken whatever their length.",
        generated_from="backtracking",
        compute=lambda f: _backtracking(f) if len(f.programs) >= 3 else None,
    )
    yield from _times()
    yield Metric(
        name="edit_distance_total",
        level="trace",
        unit="characters",
        source=TRACES + CORRECTED,
        definition="Sum of the Levenshtein distances between consecutive states.",
        compute=lambda f: sum(f.steps),
    )
    yield Metric(
        name="edit_distance_mean",
        level="trace",
        unit="characters",
        source=TRACES + CORRECTED,
        definition="Mean Levenshtein distance between consecutive states; 0 for one state.",
        compute=lambda f: sum(f.steps) / max(len(f.steps), 1),
    )


def _times() -> Iterator[Metric]:
    yield Metric(
        name="seconds_total",
        level="trace",
        unit="s",
        source=TRACES,
        needs=("time",),
        definition="Seconds from the first state to the last (negative where a generated clock runs backwards).",
        compute=lambda f: None if f.gaps is None else sum(f.gaps),
    )
    yield Metric(
        name="seconds_mean",
        level="trace",
        unit="s",
        source=TRACES,
        needs=("time",),
        definition="Mean seconds between consecutive states; 0 for one state.",
        compute=lambda f: None if f.gaps is None else sum(f.gaps) / max(len(f.gaps), 1),
    )
    yield Metric(
        name="seconds_active",
        level="trace",
        unit="s",
        source=TRACES,
        needs=("time",),
        definition=f"Seconds between consecutive states, without the gaps of more than {ACTIVE_GAP:.0f} s (breaks) or "
        "less than 0 s.",
        compute=lambda f: None if f.gaps is None else sum(gap for gap in f.gaps if 0 <= gap <= ACTIVE_GAP),
    )


def _kind(
    name: str, text: str, is_one: Callable[[Edit], bool | None], needs: tuple[Need, ...] = ()
) -> Iterator[Metric]:
    """A kind of edit: counted, and as a share of the trace's edits."""

    def count(facts: TraceFacts) -> float | None:
        if "language" in needs and any(program.comments is None for program in facts.programs):
            return None
        return sum(bool(is_one(edit)) for edit in facts.edits)

    def share(facts: TraceFacts) -> float | None:
        found = count(facts)
        return None if found is None else found / max(len(facts.edits), 1)

    yield Metric(
        name=f"{name}_count",
        level="trace",
        unit="edits",
        source=TRACES + CORRECTED,
        needs=needs,
        definition=f"Edits that {text}.",
        compute=count,
    )
    yield Metric(
        name=f"{name}_share",
        level="trace",
        unit="share of edits",
        source=TRACES + CORRECTED,
        needs=needs,
        definition=f"Share of the T - 1 edits that {text}; 0 for T = 1.",
        compute=share,
    )


def _edits() -> Iterator[Metric]:
    yield from _kind("large_add", f"add at least {LARGE} lines", lambda e: e.type == "large_add")
    yield from _kind("large_del", f"delete at least {LARGE} lines, being no large_add", lambda e: e.type == "large_del")
    yield from _kind("small_add", "add lines, being neither of the large ones", lambda e: e.type == "small_add")
    yield from _kind("small_del", "delete lines, being none of the former", lambda e: e.type == "small_del")
    yield from _kind("modify", "neither add nor delete lines", lambda e: e.type == "modify")
    yield from _kind("colour_change", "modify a line in nothing but whole colour words", lambda e: e.colour_change)
    yield from _kind("number_change", "modify a line in nothing but numerals", lambda e: e.number_change)
    yield from _kind("comment_added", "add a comment line", lambda e: e.comment_added, ("language",))
    yield from _kind("function_added", "add a line that defines a function", lambda e: e.function_added, ("language",))
    yield Metric(
        name="lines_added",
        level="trace",
        unit="lines",
        source=TRACES + CORRECTED,
        definition="Lines added, over all edits.",
        compute=lambda f: sum(e.added for e in f.edits),
    )
    yield Metric(
        name="lines_deleted",
        level="trace",
        unit="lines",
        source=TRACES + CORRECTED,
        definition="Lines deleted, over all edits.",
        compute=lambda f: sum(e.deleted for e in f.edits),
    )
    yield Metric(
        name="lines_modified",
        level="trace",
        unit="lines",
        source=TRACES + CORRECTED,
        definition="Lines modified, over all edits.",
        compute=lambda f: sum(e.modified for e in f.edits),
    )


def _mended(facts: TraceFacts) -> float | None:
    after = [later for earlier, later in pairwise(facts.runs) if earlier is False]
    return _mean(after) if after else None


def _execution() -> Iterator[Metric]:
    yield Metric(
        name="runs_final",
        level="program",
        unit="1 or 0",
        source="appendix D" + CORRECTED,
        needs=("verdict",),
        definition="Whether the final program runs (verdict `ok`).",
        compute=lambda f: _mean(f.runs[-1:]),
    )
    yield Metric(
        name="runs_mean",
        level="trace",
        unit="share of programs",
        source="appendix D" + CORRECTED,
        needs=("verdict",),
        definition="Share of the trace's programs that run; unscored unless each has a verdict.",
        compute=lambda f: _mean(f.runs),
    )
    yield Metric(
        name="mended",
        level="trace",
        unit="share of failing programs",
        source="-",
        needs=("verdict",),
        definition="Of the programs that fail, not counting the final one, the share whose next one runs; unscored if "
        "none fails, or a next one has no verdict.",
        compute=_mended,
    )


def _pairs() -> Iterator[Metric]:
    bleu = (
        "each sample against the pair's own real trace: mean over m = 1..4 of BP * exp(mean of log p_1..p_m) on "
        "white-space tokens, unsmoothed, orders longer than both texts left out; mean over samples."
    )
    yield Metric(
        name="bleu_final",
        level="pair",
        unit="BLEU, 0 to 1",
        direction="higher",
        source=MEASURES + CORRECTED,
        definition=f"BLEU of final programs, {bleu}",
    )
    yield Metric(
        name="bleu_trace",
        level="pair",
        unit="BLEU, 0 to 1",
        direction="higher",
        source=MEASURES + CORRECTED,
        definition=f"BLEU of whole traces (their programs joined by newlines, no headers), {bleu}",
    )
    cosine = "colour counts with the samples' mean vector; 0 if one side names no colour, unscored if neither does."
    yield Metric(
        name="colour_cosine",
        level="pair",
        unit="cosine",
        direction="higher",
        source=MEASURES + CORRECTED,
        definition=f"Cosine of the real final program's {cosine}",
    )
    yield Metric(
        name="colour_cosine_trace",
        level="pair",
        unit="cosine",
        direction="higher",
        source=MEASURES + CORRECTED,
        definition=f"Cosine of the real trace's mean {cosine}",
    )
    yield Metric(
        name="self_bleu",
        level="collection",
        unit="BLEU, 0 to 1",
        source=MEASURES + CORRECTED,
        needs=("samples",),
        definition="BLEU of each of a pair's final programs against the others, mean over samples: high is little "
        "variety. To be compared over equal numbers of samples, beside that of as many real students of the title.",
    )


METRICS: dict[str, Metric] = {
    metric.name: metric for group in (_programs, _traces, _edits, _execution, _pairs) for metric in group()
}
"""Every metric by name, in order of documentation."""

MEASURED: dict[str, Compute] = {name: metric.compute for name, metric in METRICS.items() if metric.compute}
"""The metrics of programs and traces: the columns of `metrics.measure.measure`."""
