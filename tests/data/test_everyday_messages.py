"""Messages name the file, the column and the remedy, and never a cell, an id, a title or a program."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from everyday import codes, line, logs, read, rejected, table
from redraft.cli import main as command_line
from redraft.data.languages import LANGUAGES, known_language, language_named, language_option
from redraft.data.sources.rollouts import Rollouts
from redraft.data.store import open_dataset
from redraft.errors import DatasetError, InputError, RedraftError, UsageError

SECRETS = ("anna", "annas house", "555-0100", "write 'x'")
HEADERLESS = {
    "plain.csv": "anna,annas house,write 'x'\nben,tree,rt 5\n",
    "mail.csv": "anna@school.example;annas house;write 'x'\nben@school.example;tree;rt 5\n",
    "words.tsv": "anna\tannas house\tfd\nben\tannas house\trt\n",
    "one.csv": "anna,annas house,555-0100\n",
    "keys.json": '{"anna": {"annas house": "write \'x\'"}, "ben": {"tree": "rt 5"}}\n',
    "list.json": '[{"anna": {"code": "write \'x\'"}}, {"ben": {"code": "555-0100"}}]',
    "lines.jsonl": '["anna", "annas house", "write \'x\'"]\n',
}


@pytest.mark.parametrize("name", sorted(HEADERLESS))
def test_a_file_without_names_of_columns_gives_nothing_away(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(HEADERLESS[name])
    with pytest.raises(RedraftError) as error:
        read(table(tmp_path / name), tmp_path)
    assert not [secret for secret in SECRETS if secret in str(error.value)]
    assert name in str(error.value)


def test_the_headerless_case(cases: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no line of column names") as error:
        read(table(cases / "29-headerless" / "t.csv"), tmp_path)
    assert not [word for word in ("anna", "555", "write") if word in str(error.value)]


def test_nothing_usable_comes_with_counts_and_the_remedy_of_the_largest(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(
        "student,title,time,code\n" + "s,h,soon,x\n" * 3 + "nan,h,soon,x\n" + "s,,soon,x\n" * 2
    )
    with pytest.raises(InputError) as error:
        read(table(tmp_path / "t.csv"), tmp_path)
    said = str(error.value)
    assert "3 bad_time (no time that can be read in the column 'time'), 2 no_title" in said
    assert "1 no_student (no student in the column 'student')" in said
    assert "--time-format" in said
    (tmp_path / "a.log").write_text(line(owner="-") * 2 + line(owner="frame"))
    with pytest.raises(InputError, match=r"2 no_student.*1 no_person"):
        read(logs(tmp_path / "a.log"), tmp_path)


def test_missing_ids_and_titles_are_no_student_and_no_title(cases: Path, tmp_path: Path) -> None:
    dataset = read(table(cases / "10-ids" / "nan.csv"), tmp_path)
    assert (dataset.manifest.students, rejected(dataset)) == (2, {"no_student": 9})
    assert rejected(read(table(cases / "10-ids" / "nantitle.csv"), tmp_path)) == {"no_title": 3}
    words = ["", " ", "null", "NULL", "NaN", "None", "NA", "<NA>", "N/A", "#N/A", "undefined", "\\N"]
    rows = itertools.chain((f"{w},h,1" for w in words), (f"s,{w},1" for w in words), ["s,h,2", "na,h,3"])
    (tmp_path / "t.csv").write_text("student,title,code\n" + "\n".join(rows))
    dataset = read(table(tmp_path / "t.csv", time=None), tmp_path)
    assert (codes(dataset), rejected(dataset)) == ([["2"], ["3"]], {"no_student": 12, "no_title": 12})


def test_rounded_ids_are_nobody_and_said_to_be(cases: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"4 rounded_id .*Export the ids as text"):
        read(table(cases / "10-ids" / "float_big.parquet"), tmp_path)
    (tmp_path / "t.csv").write_text("student,title,code\n1.23457E+17,h,1\n1e5,h,2\n12e4,h,3\n")
    dataset = read(table(tmp_path / "t.csv", time=None), tmp_path)
    assert (codes(dataset), rejected(dataset)) == ([["2"], ["3"]], {"rounded_id": 1})


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (("js", "JS", "JavaScript", "java script", "ECMAScript", "Node.js", "ES6"), "javascript"),
        (("CoffeeScript", "coffee", "Coffee-Script", "IcedCoffeeScript"), "coffeescript"),
        (("py", "Python", "python3", "Python 3.11", "PYTHON_3", "py3"), "python"),
        (("C++", "cpp", "C++17", "c++ 20"), "c++"), (("Java", "Java 17"), "java"), (("C", "c"), "c"), (("C#",), "c#"),
    ],
)  # fmt: skip
def test_languages_are_read_however_they_are_spelled(words: tuple[str, ...], name: str) -> None:
    assert {known_language(word) for word in words} == {name}
    assert language_option(words[0]) == name


def test_unknown_languages_are_refused_with_the_known() -> None:
    with pytest.raises(UsageError) as error:
        Rollouts(paths=[Path("x.json")], language="Klingon")
    assert all(name in str(error.value) for name in LANGUAGES)
    assert (known_language("klingon"), language_named(" Klingon ")) == (None, "klingon")


def test_a_wrong_level_of_folders_is_said_to_be_one(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text(line())
    read(logs(tmp_path / "a.log"), tmp_path, "class.dataset")
    with pytest.raises(DatasetError, match=r"A folder in it is one: .*class.dataset"):
        open_dataset(tmp_path)
    (tmp_path / "class.dataset" / "splits").mkdir()
    with pytest.raises(DatasetError, match=r"The folder above it is one: .*class.dataset"):
        open_dataset(tmp_path / "class.dataset" / "splits")


def test_an_input_that_is_not_there_is_said_not_to_be(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command_line(["execute", str(tmp_path / "no.dataset")])
    assert "there is no such file or folder" in capsys.readouterr().err
