from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from factories import make_dataset, make_trace
from redraft import results
from redraft.cli.describe import describe as command
from redraft.data.split import SplitConfig, make_split
from redraft.data.store import Dataset, open_dataset
from redraft.errors import UsageError
from redraft.studies.describe.figures import figures
from redraft.studies.describe.study import MAX_POINTS, Distribution, describe, points, summary, write


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    traces = [
        make_trace(["a", "ab\nc"], "s1", "square", gap=10),
        make_trace(["a\nb\nc"], "s1", "star", start=datetime(2021, 12, 31, 23, 59, tzinfo=UTC)),
        make_trace(["x", "xy", "xyz", "wxyz"], "s2", "square", gap=40, language=None),
        make_trace(["secret"], "s3", "janes own"),
    ]
    return make_dataset(tmp_path / "class", traces, "simulated")


def test_counts_and_distributions(dataset: Dataset) -> None:
    found = describe(dataset)
    assert (found.origin, found.traces, found.states, found.students, found.titles) == ("simulated", 4, 8, 3, 3)
    numbers = {name: summary(distribution) for name, distribution in found.numbers.items()}
    assert numbers["states_per_trace"] == pytest.approx(
        {"n": 4, "mean": 2, "min": 1, "q05": 1, "q25": 1, "q50": 1, "q75": 2, "q95": 4, "max": 4}
    )
    assert numbers["traces_per_student"]["max"] == 2
    assert numbers["students_per_title"]["mean"] == pytest.approx(4 / 3)
    assert (numbers["lines_per_program"]["min"], numbers["lines_per_program"]["max"]) == (1, 3)
    assert numbers["characters_per_program"]["max"] == len("secret")
    assert numbers["gap_seconds"]["n"] == 4
    assert numbers["gap_seconds"]["mean"] == pytest.approx((10 + 3 * 40) / 4)
    assert found.categories["year"] == {"2020": 3, "2021": 1}
    assert found.categories["language"] == {"coffeescript": 4, "not recorded": 4}
    assert found.shares["one_state"].value == 0.5
    assert found.shares["final_score"] == (None, 0, 4)
    assert found.shared_accounts == 0
    assert found.splits == ()


def test_only_shared_titles_are_listed(dataset: Dataset) -> None:
    assert [(row.title, row.traces, row.students) for row in describe(dataset).top_titles] == [("square", 2, 2)]


def test_splits_are_counted(dataset: Dataset) -> None:
    make_split(dataset, SplitConfig(held_students=0, held_titles=0, train_share=1, validation_share=0), name="one")
    assert [tuple(row) for row in describe(dataset).splits] == [("one", "train", 4, 3, 3)]


def test_samples_of_a_pair_count_once_as_student_work(tmp_path: Path) -> None:
    traces = [replace(make_trace(["a"], "s1"), sample=i, request="r", ended=i > 0) for i in range(4)]
    found = describe(make_dataset(tmp_path / "samples", traces, "model"))
    assert summary(found.numbers["traces_per_student"])["max"] == 1
    assert found.shares["ended"].value == 0.75


def test_shared_class_accounts_are_flagged(tmp_path: Path) -> None:
    traces = [make_trace(["a"], "class", f"t{i:03}") for i in range(201)] + [make_trace(["a"], "s1", "t000")]
    assert describe(make_dataset(tmp_path / "big", traces)).shared_accounts == 1


def test_traces_without_times(tmp_path: Path) -> None:
    trace = make_trace(["a", "b"])
    timeless = replace(trace, states=tuple(replace(state, at=None) for state in trace.states))
    found = describe(make_dataset(tmp_path / "timeless", [timeless]))
    assert "gap_seconds" not in found.numbers
    assert "year" not in found.categories


def test_empty_dataset(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path / "empty", [])
    found = describe(dataset)
    assert (found.traces, found.numbers, found.top_titles) == (0, {}, ())
    write(found, tmp_path / "out")
    assert figures(tmp_path / "out") == []


def test_wrong_memory_is_refused(dataset: Dataset) -> None:
    with pytest.raises(UsageError, match="--memory"):
        describe(dataset, memory="plenty")


@given(st.lists(st.integers(0, 50), min_size=1, max_size=60), st.sampled_from([0.05, 0.25, 0.5, 0.95]))
def test_quantiles_and_tails_are_those_of_the_observations(values: list[int], share: float) -> None:
    distinct, counts = np.unique(values, return_counts=True)
    found = Distribution(distinct.astype(float), counts)
    assert found.quantile(share) == np.quantile(values, share, method="inverted_cdf")
    assert found.mean == pytest.approx(np.mean(values))
    assert found.tail().tolist() == pytest.approx([np.mean(np.array(values) >= value) for value in distinct])


def test_long_distributions_are_binned_for_drawing(tmp_path: Path) -> None:
    start = datetime(2020, 1, 1, tzinfo=UTC)
    trace = make_trace(["a"] * 700, start=start)
    at, states = start, []
    for i, state in enumerate(trace.states):
        at += timedelta(seconds=i)
        states.append(replace(state, code=f"c{i}", at=at))
    found = describe(make_dataset(tmp_path / "d", [replace(trace, states=tuple(states))]))
    gaps = [row for row in points(found).to_pylist() if row["measure"] == "gap_seconds"]
    assert len(gaps) <= MAX_POINTS + 1 < 699
    assert sum(row["count"] for row in gaps) == 699
    assert gaps[0]["tail"] == 1


def test_command_writes_rows_and_figures(dataset: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    command(dataset.path)
    assert "a simulated class" in capsys.readouterr().out
    command(dataset.path, out=out, as_json=True)
    printed = capsys.readouterr().out
    assert json.loads(printed)["traces"] == 4
    assert "secret" not in printed
    rows = results.read(out / "results" / "describe.parquet")
    assert {row.origin for row in rows} == {"simulated"}
    for name in ("lengths", "long-tails"):
        svg = (out / "figures" / f"{name}.svg").read_text()
        assert "Simulated class: class" in svg
        assert "<text" in svg
        assert pq.read_table(out / f"points-{name}.parquet").num_rows


def test_figures_are_the_same_each_time(dataset: Dataset, tmp_path: Path) -> None:
    write(describe(open_dataset(dataset.path)), tmp_path / "out")
    first, second = (figures(tmp_path / "out") for _ in range(2))
    assert [figure.svg for figure in first] == [figure.svg for figure in second]
    assert all("Simulated class: class" in figure.caption and figure.alt for figure in first)
