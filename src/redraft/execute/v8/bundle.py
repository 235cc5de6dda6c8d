"""A runtime's JavaScript, as the engines load it, and whether it is of the sources that stand beside it.

In: a runtime's `dist/`, with `NAME.js` for every bundle, perhaps other files, and `manifest.json` with the hash of the
sources they were made from. Out: a bundle's path or text. Nothing is built here: the build (`hatch_build.py`) makes the
bundles, and the package comes with them. Where the sources are beside them, in a checkout, bundles of other sources are
refused. The build imports this file, so it uses the standard library alone.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from redraft.errors import RedraftError


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """What is built in one folder."""

    folder: Path
    entries: Mapping[str, str]
    """Bundle -> the file of src/ it is made from."""
    others: tuple[str, ...] = ()
    """Files that stand in dist/ beside the bundles."""

    @property
    def files(self) -> tuple[str, ...]:
        """All that belongs in dist/, but for the manifest."""
        return (*(f"{name}.js" for name in self.entries), *self.others)


EXECUTE = Path(__file__).parents[1]
PENCIL_CODE = Runtime(
    folder=EXECUTE / "v8" / "runtime",
    entries={"runtime": "host.js", "compiler": "compiler.js", "page": "chromium/page.js"},
)
"""Pencil Code's turtle, headless."""
PYTHON = Runtime(
    folder=EXECUTE / "python" / "runtime", entries={"pyodide": "host.js"},
    others=("pyodide.wasm", "stdlib.zip", "NOTICE.txt"),
)  # fmt: skip
"""CPython in WebAssembly (Pyodide)."""
RUNTIMES = (PENCIL_CODE, PYTHON)
MANIFEST = "manifest.json"
PACKAGE_FILES = ("package.json", "package-lock.json", ".npmrc")
"""What says which of npm's packages the build needs."""


class BundleError(RedraftError):
    """The runtime's bundles are missing, are of other sources, or can't be built."""


def file_path(file: str, runtime: Runtime) -> Path:
    """A file of a runtime's `dist/`.

    Raises:
        BundleError: It is missing, or the sources beside it are not those it was made from.
    """
    if problem := problem_with(runtime):
        raise BundleError(problem, where=runtime.folder / "dist", remedy=_remedy(runtime.folder))
    return runtime.folder / "dist" / file


def bundle_path(name: str, runtime: Runtime = PENCIL_CODE) -> Path:
    """The bundle called `name`; raises as `file_path` does."""
    return file_path(f"{name}.js", runtime)


def bundle_text(name: str, runtime: Runtime = PENCIL_CODE) -> str:
    """The text of the bundle called `name`; raises as `file_path` does."""
    return bundle_path(name, runtime).read_text(encoding="utf-8")


def problem_with(runtime: Runtime = PENCIL_CODE) -> str | None:
    """What keeps a runtime's bundles from being used, in words; None: nothing."""
    dist = runtime.folder / "dist"
    try:
        manifest: dict[str, Any] = json.loads((dist / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return "the JavaScript that runs programs isn't built."
    if missing := [file for file in runtime.files if not (dist / file).exists()]:
        return f"the JavaScript that runs programs is incomplete: {', '.join(missing)} missing."
    if source_hash(runtime.folder) not in (None, manifest.get("sources")):
        return "the JavaScript that runs programs was built from other sources than those beside it."
    return None


def source_hash(folder: Path) -> str | None:
    """A hash of everything the bundles are built from; None if the sources aren't there."""
    if not (folder / "build.mjs").exists():
        return None
    files = [file for name in (*PACKAGE_FILES, "build.mjs") if (file := folder / name).exists()]
    digest = hashlib.sha256()
    for file in [*files, *sorted((folder / "src").rglob("*.js"))]:
        data = file.read_bytes()
        digest.update(f"{file.relative_to(folder).as_posix()}\0{len(data)}\0".encode() + data)
    return digest.hexdigest()


def _remedy(folder: Path) -> str:
    if source_hash(folder) is None:
        return "This installation is broken: reinstall redraft."
    return "Build it, in the checkout: `.venv/bin/python hatch_build.py` (`make` does that, too)."
