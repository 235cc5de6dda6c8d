"""Where the files of a ProgSnap2 data set lie: in a folder or a zip, whatever the case of their names.

In: a folder, a zip of one, or the path of its MainTable.csv. Out: `Layout`. A zip is unpacked into a temporary folder
that goes when the layout goes; its names may not climb, and what it unpacks to is bounded. Of a folder no link that
leads out is followed. Names under which files are met: DatasetMetadata.csv or Metadata.csv; CodeStates.csv or
CodeState.csv, in CodeStates/, LinkTables/ or beside the main table; all of them packed too (.gz, .bz2, .xz, .zst).
"""

from __future__ import annotations

import os
import stat
import zipfile
from collections.abc import Iterator
from csv import Error as CSVError
from csv import reader as csv_reader
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from redraft.data.sources.growth import UNPACK_RATIO, Growth
from redraft.data.sources.progsnap2.specification import OLDER_NAMES, REPRESENTATIONS, Representation
from redraft.data.sources.reading import unpacked
from redraft.data.sources.states import Damaged
from redraft.errors import InputError
from redraft.rundir import refuse_links_out

MAIN, METADATA_NAMES = "maintable.csv", ("datasetmetadata.csv", "metadata.csv")
CODE_NAMES = ("codestates.csv", "codestate.csv")
_PACKED = ("", ".gz", ".bz2", ".xz", ".zst")
_LONGEST_METADATA = 10**6
"""Bytes."""
_MOST_MEMBERS = 10**6
"""Of a zip."""
_DEPTH, _LOOKED_AT = 5, 20_000
"""How many folders deep, and at how many entries, a main table is looked for."""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """A data set's files."""

    given: Path
    """What the user named."""
    root: Path
    """The folder that holds the main table."""
    main: Path
    metadata_file: Path | None
    code_table: Path | None
    """The code states, in the Table layout."""
    code_folder: Path | None
    """The folder CodeStates, if there is one."""
    temporary: TemporaryDirectory[str] | None = None
    """Where a zip was unpacked; goes with this."""

    def metadata(self) -> dict[str, str]:
        """What the metadata say, by today's names; nothing if there are none.

        Raises:
            InputError: They can't be read.
        """
        return {OLDER_NAMES.get(name, name): value for name, value in self.metadata_rows()}

    def metadata_rows(self) -> list[tuple[str, str]]:
        """Properties and values as they stand, below the header.

        Raises:
            InputError: They can't be read.
        """
        rows = self.metadata_cells()
        header = bool(rows) and [cell.strip().lower() for cell in rows[0][:2]] == ["property", "value"]
        return [(row[0].strip(), row[1].strip()) for row in rows[header:] if len(row) > 1]

    def metadata_cells(self) -> list[list[str]]:
        """All rows of the metadata.

        Raises:
            InputError: They can't be read.
        """
        if self.metadata_file is None:
            return []
        try:
            with unpacked(self.metadata_file) as (stream, _):
                data = stream.read(_LONGEST_METADATA + 1)
            if len(data) > _LONGEST_METADATA:
                raise ValueError
            lines = data.decode("utf-8-sig").splitlines()
            rows = [*csv_reader(lines)]
            if rows and len(rows[0]) == 1 and ";" in rows[0][0]:
                rows = [*csv_reader(lines, delimiter=";")]
        except (OSError, ValueError, CSVError, Damaged) as error:
            raise InputError(
                "can't be read as CSV.", where=self.metadata_file, remedy="Write rows of Property,Value in UTF-8."
            ) from error
        return rows

    def representation(self) -> Representation | None:
        """What the metadata say, unless what is there says otherwise; None if nothing is."""
        said = self.metadata().get("CodeStateRepresentation", "").lower()
        wanted: Representation = next((known for known in REPRESENTATIONS if known.lower() == said), "Table")
        folder = self.code_folder is not None and any(entry.is_dir() for entry in self.code_folder.iterdir())
        if wanted == "Table" and self.code_table is None and folder:
            wanted = "Directory"
        if wanted != "Table" and not folder and self.code_table is not None:
            return "Table"
        if wanted != "Table" and self.code_folder is not None and next(repositories(self.code_folder), None):
            return "Git"
        there = self.code_table is not None if wanted == "Table" else folder
        return wanted if there else None


def find_layout(given: Path) -> Layout:
    """The files of the data set at `given`.

    Raises:
        InputError: There is none, or it lies elsewhere.
    """
    if not given.exists():
        raise InputError(
            "does not exist.", where=given, remedy="Name the folder that holds MainTable.csv, or a zip of it."
        )
    temporary = None
    if given.is_file():
        if given.name.lower() in _names(MAIN):
            root = given.parent
        elif zipfile.is_zipfile(given):
            temporary = TemporaryDirectory(prefix="redraft-progsnap2-")
            root = _unpacked_root(given, Path(temporary.name))
        else:
            raise InputError(
                "is neither a folder nor a zip.", where=given, remedy="Name the folder that holds MainTable.csv."
            )
    elif given.is_dir():
        root = given
    else:
        raise InputError("is neither a folder nor a zip.", where=given, remedy="Name a folder.")
    refuse_links_out(root)
    main = named(root, MAIN)
    if main is None:
        _refuse(given, root)
        raise AssertionError
    code_folder = next((entry for entry in _folders(root) if entry.name.lower() == "codestates"), None)
    homes = [*filter(None, [code_folder]), *(f for f in _folders(root) if f.name.lower() == "linktables"), root]
    code_table = next(filter(None, (named(home, *CODE_NAMES) for home in homes)), None)
    return Layout(
        given=given, root=root, main=main, metadata_file=named(root, *METADATA_NAMES), code_table=code_table,
        code_folder=code_folder, temporary=temporary,
    )  # fmt: skip


