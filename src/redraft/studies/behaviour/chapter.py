"""The chapter on behaviour: do generated traces behave like the real ones (paper section 4.1, figures 2, 3, 9)?

In: a run's folder, the study's results rows. Out: figures and tables, the method in words, the claims and
their verdicts.
"""

from __future__ import annotations

from redraft.studies.behaviour.figures import figures
from redraft.studies.behaviour.tables import tables
from redraft.studies.common.findings import sentences

__all__ = ["METHODS", "figures", "sentences", "tables"]

METHODS: tuple[str, ...] = (
    "Pooled r is Pearson's correlation over pairs between the real and the generated value of a metric. It is high "
    "if a model knows which titles need, say, many comments, even if it knows nothing about students. "
    "Between-title r is the correlation of title means. Within-title r is the correlation after both sides are "
    "centred on their title means, and it alone is about students. A correlation with a side that doesn't vary is "
    "undefined; it is unscored, not zero.",
    "Title mean, student mean, their sum (less the grand mean) and a random training trace of the title predict "
    "without a language model, from training pairs only; for an unseen title or student they fall back to the mean "
    "of all training pairs. A model that doesn't beat them has not shown that it knows more than an average.",
    "Correlations say nothing about how much: a model that writes half as many drafts for everyone may have a high r. "
    "So the means of what models write are compared with those of the same students' own test traces, and the "
    "distributions by their Kolmogorov-Smirnov distance, each pair counting the same. Its interval is the basic "
    "bootstrap's, as resampling adds distance. Two halves of the students lie apart by chance; that distance stands "
    "beside it.",
    "The primary comparisons are repeated without truncated final programs, without test pairs whose final program "
    "is nearly a training student's on any title (normalised Levenshtein similarity of 0.9 by default), and with only "
    "those generations that reached their end.",
)
