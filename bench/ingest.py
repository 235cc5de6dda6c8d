"""How fast is ingest, beside a plain Python loop over the same lines? And does a large log stay in memory?

Run `python bench/ingest.py`: both read the same plain log in one run; the loop only parses (split, unquote,
strptime), the ingest also hashes, sorts, collapses and writes a dataset. `--large [GB]` ingests a log of that size
(5 by default) with `--memory 512MB` instead and watches the process tree's memory.
"""

from __future__ import annotations

import argparse
import gzip
import random
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import quote, unquote

import psutil

SHARED = Path(__file__).parents[2] / "shared" / "data" / "logs"
SIZE = 300_000_000
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


def plain(file: Path) -> float:
    """Seconds a plain loop takes to parse the file's lines."""
    start = time.perf_counter()
    for line in file.read_text(encoding="utf-8", errors="replace").split("\n"):
        fields = line.split(" ")
        if len(fields) < 9:
            continue
        datetime.strptime(f"{fields[3]} {fields[4]}", "[%d/%b/%Y:%H:%M:%S %z]")
        path, _, query = fields[6].partition("?")
        unquote(path).rsplit("/", 1)[-1].lower()
        for word in query.split("&"):
            if word.startswith("code="):
                unquote(word[5:].replace("|", "\n").replace("+", " "))
    return time.perf_counter() - start


def ingest(file: Path, folder: Path, memory: str) -> tuple[float, int]:
    """Seconds a whole `redraft ingest` takes, start-up included, and the peak memory of its process tree in bytes."""
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
    parser.add_argument(
        "--large", type=float, nargs="?", const=5.0, metavar="GB", help="watch the memory on a large log"
    )
    large = parser.parse_args().large
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file = folder / "access.log"
        if large is None:
            write_log(file, SIZE)
            megabytes = file.stat().st_size / 1e6
            slow = plain(file)
            fast, peak = ingest(file, folder, "2GB")
            print(f"plain loop, parse only: {megabytes / slow:6.1f} MB/s")
            print(
                f"redraft ingest, whole:  {megabytes / fast:6.1f} MB/s ({peak / 1e6:.0f} MB of memory at --memory 2GB)"
            )
            print(f"ratio: {slow / fast:.1f} (at least 5)")
        else:
            write_log(file, round(large * 1e9))
            seconds, peak = ingest(file, folder, "512MB")
            size = file.stat().st_size
            print(
                f"{size / 1e9:.1f} GB at --memory 512MB: {size / 1e6 / seconds:.0f} MB/s, peak {peak / 1e6:.0f} MB (under 1000)"
            )


if __name__ == "__main__":
    main()
