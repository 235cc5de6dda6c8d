"""ProgSnap2 data sets as they are met: layouts, names, keystrokes, verdicts, and what a stranger may put into one."""

from __future__ import annotations

import os
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from factories import make_key
from places import CASES
from redraft.data.identity import keyed_hash
from redraft.data.ingest import IngestOptions, ingest
from redraft.data.sources.progsnap2 import ProgSnap2
from redraft.data.store import Dataset
from redraft.errors import RedraftError

KEY = b"a key of more than sixteen bytes"
MAIN = "EventType,EventID,SubjectID,ToolInstances,CodeStateID,ServerTimestamp,ProblemID\n"


def read(tmp_path: Path, folder: Path, out: str = "d", **options: Any) -> Dataset:
    make_key(tmp_path / "key", KEY)
    return ingest(
        ProgSnap2(folder=folder, **options), tmp_path / out, IngestOptions(key=tmp_path / "key", memory="256MB")
    )


def codes(dataset: Dataset) -> dict[tuple[str, str], list[str]]:
    return {(trace.student, trace.title): [state.code for state in trace.states] for trace in dataset.traces()}


def data_set(folder: Path, main: str, files: dict[str, str | bytes], **metadata: str) -> Path:
    for name, text in {"MainTable.csv": main, **files}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    if metadata:
        rows = "".join(f"{name},{value}\n" for name, value in metadata.items())
        (folder / "DatasetMetadata.csv").write_text("Property,Value\n" + rows)
    return folder


def event(number: int, code: str, *, student: str = "ann", kind: str = "Submit", title: str = "p") -> str:
    return f"{kind},{number},{student},Python 3,{code},2020-01-01T10:00:{number:02d}Z,{title}\n"


ANN = (keyed_hash("ann", KEY), "p")


def test_a_directory_of_programs_below_students_or_not(tmp_path: Path) -> None:
    main = MAIN + event(1, "1") + event(2, "2") + event(3, "3") + event(4, "../../secret") + event(5, "4.0")
    files: dict[str, str | bytes] = {
        "CodeStates/ann/1/main.py": "a\r\nb", "CodeStates/ann/2/z.py": "z", "CodeStates/ann/2/a.py": "a",
        "CodeStates/ann/3/main.py": b"\xff", "CodeStates/ann/3/main.pyc": b"\0\xff",
        "CodeStates/4/main.py": "four", "CodeStates/4/.hidden": "no", "secret/main.py": "not to be read",
    }  # fmt: skip
    folder = data_set(tmp_path / "p", main, files, CodeStateRepresentation="Directory")
    dataset = read(tmp_path, folder)
    assert codes(dataset) == {ANN: ["a\r\nb", "a\nz", "four"]}
    assert {state.language for trace in dataset.traces() for state in trace.states} == {"python"}
    assert dataset.manifest.rejected == {"not_utf8_code": 1, "no_code": 1}


def test_another_program_makes_another_data_set(tmp_path: Path) -> None:
    folder = data_set(tmp_path / "p", MAIN + event(1, "1"), {"CodeStates/1/main.py": "a"})
    read(tmp_path, folder)
    (folder / "CodeStates/1/main.py").write_text("b")
    with pytest.raises(RedraftError, match="another dataset"):
        read(tmp_path, folder)


