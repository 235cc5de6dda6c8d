"""The columns of the released code's metrics, each declared once: what it is and how it is read off the facts.

In: `Facts`. Out: `RELEASED`, the declarations by name in the order of the released values' table, and `values`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from redraft.metrics.metric import Declared, Level
from redraft.metrics.released.edits import COUNTS, LARGE
from redraft.metrics.released.facts import COUNTED, Facts

SOURCE = "released code"


Values = Callable[[Facts], NDArray[Any] | Sequence[Any]]


class Column(NamedTuple):
    """A declared column and its values."""

    metric: Declared
    values: Values


def _column(name: str, level: Level, unit: str, definition: str, values: Values) -> Column:
    return Column(Declared(name=name, level=level, unit=unit, definition=definition, source=SOURCE), values)


def _in_final(place: int) -> Values:
    return lambda facts: facts.final[:, place]


def _summed(place: int) -> Values:
    return lambda facts: facts.summed[:, place]


def _averaged(place: int) -> Values:
    return lambda facts: facts.summed[:, place] / facts.states


def _edited(place: int) -> Values:
    return lambda facts: facts.edits[:, place]


def _edited_a_program(place: int) -> Values:
    return lambda facts: facts.edits[:, place] / facts.states


_IN_PROGRAMS = {
    "box": ("num_occurrences_box", "occurrences", "Occurrences of the word `box`"),
    "await": ("num_occurrences_await", "occurrences", "Occurrences of the word `await`"),
    "turtle": ("num_occurrences_turtle", "occurrences", "Occurrences of the word `turtle`"),
    "functions": ("num_functions", "functions", "`=`, any white space, `->` (functions without arguments)"),
    "comments": ("num_comments", "tokens", "White-space tokens that start with `#` (`#ff0000` is one)"),
}
_IN_TRACES = ("box", "turtle", "functions")


def _final() -> Iterator[Column]:
    yield _column("trace_year_last", "program", "year", "Year in the final program's header.", lambda f: f.year)
    yield _column(
        "program_number_last", "program", "number", "The number in the final program's header.", lambda f: f.number
    )
    for place, counted in enumerate(COUNTED):
        name, unit, definition = _IN_PROGRAMS[counted]
        yield _column(f"{name}_last", "program", unit, f"{definition}, in the final program.", _in_final(place))


def _backtracking(facts: Facts) -> list[float]:
    return [sum(later > earlier for earlier, later in pairwise(away)) / len(away) for away in facts.to_final]


def _traces() -> Iterator[Column]:
    distance = "distance (int(longer length * (1 - difflib's ratio)), characters)"
    yield _column("trace_length", "trace", "programs", "Programs of the trace (T).", lambda f: f.states)
    yield _column(
        "backtracking_ratio", "trace", "share of programs",
        f"Of the T - 1 programs before the final one, the share whose {distance} to the final one is larger than that "
        "of the program before; 0 for T = 1.",
        _backtracking,
    )  # fmt: skip
    yield _column(
        "mean_edit_distance_from_end", "trace", "characters",
        f"Mean {distance} of the T - 1 programs before the final one to it; 0 for T = 1.",
        lambda f: [sum(away) / len(away) for away in f.to_final],
    )  # fmt: skip
    yield _column(
        "first_to_last_edit_distance", "trace", "characters",
        f"The {distance} of the first program to the final one; 0 for T = 1.",
        lambda f: [away[0] for away in f.to_final],
    )  # fmt: skip
    yield _column(
        "mean_sequential_edit_distance", "trace", "characters",
        f"Mean {distance} between consecutive programs; 0 for T = 1.",
        lambda f: f.steps / np.maximum(f.states - 1, 1),
    )  # fmt: skip
    yield _column(
        "mean_time_diff", "trace", "s", "Mean seconds between consecutive programs; 0 for T = 1.",
        lambda f: f.seconds / np.maximum(f.states - 1, 1),
    )  # fmt: skip
    yield _column("total_time", "trace", "s", "Seconds from the first program to the final one.", lambda f: f.seconds)
    for prefix, of, values in (("sum", "summed", _summed), ("mean", "mean", _averaged)):
        for counted in _IN_TRACES:
            name, unit, definition = _IN_PROGRAMS[counted]
            text = f"{definition}: {of} over the programs."
            yield _column(f"{prefix}_{name}", "trace", unit, text, values(COUNTED.index(counted)))


_EDITS = {
    "lines_added": ("lines", "Added lines that are part of no modification"),
    "lines_deleted": ("lines", "Deleted lines that are part of no modification"),
    "lines_modified": (
        "lines",
        "Modifications: an added line of `Differ`'s output (CPython to 3.12) with the nearest deleted one before it, "
        "or a deleted one with the nearest added one after it, taken already or not; lines of a text taken already are "
        "left out, and a line taken with an empty one isn't counted",
    ),
    "color_changes": ("lines", "Modifications in nothing but whole colour words"),
    "number_changes": ("lines", "Modifications in nothing but digits, that are no color_changes"),
    "comment_additions": ("lines", "Added lines whose first non-blank character is `#`"),
    "function_additions": ("lines", "Added lines that hold `->`"),
    "num_large_add": ("edits", f"Edits with at least {LARGE} lines_added"),
    "num_large_del": ("edits", f"Edits with at least {LARGE} lines_deleted that are no num_large_add"),
    "num_small_add": ("edits", "Edits with lines_added that are none of the large ones"),
    "num_small_del": ("edits", "Edits with lines_deleted that are none of the former"),
    "num_modify_existing": ("edits", "Edits with neither lines_added nor lines_deleted"),
}


def _edits() -> Iterator[Column]:
    for place, name in enumerate(COUNTS):
        unit, definition = _EDITS[name]
        yield _column(f"edit_sum_{name}", "trace", unit, f"{definition}; over all T - 1 edits.", _edited(place))
    for place, name in enumerate(COUNTS):
        unit = f"{_EDITS[name][0]} per program"
        yield _column(
            f"edit_mean_{name}", "trace", unit, f"`edit_sum_{name}` / T (not T - 1).", _edited_a_program(place)
        )


def _texts() -> Iterator[Column]:
    yield _column(
        "colors_last", "program", "occurrences (JSON)",
        "How often each of 140 colour names stands in the final program, in lower case, also within a word (`skyblue` "
        "counts as `blue` too); names that don't occur are left out.",
        lambda f: [json.dumps(colours) for colours in f.colours],
    )  # fmt: skip
    yield _column(
        "edit_dists_from_last", "trace", "characters (JSON)",
        "The distances behind `backtracking_ratio`, in order; [0] for T = 1.",
        lambda f: [json.dumps(away) for away in f.to_final],
    )  # fmt: skip


COLUMNS = {column.metric.name: column for group in (_final, _traces, _edits, _texts) for column in group()}
TEXTS = frozenset(column.metric.name for column in _texts())
RELEASED: dict[str, Declared] = {name: column.metric for name, column in COLUMNS.items()}
"""Every metric of the released code, by its own name, in its own order."""

SCHEMA = pa.schema(
    [
        pa.field("file", pa.large_string()),
        pa.field("idx", pa.int64()),
        pa.field("username", pa.large_string()),
        pa.field("title", pa.large_string()),
        pa.field("eos", pa.bool_()),
        *(pa.field(name, pa.large_string() if name in TEXTS else pa.float64()) for name in RELEASED),
    ]
)
"""The table's columns: which file, which of its texts (from 0), whose, its title, whether it ended; and the metrics,
null where the released code fails."""
