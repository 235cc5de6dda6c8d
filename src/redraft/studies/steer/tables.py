"""The table of the steering study, which says why if a target is unscored.

In: a run's folder with `results/steer.parquet`. Out: the table.
"""

from __future__ import annotations

from pathlib import Path

from redraft import results
from redraft.plots.tables import Table, counts, number, probability, table, with_interval
from redraft.studies.steer.pick import EXECUTES, LEAST, MOST, UNKNOWN, VOICES, find, targets_of, words


def tables(run: Path) -> list[Table]:
    """A line a target; the caption says who the students are, or why there are none."""
    rows = results.of_study(run, "steer")
    lines, notes = [], dict[str, list[str]]()
    for target in targets_of(rows):
        apart = find(rows, target, voice=MOST, against=LEAST)
        if apart is None:
            continue
        notes.setdefault(apart.remarks, []).append(words(target))
        ran = [find(rows, EXECUTES, target=target, voice=voice) for voice in (MOST, UNKNOWN)]
        lines.append((
            words(target), *(with_interval(find(rows, target, voice=voice)) for voice in VOICES), with_interval(apart),
            number(apart.effect_size), probability(apart.p_adjusted), number(apart.smallest_detectable),
            " / ".join(number(row.value if row else None) for row in ran), counts(apart),
        ))  # fmt: skip
    header = ("target", *VOICES, "most − least", "d", "p (Holm)", "detectable", "run",
              "cells / students / titles")  # fmt: skip
    caption = (
        "What the model writes in each voice, and how far those who do most lie above those who do least; d in "
        "standard deviations of cells (a student on a title). 'Detectable' is the difference that would be found with "
        "80% power. Run: the share of final programs that do, in the voice of most / of the unknown student. "
        + " ".join(f"{', '.join(targets)}: {note}." for note, targets in notes.items())
    )
    return [table("steer", "Steering by students' vectors", caption, header, lines, rows)] if lines else []
