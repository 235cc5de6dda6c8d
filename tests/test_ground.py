"""The shared ground: errors, settings, results rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from redraft import config, results
from redraft.errors import InputError, RedraftError, suggestion


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
