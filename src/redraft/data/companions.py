"""Files a researcher hands in beside the logs: consent lists and covariates, both by raw id.

In: text, CSV or Parquet. Out: sets of raw ids in memory; `covariates.parquet` in the dataset, its ids hashed with
the same key, and only for students who are in the dataset.
"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from redraft.data.identity import keyed_hash
from redraft.data.store import write_table
from redraft.errors import InputError

COVARIATES_FILE = "covariates.parquet"


def read_ids(file: Path) -> frozenset[str]:
    """Raw ids, one per line; blank lines are skipped.

    Raises:
        InputError: The file can't be read, isn't UTF-8, or names nobody.
    """
    try:
        ids = frozenset(line.strip() for line in file.read_text(encoding="utf-8-sig").splitlines()) - {""}
    except OSError as error:
        raise InputError(f"can't be read ({error.strerror}).", where=file, remedy="Check the path.") from error
    except UnicodeDecodeError as error:
        raise InputError("is not UTF-8 text.", where=file, remedy="Write one student's id per line.") from error
    if not ids:
        raise InputError("names no student.", where=file, remedy="Write one student's id per line.")
    return ids


def join_covariates(file: Path, key: bytes) -> pa.Table:
    """The file's rows with `student` hashed, sorted by it. The column `student` (else the first one) holds raw ids.

    Raises:
        InputError: The file can't be read, has no other column, or names a student twice.
    """
    table = _read(file)
    if table.num_columns < 2:
        remedy = "Separate columns by commas; name the ids' `student`."
        raise InputError("has no column beside the students' ids.", where=file, remedy=remedy)
    name = "student" if "student" in table.column_names else table.column_names[0]
    ids = pc.cast(table[name], pa.string()).to_pylist()
    twice = len(ids) - len(set(ids))
    if twice:
        raise InputError(f"{twice} rows name a student a second time.", where=file, remedy="Keep one row per student.")
    hashes = pa.array([None if raw is None else keyed_hash(raw.strip(), key) for raw in ids], pa.string())
    others = table.drop_columns([name])
    return pa.table({"student": hashes, **{n: others[n] for n in others.column_names}}).sort_by("student")


def write_covariates(covariates: pa.Table, folder: Path) -> None:
    """Write the rows of the students who have traces in `folder`."""
    students: set[str] = set()
    for shard in folder.glob("traces-*.parquet"):
        students.update(pq.read_table(shard, columns=["student"])["student"].unique().to_pylist())
    present = pa.array(sorted(students), pa.string())
    write_table(covariates.filter(pc.is_in(covariates["student"], present)), folder / COVARIATES_FILE)


def _read(file: Path) -> pa.Table:
    try:
        with file.open("rb") as raw:
            packed = raw.read(4) == b"PAR1"
        if packed:
            return pq.read_table(file)
        # Ids are text whatever they look like: 007 is not 7.
        with pyarrow.csv.open_csv(file) as reader:
            names = reader.schema.names
        ids = {name: pa.string() for name in (("student",) if "student" in names else names[:1])}
        return pyarrow.csv.read_csv(file, convert_options=pyarrow.csv.ConvertOptions(column_types=ids))
    except (OSError, pa.ArrowInvalid) as error:
        raise InputError(f"can't be read as CSV or Parquet ({error}).", where=file, remedy="Check the file.") from error
