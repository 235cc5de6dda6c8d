"""The cache of outcomes: it can't be edited unnoticed, is the user's alone, and never decides or ends a command."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from pathlib import Path

import pytest

from redraft.errors import RedraftError
from redraft.execute import cache as module
from redraft.execute.cache import Cache, key_file
from redraft.execute.verdict import Attempt, Outcome

KEY, OTHER = b"k" * 32, b"o" * 32
RAN = Outcome(attempts=(Attempt(language="coffeescript", end_reached=True, errors=(), ended="done"),), seconds=0.1)
FAILED = Outcome(attempts=(Attempt(language="coffeescript", end_reached=False, errors=(), ended="done"),), seconds=0.1)


@pytest.fixture(autouse=True)
def own_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A cache that holds two outcomes."""
    with Cache(tmp_path / "cache") as cache:
        cache.keep(KEY, RAN)
        cache.keep(OTHER, FAILED)
    return tmp_path / "cache"


def found(folder: Path, key: bytes = KEY) -> Outcome | None:
    with Cache(folder) as cache:
        return cache.find([key]).get(key)


def edit(folder: Path, statement: str, *values: object) -> None:
    database = sqlite3.connect(Cache(folder).file)
    with database:
        assert database.execute(statement, values).rowcount == 1
    database.close()


def test_what_is_kept_is_found(folder: Path) -> None:
    assert found(folder) == RAN
    assert found(folder, OTHER) == FAILED


@pytest.mark.parametrize(
    ("statement", "values"),
    [
        ("UPDATE outcomes SET outcome = replace(outcome, 'true', 'false') WHERE key = ?", [KEY]),
        ("UPDATE outcomes SET outcome = (SELECT outcome FROM outcomes WHERE key = ?) WHERE key = ?", [OTHER, KEY]),
        ("UPDATE outcomes SET outcome = x'00' WHERE key = ?", [KEY]),
        ("UPDATE outcomes SET mac = 1 WHERE key = ?", [KEY]),
        ("UPDATE outcomes SET (outcome, mac) = (SELECT outcome, mac FROM outcomes WHERE key = ?) WHERE key = ?",
         [OTHER, KEY]),
    ],
)  # fmt: skip
def test_an_entry_that_was_edited_is_not_believed_and_counted(
    folder: Path, statement: str, values: list[bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    edit(folder, statement, *values)
    assert found(folder) is None
    assert "1 outcomes are not as this installation kept them" in " ".join(capsys.readouterr().err.split())
    assert found(folder, OTHER) == FAILED


def test_entries_of_another_installation_are_not_believed(folder: Path) -> None:
    key_file().unlink()
    assert found(folder) is None


def test_folder_file_and_key_are_the_users_alone(folder: Path) -> None:
    old = os.umask(0)
    try:
        with Cache(folder) as cache:
            cache.keep(KEY, RAN)
            cache.flush()
            inside = [*cache.file.parent.iterdir()]
            assert len(inside) > 1
            assert {path.stat().st_mode & 0o777 for path in inside} == {0o600}
    finally:
        os.umask(old)
    assert cache.file.parent.stat().st_mode & 0o777 == 0o700
    assert key_file().stat().st_mode & 0o777 == 0o600


def test_wider_permissions_are_tightened_and_a_key_that_others_could_read_is_replaced(folder: Path) -> None:
    file = Cache(folder).file
    file.chmod(0o666)
    file.parent.chmod(0o777)
    assert found(folder) == RAN
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    before = key_file().read_bytes()
    key_file().chmod(0o644)
    assert found(folder) is None
    assert key_file().read_bytes() != before
    assert key_file().stat().st_mode & 0o777 == 0o600


def test_a_cache_of_an_earlier_version_goes_and_what_else_is_there_stays(folder: Path) -> None:
    (folder / "outcomes-1.sqlite").write_text("old")
    (folder / "thesis").write_text("precious")
    folder.chmod(0o755)
    assert found(folder) == RAN
    assert not (folder / "outcomes-1.sqlite").exists()
    assert (folder / "thesis").read_text() == "precious"
    assert folder.stat().st_mode & 0o777 == 0o755


def test_a_damaged_file_is_named(folder: Path) -> None:
    Cache(folder).file.write_bytes(b"no database" * 100)
    with pytest.raises(RedraftError, match=r"outcomes.sqlite.*--no-cache"):
        found(folder)


@pytest.mark.skipif(os.name == "nt", reason="mounts a small disk")
def test_a_full_disk_costs_the_cache_and_nothing_else(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no small disk can be mounted here")
    try:
        with Cache(disk) as cache:
            for number in range(3000):
                cache.keep(number.to_bytes(32), RAN)
            cache.flush()
            assert cache.find([bytes(32)]) == {}
            cache.keep(KEY, RAN)
        (disk / "rest").write_bytes(bytes(os.statvfs(disk).f_bavail * os.statvfs(disk).f_bsize))
        with Cache(disk / "another") as cache:
            cache.keep(KEY, RAN)
            assert cache.find([KEY]) == {}
    finally:
        subprocess.run(["umount", str(disk)], check=True)
    assert capsys.readouterr().err.count("nothing is kept") == 2


@pytest.mark.parametrize("call", ["mkdir", "open", "key", "connect"])
def test_a_disk_that_is_full_from_the_beginning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    def full(*args: object, **options: object) -> None:
        raise OSError(28, "No space left on device")

    place = {"mkdir": (Path, "mkdir"), "open": (os, "open"), "key": (module, "_load_key"), "connect": (sqlite3, call)}
    with monkeypatch.context() as patch:
        patch.setattr(*place[call], full)
        with Cache(tmp_path / "cache") as cache:
            cache.keep(KEY, RAN)
            assert cache.find([KEY]) == {}
