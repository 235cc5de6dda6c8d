"""Log formats stand in one list: what reads it knows a new one without another edit."""

from __future__ import annotations

import inspect
import subprocess
import sys
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

import redraft
from places import ROOT
from redraft.cli.ingest import command_of
from redraft.data.sources.registry import SOURCES, source_class
from redraft.data.store import open_dataset

DIARY = '''
"""Diaries: a text file per student, a line per draft."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa

from redraft.data.duck import Workspace
from redraft.data.sources.reading import expand
from redraft.data.sources.states import RAW_STATES, REJECTED, Part, Piece
from redraft.data.store import Origin


@dataclass(frozen=True, kw_only=True)
class Diary:
    """Read diaries: a text file per student, a line per draft.

    Example: redraft ingest diary class/ --out diary.dataset --title house
    """

    paths: Sequence[Path]
    """Diaries, and folders of them."""
    title: str
    """What all drafts are of."""
    skip: Sequence[str] = ("TODO", "DONE")
    """Lines that are no drafts, separated by commas."""

    name = "diary"
    origin: ClassVar[Origin] = "students"
    whole_drafts = False
    formless = frozenset({"not_utf8"})

    def inputs(self) -> Sequence[Path]:
        return expand(self.paths)

    def options(self) -> Mapping[str, Any]:
        return {"title": self.title, "skip": sorted(self.skip)}

    def warm_up(self) -> None: ...

    def label(self, file: Path) -> str:
        return self.name

    def pieces(self, number: int, file: Path, work: Workspace) -> Iterator[Piece]:
        yield Piece(file.stat().st_size, lambda: self._part(number, file))

    def _part(self, number: int, file: Path) -> Part:
        drafts = [(row, line) for row, line in enumerate(file.read_text().splitlines(), 1) if line not in self.skip]
        given = {
            "file": number, "student": file.stem, "title": self.title, "trace": 0, "rank": 0, "tie": 0,
            "truncated": False, "ended": True,
        }
        rows = [given | {"row": row, "code": line} for row, line in drafts]
        return Part(pa.Table.from_pylist(rows, RAW_STATES), REJECTED.empty_table())
'''
RUN = """
import sys
from redraft.data.sources.registry import SOURCES
SOURCES["diary"] = "diary:Diary"  # the one line
from redraft.cli import main
import redraft
assert redraft.Diary.name == "diary"
main(sys.argv[1:])
"""


def test_a_format_of_one_file_and_one_line_is_a_command(tmp_path: Path) -> None:
    (tmp_path / "diary.py").write_text(DIARY)
    (tmp_path / "class").mkdir()
    (tmp_path / "class" / "ann.txt").write_text("fd 1\nTODO\nfd 2\nfd\n")
    (tmp_path / "class" / "bob.txt").write_text("DONE\nrt 90\n")

    def run(*arguments: str) -> str:
        paths = [str(tmp_path), str(ROOT / "src")]
        script = f"import sys; sys.path[:0] = {paths!r}\n{RUN}"
        done = subprocess.run(
            [sys.executable, "-c", script, "ingest", *arguments], cwd=tmp_path, capture_output=True, text=True,
            env={"XDG_CONFIG_HOME": str(tmp_path), "PATH": "", "COLUMNS": "100"},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "Read diaries: a text file per student" in run("--help")
    text = " ".join(run("diary", "--help").replace("│", " ").split())
    assert "Example: redraft ingest diary class/ --out diary.dataset --title house" in text
    assert "What all drafts are of. [required]" in text
    assert "[default: TODO,DONE]" in text
    run("diary", "class", "--out", "d", "--title", "house", "--skip", "TODO, fd 2")
    traces = list(open_dataset(tmp_path / "d").traces())
    assert sorted([state.code for state in trace.states] for trace in traces) == [["DONE", "rt 90"], ["fd 1", "fd"]]
    assert {trace.title for trace in traces} == {"house"}


@pytest.mark.parametrize("name", SOURCES)
def test_a_source_is_what_its_command_and_the_public_api_need(name: str) -> None:
    source: Any = source_class(name)
    assert source.name == name
    assert getattr(redraft, source.__name__) is source
    assert source.__name__ in redraft.__all__
    assert f"Example: redraft ingest {name} " in (inspect.getdoc(source) or "")
    arguments = inspect.signature(command_of(source)).parameters
    read, *options = (field.name for field in fields(source))
    assert list(arguments) == [read, "out", *options, "options"]


def test_formats_do_not_know_each_other() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (apart,) = (
        contract["modules"] for contract in contracts if contract["name"] == "Log formats do not know each other"
    )
    assert sorted(apart) == sorted(target.partition(":")[0] for target in SOURCES.values())


def test_the_readme_names_every_format() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (line,) = (line for line in text.splitlines() if line.startswith("redraft ingest "))
    assert all(name in line for name in SOURCES)
