"""Views: what of a trace a model gets to see.

In: real traces, and for the downsampled views a function that counts tokens. Out: traces again, in the same order,
with the same keys. A view never makes a trace longer, never changes its final program, and depends on nothing but
the traces and the seed (not on their order).
"""

from __future__ import annotations

import hashlib
import json
from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import compress
from random import Random

import numpy as np
from numpy.typing import NDArray

from redraft.data.trace import State, Trace
from redraft.errors import UsageError, suggestion
from redraft.progress import say

TOLERANCE = 0.001
"""How near a downsampled view's tokens must come to the last view's, as a share of those (paper A.3)."""

Traces = Iterable[Trace] | Callable[[], Iterable[Trace]]
"""Traces that can be gone through more than once: a collection, or a function that begins anew."""


@dataclass(frozen=True, kw_only=True)
class View:
    """A way to look at traces."""

    of: Callable[[Trace, int], Trace | None]
    """What it makes of one trace, given the seed; None leaves the trace out."""
    downsampled: bool = False
    """Whether traces are dropped until its tokens match the last view's."""


def whole(trace: Trace, seed: int) -> Trace:
    """All states."""
    return trace


def last(trace: Trace, seed: int) -> Trace | None:
    """The final state with its time; empty programs are left out (paper A.1)."""
    return replace(trace, states=(trace.final,)) if trace.final.code.strip() else None


def synthetic(trace: Trace, seed: int) -> Trace:
    """The final program written in order, an instruction a step (paper 3.1, corrected).

    Each step adds one line that isn't blank; blank lines come with the line after them, those at the end with the
    last. If that makes more states than the real trace has, the last ones are kept. Times are the last ones of the
    real trace. Steps carry the final state's language and mode.
    """
    lines = trace.final.code.split("\n")
    ends = [i + 1 for i, line in enumerate(lines) if line.strip()][:-1]  # the last step is the final state
    return _rewritten(trace, ["\n".join(lines[:end]) for end in ends[max(len(ends) + 1 - len(trace.states), 0) :]])


def synthetic_complex(trace: Trace, seed: int) -> Trace:
    """Random edits that end in the final program (paper appendix J).

    Built backwards from it: before each step a block of lines was missing or stood there in addition, with even
    odds, anywhere. Blocks are runs of lines, all runs equally likely: of the program for one that was there too
    many, drawn from the final program; for one still missing, from the step itself. It goes on until there are as
    many states as in the real trace, or until nothing is left. Times are the last ones of the real trace.
    """
    random = Random(number_of(trace, seed))
    final = trace.final.code.split("\n")
    lines, steps = final, list[str]()
    while len(steps) < len(trace.states) - 1:
        if random.random() < 0.5:
            start, end = _run(random, len(lines))
            lines = lines[:start] + lines[end:]
        else:
            start, end = _run(random, len(final))
            at = random.randrange(len(lines) + 1)
            lines = lines[:at] + final[start:end] + lines[at:]
        code = "\n".join(lines)
        if not code.strip():
            break
        steps.append(code)
    return _rewritten(trace, steps[::-1])


VIEWS: dict[str, View] = {
    "trace": View(of=whole),
    "last": View(of=last),
    "synthetic": View(of=synthetic),
    "synthetic-complex": View(of=synthetic_complex),
    "trace-downsampled": View(of=whole, downsampled=True),
    "synthetic-downsampled": View(of=synthetic, downsampled=True),
}
"""View name -> view."""


def undropped(name: str) -> str:
    """The view that a downsampled one drops traces of; any other is itself."""
    return next(other for other, view in VIEWS.items() if view.of is VIEWS[name].of)


def apply_view(
    name: str, traces: Traces, *, seed: int, count_tokens: Callable[[Trace], int] | None = None,
    downsample: bool = True,
) -> Iterator[Trace]:  # fmt: skip
    """Look at traces through a view.

    Args:
        name: A key of `VIEWS`.
        traces: The traces, gone through once, or twice for a downsampled view.
        seed: Fixes random edits and the order in which traces are dropped.
        count_tokens: Tokens of a trace, masks and padding not counted; only downsampled views need it.
        downsample: Whether a downsampled view drops traces. What tests a model is all there, so that models trained on
            more and on less are tested alike.

    Raises:
        UsageError: There is no such view.
    """
    if name not in VIEWS:
        raise UsageError(f"unknown view {name!r}.", remedy=suggestion(name, VIEWS))
    view = VIEWS[name]
    seen = (result for trace in _begin(traces) if (result := view.of(trace, seed)) is not None)
    if not view.downsampled or not downsample:
        return seen
    assert count_tokens is not None, f"the view {name} needs count_tokens"
    assert not isinstance(traces, Iterator), f"the view {name} goes through the traces twice"
    tokens, numbers, target = array("q"), array("Q"), 0
    for trace in _begin(traces):
        if (final := last(trace, seed)) is not None:
            target += count_tokens(final)
        if (result := view.of(trace, seed)) is not None:
            tokens.append(count_tokens(result))
            numbers.append(number_of(trace, seed))
    return compress(seen, downsampled(name, np.asarray(tokens), np.asarray(numbers), target).tolist())


def downsampled(
    name: str, tokens_N: NDArray[np.int64], numbers_N: NDArray[np.uint64], target: int
) -> NDArray[np.bool_]:
    """Which of a view's N traces stay: they are dropped in the order of their numbers until tokens match.

    A trace whose loss would go past the target is kept, and the next one tried. Where whole traces can't come
    within `TOLERANCE`, the ratio reached is said.

    Args:
        name: The downsampled view.
        tokens_N: Tokens of each of its traces before any is dropped.
        numbers_N: `number_of` each.
        target: Tokens of the last view.
    """
    total = int(tokens_N.sum())
    keep_N = np.ones(len(tokens_N), np.bool_)
    for i in np.argsort(numbers_N, kind="stable"):
        if total - target <= TOLERANCE * target:
            break
        tokens = int(tokens_N[i])
        if total - tokens - target >= -TOLERANCE * target:
            keep_N[i] = False
            total -= tokens
    if abs(total - target) > TOLERANCE * target:
        say(f"View {name}: {total} tokens, {total / max(target, 1):.4f} of the last view's; no nearer by whole traces.")
    return keep_N


def _begin(traces: Traces) -> Iterable[Trace]:
    """The traces, without samples that hold no whole program: there is nothing to look at."""
    return (trace for trace in (traces() if callable(traces) else traces) if trace.states)


def _rewritten(trace: Trace, steps: list[str]) -> Trace:
    """The trace with `steps` before its final state, at its last times."""
    final = trace.final
    times = [state.at for state in trace.states[len(trace.states) - 1 - len(steps) : -1]]
    states = (
        State(code=code, at=at, language=final.language, mode=final.mode) for code, at in zip(steps, times, strict=True)
    )
    return replace(trace, states=(*states, final))


def _run(random: Random, length: int) -> tuple[int, int]:
    """A run of 1 to `length` lines: start and end, all runs equally likely."""
    start, end = sorted(random.sample(range(length + 1), 2))
    return start, end


def number_of(trace: Trace, seed: int) -> int:
    """64 bits fixed by seed and the trace's key."""
    key = json.dumps([seed, trace.student, trace.title, trace.request, trace.sample])
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest())
