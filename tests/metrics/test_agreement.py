"""The statistics: against scipy, against a slow plain bootstrap, and under a null made of clusters."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from known import known
from redraft.metrics import agreement
from redraft.metrics import bootstrap as bootstrap_module
from redraft.metrics.agreement import (
    CORRELATIONS,
    Estimate,
    correlation,
    correlation_contrast,
    holm,
    mean,
    mean_contrast,
)
from redraft.metrics.bootstrap import Clusters, Floats, Replicates, bootstrap, draws


def crossed(students: int, titles: int) -> Clusters:
    """Every student on every title."""
    return Clusters(students=np.repeat(np.arange(students), titles), titles=np.tile(np.arange(titles), students))


def class_of(seed: int, students: int = 40, titles: int = 15) -> tuple[Clusters, Floats, Floats]:
    """Real and generated values that share title and student effects; a third of the pairs are missing."""
    rng = np.random.default_rng(seed)
    full = crossed(students, titles)
    effect = 2 * rng.normal(size=titles)[full.titles] + rng.normal(size=students)[full.students]
    x, y = effect + rng.normal(size=len(full)), 3 * effect + rng.normal(size=len(full)) + 100
    keep = rng.random(len(full)) < 2 / 3
    return full.select(keep), x[keep], y[keep]


def plain_r(statistic: str, x: Floats, y: Floats, clusters: Clusters, students: Floats, titles: Floats) -> float:
    """A statistic under counts, by repeating pairs and looping over titles."""
    xs, ys, mean_xs, mean_ys = [], [], [], []
    for title in range(clusters.n_titles):
        rows = np.flatnonzero(clusters.titles == title)
        rows = np.repeat(rows, students[clusters.students[rows]].astype(int))
        for _ in range(int(titles[title])):
            if len(rows):
                centre = statistic == "within_r"
                xs.extend(x[rows] - x[rows].mean() * centre)
                ys.extend(y[rows] - y[rows].mean() * centre)
                mean_xs.append(x[rows].mean())
                mean_ys.append(y[rows].mean())
    a, b = (mean_xs, mean_ys) if statistic == "between_r" else (xs, ys)
    return float(stats.pearsonr(a, b)[0])


@pytest.mark.parametrize("statistic", CORRELATIONS)
def test_values_and_replicates_are_those_of_repeated_pairs(statistic: str) -> None:
    clusters, x, y = class_of(1)
    compute = CORRELATIONS[statistic](x, y, clusters)
    once = np.ones(clusters.n_students), np.ones(clusters.n_titles)
    assert compute(clusters.once)[0] == pytest.approx(plain_r(statistic, x, y, clusters, *once))
    counts = next(draws(clusters, seed=5, replicates=20))
    expected = [plain_r(statistic, x, y, clusters, counts.students[:, b], counts.titles[:, b]) for b in range(20)]
    assert compute(counts) == pytest.approx(expected)


def test_pooled_r_is_pearson_s_and_the_mean_is_the_mean() -> None:
    clusters, x, y = class_of(2)
    assert correlation("pooled_r", x, y, clusters).value == pytest.approx(stats.pearsonr(x, y)[0])
    assert mean(y, clusters).value == pytest.approx(y.mean())


def test_draws_are_counts_of_whole_clusters_and_depend_on_the_seed_only(monkeypatch: pytest.MonkeyPatch) -> None:
    clusters, x, y = class_of(3)
    whole = list(draws(clusters, seed=7, replicates=50))
    monkeypatch.setattr(bootstrap_module, "_CHUNK_CELLS", 7 * (clusters.n_students + clusters.n_titles))
    pieces = list(draws(clusters, seed=7, replicates=50))
    assert (len(whole), len(pieces)) == (1, 8)
    assert (np.concatenate([piece.students for piece in pieces], axis=1) == whole[0].students).all()
    assert (np.concatenate([piece.titles for piece in pieces], axis=1) == whole[0].titles).all()
    assert (whole[0].students.sum(0) == clusters.n_students).all()
    assert (whole[0].titles.sum(0) == clusters.n_titles).all()
    assert correlation("within_r", x, y, clusters, seed=1) == correlation("within_r", x, y, clusters, seed=1)
    assert correlation("within_r", x, y, clusters, seed=1) != correlation("within_r", x, y, clusters, seed=2)


def test_p_by_hand() -> None:
    # 3 of 9 replicates are at most 0: 2 (1 + 3) / 10
    assert Replicates(np.array([-2.0, -1, 0, 1, 2, 3, 4, 5, 6]), 0).p == pytest.approx(0.8)
    assert Replicates(np.arange(1.0, 2000), 0).p == pytest.approx(2 / 2000)
    assert Replicates(np.array([-1.0, 1]), 0).p == 1


def test_a_title_s_mean_says_nothing_within_titles() -> None:
    clusters, x, y = class_of(4)
    title_mean = (np.bincount(clusters.titles, y) / np.bincount(clusters.titles))[clusters.titles]
    within = correlation("within_r", x, title_mean, clusters)
    assert within.value is None
    assert within.reason
    assert (within.n, within.n_titles) == (len(x), 15)
    assert correlation("between_r", x, title_mean, clusters).value is not None


@pytest.mark.parametrize("statistic", CORRELATIONS)
def test_within_ignores_title_shifts_and_all_ignore_scale(statistic: str) -> None:
    clusters, x, y = class_of(5)
    before = correlation(statistic, x, y, clusters, replicates=100)
    after = correlation(statistic, 1e6 + 1e-3 * x, -5 * y, clusters, replicates=100)
    assert after.value == pytest.approx(-known(before.value))
    if statistic == "within_r":
        shifted = correlation(statistic, x + 1000 * clusters.titles, y, clusters, replicates=100)
        assert [shifted.value, shifted.low] == pytest.approx([before.value, before.low])


@pytest.mark.parametrize("statistic", CORRELATIONS)
@pytest.mark.parametrize("constant", [0.0, 0.1, 2019.0])
def test_a_constant_side_is_unscored(statistic: str, constant: float) -> None:
    clusters, x, _ = class_of(6)
    found = correlation(statistic, x, np.full(len(x), constant), clusters, replicates=50)
    assert (found.value, found.low, found.p, found.se) == (None, None, None, None)
    assert found.reason


def test_missing_values_are_counted_and_their_students_not_resampled() -> None:
    clusters, x, y = class_of(7)
    gone = clusters.students < 5
    x = np.where(gone, np.nan, x)
    found = correlation("pooled_r", x, y, clusters)
    assert (found.unscored, found.n) == (gone.sum(), (~gone).sum())
    assert (found.n_students, found.n_titles) == (clusters.n_students - 5, 15)
    assert found.value == pytest.approx(stats.pearsonr(x[~gone], y[~gone])[0])
    nothing = mean(np.full(len(x), np.nan), clusters)
    assert (nothing.value, nothing.n, nothing.reason) == (None, 0, "no pair is scored")
    assert mean(np.array([]), Clusters.of([], [])).value is None


@pytest.mark.parametrize(
    ("students", "titles", "resampled"),
    [
        (12, 12, "student+title"),
        (40, 9, "student (conditional)"),
        (9, 40, "title (conditional)"),
        (40, 1, "student (conditional)"),
        (1, 40, "title (conditional)"),
        (9, 9, None),
        (1, 1, None),
    ],
)
def test_too_few_clusters_are_not_resampled(students: int, titles: int, resampled: str | None) -> None:
    clusters = crossed(students, titles)
    found = mean(np.random.default_rng(0).normal(size=len(clusters)), clusters, replicates=50)
    assert found.clusters == clusters.resampled == resampled
    assert (found.low is None) == (found.p is None) == (found.smallest_detectable is None) == (resampled is None)
    assert found.value is not None
    if resampled is None:
        assert found.reason
        with pytest.raises(ValueError, match="too few"):
            bootstrap(lambda counts: counts.students.sum(0), clusters)
    elif "conditional" in resampled:
        counts = next(draws(clusters, 0, 10))
        kept, drawn = (counts.titles, counts.students) if "student" in resampled else (counts.students, counts.titles)
        assert (kept == 1).all()
        assert not (drawn == 1).all()


def test_a_correlation_that_hangs_on_one_student_is_unscored() -> None:
    # Only student 0 varies on the generated side: about 1/e of the draws miss that student.
    clusters = crossed(20, 12)
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=len(clusters)), np.where(clusters.students == 0, rng.normal(size=len(clusters)), 0.0)
    found = correlation("pooled_r", x, y, clusters)
    assert found.value is None
    assert "replicates" in (found.reason or "")


def test_contrast_of_a_model_with_itself_is_nothing() -> None:
    clusters, x, y = class_of(8)
    found = correlation_contrast("within_r", x, y, y, clusters)
    assert (found.value, found.low, found.high, found.p) == (0, 0, 0, 1)
    assert mean_contrast(x, x, clusters).effect_size is None


def test_contrast_uses_common_pairs_and_finds_a_planted_difference() -> None:
    clusters, x, good = class_of(9)
    poor = good + 20 * np.random.default_rng(9).normal(size=len(x))
    poor[:7] = np.nan
    found = correlation_contrast("pooled_r", x, good, poor, clusters, seed=1)
    expected = stats.pearsonr(x[7:], good[7:])[0] - stats.pearsonr(x[7:], poor[7:])[0]
    assert found.value == pytest.approx(expected)
    assert found.unscored == 7
    assert found.low is not None
    assert found.low > 0
    assert found.p is not None
    assert found.p < 0.01
    assert found.smallest_detectable == pytest.approx(2.8 * known(found.se))


def test_mean_contrast_has_d_z() -> None:
    clusters, x, y = class_of(10)
    found = mean_contrast(y, x, clusters)
    assert found.value == pytest.approx((y - x).mean())
    assert found.effect_size == pytest.approx((y - x).mean() / (y - x).std(ddof=1))
    assert found.statistic == "mean_difference"


def test_holm_by_hand() -> None:
    # sorted .01 .03 .04 -> times 3, 2, 1 -> .03 .06 .06 (never falling); None isn't counted
    assert holm([0.04, None, 0.01, 0.03]) == pytest.approx([0.06, None, 0.03, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([None]) == [None]


@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_only_raises_and_keeps_the_order(ps: list[float]) -> None:
    adjusted = [p for p in holm(ps) if p is not None]
    assert all(p <= q <= 1 for p, q in zip(ps, adjusted, strict=True))
    ranked = [adjusted[i] for i in np.argsort(ps, kind="stable")]
    assert ranked == sorted(ranked)


@settings(deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 14), st.integers(1, 14))
def test_nothing_is_ever_nan(seed: int, students: int, titles: int) -> None:
    rng = np.random.default_rng(seed)
    clusters = crossed(students, titles)
    keep = rng.random(len(clusters)) < 0.5
    keep[0] = True
    clusters = clusters.select(keep)
    x, y = (np.where(rng.random(len(clusters)) < 0.2, np.nan, rng.integers(0, 3, len(clusters))) for _ in range(2))
    estimates: list[Estimate] = [correlation(name, x, y, clusters, replicates=20) for name in CORRELATIONS]
    estimates += [mean(x, clusters, replicates=20), mean_contrast(x, y, clusters, replicates=20)]
    for found in estimates:
        assert not any(isinstance(v, float) and not np.isfinite(v) for v in asdict(found).values())
        assert (found.value is None) <= (found.reason is not None)
        assert found.n + found.unscored == len(x)


def test_under_a_clustered_null_the_bootstrap_holds_its_level_and_the_t_test_does_not() -> None:
    # D_ij = a_i + b_j + e_ij with mean 0; 60 repetitions of 40 students on 15 titles.
    clusters, repetitions = crossed(40, 15), 60
    rejected = covered = rejected_by_t = 0
    for seed in range(repetitions):
        rng = np.random.default_rng([seed, 1])
        difference = rng.normal(size=40)[clusters.students] + rng.normal(size=15)[clusters.titles]
        difference += rng.normal(size=len(clusters))
        found = mean_contrast(difference, np.zeros_like(difference), clusters, seed=seed)
        assert found.p is not None
        assert found.low is not None
        assert found.high is not None
        rejected += found.p <= 0.05
        covered += found.low <= 0 <= found.high
        rejected_by_t += float(stats.ttest_1samp(difference, 0.0).pvalue) <= 0.05
    # exact level .05 gives 3 of 60; 8 or more has a chance below 1%. 15 titles leave percentile intervals a bit short.
    assert rejected <= 7
    assert covered >= 53
    assert rejected_by_t >= 20


def test_a_planted_student_effect_is_found_within_titles() -> None:
    rng = np.random.default_rng(0)
    clusters = crossed(60, 12)
    trait = rng.normal(size=60)[clusters.students]
    title = 5 * rng.normal(size=12)[clusters.titles]
    real = title + trait + rng.normal(size=len(clusters))
    knows, guesses = title + trait, title + rng.normal(size=60)[clusters.students]
    assert (correlation("pooled_r", real, guesses, clusters).value or 0) > 0.9  # the titles make it look good
    within = correlation("within_r", real, knows, clusters)
    assert known(within.low) > 0.5
    none = correlation("within_r", real, guesses, clusters)
    assert known(none.low) < 0 < known(none.high)
    assert known(correlation_contrast("within_r", real, knows, guesses, clusters).p) < 0.01


@pytest.mark.parametrize("students", [10, 15, 40])
def test_few_clusters_have_the_interval_of_the_t_distribution(students: int) -> None:
    x = np.random.default_rng(students).normal(size=students)
    clusters = Clusters(students=np.arange(students), titles=np.zeros(students, np.int64))
    found = mean(x, clusters, seed=1, replicates=8000)
    for level, ends in ((0.95, (found.low, found.high)), (0.9, (found.low_90, found.high_90))):
        expected = stats.ttest_1samp(x, 0.0).confidence_interval(level)
        width = float(expected.high - expected.low)
        assert ends == pytest.approx((expected.low, expected.high), abs=0.06 * width)
    assert found.se == pytest.approx(stats.sem(x) * stats.t.ppf(0.975, students - 1) / 1.96, rel=0.06)


def test_widening_keeps_the_middle_and_is_small_for_many_clusters() -> None:
    clusters, x, _ = class_of(12, students=12, titles=12)
    drawn = [bootstrap(agreement._mean(clusters, x), clusters, seed=2, widen=widen) for widen in (False, True)]
    assert drawn[0].widened == 1
    assert 1.05 < drawn[1].widened < 1.2
    assert drawn[1].values.mean() == pytest.approx(drawn[0].values.mean())
    assert drawn[1].se == pytest.approx(drawn[1].widened * drawn[0].se)
    many, y, _ = class_of(13, students=400, titles=400)
    assert 1 < bootstrap(agreement._mean(many, y), many, replicates=100).widened < 1.01


def test_a_widened_interval_of_r_ends_at_one() -> None:
    clusters, x, _ = class_of(14, students=10, titles=10)
    y = x + np.random.default_rng(1).normal(size=len(x)) * 1e-3 * x**2
    found = correlation("pooled_r", x, y, clusters)
    assert found.high is not None
    assert 0.99 < found.high <= 1


@pytest.mark.parametrize(
    ("unit", "statistic", "ends"),
    [
        ("share", "mean", (0, 1)), ("BLEU, 0 to 1", "mean_difference", (-1, 1)), ("r", "within_r", (-1, 1)),
        ("r", "within_r_difference", (-2, 2)), ("states", "mean", (-3, 3)),
    ],
)  # fmt: skip
def test_intervals_end_where_their_unit_does(unit: str, statistic: str, ends: tuple[float, float]) -> None:
    found = Estimate(
        statistic=statistic, value=0.5, low=-3, high=3, low_90=-3, high_90=None, n=9, n_students=3, n_titles=3
    )
    inside = found.in_unit(unit)
    assert (inside.low, inside.high, inside.low_90, inside.high_90) == (*ends, ends[0], None)
