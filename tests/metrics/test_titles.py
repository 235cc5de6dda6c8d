"""A title's agreement against its frequency: planted trends, nulls, and what is undefined."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from known import known
from redraft.metrics.bootstrap import Clusters
from redraft.metrics.titles import MIN_PAIRS, frequency_trend, title_correlations

TITLES, STUDENTS, EACH = 30, 50, 25


def a_study(seed: int, agreement: Callable[[int], float]) -> tuple[np.ndarray, np.ndarray, np.ndarray, Clusters]:
    """Real and generated values of pairs, whose correlation in title t is `agreement(t)`; frequencies rise with t."""
    rng = np.random.default_rng(seed)
    titles = np.repeat(np.arange(TITLES), EACH)
    students = np.concatenate([rng.choice(STUDENTS, EACH, replace=False) for _ in range(TITLES)])
    rho = np.array([agreement(int(t)) for t in titles])
    real = rng.normal(size=len(titles))
    generated = rho * real + np.sqrt(1 - rho**2) * rng.normal(size=len(titles))
    clusters = Clusters.of([f"s{s}" for s in students], [f"t{t:02}" for t in titles])
    return real, generated, np.exp(titles / 3), clusters


def test_agrees_with_scipy_and_finds_a_planted_trend() -> None:
    real, generated, frequency, clusters = a_study(0, lambda t: 0.9 * t / TITLES)
    r_T = title_correlations(real, generated, clusters.titles)
    for t in range(TITLES):
        mine = clusters.titles == t
        assert r_T[t] == pytest.approx(stats.pearsonr(real[mine], generated[mine]).statistic)
    found = frequency_trend(real, generated, frequency, clusters, seed=1, replicates=400)
    assert found.value == pytest.approx(stats.spearmanr(r_T, np.arange(TITLES)).statistic)
    assert 0 < known(found.low) < known(found.value)
    assert known(found.p) < 0.05
    assert (found.n_titles, found.clusters) == (TITLES, "student+title")


def test_no_trend_is_rarely_found() -> None:
    found = [frequency_trend(*a_study(seed, lambda _: 0.4), seed=1, replicates=200) for seed in range(30)]
    assert sum(known(estimate.p) < 0.05 for estimate in found) <= 5


def test_titles_of_few_pairs_and_constant_ones_are_left_out() -> None:
    real, generated, frequency, clusters = a_study(0, lambda t: 0.9 * t / TITLES)
    scarce = (clusters.titles < 3) & (np.arange(len(real)) % EACH >= MIN_PAIRS - 1)
    real[scarce] = np.nan
    constant = clusters.titles == 29
    generated[constant] = 1.0
    found = frequency_trend(real, generated, frequency, clusters, replicates=100)
    r_T = title_correlations(real, generated, clusters.titles)
    assert np.flatnonzero(np.isnan(r_T)).tolist() == [0, 1, 2, 29]
    assert found.value == pytest.approx(stats.spearmanr(r_T[3:29], np.arange(3, 29)).statistic)


def test_too_few_titles_are_unscored() -> None:
    real, generated, frequency, clusters = a_study(0, lambda _: 0.5)
    keep = clusters.titles < 4
    found = frequency_trend(real[keep], generated[keep], frequency[keep], clusters.select(keep))
    assert found.value is None
    assert found.reason
