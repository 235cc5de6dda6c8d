"""A teacher's programs: the drafts of one assignment, from files or from a dataset.

In: one or several files in order, a folder of them (in order of name), or a dataset with the student and the title.
Out: states, and what a dataset says besides: the student's own other programs, and what others wrote. Files have no
times of their own: the last draft's is taken to be the file's (or the one given), those before it a minute apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path

from redraft.data.languages import COFFEESCRIPT, language_of
from redraft.data.store import MANIFEST, Dataset, open_dataset
from redraft.data.trace import Pair, State, Trace
from redraft.errors import InputError, UsageError
from redraft.progress import track
from redraft.studies.recover.baselines import Written
from redraft.studies.recover.evidence import Drawn
from redraft.studies.recover.settings import RecoverConfig

APART = timedelta(minutes=1)


@dataclass(frozen=True, kw_only=True)
class Around:
    """What is known besides the drafts."""

    own: Sequence[str] = ()
    """The student's final programs on other titles, run before the last draft."""
    reference: Sequence[str] = ()
    """Programs that say how much style varies."""
    programs: Mapping[str, Sequence[Written]] = field(default_factory=dict)
    """Title -> what other students wrote."""


def read_files(files: Sequence[Path], *, language: str | None = None, at: datetime | None = None) -> tuple[State, ...]:
    """The drafts in files, in order; of consecutive equal ones the last.

    Args:
        files: Files, or one folder of them.
        language: Of all of them; None: by the files' endings, which say CoffeeScript if they say nothing.
        at: When the last was run; None: when its file was changed.

    Raises:
        InputError: A file can't be read as text, or there is none.
    """
    if len(files) == 1 and files[0].is_dir():
        files = sorted(file for file in files[0].iterdir() if file.is_file() and not file.name.startswith("."))
    if not files:
        raise InputError("there are no drafts.", remedy="Name files with programs, the oldest first.")
    texts = [_text(file) for file in files]
    kept = [max(group) for _, group in groupby(range(len(files)), key=lambda i: texts[i])]
    last = (at or datetime.fromtimestamp(files[-1].stat().st_mtime, UTC)).replace(microsecond=0)
    return tuple(
        State(
            code=texts[i],
            at=last - APART * (len(kept) - n),
            language=language or language_of(files[i]) or COFFEESCRIPT,
        )
        for n, i in enumerate(kept, 1)
    )


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8").rstrip()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("can't be read as a program.", where=file, remedy="Give UTF-8 text files.") from error


def read_trace(dataset: Dataset, student: str, title: str, state: int | None = None) -> tuple[State, ...]:
    """The states of a student's trace on a title, up to number `state` (from 1; None: the last).

    Raises:
        InputError: There is no such trace or state.
    """
    titles = set()
    for trace in dataset.traces():
        if trace.pair == (student, title):
            if state is not None and not 1 <= state <= len(trace.states):
                raise InputError(f"the trace has {len(trace.states)} states, and no state {state}.", where="--state")
            return trace.states[:state]
        if trace.student == student:
            titles.add(trace.title)
    known = f"Theirs are on {len(titles):,} others." if titles else "Name a student of the dataset (a keyed hash)."
    what = f"no trace of this student on the title {title!r}" if titles else f"no trace of the student {student!r}"
    raise InputError(f"has {what}.", where=dataset.path, remedy=known)


def look_around(dataset: Dataset, pair: Pair, states: Sequence[State]) -> Around:
    """What a dataset tells of the student's style, and what others wrote on the title; the last draft's language only.

    Nothing that the student did on this title, or after the last draft, is among it.
    """
    last, config = states[-1], RecoverConfig()
    finals, programs = Drawn[str](config.style_programs, 0), Drawn[Written](config.neighbours, 0)
    own = []
    for trace in track(dataset.traces(), "reading traces", len(dataset)):
        if trace.final.language != last.language or trace.pair == pair:
            continue
        if trace.student != pair.student:
            finals.show(trace.final.code, *trace.pair, trace.sample)
            if trace.title == pair.title:
                for each in dict.fromkeys(Written(trace.student, s.code, s.language) for s in trace.states):
                    programs.show(each, each.student, each.code)
        elif _before(trace, last):
            own.append(trace.final.code)
    return Around(own=own, reference=list(finals), programs={pair.title: list(programs)})


def _before(trace: Trace, last: State) -> bool:
    return trace.final.at is not None and last.at is not None and trace.final.at < last.at


def open_drafts(
    given: Sequence[Path], *, student: str, title: str, dataset: Path | None = None, state: int | None = None,
    language: str | None = None, at: datetime | None = None,
) -> tuple[tuple[State, ...], Around]:  # fmt: skip
    """The drafts a command was given, with what is known besides.

    Raises:
        UsageError: Options that go with the other kind of drafts.
        InputError: They can't be read.
    """
    row = len(given) == 1 and (given[0] / MANIFEST).exists()
    if row and (language is not None or at is not None or dataset is not None):
        raise UsageError("--language, --at and --dataset go with files.", remedy="A dataset's trace has its own.")
    if not row and state is not None:
        raise UsageError("--state goes with a dataset's trace.", remedy="Give only the files up to that draft.")
    folder = given[0] if row else dataset
    source = open_dataset(folder) if folder else None
    if row and source is not None:
        states = read_trace(source, student, title, state)
    else:
        states = read_files(given, language=language, at=at)
    return states, Around() if source is None else look_around(source, Pair(student, title), states)
