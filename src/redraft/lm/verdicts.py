"""What students saw when they ran their programs, for codecs with feedback.

In: a dataset's verdict files. Out: `Verdicts`, program id -> error message, nothing if it ran. Programs whose verdict
is `unscored` have no entry.
"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from redraft.data.store import Dataset
from redraft.errors import DatasetError, InputError
from redraft.lm.codec import Verdicts

PATTERN = "verdicts-*.parquet"
"""Verdict files in a dataset's folder, one an engine."""


def read_verdicts(dataset: Dataset) -> Verdicts:
    """The verdicts of a dataset; of several engines' the first by name.

    A failing program's message is its first error's, or else the verdict's name (`timeout` ...).

    Raises:
        InputError: There is no verdict file.
        DatasetError: It can't be read.
    """
    files = sorted(dataset.path.glob(PATTERN))
    if not files:
        raise InputError(
            "feedback needs verdicts, and this dataset has none.",
            where=dataset.path,
            remedy="Make them with `redraft execute`, or leave `feedback` off.",
        )
    return _read(files[0])


def _read(file: Path) -> Verdicts:
    seen: dict[str, str] = {}
    try:
        for row in pq.read_table(file, columns=["id", "verdict", "errors"]).to_pylist():
            if row["verdict"] == "ok":
                seen[row["id"]] = ""
            elif row["verdict"] != "unscored":
                messages = [error["message"] for error in row["errors"] or () if error["message"]]
                seen[row["id"]] = messages[0] if messages else row["verdict"]
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowInvalid) as error:
        remedy = "Make it anew with `redraft execute`."
        raise DatasetError("can't be read as verdicts.", where=file, remedy=remedy) from error
    return seen
