"""Do traces teach more about final programs than final programs do? Found where it is so, and nowhere else?

    python bench/traces_teach.py runs/bench/traces-teach [--models oracle|trained] [--classes 10] [--jobs 1]

Simulates pairs of classes, one where the drafts of set assignments tell who a student is and their final programs
don't (`--drafts-tell 1`), and one where both tell the same (0, the null). In each, a model of traces and one of final
programs write for students whose free assignments neither has seen, and the study `behaviour` compares what they write
with what the students wrote, and judges its claims.

`oracle`: in the models' place stand two observers that know how the class works, and have read the training pairs'
drafts, or their final programs (redraft/data/simulate/observer.py); minutes. `trained`: language models; hours.

Each class is a cell with a folder of its own in the work folder, and a training or sampling that was killed goes on, so
the same command started again ends what is left. After each cell, the section 'Traces against final programs' of
docs/validity.md is written anew (`--page`), from all cells that the folder has: use one folder for observers and models.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import tomli_w

from redraft.data.simulate import SimulateConfig, simulated_traces
from redraft.data.simulate.assignments import class_titles, is_free
from redraft.data.simulate.classroom import work_on
from redraft.data.simulate.observer import Observer, Seen, headroom, traits_by
from redraft.data.split import TRAIN, Split, SplitConfig, make_split
from redraft.data.store import Dataset, DatasetWriter
from redraft.data.trace import Pair, Trace
from redraft.rundir import write_json, write_text
from redraft.studies.behaviour.settings import BehaviourConfig
from redraft.studies.behaviour.study import behaviour
from redraft.studies.common.claims import judge

HEADING = "## Traces against final programs"
"""The section of docs/validity.md that this writes; it is the page's last."""
CLAIMS = ("colours-last", "comments-last", "final-text-last")
"""Claims of the study `behaviour`: the model of traces against that of final programs."""
METRICS = ("comments_final", "functions_final")
"""Compared by correlation; colours are compared in any case."""
KNOWS = {"trace": "drafts", "last": "finals"}
"""View -> what its oracle has read of a student."""
STRENGTHS = (1.0, 0.0)
SPLITS = ("seen-seen", "seen-unseen")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What all cells are made with."""

    models: str
    students: int
    titles: int
    steps: int
    """Of each training at most."""
    max_pairs: int
    """Sampled from each test split."""
    takes: int
    """Samples of each pair."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A class, and two models of it."""

    seed: int
    drafts_tell: float
    settings: Settings

    @property
    def config(self) -> SimulateConfig:
        """The class."""
        return SimulateConfig(students=self.settings.students, titles=self.settings.titles, seed=self.seed,
                              drafts_tell=self.drafts_tell)  # fmt: skip

    @property
    def name(self) -> str:
        """Of its folder."""
        return f"{self.settings.models}-tell{self.drafts_tell:g}-seed{self.seed:02d}"


def result_of(cell: Cell, folder: Path) -> dict[str, Any]:
    """Make a cell, or read it if it was made before by the same settings."""
    file = folder / cell.name / "result.json"
    asked = {"seed": cell.seed, "drafts_tell": cell.drafts_tell, **asdict(cell.settings)}
    if file.exists():
        found: dict[str, Any] = json.loads(file.read_text())
        if found["asked"] == asked:
            return found
        raise SystemExit(f"{file} was made by other settings: {found['asked']}")
    started = time.process_time()
    run = folder / cell.name
    dataset = _class(cell, run / "class.dataset")
    split = _split(cell, dataset, run)
    (_oracles if cell.settings.models == "oracle" else _trained)(cell, dataset, split, run)
    rows = behaviour(run)
    verdicts = {verdict.claim.name: verdict for verdict in judge(rows) if verdict.claim.name in CLAIMS}
    found = {
        "asked": asked,
        "made": f"{datetime.now(UTC):%Y-%m-%d}",
        "cpu_seconds": round(time.process_time() - started),
        "pairs": split.counts(),
        "verdicts": {name: verdict.outcome for name, verdict in verdicts.items()},
        "reasons": {name: verdict.reason for name, verdict in verdicts.items()},
        "contrasts": [
            {"metric": row.metric, "statistic": row.statistic, "split": row.split, "value": row.value,
             "low": row.low, "high": row.high, "p": row.p, "n": row.n, "titles": row.n_titles}
            for row in rows
            if (row.model, row.baseline) == ("trace", "last") and not row.condition and row.split in SPLITS
        ],
        "headroom": _headroom(cell, dataset),
    }  # fmt: skip
    write_json(file, found)
    return found


def _class(cell: Cell, path: Path) -> Dataset:
    with DatasetWriter(path, origin="simulated", provenance={"class": cell.name}) as writer:
        if not writer.complete:
            writer.write_shard(0, sorted(simulated_traces(cell.config), key=lambda trace: trace.pair))
        return writer.finish()


