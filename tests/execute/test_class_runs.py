"""The programs of a simulated class run: every plan as a whole, and while it is being written."""

from __future__ import annotations

from random import Random

import pytest

from redraft.data.simulate.assignments import BASE_TITLES, plans_for
from redraft.data.simulate.draft import Draft, units
from redraft.data.simulate.traits import behaviour, draw_traits
from redraft.execute.engine import EngineOptions, execute
from redraft.execute.v8.engine import V8
from redraft.execute.verdict import Program


def steps(title: str, number: int, seed: int) -> list[str]:
    """The program of a plan after every third unit of what a student writes at once, and as a whole."""
    rng, draft, codes = Random(seed), Draft(), []
    lines = plans_for(title)[number].fill(rng, behaviour(draw_traits(rng), 1.0))
    for unit in units(draft.insert(line.text for line in lines)):
        for piece in unit:
            piece.show()
        codes.append(draft.code)
    return codes[::-3]


@pytest.fixture(scope="module")
def failing() -> dict[str, str]:
    """Program -> what went wrong, of all plans."""
    programs = [
        Program(id=f"{title}, plan {number}, step {step}", code=code, language="coffeescript")
        for title in BASE_TITLES
        for number in range(len(plans_for(title)))
        for step, code in enumerate(steps(title, number, seed=number))
    ]
    assert len(programs) > 350
    with V8(EngineOptions(workers=2)) as engine:
        return {
            verdict.id: f"{verdict.verdict}: {verdict.errors[:1]}"
            for verdict in execute(programs, engine)
            if verdict.verdict != "ok"
        }


@pytest.mark.parametrize("title", BASE_TITLES)
def test_every_plan_runs_as_a_whole_and_while_it_is_written(failing: dict[str, str], title: str) -> None:
    assert not {name: what for name, what in failing.items() if name.startswith(f"{title},")}
