"""Ways of knowing a student, and what each saves by 0, 1, 2, 4 and 8 earlier traces: docs/decisions/student-vectors.md.

    redraft train --dataset class.dataset --view trace --preset llama-200k --seed 1 --out models/class-1
    redraft train --dataset class.dataset --view trace --preset llama-200k --seed 2 --out models/class-2
    python bench/knowing.py class.dataset work models/class-1 models/class-2

In: a dataset with times, split; a folder to work in; models of its view trace. Out: a Markdown table on standard output.
What is done stands in the work folder, a file per model, way and number of traces, so the same command started again
ends what is left. `--most 4` is for classes whose students have few traces.

Bits saved are against the unknown student's vector and nothing else. Of *seen* students the test pairs `seen-seen` with
an earlier trace are read, each with at most the k latest before it. Of *new* students those with more than `--most`
traces are read: k of their first ones are known, and those after the `--most` first test every k alike. A few new
students choose how long vectors are fitted, and are then left out. Intervals resample students; models are averaged.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from redraft.data.split import TRAIN, Split, load_split
from redraft.data.store import Dataset, open_dataset
from redraft.data.trace import Trace
from redraft.lm.adapt import fitting, unknown_rows, with_fits
from redraft.lm.batch import Encoded
from redraft.lm.bits import bits_of, bits_with
from redraft.lm.checkpoint import Model, load_model
from redraft.lm.embed import Reading, embed
from redraft.lm.model import StudentIndex
from redraft.lm.neural_cache.mixture import Mixing, Past
from redraft.lm.neural_cache.store import KNOWN, UNKNOWN, fits_of
from redraft.lm.neural_cache.work import Work, works
from redraft.lm.settings import FitConfig
from redraft.lm.voice import own
from redraft.metrics import agreement
from redraft.metrics.bootstrap import Clusters
from redraft.rundir import sha256_json
from redraft.studies.common.work import kept_table

KS = (0, 1, 2, 4, 8)
EPOCHS = (3, 6, 12)
"""Passes over a new student's traces to choose from, at the learning rate `FIT`."""
FIT = FitConfig(lr=2e-2)
RIDGE = (1.0, 10.0, 100.0)
"""Penalties of the prior to choose from."""
Table = Mapping[tuple[str, str], float]
"""(student, title) -> bits."""


