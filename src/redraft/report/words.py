"""The report's standing text: what it asks, what may be concluded, how it was done.

In: results rows, for what follows from the data. Out: text. What is said of one study stands in its chapter.
"""

from __future__ import annotations

from collections.abc import Sequence

from redraft.results import Result

TITLE = "How well do the models know the students?"
LEAD = (
    "Language models with a vector for each student were trained on drafts of programs and asked to write, for "
    "students and titles they had not met together, what the student would. This report compares what they wrote with "
    "what was really written."
)

METHODS: tuple[tuple[str, str], ...] = (
    (
        "Design",
        "Pairs of a student and a title are divided into training and test pairs; some students and some titles are "
        "held out altogether. For each test pair every model writes several samples, given only who the student is and "
        "what the title is. A pair's value is the mean over its samples, and a pair counts once. Models are compared "
        "on the pairs that all of them have samples for (paper section 4.1).",
    ),
    (
        "Intervals and p",
        "Pairs that share a student or a title are not independent. So students and titles are resampled separately, "
        "with replacement, and a pair weighs the product of its counts; intervals are the 2.5% and 97.5% percentiles "
        "of the statistic over these replicates, and p = min(1, 2 (1 + min(#≤0, #≥0)) / (B + 1)). Replicates are "
        "widened about their mean for the fewness of clusters (Hesterberg's expanded percentiles: sqrt(n / (n − 1)) "
        "and t over z, Satterthwaite's degrees of freedom). With fewer than ten "
        "students or titles only the other side is resampled, marked 'conditional': such an interval holds for these "
        "students or these titles only. With fewer than ten of both there is no interval. A statistic undefined in "
        "more than 5% of the replicates is unscored.",
    ),
    (
        "Multiple comparisons",
        "The claims were written down before any run; their p are corrected by Holm's method over all of a study's "
        "testable claims. Further differences are corrected within each split and pair of models, and are exploratory. "
        "'Detectable' is 2.8 standard errors: the difference that would be found with 80% power. A difference that is "
        "not significant may still exist; only one well beyond what is detectable is unlikely.",
    ),
)


RELEASED_DEFINITIONS = (
    "Definitions",
    "Metrics of behaviour follow the definitions of the paper's released code, not the corrected ones that redraft "
    "uses otherwise: its distances, pairing of lines, comments and colours, and its BLEU, for which matches and "
    "lengths are summed over a pair's samples instead of averaging scores. What that code never computed is unscored. "
    "Whether programs run is told by verdicts as always. Other studies use the corrected definitions, so values of the "
    "same metric there can't be compared with these.",
)
"""What the methods say where they do."""


def limitations(rows: Sequence[Result]) -> list[str]:
    """What to keep in mind, given what the rows are about."""
    found = [
        {
            "simulated": "The class is simulated: its habits are simpler and steadier than people's.",
            "model": "The traces are a model's: agreement with them is agreement with its errors, too.",
            "students": "A title is taken for a student's goal and the last program for its outcome; neither is sure.",
        }[rows[0].origin],
        "One set of weights a view: another training seed could change any difference that is not large.",
        "Small models trained for a short time may fall behind what the same view allows with more training.",
    ]
    empty = sorted({row.split for row in rows if row.split and not row.n and row.model} - {"all"})
    filled = {row.split for row in rows if row.split and row.n and row.model}
    if missing := [split for split in empty if split not in filled]:
        found.append(f"No test pairs in {', '.join(missing)}: unscored.")
    conditional = sorted({row.clusters for row in rows if row.clusters and "conditional" in row.clusters})
    if conditional:
        found.append("Some intervals are conditional on the few titles or students at hand (see Methods).")
    notes = {row.note for row in rows if row.note and "left out" in row.note}
    return found + [f"{note[:1].upper()}{note[1:]}." for note in sorted(notes)]
