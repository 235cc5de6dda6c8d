"""The code probes' results rows: scores, controls, baselines, differences and the leak meter.

In: prefixes and their embeddings. Out: rows, in the order of a reader's questions: how well do the models' embeddings
do, how well do those of less, is the difference sure, and what would leaky folds have shown?
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from redraft.metrics.folds import Codes
from redraft.metrics.ridge import Floats
from redraft.metrics.scores import difference
from redraft.progress import bar
from redraft.results import Result, noted
from redraft.studies.common.run import Run
from redraft.studies.probe.code import Embeddings, Probed, Prober, score, statistic_of
from redraft.studies.probe.prefixes import Prefixes, make_prefixes
from redraft.studies.probe.rows import OWN, Maker, Scored, halves_of
from redraft.studies.probe.settings import COUNTED, STATISTICS, TARGETS, ProbeConfig
from redraft.studies.probe.vectors import Vectors

PERMUTATION = "exchange of whole students' targets, one-sided, first repetition"
ALWAYS_YES = "always-yes"


@dataclass(frozen=True, kw_only=True)
class Side:
    """What was predicted from some embeddings."""

    name: str
    """A view, a control or a baseline."""
    model: str | None = None
    baseline: str | None = None
    input: str = OWN
    """Whose vectors, or what was done to the embeddings."""
    probed: Mapping[str, Probed]
    """Target -> predictions."""
    halves: Sequence[Mapping[str, Probed]] = ()
    """The same on each half of the students: the first repetition."""
    note: str | None = None


def code_rows(run: Run, config: ProbeConfig, views: Sequence[str]) -> list[Result]:
    """All rows of the code probes; `views` are those with a model, the first with controls."""
    prefixes = make_prefixes(run, config)
    vectors = Vectors(run, prefixes.traces, config)
    prefixes = _within_context(prefixes, vectors.cut(views[0]), config)
    maker = Maker(run=run, config=config, part="code", split=config.split, level="trace", note=prefixes.note)
    work = _Work(prefixes, maker, config)
    with bar("code probes", len(views) + len(config.controls) + len(config.leak_groupings)) as watcher:
        sides = []
        for side in _sides(vectors, work, views, config):
            sides.append(side)
            watcher.advance()
        rows = [*work.trivial(), *(row for side in sides for row in work.scores(side))]
        rows += [row for side in sides[1:] for row in work.leads(sides[0], side)]
        for grouping in config.leak_groupings:
            leaky = work.side(views[0], _own(vectors, views[0]), model=views[0], grouping=grouping)
            rows += work.leaks(sides[0], leaky, grouping)
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


def _own(vectors: Vectors, view: str, voice: str = OWN) -> Embeddings:
    return lambda hidden: vectors.of(view, voice, hide_title=hidden)


def _sides(vectors: Vectors, work: _Work, views: Sequence[str], config: ProbeConfig) -> Iterator[Side]:
    """Everything probed with the main grouping, the first view's own embeddings first."""
    first = views[0]
    for view in views:
        yield work.side(view, _own(vectors, view), model=view, with_p=True)
    for control in config.controls:
        if control == "surface":
            yield work.side(control, work.surface, baseline=control, standardise=True)
        elif control == "untrained":
            yield work.side(control, _own(vectors, first, control), baseline=control)
        elif control == "permuted":
            yield work.side(control, _own(vectors, first), model=first, input=control, permuted=True)
        else:
            alone = vectors.voices(control).unmatched
            note = f"{alone} students are exchanged with one of another year or mode" if alone else None
            yield work.side(control, _own(vectors, first, control), model=first, input=control, note=note)


