"""The table of the study of variance: all shares.

In: a folder with `results/variance.parquet`. Out: the table.
"""

from __future__ import annotations

from pathlib import Path

from redraft import results
from redraft.plots.tables import Table, counts, table, with_interval
from redraft.studies.variance.figures import STYLES


def tables(folder: Path) -> list[Table]:
    """All shares, and the most that knowing the student alone can give within titles."""
    rows = results.of_study(folder, "variance")
    names = (*STYLES, "student_within_title_share")
    lines = []
    for metric in dict.fromkeys(row.metric for row in rows):
        mine = {row.statistic: row for row in rows if row.metric == metric}
        first = mine[names[0]]
        lines.append((metric, *(with_interval(mine[name]) for name in names), counts(first), str(first.unscored),
                      first.remarks))  # fmt: skip
    header = ("metric", "student", "title", "rest", "student within titles", "pairs / students / titles", "unscored",
              "note")  # fmt: skip
    caption = (
        "Shares of variance with 95% intervals. 'Student within titles' is student / (student + rest). A dash is "
        "unscored; the note says why."
    )
    return [table("variance", "Shares of variance", caption, header, lines, rows, last_words=1)] if lines else []
