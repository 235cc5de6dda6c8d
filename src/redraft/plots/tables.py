"""Tables for people and, beside each, the same rows as CSV.

In: results rows. Out: `Table`s. A value that is unscored shows as a dash, never as zero.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from redraft import results
from redraft.plots.style import SPLIT_WORDS
from redraft.plots.words import definitions
from redraft.results import Result
from redraft.rundir import write_text

CSV_COLUMNS = (
    "origin", "dataset", "split", "subgroup", "condition", "model", "baseline", "metric", "definitions", "statistic",
    "unit", "value", "low", "high", "effect_size", "p", "p_adjusted", "smallest_detectable", "n", "n_students",
    "n_titles", "unscored", "clusters", "seed", "note", "reason",
)  # fmt: skip
DASH = "–"


class Table(NamedTuple):
    """A table as it is shown, and as CSV."""

    name: str
    """File name without ending; `table-NAME.csv` stands in results/."""
    title: str
    caption: str
    header: tuple[str, ...]
    rows: list[tuple[str, ...]]
    """Cells as shown."""
    numeric: frozenset[int]
    """Columns set flush right."""
    breaks: frozenset[int]
    """Rows that begin a group; none if every row is a group of its own."""
    csv: str
    """The results rows behind the table, at full precision."""
    folded: bool = False
    """Shown only when asked for."""

    @property
    def data_uri(self) -> str:
        """The CSV as an address that needs no server."""
        return "data:text/csv;charset=utf-8;base64," + base64.b64encode(self.csv.encode()).decode()

    def save(self, folder: Path) -> None:
        """Write `folder/results/table-NAME.csv`."""
        write_text(folder / "results" / f"table-{self.name}.csv", self.csv)


def table(
    name: str, title: str, caption: str, header: Sequence[str], rows: Sequence[Sequence[str]], behind: Sequence[Result],
    *, words: int = 1, last_words: int = 0, folded: bool = False,
) -> Table:  # fmt: skip
    """A table whose first `words` and last `last_words` columns are words and the others numbers.

    A new first cell begins a group. The caption says whose definitions of metrics are used, if not the corrected ones.
    """
    cells = [tuple(row) for row in rows]
    breaks = frozenset(i for i in range(1, len(cells)) if cells[i][0] != cells[i - 1][0])
    repeats = len(breaks) < len(cells) - 1
    numeric = frozenset(range(words, len(header) - last_words))
    groups = breaks if repeats else frozenset()
    return Table(name, title, caption + definitions(behind), tuple(header), cells, numeric, groups,
                 to_csv(behind), folded)  # fmt: skip


def to_csv(rows: Sequence[Result]) -> str:
    """The columns of results rows that a reader wants, as CSV text."""
    return results.to_csv(rows, CSV_COLUMNS)


def number(value: float | None, digits: int = 2) -> str:
    """A number for a cell, with a true minus sign."""
    return DASH if value is None else f"{value:.{digits}f}".replace("-", "−")


def with_interval(row: Result | None, digits: int = 2) -> str:
    """`0.41 [0.30, 0.52]`; a dash if unscored."""
    if row is None or row.value is None:
        return DASH
    if row.low is None or row.high is None:
        return number(row.value, digits)
    return f"{number(row.value, digits)} [{number(row.low, digits)}, {number(row.high, digits)}]"


def probability(p: float | None) -> str:
    """A p for a cell."""
    if p is None:
        return DASH
    return "< .001" if p < 0.001 else f"{p:.3f}".lstrip("0") if p < 1 else "1"


def split_words(split: str | None) -> str:
    """A split's name for a cell."""
    return SPLIT_WORDS.get(split or "", split or "").replace("\n", " ")


def counts(row: Result) -> str:
    """Pairs, students and titles behind a row."""
    return f"{row.n} / {row.n_students} / {row.n_titles}"
