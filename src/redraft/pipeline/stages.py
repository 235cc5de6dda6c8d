"""Stages, each done once for its settings, one after the other or side by side.

In: a run's folder; stages with the settings they depend on. Out: `stages.json` in the folder says what is done and how
long it took, and what it left. A stage cut short, or whose outputs are gone or changed, is run again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

from redraft.lm.machine import be_a_worker
from redraft.progress import hush, say
from redraft.rundir import RunDir


class Stages:
    """Runs each named stage once, and prints how long it took."""

    def __init__(self, folder: Path) -> None:
        self.run = RunDir(folder)
        self._anew = False
        """Whether a stage was run again and left something else than before: then all after it is made anew, too."""
        self.started = time.perf_counter()

    def __call__(self, name: str, wanted: Mapping[str, Any], do: Callable[[], object], *outputs: Path) -> None:
        """Run `do` unless it was done before for the same settings, and its outputs are still as it left them."""
        self.side_by_side({name: Stage(wanted, do, outputs)}, workers=1)

    def side_by_side(self, stages: Mapping[str, Stage], *, workers: int) -> None:
        """Run stages that don't depend on each other, several at once, each in a process of its own if so.

        Small models gain little from a second core each; two models on a core each gain all of it.
        """
        todo = {}
        for name, stage in stages.items():
            if not self._anew and self.run.is_done(name, stage.wanted, stage.outputs):
                say(f"{name:<20}{'done before':>12}")
                continue
            if self.run.was_done(name, stage.wanted):
                why = "what it came from was made anew" if self._anew else "what it left is gone or changed"
                say(f"{name}: {why}; it is run again.")
                self.run.clear(stage.outputs)
            todo[name] = stage
        if workers == 1 or len(todo) < 2:
            for name, stage in todo.items():
                self._done(name, stage, _timed(stage.do))
            return
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=be_a_worker) as pool:
            first = next(iter(todo))  # two bars at once would overwrite each other: the first, the longest, is drawn
            running = {pool.submit(_timed, todo[name].do, quiet=name != first): name for name in todo}
            for future in as_completed(running):
                name = running[future]
                self._done(name, todo[name], future.result())

    def _done(self, name: str, stage: Stage, seconds: float) -> None:
        before = self.run.stages[name].get("outputs") if self.run.was_done(name, stage.wanted) else None
        self.run.finish(name, stage.wanted, seconds, stage.outputs)
        self._anew |= before is not None and before != self.run.stages[name]["outputs"]
        say(f"{name:<20}{seconds:>10.1f} s")


class Stage(NamedTuple):
    """A stage still to be run."""

    wanted: Mapping[str, Any]
    """The settings it is done for."""
    do: Callable[[], object]
    """What it does; can be sent to another process where stages run side by side."""
    outputs: tuple[Path, ...] = ()
    """What it leaves, files or folders; if any of it is gone or changed, the stage is run again."""


def _timed(do: Callable[[], object], quiet: bool = False) -> float:
    if quiet:
        hush()
    started = time.perf_counter()
    do()
    return time.perf_counter() - started
