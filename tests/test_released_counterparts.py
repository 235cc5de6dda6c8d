"""Our metrics by the released code's definitions: that code's values, under our names."""

from __future__ import annotations

import json
import lzma
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import released_oracle as plain
from factories import make_dataset, make_trace
from redraft.data.identity import keyed_hash
from redraft.data.ingest import IngestOptions, ingest
from redraft.data.sources.rollouts import Rollouts, read_text
from redraft.data.trace import State, Trace
from redraft.metrics.likeness import LIKENESS
from redraft.metrics.measure import measure, measure_traces
from redraft.metrics.pairs import compare
from redraft.metrics.registry import MEASURED, METRICS
from redraft.metrics.released.colours import COLOURS
from redraft.metrics.released.columns import RELEASED
from redraft.metrics.released.counterparts import ABSENT, COUNTERPARTS, DEFINED, PAIRS
from redraft.metrics.released.table import measure_released

CODES = (
    ["pen #ff0000", "pen skyblue # sky", "pen skyblue # sky\nf = (x) ->\ng = ->\nfd 1\nfd 2\nfd 3"],
    ["fd 100", "fd 200", "fd 100", "rt 90\nawait done defer()"],
    ["dot blue"],
    ["# note\nturtle.fd 3\nbox 5", "# note\nbox 5", "box 5\n\n\nbox 6 for [1..4]"],
)


def traces() -> list[Trace]:
    made = [make_trace(codes, f"s{i}", gap=700) for i, codes in enumerate(CODES)]
    return [*made[:-1], replace(made[-1], ended=False)]


def as_ours(column: str, value: object) -> object:
    return sum(json.loads(value).values()) if column == "colors_last" and isinstance(value, str) else value


def test_values_are_those_of_the_released_table(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path / "d", traces())
    theirs = measure_released(dataset).table.to_pylist()
    ours = measure(dataset, definitions="released").to_pylist()
    assert len(ours) == len(theirs) == len(CODES)
    for row, released in zip(ours, theirs, strict=True):
        assert released["trace_length"] is not None
        for name in MEASURED:
            column = COUNTERPARTS.get(name)
            assert row[name] == (as_ours(column, released[column]) if column else None), name
        assert dict(zip(COLOURS, row["colours"], strict=True)) == {
            **dict.fromkeys(COLOURS, 0), **json.loads(released["colors_last"])
        }  # fmt: skip
        assert row["colours_trace"] is None
    assert [row["comments_final"] for row in ours] == [1, 0, 0, 0]
    assert ours[0]["colours_final"] == 2  # skyblue, and blue within it
    assert ours[3]["small_del_share"] == pytest.approx(1 / 3)  # of three programs, not of two edits


def test_every_counterpart_exists_and_counts_the_same_things() -> None:
    assert set(COUNTERPARTS) <= set(MEASURED)
    assert set(COUNTERPARTS.values()) <= set(RELEASED)
    assert len(set(COUNTERPARTS.values())) == len(COUNTERPARTS)
    assert set(PAIRS) == {name for name, metric in METRICS.items() if not metric.compute} - {"colour_cosine_trace"}
    for name, column in COUNTERPARTS.items():
        assert METRICS[name].level == RELEASED[column].level, name
        assert ("_sum_" in column) == name.endswith(("_count", "_added", "_deleted", "_modified")), name
        assert ("mean_" in column) == name.endswith(("_mean", "_share")), name


def test_every_metric_is_defined_anew_or_said_to_be_absent() -> None:
    assert list(DEFINED) == list(METRICS)
    assert "#ff0000" in DEFINED["comments_final"].definition
    assert DEFINED["backtracking_t3"].definition == DEFINED["colour_cosine_trace"].definition == ABSENT
    assert DEFINED["runs_final"] == METRICS["runs_final"]  # has a rule of its own


