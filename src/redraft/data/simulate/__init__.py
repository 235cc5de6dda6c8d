"""A class to play with: simulated students whose traits are known, and the logs they leave.

    traits       who the students are, and what that makes them do       truth       the same as a table
    assignments  what they write, each in several plans (assignments/)   slips       what goes wrong in a line
    draft        a program being written                                 process     how a program comes about
    sheet        what assignments prescribe                              observer    what can be told of a student
    classroom    which titles, when                                      log         the server's files

In: a `SimulateConfig`. Out: a folder of access logs, the key for ingesting them, and the truth. A simulated class
validates instruments: what was planted must be found, and nothing else. It is no evidence about students.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from redraft.data.identity import keyed_hash
from redraft.data.simulate.assignments import class_titles, is_free
from redraft.data.simulate.classroom import Manner, Work, works_of
from redraft.data.simulate.log import LogWriter
from redraft.data.simulate.observer import Headroom, Observer, Seen, headroom
from redraft.data.simulate.sheet import Sheet, sheet_of
from redraft.data.simulate.truth import Truth, draw_truth, owner, read_truth, write_truth
from redraft.data.store import SIMULATION_NOTE
from redraft.data.trace import Trace
from redraft.errors import UsageError
from redraft.progress import track
from redraft.rundir import Kind, Output, read_record, sha256_file, write_record, write_text

VERSION = 2
"""Raised whenever the same settings make other logs."""
REMEDY = "Make the class again with `redraft simulate`, elsewhere, or copy it anew."
FREE_TITLES = "free-titles.txt"
"""The file of a class that names its free assignments."""
OBSERVED = 500
"""Students whose choices the observer guesses, at most; so many say enough."""


@dataclass(frozen=True, kw_only=True)
class SimulateConfig:
    """A simulated class."""

    students: int = 480
    """How many students."""
    titles: int = 12
    """How many assignments the class has; each student does some of them. Beyond 24 they come again, numbered."""
    seed: int = 0
    """Seed of the class: the same seed makes the same files."""
    traits: Path | None = None
    """A traits.parquet: take the first students' traits (and hashes) from there instead of drawing them."""
    trait_strength: float = 1.0
    """How much a student differs from the class's mean: 0 not at all, 1 as drawn."""
    redraw_traits: bool = False
    """Draw other traits for each trace, so that nothing persists from one to the next."""
    drafts_tell: float = 0.0
    """Chance that a set assignment ends as its sheet says: the student's own choices then show in the drafts and not in
    the final program. 0: they stay, in every assignment."""

    def truth(self) -> Truth:
        """The class's students.

        Raises:
            UsageError: Impossible settings.
            InputError: The table of traits can't be used.
        """
        problems = [
            text
            for text, wrong in (
                ("There must be at least one student.", self.students < 1),
                ("There must be at least one title.", self.titles < 1),
                ("The trait strength is from 0 to 1.", not 0 <= self.trait_strength <= 1),
                ("How often drafts tell is from 0 to 1.", not 0 <= self.drafts_tell <= 1),
                ("Traits are either given or redrawn, not both.", self.traits is not None and self.redraw_traits),
            )
            if wrong
        ]
        if problems:
            raise UsageError(" ".join(problems))
        if self.traits is not None:
            return read_truth(self.traits, seed=self.seed, count=self.students)
        return draw_truth(self.seed, self.students)

    @property
    def manner(self) -> Manner:
        """How the class works."""
        return Manner(self.titles, self.seed, self.trait_strength, self.redraw_traits, self.drafts_tell)

    def sheet_of(self, title: str) -> Sheet | None:
        """What a set title's sheet prescribes, where anybody heeds it."""
        return sheet_of(self.seed, title) if self.drafts_tell and not is_free(title) else None

    def seen(self, title: str, codes: list[str]) -> Seen:
        """What an observer keeps of a trace."""
        return Seen.of(title, codes, self.sheet_of(title))

    def works(self, truth: Truth) -> Iterator[Work]:
        """Everything the class does, student by student."""
        for number in track(truth.students, "simulate", total=len(truth.students)):
            yield from works_of(truth, number, self.manner)


def simulated_traces(config: SimulateConfig) -> Iterator[Trace]:
    """The class's traces without the detour over logs: what an ingest of them makes, student by student."""
    truth = config.truth()
    for work in config.works(truth):
        yield work.trace(keyed_hash(owner(work.number), truth.key))


def oracle_traces(config: SimulateConfig, *, takes: int = 1) -> Iterator[Trace]:
    """What the best of models would write: the same students do the same titles again, `takes` times (`sample`).

    Scored like a model it shows what there is to be found. An expectation, not a bound: its samples vary as much as
    the students' own traces, and a model that writes the average may come nearer to them.
    """
    truth = config.truth()
    for number in truth.students:
        student = keyed_hash(owner(number), truth.key)
        for take in range(takes):
            for work in works_of(truth, number, config.manner, take=take):
                yield replace(work.trace(student), sample=take, request=f"{number} {work.title}", source="oracle")


def simulate(config: SimulateConfig, out: Path) -> Path:
    """Write a class to folder `out`: logs, `ingest.key`, `traits.parquet`, `free-titles.txt`, `simulation.json`.

    A folder that already holds this class is left as it is.

    Raises:
        DatasetError: `out` holds something else.
        UsageError: Impossible settings.
        InputError: The table of traits can't be used.
    """
    truth = config.truth()
    settings = {"version": VERSION, "origin": "simulated"} | asdict(config)
    settings["traits"] = sha256_file(config.traits) if config.traits else None
    inputs = [config.traits] if config.traits else []
    with Output(out, kind=CLASS, request={"settings": settings}, overwrite=None, inputs=inputs) as output:
        if not output.done:
            _write_class(config, truth, settings, output.folder)
            output.publish()
    return out


def headroom_of(folder: Path) -> dict[str, Headroom]:
    """What there is to be found in a class that `simulate` wrote, by aspect."""
    needs = {"headroom": dict[str, dict[str, Any]]}
    note = read_record(folder / SIMULATION_NOTE, remedy=REMEDY, needs=needs)
    return {name: Headroom(**row) for name, row in note["headroom"].items()}


def _write_class(config: SimulateConfig, truth: Truth, settings: Mapping[str, object], folder: Path) -> None:
    writer = LogWriter(folder, seed=config.seed)
    observed = set(sorted(truth.students)[:OBSERVED])
    seen: dict[int, list[Seen]] = defaultdict(list)
    traces = 0
    for work in config.works(truth):
        writer.add(work)
        traces += 1
        if work.number in observed:
            seen[work.number].append(config.seen(work.title, work.codes))
    lines = writer.finish()
    found = headroom(seen.values(), Observer(config.trait_strength, redraw=config.redraw_traits))
    (folder / "ingest.key").write_bytes(truth.key)
    write_text(folder / FREE_TITLES, "".join(f"{title}\n" for title in class_titles(config.titles) if is_free(title)))
    write_truth(truth, folder / "traits.parquet", redrawn=config.redraw_traits)
    rows = {name: asdict(row) for name, row in found.items()}
    write_record(folder / SIMULATION_NOTE, {"settings": settings, "traces": traces, "lines": lines, "headroom": rows})


def _made_for(folder: Path) -> dict[str, object] | None:
    """The settings of the class that a folder holds; None if it holds none."""
    file = folder / SIMULATION_NOTE
    if not file.is_file():
        return None
    note = read_record(file, remedy=REMEDY)
    return {"settings": note["settings"]} if "settings" in note else None


CLASS = Kind(name="a simulated class", another="another class", made_for=_made_for)
