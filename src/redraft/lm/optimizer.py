"""The step: Muon or AdamW for the LM's matrices, AdamW for its other weights, row-wise Adam for the students' table.

In: a model whose gradients have been made, from the whole batch or a process's share of it. Out: the model after one
step, and the norm of the gradient, the table's rows included. Every process takes the same step.

Current practice (Kimi's Moonlight, nanochat): Muon for the matrices inside the blocks, never for embeddings or the
output layer; scaled to the size of AdamW's steps, so that both take one learning rate. `torch.optim.Muon` computes in
bf16 alone, which is slow on most CPUs, and takes the matrices one by one; here those of a shape go together, in bf16
only where the hardware is good at it.

Axes in names: P matrices of a shape, M and N their sides, U the distinct students of a batch, S numbers per student.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from redraft.lm.model import StudentLM
from redraft.lm.rows import UPDATES
from redraft.lm.settings import Recipe

QUINTIC = (3.4445, -4.7750, 2.0315)
"""Newton-Schulz's coefficients by Keller Jordan: singular values end between 0.7 and 1.2, soon."""
ADAM_SIZE = 0.2
"""Root mean square of a typical step of AdamW, in learning rates (Moonlight, arXiv 2502.16982)."""


def orthogonalize(matrices_PMN: Tensor, steps: int = 5, dtype: torch.dtype = torch.float32) -> Tensor:
    """Each matrix with its singular values brought near 1, computed in `dtype`."""
    x_PMN = matrices_PMN.to(dtype)
    tall = x_PMN.shape[1] > x_PMN.shape[2]
    if tall:
        x_PMN = x_PMN.mT
    x_PMN = x_PMN / x_PMN.norm(dim=(1, 2), keepdim=True).clamp(min=1e-7)
    a, b, c = QUINTIC
    for _ in range(steps):
        gram_PMM = x_PMN @ x_PMN.mT
        gram_PMM = torch.baddbmm(gram_PMM, gram_PMM, gram_PMM, beta=b, alpha=c)
        x_PMN = torch.baddbmm(x_PMN, gram_PMM, x_PMN, beta=a)
    return (x_PMN.mT if tall else x_PMN).to(matrices_PMN.dtype)


