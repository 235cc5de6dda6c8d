"""The commands of studies that take a run's folder, made from the registry; `redraft report`, `redraft seeds`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from redraft.progress import say
from redraft.studies.registry import STUDIES, Study

Files = Annotated[list[Path] | None, Parameter(negative="")]

READS = {"dataset": "the dataset", "samples": "RUN/samples/VIEW/", "models": "RUN/models/VIEW/"}
REFUSES = {
    "dataset": "",
    "samples": " Samples of a model that was trained on another split are refused.",
    "models": " A model that was trained on another split is refused. Killed and started again with the same settings, "
    "it goes on.",
}
"""What a study says no to, by what it needs."""
HELP = """{about}

Reads RUN/run.toml and {reads}, writes RUN/results/{name}.parquet and .csv, figures and tables, and prints what came
out. Settings stand in the section [{name}] of run.toml.{refuses}

Example: redraft {name} runs/demo

Args:
    run: The run's folder.
    config: Files of settings (TOML), their keys as in the section [{name}]; they win over run.toml, a later one over
        an earlier one.
"""


def __getattr__(name: str) -> Callable[..., None]:
    """The command of a study of the registry, made when it is called for."""
    found = [study for study in STUDIES if study.name == name]
    if not found:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return study_command(found[0])


def study_command(study: Study) -> Callable[..., None]:
    """The command that does a study on a run, writes what it shows and prints what came out."""

    def command(run: Path, *, config: Files = None) -> None:
        from redraft.config import load
        from redraft.studies.common.run import open_run

        kind: type[Any] = study.config
        rows = study.do(run, load(kind, config or (), base=open_run(run).section(study.name, kind)))
        study.save_chapter(run)
        for sentence in study.chapter.sentences(rows):
            print(f"- {sentence}")
        say(f"{run / 'results' / f'{study.name}.parquet'}: {len(rows):,} rows")

    command.__name__ = study.name
    command.__doc__ = HELP.format(
        about=study.about, reads=READS[study.needs], name=study.name, refuses=REFUSES[study.needs]
    )
    return command


def report(run: Path) -> None:
    """Write RUN/report.html: findings, figures and tables of the studies that were done, in one file that needs nothing
    else.

    Beside it: figures/*.svg, results/table-*.csv, and the findings as Markdown, findings.md.

    Example: redraft report runs/demo

    Args:
        run: The run's folder.
    """
    from redraft.report.html import write_report

    print(write_report(run))


def seeds(*runs: Path, out: Path = Path("seeds")) -> None:
    """Set runs beside one another that differ in their seed alone: a line per claim, every seed's estimate and verdict.

    One set of weights says little about what training would give again. Writes OUT/seeds.md, OUT/seeds.csv and a
    figure a study (OUT/figures/seeds-STUDY.svg), and prints the claims that seeds judge differently. Runs of other
    data, another split or protocol are refused; other settings that differ are named.

    Example: redraft seeds runs/seed-1 runs/seed-2 runs/seed-3 --out runs/seeds

    Args:
        runs: The runs' folders, two or more, as of `redraft reproduce --seed 1 --out runs/seed-1` and so on.
        out: The folder to write to.
    """
    from redraft.report.seeds import compare_seeds

    found = compare_seeds(runs, out)
    unsure = [one for one in found if not one.agreed]
    for one in unsure:
        print(f"- {one.claim.about}: {one.outcomes}")
    say(f"{out / 'seeds.md'}: {len(found):,} claims; seeds disagree on {len(unsure):,}")
