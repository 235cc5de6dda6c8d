"""Python programs judged per second: `python bench/execute_python.py [--programs 1000] [--workers 2] [--endless 0]`.

A fixed random draw of the distinct programs supplied beside the project (newcaledonia; without them, small programs made
here) is judged without a cache, the engine's start included. `--endless` of them are replaced by programs that never end,
each of which takes all the processor time that a program may use. Processor time is told beside the rate, as the latter
says little on a busy machine. Memory is that of the pool's processes, copies included, as proportional set size.
"""

from __future__ import annotations

import argparse
import csv
import os
import random
import time
from contextlib import suppress
from pathlib import Path

from execute import Watch, descendants
from supplied import ROLLOUTS

from redraft.execute.engine import EngineOptions, execute, make_engine
from redraft.execute.verdict import Program

SUPPLIED = ROLLOUTS.parent / "newcaledonia" / "attempts.csv"


def draw(wanted: int) -> list[Program]:
    """A fixed random draw of the distinct programs."""
    if SUPPLIED.exists():
        with SUPPLIED.open(encoding="utf-8", newline="") as file:
            codes = sorted({row["code"] for row in csv.DictReader(file)})
    else:
        print(f"nothing at {SUPPLIED}: programs made here stand in, and numbers compare with no others")
        codes = [f"def times(n):\n    return n * {n}\nprint(sum(times(i) for i in range({n})))" for n in range(wanted)]
    drawn = random.Random(0).sample(codes, min(wanted, len(codes)))
    return [Program(id=str(number), code=code, language="python") for number, code in enumerate(drawn)]


def processor_seconds() -> float:
    """What the pool's processes used until now, with those of their copies that have ended."""
    total = 0
    for pid in descendants():
        with suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            total += sum(map(int, fields[11:15]))
    return total / os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--endless", type=int, default=0)
    given = parser.parse_args()
    programs = draw(given.programs)
    step = len(programs) // max(given.endless, 1)
    for number in range(given.endless):
        programs[number * step] = Program(id=f"endless {number}", code=f"while True: {number}", language="python")
    watch = Watch()
    watch.start()
    started, first, counts = time.perf_counter(), 0.0, dict[str, int]()
    with make_engine("python", EngineOptions(workers=given.workers)) as made:
        for verdict in execute(programs, made):
            first = first or time.perf_counter() - started
            counts[verdict.verdict] = counts.get(verdict.verdict, 0) + 1
        used = processor_seconds()
    seconds = time.perf_counter() - started  # the end included, too
    said = ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
    print(
        f"python: {len(programs)} programs, {len(programs) / seconds:.0f} per second, {first:.1f} s to the first verdict"
    )
    print(f"{used:.1f} s of processor time, the start included: {1000 * used / len(programs):.0f} ms per program")
    print(f"pool's peak memory {watch.end():.0f} MB ({said})")


if __name__ == "__main__":
    main()
