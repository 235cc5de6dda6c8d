"""The shared ground: errors, settings, results rows, atomic files, the run folder."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import textwrap
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from redraft import config, results, rundir
from redraft.errors import DatasetError, InputError, RedraftError, suggestion


@dataclass(frozen=True, kw_only=True)
class Inner:
    rate: float = 0.1
    names: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Outer:
    steps: int = 5
    label: str | None = None
    inner: Inner = field(default_factory=Inner)


def test_an_error_says_where_what_and_what_to_do() -> None:
    error = RedraftError("is empty.", where="logs/a.gz", remedy="Name another.")
    assert str(error) == "logs/a.gz: is empty. Name another."
    assert error.exit_code == 1


def test_suggestion_names_the_nearest_or_all() -> None:
    assert suggestion("spilt", ["split", "train"]) == "Did you mean 'split'?"
    assert suggestion("zzz", ["split", "train"]) == "Known are: split, train."


def test_later_files_win_and_a_dump_loads_back(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("steps = 7\n[inner]\nrate = 1\nnames = ['x']\n")
    (tmp_path / "b.toml").write_text("[inner]\nrate = 2.5\n")
    loaded = config.load(Outer, [tmp_path / "a.toml", tmp_path / "b.toml"], {"label": "z"})
    assert loaded == Outer(steps=7, label="z", inner=Inner(rate=2.5, names=("x",)))
    (tmp_path / "c.toml").write_text(config.dump(loaded))
    assert config.load(Outer, [tmp_path / "c.toml"]) == loaded


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("step = 7", ["'step'", "Did you mean 'steps'?", "bad.toml"]),
        ("steps = 'x'\n[inner]\nrat = 1", ["'steps' is 'x'", "'inner.rat'", "Did you mean 'rate'?"]),
        ("steps = true", ["'steps' is True"]),
        ("steps = ", ["not valid TOML"]),
    ],
)
def test_bad_settings_are_all_named(tmp_path: Path, text: str, words: list[str]) -> None:
    (tmp_path / "bad.toml").write_text(text)
    with pytest.raises(InputError) as caught:
        config.load(Outer, [tmp_path / "bad.toml"])
    assert all(word in str(caught.value) for word in words)


def test_a_missing_settings_file_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="can't be read"):
        config.load(Outer, [tmp_path / "none.toml"])


def _result(**changes: object) -> results.Result:
    base: dict[str, object] = {
        "origin": "simulated", "dataset": "d", "study": "behaviour", "metric": "attempts", "level": "trace",
        "statistic": "pooled_r", "n": 3, "n_students": 2, "n_titles": 1, "value": 0.5,
    }  # fmt: skip
    return results.Result(**{**base, **changes})  # type: ignore[arg-type]


def test_results_survive_parquet_and_have_a_csv(tmp_path: Path) -> None:
    rows = [_result(condition={"k": "3", "a": "b"}), _result(value=None, reason="constant")]
    results.write(rows, tmp_path / "r.parquet")
    assert results.read(tmp_path / "r.parquet") == rows
    table = pyarrow.csv.read_csv(tmp_path / "r.csv")
    assert table["condition"].to_pylist() == ["a=b;k=3", ""]
    assert table.num_rows == 2


def test_rows_without_a_column_for_reasons_have_them_last_in_their_note(tmp_path: Path) -> None:
    few = "no interval: fewer than 10 students"
    interval = {"low": 0.1, "high": 0.9}
    rows = [
        _result(value=None, note="3 pairs left out", reason="constant"), _result(value=None, reason="no pair is scored"),
        _result(note="3 pairs left out", reason=few), _result(note="a; b", **interval),
        _result(note="n counts: traces"), _result(),
    ]  # fmt: skip
    results.write(rows, tmp_path / "new.parquet")
    table = pq.read_table(tmp_path / "new.parquet")
    notes = pa.array(["3 pairs left out; constant", "no pair is scored", f"3 pairs left out; {few}", "a; b",
                      "n counts: traces", None])  # fmt: skip
    old = table.drop_columns(["note", "reason"]).append_column("note", notes)
    pq.write_table(old, tmp_path / "old.parquet")
    assert results.read(tmp_path / "old.parquet") == rows
    assert [row.remarks for row in rows] == [note or "" for note in notes.to_pylist()]


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


def test_two_writers_exclude_each_other(tmp_path: Path) -> None:
    with (
        rundir.exclusive(tmp_path),
        pytest.raises(DatasetError, match="another redraft process"),
        rundir.exclusive(tmp_path),
    ):
        pass


def test_a_stage_is_done_once_finished_and_for_its_settings(tmp_path: Path) -> None:
    run = rundir.RunDir(tmp_path / "run")
    assert not run.is_done("train", {"steps": 1})
    run.finish("train", {"steps": 1}, 1.234)
    assert run.is_done("train", {"steps": 1})
    assert not run.is_done("train", {"steps": 2})
    assert json.loads((tmp_path / "run/stages.json").read_text())["train"]["seconds"] == 1.23
