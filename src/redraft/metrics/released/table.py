"""The released code's metrics of a dataset or of rollout files: a row per text, and a record per collection.

In: texts (`metrics.released.texts`). Out: `Measured`: a table with `columns.SCHEMA`, in the texts' order, null where
the released code fails (no program); and for each file its Self-BLEU, pooled over all final programs and pair by pair,
and for `all_TITLE` the BLEU against `last_TITLE` and `synthetic_TITLE`, if they are there. The final programs of all
texts are held in memory.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from redraft import progress
from redraft.data.store import Dataset
from redraft.metrics.released import bleu
from redraft.metrics.released.columns import COLUMNS, SCHEMA
from redraft.metrics.released.facts import look
from redraft.metrics.released.reading import read
from redraft.metrics.released.texts import Part, Text, parts_of

Collection = dict[str, Any]

_AT_ONCE = 4096
_REFERENCES = ("last", "synthetic")
"""Models whose programs a file of the trace model (`all_TITLE`) is compared with."""


class Measured(NamedTuple):
    """What is written."""

    table: pa.Table
    """`columns.SCHEMA`."""
    collections: dict[str, Collection]
    """File -> n, n_with_program, tok (tokens of the final programs), self_bleu, self_bleu_cum1to4,
    self_bleu_per_pair_mean, n_pairs, self_bleu_per_pair, and reference_bleu_vs_MODEL."""


class Final(NamedTuple):
    """A text's final program."""

    username: str
    title: str
    tokens: list[str]


def measure_released(data: Dataset | Path, *, workers: int = 1) -> Measured:
    """Measure all texts of a dataset, a rollout file, or a folder of such files.

    Args:
        data: The texts.
        workers: Processes; 1 stays in this one.

    Raises:
        InputError: Rollout files are missing or none.
        DatasetError: The dataset can't be read.
    """
    parts = parts_of(data)
    tables, finals = [], []
    for table, final in progress.track(_run(parts, workers), "measure", len(parts)):
        tables.append(table)
        finals += final
    table = pa.concat_tables([SCHEMA.empty_table(), *tables])
    files = table["file"].to_pylist()
    table = table.set_column(1, SCHEMA.field("idx"), pa.array(_numbered(files, table["idx"].to_pylist()), pa.int64()))
    return Measured(table, measure_collections(files, finals))


def measure_texts(texts: Sequence[Text]) -> tuple[pa.Table, list[Final | None]]:
    """The rows of some texts, and their final programs, None where the released code finds none."""
    readings = [read(text.text) for text in texts]
    scored = [reading for reading in readings if reading.drafts]
    place = np.cumsum([bool(reading.drafts) for reading in readings]) - 1
    rows = pa.array([at if reading.drafts else None for at, reading in zip(place, readings, strict=True)], pa.int64())
    facts = look(scored)
    columns: dict[str, Any] = {
        "file": [text.file for text in texts],
        "idx": [text.idx for text in texts],
        "username": [text.username for text in texts],
        "title": [text.title for text in texts],
        "eos": [reading.ended for reading in readings],
    }
    for name, column in COLUMNS.items():
        values = pa.array(column.values(facts)).cast(SCHEMA.field(name).type)
        columns[name] = values.take(rows)
    finals = [
        Final(text.username, text.title, reading.drafts[-1].program.split()) if reading.drafts else None
        for text, reading in zip(texts, readings, strict=True)
    ]
    return pa.table(columns, schema=SCHEMA), finals


def measure_collections(files: Sequence[str], finals: Sequence[Final | None]) -> dict[str, Collection]:
    """The record of each file, in order; `finals` has one entry a text."""
    of: dict[str, list[Final]] = {file: [] for file in files}
    texts = dict.fromkeys(of, 0)
    for file, final in zip(files, finals, strict=True):
        texts[file] += 1
        if final:
            of[file].append(final)
    records: dict[str, Collection] = {}
    for file, programs in of.items():
        records[file] = {"n": texts[file], "n_with_program": len(programs)} | _self_bleus(programs)
        model, _, title = file.partition("_")
        for other in _REFERENCES if model == "all" else ():
            references = of.get(f"{other}_{title}")
            if references and programs:
                scores = bleu.reference_bleu([p.tokens for p in programs], [p.tokens for p in references])
                records[file][f"reference_bleu_vs_{other}"] = bleu.mean(scores)
    return records


def _self_bleus(finals: Sequence[Final]) -> Collection:
    """Self-BLEU of all programs, and of each pair with at least two; None where there are not as many."""
    texts = [final.tokens for final in finals]
    number: dict[tuple[str, str], int] = {}
    pair = np.array([number.setdefault((final.username, final.title), len(number)) for final in finals], np.int64)
    counted = bleu.count(texts)
    pooled = bleu.self_bleu(counted, np.zeros_like(pair))[0] if len(texts) > 1 else None
    each = [
        {"username": username, "title": title, "n": n, "self_bleu": bleu.mean(scores)}
        for (username, title), n, scores in zip(
            number, np.bincount(pair).tolist(), bleu.self_bleu(counted, pair), strict=True
        )
        if n > 1
    ]
    return {
        "tok": sum(map(len, texts)),
        "self_bleu": bleu.mean(pooled) if pooled else None,
        "self_bleu_cum1to4": pooled,
        "self_bleu_per_pair_mean": bleu.mean([entry["self_bleu"] for entry in each]) if each else None,
        "n_pairs": len(each),
        "self_bleu_per_pair": each,
    }


def _numbered(files: Sequence[str], numbers: Sequence[int | None]) -> list[int]:
    """The numbers, and where there are none, a count within the file."""
    seen: dict[str, int] = {}
    counted = []
    for file, number in zip(files, numbers, strict=True):
        counted.append(seen.get(file, 0) if number is None else number)
        seen[file] = counted[-1] + 1
    return counted


def _measure_part(part: Part) -> tuple[pa.Table, list[Final | None]]:
    texts = list(part.texts())
    pieces = [measure_texts(texts[start : start + _AT_ONCE]) for start in range(0, len(texts), _AT_ONCE)]
    tables = [table for table, _ in pieces]
    return pa.concat_tables([SCHEMA.empty_table(), *tables]), [final for _, finals in pieces for final in finals]


def _run(parts: Sequence[Part], workers: int) -> Iterator[tuple[pa.Table, list[Final | None]]]:
    if workers <= 1 or len(parts) <= 1:
        yield from map(_measure_part, parts)
        return
    # spawned, not forked: Arrow's threads don't survive a fork
    with ProcessPoolExecutor(min(workers, len(parts)), mp_context=multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(_measure_part, parts)
