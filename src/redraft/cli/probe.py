"""`redraft probe`."""

from __future__ import annotations

from pathlib import Path

from redraft.progress import say


def probe(run: Path) -> None:
    """Ask what the models' vectors say: of a prefix, what comes later; of a student, how the student works.

    Reads RUN/run.toml and RUN/models/VIEW/, writes RUN/results/probe.parquet and .csv, and prints how many of the
    comparisons hold. Settings stand in the section [probe] of run.toml. What took long is kept in RUN/work/probe/:
    killed and started again it goes on. A model that was trained on another split is refused.

    Example: redraft probe runs/demo

    Args:
        run: The run's folder.
    """
    from redraft.report.probe import sentences
    from redraft.studies.probe import probe as study

    rows = study(run)
    for sentence in sentences(rows):
        print(f"- {sentence}")  # noqa: T201
    say(f"{run / 'results' / 'probe.parquet'}: {len(rows):,} rows")
