"""`redraft variance`: how much of each metric is the student's, the title's, or neither's."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter
from rich.markup import escape
from rich.table import Table

from redraft.progress import say
from redraft.terminal import Console


def variance(
    dataset: Path,
    *,
    out: Path | None = None,
    metric: Annotated[list[str] | None, Parameter(negative="")] = None,
    rule: Literal["corrected", "paper", "released", "tests"] = "corrected",
    seed: int = 0,
    workers: int = 0,
) -> None:
    """Share out the variance of each metric over students, titles and the rest, with 95% intervals.

    Crossed random effects, no language model: what a model could know of a student at all. Pairs of a student and a
    title count once. Fewer than ten students or titles: shares without interval.

    Example: redraft variance class/dataset --out class/variance

    Args:
        dataset: The dataset's folder.
        out: Also write results rows (Parquet and CSV), a figure (SVG) and a table (CSV) to this folder.
        metric: Only this metric; may be given several times.
        rule: By which programs count as running: the --rule that `redraft execute` judged the dataset by.
        seed: Seed of the groups of clusters that the intervals leave out.
        workers: Processes that measure; 0: one a core.
    """
    from redraft.data.store import open_dataset
    from redraft.plots.tables import with_interval
    from redraft.studies.registry import study_named
    from redraft.studies.variance.figures import STYLES
    from redraft.studies.variance.settings import VarianceConfig
    from redraft.studies.variance.study import variance as study

    chosen = {"metrics": tuple(metric)} if metric else {}
    config = VarianceConfig(**chosen, seed=seed, workers=workers)
    rows = study(open_dataset(dataset), config, out=out, rule=rule)
    shown = Table(box=None, pad_edge=False)
    shown.add_column("share of variance", no_wrap=True)
    for name, *_ in STYLES.values():
        shown.add_column(name, justify="right", no_wrap=True)
    shown.add_column("pairs", justify="right")
    for name in dict.fromkeys(row.metric for row in rows):
        mine = {row.statistic: row for row in rows if row.metric == name}
        cells = [escape(with_interval(mine[statistic])) for statistic in STYLES]
        shown.add_row(name, *cells, f"{mine['student_share'].n:,}")
    Console(highlight=False).print(shown)
    if out is not None:
        study_named("variance").save_chapter(out)
        say(f"{out / 'results' / 'variance.parquet'}: {len(rows):,} rows")
