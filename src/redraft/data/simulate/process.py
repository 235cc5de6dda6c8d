"""How a program comes about: built up, broken, mended, tuned, turned away from and decorated, run by run.

In: a student's behaviour, a title, a random generator. Out: the programs at each run, consecutive ones different.
Each turn between two runs is one of `TURNS`; how many there are is drawn first, so that the length of traces is
known and the rest fills it. Not guaranteed: that a program is finished, or runs. Some students stop early, some
with an error.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from redraft.data.simulate.assignments import Line, Plan, choose_plan, plans_for
from redraft.data.simulate.draft import Draft, Piece, units
from redraft.data.simulate.slips import recolour, retune, slip
from redraft.data.simulate.traits import Behaviour, Weights

EXTRAS = (
    "fd {n}", "rt {n}", "lt {n}", "bk {n}", "dot {c}, {n}", "box {c}, {n}", "pen {c}, {w}", "label 'hi'",
    "jump {n}, {n}", "wear {c}", "say 'hello'", "write 'done'", "grow 2", "home()", "hide()", "turnto {n}",
    "rt {n}, {n}", "pause 1",
)  # fmt: skip
"""What students add to any program. `{n}` a number, `{c}` a colour, `{w}` the pen's width."""
AGAIN = Weights((0, 1, 2, 3, 5, 9), (0.58, 0.15, 0.11, 0.08, 0.05, 0.03))
"""How often a drawing without functions is drawn again beside or over itself."""
HEADERS = ("# my {title}", "# {title}", "# {title} program", "# this is a {title}")
BATCHES = Weights((1, 2, 3, 4, 6), (0.42, 0.27, 0.16, 0.1, 0.05))
"""How many units are written between two runs."""


@dataclass
class Session:
    """A student at work on one program."""

    rng: Random
    person: Behaviour
    title: str
    draft: Draft = field(default_factory=Draft)
    undo: Callable[[], None] | None = None
    """Takes back what the student tried away from the goal, while it stands."""
    away: int = 0
    """Runs since then."""

    def begin(self, prescribed: Plan | None = None) -> None:
        """Choose a plan and how to decorate it, or take the prescribed one as it is; nothing is written yet."""
        rng, person = self.rng, self.person
        plan = prescribed or choose_plan(rng, person, self.title)
        lines = plan.fill(rng, person)
        for _ in range(AGAIN.draw(rng) if plan.is_drawing and not prescribed else 0):
            lines += [Line(self.extra()), *plan.fill(rng, person)]
        if rng.random() >= person.comments:
            lines = [line for line in lines if not line.remark]
        else:
            lines = [line for line in lines if not line.remark or rng.random() < 0.7]
            lines.insert(0, Line(rng.choice(HEADERS).format(title=self.title), remark=True))
        if rng.random() < 0.75 and not any(line.text.startswith("speed") for line in lines):
            lines.insert(int(lines[0].remark), Line(f"speed {person.speeds.draw(rng)}"))
        pieces = self.draft.insert(line.text for line in lines)
        waiting = units(pieces)
        for unit in [unit for unit in waiting if lines[pieces.index(unit[0])].remark and rng.random() < 0.4]:
            waiting.remove(unit)
            waiting.append(unit)
        if rng.random() < 0.1:
            del waiting[rng.randrange(len(waiting)) + 1 :]
        self.draft.waiting = waiting

    def write(self, count: int) -> None:
        """Write the next `count` units, with slips and numbers that aren't right yet."""
        rng = self.rng
        for unit in self.draft.waiting[:count]:
            for piece in unit:
                wrong = slip(rng, piece.wanted) if rng.random() < self.person.error else None
                off = self.vary(piece.wanted) if wrong is None and rng.random() < 0.1 else None
                piece.show(wrong or off, fails=wrong is not None)
        del self.draft.waiting[:count]

    def vary(self, text: str) -> str | None:
        """The line with another number or another of the student's colours."""
        if self.rng.random() < 0.35:
            return recolour(self.rng, text, self.person.colours) or retune(self.rng, text)
        return retune(self.rng, text)

    def extra(self) -> str:
        """A line that goes with any program."""
        return self.rng.choice(EXTRAS).format(
            n=self.rng.randrange(20, 160, 10), c=self.person.colours.draw(self.rng), w=self.person.pens.draw(self.rng)
        )

    def failing(self) -> list[Piece]:
        """Lines that stop the program."""
        return [piece for piece in self.draft.pieces if piece.shown and piece.fails]


