"""The validator: a data set that keeps the specification has no deviations; each planted one is found where it is."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from redraft import progsnap2
from redraft.cli import main
from redraft.progsnap2 import RULES

HEADER = [
    "EventType", "EventID", "SubjectID", "ToolInstances", "CodeStateID", "Order", "ServerTimestamp", "AssignmentIsGraded",
    "Attempt", "ParentEventID", "SessionID", "CodeStateSection", "DestinationCodeStateSection", "EditType",
    "EventInitiator", "CompileResult", "CompileMessageType", "CompileMessageData", "SourceLocation", "ExecutionID",
    "TestID", "ExecutionResult", "Score", "X-Own",
]  # fmt: skip
TIME = "2021-03-01T10:00:00.5+0100"
GOOD: list[dict[str, str]] = [
    {"EventType": "Session.Start", "SessionID": "1", "Order": "0"},
    {"EventType": "File.Edit", "CodeStateSection": "a.py", "EditType": "Insert", "CodeStateID": "c1",
     "EventInitiator": "UserDirectAction"},
    {"EventType": "Compile", "CodeStateSection": "a.py", "CompileResult": "Error", "CodeStateID": "c1"},
    {"EventType": "Compile.Error", "CodeStateSection": "a.py", "CompileMessageType": "SyntaxError",
     "CompileMessageData": "a,b", "SourceLocation": "Text:1", "CodeStateID": "c1", "ParentEventID": "3"},
    {"EventType": "Submit", "Score": "0.5", "CodeStateID": "c2", "Attempt": "1", "AssignmentIsGraded": "true"},
    {"EventType": "Run.Test", "ExecutionID": "x", "TestID": "t", "ExecutionResult": "TestFailed", "CodeStateID": "c2"},
    {"EventType": "X-Sigh", "SubjectID": "UNKNOWN"},
    {"EventType": "File.Rename", "CodeStateSection": "a.py", "DestinationCodeStateSection": "lib/b.py"},
]  # fmt: skip
METADATA = (
    "Property,Value\nVersion,1.0\nIsEventOrderingConsistent,FALSE\nEventOrderScope,Restricted\n"
    "EventOrderScopeColumns,SubjectID;SessionID\nCodeStateRepresentation,Table\nProgramInputLinkTable,\nX-Own,1\n"
)
CODES = "CodeStateID,Code,CodeStateSection\nc1,a,a.py\nc2,a,a.py\nc2,b,lib/b.py\n"


def table(rows: list[dict[str, str]], header: list[str] = HEADER) -> str:
    lines = [",".join(header)]
    for number, row in enumerate(rows, 1):
        usual = {"EventID": str(number), "SubjectID": "s", "ToolInstances": "t", "ServerTimestamp": TIME}
        cells = usual | row
        lines.append(",".join(f'"{cells.get(name, "")}"' for name in header))
    return "\n".join(lines) + "\n"


def data_set(folder: Path, files: dict[str, str | bytes | None]) -> Path:
    good: dict[str, str | bytes | None] = {
        "MainTable.csv": table(GOOD), "DatasetMetadata.csv": METADATA, "CodeStates/CodeStates.csv": CODES,
        "LinkTables/LinkSubject.csv": "SubjectID,Grade\ns,1\n", "README.md": "x", "Resources/x.txt": "x",
    }  # fmt: skip
    for name, text in (good | files).items():
        if text is not None:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


def found(folder: Path) -> list[tuple[str, str, int | None, str | None]]:
    return [(one.rule, one.file, one.row, one.column) for one in progsnap2.validate(folder)]


def changed(row: int, **cells: str) -> dict[str, str | bytes | None]:
    """The good events with some cells of a row, from 1, changed."""
    cells = {name.replace("_", "-"): value for name, value in cells.items()}
    return {"MainTable.csv": table([one | cells if n == row else one for n, one in enumerate(GOOD, 1)])}


def metadata(old: str, new: str) -> dict[str, str | bytes | None]:
    assert old in METADATA
    return {"DatasetMetadata.csv": METADATA.replace(old, new)}


def test_a_good_data_set_has_no_deviations(tmp_path: Path) -> None:
    assert found(data_set(tmp_path, {})) == []


MAIN, META, STATES = "MainTable.csv", "DatasetMetadata.csv", "CodeStates/CodeStates.csv"
PLANTED: list[tuple[str, dict[str, str | bytes | None], str, int | None, str | None]] = [
    ("main-table-missing", {MAIN: None}, MAIN, None, None),
    ("metadata-missing", {META: None}, META, None, None),
    ("file-name", {META: None, "Metadata.csv": METADATA}, "Metadata.csv", None, None),
    ("file-name", {STATES: None, "CodeStates/CodeState.csv": CODES}, "CodeStates/CodeState.csv", None, None),
    ("file-name", {STATES: None, "codestates/codestates.csv": CODES}, "codestates/codestates.csv", None, None),
    ("file-unexpected", {"early.csv": "a\n"}, "early.csv", None, None),
    ("file-unreadable", {MAIN: table(GOOD) + '"open'}, MAIN, None, None),
    ("file-unreadable", {MAIN: table(GOOD).replace('","', '";"').replace(",", ";")}, MAIN, None, None),
    ("row-malformed", {MAIN: table(GOOD) + "Submit,99\n"}, MAIN, len(GOOD) + 1, None),
    ("row-not-utf8", {MAIN: table(GOOD).encode() .replace(b'"s"', b'"\xff"', 1)}, MAIN, 1, None),
    ("metadata-header", {META: METADATA.replace("Property,Value", "Name,Value")}, META, None, None),
    ("property-unknown", metadata("X-Own,1", "Own,1"), META, 7, None),
    ("property-unknown", metadata("IsEventOrderingConsistent", "AreEventsOrdered"), META, 2, None),
    ("property-twice", metadata("X-Own,1\n", "X-Own,1\nX-Own,2\n"), META, 8, None),
    ("property-value", metadata("FALSE", "0"), META, 2, "Value"),
    ("property-value", metadata("Scope,Restricted", "Scope,Some"), META, 3, "Value"),
    ("version-other", metadata("1.0", "8.0"), META, 1, "Value"),
    ("scope-columns-missing", metadata("SubjectID;SessionID", ""), META, None, None),
    ("scope-columns-unknown", metadata("SubjectID;SessionID", "SubjectID;Nobody"), META, None, None),
    ("row-malformed", metadata("SubjectID;SessionID", "SubjectID,SessionID"), META, 4, None),
    ("order-missing", {MAIN: table(GOOD, [name for name in HEADER if name != "Order"])}, META, None, None),
    ("input-table-missing", metadata("ProgramInputLinkTable,", "ProgramInputLinkTable,Inputs"), META, None, None),
    ("column-missing", {MAIN: table(GOOD, [name for name in HEADER if name != "ToolInstances"])}, MAIN, None, "ToolInstances"),
    ("column-unknown", {MAIN: table(GOOD, [*HEADER, "Mood"])}, MAIN, None, "Mood"),
    ("column-unknown", {MAIN: table(GOOD, [*HEADER, "problemid"])}, MAIN, None, "problemid"),
    ("column-twice", {MAIN: table(GOOD, [*HEADER, "X-Own"])}, MAIN, None, None),
    ("value-missing", changed(5, SubjectID=""), MAIN, 5, "SubjectID"),
    ("value-missing", changed(5, ToolInstances=" "), MAIN, 5, "ToolInstances"),
    ("event-id-twice", changed(5, EventID="2"), MAIN, 5, "EventID"),
    ("event-type-unknown", changed(7, EventType="Sigh"), MAIN, 7, "EventType"),
    ("event-type-unknown", changed(7, EventType="X-"), MAIN, 7, "EventType"),
    ("event-value-missing", changed(2, EditType=""), MAIN, 2, "EditType"),
    ("event-value-missing", changed(6, ExecutionResult=""), MAIN, 6, "ExecutionResult"),
    ("event-value-unexpected", changed(5, CompileResult="Error"), MAIN, 5, "CompileResult"),
    ("not-an-integer", changed(1, Order="1.0"), MAIN, 1, "Order"),
    ("not-a-number", changed(5, Score="half"), MAIN, 5, "Score"),
    ("not-a-number", changed(5, Score="nan"), MAIN, 5, "Score"),
    ("out-of-range", changed(5, Score="1.01"), MAIN, 5, "Score"),
    ("out-of-range", changed(5, Attempt="0"), MAIN, 5, "Attempt"),
    ("not-a-boolean", changed(5, AssignmentIsGraded="1"), MAIN, 5, "AssignmentIsGraded"),
    ("not-a-timestamp", changed(5, ServerTimestamp="1664787610000"), MAIN, 5, "ServerTimestamp"),
    ("not-a-timestamp", changed(5, ServerTimestamp="2021-02-30T10:00:00+0000"), MAIN, 5, "ServerTimestamp"),
    ("timestamp-without-zone", changed(5, ServerTimestamp="2021-03-01T10:00:00"), MAIN, 5, "ServerTimestamp"),
    ("not-a-value", changed(3, CompileResult="success"), MAIN, 3, "CompileResult"),
    ("not-a-value", changed(6, ExecutionResult="Failed"), MAIN, 6, "ExecutionResult"),
    ("not-a-path", changed(2, CodeStateSection="../a.py"), MAIN, 2, "CodeStateSection"),
    ("destination-alone", changed(7, DestinationCodeStateSection="b.py"), MAIN, 7, "DestinationCodeStateSection"),
    ("parent-missing", changed(4, ParentEventID="77"), MAIN, 4, "ParentEventID"),
    ("code-state-missing", changed(5, CodeStateID="c3"), MAIN, 5, "CodeStateID"),
    ("code-state-missing", changed(5, CodeStateID="c2.0"), MAIN, 5, "CodeStateID"),
    ("code-states-missing", metadata("tion,Table", "tion,Directory"), "CodeStates", None, None),
    ("code-states-missing", {STATES: None}, "CodeStates", None, None),
    ("code-state-twice", {STATES: CODES + "c2,x,a.py\n"}, STATES, 4, "CodeStateID"),
    ("code-state-blank", {STATES: CODES + ",x,a.py\n"}, STATES, 4, "CodeStateID"),
    ("section-needless", {STATES: "CodeStateID,Code,CodeStateSection\nc1,a,a.py\nc2,a,a.py\n"}, STATES, None, "CodeStateSection"),
    ("section-in-table", {STATES: "CodeStateID,Code\nc1,a\nc2,a\n"}, MAIN, 2, "CodeStateSection"),
    ("column-missing", {STATES: CODES.replace("Code,", "Text,")}, STATES, None, "Code"),
    ("link-table-without-id", {"LinkTables/Other.csv": "TestScore\n1\n"}, "LinkTables/Other.csv", None, None),
    ("row-malformed", {"LinkTables/LinkSubject.csv": "SubjectID,Grade\ns\n"}, "LinkTables/LinkSubject.csv", 1, None),
]  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "files", "file", "row", "column"), PLANTED, ids=[f"{n}-{p[0]}" for n, p in enumerate(PLANTED)]
)
def test_a_planted_deviation_is_found_where_it_is(
    tmp_path: Path, rule: str, files: dict[str, str | bytes | None], file: str, row: int | None, column: str | None
) -> None:
    told = found(data_set(tmp_path, files))
    assert (rule, file, row, column) in told


def directory(folder: Path, name: str, data: bytes) -> None:
    (folder / "CodeStates" / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / "CodeStates" / name).write_bytes(data)


def test_directories_of_code_states(tmp_path: Path) -> None:
    folder = data_set(tmp_path, {**metadata("tion,Table", "tion,Directory"), STATES: None})
    directory(folder, "s/c1/a.py", b"a")
    directory(folder, "s/c2/a.py", b"\xff\xfe\xfd")
    assert found(folder) == [("code-state-unreadable", MAIN, row, "CodeStateID") for row in (5, 6)]
    (folder / "CodeStates/s/c1/a.py").unlink()
    assert ("code-state-missing", MAIN, 2, "CodeStateID") in found(folder)


def test_commits_as_code_states(tmp_path: Path) -> None:
    repository = tmp_path / "CodeStates/project"
    repository.mkdir(parents=True)
    (repository / "a.py").write_text("a")
    git = ["git", "-C", str(repository), "-c", "user.name=a", "-c", "user.email=a@b"]
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "x"]):
        subprocess.run([*git, *words], check=True, capture_output=True)
    name = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    events = [{"EventType": "Submit", "CodeStateID": one} for one in (name, "0" * 40)]
    data_set(tmp_path, {**metadata("tion,Table", "tion,Git"), STATES: None, MAIN: table(events)})
    assert found(tmp_path) == [("code-state-missing", MAIN, 2, "CodeStateID")]


def test_every_rule_is_planted() -> None:
    elsewhere = {"row-too-long", "code-state-unreadable"}
    assert {rule for rule, *_ in PLANTED} | elsewhere == RULES.keys()


def test_the_command_prints_all_and_no_cell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = data_set(tmp_path, changed(5, Score="Maria Smith"))
    with pytest.raises(SystemExit) as ended:
        main(["validate", "progsnap2", str(folder)])
    assert ended.value.code == 1
    text = capsys.readouterr().out
    assert "MainTable.csv, row 5, Score: error: is no number [not-a-number]" in text
    assert "Maria" not in text
    with pytest.raises(SystemExit):
        main(["validate", "progsnap2", str(folder), "--json"])
    told = json.loads(capsys.readouterr().out)
    assert (told["errors"], told["warnings"], told["valid"]) == (1, 0, False)
    assert told["deviations"] == [
        {"rule": "not-a-number", "level": "error", "file": "MainTable.csv", "row": 5, "column": "Score", "message": "is no number"}
    ]  # fmt: skip


def test_warnings_alone_break_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = data_set(tmp_path, metadata("1.0", "5"))
    with pytest.raises(SystemExit) as ended:
        main(["validate", "progsnap2", str(folder), "--json"])
    assert not ended.value.code
    told = json.loads(capsys.readouterr().out)
    assert (told["errors"], told["warnings"], told["valid"]) == (0, 1, True)


def test_a_folder_that_is_not_there_prints_no_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["validate", "progsnap2", str(tmp_path / "none"), "--json"])
    assert (ended.value.code, capsys.readouterr().out) == (1, "")


def test_the_documentation_lists_every_rule() -> None:
    page = (Path(__file__).parents[2] / "docs/progsnap2.md").read_text()
    for name, rule in RULES.items():
        assert f"| `{name}` | {rule.level} | {rule.says} |" in page
