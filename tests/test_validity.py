"""Do the instruments find what is there, and nothing else? The small version of bench/validity.py.

First a synthetic null, then simulated classes: an oracle (fresh simulations of the same students on the same titles)
stands in for a model, so that the instruments are tested and not how well something was trained.
"""

from __future__ import annotations

import numpy as np

from redraft.metrics.agreement import POWER, mean, paper_t
from redraft.metrics.bootstrap import Clusters, Floats


def crossed(students: int, titles: int) -> Clusters:
    return Clusters(students=np.repeat(np.arange(students), titles), titles=np.tile(np.arange(titles), students))


def null(seed: int, clusters: Clusters) -> Floats:
    """Differences a_i + b_j + e_ij of mean 0."""
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=clusters.n_students), rng.normal(size=clusters.n_titles)
    return a[clusters.students] + b[clusters.titles] + rng.normal(size=len(clusters))


def test_synthetic_null_and_power() -> None:
    clusters = crossed(40, 15)
    rejected = covered = detected = naive = 0
    for seed in range(200):
        values = null(seed, clusters)
        found = mean(values, clusters, seed=seed)
        assert found.low is not None
        assert found.high is not None
        assert found.p is not None
        assert found.smallest_detectable is not None
        rejected += found.p <= 0.05
        covered += found.low <= 0 <= found.high
        # Shifted by the effect that is said to be detectable, the replicates and their interval shift with it.
        detected += found.low + found.smallest_detectable > 0
        naive += (paper_t(values, np.zeros(len(values)), clusters).p or 0) <= 0.05
    assert rejected <= 18
    assert covered >= 182
    assert 140 <= detected <= 180
    assert naive > 100  # the unclustered test takes 600 pairs for 600 observations
    assert POWER == 2.8
