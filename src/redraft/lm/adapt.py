"""Vectors for students the model hasn't met, fitted to a few of their traces (paper section 4.4 and appendix G).

In: a model, encoded traces that say whose fit they belong to, the vectors to begin with. Out: after every epoch, the
vectors. The LM, the module's biases and every other student stay as they are. All fits are made side by side, but each
has its own loss, batches and optimizer's state: by whom it is surrounded changes it by rounding alone. Dropout is off,
and titles and students are never hidden.

What trains (`FitConfig.trains`): a `vector` a fit, the student's row; or an `mlp` a fit: the row and a copy of its own
of the weights behind it. (The paper trains the one copy all its new students share; then what a student's fit comes to
depends on who else joined.)

Axes in names: F fits, N numbers a fit learns, S numbers per student, D the LM's width, C chunks, B sequences, L tokens,
V vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from itertools import count, islice

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, pad, relu

from redraft.data.trace import Trace
from redraft.errors import InputError
from redraft.lm.batch import LENGTH_STEP, Chunks, Collator, Encoded, cut
from redraft.lm.checkpoint import Model
from redraft.lm.codec import Verdicts
from redraft.lm.model import IGNORE, UNKNOWN, StudentLM, StudentVectors
from redraft.lm.rows import LazyAdam
from redraft.lm.settings import FitConfig
from redraft.lm.students import add_students
from redraft.progress import bar


class Fitted(StudentVectors):
    """What stands in the place of a model's `StudentVectors`: a row of the table a fit, with all that the fit learns.

    Args:
        students: The model's; its biases, and the weights of a fit that doesn't learn them, are used, never changed.
        numbers_FN: S numbers per fit, or these and, behind them, the D * S weights of the layer after them.
    """

    def __init__(self, students: StudentVectors, numbers_FN: Tensor) -> None:
        nn.Module.__init__(self)
        self.out, self.bias = students.out, students.bias
        learned = numbers_FN.detach().to(students.bias).clone()
        self.rows = nn.Embedding(learned.shape[0], learned.shape[1], sparse=True, _weight=learned)

    def forward(self, fits_B: Tensor) -> Tensor:
        """Fits' numbers (B,) to soft tokens (B, D)."""
        numbers_BN: Tensor = self.rows(fits_B)
        row_BS, weights_BX = numbers_BN.tensor_split([len(self.bias)], dim=1)
        hidden_BS = relu(row_BS + self.bias)
        if weights_BX.shape[1] == 0:
            soft_BD: Tensor = self.out(hidden_BS)
            return soft_BD
        weights_BDS = weights_BX.view(len(fits_B), *self.out.weight.shape)
        return torch.einsum("bds,bs->bd", weights_BDS, hidden_BS) + self.out.bias


def beginnings(model: Model, rows_FS: Tensor, config: FitConfig) -> Tensor:
    """What fits that begin with these rows learn: the rows, or these and the weights behind them (F, S + D * S)."""
    if config.trains == "vector":
        return rows_FS
    weights = model.lm.students.out.weight.detach().flatten()
    return torch.cat([rows_FS, weights.expand(len(rows_FS), -1)], 1)


def unknown_rows(model: Model, fits: int) -> Tensor:
    """The unknown student's row, for each of so many fits (F, S)."""
    return model.lm.students.rows.weight.detach()[UNKNOWN].expand(fits, -1).clone()


def with_fits(model: Model, numbers_FN: Tensor) -> StudentLM:
    """The LM of `model`, which it shares, knowing the fits instead of the students."""
    fitted = Fitted(model.lm.students, numbers_FN)
    return StudentLM(model.lm.lm, fitted, model.lm.placeholder_id, context=model.lm.context).eval()


def fitting(model: Model, encoded: Sequence[Encoded], numbers_FN: Tensor, config: FitConfig) -> Iterator[Tensor]:
    """Fit for as long as asked to.

    Args:
        model: Left as it is.
        encoded: Traces; `row` says which fit each is for. Fits without any stay as they began.
        numbers_FN: What the fits begin with (`beginnings`).
        config: Settings; its `epochs` are whoever asks' business.

    Yields:
        After each epoch, what has been learned (F, N).
    """
    chunks = cut(encoded, model.codec, model.lm.context)
    collate = Collator(chunks, model.codec)
    lm = with_fits(model, numbers_FN)
    table = lm.students.rows.weight
    adam = LazyAdam(table)
    tokens_C = _tokens(model, chunks)
    for epoch in count():
        for which in steps(chunks.rows, config.batch, epoch):
            total_F = np.bincount(chunks.rows[which], tokens_C[which])
            with _frozen(model.lm):
                for some in _by_length(chunks.lengths, which, config.batch_tokens):
                    _loss(lm, collate, some, 1 / np.maximum(total_F[chunks.rows[some]], 1)).backward()
            assert table.grad is not None
            gradient = table.grad.coalesce()
            adam.step(gradient.indices()[0], gradient.values(), config.lr)
            table.grad = None
        yield table.detach().clone()


