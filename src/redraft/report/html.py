"""The report of a run: one HTML file that needs nothing else.

In: a run's folder, with results; only its results rows, points, cards, `run.toml` and `stages.json` are read. The
dataset is read only to describe it, if that was not done. Out: `report.html`, `findings.md`, and beside them the
figures (`figures/*.svg`, `points-*.parquet`) and tables (`results/table-*.csv`) it shows. The HTML file loads nothing
from elsewhere and runs no script.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from redraft import results
from redraft.errors import DatasetError
from redraft.metrics.registry import METRICS
from redraft.metrics.released.counterparts import DEFINED
from redraft.plots.style import Figure, origin_words, save
from redraft.plots.tables import Table
from redraft.plots.words import BANNERS
from redraft.report import training
from redraft.report.words import LEAD, METHODS, RELEASED_DEFINITIONS, TITLE, limitations
from redraft.results import Result
from redraft.rundir import RunDir, versions, write_text
from redraft.studies.common.findings import by_study, claims_table, findings_page, read_rows
from redraft.studies.common.run import open_run
from redraft.studies.registry import STUDIES, Study, study_named
from redraft.visible import visible


class Chapter(NamedTuple):
    """A part of the report."""

    id: str
    heading: str
    figures: Sequence[Figure]
    tables: Sequence[Table]


def write_report(folder: str | Path) -> Path:
    """Write `report.html` of a run, with its figures and tables as files beside it.

    Raises:
        InputError: The folder is no run.
        DatasetError: A study that every run has was not done.
    """
    run = Path(folder)
    settings = open_run(run).settings
    _complete(run)
    rows = results.of_study(run, "behaviour")
    done = [study for study in STUDIES if study.is_done(run)]
    chapters = _chapters(run, rows, done)
    for chapter in chapters:
        for figure in chapter.figures:
            save(figure, run)
        for table in chapter.tables:
            table.save(run)
    environment = Environment(
        loader=PackageLoader("redraft", "report"), autoescape=True, undefined=StrictUndefined, trim_blocks=False,
        finalize=_shown,
    )  # fmt: skip
    template = environment.get_template("report.html")
    css = (Path(__file__).parent / "report.css").read_text(encoding="utf-8")
    used = {row.metric for row in rows}
    released = any(row.definitions == "released" for row in rows)
    origin, dataset = rows[0].origin, rows[0].dataset
    text = template.render(
        title=TITLE, lead=LEAD, css=css, origin=origin, dataset=dataset, stamp=origin_words(origin, dataset),
        banner=f"{BANNERS[origin]} {settings.get('note', '')}".strip(), meta=_meta(run, settings, rows),
        sections=[*((chapter.id, chapter.heading) for chapter in chapters), *ENDINGS],
        findings=[(study_named(name).question, told) for name, told in by_study(read_rows(run)).items()],
        chapters=chapters,
        methods=[
            *([RELEASED_DEFINITIONS] if released else []), *METHODS,
            *((study.question, " ".join(study.chapter.METHODS)) for study in done if study.chapter.METHODS),
        ],
        metrics=[metric for name, metric in (DEFINED if released else METRICS).items() if name in used],
        limitations=limitations(rows), colophon=f"Made by redraft {versions().get('redraft', '')}.",
    )  # fmt: skip
    out = run / "report.html"
    write_text(out, text)
    write_text(run / "findings.md", visible(findings_page(run, settings.get("command", "")), lines=True))
    return out


def _shown(value: Any) -> Any:
    """A value of the page; text of others can't turn the page's words around. Drawings and styles are marked safe."""
    return visible(value, lines=True) if isinstance(value, str) and not isinstance(value, Markup) else value


ENDINGS = (("methods", "Methods"), ("limitations", "Limitations"))


def _complete(run: Path) -> None:
    """Do what every run has and this one lacks, if it takes the dataset alone; refuse to report without the rest."""
    lacking = [study for study in STUDIES if study.done == "always" and not study.is_done(run)]
    for study in lacking:
        if study.needs != "dataset":
            raise DatasetError(
                f"this run has no results of the study {study.name!r}.", where=run,
                remedy=f"First: redraft {study.name} {run}",
            )  # fmt: skip
    for study in lacking:
        study.do(run)


def _chapters(run: Path, rows: Sequence[Result], done: Sequence[Study]) -> list[Chapter]:
    """The findings, the studies that were done, and the models they stand on."""
    views = list(dict.fromkeys(row.model for row in rows if row.model))
    curves = training.curves(run, views, origin_words(rows[0].origin, rows[0].dataset))
    return [
        Chapter("findings", "Findings", (), [claims_table(read_rows(run))]),
        *(_chapter(s.name, s.question, s.chapter.figures(run), s.chapter.tables(run)) for s in done),
        _chapter(
            "models", "Models and time", [curves], [training.models(run, views), training.stages(RunDir(run).stages)]
        ),
    ]


def _chapter(id: str, heading: str, figures: Sequence[Figure | None], tables: Sequence[Table | None]) -> Chapter:
    """A chapter of what there is."""
    shown = [table for table in tables if table is not None and table.rows]
    return Chapter(id, heading, [figure for figure in figures if figure is not None], shown)


def _meta(run: Path, settings: Any, rows: Sequence[Result]) -> list[tuple[str, str]]:
    described = results.of_study(run, "describe")
    counts = {row.metric: row.value for row in described if row.statistic == "count" and not row.split}
    sizes = ", ".join(f"{int(counts.get(name) or 0):,} {name}" for name in ("traces", "states", "students", "titles"))
    seeds = f"run {settings.get('seed', '–')}, resampling {next((r.seed for r in rows if r.seed is not None), '–')}"
    return [
        ("Data", f"{rows[0].dataset}: {sizes}" if described else rows[0].dataset),
        ("Models", ", ".join(dict.fromkeys(row.model for row in rows if row.model))),
        ("Split", str(settings.get("split", "default"))),
        ("Definitions", ", ".join(dict.fromkeys(row.definitions for row in rows))),
        ("Seeds", seeds),
        ("Made", f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, with: redraft report {run.resolve().name}"),
        ("Versions", ", ".join(f"{name} {version}" for name, version in versions().items())),
    ]
