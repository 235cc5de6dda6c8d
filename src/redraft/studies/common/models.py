"""A run's models, as the studies that read them need them: of this run's split, or refused.

In: a run, views. Out: which of them have a model, and the models. Only their folders are looked at until one is opened.
"""

from __future__ import annotations

from collections.abc import Sequence

from redraft.errors import DatasetError
from redraft.lm.checkpoint import CARD, Model, load_model
from redraft.studies.common.run import Run


def views_with_models(run: Run, views: Sequence[str]) -> list[str]:
    """Those of `views` that the run has a model of, in order.

    Raises:
        DatasetError: It has none.
    """
    found = [view for view in views if (run.path / "models" / view / CARD).exists()]
    if not found:
        raise DatasetError(
            f"has no model of {' or '.join(views) or 'any view'}.", where=run.path / "models",
            remedy="Train one with `redraft train --dataset D --view VIEW --out RUN/models/VIEW`.",
        )  # fmt: skip
    return found


def open_model(run: Run, view: str) -> Model:
    """A view's model.

    Raises:
        DatasetError: There is none, or it was trained on another split than the run's.
    """
    model = load_model(run.path / "models" / view)
    model.check_split(run.split.hash)
    return model
