"""How simulated programs come about, and that traits show in them exactly as far as they should."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Callable
from functools import cache
from itertools import pairwise
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rapidfuzz.distance import Levenshtein

from redraft.data.edits import edit_type, line_edits
from redraft.data.simulate import SimulateConfig, slips
from redraft.data.simulate.assignments import BASE_TITLES, catalogue, class_titles, plans_for
from redraft.data.simulate.classroom import Work
from redraft.data.simulate.draft import Draft, units
from redraft.data.simulate.process import write_program
from redraft.data.simulate.traits import COLOURS, Traits, behaviour, draw_traits
from redraft.data.trace import Trace

SEEDS = st.integers(0, 10**6)
PLANS = [(title, number) for title in BASE_TITLES for number in range(len(plans_for(title)))]
WORDS_OF_THE_LANGUAGE = {"for", "while", "until", "if", "else", "await", "break", "return", "true", "false"}


def filled(title: str, number: int, seed: int = 0) -> list[str]:
    rng = Random(seed)
    return [line.text for line in plans_for(title)[number].fill(rng, behaviour(draw_traits(rng), 1.0))]


def test_there_are_twelve_assignments_and_more_with_three_plans_each() -> None:
    assert class_titles(12) == [
        "square", "star", "rainbow", "snowman", "house", "spiral", "flower", "race", "guessmynumber", "tictactoe",
        "story", "piano",
    ]  # fmt: skip
    assert all(len({plan.code for plan in plans}) >= 3 for plans in catalogue().values())
    assert all(any(p.has_functions for p in plans) and not all(p.has_functions for p in plans)
               for plans in catalogue().values())  # fmt: skip


@pytest.mark.parametrize(("title", "number"), PLANS)
def test_every_plan_looks_like_coffeescript(title: str, number: int) -> None:
    lines = filled(title, number)
    assert lines
    assert "$" not in "".join(lines)
    code = re.sub(r"'[^'\n]*'", "", "\n".join(lines))
    assert "'" not in re.sub(r"#.*", "", code)
    for opening, closing in ("()", "[]", "{}"):
        assert code.count(opening) == code.count(closing)
    indents = [len(line) - len(line.lstrip()) for line in lines]
    assert indents[0] == 0
    assert all(indent % 2 == 0 for indent in indents)
    assert all(after - before <= 2 for before, after in pairwise(indents))
    defined = set(re.findall(r"(\w+) =", code)) | slips.NAMES | WORDS_OF_THE_LANGUAGE
    starts = {match[1] for line in lines if (match := re.match(r"\s*([a-z]\w*) (?![=+])", line))}
    assert starts <= defined, starts - defined


@pytest.mark.parametrize(("title", "number"), PLANS)
def test_units_never_leave_a_block_or_bracket_open(title: str, number: int) -> None:
    draft = Draft()
    lines = filled(title, number)
    groups = units(draft.insert(lines))
    assert [piece.wanted for group in groups for piece in group] == lines
    for group in groups:
        for piece in group:
            piece.show()
        last = draft.code.splitlines()[-1]
        assert not re.search(r"(->|\[)$", last)
        assert not re.match(r"\s*(for|while|until|else)\b|\s*if\b(?!.*then)", last)


@given(SEEDS, st.sampled_from(PLANS))
def test_a_misspelling_is_no_known_name_and_spares_strings_and_comments(seed: int, plan: tuple[str, int]) -> None:
    rng = Random(seed)
    line = rng.choice(filled(*plan, seed))
    wrong = slips.misspell(rng, line)
    if wrong is None:
        return
    assert wrong != line
    assert re.findall(slips.STRING + "|#.*", wrong) == re.findall(slips.STRING + "|#.*", line)
    new = set(re.findall(r"[A-Za-z]\w*", wrong)) - set(re.findall(r"[A-Za-z]\w*", line))
    assert len(new) == 1
    assert not new & slips.TAKEN


@given(SEEDS, st.sampled_from(PLANS))
def test_tuning_changes_one_number_or_colour_and_no_habit(seed: int, plan: tuple[str, int]) -> None:
    rng = Random(seed)
    line = rng.choice(filled(*plan, seed))
    tuned, painted = slips.retune(rng, line), slips.recolour(rng, line, COLOURS)
    if tuned is not None:
        assert not line.startswith(("speed", "pen"))
        assert re.sub(r"\d+", "0", tuned) == re.sub(r"\d+", "0", line)
        assert tuned != line
    if painted is not None:
        (gone,) = [a for a, b in zip(re.findall(r"\w+", line), re.findall(r"\w+", painted), strict=True) if a != b]
        assert gone in COLOURS.values


@given(SEEDS, st.sampled_from(BASE_TITLES))
def test_a_program_changes_from_run_to_run(seed: int, title: str) -> None:
    rng = Random(seed)
    codes = write_program(rng, behaviour(draw_traits(rng), 1.0), title)
    assert all(code.strip() for code in codes)
    assert all(before != after for before, after in pairwise(codes))


# --- Traits show as far as they should: share of a measure's variance that is between students.


@cache
def works(strength: float, redraw: bool) -> tuple[dict[int, Traits], list[Work]]:
    config = SimulateConfig(students=90, titles=12, seed=3, trait_strength=strength, redraw_traits=redraw)
    truth = config.truth()
    return truth.students, list(config.works(truth))


def commented(trace: Trace) -> float:
    return float(any(line.lstrip().startswith("#") for line in trace.final.code.splitlines()))


def log_gap(trace: Trace) -> float:
    gaps = [(b.at - a.at).total_seconds() for a, b in pairwise(trace.states)
            if a.at and b.at]  # fmt: skip
    return float(np.mean(np.log(gaps))) if gaps else math.nan


def speed(trace: Trace) -> float:
    match = re.search(r"^speed (\d+)$", trace.final.code, re.MULTILINE)
    return math.log(int(match[1])) if match else math.nan


def backtracking(trace: Trace) -> float:
    far = [Levenshtein.distance(state.code, trace.final.code) for state in trace.states]
    ups = sum(b > a for a, b in pairwise(far))
    return ups / (len(far) - 1) if len(far) > 2 else math.nan


def functions(trace: Trace) -> float:
    return float("->" in trace.final.code)


def year(trace: Trace) -> float:
    assert trace.states[0].at
    return float(trace.states[0].at.year)


def values_of(measure: Callable[[Trace], float], strength: float, redraw: bool) -> dict[int, list[float]]:
    values = defaultdict(list)
    for work in works(strength, redraw)[1]:
        value = measure(work.trace("s"))
        if not math.isnan(value):
            values[work.number].append(value)
    return values


def between(measure: Callable[[Trace], float], strength: float = 1.0, redraw: bool = False) -> float:
    """Intraclass correlation: 0 if students are alike, 1 if only they differ."""
    groups = [np.array(group) for group in values_of(measure, strength, redraw).values() if len(group) > 1]
    n = np.mean([len(group) for group in groups])
    mean = np.concatenate(groups).mean()
    within = sum(((group - group.mean()) ** 2).sum() for group in groups) / sum(len(group) - 1 for group in groups)
    across = sum(len(group) * (group.mean() - mean) ** 2 for group in groups) / (len(groups) - 1)
    return float((across - within) / (across + (n - 1) * within))


@pytest.mark.parametrize(
    ("measure", "least"),
    [(commented, 0.5), (log_gap, 0.4), (speed, 0.6), (functions, 0.3), (year, 0.99), (backtracking, 0.1)],
)
def test_traits_persist_at_full_strength_and_nowhere_else(measure: Callable[[Trace], float], least: float) -> None:
    assert between(measure) > least
    assert abs(between(measure, strength=0.0)) < 0.08
    assert abs(between(measure, redraw=True)) < 0.08
    assert between(measure, strength=0.5) < between(measure)


@pytest.mark.parametrize(
    ("measure", "trait", "sign"),
    [
        (commented, "comment_rate", 1), (log_gap, "pace", 1), (functions, "function_use", 1), (speed, "speed", 1),
        (backtracking, "backtracking", 1), (lambda trace: float(len(trace.states)), "skill", -1),
    ],
)  # fmt: skip
def test_the_truth_tells_who_does_what(measure: Callable[[Trace], float], trait: str, sign: int) -> None:
    students = works(1.0, False)[0]
    means = {number: np.mean(group) for number, group in values_of(measure, 1.0, False).items()}
    truth = [getattr(students[number], trait) for number in means]
    placebo = [students[number].placebo for number in means]
    assert sign * np.corrcoef(truth, list(means.values()))[0, 1] > 0.4
    assert abs(np.corrcoef(placebo, list(means.values()))[0, 1]) < 0.3


def test_palettes_show() -> None:
    students, done = works(1.0, False)
    own = [colour in students[work.number].palette
           for work in done for colour in re.findall(r"\b[a-z]+\b", work.events[-1].code)
           if colour in COLOURS.values and work.title not in ("rainbow", "snowman", "house", "flower")]  # fmt: skip
    assert np.mean(own) > 0.75


def test_a_class_looks_like_one() -> None:
    traces = [work.trace("s") for work in works(1.0, False)[1]]
    lengths = np.array([len(trace.states) for trace in traces])
    assert 0.45 < np.mean(lengths == 1) < 0.65
    assert 3.5 < lengths.mean() < 6
    assert 8 <= np.median([trace.final.code.count("\n") + 1 for trace in traces]) <= 15
    kinds = [edit_type(line_edits(a.code, b.code)) for trace in traces
             for a, b in pairwise(trace.states)]  # fmt: skip
    shares = {kind: kinds.count(kind) / len(kinds) for kind in set(kinds)}
    assert set(shares) == {"small_add", "modify", "large_add", "small_del", "large_del"}
    assert 0.4 < shares["small_add"] < 0.6
    assert 0.35 < shares["modify"] < 0.55
