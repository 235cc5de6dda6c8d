"""`redraft recover`."""

from __future__ import annotations

from pathlib import Path

from redraft.progress import say


def recover(run: Path) -> None:
    """Study whether a run's models can mend failing programs of held-out students, beside baselines and the students.

    Reads RUN/run.toml and RUN/models/VIEW/, runs programs in the sandbox, writes RUN/results/recover.parquet and .csv,
    and prints kept success. Settings stand in the section [recover] of run.toml. Models that were trained on another
    split are refused. Killed and started again, it goes on.

    Example: redraft recover runs/class

    Parameters
    ----------
    run: Path
        The run's folder.
    """
    from redraft.report.recover import sentences
    from redraft.studies.recovery.study import recover as study  # loads torch

    rows = study(run)
    for sentence in sentences(rows):
        print(f"- {sentence}")  # noqa: T201
    say(f"{run / 'results' / 'recover.parquet'}: {len(rows):,} rows")
