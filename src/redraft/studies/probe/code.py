"""Code probes (paper section 4.2, appendix I, figure 4): what a prefix's embedding says of what comes later.

In: prefixes and their embeddings. Out: results rows: every target's scores for each view's model, the controls and
baselines; what the first view's embeddings have over each of these; and the leak meter, the gap between probes whose
folds keep students together and probes whose folds don't.

A probe is a ridge regression (of -1 and 1 for yes and no, one-hot for titles). Every prefix is predicted once in each
repetition, by a probe that saw nothing of its group; a score is the mean over repetitions. Correlations and average
precision take predictions as deviations from their fold's training mean: that mean alone correlates negatively with
what is held out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from redraft.metrics.bootstrap import Statistic
from redraft.metrics.folds import Codes, grouped_folds
from redraft.metrics.ridge import Fit, Floats, fit
from redraft.metrics.scores import SCORES, Score, mean_of, plain
from redraft.metrics.shuffle import exchange_groups, exchange_rows
from redraft.studies.probe.prefixes import Prefixes
from redraft.studies.probe.settings import STATISTICS, TARGETS, ProbeConfig

Embeddings = Callable[[bool], Floats]
"""Gives (N, D), told whether the title is hidden."""
_CELLS = 10_000_000
"""Numbers of permuted targets held at a time."""


@dataclass(frozen=True, kw_only=True)
class Probed:
    """What a probe predicted of a target."""

    target: str
    rows: Codes
    """(M,) the rows asked and scored."""
    truth: Floats
    """(M,) 1 and 0 for yes and no, a number for a title."""
    predicted: Mapping[str, Floats]
    """Statistic -> (R, M) what it is to be computed from, a line a repetition; nan where a row wasn't tested."""
    p: float | None = None
    """One-sided, of the first repetition's score, by exchanging whole students' targets."""
    reason: str | None = field(default=None)
    """Why nothing was predicted."""

    def tested(self, statistic: str) -> NDArray[np.bool_]:
        """(R, M) which rows were."""
        return np.isfinite(self.predicted[statistic])


class _How(NamedTuple):
    """How targets are probed for."""

    grouping: str
    permuted: bool
    with_p: bool
    standardise: bool
    repeats: int


