"""The distance of distributions: against scipy, under counts by hand, and what halves of the same people differ by."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ks_2samp

from known import known
from redraft.metrics import distance as module
from redraft.metrics.bootstrap import Clusters, Counts, Floats
from redraft.metrics.distance import between_halves, distance

NAN = float("nan")


def class_of(seed: int, shift: float = 0.0, samples: int = 3) -> tuple[Clusters, Floats, Floats, np.ndarray]:
    """Real values, and generated ones that share each pair's effects and lie `shift` away."""
    rng = np.random.default_rng(seed)
    full = Clusters(students=np.repeat(np.arange(40), 15), titles=np.tile(np.arange(15), 40))
    clusters = full.select(rng.random(len(full)) < 0.4)
    effect = rng.normal(size=40)[clusters.students] + rng.normal(size=15)[clusters.titles]
    owners = np.repeat(np.arange(len(clusters)), samples)
    drawn = shift + effect[owners] + rng.normal(size=len(owners))
    return clusters, effect + rng.normal(size=len(clusters)), drawn, owners


def test_equals_scipys_where_every_pair_has_as_many_samples() -> None:
    clusters, real, drawn, owners = class_of(1, 0.8)
    real, drawn = np.round(real, 1), np.round(drawn, 1)  # so that there are ties
    found = distance(real, drawn, owners, clusters, replicates=200)
    assert found.value == pytest.approx(ks_2samp(real, drawn).statistic)
    assert (found.n, found.unscored, found.clusters) == (len(real), 0, "student+title")
    assert known(found.low) < known(found.value) < known(found.high)


def test_each_pair_counts_the_same_however_many_samples_it_has() -> None:
    clusters = Clusters.of(["a", "b"], ["t", "t"])
    found = distance(np.array([0.0, 1.0]), np.array([0.0, 1.0, 1.0, 1.0]), np.array([0, 1, 1, 1]), clusters)
    assert found.value == 0
    assert "fewer than" in known(found.reason)


def test_what_is_unscored_is_left_out_of_its_own_side_and_counted() -> None:
    clusters = Clusters.of(["a", "b", "c"], ["t", "t", "t"])
    found = distance(np.array([0.0, NAN, NAN]), np.array([NAN, 1.0, NAN]), np.array([0, 1, 2]), clusters)
    assert (found.value, found.n, found.unscored) == (1.0, 2, 1)
    nothing = distance(np.array([NAN, NAN, NAN]), np.array([1.0]), np.array([0]), clusters)
    assert nothing.value is None
    assert nothing.reason


def test_pairs_drawn_twice_count_twice() -> None:
    clusters, real, drawn, owners = class_of(2, 0.5)
    real, drawn = np.round(real, 1), np.round(drawn, 1)
    rng = np.random.default_rng(0)
    students, titles = (rng.integers(0, 3, (n, 1)).astype(np.float64) for n in (clusters.n_students, clusters.n_titles))
    counts = Counts(students, titles)
    times = (counts.students[clusters.students] * counts.titles[clusters.titles])[:, 0].astype(int)
    plain = ks_2samp(np.repeat(real, times), np.repeat(drawn, times[owners])).statistic
    assert module._distance(real, drawn, owners, clusters)(counts)[0] == pytest.approx(plain)


def test_very_many_values_are_compared_at_quantiles(monkeypatch: pytest.MonkeyPatch) -> None:
    clusters, real, drawn, owners = class_of(3, 0.8)
    exact = known(distance(real, drawn, owners, clusters, replicates=20).value)
    monkeypatch.setattr(module, "MOST_THRESHOLDS", 64)
    assert distance(real, drawn, owners, clusters, replicates=20).value == pytest.approx(exact, abs=0.02)


def test_a_model_as_good_as_the_students_is_no_farther_than_their_halves() -> None:
    apart = []
    for seed in range(5):
        clusters, real, drawn, owners = class_of(seed)
        found, halves = (
            distance(real, drawn, owners, clusters, replicates=100),
            between_halves(real, clusters, seed=seed),
        )
        assert known(found.value) <= known(halves.high)
        assert found.low == 0
        apart.append(known(halves.value))
        far = distance(real, class_of(seed, 2.0)[2], owners, clusters, replicates=100)
        assert known(far.low) > known(halves.high)
    assert np.ptp(apart) < 0.1


def test_halves_are_of_students_not_of_traces() -> None:
    """Two kinds of students: halves of students differ more than halves of their traces would."""
    students = np.repeat(np.arange(10), 50)
    clusters = Clusters(students=students, titles=np.tile(np.arange(50), 10))
    kinds = (students % 2).astype(float)
    by_student = between_halves(kinds, clusters)
    by_trace = between_halves(kinds, Clusters(students=np.arange(500), titles=np.zeros(500, int)))
    assert known(by_student.value) > 2 * known(by_trace.value)
    assert between_halves(np.array([1.0, 2.0]), Clusters.of(["a", "a"], ["t", "u"])).value is None
