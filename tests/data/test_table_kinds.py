"""Tables as spreadsheets, databases and scripts write them: read exactly, or refused with the cause."""

from __future__ import annotations

import csv
import gzip
import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from everyday import codes, hashed, read, rejected, table
from redraft.data.sources.dialect import Dialect
from redraft.data.sources.growth import UNPACK_RATIO
from redraft.data.sources.portions import Bounds
from redraft.data.sources.rows import read_rows, require_columns
from redraft.data.sources.table import Table
from redraft.errors import InputError, UsageError

CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
WRITTEN = st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1, max_size=8)
REFUSED = {
    "backslash.csv": "quotes stand behind backslashes", "cr.csv": "carriage return alone", "dupcol.csv": "several columns",
    "fake.xlsx": "spreadsheet", "header-only.csv": "no row", "latin1.csv": "--encoding", "README": "no line of column",
}  # fmt: skip


class Small(Bounds):
    block_bytes = 64
    unpack_ratio = UNPACK_RATIO


def rows_of(file: Path, said: Dialect) -> list[tuple[str | None, ...]]:
    require_columns(file, ["b", "a"], said)
    found: list[tuple[str | None, ...]] = []
    for rows in read_rows(file, ["b", "a"], Small(), said):
        assert not rows.bad_rows
        found.extend(zip(rows.table["a"].to_pylist(), rows.table["b"].to_pylist(), strict=True))
    return found


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(rows=WRITTEN, end=st.sampled_from(["\n", "\r\n"]), packed=st.booleans())
def test_what_a_writer_wrote_is_read_back(
    rows: list[tuple[str, str, str]], end: str, packed: bool, separator: str, encoding: str, tmp_path: Path
) -> None:
    text = io.StringIO()
    csv.writer(text, delimiter=separator, lineterminator=end, quoting=csv.QUOTE_ALL).writerows(
        [("a", " b ", "c"), *rows]
    )
    data = text.getvalue().encode(encoding)
    (tmp_path / "t.csv").write_bytes(gzip.compress(data) if packed else data)
    assert rows_of(tmp_path / "t.csv", Dialect()) == [row[:2] for row in rows]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(rows=st.lists(st.tuples(st.none() | CELLS, st.none() | CELLS), min_size=1, max_size=8), listed=st.booleans())
def test_json_and_parquet_are_read_back(rows: list[tuple[str | None, ...]], listed: bool, tmp_path: Path) -> None:
    objects = [{"a": a, "x": {"b": b}} for a, b in rows]
    text = json.dumps(objects) if listed else "\n\n".join(json.dumps(each, ensure_ascii=False) for each in objects)
    (tmp_path / "t.json").write_text(text, encoding="utf-8", newline="")
    columns = ["a", "x.b"]
    found = [row for part in read_rows(tmp_path / "t.json", columns, Small()) for row in part.table.to_pylist()]
    assert [(row["a"], row["x.b"]) for row in found] == rows
    inner = pa.array([{"b": b} for _, b in rows], pa.struct([("b", pa.string())]))
    pq.write_table(pa.table({"a": pa.array([a for a, _ in rows], pa.string()), "x": inner}), tmp_path / "t.parquet")
    found = [row for part in read_rows(tmp_path / "t.parquet", columns, Small()) for row in part.table.to_pylist()]
    assert [(row["a"], row["x.b"]) for row in found] == rows


def test_every_dialect_is_read_or_refused_by_name(cases: Path, tmp_path: Path) -> None:
    files = sorted((cases / "08-csv-dialects").iterdir())
    assert len(files) > 15
    for file in files:
        if file.name in REFUSED:
            with pytest.raises(InputError, match=REFUSED[file.name]):
                read(table(file), tmp_path)
        else:
            dataset = read(table(file), tmp_path)
            assert (dataset.manifest.traces, dataset.manifest.states, rejected(dataset)) == (2, 4, {}), file.name
    assert read(table(cases / "08-csv-dialects" / "latin1.csv", encoding="latin-1"), tmp_path).manifest.states == 4


NAMED = ("date32", "date64", "fixed_binary", "uuid", "list_code", "struct_code", "dotted")


