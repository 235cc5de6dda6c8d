"""What deviates in a data set's files, its metadata and its link tables.

In: a layout. Out: deviations. Names of files are shown, values of properties aren't.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from redraft.data.duck import Workspace
from redraft.data.sources.progsnap2.layout import Layout
from redraft.data.sources.progsnap2.specification import METADATA, OLDER_NAMES, VERSION, Representation, is_own
from redraft.data.sources.rows import column_names
from redraft.errors import InputError
from redraft.progsnap2.validation.maintable import COMMAS, read_table
from redraft.progsnap2.validation.rules import Deviation, deviation

_EXPECTED = ("MainTable.csv", "DatasetMetadata.csv", "CodeStates", "LinkTables", "Resources", "README.md")


def label_of(layout: Layout, file: Path) -> str:
    """A file's path in the data set."""
    return file.relative_to(layout.root).as_posix()


def check_names(layout: Layout, representation: Representation | None) -> Iterator[Deviation]:
    """Names of files that differ from the specification's, and files that it doesn't know."""
    wanted = {layout.main: "MainTable.csv", layout.metadata_file: "DatasetMetadata.csv"}
    if representation == "Table":
        wanted[layout.code_table] = "CodeStates/CodeStates.csv"
    for file, name in wanted.items():
        if file is not None and label_of(layout, file) != name:
            yield deviation("file-name", label_of(layout, file), f"is called {name} in the specification")
    known = {label_of(layout, file) for file in wanted if file is not None}
    for entry in sorted(layout.root.iterdir()):
        if (
            entry.name in _EXPECTED
            or entry.name in known
            or entry.name.startswith(".")
            or (entry.is_dir() and any(name.startswith(f"{entry.name}/") for name in known))
        ):
            continue
        right = next((name for name in _EXPECTED if name.lower() == entry.name.lower()), None)
        if right:
            yield deviation("file-name", entry.name, f"is called {right} in the specification")
        else:
            yield deviation("file-unexpected", entry.name, "isn't one of the specification's files")


def check_metadata(layout: Layout, columns: list[str]) -> Iterator[Deviation]:
    """What deviates in the metadata; `columns` are the main table's."""
    if layout.metadata_file is None:
        yield deviation("metadata-missing", "DatasetMetadata.csv", "isn't there")
        return
    label = label_of(layout, layout.metadata_file)
    try:
        cells = layout.metadata_cells()
    except InputError as error:
        yield deviation("file-unreadable", label, error.cause)
        return
    if not cells or cells[0] != ["Property", "Value"]:
        yield deviation("metadata-header", label, "its columns aren't Property and Value")
    for number, row in enumerate(cells[1:], 1):
        if row and len(row) != 2:
            yield deviation("row-malformed", label, "doesn't have two cells", row=number)
    rows = layout.metadata_rows()
    seen: set[str] = set()
    for number, (name, value) in enumerate(rows, 1):
        if name in seen:
            yield deviation("property-twice", label, "the property stands there before", row=number)
        seen.add(name)
        if name not in METADATA and not is_own(name):
            now = OLDER_NAMES.get(name)
            hint = f"is called {now} now" if now else "is no property of the specification, and doesn't begin with X-"
            yield deviation("property-unknown", label, hint, row=number)
        elif name in METADATA:
            yield from _value(label, number, name, value)
    yield from _together(layout, label, {**{n: p.default for n, p in METADATA.items()}, **dict(rows)}, columns)


def _value(label: str, row: int, name: str, value: str) -> Iterator[Deviation]:
    known = METADATA[name]
    if known.kind == "Boolean" and value.lower() not in ("true", "false"):
        yield deviation("property-value", label, f"{name} is neither true nor false", row=row, column="Value")
    elif known.kind == "Enum" and value not in known.values:
        said = f"{name} is none of {', '.join(known.values)}"
        yield deviation("property-value", label, said, row=row, column="Value")
    elif name == "Version" and value != VERSION:
        yield deviation("version-other", label, f"Version isn't {VERSION}", row=row, column="Value")


def _together(layout: Layout, label: str, said: dict[str, str], columns: list[str]) -> Iterator[Deviation]:
    scope, listed = said["EventOrderScope"], said["EventOrderScopeColumns"]
    if scope in ("Global", "Restricted") and "Order" not in columns:
        yield deviation("order-missing", label, f"EventOrderScope is {scope}, but there is no column Order")
    if scope == "Restricted":
        names = [name.strip() for name in listed.split(";") if name.strip()]
        if not names:
            yield deviation("scope-columns-missing", label, "EventOrderScope is Restricted, to no columns")
        elif unknown := sum(name not in columns for name in names):
            text = f"{unknown} of {len(names)} names in EventOrderScopeColumns are no columns of the main table"
            yield deviation("scope-columns-unknown", label, text)
    table = said["ProgramInputLinkTable"].removesuffix(".csv")
    if table and table not in {file.name.removesuffix(".csv") for file in link_tables(layout)}:
        yield deviation("input-table-missing", label, "ProgramInputLinkTable names no table in LinkTables")


def link_tables(layout: Layout) -> list[Path]:
    """The tables in LinkTables; not the code states, which some keep there."""
    folders = [entry for entry in layout.root.iterdir() if entry.is_dir() and entry.name.lower() == "linktables"]
    return sorted(file for folder in folders for file in folder.glob("*.csv") if file != layout.code_table)


def check_link_tables(layout: Layout, columns: list[str], work: Workspace) -> Iterator[Deviation]:
    """What deviates in the link tables."""
    for file in link_tables(layout):
        label = label_of(layout, file)
        try:
            names = column_names(file, COMMAS)
        except InputError as error:
            yield deviation("file-unreadable", label, error.cause)
            continue
        ids = [name for name in names if name.endswith("ID")]
        if not set(ids) & set(columns):
            yield deviation("link-table-without-id", label, "has no column of ids that the main table has")
        if len(set(names)) == len(names):
            yield from (one for one in read_table(file, label, names[:1], work) if isinstance(one, Deviation))
