"""The runtime's JavaScript, as the engines load it, and whether it is of the sources that stand beside it.

In: `runtime/dist/`, with `NAME.js` for every name in `ENTRIES` and `manifest.json` with the hash of the sources they
were made from. Out: a bundle's path or text. Nothing is built here: the build (`hatch_build.py`) makes the bundles, and
the package comes with them. Where the sources are beside them, in a checkout, bundles of other sources are refused.
The build imports this file, so it uses the standard library alone.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from redraft.errors import RedraftError

RUNTIME = Path(__file__).parent / "runtime"
ENTRIES = {"runtime": "host.js", "compiler": "compiler.js", "page": "chromium/page.js"}
"""Bundle -> the file of src/ it begins with."""
MANIFEST = "manifest.json"
PACKAGE_FILES = ("package.json", "package-lock.json", ".npmrc")
"""What says which of npm's packages the build needs."""


class BundleError(RedraftError):
    """The runtime's bundles are missing, are of other sources, or can't be built."""


def bundle_path(name: str, *, folder: Path = RUNTIME) -> Path:
    """The bundle called `name`.

    Raises:
        BundleError: It is missing, or the sources beside it are not those it was made from.
    """
    if problem := problem_with(folder):
        raise BundleError(problem, where=folder / "dist", remedy=_remedy(folder))
    return folder / "dist" / f"{name}.js"


def bundle_text(name: str, *, folder: Path = RUNTIME) -> str:
    """The text of the bundle called `name`; raises as `bundle_path` does."""
    return bundle_path(name, folder=folder).read_text(encoding="utf-8")


def problem_with(folder: Path = RUNTIME) -> str | None:
    """What keeps the bundles of a runtime's folder from being used, in words; None: nothing."""
    dist = folder / "dist"
    try:
        manifest: dict[str, Any] = json.loads((dist / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return "the JavaScript that runs programs isn't built."
    if missing := [name for name in ENTRIES if not (dist / f"{name}.js").exists()]:
        return f"the JavaScript that runs programs is incomplete: {', '.join(missing)} missing."
    if source_hash(folder) not in (None, manifest.get("sources")):
        return "the JavaScript that runs programs was built from other sources than those beside it."
    return None


def source_hash(folder: Path = RUNTIME) -> str | None:
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
