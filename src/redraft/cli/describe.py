"""`redraft describe`: what is in a dataset, as tables for people, JSON for programs, rows and figures on request."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.markup import escape
from rich.table import Table

from redraft.studies.describe.study import CATEGORIES, NUMBERS, SHARED_ACCOUNT, SHARES, Description, summary
from redraft.terminal import Console
from redraft.visible import visible


def describe(
    dataset: Path,
    *,
    out: Path | None = None,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
    memory: str = "2GB",
) -> None:
    """Say what is in a dataset: counts, distributions, rejected lines, frequent titles, splits.

    Example: redraft describe class/dataset --out class/description

    Args:
        dataset: The dataset's folder.
        out: Also write results rows (Parquet and CSV), figures (SVG) and tables (CSV) to this folder.
        as_json: Print JSON instead of tables.
        memory: What the database may use before it spills to disk.
    """
    from redraft.data.store import open_dataset
    from redraft.studies.describe import study

    found = study.describe(open_dataset(dataset), memory=memory)
    if as_json:
        Console().print_json(json.dumps(found.as_json()))
    else:
        _print(found)
    if out is not None:
        from redraft.studies.registry import study_named

        study.write(found, out)
        study_named("describe").save_chapter(out)


def _print(found: Description) -> None:
    console = Console(highlight=False)
    origins = {"students": "written by students", "model": "written by a model", "simulated": "a simulated class"}
    console.print(f"[bold]{_name(found.dataset)}[/bold]: {origins[found.origin]}")
    console.print(
        f"{found.traces:,} traces, {found.states:,} states, {found.students:,} students, {found.titles:,} titles"
    )
    if found.shared_accounts:
        console.print(
            f"{found.shared_accounts:,} students with over {SHARED_ACCOUNT} traces look like shared class accounts."
        )
    _print_numbers(console, found)
    table = _table("Shares", "", "mean", "of", "without value")
    for name, share in found.shares.items():
        value = "-" if share.value is None else f"{share.value:.3f}"
        table.add_row(SHARES[name].label, value, f"{share.n:,}", f"{share.unscored:,}")
    console.print(table)
    for name, counts in found.categories.items():
        listed = ", ".join(f"{_name(value)} {count:,}" for value, count in counts.items())
        console.print(f"[bold]{CATEGORIES[name].label}[/bold] ({CATEGORIES[name].level}s): {listed}")
    if found.rejected:
        listed = ", ".join(f"{reason} {count:,}" for reason, count in sorted(found.rejected.items()))
        console.print(f"[bold]Not used[/bold]: {listed}")
    if found.top_titles:
        table = _table("Most used titles", "", "students", "traces", "states per trace")
        for title in found.top_titles:
            table.add_row(_name(title.title), f"{title.students:,}", f"{title.traces:,}", f"{title.mean_states:.2f}")
        console.print(table)
    if found.splits:
        table = _table("Splits", "", "traces", "students", "titles")
        for row in found.splits:
            table.add_row(f"{_name(row.name)}: {row.split}", f"{row.traces:,}", f"{row.students:,}", f"{row.titles:,}")
        console.print(table)


def _name(text: str) -> str:
    return escape(visible(text))


def _print_numbers(console: Console, found: Description) -> None:
    table = _table("Distributions", "", "n", "mean", "5%", "25%", "median", "75%", "95%", "largest")
    for name, distribution in found.numbers.items():
        numbers = summary(distribution)
        shown = (numbers[key] for key in ("mean", "q05", "q25", "q50", "q75", "q95", "max"))
        table.add_row(NUMBERS[name].label, f"{distribution.n:,}", *(f"{value:,.4g}" for value in shown))
    console.print(table)


def _table(title: str, first: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    table.add_column(first)
    for column in columns:
        table.add_column(column, justify="right")
    return table
