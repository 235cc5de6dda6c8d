"""The report of a run: one HTML file that needs nothing else.

In: a run's folder, evaluated; only its results rows, points, cards, `run.toml` and `stages.json` are read, never the
dataset. Out: `report.html`, `findings.md`, and beside them the figures (`figures/*.svg`, `points-*.parquet`) and tables
(`results/table-*.csv`) it shows. The HTML file loads nothing from elsewhere and runs no script.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import pyarrow.parquet as pq
from jinja2 import Environment, PackageLoader, StrictUndefined

from redraft import results
from redraft.errors import DatasetError
from redraft.metrics.registry import METRICS
from redraft.metrics.released.counterparts import DEFINED
from redraft.report import (
    adapt,
    audit,
    behaviour_tables,
    dataset_tables,
    datasets,
    probe,
    recover,
    represent,
    training,
    variance,
)
from redraft.report.behaviour import Panels, backtracking, dots, frequency
from redraft.report.findings import claims_table, findings, findings_page, read_rows
from redraft.report.style import BASELINE_MARKERS, Figure, origin_words, save
from redraft.report.tables import Table
from redraft.report.words import BANNERS, LEAD, METHODS, RELEASED_DEFINITIONS, TITLE, limitations
from redraft.results import Result
from redraft.rundir import RunDir, versions, write_text
from redraft.studies.claims import FINAL_METRICS, TRACE_METRICS
from redraft.studies.run import open_run

R_STATISTICS = {"pooled_r": "pooled r", "within_r": "within-title r"}


class Chapter(NamedTuple):
    """A part of the report."""

    id: str
    heading: str
    figures: Sequence[Figure]
    tables: Sequence[Table]


class Part(Protocol):
    """A module that reports a study."""

    METHODS: tuple[str, ...]
    """Paragraphs."""

    def figures(self, run: Path, /) -> list[Figure]:
        """The study's figures."""

    def tables(self, run: Path, /) -> list[Table]:
        """The study's tables."""


STUDIES: dict[str, tuple[str, Part]] = {
    "variance": ("Whose is the variance?", variance),
    "probe": ("What do the models' vectors say?", probe),
    "adapt": ("How few traces does a new student need?", adapt),
    "recover": ("Can a model help a stuck student in the student's own style?", recover),
    "represent": ("What do the models make of traces?", represent),
    "audit": ("Does a model know some students less well?", audit),
}
"""Studies that a run may have beside behaviour -> heading, and who reports them; in the report's order."""


def write_report(folder: str | Path) -> Path:
    """Write `report.html` of an evaluated run, with its figures and tables as files beside it.

    Raises:
        InputError: The folder is no run.
        DatasetError: The run has not been evaluated.
    """
    run = Path(folder)
    settings = open_run(run).settings
    rows, described = _read(run, "behaviour"), _read(run, "describe")
    parts = {name: part for name, part in STUDIES.items() if (run / "results" / f"{name}.parquet").exists()}
    chapters = _chapters(run, rows, described, parts)
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
        banner=BANNERS[origin], meta=_meta(run, settings, rows, described),
        sections=[*((chapter.id, chapter.heading) for chapter in chapters), *ENDINGS],
        findings=findings(run, limit=None), chapters=chapters,
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


def _chapters(
    run: Path, rows: Sequence[Result], described: Sequence[Result], parts: Mapping[str, tuple[str, Part]]
) -> list[Chapter]:
    """The findings, behaviour, the other studies that were run, and what everything stands on."""
    origin, dataset = rows[0].origin, rows[0].dataset
    views = list(dict.fromkeys(row.model for row in rows if row.model))
    points = pq.read_table(run / "points-pairs.parquet")
    agreeing = [*_agreement(rows, views), _likeness(rows, views)]
    agreeing += [scatter(points, rows, views, origin, dataset) for scatter in (backtracking, frequency)]
    about = [training.curves(run, views, origin_words(origin, dataset))]
    about += datasets.figures(pq.read_table(run / "points-distributions.parquet"), origin, dataset)
    counts = [training.models(run, views), *dataset_tables.tables(described)]
    return [
        Chapter("findings", "Findings", (), [claims_table(read_rows(run))]),
        _chapter("behaviour", "Do generated traces behave like the real ones?", agreeing,
                 behaviour_tables.tables(rows)),
        *(_chapter(name, heading, part.figures(run), part.tables(run)) for name, (heading, part) in parts.items()),
        _chapter("data", "Data and models", about, [*counts, dataset_tables.stages(RunDir(run).stages)]),
    ]  # fmt: skip


