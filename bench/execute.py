"""Programs judged per second: `python bench/execute.py [FOLDER] [--programs 3000] [--workers 2] [--pages 40]`.

FOLDER holds released rollouts (without one, those supplied beside the project, or else a simulated class). A fixed random
draw of their distinct
programs is judged without a cache, the engine's start included. The same run also judges a few of them in Chromium,
with our own runtime as the page's script, and says how many times faster V8 is. Memory is that of the pool's
processes, copies included, as proportional set size, looked at twice per second.
"""

from __future__ import annotations

import argparse
import os
import random
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

from supplied import ROLLOUTS, rollouts

from redraft.execute.dataset import programs
from redraft.execute.engine import EngineOptions, execute, make_engine
from redraft.execute.verdict import Program


def draw(folder: Path, wanted: int) -> list[Program]:
    """A fixed random draw of the distinct programs."""
    with tempfile.TemporaryDirectory() as scratch:
        found = sorted(programs(rollouts(Path(scratch), folder=folder)), key=lambda program: program.id)
    return random.Random(0).sample(found, min(wanted, len(found)))


class Watch(threading.Thread):
    """The largest memory of this process's descendants, in MB."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak = 0.0
        self._stop_asked = threading.Event()

    def run(self) -> None:
        while not self._stop_asked.wait(0.5):
            self.peak = max(self.peak, sum(_proportional_mb(pid) for pid in descendants()))

    def end(self) -> float:
        self._stop_asked.set()
        self.join()
        return self.peak


def descendants() -> list[int]:
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (OSError, ValueError):
                continue
    found, pids = list[int](), [os.getpid()]
    while pids:
        pids = [pid for pid, parent in parents.items() if parent in pids]
        found += pids
    return found


def _proportional_mb(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1024 / 1e6


def rate(engine: str, given: list[Program], options: EngineOptions) -> tuple[float, float, Counter[str]]:
    """Programs per second, start included; peak memory in MB; verdicts."""
    watch = Watch()
    watch.start()
    started = time.perf_counter()
    with make_engine(engine, options) as made:
        verdicts = Counter(verdict.verdict for verdict in execute(given, made))
    seconds = time.perf_counter() - started
    return len(given) / seconds, watch.end(), verdicts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=ROLLOUTS)
    parser.add_argument("--programs", type=int, default=3000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--pages", type=int, default=40, help="programs for Chromium; 0: none")
    given = parser.parse_args()
    drawn = draw(given.folder, given.programs)
    fast, memory, verdicts = rate("v8", drawn, EngineOptions(workers=given.workers))
    said = ", ".join(f"{count} {name}" for name, count in verdicts.most_common())
    print(f"v8: {len(drawn)} programs, {fast:.0f} per second, pool's peak memory {memory:.0f} MB ({said})")
    if given.pages:
        slow, memory, _ = rate("chromium", drawn[: given.pages], EngineOptions(workers=given.workers, script="own"))
        print(f"chromium: {given.pages} programs, {slow:.2f} per second, peak memory {memory:.0f} MB")
        print(f"v8 is {fast / slow:.0f} times as fast")


if __name__ == "__main__":
    main()
