"""The code probes' results rows: scores, controls, baselines, contrasts and the leak meter.

In: prefixes and their embeddings. Out: rows, in the order of a reader's questions: how well do the models' embeddings
do, how well do those of less, is the difference sure, and what would leaky folds have shown?
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from redraft.metrics.agreement import Estimate
from redraft.metrics.bootstrap import Statistic
from redraft.metrics.ridge import Floats
from redraft.metrics.scores import estimate, mean_of
from redraft.progress import bar
from redraft.results import Result
from redraft.studies.probe.code import Probed, Prober, contrast_of, statistic_of
from redraft.studies.probe.prefixes import Prefixes, make_prefixes
from redraft.studies.probe.rows import DIFFERENCE, OWN, Maker
from redraft.studies.probe.settings import STATISTICS, TARGETS, ProbeConfig
from redraft.studies.probe.vectors import Vectors
from redraft.studies.run import Run

PERMUTATION = "exchange of whole students' targets, one-sided, first repetition"
ALWAYS_YES = "always-yes"
Embeddings = Callable[[bool], Floats]
"""Gives (N, D), told whether the title is hidden."""


@dataclass(frozen=True, kw_only=True)
class Side:
    """Embeddings probed, and what they are called in the rows."""

    name: str
    """A view or a control."""
    model: str | None = None
    baseline: str | None = None
    input: str = OWN
    """Whose vectors, or what was done to the embeddings."""
    probed: Mapping[str, Probed]
    note: str | None = None


def code_rows(run: Run, config: ProbeConfig, views: Sequence[str]) -> list[Result]:
    """All rows of the code probes; `views` are those with a model, the first with controls."""
    prefixes = make_prefixes(run, config)
    vectors = Vectors(run, prefixes.traces, config)
    prefixes = _within_context(prefixes, vectors.cut(views[0]), config)
    maker = Maker(run=run, part="code", split=config.split, level="trace", note=prefixes.note)
    work = _Work(prefixes, Prober(prefixes, config), maker, config)
    with bar("code probes", len(views) + len(config.controls) + len(config.leak_groupings)) as watcher:
        sides = []
        for side in _sides(vectors, work, views, config):
            sides.append(side)
            watcher.advance()
        rows = [*work.trivial(), *(row for side in sides for row in work.scores(side))]
        rows += [row for side in sides[1:] for row in work.contrasts(sides[0], side)]
        for grouping in config.leak_groupings:
            rows += work.leaks(sides[0], grouping, _own(vectors, views[0]))
            watcher.advance()
    return rows


def _within_context(prefixes: Prefixes, too_long: NDArray[np.bool_], config: ProbeConfig) -> Prefixes:
    """With what is done about prefixes longer than the context done, or said."""
    if not too_long.any():
        return prefixes
    many = f"{int(too_long.sum())} of {len(prefixes)} prefixes are longer than the context"
    if config.too_long == "cut":
        return prefixes.noted(f"{many} and read without their first states")
    return prefixes.without(too_long).noted(f"{many} and left out")


def _own(vectors: Vectors, view: str, reader: str = OWN) -> Embeddings:
    return lambda hidden: vectors.of(view, reader, hide_title=hidden)


def _sides(vectors: Vectors, work: _Work, views: Sequence[str], config: ProbeConfig) -> Iterator[Side]:
    """Everything probed with the main grouping, the first view's own embeddings first."""
    probe, first = work.prober.probe, views[0]
    for view in views:
        yield Side(name=view, model=view, probed=probe(_own(vectors, view), config.grouping, with_p=True))
    for control in config.controls:
        if control == "surface":
            yield Side(name=control, baseline=control, probed=probe(work.surface, config.grouping, standardise=True))
        elif control == "untrained":
            yield Side(name=control, baseline=control, probed=probe(_own(vectors, first, control), config.grouping))
        elif control == "permuted":
            found = probe(_own(vectors, first), config.grouping, permuted=True)
            yield Side(name=control, model=first, input=control, probed=found)
        else:
            alone = vectors.readers(control).unmatched
            note = f"{alone} students are exchanged with one of another year or mode" if alone else None
            found = probe(_own(vectors, first, control), config.grouping)
            yield Side(name=control, model=first, input=control, probed=found, note=note)


