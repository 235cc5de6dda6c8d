"""Everything a run is made with: its settings, the protocols that set some of them, what fits into a budget.

In: a protocol's name, minutes. Out: a `RunConfig`. `corrected` is the settings' defaults; `paper` and `released` are
files of settings (`protocols/`), with the paper's choices and its released code's. They set how something is done; how
much of it is done, the budget sets.
"""

from __future__ import annotations

from dataclasses import dataclass, field, make_dataclass, replace
from pathlib import Path
from typing import Any

from redraft.data.split import SplitConfig
from redraft.errors import UsageError, suggestion
from redraft.execute.dataset import ExecuteConfig
from redraft.lm.settings import Precision, SampleConfig, TrainConfig
from redraft.studies.common.run import CONTROLS
from redraft.studies.interface import Budget
from redraft.studies.registry import STUDIES, Study, study_named

RUN_FILE = "run.toml"
CORRECTED = "corrected"

PRESET = "llama-200k"
"""The smallest model that learns to copy from the state before within a minute or two on one core."""
PRECISION: Precision = "fp32"
"""So small a model gains nothing from bf16, not even on a CPU with units for it (docs/training.md)."""

BEHAVIOUR_VIEWS = ("trace", "last", "synthetic", "trace-downsampled", "synthetic-downsampled")
"""The paper's five models (section 3.1)."""
UNSAMPLED_VIEWS = ("synthetic-complex",)
"""A sixth, whose model goes on with failing programs (appendix J)."""


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """What a run is made with; kept, resolved, in run.toml, with a section for each study (`WholeRun`)."""

    dataset: str
    """The dataset's folder, absolute or relative to the run's folder."""
    protocol: str = CORRECTED
    """Whose choices: corrected, paper or released."""
    split: str = "default"
    """Name of the dataset's split."""
    views: tuple[str, ...] = BEHAVIOUR_VIEWS
    """Views of the training data; one model each, trained and sampled."""
    unsampled_views: tuple[str, ...] = UNSAMPLED_VIEWS
    """Views whose models are trained and not sampled, for the studies that read models."""
    controls: tuple[str, ...] = tuple(CONTROLS)
    """What the trace model is sampled for again with other students' vectors."""
    studies: tuple[str, ...] = tuple(study.name for study in STUDIES if study.done == "by default")
    """Studies beside those that every run does."""
    seed: int = 1
    """Seed of the split, the models and the samples."""
    command: str = ""
    """The command that started the run."""
    note: str = ""
    """What a reader of the report must know of the run beforehand; the report begins with it."""
    max_pairs: int = 0
    """Pairs sampled from each test split, at most (a seeded choice, the same for every model); 0: as many as the budget
    allows."""
    splitting: SplitConfig = field(default_factory=SplitConfig)
    """How the split is made, if it doesn't exist."""
    train: TrainConfig = field(default_factory=TrainConfig)
    """How each model is trained."""
    sample: SampleConfig = field(default_factory=SampleConfig)
    """How each model is sampled."""
    execute: ExecuteConfig = field(default_factory=ExecuteConfig)
    """How it is told which programs run."""

    def __post_init__(self) -> None:
        for name in self.studies:
            study_named(name, where="studies")

    @property
    def trained_views(self) -> tuple[str, ...]:
        """Views that a model is trained of."""
        return (*self.views, *self.unsampled_views)

    @property
    def to_do(self) -> list[Study]:
        """The studies of this run, in order."""
        return [study for study in STUDIES if study.done == "always" or study.name in self.studies]

    def of(self, study: Study) -> Any:
        """A study's settings."""
        return getattr(self, study.name)


WholeRun: type[RunConfig] = make_dataclass(
    "WholeRun",
    [(study.name, study.config, field(default_factory=study.config)) for study in STUDIES],
    bases=(RunConfig,), namespace={"__module__": __name__}, frozen=True, kw_only=True,
)  # fmt: skip
"""Everything a run is made with: `RunConfig`, and a field for each study's settings, named like the study."""


def protocol_files(name: str) -> list[Path]:
    """The settings files of a protocol.

    Raises:
        UsageError: There is no such protocol.
    """
    folder = Path(__file__).with_name("protocols")
    files = {CORRECTED: [], **{file.stem: [file] for file in sorted(folder.glob("*.toml"))}}
    if name not in files:
        raise UsageError(f"no protocol is called {name!r}.", where="--protocol", remedy=suggestion(name, files))
    return files[name]


def fit_studies(config: RunConfig, minutes: float) -> RunConfig:
    """The run with studies of a size that fits a budget: each one's settings say how they shrink."""
    budget = Budget(minutes, config.seed, config.trained_views)
    sections: dict[str, Any] = {study.name: config.of(study).within(budget) for study in STUDIES}
    return replace(config, **sections)


def within(config: RunConfig, minutes: float) -> RunConfig:
    """The run, of a size that fits a budget: studies, samples and the traces that validate."""
    budget = Budget(minutes, config.seed, config.trained_views)
    return replace(
        fit_studies(config, minutes),
        train=replace(config.train, validation_traces=budget.some(500, 100)),  # at the end read three times a split
        sample=replace(config.sample, per_pair=budget.some(5, 2)),  # more pairs tell more than more samples of each
    )
