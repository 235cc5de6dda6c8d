"""The chapter on new students: how few traces does one need (paper section 4.4, figure 6)?

In: a run's folder, the study's results rows. Out: figures and tables, the method in words, what came out in sentences.
"""

from __future__ import annotations

from collections.abc import Sequence

from redraft.plots.style import origin_words
from redraft.plots.tables import with_interval
from redraft.results import Result
from redraft.studies.adapt.figures import figures
from redraft.studies.adapt.pick import BITS, CACHE, OTHER, is_scored, ks_of, reason, row_at, views
from redraft.studies.adapt.tables import tables

__all__ = ["METHODS", "figures", "sentences", "tables"]

METHODS: tuple[str, ...] = (
    "Students whom the model has not met, with enough traces on titles it has, get vectors fitted to their "
    "first k traces in time; nothing else learns. All vectors of a k are fitted side by side, each with a "
    "loss, batches and an optimizer of its own, so that a student's does not depend on who else is there. A "
    "few students choose, for each k, the learning rate and the number of epochs by their bits on later "
    "traces, and are then left out. The others' traces after the last k test every k alike: in bits (of "
    "programs, times and endings, the title given; lower is better), and on some of them by what the model "
    "generates, against what the student wrote. k = 0 is the vector that fits begin as.",
    "A neural cache of the same k traces needs no fitting: what followed hidden states like the present one becomes "
    "likelier. How much is mixed in is fitted to the validation pairs. It is read beside the unknown student's vector, "
    "and beside the fitted one, in bits alone.",
    "The same test traces are read, and generated, with the vector fitted to another new student's first k traces, "
    "of one who began in the same year where there is one; and with the mean of all trained vectors. Own minus "
    "other is what the model has learned about this student rather than about new students. In bits each student "
    "counts once, and students are resampled; generated pairs are resampled by student and title. That the last k "
    "adds nothing to an earlier one is claimed only if the interval of the difference lies within the margin.",
)


def sentences(rows: Sequence[Result]) -> list[str]:
    """What came out, a line for each model and k; or why nothing did."""
    said = []
    for view in views(rows):
        mine = [row for row in rows if row.model == view]
        stamp = origin_words(mine[0].origin, mine[0].dataset)
        if not is_scored(mine, BITS):
            said.append(f"{stamp}. {view}: {reason(mine)}.")
            continue
        for k in ks_of(mine, BITS):
            own, apart = row_at(mine, BITS, "mean", k), row_at(mine, BITS, "mean_difference", k, OTHER)
            line = f"{stamp}. {view}, k = {k}: {with_interval(own)} bits per trace with the student's own vector"
            cached = row_at(mine, BITS, "mean_difference", k, "k=0", way=CACHE)
            line += f"; own - other {with_interval(apart)}" if apart else ""
            said.append(line + (f"; neural cache - nothing {with_interval(cached)}" if cached else ""))
    return said
