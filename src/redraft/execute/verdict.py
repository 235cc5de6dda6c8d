"""What a program did, and what that means.

In: a `Program`; from an engine, its `Outcome` (what happened, in each language that was tried). Out: a `Verdict`, by
one of the `RULES`. An outcome says nothing of success: the same one is judged by every rule that watches for as long.

Not guaranteed: a rule never looks into the program further than a few words (`await`, `forever` ...), as the paper's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from redraft.data.languages import known_language
from redraft.execute.outside import needed

Ended = Literal["done", "timeout", "memory", "crash"]

_CALLBACKS = re.compile(r"->|=>|\bfunction\b|\bawait\b")
_WAITS_FOR_SOMEONE = re.compile(r"\b(?:await|prompt|read|readnum|readstr|button)\b")
_FOREVER, _STOP, _AWAIT, _PROMPT = (re.compile(rf"\b{word}\b") for word in ("forever", "stop", "await", "prompt"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Program:
    """A program to execute."""

    id: str
    """The caller's name for it."""
    code: str
    """Its text; may hold anything, lone surrogates too."""
    language: str | None = None
    """What the log says it is; tried first."""
    title: str | None = None
    """What it answers: the title whose checks it has to pass, if any are asked for."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ErrorRecord:
    """One thing that went wrong while a program ran."""

    kind: str
    """syntax, uncaught, rejection, console, hung, exit, check; timeout, memory, crash; from a rule no-end, language,
    outside, checks."""
    message: str
    """What a student would see."""
    line: int | None = None
    """The student's own line, from 1."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """A program's run in one language."""

    language: str
    end_reached: bool = False
    """Whether the last statement of the program's main part was passed."""
    errors: tuple[ErrorRecord, ...] = ()
    """In order of time, all within the window."""
    ended: Ended = "done"
    """`done`: the window is over; otherwise the program was stopped or its process died."""
    used_assets: bool = False
    """What happened depends on what isn't there: an image from the network, a module or a file."""
    waiting: bool = False
    """It ended at a question to its reader, which nobody answers."""
    passed: bool | None = None
    """Whether its title's checks passed; None: there were none, or it didn't come to them."""
    drawing: Mapping[str, Any] | None = None
    """What was drawn, if that was asked for; as the program's process says, so not to be trusted."""

    @property
    def clean(self) -> bool:
        """Ran to its end without an error."""
        return self.ended == "done" and self.end_reached and not self.errors

    @property
    def parsed(self) -> bool:
        """Whether it is a program in this language at all."""
        return not any(error.kind == "syntax" for error in self.errors)


class Window(NamedTuple):
    """How long a program is watched, in milliseconds of its own time after it was loaded."""

    limit_ms: int
    """Errors after this don't count ..."""
    extra_ms: int
    """... but if END wasn't reached by then, it is watched for this much longer."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """All attempts at a program: its language (CoffeeScript if unknown), then the other unless the first was clean."""

    attempts: tuple[Attempt, ...]
    seconds: float = field(default=0.0, compare=False)
    """How long it took."""

    @property
    def certain(self) -> bool:
        """Whether another run would say the same, so that it may be kept; a busier machine may stop other programs."""
        stopped = any(
            attempt.passed is False and any(error.kind in ("timeout", "crash") for error in attempt.errors)
            for attempt in self.attempts
        )
        return not stopped and all(attempt.ended in ("done", "memory") for attempt in self.attempts)

    @property
    def decisive(self) -> Attempt:
        """The attempt to tell of: the first that parsed, else the first."""
        return next((attempt for attempt in self.attempts if attempt.parsed), self.attempts[0])


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What becomes of a program by a rule."""

    id: str
    verdict: str
    """One of `redraft.data.verdicts.VERDICTS`. `unscored` is missing, not failure."""
    language: str | None
    """The language it ran in; of a failing one, the language its errors are of."""
    end_reached: bool
    errors: tuple[ErrorRecord, ...]
    seconds: float = field(default=0.0, compare=False)
    drawing: Mapping[str, Any] | None = None
    title: str | None = None
    """The title whose checks count in it; None: none do."""

    @property
    def judged(self) -> bool:
        """Whether the engine judges programs of this language at all; if not, another one may."""
        return not any(error.kind == "language" for error in self.errors)


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """When does a program count as running?"""

    summary: str
    window: Callable[[str], Window]
    """How long to watch a program, by its text."""
    passes: Callable[[str, Attempt], bool]
    """Whether an attempt that was neither stopped nor unscored is a success, by text and attempt."""
    checked: bool = False
    """Whether a program has to pass its title's checks, too."""


def languages_to_try(program: Program, known: Sequence[str]) -> tuple[str, ...]:
    """The languages to try a program in, in order; none if its own isn't among the `known`, those that are judged."""
    if program.language is None:
        return tuple(known)
    own = known_language(program.language) or program.language
    if own not in known:
        return ()
    return (own, *(other for other in known if other != own))


