"""Real pairs beside what each model and each baseline says of them, aligned pair by pair.

In: a run. Out: `Compared`: for every side (a view, a baseline) and every metric one value a pair, nan where unscored.
Models are compared on the pairs that all of them have samples for; how many that leaves out is kept and told.
Measuring is cached in `RUN/metrics/` (by the released code's definitions in `RUN/metrics/released/`), and used again
only for exactly the same dataset, verdicts and definitions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from redraft.data.split import TEST_SPLITS, TRAIN
from redraft.data.store import Dataset
from redraft.data.trace import Pair
from redraft.data.verdicts import PLATFORM, PLATFORM_FILE
from redraft.execute.judged import find_judgements, read_judgements
from redraft.execute.verdict import DEFAULT_RULE
from redraft.metrics.baselines import BASELINES, predict
from redraft.metrics.bootstrap import Clusters, Floats
from redraft.metrics.likeness import LIKENESS
from redraft.metrics.measure import Languages, code_hash, languages_of, measure
from redraft.metrics.pairs import compare, pairs_of
from redraft.metrics.programs import Programs, read_programs
from redraft.metrics.registry import MEASURED, METRICS, PAIRED, Definitions
from redraft.results import held_words, noted
from redraft.rundir import sha256_file
from redraft.rundir.tables import read_metadata, read_table, write_table
from redraft.studies.common.claims import FINAL_ONLY
from redraft.studies.common.finals import Finals, finals_of, random_bleu
from redraft.studies.common.run import Run

SELF_BLEU = "self_bleu"
VERDICTS_NEEDED = frozenset(name for name, metric in METRICS.items() if "verdict" in metric.needs)
"""Metrics that compare only where the same judge judged both sides."""
REAL_STUDENTS = "real-students"
"""The baseline of Self-BLEU: as many students of the title, instead of samples of one."""


CONTROLLED = "trace"
"""The view whose model is also sampled with other students' vectors."""


@dataclass(frozen=True, kw_only=True)
class Compared:
    """What the statistics are computed from."""

    pairs: list[Pair]
    """The pairs compared, sorted."""
    places: NDArray[np.str_]
    """The split of each."""
    real: Mapping[str, Floats]
    """Metric -> the real value of each pair."""
    views: Mapping[str, Mapping[str, Floats]]
    """View -> metric -> value; metrics of text likeness are values of the pair already."""
    baselines: Mapping[str, Mapping[str, Floats]]
    """Baseline -> metric -> value."""
    truncated: NDArray[np.bool_]
    """Whether the platform cut the real final program off."""
    frequency: Floats
    """How many training pairs each pair's title has."""
    finals: Finals
    """The real final programs, to test and to train on."""
    per_pair: int = 0
    """Samples of a pair that Self-BLEU compares; a pair with fewer whole programs is unscored."""
    held: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """View -> how many of its samples hold a whole program, and how many there are; of all pairs compared."""
    left_out: int = 0
    """Pairs that some model has samples for, but not all."""
    judges: str | None = None
    """Where whether programs run was told by the platform, in words."""
    wordless: tuple[str, ...] = ()
    """Views of which no sample holds a whole program; then there are no pairs."""

    def note(self, metric: str | None = None, view: str | None = None) -> str | None:
        """What to keep in mind of a metric's rows, or of all; of a view's, or of all."""
        left_out = f"{self.left_out} pairs without samples of every model left out" if self.left_out else None
        judged = metric in METRICS and bool({"verdict", "score"} & {*METRICS[metric].needs})
        return noted(
            f"among {self.per_pair} programs" if metric == SELF_BLEU else None, left_out,
            self.judges if judged else None, held_words(*self.held[view]) if view and view in self.held else None,
        )  # fmt: skip

    @property
    def nothing(self) -> str:
        """Why there are no pairs, where there are none."""
        if self.wordless:
            return f"no sample of {', '.join(self.wordless)} holds a whole program: too little was learned"
        return "no pairs in this split, or none that every model has samples of"

    def clusters(self) -> Clusters:
        """Students and titles of the pairs."""
        return Clusters.of([pair.student for pair in self.pairs], [pair.title for pair in self.pairs])

    def select(self, keep: NDArray[np.bool_]) -> Compared:
        """Only the pairs kept."""

        def pick(columns: Mapping[str, Floats]) -> dict[str, Floats]:
            return {name: values[keep] for name, values in columns.items()}

        return replace(
            self,
            pairs=[pair for pair, kept in zip(self.pairs, keep, strict=True) if kept],
            places=self.places[keep],
            real=pick(self.real),
            views={name: pick(columns) for name, columns in self.views.items()},
            baselines={name: pick(columns) for name, columns in self.baselines.items()},
            truncated=self.truncated[keep],
            frequency=self.frequency[keep],
        )


