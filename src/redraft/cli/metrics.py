"""`redraft metrics`: a row per trace."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter, validators

from redraft.progress import say

if TYPE_CHECKING:
    from pyarrow import Table

Positive = Annotated[int, Parameter(validator=validators.Number(gte=1))]


def metrics(
    dataset: Path,
    *,
    out: Path,
    definitions: Literal["corrected", "released"] = "corrected",
    rule: Literal["corrected", "paper", "released", "tests"] = "corrected",
    workers: Positive = 2,
    language: str | None = None,
) -> None:
    """Measure every trace of a dataset: one row per trace, one column per metric.

    With `--definitions released` the columns, their names and their values to the last bit are those of the paper's
    released code, whose definitions differ (docs/metrics.md). Beside OUT comes OUT with the ending .json: for each
    rollout file (or source of traces) Self-BLEU of all its final programs (self_bleu, and self_bleu_cum1to4 by order),
    its mean over pairs (self_bleu_per_pair_mean) and that of each pair (self_bleu_per_pair), and BLEU of all_TITLE
    against last_TITLE and synthetic_TITLE. Rows are in the order of the input: for a dataset of rollouts in that of the
    files and their records, those without a program included, the username being the student's keyed hash; for rollout
    files the same, with the usernames that stand in them.

    Example: redraft metrics class/dataset --out class/metrics.parquet
    Example: redraft metrics rollouts/ --definitions released --out released.parquet

    Args:
        dataset: The dataset's folder. With `--definitions released` also a file of rollouts, or a folder of such files.
        out: The Parquet file to write.
        definitions: Of the metrics: the corrected ones, or those of the paper's released code.
        rule: By which programs count as running: the --rule that `redraft execute` judged the dataset by. The released
            definitions don't ask.
        workers: Processes to use.
        language: Read programs whose language isn't recorded as this one (coffeescript, javascript, python, java).
            The released definitions know no languages.
    """
    from redraft.errors import UsageError, suggestion
    from redraft.metrics.languages import PROFILES
    from redraft.rundir.tables import write_table

    if language is not None and language not in PROFILES:
        raise UsageError(f"unknown language {language!r}.", where="--language", remedy=suggestion(language, PROFILES))
    table = _MEASURE[definitions](dataset, out, workers, language, rule)
    write_table(table, out)
    say(f"{out}: {table.num_rows:,} traces, {table.num_columns} columns")


def _corrected(dataset: Path, out: Path, workers: int, language: str | None, rule: str) -> Table:
    from redraft.data.store import open_dataset
    from redraft.metrics.measure import measure

    return measure(open_dataset(dataset), workers=workers, language=language, rule=rule)


def _released(dataset: Path, out: Path, workers: int, language: str | None, rule: str) -> Table:
    from redraft.data.store import MANIFEST, open_dataset
    from redraft.errors import UsageError
    from redraft.metrics.released.table import measure_released
    from redraft.rundir import write_json

    beside = out.with_suffix(".json")
    if beside == out:
        raise UsageError("a Parquet file's name can't end in .json.", where="--out", remedy=f"Take {out.stem}.parquet.")
    if language is not None:
        raise UsageError("the released definitions know no languages.", where="--language", remedy="Leave it out.")
    is_dataset = (dataset / MANIFEST).exists() or not dataset.exists()
    measured = measure_released(open_dataset(dataset) if is_dataset else dataset, workers=workers)
    write_json(beside, measured.collections)
    say(f"{beside}: {len(measured.collections):,} collections")
    return measured.table


_MEASURE = {"corrected": _corrected, "released": _released}