class _Work:
    """From probes to rows."""

    def __init__(self, prefixes: Prefixes, prober: Prober, maker: Maker, config: ProbeConfig) -> None:
        self.prefixes, self.prober, self.maker, self.config = prefixes, prober, maker, config

    def surface(self, hidden: bool) -> Floats:
        """Surface features, and which title it is unless that is hidden."""
        if hidden:
            return self.prefixes.surface
        is_title = self.prefixes.title[:, None] == np.arange(self.prefixes.title.max(initial=-1) + 1)
        return np.concatenate([self.prefixes.surface, is_title.astype(float)], 1)

    def trivial(self) -> Iterator[Result]:
        """Of yes-no targets, how many are yes, and the F1 of always saying so."""
        for target in self.config.targets:
            if TARGETS[target].kind != "binary":
                continue
            values = self.prefixes.targets[target]
            rows = np.flatnonzero(np.isfinite(values))
            always = np.ones((1, len(rows)))
            probed = Probed(target=target, rows=rows, truth=values[rows],
                            predicted={"prevalence": always, "f1": always})  # fmt: skip
            for name, baseline in (("prevalence", None), ("f1", ALWAYS_YES)):
                yield self._score(probed, name, model=None, baseline=baseline)

    def scores(self, side: Side) -> Iterator[Result]:
        """A row a target and statistic; the first statistic with p, if there is one."""
        for target, probed in side.probed.items():
            for number, name in enumerate(STATISTICS[TARGETS[target].kind]):
                more: dict[str, Any] = {"grouping": self.config.grouping, "input": side.input, "note": side.note}
                if number == 0 and probed.p is not None:
                    more |= {"p": probed.p, "test": PERMUTATION, "family": f"probe: code, {side.name}"}
                yield self._score(probed, name, model=side.model, baseline=side.baseline, **more)

    def contrasts(self, first: Side, other: Side) -> Iterator[Result]:
        """What the first side has over another, a row a target and statistic."""
        for target, probed in first.probed.items():
            for number, name in enumerate(STATISTICS[TARGETS[target].kind]):
                family = f"probe: code, {first.name} - {other.name}" if number == 0 else None
                yield self._contrast(
                    probed, other.probed[target], name, model=first.model, family=family, note=other.note,
                    baseline=other.baseline or (other.model if other.input == OWN else None),
                    grouping=self.config.grouping, input=OWN, against=other.name,
                )  # fmt: skip

    def leaks(self, first: Side, grouping: str, embeddings: Embeddings) -> Iterator[Result]:
        """The first view's scores with other folds, and how much higher they are."""
        for target, probed in self.prober.probe(embeddings, grouping).items():
            for name in STATISTICS[TARGETS[target].kind]:
                yield self._score(probed, name, model=first.model, grouping=grouping, input=OWN)
                yield self._contrast(probed, first.probed[target], name, model=first.model, grouping=grouping,
                                     input=OWN, against=self.config.grouping)  # fmt: skip

    def _score(self, probed: Probed, name: str, **more: Any) -> Result:
        students = self._students(probed)
        found = self._estimate(name, probed, statistic_of(probed, name, students), probed.tested(name))
        return self._row(replace(found, p=None), probed, probed.note, **more)

    def _contrast(self, a: Probed, b: Probed, name: str, **more: Any) -> Result:
        if len(a.rows) and len(b.rows):
            statistic, both = contrast_of(a, b, name, self._students(a))
            found = self._estimate(name, a, statistic, both)
        else:
            found = self._estimate(name, a if a.note else b, mean_of([]), np.empty((0, 0), np.bool_))
        return self._row(replace(found, statistic=f"{name}{DIFFERENCE}"), a, a.note or b.note, **more)

    def _estimate(self, name: str, probed: Probed, statistic: Statistic, tested: NDArray[np.bool_]) -> Estimate:
        if not len(probed.rows):
            return Estimate(statistic=name, value=None, n=0, n_students=0, n_titles=0,
                            unscored=self.prefixes.unscored(probed.target))  # fmt: skip
        rows = probed.rows[tested.any(0)]
        found = estimate(name, statistic, self._students(probed), titles=len(np.unique(self.prefixes.title[rows])),
                         seed=self.config.seed, replicates=self.config.replicates)  # fmt: skip
        return replace(found, n=len(rows), n_students=len(np.unique(self.prefixes.student[rows])),
                       unscored=self.prefixes.unscored(probed.target))  # fmt: skip

    def _students(self, probed: Probed) -> NDArray[np.int64]:
        """Codes, without gaps, of the students of a probe's rows."""
        return np.unique(self.prefixes.student[probed.rows], return_inverse=True)[1]

    def _row(
        self, found: Estimate, probed: Probed, reason: str | None, *, note: str | None = None, **more: Any
    ) -> Result:
        traces = len(np.unique(self.prefixes.trace[probed.rows]))
        notes = (note, reason or f"n counts prefixes, of {traces} traces")
        found = replace(found, note=found.note if reason is None else None)
        return self.maker.row(found, f"probe_{probed.target}", note="; ".join(text for text in notes if text), **more)
