"""`redraft demo` and `redraft reproduce`: the whole pipeline by one command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from redraft import pipeline

Flag = Annotated[bool, Parameter(negative="")]


def demo(
    *,
    small: Flag = False,
    out: Path | None = None,
    seed: int = 1,
    students: int | None = None,
    config: list[Path] | None = None,
) -> None:
    """Simulate a class, train three student models on it and report how well they know the students.

    Stages: simulate, ingest, split (20% of students and of titles held out), train and sample the trace, last and
    synthetic views, study, report. Under five minutes on two cores; under two with --small. A stage that is done is not
    done again; a run cut short goes on where it was. The class is simulated: it shows what the instruments find,
    nothing about students.

    Example: redraft demo --out runs/demo --seed 1

    Parameters
    ----------
    small: bool
        The same stages with half the class, a quarter of the training and few samples: to see that everything works.
    out: Path
        The run's folder; report.html is written there. By default runs/demo, or runs/demo-small.
    seed: int
        Seed of the class, the split, the models and the samples.
    students: int
        Size of the simulated class; by default 120, or 60 with --small.
    config: list[Path]
        TOML files with run settings (see run.toml of a finished run); a later file wins.
    """
    folder = out or Path("runs/demo-small" if small else "runs/demo")
    pipeline.demo(folder, seed=seed, students=students, small=small, config=config or [])


def reproduce(
    *,
    data: Path,
    budget: float,
    out: Path = Path("runs/reproduce"),
    seed: int = 1,
    split_name: str = "default",
    protocol: Literal["corrected", "paper", "released"] = "corrected",
    config: list[Path] | None = None,
) -> None:
    """Train the paper's models on a dataset, do all its studies, and report every figure, table and claim.

    Less than half of the budget goes to training, each model at most its share; a few samples are timed, and as many
    pairs drawn as fit into a fifth; studies take a size that fits the rest. What was settled is kept (run.toml,
    plan.json): started again, a run cut short goes on where it was. `redraft seeds` compares runs of several seeds.

    Example: redraft reproduce --data itap.dataset --budget 10 --out runs/itap

    Parameters
    ----------
    data: Path
        The dataset's folder.
    budget: float
        Minutes the whole run may take, about.
    out: Path
        The run's folder; report.html is written there.
    seed: int
        Seed of the split, the models and the samples.
    split_name: str
        A split made by `redraft split`; `default` is made if it doesn't exist, a tenth of students and titles held out.
    protocol: str
        Whose choices: corrected (the defaults of all settings), the paper's, or those of its released code.
    config: list[Path]
        TOML files with run settings (see run.toml of a finished run); a later file wins, and all win over the protocol.
    """
    pipeline.reproduce(
        data, budget_minutes=budget, out=out, seed=seed, split_name=split_name, protocol=protocol, config=config or []
    )