def build(session: Session) -> None:
    """Add the next few lines of the plan, or, when it is written, something more."""
    if not session.draft.waiting:
        session.draft.waiting = units(session.draft.insert(session.extra() for _ in range(session.rng.randint(1, 2))))
    session.write(BATCHES.draw(session.rng))


def mend(session: Session) -> None:
    """Correct a failing line, or try in vain."""
    piece = session.rng.choice(session.failing())
    if session.rng.random() < session.person.mend:
        piece.show()
    else:
        piece.text = slip(session.rng, piece.wanted) or piece.wanted
        piece.fails = piece.text != piece.wanted


def tune(session: Session) -> None:
    """Correct a number or colour that isn't as wanted, or want another one."""
    off = [piece for piece in session.draft.shown if piece.text != piece.wanted and not piece.fails]
    if off:
        piece = session.rng.choice(off)
        tried = session.vary(piece.text) if session.rng.random() > session.person.settle else None
        piece.show(tried)
        return
    for piece in session.rng.sample(session.draft.shown, len(session.draft.shown)):
        new = None if piece.fails else session.vary(piece.wanted)
        if new is not None:
            piece.wanted = new
            piece.show()
            return


def detour(session: Session) -> None:
    """Change lines that were right; to be taken back."""
    right = [piece for piece in session.draft.shown if piece.text == piece.wanted]
    changed = []
    for piece in session.rng.sample(right, min(len(right), session.rng.randint(1, 3))):
        new = session.vary(piece.wanted)
        if new is not None:
            piece.text = new
            changed.append(piece)

    def back() -> None:
        for piece in changed:
            piece.text = piece.wanted

    session.undo = back if changed else None


def try_lines(session: Session) -> None:
    """Add lines that don't belong; to be taken out again."""
    new = session.draft.insert(session.extra() for _ in range(session.rng.randint(1, 4)))
    for piece in new:
        piece.show()

    def back() -> None:
        for piece in new:
            piece.shown = False

    session.undo = back


def take_out(session: Session) -> None:
    """Delete the last lines, few or many; to be written again."""
    shown = session.draft.shown
    gone = shown[-session.rng.choice((1, 1, 2, 3, 8)) :][: len(shown) - 1]

    def back() -> None:
        for piece in gone:
            piece.shown = True

    for piece in gone:
        piece.shown = False
    session.undo = back if gone else None


def other_plan(session: Session) -> None:
    """Write the end of the program by another plan; to be taken back, or kept."""
    rng, draft = session.rng, session.draft
    lines = [line.text for line in rng.choice(plans_for(session.title)).fill(rng, session.person) if not line.remark]
    gone = [piece for group in units(draft.shown)[1:] for piece in group]
    gone = gone[-rng.randint(1, 6) :]
    new = draft.insert(lines[: len(gone) + rng.randint(0, 2)], draft.pieces.index(gone[0]) if gone else None)

    def swap(out: list[Piece], back_in: list[Piece]) -> None:
        for piece in out:
            piece.shown = False
        for piece in back_in:
            piece.shown = True

    for piece in new:
        piece.show()
    swap(gone, [])
    if rng.random() < 0.75:
        session.undo = lambda: swap(new, gone)


WANDERINGS = Weights((detour, try_lines, take_out, other_plan), (6, 1.2, 1.2, 1.6))
"""The ways to turn away from the goal."""


def turn(session: Session, left: int) -> None:
    """What the student does before the next run; `left` runs are to come, this one included."""
    rng = session.rng
    if session.undo is not None:
        session.away += 1
        if left <= 2 or rng.random() < 0.6 * session.away:
            session.undo()
            session.undo, session.away = None, 0
            return
    elif left > 1 and rng.random() < session.person.backtracking:
        WANDERINGS.draw(rng)(session)
        return
    if session.failing() and rng.random() < 0.85:
        mend(session)
    elif rng.random() < 0.7:
        build(session)
    else:
        tune(session)


def write_program(rng: Random, person: Behaviour, title: str) -> list[str]:
    """The programs of one trace, at least one, consecutive ones different."""
    session = Session(rng, person, title)
    session.begin()
    turns = 0 if rng.random() < person.once else 1 + int(rng.expovariate(1 / person.stamina))
    ahead = round(turns * 0.7)
    session.write(max(rng.randint(1, 5), len(session.draft.waiting) - ahead))
    if turns == 0 and rng.random() < 0.4:
        for piece in session.failing():
            piece.show()
    codes = [session.draft.code]
    left = turns
    while left > 0:
        turn(session, left)
        if session.draft.code != codes[-1]:
            codes.append(session.draft.code)
        left -= 1
        if left == 0 and session.failing() and rng.random() < 0.2 + 0.5 * person.mend:
            left = 1
    return codes
