"""A simulated class: the folder it makes, the logs in it, the truth beside them."""

from __future__ import annotations

import gzip
import json
import re
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from redraft.cli import main
from redraft.data.identity import keyed_hash, load_key
from redraft.data.ingest import IngestOptions, ingest
from redraft.data.simulate import SimulateConfig, simulate, simulated_traces
from redraft.data.simulate.classroom import Event, Work
from redraft.data.simulate.log import log_lines
from redraft.data.sources.pencilcode import PencilCode
from redraft.errors import DatasetError, InputError, UsageError

SMALL = SimulateConfig(students=12, titles=8, seed=5)
LINE = re.compile(
    r"10\.\d{1,3}\.\d{1,3}\.\d{1,3} (?P<owner>\w+) uid=[0-9A-F]{32} "
    r"\[(?P<time>\d\d/[A-Z][a-z][a-z]/\d{4}:\d\d:\d\d:\d\d \+0000)\] "
    r'"GET /log/(?P<title>[a-z0-9]+)\?(?P<action>\w+)&mode=(?P<mode>[bt])&lang=cs&code=(?P<code>[^ "&]*) HTTP/1\.1" '
    r'200 0 "https://[^"]+" "[^"]+"'
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulate(SMALL, tmp_path_factory.mktemp("simulate") / "class")


def log_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("access-*.log.gz"))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def parsed(file: Path) -> list[dict[str, str]]:
    """An independent reading: every line must match in full."""
    with gzip.open(file, "rt", encoding="ascii", newline="\n") as log:
        rows = []
        for line in log:
            match = LINE.fullmatch(line.removesuffix("\n"))
            assert match, f"{file.name} has a line of another form"
            rows.append(match.groupdict())
    return rows


def plain_traces(folder: Path) -> dict[tuple[str, str], list[tuple[datetime, str]]]:
    """Runs by (owner, title), decoded, repeats collapsed."""
    traces: dict[tuple[str, str], list[tuple[datetime, str]]] = defaultdict(list)
    for file in log_files(folder):
        for row in parsed(file):
            if row["action"] == "run":
                at = datetime.strptime(row["time"], "%d/%b/%Y:%H:%M:%S %z")
                code = unquote(row["code"].replace("|", "\n").replace("+", " ")).rstrip()
                states = traces[row["owner"], row["title"]]
                if states and states[-1][1] == code:
                    states.pop()
                states.append((at, code))
    return traces


def test_the_same_seed_makes_the_same_bytes(made: Path, tmp_path: Path) -> None:
    assert contents(simulate(SMALL, tmp_path / "again")) == contents(made)
    other = simulate(SimulateConfig(students=12, titles=8, seed=6), tmp_path / "other")
    assert contents(other)["ingest.key"] != contents(made)["ingest.key"]


def test_a_student_is_the_same_in_a_larger_class() -> None:
    few = list(simulated_traces(SMALL))
    many = list(simulated_traces(SimulateConfig(students=15, titles=8, seed=5)))
    assert many[: len(few)] == few
    assert len(many) > len(few)


def test_every_line_parses_and_files_are_in_order_of_time(made: Path) -> None:
    assert len(log_files(made)) > 3
    actions = set()
    for file in log_files(made):
        rows = parsed(file)
        times = [datetime.strptime(row["time"], "%d/%b/%Y:%H:%M:%S %z") for row in rows]
        assert times == sorted(times)
        assert {time.year for time in times} == {int(file.name[7:11])}
        assert all(time.hour >= 12 and time.year < 2025 for time in times)
        actions |= {row["action"] for row in rows}
    assert actions == {"run", "save", "load", "toggle"}


def test_the_logs_say_what_the_class_did(made: Path) -> None:
    key = load_key(made / "ingest.key")
    found = {(keyed_hash(owner, key), title): states for (owner, title), states in plain_traces(made).items()}
    expected = {trace.pair: [(s.at, s.code) for s in trace.states] for trace in simulated_traces(SMALL)}
    assert found == expected


