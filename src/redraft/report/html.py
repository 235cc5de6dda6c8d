"""The report of a run: one HTML file that needs nothing else.

In: a run's folder, evaluated; only its results rows, points, cards, `run.toml` and `stages.json` are read, never the
dataset. Out: `report.html`, `findings.md`, and beside them the figures (`figures/*.svg`, `points-*.parquet`) and tables
(`results/table-*.csv`) it shows. The HTML file loads nothing from elsewhere and runs no script.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined

from redraft import results
from redraft.errors import DatasetError
from redraft.metrics.registry import METRICS
from redraft.metrics.released.counterparts import DEFINED
from redraft.plots.style import Figure, origin_words, save
from redraft.plots.tables import Table
from redraft.plots.words import BANNERS
from redraft.report import training
from redraft.report.parts import PARTS, Part
from redraft.report.words import LEAD, METHODS, RELEASED_DEFINITIONS, TITLE, limitations
from redraft.results import Result
from redraft.rundir import RunDir, versions, write_text
from redraft.studies.common.findings import by_study, claims_table, findings_page, read_rows
from redraft.studies.common.run import open_run
from redraft.studies.describe import chapter as data


class Chapter(NamedTuple):
    """A part of the report."""

    id: str
    heading: str
    figures: Sequence[Figure]
    tables: Sequence[Table]


def write_report(folder: str | Path) -> Path:
    """Write `report.html` of an evaluated run, with its figures and tables as files beside it.

    Raises:
        InputError: The folder is no run.
        DatasetError: The run has not been evaluated.
    """
    run = Path(folder)
    settings = open_run(run).settings
    rows, described = _read(run, "behaviour"), _read(run, "describe")
    parts = {name: part for name, part in PARTS.items() if (run / "results" / f"{name}.parquet").exists()}
    chapters = _chapters(run, rows, parts)
    for chapter in chapters:
        for figure in chapter.figures:
            save(figure, run)
        for table in chapter.tables:
            table.save(run)
    environment = Environment(
        loader=PackageLoader("redraft", "report"), autoescape=True, undefined=StrictUndefined, trim_blocks=False
    )
    template = environment.get_template("report.html")
    css = (Path(__file__).parent / "report.css").read_text(encoding="utf-8")
    used = {row.metric for row in rows}
    released = any(row.definitions == "released" for row in rows)
    origin, dataset = rows[0].origin, rows[0].dataset
    text = template.render(
        title=TITLE, lead=LEAD, css=css, origin=origin, dataset=dataset, stamp=origin_words(origin, dataset),
        banner=f"{BANNERS[origin]} {settings.get('note', '')}".strip(), meta=_meta(run, settings, rows, described),
        sections=[*((chapter.id, chapter.heading) for chapter in chapters), *ENDINGS],
        findings=[(PARTS[study][0], told) for study, told in by_study(read_rows(run)).items()], chapters=chapters,
        methods=[
            *([RELEASED_DEFINITIONS] if released else []), *METHODS,
            *((heading, " ".join(part.METHODS)) for heading, part in parts.values()),
        ],
        metrics=[metric for name, metric in (DEFINED if released else METRICS).items() if name in used],
        limitations=limitations(rows), colophon=f"Made by redraft {versions().get('redraft', '')}.",
    )  # fmt: skip
    out = run / "report.html"
    write_text(out, text)
    write_text(run / "findings.md", findings_page(run, settings.get("command", "")))
    return out


def _read(run: Path, study: str) -> list[Result]:
    file = run / "results" / f"{study}.parquet"
    if not file.exists():
        raise DatasetError(
            f"this run has no results of the study {study!r}.", where=run, remedy=f"First: redraft evaluate {run}"
        )
    return results.read(file)


ENDINGS = (("methods", "Methods"), ("limitations", "Limitations"))


def _chapters(run: Path, rows: Sequence[Result], parts: Mapping[str, tuple[str, Part]]) -> list[Chapter]:
    """The findings, the studies that were run, and what everything stands on."""
    origin, dataset = rows[0].origin, rows[0].dataset
    views = list(dict.fromkeys(row.model for row in rows if row.model))
    about = [training.curves(run, views, origin_words(origin, dataset))]
    about += data.figures(run)
    counts = [training.models(run, views), *data.tables(run)]
    return [
        Chapter("findings", "Findings", (), [claims_table(read_rows(run))]),
        *(_chapter(name, heading, part.figures(run), part.tables(run)) for name, (heading, part) in parts.items()),
        _chapter("data", "Data and models", about, [*counts, training.stages(RunDir(run).stages)]),
    ]  # fmt: skip


def _chapter(id: str, heading: str, figures: Sequence[Figure | None], tables: Sequence[Table | None]) -> Chapter:
    """A chapter of what there is."""
    shown = [table for table in tables if table is not None and table.rows]
    return Chapter(id, heading, [figure for figure in figures if figure is not None], shown)


def _meta(run: Path, settings: Any, rows: Sequence[Result], described: Sequence[Result]) -> list[tuple[str, str]]:
    counts = {row.metric: row.value for row in described if row.statistic == "count" and not row.split}
    sizes = ", ".join(f"{int(counts.get(name) or 0):,} {name}" for name in ("traces", "states", "students", "titles"))
    seeds = f"run {settings.get('seed', '–')}, resampling {next((r.seed for r in rows if r.seed is not None), '–')}"
    return [
        ("Data", f"{rows[0].dataset}: {sizes}"),
        ("Models", ", ".join(dict.fromkeys(row.model for row in rows if row.model))),
        ("Split", str(settings.get("split", "default"))),
        ("Definitions", ", ".join(dict.fromkeys(row.definitions for row in rows))),
        ("Seeds", seeds),
        ("Made", f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, with: redraft report {run.resolve().name}"),
        ("Versions", ", ".join(f"{name} {version}" for name, version in versions().items())),
    ]
