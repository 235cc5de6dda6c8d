"""A causal language model that knows whose text it reads: the student's soft token.

In: any `transformers` causal LM and a table with a vector per student. Out: `StudentLM`, which takes token ids
that start with the placeholder `<|student|>` and puts the student's vector in that token's place, so that the
library's own caches, masks, saving and loading keep working. Not here: what the ids mean (the codec's business).

Axes in names: B sequences, L tokens, D the LM's width, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

UNKNOWN = 0
"""The row of students the model has not met."""
IGNORE = -100
"""The label of a token that is not learned: padding, the placeholder, masks."""


class StudentIndex:
    """Which row of the table is whose: row 0 is the unknown student, then the students in the order given."""

    def __init__(self, students: Iterable[str]) -> None:
        self.students = tuple(students)
        self._row = {student: row for row, student in enumerate(self.students, start=1)}

    def __len__(self) -> int:
        return len(self.students)

    def __contains__(self, student: object) -> bool:
        return student in self._row

    def row(self, student: str) -> int:
        """The student's row; `UNKNOWN` for a student the model has not met."""
        return self._row.get(student, UNKNOWN)


class StudentVectors(nn.Module):
    """The student module of the paper (section 3.1): a row of 64 numbers + bias -> ReLU -> Linear to the LM's width.

    The paper writes it one_hot(n) -> Linear(64) -> ReLU -> Linear(width). An embedding whose rows are that first
    layer's columns gives the same values and gradients without the product with zeros. Rows start far apart (unit
    normal), so that the LM can tell students from one another early; the unknown one starts at 0, amid them.

    Args:
        n_students: Known students; the table has a row more, for the unknown one.
        width: The LM's embedding width.
        dim: Numbers per student.
    """

    def __init__(self, n_students: int, *, width: int, dim: int = 64) -> None:
        super().__init__()
        self.rows = nn.Embedding(n_students + 1, dim, sparse=True)  # a gradient of a batch's rows, not of millions
        self.bias = nn.Parameter(torch.zeros(dim))
        self.out = nn.Linear(dim, width)
        with torch.no_grad():
            self.rows.weight[UNKNOWN] = 0

    def forward(self, student_ids_B: Tensor) -> Tensor:
        """Rows' numbers (B,) to soft tokens (B, D)."""
        out_BD: Tensor = self.out(nn.functional.relu(self.rows(student_ids_B) + self.bias))
        return out_BD


class StudentLM(nn.Module):
    """A causal LM with a student's vector in the place of the placeholder token.

    Args:
        lm: A `transformers` causal LM whose vocabulary holds the placeholder.
        students: The table of students.
        placeholder_id: Id of `<|student|>`.
        context: Tokens of a sequence at most; None: as many as the LM can look at.
    """

    def __init__(self, lm: Any, students: StudentVectors, placeholder_id: int, *, context: int | None = None) -> None:
        super().__init__()
        self.lm, self.students, self.placeholder_id = lm, students, placeholder_id
        most = int(lm.config.max_position_embeddings)
        self.context = min(context or most, most)
        """Tokens of a sequence at most, the placeholder included."""

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.students.bias.device

    def forward(
        self,
        input_ids: Tensor,
        student_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        labels: Tensor | None = None,
        **kwargs: Any,
    ) -> Any:
        """Run the LM.

        Args:
            input_ids: (B, L); the placeholder stands first. Later parts of a cached sequence hold none.
            student_ids: (B,) rows of the student table; needed wherever a placeholder stands.
            attention_mask: (B, L), 0 at padding. Padding on the right of a causal LM needs none.
            labels: (B, L), the ids to learn, `IGNORE` elsewhere; position i is predicted from those before it.
            **kwargs: Handed to the LM: past_key_values, use_cache, position_ids, logits_to_keep ...

        Returns:
            The LM's output; `loss` is the mean negative log-likelihood (nats) of the labels that count, 0 if none do.
        """
        embedded_BLD = self.lm.get_input_embeddings()(input_ids)
        if student_ids is not None:
            soft_B1D = self.students(student_ids).to(embedded_BLD.dtype).unsqueeze(1)
            is_student_BL1 = (input_ids == self.placeholder_id).unsqueeze(-1)
            embedded_BLD = torch.where(is_student_BL1, soft_B1D, embedded_BLD)
        output = self.lm(inputs_embeds=embedded_BLD, attention_mask=attention_mask, **kwargs)
        if labels is not None:
            output.loss = next_token_loss(output.logits, labels)
        return output

    def read(self, input_ids: Tensor, student_ids: Tensor | None = None, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Logits (B, L, V) as `forward` gives them, and the hidden states (B, L, D) that the last layer makes them of.

        Args:
            input_ids: As for `forward`.
            student_ids: As for `forward`.
            **kwargs: As for `forward`.
        """
        with heard(self.lm) as states:
            logits_BLV = self(input_ids, student_ids, **kwargs).logits
        return logits_BLV, states[-1]


@contextmanager
def heard(lm: Any) -> Iterator[list[Tensor]]:
    """Gathers what the layer that makes logits is given, a tensor for each forward within."""
    states: list[Tensor] = []
    hook = lm.get_output_embeddings().register_forward_pre_hook(lambda _, given: states.append(given[0]))
    try:
        yield states
    finally:
        hook.remove()


def next_token_loss(logits_BLV: Tensor, labels_BL: Tensor) -> Tensor:
    """Mean negative log-likelihood in nats over the labels that aren't `IGNORE`; 0 if there are none.

    The labels are shifted rather than the logits, whose copy would be by far the largest tensor of a step.
    """
    targets_BL = nn.functional.pad(labels_BL[:, 1:], (0, 1), value=IGNORE)
    logits_NV = logits_BLV.view(-1, logits_BLV.shape[-1])
    logits_NV = logits_NV.to(torch.promote_types(logits_NV.dtype, torch.float32))
    total = nn.functional.cross_entropy(logits_NV, targets_BL.flatten(), ignore_index=IGNORE, reduction="sum")
    return total / (targets_BL != IGNORE).sum().clamp(min=1)