class _Work:
    """From embeddings to rows."""

    def __init__(self, prefixes: Prefixes, maker: Maker, config: ProbeConfig) -> None:
        self.prefixes, self.maker, self.config = prefixes, maker, config
        self.prober = Prober(prefixes, config)
        self.halves = halves_of(prefixes.student, config)

    def surface(self, hidden: bool) -> Floats:
        """Surface features, and which title it is unless that is hidden."""
        if hidden:
            return self.prefixes.surface
        is_title = self.prefixes.title[:, None] == np.arange(self.prefixes.title.max(initial=-1) + 1)
        return np.concatenate([self.prefixes.surface, is_title.astype(float)], 1)

    def side(
        self, name: str, x: Embeddings, *, grouping: str | None = None, with_p: bool = False, permuted: bool = False,
        standardise: bool | None = None, **about: Any,
    ) -> Side:  # fmt: skip
        """Probe through some embeddings, with all students and with each half of them."""
        kept = {hidden: x(hidden) for hidden in self._needed()}
        probe, main = self.prober.probe, grouping or self.config.grouping
        halves = [
            probe(kept.__getitem__, main, keep=np.isin(self.prefixes.student, half), repeats=1, permuted=permuted,
                  standardise=standardise)
            for half in self.halves
        ]  # fmt: skip
        whole = probe(kept.__getitem__, main, with_p=with_p, permuted=permuted, standardise=standardise)
        return Side(name=name, probed=whole, halves=halves, **about)

    def _needed(self) -> list[bool]:
        """Whether embeddings without and with the title are asked for."""
        return sorted({name == "title" for name in self.config.targets})

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
                scored = self._scored(name, [probed], resampled=True)
                yield self._row(scored, target, baseline=baseline, reason="no prefix to ask")

    def scores(self, side: Side) -> Iterator[Result]:
        """A row a target and statistic; the first statistic with p, if there is one."""
        for target, probed in side.probed.items():
            for number, name in enumerate(STATISTICS[TARGETS[target].kind]):
                more: dict[str, Any] = {"grouping": self.config.grouping, "input": side.input}
                if number == 0 and probed.p is not None:
                    more |= {"p": probed.p, "test": PERMUTATION, "family": f"probe: code, {side.name}"}
                scored = self._scored(name, [probed], [[one[target] for one in side.halves]])
                yield self._row(scored, target, model=side.model, baseline=side.baseline,
                                reason=probed.reason, note=side.note, **more)  # fmt: skip

    def leads(self, first: Side, other: Side) -> Iterator[Result]:
        """What the first side has over another, a row per target and statistic."""
        for target in first.probed:
            for number, name in enumerate(STATISTICS[TARGETS[target].kind]):
                yield self._row(
                    self._lead(name, target, first, other), target, model=first.model,
                    baseline=other.baseline or (other.model if other.input == OWN else None),
                    family=f"probe: code, {first.name} - {other.name}" if number == 0 else None,
                    reason=first.probed[target].reason, note=other.note, grouping=self.config.grouping, input=OWN,
                    against=other.name,
                )  # fmt: skip

    def leaks(self, first: Side, leaky: Side, grouping: str) -> Iterator[Result]:
        """The first view's scores with other folds, and how much higher they are."""
        for target, probed in leaky.probed.items():
            for name in STATISTICS[TARGETS[target].kind]:
                more: dict[str, Any] = {"model": first.model, "grouping": grouping, "input": OWN}
                scored = self._scored(name, [probed], [[one[target] for one in leaky.halves]])
                yield self._row(scored, target, reason=probed.reason, **more)
                more |= {"against": self.config.grouping}
                yield self._row(self._lead(name, target, leaky, first), target, reason=probed.reason, **more)

    def _lead(self, name: str, target: str, a: Side, b: Side) -> Scored:
        return self._scored(name, [a.probed[target], b.probed[target]],
                            [[one[target] for one in a.halves], [one[target] for one in b.halves]])  # fmt: skip

    def _scored(
        self, name: str, probed: Sequence[Probed], halves: Sequence[Sequence[Probed]] = ((),), *,
        resampled: bool = False,
    ) -> Scored:  # fmt: skip
        """The score of one side, or the difference of two on the rows that both were tested on."""
        target, rows = probed[0].target, probed[0].rows
        resampled = resampled or not self.config.halves
        known = all(len(one.rows) for one in probed)
        tested = np.zeros((1, len(rows)), np.bool_)
        if known:
            tested = np.logical_and.reduce([one.tested(name) for one in probed])
        at = rows[tested.any(0)]
        return Scored(
            statistic=name, value=_difference(name, probed) if known else float("nan"),
            halves=np.array([_difference(name, both) for both in zip(*halves, strict=True)]),
            bootstrap=self._resampled(name, probed, tested) if known and resampled else None,
            students=_coded(self.prefixes.student[at]), titles=_coded(self.prefixes.title[at]),
            unscored=self.prefixes.unscored(target), is_difference=len(probed) > 1,
        )  # fmt: skip

    def _resampled(self, name: str, probed: Sequence[Probed], tested: NDArray[np.bool_]) -> Any:
        of_tested = np.full(len(tested[0]), -1)
        of_tested[tested.any(0)] = _coded(self.prefixes.student[probed[0].rows][tested.any(0)])
        statistics = [statistic_of(one, name, of_tested, tested) for one in probed]
        return difference(*statistics) if len(statistics) > 1 else statistics[0]

    def _row(self, scored: Scored, target: str, *, note: str | None = None, **more: Any) -> Result:
        values = self.prefixes.targets[target]
        traces = len(np.unique(self.prefixes.trace[np.isfinite(values)]))
        note = noted(note, f"{COUNTED}, of {traces} traces")
        return self.maker.row(scored, f"probe_{target}", note=note, **more)


def _difference(name: str, probed: Sequence[Probed]) -> float:
    """The score of one, or of the first less that of the second on the rows both tested; nan if undefined."""
    tested = np.logical_and.reduce([one.tested(name) for one in probed])
    values = [score(one, name, tested) for one in probed]
    return values[0] if len(values) == 1 else values[0] - values[1]


def _coded(codes: Codes) -> Codes:
    """Codes without gaps."""
    return np.unique(codes, return_inverse=True)[1]
