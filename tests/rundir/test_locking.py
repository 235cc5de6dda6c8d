"""One writer per target, on one machine and on two that share a disk."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from redraft.errors import DatasetError
from redraft.rundir import locking
from redraft.rundir.files import Machine
from redraft.rundir.locking import lock

HERE, THERE = Machine("here", "kernel-1"), Machine("there", "kernel-2")


@pytest.fixture
def uncarried(monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk doesn't carry the system's locks from machine to machine: nobody is refused by them."""

    class Nothing:
        def __init__(self, file: Path, timeout: float) -> None:
            self.file = file

        def acquire(self) -> None:
            self.file.touch()

        def release(self) -> None:
            pass

    monkeypatch.setattr(locking, "FileLock", Nothing)


def as_of(out: Path, seconds: float) -> None:
    """The owner's last sign of life was so long ago."""
    then = time.time() - seconds
    os.utime(out.with_name(f".{out.name}.owner"), (then, then))


def test_two_writers_exclude_each_other_and_leave_nothing(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with lock(out), pytest.raises(DatasetError, match="another redraft process"), lock(out):
        pass
    with lock(out) as check:
        check()
    assert not list(tmp_path.iterdir())


def test_a_killed_owner_is_followed_at_once(tmp_path: Path) -> None:
    script = textwrap.dedent(f"""
        import os, signal
        from pathlib import Path
        from redraft.rundir import lock
        with lock(Path({str(tmp_path / "out")!r})):
            os.kill(os.getpid(), signal.SIGKILL)
    """)
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == -signal.SIGKILL
    assert {path.name for path in tmp_path.iterdir()} == {".out.lock", ".out.owner"}
    with lock(tmp_path / "out"):
        pass
    assert not list(tmp_path.iterdir())


def test_another_machine_that_shows_life_is_waited_for(tmp_path: Path, uncarried: None) -> None:
    out = tmp_path / "out"
    with lock(out, machine=THERE) as check:
        as_of(out, 50)
        with (
            pytest.raises(DatasetError, match=r"another machine \(there\) is writing here; last sign of life 50 s ago"),
            lock(out, machine=HERE),
        ):
            pass
        check()  # it was left as it is
    assert not list(tmp_path.glob("*.owner"))


def test_one_that_shows_none_is_followed_and_notices(tmp_path: Path, uncarried: None) -> None:
    out = tmp_path / "out"
    with lock(out, machine=THERE) as check_there:
        as_of(out, locking.STALE + 5)
        with lock(out, machine=HERE) as check_here:
            check_here()
            with pytest.raises(DatasetError, match=r"another machine \(here\) took over"):
                check_there()
        assert not (tmp_path / ".out.owner").exists()
        with pytest.raises(DatasetError, match="took over"):
            check_there()


def test_an_owner_shows_life_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locking, "BEAT", 0.01)
    out = tmp_path / "out"
    with lock(out):
        as_of(out, 1000)
        for _ in range(500):
            if time.time() - (tmp_path / ".out.owner").stat().st_mtime < 500:
                break
            time.sleep(0.02)
        else:
            pytest.fail("no sign of life within ten seconds")


def test_a_record_that_is_being_written_counts_as_fresh(tmp_path: Path, uncarried: None) -> None:
    (tmp_path / ".out.owner").write_text("")
    with pytest.raises(DatasetError, match=r"\(unknown\) is writing here"), lock(tmp_path / "out", machine=HERE):
        pass
    assert (tmp_path / ".out.owner").read_text() == ""


def test_the_record_names_machine_and_process(tmp_path: Path) -> None:
    with lock(tmp_path / "out", machine=HERE):
        record = json.loads((tmp_path / ".out.owner").read_text())
    assert (record["host"], record["machine"], record["process"]) == ("here", "kernel-1", os.getpid())
