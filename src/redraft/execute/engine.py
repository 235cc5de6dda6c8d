"""Engines, and programs in, verdicts out: in order, each distinct program once, with what is known already taken over.

In: programs; the name of an engine and a rule; a cache or None. Out: verdicts in the programs' order. An `Engine` runs
jobs and reports each as it is finished, in any order; which order is right, what is cached and what a result means is
decided here.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from pkgutil import resolve_name
from typing import NamedTuple, Protocol

from redraft.errors import RedraftError, UsageError, suggestion
from redraft.execute.cache import Cache
from redraft.execute.checks import Checks, read_checks
from redraft.execute.registry import ENGINES
from redraft.execute.verdict import (
    DEFAULT_RULE,
    RULES,
    ErrorRecord,
    Outcome,
    Program,
    Rule,
    Verdict,
    Window,
    judge,
    languages_to_try,
    message_seen,
    unjudged,
)

CHUNK = 4096
"""Programs looked up, run and judged together; memory is bounded by one chunk."""
NO_CHECKS = ErrorRecord(kind="checks", message="there are no checks for its title")


@dataclass(frozen=True, kw_only=True)
class EngineOptions:
    """What every engine is made with; an engine ignores what doesn't concern it."""

    workers: int = 2
    """Programs that run at the same time."""
    seed: int = 0
    """Of the programs' random numbers."""
    drawing: bool = False
    """Bring back what was drawn."""
    browser: Path | None = None
    """The Chromium to use; None: one found on this system."""
    script: str | None = None
    """Path or address of the runtime's script for pages; `own`: ours."""
    allow_network: bool = False
    """Whether pages may load what programs ask for."""
    strict: bool = False
    """Refuse to run programs where this system lacks a part of the engine's isolation."""


class Wall(NamedTuple):
    """A part of what stands between programs and this system."""

    name: str
    words: str
    """What stands, in words."""
    problem: str
    """Why it doesn't; empty if it does."""


class Job(NamedTuple):
    """A program to run."""

    number: int
    """Given back with the outcome."""
    code: str
    languages: tuple[str, ...]
    """To try in this order; the second only if the first attempt isn't clean."""
    window: Window
    tests: str | None = None
    """The checks of its title, which it has to pass."""


class Done(NamedTuple):
    """A job that is finished."""

    number: int
    outcome: Outcome


class Engine(Protocol):
    """Runs programs. A context manager: its processes live inside."""

    @property
    def version(self) -> str:
        """Everything its outcomes depend on beside program and window, as a short text."""

    @property
    def languages(self) -> tuple[str, ...]:
        """Those that it judges; a program whose language isn't recorded is tried in each, in this order."""

    def run(self, jobs: Sequence[Job]) -> Iterator[Done]:
        """Run jobs; yields every one exactly once, as it is finished. May be called again and again."""


class EngineFactory(Protocol):
    """Makes an engine."""

    def __call__(self, options: EngineOptions) -> AbstractContextManager[Engine]:
        """An engine of these options, to be entered."""


def make_engine(name: str, options: EngineOptions) -> AbstractContextManager[Engine]:
    """The engine called `name`, to be entered.

    Raises:
        UsageError: There is none of this name.
    """
    if name not in ENGINES:
        raise UsageError(f"no engine is called {name!r}.", where="--engine", remedy=suggestion(name, ENGINES))
    factory: EngineFactory = resolve_name(ENGINES[name].factory)
    return factory(options)


def isolation(name: str) -> list[Wall]:
    """What stands between the programs of the engine called `name` and this system, as the engine finds it.

    Raises:
        UsageError: The engine doesn't know.
        RedraftError: It can't be asked here.
    """
    where = ENGINES[name].isolation
    if where is None:
        told = " ".join(other for other, entry in ENGINES.items() if entry.isolation)
        raise UsageError(
            f"the engine {name} can't tell what stands between programs and this system.",
            where="--isolation",
            remedy=f"Take one that can: {told}.",
        )
    found: list[Wall] = resolve_name(where)()
    return found


def refuse_lacking(name: str, walls: Sequence[Wall]) -> None:
    """Refuse an isolation that lacks something.

    Raises:
        RedraftError: It does; all is named.
    """
    lacking = [f"{wall.name} ({wall.problem})" for wall in walls if wall.problem]
    if lacking:
        raise RedraftError(
            f"this system lacks parts of the isolation: {'; '.join(lacking)}.",
            where=f"the engine {name}",
            remedy="Run it on a Linux that has them, or without `--isolation strict`.",
        )


