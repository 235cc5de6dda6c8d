"""`redraft audit`: does a model know some students, or some titles, less well than the rest?"""

from __future__ import annotations

from pathlib import Path

from redraft.progress import say


def audit(run: Path) -> None:
    """Compare every subgroup of students and of titles with the rest: year, editor mode, language, activity, frequency
    of the title, and any covariate handed in with the logs.

    Reads RUN/run.toml and RUN/samples/VIEW/, writes RUN/results/audit.parquet and .csv, the figure and the table, and
    prints the gaps that are significant after correction. Settings stand in the section [audit] of run.toml.

    Example: redraft audit runs/demo

    Args:
        run: The run's folder.
    """
    from redraft.report.audit import SIGNIFICANT, figures, tables
    from redraft.report.style import save
    from redraft.report.tables import probability, with_interval
    from redraft.studies.audit import audit as study

    rows = study(run)
    tested = [row for row in rows if row.p_adjusted is not None]
    found = [row for row in tested if (row.p_adjusted or 0) < SIGNIFICANT]
    for row in found:
        name = row.statistic.removesuffix("_difference").replace("_", " ")
        print(  # noqa: T201
            f"- {row.model}, {row.subgroup}: {name} of {row.metric} differs from the rest by {with_interval(row)}, "
            f"p {probability(row.p_adjusted)} ({row.n} pairs, {row.n_students} students)"
        )
    print(f"{len(found)} of {len(tested)} gaps are significant after correction.")  # noqa: T201
    for figure in figures(run):
        save(figure, run)
    for table in tables(run):
        table.save(run)
    say(f"{run / 'results' / 'audit.parquet'}: {len(rows):,} rows")
