"""Help for one failing program: edit sequences that end in a running one, the nearest to the student's own work first.

In: a model, the drafts so far, whose they are. Out: `Suggestions`. The model draws continuations, simple rules propose
programs of their own; every program is run in the sandbox; only sequences that end in a running program are ranked
(`rank` has the objective), the rules' like the model's, which says of all of them how likely they are for the student.
Each says whose it is. No other student's program is proposed. The same arguments give the same suggestions. A student
the model has not met is read as the unknown student.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from redraft.data.languages import labels
from redraft.data.trace import State
from redraft.errors import InputError
from redraft.execute.registry import ENGINES
from redraft.lm.checkpoint import Model
from redraft.lm.continuation import Continuation, edit_bits, go_on, prefix_of
from redraft.lm.neural_cache.store import NeuralCache
from redraft.lm.settings import SampleConfig
from redraft.progress import bar
from redraft.rundir import sha256_json
from redraft.studies.common.running import Code, Runner, runs
from redraft.studies.recover.baselines import Knowledge, proposals
from redraft.studies.recover.drafts import Around
from redraft.studies.recover.names import blamed
from redraft.studies.recover.problem import Problem
from redraft.studies.recover.rank import Ranked, paths, ranked
from redraft.studies.recover.settings import SuggestConfig
from redraft.studies.recover.style import Style
from redraft.studies.recover.wording import changes, diff, kinds


@dataclass(frozen=True, kw_only=True)
class Suggestions:
    """What there is to suggest."""

    problem: Problem
    """The failing program."""
    known: bool
    """Whether the model has met the student."""
    dropped: int
    """Oldest drafts that didn't fit into the model's context."""
    drawn: int
    """Continuations."""
    reached: int
    """Those among them that hold a running program."""
    found: tuple[Ranked, ...]
    """Edit sequences, best first; each ends in a running program."""

    def of_rules(self, one: Ranked) -> bool:
        """Whether a sequence is a rule's, not the model's; what both propose counts as the model's."""
        return one.path.candidate >= self.drawn

    def to_json(self, shown: int | None = None) -> dict[str, Any]:
        """As JSON values, the first `shown` sequences."""
        code = self.problem.failing.code
        language = self.problem.failing.language
        return {
            "title": self.problem.title,
            "student_known": self.known,
            "drafts_left_out": self.dropped,
            "verdict": self.problem.verdict.verdict,
            "errors": [{"message": e.message, "line": e.line} for e in self.problem.verdict.errors],
            "drawn": self.drawn,
            "reached_a_running_program": self.reached,
            "suggestions": [
                {"by": "rules" if self.of_rules(one) else "model", **_json(code, one, language)}
                for one in self.found[:shown]
            ],
        }


def suggest(
    model: Model, states: Sequence[State], *, title: str, student: str | None, runner: Runner,
    around: Around | None = None, config: SuggestConfig | None = None, cache: NeuralCache | None = None,
) -> Suggestions | None:  # fmt: skip
    """Suggest how to mend the last of some drafts; None if it runs as it is.

    Args:
        model: Draws continuations, and says how likely edits are for the student.
        states: The drafts, the oldest first.
        title: Of the assignment.
        student: Whose they are (keyed hash); None, or a student the model has not met: the unknown student.
        runner: Runs programs in the sandbox.
        around: What is known besides.
        config: Numbers, temperature, weights.
        cache: What students wrote before: the student's own work before these drafts is mixed in.

    Raises:
        InputError: Whether the program runs can't be told, or it is too long for the model.
    """
    config, around = config or SuggestConfig(), around or Around()
    problem = _problem(states, title, student, runner)
    if problem is None:
        return None
    failing, language = problem.failing, problem.failing.language
    own = (*(state.code for state in states), *around.own)
    style = Style.of(around.reference, language) if len(around.reference) > 1 else None
    later = None if failing.at is None else failing.at.replace(microsecond=0) + timedelta(seconds=int(config.seconds))
    free, begun = (prefix_of(model, title, problem.states, later, place) for place in (None, blamed(problem)))
    case = sha256_json([title, student, [state.code for state in states]])[:16]
    past = cache.past(student, title, states[0].at) if cache and student is not None else None
    wanted = [
        Continuation(begun if number < config.blamed * config.candidates else free, student, case, number, past)
        for number in range(config.candidates)
    ]
    with bar("drawing", config.candidates) as watcher:
        drawn = go_on(model, wanted, _sampling(config), watcher.advance)
    ways = [one.states for one in drawn]
    ways += [(replace(failing, code=code, at=later),) for code in _of_rules(problem, around, runner, config)]
    wanted += [Continuation(free, student, case, past=past)] * (len(ways) - len(wanted))
    codes = [tuple(state.code for state in states) for states in ways]
    runner.verdicts(Code(code, language) for each in codes for code in each)

    def ran(code: str) -> bool | None:
        return runner.run([code], language)[0]

    found = paths(failing.code, codes, ran)
    style = style or Style.of([*own, *dict.fromkeys(path.end for path in found)], language)
    chosen = sorted({path.candidate for path in found})
    bits = dict(zip(chosen, edit_bits(model, [wanted[i] for i in chosen], [ways[i] for i in chosen]), strict=True))
    order = ranked(
        failing.code, found, config.rank,
        style=lambda code: style.distance(code, own, language),
        bits=lambda path: bits[path.candidate][len(path.codes) - 1],
    )  # fmt: skip
    return Suggestions(
        problem=problem, known=student is not None and student in model.students, dropped=begun.dropped,
        drawn=len(drawn), reached=sum(any(ran(code) and code.strip() for code in each) for each in codes[: len(drawn)]),
        found=tuple(order),
    )  # fmt: skip


