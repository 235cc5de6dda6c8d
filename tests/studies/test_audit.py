"""The bias audit: finds a planted bias, and that one only; says why where it can't say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy import stats

from fabricate import draw_trace, fake_samples, habits, make_run
from factories import make_dataset, make_trace
from redraft import results
from redraft.cli.studies import audit as command
from redraft.data.companions import COVARIATES_FILE
from redraft.data.split import SplitConfig, load_split, make_split
from redraft.data.store import open_dataset
from redraft.errors import InputError
from redraft.metrics.measure import measure
from redraft.results import Result
from redraft.studies.audit.chapter import figures, tables
from redraft.studies.audit.settings import AuditConfig
from redraft.studies.audit.study import audit
from redraft.studies.audit.subgroups import attributes
from redraft.studies.common.compared import Measures, compare_models
from redraft.studies.common.run import open_run

CONFIG = AuditConfig(
    metrics=("comments_final", "bleu_final"), models=("trace",), replicates=300, permutations=500, workers=1
)


def biased_run(folder: Path, students: int = 48) -> Path:
    """The trace model knows the students of group a, and takes those of group b for each other."""
    run = make_run(folder, students=students, titles=12)
    true = habits(students, np.random.default_rng(7))
    names = sorted(true)
    group = {name: "ab"[i % 2] for i, name in enumerate(names)}
    b = [name for name in names if group[name] == "b"]
    taken_for = dict(zip(b, [*b[7:], *b[:7]], strict=True))
    dataset = open_dataset(folder / "class")
    split = load_split(dataset)
    pairs = [pair for pair, place in split.of.items() if "seen" in place]
    fake_samples(
        run / "samples/trace2", pairs, lambda s: true[taken_for.get(s, s)], split, np.random.default_rng(1), "trace"
    )
    (run / "samples/trace").rename(run / "samples/honest")
    (run / "samples/trace2").rename(run / "samples/trace")
    rng = np.random.default_rng(2)
    covariates = pa.table({
        "student": names, "group": [group[name] for name in names], "age": rng.uniform(8, 18, len(names)),
        "coin": rng.integers(2, size=len(names)) > 0, "nick": [f"n{name}" for name in names],
    })  # fmt: skip
    pq.write_table(covariates, folder / "class" / COVARIATES_FILE)
    return run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return biased_run(tmp_path_factory.mktemp("audit"))


@pytest.fixture(scope="module")
def rows(run: Path) -> list[Result]:
    return audit(run, CONFIG)


def gap(rows: list[Result], subgroup: str, statistic: str, metric: str = "comments_final") -> Result:
    (found,) = [
        r for r in rows
        if (r.subgroup, r.statistic, r.metric, r.baseline) == (subgroup, f"{statistic}_difference", metric, "rest")
    ]  # fmt: skip
    return found


def test_a_planted_bias_is_found_and_what_was_drawn_by_lot_is_not(rows: list[Result]) -> None:
    found = {(r.subgroup, r.statistic) for r in rows if r.p_adjusted is not None and r.p_adjusted < 0.05}
    assert ("group=a", "within_r_difference") in found
    assert not any((subgroup or "").startswith(("age", "coin")) for subgroup, _ in found)
    row = gap(rows, "group=a", "within_r")
    assert row.value is not None
    assert row.low is not None
    assert row.value > row.low > 0
    assert (gap(rows, "group=a", "mean_absolute_error").value or 0) < 0
    assert row.p is not None
    assert row.p_adjusted is not None
    assert row.p <= row.p_adjusted
    assert row.clusters == "student+title"
    assert "subgroups of students" in (row.family or "")


def test_values_are_those_of_the_subgroup_s_pairs(run: Path, rows: list[Result]) -> None:
    opened = open_run(run)
    compared = compare_models(Measures(opened, 1), seed=0)
    covariates = pq.read_table(opened.dataset.path / COVARIATES_FILE).to_pylist()
    group = {row["student"]: row["group"] for row in covariates}
    mine = np.array([group[pair.student] == "a" for pair in compared.pairs])
    titles = np.unique([pair.title for pair in compared.pairs], return_inverse=True)[1]
    real, generated = compared.real["comments_final"], compared.views["trace"]["comments_final"]

    def centred(x: np.ndarray) -> np.ndarray:
        return x - (np.bincount(titles, x) / np.bincount(titles))[titles]

    r = [stats.pearsonr(centred(real)[side], centred(generated)[side])[0] for side in (mine, ~mine)]
    error = [np.abs(generated - real)[side].mean() for side in (mine, ~mine)]
    assert gap(rows, "group=a", "within_r").value == pytest.approx(r[0] - r[1])
    assert gap(rows, "group=a", "mean_absolute_error").value == pytest.approx(error[0] - error[1])
    (own,) = [r for r in rows if (r.subgroup, r.statistic, r.metric) == ("group=a", "within_r", "comments_final")]
    assert own.value == pytest.approx(r[0])
    assert own.n == mine.sum()


def test_every_attribute_is_there_and_says_why_it_is_unscored(rows: list[Result]) -> None:
    names = {(row.subgroup or "").split("=")[0] for row in rows}
    assert names == {"year", "mode", "language", "activity", "title frequency", "group", "age", "coin"}
    year = gap(rows, "year=2020", "within_r")
    assert (year.value, year.p, year.low) == (None, None, None)
    assert "fewer than 10 students" in (year.reason or "")
    assert "fewer than 10 titles" in (gap(rows, "title frequency=not in training", "mean", "bleu_final").reason or "")
    thirds = {row.subgroup for row in rows if (row.subgroup or "").startswith("age")}
    assert thirds == {"age=lowest third", "age=middle third", "age=highest third"}


def test_who_is_in_which_subgroup(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    true = habits(6, rng)
    traces = [draw_trace(s, t, true[s], rng) for s in true for t in ("title1", "title2", "title3")]
    traces.append(make_trace(["fd 1"], "s00", "title4", language=None))
    dataset = make_dataset(tmp_path / "d", traces)
    split = make_split(dataset, SplitConfig(held_students=1, held_titles=1, seed=1))
    found = {attribute.name: attribute for attribute in attributes(dataset, split, measure(dataset))}
    assert set(found["year"].values.values()) == {"2020"}
    assert found["mode"].values["s00"] == "t"
    assert found["language"].values["s00"] == "coffeescript"
    held = {pair.student for pair, place in split.of.items() if place == "unseen-seen"}
    assert {s for s, value in found["activity"].values.items() if value == "no training"} >= held
    assert found["title frequency"].of == "title"


def test_report_and_command(run: Path, rows: list[Result], capsys: pytest.CaptureFixture[str]) -> None:
    assert results.read(run / "results" / "audit.parquet") == rows
    (figure,) = figures(run)
    assert "Simulated class: class" in figure.caption
    assert "group=a" in figure.svg
    (table,) = tables(run)
    significant = sum(row.p_adjusted is not None and row.p_adjusted < 0.05 for row in rows)
    assert f"{significant} have p < .05" in table.caption
    with (run / "run.toml").open("a") as file:
        file.write('\n[audit]\nmetrics = ["comments_final"]\nmodels = ["trace"]\nreplicates = 50\npermutations = 200\n')
    command(run)
    assert "group=a" in capsys.readouterr().out
    assert (run / "figures" / "audit.svg").exists()
    with pytest.raises(InputError, match="bleu_final"):
        AuditConfig(metrics=("bleu_finl",))


def test_too_small_a_run_is_unscored_with_reasons(tmp_path: Path) -> None:
    run = make_run(tmp_path, students=5, titles=3)
    rows = audit(run, AuditConfig(metrics=("comments_final",), replicates=20, permutations=20, workers=1))
    gaps = [row for row in rows if row.baseline]
    assert gaps
    assert all(row.value is None and row.reason and row.p is None for row in gaps)
    assert figures(run) == []
    assert "Of 0 gaps tested" in tables(run)[0].caption
