"""Which programs run: each distinct one is run once, in the sandbox of an engine, and its verdict kept.

In: programs with their language. Out: verdicts. Programs are run nowhere else: whatever a student or a model wrote is
hostile code.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from redraft.data.trace import program_id
from redraft.data.verdicts import SYNTAX, TESTED
from redraft.execute.cache import Cache, default_folder
from redraft.execute.engine import Engine, EngineOptions, execute, make_engine, rule_named
from redraft.execute.judged import Judgement, Judgements
from redraft.execute.verdict import DEFAULT_RULE, ErrorRecord, Program, Verdict
from redraft.progress import bar, say


class Code(NamedTuple):
    """A program."""

    text: str
    language: str | None


class Runner:
    """Runs programs and remembers.

    Args:
        engine: An engine that was entered.
        cache: Outcomes of earlier runs; None: none.
        rule: What counts as running.
        platform: What the platform said of its students' programs: for those in languages that the engine doesn't
            judge.
    """

    def __init__(
        self, engine: Engine, cache: Cache | None = None, rule: str = DEFAULT_RULE, platform: Judgements | None = None
    ) -> None:
        self._engine, self._cache, self._rule, self._platform = engine, cache, rule_named(rule), platform
        self._known: dict[Code, Verdict] = {}

    @property
    def version(self) -> str:
        """The engine's."""
        return self._engine.version

    @property
    def languages(self) -> tuple[str, ...]:
        """Those that the engine judges."""
        return self._engine.languages

    def verdicts(self, codes: Iterable[Code], label: str = "running programs") -> list[Verdict]:
        """The verdict on each, in order."""
        wanted = list(codes)
        new = [code for code in dict.fromkeys(wanted) if code not in self._known]
        if new:
            programs = (Program(id=str(i), code=code.text, language=code.language) for i, code in enumerate(new))
            with bar(label, len(new)) as watcher:
                found = execute(programs, self._engine, rule=self._rule, cache=self._cache)
                for code, verdict in zip(new, found, strict=True):
                    self._known[code] = verdict
                    watcher.advance()
        return [self._known[code] for code in wanted]

    def on(self, code: Code, title: str) -> Verdict:
        """The verdict on an answer to a title: the engine's, or else the platform's."""
        (verdict,) = self.verdicts([code])
        if verdict.judged or self._platform is None:
            return verdict
        said = self._platform.of(program_id(code.text, code.language), title)
        return verdict if said is None else _of_platform(verdict, said)

    def judges(self, language: str | None) -> bool:
        """Whether the engine judges programs of a language."""
        return language is None or language in self._engine.languages

    def run(self, texts: Sequence[str], language: str | None) -> list[bool | None]:
        """Whether each of some programs of one language runs; None: unscored."""
        return [runs(verdict) for verdict in self.verdicts(Code(text, language) for text in texts)]


def _of_platform(verdict: Verdict, said: Judgement) -> Verdict:
    named = "unscored" if said.runs is None else "ok" if said.runs else "failed" if said.judged == TESTED else "error"
    error = said.error
    errors = () if error is None else (ErrorRecord(kind=SYNTAX, message=error.message, line=error.line),)
    return replace(verdict, verdict=named, errors=errors)


def runs(verdict: Verdict) -> bool | None:
    """Whether a program runs; None if that can't be told, which is missing, not failure."""
    return None if verdict.verdict == "unscored" else verdict.verdict == "ok"


@contextmanager
def open_runner(
    engine: str, *, workers: int, cache: Path | None = None, seed: int = 0, rule: str = DEFAULT_RULE,
    platform: Judgements | None = None,
) -> Iterator[Runner]:  # fmt: skip
    """A runner with the engine called `engine`; outcomes are kept in `cache`, by default the user's.

    `platform` says what the platform thought of programs that the engine doesn't judge.

    Raises:
        UsageError: There is no such engine or rule.
    """
    if rule_named(rule).checked:
        say("Here it counts whether programs run, not whether they pass their titles' checks.")
        rule = DEFAULT_RULE
    with ExitStack() as exits:
        made = exits.enter_context(make_engine(engine, EngineOptions(workers=workers, seed=seed)))
        yield Runner(made, exits.enter_context(Cache(cache or default_folder())), rule, platform)
