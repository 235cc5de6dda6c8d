"""What ways of drawing leave of a model's traces: `python bench/nucleus.py DATASET MODEL [--top-p 0.9 0.95 0.98 0.99 1]`.

In: a dataset with a split, a model trained on it. Out: a Markdown table on standard output: means of the real traces of
the validation pairs, and of the model's own for the same pairs, by nucleus, by whether endings keep their probability
(exact) or the nucleus leaves them out too, and with a grammar or without. Test pairs aren't touched.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rapidfuzz.distance import Levenshtein
from scipy.stats import ks_2samp

from redraft.data.split import VALIDATION, load_split
from redraft.data.store import open_dataset
from redraft.data.trace import Pair, Trace
from redraft.lm.checkpoint import Model, load_model
from redraft.lm.codec import DiffCodec
from redraft.lm.sample import Request, sample
from redraft.lm.settings import SampleConfig
from redraft.metrics import distance
from redraft.metrics.bootstrap import Clusters
from redraft.metrics.measure import measure_traces
from redraft.rundir import sha256_json
from redraft.studies.common.running import Runner, open_runner

METRICS = {
    "attempts": "programs",
    "backtracking": "backtracking",
    "seconds_active": "active seconds",
    "modify_share": "edits that change lines",
}
WAYS: dict[str, dict[str, Any]] = {
    "exact, grammar": {},
    "exact": {"grammar": False},
    "nucleus, grammar": {"endings": "nucleus"},
    "nucleus": {"endings": "nucleus", "grammar": False},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("dataset", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("--top-p", type=float, nargs="+", default=[0.9, 0.95, 0.98, 0.99, 1.0])
    parser.add_argument("--ways", nargs="+", default=[*WAYS], choices=[*WAYS])
    parser.add_argument("--samples", type=int, default=8)
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--pairs", type=int, default=200)
    given = parser.parse_args()
    dataset, model = open_dataset(given.dataset), load_model(given.model)
    places = load_split(dataset, "default").of
    pairs = sorted((pair for pair, place in places.items() if place == VALIDATION), key=sha256_json)[: given.pairs]
    real = {trace.pair: trace for trace in dataset.traces() if trace.pair in set(pairs)}
    requests = [Request(*pair, sha256_json(pair)[:16]) for pair in pairs]
    language = next(iter(real.values())).final.language
    rows, single = [], np.array([len(trace.states) for trace in real.values()])
    with open_runner("v8", workers=2) as runner:
        halves = f"{between_halves(real, given.seed):.2f} (halves)"
        rows.append(("real", "", *numbers(list(real.values()), real, language, runner)[:-1], "-", halves, "-", "-"))
        for top_p, way in product(given.top_p, given.ways):
            with tempfile.TemporaryDirectory() as folder:
                config = SampleConfig(per_pair=given.samples, top_p=top_p, seed=given.seed, **WAYS[way])
                made = sample(model, requests, out=Path(folder) / "samples", config=config)
                traces = list(made.traces())
            apart = ks_2samp(single, [len(trace.states) for trace in traces]).statistic
            lost = [
                made.manifest.rejected.get(why, 0) / (given.samples * len(pairs)) for why in ("bad_date", "no_state")
            ]
            shares = [f"{apart:.2f}", *(f"{share:.1%}" for share in lost)]
            rows.append((f"{top_p:g}", way, *numbers(traces, real, language, runner), *shares))
    columns = ("one program", "final runs", "of several", "mended", "broken", "likeness", "KS of lengths",
               "impossible date", "no whole program")  # fmt: skip
    header = ("nucleus", "endings", *METRICS.values(), *columns)
    print(f"{len(pairs)} validation pairs, {given.samples} samples each; the data: {dataset.origin}")
    with torch.inference_mode():
        said = ends_once(model, list(real.values()))
    once = float(np.mean(single == 1))
    print(f"Behind real first drafts the model says {said:.2f} that the trace ends; {once:.2f} do.\n")
    for row in (header, ["---"] * len(header), *rows):
        print(f"| {' | '.join(row)} |")


def numbers(traces: Sequence[Trace], real: dict[Pair, Trace], language: str | None, runner: Runner) -> list[str]:
    """Means over traces: the metrics; shares of traces of a single program, of final ones that run, of all traces and of
    those of several; of failing drafts that the next one mends, of running ones that it breaks; likeness to the real one.
    """
    table = measure_traces(traces, language)
    found = [f"{np.nanmean(np.array(table[name].to_pylist(), float)):.3g}" for name in METRICS]
    verdicts = iter(runner.run([state.code for trace in traces for state in trace.states], language))
    ran = [[next(verdicts) for _ in trace.states] for trace in traces]
    steps = [
        (before, after) for one in ran for before, after in pairwise(one) if before is not None and after is not None
    ]
    alike = [Levenshtein.normalized_similarity(trace.final.code, real[trace.pair].final.code) for trace in traces]
    shares: list[list[float]] = [
        [len(trace.states) == 1 for trace in traces],
        [one[-1] for one in ran if one[-1] is not None],
        [one[-1] for one in ran if one[-1] is not None and len(one) > 1],
        [after for before, after in steps if not before],
        [not after for before, after in steps if before],
        alike,
    ]
    return [*found, *(f"{sum(values) / len(values):.2f}" if values else "-" for values in shares)]


def ends_once(model: Model, traces: Sequence[Trace]) -> float:
    """What the model says of the students' own first drafts: the probability that the trace ends there, mean over traces
    whose first draft fits into its context. That the draft is done is given, as it is.
    """
    found, codec = [], model.codec
    for trace in traces:
        ids = [codec.student_id, *codec.prefix(trace.title, trace.states[:1])]
        if len(ids) < model.lm.context and isinstance(codec, DiffCodec):
            row = torch.tensor([model.students.row(trace.student)])
            likely_V = model.lm(torch.tensor([ids]), row, use_cache=False).logits[0, -1].double().softmax(-1)
            ends = likely_V[codec.end_id]
            goes_on = likely_V[codec.at_id] + likely_V[codec.seconds.start : codec.hours.stop].sum()
            found.append(float(ends / (ends + goes_on)))
    return float(np.mean(found))


def between_halves(real: dict[Pair, Trace], seed: int) -> float:
    """The distance of lengths between two halves of the students, mean over halvings: the least that can be had."""
    lengths = np.array([len(trace.states) for trace in real.values()], float)
    clusters = Clusters.of([pair.student for pair in real], [pair.title for pair in real])
    return distance.between_halves(lengths, clusters, seed=seed).value or 0.0


if __name__ == "__main__":
    main()
