"""Everything a run is made with: its settings, the protocols that set some of them, what fits into a budget.

In: a protocol's name, minutes. Out: a `RunConfig`. `corrected` is the settings' defaults; `paper` and `released` are
files of settings (`protocols/`), with the paper's choices and its released code's. They set how something is done; how
much of it is done, the budget sets.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from redraft.data.split import SplitConfig
from redraft.errors import UsageError, suggestion
from redraft.execute.dataset import ExecuteConfig
from redraft.lm.settings import Precision, SampleConfig, TrainConfig
from redraft.studies.adapt.settings import AdaptConfig
from redraft.studies.audit.settings import AuditConfig
from redraft.studies.behaviour.settings import EvaluateConfig
from redraft.studies.common.claims import own_claims
from redraft.studies.common.run import CONTROLS
from redraft.studies.probe.settings import ProbeConfig
from redraft.studies.recover.settings import RecoverConfig
from redraft.studies.represent.settings import RepresentConfig
from redraft.studies.steer.settings import SteerConfig
from redraft.studies.variance.settings import VarianceConfig

RUN_FILE = "run.toml"
CORRECTED = "corrected"

PRESET = "llama-200k"
"""The smallest model that learns to copy from the state before within a minute or two on one core."""
PRECISION: Precision = "fp32"
"""So small a model gains nothing from bf16, not even on a CPU with units for it (docs/training.md)."""

BEHAVIOUR_VIEWS = ("trace", "last", "synthetic", "trace-downsampled", "synthetic-downsampled")
"""The paper's five models (section 3.1)."""
RECOVERY_VIEWS = ("synthetic-complex",)
"""A sixth for recovery (appendix J)."""
STUDIES = ("variance", "probe", "adapt", "recover", "steer", "represent", "audit")

FULL_MINUTES = 480
"""Budget from which on studies have the size that the paper's design asks for; a choice, not a measurement."""


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """Everything a run is made with; kept, resolved, in run.toml."""

    dataset: str
    """The dataset's folder, absolute or relative to the run's folder."""
    protocol: str = CORRECTED
    """Whose choices: corrected, paper or released."""
    split: str = "default"
    """Name of the dataset's split."""
    views: tuple[str, ...] = BEHAVIOUR_VIEWS
    """Views of the training data; one model each, trained and sampled."""
    recovery_views: tuple[str, ...] = RECOVERY_VIEWS
    """Views whose models are trained for recovery alone."""
    controls: tuple[str, ...] = tuple(CONTROLS)
    """What the trace model is sampled for again with other students' vectors."""
    studies: tuple[str, ...] = STUDIES
    """Studies beside behaviour."""
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
    evaluate: EvaluateConfig = field(default_factory=EvaluateConfig)
    """How the samples are compared with the students' traces."""
    variance: VarianceConfig = field(default_factory=VarianceConfig)
    """How variance is shared out."""
    probe: ProbeConfig = field(default_factory=ProbeConfig)
    """How the models' vectors are probed."""
    adapt: AdaptConfig = field(default_factory=AdaptConfig)
    """How adaptation to new students is studied."""
    recover: RecoverConfig = field(default_factory=RecoverConfig)
    """How recovery is studied."""
    steer: SteerConfig = field(default_factory=SteerConfig)
    """How steering by students' vectors is studied."""
    represent: RepresentConfig = field(default_factory=RepresentConfig)
    """How representations are studied."""
    audit: AuditConfig = field(default_factory=AuditConfig)
    """How the run is audited."""


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


def within(config: RunConfig, minutes: float) -> RunConfig:
    """The run with studies of a size that fits into a budget's rest, the paper's design at `FULL_MINUTES`."""

    def some(full: int, least: int, by: float = FULL_MINUTES) -> int:
        return max(least, min(full, round(full * minutes / by)))

    trained = (*config.views, *config.recovery_views)
    adapt, probe = config.adapt, config.probe
    if 2 * minutes < FULL_MINUTES:
        # fits cost as many traces as the ks add up to, 17 in place of 55; student probes as much as there are metrics
        adapt = replace(adapt, ks=(0, 1, 2, 4, 10), sampled_ks=(0, 1, 4, 10))
        claimed = {claim.metric for claim in own_claims().of("probe")}
        probe = replace(probe, student_metrics=tuple(name for name in probe.student_metrics if name in claimed))
    return replace(
        config,
        train=replace(config.train, validation_traces=some(500, 100)),  # at the end each is read three times a split
        sample=replace(config.sample, per_pair=some(5, 2)),  # more pairs tell more than more samples of each
        adapt=replace(
            adapt, students=some(100, 20), tuning_students=some(20, 2), tuning_traces=some(10, 4),
            seeds=some(3, 1), max_epochs=some(100, 20), test_traces=some(100, 10),
            seed=config.seed,
        ),
        probe=replace(
            probe, titles=some(100, 12), traces_per_title=some(50, 12), permutations=some(999, 199),
            repeats=some(5, 1), halves=some(20, 10), seed=config.seed,
        ),
        steer=replace(config.steer, students=some(20, 10), per_pair=some(2, 1), seed=config.seed),
        represent=replace(config.represent, traces=some(1000, 100), seed=config.seed),
        recover=replace(
            config.recover, cases=some(200, 40, by=FULL_MINUTES / 6), seed=config.seed,  # yes or no: many are needed
            views=tuple(view for view in ("trace", "synthetic", *RECOVERY_VIEWS) if view in trained),
        ),
    )  # fmt: skip
