"""How well the V8 engine agrees with the real runtime: the numbers of docs/execution.md.

    python bench/agreement.py ../shared/data/execution-verdicts.jsonl [--workers 2]

In: a file of JSON lines {"id", "title", "code", "verdict"}, the real runtime's verdicts; only `ok` and `error` count, as
the others depend on the network or the machine. Out: a Markdown table on standard output: agreement, failing programs
found, working ones called failing, each with a Wilson 95% interval, plain and for as many independent programs as these
are worth (programs of one title resemble each other: the number is divided by the design effect); the same in five
folds of whole titles, and every difference by id. No program is shown.

Not guaranteed: that these numbers hold elsewhere. The runtime was written with this file at hand, so all of it is
in-sample; folds show how evenly the agreement is spread over titles, not how it generalises.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from math import sqrt
from pathlib import Path
from typing import NamedTuple

from redraft.execute.engine import EngineOptions, execute, make_engine
from redraft.execute.verdict import Program

FOLDS = 5
Z = 1.959964


class Row(NamedTuple):
    """A program with both verdicts; ours is `ok`, `error` or `unscored`."""

    id: str
    title: str
    real: str
    ours: str
    reason: str


class Measure(NamedTuple):
    """A share of the rows of one real verdict, or of all."""

    name: str
    counts: Callable[[Row], bool]
    hit: Callable[[Row], bool]


MEASURES = (
    Measure("agreement", lambda row: True, lambda row: row.ours == row.real),
    Measure("failing programs found", lambda row: row.real == "error", lambda row: row.ours == "error"),
    Measure("working programs called failing", lambda row: row.real == "ok", lambda row: row.ours != "ok"),
)


def wilson(hits: float, n: float) -> tuple[float, float]:
    """Wilson's 95% interval of a share; the counts may be fractions."""
    if n == 0:
        return 0.0, 1.0
    share, square = hits / n, Z * Z
    middle = (share + square / (2 * n)) / (1 + square / n)
    half = Z * sqrt(share * (1 - share) / n + square / (4 * n * n)) / (1 + square / n)
    return max(0.0, middle - half), min(1.0, middle + half)


def design_effect(clusters: Sequence[tuple[int, int]]) -> float:
    """How many times larger the variance of a share is for coming in clusters of (hits, size); at least 1."""
    hits, n = (sum(column) for column in zip(*clusters, strict=True))
    share = hits / n
    if len(clusters) < 2 or not 0 < share < 1:
        return 1.0
    spread = sum((found - share * size) ** 2 for found, size in clusters) * len(clusters) / (len(clusters) - 1)
    return float(max(1.0, spread / (n * share * (1 - share))))


def fold(title: str) -> int:
    """The fold of a title: the same on every machine."""
    return int(hashlib.sha256(title.encode()).hexdigest(), 16) % FOLDS


def rows_of(file: Path, workers: int) -> list[Row]:
    """The judged programs of the file, run."""
    given = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    judged = [row for row in given if row["verdict"] in ("ok", "error")]
    programs = [Program(id=str(row["id"]), code=row["code"]) for row in judged]
    with make_engine("v8", EngineOptions(workers=workers)) as engine:
        verdicts = list(execute(programs, engine))
    found = []
    for row, verdict in zip(judged, verdicts, strict=True):
        ours = verdict.verdict if verdict.verdict in ("ok", "unscored") else "error"
        reason = "; ".join(f"{error.kind}: {error.message}" for error in verdict.errors[:2]) or verdict.verdict
        found.append(Row(str(row["id"]), row["title"], row["verdict"], ours, reason))
    return found


def line(measure: Measure, rows: Sequence[Row]) -> str:
    """A measure's line of the table."""
    counted = [row for row in rows if measure.counts(row)]
    hits, n = sum(map(measure.hit, counted)), len(counted)
    titles: dict[str, list[bool]] = defaultdict(list)
    for row in counted:
        titles[row.title].append(measure.hit(row))
    clusters = [(sum(found), len(found)) for found in titles.values()]
    effect = design_effect(clusters)
    plain, clustered = wilson(hits, n), wilson(hits / effect, n / effect)
    shares = []
    for number in range(FOLDS):
        part = [measure.hit(row) for row in counted if fold(row.title) == number]
        shares += [sum(part) / len(part)] if part else []
    cells = (
        measure.name,
        f"{hits:,} of {n:,}",
        f"{hits / n:.2%}",
        f"{plain[0]:.2%} to {plain[1]:.2%}",
        f"{clustered[0]:.2%} to {clustered[1]:.2%} ({effect:.1f})",
        f"{min(shares):.2%} to {max(shares):.2%}",
    )
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Print the table and the differences."""
    parser = argparse.ArgumentParser(description="Agreement of the V8 engine with the real runtime's verdicts.")
    parser.add_argument("file", type=Path, help="JSON lines with id, title, code, verdict")
    parser.add_argument("--workers", type=int, default=2, help="programs that run at the same time")
    given = parser.parse_args()
    rows = rows_of(given.file, given.workers)
    titles = {row.title for row in rows}
    differing = {row.title for row in rows if row.ours != row.real}
    print("| | programs | share | 95% interval | by title (design effect) | five folds of titles |")
    print("| --- | --- | --- | --- | --- | --- |")
    for measure in MEASURES:
        print(line(measure, rows))
    low, high = wilson(len(titles) - len(differing), len(titles))
    same = len(titles) - len(differing)
    print(f"\nTitles without a difference: {same} of {len(titles)} (95% interval {low:.1%} to {high:.1%}).")
    for row in rows:
        if row.ours != row.real:
            print(f"- {row.id} ({row.title}): really {row.real}, here {row.ours} ({row.reason})")


if __name__ == "__main__":
    main()
