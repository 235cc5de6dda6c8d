"""Settings of the probes, and what is probed for. Defaults are the corrected design; others are values of these fields.

The paper's design is in sections 4.2 and 4.3 and appendices H and I.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, NamedTuple, Self

from redraft.data.split import TEST_SPLITS
from redraft.errors import InputError, suggestion
from redraft.metrics.metric import Place
from redraft.metrics.registry import MEASURED, shown
from redraft.studies.common.claims import own_claims
from redraft.studies.interface import Budget

Kind = Literal["class", "binary", "number"]
Grouping = Literal["student", "trace", "title", "prefix"]
STATISTICS: dict[Kind, tuple[str, ...]] = {
    "class": ("macro_f1",), "binary": ("f1", "average_precision"), "number": ("pearson", "spearman"),
}  # fmt: skip
"""Kind of target -> how probes for it are scored; the first is the one that is tested."""


class Target(NamedTuple):
    """What a code probe predicts from a prefix."""

    kind: Kind
    unit: str
    definition: str


TARGETS: dict[str, Target] = {
    "title": Target("class", "", "the trace's title, hidden from the model; from prefixes of at least one state"),
    "is_last": Target("binary", "", "whether the prefix holds the final program; from all prefixes"),
    "halfway": Target("binary", "", "whether at least half of the trace's states are in the prefix"),
    "backtracks": Target("binary", "", "whether a later edit leads away from the final program"),
    "attempts_left": Target("number", "states", "states yet to come"),
    "seconds_left_log": Target("number", "log(1 + s)", "log(1 + seconds) from the last state so far to the final one"),
    "seconds_left": Target("number", "s", "seconds from the last state so far to the final one"),
    "distance_to_final": Target("number", "characters", "Levenshtein distance of the last program so far to the final"),
    "final_runs": Target("binary", "", "whether the final program runs; unscored without a verdict, or if truncated"),
}  # fmt: skip
"""Code probes: name -> target. All but `is_last` are asked only of prefixes without the final program."""

CONTROLS: dict[str, str] = {
    "shuffled": "read with another student's vector (one derangement of the students)",
    "matched": "read with the vector of another student of the same year and editor mode",
    "permuted": "embeddings exchanged between traces, training and test rows apart",
    "untrained": "embeddings of a model of the same shape with fresh weights",
    "surface": "no model: number of states, title, length, seconds so far, last verdict",
}
"""What the first view's embeddings are compared with."""

COUNTED = "n counts prefixes"
"""What notes of the code probes' rows say of n, with the number of traces."""


