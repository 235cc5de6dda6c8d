"""The truth about a simulated class as a table: `traits.parquet`.

Columns: `student` (keyed hash, as in a dataset ingested with the class's key), `number` (the student's place in the
class, from 0), the fields of `Traits`, and `redrawn` (true where the traces did not use these traits but drew others
each time). The file's metadata keeps the key's seed, so that another class made with `--traits` has the same students
under the same hashes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import Field, asdict, fields
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from redraft.data.identity import keyed_hash
from redraft.data.simulate.traits import Traits, draw_traits
from redraft.errors import InputError
from redraft.rundir import check_seal
from redraft.rundir.tables import write_table

METADATA = b"redraft.class"
TYPES = {"palette": pa.list_(pa.string()), "speed": pa.int32(), "pen_width": pa.int32(), "year": pa.int32(),
         "mode": pa.string()}  # fmt: skip
SCHEMA = pa.schema(
    [
        pa.field("student", pa.string(), nullable=False),
        pa.field("number", pa.int32(), nullable=False),
        *(pa.field(trait.name, TYPES.get(trait.name, pa.float64()), nullable=False) for trait in fields(Traits)),
        pa.field("redrawn", pa.bool_(), nullable=False),
    ]
)


class Truth(NamedTuple):
    """Who is in the class."""

    students: dict[int, Traits]
    """Number -> traits."""
    key_seed: int
    """Seed of the key that hides their ids."""

    @property
    def key(self) -> bytes:
        """The key of the students' hashes; not secret, since the students are not people."""
        return hashlib.sha256(f"redraft simulated class {self.key_seed}".encode()).digest()


def owner(number: int) -> str:
    """The raw id of student `number`: the subdomain that stands in the logs."""
    return f"student{number:05d}"


def draw_truth(seed: int, count: int) -> Truth:
    """The class of `seed`; student i is the same however many there are."""
    return Truth({number: draw_traits(Random(f"{seed} traits {number}")) for number in range(count)}, seed)


def write_truth(truth: Truth, path: Path, *, redrawn: bool) -> None:
    """Write `traits.parquet`, atomically."""
    rows = [
        {"student": keyed_hash(owner(number), truth.key), "number": number, **asdict(traits), "redrawn": redrawn}
        for number, traits in truth.students.items()
    ]
    table = pa.Table.from_pylist(rows, schema=SCHEMA)
    write_table(table.replace_schema_metadata({METADATA: json.dumps({"key_seed": truth.key_seed})}), path)


def read_truth(path: Path, *, seed: int, count: int) -> Truth:
    """The first `count` students of a truth table; `seed` serves for the key if the file's metadata has none.

    Raises:
        InputError: It can't be read, columns are missing, values are impossible, or it has too few students.
    """
    if not path.is_file():
        raise InputError("there is no such file.", where=path, remedy="Check --traits.")
    try:
        check_seal(path, remedy="Use a traits.parquet as `redraft simulate` wrote it.")
        table = pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise InputError(
            f"can't be read as a table of traits ({str(error).splitlines()[0]}).",
            where=path,
            remedy="Use a traits.parquet that `redraft simulate` wrote.",
        ) from error
    traits = fields(Traits)
    missing = [trait.name for trait in traits if trait.name not in table.column_names]
    if missing:
        raise InputError(f"lacks the columns {', '.join(missing)}.", where=path, remedy="All traits must be given.")
    rows = table.select([trait.name for trait in traits]).to_pylist()
    numbers = table["number"].to_pylist() if "number" in table.column_names else list(range(len(rows)))
    problems = [problem for i, row in enumerate(rows) for trait in traits if (problem := _problem(i, trait, row))]
    if len(rows) < count:
        problems.append(f"It has {len(rows)} students, not {count}; ask for fewer.")
    if len(set(numbers)) < len(numbers) or not all(isinstance(number, int) and number >= 0 for number in numbers):
        problems.append("The numbers of the students are not different whole numbers from 0.")
    if problems:
        more = f" ({len(problems) - 5} more problems)" if len(problems) > 5 else ""
        raise InputError(" ".join(problems[:5]) + more, where=path)
    students = {
        number: Traits(**{**row, "palette": tuple(row["palette"])})
        for number, row in zip(numbers[:count], rows[:count], strict=True)
    }
    try:
        kept = json.loads((table.schema.metadata or {}).get(METADATA, b"{}"))
    except ValueError as error:
        raise InputError(
            "its metadata can't be read.", where=path, remedy="Use one as `redraft simulate` wrote it."
        ) from error
    return Truth(students, kept.get("key_seed", seed))


def _problem(row: int, trait: Field[Any], values: dict[str, Any]) -> str | None:
    value = values[trait.name]
    several: Sequence[Any] = value if isinstance(value, list) else [value]
    if "values" in trait.metadata:
        known = trait.metadata["values"]
        fits = all(item in known for item in several) and (trait.name != "palette" or len(set(several)) == 3)
        wanted = f"{'three different' if trait.name == 'palette' else 'one'} of {', '.join(map(str, known))}"
    else:
        low, high = trait.metadata["range"]
        fits = isinstance(value, int | float) and low <= value <= high
        wanted = f"a number from {low} to {high}"
    return None if fits else f"Row {row + 1}: {trait.name} is not {wanted}."
