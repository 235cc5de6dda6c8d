"""The programs of a ProgSnap2 data set, from any of its three layouts.

In: a `Layout`, and which code states are wanted. Out: rows of `CODE_ROWS`: a code state's key, its section, its text,
and what is wrong if it can't be used. A code state of several sections is one program: its sections in their order
(a table's rows; files by path), joined by newlines.

Keys: in the Table and the Git layout a code state's id (a commit's hash); in the Directory layout, whose folders may
stand below one of their student's, subject + U+0001 + id. `plain_id` says which ids mean the same: pandas writes a
column of whole numbers in which some are missing as 1.0, 2.0.

Ids become names of folders here, and may come from a stranger: one that isn't a plain name is a code state that isn't
there. A file that isn't text (it holds NULs and isn't UTF-8) is no section. One that isn't UTF-8, or is longer than a
cell may be, makes its code state unusable.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from redraft.data.sources.growth import UNPACK_RATIO, Growth
from redraft.data.sources.portions import LONGEST_CELL
from redraft.data.sources.progsnap2.gitobjects import GitError, Repository
from redraft.data.sources.progsnap2.layout import Layout, repositories

CODE_ROWS = pa.schema([("key", pa.string()), ("section", pa.string()), ("code", pa.string()), ("wrong", pa.string())])
_WHOLE = re.compile(r"([+-]?[0-9]+)\.0+")
_ROWS, _BYTES = 4096, 8_000_000
"""Of a batch, at most about."""
_MOST_SECTIONS = 10_000


class Wanted(NamedTuple):
    """A code state that an event names."""

    subject: str
    id: str


class _Section(NamedTuple):
    name: str
    code: str | None
    wrong: str | None = None


def plain_id(text: str) -> str:
    """An id without the space around it and without `.0` behind a whole number."""
    text = text.strip()
    match = _WHOLE.fullmatch(text)
    return match[1] if match else text


PLAIN_ID = r"regexp_replace(trim({}), '^([+-]?[0-9]+)\.0+$', '\1')"
"""The same in SQL."""


def directory_rows(layout: Layout, wanted: Iterable[Wanted]) -> Iterator[pa.RecordBatch]:
    """The code states of the Directory layout that are wanted, as batches of `CODE_ROWS`."""
    assert layout.code_folder is not None
    home = layout.code_folder.resolve()
    yield from _batches((f"{subject}\x01{name}", _folder(home, subject, name)) for subject, name in wanted)


def git_rows(layout: Layout, wanted: Iterable[Wanted], ratio: int = UNPACK_RATIO) -> Iterator[pa.RecordBatch]:
    """The commits that are wanted, as batches of `CODE_ROWS`.

    Raises:
        Damaged: The repositories unpack too far.
    """
    assert layout.code_folder is not None
    folders = [*repositories(layout.code_folder)]
    growth = Growth(sum(file.stat().st_size for folder in folders for file in _all_files(folder)), ratio)
    opened = [Repository(folder) for folder in folders]
    try:
        yield from _batches((name, _commit(opened, name, growth)) for _, name in wanted)
    finally:
        for repository in opened:
            repository.close()


def contents_digest(layout: Layout) -> str:
    """A hash of all files of the code states' folder: names, sizes and bytes."""
    assert layout.code_folder is not None
    total = hashlib.sha256()
    for file in _all_files(layout.code_folder):
        name = str(file.relative_to(layout.code_folder)).encode(errors="surrogateescape")
        with file.open("rb") as raw:
            total.update(hashlib.sha256(name).digest() + hashlib.file_digest(raw, "sha256").digest())
    return total.hexdigest()


def _all_files(folder: Path) -> Iterator[Path]:
    for root, folders, files in os.walk(folder):
        folders.sort()
        yield from (path for name in sorted(files) if (path := Path(root, name)).is_file())


def _batches(states: Iterable[tuple[str, list[_Section]]]) -> Iterator[pa.RecordBatch]:
    rows: list[dict[str, str | None]] = []
    size = 0
    for key, sections in states:
        for section in sections:
            rows.append({"key": key, "section": section.name, "code": section.code, "wrong": section.wrong})
            size += len(section.code or "")
        if len(rows) >= _ROWS or size >= _BYTES:
            yield pa.RecordBatch.from_pylist(rows, CODE_ROWS)
            rows, size = [], 0
    if rows:
        yield pa.RecordBatch.from_pylist(rows, CODE_ROWS)


def _is_name(part: str) -> bool:
    """Whether a word is the name of something in a folder, and leads nowhere else."""
    return bool(part) and part not in (".", "..") and len(part) < 250 and not set(part) & set("/\\\0:")


def _place(home: Path, *words: str) -> Path | None:
    """The file or folder that the words name below `home`; None if they name none."""
    parts = [part for word in words for part in word.split("/")]
    if not all(map(_is_name, parts)):
        return None
    place = home.joinpath(*parts)
    try:
        there = place.exists() and place.resolve().is_relative_to(home)
    except OSError:
        return None
    return place if there else None


def _folder(home: Path, subject: str, name: str) -> list[_Section]:
    """The sections of a code state, found below its student or directly."""
    plain = [(plain_id(subject), plain_id(name)), (plain_id(name),)]
    for words in ((subject, name), (name,), *plain):
        place = _place(home, *words) if all(words) else None
        if place is None:
            continue
        if place.is_file():
            return [section for section in [_file(place, place.name)] if section]
        if any(entry.is_file() for entry in place.iterdir()) or len(words) > 1:
            return _files_below(place)
    return []


def _files_below(folder: Path) -> list[_Section]:
    found: list[_Section] = []
    for number, file in enumerate(_all_files(folder)):
        name = file.relative_to(folder)
        if number >= _MOST_SECTIONS:
            return [_Section("", None, "too_long")]
        if not any(part.startswith(".") for part in name.parts):
            found += [section for section in [_file(file, name.as_posix())] if section]
    return sorted(found, key=lambda section: section.name)


def _file(file: Path, name: str) -> _Section | None:
    if file.stat().st_size > LONGEST_CELL:
        return _Section(_shown(name), None, "too_long")
    return _section(name, file.read_bytes())


def _section(name: str, data: bytes) -> _Section | None:
    """A file as a section; None if it is no text at all."""
    if len(data) > LONGEST_CELL:
        return _Section(_shown(name), None, "too_long")
    try:
        return _Section(_shown(name), data.decode("utf-8-sig"))
    except UnicodeDecodeError:
        return None if b"\0" in data else _Section(_shown(name), None, "not_utf8")


def _shown(name: str) -> str:
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _commit(repositories: list[Repository], name: str, growth: Growth) -> list[_Section]:
    wanted = name.strip().lower()
    for repository in repositories:
        if not repository.has(wanted):
            continue
        before = repository.read
        try:
            found = [section for path, data in repository.files(wanted) if (section := _section(path, data))]
        except (GitError, RecursionError, OSError):
            return [_Section("", None, "damaged_code")]
        growth.add(repository.read - before)
        if sum(len(section.code or "") for section in found) > 4 * LONGEST_CELL:
            return [_Section("", None, "too_long")]
        return sorted(found, key=lambda section: section.name)
    return []
