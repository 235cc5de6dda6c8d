"""`redraft ingest FORMAT`: logs in, a dataset out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from redraft.data.ingest import IngestOptions, ingest
from redraft.data.sources.pencilcode import Identity, PencilCode
from redraft.data.sources.progsnap2 import ProgSnap2
from redraft.data.sources.rollouts import Rollouts
from redraft.data.sources.states import Source
from redraft.data.sources.table import Table

app = App(name="ingest", help="Turn logs into a dataset.")

Common = Annotated[IngestOptions, Parameter(name="*")]


@app.command
def pencilcode(
    *paths: Path, out: Path, identity: Identity = "owner", actions: str = "run", options: Common | None = None
) -> None:
    """Read Pencil Code access logs, plain, gzip or zstd.

    Example: redraft ingest pencilcode logs/ --out pencil.dataset --identity owner --actions run,save

    Parameters
    ----------
    paths: Path
        Log files, and folders of them; their order breaks equal times.
    out: Path
        The dataset's folder.
    identity: Identity
        Who a student is: the site's owner, the browser's cookie (uid), or both together.
    actions: str
        The actions that make a state, separated by commas: run, save, load, new, toggle.
    options: IngestOptions
        What every format takes.
    """
    _ingest(PencilCode(paths=paths, identity=identity, actions=_words(actions)), out, options)


@app.command
def rollouts(*files: Path, out: Path, language: str | None = "coffeescript", options: Common | None = None) -> None:
    """Read a trace model's rollouts: JSON lists of [text, student, title], plain, gzip or xz.

    Example: redraft ingest rollouts rollouts/all_*.json.xz --out rollouts.dataset

    Parameters
    ----------
    files: Path
        JSON files, and folders of them; samples are numbered in this order.
    out: Path
        The dataset's folder.
    language: str
        The programs' language, which the format doesn't tell.
    options: IngestOptions
        What every format takes.
    """
    _ingest(Rollouts(paths=files, language=language), out, options)


@app.command
def progsnap2(folder: Path, *, out: Path, events: str = "Submit,Run.Program", options: Common | None = None) -> None:
    """Read a ProgSnap2 folder in the Table layout.

    Example: redraft ingest progsnap2 itap/ --out itap.dataset --events Submit,Run.Program

    Parameters
    ----------
    folder: Path
        The folder that holds MainTable.csv and CodeStates/.
    out: Path
        The dataset's folder.
    events: str
        The event types that make a state, separated by commas.
    options: IngestOptions
        What every format takes.
    """
    _ingest(ProgSnap2(folder=folder, events=_words(events)), out, options)


@app.command
def table(
    file: Path,
    *,
    out: Path,
    student: str,
    title: str,
    code: str,
    time: str | None = None,
    order: str | None = None,
    language: str | None = None,
    options: Common | None = None,
) -> None:
    """Read any CSV or Parquet file with a row a draft.

    Example: redraft ingest table drafts.csv --out drafts.dataset --student id --title task --code text --time when

    Parameters
    ----------
    file: Path
        CSV with a header, or Parquet.
    out: Path
        The dataset's folder.
    student: str
        The column of student ids.
    title: str
        The column of titles: what was to be written.
    code: str
        The column of programs.
    time: str
        The column of times (ISO 8601; without a zone UTC). Without it metrics of time are unscored.
    order: str
        The column of numbers that order a trace; without it the times do, or the rows as they stand.
    language: str
        The language of all programs.
    options: IngestOptions
        What every format takes.
    """
    source = Table(path=file, student=student, title=title, code=code, time=time, order=order, language=language)
    _ingest(source, out, options)


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _ingest(source: Source, out: Path, options: IngestOptions | None) -> None:
    dataset = ingest(source, out, options)
    m = dataset.manifest
    counts = f"{m.traces:,} traces of {m.states:,} states, {m.students:,} students, {m.titles:,} titles"
    print(f"{out}: {counts}; origin: {m.origin}")  # noqa: T201
