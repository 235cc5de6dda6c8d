"""Every deviation of a data set from ProgSnap2 1.0.

In: a folder, a zip of one, or the path of its MainTable.csv. Out: deviations, each with its rule, file, row and column,
as they are found; memory is bounded. `rules` lists what is checked. Not checked: what ids of link tables mean, what
stands in Resources, and whether events tell a story that can be.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from redraft.data.sources.progsnap2.layout import Layout, find_layout, named
from redraft.data.sources.progsnap2.specification import COLUMNS, METADATA, REQUIRED, Representation
from redraft.errors import InputError
from redraft.progsnap2.reading import workspace
from redraft.progsnap2.validation import codestates, files, maintable
from redraft.progsnap2.validation.rules import RULES, Deviation, Rule, deviation

__all__ = ["RULES", "Deviation", "Rule", "validate"]


def validate(path: str | Path, *, memory: str = "1GB") -> Iterator[Deviation]:
    """Check a data set.

    Args:
        path: Where it is.
        memory: What the database may use before it spills to disk.

    Raises:
        InputError: There is nothing at `path`, or what is there can't be opened.
    """
    path = Path(path)
    if path.is_dir() and named(path, "maintable.csv") is None:
        try:
            find_layout(path)
        except InputError as error:
            yield deviation("main-table-missing", "MainTable.csv", error.cause)
        return
    layout = find_layout(path)
    representation, found = _representation(layout)
    main = files.label_of(layout, layout.main)
    columns, wrong = maintable.check_columns(layout.main, main, COLUMNS, REQUIRED)
    yield from files.check_names(layout, representation)
    yield from files.check_metadata(layout, columns)
    yield from found
    yield from wrong
    with workspace(memory) as work:
        sections, code_columns, code_label = representation != "Table", [""], ""
        if representation == "Table":
            assert layout.code_table is not None
            code_label = files.label_of(layout, layout.code_table)
            code_columns, wrong = codestates.header(layout, code_label)
            yield from wrong
            sections = "CodeStateSection" in code_columns
        known = [name for name in columns if name in COLUMNS]
        if known:
            yield from maintable.check_rows(layout.main, main, known, work, sections=sections)
        if representation == "Table":
            yield from codestates.check_table(layout, code_label, code_columns, work)
        elif representation:
            yield from codestates.check_files(layout, representation, work)
        if {"CodeStateID", "SubjectID"} <= set(known):
            yield from codestates.check_events(main, representation, work)
        yield from files.check_link_tables(layout, columns, work)


def _representation(layout: Layout) -> tuple[Representation | None, list[Deviation]]:
    """How the code states are kept, and whether that is what the metadata say."""
    try:
        said = layout.metadata().get("CodeStateRepresentation", METADATA["CodeStateRepresentation"].default)
        there = layout.representation()
    except InputError:  # the metadata can't be read, which is told by itself
        return "Table" if layout.code_table else None, []
    if there and there == said:
        return there, []
    if said not in METADATA["CodeStateRepresentation"].values and there:
        return there, []  # told of the metadata's value
    if not there:
        return there, []  # told if an event names a code state
    message = f"CodeStateRepresentation is {said}, but the code states are in the {there} layout"
    return there, [deviation("code-states-missing", "CodeStates", message)]
