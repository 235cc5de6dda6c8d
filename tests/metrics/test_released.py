"""The released code's definitions: equal to a plain formulation, and to the released values, in every bit."""

from __future__ import annotations

import json
import lzma
import sys
from collections.abc import Sequence
from difflib import Differ
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import released_oracle as plain
from factories import make_dataset, make_key, make_trace
from redraft.cli import app
from redraft.data.identity import keyed_hash
from redraft.data.ingest import IngestOptions, ingest
from redraft.data.sources.rollouts import Rollouts
from redraft.errors import InputError
from redraft.metrics.released import bleu
from redraft.metrics.released.columns import COLUMNS, RELEASED, SCHEMA
from redraft.metrics.released.edits import COUNTS, count_edits
from redraft.metrics.released.match import distances, number_texts, work_for
from redraft.metrics.released.table import Measured, measure_released, measure_texts
from redraft.metrics.released.texts import Text

LINES = (
    "fd 100", "fd 10", "rt 90", "pen red", "pen blue", "pen SkyBlue, 5", "# note", "#", "", "   ", "\tfd 5", "? fd 5",
    "+ fd 5", "- fd 5", "for [1..4]", "  lt 45", "f = ->", "f = (x) ->", "->", "dot green, 20", "dot red, 20", "speed 7",
    "speed ٣", "turtle.fd 3", "box.box()", "await read defer x", "color #ff0000 # inline", "é", "<COLOR>", "pen <COLOR>",
)  # fmt: skip
line = st.one_of(st.sampled_from(LINES), st.text("ab 1#->\té🐢", max_size=12))
ends = st.sampled_from(["\n"] * 12 + ["\r\n", "\r", "\x0b", "\u2028", ""])
short = st.lists(st.tuples(line, ends), max_size=14).map(lambda parts: "".join(text + end for text, end in parts))
wide = st.builds(  # from 200 characters on, popular ones are left out
    lambda text, times, rest: text * times + rest, st.text("ab 1\n", min_size=1, max_size=30), st.integers(7, 60), line
)
program = st.one_of(short, short, short, wide)


@st.composite
def revised(draw: st.DrawFn) -> tuple[str, str]:
    """A program, and one that differs from it here and there."""
    old = draw(program)
    lines = old.splitlines(keepends=True)
    for _ in range(draw(st.integers(0, 4))):
        place = draw(st.integers(0, len(lines)))
        if draw(st.booleans()) and place < len(lines):
            text = lines[place]
            at = draw(st.integers(0, len(text)))
            lines[place] = text[:at] + draw(st.sampled_from(["", "1", "red", "#", " "])) + text[at + 1 :]
        elif draw(st.booleans()) and place < len(lines):
            del lines[place]
        else:
            lines.insert(place, draw(line) + "\n")
    return old, "".join(lines)


pair = st.one_of(revised(), revised().map(lambda both: both[::-1]), st.tuples(program, program))


@settings(max_examples=120, deadline=None)
@given(st.lists(pair, min_size=1, max_size=4))
@example([("", "")])
@example([("fd 1\n", "fd 1\n")])
@example([("x" * 300, "x" * 299 + "y"), ("ab" * 100, "ba" * 100)])
def test_distances_and_edits_are_difflibs(pairs: list[tuple[str, str]]) -> None:
    programs = [text for both in pairs for text in both]
    steps = np.arange(len(programs)).reshape(-1, 2)
    texts = number_texts(programs)
    assert distances(texts, steps, work_for(texts)).tolist() == [plain.distance(*both) for both in pairs]
    assert [dict(zip(COUNTS, row, strict=True)) for row in count_edits(programs, steps).tolist()] == [
        plain.edit(*both) for both in pairs
    ]


