"""What counts for a draft: the verdict of an engine, or the platform's own where no engine ran its language.

In: a dataset's verdict files. Out: `Judgements`, asked by program and title. Several files are read as one. An engine's
verdict comes first: that of the first engine, in the order of `ENGINES`, which told whether the program runs. A program
that no engine judged has the platform's verdict of it, if there is one for its title. Both kinds never meet in one
language: where an engine has said anything of a program, even `unscored`, the platform isn't asked.

Not guaranteed: that both mean the same. An engine says whether a program runs, a platform often whether it passes
tests; `Judgements.words` says who judged what.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from redraft.data.languages import labels
from redraft.data.store import Dataset
from redraft.data.trace import Trace
from redraft.data.verdicts import COMPILED, JUDGED, PLATFORM, PLATFORM_FILE, RAN, SYNTAX, TESTED
from redraft.errors import DatasetError
from redraft.execute.dataset import REMEDY as AGAIN
from redraft.execute.dataset import find_verdicts
from redraft.execute.verdict import DEFAULT_RULE
from redraft.rundir.tables import open_table

OWN = "platform's own"
"""In every note that says whose verdicts count."""
_SAYS = {
    COMPILED: "whether they compile",
    RAN: "whether they ran",
    TESTED: "whether they passed its tests",
}


class CompileError(NamedTuple):
    """What kept a program from running at all; the first of several."""

    message: str
    line: int | None


class Judgement(NamedTuple):
    """What is said of a program."""

    runs: bool | None
    """Whether its verdict is `ok`; None: unscored, which is missing, not failure."""
    by: str
    """`engine`, or `platform`."""
    judged: str = RAN
    """What was judged: compiled, ran or tested."""
    compiles: bool | None = None
    """Whether it is a program at all; None: nobody said."""
    error: CompileError | None = None
    """What kept it from being one, if that is known."""


class Judgements:
    """What is said of programs, by their ids and titles."""

    def __init__(self) -> None:
        self._of: dict[str | tuple[str, str], Judgement] = {}
        self._whose: Counter[tuple[str, str, str]] = Counter()
        self._kinds: dict[Judgement, Judgement] = {}  # few differ: each is kept once

    def __len__(self) -> int:
        return len(self._of)

    def of(self, program: str, title: str) -> Judgement | None:
        """What is said of a program as an answer to a title; None: nothing."""
        return self._of.get((program, title)) or self._of.get(program)

    def of_states(self, trace: Trace) -> list[Judgement | None]:
        """What is said of each state's program."""
        return [self.of(state.id, trace.title) for state in trace.states]

    @property
    def any_compile_error(self) -> bool:
        """Whether a program doesn't compile, as far as is known."""
        return any(judgement.compiles is False for judgement in self._kinds)

    def runs(self, program: str, title: str) -> bool | None:
        """Whether it runs; None: not known."""
        found = self.of(program, title)
        return found.runs if found else None

    @classmethod
    def of_runs(cls, runs: Mapping[str, bool | None]) -> Judgements:
        """What is said by an engine: whether programs run, by their ids."""
        found = cls()
        for program, runs_it in runs.items():
            found._of[program] = Judgement(runs_it, "engine")
        return found

    @property
    def by_platform(self) -> bool:
        """Whether the platform's own verdict counts for any program."""
        return any(by == PLATFORM for _, by, _ in self._whose)

    @property
    def words(self) -> str | None:
        """Where the platform judged: of which languages, and what, in words for a reader; None: nowhere."""
        languages = sorted({language for language, by, _ in self._whose if by == PLATFORM})
        judged = [what for what in JUDGED if any(by == PLATFORM and said == what for _, by, said in self._whose)]
        if not languages:
            return None
        what = " or ".join(_SAYS[one] for one in judged)
        return f"verdicts on {labels(tuple(languages))} programs are the {OWN} ({what})"

    def _add(self, key: str | tuple[str, str], row: dict[str, Any], judgement: Judgement) -> None:
        self._of[key] = self._kinds.setdefault(judgement, judgement)
        self._whose[row["language"] or "unknown", judgement.by, judgement.judged] += 1


def find_judgements(dataset: Dataset, rule: str = DEFAULT_RULE) -> tuple[Path, ...]:
    """The verdict files of a dataset by a rule, the platform's own last; the platform has no rules.

    Raises:
        DatasetError: One holds verdicts by another rule than its name says, can't be read, or was changed.
    """
    platform = dataset.path / PLATFORM_FILE
    if not platform.exists():
        return find_verdicts(dataset, rule)
    dataset.check(platform)
    return (*find_verdicts(dataset, rule), platform)


def read_judgements(files: Sequence[Path]) -> Judgements:
    """What several files of `find_judgements` say together.

    Raises:
        DatasetError: A file can't be read as verdicts.
    """
    found = Judgements()
    for file in files:
        by_engine = set(found._of) if file.name == PLATFORM_FILE else set()
        tells = file.name != PLATFORM_FILE or _tells_compile_errors(file)
        for row in _rows(file):
            key = row["id"] if row["title"] is None else (row["id"], row["title"])
            if row["id"] in by_engine or key in by_engine:
                continue
            if (before := found._of.get(key)) is not None and before.runs is not None:
                continue
            found._add(key, row, _judgement(row, tells=tells))
    return found


def _judgement(row: dict[str, Any], *, tells: bool) -> Judgement:
    """`tells`: who judged names compile errors; then programs without one have none. Else nothing is known of any."""
    verdict, judged = row["verdict"], row["judged"] or RAN
    first = next(iter(row["errors"] or ()), None)
    broken = verdict == "error" and (judged == COMPILED or (first is not None and first["kind"] == SYNTAX))
    error = CompileError(first["message"] or "", first["line"]) if broken and first is not None else None
    return Judgement(
        runs=None if verdict == "unscored" else verdict == "ok",
        by=PLATFORM if row["engine"] == PLATFORM else "engine",
        judged=judged,
        compiles=not broken if tells and verdict != "unscored" else None,
        error=error,
    )


def _tells_compile_errors(file: Path) -> bool:
    return any(
        row["judged"] == COMPILED or any(error["kind"] == SYNTAX for error in row["errors"] or ())
        for row in _rows(file)
    )


def _rows(file: Path) -> Iterator[dict[str, Any]]:
    """Rows of a verdict file; `title` and `judged` are null in an engine's that has no such columns."""
    wanted = ("id", "verdict", "language", "errors", "engine", "title", "judged")
    with open_table(file, remedy=AGAIN) as source:
        there = [name for name in wanted if name in source.schema_arrow.names]
        if not {"id", "verdict", "errors"} <= set(there):
            raise DatasetError("holds no verdicts.", where=file, remedy=AGAIN)
        for batch in source.iter_batches(columns=there):
            for row in batch.to_pylist():
                yield dict.fromkeys(wanted) | row
