"""The probes of a run: `redraft probe RUN`.

In: a run's folder with models. Out: `results/probe.parquet` (and CSV): rows of the code probes and the student probes.
What took long is kept in `RUN/work/probe/`, so a study that was killed goes on, and one started again is quick.
"""

from __future__ import annotations

from pathlib import Path

from redraft import results
from redraft.results import Result
from redraft.studies.common.families import adjusted
from redraft.studies.common.models import views_with_models
from redraft.studies.common.run import open_run
from redraft.studies.probe.code_rows import code_rows
from redraft.studies.probe.rows import STUDY
from redraft.studies.probe.settings import ProbeConfig
from redraft.studies.probe.students import student_rows


def probe(folder: str | Path, config: ProbeConfig | None = None) -> list[Result]:
    """Probe a run's models and write the results.

    Args:
        folder: The run's folder: `run.toml`, and models in `models/VIEW/`.
        config: Settings; None: those in `run.toml`.

    Raises:
        InputError: The folder is no run, or its settings are wrong.
        DatasetError: No model to probe, or one that was trained on another split.
    """
    run = open_run(folder)
    config = config or run.section(STUDY, ProbeConfig)
    views = views_with_models(run, config.views)
    rows = adjusted([*code_rows(run, config, views), *student_rows(run, config, views)])
    results.write(rows, run.path / "results" / f"{STUDY}.parquet")
    return rows
