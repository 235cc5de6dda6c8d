"""What is written can be read by nobody else, unless that is asked for."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from factories import make_dataset, make_trace
from redraft.data.simulate import SimulateConfig, simulate
from redraft.data.store import DatasetWriter
from redraft.errors import UsageError
from redraft.rundir import RunDir, atomic_file, atomic_folder, write_text

pytestmark = pytest.mark.skipif(os.name == "nt", reason="has no such permissions")


@pytest.fixture(params=[0o000, 0o022, 0o277], autouse=True)
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whatever the user's umask is."""
    before = os.umask(request.param)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def assert_all(folder: Path, *, files: int, folders: int) -> None:
    """Every file and folder from `folder` on has these permissions."""
    entries = [folder, *folder.rglob("*")]
    assert len(entries) > 1
    wrong = [entry for entry in entries if mode(entry) != (folders if entry.is_dir() else files)]
    assert not wrong


def test_outputs_are_their_owners_alone(tmp_path: Path) -> None:
    make_dataset(tmp_path / "new/deep/d", [make_trace(["fd 1"])])
    simulate(SimulateConfig(students=2, titles=2), tmp_path / "class")
    run = RunDir(tmp_path / "run")
    write_text(run.path / "results/r.csv", "a\n")
    with atomic_folder(run.path / "models/m") as folder:
        (folder / "weights").write_bytes(b"1")
        (folder / "inner").mkdir()
        (folder / "inner/card").write_bytes(b"1")
    run.finish("s", {}, 1.0)
    for made in ("new", "class", "run"):
        assert_all(tmp_path / made, files=0o600, folders=0o700)


def test_what_is_unfinished_is_too(tmp_path: Path) -> None:
    writer = DatasetWriter(tmp_path / "d", origin="students", provenance={})
    with writer:
        writer.write_shard(0, [make_trace(["fd 1"])])
        with atomic_file(tmp_path / "out.jsonl") as temporary:
            assert mode(temporary) == 0o600  # from its first byte on
    assert_all(tmp_path / "d.partial", files=0o600, folders=0o700)


def test_a_group_may_share(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDRAFT_UMASK", "027")
    make_dataset(tmp_path / "d", [make_trace(["fd 1"])])
    assert_all(tmp_path / "d", files=0o640, folders=0o750)
    monkeypatch.setenv("REDRAFT_UMASK", "rwx")
    with pytest.raises(UsageError, match=r"REDRAFT_UMASK.*octal.*027"):
        make_dataset(tmp_path / "e", [make_trace(["fd 1"])])


def test_what_is_there_stays_as_it_is(tmp_path: Path) -> None:
    run = RunDir(tmp_path / "run")
    write_text(run.path / "notes.md", "a")
    run.path.chmod(0o750)
    (run.path / "notes.md").chmod(0o640)
    RunDir(tmp_path / "run").finish("s", {}, 1.0)
    write_text(run.path / "notes.md", "b")
    assert (mode(run.path), mode(run.path / "notes.md"), mode(run.path / "stages.json")) == (0o750, 0o640, 0o600)
