"""The adaptation study's figures and tables say what the rows say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from redraft import results
from redraft.results import Result
from redraft.rundir.tables import write_table
from redraft.studies.adapt.chapter import METHODS, figures, sentences, tables
from redraft.studies.adapt.settings import AdaptConfig
from redraft.studies.adapt.study import POINTS, cells

ROW = Result(
    origin="simulated", dataset="class", study="adapt", model="trace", metric="x", level="trace", statistic="mean",
    n=12, n_students=12, n_titles=5, value=1.0,
)  # fmt: skip


def made(config: AdaptConfig, *, scored: bool) -> list[Result]:
    rows = []
    for cell in cells(config):
        value = 10.0 - cell.k + (0.0 if cell.voice == "own" else 2.0)
        rows.append(
            replace(
                ROW,
                metric=cell.metric,
                statistic=cell.statistic + ("_difference" if cell.against else ""),
                baseline=cell.against or (None if cell.voice == "own" else cell.voice),
                condition={} if cell.voice == "mean-vector" else {"k": str(cell.k)},
                value=value if scored else None,
                low=value - 1 if scored else None,
                high=value + 1 if scored else None,
                n=12 if scored else 0,
                reason=None if scored else "not enough data: 1 new students have enough traces",
            )
        )
    return rows


@pytest.fixture
def run(tmp_path: Path) -> Path:
    points = [("trace", s, k, "own", 10.0 - s * k) for s in range(12) for k in (0, 1, 4, 10)]
    write_table(
        pa.Table.from_pylist([dict(zip(POINTS.names, p, strict=True)) for p in points], schema=POINTS),
        tmp_path / "points-adapt-students.parquet",
    )
    return tmp_path


def test_figures_show_origin_n_controls_and_intervals(run: Path) -> None:
    results.write(made(AdaptConfig(), scored=True), run / "results/adapt.parquet")
    shown = figures(run)
    assert [figure.name for figure in shown] == ["adapt-bits-trace", "adapt-generated-trace"]
    for figure in shown:
        assert "Simulated class: class" in figure.svg
        assert "n = 12" in figure.svg
        assert "another student" in figure.svg
        assert "95% intervals" in figure.caption
        assert "k, first traces fitted to" in figure.svg
        assert figure.points.num_rows
    first, second = tables(run)
    assert [line[0] for line in first.rows] == [str(k) for k in range(11)]
    assert first.rows[4][3] == "6.0 [5.0, 7.0]"
    assert first.rows[4][4] == "8.0 [7.0, 9.0]"
    assert "k = 10 against k = 4: 0.00" in first.caption
    assert len({line[2] for line in second.rows}) == len(AdaptConfig().sampled_ks)
    assert sentences(made(AdaptConfig(), scored=True))[4].startswith(
        "Simulated class: class. trace, k = 4: 6.00 [5.00, 7.00]"
    )
    assert METHODS


def test_bits_alone_have_one_figure_and_one_table(run: Path) -> None:
    results.write(made(AdaptConfig(sampled_pairs=0), scored=True), run / "results/adapt.parquet")
    assert [figure.name for figure in figures(run)] == ["adapt-bits-trace"]
    assert [table.name for table in tables(run)] == ["adapt-trace"]


def test_nothing_is_drawn_of_too_few_students_and_the_table_says_why(run: Path) -> None:
    rows = made(AdaptConfig(), scored=False)
    results.write(rows, run / "results/adapt.parquet")
    assert figures(run) == []
    (only,) = tables(run)
    assert "Not enough data: 1 new students have enough traces" in only.caption
    assert only.rows[3][3] == "–"
    assert sentences(rows) == ["Simulated class: class. trace: not enough data: 1 new students have enough traces."]


def test_a_run_without_the_study_has_none_of_it(tmp_path: Path) -> None:
    assert not figures(tmp_path)
    assert not tables(tmp_path)
