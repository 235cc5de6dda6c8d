"""The probes' instruments: against scikit-learn and scipy on the same numbers, and against a known truth."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.linear_model import Ridge
from sklearn.metrics import average_precision_score, f1_score
from sklearn.preprocessing import StandardScaler

from redraft.metrics.bootstrap import Counts
from redraft.metrics.folds import grouped_folds, sides
from redraft.metrics.ridge import ALPHAS, fit
from redraft.metrics.scores import SCORES, by_student, difference, estimate, mean_of, plain
from redraft.metrics.shuffle import derange, exchange_groups, exchange_rows

SEEDS = st.integers(0, 10_000)


# Folds


@given(SEEDS, st.integers(1, 40), st.integers(2, 6))
def test_folds_keep_groups_whole_and_are_even(seed: int, n_groups: int, folds: int) -> None:
    rng = np.random.default_rng(seed)
    groups = rng.integers(n_groups, size=200) * 3  # codes with gaps
    found = grouped_folds(groups, folds, rng)
    assert all(len(np.unique(found[groups == group])) == 1 for group in np.unique(groups))
    assert len(np.unique(found)) == min(folds, len(np.unique(groups)))
    sizes = np.bincount(found)
    assert sizes.max() - sizes.min() <= np.bincount(groups).max()
    for train, test in sides(found):
        assert not set(groups[train]) & set(groups[test])
        assert len(train) + len(test) == 200


# Ridge


@pytest.mark.parametrize("standardise", [False, True])
@pytest.mark.parametrize(("rows", "features"), [(120, 7), (40, 60)])
def test_ridge_is_scikit_learns_with_the_penalty_that_does_best_in_the_inner_folds(
    rows: int, features: int, standardise: bool
) -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(rows, features)) * rng.uniform(0.1, 30, features) + 50
    y = np.stack(
        [
            x @ rng.normal(size=features) + rng.normal(size=rows),
            x[:, 0] + 40 * rng.normal(size=rows),
            rng.normal(size=rows),
        ],
        1,
    )
    groups = rng.integers(12, size=rows)
    folds = grouped_folds(groups, 4, rng)
    whole_inner = grouped_folds(groups, 5, rng)
    fits = fit(x, y, folds, whole_inner, standardise=standardise)
    assert len(fits) == 4
    alphas = set()
    for one, (train, test) in zip(fits, sides(folds), strict=True):
        scaler = StandardScaler(with_std=standardise).fit(x[train])
        x_train, x_test = scaler.transform(x[train]), scaler.transform(x[test])
        inner = whole_inner[train]
        for column in range(3):
            errors = [
                sum(((y[train[held], column] - Ridge(alpha=alpha).fit(x_train[kept], y[train[kept], column]).predict(x_train[held])) ** 2).sum()
                    for kept, held in sides(inner))
                for alpha in ALPHAS
            ]  # fmt: skip
            best = ALPHAS[int(np.argmin(errors))]
            if np.sort(errors)[1] > np.sort(errors)[0] * (1 + 1e-6):  # ours are multiplied out, and round otherwise
                assert one.alpha[column] == best
            alphas.add(one.alpha[column])
            expected = Ridge(alpha=one.alpha[column]).fit(x_train, y[train, column]).predict(x_test)
            deviation, mean = one.predict(x)
            np.testing.assert_allclose(
                deviation[:, column] + mean[column], expected, rtol=1e-5, atol=1e-5 * y[:, column].std()
            )
    assert len(alphas) > 1


def test_columns_share_a_penalty_when_told_to_and_untested_rows_always_train() -> None:
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(60, 4)), rng.normal(size=(60, 3))
    y[:, 0] += 5 * x[:, 0]
    folds = np.where(np.arange(60) < 15, 0, -1)
    (one,) = fit(x, y, folds, np.arange(60) % 5, together=[[0, 1, 2]])
    assert len(set(one.alpha)) == 1
    assert one.test.tolist() == list(range(15))
    assert len(one.train) == 45
    assert fit(x, y, np.zeros(60, int), np.arange(60) % 5) == []  # nothing to train on
    (alone,) = fit(x, y, folds, np.zeros(60, int))  # nothing to choose by
    assert set(alone.alpha) == {1.0}


def test_features_that_do_not_vary_are_no_harm() -> None:
    rng = np.random.default_rng(3)
    x = np.zeros((50, 3))
    x[:, 1] = 7
    fits = fit(x, rng.normal(size=(50, 1)), np.arange(50) % 5, np.arange(50) % 4, standardise=True)
    for one in fits:
        np.testing.assert_array_equal(one.predict(x)[0], 0)


# Scores


def rows(seed: int, n: int = 80) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.integers(2, size=n).astype(float)
    return truth, np.round(truth + rng.normal(size=n), 1) - 0.5, rng.integers(12, size=n)


@given(SEEDS)
def test_scores_are_scikit_learns_and_scipys(seed: int) -> None:
    truth, predicted, _ = rows(seed)
    assert plain(SCORES["f1"], truth, predicted) == pytest.approx(f1_score(truth, predicted > 0))
    assert plain(SCORES["average_precision"], truth, predicted) == pytest.approx(
        average_precision_score(truth, predicted)
    )
    assert plain(SCORES["prevalence"], truth, predicted) == pytest.approx(truth.mean())
    number: np.ndarray = truth + np.random.default_rng(seed).integers(3, size=80).astype(float)
    assert plain(SCORES["pearson"], number, predicted) == pytest.approx(stats.pearsonr(number, predicted)[0])
    assert plain(SCORES["spearman"], number, predicted) == pytest.approx(stats.spearmanr(number, predicted)[0])
    classes, said = number, np.roll(number, seed % 3)
    assert plain(SCORES["macro_f1"], classes, said) == pytest.approx(f1_score(classes, said, average="macro"))


@settings(max_examples=30)
@given(SEEDS, st.sampled_from(sorted(set(SCORES) - {"spearman"})))
def test_a_student_counted_twice_is_as_good_as_there_twice(seed: int, name: str) -> None:
    truth, predicted, students = rows(seed)
    if name == "macro_f1":
        truth, predicted = truth + students % 3, np.round(predicted)
    counts = np.random.default_rng(seed + 1).integers(3, size=(12, 5)).astype(float)
    found = SCORES[name](truth, predicted, students)(Counts(counts, np.ones((1, 5))))
    for column in range(5):
        again = np.repeat(np.arange(80), counts[students, column].astype(int))
        expected = plain(SCORES[name], truth[again], predicted[again])
        assert found[column] == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize("name", SCORES)
def test_what_is_constant_is_undefined(name: str) -> None:
    truth = np.zeros(30)
    found = estimate(name, SCORES[name](truth, np.arange(30.0), np.arange(30)), np.arange(30), titles=2, replicates=50)
    if name == "prevalence":
        assert found.value == 0
    else:
        assert found.value is None
        assert found.reason
    assert estimate(name, mean_of([]), np.empty(0, np.int64), titles=0).value is None


def test_intervals_cover_what_new_students_would_show() -> None:
    """Given a fixed predictor, the interval of its score holds the score over all students 95 times in 100."""
    rng = np.random.default_rng(4)
    covered = 0
    for _ in range(100):
        students = np.repeat(np.arange(40), rng.integers(1, 8, 40))
        shared, of_x, of_y = rng.normal(size=(3, 40))
        x = (shared + of_x)[students] + rng.normal(size=len(students))
        y = (shared + of_y)[students] + rng.normal(size=len(students))
        found = estimate("pearson", SCORES["pearson"](y, x, students), students, titles=1, replicates=300)
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= 1 / 3 <= found.high
    assert 85 <= covered <= 99


def test_differences_use_the_same_draws_and_few_students_have_no_interval() -> None:
    truth, predicted, students = rows(1)
    one = SCORES["f1"](truth, predicted, students)
    found = estimate("f1_difference", difference(one, one), students, titles=3, replicates=100)
    assert (found.value, found.low, found.high, found.clusters) == (0, 0, 0, "student")
    few = estimate("f1", SCORES["f1"](truth, predicted, students % 5), students % 5, titles=3)
    assert few.value is not None
    assert few.low is None
    assert "fewer than 10 students" in (few.reason or "")
    assert by_student(students).n_titles == 1


# Shuffling


@given(SEEDS, st.integers(2, 30))
def test_a_derangement_leaves_nobody_in_place_and_matches_where_it_can(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    items = [f"s{i}" for i in range(n)]
    traits = [(int(rng.integers(3)), int(rng.integers(2))) for _ in items]
    found = derange(items, traits, rng)
    assert sorted(found.of) == sorted(items)
    assert all(found.of[item] != item for item in items)
    own = dict(zip(items, traits, strict=True))
    differing = sum(own[item] != own[found.of[item]] for item in items)
    assert differing <= found.unmatched
    alone = sum(traits.count(trait) == 1 for trait in traits)
    assert found.unmatched == alone
    plain_one = derange(items, [()] * n, rng)
    assert sorted(plain_one.of.values()) == sorted(items)
    assert plain_one.unmatched == 0


def test_one_student_has_no_other() -> None:
    assert derange(["a"], [(1,)], np.random.default_rng(0)).of == {"a": "a"}
    assert derange([], [], np.random.default_rng(0)).of == {}


@given(SEEDS)
def test_whole_groups_exchange_their_targets(seed: int) -> None:
    rng = np.random.default_rng(seed)
    groups = rng.integers(8, size=60) * 2
    source = exchange_groups(groups, rng)
    from_group = {group: set(groups[source[groups == group]]) for group in np.unique(groups)}
    assert all(len(given) == 1 for given in from_group.values())
    assert sorted(given.pop() for given in from_group.values()) == sorted(from_group)
    even = np.repeat(np.arange(6), 5)
    source = exchange_groups(even, rng)
    assert sorted(source) == list(range(30))  # groups of one size: a permutation, order kept within each
    assert all((np.diff(source[even == group]) == 1).all() for group in range(6))


@given(SEEDS)
def test_rows_are_exchanged_between_groups_on_their_side(seed: int) -> None:
    rng = np.random.default_rng(seed)
    groups, on = rng.integers(10, size=80), rng.integers(2, size=80)
    source = exchange_rows(groups, on, rng)
    assert sorted(source) == list(range(80))
    assert (on[source] == on).all()
    assert (groups[source] != groups).all()


def test_a_target_that_is_fitted_perfectly_has_a_penalty() -> None:
    x_NP = np.arange(30.0)[:, None]
    y_NK = 3 * x_NP + 1
    folds = np.arange(30) % 5
    for one in fit(x_NP, y_NK, folds, np.arange(30) // 6, standardise=True):
        said, true = one.predict(x_NP)[0][:, 0], y_NK[one.test, 0]
        assert said - said.mean() == pytest.approx(true - true.mean(), abs=1e-3)