def test_every_type_is_read_or_its_column_named(cases: Path, tmp_path: Path) -> None:
    for file in sorted((cases / "11-parquet-types").glob("*.parquet")):
        if file.stem in NAMED:
            with pytest.raises(InputError, match="column '"):
                read(table(file), tmp_path)
        elif file.stem == "null_code":
            with pytest.raises(InputError, match="4 no_code"):
                read(table(file), tmp_path)
        else:
            dataset = read(table(file), tmp_path)
            bad = {"not_utf8": 1} if file.stem == "binary_bad" else {}
            assert dataset.manifest.states == 4 - len(bad), file.name
            assert rejected(dataset) == bad
    nested = cases / "11-parquet-types" / "dotted.parquet"
    dataset = read(table(nested, student="user.id", time="meta.when", code="rec.code"), tmp_path)
    assert (dataset.manifest.traces, dataset.manifest.states) == (2, 4)
    assert read(table(cases / "11-parquet-types" / "parts"), tmp_path).manifest.states == 4


def test_a_wrong_byte_rejects_its_row_alone(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"student,title,code\ns,h,fd 1\ns,h,fd \xff\ns,h,fd 3\n")
    utf16 = "student,title,code\ns,h,fd 4\ns,h,fd \udc00\ns,h,fd 6\n".encode("utf-16-le", "surrogatepass")
    (tmp_path / "b.csv").write_bytes(b"\xff\xfe" + utf16)
    (tmp_path / "c.jsonl").write_bytes(
        b'{"student":"s","title":"h","code":"fd 7"}\n{"student":"s","title":"h","code":"\xff"}\n'
        b'{"student":"s","title":"h","code":"\\ud800"}\n{"student":"s","title":"h","code":["x"]}\n{"student":\n'
        b'{"student":"s","title":"h","code":"fd 8"}\n'
    )
    bad = pa.array([b"fd 9", b"\xff", None], pa.binary()).view(pa.string())
    pq.write_table(pa.table({"student": ["s"] * 3, "title": ["h"] * 3, "code": bad}), tmp_path / "d.parquet")
    dataset = read(table(tmp_path, time=None), tmp_path.parent, "e")
    assert codes(dataset) == [["fd 1", "fd 3", "fd 4", "fd 6", "fd 7", "fd 8", "fd 9"]]
    assert rejected(dataset) == {"not_utf8": 5, "not_text": 1, "malformed": 1, "no_code": 1}