def measured(
    dataset: Dataset, file: Path, *, workers: int, language: Languages = None, rule: str = DEFAULT_RULE,
    definitions: Definitions = "corrected",
) -> pa.Table:  # fmt: skip
    """`metrics.measure`, kept in `file`; measured again if data, verdicts, definitions or code aren't those kept."""
    verdicts = find_judgements(dataset, rule)
    stamp = {
        b"dataset": dataset.fingerprint.encode(),
        b"verdicts": " ".join(map(sha256_file, verdicts)).encode(),
        b"metrics": code_hash().encode(),
        b"definitions": definitions.encode(),
    }
    if file.exists():
        remedy = "Remove it: the traces are measured again."
        found = read_metadata(file, remedy=remedy)
        if all(found.get(key) == value for key, value in stamp.items()):
            return read_table(file, remedy=remedy)
    table = measure(dataset, workers=workers, language=language, rule=rule, definitions=definitions)
    write_table(table.replace_schema_metadata(stamp), file)
    return table


_FOLDERS: dict[Definitions, str] = {"corrected": "metrics", "released": "metrics/released"}
"""Where measured traces are kept: apart, since other studies of the run use the corrected ones."""


class Measures:
    """A run's measured traces: of the real pairs, and of every view's samples."""

    def __init__(self, run: Run, workers: int, definitions: Definitions = "corrected") -> None:
        self.run, self.definitions = run, definitions
        folder = run.path / _FOLDERS[definitions]
        measure_it = partial(measured, workers=workers, rule=run.rule, definitions=definitions)
        self.real = measure_it(run.dataset, folder / "real.parquet")
        languages = languages_of(self.real)
        self.samples = {view: run.samples(view) for view in run.views}
        self.controls = run.controls(CONTROLLED)
        self.generated, self.controlled = (
            {name: measure_it(samples, folder / f"{name}.parquet", language=languages) for name, samples in of.items()}
            for of in (self.samples, self.controls)
        )

    @cached_property
    def judges(self) -> str | None:
        """Where whether programs run was told by the platform, in words."""
        if not (self.run.dataset.path / PLATFORM_FILE).exists():
            return None
        return read_judgements(find_judgements(self.run.dataset, self.run.rule)).words

    @cached_property
    def tested(self) -> pa.Table:
        """The real rows of the test pairs."""
        return self.rows_of(*TEST_SPLITS)

    @cached_property
    def programs(self) -> Programs:
        """The real ones, of the test pairs that some model has samples of; read once for all of them."""
        sampled = {pair for table in (*self.generated.values(), *self.controlled.values()) for pair in pairs_of(table)}
        pairs = sampled.intersection(pairs_of(self.tested))
        return read_programs(self.run.dataset, pairs, {pair.title for pair in pairs})

    @cached_property
    def drawn(self) -> Mapping[str, Programs]:
        """View or control -> its samples' programs; each is read once for all conditions."""
        return {
            name: read_programs(samples, self.programs.of) for name, samples in (self.samples | self.controls).items()
        }

    def rows_of(self, *splits: str) -> pa.Table:
        """The real rows of the pairs in `splits`."""
        of = self.run.split.of
        return self.real.filter(pa.array([of.get(pair) in splits for pair in pairs_of(self.real)], pa.bool_()))


