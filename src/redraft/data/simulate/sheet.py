"""What an assignment's sheet prescribes, and how a program becomes what it says.

Some assignments are free: the program is the student's own in everything. Others are set: their sheet names the plan,
the colours, the pen's width, the turtle's speed, and whether there are comments. Students first try it their own way,
and then, some or all of them (`SimulateConfig.drafts_tell`), make it as the sheet says before the last run. Their
drafts tell who they are, and their final programs don't. That is the class in which traces teach more about a
student's final programs, of free assignments, than final programs do.

In: the class's seed, a title, a student's behaviour. Out: programs. A sheet is the same for the whole class. Slips
remain the student's own.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from random import Random
from typing import NamedTuple

from redraft.data.simulate.assignments import Plan, plans_for
from redraft.data.simulate.process import Session, mend
from redraft.data.simulate.traits import COLOURS, PENS, SPEEDS, Behaviour, Weights

COMMENTED = 0.3
"""Share of sheets that ask for comments."""
MENDED = 0.7
"""Chance that a failing program is looked at once more before the student is done."""


class Sheet(NamedTuple):
    """What is prescribed."""

    plan: Plan
    colours: tuple[str, ...]
    pen: int
    speed: int
    comments: bool

    def says(self, person: Behaviour) -> Behaviour:
        """A student who does all of it."""
        return replace(
            person,
            colours=Weights(self.colours, (1.0,) * len(self.colours)),
            pens=Weights((self.pen,), (1.0,)),
            speeds=Weights((self.speed,), (1.0,)),
            comments=float(self.comments),
        )


@lru_cache
def sheet_of(seed: int, title: str) -> Sheet:
    """The sheet of a title in the class of this seed."""
    rng = Random(f"{seed} sheet {title}")
    colours: list[str] = []
    while len(colours) < 3:
        colours.append(COLOURS.draw(rng, avoid=colours))
    return Sheet(
        plan=rng.choice(plans_for(title)), colours=tuple(colours), pen=PENS.draw(rng), speed=SPEEDS.draw(rng),
        comments=rng.random() < COMMENTED,
    )  # fmt: skip


def follow(sheet: Sheet, rng: Random, person: Behaviour, title: str, *, after: str) -> list[str]:
    """The programs of a student who makes it as the sheet says, at least one; `after` is the one before."""
    session = Session(rng, sheet.says(person), title)
    codes: list[str] = []
    while not codes or codes[0] == after:  # an own way that came out as the sheet's, by chance
        session.draft.pieces.clear()
        session.begin(sheet.plan)
        session.write(len(session.draft.waiting))
        for piece in session.draft.shown:
            if not piece.fails:
                piece.show()  # numbers are the sheet's, too: nothing is left to be tuned
        codes = [session.draft.code]
    while session.failing() and rng.random() < MENDED:
        mend(session)
        if session.draft.code != codes[-1]:
            codes.append(session.draft.code)
    return codes