def _split(cell: Cell, dataset: Dataset, run: Path) -> Split:
    """Some of the free titles are held out; on the others half of the students train, the other half is tested."""
    free = run / "free-titles.txt"
    write_text(free, "".join(f"{title}\n" for title in class_titles(cell.settings.titles) if is_free(title)))
    config = SplitConfig(seed=cell.seed, held_students=0, held_titles=1, tested_titles=str(free), validation_share=0.05)
    split = make_split(dataset, config)
    table: dict[str, Any] = {
        "dataset": dataset.path.name, "split": split.name, "views": list(KNOWS), "seed": cell.seed,
        "behaviour": asdict(BehaviourConfig(metrics=METRICS, seed=cell.seed, workers=1)),
    }  # fmt: skip
    write_text(run / "run.toml", tomli_w.dumps(table))
    return split


def _oracles(cell: Cell, dataset: Dataset, split: Split, run: Path) -> None:
    """What a student would write who may be the one that the observer has read of, for either kind of reading."""
    config, observer = cell.config, Observer(1.0)
    read: dict[str, dict[str, list[Any]]] = {knows: defaultdict(list) for knows in KNOWS.values()}
    for trace in split.select(dataset.traces(), TRAIN):
        seen = config.seen(trace.title, [state.code for state in trace.states])
        for knows, of_students in read.items():
            of_students[trace.student].append(getattr(seen, knows if knows == "drafts" else "final"))
    pairs = sorted(pair for pair, place in split.of.items() if place in SPLITS)
    for view, knows in KNOWS.items():
        _write(run, view, split, _written(cell, pairs, view, read[knows], observer))


def _written(
    cell: Cell, pairs: Sequence[Pair], view: str, read: Mapping[str, Any], observer: Observer
) -> Iterator[Trace]:
    """Samples of every pair; the observer's beliefs of a student are worked out once."""
    student, beliefs = "", observer.beliefs(())
    for pair in pairs:
        if pair.student != student:
            student, beliefs = pair.student, observer.beliefs(read.get(pair.student, ()))
        for take in range(cell.settings.takes):
            rng = Random(f"{cell.seed} {view} {take} {pair}")
            work = work_on(rng, 0, traits_by(beliefs, rng), pair.title, cell.config.manner)
            trace = work.trace(pair.student)
            states = trace.states[-1:] if view == "last" else trace.states
            yield replace(trace, states=states, sample=take, request=f"{pair}", source=f"oracle:{view}")


def _write(run: Path, view: str, split: Split, traces: Iterator[Trace]) -> None:
    provenance = {"view": view, "split": split.name, "split_hash": split.hash}
    with DatasetWriter(run / "samples" / view, origin="model", provenance=provenance) as writer:
        if not writer.complete:
            writer.write_shard(0, traces)
        writer.finish()


def _trained(cell: Cell, dataset: Dataset, split: Split, run: Path) -> None:
    """Language models of the two views, equal in everything else."""
    from redraft.lm.checkpoint import load_model  # an oracle needs no torch
    from redraft.lm.sample import requests_for, sample
    from redraft.lm.settings import SampleConfig, TrainConfig
    from redraft.lm.train import train

    config = TrainConfig(seed=cell.seed, preset="llama-200k", precision="fp32", steps=cell.settings.steps, patience=8)
    requests = requests_for(split, SPLITS, max_pairs=cell.settings.max_pairs, seed=cell.seed)
    for view in KNOWS:
        train(dataset, split=split, view=view, out=run / "models" / view, config=config)
        sample(load_model(run / "models" / view), requests, out=run / "samples" / view,
               config=SampleConfig(seed=cell.seed, per_pair=cell.settings.takes))  # fmt: skip


def _headroom(cell: Cell, dataset: Dataset) -> dict[str, dict[str, float]]:
    students: dict[str, list[Seen]] = defaultdict(list)
    for trace in dataset.traces():
        students[trace.student].append(cell.config.seen(trace.title, [state.code for state in trace.states]))
    return {name: asdict(row) for name, row in headroom(students.values(), Observer(1.0)).items()}


# ------------------------------------------------------------------------------------------------------- the page


def section(results: Sequence[Mapping[str, Any]]) -> str:
    """The page's section."""
    lines = [HEADING, "", ABOUT]
    for models in ("oracle", "trained"):
        mine = [result for result in results if result["asked"]["models"] == models]
        if mine:
            lines += _table(models, mine)
    return "\n".join(lines)


