"""Permutation of whole clusters: against scipy, exact where small, honest under the null."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from redraft.metrics.bootstrap import Floats
from redraft.metrics.permutation import Orders, permutation_test


def gaps(labels: Floats, *columns: Floats) -> Callable[[Orders], Floats]:
    """Mean of the labelled clusters less that of the others, for each column."""

    def compute(orders: Orders) -> Floats:
        group_CP = labels[orders]
        return np.stack(
            [
                (group_CP * x[:, None]).sum(0) / group_CP.sum(0)
                - ((1 - group_CP) * x[:, None]).sum(0) / (1 - group_CP).sum(0)
                for x in columns
            ]
        )

    return compute


@pytest.mark.parametrize(("size", "in_group"), [(6, 3), (5, 2), (4, 2)])
def test_exact_p_is_scipy_s(size: int, in_group: int) -> None:
    labels = (np.arange(size) < in_group).astype(float)
    for seed in range(5):
        x = np.random.default_rng(seed).normal(size=size)
        found = permutation_test(gaps(labels, x), size)
        expected = stats.permutation_test(
            (x[labels > 0], x[labels == 0]), lambda a, b: np.mean(a) - np.mean(b), n_resamples=10**9,
        )  # fmt: skip
        assert found.exact
        assert found.observed[0] == pytest.approx(expected.statistic)
        if size == 2 * in_group:  # scipy doubles the smaller tail; equal where the distribution is symmetric
            assert found.p[0] == pytest.approx(expected.pvalue)
        one = permutation_test(gaps(labels, x), size, two_sided=False)
        greater = stats.permutation_test(
            (x[labels > 0], x[labels == 0]), lambda a, b: np.mean(a) - np.mean(b), n_resamples=10**9, alternative="greater",
        )  # fmt: skip
        assert one.p[0] == pytest.approx(greater.pvalue)


def test_p_is_uniform_under_the_null_and_small_under_an_effect() -> None:
    labels = (np.arange(20) < 7).astype(float)
    drawn = [np.random.default_rng(seed).standard_t(3, size=20) for seed in range(200)]
    ps = [permutation_test(gaps(labels, x), 20, permutations=500, seed=i).p[0] for i, x in enumerate(drawn)]
    assert stats.kstest(ps, "uniform").pvalue > 0.01
    exact = [permutation_test(gaps(labels[4:10], x[:6]), 6).p[0] for x in drawn]
    # An exact p has few values; each is at least as rare as it says.
    assert all(
        np.mean(np.array(exact) <= level) <= level + 2.6 * np.sqrt(level / 200) for level in (0.05, 0.1, 0.2, 0.5)
    )
    moved = [permutation_test(gaps(labels, x + 4 * labels), 20, permutations=500).p[0] for x in drawn[:20]]
    assert np.median(moved) < 0.01


def test_the_largest_of_many_keeps_the_family_s_error_and_finds_what_is_there() -> None:
    labels = (np.arange(24) < 8).astype(float)
    any_rejected = found = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        columns = rng.normal(size=(12, 24)) * rng.uniform(0.1, 10, size=(12, 1))
        null = permutation_test(gaps(labels, *columns), 24, permutations=300, seed=seed)
        any_rejected += bool((null.p_adjusted <= 0.05).any())
        assert (null.p_adjusted >= null.p - 1e-12).all()
        columns[3] += 2.5 * labels * columns[3].std()
        found += bool(permutation_test(gaps(labels, *columns), 24, permutations=300, seed=seed).p_adjusted[3] <= 0.05)
    assert any_rejected <= 11  # 5 of 100 are expected, more than 11 have a chance of .4%
    assert found >= 90


def test_constant_undefined_and_single() -> None:
    labels = (np.arange(10) < 4).astype(float)
    x = np.full(10, 3.0)
    found = permutation_test(gaps(labels, x, np.full(10, np.nan)), 10, permutations=100)
    assert found.p[0] == 1
    assert np.isnan([found.p[1], found.p_adjusted[1], found.observed[1]]).all()
    assert found.p_adjusted[0] == 1
    assert permutation_test(lambda orders: np.ones((1, orders.shape[1])), 1).p[0] == 1
