"""One tidy row per measurement, the same columns for every study, written as Parquet and CSV.

`value` is None when a statistic is unscored (undefined, or not enough data); `reason` then says why. Nothing else
in the project invents columns: what varies by study goes into `condition`. Files of version 0.1 have no column
`reason`: it stood last in `note`, and is read from there.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from redraft.errors import DatasetError
from redraft.rundir import read_json, write_text
from redraft.rundir.tables import read_table, write_table
from redraft.visible import visible

REMEDY = "Do the study again, or copy the run anew."


@dataclass(frozen=True, kw_only=True)
class Result:
    """One measurement with everything needed to judge it."""

    origin: str
    """Who wrote the data: students, model or simulated."""
    dataset: str
    """The dataset's name."""
    study: str
    """The study that measured it: behaviour, describe ..."""
    model: str | None = None
    """The model (view) measured; None for a property of the data."""
    baseline: str | None = None
    """What the model is compared with, or the baseline measured in its place."""
    condition: dict[str, str] = field(default_factory=dict)
    """What else distinguishes this row: k, seconds added, layer, near_duplicates ..."""
    metric: str
    """The metric's name in the registry."""
    definitions: str = "corrected"
    """Whose definition: corrected, paper or released."""
    level: str
    """What the metric describes: program, trace, pair or collection."""
    statistic: str
    """What was computed: pooled_r, within_r, between_r, mean, mean_difference ..."""
    unit: str = ""
    """Unit of the value."""
    direction: str = ""
    """`higher` or `lower` is better, or empty."""
    split: str | None = None
    """The split the pairs come from."""
    subgroup: str | None = None
    """A subset of the pairs, if not all."""
    n: int
    """Number of units (pairs, unless the note says otherwise)."""
    n_students: int
    """Distinct students among them."""
    n_titles: int
    """Distinct titles among them."""
    unscored: int = 0
    """Units left out because the metric is undefined on them."""
    value: float | None
    """The statistic."""
    low: float | None = None
    """Lower end of the 95% interval."""
    high: float | None = None
    """Upper end of the 95% interval."""
    low_90: float | None = None
    """Lower end of the 90% interval, for two one-sided tests at .05; None in older files."""
    high_90: float | None = None
    """Upper end of the 90% interval."""
    effect_size: float | None = None
    """Standardised effect (d_z for paired means), where one is defined."""
    test: str | None = None
    """The test or resampling scheme behind interval and p."""
    p: float | None = None
    """Two-sided p."""
    p_adjusted: float | None = None
    """p after Holm's correction within the family."""
    family: str | None = None
    """The comparisons corrected together."""
    clusters: str | None = None
    """What was resampled: student+title, student (conditional), title (conditional)."""
    smallest_detectable: float | None = None
    """Effect detectable with 80% power: 2.8 standard errors, more where p is corrected within a family."""
    seed: int | None = None
    """Seed of the resampling."""
    note: str | None = None
    """What to keep in mind."""
    reason: str | None = None
    """Why it is unscored, or has no interval."""

    @property
    def remarks(self) -> str:
        """Note and reason, for a cell; empty without either."""
        return noted(self.note, self.reason) or ""


def noted(*notes: str | None) -> str | None:
    """Several things to keep in mind, as one note; None without any."""
    return "; ".join(note for note in notes if note) or None


UNFINISHED = "not converged: "
"""Begins what notes say of a model whose validation loss still fell when it was stopped."""
HELD = "samples hold a whole program"
"""In every note that says how many do."""


def held_words(whole: int, samples: int) -> str:
    """How many of a model's samples hold a whole program, for a note."""
    return f"{whole:,} of {samples:,} {HELD}"


_ARROW_TYPES = {"int": pa.int64(), "float": pa.float64(), "str": pa.string(), "dict": pa.map_(pa.string(), pa.string())}


def _arrow_type(annotation: str) -> pa.DataType:
    return _ARROW_TYPES[annotation.split(" |")[0].split("[")[0]]


SCHEMA = pa.schema([pa.field(f.name, _arrow_type(str(f.type))) for f in fields(Result)])


def to_table(rows: Iterable[Result]) -> pa.Table:
    """Rows as an Arrow table with `SCHEMA`."""
    listed = [{**asdict(row), "condition": sorted(row.condition.items())} for row in rows]
    return pa.Table.from_pylist(listed, schema=SCHEMA)