def judge(program: Program, outcome: Outcome | None, rule: Rule) -> Verdict:
    """The verdict on a program; `outcome` is None for a language that the engine doesn't judge."""
    if outcome is None:
        return unjudged(program, ErrorRecord(kind="language", message=f"{program.language} isn't executed"))
    attempt = outcome.decisive
    if lack := _lack(program.code, attempt):
        return Verdict(
            id=program.id, verdict="unscored", language=attempt.language, end_reached=attempt.end_reached,
            errors=(lack,), seconds=outcome.seconds, drawing=attempt.drawing,
        )  # fmt: skip
    kinds = [_kind(program.code, attempt, rule) for attempt in outcome.attempts]
    kind = kinds[outcome.attempts.index(attempt)]
    for wanted in ("ok", "unscored"):
        if wanted in kinds:
            kind, attempt = wanted, outcome.attempts[kinds.index(wanted)]
            break
    errors = attempt.errors
    if kind == "error" and not errors:
        errors = (ErrorRecord(kind="no-end", message="the end of the program was never reached"),)
    return Verdict(
        id=program.id,
        verdict=kind,
        language=attempt.language,
        end_reached=attempt.end_reached,
        errors=errors,
        seconds=outcome.seconds,
        drawing=attempt.drawing,
        title=program.title if rule.checked else None,
    )


def _lack(code: str, attempt: Attempt) -> ErrorRecord | None:
    """What a program that parses needs and no log holds."""
    if attempt.ended != "done" or not attempt.parsed:
        return None
    found = needed(code, attempt.language, [(error.message, error.line) for error in attempt.errors])
    return found and ErrorRecord(kind="outside", message=f"needs {found.what}, which no log holds", line=found.line)


def unjudged(program: Program, note: ErrorRecord) -> Verdict:
    """The verdict on a program that isn't run, and why."""
    return Verdict(
        id=program.id, verdict="unscored", language=program.language, end_reached=False, errors=(note,),
        title=program.title,
    )  # fmt: skip


def _kind(code: str, attempt: Attempt, rule: Rule) -> str:
    if attempt.ended != "done":
        return attempt.ended
    if attempt.used_assets:
        return "unscored"
    if attempt.passed is not None:
        return "ok" if attempt.passed else "failed"
    return "ok" if rule.passes(code, attempt) else "error"


def waits(code: str) -> bool:
    """Whether a program may rightly never reach its end: it waits for its reader, or goes on for ever."""
    endless = _FOREVER.search(code) is not None and _STOP.search(code) is None
    return endless or _WAITS_FOR_SOMEONE.search(code) is not None


def _runs(code: str, attempt: Attempt) -> bool:
    return not attempt.errors and (attempt.end_reached or attempt.waiting or waits(code))


def _exempt(code: str) -> bool:
    """Whether a program isn't watched for longer when its end isn't reached."""
    endless = _FOREVER.search(code) is not None and _STOP.search(code) is None
    return endless or _AWAIT.search(code) is not None or _PROMPT.search(code) is not None


def _corrected_window(code: str) -> Window:
    return Window(5_500 if _CALLBACKS.search(code) else 1_500, 0 if _exempt(code) else 25_000)


def _paper_window(code: str) -> Window:
    return Window(5_000, 0 if _exempt(code) else 100_000)


def _released_window(code: str) -> Window:
    # Its pattern for stop() never matches, so that every `forever` counts as endless; `prompt` isn't looked for.
    return Window(5_000, 0 if _FOREVER.search(code) or _AWAIT.search(code) else 100_000)


RULES: dict[str, Rule] = {
    "corrected": Rule(
        summary="no error, and the end reached unless the program waits for its reader",
        window=_corrected_window,
        passes=lambda code, attempt: _runs(code, attempt),
    ),
    "paper": Rule(
        summary="the end reached without an error",
        window=_paper_window,
        passes=lambda code, attempt: attempt.clean,
    ),
    "released": Rule(
        summary="no error; what the paper's released code does",
        window=_released_window,
        passes=lambda code, attempt: not attempt.errors,
    ),
    "tests": Rule(
        summary="as corrected, and the checks of its title pass",
        window=_corrected_window,
        passes=lambda code, attempt: _runs(code, attempt),
        checked=True,
    ),
}
"""Name -> rule."""
DEFAULT_RULE = "corrected"


def to_row(verdict: Verdict) -> dict[str, Any]:
    """A verdict as JSON values: a line of `redraft execute`'s output."""
    return {
        "id": verdict.id,
        "verdict": verdict.verdict,
        "language": verdict.language,
        "end_reached": verdict.end_reached,
        "errors": error_rows(verdict.errors),
        "seconds": round(verdict.seconds, 4),
    }


def error_rows(errors: Sequence[ErrorRecord]) -> list[dict[str, Any]]:
    """Errors as JSON values."""
    return [{"kind": error.kind, "message": error.message, "line": error.line} for error in errors]


def message_seen(verdict: str, messages: Sequence[str]) -> str | None:
    """What the student saw: nothing if the program ran, else the first error's message or the verdict's name.

    Args:
        verdict: One of `redraft.data.verdicts.VERDICTS`.
        messages: Of its errors, in order; empty ones count as none.

    Returns:
        None for `unscored`: that can't be told.
    """
    if verdict == "unscored":
        return None
    return "" if verdict == "ok" else next(filter(None, messages), verdict)
