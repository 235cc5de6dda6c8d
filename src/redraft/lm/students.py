"""Students added to a trained model.

In: a model, ids of students. Out: the model with a vector for each of them: the unknown student's, until it is trained.
What the model says of students it knew stays as it was.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import torch

from redraft.errors import InputError
from redraft.lm.checkpoint import Model
from redraft.lm.model import UNKNOWN, StudentIndex, StudentLM, StudentVectors


def add_students(model: Model, students: Iterable[str]) -> Model:
    """`model` with a row behind the others for each of `students` that it doesn't know, in the order given.

    The LM itself is shared with `model`, the students' module is a copy.

    Raises:
        InputError: It knows them all.
    """
    new = [student for student in dict.fromkeys(students) if student not in model.students]
    if not new:
        raise InputError("the model knows all these students.", remedy="Use it as it is.")
    index = StudentIndex([*model.students.students, *new])
    old = model.lm.students
    grown = StudentVectors(len(index), width=old.out.out_features, dim=old.out.in_features)
    rows = old.rows.weight.detach()
    weights = {**old.state_dict(), "rows.weight": torch.cat([rows, rows[UNKNOWN].expand(len(new), -1)])}
    grown.load_state_dict(weights)
    lm = StudentLM(model.lm.lm, grown.to(rows), model.lm.placeholder_id, context=model.lm.context)
    added = [*model.card.get("students_added", []), len(new)]
    return replace(model, lm=lm.train(model.lm.training), students=index, card={**model.card, "students_added": added})
