"""What slow stages of a study leave behind, so that a killed run goes on.

In: all that a stage's output depends on. Out: a folder `RUN/work/STUDY/FINGERPRINT/` in which files are whole or
absent. Whatever was made for something else is in a folder of another name: it is never read, and removed.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from redraft.errors import DatasetError
from redraft.rundir import atomic_file, check_seal, make_folder, sha256_json, versions
from redraft.rundir.seals import BLANK, seal
from redraft.rundir.tables import read_table, write_table

REMEDY = "Remove it: the study makes it again."


def work_folder(run: Path, study: str, **depends_on: Any) -> Path:
    """The folder for what depends on these JSON values and on redraft's version; those of other values are removed."""
    folder = run / "work" / study
    mine = folder / sha256_json({**depends_on, "redraft": versions()["redraft"]})[:16]
    for other in folder.glob("*"):
        if other != mine:
            shutil.rmtree(other) if other.is_dir() else other.unlink()
    make_folder(mine)
    return mine


def kept_table(file: Path, make: Callable[[], pa.Table]) -> pa.Table:
    """The table in `file`, made if it isn't there."""
    if not file.exists():
        write_table(make(), file)
    return read_table(file, remedy=REMEDY)


def kept_array(file: Path, make: Callable[[], NDArray[Any]]) -> NDArray[Any]:
    """The array in `file` (.npy), made if it isn't there."""
    if not file.exists():
        made = make()
        with atomic_file(file) as temporary, temporary.open("wb") as stream:
            np.save(stream, made)
            stream.write(BLANK)
            stream.flush()
            seal(temporary)
    try:
        check_seal(file, remedy=REMEDY)
        found: NDArray[Any] = np.load(file)
    except (OSError, ValueError, EOFError) as error:
        raise DatasetError("can't be read as an array.", where=file, remedy=REMEDY) from error
    return found
