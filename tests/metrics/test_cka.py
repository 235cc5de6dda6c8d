"""CKA, jackknife and separation against known truth and independent formulas."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import calinski_harabasz_score

from known import known
from redraft.metrics.cka import centred_gram, debiased_cka, recentred, similarities
from redraft.metrics.jackknife import estimate, jackknife
from redraft.metrics.separation import between_share, separation


def song_hsic(k: np.ndarray, m: np.ndarray) -> float:
    """Song et al. 2012, equation 5, written out: no U-centring."""
    n = len(k)
    k, m = k - np.diag(np.diag(k)), m - np.diag(np.diag(m))
    one = np.ones(n)
    total: float = (
        np.trace(k @ m) + (one @ k @ one) * (one @ m @ one) / ((n - 1) * (n - 2)) - 2 / (n - 2) * (one @ k @ m @ one)
    )
    return total / (n * (n - 3))


def features_cka(x: np.ndarray, y: np.ndarray) -> float:
    """In feature space, as Kornblith et al.'s published code debiases it: no Gram matrix at all."""
    x, y = x - x.mean(0), y - y.mean(0)
    n = len(x)
    rows_x, rows_y = (x**2).sum(1), (y**2).sum(1)

    def debiased(product: float, a: np.ndarray, b: np.ndarray) -> float:
        return product - n / (n - 2) * float(a @ b) + float(a.sum() * b.sum()) / ((n - 1) * (n - 2))

    cross = debiased(((x.T @ y) ** 2).sum(), rows_x, rows_y)
    own_x, own_y = (debiased(((v.T @ v) ** 2).sum(), r, r) for v, r in ((x, rows_x), (y, rows_y)))
    return cross / float(np.sqrt(own_x * own_y))


def test_three_formulas_agree() -> None:
    rng = np.random.default_rng(0)
    for n, d, e in ((6, 3, 2), (40, 5, 70), (90, 64, 64)):
        x = rng.normal(size=(n, d)) + 3
        y = rng.normal(size=(n, e)) + (x[:, :1] * 2)
        k, m = x @ x.T, y @ y.T
        song = song_hsic(k, m) / np.sqrt(song_hsic(k, k) * song_hsic(m, m))
        assert debiased_cka(x, y) == pytest.approx(song, rel=1e-9)
        assert debiased_cka(x, y) == pytest.approx(features_cka(x, y), rel=1e-9)


def test_a_rotation_is_the_same_and_independence_is_nothing() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(80, 20)) * np.arange(1, 21)
    rotation, _ = np.linalg.qr(rng.normal(size=(20, 20)))
    assert debiased_cka(x, 3 * x @ rotation + 7) == pytest.approx(1, abs=1e-9)
    values = [debiased_cka(rng.normal(size=(50, 200)), rng.normal(size=(50, 300))) for _ in range(60)]
    assert abs(np.mean(values)) < 3 * np.std(values) / np.sqrt(60)  # plain CKA is about .8 here
    assert np.std(values) < 0.06
    plain = [rng.normal(size=(50, 200)) for _ in range(2)]
    a, b = (v - v.mean(0) for v in plain)
    assert ((a.T @ b) ** 2).sum() / np.sqrt(((a.T @ a) ** 2).sum() * ((b.T @ b) ** 2).sum()) > 0.7


def test_all_layers_at_once_and_parts_of_the_inputs() -> None:
    rng = np.random.default_rng(2)
    layers = [rng.normal(size=(30, d)) for d in (3, 8, 8)]
    layers[2] += layers[1]
    grams = np.stack([centred_gram(layer) for layer in layers])
    found = similarities(grams)
    for i in range(3):
        for j in range(3):
            assert found[i, j] == pytest.approx(debiased_cka(layers[i], layers[j]))
    keep = rng.random(30) < 0.7
    part = recentred(grams[1][np.ix_(keep, keep)])
    np.testing.assert_allclose(part, centred_gram(layers[1][keep]), atol=1e-9)
    order = rng.permutation(30)
    moved = similarities(grams[:1], grams[1:2][:, order[:, None], order])
    assert moved[0, 0] == pytest.approx(debiased_cka(layers[0], layers[1][order]))


def test_what_does_not_vary_is_undefined() -> None:
    assert np.isnan(debiased_cka(np.ones((10, 3)), np.random.default_rng(0).normal(size=(10, 3))))
    assert np.isnan(debiased_cka(np.eye(3), np.eye(3)))