def _problem(states: Sequence[State], title: str, student: str | None, runner: Runner) -> Problem | None:
    """What is to be mended; None if the last draft runs.

    Raises:
        InputError: There is no draft, or whether it runs can't be told.
    """
    if not states:
        raise InputError("there are no drafts.", remedy="Give at least the program that fails.")
    verdicts = runner.verdicts(Code(state.code, state.language) for state in states)
    last = runs(verdicts[-1])
    if last is None:
        why = "; ".join(error.message for error in verdicts[-1].errors) or "what it shows depends on missing images"
        raise InputError(
            f"whether the last program runs can't be told ({why}).",
            remedy=f"Suggestions need programs that the engine judges, in {labels(runner.languages)}."
            + _others(states[-1]),
        )
    if last:
        return None
    return Problem(
        student=student, title=title, states=tuple(states), runs=tuple(runs(v) for v in verdicts), verdict=verdicts[-1]
    )


def _others(state: State) -> str:
    """Which engines judge a draft's language, for a remedy."""
    able = [name for name, entry in ENGINES.items() if state.language in entry.languages]
    return f" For this one take --engine {' or '.join(able)}." if able else ""


def _sampling(config: SuggestConfig) -> SampleConfig:
    return SampleConfig(
        per_pair=1, top_p=config.top_p, temperature=config.temperature, rounds=config.rounds, seed=config.seed
    )


def _of_rules(problem: Problem, around: Around, runner: Runner, config: SuggestConfig) -> list[str]:
    if not config.rules:
        return []
    return proposals("rules", problem, Knowledge(runner=runner, programs=around.programs), config.rules)


def _json(failing: str, one: Ranked, language: str | None) -> dict[str, Any]:
    before = (failing, *one.path.codes)
    return {
        "cost": round(one.cost, 6),
        "parts": {name: round(part, 6) for name, part in one.parts.items()},
        "characters_typed": one.typed,
        "lines_kept": round(one.kept, 4),
        "style_distance": None if one.style is None else round(one.style, 4),
        "bits": None if one.bits is None else round(one.bits, 3),
        "edits": [
            {"changes": changes(old, new), "kinds": kinds(old, new, language), "diff": diff(old, new), "program": new}
            for old, new in zip(before, one.path.codes, strict=False)
        ],
    }


def to_text(made: Suggestions, shown: int) -> list[str]:
    """Suggestions as lines for a person."""
    problem = made.problem
    errors = problem.verdict.errors
    where = f" at line {errors[0].line}" if errors and errors[0].line else ""
    said = [f"The program fails{where}: {errors[0].message if errors else problem.verdict.verdict}."]
    if not made.known:
        said.append("The model has not met this student: it goes on as for a student unknown to it.")
    if made.dropped:
        said.append(f"The {made.dropped} oldest drafts don't fit into the model's context and were left out.")
    reach = f"{made.drawn} continuations drawn, {made.reached} of them reach a running program"
    if not made.found:
        return [*said, f"Nothing found: {reach}, and so does nothing that simple rules propose."]
    said.append(f"{reach}. The best {min(shown, len(made.found))} of {len(made.found)} programs, the rules' included:")
    for number, one in enumerate(made.found[:shown], 1):
        whose = "By a simple rule: " if made.of_rules(one) else ""
        said += ["", f"{number}. {whose}{_summary(one)}", *_steps(problem, one)]
    return said


def _summary(one: Ranked) -> str:
    n = len(one.path.codes)
    typing = f"{one.typed} character{'s' * (one.typed != 1)} typed or deleted"
    parts = [f"{n} edit{'s' * (n != 1)}", typing, f"keeps {one.kept:.0%} of the lines"]
    if one.style is not None:
        parts.append(f"style distance {one.style:.2f}")
    if one.bits is not None:
        parts.append(f"{one.bits:.1f} bits")
    return ", ".join(parts) + f" (cost {one.cost:.3f})"


def _steps(problem: Problem, one: Ranked) -> list[str]:
    said, old = [], problem.failing.code
    for number, new in enumerate(one.path.codes, 1):
        words = [*changes(old, new), *kinds(old, new, problem.failing.language)]
        said.append(f"   Edit {number}: {'; '.join(words) or 'nothing changes'}.")
        said += [f"      {line}" for line in diff(old, new)]
        old = new
    return said
