"""`redraft metrics`, `redraft evaluate`, `redraft report`: from traces to numbers to a page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter, validators

from redraft.progress import say

Positive = Annotated[int, Parameter(validator=validators.Number(gte=1))]


def metrics(dataset: Path, *, out: Path, workers: Positive = 2, language: str | None = None) -> None:
    """Measure every trace of a dataset: one row a trace, one column a metric.

    Example: redraft metrics class/dataset --out class/metrics.parquet

    Args:
        dataset: The dataset's folder.
        out: The Parquet file to write.
        workers: Processes to use.
        language: Read programs whose language isn't recorded as this one (coffeescript, javascript, python, java).
    """
    from redraft.data.store import open_dataset, write_table
    from redraft.errors import UsageError, suggestion
    from redraft.metrics.languages import PROFILES
    from redraft.metrics.measure import measure

    if language is not None and language not in PROFILES:
        raise UsageError(f"unknown language {language!r}.", where="--language", remedy=suggestion(language, PROFILES))
    table = measure(open_dataset(dataset), workers=workers, language=language)
    write_table(table, out)
    say(f"{out}: {table.num_rows:,} traces, {table.num_columns} columns")


def evaluate(run: Path) -> None:
    """Compare a run's samples with the real traces: agreement by split and model, with intervals.

    Reads RUN/run.toml and RUN/samples/VIEW/, writes RUN/results/behaviour.parquet and .csv, and prints the primary
    findings. Settings stand in the section [evaluate] of run.toml. Samples of a model that was trained on another split
    are refused.

    Example: redraft evaluate runs/demo

    Args:
        run: The run's folder.
    """
    from redraft.report.findings import sentences
    from redraft.studies.behaviour import evaluate as study

    rows = study(run)
    for sentence in sentences(rows):
        print(f"- {sentence}")  # noqa: T201
    say(f"{run / 'results' / 'behaviour.parquet'}: {len(rows):,} rows")


def report(run: Path) -> None:
    """Write RUN/report.html: findings, figures and tables of an evaluated run in one file that needs nothing else.

    Example: redraft report runs/demo

    Args:
        run: The run's folder.
    """
    from redraft.report.html import write_report

    print(write_report(run))  # noqa: T201
