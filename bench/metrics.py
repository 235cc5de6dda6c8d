"""Metrics, in traces a second on one core: `python bench/metrics.py [DATASET]` (without one, a made-up class).

Beside it, as a yardstick from the same run, the time to read the same traces without measuring anything.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from pathlib import Path

from redraft.data.store import Dataset, DatasetWriter, open_dataset
from redraft.data.trace import State, Trace
from redraft.metrics.measure import measure
from redraft.metrics.pairs import compare

WORDS = ("fd 100", "rt 90", "pen red", "pen blue, 5", "# next", "for [1..4]", "  lt 45", "f = (x) ->", "dot green, 20")


def make_class(folder: Path, traces: int = 4000) -> Dataset:
    """Random drafts: 1 to 9 states of programs that grow by up to 6 lines."""
    rng, made = random.Random(0), []
    for number in range(traces):
        lines: list[str] = []
        states = []
        for _ in range(rng.randint(1, 9)):
            lines = lines + rng.choices(WORDS, k=rng.randint(1, 6))
            rng.shuffle(lines)
            states.append(State(code="\n".join(lines), language="coffeescript"))
        made.append(Trace(student=f"{number:06}", title="bench", states=tuple(states), source="bench"))
    with DatasetWriter(folder, origin="simulated", provenance={"bench": traces}) as writer:
        writer.write_shard(0, made)
        return writer.finish()


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        dataset = open_dataset(sys.argv[1]) if len(sys.argv) > 1 else make_class(Path(scratch) / "class")
        started = time.process_time()
        states = sum(len(trace.states) for trace in dataset.traces())
        reading = time.process_time() - started
        started = time.process_time()
        table = measure(dataset, language="coffeescript")
        measuring = time.process_time() - started
        started = time.process_time()
        compare(table, dataset, table, dataset)
        comparing = time.process_time() - started
        n = len(dataset)
        print(f"{n} traces, {states} states")
        print(f"measure: {n / measuring:,.0f} traces/s, {measuring / reading:.1f} times the time to read them")
        print(f"compare: {n / comparing:,.0f} traces/s")


if __name__ == "__main__":
    main()