def test_popular_lines_of_long_programs_are_left_out_too() -> None:
    lines = [f"fd {n}" if n % 3 else "rt 90" for n in range(210)]
    programs = ["\n".join(text) for text in (lines, [*lines[:100], "# new", *lines[104:]], lines[::-1])]
    steps = np.array([[0, 1], [1, 0], [2, 1]])
    found = [dict(zip(COUNTS, row, strict=True)) for row in count_edits(programs, steps).tolist()]
    assert found == [plain.edit(programs[old], programs[new]) for old, new in steps]


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="Differ pairs lines differently from 3.13 on")
@settings(max_examples=100, deadline=None)
@given(pair)
def test_the_plain_formulation_marks_lines_as_differ_did(both: tuple[str, str]) -> None:
    old, new = (text.splitlines() for text in both)
    assert list(plain.marked(old, new)) == [text for text in Differ().compare(old, new) if text[:2] in ("+ ", "- ")]


piece = st.one_of(
    st.builds(
        "CODE {} ({}):\n{}\n".format,
        st.sampled_from(["1", "2", "3", "12", "07", "٣"]),
        st.sampled_from(
            ["2018-05-02 16:13:32", "2018-05-02 16:13:31", "2020-2-3 4:5:6", "2018-02-30 00:00:00", "", "x):"]
        ),
        program,
    ),
    st.builds("CODE 1 (2019-01-0{} 10:00:00):\n{}\n".format, st.integers(1, 9), short),
    st.sampled_from(["CODE 7", "CODE 8 (2018-", "CODE", "CODE x\n", "\n", "<|endoftext|>", "fd CODE 3 fd\n", " "]),
)
text = st.builds(
    "{}{}{}".format,
    st.sampled_from(["square<mask><start>", "", "CODE 5<start>"]),
    st.lists(piece, max_size=6).map("".join),
    st.sampled_from(
        ["<|endoftext|>", "<|endoftext|><|endoftext|><pad>", "", "CODE 9", "CODE 9 (2018-05-02 16:13:32):\nfd 1"]
    ),
)


@settings(max_examples=120, deadline=None)
@given(st.lists(text, min_size=1, max_size=4))
@example(["CODE 1 (2018-05-02 16:13:32):\n \n<|endoftext|>"])
@example(["CODE 1 (2018-05-02 16:13:32):\nfd 1\nCODE 7 fd 2\nCODE 2 (2018-05-02 16:13:33):\nfd 1<|endoftext|>"])
def test_rows_are_the_plain_formulations(texts: list[str]) -> None:
    table, finals = measure_texts([Text("f", None, "s", "t", text) for text in texts])
    for found, final, source in zip(table.to_pylist(), finals, texts, strict=True):
        row, (drafts, ended) = plain.measure(source), plain.programs(source)
        assert {name: found[name] for name in RELEASED} == (row or dict.fromkeys(RELEASED))
        assert found["eos"] == ended
        assert (final.tokens if final else None) == (drafts[-1][2].split() if row else None)


tokens = st.lists(st.sampled_from("abcde"), min_size=1, max_size=12)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.lists(tokens, min_size=2, max_size=6), min_size=1, max_size=4), st.lists(tokens, min_size=1, max_size=5)
)
@example([[["a"], ["b"]]], [["c"]])
@example([[["a", "b", "c"], ["a"], ["a", "b", "c", "d", "e"]]], [["a"], ["a"] * 5])
def test_bleu_is_that_of_comparing_every_pair(groups: list[list[list[str]]], references: list[list[str]]) -> None:
    owners = [number for number, texts in enumerate(groups) for _ in texts]
    texts = [text for of in groups for text in of]
    assert bleu.self_bleu(bleu.count(texts), owners) == [plain.self_bleu(of) for of in groups]
    assert bleu.reference_bleu(texts, references) == plain.bleu(texts, [references] * len(texts))


def test_a_mean_is_added_from_left_to_right() -> None:
    assert bleu.mean([0.1] * 10) != 1 / 10  # as it would be with the sum of Python 3.12
    assert bleu.mean([1.0, 2.0]) == 1.5


