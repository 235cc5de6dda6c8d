"""Files that are whole or absent, temporary names, and what is swept."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from redraft import rundir
from redraft.errors import DatasetError
from redraft.rundir import files


def test_an_error_inside_leaves_the_old_file(tmp_path: Path) -> None:
    file = tmp_path / "f"
    rundir.write_text(file, "old")

    def fail() -> None:
        with rundir.atomic_file(file) as temporary:
            temporary.write_text("half")
            raise ValueError

    with pytest.raises(ValueError):
        fail()
    assert file.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


def test_killed_while_writing_leaves_the_old_file(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_text("old")
    script = textwrap.dedent(f"""
        import os, signal
        from pathlib import Path
        from redraft.rundir import atomic_file
        with atomic_file(Path({str(file)!r})) as temporary:
            temporary.write_text("half")
            os.kill(os.getpid(), signal.SIGKILL)
    """)
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == -signal.SIGKILL
    assert file.read_text() == "old"


def test_a_folder_is_published_whole_or_not_at_all(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    for text in ("one", "two"):
        with rundir.atomic_folder(folder) as temporary:
            (temporary / "x").write_text(text)
            assert not (folder / "x").exists() or (folder / "x").read_text() == "one"
    assert (folder / "x").read_text() == "two"
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


@pytest.fixture
def gone() -> int:
    """The number of a process that is no more."""
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


def named_by(path: Path, pid: int, role: str = "tmp") -> Path:
    """A temporary name as another process of this machine would choose it."""
    mine = files.temporary_name(path).name
    return path.with_name(re.sub(rf"-{os.getpid()}-(\w+)\.tmp$", rf"-{pid}-\1.{role}", mine))


def test_no_two_temporary_names_are_the_same_and_each_tells_its_target(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "out.parquet"
    names = {files.temporary_name(path) for _ in range(100)}
    files._host.cache_clear()
    monkeypatch.setattr(files, "this_machine", lambda: files.Machine("another", "kernel"))
    names |= {files.temporary_name(path) for _ in range(100)}
    files._host.cache_clear()
    assert len(names) == 200
    assert all(name.name.startswith(".out.parquet.") and name.parent == tmp_path for name in names)
    assert sum("another" in name.name for name in names) == 100


def test_what_a_dead_process_left_is_swept_and_what_others_use_is_not(tmp_path: Path, gone: int) -> None:
    target = tmp_path / "report.html"
    dead, alive = named_by(target, gone), named_by(target, os.getppid())
    foreign = tmp_path / ".report.html.elsewhere_0a1b2c-1-00000000.tmp"
    old_foreign = tmp_path / ".report.html.elsewhere_0a1b2c-2-00000000.tmp"
    users = tmp_path / ".report.html.tmp"
    for file in (dead, alive, foreign, old_foreign, users):
        file.write_text("x")
    os.utime(old_foreign, (0, 0))
    rundir.write_text(target, "new")
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in (target, alive, foreign, users)}


def test_a_folder_moved_aside_by_a_dead_process_is_put_back(tmp_path: Path, gone: int) -> None:
    target = tmp_path / "model"
    old = named_by(target, gone, "old")
    old.mkdir()
    (old / "x").write_text("old")

    def fail() -> None:
        with rundir.atomic_folder(target):
            assert (target / "x").read_text() == "old"
            raise ValueError

    with pytest.raises(ValueError):
        fail()
    assert (target / "x").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


@pytest.mark.parametrize("kind", ["device", "link", "folder"])
def test_only_files_are_replaced_by_files(tmp_path: Path, kind: str) -> None:
    out = tmp_path / "out"
    (tmp_path / "target").write_text("mine")
    if kind == "link":
        out.symlink_to(tmp_path / "target")
    elif kind == "folder":
        out.mkdir()
    else:
        os.mkfifo(out)  # as good as a device, and needs no root
    mode = out.lstat().st_mode
    with pytest.raises(DatasetError, match=f"{kind}.*left alone"):
        rundir.write_text(out, "new")
    assert out.lstat().st_mode == mode
    assert (tmp_path / "target").read_text() == "mine"
