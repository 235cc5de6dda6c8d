"""`redraft split`: which traces are for training and which for testing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from redraft.data.split import SplitConfig, make_split
from redraft.data.store import open_dataset


def split(
    dataset: Path,
    *,
    name: str = "default",
    overwrite: bool = False,
    config: Annotated[SplitConfig, Parameter(name="*")] | None = None,
) -> None:
    """Divide a dataset's (student, title) pairs into training and test splits.

    Writes DATASET/splits/NAME.parquet and prints how many pairs each split has.

    Example: redraft split class.dataset --held-students 0.2 --held-titles 3

    Parameters
    ----------
    dataset: Path
        The dataset's folder.
    name: str
        The split's name; a dataset may have several.
    overwrite: bool
        Replace another split of this name. Models that were trained on it can then no longer be tested.
    config: SplitConfig
        How to split.
    """
    made = make_split(open_dataset(dataset), config or SplitConfig(), name=name, overwrite=overwrite)
    for split_name, pairs in made.counts().items():
        print(f"{split_name:<15}{pairs:>10,} pairs")
