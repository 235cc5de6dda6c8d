"""The fits of the adaptation study, and their bits on later traces.

In: a model, newcomers, a folder for what is done. Out: for each k, how long the tuning students say to fit and how
fast; the vectors of the evaluated students; and what every test trace costs with the student's own vector, another's,
and the mean one. Vectors are fitted for all students of a k at once.

Axes in names: F students evaluated, N numbers a fit learns, S numbers per student.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from redraft import progress
from redraft.data.trace import Trace
from redraft.lm.adapt import beginnings, fitting, unknown_rows, with_fits
from redraft.lm.batch import Encoded
from redraft.lm.bits import bits_of, bits_with
from redraft.lm.checkpoint import Model
from redraft.lm.codec import Verdicts
from redraft.lm.model import StudentIndex
from redraft.lm.neural_cache.mixture import Mixing
from redraft.lm.neural_cache.work import works
from redraft.lm.settings import FitConfig
from redraft.lm.voice import own
from redraft.rundir import sha256_json
from redraft.studies.adapt.newcomers import Newcomers, partners
from redraft.studies.adapt.settings import AdaptConfig
from redraft.studies.common.work import kept_array, kept_table

OWN, OTHER, MEAN_VECTOR = "own", "other-student", "mean-vector"
"""Voices: whose vector a trace is read, or written, with."""
CACHE, BOTH = "cache", "vector and cache"
"""Ways of knowing a student with a neural cache: beside the unknown student's vector, beside their own."""


class Choice(NamedTuple):
    """What the tuning students chose for a k."""

    lr: float
    epochs: int
    bits: float
    """A test trace of theirs, so fitted."""


class Side(NamedTuple):
    """A vector for each evaluated student."""

    voice: str
    seed: int
    numbers: Tensor
    """(F, N)"""


