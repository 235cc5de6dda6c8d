"""Controls by shuffling: whose is exchanged for whose, with nobody left in place.

In: students and what they are matched on; or the groups of rows. Out: another student for each; or for each row the
row that it gets its target or its features from.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np

from redraft.metrics.folds import Codes


class Derangement(NamedTuple):
    """Another one for each."""

    of: dict[str, str]
    unmatched: int
    """How many had to be exchanged with one who differs in what they are matched on."""


def derange(items: Sequence[str], traits: Sequence[Sequence[Hashable]], rng: np.random.Generator) -> Derangement:
    """Exchange items so that each gets another of equal traits: in one random circle for each combination.

    One that is alone with its traits is matched without the last trait, then without the last two ... A lone item has
    no other and is left in place.

    Args:
        items: Distinct.
        traits: What each is matched on, the most important first; of equal length.
        rng: Draws the circles.
    """
    of: dict[str, str] = {}
    waiting = list(range(len(items)))
    unmatched, most = 0, max((len(own) for own in traits), default=0)
    for kept in range(most, -1, -1):
        groups: dict[tuple[Hashable, ...], list[int]] = {}
        for index in waiting:
            groups.setdefault(tuple(traits[index][:kept]), []).append(index)
        waiting = [index for group in groups.values() if len(group) == 1 for index in group]
        for group in groups.values():
            if len(group) > 1:
                circle = [items[group[i]] for i in rng.permutation(len(group))]
                of.update(zip(circle, [*circle[1:], circle[0]], strict=True))
                unmatched += len(group) * (kept < most)
    for index in waiting:  # one is left over at most
        others = [item for item in items if item != items[index]]
        of[items[index]] = others[int(rng.integers(len(others)))] if others else items[index]
        unmatched += most > 0
    return Derangement(of, unmatched)


def exchange_groups(groups: Codes, rng: np.random.Generator) -> Codes:
    """For each row (N,) the row it gets its target from, when whole groups exchange theirs at random.

    A group's rows get another's in order; where that has more or fewer, spread evenly over it, so that targets that
    are constant within a group stay so.
    """
    order = np.argsort(groups, kind="stable")
    present, starts, sizes = np.unique(groups[order], return_index=True, return_counts=True)
    given = rng.permutation(len(present))
    which = np.repeat(np.arange(len(present)), sizes)
    place = np.arange(len(groups)) - starts[which]
    taken = starts[given[which]] + place * sizes[given[which]] // sizes[which]
    source = np.empty(len(groups), np.int64)
    source[order] = order[taken]
    return source


def exchange_rows(groups: Codes, sides: Codes, rng: np.random.Generator) -> Codes:
    """For each row (N,) a random row of another group on the same side, each row given once.

    Where one group has more than half of a side's rows some must stay within it.
    """
    source = np.arange(len(groups))
    for side in np.unique(sides):
        rows = np.flatnonzero(sides == side)
        taken = rng.permutation(rows)
        for _ in range(100):
            clash = np.flatnonzero(groups[taken] == groups[rows])
            if not len(clash) or len(rows) < 2:
                break
            partners = rng.integers(len(rows), size=len(clash))
            for here, there in zip(clash, partners, strict=True):
                taken[here], taken[there] = taken[there], taken[here]
        source[rows] = taken
    return source
