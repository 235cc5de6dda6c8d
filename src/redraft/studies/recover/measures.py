"""What is measured of attempts at mending cases: by a model, a baseline, or the student.

In: for each case, candidates (the programs of each, in order). Out: columns, a value per case, nan where unscored. A
measure of several candidates is a mean over them or, where it says so, about any of them or the one ranked first.
A candidate without any program leaves the failing one as it is.

Where no engine judges the language, only programs that the platform has judged have a verdict: students' own. A case is
then scored for those alone whose candidates are all among them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np

from redraft.metrics.bootstrap import Floats
from redraft.metrics.text import bleu, tokens
from redraft.studies.common.running import Code, Runner, runs
from redraft.studies.recover.cases import Case
from redraft.studies.recover.outcome import any_of, kept_share, kept_success
from redraft.studies.recover.rank import Ranked, paths, ranked
from redraft.studies.recover.settings import RecoverConfig
from redraft.studies.recover.style import Style

KEPT = "kept_success"
"""The main measure."""


class Measure(NamedTuple):
    """A measure, for results rows and the docs."""

    unit: str
    direction: str
    definition: str
    steps: bool
    """Whether the programs on the way must be run, not the last one alone."""


MEASURES: dict[str, Measure] = {
    "executes": Measure("share", "higher", "Share of the candidates whose final program runs (4.5).", False),
    "attempts": Measure("states", "", "Programs after the failing one: mean over candidates (4.5).", False),
    "bleu_recovered": Measure(
        "BLEU, 0 to 1", "higher", "BLEU of final programs against the real final one: mean over candidates (4.5).",
        False,
    ),
    "kept_success_final": Measure(
        "share", "higher", "Kept success of the final program of any of the candidates.", False
    ),
    KEPT: Measure(
        "share", "higher",
        "Kept success of any of the candidates, each ending at its first program that runs: the main measure.", True,
    ),
    "kept_success_amended": Measure(
        "share", "higher", "The same, where a line changed in place counts as kept if it is half of what it was.", True
    ),
    "kept_success_first": Measure(
        "share", "higher", "Kept success of the edit sequence that is ranked first among the candidates'.", True
    ),
    "recovered": Measure("share", "higher", "Whether any candidate holds a program that runs.", True),
    "edit_size": Measure(
        "characters", "lower", "Characters typed or deleted in the edit sequence ranked first.", True
    ),
    "lines_kept": Measure(
        "share", "higher", "Share of the failing program's lines that the edit sequence ranked first keeps.", True
    ),
    "style_distance": Measure(
        "sd", "lower", "Style distance of the program ranked first from the student's own.", True
    ),
}  # fmt: skip
"""Measure -> what it is."""

Candidates = Sequence[tuple[str, ...]]


class Attempt(NamedTuple):
    """What is known of one candidate."""

    executes: bool | None
    attempts: int
    bleu: float | None
    kept_final: bool | None
    kept: bool | None
    amended: bool | None


def columns(
    cases: Sequence[Case], attempts: Sequence[Candidates | None], sizes: Iterable[int], runner: Runner, style: Style,
    config: RecoverConfig, *, steps: bool,
) -> dict[tuple[int, str], Floats]:  # fmt: skip
    """(Number of candidates, measure) -> its value for each case (N,).

    Args:
        cases: The cases (N).
        attempts: The candidates of each; None: unscored.
        sizes: From how many of the first candidates.
        runner: Runs programs.
        style: How much programs differ in style.
        config: What counts as kept, and the ranking.
        steps: Run the programs on the way, too.
    """
    everything = (
        Code(code, case.problem.failing.language)
        for case, each in zip(cases, attempts, strict=True)
        for codes in each or () for code in (codes if steps else codes[-1:])
    )  # fmt: skip
    runner.verdicts(everything)
    sizes = list(sizes)
    names = [name for name, measure in MEASURES.items() if steps or not measure.steps]
    found = {(size, name): np.full(len(cases), np.nan) for size in sizes for name in names}
    for i, (case, each) in enumerate(zip(cases, attempts, strict=True)):
        if each is not None and _judged(case, each, runner, steps=steps):
            for key, value in _of_case(case, each, sizes, runner, style, config, steps).items():
                found[key][i] = np.nan if value is None else value
    return found


def _judged(case: Case, candidates: Candidates, runner: Runner, *, steps: bool) -> bool:
    """Whether all that counts of the candidates can be judged: a model that hits on known programs is not better."""
    language, title = case.problem.failing.language, case.problem.title
    return runner.judges(language) or all(
        runs(runner.on(Code(code, language), title)) is not None
        for codes in candidates for code in (codes if steps else codes[-1:])
    )  # fmt: skip


def _of_case(
    case: Case, candidates: Candidates, sizes: Sequence[int], runner: Runner, style: Style, config: RecoverConfig,
    steps: bool,
) -> dict[tuple[int, str], float | None]:  # fmt: skip
    language = case.problem.failing.language

    def ran(code: str) -> bool | None:
        return runs(runner.on(Code(code, language), case.problem.title))

    known = [_attempt(case, codes, ran, config, steps) for codes in candidates]
    found: dict[tuple[int, str], float | None] = {}
    for size in sizes:
        first = known[:size]
        found[size, "executes"] = _mean([one.executes for one in first])
        found[size, "attempts"] = _mean([one.attempts for one in first])
        found[size, "bleu_recovered"] = _mean([one.bleu for one in first])
        found[size, "kept_success_final"] = any_of([one.kept_final for one in first])
        if steps:
            found[size, KEPT] = any_of([one.kept for one in first])
            found[size, "kept_success_amended"] = any_of([one.amended for one in first])
            for name, value in _of_first(case, candidates[:size], ran, style, config).items():
                found[size, name] = value
    return found


def _attempt(
    case: Case, codes: tuple[str, ...], ran: Callable[[str], bool | None], config: RecoverConfig, steps: bool
) -> Attempt:
    failing, final = case.problem.failing.code, case.final
    last = codes[-1] if codes else failing
    executes = ran(last) if codes else False

    def kept(code: str, runs: bool | None, amended: float | None = None) -> bool | None:
        return kept_success(failing, code, final, runs, kept=config.kept, amended=amended)

    end, runs = _first_running(codes, failing, ran) if steps else (last, executes)
    return Attempt(
        executes, len(codes), bleu(tokens(last), tokens(final)), kept(last, executes), kept(end, runs),
        kept(end, runs, config.amended),
    )  # fmt: skip


def _first_running(codes: tuple[str, ...], failing: str, ran: Callable[[str], bool | None]) -> tuple[str, bool | None]:
    """The first program that runs and says something; without one the failing one, unscored if any on the way is."""
    verdicts = [ran(code) for code in codes]
    for code, goes in zip(codes, verdicts, strict=True):
        if goes and code.strip():
            return code, True
    return failing, None if None in verdicts else False


def _of_first(
    case: Case, candidates: Candidates, ran: Callable[[str], bool | None], style: Style, config: RecoverConfig
) -> dict[str, float | None]:
    """What is measured of the edit sequence ranked first; without one, no success, and nothing to measure."""
    best = first_ranked(case, candidates, ran, style, config)
    if best is None:
        unknown = any(ran(code) is None for codes in candidates for code in codes)
        none = None if unknown else 0.0
        return dict.fromkeys(("edit_size", "lines_kept", "style_distance")) | {
            "recovered": none, "kept_success_first": none,
        }  # fmt: skip
    failing, end = case.problem.failing.code, best.path.end
    return {
        "recovered": 1.0,
        "kept_success_first": kept_success(failing, end, case.final, True, kept=config.kept),
        "edit_size": float(best.typed),
        "lines_kept": kept_share(failing, end),
        "style_distance": best.style,
    }


def first_ranked(
    case: Case, candidates: Candidates, ran: Callable[[str], bool | None], style: Style, config: RecoverConfig
) -> Ranked | None:
    """The edit sequence ranked first; the model's likelihood plays no part, since baselines have none."""
    failing = case.problem.failing
    found = paths(failing.code, candidates, ran)
    order = ranked(
        failing.code, found, config.rank, style=lambda code: style.distance(code, case.own, failing.language)
    )
    return order[0] if order else None


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
