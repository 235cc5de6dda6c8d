"""`redraft neural-cache`."""

from __future__ import annotations

from pathlib import Path

from redraft.data.split import load_split
from redraft.data.store import open_dataset
from redraft.progress import say


def neural_cache(
    model: Path,
    *,
    dataset: Path,
    out: Path,
    split_name: str = "default",
    like: Path | None = None,
    overwrite: bool = False,
) -> None:
    """Keep what students wrote, as a model sees it, to be mixed into what it says they write next.

    Nothing is trained: OUT holds a file per student, and how much is mixed in, fitted to the validation pairs. `score`,
    `sample` and `suggest` take it as --neural-cache. Of a student's work they use what came before the trace in
    question, and never the same title; where there are no times, other traces the model was trained on. The files are
    private; to forget a student, delete OUT/students/STUDENT.safetensors. Killed and started again with the same
    options, it goes on.

    Example: redraft neural-cache trace.model --dataset class.dataset --out trace.cache

    Parameters
    ----------
    model: Path
        The model's folder.
    dataset: Path
        The dataset's folder: the one the model was trained on, or with --like any other.
    out: Path
        The folder to write, made anew.
    split_name: str
        The name of the split the model was trained on.
    like: Path
        Another cache of the same model, of which to take how much is mixed in: for students of another dataset.
    overwrite: bool
        Replace another cache at OUT.
    """
    from redraft.lm.checkpoint import load_model
    from redraft.lm.neural_cache import store  # loads torch

    loaded, data = load_model(model), open_dataset(dataset)
    split = None
    if like is None or data.fingerprint == loaded.card["dataset_fingerprint"]:
        split = load_split(data, split_name)
        loaded.check_split(split.hash)
    numbers = store.open_cache(like, loaded) if like else None
    made = store.make_cache(loaded, data, out=out, split=split, like=numbers, overwrite=overwrite)
    print(f"{out}: {made.students:,} students")
    for name, fit in made.fits.items():
        if fit.get("traces"):
            print(
                f"{name} students: {fit['bits']:,.1f} bits per validation trace with it, "
                f"{fit['bits_without']:,.1f} without ({fit['traces']:,} traces)"
            )
        elif "traces" in fit:
            say(f"{name} students: no validation trace has earlier work of its student; nothing was fitted.")
