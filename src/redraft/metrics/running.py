"""Metrics of whether programs run, do what was asked for, and compile: their declarations.

In: the facts of a trace. Out: `running`, which `metrics.registry` lists. A draft is successful if the platform's grade
is the full one. Without a grade it is successful if tests passed it (`redraft execute --tests`, or a platform's verdict
on tests or on a run). An engine that only says whether a program runs says nothing of success.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

from redraft.metrics import compile_errors
from redraft.metrics.behaviour import TraceFacts
from redraft.metrics.metric import Group, Metric, Need, Place

_JUDGED = "appendix D (corrected)"
_FULL = "the full grade, or without a grade a verdict `ok` of tests or of the platform"


def mean_of_all(values: Sequence[float | None]) -> float | None:
    """The mean; None unless all are known."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if len(known) == len(values) else None


def running() -> Iterator[Metric]:
    """All of them."""
    yield from _running()
    yield from _success()
    yield from _compiling()


def _next_runs(facts: TraceFacts, *, after: bool) -> float | None:
    """Of the programs that run (or don't), the share whose next one runs."""
    found = [later for earlier, later in pairwise(facts.runs) if earlier is after]
    return mean_of_all(found) if found else None


def _broken(facts: TraceFacts) -> float | None:
    going = _next_runs(facts, after=True)
    return None if going is None else 1 - going


def _running() -> Iterator[Metric]:
    yield Metric(
        name="runs_final", label="runs", part="final program", group=Group.RUNNING, level="program", unit="1 or 0",
        source=_JUDGED, needs=("verdict",), shown={Place.FINAL_PROGRAMS: 8, Place.LEVELS: 4},
        definition="Whether the final program runs (verdict `ok`).", compute=lambda f: mean_of_all(f.runs[-1:]),
    )  # fmt: skip
    yield Metric(
        name="runs_mean", label="runs", part="share of programs", group=Group.RUNNING, level="trace",
        unit="share of programs", source=_JUDGED, needs=("verdict",), shown={Place.LEVELS: 5},
        definition="Share of the trace's programs that run; unscored unless each has a verdict.",
        compute=lambda f: mean_of_all(f.runs),
    )  # fmt: skip
    yield Metric(
        name="mended", label="failing programs mended", group=Group.RUNNING, level="trace",
        unit="share of failing programs", source="-", needs=("verdict",), shown={Place.LEVELS: 6},
        definition="Of the programs that fail, not counting the final one, the share whose next one runs; unscored if "
        "none fails, or a next one has no verdict.",
        compute=lambda f: _next_runs(f, after=False),
    )  # fmt: skip
    yield Metric(
        name="broken", label="running programs broken", group=Group.RUNNING, level="trace",
        unit="share of running programs", source="-", needs=("verdict",), shown={Place.LEVELS: 7},
        definition="Of the programs that run, not counting the final one, the share whose next one fails; unscored if "
        "none runs, or a next one has no verdict.",
        compute=_broken,
    )  # fmt: skip


def _first(facts: TraceFacts) -> int | None:
    """The place of the first successful draft; None if there is none, or one before it may be."""
    for place, success in enumerate(facts.successes):
        if success is None:
            return None
        if success:
            return place
    return None


def _attempts_to_success(facts: TraceFacts) -> float | None:
    place = _first(facts)
    return None if place is None else place + 1


def _seconds_to_success(facts: TraceFacts) -> float | None:
    place = _first(facts)
    return None if place is None or facts.gaps is None else sum(facts.gaps[:place])


def _success() -> Iterator[Metric]:
    needs: tuple[Need, ...] = ("score",)
    yield Metric(
        name="success_final", label="success", part="final program", group=Group.SUCCESS, level="program",
        unit="1 or 0", direction="higher", source="-", needs=needs, shown={Place.LEVELS: 13},
        definition=f"Whether the final program is successful: {_FULL}.",
        compute=lambda f: mean_of_all(f.successes[-1:]),
    )  # fmt: skip
    yield Metric(
        name="success_first", label="success", part="first program", group=Group.SUCCESS, level="trace",
        unit="1 or 0", direction="higher", source="-", needs=needs, shown={Place.LEVELS: 14},
        definition=f"Whether the first program is successful: {_FULL}.",
        compute=lambda f: mean_of_all(f.successes[:1]),
    )  # fmt: skip
    yield Metric(
        name="success_share", label="success", part="share of programs", group=Group.SUCCESS, level="trace",
        unit="share of programs", direction="higher", source="-", needs=needs, shown={Place.LEVELS: 15},
        definition="Share of the trace's programs that are successful; unscored unless it is known of each.",
        compute=lambda f: mean_of_all(f.successes),
    )  # fmt: skip
    yield Metric(
        name="attempts_to_success", label="attempts to success", group=Group.SUCCESS, level="trace", unit="states",
        direction="lower", source="-", needs=needs, shown={Place.LEVELS: 16},
        definition="States up to and with the first successful one; unscored without one, so to be read beside "
        "`success_share`.",
        compute=_attempts_to_success,
    )  # fmt: skip
    yield Metric(
        name="seconds_to_success", label="seconds to success", group=Group.SUCCESS, level="trace", unit="s",
        direction="lower", source="-", needs=(*needs, "time"), shown={Place.LEVELS: 17},
        definition="Seconds from the first state to the first successful one; unscored without one. Breaks count.",
        compute=_seconds_to_success,
    )  # fmt: skip


def _errors(
    name: str, label: str, unit: str, source: str, definition: str, compute: Callable[[TraceFacts], float | None],
    needs: tuple[Need, ...] = ("verdict",),
) -> Metric:  # fmt: skip
    return Metric(
        name=name, label=label, group=Group.RUNNING, level="trace", unit=unit, direction="lower", source=source,
        needs=needs, definition=definition, compute=compute,
    )  # fmt: skip


def _compiling() -> Iterator[Metric]:
    yield _errors(
        "error_quotient", "Error Quotient", "0 to 1", "Jadud, ICER 2006",
        "Mean over pairs of consecutive programs of (8 if neither compiles, 3 more if both errors are of one type) / "
        "11. An error's type is its message without names and numbers. Unscored for one program, or where it isn't "
        "known whether each compiles and why not.",
        lambda f: compile_errors.error_quotient(f.compiled),
    )  # fmt: skip
    yield _errors(
        "repeated_error_density", "Repeated Error Density", "0 or more", "Becker, ITiCSE 2016",
        "Sum of r² / (r + 1) over the longest runs of r + 1 programs whose compile errors are of one type; 0 if no "
        "error is repeated.",
        lambda f: compile_errors.repeated_error_density(f.compiled),
    )  # fmt: skip
    yield _errors(
        "watwin", "Watwin", "0 to 1", "Watson, Li and Godwin, ICALT 2013",
        "Mean over programs that don't compile and their next ones of (4 for the same message, 4 for the same type, 2 "
        "for the same line; 1, 15 or 25 as the time between them is more than a standard deviation below the mean of "
        "all pairs of that type in the dataset, near it, or above) / 35. Pairs that differ in comments alone, or by "
        "deleting or commenting out alone, don't count. 0 if none is left, unscored for one program.",
        lambda f: compile_errors.watwin(f.compiled, f.mendings, f.usual), ("verdict", "time"),
    )  # fmt: skip
