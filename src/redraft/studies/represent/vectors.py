"""What the models make of the same traces.

In: a run and its models. Out: `Vectors`: for each model and way of reading, every layer's vector of every state that
all models can read whole; of each state, its trace, student and title, and the kind of edit that led to it.

Axes in names: K layers, M states, D width.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from redraft.data.edits import EDIT_TYPES, edit_type, line_edits
from redraft.data.trace import Pair, Trace
from redraft.execute.dataset import read_messages
from redraft.lm.checkpoint import Model
from redraft.lm.embed import Reading, count_layers, cut, embed, untrained
from redraft.progress import say
from redraft.rundir import sha256_json
from redraft.studies.common.models import open_model, views_with_models
from redraft.studies.common.run import Run
from redraft.studies.common.work import kept_array, work_folder
from redraft.studies.represent.settings import RepresentConfig

PREFIX, STATE = "prefix", "state"
"""Ways of reading a state: with all states before it, or alone, as a trace of one state."""
UNTRAINED = "untrained"
Floats = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Vectors:
    """Vectors of the same states by model and way of reading."""

    of: Mapping[tuple[str, str], Floats]
    """(model, PREFIX or STATE) -> (K, M, D)."""
    traces: NDArray[np.int64]
    """(M,) number of each state's trace."""
    steps: NDArray[np.int64]
    """(M,) number of each state in it, from 1."""
    students: NDArray[np.str_]
    """(M,)"""
    titles: NDArray[np.str_]
    """(M,)"""
    edits: NDArray[np.int64]
    """(M,) which of `EDIT_TYPES` led to each state; -1 for first ones."""
    left_out: int
    """States too long for the context."""

    @property
    def models(self) -> list[str]:
        """The models, the untrained one last."""
        return list(dict.fromkeys(model for model, _ in self.of))

    def one_per_trace(self, seed: int) -> NDArray[np.int64]:
        """A random state of each trace."""
        order = np.random.default_rng([seed, 2]).permutation(len(self.traces))
        return order[np.unique(self.traces[order], return_index=True)[1]]

    @property
    def later(self) -> NDArray[np.int64]:
        """The states that directly follow another one here (E,); that one stands right before each."""
        follows = (np.diff(self.traces) == 0) & (np.diff(self.steps) == 1)
        return np.flatnonzero(follows) + 1

    def differences(self, model: str, reading: str) -> Floats:
        """By how much each step changed the last layer's vector (E, D)."""
        last_MD = self.of[model, reading][-1]
        found: Floats = last_MD[self.later] - last_MD[self.later - 1]
        return found


def read(run: Run, config: RepresentConfig) -> Vectors:
    """Read the chosen traces with every model; kept in the run's `work/represent-MODEL/`.

    Raises:
        DatasetError: There is no model of any view, or one of another split.
    """
    models = _models(run, config)
    traces = _chosen(run, config)
    readings = [Reading(trace=t, voice=t.student, steps=tuple(range(1, 1 + len(t.states)))) for t in traces]
    alone = [_alone(t, step) for t in traces for step in range(len(t.states))]
    feedback = any(model.codec.config.feedback for model in models.values())
    verdicts = read_messages(run.dataset) if feedback else {}
    whole = np.ones(len(alone), np.bool_)
    for model in models.values() if traces else ():
        whole &= ~cut(model, readings, verdicts=verdicts)
    vectors: dict[tuple[str, str], Floats] = {}
    for name, model in models.items():
        folder = work_folder(
            run.path, f"represent-{name}", model=model.fingerprint, dataset=run.dataset.fingerprint,
            split=run.split.hash, splits=config.splits, traces=config.traces, states=config.states, over=config.over,
            seed=config.seed,
        )  # fmt: skip
        for way, what in ((PREFIX, readings), (STATE, alone)):
            make = partial(
                embed, model, what, over=config.over, layers=range(count_layers(model)), verdicts=verdicts
            )  # fmt: skip
            vectors[name, way] = kept_array(folder / f"{way}.npy", make)[:, whole]
    n = np.array([len(trace.states) for trace in traces], np.int64)
    return Vectors(
        of=vectors,
        traces=np.repeat(np.arange(len(traces)), n)[whole],
        steps=np.array([step for count in n.tolist() for step in range(1, count + 1)], np.int64)[whole],
        students=np.repeat(np.array([trace.student for trace in traces], str), n)[whole],
        titles=np.repeat(np.array([trace.title for trace in traces], str), n)[whole],
        edits=np.array([kind for trace in traces for kind in _edits(trace)], np.int64)[whole],
        left_out=int((~whole).sum()),
    )


def _models(run: Run, config: RepresentConfig) -> dict[str, Model]:
    """The views' models, and an untrained one of the first one's shape."""
    found = views_with_models(run, config.views)
    if missing := [view for view in config.views if view not in found]:
        say(f"No model of {', '.join(missing)}: left out.")
    models = {view: open_model(run, view) for view in found}
    return {**models, UNTRAINED: untrained(models[found[0]], seed=config.seed)}


def _chosen(run: Run, config: RepresentConfig) -> list[Trace]:
    """Some traces, one of each pair, and their first states."""

    def order(trace: Trace) -> tuple[str, int]:
        return sha256_json([config.seed, "represent", *trace.pair]), trace.sample

    by_pair: dict[Pair, Trace] = {}
    for trace in heapq.nsmallest(10 * config.traces, run.split.select(run.dataset.traces(), *config.splits), key=order):
        by_pair.setdefault(trace.pair, trace)
    chosen = list(by_pair.values())[: config.traces]
    return [replace(trace, states=trace.states[: config.states]) for trace in chosen]


def _alone(trace: Trace, step: int) -> Reading:
    return Reading(trace=replace(trace, states=(trace.states[step],)), voice=trace.student, steps=(1,))


def _edits(trace: Trace) -> Sequence[int]:
    codes = [state.code for state in trace.states]
    return [-1, *(EDIT_TYPES.index(edit_type(line_edits(old, new))) for old, new in pairwise(codes))]
