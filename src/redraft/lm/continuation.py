"""Go on with a trace: the states so far and the time of the next one are given, the model draws the rest.

In: a model, and for each draw which prefix to go on from, in whose voice, and what its student wrote before. Out: the
new states of each draw, in order. The voice may be any student's: their own, another's to steer by, or the unknown
student's. A draw depends on the model, its prefix, voice, past, id and number alone.

A prefix must leave a quarter of the model's context to the model. The oldest states are left out until it does, as few
as that takes; the first one kept then stands as a trace's first would, numbered 1, its program whole, its time in full.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

import numpy as np
from accelerate import PartialState

from redraft.data.trace import State, Trace
from redraft.errors import InputError
from redraft.lm.batch import Encoded
from redraft.lm.bits import bits_with
from redraft.lm.checkpoint import Model
from redraft.lm.codec import EDIT
from redraft.lm.generate import Draft, generate
from redraft.lm.model import UNKNOWN
from redraft.lm.neural_cache.mixture import Past
from redraft.lm.sample import check_sampling
from redraft.lm.settings import SampleConfig

ROOM = 0.25
"""Share of the context that a prefix leaves free, at least."""


READ_TOKENS = 4096
"""Tokens read at once when continuations are scored."""


class Prefix(NamedTuple):
    """What a model goes on from."""

    title: str
    """Of the assignment."""
    ids: list[int]
    """The title, the states kept, the header of the next one, and how its edit begins, if that is given."""
    states: tuple[State, ...]
    """The states kept."""
    dropped: int
    """Older states left out."""


class Continuation(NamedTuple):
    """One draw that is asked for."""

    prefix: Prefix
    voice: str | None
    """The student whose vector goes on; None, or a student the model has not met: the unknown student's."""
    id: str
    """Of the case: with the number and the seed, what its random numbers depend on."""
    number: int = 0
    """Of this draw of the case."""
    past: Past | None = None
    """What the student wrote before, to be mixed into what the model says; None: nothing."""


class Continued(NamedTuple):
    """What was drawn."""

    states: tuple[State, ...]
    """The new ones that are complete; perhaps none."""
    ended: bool
    """Whether the model brought the trace to its end."""
    bad_date: bool
    """Whether a header with an impossible date cut it off."""


class Place(NamedTuple):
    """A place in a program, counted from 0."""

    line: int
    column: int


def prefix_of(
    model: Model, title: str, states: Sequence[State], at: datetime | None, edit_at: Place | None = None
) -> Prefix:
    """The ids of a title, the states so far and the header of the next one.

    Args:
        model: Whose codec and context.
        title: Any title; one the model has not met is text to it like every other.
        states: At least one.
        at: The next state's time; headers hold whole seconds, so what is below one is cut off.
        edit_at: Where in the last program the next edit begins, if it isn't left to the model: what stands before it is
            left as it is, and the model goes on from there.

    Raises:
        InputError: The last state alone is too long for the context.
    """
    most = int((1 - ROOM) * (model.lm.context - 1))
    last = states[-1].code
    begun = [] if edit_at is None else model.codec.edit_at(last, *edit_at)
    length = 0
    for first in range(len(states)):
        kept = states[first:]
        ids = [*model.codec.prefix(title, kept), *model.codec.header(len(kept) + 1, at, kept[-1].at), *begun]
        if len(ids) <= most:
            return Prefix(title, ids, tuple(kept), first)
        length = len(ids)
    raise InputError(
        f"the program takes {length:,} tokens with its title and the next time; this model can look at "
        f"{model.lm.context:,} and needs a quarter of them to go on.",
        remedy="Use a model with a longer context, or a shorter program.",
    )


def go_on(
    model: Model,
    wanted: Sequence[Continuation],
    config: SampleConfig | None = None,
    done: Callable[[float], None] = lambda _: None,
) -> list[Continued]:
    """Draw each continuation, in order.

    Args:
        model: Draws them.
        wanted: What to go on from; `config.per_pair` plays no part, each is drawn once.
        config: Nucleus, temperature, rounds, batch and seed.
        done: Told of each that is finished.

    Raises:
        InputError: Settings that make no sense, or a model that needs feedback.
    """
    config = config or SampleConfig()
    check_sampling(model, config)
    model.lm.to(PartialState().device)
    drafts = [
        Draft(
            student=UNKNOWN if each.voice is None else model.students.row(each.voice),
            ids=list(each.prefix.ids),
            past=each.past,
            stream=(config.seed, each.id, each.number),
        )
        for each in wanted
    ]
    generate(model, drafts, config, done)
    return [_read(model, each.prefix, draft) for each, draft in zip(wanted, drafts, strict=True)]


def _read(model: Model, prefix: Prefix, draft: Draft) -> Continued:
    decoded = model.codec.decode(draft.ids)
    language = prefix.states[-1].language or model.card["language"]
    states = tuple(replace(state, language=language) for state in decoded.states[len(prefix.states) :])
    return Continued(states, decoded.ended, decoded.bad_date)


def edit_bits(model: Model, wanted: Sequence[Continuation], states: Sequence[Sequence[State]]) -> list[list[float]]:
    """What continuations cost the model, read with the vectors they were asked for with: how likely it thinks them.

    Args:
        model: Reads them.
        wanted: Prefix and student of each.
        states: The new states of each.

    Returns:
        For each, the bits of the edits up to and with each new state (-log2 of their probability, what is before
        given); times and endings aren't counted.
    """
    traces = [
        Trace(student="", title=each.prefix.title, states=(*each.prefix.states, *new), source="", ended=False)
        for each, new in zip(wanted, states, strict=True)
    ]
    if not traces:
        return []
    model.lm.to(PartialState().device)
    coded = model.codec.encode_marked(traces)
    rows = [UNKNOWN if each.voice is None else model.students.row(each.voice) for each in wanted]
    encoded = [Encoded(one.ids, row) for one, row in zip(coded, rows, strict=True)]
    costs = bits_with(model, encoded, [each.past for each in wanted], batch_tokens=READ_TOKENS)
    found = []
    for each, one, new, bits_RN in zip(wanted, coded, states, costs, strict=True):
        by_state = np.bincount(one.states, bits_RN[0] * (one.parts == EDIT), minlength=len(each.prefix.states) + 1)
        first = len(each.prefix.states) + 1
        found.append(np.cumsum(by_state[first : first + len(new)]).tolist())
    return found