def fit_students(
    model: Model, traces: Iterable[Trace], config: FitConfig | None = None, *, verdicts: Verdicts | None = None
) -> Model:
    """`model` with a vector for every student of `traces` that it doesn't know, fitted to all these traces.

    Save it with `save_model`; what it says of the students it knew is the same as before. How many epochs are right
    depends on how many traces a student has: `redraft adapt` measures it.

    Args:
        model: Left as it is.
        traces: Those of students it knows are passed over.
        config: Settings.
        verdicts: What students saw, for models with feedback.

    Raises:
        InputError: It knows all these students, or the settings make no sense.
    """
    config = config or FitConfig()
    if config.trains != "vector":
        raise InputError(
            "a model's folder holds one module for all students; only vectors can be added to it.",
            remedy="Fit with trains = 'vector'.",
        )
    new = [trace for trace in traces if trace.student not in model.students]
    grown = add_students(model, [trace.student for trace in new])
    first = len(model.students) + 1
    ids = model.codec.encode_many(new, verdicts=verdicts)
    encoded = [Encoded(one, grown.students.row(t.student) - first) for one, t in zip(ids, new, strict=True)]
    rows_FS = unknown_rows(model, len(grown.students) - len(model.students))
    with bar("fitting vectors", config.epochs) as watcher:
        for fitted_FS in islice(fitting(model, encoded, rows_FS, config), config.epochs):
            rows_FS = fitted_FS
            watcher.advance()
    with torch.no_grad():
        grown.lm.students.rows.weight[first:] = rows_FS
    return replace(grown, card={**grown.card, "students_fitted": asdict(config)})


def steps(fits_C: NDArray[np.int32], batch: int, epoch: int) -> list[NDArray[np.int64]]:
    """The chunks of each step of an epoch: of every fit that is not through with its own, the next `batch` at most.

    A fit's order depends on the epoch and on how many chunks it has.
    """
    step_C = np.zeros(len(fits_C), np.int64)
    order = np.argsort(fits_C, kind="stable")
    for mine in np.split(order, np.flatnonzero(np.diff(fits_C[order])) + 1):
        if len(mine) > batch:
            step_C[mine] = np.random.default_rng([epoch, len(mine)]).permutation(len(mine)) // batch
    return [np.flatnonzero(step_C == number) for number in range(int(step_C.max(initial=-1)) + 1)]


def _tokens(model: Model, chunks: Chunks) -> NDArray[np.int64]:
    """How many tokens are learned from in each chunk (C)."""
    lines = np.split(chunks.ids, chunks.starts[1:])
    return np.array([int(model.codec.learned(line.tolist()).sum()) for line in lines], np.int64)


def _by_length(lengths: NDArray[np.int64], which: NDArray[np.int64], batch_tokens: int) -> Iterator[NDArray[np.int64]]:
    """`which` in pieces of similar length, of at most `batch_tokens` with padding, at least one chunk."""
    widths = -(-(lengths[which] + 1) // LENGTH_STEP) * LENGTH_STEP
    order = np.argsort(-widths, kind="stable")
    start = 0
    while start < len(order):
        size = max(1, batch_tokens // int(widths[order[start]]))
        yield which[order[start : start + size]]
        start += size


def _loss(lm: StudentLM, collate: Collator, which: NDArray[np.int64], weights_B: NDArray[np.float64]) -> Tensor:
    """The weighted sum of the chunks' nats; so weighted, a fit's share is its mean over its own step's tokens."""
    ids_BL, fits_B, labels_BL = (tensor.to(lm.device) for tensor in collate(which))
    logits_BLV = lm(ids_BL, fits_B, use_cache=False).logits
    targets_BL = pad(labels_BL[:, 1:], (0, 1), value=IGNORE)
    precise_NV = logits_BLV.flatten(0, 1).to(torch.promote_types(logits_BLV.dtype, torch.float32))
    nats_N = cross_entropy(precise_NV, targets_BL.flatten(), ignore_index=IGNORE, reduction="none")
    return (nats_N.view_as(targets_BL).sum(1) * torch.from_numpy(weights_B).to(nats_N)).sum()


@contextmanager
def _frozen(module: nn.Module) -> Iterator[None]:
    """No gradients for the module's weights."""
    learning = [parameter for parameter in module.parameters() if parameter.requires_grad]
    for parameter in learning:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in learning:
            parameter.requires_grad_(True)