def test_quotes_behind_backslashes_are_told_from_backslashes(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('student:title:code\ns:"h":"a\\":b\n'.replace(":b", ""))
    assert codes(read(table(tmp_path / "a.csv", time=None, separator=":"), tmp_path)) == [["a\\"]]
    (tmp_path / "b.csv").write_text('student,title,code\ns,"h\\","x ""y\\"" z"\n')
    assert codes(read(table(tmp_path / "b.csv", time=None), tmp_path)) == [['x "y\\" z']]
    (tmp_path / "c.csv").write_text('student,title,code\ns,h,"fd 1\nwrite \\"a\\""\n')
    with pytest.raises(InputError, match="behind backslashes"):
        read(table(tmp_path / "c.csv", time=None), tmp_path)


def columns_of(tmp_path: Path, text: str, **options: Any) -> Any:
    (tmp_path / "t.csv").write_text(text, encoding="utf-8")
    return read(table(tmp_path / "t.csv", time=None, **options), tmp_path)


def test_language_mode_score_and_verdict_have_columns(tmp_path: Path) -> None:
    text = (
        "student;title;code;l;m;s;v;n\na;h;x = 1;Python 3;b;0,5;passed;2,5\na;h;x = 2;PY;t;75%;Compile Error;10\n"
        "a;h;x = 3;;;;NA;1\na;h;x = 4;js;b;1,5;ok;3\na;h;x = 5;js;b;1;brilliant;4\na;h;x = 6;js;b;;;1.000,5\n"
    )
    dataset = columns_of(
        tmp_path, text, language_column="l", language="Coffee", mode="m", score="s", verdict="v", order="n"
    )
    states = [state for trace in dataset.traces() for state in trace.states]
    assert [(state.code, state.language, state.mode, state.score) for state in states] == [
        ("x = 3", "coffeescript", None, None), ("x = 1", "python", "b", 0.5), ("x = 2", "python", "t", 0.75),
    ]  # fmt: skip
    assert rejected(dataset) == {"bad_score": 1, "bad_verdict": 1, "bad_order": 1}
    verdicts = pq.read_table(dataset.path / "verdicts-platform.parquet").to_pylist()
    assert {row["id"]: row["verdict"] for row in verdicts} == {states[1].id: "failed", states[2].id: "error"}


def test_rows_are_chosen_and_the_others_counted(tmp_path: Path) -> None:
    text = "student,title,code,ev,n\na,h,1,run,1\na,h,2,save,2\na,h,3,submit,3\na,h,4, run ,x\nb,h,5,,9\n"
    assert codes(columns_of(tmp_path, text, where=("ev=run", "ev = 'submit'"))) == [["1", "3", "4"]]
    assert codes(columns_of(tmp_path, text, where=("ev!=run", "n<=3"))) == [["2", "3"]]
    dataset = columns_of(tmp_path, text, where=("n>2",))
    assert (codes(dataset), rejected(dataset)) == ([["3"], ["5"]], {"not_where": 3})
    with pytest.raises(InputError, match=r"has no column 'evnt'. Did you mean 'ev'"):
        columns_of(tmp_path, text, where=("evnt=run",))
    for wrong in ("run", "n<many", "=run"):
        with pytest.raises(UsageError, match="--where"):
            table(tmp_path, where=(wrong,)).inputs()


@pytest.mark.parametrize(
    ("options", "cause"),
    [
        ({"separator": "::"}, "--separator"), ({"encoding": "utf-9"}, "--encoding"), ({"encoding": "hex"}, "--encoding"),
        ({"decimal": "'"}, "--decimal"), ({"language": "klingon"}, "Known are: bash, c"), ({"timezone": "UTC"}, "--time"),
    ],
)  # fmt: skip
def test_options_that_cannot_be_meant_are_refused(options: dict[str, Any], cause: str) -> None:
    with pytest.raises(UsageError, match=cause):
        Table(path=Path("t.csv"), student="a", title="b", code="c", **options)


def test_separator_and_encoding_can_be_given(tmp_path: Path) -> None:
    text = "student:title:code\nzoë:h:'café'\n"
    (tmp_path / "t.csv").write_bytes(text.encode("cp1252"))
    dataset = read(table(tmp_path / "t.csv", time=None, separator=":", encoding="cp1252"), tmp_path)
    assert [(trace.student, trace.final.code) for trace in dataset.traces()] == [(hashed("zoë"), "'café'")]


def test_other_files_of_a_folder_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "part-1.csv").write_text("student,title,code\na,h,fd 1\n")
    (folder / "part-2.jsonl").write_text('{"student": "b", "title": "h", "code": "fd 2"}\n')
    (folder / "people.csv").write_text("student,year\na,5\n")
    (folder / "notes.txt").write_text("call the school\n")
    (folder / ".hidden.csv").write_text("student,title,code\nx,h,fd 9\n")
    (folder / "book.xlsx").write_bytes(b"PK\x03\x04" + bytes(100))
    assert codes(read(table(folder, time=None), tmp_path)) == [["fd 1"], ["fd 2"]]
    said = " ".join(capsys.readouterr().err.split())
    for name in ("people.csv", "notes.txt", ".hidden.csv", "book.xlsx"):
        assert name in said
    with pytest.raises(InputError, match="spreadsheet"):
        read(table(folder / "part-1.csv", folder / "book.xlsx", time=None), tmp_path)


def test_what_platforms_hand_out_under_a_wrong_name_is_named(tmp_path: Path) -> None:
    wrong = {
        "marks.xls": (b"<html><table><tr><td>anna</td></tr></table>", "a page of HTML"),
        "one.json": (b'{\n "student": "anna"\n}', "no line of it is a JSON object"),
        "old.csv": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(99), "an Excel workbook"),
        "data.csv": (b"SQLite format 3\x00" + bytes(99), "an SQLite database"),
        "cut.parquet": (b"PAR1 and no more", "can't be read"),
    }
    for name, (data, cause) in wrong.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(InputError, match=cause) as error:
            read(table(tmp_path / name, time=None), tmp_path)
        assert name in str(error.value)
        assert "anna" not in str(error.value)
