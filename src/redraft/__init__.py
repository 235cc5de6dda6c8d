"""redraft: model learners by the drafts they leave behind.

The names below are the public Python API; the command line uses the same ones. They are imported on first use, so
that `import redraft` is quick and loads no torch.

    >>> import redraft
    >>> dataset = redraft.open_dataset("logs.dataset")          # doctest: +SKIP
    >>> max(len(trace.states) for trace in dataset.traces())    # doctest: +SKIP
    41
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    __version__: str
    from redraft.data.edits import line_edits
    from redraft.data.ingest import IngestOptions, ingest
    from redraft.data.simulate import SimulateConfig, simulate
    from redraft.data.sources.pencilcode import PencilCode
    from redraft.data.sources.progsnap2 import ProgSnap2
    from redraft.data.sources.rollouts import Rollouts
    from redraft.data.sources.table import Table
    from redraft.data.split import Split, SplitConfig, load_split, make_split
    from redraft.data.store import Dataset, DatasetWriter, Manifest, open_dataset
    from redraft.data.trace import Pair, State, Trace
    from redraft.data.views import apply_view
    from redraft.errors import RedraftError
    from redraft.lm.adapt import fit_students
    from redraft.lm.checkpoint import Model, load_model
    from redraft.lm.sample import Request, sample
    from redraft.lm.settings import FitConfig, SampleConfig, TrainConfig
    from redraft.lm.train import train
    from redraft.metrics.measure import measure
    from redraft.report.html import write_report
    from redraft.results import Result
    from redraft.studies.adapt.study import adapt
    from redraft.studies.audit.study import audit
    from redraft.studies.behaviour.study import behaviour
    from redraft.studies.common.claims import judge
    from redraft.studies.describe.study import describe
    from redraft.studies.probe.study import probe
    from redraft.studies.recover.settings import RecoverConfig, SuggestConfig
    from redraft.studies.recover.study import recover
    from redraft.studies.recover.suggest import suggest
    from redraft.studies.represent.study import represent
    from redraft.studies.steer.study import steer
    from redraft.studies.variance.study import variance

_HOMES = {
    "Dataset": "redraft.data.store",
    "DatasetWriter": "redraft.data.store",
    "FitConfig": "redraft.lm.settings",
    "IngestOptions": "redraft.data.ingest",
    "Manifest": "redraft.data.store",
    "Model": "redraft.lm.checkpoint",
    "Pair": "redraft.data.trace",
    "RecoverConfig": "redraft.studies.recover.settings",
    "RedraftError": "redraft.errors",
    "Request": "redraft.lm.sample",
    "Result": "redraft.results",
    "SampleConfig": "redraft.lm.settings",
    "SimulateConfig": "redraft.data.simulate",
    "Split": "redraft.data.split",
    "SplitConfig": "redraft.data.split",
    "State": "redraft.data.trace",
    "SuggestConfig": "redraft.studies.recover.settings",
    "Trace": "redraft.data.trace",
    "TrainConfig": "redraft.lm.settings",
    "adapt": "redraft.studies.adapt.study",
    "apply_view": "redraft.data.views",
    "audit": "redraft.studies.audit.study",
    "behaviour": "redraft.studies.behaviour.study",
    "describe": "redraft.studies.describe.study",
    "fit_students": "redraft.lm.adapt",
    "ingest": "redraft.data.ingest",
    "line_edits": "redraft.data.edits",
    "judge": "redraft.studies.common.claims",
    "load_model": "redraft.lm.checkpoint",
    "load_split": "redraft.data.split",
    "make_split": "redraft.data.split",
    "measure": "redraft.metrics.measure",
    "open_dataset": "redraft.data.store",
    "recover": "redraft.studies.recover.study",
    "probe": "redraft.studies.probe.study",
    "represent": "redraft.studies.represent.study",
    "sample": "redraft.lm.sample",
    "simulate": "redraft.data.simulate",
    "steer": "redraft.studies.steer.study",
    "suggest": "redraft.studies.recover.suggest",
    "train": "redraft.lm.train",
    "variance": "redraft.studies.variance.study",
    "write_report": "redraft.report.html",
}

__all__ = [
    "Dataset",
    "DatasetWriter",
    "FitConfig",
    "IngestOptions",
    "Manifest",
    "Model",
    "Pair",
    "PencilCode",
    "ProgSnap2",
    "RecoverConfig",
    "RedraftError",
    "Request",
    "Result",
    "Rollouts",
    "SampleConfig",
    "SimulateConfig",
    "Split",
    "SplitConfig",
    "State",
    "SuggestConfig",
    "Table",
    "Trace",
    "TrainConfig",
    "adapt",
    "apply_view",
    "audit",
    "behaviour",
    "describe",
    "fit_students",
    "ingest",
    "judge",
    "line_edits",
    "load_model",
    "load_split",
    "make_split",
    "measure",
    "open_dataset",
    "probe",
    "recover",
    "represent",
    "sample",
    "simulate",
    "steer",
    "suggest",
    "train",
    "variance",
    "write_report",
]


def __getattr__(name: str) -> Any:
    """Import a public name (or the module progsnap2) on first use; the version is the installed package's."""
    if name == "__version__":
        return import_module("importlib.metadata").version("redraft")
    if name == "progsnap2":
        return import_module("redraft.progsnap2")
    from redraft.data.sources.registry import SOURCES

    homes = _HOMES | {source: home for home, _, source in (target.partition(":") for target in SOURCES.values())}
    if name not in homes:
        name = _renamed(name)
    return getattr(import_module(homes[name]), name)


def _renamed(name: str) -> str:
    """Today's name of what an earlier version called so, with a warning."""
    import warnings

    from redraft.studies.registry import renamed

    if name not in renamed():
        raise AttributeError(f"module 'redraft' has no attribute {name!r}")
    warnings.warn(f"redraft.{name} is now called redraft.{renamed()[name]}.", FutureWarning, stacklevel=3)
    return renamed()[name]


def __dir__() -> list[str]:
    """The public names."""
    return __all__