@dataclass(frozen=True, kw_only=True)
class Fits:
    """Fits of a model, made when they are asked for, and kept."""

    model: Model
    newcomers: Newcomers
    config: AdaptConfig
    folder: Path
    """Where they are kept; for this model, these students and settings alone."""
    verdicts: Verdicts | None = None
    """What students saw, for models with feedback."""
    mixings: Mapping[str, Mixing] = field(default_factory=dict)
    """How neural caches are mixed in, for `CACHE` and `BOTH`; none: they aren't read."""

    @property
    def students(self) -> list[str]:
        """Those evaluated."""
        return [*self.newcomers.evaluated]

    def tests(self, traces: Sequence[Trace]) -> Sequence[Trace]:
        """A student's traces that test."""
        start = max(self.config.ks)
        return traces[start : start + self.config.test_traces] if self.config.test_traces else traces[start:]

    def chosen(self, k: int) -> Choice:
        """How the tuning students say to fit to k traces: by their bits on later ones."""
        rows = kept_table(self.folder / f"tuning-{k}.parquet", partial(self._tuned, k)).to_pylist()
        best = min(rows, key=lambda row: (row["bits"], row["epochs"], row["lr"]))
        return Choice(best["lr"], best["epochs"], best["bits"])

    def numbers(self, k: int, seed: int) -> Tensor:
        """What the evaluated students' fits to k traces learned (F, N); seeds differ if they begin differently."""
        seed = seed if self.config.start == "random" else 0
        start_FN = self._beginnings(self.students, seed)
        if k == 0:
            return start_FN

        def make() -> np.ndarray:
            choice = self.chosen(k)
            encoded = self._encoded([traces[:k] for traces in self.newcomers.evaluated.values()])
            epochs = fitting(self.model, encoded, start_FN, self._settings(choice.lr))
            return last(progress.track(islice(epochs, choice.epochs), f"fit to {k}", choice.epochs)).cpu().numpy()

        return torch.from_numpy(kept_array(self.folder / f"fits-{k}-{seed}.npy", make))

    def sides(self, k: int) -> Iterator[Side]:
        """All whose vectors the students' test traces are read with, for k."""
        for seed in range(self.config.seeds):
            numbers_FN = self.numbers(k, seed)
            if seed == 0 or self.config.start == "random":
                yield Side(OWN, seed, numbers_FN)
            if k:
                yield Side(OTHER, seed, numbers_FN[self.partners[seed][0]])
        if k == 0:
            rows_S = self.model.lm.students.rows.weight.detach()[1:].mean(0)
            yield Side(MEAN_VECTOR, 0, self._learning(rows_S.expand(len(self.students), -1)))

    @cached_property
    def partners(self) -> list[tuple[np.ndarray, int]]:
        """Of each seed, each student's stand-in, and how many have one of another year."""
        return [partners(self.newcomers.evaluated, seed) for seed in range(self.config.seeds)]

    def bits(self) -> pa.Table:
        """A row per student, k, side and seed: student (number), voice, k, seed, traces, characters, bits (sums).

        Ways with a neural cache are voices of their own, of every k above 0.
        """
        tables = [kept_table(self.folder / f"bits-{k}.parquet", partial(self._bits, k)) for k in self.config.ks]
        tables += [
            kept_table(self.folder / f"bits-{way.replace(' ', '-')}-{k}.parquet", partial(self._bits_with, way, k))
            for way in self.mixings for k in self.config.ks if k
        ]  # fmt: skip
        return pa.concat_tables(tables)

    def _bits_with(self, way: str, k: int) -> pa.Table:
        """As `_bits`, with a neural cache of the first k traces."""
        if way == CACHE:
            knowing = replace(self.model, students=StudentIndex([]))
        else:
            table = torch.cat([self._beginnings([""], 0), self.numbers(k, 0)])
            knowing = replace(self.model, lm=with_fits(self.model, table), students=StudentIndex(self.students))
        traces_of = self.newcomers.evaluated
        of = works(knowing, [t for traces in traces_of.values() for t in traces[:k]], None, verdicts=self.verdicts)
        tests = [self.tests(traces) for traces in traces_of.values()]
        pasts = [of[t.student].before(t.title, t.states[0].at, self.mixings[way]) for some in tests for t in some]
        encoded = self._encoded(tests)
        rows = [knowing.students.row(t.student) for some in tests for t in some]
        read = [one._replace(row=row) for one, row in zip(encoded, rows, strict=True)]
        costs = bits_with(knowing, read, pasts, batch_tokens=self.config.batch_tokens)
        return self._summed(encoded, [cost[0].sum() for cost in costs], way, k, 0)

    def _summed(self, encoded: Sequence[Encoded], bits: Sequence[float], voice: str, k: int, seed: int) -> pa.Table:
        """The rows of a side: each student's sums."""
        of, n = np.array([one.row for one in encoded]), len(self.students)
        return pa.table({
            "student": range(n), "voice": [voice] * n, "k": [k] * n, "seed": [seed] * n,
            "traces": np.bincount(of, minlength=n),
            "characters": np.bincount(of, [one.characters for one in encoded], minlength=n).astype(int),
            "bits": np.bincount(of, bits, minlength=n),
        })  # fmt: skip

    def _bits(self, k: int) -> pa.Table:
        sides = list(self.sides(k))
        tests = [self.tests(traces) for traces in self.newcomers.evaluated.values()]
        n = len(tests)
        voices = [partial(torch.add, n * at) for at in range(len(sides))]
        knowing = replace(self.model, lm=with_fits(self.model, torch.cat([side.numbers for side in sides])))
        encoded = self._encoded(tests)
        costs = bits_of(knowing, encoded, voices, batch_tokens=self.config.batch_tokens)
        return pa.concat_tables(
            self._summed(encoded, [cost[x].sum() for cost in costs], side.voice, k, side.seed)
            for x, side in enumerate(sides)
        )

    def _tuned(self, k: int) -> pa.Table:
        """Bits of the tuning students' test traces after every epoch tried: lr, epochs, bits (a trace)."""
        tuning = self.newcomers.tuning
        encoded = self._encoded([traces[:k] for traces in tuning.values()])
        tests = self._encoded([self.tests(traces)[: self.config.tuning_traces] for traces in tuning.values()])
        found: list[dict[str, float]] = []
        for lr in self.config.lrs:
            best, best_epoch = np.inf, 0
            start_FN = self._beginnings([*tuning], 0)
            for epoch, numbers_FN in enumerate(fitting(self.model, encoded, start_FN, self._settings(lr)), 1):
                knowing = replace(self.model, lm=with_fits(self.model, numbers_FN))
                costs = bits_of(knowing, tests, [own], batch_tokens=self.config.batch_tokens)
                bits = sum(float(cost.sum()) for cost in costs) / len(costs)
                found.append({"lr": lr, "epochs": epoch, "bits": bits})
                if bits < best:
                    best, best_epoch = bits, epoch
                if epoch == self.config.max_epochs or epoch - best_epoch >= self.config.patience:
                    break
        return pa.Table.from_pylist(found)

    def _encoded(self, traces_of: Sequence[Sequence[Trace]]) -> list[Encoded]:
        """The traces of each student, whose number is the row."""
        return [
            Encoded(ids, fit, sum(len(state.code) for state in trace.states))
            for fit, traces in enumerate(traces_of)
            for trace, ids in zip(traces, self.model.codec.encode_many(traces, verdicts=self.verdicts), strict=True)
        ]

    def _beginnings(self, students: Sequence[str], seed: int) -> Tensor:
        """What the students' fits begin as; a random one depends on the seed and the student alone."""
        rows_FS = unknown_rows(self.model, len(students))
        if self.config.start == "random":
            for row_S, student in zip(rows_FS, students, strict=True):
                drawn = torch.Generator().manual_seed(int(sha256_json([seed, student])[:15], 16))
                row_S.copy_(torch.randn(len(row_S), generator=drawn))
        return self._learning(rows_FS)

    def _learning(self, rows_FS: Tensor) -> Tensor:
        return beginnings(self.model, rows_FS, self._settings(1.0))

    def _settings(self, lr: float) -> FitConfig:
        config = self.config
        return FitConfig(lr=lr, batch=config.batch, trains=config.trains, batch_tokens=config.batch_tokens)


def last(items: Iterator[Tensor]) -> Tensor:
    """The last of at least one."""
    *_, item = items
    return item


def depends_on(config: AdaptConfig, evaluated: Mapping[str, Sequence[Trace]]) -> dict[str, object]:
    """The settings that decide the fits and their bits."""
    names = (
        "split", "min_traces", "max_traces", "fewest_students", "ks", "tuning_share", "tuning_students",
        "tuning_traces", "students", "test_traces", "lrs", "max_epochs", "patience", "batch", "trains", "start",
        "seeds", "seed",
    )  # fmt: skip
    return {name: getattr(config, name) for name in names} | {"evaluated": len(evaluated)}
