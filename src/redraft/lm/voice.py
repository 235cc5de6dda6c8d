"""Voices: whose vectors a model reads and writes with.

In: rows of the students' table, those of sequences' own students. Out: the rows that stand in for them. A model hears
the student in a vector, so the same text can be read in the student's own voice, in another's, or in the unknown
student's; what the text costs in each says what the vector is worth.

Axes in names: B sequences.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from redraft.lm.model import UNKNOWN

Voice = Callable[[Tensor], Tensor]
"""Which rows of the students' table to use (B), given sequences' own students' (B)."""


def own(rows_B: Tensor) -> Tensor:
    """Each student's own row."""
    return rows_B


def nobody(rows_B: Tensor) -> Tensor:
    """For each student the unknown one."""
    return torch.full_like(rows_B, UNKNOWN)


def another(n_students: int) -> Voice:
    """For each known student another one; the unknown one stays."""
    return lambda rows_B: torch.where(rows_B == UNKNOWN, UNKNOWN, 1 + rows_B % n_students)