def _names(*plain: str) -> list[str]:
    return [name + end for name in plain for end in _PACKED]


def named(folder: Path, *names: str) -> Path | None:
    """The file in `folder` with the first of `names` (in lower case) that is there, packed or not."""
    there = {}
    for entry in sorted(folder.iterdir(), reverse=True):  # of two that differ in case, the usual one
        if entry.is_file():
            there[entry.name.lower()] = entry
    return next((there[name] for name in _names(*names) if name in there), None)


def _folders(folder: Path) -> list[Path]:
    return sorted(entry for entry in folder.iterdir() if entry.is_dir())


def _refuse(given: Path, root: Path) -> None:
    """Say that there is no main table, or where there are some.

    Raises:
        InputError: Always.
    """
    found = [main.parent.relative_to(root) for main in _mains_below(root)]
    if found:
        listed = ", ".join(str(place) for place in found[:10])
        raise InputError(
            f"holds no MainTable.csv itself, but {'a folder' if len(found) == 1 else 'folders'} in it: {listed}.",
            where=given, remedy=f"Name the folder that holds it, such as {given / found[0]}.",
        )  # fmt: skip
    raise InputError(
        "holds no MainTable.csv, nor does a folder in it.", where=given,
        remedy="Name the folder that holds it, or read the programs with `redraft ingest table`.",
    )  # fmt: skip


def _mains_below(root: Path) -> list[Path]:
    found, seen = [], 0
    for place, folders, files in os.walk(root):
        depth = len(Path(place).relative_to(root).parts)
        folders[:] = sorted(name for name in folders if not name.startswith(".")) if depth < _DEPTH else []
        seen += len(folders) + len(files)
        found += [Path(place, name) for name in files if name.lower() in _names(MAIN)]
        if seen > _LOOKED_AT:
            break
    return sorted(found)


def _unpacked_root(archive: Path, folder: Path) -> Path:
    """Unpack a zip into `folder`; the folder of the main table in it.

    Raises:
        InputError: It is damaged, unpacks too far, or holds no or several main tables.
    """
    growth = Growth(archive.stat().st_size, UNPACK_RATIO)
    try:
        with zipfile.ZipFile(archive) as packed:
            members = packed.infolist()
            if len(members) > _MOST_MEMBERS:
                raise InputError(
                    f"holds more than {_MOST_MEMBERS:,} files.", where=archive, remedy="Unpack it yourself."
                )
            for member in members:
                _unpack(packed, member, folder, growth)
    except Damaged as error:
        raise InputError(f"can't be unpacked: {error}.", where=archive, remedy="Unpack it yourself.") from error
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError) as error:
        raise InputError(
            "is a zip that is damaged, encrypted or packed in an unusual way.", where=archive,
            remedy="Unpack it yourself, and name the folder.",
        ) from error  # fmt: skip
    mains = _mains_below(folder)
    if not mains:
        raise InputError(
            "holds no MainTable.csv.", where=archive, remedy="Zip the folder that holds it, with all that is in it."
        )
    depth = min(len(main.parts) for main in mains)
    first = [main for main in mains if len(main.parts) == depth]
    if len(first) > 1:
        listed = ", ".join(str(main.parent.relative_to(folder)) for main in first[:10])
        raise InputError(
            f"holds several data sets: {listed}.", where=archive, remedy="Unpack it, and name one of them."
        )
    return first[0].parent


def _unpack(packed: zipfile.ZipFile, member: zipfile.ZipInfo, folder: Path, growth: Growth) -> None:
    """One file of a zip, if its name is a plain one; links and what doesn't belong to a data set are left out."""
    name = PurePosixPath(member.filename.replace("\\", "/"))
    if member.is_dir() or "__MACOSX" in name.parts or name.name == ".DS_Store":
        return
    if name.is_absolute() or ".." in name.parts or ":" in member.filename.partition("/")[0] or "\0" in member.filename:
        raise InputError(
            "holds a file whose name climbs out of the folder; nothing is read.", where=packed.filename,
            remedy="Be careful: who made it may mean harm.",
        )  # fmt: skip
    if stat.S_ISLNK(member.external_attr >> 16):
        return
    target = folder / name
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        raise InputError("holds two files of one name.", where=packed.filename, remedy="Unpack it yourself.")
    with packed.open(member) as source, target.open("xb") as plain:
        while part := source.read(1 << 20):
            growth.add(len(part))
            plain.write(part)


def repositories(folder: Path) -> Iterator[Path]:
    """Git's own folders below `folder`, at most three deep: `.git`, or a bare repository."""
    queue = [(folder, 0)]
    while queue:
        place, depth = queue.pop(0)
        for entry in _folders(place):
            if (entry / "objects").is_dir() and (entry / "HEAD").is_file():
                yield entry
            elif depth < 3 and not entry.name.startswith("."):
                queue.append((entry, depth + 1))
