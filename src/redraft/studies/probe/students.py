"""Student probes (paper section 4.3, appendix H, figure 5): what a student's vector says of the student.

In: the first layer of the models' student modules, and students' habits. Out: results rows: how well a small network
predicts each habit from the vector of a student it wasn't trained on; the same for other views' vectors, vectors
exchanged between students, and baselines; and the first view's lead over each.

All sides are scored on the same students with the same folds. Features and targets are standardised on training folds.
Predictions are kept in `RUN/work/probe/`, so that a killed study goes on.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import sklearn
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPRegressor
from sklearn.preprocessing import StandardScaler

from redraft.lm.checkpoint import Model
from redraft.metrics.folds import Codes, grouped_folds, sides
from redraft.metrics.ridge import Floats, fit
from redraft.metrics.scores import SCORES, difference, mean_of, plain
from redraft.metrics.shuffle import derange
from redraft.progress import track
from redraft.results import Result
from redraft.studies.common.compared import measured
from redraft.studies.common.models import open_model
from redraft.studies.common.run import Run
from redraft.studies.common.work import kept_array, work_folder
from redraft.studies.probe.habits import BASELINES, TARGET_SPLITS, Habits, make_habits
from redraft.studies.probe.rows import OWN, Maker, Scored, halves_of
from redraft.studies.probe.settings import STATISTICS, ProbeConfig

FEWEST = 20
"""Students without which nothing is probed for."""
TRAINING = 11
"""Students without which no network is trained: a tenth of them, at least 2, say when it stops."""
SHUFFLED = "shuffled"


def student_rows(run: Run, config: ProbeConfig, views: Sequence[str], workers: int = 1) -> list[Result]:
    """All rows of the student probes; `views` are those with a model."""
    table = measured(run.dataset, run.path / "metrics" / "real.parquet", workers=workers, rule=run.rule)
    habits = make_habits(run, table, config)
    vectors = {view: first_layer(open_model(run, view), habits.students) for view in views}
    vectors[SHUFFLED] = vectors[views[0]][_exchanged(habits.students, config)]
    tested = {"test": "+".join(TARGET_SPLITS["test"]), "all": "all"}[config.student_targets]
    maker = Maker(run=run, config=config, part="students", split=tested, level="student", note=habits.note)
    work = _Work(habits, vectors, maker, config, work_folder(run.path, "probe/students", **_key(config)))
    asked = [(target, metric) for target, metrics in habits.targets.items() for metric in metrics]
    return [row for target, metric in track(asked, "student probes") for row in work.rows(target, metric)]


def _key(config: ProbeConfig) -> dict[str, Any]:
    """What a network's predictions depend on beside what it is trained on, of which files' names are hashes."""
    names = ("hidden", "iterations", "lr", "batch", "seed")
    return {"sklearn": sklearn.__version__, **{name: getattr(config, name) for name in names}}


def first_layer(model: Model, students: Sequence[str]) -> Floats:
    """The 64 numbers of each student before the ReLU: row + bias (S, 64)."""
    module = model.lm.students
    rows = [model.students.row(student) for student in students]
    values: Floats = (module.rows.weight.detach()[rows] + module.bias.detach()).double().cpu().numpy()
    return values


def _exchanged(students: Sequence[str], config: ProbeConfig) -> Codes:
    """Whose vector each student gets in the control."""
    of = derange(students, [()] * len(students), np.random.default_rng([config.seed, 11])).of
    number = {student: code for code, student in enumerate(students)}
    return np.array([number[of[student]] for student in students], np.int64)


class _Work:
    """From vectors to rows, a metric at a time."""

    def __init__(
        self, habits: Habits, vectors: Mapping[str, Floats], maker: Maker, config: ProbeConfig, folder: Path
    ) -> None:
        self.habits, self.vectors, self.maker, self.config, self.folder = habits, vectors, maker, config, folder
        self.first = next(iter(vectors))
        self.halves = halves_of(np.arange(len(habits.students)), config)

    def rows(self, target: str, metric: str) -> Iterator[Result]:
        """Scores of every side, and what the first has over each other one."""
        truth = self.habits.targets[target][metric]
        kept = np.isfinite(truth)
        reason = self._reason(truth[kept])
        whole = {} if reason else self._predicted(truth, kept, metric, self.config.repeats)
        halves = [kept & np.isin(np.arange(len(truth)), half) for half in self.halves]
        if reason or any(half.sum() < self._fewest or np.ptp(truth[half]) == 0 for half in halves):
            halves = []
        parts = [self._predicted(truth, half, metric, 1) for half in halves]
        sides = (*self.vectors, *BASELINES)
        for side in sides:
            for name in STATISTICS["number"]:
                scored = self._scored(name, truth, kept, [whole.get(side)], [[part[side]] for part in parts])
                model = self.first if side == SHUFFLED else side if side in self.vectors else None
                yield self.maker.row(
                    scored, metric, model=model, baseline=side if side in BASELINES else None, reason=reason,
                    target=target, input=SHUFFLED if side == SHUFFLED else OWN,
                )  # fmt: skip
        for side in sides:
            for number, name in enumerate(STATISTICS["number"] if side != self.first else ()):
                both = (self.first, side)
                scored = self._scored(name, truth, kept, [whole.get(one) for one in both],
                                      [[part[one] for one in both] for part in parts])  # fmt: skip
                yield self.maker.row(
                    scored, metric, model=self.first, baseline=None if side == SHUFFLED else side, reason=reason,
                    family=f"probe: students, {target}, {self.first} - {side}" if number == 0 else None,
                    target=target, input=OWN, against=side,
                )  # fmt: skip

    @property
    def _fewest(self) -> int:
        """Students that leave each fold enough to train on; one more, since folds differ by one."""
        folds = self.config.folds
        return -(-TRAINING * folds // (folds - 1)) + 1

    def _reason(self, truth: Floats) -> str | None:
        """Why a target can't be probed for."""
        if len(truth) < (needed := max(FEWEST, self._fewest)):
            return f"{len(truth)} students, but {needed} are needed"
        return "the target is constant" if np.ptp(truth) <= 1e-9 * np.abs(truth).max() else None

    def _predicted(self, truth: Floats, kept: NDArray[np.bool_], metric: str, repeats: int) -> dict[str, Floats]:
        """Side -> out-of-fold predictions (R, S), as deviations from training means; nan where not tested."""
        rng, here = np.random.default_rng([self.config.seed, 12]), np.flatnonzero(kept)
        drawn = [grouped_folds(here, self.config.folds, rng) for _ in range(repeats)]
        tested = self.config.tested_folds or self.config.folds
        folds_RM = np.stack([np.where(folds < tested, folds, -1) for folds in drawn])
        inner = grouped_folds(here, self.config.inner_folds, rng)
        said = {side: self._network(x_SD[here], truth[here], folds_RM) for side, x_SD in self.vectors.items()}
        for baseline in BASELINES:
            said[baseline] = self._line(self.habits.baseline(baseline, metric)[here], truth[here], folds_RM, inner)
        spread = {side: np.full((repeats, len(truth)), np.nan) for side in said}
        for side, said_RM in said.items():
            spread[side][:, here] = said_RM
        return spread

    def _line(self, x_S: Floats, truth: Floats, folds_RS: Codes, inner: Codes) -> Floats:
        """Predictions of a straight line through one number, missing ones taken for the mean."""
        mean = x_S[np.isfinite(x_S)].mean() if np.isfinite(x_S).any() else 0.0
        x_S1, said_RS = np.where(np.isfinite(x_S), x_S, mean)[:, None], np.full(folds_RS.shape, np.nan)
        for said_S, folds in zip(said_RS, folds_RS, strict=True):
            for one in fit(x_S1, truth[:, None], folds, inner, standardise=True):
                said_S[one.test] = one.predict(x_S1)[0][:, 0]
        return said_RS

    def _network(self, x_SD: Floats, truth: Floats, folds_RS: Codes) -> Floats:
        """Predictions of the network, or those kept of an earlier run."""
        digest = hashlib.sha256()
        for array in (x_SD, truth, folds_RS):
            digest.update(repr(array.shape).encode() + np.ascontiguousarray(array).tobytes())

        def make() -> Floats:
            said_RS = np.full(folds_RS.shape, np.nan)
            for repeat, folds in enumerate(folds_RS):
                for train, test in sides(folds):
                    if folds[test[0]] >= 0:
                        said_RS[repeat, test] = self._trained(x_SD, truth, train, test, repeat)
            return said_RS

        return kept_array(self.folder / f"{digest.hexdigest()[:32]}.npy", make)

    def _trained(self, x_SD: Floats, truth: Floats, train: Codes, test: Codes, repeat: int) -> Floats:
        """What a network trained on some students says of others: deviations from the training mean."""
        scaler = StandardScaler().fit(x_SD[train])
        mean, spread = truth[train].mean(), truth[train].std()
        if spread == 0:
            return np.zeros(len(test))
        network = MLPRegressor(
            hidden_layer_sizes=self.config.hidden, max_iter=self.config.iterations, learning_rate_init=self.config.lr,
            batch_size=min(self.config.batch, len(train) * 9 // 10), early_stopping=True,
            random_state=self.config.seed + repeat,
        )  # fmt: skip
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            network.fit(scaler.transform(x_SD[train]), (truth[train] - mean) / spread)
        deviation: Floats = network.predict(scaler.transform(x_SD[test])) * spread
        return deviation

    def _scored(
        self, name: str, truth: Floats, kept: NDArray[np.bool_], said: Sequence[Floats | None],
        parts: Sequence[Sequence[Floats]],
    ) -> Scored:  # fmt: skip
        """The score of a side's predictions, or of two sides' the difference."""
        known = [one for one in said if one is not None]
        tested_RS = np.logical_and.reduce([np.isfinite(one) for one in known]) if known else kept[None]
        students, resampled = np.arange(int(tested_RS.any(0).sum())), None
        if known and not self.config.halves:
            code = np.cumsum(tested_RS.any(0)) - 1
            statistics = [
                mean_of([SCORES[name](truth[line], values[line], code[line])
                         for values, line in zip(one, tested_RS, strict=True)]) for one in known
            ]  # fmt: skip
            resampled = difference(*statistics) if len(statistics) > 1 else statistics[0]
        return Scored(
            statistic=name, value=_lead(name, truth, known) if known else float("nan"),
            halves=np.array([_lead(name, truth, part) for part in parts]), bootstrap=resampled, students=students,
            titles=np.arange(self.habits.n_titles), unscored=int((~kept).sum()), is_difference=len(said) > 1,
        )  # fmt: skip


def _lead(name: str, truth: Floats, said: Sequence[Floats]) -> float:
    """The score of one side, or of the first less that of the second, averaged over repetitions."""
    tested_RS = np.logical_and.reduce([np.isfinite(one) for one in said])
    values = [
        np.mean([plain(SCORES[name], truth[line], one[line]) for one, line in zip(side, tested_RS, strict=True)])
        for side in said
    ]
    return float(values[0] - values[1] if len(values) > 1 else values[0])
