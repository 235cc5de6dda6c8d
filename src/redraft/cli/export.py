"""`redraft export FORMAT`: a dataset in a format that others read."""

from __future__ import annotations

from pathlib import Path

from cyclopts import App

app = App(name="export", help="Write a dataset in a format that others read.")


@app.command(name="progsnap2")
def progsnap2(dataset: Path, *, out: Path, memory: str = "2GB", overwrite: bool = False) -> None:
    """Write a dataset as a ProgSnap2 1.0 data set: its drafts as events, its programs as a table of code states.

    Students stand with the keyed hashes that they have in the dataset. Verdicts beside the dataset become execution
    results, those of an engine marked as fabricated. Programs stand as they are and may name people.

    Example: redraft export progsnap2 class.dataset --out class.progsnap2

    Args:
        dataset: The dataset's folder.
        out: The data set's folder.
        memory: What the database may use before it spills to disk.
        overwrite: Replace another data set at the same place.
    """
    from redraft.data.store import open_dataset
    from redraft.progsnap2 import export

    print(export(open_dataset(dataset), out, memory=memory, overwrite=overwrite))
