"""Who does most and who does least of something, and on which titles that is tried.

In: a run, its model, targets. Out: `Chosen`: for each target the students at both ends, how much they do of it, and the
titles. Only training traces are looked at, each less its title's mean, so that nobody stands out by what they were
asked to write.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from redraft.data.split import NEVER_ASSIGNMENTS, TRAIN
from redraft.data.trace import Pair
from redraft.lm.checkpoint import Model
from redraft.progress import track
from redraft.rundir import sha256_json
from redraft.studies.common import limits
from redraft.studies.common.run import Run
from redraft.studies.steer.settings import SteerConfig
from redraft.studies.steer.targets import Target, amounts

Floats = NDArray[np.float64]
EACH_SIDE = 4
"""No more than this fraction (1 / 4) of those with enough traces are taken a side."""
FEWEST = 3
"""Students a side without which a target isn't tried."""


@dataclass(frozen=True, kw_only=True)
class Ends:
    """The students at both ends of a target."""

    most: tuple[str, ...] = ()
    least: tuple[str, ...] = ()
    done: tuple[float, float] = (np.nan, np.nan)
    """Mean over the students who do most, and over those who do least, of what their training traces hold."""
    note: str | None = None
    """How they were chosen."""
    reason: str | None = None
    """Why nobody was."""


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """Whose vectors write, and on what."""

    ends: Mapping[str, Ends]
    """By target."""
    titles: tuple[str, ...]
    language: str | None
    """The commonest one of the training traces: that of generated programs, which record none."""

    @property
    def students(self) -> list[str]:
        """Everyone at an end of a target, sorted."""
        return sorted({student for ends in self.ends.values() for student in (*ends.most, *ends.least)})


def choose(run: Run, model: Model, targets: Sequence[Target], config: SteerConfig) -> Chosen:
    """Read the training traces of the pool's students once, and pick the ends."""

    def order(name: str) -> str:
        return sha256_json([config.seed, name])

    trained = Counter(pair.student for pair, place in run.split.of.items() if place == TRAIN)
    known = [student for student in trained if student in model.students]
    # of very many students most have a trace or two, which show little
    pool = set(sorted(known, key=lambda student: (trained[student] < config.traces, order(student)))[: config.pool])
    pairs, held, languages = [], [], Counter[str]()
    for trace in track(run.dataset.traces(), "reading traces", len(run.dataset)):
        if trace.student in pool and run.split.of.get(trace.pair) == TRAIN:
            pairs.append(trace.pair)
            held.append(amounts(trace, targets))
            languages.update([trace.final.language] if trace.final.language else [])
    titles = sorted({pair.title for pair in pairs} - NEVER_ASSIGNMENTS, key=order)[: config.titles]
    held_NK = np.array(held).reshape(len(pairs), len(targets))
    return Chosen(
        ends={target.name: _ends(pairs, held_NK[:, k], config) for k, target in enumerate(targets)},
        titles=tuple(sorted(titles)),
        language=max(languages, key=lambda name: languages[name], default=None),
    )


def _ends(pairs: Sequence[Pair], held_N: Floats, config: SteerConfig) -> Ends:
    """The students at both ends of one target."""
    scored = [(pair, float(amount)) for pair, amount in zip(pairs, held_N, strict=True) if np.isfinite(amount)]
    by_title, by_student = defaultdict(list), defaultdict(list)
    for pair, amount in scored:
        by_title[pair.title].append(amount)
    usual = {title: float(np.mean(values)) for title, values in by_title.items()}
    for pair, amount in scored:
        by_student[pair.student].append((amount - usual[pair.title], amount))
    counts = {student: len(values) for student, values in by_student.items()}
    able = limits.choose(counts, config.traces, len(pairs), EACH_SIDE * config.students, floor=min(2, config.traces))
    size = min(config.students, len(able.students) // EACH_SIDE)
    limit = able.note(config.traces, "training traces")
    note = f"{size} students a side, of {len(able.students)}" + (f", with {limit}" if limit else "")
    if size < FEWEST:
        return Ends(note=note, reason="too few students have traces enough that show it")
    level = {student: float(np.mean([above for above, _ in by_student[student]])) for student in able.students}
    ranked = sorted(able.students, key=lambda student: (level[student], sha256_json([config.seed, student])))
    least, most = ranked[:size], ranked[-size:]
    if level[least[-1]] >= level[most[0]]:
        return Ends(note=note, reason="too few students stand out in it")
    done = [float(np.mean([amount for student in side for _, amount in by_student[student]])) for side in (most, least)]
    return Ends(most=tuple(most), least=tuple(least), done=(done[0], done[1]), note=note)
