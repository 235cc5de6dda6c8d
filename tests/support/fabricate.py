"""A run folder without a language model: samples made from the students' own habits, or from another's.

Each student has a habit of commenting and one of backtracking; a title fixes the programs otherwise. A fake model
that draws from the right student's habits knows the students; one that draws from another student's doesn't.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import tomli_w

from factories import make_dataset, make_trace
from redraft.data.split import Split, SplitConfig, make_split
from redraft.data.store import Dataset, DatasetWriter, Origin
from redraft.data.trace import Pair, Trace

METRICS = ["comments_final", "functions_final", "attempts", "backtracking", "backtracking_t3", "small_del_count"]


@dataclass(frozen=True)
class Habit:
    comments: float
    detours: float


def habits(count: int, rng: np.random.Generator) -> dict[str, Habit]:
    return {f"s{i:02d}": Habit(rng.uniform(0, 5), rng.uniform(0, 1)) for i in range(count)}


def draw_trace(student: str, title: str, habit: Habit, rng: np.random.Generator) -> Trace:
    """Lines are added one by one; with the student's odds one is taken away again in between."""
    steps = 4 + int(title[-1], 36) % 3
    comments = [f"# note {rng.integers(5)}" for _ in range(rng.poisson(habit.comments))]
    lines = [f"fd {10 * i + len(title)}" for i in range(steps)]
    codes = []
    for i in range(1, steps + 1):
        codes.append("\n".join(lines[:i]))
        if rng.random() < habit.detours:
            codes.append("\n".join(lines[: i - 1]) or "pen red")
    codes.append("\n".join([*comments, *lines]))
    return make_trace(codes, student, title)


def final_only(trace: Trace) -> Trace:
    return replace(trace, states=trace.states[-1:])


def no_detours(trace: Trace) -> Trace:
    """What a model of synthetic traces would do: the same final program, reached without a detour."""
    final = trace.states[-1]
    lines = final.code.splitlines()
    steps = ["\n".join(lines[: i + 1]) for i in range(len(lines))]
    return replace(trace, states=tuple(replace(final, code=code) for code in steps))


def fake_samples(
    out: Path, pairs: Sequence[Pair], habit_of: Callable[[str], Habit], split: Split, rng: np.random.Generator,
    view: str, per_pair: int = 3, change: Callable[[Trace], Trace] = lambda trace: trace,
) -> Dataset:  # fmt: skip
    def traces() -> Iterator[Trace]:
        for pair in sorted(pairs):
            for sample in range(per_pair):
                drawn = change(draw_trace(pair.student, pair.title, habit_of(pair.student), rng))
                states = tuple(replace(state, language=None, mode=None) for state in drawn.states)
                yield replace(drawn, states=states, sample=sample, request=f"{pair.student}/{pair.title}",
                              ended=bool(rng.random() < 0.9), source=f"sample:{view}")  # fmt: skip

    provenance = {"view": view, "split": split.name, "split_hash": split.hash}
    with DatasetWriter(out, origin="model", provenance=provenance) as writer:
        writer.write_shard(0, traces())
        return writer.finish()


def make_run(
    folder: Path, *, students: int = 30, titles: int = 12, origin: Origin = "simulated", shuffled: bool = False,
    replicates: int = 600,
) -> Path:  # fmt: skip
    """A run with views trace (knows the students), last (another student's habits) and synthetic (no detours).

    With `shuffled`, the trace model draws from another student's habits, too.
    """
    rng = np.random.default_rng(7)
    true = habits(students, rng)
    names = sorted(true)
    other = dict(zip(names, [*names[1:], names[0]], strict=True))
    title_names = [f"title{i:x}" for i in range(titles)]
    dataset = make_dataset(
        folder / "class",
        [draw_trace(s, t, true[s], rng) for s in names for t in title_names if rng.random() < 0.9], origin,
    )  # fmt: skip
    split = make_split(dataset, SplitConfig(held_students=0.2, held_titles=0.2, train_share=0.6, seed=3))
    pairs = [pair for pair, place in split.of.items() if "seen" in place]
    run = folder / "run"
    run.mkdir()
    (run / "run.toml").write_text(
        tomli_w.dumps({
            "dataset": "../class", "split": "default", "views": ["trace", "last", "synthetic"], "seed": 1,
            "behaviour": {"replicates": replicates, "metrics": METRICS}, "sample": {"per_pair": 3},
        })
    )  # fmt: skip

    def right(student: str) -> Habit:
        return true[student]

    def wrong(student: str) -> Habit:
        return true[other[student]]

    fake_samples(run / "samples/trace", pairs, wrong if shuffled else right, split, rng, "trace")
    fake_samples(run / "samples/last", pairs, wrong, split, rng, "last", change=final_only)
    seen = [pair for pair in pairs if split.of[pair].startswith("seen")]
    fake_samples(run / "samples/trace@other-student", seen, wrong, split, rng, "trace")
    fake_samples(run / "samples/synthetic", pairs, right, split, rng, "synthetic", change=no_detours)
    return run
