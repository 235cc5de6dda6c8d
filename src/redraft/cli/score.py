"""`redraft score`."""

from __future__ import annotations

from pathlib import Path

from redraft.data.store import open_dataset
from redraft.progress import say


def score(
    dataset: Path,
    *,
    model: Path,
    out: Path,
    split: str = "",
    unknown: bool = False,
    other: str | None = None,
    neural_cache: Path | None = None,
    batch_tokens: int = 4096,
    overwrite: bool = False,
) -> None:
    """Say how well a model knows every trace, state by state: bits, and the probability of the student's next edit.

    Writes OUT/states.parquet (a row per state), OUT/traces.parquet (a row per trace) and OUT/manifest.json, which
    explains every column. Killed and started again with the same options, it goes on.

    Example: redraft score class.dataset --model trace.model --split seen-seen --unknown --out scores

    Parameters
    ----------
    dataset: Path
        The dataset's folder.
    model: Path
        The model's folder.
    out: Path
        The folder to write, made anew.
    split: str
        Parts of the split the model was trained on, separated by commas (train, validation, seen-seen ...); default:
        every trace of the dataset.
    unknown: bool
        Read every trace with the unknown student's vector too, and say the bits gained by knowing the student.
    other: str
        A student (keyed hash) with whose vector to read every trace too.
    neural_cache: Path
        A neural cache of the model (`redraft neural-cache`): what a student wrote before a trace is mixed into what the
        model says of it, and what that is worth is said too.
    batch_tokens: int
        Tokens read at once: more need more memory.
    overwrite: bool
        Replace other scores at OUT.
    """
    from redraft.lm import score as scoring  # loads torch
    from redraft.lm.checkpoint import load_model
    from redraft.lm.neural_cache.store import open_cache

    loaded = load_model(model)
    splits = [name.strip() for name in split.split(",") if name.strip()]
    made = scoring.score(
        loaded, open_dataset(dataset), out=out, splits=splits, unknown=unknown, other=other,
        cache=open_cache(neural_cache, loaded) if neural_cache else None,
        batch_tokens=batch_tokens, overwrite=overwrite,
    )  # fmt: skip
    if made.strangers:
        say(f"{made.strangers:,} traces are of students the model has not met: read with the unknown student's vector.")
    if made.remembered is not None and made.remembered < made.traces:
        say(f"{made.traces - made.remembered:,} traces have no earlier work in the cache: read without it.")
    print(f"{out}: {made.traces:,} traces of {made.states:,} states, {made.bits_per_trace:,.1f} bits per trace")
