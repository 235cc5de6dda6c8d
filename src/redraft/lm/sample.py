"""Draw whole traces from a model, into an ordinary dataset.

In: a model and requests, each a student and a title. Out: a dataset of origin `model`, a row per sample. A sample
depends on the model, its request and its number alone: it has its own stream of random numbers, so its neighbours in
a batch change it no more than rounding does. Shards are drawn one by one and written when done; a killed run goes on
with the first that is missing and ends with the same bytes.

A sample without a whole program is a row without states, which never ended, so that it counts. `manifest.rejected`
counts those too, as `no_state`; `bad_date` counts samples that were cut off at an impossible time, with or without a
state. A codec's grammar lets none of the latter come.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple

from accelerate import PartialState

from redraft.data.split import TEST_SPLITS, Split
from redraft.data.store import Dataset, DatasetWriter, open_dataset
from redraft.data.trace import Pair, Trace
from redraft.errors import InputError, UsageError, suggestion
from redraft.lm.checkpoint import Model
from redraft.lm.codec.base import Decoded
from redraft.lm.generate import Draft, Tell, generate
from redraft.lm.neural_cache.store import NeuralCache
from redraft.lm.settings import SampleConfig
from redraft.progress import bar
from redraft.rundir import read_record, sha256_json, write_record

__all__ = ["Request", "SampleConfig", "check_sampling", "exchanged", "requests_for", "sample"]


class Request(NamedTuple):
    """A student whose work on a title is to be drawn."""

    student: str
    title: str
    id: str
    voice: str | None = None
    """The student whose vector draws it; None: the student's own. One that the model doesn't know is read as the
    unknown student."""


def requests_for(
    split: Split, names: Iterable[str] = TEST_SPLITS, *, max_pairs: int | None = None, seed: int = 0,
    assignments: bool = False,
) -> list[Request]:  # fmt: skip
    """A request for each pair of the test splits `names`, sorted.

    Args:
        split: The split.
        names: Its parts.
        max_pairs: Pairs of each part, at most; which, depends on the seed and the pair alone.
        seed: Draws them.
        assignments: Only titles that count as assignments.

    Raises:
        UsageError: Unknown part, or there are no pairs.
    """
    chosen: list[Pair] = []
    for name in names:
        if name not in TEST_SPLITS:
            raise UsageError(f"unknown test split {name!r}. {suggestion(name, TEST_SPLITS)}")
        pairs = [pair for pair, place in split.of.items() if place == name]
        if assignments:
            pairs = [pair for pair in pairs if pair.title in split.assignments]
        chosen += sorted(pairs, key=lambda pair: sha256_json([seed, *pair]))[:max_pairs]
    if not chosen:
        raise UsageError("there are no pairs to draw.", remedy="Name other test splits, or split with more held out.")
    return [Request(*pair, id=sha256_json(pair)[:16]) for pair in sorted(chosen)]


def exchanged(requests: Iterable[Request], voices: Mapping[str, str]) -> list[Request]:
    """The requests of the students in `voices`, drawn with the vectors that it names: a control."""
    return [request._replace(voice=voices[request.student]) for request in requests if request.student in voices]


def sample(
    model: Model,
    requests: Sequence[Request],
    *,
    out: Path,
    config: SampleConfig | None = None,
    overwrite: bool = False,
    tell: Tell | None = None,
    cache: NeuralCache | None = None,
) -> Dataset:
    """Draw `config.per_pair` traces for each request, and write them to `out`.

    Args:
        model: Draws them.
        requests: Whose work on what.
        out: The dataset's folder.
        config: How to draw.
        overwrite: Replace another dataset at `out`.
        tell: Says of programs what their student saw; needed by, and only used for, a model trained with feedback.
        cache: What students wrote before; what came before they began the title is mixed in.

    Raises:
        InputError: Settings that make no sense, or a model that needs feedback and nothing that tells.
        DatasetError: `out` holds something else.
    """
    config = config or SampleConfig()
    check_sampling(model, config, tell)
    model.lm.to(PartialState().device)
    ordered = sorted(requests)
    size = max(1, config.shard // config.per_pair)
    shards = [ordered[start : start + size] for start in range(0, len(ordered), size)]
    rejected: Counter[str] = Counter()
    with (
        DatasetWriter(
            out, origin="model", provenance=_provenance(model, ordered, config, cache), overwrite=overwrite
        ) as writer,
        bar("sampling", len(ordered) * config.per_pair) as watcher,
    ):
        if writer.complete:
            return open_dataset(out)
        for index, shard in enumerate(shards):
            counts = writer.scratch / f"rejected-{index:05d}.json"
            if writer.has_shard(index):
                watcher.advance(len(shard) * config.per_pair)
            else:
                traces, refused = _draw_shard(model, shard, config, watcher.advance, tell, cache)
                write_record(counts, refused)
                writer.write_shard(index, traces)
            rejected.update(_counts(counts))
        return writer.finish(rejected=rejected)


def _counts(file: Path) -> dict[str, int]:
    """How many samples of a shard had what was wrong with them."""
    remedy = f"Remove {file.parent}, and start the command again."
    return read_record(file, remedy=remedy, needs=dict.fromkeys(("redrawn", "bad_date", "no_state"), int | None))


def check_sampling(model: Model, config: SampleConfig, tell: Tell | None = None) -> None:
    """Refuse settings that make no sense, and a model trained with feedback without something that tells.

    Raises:
        InputError: Says which, and why.
    """
    if model.codec.run_id is not None and tell is None:
        raise InputError(
            "this model was trained to see after each state whether it ran, and nothing was given that can tell.",
            remedy="Hand in `tell`, as `redraft sample` does, or train a model without `feedback`.",
        )
    for name, least in (("per_pair", 1), ("rounds", 1), ("batch", 1), ("shard", 1)):
        if getattr(config, name) < least:
            raise InputError(f"{name} is {getattr(config, name)}; it must be at least {least}.")
    if not 0 < config.top_p <= 1:
        raise InputError(f"top_p is {config.top_p}; it must be above 0 and at most 1.")
    if not config.temperature > 0:
        raise InputError(
            f"temperature is {config.temperature}; it must be above 0.",
            remedy="For the likeliest token always, take a top_p as small as 1e-9, and endings = 'nucleus'.",
        )


def _voice(request: Request) -> str:
    return request.student if request.voice is None else request.voice


def _provenance(
    model: Model, requests: Sequence[Request], config: SampleConfig, cache: NeuralCache | None
) -> dict[str, Any]:
    return {
        "command": "sample",
        "model": dict(model.card),
        "model_fingerprint": model.fingerprint,
        "trained_on": model.card["origin"],
        "split_hash": model.card["split_hash"],
        "requests": len(requests),
        "requests_fingerprint": sha256_json(requests),
        "unknown_students": len({voice for voice in map(_voice, requests) if voice not in model.students}),
        "config": asdict(config),
        **({"neural_cache": cache.fingerprint} if cache else {}),
    }


def _draw_shard(
    model: Model,
    requests: Sequence[Request],
    config: SampleConfig,
    done: Callable[[float], None],
    tell: Tell | None,
    cache: NeuralCache | None,
) -> tuple[list[Trace], Counter[str]]:
    """The traces of `requests`, in order, and how many samples had what was wrong with them."""
    numbered = [(request, number) for request in requests for number in range(config.per_pair)]
    found = _draw(model, numbered, config, done, tell, cache)
    traces, rejected = [], Counter[str]()
    for (request, number), one in zip(numbered, found, strict=True):
        rejected.update({"bad_date": int(one.bad_date), "no_state": int(not one.states)})
        states = tuple(replace(state, language=model.card["language"]) for state in one.states)
        traces.append(
            Trace(
                student=request.student,
                title=request.title,
                states=states,
                source=f"sample:{model.card['view']}",
                sample=number,
                request=request.id,
                ended=one.ended and bool(states),
            )
        )
    return traces, +rejected


def _draw(
    model: Model, numbered: Sequence[tuple[Request, int]], config: SampleConfig, done: Callable[[float], None],
    tell: Tell | None, cache: NeuralCache | None,
) -> list[Decoded]:  # fmt: skip
    """What was drawn for each request and number."""
    pasts = {request: cache.past_of_pair(_voice(request), request.title) for request, _ in numbered} if cache else {}
    drafts = [
        Draft(
            student=model.students.row(_voice(request)),
            past=pasts.get(request),
            ids=model.codec.prefix(request.title),
            stream=(config.seed, request.id, number),
        )
        for request, number in numbered
    ]
    generate(model, drafts, config, done, tell if model.codec.run_id is not None else None)
    return [model.codec.decode(draft.ids) for draft in drafts]