# The jackknife


def means_of(values: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    return lambda keep: np.array([values[keep].mean()])


def test_the_jackknife_of_a_mean_is_its_standard_error() -> None:
    values = np.random.default_rng(3).normal(size=25)
    students = [f"s{i}" for i in range(25)]
    found = jackknife(lambda keep: np.array([values[keep].mean()]), students, seed=0, groups=25)
    result = estimate(found, lambda v: float(v[0]), students=students, titles=["t"] * 25, seed=0)
    expected = stats.ttest_1samp(values, 0.0)
    interval = expected.confidence_interval()
    assert result.se == pytest.approx(values.std(ddof=1) / 5)
    assert (result.low, result.high) == pytest.approx((interval.low, interval.high))
    assert result.p == pytest.approx(expected.pvalue)
    assert (result.n_students, result.n_titles, result.clusters) == (25, 1, "student")


def test_the_jackknife_covers_where_students_differ() -> None:
    """30 students of 5 observations each, alike within a student: a t-test over observations covers about half."""
    rng = np.random.default_rng(4)
    students = np.repeat([f"s{i}" for i in range(30)], 5)
    covered = 0
    for seed in range(200):
        values = np.repeat(rng.normal(size=30), 5) + 0.3 * rng.normal(size=150)
        found = jackknife(means_of(values), students.tolist(), seed=seed)
        result = estimate(found, lambda v: float(v[0]), students=students.tolist(), titles=["t"] * 150, seed=seed)
        covered += known(result.low) <= 0 <= known(result.high)
    assert covered >= 182


def test_few_students_have_no_interval_and_the_undefined_no_value() -> None:
    students = [f"s{i}" for i in range(9)]
    found = jackknife(lambda keep: np.array([keep.sum() / 9]), students, seed=0)
    few = estimate(found, lambda v: float(v[0]), students=students, titles=students, seed=0)
    assert (few.value, few.low, few.reason) == (1.0, None, "no interval: fewer than 10 students")
    undefined = estimate(found, lambda v: float("nan"), students=students, titles=students, seed=0)
    assert undefined.value is None
    assert "doesn't vary" in (undefined.reason or "")


# Separation


def test_the_share_between_labels_is_calinski_and_harabaszs() -> None:
    rng = np.random.default_rng(5)
    labels = rng.integers(0, 4, size=60)
    points = rng.normal(size=(60, 2)) + labels[:, None]
    share = between_share(points, labels)
    expected = calinski_harabasz_score(points, labels)
    assert share / (1 - share) * (60 - 4) / 3 == pytest.approx(expected)
    assert between_share(points, labels * 2) == pytest.approx(share)  # numbers without points don't matter
    assert np.isnan(between_share(np.ones((5, 2)), np.arange(5)))


def test_planted_labels_are_found_and_students_mixtures_are_not() -> None:
    rng = np.random.default_rng(6)
    students = np.repeat(np.arange(20), 15)
    habit = rng.dirichlet(np.ones(3) / 2, size=20)
    labels = np.array([rng.choice(3, p=habit[s]) for s in students])
    names = [f"s{s}" for s in students]
    place = rng.normal(size=(20, 2)) * 3
    place[:, 0] += 4 * habit[:, 0]  # where a student's points lie goes with the student's habit, not with the label
    points = place[students] + rng.normal(size=(300, 2))
    null = separation(points, labels, names, permutations=199, seed=0)
    assert null.p > 0.05
    assert null.value == pytest.approx(null.permuted, abs=0.03)
    free = separation(points, labels, ["all"] * 300, permutations=199, seed=0)
    assert free.p < 0.05  # permuted over all students the habit would be taken for the label
    planted = separation(points + 2 * labels[:, None] * [-1, 1], labels, names, permutations=199, seed=0)
    assert planted.p == pytest.approx(1 / 200)
    assert planted.value > planted.permuted + 0.05


def test_p_is_uniform_where_there_is_nothing() -> None:
    rng = np.random.default_rng(7)
    names = [f"s{i % 8}" for i in range(40)]
    ps = [
        separation(rng.normal(size=(40, 2)), rng.integers(0, 3, size=40), names, permutations=99, seed=seed).p
        for seed in range(200)
    ]
    assert stats.kstest(ps, "uniform").pvalue > 0.01
