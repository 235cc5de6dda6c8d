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

__version__ = "0.1.0"

if TYPE_CHECKING:
    from redraft.data.edits import line_edits
    from redraft.data.simulate import SimulateConfig, simulate
    from redraft.data.split import Split, SplitConfig, load_split, make_split
    from redraft.data.store import Dataset, DatasetWriter, Manifest, open_dataset
    from redraft.data.trace import Pair, State, Trace
    from redraft.data.views import apply_view
    from redraft.errors import RedraftError
    from redraft.lm.checkpoint import Model, load_model
    from redraft.lm.sample import Request, SampleConfig, sample
    from redraft.lm.train import TrainConfig, train
    from redraft.metrics.measure import measure
    from redraft.report.html import write_report
    from redraft.results import Result
    from redraft.studies.behaviour import evaluate
    from redraft.studies.describe import describe

_HOMES = {
    "Dataset": "redraft.data.store",
    "DatasetWriter": "redraft.data.store",
    "Manifest": "redraft.data.store",
    "Model": "redraft.lm.checkpoint",
    "Pair": "redraft.data.trace",
    "RedraftError": "redraft.errors",
    "Request": "redraft.lm.sample",
    "Result": "redraft.results",
    "SampleConfig": "redraft.lm.sample",
    "SimulateConfig": "redraft.data.simulate",
    "Split": "redraft.data.split",
    "SplitConfig": "redraft.data.split",
    "State": "redraft.data.trace",
    "Trace": "redraft.data.trace",
    "TrainConfig": "redraft.lm.train",
    "apply_view": "redraft.data.views",
    "describe": "redraft.studies.describe",
    "evaluate": "redraft.studies.behaviour",
    "line_edits": "redraft.data.edits",
    "load_model": "redraft.lm.checkpoint",
    "load_split": "redraft.data.split",
    "make_split": "redraft.data.split",
    "measure": "redraft.metrics.measure",
    "open_dataset": "redraft.data.store",
    "sample": "redraft.lm.sample",
    "simulate": "redraft.data.simulate",
    "train": "redraft.lm.train",
    "write_report": "redraft.report.html",
}

__all__ = [
    "Dataset",
    "DatasetWriter",
    "Manifest",
    "Model",
    "Pair",
    "RedraftError",
    "Request",
    "Result",
    "SampleConfig",
    "SimulateConfig",
    "Split",
    "SplitConfig",
    "State",
    "Trace",
    "TrainConfig",
    "apply_view",
    "describe",
    "evaluate",
    "line_edits",
    "load_model",
    "load_split",
    "make_split",
    "measure",
    "open_dataset",
    "sample",
    "simulate",
    "train",
    "write_report",
]


def __getattr__(name: str) -> Any:
    """Import a public name from its home on first use."""
    if name not in _HOMES:
        raise AttributeError(f"module 'redraft' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """The public names."""
    return __all__
