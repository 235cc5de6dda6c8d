"""What is printed or written as CSV can steer neither a terminal nor a spreadsheet."""

from __future__ import annotations

import csv
import io
import json
import sys
from pathlib import Path

import pytest
import rich.console
from rich.table import Table

from factories import make_dataset, make_trace
from redraft import results
from redraft.cli import main
from redraft.results import Result
from redraft.terminal import Console, guarded
from redraft.visible import visible

HOSTILE = "a\x1b]0;owned\x07b\x9bc\x7fd\u202ee\u2066f\u200fg\u061ch\u200bi\u2028j\rk\udb40l"
HIDDEN = set(HOSTILE) - set("abcdefghijkl]0;own")


def hides(text: str) -> set[str]:
    return set(text) & HIDDEN


def test_every_hidden_character_is_written_out() -> None:
    assert visible("a\x1b\u202e\udc80\n\t") == r"a\u001b\u202e\udc80\u000a\u0009"
    assert visible("\U000e0041") == r"\udb40\udc41"  # as JSON writes it
    assert visible("if x\n\tfd 1\r", lines=True) == "if x\n\tfd 1\\u000d"
    assert visible("Zoë 日本 \u00a0 مرحبا") == "Zoë 日本 \u00a0 مرحبا"
    assert not hides(visible(HOSTILE))


def test_whatever_prints_is_guarded(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table(HOSTILE)
    table.add_row(HOSTILE)
    with guarded():
        print(HOSTILE)
        sys.stderr.write(HOSTILE)
        rich.console.Console().print(table)  # another's console
        Console().print(table, HOSTILE)
        Console(stderr=True, force_terminal=True, highlight=False).print("[bold]loud[/bold]", HOSTILE, markup=True)
    out, err = capsys.readouterr()
    assert not hides(out)
    assert "\x1b[1mloud\x1b[0m" in err  # colours of our own arrive
    assert not hides(err.replace("\x1b[1m", "").replace("\x1b[0m", ""))


def test_libraries_may_reset_colours_and_go_back_on_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    with guarded():
        sys.stdout.write("\x1b[0m")  # as one does when a process ends
        sys.stdout.write("\r 50%")
        sys.stdout.write("\x1b[0mx\r")
    assert capsys.readouterr().out == "\x1b[0m\r 50%\\u001b[0mx\\u000d"


def test_a_simulated_class_is_told_in_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("simulate", "--students", 5, "--titles", 4, "--out", tmp_path / "class")
    assert "\\u" not in capsys.readouterr().err


def test_a_table_is_as_wide_as_what_it_shows() -> None:
    table = Table("title", box=None)
    table.add_row("\u202e" * 5)
    console = Console(file=io.StringIO(), width=80)
    console.print(table)
    assert r"\u202e" * 5 in console.file.getvalue()  # type: ignore[attr-defined]


def test_titles_and_names_cannot_steer_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    title = HOSTILE.replace("\udb40", "") + "\nNot used: 0 [/bold] x"
    make_dataset(tmp_path / "d", [make_trace(["fd 1", "fd 2"], student=f"s{i}", title=title) for i in range(12)])
    run("describe", tmp_path / "d")
    shown = capsys.readouterr().out
    assert not hides(shown)
    assert "\nNot used: 0" not in shown
    run("describe", tmp_path / "d", "--json")
    as_json = capsys.readouterr().out
    assert not hides(as_json)
    assert json.loads(as_json)["top_titles"][0]["title"] == title
    odd = "x\nredraft: done\x1b[2J\u202e"
    for arguments in (("describe", f"/{odd}"), (odd,), ("split", f"--{odd}"), ("demo", "--seed", odd)):
        run(*arguments)
        message = capsys.readouterr().err
        assert not hides(message)
        assert "\nredraft: done" not in message


def run(*arguments: object) -> None:
    with pytest.raises(SystemExit):
        main([str(argument) for argument in arguments])


def row(**values: object) -> Result:
    settings = {"origin": "students", "dataset": "d", "study": "s", "metric": "m", "level": "trace", "statistic": "r",
                "n": 1, "n_students": 1, "n_titles": 1, "value": -0.5}  # fmt: skip
    return Result(**(settings | values))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "start", ["=1+1", "+1", "-1", "@sum", "\t=1", "\r=1", "＝1", "＋1", "－1", "＠1", " =1", "\u200b=1"]
)
def test_no_cell_of_a_csv_is_a_formula(start: str, tmp_path: Path) -> None:
    results.write([row(dataset=start, note=f"{start}\x1b", low=-1.5)], tmp_path / "r.parquet")
    (found,) = csv.DictReader((tmp_path / "r.csv").read_text(encoding="utf-8").splitlines())
    for cell in (found["dataset"], found["note"]):
        assert cell[0] in "'\\"
        assert not hides(cell)
    assert (found["value"], found["low"]) == ("-0.5", "-1.5")  # numbers stay numbers
    assert results.read(tmp_path / "r.parquet")[0].dataset == start  # and the rows themselves are as they were
