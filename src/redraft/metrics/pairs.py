"""Real against generated, one row per (student, title).

In: tables of `measure.measure` and the programs of the datasets they describe. Out: an Arrow table of the pairs both
have, in order of (student, title), with

- student, title; n_real, n_samples: traces on each side; n_whole: samples that hold a whole program; ended_share of
  the samples (before any are left out); truncated_real: whether a real final program was cut off; truncated_share: of
  the samples;
- real_X and generated_X for each X of `registry.MEASURED`: means over the pair's traces that score on X;
- bleu_final, bleu_trace, self_bleu, colour_cosine, colour_cosine_trace as the registry defines them, and
  self_bleu_real: Self-BLEU of as many real students' final programs of the title.

A pair counts once, however many samples it has: where the real side itself has several (released rollouts), its values
are their means, and each sample's BLEU is the mean over them. Null is unscored. The tokens of all texts of the pairs
compared are held in memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from redraft import progress
from redraft.data.trace import Pair
from redraft.metrics.likeness import LIKENESS, Likeness
from redraft.metrics.programs import Programs
from redraft.metrics.registry import MEASURED, METRICS, Definitions
from redraft.metrics.text import tokens

Floats = NDArray[np.float64]
Column = Sequence[object] | NDArray[Any]


class Text(NamedTuple):
    """What BLEU reads of a trace."""

    final: list[str]
    """Tokens of the final program."""
    whole: list[str]
    """Tokens of all programs."""
    is_whole: bool = True
    """Whether there is a program at all; if not, its likeness to any is 0, and it is left out of Self-BLEU."""


def compare(
    real: pa.Table,
    real_programs: Programs,
    generated: pa.Table,
    generated_programs: Programs,
    *,
    only_ended: bool = False,
    self_bleu_samples: int | None = None,
    definitions: Definitions = "corrected",
) -> pa.Table:
    """The pair table of a model.

    Args:
        real: `measure(real_dataset)`, or the rows of it that are to be compared (one split).
        real_programs: The students', of all pairs and titles compared; Self-BLEU's real value is drawn from all of a
            title's.
        generated: `measure(generated_dataset)`.
        generated_programs: Those of the model's samples, under the real students' ids.
        only_ended: Leave out samples that never ended.
        self_bleu_samples: How many samples (at least 2, the first ones) Self-BLEU takes of each pair, the same for all
            models compared; pairs with fewer are unscored. None: as many as every pair with two or more has.
        definitions: By which the tables were measured; likeness of texts follows them.
    """
    kept = generated.filter(generated["ended"]) if only_ended else generated
    pairs = sorted(set(pairs_of(real)) & set(pairs_of(kept)))
    left, right = ByPair(real, pairs), ByPair(kept, pairs)
    columns: dict[str, Column] = {
        "n_real": left.counts,
        "n_samples": right.counts,
        "n_whole": np.array([sum(trace.is_whole for trace in generated_programs.of[pair]) for pair in pairs], np.int64),
        "ended_share": ByPair(generated, pairs).means("ended"),
        "truncated_real": left.means("truncated") > 0,
        "truncated_share": right.means("truncated"),
    }
    for name in MEASURED:
        columns[f"real_{name}"] = left.means(name)
        columns[f"generated_{name}"] = right.means(METRICS[name].generated_from or name)
    columns["colour_cosine"] = cosines(left.vectors("colours"), right.vectors("colours"))
    columns["colour_cosine_trace"] = cosines(left.vectors("colours_trace"), right.vectors("colours_trace"))
    texts = _texts(generated_programs, pairs, only_ended=only_ended)
    likeness = LIKENESS[definitions]
    columns |= _bleus(_texts(real_programs, pairs), texts, pairs, likeness)
    columns |= _self_bleus(real_programs, texts, pairs, self_bleu_samples, likeness)
    return pair_table(pairs, columns)


def pair_table(pairs: Sequence[Pair], columns: Mapping[str, Column]) -> pa.Table:
    """A table of one row per pair; nan becomes null."""
    ids: dict[str, Column] = {"student": [pair.student for pair in pairs], "title": [pair.title for pair in pairs]}
    return pa.table({name: pa.array(values, from_pandas=True) for name, values in {**ids, **columns}.items()})


def pairs_of(table: pa.Table) -> list[Pair]:
    """The (student, title) of each row."""
    return [Pair(*row) for row in zip(table["student"].to_pylist(), table["title"].to_pylist(), strict=True)]


class ByPair:
    """The rows of a metric table, grouped by P pairs; rows of other pairs are left out."""

    def __init__(self, table: pa.Table, pairs: Sequence[Pair]) -> None:
        number = {pair: index for index, pair in enumerate(pairs)}
        rows = np.array([number.get(pair, -1) for pair in pairs_of(table)], np.int64)
        self._table, self._kept, self._rows, self._n = table, rows >= 0, rows[rows >= 0], len(pairs)

    @property
    def counts(self) -> NDArray[np.int64]:
        """(P,) rows of each pair."""
        return np.bincount(self._rows, minlength=self._n)

    def means(self, column: str) -> Floats:
        """(P,) means over each pair's scored rows, nan without any."""
        values = self._table[column].cast(pa.float64()).to_numpy()[self._kept]
        scored = np.isfinite(values)
        count = np.bincount(self._rows[scored], minlength=self._n)
        total = np.bincount(self._rows[scored], values[scored], minlength=self._n)
        means: Floats = np.divide(total, count, out=np.full(self._n, np.nan), where=count > 0)
        return means

    def vectors(self, column: str) -> Floats:
        """(P, C) mean colour vectors over each pair's scored rows, nan without any; C colours."""
        lists = self._table[column].combine_chunks()
        scored = lists.is_valid().to_numpy(zero_copy_only=False)
        flat = lists.flatten().to_numpy().reshape(-1, lists.type.list_size)[self._kept[scored]]  # of scored rows only
        rows = self._rows[scored[self._kept]]
        totals = np.zeros((self._n, lists.type.list_size))
        np.add.at(totals, rows, flat)
        count = np.bincount(rows, minlength=self._n)[:, None]
        means: Floats = np.divide(totals, count, out=np.full_like(totals, np.nan), where=count > 0)
        return means