def commit(repository: Path, files: dict[str, str], *, packed: bool = False) -> str:
    for name, text in files.items():
        (repository / name).parent.mkdir(parents=True, exist_ok=True)
        (repository / name).write_text(text)
    quiet = ["git", "-C", str(repository), "-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run([*quiet, "add", "-A"], check=True, capture_output=True)
    subprocess.run([*quiet, "commit", "-qm", "x"], check=True, capture_output=True)
    if packed:
        subprocess.run([*quiet, "gc", "-q", "--aggressive"], check=True, capture_output=True)
    found = subprocess.run([*quiet, "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
    return found.stdout.strip()


@pytest.mark.parametrize("packed", [False, True])
def test_commits_are_read_without_git(tmp_path: Path, packed: bool) -> None:
    folder = tmp_path / "p"
    repository = folder / "CodeStates/ann/project"
    repository.mkdir(parents=True)
    subprocess.run(["git", "init", "-q", str(repository)], check=True, capture_output=True)
    long = "".join(f"line {number}\n" for number in range(2000))
    ids = [commit(repository, {"a.py": long, "lib/b.py": "b"}), commit(repository, {"a.py": long + "more"})]
    ids.append(commit(repository, {"a.py": "short"}, packed=packed))
    (repository / ".git/hooks/post-checkout").write_text("#!/bin/sh\ntouch hooked\n")
    (repository / ".git/objects/info").mkdir(exist_ok=True)
    (repository / ".git/objects/info/alternates").write_text("/nowhere\n")
    main = MAIN + "".join(event(number, name) for number, name in enumerate([*ids, "f" * 40, "../.git"], 1))
    data_set(folder, main, {}, CodeStateRepresentation="Git")
    dataset = read(tmp_path, folder)
    assert codes(dataset) == {ANN: [long + "\nb", long + "more\nb", "short\nb"]}
    assert dataset.manifest.rejected == {"no_code": 2}


def test_a_damaged_object_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "p"
    repository = folder / "CodeStates/project"
    repository.mkdir(parents=True)
    subprocess.run(["git", "init", "-q", str(repository)], check=True, capture_output=True)
    good, bad = commit(repository, {"a.py": "a"}), commit(repository, {"a.py": "b"})
    found = repository / ".git/objects" / bad[:2] / bad[2:]
    found.chmod(0o600)
    found.write_bytes(found.read_bytes()[:20])
    data_set(folder, MAIN + event(1, good) + event(2, bad), {}, CodeStateRepresentation="Git")
    dataset = read(tmp_path, folder)
    assert (codes(dataset), dataset.manifest.rejected) == ({ANN: ["a"]}, {"damaged_code": 1})


def test_a_zip_is_read_as_its_folder(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "p.zip", "w") as packed:
        packed.writestr("top/Data/maintable.CSV", MAIN + event(1, "1") + event(2, "2"))
        packed.writestr("top/Data/codestates/codestate.csv", "CodeStateID,Code\n1,a\n2,b\n")
        packed.writestr("__MACOSX/top/Data/._maintable.CSV", "x")
    assert codes(read(tmp_path, tmp_path / "p.zip")) == {ANN: ["a", "b"]}


def test_a_zip_that_climbs_or_swells_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "climbs.zip", "w") as packed:
        packed.writestr("MainTable.csv", MAIN + event(1, "1"))
        packed.writestr("../evil.csv", "x")
    with pytest.raises(RedraftError, match="climbs"):
        read(tmp_path, tmp_path / "climbs.zip")
    assert not (tmp_path.parent / "evil.csv").exists()
    with zipfile.ZipFile(tmp_path / "swells.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("MainTable.csv", MAIN + event(1, "1"))
        with packed.open("CodeStates/1/a.py", "w") as inside:
            for _ in range(200):
                inside.write(bytes(10**6))
    with pytest.raises(RedraftError, match="unpacks to more than"):
        read(tmp_path, tmp_path / "swells.zip")


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/main.py").write_text("secret")
    folder = data_set(tmp_path / "p", MAIN + event(1, "1"), {"CodeStates/2/main.py": "b"})
    (folder / "CodeStates/1").symlink_to(tmp_path / "outside")
    with pytest.raises(RedraftError, match="leads out"):
        read(tmp_path, folder)


STROKES = """EventID,SubjectID,AssignmentID,CodeStateSection,EventType,SourceLocation,InsertText,DeleteText,ServerTimestamp
1,ann,a1,x.py,File.Edit,0.0,prant,,2020-01-01T10:00:00Z
2,ann,a1,x.py,File.Edit,Text:2,i,a,2020-01-01T10:00:01Z
3,ann,a1,,Run.Program,,,,2020-01-01T10:00:02Z
4,ann,a1,y.py,File.Edit,0,"1
2",,2020-01-01T10:10:00Z
5,ann,a1,y.py,Run.Program,,,,2020-01-01T10:10:01Z
6,ann,a1,x.py,File.Edit,1,,zz,2020-01-01T10:20:00Z
7,ann,a1,x.py,File.Edit,0,q,,2020-01-01T10:20:01Z
8,ann,a1,x.py,Run.Program,,,,2020-01-01T10:20:02Z
9,bob,a2,,File.Edit,0,é,,2020-01-01T10:00:00Z
10,bob,a2,,File.Edit,1,b,,2020-01-01T10:01:00Z
11,bob,a2,,Session.End,,,,2020-01-01T10:01:00Z
"""


def test_keystrokes_make_drafts_at_runs(tmp_path: Path) -> None:
    dataset = read(tmp_path, data_set(tmp_path / "k", STROKES, {}))
    ann = keyed_hash("ann", KEY)
    assert codes(dataset) == {(ann, "a1/x.py"): ["print"], (ann, "a1/y.py"): ["1\n2"]}
    assert dataset.manifest.rejected == {"bad_edit": 1, "no_draft": 2, "other_event": 1, "unreliable": 2}
    assert {state.language for trace in dataset.traces() for state in trace.states} == {"python"}


def test_keystrokes_make_drafts_after_pauses(tmp_path: Path) -> None:
    dataset = read(tmp_path, data_set(tmp_path / "k", STROKES, {}), drafts="pauses=30")
    ann, bob = keyed_hash("ann", KEY), keyed_hash("bob", KEY)
    assert codes(dataset) == {(ann, "a1/x.py"): ["print"], (ann, "a1/y.py"): ["1\n2"], (bob, "a2"): ["é", "éb"]}
    with pytest.raises(RedraftError, match="pauses=SECONDS"):
        read(tmp_path, tmp_path / "k", drafts="often")


def test_programs_within_the_main_table(tmp_path: Path) -> None:
    main = (
        "EventType,SubjectID,ProblemID,X-ElapsedTime,X-CodeState\n"
        'Submit,ann,p,20,"b\n"\nSubmit,ann,p,3,a\nSubmit,ann,p,100,\n'
    )
    dataset = read(tmp_path, data_set(tmp_path / "p", main, {}))
    assert codes(dataset) == {ANN: ["a", "b"]}
    assert dataset.manifest.rejected == {"empty_edge": 1}


def test_what_the_platform_said(tmp_path: Path) -> None:
    main = (
        "EventType,EventID,SubjectID,CodeStateID,ServerTimestamp,ProblemID,Score,ParentEventID,ExecutionResult,"
        "CompileResult,CompileMessageType,CompileMessageData,SourceLocation,X-Grade\n"
        "Run.Program,1,ann,a,2020-01-01T10:00:00Z,p,0,,,,,,,\n"
        "Compile,2,ann,a,2020-01-01T10:00:00Z,p,,1,,Error,,,,\n"
        'Compile.Error,3,ann,a,2020-01-01T10:00:00Z,p,,2,,,SyntaxError,"line 7: error: "";"" expected",,\n'
        "Run.Program,4,ann,b,2020-01-01T10:01:00Z,p,0.5,,,,,,,\n"
        "Compile,5,ann,b,2020-01-01T10:01:00Z,p,,4,,Success,,,,\n"
        "Run.Program,6,ann,c,2020-01-01T10:02:00Z,p,,,Timeout,,,,,80\n"
        "Run.Program,7,ann,d,2020-01-01T10:03:00Z,p,,,,,,,,\n"
        "Compile,8,ann,d,2020-01-01T10:03:00Z,p,,7,,Warning,,,,\n"
    )
    dataset = read(
        tmp_path,
        data_set(tmp_path / "p", main, {"CodeStates/CodeStates.csv": "CodeStateID,Code\na,1\nb,2\nc,3\nd,4\n"}),
    )
    (trace,) = dataset.traces()
    assert [state.score for state in trace.states] == [0.0, 0.5, 0.8, None]
    said = {row["id"]: row for row in pq.read_table(dataset.path / "verdicts-platform.parquet").to_pylist()}
    rows = [said[state.id] for state in trace.states]
    assert [(row["verdict"], row["judged"]) for row in rows] == [
        ("error", "compiled"), ("failed", "tested"), ("timeout", "ran"), ("ok", "compiled"),
    ]  # fmt: skip
    assert rows[0]["errors"] == [{"kind": "syntax", "message": 'line 7: error: ";" expected', "line": 7}]


def test_files_tell_the_language_where_tools_do_not(tmp_path: Path) -> None:
    main = "EventType,SubjectID,CodeStateID,ToolInstances\nSubmit,ann,1,VPL 3\nSubmit,ann,2,VPL 3\n"
    files: dict[str, str | bytes] = {"CodeStates/1/Main.java": "a", "CodeStates/2/notes.txt": "b"}
    folder = data_set(tmp_path / "p", main, files)
    with pytest.raises(RedraftError, match="--title"):
        read(tmp_path, folder)
    (trace,) = read(tmp_path, folder, title="p").traces()
    assert [(state.code, state.language) for state in trace.states] == [("a", "java"), ("b", None)]
    assert trace.title == "p"


def test_a_table_without_a_header_shows_no_cell(tmp_path: Path) -> None:
    folder = data_set(
        tmp_path / "p", "ann,secret,x\nbob,other,y\n", {"CodeStates/CodeStates.csv": "CodeStateID,Code\n"}
    )
    with pytest.raises(RedraftError, match="first line") as told:
        read(tmp_path, folder)
    assert "secret" not in str(told.value)


def test_keystrokes_are_rebuilt_where_no_row_names_a_code_state(tmp_path: Path) -> None:
    main = "".join(
        line + (",CodeStateID\n" if line.startswith("EventID") else ",\n") if line[:1].isalnum() and line.count(",") > 7 else line + "\n"
        for line in STROKES.splitlines()[:4]
    )  # fmt: skip
    folder = data_set(tmp_path / "k", main, {"CodeStates/CodeStates.csv": "CodeStateID,Code\nx,y\n"})
    assert codes(read(tmp_path, folder)) == {(keyed_hash("ann", KEY), "a1"): ["print"]}


def test_a_wrong_folder_is_said_to_be_one(tmp_path: Path) -> None:
    data_set(tmp_path / "p/Train/Data", MAIN + event(1, "1"), {})
    with pytest.raises(RedraftError, match="Train/Data"):
        read(tmp_path, tmp_path / "p")


def test_events_that_are_not_there_are_listed_with_counts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main = MAIN + event(1, "1", kind="File.Edit") + event(2, "1", kind="File.Edit") + event(3, "1", kind="Maria Smith")
    folder = data_set(tmp_path / "p", main, {"CodeStates/CodeStates.csv": "CodeStateID,Code\n1,a\n"})
    with pytest.raises(RedraftError, match=r"File\.Edit \(2\), 1 of types that aren't the format's") as told:
        read(tmp_path, folder)
    assert "Maria" not in str(told.value)
    assert codes(read(tmp_path, folder, events=("file.edit", "Resource.View"))) == {ANN: ["a"]}
    assert "types Resource.View. There are: File.Edit (2)" in capsys.readouterr().err


def test_titles_are_told_apart_by_assignment_where_problems_are_ambiguous(tmp_path: Path) -> None:
    main = "EventType,SubjectID,AssignmentID,ProblemID,CodeStateID\n" + "".join(
        f"Submit,ann,{assignment},{problem},1\n" for assignment, problem in (("A", 1), ("B", 1), ("B", 2), ("", 3), ("C", ""))
    )  # fmt: skip
    folder = data_set(tmp_path / "p", main, {"CodeStates/CodeStates.csv": "CodeStateID,Code\n1,a\n"})

    def titles(out: str, **options: Any) -> list[str]:
        return sorted(trace.title for trace in read(tmp_path, folder, out, **options).traces())

    assert titles("auto") == ["2", "3", "A/1", "B/1", "C"]
    assert titles("problem", titles="problem") == ["1", "2", "3", "C"]
    assert titles("both", titles="both") == ["3", "A/1", "B/1", "B/2", "C"]
    assert titles("assignment", titles="assignment") == ["A", "B", "C"]


@pytest.mark.supplied
def test_supplied_cases(shared: Path, tmp_path: Path) -> None:
    def found(name: str, **options: Any) -> dict[tuple[str, str], list[str]]:
        return codes(read(tmp_path, CASES / name, name.replace("/", "-"), **options))

    def of(student: str, title: str) -> tuple[str, str]:
        return keyed_hash(student, KEY), title

    assert found("13-ps2-unknown") == {of("s1", "p1"): ["print(0)", "print(1)"]}
    assert found("15-ps2-directory") == {
        of("12", "6"): ["print(0)", "print(1)"],
        of("13", "6"): ["print(2)\n\nx = 1"],
    }
    assert [title for _, title in found("17-ps2-float-ids")] == ["3"]
    for name in ("flat", "lower", "Train/Data"):
        assert found(f"18-ps2-parent/{name}") == {of("s1", "p1"): ["print(0)"]}
    assert {title for _, title in found("20-ps2-problem-scope")} == {"A/1", "B/1"}
    assert found("21-ps2-dup-codestates") == {of("s1", "p1"): ["first"]}
    for name in ("18-ps2-parent", "18-ps2-parent/Train", "18-ps2-parent/data.zip", "19-ps2-events"):
        with pytest.raises(RedraftError):
            found(name)
