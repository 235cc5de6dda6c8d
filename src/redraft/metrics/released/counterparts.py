"""Our metrics by the released code's definitions: the same names and columns, that code's values.

In: a table of `metrics.measure` and the traces it describes. Out: the same table with, under each of our names, the
value of its counterpart among the released code's columns (`COUNTERPARTS`). How a counterpart was chosen: it describes
the same property, and sums stand for sums, means for means. So `X_count` is `edit_sum_X`; `X_share` is `edit_mean_X`
(that code divides by T, not T - 1), but only where that counts edits, as lines a program are no share. What that code
never computed has no value here: no pauses (`seconds_active`; its time is `seconds_total`), no selection by length
(`backtracking_t3`), no means over programs of comments, colours, `await` and years. Whether a program runs is no matter
of these definitions: verdicts have a rule of their own (`[execute] rule`), and their metrics stay as they are.

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
from redraft.metrics.registry import METRICS, Metric
from redraft.metrics.released.colours import COLOURS
from redraft.metrics.released.columns import RELEASED, SOURCE
from redraft.metrics.released.reading import write
from redraft.metrics.released.table import measure_texts
from redraft.metrics.released.texts import Text

_EDITS = {
    "large_add": "num_large_add", "large_del": "num_large_del", "small_add": "num_small_add",
    "small_del": "num_small_del", "modify": "num_modify_existing",
}  # fmt: skip
_LINES = {
    "colour_change": "color_changes", "number_change": "number_changes", "comment_added": "comment_additions",
    "function_added": "function_additions",
}  # fmt: skip

COUNTERPARTS: dict[str, str] = {
    **{f"{word}_final": f"num_occurrences_{word}_last" for word in ("turtle", "box", "await")},
    "functions_final": "num_functions_last",
    "comments_final": "num_comments_last",
    "colours_final": "colors_last",
    "year_final": "trace_year_last",
    "turtle_mean": "mean_num_occurrences_turtle",
    "box_mean": "mean_num_occurrences_box",
    "functions_mean": "mean_num_functions",
    "attempts": "trace_length",
    "backtracking": "backtracking_ratio",
    "seconds_total": "total_time",
    "seconds_mean": "mean_time_diff",
    "edit_distance_mean": "mean_sequential_edit_distance",
    **{f"{ours}_count": f"edit_sum_{theirs}" for ours, theirs in {**_EDITS, **_LINES}.items()},
    **{f"{ours}_share": f"edit_mean_{theirs}" for ours, theirs in _EDITS.items()},
    **{f"lines_{change}": f"edit_sum_lines_{change}" for change in ("added", "deleted", "modified")},
}
"""Our metric of a program or a trace -> the released code's column; of `colors_last` the sum."""

_BLEU = (
    "by the maths of the released code's BLEU, pair by pair instead of file by file: n-gram matches and lengths of all "
    "the pair's samples are summed before anything is divided, each sample against the real ones; a precision of zero "
    "counts as 2.2e-308; mean over orders 1 to 4 of the cumulative scores."
)
PAIRS = {
    "bleu_final": f"BLEU of final programs, {_BLEU}",
    "bleu_trace": f"BLEU of whole traces (their programs joined by newlines, no headers), {_BLEU}",
    "colour_cosine": "Cosine of the real `colors_last` with the samples' mean; 0 if one side names no colour, unscored "
    "if neither does.",
    "self_bleu": "`self_bleu_per_pair`: each of a pair's final programs against the others, matches and lengths summed "
    "over them.",
}
"""Metrics of pairs that follow that code, in words."""

NO_SUCH = "the released code has no such metric"
"""Why one is unscored."""


def _defined(metric: Metric) -> Metric:
    if "verdict" in metric.needs:
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
        table: One row a trace.
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
