"""Set assignments whose drafts tell what final programs don't, and the observer that says how much there is to find."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from functools import cache
from itertools import groupby
from random import Random

import numpy as np
import pytest

from redraft.data.simulate import SimulateConfig, simulated_traces
from redraft.data.simulate.assignments import BASE_TITLES, FREE, is_free, plans_for
from redraft.data.simulate.classroom import Work
from redraft.data.simulate.observer import (
    Observer,
    Seen,
    aspects,
    colours_in,
    has_comments,
    headroom,
    traits_by,
)
from redraft.data.simulate.sheet import sheet_of
from redraft.data.simulate.traits import Traits
from redraft.errors import UsageError

SEED = 3


@cache
def a_class(drafts_tell: float, *, redraw: bool = False) -> tuple[SimulateConfig, dict[int, Traits], list[Work]]:
    config = SimulateConfig(students=80, titles=24, seed=SEED, drafts_tell=drafts_tell, redraw_traits=redraw)
    truth = config.truth()
    return config, truth.students, list(config.works(truth))


@cache
def found(drafts_tell: float, *, redraw: bool = False) -> dict[str, tuple[float, float, float]]:
    """Aspect -> bits from nothing, from final programs, from drafts."""
    config, _, works = a_class(drafts_tell, redraw=redraw)
    seen: dict[int, list[Seen]] = defaultdict(list)
    for work in works:
        seen[work.number].append(config.seen(work.title, work.codes))
    rows = headroom(seen.values(), Observer(config.trait_strength, redraw=redraw))
    return {name: (row.nothing, row.finals, row.drafts) for name, row in rows.items()}


def programs(work: Work) -> list[str]:
    """What was run, each once where it was run twice in a row."""
    return [code for code, _ in groupby(work.codes)]


def test_where_drafts_tell_nothing_more_the_class_is_that_of_the_version_before() -> None:
    digest = hashlib.sha256()
    for trace in simulated_traces(SimulateConfig(students=10, titles=16, seed=4)):
        digest.update(json.dumps([trace.student, trace.title, [[str(s.at), s.code] for s in trace.states]]).encode())
    assert digest.hexdigest()[:16] == "a8333143f98db446"  # by version 1 of the simulation


def test_free_assignments_are_the_same_whether_drafts_tell_or_not() -> None:
    plain, telling = ([work for work in a_class(h)[2] if is_free(work.title)] for h in (0.0, 1.0))
    assert plain
    assert telling == plain


def test_students_first_do_set_assignments_as_they_would_have_and_then_as_the_sheet_says() -> None:
    plain, telling = ([work for work in a_class(h)[2] if not is_free(work.title)] for h in (0.0, 1.0))
    assert len(plain) == len(telling)
    for before, after in zip(map(programs, plain), map(programs, telling), strict=True):
        assert after[: len(before)] == before
        assert len(after) > len(before)
    half = [work for work in a_class(0.5)[2] if not is_free(work.title)]
    longer = [len(programs(b)) > len(programs(a)) for a, b in zip(plain, half, strict=True)]
    assert 0.4 < np.mean(longer) < 0.6


def test_the_students_choices_show_in_the_drafts_and_not_in_the_final_program() -> None:
    _, students, works = a_class(1.0)
    own: dict[str, list[bool]] = {"drafts": [], "final": []}
    as_said: list[bool] = []
    for work in works:
        if is_free(work.title):
            continue
        sheet = sheet_of(SEED, work.title)
        named = {colour for plan in plans_for(work.title) for colour in colours_in(plan.code)}
        for part, code in (("drafts", work.codes[0]), ("final", work.codes[-1])):
            shown = set(colours_in(code)) - named
            own[part] += [colour in students[work.number].palette for colour in shown]
        as_said += [colour in sheet.colours for colour in set(colours_in(work.codes[-1])) - named]
        assert sheet.comments or not has_comments(work.codes[-1])
        assert ("->" in work.codes[-1]) <= sheet.plan.has_functions
    assert all(as_said)
    assert np.mean(own["drafts"]) > 0.8
    assert np.mean(own["final"]) < 0.4


def test_a_sheet_is_the_whole_class_s_and_another_class_has_another() -> None:
    assert sheet_of(1, "square") == sheet_of(1, "square")
    assert len({sheet_of(seed, "square").colours for seed in range(20)}) > 10


@pytest.mark.parametrize("aspect", aspects())
def test_drafts_tell_more_than_final_programs_where_they_should_and_nowhere_else(aspect: str) -> None:
    nothing, finals, drafts = found(1.0)[aspect]
    assert finals == pytest.approx(nothing, abs=0.02)
    assert drafts < 0.75 * nothing
    half = found(0.5)[aspect]
    assert drafts < half[1] + 0.02
    assert half[1] < nothing
    nothing, finals, drafts = found(0.0)[aspect]
    assert finals == pytest.approx(drafts, abs=0.1)
    assert drafts < 0.75 * nothing


def test_nothing_can_be_told_of_students_who_are_others_each_time() -> None:
    assert all(nothing == finals == drafts for nothing, finals, drafts in found(1.0, redraw=True).values())


def test_the_observer_comes_to_believe_in_the_student() -> None:
    config, students, works = a_class(0.0)
    observer = Observer(1.0)
    right = 0
    for number, traits in students.items():
        seen = [config.seen(work.title, work.codes).drafts for work in works if work.number == number]
        beliefs = observer.beliefs(seen)
        assert all(belief.sum() == pytest.approx(1) for belief in beliefs.values())
        guess = traits_by(beliefs, Random(0))
        right += guess.speed == traits.speed
        assert 0 < guess.function_use < 1
    assert right > 0.8 * len(students)


def test_half_of_the_assignments_are_free_and_each_kind_has_several_drawings() -> None:
    assert len(BASE_TITLES) == 24
    assert len(FREE) == 12
    assert all(any("$c1" in plan.code for plan in plans_for(title)) for title in FREE)


@pytest.mark.parametrize("wrong", [-0.1, 1.1])
def test_a_chance_outside_0_to_1_is_refused(wrong: float) -> None:
    with pytest.raises(UsageError, match="from 0 to 1"):
        SimulateConfig(drafts_tell=wrong).truth()
