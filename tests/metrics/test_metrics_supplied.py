"""Metrics of released rollouts against the released code's values, where definitions agree."""

from __future__ import annotations

import json
import lzma
import re
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from factories import make_dataset, programs_of
from redraft.data.trace import State, Trace
from redraft.metrics.measure import measure, measure_traces
from redraft.metrics.pairs import compare

HEADER = re.compile(r"^CODE \d+ \((\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)\):$", re.MULTILINE)


def read(file: Path) -> dict[int, Trace]:
    """Record number -> trace of a rollout file's finished records, read plainly."""
    records = json.loads(lzma.decompress(file.read_bytes()))
    seen: Counter[str] = Counter()
    traces = {}
    for number, (text, student, title) in enumerate(records):
        program, end, _ = text.split("<start>", 1)[-1].partition("<|endoftext|>")
        parts = HEADER.split(program)[1:]
        if not end or not parts:
            continue
        states = tuple(
            State(code=code.strip("\n").rstrip(), at=datetime.fromisoformat(at).replace(tzinfo=UTC))
            for at, code in zip(parts[::2], parts[1::2], strict=True)
        )
        traces[number] = Trace(student=student, title=title, states=states, sample=seen[student], source="rollouts")
        seen[student] += 1
    return traces


@pytest.mark.supplied
@pytest.mark.parametrize("name", ["all_boat", "synthetic_house"])
def test_values_agree_where_definitions_do(shared: Path, name: str) -> None:
    traces = read(shared / "rollouts" / f"{name}.json.xz")
    rows = pq.read_table(shared / "released-trace-metrics.parquet").to_pylist()
    released = {row["idx"]: row for row in rows if row["file"] == name and row["eos"] and row["idx"] in traces}
    found = measure_traces((traces[number] for number in released), "coffeescript").to_pylist()
    assert len(found) > 100
    same = {
        "attempts": "trace_length",
        "seconds_total": "total_time",
        "seconds_mean": "mean_time_diff",
        "year_final": "trace_year_last",
        "turtle_final": "num_occurrences_turtle_last",
        "box_final": "num_occurrences_box_last",
        "await_final": "num_occurrences_await_last",
        "turtle_mean": "mean_num_occurrences_turtle",
    }
    for ours, theirs in same.items():
        assert [row[ours] for row in found] == pytest.approx([row[theirs] for row in released.values()]), ours


@pytest.mark.supplied
def test_a_model_compared_with_itself(shared: Path, tmp_path: Path) -> None:
    traces = read(shared / "rollouts" / "all_twodice.json.xz")
    dataset = make_dataset(tmp_path / "d", traces.values(), origin="model")
    table = measure(dataset, language="coffeescript")
    rows = compare(table, programs_of(dataset), table, programs_of(dataset)).to_pylist()
    assert len(rows) == dataset.manifest.students
    for row in rows:
        for name in ("attempts", "backtracking", "comments_final"):
            assert row[f"real_{name}"] == row[f"generated_{name}"]
        assert row["colour_cosine"] is None or row["colour_cosine"] == pytest.approx(1)
        assert 0 < row["bleu_final"] <= 1 + 1e-12
