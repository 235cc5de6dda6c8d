"""Adam for a table of which each step touches a few rows, at the cost of those rows.

Two rules (`UPDATES`): `exact`, dense Adam's trajectory; `lazy`, an Adam a row, to which steps without it are nothing.
docs/training.md compares them. What follows is about `exact`.

In: the table of students, and at each step the touched rows' gradients. Out: the table, whose rows are up to date
after `catch_up`. Dense Adam moves a row on after its gradient has gone to zero: its momentum fades step by step, and
so do its second moment and the bias corrections. Those moves depend on nothing but the row's own moments and the
steps' learning rates, so they are made when the row is needed next, all at once, and end where rounding begins
(after 201 steps in fp32). A row never touched has no momentum and never moves. Neither work nor written memory grows
with the table, but for a scan of two numbers per row when the whole table is brought up to date.

Weight decay isn't offered: it would move every row at every step.

Axes in names: R rows, J steps missed, N numbers per row.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

ROWS_AT_ONCE = 64
"""Rows caught up together: their missed steps fill a few megabytes."""
BETAS, EPS = (0.9, 0.999), 1e-8
SAVED = ("moments", "touched", "moved")
"""What a checkpoint holds of each row ever touched."""


class RowAdam:
    """Adam on the rows of a table.

    Args:
        table: The rows; changed in place.
        betas: Decay of the first and second moments; the first must fade faster than the second's root.
        eps: Added to the denominator.
    """

    def __init__(self, table: Tensor, *, betas: tuple[float, float] = BETAS, eps: float = EPS) -> None:
        self.table, self.betas, self.eps = table.detach(), betas, eps
        self.moments = table.new_zeros(len(table), 2, table.shape[1])  # mean and mean square, together for speed
        self.step_count = 0
        self._rates = torch.zeros(1024, dtype=torch.float64, device=table.device)
        self._rates_from, self._n_rates = 1, 0  # the step of the first, and how many there are
        self._log_betas = torch.tensor([math.log(beta) for beta in betas], dtype=torch.float64, device=table.device)
        fading = betas[0] / math.sqrt(betas[1])
        assert fading < 1
        negligible = torch.finfo(table.dtype).eps / 16 * (1 - fading)
        self.tail = math.ceil(math.log(negligible) / math.log(fading))
        """Steps after which a row's momentum moves it by less than rounding does."""
        # Steps are counted from 1: a row's moments are those after step `touched` (if that was never, so long ago that
        # nothing is left to move it), and its weights have the moves up to step `moved`.
        self.touched = torch.full((len(table),), -self.tail, dtype=torch.int32, device=table.device)
        self.moved = torch.zeros_like(self.touched)

    @torch.no_grad()
    def catch_up(self, rows_R: Tensor | None = None) -> None:
        """Bring distinct rows to where the steps so far have moved them; None: the whole table."""
        if rows_R is None:
            self._move(self._waiting(self.touched, self.moved).nonzero().squeeze(1))
            self._rates_from, self._n_rates = self.step_count + 1, 0  # no row needs those of the steps so far
        else:
            self._move(rows_R[self._waiting(self.touched[rows_R], self.moved[rows_R])])

    def _waiting(self, touched_R: Tensor, moved_R: Tensor) -> Tensor:
        """Which rows have missed steps that move them."""
        return moved_R < self._last_move(touched_R)

    def _last_move(self, touched_R: Tensor) -> Tensor:
        """The last step so far that moves rows touched then."""
        return (touched_R + self.tail).clamp(max=self.step_count)

    def _move(self, rows: Tensor) -> None:
        """Make the moves that these rows have missed."""
        (b1, b2), dtype = self.betas, self.table.dtype
        for rows_R in torch.split(rows, ROWS_AT_ONCE) if len(rows) else ():
            touched_R1, moved_R1 = self.touched[rows_R, None], self.moved[rows_R, None]
            last_R1 = self._last_move(touched_R1)
            missed_J = torch.arange(1, 1 + int((last_R1 - moved_R1).max()), device=rows_R.device)
            steps_RJ = torch.minimum(moved_R1 + missed_J, last_R1)
            rates_RJ = self._rates[steps_RJ - self._rates_from] * (moved_R1 + missed_J <= last_R1)
            since_RJ = (steps_RJ - touched_R1).double()  # in fp32, 1 - beta ** step would lose digits
            above_RJ1 = (rates_RJ * b1**since_RJ / (1 - b1 ** steps_RJ.double())).to(dtype)[..., None]
            below_RJ1 = (b2**since_RJ / (1 - b2 ** steps_RJ.double())).sqrt().to(dtype)[..., None]
            mean_RN, square_RN = self.moments[rows_R].unbind(1)
            moves_RN = (above_RJ1 / (square_RN.sqrt()[:, None] * below_RJ1 + self.eps)).sum(1) * mean_RN
            self.table.index_add_(0, rows_R, moves_RN, alpha=-1)
            self.moved[rows_R] = last_R1[:, 0]

    @torch.no_grad()
    def step(self, rows_R: Tensor, gradients_RN: Tensor, rate: float) -> None:
        """Take a step on distinct rows that were caught up before their gradients were made."""
        self.step_count += 1
        if self._n_rates == len(self._rates):
            self._rates = torch.cat([self._rates, torch.zeros_like(self._rates)])
        self._rates[self._n_rates] = rate
        self._n_rates += 1
        b1, b2 = self.betas
        moments_R2N = self.moments[rows_R]
        gap_R1 = (self.step_count - self.touched[rows_R]).double()[:, None]
        moments_R2N *= torch.exp(gap_R1 * self._log_betas).to(moments_R2N.dtype)[..., None]
        mean_RN, square_RN = moments_R2N.unbind(1)
        mean_RN.add_(gradients_RN, alpha=1 - b1)
        square_RN.addcmul_(gradients_RN, gradients_RN, value=1 - b2)
        root_RN = (square_RN / (1 - b2**self.step_count)).sqrt_().add_(self.eps)
        self.table.index_add_(0, rows_R, mean_RN / root_RN, alpha=-rate / (1 - b1**self.step_count))
        self.moments.index_copy_(0, rows_R, moments_R2N)
        self.touched.index_fill_(0, rows_R, self.step_count)
        self.moved.index_fill_(0, rows_R, self.step_count)

    def state_dict(self) -> dict[str, Any]:
        """All but the table, for the rows ever touched; the whole table must be caught up."""
        assert not self._n_rates
        rows = (self.touched > 0).nonzero().squeeze(1)
        return {"step_count": self.step_count, "rows": rows, **{name: getattr(self, name)[rows] for name in SAVED}}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state`, made by an optimizer of the same table; the table itself is loaded by whoever has it."""
        self.step_count = state["step_count"]
        self._rates_from, self._n_rates = self.step_count + 1, 0
        for name in SAVED:
            getattr(self, name)[state["rows"]] = state[name].to(self.table.device)


class LazyAdam:
    """Adam on the rows of a table, each counting only the steps that touch it: between them it doesn't move.

    Args:
        table: The rows; changed in place.
    """

    def __init__(self, table: Tensor) -> None:
        self.table = table.detach()
        self.moments = table.new_zeros(len(table), 2, table.shape[1])
        self.steps = torch.zeros(len(table), dtype=torch.int32, device=table.device)

    def catch_up(self, rows_R: Tensor | None = None) -> None:
        """Nothing: rows are always current."""

    @torch.no_grad()
    def step(self, rows_R: Tensor, gradients_RN: Tensor, rate: float) -> None:
        """Take a step on distinct rows."""
        b1, b2 = BETAS
        self.steps[rows_R] += 1
        steps_R1 = self.steps[rows_R, None].double()
        mean_RN, square_RN = self.moments[rows_R].unbind(1)
        mean_RN = b1 * mean_RN + (1 - b1) * gradients_RN
        square_RN = b2 * square_RN + (1 - b2) * gradients_RN.square()
        self.moments[rows_R] = torch.stack([mean_RN, square_RN], 1)
        root_RN = (square_RN / (1 - b2**steps_R1).to(square_RN.dtype)).sqrt() + EPS
        self.table.index_add_(0, rows_R, mean_RN / (1 - b1**steps_R1).to(mean_RN.dtype) / root_RN, alpha=-rate)

    def state_dict(self) -> dict[str, Any]:
        """All but the table, for the rows ever touched."""
        rows = self.steps.nonzero().squeeze(1)
        return {"rows": rows.cpu(), "moments": self.moments[rows].cpu(), "steps": self.steps[rows].cpu()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state`, made by an optimizer of the same table."""
        self.moments[state["rows"]] = state["moments"].to(self.table.device)
        self.steps[state["rows"]] = state["steps"].to(self.table.device)


UPDATES: dict[str, type[RowAdam] | type[LazyAdam]] = {"exact": RowAdam, "lazy": LazyAdam}
"""Rule -> optimizer of the table."""
