"""Words that stand under figures and tables: what the data's origin allows, whose definitions were used."""

from __future__ import annotations

from collections.abc import Sequence

from redraft.execute.judged import OWN
from redraft.results import HELD, Result, early_models

BANNERS: dict[str, str] = {
    "simulated": "A program with known habits wrote these traces, not people. The report shows whether the models and "
    "measurements find what was planted; it says nothing about students.",
    "model": "Another language model wrote these traces, not people. The report shows how well that model is imitated; "
    "it says nothing about students.",
    "students": "People wrote these traces. Treat the figures with the care their consent asks for: no program text "
    "and no readable ids are in this file.",
}
"""By origin: what may be concluded."""


def definitions(rows: Sequence[Result]) -> str:
    """For a caption: whose definitions and verdicts the rows use; nothing if the corrected ones, and engines'."""
    studies = dict.fromkeys(row.study for row in rows if row.definitions == "released")
    released = f" Metrics of {', '.join(studies)}: by the paper's released code's definitions." if studies else ""
    return released + verdicts(rows) + whole(rows) + early(rows)


def early(rows: Sequence[Result]) -> str:
    """For a caption: which models had not converged; nothing where all had."""
    names = dict.fromkeys(name for row in rows for name in early_models(row))
    return f" Not converged, so what is seen is of these checkpoints: {', '.join(names)}." if names else ""


def whole(rows: Sequence[Result]) -> str:
    """For a caption: how many of each model's samples hold a whole program; nothing where there are no samples."""
    found: dict[str, str] = {}
    for row in sorted(rows, key=lambda one: bool(one.condition)):  # of all samples, not of those that a condition left
        for part in (row.note or "").split("; "):
            if row.model and part.endswith(HELD):
                found.setdefault(row.model, part.removesuffix(f" {HELD}"))
    counts = ", ".join(f"{model} {count}" for model, count in found.items())
    return f" Samples that hold a whole program: {counts}." if counts else ""


def verdicts(rows: Sequence[Result]) -> str:
    """For a caption: where whether programs run was told by the platform, and by what; nothing where engines told."""
    notes = (part for row in rows for part in (row.note or "").split("; ") if OWN in part)
    return "".join(f" {note[0].upper()}{note[1:]}." for note in dict.fromkeys(notes))
