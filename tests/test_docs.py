"""The docs say what the code is: commands, settings, metrics, the README's tree and links."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
import tomllib
from dataclasses import fields, is_dataclass
from pathlib import Path

import pytest

import redraft
from redraft.cli import app
from redraft.cli.reference import commands, help_text, page

ROOT = Path(__file__).parents[1]
COMMANDS = [words for words, command in commands(app) if command.default_command is not None]


def _modules() -> list[str]:
    return [m.name for m in pkgutil.walk_packages(redraft.__path__, "redraft.") if not m.name.endswith("__main__")]


def _tracked(pattern: str) -> list[Path]:
    listed = subprocess.run(["git", "ls-files", pattern], cwd=ROOT, check=True, capture_output=True, text=True)
    return [ROOT / line for line in listed.stdout.splitlines() if (ROOT / line).exists()]


def test_the_reference_of_commands_is_current() -> None:
    assert (ROOT / "docs/cli.md").read_text() == page(), "run `make docs`"


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_has_a_help_with_an_example(words: tuple[str, ...]) -> None:
    text = help_text(words)
    assert f"redraft {' '.join(words)} " in text.split("Usage:", 1)[1].split("\n", 1)[1], "no example"


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_option_is_explained(words: tuple[str, ...]) -> None:
    command = app
    for word in words:
        command = command[word]
    arguments = command.assemble_argument_collection(parse_docstring=True)
    assert not [a.name for a in arguments if a.parse and a.show and not a.parameter.help]


def test_every_field_of_every_config_is_documented() -> None:
    missing = []
    for name in _modules():
        for cls_name, cls in inspect.getmembers(importlib.import_module(name), inspect.isclass):
            if cls.__module__ == name and is_dataclass(cls) and cls_name.endswith(("Config", "Result", "Manifest")):
                missing += [f"{name}.{cls_name}.{f}" for f in _undocumented_fields(cls)]
    assert not missing


def _undocumented_fields(cls: type) -> list[str]:
    body = ast.parse(inspect.getsource(cls).lstrip()).body[0]
    assert isinstance(body, ast.ClassDef)
    documented = {
        node.target.id
        for node, after in zip(body.body, body.body[1:], strict=False)
        if isinstance(node, ast.AnnAssign)
        and isinstance(node.target, ast.Name)
        and isinstance(after, ast.Expr)
        and isinstance(after.value, ast.Constant)
    }
    return [field.name for field in fields(cls) if field.name not in documented]


def test_every_module_and_public_name_is_documented() -> None:
    assert not [name for name in _modules() if not importlib.import_module(name).__doc__]
    undocumented = [name for name in redraft.__all__ if not getattr(redraft, name).__doc__]
    assert not undocumented


def test_importing_redraft_or_its_help_loads_no_torch() -> None:
    code = (
        "import sys, redraft, redraft.cli\n"
        "try: redraft.cli.main(['--help'])\n"
        "except SystemExit: pass\n"
        "assert 'torch' not in sys.modules and 'duckdb' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_the_readmes_tree_names_every_source_file_and_no_other() -> None:
    text = re.search(r"```text\n(src/redraft/\n.*?)```", (ROOT / "README.md").read_text(), re.S)
    assert text, "README has no annotated tree"
    named = _tree(text[1])
    twice = {path for path in named if named.count(path) > 1}
    source = [path.relative_to(ROOT).as_posix() for path in _tracked("src/redraft/**") if path.suffix == ".py"]
    assert not twice
    assert {path for path in named if path.endswith(".py")} == {p for p in source if not p.endswith("__init__.py")}
    assert not [path for path in named if not (ROOT / path).exists()]


def _tree(text: str) -> list[str]:
    """The paths of an indented tree, in its order.

    A line names files and folders, two spaces apart, and says what they are after three spaces or more. What follows
    a folder on its line, or is indented deeper below it, lies in it.
    """
    paths: list[str] = []
    open_folders: list[tuple[int, str]] = []
    for line in text.splitlines():
        indent = len(line) - len(line.lstrip())
        while open_folders and open_folders[-1][0] >= indent:
            open_folders.pop()
        for name in re.split(r" {3,}", line.strip())[0].split():
            path = (open_folders[-1][1] if open_folders else "") + name
            paths.append(path)
            if name.endswith("/"):
                open_folders.append((indent, path))
    return paths


def test_links_in_the_docs_lead_somewhere() -> None:
    broken = []
    for file in _tracked("*.md"):
        for link in re.findall(r"\]\((?!https?:|mailto:)([^)\s]+)", _prose(file)):
            target, _, anchor = link.partition("#")
            path = file.parent / target if target else file
            if not path.exists() or (anchor and anchor not in _anchors(path)):
                broken.append(f"{file.relative_to(ROOT)}: {link}")
    assert not broken


def test_every_page_has_a_place_on_the_site() -> None:
    config = tomllib.loads((ROOT / "zensical.toml").read_text())
    places = set(re.findall(r"'([^']+\.md)'", str(config["project"]["nav"])))
    missing = {path.relative_to(ROOT / "docs").as_posix() for path in _tracked("docs/*.md")} - places
    assert not [page for page in missing if page.count("/") == 0 or page.endswith("README.md")]


def _prose(file: Path) -> str:
    """The text of a Markdown file without its blocks of code."""
    return re.sub(r"^```.*?^```", "", file.read_text(), flags=re.S | re.M)


def _anchors(file: Path) -> set[str]:
    """What a heading is called in a link: lower case, no punctuation, hyphens for spaces."""
    headings = re.findall(r"^#+ +(.+?) *$", _prose(file), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_no_download_addresses_in_any_file() -> None:
    hosts = "|".join(("pypi[.]" + "org", "python" + "hosted", "npmjs[.]" + "org", "pytorch[.]" + "org/whl"))
    assert not [str(path) for path in _tracked("*") if re.search(hosts, path.read_text(errors="replace"))]
