"""Do the instruments find what is there, and nothing else? The long version of tests/pipeline/test_validity.py.

    python bench/validity.py [--classes 20] [--repetitions 1000] [--out docs/validity.md]

First synthetic data with known truth: tests under a null, intervals, shares of variance. Then simulated classes: an
oracle (the same students doing the same titles again) stands in for a model, so that the instruments are measured and
not how well something was trained. No language model, no program text.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from probe_nulls import probe_table
from scipy import stats
from traces_teach import section_of

from redraft.data.identity import keyed_hash
from redraft.data.simulate import SimulateConfig, oracle_traces, simulated_traces
from redraft.data.simulate.truth import owner
from redraft.data.trace import Trace
from redraft.data.views import apply_view
from redraft.metrics.agreement import POWER, Estimate, _mean, correlation, correlation_contrast
from redraft.metrics.bootstrap import Clusters, Floats, Replicates, bootstrap
from redraft.metrics.folds import grouped_folds
from redraft.metrics.measure import measure_traces
from redraft.metrics.pairs import ByPair, pairs_of
from redraft.metrics.permutation import Orders, permutation_test
from redraft.metrics.ridge import fit
from redraft.metrics.scores import difference, estimate, pearson
from redraft.metrics.variance import SHARES, shares
from redraft.rundir import write_text

PLANTED = {
    "comments_final": "comment_rate", "functions_final": "function_use", "backtracking": "backtracking",
    "attempts": "skill", "seconds_active": "pace", "year_final": "year",
}  # fmt: skip
"""Metric -> the trait that is planted in it."""
BY_RULE = "made by the synthetic rule"
BY_RULE_METRICS = ("attempts", "edit_distance_mean", "comments_mean", "functions_mean")
"""Metrics of whole traces that vary under the synthetic rule (it never deletes or goes back)."""
STRENGTHS = (0.0, 0.25, 0.5, 1.0)
STUDENTS, TITLES, TAKES = 60, 12, 2


# ------------------------------------------------------------------------------------------------ synthetic data


def crossed(students: int, titles: int) -> Clusters:
    """Every student on every title."""
    return Clusters(students=np.repeat(np.arange(students), titles), titles=np.tile(np.arange(titles), students))


def effects(seed: int, clusters: Clusters, sizes: Sequence[float], skewed: bool = False) -> Floats:
    """a_i + b_j + e_ij of mean 0 and these standard deviations, normal or exponential."""
    rng = np.random.default_rng(seed)

    def draw(n: int) -> Floats:
        return rng.exponential(size=n) - 1 if skewed else rng.normal(size=n)

    a, b, e = draw(clusters.n_students), draw(clusters.n_titles), draw(len(clusters))
    return sizes[0] * a[clusters.students] + sizes[1] * b[clusters.titles] + sizes[2] * e


class Null(NamedTuple):
    """Shares of repetitions."""

    rejected: float
    covered: float
    detected: float
    plain: float
    """Rejected by the same bootstrap without widening for few clusters."""
    naive: float
    """Rejected by the unclustered t-test."""


def null(students: int, titles: int, sizes: Sequence[float], seeds: Iterable[int], replicates: int = 2000) -> Null:
    """Tests of a mean that is 0, and of one that is as large as is said to be detectable."""
    clusters = crossed(students, titles)
    counts = []
    for seed in seeds:
        values = effects(seed, clusters, sizes)
        drawn = bootstrap(_mean(clusters, values), clusters, seed=seed, replicates=replicates)
        (low, high), middle = drawn.interval, drawn.values.mean()
        plain = Replicates(middle + (drawn.values - middle) / drawn.widened, drawn.undefined)
        counts.append((
            drawn.p <= 0.05, low <= 0 <= high,
            # Shifted by that effect, the interval shifts with it.
            low + POWER * drawn.se > 0,
            plain.p <= 0.05, float(stats.ttest_1samp(values, 0.0).pvalue) <= 0.05,
        ))  # fmt: skip
    return Null(*np.mean(counts, 0).tolist())


def permutation_ps(seeds: Iterable[int], clusters: int = 20, permutations: int = 500) -> list[float]:
    """p of a group that is no group, by exchanging whole students."""
    labels = np.arange(clusters) < clusters // 3
    return [
        permutation_test(_gap(np.random.default_rng(seed).standard_t(3, size=clusters), labels), clusters,
                         permutations=permutations, seed=seed).p[0]
        for seed in seeds
    ]  # fmt: skip


def _gap(values: Floats, labels: np.ndarray) -> Callable[[Orders], Floats]:
    def compute(orders: Orders) -> Floats:
        inside = labels[orders].astype(float)
        here = values @ inside / inside.sum(0)
        gap: Floats = here - values @ (1 - inside) / (1 - inside).sum(0)
        return gap[None]

    return compute


def share_coverage(
    students: int, titles: int, variances: Sequence[float], seeds: Sequence[int], *, skewed: bool, missing: float = 0.3
) -> list[float]:
    """Shares of repetitions in which the interval of each of `SHARES` holds the truth."""
    truth = [*(np.array(variances) / sum(variances)), variances[0] / (variances[0] + variances[2])]
    hits = np.zeros(len(SHARES))
    for seed in seeds:
        full = crossed(students, titles)
        keep = np.random.default_rng(seed + 10**6).random(len(full)) >= missing
        values = effects(seed, full, np.sqrt(variances).tolist(), skewed)[keep]
        for i, share in enumerate(shares(values, full.select(keep), seed=seed)):
            hits[i] += share.low is not None and share.high is not None and share.low <= truth[i] <= share.high
    return [float(share) for share in hits / len(seeds)]


# ---------------------------------------------------------------------------------------------- simulated classes


class Sides(NamedTuple):
    """A class's pairs: what is real, what the oracle writes, and what it writes for another student of the title."""

    clusters: Clusters
    students: list[str]
    """Hash of each student code."""
    real: dict[str, Floats]
    oracle: dict[str, Floats]
    other: dict[str, Floats]


