"""`redraft adapt`."""

from __future__ import annotations

from pathlib import Path

from redraft.progress import say


def adapt(run: Path, *, config: list[Path] | None = None) -> None:
    """Say how few traces of a new student a model needs: vectors fitted to the first k of them, tested on later ones.

    Reads RUN/run.toml and RUN/models/VIEW/, writes RUN/results/adapt.parquet and .csv. Settings stand in the section
    [adapt] of run.toml, or of the files given. Killed and started again with the same settings, it goes on. A model
    that was trained on another split is refused; if new students are too few, every row says so.

    Example: redraft adapt runs/demo

    Parameters
    ----------
    run: Path
        The run's folder.
    config: list[Path]
        Files of settings (TOML), their keys as in the section [adapt]; they win over run.toml, a later one over an
        earlier one.
    """
    from redraft.config import load
    from redraft.report.adapt import lines
    from redraft.studies.adapt import AdaptConfig
    from redraft.studies.adapt import adapt as study  # loads torch
    from redraft.studies.run import open_run

    base = open_run(run).section("adapt", AdaptConfig)
    rows = study(run, load(AdaptConfig, config or (), base=base))
    for line in lines(rows):
        print(line)  # noqa: T201
    say(f"{run / 'results' / 'adapt.parquet'}: {len(rows):,} rows")
