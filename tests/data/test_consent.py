"""Whom lists mean, and what of the people in the input is written or said: nothing."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from factories import make_key
from places import CASES
from redraft.cli import main
from redraft.data.identity import clean_id, keyed_hash, load_key
from redraft.data.ingest import IngestOptions, ingest
from redraft.data.simulate import SimulateConfig, simulate
from redraft.data.sources.pencilcode import PencilCode
from redraft.data.sources.rollouts import Rollouts
from redraft.data.sources.table import Table
from redraft.data.store import Dataset, open_dataset
from redraft.errors import InputError
from unsealed import unseal

KEY = b"a key of more than sixteen bytes"
LISTS = CASES / "12-consent-lists"
cases = pytest.mark.skipif(not CASES.exists(), reason="the cases are not here")


def read(folder: Path, table: Path, out: str = "d", **options: object) -> Dataset:
    make_key(folder / "key", KEY)
    source = Table(path=table, student="student", title="title", code="code", time="time")
    return ingest(source, folder / out, IngestOptions(key=folder / "key", memory="256MB", **options))  # type: ignore[arg-type]


def write_table(file: Path, *ids: str) -> Path:
    """A table with two drafts of each student."""
    rows = [f'"{raw}",house,2021-03-01T10:0{n}:00,fd {n}\n' for raw in ids for n in range(2)]
    file.write_text("student,title,time,code\n" + "".join(rows), encoding="utf-8")
    return file


def students(dataset: Dataset) -> set[str]:
    return set(dataset.pairs()["student"].to_pylist())


def hashes(*ids: str) -> set[str]:
    return {keyed_hash(raw, KEY) for raw in ids}


@pytest.mark.parametrize(
    ("raw", "clean"),
    [(" anna\u00a0", "anna"), ("\ufeffanna\u200b", "anna"), ('" anna "', "anna"), ("“anna”", "anna"), ("zoe\u0308", "zoë"),
     ("7.0", "7"), ("7.00", "7"), ("-7.0", "-7"), ("007", "007"), ("7.5", "7.5"), ("o'neil", "o'neil"), ("Anna", "Anna"),
     ("", ""), ("NaN", ""), ("null", ""), ("NA", ""), ("na", "na"), ("nancy", "nancy")],
)  # fmt: skip
def test_ids_are_cleaned_of_what_exports_put_around_them(raw: str, clean: str) -> None:
    assert clean_id(raw) == clean
    assert clean_id(clean) == clean


@cases
@pytest.mark.parametrize("name", ["blank", "bom", "case", "crlf", "nbsp", "quotes", "utf16"])
def test_a_list_from_a_consent_office_is_followed(name: str, tmp_path: Path) -> None:
    dataset = read(tmp_path, LISTS / "plain.csv", exclude_students=LISTS / f"exclude-{name}.txt")
    assert students(dataset) == hashes("ben")
    assert dataset.manifest.rejected["no_consent"] == 2


@cases
def test_a_list_that_cannot_be_followed_stops_the_command(tmp_path: Path) -> None:
    for name, words in (("csv", "several columns"), ("empty", "names no student"), ("latin1", "not UTF-8")):
        with pytest.raises(InputError, match=words):
            read(tmp_path, LISTS / "plain.csv", exclude_students=LISTS / f"exclude-{name}.txt")
    with pytest.raises(InputError, match="nothing usable"):  # all of them said no
        read(tmp_path, LISTS / "plain.csv", exclude_students=LISTS / "exclude-cr.txt")
    assert not (tmp_path / "d").exists()


@cases
def test_numbers_and_accents_are_the_same_in_lists_and_logs(tmp_path: Path) -> None:
    assert students(read(tmp_path, LISTS / "ids.csv", "a", exclude_students=LISTS / "exclude-float.txt")) == hashes("8")
    blanks = read(tmp_path, LISTS / "blanks.csv", "b", exclude_students=LISTS / "no-anna-zoe.txt")
    assert students(blanks) == hashes("ben")
    ids = CASES / "10-ids"
    for number, table in enumerate(("plain.csv", "float_nan.parquet", "decimal.parquet", "decimal2.parquet")):
        dataset = read(tmp_path, ids / table, f"c{number}", include_students=ids / "include.txt")
        assert students(dataset) == hashes("7")
    covariates = read(tmp_path, ids / "plain.csv", "e", covariates=ids / "covariates.csv").covariates()
    assert covariates is not None
    assert {row["student"]: row["year"] for row in covariates.to_pylist()} == {
        keyed_hash("7", KEY): 5, keyed_hash("8", KEY): 6,
    }  # fmt: skip
    nan = read(tmp_path, ids / "nan.csv", "f")
    assert nan.manifest.rejected["no_student"] >= 6
    assert not students(nan) & hashes("nan", "NaN", "None", "NULL", "null", "NA", "")


def test_ids_that_match_nobody_are_named_by_line_and_never_as_they_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = write_table(tmp_path / "t.csv", "anna", "ben", "carl")
    (tmp_path / "no").write_text("Student ID\nanna\nstranger.one\n\nstranger.two\n")
    with pytest.raises(InputError, match=r"2 of 3 ids.*lines 3, 5.*--allow-unmatched") as error:
        read(tmp_path, table, exclude_students=tmp_path / "no")
    assert "stranger" not in str(error.value)
    assert not (tmp_path / "d").exists()
    assert students(read(tmp_path, table, exclude_students=tmp_path / "no", allow_unmatched=True)) == hashes(
        "ben", "carl"
    )
    assert "2 of 3 ids match nobody in the logs (lines 3, 5)" in " ".join(capsys.readouterr().err.split())
    assert students(read(tmp_path, table, "e", include_students=tmp_path / "no")) == hashes("anna")
    shown = " ".join(capsys.readouterr().err.split())
    assert "lines 3, 5" in shown
    assert "stranger" not in shown
    (tmp_path / "none").write_text("stranger\n")
    for option in ("include_students", "exclude_students"):
        with pytest.raises(InputError, match=r"1 of 1 ids match nobody in the logs \(line 1\)"):
            read(tmp_path, table, "f", **{option: tmp_path / "none"})
    (tmp_path / "c.csv").write_text("student,year\nanna,1\nstranger,2\n")
    read(tmp_path, table, "g", covariates=tmp_path / "c.csv")
    assert "1 of 2 ids match nobody in the logs (row 2)" in " ".join(capsys.readouterr().err.split())


def test_case_counts_where_it_tells_students_apart(tmp_path: Path) -> None:
    table = write_table(tmp_path / "t.csv", "anna", "ANNA", "Ben")
    for number, (listed, left) in enumerate(
        [("anna", ("ANNA", "Ben")), ("BEN", ("anna", "ANNA")), ("anna\nANNA\nben", ()), ("ANNA\nben", ("anna",))]
    ):
        (tmp_path / "list").write_text(listed)
        if left:
            made = read(tmp_path, table, f"d{number}", exclude_students=tmp_path / "list")
            assert students(made) == hashes(*left)
        made = read(tmp_path, table, f"e{number}", include_students=tmp_path / "list")
        assert students(made) == hashes("anna", "ANNA", "Ben") - hashes(*left)
    (tmp_path / "list").write_text("Anna\n")
    with pytest.raises(InputError, match=r"differ only in case \(line 1\)"):
        read(tmp_path, table, "f", exclude_students=tmp_path / "list", allow_unmatched=True)


@cases
def test_of_a_file_without_a_header_nothing_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = write_table(tmp_path / "plain.csv", "student17")
    headerless = tmp_path / "h.csv"
    headerless.write_text(other.read_text().split("\n", 1)[1])
    (tmp_path / "c.csv").write_text("student17,ten\nben,nine\nben2,ten\n")
    make_key(tmp_path / "key", KEY)
    common = [
        "--out",
        tmp_path / "d",
        "--key",
        tmp_path / "key",
        "--student",
        "student",
        "--title",
        "title",
        "--code",
        "code",
    ]
    cases = (
        ["ingest", "table", CASES / "29-headerless/t.csv", *common],
        ["ingest", "table", headerless, *common],
        ["ingest", "table", other, *common, "--covariates", CASES / "29-headerless/t.csv"],
        ["ingest", "table", other, *common, "--covariates", headerless],
    )
    for arguments in cases:
        with pytest.raises(SystemExit) as end:
            main([str(argument) for argument in arguments])
        shown = " ".join(capsys.readouterr().err.replace(str(tmp_path), "").split())
        assert end.value.code == 1
        assert "no line of column names" in shown
        assert not [cell for cell in ("anna.k", "student17", "'house", "2021", "fd 0", "555") if cell in shown]
    with pytest.raises(InputError, match="Did you mean 'student'"):  # a header is named
        Table(path=other, student="studnet", title="title", code="code").inputs()


def test_columns_that_name_people_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = write_table(tmp_path / "t.csv", "anna", "ben")
    (tmp_path / "c.csv").write_text(
        "student,year,contact,firstName,phone no\nanna,5,a@b.example,Anna K,555-0100\nben,6,,B,\n"
    )
    read(tmp_path, table, covariates=tmp_path / "c.csv")
    shown = " ".join(capsys.readouterr().err.split())
    assert all(
        words in shown for words in ("column 3 (contact)", "in 1 rows", "column 4 (firstName)", "column 5 (phone no)")
    )
    assert "column 2" not in shown
    assert not [cell for cell in ("a@b", "Anna", "555") if cell in shown]


def test_a_broken_table_of_covariates_shows_no_cell(tmp_path: Path) -> None:
    table = write_table(tmp_path / "t.csv", "anna")
    (tmp_path / "c.csv").write_text("student,year\nanna,5,secret\n")
    with pytest.raises(InputError, match="same number of columns") as error:
        read(tmp_path, table, covariates=tmp_path / "c.csv")
    assert "secret" not in str(error.value)
    assert "anna" not in str(error.value)


LINE = '1.1.1.1 {} uid=1 [04/Feb/2022:08:00:{:02} +0000] "GET /log/a?run&code=fd+{} HTTP/1.1" 200 0 "-" "-"\n'


def test_names_of_input_files_are_written_nowhere(tmp_path: Path) -> None:
    make_key(tmp_path / "key", KEY)
    for student in ("anna.smith", "ben"):
        (tmp_path / "logs" / student).mkdir(parents=True)
        lines = "".join(LINE.format(f"s{student[0]}", n, n) for n in range(3))
        (tmp_path / "logs" / student / f"{student}.log").write_text(lines + "no such line\n")
    (tmp_path / "logs" / "ben" / "cut.log").write_bytes(b"\x1f\x8b\x08broken anna.smith")
    options = IngestOptions(key=tmp_path / "key", memory="256MB")
    with pytest.raises(InputError, match=r"cut\.log"):  # the person at the terminal needs it for the remedy
        ingest(PencilCode(paths=[tmp_path / "logs"]), tmp_path / "d", options)
    dataset = open_dataset(tmp_path / "d")
    written = b"".join(file.read_bytes() for file in dataset.path.rglob("*") if file.is_file())
    rejected = pq.read_table(dataset.path / "rejected.parquet")
    assert not [
        name
        for name in (b"anna", b"smith", b".log", b"cut")
        if name in written or name in str(rejected.to_pydict()).encode()
    ]
    inputs = dataset.manifest.provenance["inputs"]
    assert [set(one) for one in inputs] == [{"size", "sha256"}] * 3
    assert rejected["file"].to_pylist() == [1, 2, 3]  # in the order of the inputs


def test_a_dataset_made_with_names_is_still_the_same(tmp_path: Path) -> None:
    table = write_table(tmp_path / "t.csv", "anna")
    dataset = read(tmp_path, table)
    manifest = json.loads((dataset.path / "manifest.json").read_text())
    manifest["provenance"]["inputs"][0]["name"] = "t.csv"  # as version 0.2 wrote it
    unseal(dataset.path / "manifest.json", files=manifest["files"], provenance=manifest["provenance"])
    assert read(tmp_path, table).manifest.provenance["inputs"][0]["name"] == "t.csv"


def test_lists_hold_for_what_stands_beside_the_traces_too(tmp_path: Path) -> None:
    make_key(tmp_path / "key", KEY)
    records = [
        [f"a<mask><mask><start>CODE 1 (2020-01-02 03:04:05):\nfd {n}<|endoftext|>", name, "a"]
        for n, name in enumerate(("Anna ", "ben"))
    ]
    (tmp_path / "all.json").write_text(json.dumps(records))
    (tmp_path / "no").write_text("anna\n")
    options = IngestOptions(key=tmp_path / "key", memory="256MB", exclude_students=tmp_path / "no")
    dataset = ingest(Rollouts(paths=[tmp_path / "all.json"]), tmp_path / "d", options)
    assert (
        students(dataset) == set(pq.read_table(dataset.path / "texts.parquet")["student"].to_pylist()) == hashes("ben")
    )


@pytest.mark.skipif(os.name == "nt", reason="has no such permissions")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o610])
def test_a_key_that_others_may_read_is_refused(mode: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    load_key()
    for given in (None, tmp_path / "redraft/ingest.key"):
        (tmp_path / "redraft/ingest.key").chmod(mode)
        with pytest.raises(InputError, match=r"open to others.*chmod 600 .*ingest.key"):
            load_key(given)
        (tmp_path / "redraft/ingest.key").chmod(0o600)
        assert load_key(given) == (tmp_path / "redraft/ingest.key").read_bytes()


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="only root can give files away")
def test_a_key_of_somebody_else_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_key(tmp_path / "key", KEY)
    os.chown(tmp_path / "key", 12345, -1)
    load_key(tmp_path / "key")
    assert "belongs to another user" in " ".join(capsys.readouterr().err.split())


def test_the_key_of_a_simulated_class_is_no_secret(tmp_path: Path) -> None:
    simulate(SimulateConfig(students=1, titles=1), tmp_path / "class")
    assert load_key(tmp_path / "class/ingest.key")
    (tmp_path / "class/ingest.key").chmod(0o644)  # as earlier versions made it
    assert load_key(tmp_path / "class/ingest.key")
