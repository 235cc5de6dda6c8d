"""The command line as a person meets it: exit codes, one-paragraph errors, no traceback, nothing half-written."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest

from factories import make_dataset, make_trace
from redraft.cli import main
from unsealed import unseal


def run(*arguments: object) -> tuple[int, str]:
    """Exit code and standard error of `redraft ARGUMENTS`, in a process of its own."""
    command = [sys.executable, "-m", "redraft", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


def failure(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str]:
    """Exit code and message of a command that must fail."""
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    message = capsys.readouterr().err
    assert "Traceback" not in message
    assert isinstance(caught.value.code, int)
    return caught.value.code, message


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["spilt"], 2, "Did you mean 'split'?"),
        (["ingest", "rolouts", "x", "--out", "y"], 2, "rollouts"),
        (["split", "x", "--nme", "y"], 2, "--name"),
        (["demo", "--seed", "one"], 2, "--seed"),
        (["train"], 2, "--dataset"),
        (["describe", "/nowhere"], 1, "no such dataset"),
        (["report", "/nowhere"], 1, "/nowhere"),
        (["sample", "/nowhere", "--dataset", "/nowhere", "--split", "seen-seen", "--out", "/tmp/x"], 1, "/nowhere"),
        (["reproduce", "--data", "/nowhere", "--budget", "5", "--out", "/tmp/x-never"], 1, "no such dataset"),
        (["reproduce", "--data", "/nowhere", "--budget", "0"], 2, "budget"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_goes_wrong_is_said_in_one_paragraph(
    arguments: list[str], code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found, message = failure(capsys, *arguments)
    assert (found, words in message) == (code, True), message
    assert message.count("redraft: error:") == 1
    assert "\n\n" not in message.strip()


def test_a_dataset_of_a_newer_schema_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_dataset(tmp_path / "d", [make_trace(["a"])])
    file = tmp_path / "d" / "manifest.json"
    unseal(file, files=json.loads(file.read_text())["files"], schema_version=2)
    assert failure(capsys, "describe", tmp_path / "d")[0] == 1


def test_unknown_keys_in_a_settings_file_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dataset = make_dataset(tmp_path / "d", [make_trace(["a"])])
    (tmp_path / "run.toml").write_text("[train]\nstep = 3\n")
    arguments = ("reproduce", "--data", dataset.path, "--budget", 1, "--config", tmp_path / "run.toml")
    code, message = failure(capsys, *arguments, "--out", tmp_path / "run")
    assert code == 1
    assert "'train.step'" in message
    assert "'steps'" in message


def test_a_mistyped_split_is_not_made_anew(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dataset = make_dataset(tmp_path / "d", [make_trace(["a"])])
    arguments = ("reproduce", "--data", dataset.path, "--budget", 1, "--split-name", "defualt")
    code, message = failure(capsys, *arguments, "--out", tmp_path / "run")
    assert code == 1
    assert "has no split 'defualt'" in message
    assert not (dataset.path / "splits").exists()


def test_an_error_inside_shows_its_kind_and_never_its_text(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(path: Path) -> None:
        raise ValueError("a student's program")

    monkeypatch.setattr("redraft.data.store.open_dataset", broken)
    monkeypatch.setattr("redraft.cli.split.open_dataset", broken)
    code, message = failure(capsys, "split", "/nowhere")
    assert code == 1
    assert "ValueError" in message
    assert "program" not in message


def test_a_full_disk_is_explained_and_nothing_half_written_stays(tmp_path: Path) -> None:
    line = '1.2.3.4 owner uid=1 [07/Jan/2019:17:31:33 +0000] "GET /log/a?run&code=fd+{} HTTP/1.1" 200 0 "-" "-"\n'
    (tmp_path / "a.log.gz").write_bytes(gzip.compress("".join(line.format(i) for i in range(2000)).encode()))
    limited = f"ulimit -f 8; exec {sys.executable} -m redraft ingest pencilcode {tmp_path}/a.log.gz --out {tmp_path}/d"
    done = subprocess.run(["bash", "-c", limited], capture_output=True, text=True, check=False)
    assert done.returncode == 1, done
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "d").exists()
    code, message = run("ingest", "pencilcode", tmp_path / "a.log.gz", "--out", tmp_path / "d")
    assert code == 0, message
    assert (tmp_path / "d" / "manifest.json").exists()


def test_help_names_every_command() -> None:
    done = subprocess.run([sys.executable, "-m", "redraft", "--help"], capture_output=True, text=True, check=True)
    for command in ("ingest", "simulate", "describe", "split", "train", "sample", "metrics", "behaviour", "report"):
        assert command in done.stdout


def test_of_a_librarys_panic_only_the_kind_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Panic(BaseException):
        pass

    def panics(*_: object, **__: object) -> None:
        raise Panic("fd 100")

    monkeypatch.setattr("redraft.cli.app", panics)
    code, message = failure(capsys, "describe", "x")
    assert code == 1
    assert "an error inside redraft (Panic)" in message
    assert "fd 100" not in message
