"""Secrets are made once, whole, and are their owner's alone."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from redraft.rundir import make_secret


def test_of_several_makers_the_first_wins_and_all_read_the_same(tmp_path: Path) -> None:
    file = tmp_path / "config" / "key"

    def read(_: int) -> bytes:
        make_secret(file, 32)
        return file.read_bytes()

    with ThreadPoolExecutor(16) as crew:
        (key,) = set(crew.map(read, range(64)))
    assert len(key) == 32
    assert file.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in file.parent.iterdir()] == ["key"]


def test_a_disk_without_links_has_secrets_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError("no links here")

    monkeypatch.setattr(os, "link", refuse)
    make_secret(tmp_path / "key", 32)
    assert len((tmp_path / "key").read_bytes()) == 32
    assert [entry.name for entry in tmp_path.iterdir()] == ["key"]