def write(rows: Sequence[Result], path: Path) -> None:
    """Write rows to `path` (.parquet) and, for people, beside it as .csv; each atomically."""
    table = to_table(rows)
    write_table(table, path)
    write_text(path.with_suffix(".csv"), to_csv(rows))


_STARTS_A_FORMULA = re.compile(r"\s*[=+\-@＝＋－＠﹢﹣﹦﹫]")


def to_csv(rows: Iterable[Result], columns: Sequence[str] = SCHEMA.names) -> str:
    """Rows as CSV text, numbers at full precision, an empty cell for what is unscored.

    No spreadsheet takes a text for a formula: one that begins like it stands behind an apostrophe. A number stays one,
    negative or not. Control characters are written out, as `redraft.visible` does.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(getattr(row, name)) for name in columns])
    return out.getvalue()


def _cell(value: Any) -> str:
    if isinstance(value, dict):
        value = ";".join(f"{key}={value[key]}" for key in sorted(value))
    if not isinstance(value, str):
        return "" if value is None else str(value)
    shown = visible(value)
    return f"'{shown}" if _STARTS_A_FORMULA.match(value) else shown


OLD_CONDITIONS = {"hand": "voice", "student": "voice"}
"""What version 0.1 called a condition -> today's name."""
OLD_FAMILIES = {"recovery: steering": "recover: voices", "recovery: ": "recover: "}
"""How a family's name began in version 0.1 -> begins today."""
OLD_POINTS = {"whose": "voice"}
"""What version 0.1 called a column of points -> today's name."""


def read(path: Path) -> list[Result]:
    """Rows written by `write`, by this version or an older one."""
    table = read_table(path, remedy=REMEDY)
    try:
        rows = [Result(**_with_new_names(row)) for row in table.to_pylist()]
    except (TypeError, ValueError, KeyError) as error:
        raise DatasetError("holds no rows of results.", where=path, remedy=REMEDY) from error
    return rows if "reason" in table.column_names else [_with_reason(row) for row in rows]


def read_points(path: Path) -> pa.Table:
    """Points that a figure draws, written by this version or an older one."""
    table = read_table(path, remedy=REMEDY)
    return table.rename_columns([OLD_POINTS.get(name, name) for name in table.column_names])


def _with_new_names(row: dict[str, Any]) -> dict[str, Any]:
    condition = {OLD_CONDITIONS.get(key, key): value for key, value in row["condition"] or ()}
    family = row["family"]
    for old, new in OLD_FAMILIES.items():
        if family and family.startswith(old):
            family = new + family.removeprefix(old)
    return {**row, "condition": condition, "family": family}


def _with_reason(row: Result) -> Result:
    """A row of version 0.1, in which the reason stood last in the note, after a semicolon."""
    *kept, last = (row.note or "").split("; ")
    if not last or (row.value is not None and not (row.low is None and last.startswith("no interval"))):
        return row
    return replace(row, note=noted(*kept), reason=last)


def of_study(run: Path, study: str) -> list[Result]:
    """The rows of a run's study; none if it wasn't done. Those of models that hadn't converged say so."""
    file = run / "results" / f"{study}.parquet"
    early = unfinished(run)
    return [_with_training(row, early) for row in read(file)] if file.exists() else []


def unfinished(run: Path) -> frozenset[str]:
    """The views of a run whose models were stopped before the validation loss stopped falling."""
    cards = {file.parent.name: read_json(file, remedy=REMEDY) for file in (run / "models").glob("*/redraft.json")}
    return frozenset(view for view, card in cards.items() if (card.get("training") or {}).get("converged") is False)


def _with_training(row: Result, early: frozenset[str]) -> Result:
    mine = [name for name in (row.model, row.baseline, row.condition.get("against")) if name in early]
    return replace(row, note=noted(row.note, *(f"{UNFINISHED}{name}" for name in dict.fromkeys(mine))))


def early_models(row: Result) -> tuple[str, ...]:
    """The models of a row that hadn't converged, by its note."""
    parts = (row.note or "").split("; ")
    return tuple(part.removeprefix(UNFINISHED) for part in parts if part.startswith(UNFINISHED))
