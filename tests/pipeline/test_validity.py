"""Do the instruments find what is there, and nothing else? The small version of bench/validity.py.

First a synthetic null, then simulated classes: an oracle (the same students doing the same titles again) stands in for
a model, so that the instruments are tested and not how well something was trained.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import probe_nulls
import pytest
import traces_teach
import validity
from scipy import stats

from known import known
from redraft.data.simulate import SimulateConfig, oracle_traces, simulated_traces
from redraft.metrics.agreement import holm


def settings(**changes: Any) -> SimulateConfig:
    return SimulateConfig(students=60, titles=12, seed=1, **changes)


def test_synthetic_null_and_power() -> None:
    found = validity.null(40, 15, (1, 1, 1), range(200))
    assert 200 * found.rejected <= 18
    assert 200 * found.covered >= 182
    assert 0.7 <= found.detected <= 0.9
    assert found.naive > 0.5  # the unclustered test takes 600 pairs for 600 observations


def test_permutation_of_students_is_uniform_under_the_null() -> None:
    assert stats.kstest(validity.permutation_ps(range(200)), "uniform").pvalue > 0.01


def test_intervals_of_shares_of_variance_cover() -> None:
    assert min(validity.share_coverage(60, 20, (1.0, 0.5, 2.0), range(100), skewed=False)) >= 0.9


@pytest.fixture(scope="module")
def strong() -> Any:
    return validity.sides(settings())


def test_the_oracle_does_the_same_titles_again_and_writes_other_programs() -> None:
    config = SimulateConfig(students=4, titles=6, seed=3)
    real, again = list(simulated_traces(config)), list(oracle_traces(config, takes=2))
    assert [trace.pair for trace in again if trace.sample == 0] == [trace.pair for trace in real]
    texts = [{tuple(s.code for s in t.states) for t in traces} for traces in
             (real, [t for t in again if t.sample == 0], [t for t in again if t.sample == 1])]  # fmt: skip
    assert not texts[0] & texts[1]
    assert not texts[1] & texts[2]


def test_planted_traits_are_found_and_grow_with_their_strength(strong: Any) -> None:
    none, half = (validity.sides(settings(trait_strength=strength)) for strength in (0.0, 0.5))
    r = {
        name: [validity.within(found, name, replicates=500) for found in (none, half, strong)]
        for name in validity.PLANTED
    }
    averages = np.mean([[known(one.value) for one in found] for found in r.values()], 0)
    assert averages[0] < 0.1 < averages[1] < averages[2]
    assert min(p for p in holm([found[0].p for found in r.values()]) if p is not None) > 0.05
    for name in ("functions_final", "year_final", "comments_final"):
        assert validity.is_found(r[name][2])
        assert validity.is_found(validity.own_less_other(strong, name, replicates=500))


def test_traits_redrawn_each_trace_leave_no_student_to_know(strong: Any) -> None:
    redrawn = validity.sides(settings(redraw_traits=True))
    found = [validity.own_less_other(redrawn, name, replicates=500) for name in validity.PLANTED]
    assert min(p for p in holm([one.p for one in found]) if p is not None) > 0.05
    assert np.mean([abs(known(one.value)) for one in found]) < 0.15


def test_the_truth_is_found_in_the_traces_and_the_placebo_is_not(strong: Any) -> None:
    traits = ("function_use", "backtracking", "skill", "pace", "year", "placebo")
    ps = validity.trait_ps(settings(), strong, traits, permutations=400)
    assert ps.pop("placebo") > 0.05
    assert max(ps.values()) < 0.05


def test_traces_of_the_synthetic_rule_do_not_beat_it() -> None:
    found = validity.trace_less_synthetic(SimulateConfig(students=40, titles=12, seed=1), seed=1)
    assert all(one.value is not None for one in found.values())
    assert min(p for p in holm([one.p for one in found.values()]) if p is not None) > 0.05


def test_a_planted_leak_is_caught(strong: Any) -> None:
    leak = validity.leak_gap(strong, "comments_final", leaks=True)
    assert known(leak.value) > 0.3
    assert known(leak.low) > 0
    honest = validity.leak_gap(strong, "comments_final", leaks=False)
    assert known(honest.low) < 0 < known(honest.high)


def test_refitted_halves_seldom_call_equally_good_features_different() -> None:
    ps = [row.p for seed in range(6) for row in probe_nulls.leads(seed, halves=10, strength=1.0).values()]
    assert len(ps) == 12
    assert sum(p is not None and p < 0.05 for p in ps) <= 1


def test_traces_teach_more_where_drafts_tell_more_and_nowhere_else(tmp_path: Path) -> None:
    made = traces_teach.Settings(models="oracle", students=60, titles=24, steps=0, max_pairs=0, takes=2)
    cells = [traces_teach.Cell(seed=2, drafts_tell=h, settings=made) for h in (1.0, 0.0)]
    results = [traces_teach.result_of(cell, tmp_path) for cell in cells]
    assert results == [traces_teach.result_of(cell, tmp_path) for cell in cells]  # read, not made again
    telling, null = results
    assert telling["verdicts"]["colours-last"] == "supported"
    assert null["verdicts"]["colours-last"] != "supported"
    page = tmp_path / "page.md"
    page.write_text("# Validity\n\nBefore.\n")
    for _ in range(2):
        traces_teach.write_page(page, traces_teach.section(results))
    text = page.read_text()
    assert text.startswith("# Validity\n\nBefore.\n\n## Traces against final programs\n")
    assert text.count("## ") == 1
    assert traces_teach.section_of(page).strip() == traces_teach.section(results).strip()
