"""The runtime's bundles: made by the build when they must be, refused at run time when they are missing or stale."""

from __future__ import annotations

import json
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

import hatch_build
from redraft.execute.v8.bundle import ENTRIES, BundleError, bundle_path, bundle_text, problem_with


class Tools:
    """Node and npm in one, without either: npm makes node_modules, Node writes a bundle for every entry."""

    def __init__(self, says: str = "") -> None:
        self.asked: list[str] = []
        self.says = says

    def npm(self, arguments: list[str], *, cwd: Path, **rest: Any) -> CompletedProcess[str]:
        self.asked.append("npm")
        (cwd / "node_modules").mkdir(exist_ok=True)
        return CompletedProcess(arguments, 1 if self.says else 0, "", self.says)

    def node(self, arguments: list[str], **rest: Any) -> CompletedProcess[str]:
        self.asked.append("node")
        _, entries, packages, out = arguments
        assert Path(packages).is_dir()
        sources: dict[str, str] = json.loads(entries)
        for name, file in sources.items():
            (Path(out) / f"{name}.js").write_text(f"// {name} of {Path(file).read_text()}")
        return CompletedProcess(arguments, 0, "", "")


@pytest.fixture
def runtime(tmp_path: Path) -> Path:
    """A runtime's folder with sources, not built."""
    folder = tmp_path / "runtime"
    (folder / "src").mkdir(parents=True)
    for file in ENTRIES.values():
        (folder / "src" / file).write_text(file)
    for name in ("package.json", "package-lock.json", "build.mjs"):
        (folder / name).write_text("{}")
    return folder


def built(folder: Path, tools: Tools | None = None) -> list[str]:
    """Build; which tools were asked."""
    tools = tools or Tools()
    hatch_build.build(folder, tools.node, tools.npm)
    return tools.asked


def test_bundles_are_built_from_the_sources_that_are_there(runtime: Path) -> None:
    assert built(runtime) == ["npm", "node"]
    assert bundle_text("page", folder=runtime) == "// page of page.js"
    assert not hatch_build.ensure(runtime), "what is current is not built again"


def test_packages_are_installed_again_only_when_the_lock_file_changed(runtime: Path) -> None:
    built(runtime)
    assert built(runtime) == ["node"]
    (runtime / "package-lock.json").write_text('{"packages": {}}')
    assert built(runtime) == ["npm", "node"]


def test_missing_bundles_are_an_error_with_a_remedy(runtime: Path) -> None:
    with pytest.raises(BundleError, match=r"isn't built.*hatch_build\.py"):
        bundle_path("runtime", folder=runtime)
    built(runtime)
    (runtime / "dist" / "compiler.js").unlink()
    with pytest.raises(BundleError, match=r"incomplete: compiler missing.*hatch_build\.py"):
        bundle_path("runtime", folder=runtime)


@pytest.mark.parametrize("changed", ["src/host.js", "build.mjs", "package-lock.json"])
def test_bundles_of_other_sources_are_refused_until_built_again(runtime: Path, changed: str) -> None:
    built(runtime)
    (runtime / changed).write_text('{"x": 1}')
    with pytest.raises(BundleError, match=r"other sources.*hatch_build\.py"):
        bundle_path("runtime", folder=runtime)
    built(runtime)
    assert bundle_path("runtime", folder=runtime).exists()


def test_an_installation_has_bundles_and_no_sources(runtime: Path, tmp_path: Path) -> None:
    built(runtime)
    installed = tmp_path / "installed"
    installed.mkdir()
    (runtime / "dist").rename(installed / "dist")
    assert bundle_text("runtime", folder=installed) == "// runtime of host.js"
    (installed / "dist" / "page.js").unlink()
    with pytest.raises(BundleError, match="reinstall"):
        bundle_path("page", folder=installed)


def test_what_npm_says_is_told_and_the_old_bundles_stay(runtime: Path) -> None:
    built(runtime)
    (runtime / "package.json").write_text('{"x": 1}')
    with pytest.raises(BundleError, match="error: no network"):
        built(runtime, Tools(says="npm\nnpm error: no network\n"))
    assert (runtime / "dist" / "page.js").exists()
    assert problem_with(runtime), "they are of other sources, though"