def compare_models(measures: Measures, *, seed: int, only_ended: bool = False) -> Compared:
    """Put all models and baselines side by side.

    Args:
        measures: The run's measured traces.
        seed: Of the random training traces.
        only_ended: Leave out samples that never ended, and then the pairs for which some model has none left.
    """
    run = measures.run
    test = measures.tested
    wordless = tuple(view for view in measures.generated if not _any_whole(measures.drawn[view]))
    each = {
        view: {
            pair for pair, ended in zip(pairs_of(table), table["ended"].to_pylist(), strict=True)
            if (ended or not only_ended) and view not in wordless
        }
        for view, table in measures.generated.items()
    }  # fmt: skip
    tested = set(pairs_of(test))
    common = tested.intersection(*each.values())
    real = test.filter(pa.array([pair in common for pair in pairs_of(test)], pa.bool_()))
    size = max(2, min(samples_per_pair(measures.samples[view], table) for view, table in measures.generated.items()))
    beside = partial(
        compare,
        real,
        measures.programs,
        only_ended=only_ended,
        self_bleu_samples=size,
        definitions=measures.definitions,
    )
    tables = {view: beside(table, measures.drawn[view]) for view, table in measures.generated.items()}
    first = next(iter(tables.values()))
    pairs = pairs_of(first)
    finals = finals_of(measures.programs, run.split, pairs)
    predicted = {name: predict(name, measures.real, run.split.of, pairs, seed=seed) for name in BASELINES}
    baselines = {
        name: {metric: _floats(table, f"generated_{metric}") for metric in MEASURED}
        for name, table in predicted.items()
    }
    for name, table in measures.controlled.items():
        found = beside(table, measures.drawn[name])
        baselines[name] = _aligned(_side(CONTROLLED, found), pairs_of(found), pairs)
    baselines["random-trace"]["bleu_final"] = random_bleu(
        finals, pairs, seed=seed, likeness=LIKENESS[measures.definitions]
    )
    other = _judged_otherwise(real, pairs)
    sides = {view: _side(view, table) for view, table in tables.items()}
    for columns in (*sides.values(), *(baselines[name] for name in measures.controlled)):
        for metric in columns.keys() & VERDICTS_NEEDED:
            columns[metric] = np.where(other, np.nan, columns[metric])
    baselines[REAL_STUDENTS] = {SELF_BLEU: _floats(first, "self_bleu_real")}
    return Compared(
        pairs=pairs,
        places=np.array([run.split.of[pair] for pair in pairs], dtype=str),
        real={name: _floats(first, f"real_{name}") for name in MEASURED},
        views=sides,
        baselines=baselines,
        truncated=np.array(first["truncated_real"].to_pylist(), dtype=bool),
        frequency=_frequency(run, pairs),
        finals=finals,
        per_pair=size,
        judges=measures.judges,
        left_out=len(tested.intersection(set().union(*each.values())) - common),
        held={view: _held(table) for view, table in tables.items()},
        wordless=wordless,
    )


def _side(view: str, table: pa.Table) -> dict[str, Floats]:
    """Every metric that applies to a view's samples."""
    final_only = view in FINAL_ONLY
    columns = {name: f"generated_{name}" for name in MEASURED}
    columns |= {name: name for name in PAIRED}
    return {
        name: _floats(table, column) for name, column in columns.items()
        if not (final_only and METRICS[name].of_traces)
    }  # fmt: skip


def _any_whole(programs: Programs) -> bool:
    return any(trace.is_whole for traces in programs.of.values() for trace in traces)


def _held(table: pa.Table) -> tuple[int, int]:
    """Samples that hold a whole program, and all, of a pair table."""
    return tuple(int(pc.sum(table[name]).as_py() or 0) for name in ("n_whole", "n_samples"))  # type: ignore[return-value]


def _judged_otherwise(real: pa.Table, pairs: Sequence[Pair]) -> NDArray[np.bool_]:
    """Pairs whose real programs the platform judged: an engine's verdict on generated ones is of another kind."""
    judged = zip(pairs_of(real), real["verdict_by"].to_pylist(), strict=True)
    own = {pair for pair, by in judged if by == PLATFORM}
    return np.array([pair in own for pair in pairs], np.bool_)


def _frequency(run: Run, pairs: Sequence[Pair]) -> Floats:
    trained = Counter(pair.title for pair, place in run.split.of.items() if place == TRAIN)
    return np.array([trained[pair.title] for pair in pairs], dtype=np.float64)


def _aligned(columns: Mapping[str, Floats], of: Sequence[Pair], pairs: Sequence[Pair]) -> dict[str, Floats]:
    """The values of some pairs at their places among all pairs; nan for the rest."""
    place = {pair: index for index, pair in enumerate(pairs)}
    at = [place[pair] for pair in of]
    aligned = {name: np.full(len(pairs), np.nan) for name in columns}
    for name, values in columns.items():
        aligned[name][at] = values
    return aligned


def samples_per_pair(samples: Dataset, table: pa.Table) -> int:
    """How many samples of each pair were asked for; where a dataset doesn't say, as many as any pair has."""
    asked = samples.manifest.provenance.get("config", {}).get("per_pair")
    if asked is not None:
        return int(asked)
    return int(max(Counter(pairs_of(table)).values(), default=0))


def _floats(table: pa.Table, name: str) -> Floats:
    values: Floats = table[name].cast(pa.float64()).to_numpy(zero_copy_only=False)
    return values.astype(np.float64)
