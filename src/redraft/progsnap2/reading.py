"""A ProgSnap2 data set as it stands: its metadata, its events and its code states, in bounded memory.

In: a folder, a zip of one, or the path of its MainTable.csv. Out: `DataSet`. Nothing is interpreted here: cells are
texts, rows come as they stand. Rows that can't be read (too few or too many cells, not UTF-8) are left out; `validate`
names them. For states and traces, use `redraft.ingest` with `redraft.ProgSnap2`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import pyarrow as pa

from redraft.data.duck import Workspace, in_batches, parse_memory
from redraft.data.sources.growth import UNPACK_RATIO
from redraft.data.sources.progsnap2.codestates import Wanted, directory_rows, git_rows
from redraft.data.sources.progsnap2.layout import Layout, find_layout
from redraft.data.sources.progsnap2.specification import METADATA, Representation
from redraft.data.sources.rows import column_names, read_rows, require_columns
from redraft.data.sources.states import Damaged
from redraft.errors import InputError


class CodeState(NamedTuple):
    """A section of a code state; most have one."""

    id: str
    """As the events call it."""
    subject: str
    """Whose it is, in the Directory layout; else empty."""
    section: str
    """The file's name; empty in a table without sections."""
    code: str


class DataSet:
    """A ProgSnap2 data set. Cheap to open; rows are read when asked for."""

    def __init__(self, layout: Layout, *, memory: str = "1GB") -> None:
        self._layout, self._memory = layout, memory

    def __repr__(self) -> str:
        return f"DataSet({str(self._layout.given)!r}, {self.representation or 'no code states'})"

    @cached_property
    def metadata(self) -> dict[str, str]:
        """Its properties by today's names, those that it doesn't say with the specification's defaults."""
        return {name: known.default for name, known in METADATA.items()} | self._layout.metadata()

    @cached_property
    def representation(self) -> Representation | None:
        """How its code states are kept; None if there are none."""
        return self._layout.representation()

    @cached_property
    def columns(self) -> list[str]:
        """The main table's columns."""
        return column_names(self._layout.main)

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """Some columns (or all) of the main table, and `row`, the number of each row from 1; in order.

        Raises:
            InputError: It has no such column, or can't be read to its end.
        """
        wanted = list(columns if columns is not None else self.columns)
        require_columns(self._layout.main, wanted)
        with self._workspace() as work:
            yield from _tables(self._layout.main, wanted, work)

    def events(self, columns: Sequence[str] | None = None) -> Iterator[dict[str, str]]:
        """The rows of the main table, each by column; see `batches`."""
        for table in self.batches(columns):
            yield from table.drop_columns(["row"]).to_pylist()

    def code_states(self) -> Iterator[CodeState]:
        """All code states of a table; of folders and commits, those that events name, ordered by id.

        Raises:
            InputError: They can't be read to their end.
        """
        lay = self._layout
        with self._workspace() as work:
            if self.representation == "Table":
                assert lay.code_table is not None
                require_columns(lay.code_table, ["CodeStateID", "Code"])
                there = {"CodeStateSection"} & {*column_names(lay.code_table)}
                for table in _tables(lay.code_table, ["CodeStateID", "Code", *there], work):
                    for row in table.to_pylist():
                        yield CodeState(row["CodeStateID"], "", row.get("CodeStateSection", ""), row["Code"])
            elif self.representation:
                yield from self._files(work)

    def _files(self, work: Workspace) -> Iterator[CodeState]:
        by_folder = self.representation == "Directory"
        names = wanted_code_states(self._layout, work, by_subject=by_folder)
        read_them = directory_rows if by_folder else git_rows
        try:
            for batch in read_them(self._layout, names):
                for row in batch.to_pylist():
                    subject, _, name = row["key"].rpartition("\x01")
                    if row["code"] is not None:
                        yield CodeState(name, subject, row["section"], row["code"])
        except Damaged as error:
            raise InputError(f"can't be read: {error}.", where=self._layout.given) from error

    @contextmanager
    def _workspace(self) -> Iterator[Workspace]:
        with workspace(self._memory) as work:
            yield work


def read(path: str | Path) -> DataSet:
    """Open a data set.

    Raises:
        InputError: There is none at `path`.
    """
    return DataSet(find_layout(Path(path)))


@contextmanager
def workspace(memory: str) -> Iterator[Workspace]:
    """A database that goes with what it spilled."""
    with TemporaryDirectory(prefix="redraft-progsnap2-") as overflow:
        work = Workspace(parse_memory(memory), Path(overflow), unpack_ratio=UNPACK_RATIO)
        with closing(work):
            yield work


def wanted_code_states(layout: Layout, work: Workspace, *, by_subject: bool) -> Iterator[Wanted]:
    """The distinct code states that a main table names, ordered by id."""
    with work.cursor() as duck:
        duck.sql("CREATE OR REPLACE TABLE named (subject VARCHAR, id VARCHAR)")
        for table in _tables(layout.main, ["SubjectID", "CodeStateID"], work):
            duck.register("batch", in_batches(table))
            subject = '"SubjectID"' if by_subject else "''"
            duck.sql(
                f'INSERT INTO named SELECT DISTINCT {subject}, "CodeStateID" FROM batch WHERE "CodeStateID" <> \'\''
            )
        duck.execute("SELECT DISTINCT subject, id FROM named ORDER BY id, subject")
        while rows := duck.fetchmany(10_000):
            for subject, name in rows:
                yield Wanted(subject, name)


def _tables(file: Path, columns: Sequence[str], work: Workspace) -> Iterator[pa.Table]:
    try:
        for rows in read_rows(file, columns, work):
            if rows.table.num_rows:
                yield rows.table
    except Damaged as error:
        raise InputError(f"can't be read: {error}.", where=file) from error
