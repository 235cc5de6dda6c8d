"""Claims and verdicts: the file, the rule, and what an origin allows to be said."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from scipy.stats import norm
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.weightstats import ttost_paired

from redraft import results
from redraft.errors import InputError
from redraft.metrics.agreement import mean_contrast
from redraft.metrics.bootstrap import Clusters
from redraft.results import Result
from redraft.studies.common.claims import Claim, is_equivalent, judge, load_claims, own_claims
from redraft.studies.common.families import adjusted
from redraft.studies.common.findings import claims_table, sentences
from redraft.studies.registry import STUDIES

CLAIM = Claim(
    study="behaviour", name="x", about="The one is nearer", metric="bleu_final", statistic="mean", model="trace",
    against="last", split="seen-seen", smallest=0.02, margin=0.02, source="added",
)  # fmt: skip


def row_of(claim: Claim = CLAIM, origin: str = "students", **changes: object) -> Result:
    base: dict[str, object] = {
        "origin": origin, "dataset": "d", "study": claim.study, "model": claim.model,
        "baseline": claim.against or None, "condition": claim.condition, "metric": claim.metric, "level": "pair",
        "statistic": claim.row_statistic, "split": claim.split, "n": 400, "n_students": 40, "n_titles": 20,
        "value": 0.1, "low": 0.05, "high": 0.15, "low_90": 0.06, "high_90": 0.14, "p": 0.001,
    }  # fmt: skip
    return Result(**{**base, **changes})  # type: ignore[arg-type]


def test_redraft_s_claims_cover_every_study_and_the_paper_s_claims_of_no_difference() -> None:
    claims = own_claims().claims
    judged = [study.name for study in STUDIES if study.claims]
    assert list(dict.fromkeys(claim.study for claim in claims)) == judged
    assert {"behaviour", "probe", "adapt", "recover", "steer", "represent"} <= set(judged)
    none = {(c.study, c.metric) for c in claims if c.expected == "equivalent"}
    assert none >= {
        ("behaviour", "bleu_final"), ("recover", "executes"), ("probe", "year_final"), ("probe", "probe_final_runs"),
        ("adapt", "bleu_final"),
    }  # fmt: skip
    assert len({(c.study, c.name) for c in claims}) == len(claims)
    # A bootstrap p of 2,000 replicates is at least 2/2001: with more claims a study could support none.
    assert all(len(own_claims().of(study)) * 2 / 2001 < 0.05 for study in judged)
    printed = [c.printed for c in claims if c.split == "unseen-seen" and c.printed]
    assert printed == [{"trace-downsampled": 0.276, "last": 0.246}]


def test_everything_wrong_in_a_file_is_named_at_once(tmp_path: Path) -> None:
    file = tmp_path / "claims.toml"
    file.write_text(
        """
        [b]
        about = "B"
        metric = "bleu_finel"
        statistic = "men"
        model = "trace"
        smallest = 0.1
        margin = 0
        expected = "equivalent"
        split = "seen"
        source = "here"
        [c]
        metrik = "bleu_final"
        [d]
        about = "D"
        metric = "backtracking"
        statistic = "within_r"
        model = "trace"
        against = "last"
        smallest = "small"
        margin = 0.1
        source = "here"
        """
    )
    with pytest.raises(InputError) as caught:
        load_claims("behaviour", file)
    said = str(caught.value)
    for text in (
        "'bleu_finel'. Did you mean 'bleu_final'?", "'men'. Did you mean 'mean'?", "'seen'",
        "above 0", "equivalence, but with nothing", "[c] lacks about, metric", "'metrik'",
        "'smallest' is 'small'",
    ):  # fmt: skip
        assert text in said
    file.write_text(
        '[d]\nabout = "D"\nmetric = "backtracking"\nstatistic = "mean"\nmodel = "trace"\nagainst = "last"\n'
        'smallest = 0.1\nmargin = 0.1\nsource = "x"\n'
    )
    with pytest.raises(InputError, match="whole traces with a model of final programs"):
        load_claims("behaviour", file)
    with pytest.raises(InputError, match="can't be read"):
        load_claims("behaviour", tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({}, "supported"),
        ({"value": -0.1, "low": -0.15, "high": -0.05, "low_90": -0.14, "high_90": -0.06}, "contradicted"),
        ({"low": -0.01, "low_90": 0.01, "p": 0.08}, "inconclusive"),
        ({"p": 0.2}, "inconclusive"),
        ({"value": 0.001, "low": -0.018, "high": 0.019, "low_90": -0.015, "high_90": 0.016, "p": 0.9}, "equivalent"),
        # Certainly above zero, and certainly too small to matter
        ({"value": 0.01, "low": 0.005, "high": 0.015, "low_90": 0.006, "high_90": 0.014}, "equivalent"),
        # Above zero, perhaps too small to matter
        ({"value": 0.015, "low": 0.005, "high": 0.025, "low_90": 0.006, "high_90": 0.024}, "inconclusive"),
        # Resampled, cases that are all alike stay alike
        ({"value": 0.0, "low": 0.0, "high": 0.0, "low_90": 0.0, "high_90": 0.0, "p": 1.0}, "not testable"),
        # The 95% interval isn't inside the margin, the 90% one is
        ({"value": 0.0, "low": -0.021, "high": 0.021, "low_90": -0.019, "high_90": 0.019, "p": 1.0}, "equivalent"),
        ({"value": 0.0, "low": -0.021, "high": 0.021, "low_90": None, "high_90": None, "p": 1.0}, "inconclusive"),
        ({"value": None, "low": None, "high": None, "p": None, "note": "a side is constant"}, "not testable"),
        ({"low": None, "high": None, "p": None}, "not testable"),
        ({"n_students": 9}, "not testable"),
        ({"n_titles": 9}, "not testable"),
        ({"condition": {"k": "1"}}, "not testable"),
        ({"subgroup": "year 2020"}, "not testable"),
    ],
)
def test_the_rule(changes: dict[str, object], outcome: str) -> None:
    (verdict,) = judge([row_of(**changes)], [CLAIM])  # type: ignore[arg-type]
    assert verdict.outcome == outcome
    assert verdict.holds == (outcome == "supported")
    assert bool(verdict.reason) or outcome != "not testable"


def test_direction_and_expected_equivalence() -> None:
    lower = replace(CLAIM, direction="lower")
    assert judge([row_of()], [lower])[0].outcome == "contradicted"
    same = replace(CLAIM, expected="equivalent")
    assert judge([row_of()], [same])[0].outcome == "contradicted"
    none = row_of(value=0.0, low=-0.01, high=0.01, low_90=-0.01, high_90=0.01, p=1.0)
    assert judge([none], [same])[0].holds
    assert not judge([none], [CLAIM])[0].holds


def test_p_is_corrected_over_a_study_s_testable_claims() -> None:
    claims = [replace(CLAIM, name=str(i), split=split) for i, split in enumerate(("seen-seen", "seen-unseen", "all"))]
    claims.append(replace(CLAIM, name="few", split="unseen-seen"))
    claims.append(replace(CLAIM, name="other", study="recover"))
    ps = [0.02, 0.03, 0.001]
    rows = [row_of(claim, p=p) for claim, p in zip(claims, ps, strict=False)]
    rows += [row_of(claims[3], n_titles=2, p=0.01), row_of(claims[4], p=0.04)]
    verdicts = judge(rows, claims)
    assert [v.p for v in verdicts[:3]] == pytest.approx(multipletests(ps, method="holm")[1])
    assert verdicts[3].p is None
    assert verdicts[4].p == 0.04  # a study of its own
    assert [v.outcome for v in verdicts] == ["supported"] * 3 + ["not testable", "supported"]


def test_equivalence_agrees_with_two_one_sided_t_tests() -> None:
    agreed = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        a, b = rng.normal(size=(2, 300)) * 0.2
        clusters = Clusters(students=np.arange(300), titles=np.zeros(300, np.int64))
        found = mean_contrast(a, b, clusters, seed=seed)
        row = row_of(**{name: getattr(found, name) for name in ("value", "low", "high", "low_90", "high_90", "p")})
        for margin in np.linspace(0.01, 0.08, 15):
            agreed.append(is_equivalent(row, margin) == (ttost_paired(a, b, -margin, margin)[0] < 0.05))
    assert np.mean(agreed) > 0.95  # they differ only where p is next to .05


@pytest.mark.parametrize("origin", ["simulated", "model"])
def test_only_students_support_or_contradict(origin: str) -> None:
    claims = own_claims().claims
    for sign in (1, -1):
        ends = {"value": 0.9 * sign, "low": 0.9 * sign - 0.1, "high": 0.9 * sign + 0.1, "low_90": 0.9 * sign - 0.09,
                "high_90": 0.9 * sign + 0.09, "p": 1e-6}  # fmt: skip
        rows = [row_of(claim, origin, **ends) for claim in claims]
        told = [verdict.words for verdict in judge(rows)] + sentences(rows)
        for words in told:
            assert "supported" not in words
            assert "contradicted" not in words
            assert ("imitation of a model" in words) == (origin == "model")
        if origin == "simulated":
            planted = [v for v in judge(rows) if v.claim.planted]
            assert planted
            assert all(v.words.endswith(f"planted effect {'recovered' if v.holds else 'missed'}") for v in planted)
            assert {v.holds for v in planted} == {sign == 1}
    students = [replace(row, origin="students") for row in rows]
    assert any("Contradicted: " in sentence for sentence in sentences(students))
    weak = sentences([row_of(own_claims().claims[1], low=-0.1, p=0.5)])
    assert "Inconclusive: no significant agreement" in weak[0]
    (other,) = sentences([row_of(own_claims().claims[2], low=-0.1, p=0.5)])
    assert "Inconclusive: no significant difference between the trace model and the last model" in other
    assert not any("planted" in sentence for sentence in sentences(students))


def test_a_p_and_an_interval_that_disagree_are_both_named() -> None:
    wide, weak = row_of(CLAIM, low=-0.1, p=0.003), row_of(CLAIM, p=0.2)
    for row, why in (
        (wide, "though p is below 0.05, the interval over clusters"),
        (weak, "the interval is beyond zero, but not"),
    ):
        (verdict,) = judge([row], [CLAIM])
        assert verdict.outcome == "inconclusive"
        assert why in verdict.words
        assert why[1:] in sentences([row])[0]


def test_claims_without_a_measurement_are_loud() -> None:
    measured, renamed = replace(CLAIM, name="a"), replace(CLAIM, name="b", condition={"k": "4"})
    absent, elsewhere = replace(CLAIM, name="c", model="trace-downsampled"), replace(CLAIM, name="d", study="adapt")
    claims = [measured, renamed, absent, elsewhere]
    rows = [row_of(measured)]
    reasons = [verdict.reason for verdict in judge(rows, claims)]
    assert reasons == [
        "", "measured otherwise only: k none", "the run has no trace-downsampled", "the study 'adapt' was not run",
    ]  # fmt: skip
    assert [line[-1] for line in claims_table(rows, claims).rows] == [
        "supported", *(f"not testable ({reason})" for reason in reasons[1:]),
    ]  # fmt: skip
    (other_metric,) = judge(rows, [replace(CLAIM, metric="backtracking")])
    assert other_metric.reason == "no such measurement"
    nothing = row_of(
        CLAIM, model="last", baseline=None, value=None, low=None, high=None, note="x", reason="no failing program"
    )
    assert judge([nothing], [CLAIM])[0].reason == "no failing program"
    by_another_rule = row_of(CLAIM, split="all", condition={"grouping": "trace"})
    (verdict,) = judge([by_another_rule], [replace(CLAIM, condition={"grouping": "student"})])
    assert verdict.reason == "measured otherwise only: split all, grouping trace"


def test_rows_of_an_older_file_are_judged_by_their_95_percent_interval(tmp_path: Path) -> None:
    old = row_of(value=0.0, low=-0.015, high=0.015, p=1.0)
    results.write([old], tmp_path / "new.parquet")
    table = pq.read_table(tmp_path / "new.parquet").drop_columns(["low_90", "high_90"])
    pq.write_table(table, tmp_path / "old.parquet")
    (row,) = results.read(tmp_path / "old.parquet")
    assert row == replace(old, low_90=None, high_90=None)
    assert judge([row], [CLAIM])[0].outcome == "equivalent"


def test_what_can_be_detected_accounts_for_the_correction() -> None:
    """Of ten tests one must be below .005: found with 80% power if it is (2.81 + 0.84) / (1.96 + 0.84) times as large."""
    rows = [row_of(p=0.01 * number, family="f", smallest_detectable=0.28) for number in range(1, 11)]
    alone = row_of(p=0.01, family="alone", smallest_detectable=0.28)
    found = adjusted([*rows, alone, row_of(p=None, family="f", smallest_detectable=0.28)])
    assert [row.smallest_detectable for row in found[:10]] == pytest.approx([0.28 * 3.6486 / 2.8016] * 10, rel=1e-3)
    assert [row.smallest_detectable for row in found[10:]] == [0.28, 0.28]
    # simulated: at that difference, about 80% of such tests survive
    rng = np.random.default_rng(1)
    se = 0.28 / 2.8016
    z = np.abs(rng.normal(found[0].smallest_detectable or 0, se, 20_000)) / se
    assert np.mean(2 * norm.sf(z) < 0.05 / 10) == pytest.approx(0.8, abs=0.01)


SAME = replace(CLAIM, expected="equivalent")
ALIKE: dict[str, Any] = {"value": 0.001, "low": -0.005, "high": 0.006, "low_90": -0.004, "high_90": 0.005, "p": 0.8}


@pytest.mark.parametrize(
    ("values", "unit", "outcome"),
    [
        ((0.021, 0.02), "BLEU, 0 to 1", "not testable"),
        ((0.985, 0.99), "BLEU, 0 to 1", "not testable"),
        ((0.3, 0.3), "BLEU, 0 to 1", "equivalent"),
        ((0.02, 0.3), "BLEU, 0 to 1", "equivalent"),  # as the interval says; one side has room
        ((0.02, 0.02), "lines", "equivalent"),  # a scale without a ceiling
    ],
)
def test_sides_that_are_alike_at_an_end_of_their_scale_show_nothing(
    values: tuple[float, float], unit: str, outcome: str
) -> None:
    """BLEU of 0.02 for both was called equivalent: two models that know nothing are always alike."""
    sides = [
        row_of(statistic="mean", model=side, baseline=None, value=value)
        for side, value in zip(("trace", "last"), values, strict=True)
    ]
    (verdict,) = judge([row_of(unit=unit, **ALIKE), *sides], [SAME])
    assert verdict.outcome == outcome
    assert verdict.holds == (outcome == "equivalent")
    assert ("floor" in verdict.reason or "ceiling" in verdict.reason) == (outcome == "not testable")


@pytest.mark.parametrize(
    ("detectable", "words"), [(0.019, "planted effect missed"), (0.03, "planted effect not findable at this size")]
)
def test_a_planted_effect_is_missed_only_if_it_could_be_found(detectable: float, words: str) -> None:
    planted = replace(CLAIM, planted=True)
    weak = {"value": 0.0, "low": -0.1, "high": 0.1, "low_90": -0.09, "high_90": 0.09, "p": 0.9}
    (verdict,) = judge([row_of(planted, "simulated", smallest_detectable=detectable, **weak)], [planted])
    assert verdict.words.endswith(words)
    assert words[1:] in claims_table([row_of(planted, "simulated", smallest_detectable=detectable, **weak)],
                                     [planted]).rows[0][-1]  # fmt: skip


def test_a_verdict_on_models_that_had_not_converged_says_so_first_and_is_of_these_checkpoints(tmp_path: Path) -> None:
    results.write([row_of(), row_of(origin="students", value=-0.1, low=-0.15, high=-0.05, low_90=-0.14, high_90=-0.06,
                                    split="seen-unseen")], tmp_path / "results" / "behaviour.parquet")  # fmt: skip
    for view, converged in (("trace", False), ("last", True)):
        (tmp_path / "models" / view).mkdir(parents=True)
        (tmp_path / "models" / view / "redraft.json").write_text(json.dumps({"training": {"converged": converged}}))
    rows = results.of_study(tmp_path, "behaviour")
    claims = [CLAIM, replace(CLAIM, name="y", split="seen-unseen")]
    above, below = judge(rows, claims)
    assert [verdict.outcome for verdict in (above, below)] == ["inconclusive"] * 2
    assert above.words == "trace not converged, these checkpoints: trace higher"
    assert below.words == "trace not converged, these checkpoints: trace lower"
    assert not above.holds
    assert "Not converged, so what is seen is of these checkpoints: trace." in claims_table(rows, claims).caption
    assert [verdict.outcome for verdict in judge(results.read(tmp_path / "results" / "behaviour.parquet"), claims)] == [
        "supported", "contradicted",
    ]  # fmt: skip
    own = own_claims().claims[1]
    results.write([row_of(own)], tmp_path / "results" / "behaviour.parquet")
    (sentence,) = sentences(results.of_study(tmp_path, "behaviour"))
    assert "Of these checkpoints, as trace had not converged: the trace model is higher than zero" in sentence
    assert "supported" not in sentence.lower()


def test_no_claim_compares_with_a_correlation_that_cannot_exist() -> None:
    """The model of synthetic traces never goes back and never deletes: a side that doesn't vary has no correlation."""
    never = {"backtracking", "backtracking_t3", "small_del_count", "large_del_count", "lines_deleted"}
    wrong = [
        claim.name for claim in own_claims().claims
        if claim.metric in never and claim.statistic.endswith("_r") and "synthetic" in claim.against + claim.model
    ]  # fmt: skip
    assert not wrong
    assert {"backtracking-within", "deletions-own"} <= {claim.name for claim in own_claims().of("behaviour")}
