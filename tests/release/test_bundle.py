"""The runtime's bundles: made by the build when they must be, refused at run time when they are missing or stale."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

import hatch_build
from redraft.execute.v8.bundle import PENCIL_CODE, BundleError, Runtime, bundle_path, bundle_text, problem_with


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
def runtime(tmp_path: Path) -> Runtime:
    """A runtime with sources, not built."""
    folder = tmp_path / "runtime"
    (folder / "src").mkdir(parents=True)
    for file in PENCIL_CODE.entries.values():
        (folder / "src" / file).parent.mkdir(exist_ok=True)
        (folder / "src" / file).write_text(file)
    for name in ("package.json", "package-lock.json", "build.mjs"):
        (folder / name).write_text("{}")
    return replace(PENCIL_CODE, folder=folder)


def built(runtime: Runtime, tools: Tools | None = None) -> list[str]:
    """Build; which tools were asked."""
    tools = tools or Tools()
    hatch_build.build(runtime, tools.node, tools.npm)
    return tools.asked


def test_bundles_are_built_from_the_sources_that_are_there(runtime: Runtime) -> None:
    assert built(runtime) == ["npm", "node"]
    assert bundle_text("page", runtime=runtime) == "// page of chromium/page.js"
    assert not hatch_build.ensure(runtime), "what is current is not built again"


def test_packages_are_installed_again_only_when_the_lock_file_changed(runtime: Runtime) -> None:
    built(runtime)
    assert built(runtime) == ["node"]
    (runtime.folder / "package-lock.json").write_text('{"packages": {}}')
    assert built(runtime) == ["npm", "node"]


def test_missing_bundles_are_an_error_with_a_remedy(runtime: Runtime) -> None:
    with pytest.raises(BundleError, match=r"isn't built.*hatch_build\.py"):
        bundle_path("runtime", runtime=runtime)
    built(runtime)
    (runtime.folder / "dist" / "compiler.js").unlink()
    with pytest.raises(BundleError, match=r"incomplete: compiler.js missing.*hatch_build\.py"):
        bundle_path("runtime", runtime=runtime)


@pytest.mark.parametrize("changed", ["src/host.js", "build.mjs", "package-lock.json"])
def test_bundles_of_other_sources_are_refused_until_built_again(runtime: Runtime, changed: str) -> None:
    built(runtime)
    (runtime.folder / changed).write_text('{"x": 1}')
    with pytest.raises(BundleError, match=r"other sources.*hatch_build\.py"):
        bundle_path("runtime", runtime=runtime)
    built(runtime)
    assert bundle_path("runtime", runtime=runtime).exists()


def test_an_installation_has_bundles_and_no_sources(runtime: Runtime, tmp_path: Path) -> None:
    built(runtime)
    installed = tmp_path / "installed"
    installed.mkdir()
    (runtime.folder / "dist").rename(installed / "dist")
    assert bundle_text("runtime", replace(runtime, folder=installed)) == "// runtime of host.js"
    (installed / "dist" / "page.js").unlink()
    with pytest.raises(BundleError, match="reinstall"):
        bundle_path("page", replace(runtime, folder=installed))


def test_what_npm_says_is_told_and_the_old_bundles_stay(runtime: Runtime) -> None:
    built(runtime)
    (runtime.folder / "package.json").write_text('{"x": 1}')
    with pytest.raises(BundleError, match="error: no network"):
        built(runtime, Tools(says="npm\nnpm error: no network\n"))
    assert (runtime.folder / "dist" / "page.js").exists()
    assert problem_with(runtime), "they are of other sources, though"