def test_popular_elements_are_left_out_of_long_programs_only() -> None:
    program, other = "ab" * 99, "ba" * 100
    texts = number_texts([program, other])
    found = distances(texts, np.array([[0, 1], [1, 0]]), work_for(texts)).tolist()
    assert found == [plain.distance(program, other), plain.distance(other, program)]
    assert found[0] > 10 * found[1]  # the order counts: only the new program has 200 characters


HEADER = "CODE {} (2020-01-01 10:00:{:02}):\n{}\n"
RECORDS = {
    "all_square": [
        [
            "square<start>" + HEADER.format(1, 0, "fd 1") + HEADER.format(4, 9, "fd 2") + "<|endoftext|>",
            "ann",
            "square",
        ],
        ["square<start>nothing", "bob", "square"],
        ["square<start>" + HEADER.format(1, 0, "pen red") + "CODE 2 (20", "ann", "square"],
    ],
    "last_square": [["square<start>" + HEADER.format(1, 0, "fd 1") + "<|endoftext|>", "cat", "square"]],
}


def write_rollouts(folder: Path) -> Path:
    folder.mkdir()
    for name, records in RECORDS.items():
        (folder / f"{name}.json").write_text(json.dumps(records))
    return folder


def check(measured: Measured, names: Sequence[str]) -> None:
    rows = measured.table.to_pylist()
    assert measured.table.schema == SCHEMA
    assert [(row["file"], row["idx"]) for row in rows] == [
        ("all_square", 0), ("all_square", 1), ("all_square", 2), ("last_square", 0)
    ]  # fmt: skip
    assert [row["username"] for row in rows] == list(names)
    assert [row["title"] for row in rows] == ["square"] * 4
    assert [row["eos"] for row in rows] == [True, False, False, True]
    assert [row["program_number_last"] for row in rows] == [4, None, 1, 1]
    assert [row["total_time"] for row in rows] == [9, None, 0, 0]
    assert rows[2]["colors_last"] == '{"red": 1}'
    record = measured.collections["all_square"]
    assert (record["n"], record["n_with_program"], record["tok"], record["n_pairs"]) == (3, 2, 4, 1)
    tokens = [["fd", "2"], ["pen", "red"]]
    assert record["self_bleu_cum1to4"] == plain.self_bleu(tokens) == [0.0] * 4
    assert [entry["username"] for entry in record["self_bleu_per_pair"]] == [names[0]]
    assert record["reference_bleu_vs_last"] == np.mean(plain.bleu(tokens, [[["fd", "1"]]] * 2))
    assert "reference_bleu_vs_synthetic" not in record
    assert measured.collections["last_square"]["self_bleu"] is None


def test_rollout_files_and_the_dataset_made_of_them_give_the_same(tmp_path: Path) -> None:
    folder = write_rollouts(tmp_path / "rollouts")
    check(measure_released(folder, workers=2), ["ann", "bob", "ann", "cat"])
    key = bytes(32)
    make_key(tmp_path / "key", key)
    dataset = ingest(Rollouts(paths=[folder]), tmp_path / "dataset", IngestOptions(key=tmp_path / "key"))
    dataset.verify()
    check(measure_released(dataset), [keyed_hash(name, key) for name in ("ann", "bob", "ann", "cat")])
    (tmp_path / "out").write_text("ann\n")
    options = IngestOptions(key=tmp_path / "key", exclude_students=tmp_path / "out")
    fewer = measure_released(ingest(Rollouts(paths=[folder]), tmp_path / "fewer", options))
    assert fewer.table["idx"].to_pylist() == [1, 0]


def test_a_dataset_of_something_else_is_written_as_texts(tmp_path: Path) -> None:
    traces = [make_trace(["fd 1", "fd 12", "fd 12"], "ann"), make_trace(["# hi"], "bob")]
    measured = measure_released(make_dataset(tmp_path / "dataset", traces))
    first, second = measured.table.to_pylist()
    assert (first["file"], first["idx"], second["idx"], first["username"]) == ("test", 0, 1, "ann")
    assert (first["trace_length"], first["program_number_last"], first["total_time"]) == (3, 3, 60)
    assert first["edit_dists_from_last"] == json.dumps([plain.distance("fd 1\n", "fd 12"), 0])  # but for the newline
    assert second["num_comments_last"] == 1
    timeless = make_trace(["fd 1"])
    timeless = type(timeless)(student="s", title="t", source="x", states=(type(timeless.states[0])(code="fd 1"),))
    table = measure_released(make_dataset(tmp_path / "timeless", [timeless])).table
    assert table["trace_length"].to_pylist() == [None]  # no date to put into the header