@dataclass(frozen=True, kw_only=True)
class ProbeConfig:
    """How the models are probed: the section [probe] of `run.toml`."""

    views: tuple[str, ...] = ("trace", "last")
    """Views whose models are probed; the first is the one with controls, and that the others are compared with."""
    seed: int = 0
    """Seed of samples, folds, controls and resampling."""
    halves: int = 20
    """Random halves of the students on which the probes are fitted anew: their spread gives each interval, and p of
    differences; 0: the bootstrap of students that takes the fitted probes as given, and finds several times too many
    differences."""
    replicates: int = 2000
    """Bootstrap replicates of each interval, if there are no halves."""
    permutations: int = 999
    """Exchanges of whole students' targets behind each p of a code probe; 0: no p."""
    fewest_traces: int = 20
    """Training traces that a probed student has at least."""
    most_traces: int = 200
    """And at most: those with more are likely shared accounts."""
    fewest_students: int = 100
    """If fewer students than this meet a lower limit, it is lowered, trace by trace, until as many do; rows say so."""
    folds: int = 5
    """Folds of a cross-validation."""
    repeats: int = 5
    """How often it is repeated, with other folds."""
    tested_folds: int = 0
    """Folds of each repetition that are tested; 0: all. 1 is a random split each, as in the paper."""

    split: str = "seen-seen"
    """Code probes: the split whose traces are probed."""
    titles: int = 100
    """Titles, the most frequent ones; assignments, if the split has any."""
    traces_per_title: int = 50
    """Traces sampled of each title, at most."""
    fewest_per_title: int = 5
    """Traces that a title has at least."""
    targets: tuple[str, ...] = tuple(TARGETS)
    """What is probed for."""
    controls: tuple[str, ...] = tuple(CONTROLS)
    """Controls and baselines."""
    title_with_final: bool = False
    """Ask for the title from prefixes with the final program too, as the paper does."""
    over: Literal["trace", "all"] = "trace"
    """Token states that an embedding is the mean of: from the start token on, or all (the paper's)."""
    too_long: Literal["cut", "drop"] = "cut"
    """Prefixes longer than the context: read without their first states, or left out (the paper's)."""
    grouping: Grouping = "student"
    """What is never on both sides of a fold: a student's, a trace's or a title's prefixes; `prefix` keeps nothing
    together (the released code's leak)."""
    leak_groupings: tuple[Grouping, ...] = ("trace", "prefix")
    """Groupings compared with `grouping` by the leak meter."""
    alpha_powers: tuple[int, ...] = (-7, 7)
    """Ridge penalties: powers of ten, from the first to the last."""
    inner_folds: int = 5
    """Folds, grouped too, in which the penalty is chosen."""
    standardise: bool = False
    """Divide embeddings by their standard deviations over training rows (surface features always are)."""
    batch_tokens: int = 4096
    """Tokens embedded at once."""

    students: int = 2000
    """Student probes: students sampled, at most."""
    student_metrics: tuple[str, ...] = shown(Place.FINAL_PROGRAMS, Place.WHOLE_TRACES)
    """Metrics whose means over a student's traces are predicted from the student's vector."""
    student_targets: Literal["test", "all"] = "test"
    """Traces that a mean is over: test traces, or all (the paper's, training traces included)."""
    fewest_test_traces: int = 5
    """Traces that a mean is over at least."""
    residuals: bool = True
    """Also predict means of what title and year leave unexplained."""
    hidden: tuple[int, ...] = (100, 100)
    """Hidden layers of the probe."""
    iterations: int = 5000
    """Epochs at most; it stops early."""
    lr: float = 1e-3
    """Learning rate of the probe."""
    batch: int = 64
    """Students in a batch of the probe."""

    def __post_init__(self) -> None:
        for name, values, known in (
            ("targets", self.targets, TARGETS), ("controls", self.controls, CONTROLS),
            ("student_metrics", self.student_metrics, MEASURED), ("split", (self.split,), TEST_SPLITS),
        ):  # fmt: skip
            for value in values:
                if value not in known:
                    raise InputError(f"unknown {name} {value!r} in [probe]. {suggestion(value, known)}")
        if not self.views or self.folds < 2 or self.repeats < 1 or self.inner_folds < 2:
            raise InputError("[probe] needs a view, at least 2 folds and inner folds, and at least 1 repetition.")
        if self.halves and self.halves < 5:
            raise InputError("halves in [probe] is 0 (none) or at least 5.")
        if len(self.alpha_powers) != 2 or self.alpha_powers[0] > self.alpha_powers[1]:
            raise InputError("alpha_powers in [probe] are two whole numbers, the smaller first.")

    @property
    def alphas(self) -> tuple[float, ...]:
        """The penalties."""
        return tuple(10.0**power for power in range(self.alpha_powers[0], self.alpha_powers[1] + 1))

    def within(self, budget: Budget) -> Self:
        """Of a size that fits a budget."""
        metrics = self.student_metrics
        if budget.is_tight:  # student probes cost as much as there are metrics
            claimed = {claim.metric for claim in own_claims().of("probe")}
            metrics = tuple(name for name in metrics if name in claimed)
        return replace(
            self, student_metrics=metrics, titles=budget.some(100, 12), traces_per_title=budget.some(50, 12),
            permutations=budget.some(999, 199), repeats=budget.some(5, 1), halves=budget.some(20, 10),
            seed=budget.seed,
        )  # fmt: skip