def checks_for(name: str, rule: str, folder: Path | None) -> Checks | None:
    """The checks that programs have to pass by a rule; None if it asks for none.

    Args:
        name: The engine's.
        rule: The rule's.
        folder: Holds a file of checks per title.

    Raises:
        UsageError: The rule asks for checks and there are none, or the other way round, or the engine runs none.
        InputError: They can't be read.
    """
    if not rule_named(rule).checked:
        if folder is not None:
            raise UsageError(f"the rule {rule} asks for no checks.", where="--tests", remedy="Leave one of them out.")
        return None
    if folder is None:
        raise UsageError("the rule tests needs checks.", where="--rule", remedy="Name their folder: --tests FOLDER.")
    if not ENGINES[name].checks:
        able = " ".join(other for other, entry in ENGINES.items() if entry.checks)
        raise UsageError(f"the engine {name} runs no checks.", where="--tests", remedy=f"Take one that does: {able}.")
    return read_checks(folder)


def rule_named(name: str) -> Rule:
    """The rule called `name`.

    Raises:
        UsageError: There is none.
    """
    if name not in RULES:
        raise UsageError(f"no rule is called {name!r}.", where="--rule", remedy=suggestion(name, RULES))
    return RULES[name]


def execute(
    programs: Iterable[Program], engine: Engine, *, rule: Rule = RULES[DEFAULT_RULE], cache: Cache | None = None,
    checks: Checks | None = None,
) -> Iterator[Verdict]:  # fmt: skip
    """The verdict on each program, in order.

    Args:
        programs: Any number; read a chunk at a time.
        engine: An engine that was entered.
        rule: What counts as running.
        cache: Outcomes known already are taken from it, new ones kept in it as they come.
        checks: What programs have to pass, by their titles; for a rule that asks for it.

    Raises:
        UsageError: The rule asks for checks and there are none, or the other way round.
    """
    if rule.checked != (checks is not None):
        raise UsageError("the rule tests needs checks, and no other takes any.", remedy="Give both or none.")
    source = iter(programs)
    while chunk := list(islice(source, CHUNK)):
        yield from _execute_chunk(chunk, engine, rule, cache, checks)


def what_students_see(
    engine: Engine, language: str | None, cache: Cache | None = None
) -> Callable[[Sequence[str]], list[str | None]]:
    """A function from programs of one language to what their student would see of each (`message_seen`)."""

    def tell(codes: Sequence[str]) -> list[str | None]:
        programs = (Program(id=str(number), code=code, language=language) for number, code in enumerate(codes))
        verdicts = execute(programs, engine, cache=cache)
        return [message_seen(verdict.verdict, [error.message for error in verdict.errors]) for verdict in verdicts]

    return tell


def outcome_key(engine: str, window: Window, order: Sequence[str], code: str, tests: str | None = None) -> bytes:
    """What an outcome is kept under: a hash of everything it depends on."""
    depends = [engine, list(window), list(order), *([] if tests is None else [tests])]
    text = json.dumps(depends) + "\0" + code
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def _execute_chunk(
    chunk: list[Program], engine: Engine, rule: Rule, cache: Cache | None, checks: Checks | None
) -> Iterator[Verdict]:
    version, keys, jobs = engine.version, list[bytes | None](), dict[bytes, Job]()
    for number, program in enumerate(chunk):
        order = languages_to_try(program, engine.languages)
        tests = checks.of(program.title) if checks else None
        if not order or (checks and tests is None):
            keys.append(None)
            continue
        window = rule.window(program.code)
        key = outcome_key(version, window, order, program.code, tests)
        keys.append(key)
        jobs.setdefault(key, Job(number, program.code, order, window, tests))
    known = cache.find(list(jobs)) if cache else {}
    missing = [job for key, job in jobs.items() if key not in known]
    results, at = _results(missing, engine, keys, cache), 0
    while at < len(chunk):
        # Judge as far as the order allows; for what isn't known yet, wait for the engine.
        wanted = keys[at]
        if wanted is not None and wanted not in known:
            found, outcome = next(results)
            known[found] = outcome
            continue
        if wanted is None and checks and languages_to_try(chunk[at], engine.languages):
            yield unjudged(chunk[at], NO_CHECKS)
        else:
            yield judge(chunk[at], None if wanted is None else known[wanted], rule)
        at += 1
    results.close()


def _results(
    jobs: Sequence[Job], engine: Engine, keys: Sequence[bytes | None], cache: Cache | None
) -> Generator[tuple[bytes, Outcome], None, None]:
    if not jobs:
        return
    for number, outcome in engine.run(jobs):
        key = keys[number]
        assert key is not None
        if cache and outcome.certain:
            cache.keep(key, outcome)
        yield key, outcome
    if cache:
        cache.flush()
