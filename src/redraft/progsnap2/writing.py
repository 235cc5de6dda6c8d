"""A ProgSnap2 1.0 data set on disk, in the Table layout, whole or absent.

In: events and code states, as mappings or as Arrow batches, in bounded memory. Out: a folder with DatasetMetadata.csv,
MainTable.csv, CodeStates/CodeStates.csv and README.md. A folder that is there isn't replaced unless that is asked for.

Not guaranteed: that what is written keeps the specification; the names of columns and properties are checked here, and
`validate` checks the rest.
"""

from __future__ import annotations

import csv
import io
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.csv

from redraft.data.sources.progsnap2.layout import METADATA_NAMES, named
from redraft.data.sources.progsnap2.specification import COLUMNS, METADATA, REQUIRED, VERSION, is_own
from redraft.errors import UsageError
from redraft.rundir import Kind, Output, make_folder, write_text

MADE_FOR = "X-MadeFor"
"""The property that says what a data set was made of."""
_AT_ONCE = 1024
Rows: TypeAlias = Iterable[Mapping[str, object]] | Iterable[pa.RecordBatch]


def _made_for(folder: Path) -> dict[str, Any] | None:
    """What a data set's folder was made for; None if it is none."""
    file = named(folder, *METADATA_NAMES)
    if file is None or named(folder, "maintable.csv") is None or file.stat().st_size > 10**6:
        return None
    text = file.read_text(encoding="utf-8", errors="replace")
    return {"made_for": dict(row[:2] for row in csv.reader(io.StringIO(text)) if len(row) > 1).get(MADE_FOR)}


DATA_SET = Kind(name="a ProgSnap2 data set", another="another data set", made_for=_made_for)


def write(
    out: str | Path, *, columns: Sequence[str], events: Rows, code_states: Rows,
    metadata: Mapping[str, str] | None = None, readme: str = "", overwrite: bool = False,
    made_for: str | None = None, inputs: Iterable[Path] = (),
) -> Path:  # fmt: skip
    """Write a data set.

    Args:
        out: The folder.
        columns: The main table's columns: those that are required, and others of the specification or beginning `X-`.
        events: Its rows. A value is written as text; times as ISO 8601, booleans as true and false, None as nothing.
        code_states: Rows with CodeStateID and Code.
        metadata: Properties beside the defaults.
        readme: The text of README.md, which says what was made up.
        overwrite: Replace another data set there.
        made_for: What it is made of: a data set that says the same is left as it is.
        inputs: What is read for it, none of which may be in `out`.

    Raises:
        UsageError: A name isn't the specification's, or a required column is missing.
        DatasetError: `out` holds something else.
    """
    _check(columns, {**(metadata or {})})
    properties = {name: known.default for name, known in METADATA.items()} | {"Version": VERSION} | {**(metadata or {})}
    request = made_for or secrets.token_hex(16)
    if made_for:
        properties[MADE_FOR] = made_for
    with Output(Path(out), kind=DATA_SET, request={"made_for": request}, overwrite=overwrite, inputs=inputs) as output:
        if not output.done:
            make_folder(output.folder / "CodeStates")
            _write_table(output.folder / "CodeStates" / "CodeStates.csv", ["CodeStateID", "Code"], code_states)
            _write_table(output.folder / "MainTable.csv", columns, events)
            text = io.StringIO()
            csv.writer(text, lineterminator="\n").writerows([("Property", "Value"), *properties.items()])
            write_text(output.folder / "DatasetMetadata.csv", text.getvalue())
            write_text(output.folder / "README.md", readme or "# A ProgSnap2 data set\n")
            output.publish()
    return Path(out)


def _check(columns: Sequence[str], metadata: Mapping[str, str]) -> None:
    wrong = [name for name in columns if name not in COLUMNS and not is_own(name)]
    wrong += [name for name in metadata if name not in METADATA and not is_own(name)]
    missing = [name for name in REQUIRED if name not in columns]
    if wrong or missing or len(set(columns)) < len(columns):
        raise UsageError(
            f"names that ProgSnap2 doesn't have: {', '.join(wrong) or 'none'}; columns that it needs: "
            f"{', '.join(missing) or 'none'}.",
            remedy="Begin names of your own with X-, give all that are needed, and each once.",
        )


def _write_table(path: Path, columns: Sequence[str], rows: Rows) -> None:
    schema = pa.schema([(name, pa.string()) for name in columns])
    with path.open("wb") as file, pa.csv.CSVWriter(file, schema) as writer:
        for batch in _batches(rows, schema):
            writer.write_batch(batch)


def _batches(rows: Rows, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    remaining = iter(rows)
    while taken := [*islice(remaining, _AT_ONCE)]:
        several = [row for row in taken if not isinstance(row, pa.RecordBatch)]
        if several:
            texts = [{name: _text(row.get(name)) for name in schema.names} for row in several]
            yield pa.RecordBatch.from_pylist(texts, schema)
        for batch in taken:
            if isinstance(batch, pa.RecordBatch):
                yield batch.select(schema.names).cast(schema)


def _text(value: object) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.isoformat()
    return None if value is None else str(value)