def _table(models: str, results: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    asked = results[0]["asked"]
    yield f"**{'Observers' if models == 'oracle' else 'Language models'}**, {asked['students']} students, " \
          f"{asked['titles']} titles, {asked['takes']} samples per pair.\n"  # fmt: skip
    yield "| trace - last, on | drafts tell | classes | mean difference | supported | above + below 0 |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for (metric, statistic, split), claim in ROWS.items():
        for strength in STRENGTHS:
            of = [result for result in results if result["asked"]["drafts_tell"] == strength]
            found = [row for result in of for row in result["contrasts"]
                     if (row["metric"], row["statistic"], row["split"]) == (metric, f"{statistic}_difference", split)
                     and row["low"] is not None]  # fmt: skip
            if not found:
                continue
            judged = sum(result["verdicts"].get(claim) == "supported" for result in of) if claim else ""
            above, below = (sum(row["low"] > 0 for row in found), sum(row["high"] < 0 for row in found))
            mean = np.mean([row["value"] for row in found])
            yield f"| {metric} ({statistic}), {split} | {strength:g} | {len(found)} | {mean:.3f} | {judged} " \
                  f"| {above} + {below} |"  # fmt: skip
    yield "\n| bits per choice, drafts tell | nothing | finals | drafts | choices per class |"
    yield "| --- | --- | --- | --- | --- |"
    for strength in STRENGTHS:
        of = [result["headroom"] for result in results if result["asked"]["drafts_tell"] == strength]
        for name in of[0] if of else ():
            means = [np.mean([one[name][key] for one in of]) for key in ("nothing", "finals", "drafts", "choices")]
            yield (
                f"| {name}, {strength:g} | " + " | ".join(f"{mean:.2f}" for mean in means[:3]) + f" | {means[3]:.0f} |"
            )
    minutes = sum(result["cpu_seconds"] for result in results) / 60
    yield f"\n*Made on {max(result['made'] for result in results)} by `python bench/traces_teach.py FOLDER --models {models}` in " \
          f"{minutes:.0f} CPU minutes.*\n"  # fmt: skip


ROWS = {
    ("colour_cosine", "mean", "seen-seen"): "colours-last",
    ("comments_final", "within_r", "seen-seen"): "comments-last",
    ("functions_final", "within_r", "seen-seen"): "",
    ("bleu_final", "mean", "seen-seen"): "",
    ("colour_cosine", "mean", "seen-unseen"): "",
}
"""Metric, statistic, split -> the claim about it."""
ABOUT = """Written by `python bench/traces_teach.py`. Pairs of simulated classes of one seed: in one, all set assignments end as
their sheet says, so that drafts tell who a student is and final programs don't (`--drafts-tell 1`); in the other they
stay the student's own (0, the null). Tested are students whose free assignments are in nobody's training data, on titles
that others trained on (seen-seen) and on titles that nobody did (seen-unseen). 'Supported' counts the claim's verdicts,
by the rule that every run's claims are judged by; 'above + below 0' counts intervals. The bits are an observer's who
knows how the class works: how well it foretells choices in free assignments from nothing, from final programs of set
assignments, and from all their drafts. Two observers that write instead of models show what can be found at best.
"""


def section_of(page: Path) -> str:
    """The section as it stands in a page; nothing if there is none."""
    _, heading, rest = _read(page).partition(f"\n{HEADING}")
    return heading + rest


def write_page(page: Path, text: str) -> None:
    """Replace the section, the last of the page."""
    write_text(page, _read(page).partition(f"\n{HEADING}")[0].rstrip("\n") + f"\n\n{text}")


def _read(page: Path) -> str:
    return page.read_text(encoding="utf-8") if page.exists() else ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--models", choices=("oracle", "trained"), default="oracle")
    parser.add_argument("--classes", type=int, default=10)
    parser.add_argument("--students", type=int, default=120)
    parser.add_argument("--titles", type=int, default=24)
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--max-pairs", type=int, default=300)
    parser.add_argument("--takes", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--page", type=Path, default=Path("docs/validity.md"))
    options = parser.parse_args()
    wanted = Settings(models=options.models, students=options.students, titles=options.titles, steps=options.steps,
                      max_pairs=options.max_pairs, takes=options.takes)  # fmt: skip
    cells = [
        Cell(seed=seed, drafts_tell=strength, settings=wanted)
        for seed in range(options.classes)
        for strength in STRENGTHS
    ]
    with ProcessPoolExecutor(options.jobs, mp_context=get_context("spawn")) as pool:
        running = {pool.submit(result_of, cell, options.folder): cell for cell in cells}
        for done, future in enumerate(as_completed(running), 1):
            print(f"{done} of {len(cells)}: {running[future].name} {future.result()['verdicts']}", flush=True)
            files = sorted(options.folder.glob("*/result.json"))
            write_page(options.page, section([json.loads(file.read_text()) for file in files]))


if __name__ == "__main__":
    main()
