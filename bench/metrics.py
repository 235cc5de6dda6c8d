"""Metrics against a plain formulation on one core: `python bench/metrics.py [DATASET or rollouts]` (or a made-up class).

The plain formulation is the tests' (tests/support/released_oracle.py): the released code's definitions, with difflib and
Counters. Three ratios come out of one run: of the released definitions, which must give the same values; of Self-BLEU,
all final programs of the largest file against each other; and of the corrected definitions, on the same traces.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))
import released_oracle as plain
from redraft.data.ingest import IngestOptions, ingest
from redraft.data.sources.rollouts import Rollouts
from redraft.data.store import MANIFEST, Dataset, DatasetWriter, open_dataset
from redraft.data.trace import State, Trace
from redraft.metrics.measure import measure_traces
from redraft.metrics.released import bleu
from redraft.metrics.released.columns import RELEASED
from redraft.metrics.released.reading import write
from redraft.metrics.released.table import measure_texts
from redraft.metrics.released.texts import Text
from redraft.progress import hush

T = TypeVar("T")
WORDS = ("fd 100", "rt 90", "pen red", "pen blue, 5", "# next", "for [1..4]", "  lt 45", "f = (x) ->", "dot green, 20")
TRACES = 2000
"""So many traces are measured, spread over the dataset."""
PROGRAMS = 250
"""So many final programs of one source are compared with each other."""


def timed(work: Callable[[], T]) -> tuple[T, float]:
    """What `work` gives, and the processor's seconds it took."""
    started = time.process_time()
    return work(), time.process_time() - started


def made_class(folder: Path) -> Dataset:
    """Random drafts: 1 to 9 states of programs that grow by up to 6 lines and change in one."""
    rng, made = random.Random(0), []
    for number in range(TRACES):
        lines: list[str] = []
        states = []
        at = datetime(2020, 1, 1, tzinfo=UTC)
        for _ in range(rng.randint(1, 9)):
            for line in rng.choices(WORDS, k=rng.randint(1, 6)):
                lines.insert(rng.randint(0, len(lines)), line)
            lines[rng.randrange(len(lines))] += str(rng.randrange(10))
            at += timedelta(seconds=rng.randint(1, 600))
            states.append(State(code="\n".join(lines), at=at, language="coffeescript"))
        made.append(Trace(student=f"{number:06}", title="bench", states=tuple(states), source="bench"))
    with DatasetWriter(folder, origin="simulated", provenance={"bench": TRACES}) as writer:
        writer.write_shard(0, made)
        return writer.finish()


def given(path: Path, scratch: Path) -> Dataset:
    """A dataset, or rollouts made into one."""
    if (path / MANIFEST).exists():
        return open_dataset(path)
    (scratch / "ingest.key").touch(mode=0o600)
    (scratch / "ingest.key").write_bytes(bytes(32))  # nothing of it is kept
    return ingest(Rollouts(paths=[path]), scratch / "rollouts", IngestOptions(key=scratch / "ingest.key"))


def time_definitions(traces: list[Trace]) -> None:
    """Both definitions against the plain formulation of the released ones."""
    texts = [
        Text(trace.source, None, trace.student, trace.title, write(trace.states, ended=trace.ended)) for trace in traces
    ]
    measure_texts(texts[:5])  # compiles
    (table, _), released = timed(lambda: measure_texts(texts))
    rows, slow = timed(lambda: [plain.measure(text.text) for text in texts])
    assert table.select(RELEASED).to_pylist() == [row or dict.fromkeys(RELEASED) for row in rows], "not the same"
    _, corrected = timed(lambda: measure_traces(iter(traces), "coffeescript"))
    n = len(traces)
    print(f"{n:,} traces, {sum(len(trace.states) for trace in traces):,} states; plain: {n / slow:,.0f} traces/s")
    print(f"released definitions: {n / released:,.0f} traces/s; ratio: {slow / released:.1f} (at least 5)")
    print(f"corrected definitions: {n / corrected:,.0f} traces/s; ratio: {slow / corrected:.1f} (at least 1)")


def time_self_bleu(dataset: Dataset) -> None:
    """Self-BLEU of the source with the longest final programs."""
    finals: dict[str, list[list[str]]] = {}
    for trace in dataset.traces():
        if trace.final.code.split():
            finals.setdefault(trace.source, []).append(trace.final.code.split())
    texts = max((of[:PROGRAMS] for of in finals.values()), key=lambda of: sum(map(len, of)))
    groups = [0] * len(texts)
    found, fast = timed(lambda: [bleu.self_bleu(bleu.count(texts), groups) for _ in range(10)])
    expected, slow = timed(lambda: plain.self_bleu(texts))
    assert found[0] == [expected], "not the same"
    print(f"Self-BLEU of {len(texts)} programs, {sum(map(len, texts)):,} tokens: {fast / 10 * 1000:.1f} ms")
    print(f"plain, comparing each pair: {slow:.1f} s; ratio: {slow / fast * 10:,.0f} (at least 100)")


def main() -> None:
    hush()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        dataset = given(Path(sys.argv[1]), folder) if len(sys.argv) > 1 else made_class(folder / "class")
        time_definitions(list(dataset.traces())[:: max(1, len(dataset) // TRACES)])
        time_self_bleu(dataset)


if __name__ == "__main__":
    main()
