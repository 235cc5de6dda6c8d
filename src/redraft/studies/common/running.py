"""Which programs run: each distinct one is run once, in the sandbox of an engine, and its verdict kept.

In: programs with their language. Out: verdicts. Programs are run nowhere else: whatever a student or a model wrote is
hostile code.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from redraft.execute.cache import Cache, default_folder
from redraft.execute.engine import Engine, EngineOptions, execute, make_engine, rule_named
from redraft.execute.verdict import DEFAULT_RULE, Program, Verdict
from redraft.progress import bar


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
    """

    def __init__(self, engine: Engine, cache: Cache | None = None, rule: str = DEFAULT_RULE) -> None:
        self._engine, self._cache, self._rule = engine, cache, rule_named(rule)
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

    def run(self, texts: Sequence[str], language: str | None) -> list[bool | None]:
        """Whether each of some programs of one language runs; None: unscored."""
        return [runs(verdict) for verdict in self.verdicts(Code(text, language) for text in texts)]


def runs(verdict: Verdict) -> bool | None:
    """Whether a program runs; None if that can't be told, which is missing, not failure."""
    return None if verdict.verdict == "unscored" else verdict.verdict == "ok"


@contextmanager
def open_runner(
    engine: str, *, workers: int, cache: Path | None = None, seed: int = 0, rule: str = DEFAULT_RULE
) -> Iterator[Runner]:
    """A runner with the engine called `engine`; outcomes are kept in `cache`, by default the user's.

    Raises:
        UsageError: There is no such engine or rule.
    """
    with ExitStack() as exits:
        made = exits.enter_context(make_engine(engine, EngineOptions(workers=workers, seed=seed)))
        yield Runner(made, exits.enter_context(Cache(cache or default_folder())), rule)