def test_an_ingest_makes_the_same_traces_and_joins_the_truth(made: Path, tmp_path: Path) -> None:
    options = IngestOptions(key=made / "ingest.key", origin="simulated")
    dataset = ingest(PencilCode(paths=tuple(log_files(made))), tmp_path / "dataset", options)
    expected = sorted(simulated_traces(SMALL), key=lambda trace: trace.pair)
    assert [(t.pair, t.states) for t in dataset.traces()] == [(t.pair, t.states) for t in expected]
    assert dataset.manifest.origin == "simulated"
    assert set(dataset.manifest.rejected) <= {"other_action", "duplicate"}
    truth = pq.read_table(made / "traits.parquet")
    assert set(dataset.to_arrow(["student"])["student"].to_pylist()) == set(truth["student"].to_pylist())


def test_the_truth_holds_every_trait_of_every_student(made: Path) -> None:
    truth = pq.read_table(made / "traits.parquet")
    assert truth.column_names == [
        "student", "number", "skill", "backtracking", "comment_rate", "palette", "speed", "pen_width", "function_use",
        "pace", "year", "mode", "placebo", "redrawn",
    ]  # fmt: skip
    assert truth["number"].to_pylist() == list(range(12))
    assert len(set(truth["student"].to_pylist())) == 12
    assert not any(truth["redrawn"].to_pylist())


def test_students_do_some_of_the_titles_each_once(made: Path) -> None:
    titles = defaultdict(list)
    for trace in simulated_traces(SMALL):
        titles[trace.student].append(trace.title)
    assert all(len(done) == len(set(done)) >= 2 for done in titles.values())
    assert len({len(done) for done in titles.values()}) > 1


@pytest.mark.parametrize("seed", [5, 9])
def test_given_traits_keep_students_and_hashes(made: Path, tmp_path: Path, seed: int) -> None:
    config = SimulateConfig(students=10, titles=8, seed=seed, traits=made / "traits.parquet")
    again = simulate(config, tmp_path / "again")
    assert pq.read_table(again / "traits.parquet").equals(pq.read_table(made / "traits.parquet").slice(0, 10))
    same = list(simulated_traces(config)) == list(simulated_traces(SimulateConfig(students=10, titles=8, seed=5)))
    assert same == (seed == 5)


def test_some_students_of_a_table_stay_themselves(made: Path, tmp_path: Path) -> None:
    some = pq.read_table(made / "traits.parquet").take([7, 2])
    pq.write_table(some, tmp_path / "some.parquet")
    config = SimulateConfig(students=2, titles=8, seed=5, traits=tmp_path / "some.parquet")
    wanted = set(some["student"].to_pylist())
    expected = [trace for trace in simulated_traces(SMALL) if trace.student in wanted]
    assert sorted(simulated_traces(config), key=lambda t: t.pair) == sorted(expected, key=lambda t: t.pair)


def test_nothing_depends_on_the_placebo(made: Path, tmp_path: Path) -> None:
    truth = pq.read_table(made / "traits.parquet")
    column = truth.column_names.index("placebo")
    pq.write_table(truth.set_column(column, "placebo", pc.add(truth["placebo"], 3.0)), tmp_path / "t.parquet")
    other = SimulateConfig(students=12, titles=8, seed=5, traits=tmp_path / "t.parquet")
    assert list(simulated_traces(other)) == list(simulated_traces(SMALL))


@pytest.mark.parametrize(
    ("column", "values", "said"),
    [
        ("skill", pa.array([1.5] * 12), "skill is not a number from 0 to 1"),
        ("palette", pa.array([["red", "red", "mud"]] * 12), "palette is not three different of red"),
        ("year", pa.array([1999] * 12), "year is not one of 2015"),
        ("pace", pa.nulls(12, pa.float64()), "pace is not a number"),
    ],
)
def test_impossible_traits_are_refused(made: Path, tmp_path: Path, column: str, values: pa.Array, said: str) -> None:
    truth = pq.read_table(made / "traits.parquet")
    pq.write_table(truth.set_column(truth.column_names.index(column), column, values), tmp_path / "t.parquet")
    with pytest.raises(InputError, match=said):
        simulate(SimulateConfig(students=12, traits=tmp_path / "t.parquet"), tmp_path / "class")
    assert not (tmp_path / "class").exists()


