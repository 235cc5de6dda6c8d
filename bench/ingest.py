"""How fast is ingest, beside a plain Python loop over the same lines? And does a large log stay in memory?

Run `python bench/ingest.py [--size GB]`: the loop only parses (split, unquote, strptime), and only the first part of
a plain log; the ingest starts up, hashes, sorts, collapses and writes a dataset of all of it. They take turns in one
run, and the middle ratio counts. `--large [GB]` ingests a log of that size (5 by default) with `--memory 512MB`
instead and watches the process tree's memory.
"""

from __future__ import annotations

import argparse
import gzip
import random
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import quote, unquote

import psutil

SHARED = Path(__file__).parents[2] / "shared" / "data" / "logs"
SIZE = 1.0
"""GB."""
PART = 100_000_000
"""Bytes that the loop reads."""
TURNS = 3
WORDS = [
    "fd 100",
    "rt 90",
    "pen red, 5",
    "for [1..4]",
    "  dot blue, 20",
    "x = 'a+b'",
    'write "hi"',
    "speed Infinity",
    "# star",
    "box random(color)",
]


def lines() -> list[bytes]:
    """Log lines: the supplied ones if there are any, else made-up ones."""
    found: list[bytes] = []
    if SHARED.exists():
        for file in sorted(SHARED.glob("*.gz")):
            found += gzip.decompress(file.read_bytes()).splitlines(keepends=True)
    else:
        rng, at = random.Random(0), datetime(2020, 1, 1)
        while len(found) < 40_000:
            at += timedelta(seconds=rng.randrange(60))
            code = quote("|".join(rng.choices(WORDS, k=rng.randrange(1, 40))), safe="|,'()!*").replace("%20", "+")
            student, title = rng.randrange(2000), rng.choice(["star", "house", "maze"])
            found.append(
                f"10.0.0.1 owner{student} uid={student:032X} [{at:%d/%b/%Y:%H:%M:%S} +0000] "
                f'"GET /log/{title}?run&mode=t&lang=cs&code={code} HTTP/1.1" 200 0 "https://x/" "Mozilla/5.0"\n'.encode()
            )
    return found


def write_log(file: Path, size: int) -> None:
    """The lines over and over up to about `size` bytes, each time of other students."""
    part = b"".join(lines())
    with file.open("wb") as out:
        for number in range(max(1, round(size / len(part)))):
            out.write(part.replace(b" uid=", f"{number:x} uid=".encode()))


def plain(file: Path) -> tuple[float, int]:
    """Seconds a plain loop takes to parse the file's first lines, and their bytes."""
    start = time.perf_counter()
    with file.open("rb") as log:
        text = log.read(PART)
    for line in text.decode(errors="replace").split("\n"):
        fields = line.split(" ")
        if len(fields) < 9:
            continue
        try:
            datetime.strptime(f"{fields[3]} {fields[4]}", "[%d/%b/%Y:%H:%M:%S %z]")
        except ValueError:
            continue
        path, _, query = fields[6].partition("?")
        unquote(path).rsplit("/", 1)[-1].lower()
        for word in query.split("&"):
            if word.startswith("code="):
                unquote(word[5:].replace("|", "\n").replace("+", " "))
    return time.perf_counter() - start, len(text)


def ingest(file: Path, folder: Path, memory: str) -> tuple[float, int]:
    """Seconds a whole `redraft ingest` takes, start-up included, and the peak memory of its process tree in bytes."""
    (folder / "key").touch(mode=0o600)
    (folder / "key").write_bytes(b"0123456789abcdef")
    code = "from redraft.cli import main; main()"
    command = [sys.executable, "-c", code, "ingest", "pencilcode", str(file), "--out", str(folder / "dataset"),
               "--key", str(folder / "key"), "--memory", memory, "--origin", "model"]  # fmt: skip
    start, peak = time.perf_counter(), 0
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    watched = psutil.Process(process.pid)
    while process.poll() is None:
        try:
            peak = max(peak, sum(p.memory_info().rss for p in (watched, *watched.children(recursive=True))))
        except psutil.Error:
            break
        time.sleep(0.05)
    if process.wait():
        raise SystemExit("ingest failed")
    return time.perf_counter() - start, peak


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=float, default=SIZE, metavar="GB", help="of the log (default: %(default)s)")
    parser.add_argument("--large", type=float, nargs="?", const=5.0, metavar="GB", help="watch a large log's memory")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file = folder / "access.log"
        if arguments.large is None:
            write_log(file, round(arguments.size * 1e9))
            size = file.stat().st_size
            ratios = []
            for turn in range(TURNS):
                seconds, read = plain(file)
                slow = read / 1e6 / seconds
                (folder / str(turn)).mkdir()
                seconds, peak = ingest(file, folder / str(turn), "2GB")
                fast = size / 1e6 / seconds
                ratios.append(fast / slow)
                memory = f"{peak / 1e6:.0f} MB of memory"
                print(
                    f"plain loop {slow:5.1f} MB/s, ingest of {size / 1e9:.1f} GB {fast:5.1f} MB/s ({memory})",
                    flush=True,
                )
            print(f"ratio: {statistics.median(ratios):.1f} (at least 5)")
        else:
            write_log(file, round(arguments.large * 1e9))
            seconds, peak = ingest(file, folder, "512MB")
            size = file.stat().st_size
            speed = f"{size / 1e6 / seconds:.0f} MB/s, peak {peak / 1e6:.0f} MB (under 1000)"
            print(f"{size / 1e9:.1f} GB at --memory 512MB: {speed}")


if __name__ == "__main__":
    main()
