"""What a ProgSnap2 main table holds, told by one look through it before it is read.

In: the file and which of its columns there are. Out: `Survey`: how often each type of event stands in it, which
ProblemIDs several assignments share, and how its ids, scores and grades are written.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from redraft.data.duck import Workspace, in_batches
from redraft.data.sources.growth import UNPACK_RATIO
from redraft.data.sources.progsnap2.specification import EVENTS
from redraft.data.sources.rows import read_rows
from redraft.data.sources.states import Damaged
from redraft.errors import InputError

_MEMORY = 256 * 10**6
_MOST_SHARED = 100_000
"""ProblemIDs that several assignments share."""
_OWN_EVENT = re.compile(r"X-[A-Za-z][A-Za-z0-9_.-]{0,39}")
_LOOKED_AT = ("EventType", "EventID", "ProblemID", "AssignmentID", "CodeStateID", "Score", "X-Grade")
MISSING = "(lower(trim({0})) IN ('', 'nan', 'none', 'null', '<na>') OR trim({0}) = 'NA')"
"""Whether a cell says that there is nothing, in SQL."""

_COUNT = f"""
INSERT INTO seen SELECT "EventType", CASE WHEN {MISSING.format('"ProblemID"')} THEN '' ELSE "ProblemID" END,
    CASE WHEN {MISSING.format('"AssignmentID"')} THEN '' ELSE "AssignmentID" END, count(*),
    bool_and("ProblemID" SIMILAR TO '\\d+\\.0' OR {MISSING.format('"ProblemID"')}),
    bool_and("AssignmentID" SIMILAR TO '\\d+\\.0' OR {MISSING.format('"AssignmentID"')}),
    bool_and(TRY_CAST("EventID" AS BIGINT) IS NOT NULL),
    count(*) FILTER (NOT {MISSING.format('"CodeStateID"')}),
    count(*) FILTER (NOT {MISSING.format('"Score"')}
        AND coalesce(TRY_CAST("Score" AS DOUBLE) NOT BETWEEN 0 AND 1, true)),
    max(TRY_CAST("X-Grade" AS DOUBLE)), min(TRY_CAST("X-Grade" AS DOUBLE))
FROM batch GROUP BY ALL
"""


@dataclass(frozen=True, kw_only=True)
class Survey:
    """What a main table holds."""

    events: Mapping[str, int]
    """Each type of event, and how many there are; the most frequent first."""
    shared: frozenset[str]
    """ProblemIDs that stand in several assignments."""
    whole_problems: bool
    """Whether every ProblemID is a whole number with `.0` behind it."""
    whole_assignments: bool
    numbered: bool
    """Whether every EventID is a whole number."""
    with_code: int
    """Rows that name a code state."""
    odd_scores: int
    """Scores that are no number from 0 to 1."""
    highest_grade: float | None
    """Of X-Grade; None also if one is below 0."""

    def grade_scale(self) -> float | None:
        """By how much to divide X-Grade; None: it is no grade from 0 to 1 or to 100."""
        if self.highest_grade is None or self.highest_grade > 100:
            return None
        return 1.0 if self.highest_grade <= 1 else 100.0

    def listed(self) -> str:
        """The types of events with their counts; what may be a cell of something else is only counted."""
        shown = [f"{name} ({count:,})" for name, count in self.events.items() if _is_shown(name)][:40]
        others = sum(count for name, count in self.events.items() if not _is_shown(name))
        if others:
            shown.append(f"{others:,} of types that aren't the format's")
        return ", ".join(shown) or "none"


def _is_shown(name: str) -> bool:
    return name in EVENTS or bool(_OWN_EVENT.fullmatch(name))


def survey(file: Path, columns: Mapping[str, str], events: Sequence[str]) -> Survey:
    """Look through a main table.

    Args:
        file: The table.
        columns: What it calls those of the format's columns that it has.
        events: The types of events, in lower case, whose problems count; none: all.

    Raises:
        InputError: It can't be read to its end.
    """
    present = [name for name in _LOOKED_AT if name in columns]
    with TemporaryDirectory(prefix="redraft-survey-") as overflow:
        work = Workspace(_MEMORY, Path(overflow), unpack_ratio=UNPACK_RATIO)
        with closing(work), work.cursor() as duck:
            duck.sql(
                "CREATE TABLE seen (event VARCHAR, problem VARCHAR, assignment VARCHAR, n BIGINT, whole BOOLEAN, "
                "whole_assignment BOOLEAN, numbered BOOLEAN, coded BIGINT, odd BIGINT, high DOUBLE, low DOUBLE)"
            )
            try:
                for rows in read_rows(file, [columns[name] for name in present], work):
                    table = rows.table.rename_columns(["row", *present])
                    for name in _LOOKED_AT:
                        if name not in present:
                            table = table.append_column(name, [[""] * table.num_rows])
                    duck.register("batch", in_batches(table))
                    duck.sql(_COUNT)
            except Damaged as error:
                raise InputError(
                    f"can't be read: {error}.", where=file, remedy="Mend the file, or copy it anew."
                ) from error
            total = duck.sql(
                "SELECT bool_and(whole), bool_and(whole_assignment), bool_and(numbered), sum(coded), sum(odd), "
                "max(high), min(low) FROM seen"
            ).fetchall()[0]
            counted = duck.sql("SELECT event, sum(n) AS n FROM seen GROUP BY event ORDER BY n DESC, event LIMIT 10000")
            found = {str(event): int(count) for event, count in counted.fetchall()}
            shared = duck.sql(
                "SELECT problem FROM seen WHERE problem <> '' AND assignment <> '' AND "
                "(len($events) = 0 OR lower(event) IN $events) "
                f"GROUP BY problem HAVING count(DISTINCT assignment) > 1 LIMIT {_MOST_SHARED + 1}",
                params={"events": list(events)},
            ).fetchall()
    whole, whole_assignment, numbered, coded, odd, high, low = total
    if len(shared) > _MOST_SHARED:
        raise InputError(
            f"more than {_MOST_SHARED:,} ProblemIDs stand in several assignments.", where=file,
            remedy="Say what a title is: --titles problem, --titles assignment or --titles both.",
        )  # fmt: skip
    return Survey(
        events=found, shared=frozenset(problem for (problem,) in shared), whole_problems=bool(whole),
        whole_assignments=bool(whole_assignment), numbered=bool(numbered), with_code=int(coded or 0),
        odd_scores=int(odd or 0), highest_grade=None if low is not None and low < 0 else high,
    )  # fmt: skip