def test_the_table_is_the_same_but_for_the_values() -> None:
    runs = {state.id: True for trace in traces() for state in trace.states}
    corrected = measure_traces(traces(), None, runs)
    released = measure_traces(traces(), None, runs, "released")
    assert released.column_names == corrected.column_names
    assert all(released[name].type == pa.float64() for name in MEASURED)
    assert released.schema.field("colours").type == pa.list_(pa.float32(), 140)
    kept = {"student", "title", "sample", "request", "ended", "truncated", "language", "runs_final", "runs_mean"}
    assert kept <= {name for name in corrected.column_names if corrected[name].equals(released[name])}
    assert released["runs_final"].to_pylist() == [1] * len(CODES)
    assert released["comments_final"].to_pylist() != corrected["comments_final"].to_pylist()
    assert measure_traces([], definitions="released").schema.equals(released.schema)


def test_a_trace_that_the_released_code_fails_on_is_unscored() -> None:
    timeless = replace(make_trace([]), states=(State(code="pen red"),))
    table = measure_traces([timeless, make_trace(["pen red"], "s2")], definitions="released")
    assert table["attempts"].to_pylist() == [None, 1]
    assert table["colours"][0].as_py() is None
    assert table["colours_final"].to_pylist() == [None, 1]


def test_likeness_is_the_plain_formulation() -> None:
    real, samples = [["fd", "1", "rt", "90"]], [text.split() for text in ("fd 1 rt 90", "fd 1 lt 90 dot", "pen red")]
    bleu = LIKENESS["released"].bleu(samples, real)
    assert bleu == np.mean(plain.bleu(samples, [real] * 3))
    assert bleu != pytest.approx(LIKENESS["corrected"].bleu(samples, real))
    assert LIKENESS["released"].self_bleu(samples) == np.mean(plain.self_bleu(samples))
    assert LIKENESS["released"].self_bleu(samples[:1]) is None
    assert LIKENESS["released"].bleu([[]], [[]]) == 0


def test_pairs_compare_what_was_measured(tmp_path: Path) -> None:
    real = make_dataset(tmp_path / "real", [make_trace(["fd 1", "pen skyblue"]), make_trace(["fd 1"], "s2")])
    samples = [
        replace(make_trace(codes), sample=number, request="r", source="sample:trace")
        for number, codes in enumerate((["pen blue"], ["fd 1", "pen red # x"]))
    ]
    generated = make_dataset(tmp_path / "generated", samples, origin="model")
    rows = {
        definitions: compare(
            measure(real, definitions=definitions), real, measure(generated, definitions=definitions), generated,
            definitions=definitions,
        )
        for definitions in LIKENESS
    }  # fmt: skip
    assert rows["corrected"].column_names == rows["released"].column_names
    (corrected,), (released,) = (table.to_pylist() for table in rows.values())
    assert (corrected["colour_cosine"], corrected["generated_comments_final"]) == (0, 0)
    # real: skyblue and the blue in it; samples: blue, red
    assert released["colour_cosine"] == pytest.approx(1 / 2)
    assert released["colour_cosine_trace"] is None
    assert released["generated_comments_final"] == 0.5
    tokens = [["pen", "blue"], ["pen", "red", "#", "x"]]
    assert released["bleu_final"] == np.mean(plain.bleu(tokens, [[["pen", "skyblue"]]] * 2))
    assert released["self_bleu"] == np.mean(plain.self_bleu(tokens))
    assert released["self_bleu_real"] == 0


@pytest.mark.supplied
def test_supplied_rollouts_that_ended_have_the_released_values(shared: Path, tmp_path: Path) -> None:
    name, key = "all_flag", bytes(32)
    (tmp_path / "key").write_bytes(key)
    file = shared / "rollouts" / f"{name}.json.xz"
    dataset = ingest(Rollouts(paths=[file]), tmp_path / "dataset", IngestOptions(key=tmp_path / "key"))
    ours = {(row["student"], row["sample"]): row for row in measure(dataset, definitions="released").to_pylist()}
    released = {
        row["idx"]: row for row in pq.read_table(shared / "released-trace-metrics.parquet").to_pylist()
        if row["file"] == name
    }  # fmt: skip
    seen: Counter[str] = Counter()
    ended = 0
    for idx, (text, student, _) in enumerate(json.loads(lzma.decompress(file.read_bytes()))):
        if read_text(text).drafts:
            row = ours[keyed_hash(student, key), seen[student]]
            seen[student] += 1
            ended += row["ended"]
            for mine, theirs in COUNTERPARTS.items():
                assert not row["ended"] or row[mine] == as_ours(theirs, released[idx][theirs]), mine
    assert ended > 100
