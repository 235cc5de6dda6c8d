"""Shares of variance: against REML, against known truth, at scale, and where they are undefined."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from statsmodels.regression.mixed_linear_model import MixedLM

from fabricate import make_run
from factories import make_dataset, make_trace
from redraft import results
from redraft.data.store import open_dataset
from redraft.errors import InputError
from redraft.metrics.bootstrap import Clusters, Floats
from redraft.metrics.variance import SHARES, components, shares
from redraft.studies.variance.chapter import METHODS, figures, tables
from redraft.studies.variance.settings import VarianceConfig
from redraft.studies.variance.study import variance


def effects(
    seed: int, students: int, titles: int, variances: tuple[float, float, float], missing: float = 0.0
) -> tuple[Clusters, Floats]:
    rng = np.random.default_rng(seed)
    who, what = np.repeat(np.arange(students), titles), np.tile(np.arange(titles), students)
    a, b, e = (np.sqrt(v) * rng.normal(size=n) for v, n in zip(variances, (students, titles, len(who)), strict=True))
    keep = rng.random(len(who)) >= missing
    return Clusters(students=who, titles=what).select(keep), (a[who] + b[what] + e)[keep]


@pytest.mark.parametrize("seed", range(3))
def test_balanced_data_give_reml_s_variances(seed: int) -> None:
    clusters, y = effects(seed, 14, 9, (1.0, 0.6, 1.5))
    found = components(y - y.mean(), clusters.students, clusters.titles)
    frame = pd.DataFrame({"y": y, "student": clusters.students, "title": clusters.titles})
    formula = {"student": "0 + C(student)", "title": "0 + C(title)"}
    model = MixedLM.from_formula("y ~ 1", frame, groups=np.ones(len(y)), vc_formula=formula).fit(reml=True)
    expected = dict(zip(model.model.exog_vc.names, model.vcomp, strict=True))
    ours = (found.student[0], found.title[0], found.residual[0])
    assert ours == pytest.approx((expected["student"], expected["title"], model.scale), rel=2e-3)


def test_unbalanced_estimates_are_right_on_average_and_intervals_cover() -> None:
    truth = np.array([1.0, 0.5, 2.0])
    expected = [*(truth / truth.sum()), 1 / 3]
    estimates, covered = [], np.zeros(4)
    for seed in range(100):
        clusters, y = effects(seed, 50, 25, (1.0, 0.5, 2.0), missing=0.4)
        parts = components(y - y.mean(), clusters.students, clusters.titles)
        estimates.append([parts.student[0], parts.title[0], parts.residual[0]])
        for i, share in enumerate(shares(y, clusters, seed=seed)):
            assert share.low is not None
            assert share.high is not None
            covered[i] += share.low <= expected[i] <= share.high
    away = (np.mean(estimates, 0) - truth) / (np.std(estimates, 0, ddof=1) / 10)
    assert np.abs(away).max() < 4  # in standard errors; over 1,500 other seeds the means are 1.001, 0.501, 1.999
    assert (covered >= 90).all()


def test_leaving_groups_out_is_estimating_without_them() -> None:
    clusters, y = effects(1, 12, 8, (1.0, 1.0, 1.0), missing=0.2)
    groups = np.arange(12) % 5
    found = components(y, clusters.students, clusters.titles, groups)
    for group in range(5):
        keep = groups[clusters.students] != group
        rest = clusters.select(keep)
        alone = components(y[keep], rest.students, rest.titles)
        assert [part[group] for part in found] == pytest.approx([part[0] for part in alone])


def test_shares_are_shares_and_know_an_effect_from_none() -> None:
    clusters, y = effects(2, 60, 20, (1.0, 0.0, 1.0))
    found = {share.name: share for share in shares(1e4 + 1e-3 * y, clusters)}
    assert list(found) == list(SHARES)
    assert sum(found[name].value or 0 for name in SHARES[:3]) == pytest.approx(1)
    assert (found["student"].low or 0) > 0.3
    assert (found["title"].high or 1) < 0.05
    assert found["student_within_title"].value == pytest.approx(found["student"].value, abs=0.03)


def test_thousands_of_students_take_a_moment() -> None:
    rng = np.random.default_rng(0)
    students, titles = 20_000, 3_000
    drawn = np.stack([rng.integers(students, size=300_000), np.minimum(rng.zipf(1.3, size=300_000) - 1, titles - 1)])
    who, what = np.unique(drawn, axis=1)
    n = len(who)
    assert n > 150_000
    a, b = rng.normal(size=students), rng.normal(size=titles)
    clusters = Clusters(students=who, titles=what).select(np.ones(n, bool))
    started = time.process_time()
    found = shares(a[who] + 0.5 * b[what] + rng.normal(size=n), clusters)
    assert time.process_time() - started < 20
    assert found[0].low is not None
    assert found[0].low < 1 / (1 + 0.25 + 1) < (found[0].high or 0)


@pytest.mark.parametrize(
    ("students", "titles", "change", "why"),
    [
        (20, 1, 1.0, "two titles"),
        (1, 20, 1.0, "two students"),
        (20, 12, 0.0, "constant"),
        (20, 12, np.nan, "no pair is scored"),
    ],
)
def test_undefined_is_unscored_with_a_reason(students: int, titles: int, change: float, why: str) -> None:
    clusters, y = effects(3, students, titles, (1.0, 1.0, 1.0))
    for share in shares(y * change, clusters):
        assert (share.value, share.low) == (None, None)
        assert why in (share.reason or "")


def test_one_title_a_student_is_unscored_and_few_clusters_have_no_interval() -> None:
    rng = np.random.default_rng(0)
    alone = Clusters(students=np.arange(30), titles=np.arange(30) % 5)
    assert "one title" in (shares(rng.normal(size=30), alone)[0].reason or "")
    clusters, y = effects(4, 30, 6, (1.0, 1.0, 1.0))
    found = shares(y, clusters)[0]
    assert found.value is not None
    assert found.low is None
    assert "fewer than 10" in (found.reason or "")


def test_study_writes_rows_a_figure_and_a_table(tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    dataset = open_dataset(tmp_path / "class")
    config = VarianceConfig(metrics=("comments_final", "backtracking", "functions_final"), workers=1)
    rows = variance(dataset, config, out=folder)
    assert results.read(folder / "results" / "variance.parquet") == rows
    assert {row.study for row in rows} == {"variance"}
    comments = {row.statistic: row for row in rows if row.metric == "comments_final"}
    # Comments are the student's habit (uniform means, Poisson counts): variance 25/12 of students beside 2.5 of chance.
    share = comments["student_share"]
    assert share.value == pytest.approx(25 / 12 / (25 / 12 + 2.5), abs=0.2)
    assert (comments["title_share"].value or 0) < 0.05
    assert all(row.value is None and row.reason for row in rows if row.metric == "functions_final")
    (figure,) = figures(folder)
    assert "Simulated class: class" in figure.caption
    assert figure.points.num_rows
    (table,) = tables(folder)
    assert table.rows[0][0] == "comments_final"
    assert METHODS
    assert variance(dataset, config) == rows
    with pytest.raises(InputError, match="comments_final"):
        VarianceConfig(metrics=("comment_final",))


def test_samples_of_a_pair_count_once(tmp_path: Path) -> None:
    traces = [
        make_trace([f"# {i}\nfd {t}" if s % 2 else "fd 1" for i in range(2)], f"s{s}", f"t{t}")
        for s in range(12) for t in range(11)
    ]  # fmt: skip
    dataset = make_dataset(tmp_path / "d", traces)
    rows = variance(dataset, VarianceConfig(metrics=("comments_final",), workers=1))
    assert rows[0].n == 132
    assert rows[0].value == pytest.approx(1)
    assert [rows[0].low, rows[0].high] == pytest.approx([1, 1])
