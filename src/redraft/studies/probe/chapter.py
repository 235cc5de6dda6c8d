"""The chapter on probes: what do the models' vectors say (paper sections 4.2 and 4.3)?

In: a run's folder, the study's results rows. Out: figures and tables, the method in words, a sentence for each family
of comparisons.
"""

from __future__ import annotations

from collections.abc import Sequence

from redraft.plots.style import origin_words
from redraft.results import Result
from redraft.studies.probe.figures import figures
from redraft.studies.probe.tables import tables

__all__ = ["METHODS", "figures", "sentences", "tables"]

METHODS: tuple[str, ...] = (
    "Of each prefix of a test trace, after 0, 1, ... all of its states, the mean of the model's last-layer token "
    "states is taken, and a ridge regression predicts from it what comes later (paper section 4.2). All prefixes "
    "of a student are on one side of every fold, unless a setting of [probe] in run.toml says otherwise; the penalty "
    "is chosen inside the training folds, grouped likewise; a score is the mean over draws of folds. Intervals, and "
    "the p of differences, come from fitting all probes anew on random halves of the students (a delete-half "
    "jackknife): other students would not only be other test cases, they would train other probes. Such intervals are "
    "cautious, rather too wide than too narrow. The p of a score comes from exchanging whole students' targets and "
    "fitting the probes "
    "anew.",
    "The same model is given another student's vector, once any other's and once one of the same year and editor "
    "mode; and embeddings are exchanged between traces. Baselines are what is seen without a model (number of "
    "states, title, length, seconds so far, last verdict), a model of the same shape with fresh weights, and "
    "always saying yes. The leak meter repeats the probes with folds that keep only traces, or nothing, together. "
    "A higher score there is not better: it says how much of it is recognising a student or a trace met in "
    "training.",
    "From the 64 numbers of a student's vector a small neural network predicts the student's mean of a metric over "
    "test traces, and the mean of what title and year leave unexplained (paper section 4.3). Vectors exchanged "
    "between students are the control; the number of training traces, their mean year, and the mean of the titles "
    "worked on are the baselines, each through a straight line.",
)
"""How the probes are made: heading and text."""


def sentences(rows: Sequence[Result]) -> list[str]:
    """What came out: a sentence for each family of comparisons."""
    families: dict[str, list[Result]] = {}
    for row in rows:
        if row.family:
            families.setdefault(row.family, []).append(row)
    found = [origin_words(row.origin, row.dataset) for row in rows[:1]]
    for family, members in families.items():
        sure = [row.value or 0 for row in members if row.p_adjusted is not None and row.p_adjusted < 0.05]
        above = sum(value > 0 for value in sure)
        below = f", {len(sure) - above} below" if len(sure) > above else ""
        zero = "zero" if " - " in family else "chance"
        name = family.removeprefix("probe: ")
        found.append(f"{name}: {above} of {len(members)} are above {zero}{below} (Holm p < .05)")
    return found