def sides(config: SimulateConfig, *, takes: int = TAKES, view: str | None = None) -> Sides:
    """Simulate, measure and align a class.

    Args:
        config: The class.
        takes: Samples of the oracle.
        view: A view that real traces and the oracle's are seen through.
    """

    def seen(traces: Iterable[Trace]) -> pa.Table:
        return measure_traces(iter(traces if view is None else apply_view(view, traces, seed=config.seed)))

    return aligned(seen(simulated_traces(config)), seen(oracle_traces(config, takes=takes)))


def aligned(real: pa.Table, generated: pa.Table) -> Sides:
    """Two measured tables, pair by pair."""
    pairs = sorted(set(pairs_of(real)) & set(pairs_of(generated)))
    left, right = ByPair(real, pairs), ByPair(generated, pairs)
    clusters = Clusters.of([pair.student for pair in pairs], [pair.title for pair in pairs])
    names = tuple(PLANTED)
    other = np.arange(len(pairs))
    for title in range(clusters.n_titles):
        rows = np.flatnonzero(clusters.titles == title)
        other[rows] = np.roll(rows, len(rows) // 2)
    oracle = {name: right.means(name) for name in names}
    return Sides(clusters, sorted({pair.student for pair in pairs}), {name: left.means(name) for name in names}, oracle,
                 {name: values[other] for name, values in oracle.items()})  # fmt: skip


def within(found: Sides, metric: str, **settings: int) -> Estimate:
    """How well the oracle knows who is who."""
    return correlation("within_r", found.real[metric], found.oracle[metric], found.clusters, **settings)


def own_less_other(found: Sides, metric: str, **settings: int) -> Estimate:
    """The student's own voice against another student's."""
    return correlation_contrast(
        "within_r", found.real[metric], found.oracle[metric], found.other[metric], found.clusters, **settings
    )


def trait_ps(config: SimulateConfig, found: Sides, traits: Sequence[str], permutations: int = 1000) -> dict[str, float]:
    """p of each trait against the students' means of all metrics, corrected for how many metrics there are.

    Exchanges whole students; a trait is found if any metric goes with it.
    """
    truth = config.truth()
    means = []
    for metric in PLANTED:
        values = found.real[metric]
        known = np.isfinite(values)
        whose = found.clusters.students[known]
        total, count = (np.bincount(whose, column, minlength=len(found.students)) for column in (values[known], None))
        means.append(stats.rankdata(total / np.maximum(count, 1)))
    standard = np.stack([(m - m.mean()) / (m.std() or 1) for m in means])
    of = {keyed_hash(owner(number), truth.key): own for number, own in truth.students.items()}
    ps = {}
    for trait in traits:
        ranks = stats.rankdata([getattr(of[student], trait) for student in found.students])
        tested = permutation_test(
            lambda orders, ranks=ranks: standard @ ranks[orders] / len(ranks),  # type: ignore[misc]
            len(ranks), permutations=permutations, seed=config.seed,
        )  # fmt: skip
        ps[trait] = float(np.nanmin(tested.p_adjusted))
    return ps


def leak_gap(found: Sides, metric: str, *, leaks: bool, seed: int = 0, replicates: int = 1000) -> Estimate:
    """Held-out r with traces in folds less held-out r with students in folds, of a probe for a trace's metric.

    With `leaks` the probe's input says who the student is and nothing else; without, it is the trace's other metrics.
    """
    rng = np.random.default_rng(seed)
    y = found.real[metric]
    keep = np.isfinite(y)
    students = found.clusters.students
    if leaks:
        x = rng.normal(size=(found.clusters.n_students, 32))[students]
    else:
        # not the year: it is the same in all of a student's traces, and says who it is
        x = np.stack([values for name, values in found.real.items() if name not in (metric, "year_final")], 1)
        keep &= np.isfinite(x).all(1)
        x = (x - x[keep].mean(0)) / np.maximum(x[keep].std(0), 1e-9)
    y, x, students = y[keep], x[keep], np.unique(students[keep], return_inverse=True)[1]
    scores = []
    for groups in (np.arange(len(y)), students):
        predicted = np.full(len(y), np.nan)
        for one in fit(x, y[:, None], *(grouped_folds(groups, 5, rng) for _ in range(2))):
            away, middle = one.predict(x)
            predicted[one.test] = (away + middle)[:, 0]
        scores.append(pearson(y, predicted, students))
    return estimate(
        "pearson_difference", difference(*scores), students, titles=TITLES, seed=seed, replicates=replicates
    )


# ------------------------------------------------------------------------------------------------------ the report


def is_found(found: Estimate, direction: int = 1) -> bool:
    """Significant, on this side of zero."""
    return found.value is not None and found.p is not None and found.p <= 0.05 and found.value * direction > 0


def null_table(repetitions: int) -> Iterator[str]:
    """Size, coverage and power over designs."""
    yield (
        "| students x titles | what varies | rejected at .05 | 95% interval covers | detected | rejected without widening "
        "| rejected by a t-test over pairs |"
    )
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    patterns = {"students, titles, chance": (1, 1, 1), "students, chance": (1, 0, 1), "titles, chance": (0, 1, 1),
                "chance": (0, 0, 1)}  # fmt: skip
    for design in ((10, 10), (20, 10), (40, 15), (20, 20), (100, 20), (50, 50)):
        for words, sizes in patterns.items():
            got = null(*design, sizes, range(repetitions))
            cells = " | ".join(f"{value:.1%}" for value in got)
            yield f"| {design[0]} x {design[1]} | {words} | {cells} |"


def share_table(repetitions: int) -> Iterator[str]:
    """Coverage of the shares of variance."""
    yield "| students x titles (70% done) | variances | effects | " + " | ".join(SHARES).replace("_", " ") + " |"
    yield "| --- | --- | --- |" + " --- |" * len(SHARES)
    for design in ((40, 12), (60, 20), (200, 30)):
        for variances in ((1.0, 0.5, 2.0), (0.2, 0.2, 1.0), (0.0, 1.0, 1.0)):
            for skewed in (False, True):
                got = share_coverage(*design, variances, range(repetitions), skewed=skewed)
                cells = " | ".join(f"{value:.1%}" for value in got)
                words = "exponential" if skewed else "normal"
                yield f"| {design[0]} x {design[1]} | {', '.join(f'{v:g}' for v in variances)} | {words} | {cells} |"


class Found:
    """What was found in the simulated classes so far."""

    def __init__(self) -> None:
        self.classes = 0
        self.strengths: dict[float, dict[str, list[Estimate]]] = {s: {m: [] for m in PLANTED} for s in STRENGTHS}
        self.contrasts: dict[str, dict[str, list[Estimate]]] = {}
        self.traits: dict[str, list[float]] = {trait: [] for trait in (*PLANTED.values(), "placebo")}
        self.leaks: dict[bool, list[Estimate]] = {True: [], False: []}

    def add(self, seed: int) -> None:
        """Another class."""

        def settings(**changes: Any) -> SimulateConfig:
            return SimulateConfig(students=STUDENTS, titles=TITLES, seed=seed, **changes)

        made = {strength: sides(settings(trait_strength=strength)) for strength in STRENGTHS}
        redrawn = sides(settings(redraw_traits=True))
        for strength, whole in made.items():
            for metric in PLANTED:
                self.strengths[strength][metric].append(within(whole, metric, seed=seed))
        for words, whole in (("traits kept", made[1.0]), ("traits redrawn each trace", redrawn)):
            for metric in PLANTED:
                self._contrast(words, metric, own_less_other(whole, metric, seed=seed))
        for trait, p in trait_ps(settings(), made[1.0], tuple(self.traits)).items():
            self.traits[trait].append(p)
        for leaky in self.leaks:
            self.leaks[leaky].append(leak_gap(made[1.0], "comments_final", leaks=leaky, seed=seed))
        for metric, found in trace_less_synthetic(settings(), seed=seed).items():
            self._contrast(BY_RULE, metric, found)
        self.classes += 1

    def _contrast(self, words: str, metric: str, found: Estimate) -> None:
        self.contrasts.setdefault(words, {}).setdefault(metric, []).append(found)


def trace_less_synthetic(config: SimulateConfig, *, seed: int) -> dict[str, Estimate]:
    """Contrasts of two oracles in a class whose traces the synthetic view's rule made from its final programs.

    Both apply the rule to programs the students write anew, as a model of traces and one of synthetic traces would learn
    to; their takes differ, so they share nothing but the students. Nothing of a trace isn't in its final program, so
    neither may beat the other.
    """

    def measured(traces: Iterable[Trace]) -> pa.Table:
        return measure_traces(apply_view("synthetic", traces, seed=config.seed))

    takes = list(oracle_traces(config, takes=2 * TAKES))
    tables = [
        measured(simulated_traces(config)),
        measured([trace for trace in takes if trace.sample < TAKES]),
        measured([trace for trace in takes if trace.sample >= TAKES]),
    ]
    pairs = sorted(set(pairs_of(tables[0])))
    clusters = Clusters.of([pair.student for pair in pairs], [pair.title for pair in pairs])
    found = {}
    for metric in BY_RULE_METRICS:
        real, trace, synthetic = (ByPair(table, pairs).means(metric) for table in tables)
        found[metric] = correlation_contrast("within_r", real, trace, synthetic, clusters, seed=seed)
    return found


def class_lines(made: Found) -> Iterator[str]:
    """Tables of what was found."""

    def share(found: Sequence[Estimate]) -> str:
        return f"{sum(map(is_found, found))} + {sum(is_found(one, -1) for one in found)}"

    def average(found: Sequence[Estimate]) -> str:
        known = [one.value for one in found if one.value is not None]
        return f"{np.mean(known):.2f}" if known else "unscored"

    yield "**Trait strength.** Mean within-title r of the oracle, and in how many classes it is significantly above + below 0.\n"
    yield "| metric (trait) | " + " | ".join(f"strength {s:g}" for s in STRENGTHS) + " |"
    yield "| --- |" + " --- |" * len(STRENGTHS)
    for metric, trait in PLANTED.items():
        cells = [f"{average(made.strengths[s][metric])} ({share(made.strengths[s][metric])})" for s in STRENGTHS]
        yield f"| {metric} ({trait}) | " + " | ".join(cells) + " |"
    yield "\n**Contrasts.** Mean difference in within-title r, and in how many classes it is significantly above + below 0.\n"
    yield "| contrast | class | metric | difference | significant |"
    yield "| --- | --- | --- | --- | --- |"
    for words, by_metric in made.contrasts.items():
        what = "trace - synthetic" if words == BY_RULE else "own voice - another student's"
        for metric, found in by_metric.items():
            yield f"| {what} | {words} | {metric} | {average(found)} | {share(found)} |"
    yield "\n**Traits** against the students' mean metrics (p over all metrics by exchanging whole students).\n"
    yield f"| trait | found at .05, of {made.classes} |"
    yield "| --- | --- |"
    for trait, ps in made.traits.items():
        yield f"| {trait} | {sum(p <= 0.05 for p in ps)} |"
    yield "\n**Leak check**: held-out r with traces in folds less that with students in folds, for comments.\n"
    yield "| input of the probe | gap | significant |"
    yield "| --- | --- | --- |"
    for leaky, found in made.leaks.items():
        words = "who the student is (a leak, planted)" if leaky else "the trace's other metrics"
        yield f"| {words} | {average(found)} | {share(found)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--classes", type=int, default=20)
    parser.add_argument("--repetitions", type=int, default=1000)
    parser.add_argument("--out", type=Path, default=Path("docs/validity.md"))
    options = parser.parse_args()
    started = time.process_time()
    some = max(options.repetitions // 4, 20)
    ks = stats.kstest(permutation_ps(range(options.repetitions)), "uniform").pvalue
    parts = [
        HEAD,
        "## Tests and intervals of a mean difference\n\n" + NULL,
        "\n".join(null_table(options.repetitions)),
        f"\nPermutation of whole students: p of {options.repetitions} groups that are none against the uniform "
        f"distribution, Kolmogorov-Smirnov p = {ks:.2f}.",
        "\n## Shares of variance\n\n" + SHARE,
        "\n".join(share_table(some)),
        "\n## Leads of probes\n\n" + PROBE,
        "\n".join(probe_table(some)),
    ]
    found = Found()
    for seed in range(options.classes):
        found.add(seed)
        minutes = (time.process_time() - started) / 60
        about = CLASSES.format(classes=found.classes, students=STUDENTS, titles=TITLES, takes=TAKES)
        foot = (
            f"\n*Made on {datetime.now(UTC):%Y-%m-%d} by `python bench/validity.py --classes {found.classes} "
            f"--repetitions {options.repetitions}` in {minutes:.0f} CPU minutes; {some} repetitions for shares of "
            "variance and probes.*\n"
        )
        # after each class, so that a run cut short leaves what it has
        page = [*parts, "\n## Simulated classes\n\n" + about, "\n".join(class_lines(found)), foot]
        write_text(options.out, "\n".join(page) + section_of(options.out))
        print(f"{options.out}: {found.classes} classes, {minutes:.1f} CPU minutes", flush=True)


HEAD = """# Validity: what the instruments find, and what they don't

Written by `python bench/validity.py`, the last section by `python bench/traces_teach.py`; don't edit. A small version is
in `tests/pipeline/test_validity.py` and `tests/studies/test_variance.py` and runs with every test. Nothing here is
evidence about students.
"""
NULL = """Differences a_i + b_j + e_ij of students, titles and chance, of equal variances (or 0), 2,000 replicates. The 95%
interval should cover in 95%; the detectable effect (2.8 standard errors) should be detected in about 80%. Where only
chance varies, the crossed bootstrap is too cautious by design: it counts chance three times. 'Without widening' is the
plain percentile bootstrap (`bootstrap(..., widen=False)`), which takes few clusters for many.
"""
PROBE = """Two sets of features that hold what is probed for equally well, or one twice as strongly, beside noise of their
own; 50 students of 4 traces, drawn anew each time. A student's resampling asks only how other test students would score
on these probes; others would also have trained other probes, so it calls too many differences.
"""
SHARE = """Coverage of the 95% intervals of `redraft variance`, with 30% of pairs missing at random. `student within
title` is student / (student + residual). Few titles and skewed effects are the hard case.
"""
CLASSES = """{classes} classes of {students} students and {titles} titles each. In a model's place stands an oracle: the same
students do the same titles again, {takes} times. Tests are at .05, not corrected, so of 20 nulls one is expected to be
significant, on either side. That the trace's other metrics show a small gap in the leak check, too, is no mistake: a
student's habits hang together, and a probe that has met the student's other traces profits from that.
"""


if __name__ == "__main__":
    main()
