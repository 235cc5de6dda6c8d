"""What the model generates for new students, with the vectors fitted to their first k traces (paper figure 6).

In: fits. Out: for each k and whose vector, a value a (student, title) and metric: the mean over samples and seeds. Only
pairs for which every k and side has a sample are compared (the paper filters alike). Samples are kept, as datasets.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pyarrow as pa
import torch

from redraft.data.trace import Pair, Trace
from redraft.lm.adapt import beginnings, unknown_rows, with_fits
from redraft.lm.model import StudentIndex
from redraft.lm.sample import Request, sample
from redraft.lm.settings import FitConfig
from redraft.metrics.bootstrap import Floats
from redraft.metrics.measure import languages_of, measure, measure_traces
from redraft.metrics.metric import Place
from redraft.metrics.pairs import ByPair, pair_table, pairs_of
from redraft.metrics.registry import MEASURED, METRICS, shown
from redraft.metrics.text import bleu_of_grams, grams, tokens
from redraft.rundir import sha256_json
from redraft.studies.adapt.fits import MEAN_VECTOR, Fits, Side
from redraft.studies.common.work import kept_table

TEXT = tuple(name for name in shown(Place.ADAPT) if name not in MEASURED)
"""Likeness of texts, which is BLEU: of final programs, or of all programs joined."""


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """Values by pair."""

    pairs: list[Pair]
    """The pairs compared."""
    real: Mapping[str, Floats]
    """Metric -> the real value of each."""
    generated: Mapping[tuple[str, int], Mapping[str, Floats]]
    """(voice, k) -> metric -> the generated value of each."""
    left_out: int
    """Pairs that have no sample for some k or side."""


def draw(fits: Fits) -> Drawn:
    """Generate the chosen test traces with every k's vectors, and compare them with the real ones."""
    config = fits.config
    real = {trace.pair: trace for traces in _chosen(fits).values() for trace in traces}
    measured = measure_traces(iter(real.values()))
    tables: dict[tuple[str, int], list[pa.Table]] = defaultdict(list)
    for k in config.sampled_ks:
        for side in fits.sides(k):
            if side.voice == MEAN_VECTOR:
                continue
            for seed in _seeds(fits, side):
                file = fits.folder / f"drawn-{side.voice}-{k}-{seed}-{_settings(fits)}.parquet"
                tables[side.voice, k].append(kept_table(file, partial(_drawn, fits, side, k, seed, real, measured)))
    common = set(real).intersection(*(pairs_of(table) for some in tables.values() for table in some))
    pairs = sorted(common)
    return Drawn(
        pairs=pairs,
        real={name: ByPair(measured, pairs).means(name) for name in config.metrics},
        generated={
            key: {name: ByPair(pa.concat_tables(some), pairs).means(name) for name in (*TEXT, *config.metrics)}
            for key, some in tables.items()
        },
        left_out=len(real) - len(pairs),
    )


def _seeds(fits: Fits, side: Side) -> Iterable[int]:
    """Of the samples: every seed for vectors that all seeds share, else the vectors' own."""
    shared = side.voice == "own" and fits.config.start == "unknown"
    return range(fits.config.seeds) if shared else (side.seed,)


def _settings(fits: Fits) -> str:
    """What decides samples beside the fits."""
    config = fits.config
    return sha256_json([config.sampled_pairs, vars(config.sample), config.metrics])[:12]


def _chosen(fits: Fits) -> dict[str, Sequence[Trace]]:
    """The test traces of each student that are generated: a seeded choice."""

    def order(trace: Trace) -> str:
        return sha256_json([fits.config.seed, "drawn", *trace.pair])

    return {
        student: sorted(fits.tests(traces), key=order)[: fits.config.sampled_pairs]
        for student, traces in fits.newcomers.evaluated.items()
    }


def _drawn(fits: Fits, side: Side, k: int, seed: int, real: Mapping[Pair, Trace], measured: pa.Table) -> pa.Table:
    """A row per pair: student, title, and each metric's mean over the samples."""
    unknown_1N = beginnings(fits.model, unknown_rows(fits.model, 1), FitConfig(trains=fits.config.trains))
    knowing = replace(
        fits.model,
        lm=with_fits(fits.model, torch.cat([unknown_1N, side.numbers])),
        students=StudentIndex(fits.students),
    )
    config = replace(fits.config.sample, seed=fits.config.sample.seed + 1000 * fits.config.seed + seed)
    requests = [Request(*pair, id=sha256_json(pair)[:16]) for pair in real]
    out = fits.folder / "samples" / f"{side.voice}-{k}-{seed}-{_settings(fits)}"
    dataset = sample(knowing, requests, out=out, config=config, overwrite=True)
    table = measure(dataset, language=languages_of(measured))
    pairs = sorted(set(pairs_of(table)))
    texts: dict[Pair, list[Trace]] = defaultdict(list)
    for trace in dataset.traces():
        texts[trace.pair].append(trace)
    by_pair = ByPair(table, pairs)
    bleus = np.array([np.mean([_bleus(one, real[pair]) for one in texts[pair]], axis=0) for pair in pairs])
    columns: dict[str, Floats] = {name: by_pair.means(name) for name in fits.config.metrics}
    columns |= {name: bleus.reshape(-1, len(TEXT))[:, i] for i, name in enumerate(TEXT)}
    return pair_table(pairs, columns)


def _bleus(generated: Trace, real: Trace) -> list[float]:
    """The metrics of `TEXT`; nan where undefined."""
    found = [
        bleu_of_grams(*(grams(tokens(_text(trace, whole=METRICS[name].whole_traces))) for trace in (generated, real)))
        for name in TEXT
    ]
    return [np.nan if value is None else value for value in found]


def _text(trace: Trace, *, whole: bool) -> str:
    return "\n".join(state.code for state in trace.states) if whole else trace.final.code