def test_unusable_tables_of_traits_are_refused(made: Path, tmp_path: Path) -> None:
    table = tmp_path / "t.parquet"
    with pytest.raises(InputError, match="no such file"):
        SimulateConfig(traits=table).truth()
    table.write_bytes(b"PAR1 garbage")
    with pytest.raises(InputError, match="can't be read"):
        SimulateConfig(traits=table).truth()
    pq.write_table(pq.read_table(made / "traits.parquet").drop_columns(["pace", "mode"]), table)
    with pytest.raises(InputError, match="lacks the columns pace, mode"):
        SimulateConfig(traits=table).truth()
    with pytest.raises(InputError, match="12 students, not 480"):
        SimulateConfig(traits=made / "traits.parquet").truth()


@pytest.mark.parametrize(
    "wrong", [{"students": 0}, {"titles": 0}, {"trait_strength": 1.1}, {"traits": Path("x"), "redraw_traits": True}]
)
def test_impossible_settings_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        SimulateConfig(**wrong).truth()  # type: ignore[arg-type]


def test_a_folder_with_something_else_is_left_alone(made: Path, tmp_path: Path) -> None:
    before = contents(made)
    assert simulate(SMALL, made) == made
    with pytest.raises(DatasetError, match="left alone"):
        simulate(SimulateConfig(students=3, seed=1), made)
    assert contents(made) == before
    (tmp_path / "note.txt").write_text("mine")
    with pytest.raises(DatasetError, match="left alone"):
        simulate(SMALL, tmp_path)


def test_a_class_cut_short_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("redraft.data.simulate.log.LogWriter.finish", full)
    with pytest.raises(OSError, match="No space"):
        simulate(SMALL, tmp_path / "class")
    assert list(tmp_path.iterdir()) == []


def test_the_editor_sends_1024_units_and_escapes_what_the_log_uses() -> None:
    at = datetime(2020, 3, 2, 14, 5, 9, tzinfo=UTC)
    code = 'a = "b|c+d%e"\n' + "\N{GRINNING FACE}" * 600
    work = Work(3, "story", (Event(at, "run", "t", code),))
    ((_, line),) = log_lines(work, seed=1)
    match = LINE.fullmatch(line)
    assert match
    assert match["code"].startswith("a+%3D+%22b%7Cc%2Bd%25e%22|%F0%9F")
    got = unquote(match["code"].replace("|", "\n").replace("+", " "), errors="strict")
    assert got == code[: 14 + 505]
    state = work.trace("s").final
    assert (state.code, state.truncated) == (got, True)
    assert len(got.encode("utf-16-le")) == 2 * 1024


def test_titles_beyond_the_list_come_again_numbered() -> None:
    titles = {trace.title for trace in simulated_traces(SimulateConfig(students=20, titles=50, seed=2))}
    assert len(titles) == 50
    assert {"square", "square2", "square3", "guessmynumber2"} <= titles


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "class"
    command = ["simulate", "--students", "3", "--titles", "2", "--seed", "1", "--redraw-traits", "--out", str(out)]
    with pytest.raises(SystemExit) as done:
        main(command)
    assert done.value.code in (0, None)
    note = json.loads((out / "simulation.json").read_text())
    assert note["settings"]["origin"] == "simulated"
    assert note["settings"]["redraw_traits"] is True
    assert all(pq.read_table(out / "traits.parquet")["redrawn"].to_pylist())
    with pytest.raises(SystemExit) as failed:
        main([*command[:-2], "--trait-strength", "2", "--out", str(out)])
    assert failed.value.code == 2
    assert "from 0 to 1" in capsys.readouterr().err
