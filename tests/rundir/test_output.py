"""Output folders: what is refused, resumed, replaced, and mended after a kill."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from redraft.errors import DatasetError, InputError
from redraft.rundir import Kind, Output, is_unfinished
from redraft.rundir.output import REPLACED, REQUEST, RESULT


def made_for(folder: Path) -> Mapping[str, Any] | None:
    file = folder / "toy.json"
    return json.loads(file.read_text()) if file.exists() else None


TOY = Kind(name="a toy", another="another toy", made_for=made_for, effort="part-*")


def make(out: Path, text: str, *, overwrite: bool | None = False, inputs: tuple[Path, ...] = ()) -> bool:
    """Make a toy; whether there was anything to do."""
    with Output(out, kind=TOY, request={"text": text}, overwrite=overwrite, inputs=inputs) as output:
        if output.done:
            return False
        (output.scratch / "part-1").write_text(text)
        (output.folder / "toy.json").write_text(json.dumps({"text": text}))
        output.publish()
    return True


def begin(out: Path, text: str, *, overwrite: bool = False) -> Output:
    """Begin a toy, and stop after its first part."""
    with Output(out, kind=TOY, request={"text": text}, overwrite=overwrite) as output:
        (output.scratch / "part-1").write_text(text)
        (output.folder / "toy.json").write_text(json.dumps({"text": text}))
    return output


def tree(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in sorted(folder.rglob("*")) if path.is_file()}


def whole(text: str) -> dict[str, str]:
    return {"out/toy.json": json.dumps({"text": text})}


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def test_done_is_done_and_another_needs_overwrite(out: Path) -> None:
    assert make(out, "a")
    assert tree(out.parent) == whole("a")
    assert not make(out, "a")
    with pytest.raises(DatasetError, match=r"already holds another toy.*add --overwrite"):
        make(out, "b")
    with pytest.raises(DatasetError, match=r"Choose another --out\.$"):  # the command has no --overwrite
        make(out, "b", overwrite=None)
    assert make(out, "b", overwrite=True)
    assert tree(out.parent) == whole("b")


def test_what_was_begun_is_gone_on_with_by_the_same_request_alone(out: Path) -> None:
    begun = begin(out, "a")
    assert is_unfinished(out)
    with pytest.raises(DatasetError, match=r"beginnings of another toy.*--overwrite.*remove that folder"):
        make(out, "b")
    with Output(out, kind=TOY, request={"text": "a"}) as output:
        assert not output.done
        assert (output.scratch / "part-1").read_text() == "a"
    assert make(out, "b", overwrite=True)
    assert tree(out.parent) == whole("b")
    assert not begun.scratch.exists()


def test_a_beginning_without_worth_is_no_obstacle(out: Path) -> None:
    with Output(out, kind=TOY, request={"text": "a"}) as output:
        (output.scratch / "note").write_text("nothing yet")
    assert make(out, "b")
    assert tree(out.parent) == whole("b")


@pytest.mark.parametrize("worth", [False, True])
def test_an_error_of_ours_keeps_what_is_worth_keeping(out: Path, worth: bool) -> None:
    def fail() -> None:
        with Output(out, kind=TOY, request={"text": "a"}) as output:
            (output.scratch / ("part-1" if worth else "note")).write_text("x")
            raise InputError("bad.")

    with pytest.raises(InputError):
        fail()
    assert is_unfinished(out) == worth
    assert not list(out.parent.glob(".out*"))


@pytest.mark.parametrize("files", [{"mine.txt": "x"}, {REQUEST: "{}"}, {REQUEST: "not JSON", "checkpoint.pt": "x"}])
def test_a_partial_folder_that_is_not_ours_is_never_touched(out: Path, files: dict[str, str]) -> None:
    partial = out.parent / "out.partial"
    partial.mkdir()
    for name, text in files.items():
        (partial / name).write_text(text)
    for overwrite in (False, True):
        with pytest.raises(DatasetError, match="left alone"):
            make(out, "a", overwrite=overwrite)
    assert tree(partial) == files
    (partial / REQUEST).unlink(missing_ok=True)
    out.mkdir()
    (out / "toy.json").write_text(json.dumps({"text": "a"}))
    assert not make(out, "a")  # done, and still left alone
    assert tree(partial) == {name: text for name, text in files.items() if name != REQUEST}


def test_an_empty_partial_folder_and_an_empty_target_are_taken(out: Path) -> None:
    out.mkdir()
    (out.parent / "out.partial").mkdir()
    assert make(out, "a")
    assert tree(out.parent) == whole("a")


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("target", ["fifo", "file", "link", "dangling", "folder", "partial link"])
def test_what_is_no_folder_of_this_kind_is_left_alone(out: Path, target: str, overwrite: bool) -> None:
    other = out.parent / "other"
    other.mkdir()
    (other / "mine.txt").write_text("x")
    if target == "fifo":
        os.mkfifo(out)
    elif target == "file":
        out.write_text("mine")
    elif target == "link":
        out.symlink_to(other)
    elif target == "dangling":
        out.symlink_to(out.parent / "nowhere")
    elif target == "partial link":
        (out.parent / "out.partial").symlink_to(other)
    else:
        other.rename(out)
    before = {path.name: path.lstat().st_ino for path in out.parent.rglob("*") if not path.is_fifo()}
    with pytest.raises(DatasetError, match="left alone"):
        make(out, "a", overwrite=overwrite)
    assert {path.name: path.lstat().st_ino for path in out.parent.rglob("*") if not path.is_fifo()} == before
    assert list(out.parent.glob(".*")) == []


def test_places_that_hold_more_than_an_output_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home, work = tmp_path / "home", tmp_path / "work" / "here"
    home.mkdir()
    work.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(work)
    for place in (Path(), Path(".."), Path("/"), home, work.parent, Path("../here")):
        with pytest.raises(DatasetError, match=r"(current|home) folder"):
            make(place, "a", overwrite=True)
    given = tmp_path / "data" / "logs"
    given.mkdir(parents=True)
    for place in (given, given.parent):
        with pytest.raises(DatasetError, match="is an input"):
            make(place, "a", inputs=(given,))
    assert make(given / "out", "a", inputs=(given,))


def killed_between_the_renames(out: Path) -> Output:
    make(out, "old")
    begun = begin(out, "new", overwrite=True)
    out.rename(begun.scratch / REPLACED)
    return begun


@pytest.mark.parametrize("text", ["new", "third", "old"])
def test_killed_between_its_renames_it_is_finished_by_whoever_comes(out: Path, text: str) -> None:
    killed_between_the_renames(out)
    if text == "new":
        assert not make(out, "new", overwrite=True)
    else:
        with pytest.raises(DatasetError, match="already holds another toy"):
            make(out, text)
    assert tree(out.parent) == whole("new")


def test_the_old_one_comes_back_if_the_new_one_is_gone(out: Path) -> None:
    begun = killed_between_the_renames(out)
    begun.folder.rename(out.parent / "elsewhere")
    assert not make(out, "old")
    assert tree(out) == {"toy.json": json.dumps({"text": "old"})}
    assert not begun.scratch.exists()


def test_what_was_put_in_place_of_the_old_one_is_not_lost_and_neither_are_they(out: Path) -> None:
    begun = killed_between_the_renames(out)
    out.mkdir()
    (out / "toy.json").write_text(json.dumps({"text": "third"}))
    with pytest.raises(DatasetError, match="Move what is here away"):
        make(out, "new", overwrite=True)
    assert json.loads((begun.scratch / REPLACED / "toy.json").read_text()) == {"text": "old"}
    assert json.loads((begun.scratch / RESULT / "toy.json").read_text()) == {"text": "new"}
    assert json.loads((out / "toy.json").read_text()) == {"text": "third"}


def test_a_target_that_became_another_meanwhile_is_not_replaced(out: Path) -> None:
    def late() -> None:
        with Output(out, kind=TOY, request={"text": "a"}) as output:
            (output.scratch / "part-1").write_text("a")
            out.mkdir()
            (out / "mine.txt").write_text("x")
            output.publish()

    with pytest.raises(DatasetError, match="left alone"):
        late()
    assert tree(out) == {"mine.txt": "x"}
    assert is_unfinished(out)


def test_temporary_files_are_not_published(out: Path) -> None:
    with Output(out, kind=TOY, request={"text": "a"}) as output:
        (output.folder / "toy.json").write_text(json.dumps({"text": "a"}))
        (output.folder / ".toy.json.elsewhere_0a1b2c-1-00000000.tmp").write_text("half")
        output.publish()
    assert tree(out.parent) == whole("a")