def test_the_command_writes_a_table_and_a_record(tmp_path: Path) -> None:
    folder, out = write_rollouts(tmp_path / "rollouts"), tmp_path / "out.parquet"
    app(
        ["metrics", str(folder), "--definitions", "released", "--workers", "1", "--out", str(out)],
        result_action="return_value",
    )
    expected = measure_released(folder)
    assert pq.read_table(out).equals(expected.table)
    assert json.loads(out.with_suffix(".json").read_text()) == expected.collections


@pytest.mark.parametrize("content", ["[[1, 2, 3]]", "{}", "no json", '[["a", "b"]]'])
def test_files_of_something_else_are_named(tmp_path: Path, content: str) -> None:
    file = tmp_path / "all_x.json"
    file.write_text(content)
    with pytest.raises(InputError, match=r"all_x\.json"):
        measure_released(file)


def test_no_text_at_all_gives_an_empty_table(tmp_path: Path) -> None:
    (tmp_path / "all_x.json").write_text("[]")
    measured = measure_released(tmp_path / "all_x.json")
    assert (measured.table, measured.collections) == (SCHEMA.empty_table(), {})
    (tmp_path / "all_x.json").write_text('[["no program", "s", "x"]]')
    record = measure_released(tmp_path / "all_x.json").collections["all_x"]
    assert (record["n"], record["n_with_program"], record["tok"], record["self_bleu"]) == (1, 0, 0, None)
    assert (record["n_pairs"], record["self_bleu_per_pair_mean"]) == (0, None)


def test_a_half_surrogate_pair_is_measured(tmp_path: Path) -> None:
    table, _ = measure_texts([Text("f", 0, "s", "t", "CODE 1 (2020-01-01 10:00:00):\nlabel '\ud83d'<|endoftext|>")])
    assert table["trace_length"].to_pylist() == [1]


def test_every_column_says_what_it_is() -> None:
    assert list(SCHEMA.names[5:]) == list(COLUMNS) == list(RELEASED)
    assert all(metric.definition and metric.unit and metric.source == "released code" for metric in RELEASED.values())


@pytest.mark.supplied
def test_supplied_values_are_equal_in_every_cell(shared: Path) -> None:
    expected = pq.read_table(shared / "released-trace-metrics.parquet")
    records = json.loads((shared / "released-collection-metrics.json").read_text())
    measured = measure_released(shared / "rollouts")
    assert measured.table.schema.equals(expected.schema)
    assert [name for name in expected.column_names if not measured.table[name].equals(expected[name])] == []
    assert list(measured.collections) == list(records)
    for file, record in records.items():
        del record["self_bleu_checked_against_authors_code"]
        assert {name: measured.collections[file].get(name) for name in record} == record


@pytest.mark.supplied
def test_the_plain_formulation_is_the_released_one(shared: Path) -> None:
    rows = pq.read_table(shared / "released-trace-metrics.parquet").to_pylist()
    wanted = [row for row in rows if row["file"] in ("synthetic_twodice", "all_clickdraw")]
    names = ("all_clickdraw", "synthetic_twodice")
    files = [json.loads(lzma.decompress((shared / "rollouts" / f"{name}.json.xz").read_bytes())) for name in names]
    texts = [record[0] for records in files for record in records]
    assert len(texts) == len(wanted) == 500
    for row, source in zip(wanted, texts, strict=True):
        assert (plain.measure(source) or dict.fromkeys(RELEASED)) == {name: row[name] for name in RELEASED}
