"""Sampling against `transformers` generate, same weights: `python bench/sample.py [MODEL] [--threads 1 2]`.

Without a model's folder, a Llama of 4 layers of 256 is trained on a made-up class for `--minutes` first; `--keep`
names the folder it is kept in. Both sides draw whole traces for the same requests (p = 0.9, one context at most), in
turns, and count tokens up to the end token. `transformers` fills a batch and runs until its last trace has ended.
With `--parts` also: the same without guesses, and without the compiled loops of `lm/fast`.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import torch
from transformers.utils import logging as transformers_logging

from redraft.data.simulate import SimulateConfig, simulated_traces
from redraft.data.split import SplitConfig, make_split
from redraft.data.store import DatasetWriter, open_dataset
from redraft.lm import fastest
from redraft.lm import generate as generating
from redraft.lm.checkpoint import Model, load_model
from redraft.lm.decode import Library
from redraft.lm.generate import Draft, generate
from redraft.lm.model import UNKNOWN
from redraft.lm.settings import PRESETS, Preset, SampleConfig, TrainConfig
from redraft.lm.train import train

CONTEXT = 512


def make_model(folder: Path, minutes: float) -> Model:
    """Train on a made-up class; a folder that holds the model already is used."""
    PRESETS["bench"] = Preset(
        summary="a benchmark", family="llama", layers=4, heads=4, width=256, context=CONTEXT, lr=3e-3, batch_tokens=2048
    )
    with DatasetWriter(folder / "class", origin="simulated", provenance={"bench": 1}) as writer:
        if not writer.complete:
            writer.write_shard(
                0,
                sorted(simulated_traces(SimulateConfig(students=600, titles=4, seed=1)), key=lambda trace: trace.pair),
            )
            writer.finish(rejected={})
    dataset = open_dataset(folder / "class")
    split = make_split(dataset, SplitConfig(held_students=0, held_titles=0, validation_share=0))
    config = TrainConfig(
        preset="bench", vocabulary=1024, minutes=minutes, epochs=1000, validate_every=10**6, student_dropout=0.0
    )  # fmt: skip
    return train(dataset, split=split, view="trace", out=folder / "model", config=config)


def drafts_of(model: Model, n: int, seed: int) -> list[Draft]:
    titles = ("square", "star", "house", "spiral")
    return [Draft(student=UNKNOWN, ids=model.codec.prefix(titles[i % 4]), stream=(seed, "bench", i)) for i in range(n)]


def ours(model: Model, n: int, batch: int, seed: int) -> tuple[int, float]:
    """Tokens drawn, and seconds."""
    drafts = drafts_of(model, n, seed)
    before = sum(len(draft.ids) for draft in drafts)
    started = time.perf_counter()
    generate(model, drafts, SampleConfig(batch=batch, rounds=1, top_p=0.9))
    return sum(len(draft.ids) for draft in drafts) - before, time.perf_counter() - started


def theirs(model: Model, n: int, batch: int, seed: int) -> tuple[int, float]:
    """The same with `transformers`, the unknown student's vector written into the placeholder's embedding."""
    torch.manual_seed(seed)
    with torch.no_grad():
        unknown_1 = torch.full((1,), UNKNOWN)
        model.lm.lm.get_input_embeddings().weight[model.codec.student_id] = model.lm.students(unknown_1)[0]
    drafts = drafts_of(model, n, seed)
    end, tokens, started = model.codec.end_id, 0, time.perf_counter()
    for first in range(0, n, batch):
        prompts = [[model.codec.student_id, *draft.ids] for draft in drafts[first : first + batch]]
        width = max(map(len, prompts))  # the library wants the shorter ones padded on the left
        ids_BL = torch.tensor([[model.codec.pad_id] * (width - len(ids)) + ids for ids in prompts])
        seen_BL = torch.tensor([[0] * (width - len(ids)) + [1] * len(ids) for ids in prompts])
        out_BL = model.lm.lm.generate(
            ids_BL, attention_mask=seen_BL, do_sample=True, top_p=0.9, top_k=0, temperature=1.0,
            max_length=model.lm.context, eos_token_id=end, pad_token_id=model.codec.pad_id,
        )  # fmt: skip
        for line in out_BL[:, ids_BL.shape[1] :].tolist():
            tokens += line.index(end) + 1 if end in line else len(line)
    return tokens, time.perf_counter() - started


@contextmanager
def without(what: str) -> Iterator[None]:
    """Leave out guesses or the compiled loops."""
    plain = patch.object(fastest, "ways", lambda: (Library,))
    with patch.object(generating, "GUESSES", 0) if what == "guesses" else plain:
        yield


def compare(model: Model, batch: int, n: int, repeats: int, *, parts: bool) -> None:
    def plainer(what: str) -> Callable[..., tuple[int, float]]:
        def run(*arguments: int) -> tuple[int, float]:
            with without(what):
                return ours(model, *arguments)

        return run

    ways: dict[str, Callable[..., tuple[int, float]]] = {
        "transformers": lambda *arguments: theirs(model, *arguments),
        "redraft": lambda *arguments: ours(model, *arguments),
    }
    if parts:
        ways |= {"without guesses": plainer("guesses"), "without compiled loops": plainer("compiled loops")}
    rates: dict[str, list[float]] = {name: [] for name in ways}
    lengths: dict[str, list[float]] = {name: [] for name in ways}
    for seed in range(repeats):
        for name, way in ways.items():
            tokens, seconds = way(n, batch, seed)
            rates[name].append(tokens / seconds)
            lengths[name].append(tokens / n)
    for name in ways:
        ratios = [rate / yardstick for rate, yardstick in zip(rates[name], rates["transformers"], strict=True)]
        print(
            f"  batch {batch:3} {name:25} {statistics.median(rates[name]):8,.0f} tokens/s, {statistics.median(ratios):5.1f} times"
            f" ({min(ratios):.1f} to {max(ratios):.1f}); {statistics.mean(lengths[name]):.0f} tokens per trace",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", type=Path)
    parser.add_argument("--minutes", type=float, default=2.5, help="of training, without a model")
    parser.add_argument("--keep", type=Path, help="folder for the model that is trained")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument(
        "--traces", type=int, default=192, help="traces a run at batch 64; a 24th of them, at least 4, at batch 1"
    )
    parser.add_argument("--parts", action="store_true", help="also without parts of it")
    options = parser.parse_args()
    transformers_logging.set_verbosity_error()
    with tempfile.TemporaryDirectory() as scratch:
        model = (
            load_model(options.model) if options.model else make_model(options.keep or Path(scratch), options.minutes)
        )
        print(f"{sum(p.numel() for p in model.lm.lm.parameters()):,} weights, vocabulary {model.codec.vocab_size}")
        for threads in options.threads:
            torch.set_num_threads(threads)
            ours(model, 2, 2, 0)  # compile
            print(f"{threads} threads")
            compare(model, 64, options.traces, options.repeats, parts=options.parts)
            compare(model, 1, max(4, options.traces // 24), options.repeats, parts=options.parts)


if __name__ == "__main__":
    main()
