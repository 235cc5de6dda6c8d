"""Our metrics by the released code's definitions: the same names and columns, that code's values.

In: a table of `metrics.measure` and the traces it describes. Out: the same table with, under each of our names, the
value of its counterpart among the released code's columns (`Metric.released`). How a counterpart was chosen: it
describes the same property, and sums stand for sums, means for means. So `X_count` is `edit_sum_X`; `X_share` is
`edit_mean_X` (that code divides by T, not T - 1), but only where that counts edits, as lines per program are no share.
What that code never computed has no value here: no pauses (`seconds_active`; its time is `seconds_total`), no selection
by length (`backtracking_t3`), no means over programs of comments, colours, `await` and years. Whether a program runs is
no matter of these definitions: verdicts have a rule of their own (`[execute] rule`); their metrics stay as they are.

Texts are written anew from the states, also of rollouts whose texts are kept: what is measured is the trace that is
compared, as a dataset has it. So a rollout without an end may have a program less than in the released values, where
its text breaks off within a header (371 of 27,236 supplied ones); the others are equal in every bit. Not guaranteed: a
value where the released code fails, as it does on states without a time.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa

from redraft.data.trace import Trace
from redraft.metrics.metric import Metric
from redraft.metrics.registry import METRICS
from redraft.metrics.released.colours import COLOURS
from redraft.metrics.released.columns import RELEASED, SOURCE
from redraft.metrics.released.reading import write
from redraft.metrics.released.table import measure_texts
from redraft.metrics.released.texts import Text

COUNTERPARTS: dict[str, str] = {m.name: m.released for m in METRICS.values() if m.released and m.compute}
"""Our metric of a program or a trace -> the released code's column; of `colors_last` the sum."""

PAIRS: dict[str, str] = {m.name: m.released for m in METRICS.values() if m.released and not m.compute}
"""Metrics of pairs that follow that code, in words."""

NO_SUCH = "the released code has no such metric"
"""Why one is unscored."""


SAME = frozenset(
    name for name, metric in METRICS.items() if {"verdict", "score"} & {*metric.needs} or name == "ended_share"
)
"""Metrics that are no matter of these definitions: whether programs run and succeed, and whether samples ended."""


def _defined(metric: Metric) -> Metric:
    if metric.name in SAME:
        return metric
    column = COUNTERPARTS.get(metric.name)
    if column:
        theirs = RELEASED[column]
        unit = metric.unit if column == "colors_last" else theirs.unit
        return replace(metric, unit=unit, definition=f"`{column}`: {theirs.definition}", source=SOURCE)
    return replace(metric, definition=PAIRS.get(metric.name, f"Unscored: {NO_SUCH}."), source=SOURCE)


DEFINED: dict[str, Metric] = {name: _defined(metric) for name, metric in METRICS.items()}
"""Our metrics, by the released code's definitions."""
ABSENT = frozenset(name for name, metric in DEFINED.items() if NO_SUCH in metric.definition)
"""Those that it has not."""


def as_released(table: pa.Table, traces: Sequence[Trace]) -> pa.Table:
    """A table of `metrics.measure` with the released code's values, null where it has none.

    Args:
        table: One row per trace.
        traces: The traces, in the same order.

    Returns:
        The same columns. `colours` is a list of 140 counts in the order of the released code's names, and
        `colours_trace` is null throughout.
    """
    texts = [Text("", None, trace.student, trace.title, write(trace.states, ended=trace.ended)) for trace in traces]
    theirs, _ = measure_texts(texts)
    counts = [None if text is None else json.loads(text) for text in theirs["colors_last"].to_pylist()]
    vector = pa.list_(pa.float32(), len(COLOURS))
    columns: dict[str, pa.Array | pa.ChunkedArray] = {
        "colours": pa.array([None if count is None else _vector(count) for count in counts], vector),
        "colours_trace": pa.nulls(len(traces), vector),
        "colours_final": pa.array([None if count is None else sum(count.values()) for count in counts], pa.float64()),
    }
    for name, metric in METRICS.items():
        if metric.compute and "verdict" not in metric.needs and name not in columns:
            column = COUNTERPARTS.get(name)
            columns[name] = theirs[column] if column else pa.nulls(len(traces), pa.float64())
    for name, values in columns.items():
        table = table.set_column(table.column_names.index(name), name, values)
    return table


def _vector(counts: Mapping[str, int]) -> list[Any]:
    return [counts.get(name, 0) for name in COLOURS]
