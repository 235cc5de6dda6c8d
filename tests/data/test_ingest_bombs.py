"""Inputs made to take memory or disk: each is refused or counted, and takes about as much memory as any other."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from memory import peak_memory
from redraft.data import gather, spool
from redraft.data.consent import read_ids
from redraft.data.ingest import IngestOptions, ingest
from redraft.data.sources import growth
from redraft.data.sources.growth import ALWAYS
from redraft.data.sources.pencilcode import PencilCode
from redraft.data.sources.progsnap2 import ProgSnap2
from redraft.data.sources.rollouts import Rollouts
from redraft.data.sources.states import Source
from redraft.data.sources.table import Table
from redraft.data.store import open_dataset
from redraft.errors import InputError, RedraftError

MOST = 700
"""MB that any command here may take; arrow, duckdb, numba and their buffers alone take up to 600."""
HEADER = "CODE 1 (2018-05-02 16:13:32):\n"
LINE = '1.1.1.1 s{} u [04/Feb/2022:06:25:26 +0000] "GET /log/t?run&code=fd+{} HTTP/1.1" 200 0 "-" "-"\n'
TABLE = ["--student", "who", "--title", "task", "--code", "text"]


def ingest_by_command(tmp_path: Path, *words: object, limit: float = MOST) -> str:
    """What `redraft ingest` says; its memory stays below `limit`."""
    (tmp_path / "key").write_bytes(b"a key of more than sixteen bytes")
    (tmp_path / "key").chmod(0o600)
    peak, said = peak_memory(
        ["ingest", *words, "--out", tmp_path / "d", "--key", tmp_path / "key", "--memory", "256MB"]
    )
    assert peak < limit
    return said


def read(source: Source, tmp_path: Path, unpack_ratio: int = growth.UNPACK_RATIO) -> dict[str, int]:
    """The counts of what is rejected."""
    (tmp_path / "key").write_bytes(b"a key of more than sixteen bytes")
    (tmp_path / "key").chmod(0o600)
    chosen = IngestOptions(key=tmp_path / "key", memory="256MB", unpack_ratio=unpack_ratio)
    return ingest(source, tmp_path / "d", chosen).manifest.rejected


def listed(tmp_path: Path) -> list[tuple[int, str]]:
    table = pq.read_table(tmp_path / "d/rejected.parquet")
    return list(zip(table["line"].to_pylist(), table["reason"].to_pylist(), strict=True))


def rollout(text: str, student: str = "s", title: str = "t") -> list[str]:
    return [f"<start>{text}<|endoftext|>", student, title]


# Lines


def test_blank_lines_are_counted_but_few_are_kept(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_bytes(LINE.format(1, 1).encode() + b"\n" * 8_000_000)
    ingest_by_command(tmp_path, "pencilcode", tmp_path / "a.log")
    assert open_dataset(tmp_path / "d").manifest.rejected == {"malformed": 8_000_000}
    assert listed(tmp_path) == [(line, "malformed") for line in range(2, spool.LISTED + 2)]
    assert sum(file.stat().st_size for file in (tmp_path / "d").iterdir()) < 3_000_000


@pytest.mark.parametrize("kept", [5, 700])
def test_of_each_reason_the_first_lines_are_listed_and_all_are_counted(
    tmp_path: Path, kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool, "LISTED", kept)
    monkeypatch.setattr("redraft.data.ingest.LISTED", kept)
    monkeypatch.setattr("redraft.data.sources.reading.LINES_AT_ONCE", 100)  # several pieces
    lines = [b"\n", LINE.format(1, 1).encode(), LINE.replace("/log/", "/x/").encode()]
    (tmp_path / "a.log").write_bytes(b"".join(lines * 500))
    assert read(PencilCode(paths=[tmp_path / "a.log"]), tmp_path) == {
        "duplicate": 499,
        "malformed": 500,
        "not_log": 500,
    }
    rows = listed(tmp_path)
    for place, reason in ((1, "malformed"), (3, "not_log")):
        assert [line for line, why in rows if why == reason] == [place + 3 * i for i in range(min(kept, 500))]
    assert len([line for line, why in rows if why == "duplicate"]) == min(kept, 499)


# Archives


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress, lambda data: pa.compress(data, codec="zstd", asbytes=True)])  # fmt: skip
def test_a_packed_file_that_grows_beyond_reason_is_refused_unless_it_is_meant(
    tmp_path: Path, pack: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(growth, "ALWAYS", 10**5)
    assert callable(pack)
    (tmp_path / "a.log").write_bytes(pack(LINE.format(1, 1).encode() * 40_000))
    with pytest.raises(InputError, match=r"a\.log: it unpacks to more than .*times its size \(--unpack-ratio"):
        read(PencilCode(paths=[tmp_path / "a.log"]), tmp_path, unpack_ratio=20)
    assert read(PencilCode(paths=[tmp_path / "a.log"]), tmp_path, unpack_ratio=10**6) == {"duplicate": 39_999}


def test_a_small_archive_of_blank_lines_ends_early(tmp_path: Path) -> None:
    packed = gzip.compress(b"\n" * 10**8)
    assert len(packed) * growth.UNPACK_RATIO + ALWAYS < 1.2e8
    (tmp_path / "a.csv").write_bytes(gzip.compress(b"who,task,text\n") + packed)
    (tmp_path / "b.json").write_bytes(gzip.compress(b"[") + gzip.compress(b" " * 3 * 10**8))
    assert "it unpacks to more than" in ingest_by_command(tmp_path, "rollouts", tmp_path / "b.json")


def test_xz_may_not_ask_for_much_memory(tmp_path: Path) -> None:
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 2**29}]
    data = json.dumps([rollout(f"{HEADER}fd 1")]).encode()
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(lzma.compress(data, filters=filters if name == "b" else None) * 1)
    with pytest.raises(InputError, match="b: the archive is damaged"):
        read(Rollouts(paths=[tmp_path / "a", tmp_path / "b"]), tmp_path)
    assert open_dataset(tmp_path / "d").manifest.traces == 1


# Rollouts


def test_a_broken_record_is_wrong_by_itself(tmp_path: Path) -> None:
    good = json.dumps(rollout(f"{HEADER}fd 1"))
    deep = "[" * 100_000 + "]" * 100_000
    long = json.dumps(rollout("x" * 3_000_000))
    records = [good, deep, '{"a": 1}', "9" * 10_000, good, "{'a'}", '["a]", "]", "\\"["]', long, "nonsense", "", good]
    (tmp_path / "a.json").write_text(f" [\n{' ,'.join(records)}] \n")
    rejected = read(Rollouts(paths=[tmp_path / "a.json"]), tmp_path)
    assert rejected == {"malformed": 6, "no_state": 1, "too_long": 1}
    assert listed(tmp_path) == [
        (2, "malformed"), (3, "malformed"), (4, "malformed"), (6, "malformed"), (7, "no_state"), (8, "too_long"),
        (9, "malformed"), (10, "malformed"),
    ]  # fmt: skip
    assert [trace.sample for trace in open_dataset(tmp_path / "d").traces()] == [0, 1, 2]


def test_states_and_empty_records_take_little_memory(tmp_path: Path) -> None:
    records = [json.dumps(rollout(HEADER * 20_000, student=str(i))) for i in range(20)] + ["{}"] * 300_000
    (tmp_path / "a.json.gz").write_bytes(gzip.compress(f"[{','.join(records)}]".encode(), 9))
    ingest_by_command(tmp_path, "rollouts", tmp_path / "a.json.gz")
    dataset = open_dataset(tmp_path / "d")
    assert dataset.manifest.states == 400_000
    assert dataset.manifest.rejected == {"malformed": 300_000}


@pytest.mark.parametrize(("states", "size"), [(7, 10**6), (10**6, 20)])
def test_what_is_too_much_for_a_pair_is_counted(
    tmp_path: Path, states: int, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gather, "MOST_STATES", states)
    monkeypatch.setattr(gather, "MOST_BYTES", size)
    records = [rollout("".join(f"{HEADER}{i:03}\n" for i in range(10)), student=who) for who in "abc" for _ in range(3)]
    (tmp_path / "a.json").write_text(json.dumps(records))
    kept = min(states, size // 3 if size < 100 else states)
    rejected = read(Rollouts(paths=[tmp_path / "a.json"]), tmp_path)
    assert rejected == {"too_many_states": 3 * (30 - kept)}
    found = [trace.states for trace in open_dataset(tmp_path / "d").traces()]
    assert [[state.code.strip() for state in one] for one in found] == [[f"{i:03}" for i in range(kept)]] * 3


# Tables


@pytest.mark.parametrize(("rows", "closed"), [(3, False), (40_000, True), (300_000, False)])
def test_an_open_quote_is_named(tmp_path: Path, rows: int, closed: bool) -> None:
    text = 'who,task,text\nann,t,"a ""quote""\nof two lines"\nann,t,"fd 2\n' + "ann,t,fd 3\n" * rows
    (tmp_path / "t.csv").write_text(text + ('"\n' + "ann,t,fd 4\n" * 9 if closed else ""))
    source = Table(path=tmp_path / "t.csv", student="who", title="task", code="text")
    with pytest.raises(InputError, match=r"the quote that opens in line 4 isn't closed .*close it, or take the row"):
        read(source, tmp_path)


def test_rows_of_commas_and_rows_cut_short_take_little_memory(tmp_path: Path) -> None:
    text = "who,task,text\nann,t,fd 1\n" + ",,\n" * 1_000_000 + "a\n" * 150_000 + "ann,t,fd 2\na\nann,t,fd 3\n"
    (tmp_path / "t.csv").write_bytes(gzip.compress(text.encode(), 9))
    ingest_by_command(tmp_path, "table", tmp_path / "t.csv", *TABLE, "--unpack-ratio", "5000")
    assert open_dataset(tmp_path / "d").manifest.rejected == {"malformed": 150_001, "no_student": 1_000_000}
    assert listed(tmp_path)[-1] == (1_000_001 + spool.LISTED, "malformed")


def dictionary_bomb(file: Path) -> None:
    """65,536 times one long value."""
    values = pa.DictionaryArray.from_arrays(np.zeros(65536, np.int32), ["x" * 100_000])
    columns = {"who": ["s"] * 65536, "task": ["t"] * 65536, "text": values}
    pq.write_table(pa.table(columns), file, compression="zstd")


def row_bomb(file: Path) -> None:
    """Rows upon rows, all alike."""
    table = pa.table({name: [name] * 10**6 for name in ("who", "task", "text")})
    with pq.ParquetWriter(file, table.schema, compression="zstd") as out:
        for _ in range(10):
            out.write_table(table)


def column_bomb(file: Path) -> None:
    """A value that packs well."""
    table = pa.table({"who": ["s"], "task": ["t"], "text": ["x" * 100_000_000]})
    pq.write_table(table, file, compression="zstd", use_dictionary=False)


@pytest.mark.parametrize("bomb", [dictionary_bomb, row_bomb, column_bomb])
def test_a_small_parquet_file_of_much_is_refused(tmp_path: Path, bomb: object) -> None:
    assert callable(bomb)
    bomb(tmp_path / "t.parquet")
    said = ingest_by_command(tmp_path, "table", tmp_path / "t.parquet", *TABLE)
    assert "it unpacks to more than" in said
    assert not (tmp_path / "d").exists()


def test_a_parquet_row_with_a_long_value_is_wrong_by_itself(tmp_path: Path) -> None:
    columns = {"who": ["s"] * 4, "task": ["t"] * 4, "text": ["a", "x" * 3_000_000, None, "b"]}
    pq.write_table(pa.table(columns), tmp_path / "t.parquet")
    source = Table(path=tmp_path / "t.parquet", student="who", title="task", code="text")
    assert read(source, tmp_path) == {"no_code": 1, "too_long": 1}
    assert listed(tmp_path) == [(2, "too_long"), (3, "no_code")]


# ProgSnap2


def snap(folder: Path, events: int, code: str, metadata: Sequence[str] = ()) -> ProgSnap2:
    (folder / "CodeStates").mkdir(parents=True)
    rows = "".join(f"Submit,s{i % 50},c,p\n" for i in range(events))
    (folder / "MainTable.csv").write_text(f"EventType,SubjectID,CodeStateID,ProblemID\n{rows}")
    (folder / "CodeStates/CodeStates.csv").write_text(f"CodeStateID,Code\nc,{code}\n")
    if metadata:
        (folder / "DatasetMetadata.csv").write_text("Property,Value\n" + "\n".join(metadata))
    return ProgSnap2(folder=folder)


def test_events_that_share_a_long_program_take_little_memory(tmp_path: Path) -> None:
    snap(tmp_path / "few", 10_000, "x" * 60_000)
    said = ingest_by_command(tmp_path, "progsnap2", tmp_path / "few", "--unpack-ratio", "5000")
    if not (tmp_path / "d").exists():  # sorting so long rows takes DuckDB more than this memory
        assert "ran out of memory. Give more with --memory." in said
    with pytest.raises(InputError, match="it unpacks to more than"):
        read(snap(tmp_path / "many", 30_000, "x" * 100_000), tmp_path / "many")


def test_metadata_that_is_no_table_is_refused(tmp_path: Path) -> None:
    for name, line in (("long", "x," * 10**6), ("wide", "x" * 200_000)):
        with pytest.raises(InputError, match="can't be read as CSV"):
            read(snap(tmp_path / name, 1, "a", [line]), tmp_path / name)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_rows_are_numbered_over_blocks_whatever_ends_them(tmp_path: Path, end: str) -> None:
    rows = ["who,task,text"]
    for number in range(1, 60_001):
        rows.append("ann" if number % 7_000 == 0 else f'ann,t{number},"fd {number}{end}{"x" * 300}"')
    (tmp_path / "t.csv").write_text(end.join(rows), newline="")
    assert read(Table(path=tmp_path / "t.csv", student="who", title="task", code="text"), tmp_path) == {"malformed": 8}
    assert listed(tmp_path) == [(7_000 * i, "malformed") for i in range(1, 9)]
    assert open_dataset(tmp_path / "d").manifest.traces == 60_000 - 8


def test_millions_of_rows_cut_short_are_soon_counted(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("who,task,text\n" + "a,b\n" * 4_000_000 + "ann,t,fd 1\n")
    start = time.process_time()
    source = Table(path=tmp_path / "t.csv", student="who", title="task", code="text")
    assert read(source, tmp_path) == {"malformed": 4_000_000}
    assert time.process_time() - start < 15


def test_a_table_of_many_columns_takes_little_memory(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("who,task,text" + "".join(f",c{i}" for i in range(100_000)) + "\n")
    said = ingest_by_command(tmp_path, "table", tmp_path / "t.csv", *TABLE)
    assert "it has more than 10,000 columns" in said


@pytest.mark.parametrize(
    ("codes", "names", "cause"),
    [
        ([["a", "b"]], "wtc", r"'c' holds lists or records \(list\)"),
        ([{"a": 1}], "wtc", r"'c' holds lists or records \(struct\). Name a column inside it with a dot \('a'\)"),
        (["a"], "wtcc", "several columns 'c'"),
    ],
    ids=["list", "record", "twice"],
)
def test_columns_that_hold_no_text_are_named(tmp_path: Path, codes: list[object], names: str, cause: str) -> None:
    columns = {"w": ["s"], "t": ["t"], "c": codes}
    pq.write_table(pa.table([columns[name] for name in names], names=list(names)), tmp_path / "t.parquet")
    source = Table(path=tmp_path / "t.parquet", student="w", title="t", code="c")
    with pytest.raises(InputError, match=cause):
        read(source, tmp_path)


def covariates(file: Path) -> None:
    """As `file` is called: tables that grow, or hold no covariates."""
    match file.name.split(".")[0]:
        case "packed":
            file.write_bytes(gzip.compress(b"student,age\n" + b"s1,1\n" * 20_000_000))
        case "wide":
            file.write_text("student" + "".join(f",c{i}" for i in range(2_000)) + "\n")
        case "long":
            pq.write_table(pa.table({"student": ["x" * 100_000] * 20_000, "age": [1] * 20_000}), file)
        case "lists":
            pq.write_table(pa.table({"student": [["s1"]], "age": [1]}), file)
        case "twice":
            file.write_text("student,student,age\ns1,s1,3\n")


@pytest.mark.parametrize(
    ("name", "cause"),
    [("packed.csv.gz", "more than 64,000,000 bytes"), ("wide.csv", "more than 1,000 columns"),
     ("long.parquet", "more than 64,000,000 bytes"), ("lists.parquet", "lists of ids"),
     ("twice.csv", "two columns of one name")],
)  # fmt: skip
def test_covariates_have_an_end(tmp_path: Path, name: str, cause: str) -> None:
    covariates(tmp_path / name)
    (tmp_path / "a.log").write_text(LINE.format(1, 1))
    said = ingest_by_command(tmp_path, "pencilcode", tmp_path / "a.log", "--covariates", tmp_path / name)
    assert cause in said


@pytest.mark.parametrize("text", ["x" * 200_000, "x\n" * 40_000_000], ids=["line", "file"])
def test_lists_of_ids_have_an_end(tmp_path: Path, text: str) -> None:
    (tmp_path / "ids.txt").write_text(text)
    with pytest.raises(InputError, match=r"has more than (1,000 characters|64,000,000 bytes)"):
        read_ids(tmp_path / "ids.txt")


def test_what_is_no_file_is_not_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="/dev/zero is neither a file nor a folder"):
        read(PencilCode(paths=[Path("/dev/zero")]), tmp_path)


def test_a_link_out_of_a_folder_of_tables_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "ps/CodeStates").mkdir(parents=True)
    (tmp_path / "ps/MainTable.csv").write_text("EventType,SubjectID,CodeStateID,ProblemID,Order\nSubmit,s,c,p,1\n")
    (tmp_path / "secret").write_text("root:*:20228:0:99999\n")
    (tmp_path / "ps/CodeStates/CodeStates.csv").symlink_to(tmp_path / "secret")
    with pytest.raises(RedraftError, match="a link that leads out of the folder") as caught:
        read(ProgSnap2(folder=tmp_path / "ps"), tmp_path)
    assert "20228" not in str(caught.value)