class Prober:
    """Probes the same prefixes, with the same folds, through any embeddings.

    Args:
        prefixes: What is asked.
        config: Settings.
    """

    def __init__(self, prefixes: Prefixes, config: ProbeConfig) -> None:
        self.prefixes, self.config = prefixes, config
        self._folds: dict[str, list[tuple[Codes, Codes]]] = {}

    def folds(self, grouping: str) -> list[tuple[Codes, Codes]]:
        """The fold of each row (N,), below 0: not tested; and its inner fold; a pair a repetition."""
        if grouping not in self._folds:
            groups, rng = self.prefixes.groups(grouping), np.random.default_rng([self.config.seed, 2])
            tested = self.config.tested_folds or self.config.folds
            drawn = [[grouped_folds(groups, many, rng) for many in (self.config.folds, self.config.inner_folds)]
                     for _ in range(self.config.repeats)]  # fmt: skip
            self._folds[grouping] = [(np.where(outer < tested, outer, -1), inner) for outer, inner in drawn]
        return self._folds[grouping]

    def probe(
        self, embeddings: Embeddings, grouping: str, *, permuted: bool = False, with_p: bool = False,
        standardise: bool | None = None, keep: NDArray[np.bool_] | None = None, repeats: int | None = None,
    ) -> dict[str, Probed]:  # fmt: skip
        """Probe for every target.

        Args:
            embeddings: Gives (N, D), told whether the title is hidden.
            grouping: What folds keep whole.
            permuted: Exchange the embeddings between traces first, within training and test rows.
            with_p: Test each score by exchanging whole students' targets.
            standardise: Instead of the setting.
            keep: (N,) the rows there are; None: all.
            repeats: How many of the repetitions; None: all.
        """
        found: dict[str, Probed] = {}
        how = _How(grouping, permuted, with_p, self.config.standardise if standardise is None else standardise,
                   repeats or self.config.repeats)  # fmt: skip
        there = np.ones(len(self.prefixes), np.bool_) if keep is None else keep
        for hidden, masks in self._asked(grouping, there).items():
            x_ND = embeddings(hidden) if masks else np.empty((0, 0))
            for rows, names in masks:
                found |= self._together(x_ND, rows, names, how)
        for name in self.config.targets:
            found.setdefault(name, self._unscored(name, grouping, there))
        return {name: found[name] for name in self.config.targets}

    def _asked(self, grouping: str, there: NDArray[np.bool_]) -> dict[bool, list[tuple[Codes, list[str]]]]:
        """By whether the title is hidden: the rows, and the targets asked of exactly those."""
        asked: dict[bool, dict[bytes, tuple[Codes, list[str]]]] = {True: {}, False: {}}
        for name in self.config.targets:
            mask = np.isfinite(self.prefixes.targets[name]) & there
            if self._reason(name, grouping, there) is None:
                asked[name == "title"].setdefault(mask.tobytes(), (np.flatnonzero(mask), []))[1].append(name)
        return {hidden: [*masks.values()] for hidden, masks in asked.items()}

    def _reason(self, name: str, grouping: str, there: NDArray[np.bool_]) -> str | None:
        """Why a target can't be probed for."""
        values = self.prefixes.targets[name]
        rows = np.isfinite(values) & there
        if name == "title" and grouping == "title":
            return "a title that is held out can't be named"
        if not rows.any():
            return "no verdicts" if name == "final_runs" and there.any() else "no prefix to ask"
        if np.ptp(values[rows]) == 0:
            return "the target is constant"
        if len(np.unique(self.prefixes.groups(grouping)[rows])) < 2:
            return f"one {grouping} only"
        return None

    def _unscored(self, name: str, grouping: str, there: NDArray[np.bool_]) -> Probed:
        none: Floats = np.empty((self.config.repeats, 0))
        return Probed(target=name, rows=np.empty(0, np.int64), truth=np.empty(0),
                      predicted=dict.fromkeys(STATISTICS[TARGETS[name].kind], none),
                      reason=self._reason(name, grouping, there))  # fmt: skip

    def _together(self, x_ND: Floats, rows: Codes, names: Sequence[str], how: _How) -> dict[str, Probed]:
        """Probes of targets that are asked of the same rows, which share all but the last step."""
        truths = {name: self.prefixes.targets[name][rows] for name in names}
        coded = [_coded(truths[name], TARGETS[name].kind) for name in names]
        ends = np.cumsum([one.shape[1] for one in coded])
        columns = np.split(np.arange(ends[-1]), ends[:-1])
        y_NK = np.concatenate(coded, 1)
        predicted = {
            name: {s: np.full((how.repeats, len(rows)), np.nan) for s in STATISTICS[TARGETS[name].kind]}
            for name in names
        }
        for repeat, (folds, inner) in enumerate(self.folds(how.grouping)[: how.repeats]):
            folds, inner, x_MD = folds[rows], inner[rows], x_ND[rows]
            if how.permuted:
                rng = np.random.default_rng([self.config.seed, 5, repeat])
                x_MD = x_MD[exchange_rows(self.prefixes.trace[rows], folds, rng)]
            for one in self._fit(x_MD, y_NK, folds, inner, columns, how.standardise):
                deviation_MK, mean_K = one.predict(x_MD)
                for name, block in zip(names, columns, strict=True):
                    said = _said(deviation_MK[:, block], mean_K[block], np.unique(truths[name]), TARGETS[name].kind)
                    for statistic, values in said.items():
                        predicted[name][statistic][repeat, one.test] = values
        ps: dict[str, float | None] = {}
        if how.with_p and self.config.permutations:
            x_MD = x_ND[rows]
            ps = {name: self._p(x_MD, rows, truths[name], predicted[name], name, how) for name in names}
        return {
            name: Probed(target=name, rows=rows, truth=truths[name], predicted=predicted[name], p=ps.get(name))
            for name in names
        }

    def _fit(
        self, x_MD: Floats, y_MK: Floats, folds: Codes, inner: Codes, columns: Sequence[Codes], scale: bool
    ) -> list[Fit]:
        """The fits of a repetition."""
        return fit(x_MD, y_MK, folds, inner, together=[column.tolist() for column in columns],
                   alphas=self.config.alphas, standardise=scale)  # fmt: skip

    def _p(
        self, x_MD: Floats, rows: Codes, truth: Floats, predicted: Mapping[str, Floats], name: str, how: _How
    ) -> float | None:
        """Share of exchanges of whole students' targets, the penalties chosen anew, that score at least as high."""
        kind = TARGETS[name].kind
        statistic, score = STATISTICS[kind][0], SCORES[STATISTICS[kind][0]]
        observed = _plain(score, truth, predicted[statistic][0])
        students, classes = self.prefixes.student[rows], np.unique(truth)
        if not np.isfinite(observed) or len(np.unique(students)) < 2:
            return None
        rng = np.random.default_rng([self.config.seed, 4])
        folds, inner = (one[rows] for one in self.folds(how.grouping)[0])
        width = len(classes) if kind == "class" else 1
        step = max(1, _CELLS // (len(rows) * width))
        reached = 0
        for start in range(0, self.config.permutations, step):
            size = min(step, self.config.permutations - start)
            truths = [truth[exchange_groups(students, rng)] for _ in range(size)]
            coded_MK = np.concatenate([_coded(one, kind, classes) for one in truths], 1)
            columns = np.split(np.arange(size * width), size)
            said = np.full((size, len(rows)), np.nan)
            for one in self._fit(x_MD, coded_MK, folds, inner, columns, how.standardise):
                deviation_MK, mean_K = one.predict(x_MD)
                for line, block in zip(said, columns, strict=True):
                    line[one.test] = _said(deviation_MK[:, block], mean_K[block], classes, kind)[statistic]
            # an undefined score counts against
            reached += sum(not _plain(score, *both) < observed for both in zip(truths, said, strict=True))
        return (1 + reached) / (1 + self.config.permutations)


def _coded(truth: Floats, kind: str, classes: Floats | None = None) -> Floats:
    """What a ridge regression learns of a target: (M, 1), or a column a class."""
    if kind == "class":
        one_hot_MC: Floats = 2.0 * (truth[:, None] == (np.unique(truth) if classes is None else classes)) - 1
        return one_hot_MC
    return (2 * truth - 1 if kind == "binary" else truth)[:, None]


def _said(deviation_MK: Floats, mean_K: Floats, classes: Floats, kind: str) -> dict[str, Floats]:
    """What each of a kind's statistics is computed from."""
    whole_MK = deviation_MK + mean_K
    if kind == "class":
        chosen: Floats = classes[whole_MK.argmax(1)]
        return {"macro_f1": chosen}
    if kind == "binary":
        return {"f1": whole_MK[:, 0], "average_precision": deviation_MK[:, 0]}
    return {"pearson": deviation_MK[:, 0], "spearman": deviation_MK[:, 0]}


def _plain(score: Score, truth: Floats, predicted: Floats) -> float:
    tested = np.isfinite(predicted)
    return plain(score, truth[tested], predicted[tested])


def score(probed: Probed, name: str, tested: NDArray[np.bool_] | None = None) -> float:
    """A score of what was predicted, averaged over repetitions; nan if undefined.

    Args:
        probed: The predictions.
        name: The statistic.
        tested: (R, M) rows to take; None: all that were tested.
    """
    lines = probed.tested(name) if tested is None else tested
    if not lines.any():
        return float("nan")
    return float(np.mean([
        plain(SCORES[name], probed.truth[line], values[line])
        for values, line in zip(probed.predicted[name], lines, strict=True)
    ]))  # fmt: skip


def statistic_of(probed: Probed, name: str, students: Codes, tested: NDArray[np.bool_]) -> Statistic:
    """The same as a function of students' counts; `students` are the codes of the rows (M,)."""
    return mean_of([
        SCORES[name](probed.truth[line], values[line], students[line])
        for values, line in zip(probed.predicted[name], tested, strict=True)
    ])  # fmt: skip