def cosines(a: Floats, b: Floats) -> Floats:
    """Row-wise cosine of (P, C) colour vectors: 0 where one side is zero, nan where both are or one is unscored."""
    lengths_a, lengths_b = np.linalg.norm(a, axis=1), np.linalg.norm(b, axis=1)
    product = lengths_a * lengths_b
    cosine: Floats = np.divide((a * b).sum(1), product, out=np.zeros(len(a)), where=product > 0)
    return np.where((lengths_a == 0) & (lengths_b == 0) | np.isnan(product), np.nan, np.minimum(cosine, 1.0))


def between_students(
    programs: Programs, titles: Iterable[str], count: int, likeness: Likeness = LIKENESS["corrected"]
) -> dict[str, float | None]:
    """Self-BLEU among the final programs of `count` students of each title, None for titles with fewer.

    They are the first ones by their hashed ids, which have nothing to do with what they write.
    """
    found: dict[str, float | None] = {}
    for title in titles:
        chosen: dict[str, str] = {}
        for student, code in programs.finals[title]:
            if len(chosen) < count:
                chosen.setdefault(student, code)
        some = [tokens(code) for code in chosen.values()]
        found[title] = likeness.self_bleu(some) if len(some) >= count else None
    return found


def _texts(programs: Programs, pairs: Sequence[Pair], *, only_ended: bool = False) -> dict[Pair, list[Text]]:
    """The tokens of the pairs' traces."""
    return {
        pair: [
            Text(tokens(trace.final), tokens(trace.whole), trace.is_whole)
            for trace in programs.of[pair] if trace.ended or not only_ended
        ]
        for pair in pairs
    }  # fmt: skip


def _bleus(
    real: Mapping[Pair, list[Text]], generated: Mapping[Pair, list[Text]], pairs: Sequence[Pair], likeness: Likeness
) -> dict[str, Column]:
    finals, wholes = [], []
    for pair in progress.track(pairs, "compare texts"):
        finals.append(likeness.bleu([text.final for text in generated[pair]], [text.final for text in real[pair]]))
        wholes.append(likeness.bleu([text.whole for text in generated[pair]], [text.whole for text in real[pair]]))
    return {"bleu_final": _floats(finals), "bleu_trace": _floats(wholes)}


def _self_bleus(
    real: Programs, generated: Mapping[Pair, list[Text]], pairs: Sequence[Pair], samples: int | None,
    likeness: Likeness,
) -> dict[str, Column]:  # fmt: skip
    whole = {pair: [text.final for text in texts if text.is_whole] for pair, texts in generated.items()}
    count = samples or min((len(texts) for texts in whole.values() if len(texts) >= 2), default=2)
    own = [likeness.self_bleu(whole[pair][:count]) if len(whole[pair]) >= count else None for pair in pairs]
    of_title = between_students(real, {pair.title for pair in pairs}, count, likeness)
    return {"self_bleu": _floats(own), "self_bleu_real": _floats([of_title[pair.title] for pair in pairs])}


def _floats(values: Sequence[float | None]) -> Floats:
    return np.array([np.nan if value is None else value for value in values])
