"""Folders, packed files and archives: every file is read, or named as left out with the reason."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from everyday import codes, hashed, line, logs, read, rejected
from redraft.errors import InputError

PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress,
    "zst": lambda data: bytes(pa.Codec("zstd").compress(data, asbytes=True)),
}  # fmt: skip


def tar_of(members: dict[str, bytes], mode: str = "w", kinds: dict[str, bytes] | None = None) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:  # type: ignore[call-overload]  # any mode
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            if kinds and name in kinds:
                info.type, info.linkname, info.size = kinds[name], "/etc/passwd", 0
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def zip_of(members: dict[str, bytes], way: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", way) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


def said(capsys: pytest.CaptureFixture[str]) -> str:
    return " ".join(capsys.readouterr().err.split())


def test_rotated_logs_of_every_name_and_packing_are_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "logs"
    (folder / "sub").mkdir(parents=True)
    names = ["access.log", "access_log", "access.log.1", "access.log-20240101", "sub/other.txt"]
    for minute, name in enumerate(names):
        (folder / name).write_text(line(minute=minute, code=f"fd+{minute}"))
    for minute, (ending, pack) in enumerate(PACKERS.items(), len(names)):
        (folder / f"old.{minute}.{ending}").write_bytes(pack(line(minute=minute, code=f"fd+{minute}").encode()))
    (folder / "a.zip").write_bytes(zip_of({"x/access.log": line(minute=9, code="fd+9").encode(), ".DS_Store": b"x"}))
    packed = gzip.compress(line(minute=11, code="fd+11").encode())
    inside = {"access.log": line(minute=10, code="fd+10").encode(), "access.log.1.gz": packed}
    (folder / "b.tar.gz").write_bytes(tar_of(inside, "w:gz"))
    (folder / "README").write_text("nothing here\n")
    (folder / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)))
    (folder / ".hidden").write_text(line(minute=30))
    assert codes(read(logs(folder), tmp_path)) == [[f"fd {minute}" for minute in range(12)]]
    told = said(capsys)
    for name in ("README", "picture.png", ".hidden", ".DS_Store"):
        assert name in told


def test_the_folders_of_the_cases(cases: Path, tmp_path: Path) -> None:
    assert read(logs(cases / "05b-folder-mix"), tmp_path).manifest.states == 10
    for name, states in (("access.log.bz2", 3), ("logs.tar.gz", 6), ("logs.zip", 3)):
        assert read(logs(cases / "05-archives" / name), tmp_path).manifest.states == states
    assert read(logs(cases / "04-gz-members" / "a.log.gz"), tmp_path).manifest.states == 6
    with pytest.raises(InputError, match=r"trailing.log.gz: the archive is damaged.*twice.log.gz: it is packed twice"):
        read(logs(cases / "04-gz-members"), tmp_path)


@pytest.mark.parametrize(
    "start", [b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07\x00", b"\x1f\x9d\x90", b"\x5d\x00\x00\x80\x00", b"LZIP\x01"]
)
def test_what_is_packed_otherwise_is_named_and_never_read(start: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.log").write_bytes(start + line().encode())
    with pytest.raises(InputError, match=r"packed|archive"):
        read(logs(tmp_path / "a.log"), tmp_path)


def links() -> bytes:
    return tar_of(
        {"a.log": line().encode(), "evil": b"", "dev": b""}, kinds={"evil": tarfile.SYMTYPE, "dev": tarfile.CHRTYPE}
    )


def test_links_and_devices_are_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.tar").write_bytes(links())
    assert read(logs(tmp_path / "a.tar"), tmp_path).manifest.states == 1
    told = said(capsys)
    assert "evil: it is a link" in told
    assert "dev: it is no plain file" in told


@pytest.mark.parametrize("name", ["../a.log", "/tmp/a.log", "x/../../a.log", "..\\a.log", "C:\\a.log"])
@pytest.mark.parametrize("make", [tar_of, zip_of])
def test_archives_whose_names_lead_out_are_refused(
    name: str, make: Callable[[dict[str, bytes]], bytes], tmp_path: Path
) -> None:
    (tmp_path / "a.packed").write_bytes(make({"good.log": line().encode(), name: line().encode()}))
    with pytest.raises(InputError, match="leads out of the archive"):
        read(logs(tmp_path / "a.packed"), tmp_path)
    assert not (tmp_path.parent / "a.log").exists()


def test_archives_that_grow_too_far_or_break_off_are_refused(tmp_path: Path) -> None:
    bomb = zip_of({f"{n}.log": bytes(40 * 10**6) for n in range(4)})
    (tmp_path / "bomb.zip").write_bytes(bomb)
    with pytest.raises(InputError, match="unpacks to more than"):
        read(logs(tmp_path / "bomb.zip"), tmp_path)
    (tmp_path / "cut.zip").write_bytes(zip_of({"a.log": line().encode()})[:-30])
    (tmp_path / "cut.tar").write_bytes(tar_of({"a.log": line().encode() * 9})[:700])
    with pytest.raises(InputError, match=r"cut.tar: the tar archive is damaged.*cut.zip: the zip archive is damaged"):
        read(logs(tmp_path / "cut.tar", tmp_path / "cut.zip"), tmp_path)


def test_an_archive_within_an_archive_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    inner = zip_of({"b.log": line(minute=2).encode()})
    (tmp_path / "a.zip").write_bytes(zip_of({"a.log": line().encode(), "inner.zip": inner}, zipfile.ZIP_STORED))
    assert read(logs(tmp_path / "a.zip"), tmp_path).manifest.states == 1
    assert "inner.zip: it is an archive within an archive" in said(capsys)


def test_what_was_unpacked_goes_with_the_process(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(zip_of({"a.log": line().encode()}))
    place = tmp_path / "tmp"
    place.mkdir()
    left = place / "redraft-unpacked-999999999-x"
    left.mkdir()
    program = (
        "import sys, tempfile; from pathlib import Path; tempfile.tempdir = sys.argv[2]\n"
        "from redraft.data.sources.reading import expand\n"
        "(file,) = expand([Path(sys.argv[1])]); print(file.name, len(list(Path(sys.argv[2]).iterdir())))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "a.zip"), str(place)], capture_output=True, text=True
    )
    assert ran.stdout.split() == ["a.log", "1"], ran.stderr
    assert list(place.iterdir()) == []
    assert tempfile.gettempdir() != str(place)


def test_sites_of_nobody_are_named_and_left_out(
    cases: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = cases / "07-special-owners" / "access.log"
    dataset = read(logs(file), tmp_path)
    assert {trace.student for trace in dataset.traces()} == {hashed("mira")}
    assert rejected(dataset)["no_person"] == 9
    assert "frame" in said(capsys)
    assert hashed("frame") in {trace.student for trace in read(logs(file, shared_sites=True), tmp_path).traces()}
    by_browser = read(logs(file, identity="uid"), tmp_path)
    assert len({trace.student for trace in by_browser.traces() if trace.title == "first"}) == 3


def test_what_the_server_escaped_is_put_back(cases: Path, tmp_path: Path) -> None:
    dataset = read(logs(cases / "02-nginx-escapes" / "access.log"), tmp_path)
    assert {trace.title: len(trace.states) for trace in dataset.traces()} == {"café": 4, 'say"hi"': 2}
    (tmp_path / "a.log").write_text(line(title=r"caf\xC3\xA9", code=r"write+'\x22\xE2\x82\xAC\x5Cn'|fd+\x1"))
    (trace,) = read(logs(tmp_path / "a.log"), tmp_path).traces()
    assert (trace.title, trace.final.code) == ("café", "write '\"€\\n'\nfd \\x1")
