"""What a student wrote, as a model sees it, and what of it came before another trace.

In: a model and a student's traces. Out: `Work`: a key and a value for each charged id of theirs. `before` gives what
may be known of it when a trace begins:

- never the same title's, so never the trace's own;
- where the trace has times: of traces that began before it, what happened before its first state. Traces without
  times count if the model was trained on them;
- where it has none: the traces the model was trained on.

A trace's ending counts as happening with its last state. Keys are read with the student's own vector, the unknown
student's if the model hasn't met them.

Axes in names: K keys, T traces, D the LM's width.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import normalize

from redraft.data.split import TRAIN, Split
from redraft.data.trace import Trace
from redraft.lm.batch import Encoded
from redraft.lm.checkpoint import Model
from redraft.lm.chunkwise import Read, chunkwise
from redraft.lm.codec import Verdicts
from redraft.lm.neural_cache.mixture import Mixing, Past

NEVER = np.iinfo(np.int64).min
"""The time of what has none."""
MOST_KEYS = 8192
"""Keys of a past, at most: the latest."""
READ_TOKENS = 4096
"""Tokens read at once."""


@dataclass(frozen=True, kw_only=True)
class Work:
    """Keys and values of a student's traces, in the order in which these began."""

    keys: Tensor
    """(K, D) hidden states of length 1, float16."""
    values: Tensor
    """(K,) the ids that came next."""
    at: NDArray[np.int64]
    """(K,) when each happened: microseconds since 1970, or `NEVER`."""
    trace: NDArray[np.int32]
    """(K,) which trace each is of."""
    titles: tuple[str, ...]
    """(T,) of each trace."""
    begun: NDArray[np.int64]
    """(T,) when each began; `NEVER` if any of its states has no time."""
    trained: NDArray[np.bool_]
    """(T,) whether the model was trained on it."""

    def before(
        self, title: str, at: datetime | None, mixing: Mixing, *, latest: int | None = None, most: int = MOST_KEYS
    ) -> Past | None:
        """What of this came before a trace; None if nothing did.

        Args:
            title: The trace's.
            at: When it began; None: it has no times.
            mixing: How it is to be mixed in.
            latest: How many traces to know at most, those that began last; None: all.
            most: How many keys.
        """
        other_T = np.array([each != title for each in self.titles], np.bool_)
        timed_T = self.begun != NEVER
        start = NEVER if at is None else _microseconds(at)
        may_T = other_T & np.where(timed_T & (at is not None), self.begun < start, self.trained)
        if latest is not None:
            may_T &= np.cumsum(may_T[::-1])[::-1] <= latest
        early_K = np.full(len(self.at), True) if at is None else (self.at < start)
        which_K = np.flatnonzero(may_T[self.trace] & early_K)[-most:]
        if not len(which_K):
            return None
        chosen = torch.from_numpy(which_K)
        return Past(self.keys[chosen].float(), self.values[chosen], mixing)

    def began(self, title: str) -> datetime | None:
        """When the student began a title; None if never, or nobody knows."""
        times = [int(at) for each, at in zip(self.titles, self.begun, strict=True) if each == title]
        known = [at for at in times if at != NEVER]
        return datetime.fromtimestamp(min(known) / 1e6, UTC) if known else None


def _microseconds(at: datetime) -> int:
    return round(at.timestamp() * 1e6)


@torch.inference_mode()
def works(
    model: Model, traces: Iterable[Trace], split: Split | None, *, verdicts: Verdicts | None = None
) -> dict[str, Work]:
    """The work of each student of some traces.

    Args:
        model: Reads them.
        traces: The students' traces.
        split: Says which of them the model was trained on; None: on none.
        verdicts: What students saw, for models with feedback.
    """
    ordered = sorted(traces, key=lambda trace: (trace.student, _begun(trace), trace.title))
    coded = model.codec.encode_marked(ordered, verdicts=verdicts)
    encoded = [Encoded(one.ids, model.students.row(trace.student)) for trace, one in zip(ordered, coded, strict=True)]

    def read(batch: Read) -> NDArray[np.float16]:
        _, hidden_BLD = model.lm.read(batch.ids, batch.rows, use_cache=False)
        units_BLD = normalize(hidden_BLD.float(), dim=-1).half()
        found: NDArray[np.float16] = units_BLD.movedim(-1, 0).cpu().numpy()
        return found

    hidden = chunkwise(model, encoded, read, batch_tokens=READ_TOKENS)
    of: dict[str, list[int]] = {}
    for number, trace in enumerate(ordered):
        of.setdefault(trace.student, []).append(number)
    part_of = split.of if split else {}
    charged = [model.codec.charged(one.ids) for one in coded]
    times = [np.array([_begun(trace), *_times(trace)], np.int64) for trace in ordered]
    return {
        student: Work(
            keys=torch.from_numpy(np.concatenate([hidden[i][:, charged[i]].T for i in mine])),
            values=torch.cat([torch.tensor(coded[i].ids)[torch.from_numpy(charged[i])] for i in mine]),
            at=np.concatenate([times[i][coded[i].states[charged[i]]] for i in mine]),
            trace=np.concatenate([np.full(charged[i].sum(), n, np.int32) for n, i in enumerate(mine)]),
            titles=tuple(ordered[i].title for i in mine),
            begun=np.array([_begun(ordered[i]) for i in mine], np.int64),
            trained=np.array([part_of.get(ordered[i].pair) == TRAIN for i in mine], np.bool_),
        )
        for student, mine in of.items()
    }


def _times(trace: Trace) -> list[int]:
    """When each state was, or `NEVER` for all if any has no time."""
    times = [state.at for state in trace.states if state.at is not None]
    return [*map(_microseconds, times)] if len(times) == len(trace.states) else [NEVER] * len(trace.states)


def _begun(trace: Trace) -> int:
    return _times(trace)[0]
