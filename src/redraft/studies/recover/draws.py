"""What the models make of the cases: continuations by view, voice and time, kept on disk so that a killed run goes on.

In: cases, a run's models. Out: for each condition and case, the programs of each continuation. A condition's file
carries a fingerprint of everything its draws depend on; one of another fingerprint is drawn anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from redraft.errors import InputError
from redraft.lm.checkpoint import Model
from redraft.lm.continuation import Continuation, Place, Prefix, go_on, prefix_of
from redraft.lm.settings import SampleConfig
from redraft.progress import bar
from redraft.rundir import sha256_json
from redraft.rundir.tables import read_metadata, read_table, write_table
from redraft.studies.recover.cases import Case
from redraft.studies.recover.names import blamed
from redraft.studies.recover.settings import BLAMED, FREE, RecoverConfig
from redraft.studies.recover.voices import MATCHED, OWN, STRONG, UNKNOWN, Voices

VERSION = 1
REMEDY = "Remove it: its continuations are drawn again."
"""Raised whenever the same fingerprint would mean other draws."""
SCHEMA = pa.schema(
    [
        pa.field("case", pa.string(), nullable=False),
        pa.field("number", pa.int32(), nullable=False),
        pa.field("codes", pa.list_(pa.string()), nullable=False),
        pa.field("ended", pa.bool_(), nullable=False),
    ]
)


class Condition(NamedTuple):
    """How continuations are drawn."""

    view: str
    """Whose model: the view it was trained on."""
    voice: str
    """Whose vector: one of `voices.KINDS`."""
    seconds: float
    """Added to the failing program's time."""
    candidates: int
    """Draws of each case."""
    start: str = FREE
    """Where the first edit begins: one of `settings.STARTS`."""

    @property
    def name(self) -> str:
        """For a file."""
        return f"{self.view}-{self.voice}-{self.seconds:g}-{self.start}"


Draws = dict[str, list[tuple[str, ...]]]
"""Case -> the programs of each of its continuations, in order; a case whose prefix is too long is missing."""


def conditions(view: str, config: RecoverConfig, *, strangers: bool, others: bool) -> list[Condition]:
    """What is drawn from a model: all candidates at the main time in every voice, fewer at other times in two.

    The student's own voice also begins where the verdict blames the program, if that is asked for.

    Args:
        view: The model's.
        config: Times and numbers.
        strangers: The model has met none of the cases' students: their own vector is the unknown one.
        others: There are other students' voices.
    """
    kinds = [OWN, *([] if strangers else [UNKNOWN]), *([STRONG, MATCHED] if others else [])]
    most = config.candidates[-1]
    found = [Condition(view, OWN, config.main_seconds, most, start) for start in config.starts]
    found += [Condition(view, kind, config.main_seconds, most) for kind in kinds]
    times = [seconds for seconds in config.seconds if seconds != config.main_seconds]
    few = min(config.grid_candidates, most)
    found += [Condition(view, kind, s, few) for kind in kinds if kind in (OWN, STRONG) for s in times]
    return list(dict.fromkeys(found))


def draw(
    model: Model, cases: Sequence[Case], condition: Condition, voices: Voices, config: RecoverConfig, folder: Path,
    depends: object,
) -> Draws:  # fmt: skip
    """The continuations of a condition, drawn or as they were kept.

    Args:
        model: Of the condition's view.
        cases: What to go on from.
        condition: How.
        voices: Whose go on.
        config: Nucleus, temperature, rounds and seed.
        folder: Where they are kept.
        depends: What they depend on beside the model, the cases and these settings: dataset and split.
    """
    sampling = SampleConfig(
        per_pair=1, top_p=config.top_p, temperature=config.temperature, rounds=config.rounds, seed=config.seed,
        endings=config.endings, grammar=config.grammar,
    )  # fmt: skip
    begun = [[case.id, _place(case, condition)] for case in cases]
    fingerprint = sha256_json([VERSION, model.fingerprint, depends, begun, condition, voices, asdict(sampling)])
    file = folder / f"{condition.name}.parquet"
    if not _is_kept(file, fingerprint):
        rows = _draw(model, cases, condition, voices, sampling)
        table = pa.Table.from_pylist(rows, schema=SCHEMA.with_metadata({"fingerprint": fingerprint}))
        write_table(table, file)
    kept: Draws = {}
    for row in read_table(file, remedy=REMEDY).to_pylist():
        kept.setdefault(row["case"], []).append(tuple(row["codes"]))
    return kept


def _is_kept(file: Path, fingerprint: str) -> bool:
    return file.exists() and read_metadata(file, remedy=REMEDY).get(b"fingerprint") == fingerprint.encode()


def _draw(
    model: Model, cases: Sequence[Case], condition: Condition, voices: Voices, sampling: SampleConfig
) -> list[dict[str, object]]:
    wanted: list[Continuation] = []
    for case in cases:
        prefix = _prefix(model, case, condition)
        if prefix is not None:
            drawn_by = voices.of(condition.voice, case.problem.student, case.id, condition.candidates)
            wanted += [Continuation(prefix, voice, case.id, number) for number, voice in enumerate(drawn_by)]
    with bar(f"{condition.view}, {condition.voice}, {condition.seconds:g} s", len(wanted)) as watcher:
        drawn = go_on(model, wanted, sampling, watcher.advance)
    return [
        {"case": each.id, "number": each.number, "codes": [state.code for state in one.states], "ended": one.ended}
        for each, one in zip(wanted, drawn, strict=True)
    ]


def _prefix(model: Model, case: Case, condition: Condition) -> Prefix | None:
    """What the model goes on from; None if the failing program alone is too long for it."""
    at = case.problem.failing.at
    later = None if at is None else at.replace(microsecond=0) + timedelta(seconds=int(condition.seconds))
    try:
        return prefix_of(model, case.problem.title, case.problem.states, later, _place(case, condition))
    except InputError:
        return None


def _place(case: Case, condition: Condition) -> Place | None:
    """Where the first edit begins; None: where the model likes."""
    return blamed(case.problem) if condition.start == BLAMED else None
