"""Tables of the representations study, which say why if nothing is scored.

In: a run's folder with `results/represent.parquet`. Out: tables.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

from redraft import results
from redraft.plots.tables import DASH, Table, probability, table, with_interval
from redraft.results import Result
from redraft.studies.represent.pick import INPUTS, PERMUTED, find, models_of, why_unscored


def tables(run: Path) -> list[Table]:
    """The study's tables."""
    rows = results.of_study(run, "represent")
    return [_likeness_table(rows), _steps_table(rows)] if rows else []


def _likeness_table(rows: Sequence[Result]) -> Table:
    header = ("model", "with", "first layers", "last layers", "permuted, last layers", "traces", "students")
    models = models_of(rows)
    cka = [row for row in rows if row.metric == "cka"]
    lines = []
    for model, other in combinations(models, 2):
        mine = [row for row in cka if (row.model, row.condition["with"]) == (model, other) and not row.baseline]
        ends = [max((int(row.condition[key]) for row in mine), default=0) for key in ("layer", "with_layer")]
        places = [{"with": other, "layer": str(a), "with_layer": str(b)} for a, b in ((0, 0), ends)]
        first, last = (find(cka, "cka", model, **place) for place in places)
        chance = find(cka, "cka", model, PERMUTED, **places[1])
        lines.append((
            model, other, with_interval(first), with_interval(last), with_interval(chance),
            str(last.n if last else 0), str(last.n_students if last else 0),
        ))  # fmt: skip
    apart = "; ".join(
        f"{row.model} − {row.baseline}: {with_interval(row)}, p {probability(row.p_adjusted)} (Holm)"
        for row in cka if row.statistic == "value_difference" and row.value is not None
    )  # fmt: skip
    caption = (
        "Debiased linear CKA: 1 the same up to a rotation, 0 nothing in common. Behind permuted: the central 95% of "
        f"permutations. Likeness of the last layer to the {models[0] if models else 'first'} model's: {apart or DASH}."
        + why_unscored(cka)
    )
    return table("represent-likeness", "Likeness of the models' layers", caption, header, lines, cka, words=2)


def _steps_table(rows: Sequence[Result]) -> Table:
    header = (
        "model", "read", "variance in components 1 and 2", "between kinds of edit", "above permuted", "p (Holm)",
        "steps", "students",
    )  # fmt: skip
    steps = [row for row in rows if row.metric in ("components_2", "edit_type_separation", "variance_share")]
    lines = []
    for model in models_of(rows):
        for inputs, words in INPUTS.items():
            condition = {"inputs": inputs} if inputs else {}
            share, apart = (find(steps, name, model, **condition) for name in ("components_2", "edit_type_separation"))
            chance = find(steps, "edit_type_separation", model, PERMUTED, **condition)
            lines.append((
                model, words, with_interval(share), with_interval(apart), with_interval(chance),
                probability(chance.p_adjusted if chance else None), str(share.n if share else 0),
                str(share.n_students if share else 0),
            ))  # fmt: skip
    contrasts = "; ".join(
        f"{row.model} − {row.baseline}: {with_interval(row)}, p {probability(row.p_adjusted)}"
        for row in steps
        if row.metric == "components_2" and row.baseline and not row.condition and row.value is not None
    )
    caption = (
        "Shares of variance of the differences between consecutive states. p of the kinds of edit: labels permuted "
        f"within students. Variance in components 1 and 2, states with their past: {contrasts or DASH}."
        + why_unscored(steps)
    )
    return table("represent-steps", "Directions of steps", caption, header, lines, steps, words=2)
