"""What students do on average: the targets of student probes, and what could predict them without a model.

In: a run's measured traces and its split. Out: `Habits`: for each student and metric the mean over test traces (or over
all, as in the paper), the same of what title and year leave unexplained, and the baselines. A pair counts once. Titles'
and years' effects come from training pairs alone, of all students, by least squares with a little shrinkage.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from scipy import sparse
from scipy.sparse.linalg import lsqr

from redraft.data.split import TRAIN
from redraft.data.trace import Pair
from redraft.metrics.folds import Codes
from redraft.metrics.pairs import ByPair, pairs_of
from redraft.metrics.ridge import Floats
from redraft.results import noted
from redraft.studies.common.limits import choose
from redraft.studies.common.run import Run
from redraft.studies.probe.prefixes import training_counts
from redraft.studies.probe.settings import ProbeConfig

MEAN, RESIDUAL = "mean", "residual"
TARGET_SPLITS = {"test": ("seen-seen", "seen-unseen", "forward"), "all": (TRAIN, "seen-seen", "seen-unseen", "forward")}
"""Which traces a mean is over -> the splits they come from."""
BASELINES = ("trace-count", "year", "title-mix")
"""Number of training traces; mean year of those; mean over the target's traces of their titles' training means."""


@dataclass(frozen=True, kw_only=True)
class Habits:
    """S students' averages; nan where a metric is unscored on too many of a student's traces."""

    students: Sequence[str]
    """In order of id."""
    targets: Mapping[str, Mapping[str, Floats]]
    """mean or residual -> metric -> (S,)."""
    counts: Floats
    """(S,) training pairs."""
    years: Floats
    """(S,) mean year of the training pairs; nan without times."""
    title_mix: Mapping[str, Floats]
    """Metric -> (S,)."""
    n_titles: int
    """Titles that targets are over."""
    note: str | None
    """What to keep in mind."""

    def baseline(self, name: str, metric: str) -> Floats:
        """(S,) what a baseline predicts from."""
        return {"trace-count": np.log1p(self.counts), "year": self.years, "title-mix": self.title_mix[metric]}[name]


def make_habits(run: Run, measured: pa.Table, config: ProbeConfig) -> Habits:
    """The habits of a sample of the run's students; `measured` holds the metrics of all its traces."""
    trained = training_counts(run)
    there = set(pairs_of(measured))
    places = {pair: place for pair, place in run.split.of.items() if pair in there}
    tested: dict[str, list[Pair]] = defaultdict(list)
    for pair, place in places.items():
        if place in TARGET_SPLITS[config.student_targets]:
            tested[pair.student].append(pair)
    by_training = choose(trained, config.fewest_traces, config.most_traces, config.fewest_students)
    counts = {student: len(tested.get(student, ())) for student in by_training.students}
    by_tests = choose(counts, config.fewest_test_traces, max(counts.values(), default=0), config.fewest_students)
    rng = np.random.default_rng([config.seed, 10])
    able = sorted(by_tests.students)
    students = sorted(able[i] for i in rng.permutation(len(able))[: config.students])
    notes = (
        by_training.note(config.fewest_traces, "training traces"),
        by_tests.note(config.fewest_test_traces, "traces to average"),
    )

    train = sorted(pair for pair, place in places.items() if place == TRAIN)
    pairs = sorted(pair for student in students for pair in tested[student])
    known, wanted = ByPair(measured, train), ByPair(measured, pairs)
    owner = np.repeat(np.arange(len(students)), [len(tested[student]) for student in students])
    effects = Effects(train, known.means("year_final"), pairs, wanted.means("year_final"))
    means: dict[str, Floats] = {}
    residuals: dict[str, Floats] = {}
    mixes: dict[str, Floats] = {}
    for metric in config.student_metrics:
        values, learned = wanted.means(metric), known.means(metric)
        means[metric] = _means(values, owner, len(students), by_tests.least)
        if not metric.startswith("year"):  # of which the year leaves nothing
            residuals[metric] = _means(values - effects.predict(learned), owner, len(students), by_tests.least)
        mixes[metric] = _means(effects.title_means(learned), owner, len(students), 1)
    code = {student: number for number, student in enumerate(students)}
    own = np.array([code.get(pair.student, -1) for pair in train], np.int64)
    kept = own >= 0
    return Habits(
        students=students, targets={MEAN: means} | ({RESIDUAL: residuals} if config.residuals else {}),
        counts=np.array([trained[student] for student in students], float),
        years=_means(known.means("year_final")[kept], own[kept], len(students), 1), title_mix=mixes,
        n_titles=len({pair.title for pair in pairs}), note=noted(*notes),
    )  # fmt: skip


class Effects:
    """What title and year come to, learned from training pairs.

    Args:
        train: Training pairs.
        train_years: (N,) their years; nan: unknown.
        pairs: The pairs to predict.
        years: (M,) their years.
    """

    def __init__(self, train: Sequence[Pair], train_years: Floats, pairs: Sequence[Pair], years: Floats) -> None:
        titles = {title: code for code, title in enumerate(sorted({pair.title for pair in train}))}
        calendar = {year: code for code, year in enumerate(np.unique(train_years[np.isfinite(train_years)]).tolist())}
        self.n_titles, self.n = len(titles), len(titles) + len(calendar)
        self._train = self._design(train, train_years, titles, calendar)
        self._wanted = self._design(pairs, years, titles, calendar)

    def _design(
        self, pairs: Sequence[Pair], years: Floats, titles: Mapping[str, int], calendar: Mapping[float, int]
    ) -> sparse.csr_array:
        """A row per pair: a one for its title and one for its year, none where it is unknown."""
        cells = [(row, titles[pair.title]) for row, pair in enumerate(pairs) if pair.title in titles]
        cells += [(row, len(titles) + calendar[year]) for row, year in enumerate(years.tolist()) if year in calendar]
        rows, columns = np.array(cells, np.int64).reshape(-1, 2).T
        return sparse.csr_array((np.ones(len(rows)), (rows, columns)), shape=(len(pairs), self.n))

    def predict(self, learned: Floats) -> Floats:
        """What is to be expected of the wanted pairs (M,), given a metric's values on the training pairs (N,)."""
        scored = np.isfinite(learned)
        if not scored.any():
            return np.zeros(self._wanted.shape[0])
        centre = learned[scored].mean()
        effects = lsqr(self._train[scored], learned[scored] - centre, damp=1.0)[0]
        expected: Floats = centre + self._wanted @ effects
        return expected

    def title_means(self, learned: Floats) -> Floats:
        """The training mean of each wanted pair's title (M,); nan for titles without any."""
        scored = np.isfinite(learned)
        ones = self._train[scored][:, : self.n_titles]
        count, total = ones.sum(0), learned[scored] @ ones
        mean = np.divide(total, count, out=np.full(self.n_titles, np.nan), where=count > 0)
        titles = self._wanted[:, : self.n_titles]
        known = titles.sum(1) > 0
        found = titles @ np.where(np.isfinite(mean), mean, 0)
        return np.where(known & (titles @ np.isfinite(mean).astype(float) > 0), found, np.nan)


def _means(values: Floats, owner: Codes, size: int, least: int) -> Floats:
    """Each owner's mean of what is scored; nan if that is less than `least`."""
    scored = np.isfinite(values)
    count = np.bincount(owner[scored], minlength=size)
    total = np.bincount(owner[scored], values[scored], minlength=size)
    mean: Floats = np.divide(total, count, out=np.full(size, np.nan), where=count >= least)
    return mean
