"""Which edit sequence comes first.

In: a failing program and edit sequences from it, of which it is known where they run. Out: those that end in a running
program, best first; no other is ever ranked. A sequence may end at each program on its way that runs, unless that one
is blank or the failing one again: what a model does after its first success is for the ranking to judge.

The objective is a weighted mean of five costs (weights: `RankConfig`), each from 0 to 1; a cost that is unscored is
left out for all sequences of the case. With n edits that type or delete D characters in all (`outcome.typed`), a
failing program of C characters, of which a share K is left line by line (`outcome.likeness`), a style distance S
(`style`), and B bits that the model, reading with the student's vector, needs for the edits (times aside):

    steps = 1 - 1/n     size = D / (D + C)     lost = 1 - K     style = S / (1 + S)     surprise = B / (B + 32)

Low is good. Fewest and smallest edits and what is kept have the same weight by default; nearness to the student
counts as one more, half of it style, half the model's likelihood (-B is the log-likelihood, base 2). Ties go to fewer
characters typed, then to what was drawn first. Of several ways to the same program only the best is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from redraft.studies.recover.outcome import kept_share, likeness, typed
from redraft.studies.recover.settings import RankConfig

HALF_BITS = 32.0
"""Bits at which `surprise` is one half."""


class Path(NamedTuple):
    """An edit sequence that ends in a running program."""

    codes: tuple[str, ...]
    """The programs after the failing one, in order; the last runs."""
    candidate: int
    """Number of the draw it comes from, from 0."""

    @property
    def end(self) -> str:
        """The program that results."""
        return self.codes[-1]


class Ranked(NamedTuple):
    """A path with what it costs."""

    path: Path
    cost: float
    """The objective, 0 to 1."""
    parts: dict[str, float]
    """Cost by name, those that are scored."""
    typed: int
    """Characters typed or deleted."""
    kept: float
    """Share of the failing program's lines kept."""
    style: float | None
    """Style distance."""
    bits: float | None
    """What the edits cost the model that reads with the student's vector."""


def paths(failing: str, candidates: Sequence[Sequence[str]], runs: Callable[[str], bool | None]) -> list[Path]:
    """Every way to a running program, each once, in the order of the draws.

    Args:
        failing: The program that fails.
        candidates: The programs of each draw, in order.
        runs: Whether a program runs.
    """
    found: dict[tuple[str, ...], Path] = {}
    for number, codes in enumerate(candidates):
        for path in _endings(failing, tuple(codes), number, runs):
            found.setdefault(path.codes, path)
    return list(found.values())


def _endings(failing: str, codes: tuple[str, ...], number: int, runs: Callable[[str], bool | None]) -> Iterator[Path]:
    for n, code in enumerate(codes, 1):
        if code.strip() and code != failing and runs(code):
            yield Path(codes[:n], number)


def ranked(
    failing: str,
    found: Sequence[Path],
    weights: RankConfig,
    *,
    style: Callable[[str], float | None] = lambda _: None,
    bits: Callable[[Path], float | None] = lambda _: None,
) -> list[Ranked]:
    """Paths by their cost, lowest first; of those to the same program the first alone.

    Args:
        failing: The program that fails.
        found: What `paths` found.
        weights: What counts how much.
        style: The style distance of a program from the student's own.
        bits: What a path's edits cost the model.
    """
    scored = [_cost(failing, path, weights, style(path.end), bits(path)) for path in found]
    scored.sort(key=lambda one: (one.cost, one.typed, one.path.candidate, len(one.path.codes)))
    best: dict[str, Ranked] = {}
    for one in scored:
        best.setdefault(one.path.end, one)
    return list(best.values())


def _cost(failing: str, path: Path, weights: RankConfig, style: float | None, bits: float | None) -> Ranked:
    moved, kept = typed(failing, path.codes), kept_share(failing, path.end)
    parts = {
        "steps": 1 - 1 / len(path.codes),
        "size": moved / max(moved + len(failing), 1),
        "lost": 1 - likeness(failing, path.end),
        "style": None if style is None else style / (1 + style),
        "surprise": None if bits is None else bits / (bits + HALF_BITS),
    }
    counted = {name: part for name, part in parts.items() if part is not None and getattr(weights, name)}
    total = sum(getattr(weights, name) for name in counted)
    cost = sum(getattr(weights, name) * part for name, part in counted.items()) / total if total else 0.0
    return Ranked(path, cost, {n: p for n, p in parts.items() if p is not None}, moved, kept, style, bits)
