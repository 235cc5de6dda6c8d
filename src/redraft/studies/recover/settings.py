"""Settings of recover: of the study, and of how edit sequences are ranked. Loads no torch."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal, Self

from redraft.data.split import TEST_SPLITS
from redraft.errors import InputError, suggestion
from redraft.execute.registry import DEFAULT_ENGINE
from redraft.studies.interface import FULL_MINUTES, Budget

BLAMED, FREE = "blamed", "free"
STARTS = (BLAMED, FREE)
"""Where a continuation's first edit begins."""
VIEWS = ("trace", "synthetic", "synthetic-complex")
"""Views that the paper lets go on with traces (appendix J)."""


@dataclass(frozen=True, kw_only=True)
class RankConfig:
    """What counts how much when edit sequences are ranked (`rank` has the formula); 0 leaves a part out."""

    steps: float = 1.0
    """Weight of how many edits it takes."""
    size: float = 1.0
    """Weight of how large they are."""
    lost: float = 1.0
    """Weight of how much of the student's program is lost."""
    style: float = 0.5
    """Weight of how far the program that results is from the student's own style."""
    surprise: float = 0.5
    """Weight of how little the model expects these edits of this student."""

    def __post_init__(self) -> None:
        weights = vars(self)
        if min(weights.values()) < 0 or not any(weights.values()):
            raise InputError("weights of a ranking are 0 or more, and not all 0.", where="[recover.rank]")


@dataclass(frozen=True, kw_only=True)
class RecoverConfig:
    """The study of recover: the section [recover] of `run.toml`."""

    splits: tuple[str, ...] = ("unseen-seen", "unseen-unseen")
    """Test splits that failing programs are taken from; the paper's are of held-out students (4.5)."""
    views: tuple[str, ...] = ()
    """Views whose models go on with the traces; none: all of the run's that have a model and write more than a final
    program."""
    cases: int = 200
    """Failing programs, at most; one a (student, title)."""
    seconds: tuple[float, ...] = (0.5, 1.0, 5.0, 60.0, 6400.0)
    """Time added to the failing program's, to head the next one with (4.5); whole seconds are kept, rounded down."""
    main_seconds: float = 60.0
    """The one of them at which all candidates are drawn, and every contrast is made that is not about time."""
    candidates: tuple[int, ...] = (1, 5, 20)
    """Continuations (and baselines' programs) of a case to choose from, in ascending order."""
    grid_candidates: int = 5
    """Continuations of a case at the other times."""
    starts: tuple[str, ...] = ("blamed", "free")
    """Where the first edit begins, in the student's own voice at the main time: where the verdict blames the program,
    or wherever the model likes (the paper's; also in the other voices and at the other times). Primary is the first."""
    strong_students: int = 20
    """Strong students to steer by: those who backtrack least (appendix J: 1)."""
    strong_traces: int = 20
    """Training traces of at least `strong_states` that a strong student has; halved until enough students have them."""
    strong_states: int = 3
    """States of a trace that counts there: students who run a program once or twice can't backtrack."""
    kept: float = 0.8
    """Share of the failing program's lines that a kept success keeps."""
    amended: float = 0.5
    """Likeness (0 to 1) to what it was from which on a line changed in place counts as kept where that is allowed."""
    neighbours: int = 2000
    """Training programs of a title that the nearest running one is looked for in, at most."""
    style_programs: int = 2000
    """Training programs that say how much style varies, at most."""
    rank: RankConfig = field(default_factory=RankConfig)
    """How edit sequences are ranked. In the study `surprise` plays no part: baselines have no model to ask."""
    top_p: float = 0.9
    """Nucleus of the draws (4.1)."""
    endings: Literal["exact", "nucleus"] = "exact"
    """Whether endings keep their probability, as in `sample`."""
    grammar: bool = True
    """Draw only what goes on to a valid trace, as in `sample`."""
    temperature: float = 1.0
    """Divides the logits of the draws."""
    rounds: int = 2
    """Contexts that a continuation may fill."""
    engine: str = DEFAULT_ENGINE
    """What runs the programs."""
    workers: int = 2
    """Programs that run at the same time."""
    equivalence: float = 0.05
    """Differences in shares (success by time) that would not matter: the margin of equivalence."""
    replicates: int = 2000
    """Bootstrap replicates of each interval."""
    seed: int = 0
    """Draws cases, continuations and resamples."""

    def __post_init__(self) -> None:
        for name in self.splits:
            if name not in TEST_SPLITS:
                raise InputError(f"unknown test split {name!r} in [recover]. {suggestion(name, TEST_SPLITS)}")
        if not self.candidates or list(self.candidates) != sorted(set(self.candidates)) or self.candidates[0] < 1:
            raise InputError("[recover] candidates are numbers from 1 on, in ascending order.")
        for name in self.starts or ("none",):
            if name not in STARTS:
                raise InputError(f"unknown start {name!r} in [recover] starts. {suggestion(name, STARTS)}")
        if self.main_seconds not in self.seconds:
            raise InputError(f"[recover] main_seconds is {self.main_seconds:g}, which is none of seconds.")
        if min(self.seconds) < 0:
            raise InputError("[recover] seconds are 0 or more.")
        for name in ("cases", "grid_candidates", "strong_students", "strong_traces", "strong_states", "workers"):
            if getattr(self, name) < 1:
                raise InputError(f"[recover] {name} is {getattr(self, name)}; it must be at least 1.")
        for name in ("kept", "amended"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"[recover] {name} is {getattr(self, name)}; give a share from 0 to 1.")

    def within(self, budget: Budget) -> Self:
        """Of a size that fits a budget."""
        cases = budget.some(200, 40, by=FULL_MINUTES / 6)  # yes or no each: many are needed
        views = tuple(view for view in VIEWS if view in budget.views)
        return replace(self, cases=cases, views=views, seed=budget.seed)


@dataclass(frozen=True, kw_only=True)
class SuggestConfig:
    """How suggestions are made."""

    candidates: int = 20
    """Continuations drawn."""
    rules: int = 20
    """Programs of simple rules that are ranked with them: names repaired, a line deleted, back to what ran, in turn."""
    seconds: float = 60.0
    """Time from the failing program to the next that the model is told; whole seconds."""
    blamed: float = 0.75
    """Share of them whose first edit begins where the verdict blames the program; the others begin where the model
    likes."""
    temperature: float = 1.0
    """Divides the logits; below 1 the likely becomes likelier."""
    top_p: float = 0.9
    """Nucleus: the likeliest tokens that together have this probability."""
    rounds: int = 2
    """Contexts that a continuation may fill."""
    seed: int = 0
    """Another seed draws other continuations."""
    rank: RankConfig = field(default_factory=RankConfig)
    """How edit sequences are ranked."""

    def __post_init__(self) -> None:
        if self.candidates < 1 or min(self.seconds, self.rules) < 0 or not 0 <= self.blamed <= 1:
            raise InputError(
                "at least one candidate is needed, seconds and rules are 0 or more, and blamed is a share."
            )
