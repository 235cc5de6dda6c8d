"""`redraft represent`."""

from __future__ import annotations

from pathlib import Path

from redraft.progress import say


def represent(run: Path, *, config: list[Path] | None = None) -> None:
    """Compare what a run's models make of the same traces: their layers, and the directions of steps between states.

    Reads RUN/run.toml and RUN/models/VIEW/, writes RUN/results/represent.parquet and .csv. Settings stand in the
    section [represent] of run.toml, or of the files given. Killed and started again with the same settings, it goes on.
    Models that were trained on another split are refused.

    Example: redraft represent runs/demo

    Parameters
    ----------
    run: Path
        The run's folder.
    config: list[Path]
        Files of settings (TOML), their keys as in the section [represent]; they win over run.toml, a later one over an
        earlier one.
    """
    from redraft.config import load
    from redraft.report.represent import lines
    from redraft.studies.represent import RepresentConfig
    from redraft.studies.represent import represent as study  # loads torch
    from redraft.studies.run import open_run

    base = open_run(run).section("represent", RepresentConfig)
    rows = study(run, load(RepresentConfig, config or (), base=base))
    for line in lines(rows):
        print(line)  # noqa: T201
    say(f"{run / 'results' / 'represent.parquet'}: {len(rows):,} rows")