class Muon:
    """Nesterov momentum whose step is orthogonalized: all directions of a matrix learn alike."""

    def __init__(
        self, parameters: Iterable[Tensor], *, weight_decay: float, momentum: float = 0.95, bf16: bool = False
    ) -> None:
        self.weight_decay, self.momentum = weight_decay, momentum
        self._dtype = torch.bfloat16 if bf16 else torch.float32
        shapes: dict[tuple[int, ...], list[Tensor]] = defaultdict(list)
        for parameter in parameters:
            shapes[tuple(parameter.shape)].append(parameter)
        self._together = list(shapes.values())
        self._velocities = [torch.stack([torch.zeros_like(each) for each in some]) for some in self._together]

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """Take a step."""
        for some, velocity_PMN in zip(self._together, self._velocities, strict=True):
            gradient_PMN = torch.stack([torch.zeros_like(each) if each.grad is None else each.grad for each in some])
            velocity_PMN.lerp_(gradient_PMN, 1 - self.momentum)
            ahead_PMN = gradient_PMN.lerp(velocity_PMN, self.momentum)
            size = rate * ADAM_SIZE * math.sqrt(max(some[0].shape))
            for parameter, direction_MN in zip(some, orthogonalize(ahead_PMN, dtype=self._dtype), strict=True):
                parameter.mul_(1 - rate * self.weight_decay).add_(direction_MN, alpha=-size)

    def state_dict(self) -> dict[str, Any]:
        """The momenta."""
        return {"velocities": self._velocities}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state`."""
        for velocity_PMN, saved_PMN in zip(self._velocities, state["velocities"], strict=True):
            velocity_PMN.copy_(saved_PMN)


def _matrices(lm: Any) -> list[Tensor]:
    """The matrices inside the LM's blocks: those of its linear layers, but for the output layer."""
    head = lm.get_output_embeddings()
    return [module.weight for module in lm.modules() if isinstance(module, nn.Linear | Conv1D) and module is not head]


OPTIMIZERS: dict[str, Callable[[Any], list[Tensor]]] = {"muon": _matrices, "adamw": lambda lm: []}
"""Optimizer -> the weights that Muon takes; AdamW takes the others."""


class Optimizer:
    """All that moves a model's weights.

    Args:
        model: The model, where it stays.
        recipe: Which optimizer, decay, and the students' learning rate.
        clip: Largest norm of the gradient.
        updates: How students' rows follow their gradients (`rows.UPDATES`).
        bf16: Whether the hardware is good at bf16, so that Muon orthogonalizes in it.
        add_up: Sums a vector over the processes; None: there is one.
    """

    def __init__(
        self,
        model: StudentLM,
        recipe: Recipe,
        *,
        clip: float,
        updates: str = "exact",
        bf16: bool = False,
        add_up: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        self._clip, self._add_up, self._student_lr = clip, add_up, recipe.student_lr
        self._table = model.students.rows.weight
        self._rows = UPDATES[updates](self._table)
        assert recipe.weight_decay is not None  # whoever leaves it to the data has looked at the data
        inside = OPTIMIZERS[recipe.optimizer](model.lm)
        lm = _without(model.lm.parameters(), inside)
        module = _without(model.students.parameters(), [self._table])
        groups = [
            {"params": [p for p in lm if p.ndim > 1], "weight_decay": recipe.weight_decay, "factor": 1.0},
            {"params": [p for p in lm if p.ndim <= 1], "weight_decay": 0.0, "factor": 1.0},
            {"params": module, "weight_decay": 0.0, "factor": recipe.student_lr},
        ]
        self._adam = torch.optim.AdamW([group for group in groups if group["params"]], lr=recipe.lr, fused=True)
        self._muon = Muon(inside, weight_decay=recipe.weight_decay, bf16=bf16)
        self._dense = [*lm, *inside, *module]

    def catch_up(self, students_B: Tensor | None = None) -> None:
        """Make the students' rows current: those of a batch before it is computed, all (None) before any other use."""
        self._rows.catch_up(None if students_B is None else torch.unique(students_B))

    def step(self, students_B: Tensor, rate: float) -> Tensor:
        """Take a step with the gradients there are, and drop them.

        Args:
            students_B: The rows of the whole batch, all processes' shares together.
            rate: The LM's learning rate.

        Returns:
            The norm of the gradient, before clipping. If it isn't finite, no step was taken.
        """
        rows_U = torch.unique(students_B)
        gradient_US = self._row_gradients(rows_U)
        gradients = [*self._dense_gradients(), gradient_US]
        norm = torch.nn.utils.get_total_norm(gradients)
        if bool(torch.isfinite(norm)):
            torch._foreach_mul_(gradients, (self._clip / (norm + 1e-6)).clamp(max=1.0))
            for group in self._adam.param_groups:
                group["lr"] = rate * group["factor"]
            self._adam.step()
            self._muon.step(rate)
            self._rows.step(rows_U, gradient_US, rate * self._student_lr)
        for parameter in (*self._dense, self._table):
            parameter.grad = None
        return norm

    def _row_gradients(self, rows_U: Tensor) -> Tensor:
        """The table's gradient at `rows_U`; elsewhere it is 0."""
        total_US = self._table.new_zeros(len(rows_U), self._table.shape[1])
        if self._table.grad is not None:
            places = torch.searchsorted(rows_U, self._table.grad._indices()[0])
            total_US.index_add_(0, places, self._table.grad._values())
        return self._add_up(total_US) if self._add_up else total_US

    def _dense_gradients(self) -> list[Tensor]:
        """The other weights' gradients, summed over the processes."""
        if self._add_up:
            for parameter in self._dense:
                parameter.grad = self._add_up(torch.zeros_like(parameter) if parameter.grad is None else parameter.grad)
        return [parameter.grad for parameter in self._dense if parameter.grad is not None]

    def state_dict(self) -> dict[str, Any]:
        """The states of all three; the rows must be current."""
        return {"adam": self._adam.state_dict(), "muon": self._muon.state_dict(), "rows": self._rows.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state`."""
        self._adam.load_state_dict(state["adam"])
        self._muon.load_state_dict(state["muon"])
        self._rows.load_state_dict(state["rows"])


def _without(parameters: Iterable[Tensor], some: list[Tensor]) -> list[Tensor]:
    ids = {id(parameter) for parameter in some}
    return [parameter for parameter in parameters if id(parameter) not in ids]