@dataclass(frozen=True)
class Bench:
    """A model, and what is asked of it."""

    model: Model
    dataset: Dataset
    split: Split
    most: int
    folder: Path

    @cached_property
    def traces(self) -> dict[str, list[Trace]]:
        """Each student's traces, in order of time."""
        of: dict[str, list[Trace]] = defaultdict(list)
        for trace in self.dataset.traces():
            if all(state.at for state in trace.states):
                of[trace.student].append(trace)
        return {student: sorted(some, key=lambda t: (str(t.states[0].at), t.title)) for student, some in of.items()}

    @cached_property
    def new(self) -> dict[str, list[Trace]]:
        """New students with enough traces on titles that aren't held out."""
        of = {student: [*self.split.select(some, "unseen-seen")] for student, some in self.traces.items()}
        return {student: some for student, some in of.items() if len(some) > self.most}

    @cached_property
    def tuning(self) -> list[str]:
        """New students who choose, and aren't evaluated."""
        drawn = sorted(self.new, key=lambda student: sha256_json(["tuning", student]))
        return drawn[: max(1, len(drawn) // 5)]

    @cached_property
    def evaluated(self) -> list[str]:
        """The others."""
        return sorted({*self.new} - {*self.tuning})

    @cached_property
    def seen(self) -> list[Trace]:
        """Test traces of students that the model has met."""
        return [t for some in self.traces.values() for t in self.split.select(some[1:], "seen-seen")]

    @cached_property
    def nobody(self) -> Model:
        """The model, as if it had met no one."""
        return replace(self.model, students=StudentIndex([]))

    @cached_property
    def mixings(self) -> dict[str, Mixing]:
        """Fitted to the validation pairs."""
        return {name: one.mixing for name, one in fits_of(self.model, self.dataset, self.split, {}).items()}

    @cached_property
    def works(self) -> dict[str, dict[str, Work]]:
        """The work of students with test pairs, read as of students that the model has met, and as of others."""
        wanted = {trace.student for trace in self.seen}
        traces = [trace for student in wanted for trace in self.traces[student]]
        return {KNOWN: works(self.model, traces, self.split), UNKNOWN: works(self.nobody, traces, self.split)}

    def kept(self, name: str, make: Callable[[], Table]) -> Table:
        """A way's bits by test trace, made if they aren't there."""

        def table() -> pa.Table:
            start = time.process_time()
            made = make()
            rows = [{"student": s, "title": t, "bits": bits} for (s, t), bits in made.items()]
            return pa.Table.from_pylist(rows).append_column("cpu", pa.array([time.process_time() - start] * len(rows)))

        found = kept_table(self.folder / f"{name}.parquet", table).to_pylist()
        return {(row["student"], row["title"]): row["bits"] for row in found}


def read(model: Model, traces: Sequence[Trace], pasts: Sequence[Past | None] | None = None) -> Table:
    """Bits of each trace, in its own voice, with a past or without."""
    ids = model.codec.encode_many(traces)
    encoded = [Encoded(one, model.students.row(trace.student)) for one, trace in zip(ids, traces, strict=True)]
    if pasts is None:
        found = bits_of(model, encoded, [own], batch_tokens=4096)
    else:
        found = bits_with(model, encoded, pasts, batch_tokens=4096)
    return {(t.student, t.title): float(bits_RN[0].sum()) for t, bits_RN in zip(traces, found, strict=True)}


# Seen students


def seen(bench: Bench) -> Iterator[tuple[str, int, Table]]:
    """Ways of knowing students that the model has met: way, number of earlier traces, bits."""
    yield "nothing", 0, bench.kept("seen-nothing", lambda: read(bench.nobody, bench.seen))
    yield "own vector", 0, bench.kept("seen-vector", lambda: read(bench.model, bench.seen))
    yield "own vector, trained on", 0, bench.kept("seen-trained-on", lambda: read(trained_on(bench), bench.seen))
    for way, model, mixing in (("cache", bench.nobody, UNKNOWN), ("own vector + cache", bench.model, KNOWN)):
        for k in [k for k in (*KS, 100) if k]:
            make = partial(_seen_with_cache, bench, model, mixing, k)
            yield way, k, bench.kept(f"seen-{way.replace(' ', '-')}-{k}", make)


def _seen_with_cache(bench: Bench, model: Model, mixing: str, k: int) -> Table:
    of = bench.works[mixing]
    pasts = [of[t.student].before(t.title, t.states[0].at, bench.mixings[mixing], latest=k) for t in bench.seen]
    return read(model, bench.seen, pasts)


def trained_on(bench: Bench) -> Model:
    """The model with its students' vectors trained on alone, by the epochs best for validation traces."""
    model = bench.model
    parts = {name: [*bench.split.select(bench.dataset.traces(), name)] for name in (TRAIN, "validation")}
    coded = {name: model.codec.encode_many(some) for name, some in parts.items()}
    encoded = {
        name: [Encoded(ids, model.students.row(t.student)) for ids, t in zip(coded[name], some, strict=True)]
        for name, some in parts.items()
    }
    start_FS = model.lm.students.rows.weight.detach().clone()
    best = (np.inf, start_FS)
    for epoch, rows_FS in enumerate(fitting(model, encoded[TRAIN], start_FS, FitConfig(lr=2e-3))):
        knowing = replace(model, lm=with_fits(model, rows_FS))
        bits = np.mean([b[0].sum() for b in bits_of(knowing, encoded["validation"], [own], batch_tokens=4096)])
        best = min(best, (bits, rows_FS), key=lambda one: one[0])
        if epoch == 3:
            break
    return replace(model, lm=with_fits(model, best[1]))


# New students


def new(bench: Bench) -> Iterator[tuple[str, int, Table]]:
    """Ways of knowing new students: way, number of earlier traces, bits."""
    tests = [t for student in bench.evaluated for t in bench.new[student][bench.most :]]
    yield "nothing", 0, bench.kept("new-nothing", lambda: read(bench.nobody, tests))
    for k in [k for k in KS if 0 < k <= bench.most]:
        yield "cache", k, bench.kept(f"new-cache-{k}", partial(_new_with_cache, bench, bench.nobody, UNKNOWN, k, tests))
        for start in ("unknown", "prior"):
            way = "fitted vector" if start == "unknown" else "fitted from a prior"
            vectors = _Once(partial(fitted, bench, k, start))
            name = f"{way.replace(' ', '-')}-{k}"
            yield way, k, bench.kept(f"new-{name}", lambda v=vectors: read(v.model, tests))  # type: ignore[misc]
            if start == "unknown":
                make = lambda v=vectors, k=k: _new_with_cache(bench, v.model, KNOWN, k, tests)  # noqa: E731
                yield "fitted vector + cache", k, bench.kept(f"new-{name}-cache", make)
        yield "prior, not fitted", k, bench.kept(f"new-prior-{k}", lambda k=k: read(prior(bench, k)[0], tests))  # type: ignore[misc]


class _Once:
    """A model made when it is first needed."""

    def __init__(self, make: Callable[[], Model]) -> None:
        self._make = make

    @cached_property
    def model(self) -> Model:
        """The model."""
        return self._make()


def _new_with_cache(bench: Bench, model: Model, mixing: str, k: int, tests: Sequence[Trace]) -> Table:
    first = [t for student in bench.evaluated for t in bench.new[student][:k]]
    of = works(model, first, None)
    return read(model, tests, [of[t.student].before(t.title, t.states[0].at, bench.mixings[mixing]) for t in tests])


def fitted(bench: Bench, k: int, start: str) -> Model:
    """The model with vectors of the new students, fitted to their first k traces; how long, some of them say."""
    model, students = bench.model, [*bench.tuning, *bench.evaluated]
    rows_FS = prior(bench, k)[1] if start == "prior" else unknown_rows(model, len(students))
    firsts = [(i, t) for i, student in enumerate(students) for t in bench.new[student][:k]]
    ids = model.codec.encode_many([t for _, t in firsts])
    encoded = [Encoded(one, i) for one, (i, _) in zip(ids, firsts, strict=True)]
    tests = [t for student in bench.tuning for t in bench.new[student][bench.most :]]
    best: tuple[float, Model] | None = None
    for epoch, made_FS in enumerate(fitting(model, encoded, rows_FS, FIT), 1):
        if epoch in EPOCHS:
            knowing = _knowing(bench, made_FS)
            bits = float(np.mean([*read(knowing, tests).values()]))
            best = min(best, (bits, knowing), key=lambda one: one[0]) if best else (bits, knowing)
        if epoch == EPOCHS[-1]:
            break
    assert best
    return best[1]


def _knowing(bench: Bench, rows_FS: Tensor) -> Model:
    """The model with these vectors of the tuning and the evaluated students."""
    table = torch.cat([unknown_rows(bench.model, 1), rows_FS])
    index = StudentIndex([*bench.tuning, *bench.evaluated])
    return replace(bench.model, lm=with_fits(bench.model, table), students=index)


def prior(bench: Bench, k: int) -> tuple[Model, Tensor]:
    """Vectors of the new students by what is seen at once of their first k traces, and the model with them.

    Seen are means of hidden states, read with the unknown student's vector. What they say of vectors is learned by
    ridge regression from the students that the model has met; tuning students choose the penalty.
    """
    model = bench.model
    met = {student: [*bench.split.select(some, TRAIN)][:k] for student, some in bench.traces.items()}
    met = {student: some for student, some in met.items() if some and student in model.students}

    def looks(of: Mapping[str, Sequence[Trace]]) -> np.ndarray:
        readings = [Reading(trace=t, voice=None, steps=(len(t.states),)) for some in of.values() for t in some]
        means = iter(embed(model, readings))
        return np.stack([np.mean([next(means) for _ in some], axis=0) for some in of.values()])

    seen_MD, unknown_S = looks(met), model.lm.students.rows.weight.detach()[0].numpy()
    rows = [model.students.row(student) for student in met]
    targets_MS = model.lm.students.rows.weight.detach()[rows].numpy() - unknown_S
    centre_D, spread_D = seen_MD.mean(0), seen_MD.std(0) + 1e-6
    x_MD = (seen_MD - centre_D) / spread_D
    new_FD = (looks({s: bench.new[s][:k] for s in [*bench.tuning, *bench.evaluated]}) - centre_D) / spread_D
    tests = [t for student in bench.tuning for t in bench.new[student][bench.most :]]
    tried = []
    for penalty in RIDGE:
        map_DS = np.linalg.solve(x_MD.T @ x_MD + penalty * len(x_MD) * np.eye(x_MD.shape[1]), x_MD.T @ targets_MS)
        rows_FS = torch.from_numpy(unknown_S + new_FD @ map_DS).float()
        knowing = _knowing(bench, rows_FS)
        tried.append((float(np.mean([*read(knowing, tests).values()])), knowing, rows_FS))
    _, knowing, rows_FS = min(tried, key=lambda one: one[0])
    return knowing, rows_FS


# The table


def lines(kind: str, found: Sequence[Mapping[tuple[str, int], Table]]) -> Iterator[str]:
    """Lines of the table, of all models."""
    for way, k in found[0]:
        keys = [*found[0]["nothing", 0]]
        saved = np.mean([[one["nothing", 0][key] - one[way, k][key] for key in keys] for one in found], axis=0)
        bits = np.mean([[one[way, k][key] for key in keys] for one in found])
        made = agreement.mean(saved, Clusters.of([s for s, _ in keys], ["all"] * len(keys)))
        interval = "" if made.low is None else f" [{made.low:.1f}, {made.high:.1f}]"
        shown = "all" if k == 100 else str(k)
        yield (f"| {kind} | {way} | {shown} | {bits:.1f} | {saved.mean():.1f}{interval} | {np.median(saved):.1f} "
               f"| {len(keys)} | {len({s for s, _ in keys})} |")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("models", type=Path, nargs="+")
    parser.add_argument("--most", type=int, default=8)
    given = parser.parse_args()
    torch.set_num_threads(1)
    dataset = open_dataset(given.dataset)
    benches = []
    for path in given.models:
        model = load_model(path)
        split = load_split(dataset, model.card["split"])
        model.check_split(split.hash)
        folder = given.work / f"{path.name}-{model.fingerprint[:12]}-{given.most}"
        folder.mkdir(parents=True, exist_ok=True)
        benches.append(Bench(model, dataset, split, given.most, folder))
    print("| students | way | earlier traces | bits per trace | saved, mean | median | traces | of students |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for kind, ways in (("seen", seen), ("new", new)):
        found = [{(way, k): table for way, k, table in ways(bench)} for bench in benches]
        for line in lines(kind, found):
            print(line, flush=True)


if __name__ == "__main__":
    main()
