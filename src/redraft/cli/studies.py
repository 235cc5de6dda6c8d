"""The studies of a run: `redraft evaluate`, `probe`, `adapt`, `recover`, `steer`, `represent`, `audit`, `report`,
`seeds`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

from cyclopts import Parameter

from redraft.progress import say

if TYPE_CHECKING:
    from redraft.results import Result

Files = Annotated[list[Path] | None, Parameter(negative="")]
C = TypeVar("C")


def evaluate(run: Path, *, config: Files = None) -> None:
    """Compare a run's samples with the real traces: agreement by split and model, with intervals.

    Reads RUN/run.toml and RUN/samples/VIEW/, writes RUN/results/behaviour.parquet and .csv, figures and tables, and
    prints the claims. Settings stand in the section [evaluate] of run.toml. Samples of a model that was trained on
    another split are refused.

    Example: redraft evaluate runs/demo

    Args:
        run: The run's folder.
        config: Files of settings (TOML), their keys as in the section [evaluate]; they win over run.toml, a later one
            over an earlier one.
    """
    from redraft.studies.behaviour.settings import EvaluateConfig
    from redraft.studies.behaviour.study import evaluate as study

    _study(run, "behaviour", study, EvaluateConfig, config, section="evaluate")


def probe(run: Path, *, config: Files = None) -> None:
    """Ask what the models' vectors say: of a prefix, what comes later; of a student, how the student works.

    Reads RUN/run.toml and RUN/models/VIEW/, writes RUN/results/probe.parquet and .csv, figures and tables, and prints
    how many of the comparisons hold. Settings stand in the section [probe] of run.toml. What took long is kept in
    RUN/work/probe/: killed and started again it goes on. A model that was trained on another split is refused.

    Example: redraft probe runs/demo

    Args:
        run: The run's folder.
        config: Files of settings (TOML), their keys as in the section [probe]; they win over run.toml, a later one
            over an earlier one.
    """
    from redraft.studies.probe.settings import ProbeConfig
    from redraft.studies.probe.study import probe as study  # loads torch

    _study(run, "probe", study, ProbeConfig, config)


def adapt(run: Path, *, config: Files = None) -> None:
    """Say how few traces of a new student a model needs: vectors fitted to the first k of them, tested on later ones.

    Reads RUN/run.toml and RUN/models/VIEW/, writes RUN/results/adapt.parquet and .csv, figures and tables. Settings
    stand in the section [adapt] of run.toml. Killed and started again with the same settings, it goes on. A model that
    was trained on another split is refused; if new students are too few, every row says so.

    Example: redraft adapt runs/demo

    Args:
        run: The run's folder.
        config: Files of settings (TOML), their keys as in the section [adapt]; they win over run.toml, a later one
            over an earlier one.
    """
    from redraft.studies.adapt.settings import AdaptConfig
    from redraft.studies.adapt.study import adapt as study  # loads torch

    _study(run, "adapt", study, AdaptConfig, config)


def recover(run: Path, *, config: Files = None) -> None:
    """Study whether a run's models can mend failing programs of held-out students, beside baselines and the students.

    Reads RUN/run.toml and RUN/models/VIEW/, runs programs in the sandbox, writes RUN/results/recover.parquet and .csv,
    figures and tables, and prints kept success. Settings stand in the section [recover] of run.toml. Models that were
    trained on another split are refused. Killed and started again, it goes on.

    Example: redraft recover runs/class

    Args:
        run: The run's folder.
        config: Files of settings (TOML), their keys as in the section [recover]; they win over run.toml, a later one
            over an earlier one.
    """
    from redraft.studies.recover.settings import RecoverConfig
    from redraft.studies.recover.study import recover as study  # loads torch

    _study(run, "recover", study, RecoverConfig, config)


def steer(run: Path, *, config: Files = None) -> None:
    """Study how far students' vectors steer what a run's model writes: comments, colours, speed, going back and others.

    The students who do most and least of something, by their training traces, and the unknown student write on the
    same titles. Reads RUN/run.toml and RUN/models/VIEW/, runs the programs in the sandbox, writes
    RUN/results/steer.parquet and .csv, the figure and the table. Settings stand in the section [steer] of run.toml.
    Killed and started again, it goes on. A model that was trained on another split is refused.

    Example: redraft steer runs/class

    Args:
        run: The run's folder.
        config: Files of settings (TOML), their keys as in the section [steer]; they win over run.toml, a later one
            over an earlier one.
    """
    from redraft.studies.steer.settings import SteerConfig
    from redraft.studies.steer.study import steer as study  # loads torch

    _study(run, "steer", study, SteerConfig, config)


def represent(run: Path, *, config: Files = None) -> None:
    """Compare what a run's models make of the same traces: their layers, and the directions of steps between states.

    Reads RUN/run.toml and RUN/models/VIEW/, writes RUN/results/represent.parquet and .csv, figures and tables. Settings
    stand in the section [represent] of run.toml. Killed and started again with the same settings, it goes on. Models
    that were trained on another split are refused.

    Example: redraft represent runs/demo

    Args:
        run: The run's folder.
        config: Files of settings (TOML), their keys as in the section [represent]; they win over run.toml, a later one
            over an earlier one.
    """
    from redraft.studies.represent.settings import RepresentConfig
    from redraft.studies.represent.study import represent as study  # loads torch

    _study(run, "represent", study, RepresentConfig, config)


def audit(run: Path, *, config: Files = None) -> None:
    """Compare every subgroup of students and of titles with the rest: year, editor mode, language, activity, frequency
    of the title, and any covariate handed in with the logs.

    Reads RUN/run.toml and RUN/samples/VIEW/, writes RUN/results/audit.parquet and .csv, the figure and the table, and
    prints the gaps that are significant after correction. Settings stand in the section [audit] of run.toml.

    Example: redraft audit runs/demo

    Args:
        run: The run's folder.
        config: Files of settings (TOML), their keys as in the section [audit]; they win over run.toml, a later one
            over an earlier one.
    """
    from redraft.studies.audit.settings import AuditConfig
    from redraft.studies.audit.study import audit as study

    _study(run, "audit", study, AuditConfig, config)


def _study(
    run: Path, name: str, study: Callable[[Path, C], list[Result]], kind: type[C], files: list[Path] | None, *,
    section: str | None = None,
) -> None:  # fmt: skip
    """Do a study, write what it shows, print what came out."""
    from redraft.config import load
    from redraft.report.parts import PARTS, save_part
    from redraft.studies.common.run import open_run

    base = open_run(run).section(section or name, kind)
    rows = study(run, load(kind, files or (), base=base))
    save_part(name, run)
    for sentence in PARTS[name][1].sentences(rows):
        print(f"- {sentence}")  # noqa: T201
    say(f"{run / 'results' / f'{name}.parquet'}: {len(rows):,} rows")


def report(run: Path) -> None:
    """Write RUN/report.html: findings, figures and tables of an evaluated run in one file that needs nothing else.

    Beside it: figures/*.svg, results/table-*.csv, and the findings as Markdown, findings.md.

    Example: redraft report runs/demo

    Args:
        run: The run's folder.
    """
    from redraft.report.html import write_report

    print(write_report(run))  # noqa: T201


def seeds(*runs: Path, out: Path = Path("seeds")) -> None:
    """Set runs beside one another that differ in their seed alone: a line a claim, every seed's estimate and verdict.

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
        print(f"- {one.claim.about}: {one.outcomes}")  # noqa: T201
    say(f"{out / 'seeds.md'}: {len(found):,} claims; seeds disagree on {len(unsure):,}")
