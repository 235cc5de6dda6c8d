"""The studies, each listed once.

In: nothing. Out: `STUDIES`. A study is a folder, and an entry names its parts, so that reading the list loads none of
them. All else reads it: the command line, the pipeline and its `run.toml`, the report, the claims and the docs. A
study's folder holds

    __init__.py   a docstring: what the study's command does, as its help says it
    settings.py   the frozen settings, `NAMEConfig`: the section of `run.toml`; loads no torch
    study.py      the study: from a run's folder and settings to results rows
    figures.py    figures, made from results rows and points alone
    tables.py     tables, made from results rows alone
    chapter.py    the chapter of the report: gathers both, with the method and what came out in sentences
    claims.toml   what was claimed before any run (see `common.claims`), if anything was

Not guaranteed: that what an entry names exists; it is looked up when it is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module, resources
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

from redraft.errors import UsageError, suggestion

if TYPE_CHECKING:
    from redraft.results import Result
    from redraft.studies.interface import Chapter, Settings

Needs = Literal["dataset", "samples", "models"]


@dataclass(frozen=True, kw_only=True)
class Study:
    """Where a study's parts are, and how it is called everywhere."""

    name: str
    """Of its folder, command, section of `run.toml`, results file and chapter."""
    question: str
    """The heading of its chapter."""
    does: str
    """What its command does, in a few words."""
    paper: str = ""
    """Where the paper has it, if it does."""
    settings: str
    """Its settings' class, in `settings.py`."""
    function: str
    """The study itself, in `study.py`: called with a run's folder and settings (None: those of the run)."""
    needs: Needs
    """What it reads beside `run.toml`: the dataset only, the models' samples, or the models."""
    done: Literal["always", "by default", "on request"] = "by default"
    """Whether `redraft reproduce` does it in every run, in those that don't say otherwise, or only if asked."""
    package: str = ""
    """Its folder, as a package; none: the one of its name beside this file."""
    command: str = ""
    """Its command, as MODULE:FUNCTION, if it is called with something other than a run's folder."""
    formerly: str = ""
    """What its command, its section of `run.toml` and its function were called in earlier versions."""

    @property
    def folder(self) -> str:
        """Its package."""
        return self.package or f"{__package__}.{self.name}"

    @property
    def about(self) -> str:
        """What its command does, in full."""
        return (import_module(self.folder).__doc__ or self.does).strip()

    @property
    def config(self) -> type[Settings]:
        """The class of its settings."""
        return cast("type[Settings]", getattr(import_module(f"{self.folder}.settings"), self.settings))

    @property
    def chapter(self) -> Chapter:
        """What reports it."""
        return cast("Chapter", import_module(f"{self.folder}.chapter"))

    @property
    def claims(self) -> Path | None:
        """Its claims, if it has any."""
        file = Path(str(resources.files(self.folder))) / "claims.toml"
        return file if file.exists() else None

    def save_chapter(self, folder: Path) -> None:
        """Write its figures and tables beside its results, which stand in the folder."""
        from redraft.plots.style import save

        for figure in self.chapter.figures(folder):
            save(figure, folder)
        for table in self.chapter.tables(folder):
            table.save(folder)

    def is_done(self, run: Path) -> bool:
        """Whether a run has results of it."""
        return (run / "results" / f"{self.name}.parquet").exists()

    def do(self, run: Path, config: Settings | None = None) -> Sequence[Result]:
        """Do the study and write its results.

        Args:
            run: The run's folder.
            config: Settings; None: those in `run.toml`.
        """
        function = getattr(import_module(f"{self.folder}.study"), self.function)
        return cast("Sequence[Result]", function(run, config))


STUDIES: tuple[Study, ...] = (
    Study(
        name="describe",
        question="What is in the data?",
        does="say what is in a dataset",
        paper="figure 8, tables 1 and 2",
        settings="DescribeConfig",
        function="describe_run",
        needs="dataset",
        done="always",
        command="redraft.cli.describe:describe",
    ),
    Study(
        name="behaviour",
        question="Do generated traces behave like the real ones?",
        does="compare a run's samples with the real traces",
        paper="figures 2, 3 and 9, table 3",
        settings="BehaviourConfig",
        function="behaviour",
        needs="samples",
        done="always",
        formerly="evaluate",
    ),
    Study(
        name="variance",
        question="Whose is the variance?",
        does="say how much of each metric is the student's or the title's",
        settings="VarianceConfig",
        function="variance_of_run",
        needs="dataset",
        command="redraft.cli.variance:variance",
    ),
    Study(
        name="probe",
        question="What do the models' vectors say?",
        does="ask what the models' vectors say of programs to come and of students",
        paper="figures 4 and 5",
        settings="ProbeConfig",
        function="probe",
        needs="models",
    ),
    Study(
        name="adapt",
        question="How few traces does a new student need?",
        does="say how few traces of a new student a model needs",
        paper="figure 6",
        settings="AdaptConfig",
        function="adapt",
        needs="models",
    ),
    Study(
        name="recover",
        question="Can a model help a stuck student in the student's own style?",
        does="study who can mend failing programs: models, baselines, students",
        paper="figure 7, table 4",
        settings="RecoverConfig",
        function="recover",
        needs="models",
    ),
    Study(
        name="steer",
        question="Does a student's vector hand a model the student's ways?",
        does="say how far students' vectors steer what a model writes",
        paper="appendix J's future work",
        settings="SteerConfig",
        function="steer",
        needs="models",
    ),
    Study(
        name="represent",
        question="What do the models make of traces?",
        does="compare what a run's models make of the same traces",
        paper="figure 10",
        settings="RepresentConfig",
        function="represent",
        needs="models",
    ),
    Study(
        name="audit",
        question="Does a model know some students less well?",
        does="look for students and titles that a run's models know less well",
        settings="AuditConfig",
        function="audit",
        needs="samples",
    ),
)
"""In the order in which a run does them and its report tells of them."""


def study_named(name: str, where: str | Path = "") -> Study:
    """The study of a name.

    Raises:
        UsageError: There is none.
    """
    by_name = {study.name: study for study in STUDIES}
    if name not in by_name:
        raise UsageError(f"no study is called {name!r}.", where=where or None, remedy=suggestion(name, by_name))
    return by_name[name]


def renamed() -> dict[str, str]:
    """What studies were called in earlier versions -> today's names."""
    return {study.formerly: study.name for study in STUDIES if study.formerly}