def _chapter(id: str, heading: str, figures: Sequence[Figure | None], tables: Sequence[Table | None]) -> Chapter:
    """A chapter of what there is."""
    shown = [table for table in tables if table is not None and table.rows]
    return Chapter(id, heading, [figure for figure in figures if figure is not None], shown)


def _agreement(rows: Sequence[Result], views: list[str]) -> list[Figure | None]:
    """Figures 2 and 3 of the paper: correlations of final programs, and of whole traces."""
    splits = _splits(rows)
    known = {row.metric for row in rows}
    read = (
        "Above, r over all pairs, which a model can win by knowing titles alone; below, r after both sides are centred "
        "on their title means, which only knowledge of students can win. Grey marks are baselines without a language "
        "model. Where there is no dot, r is undefined: one side hardly varies."
    )

    def one(name: str, metrics: Sequence[str], shown: list[str], title: str, what: str) -> Figure | None:
        labels = {metric: _label(metric) for metric in metrics if metric in known}
        baselines = [name for name in BASELINE_MARKERS if name != "real-students"]
        panels = Panels(R_STATISTICS, labels, splits, shown, baselines, _limits(rows, labels))
        alt = f"{what} Dots with intervals by split, metric and model; the values are in the tables."
        return dots(name, rows, panels, title=title, caption=f"{what} {read}", alt=alt)

    asked = (row.metric for row in rows if row.level == "trace" and row.statistic in R_STATISTICS)
    of_traces = list(dict.fromkeys([*TRACE_METRICS, *asked]))
    tracing = list(dict.fromkeys(row.model for row in rows if row.model and row.metric in of_traces))
    return [
        one("final-programs", FINAL_METRICS, views, "Do generated final programs agree with the students' own?",
            "Correlation of each property of the final program, real against generated."),
        one("whole-traces", of_traces, [view for view in views if view in tracing],
            "Do generated traces agree with the students' own?",
            "Correlation of each property of the whole trace, real against generated; models of final programs "
            "have none."),
    ]  # fmt: skip


def _likeness(rows: Sequence[Result], views: list[str]) -> Figure | None:
    metrics = ("bleu_final", "bleu_trace", "colour_cosine", "self_bleu", "ended_share")
    panels = Panels({"mean": "mean, 0 to 1"}, {metric: _label(metric) for metric in metrics}, _splits(rows), views,
                    ["random-trace", "real-students"], (-0.02, 1.02))  # fmt: skip
    return dots(
        "likeness", rows, panels, title="How alike are generated and real programs?",
        caption="BLEU and colour cosine: each sample against the student's own program, higher is nearer; the grey "
        "mark is another student's training program. Self-BLEU: the samples of a pair among themselves; a model as "
        "varied as people lies at the grey bar (as many real students of the title). Ended: samples that came to an "
        "end.",
        alt="Dots with intervals of BLEU, colour cosine, Self-BLEU and share ended, by split and model.",
    )  # fmt: skip


def _splits(rows: Sequence[Result]) -> list[str]:
    """Splits with pairs; `all` only if there are several."""
    found = list(dict.fromkeys(row.split for row in rows if row.split and row.n and row.model))
    return found if len(found) > 2 else [split for split in found if split != "all"]


def _limits(rows: Sequence[Result], metrics: dict[str, str]) -> tuple[float, float]:
    """A horizontal axis wide enough for most intervals, the same in all panels."""
    lows = [row.low for row in rows if row.metric in metrics and row.statistic in R_STATISTICS and row.low is not None]
    return (-1.03 if min(lows, default=0) < -0.52 else -0.53, 1.03)


def _label(metric: str) -> str:
    words = {
        "bleu_final": "BLEU, final program", "bleu_trace": "BLEU, whole trace", "colour_cosine": "colour cosine",
        "self_bleu": "Self-BLEU", "ended_share": "ended", "backtracking_t3": "backtracking (T ≥ 3)",
        "seconds_active": "active seconds", "seconds_total": "total seconds",
        "edit_distance_mean": "mean edit distance",
    }  # fmt: skip
    return words.get(metric, metric.removesuffix("_final").removesuffix("_count").replace("_", " "))


def _meta(
    run: Path, settings: Any, rows: Sequence[Result], described: Sequence[Result]
) -> list[tuple[str, str]]:
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
