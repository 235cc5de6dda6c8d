"""Guess what comes next in a draft: it goes on as it did where its last tokens stood before, or as others did.

In: a draft's ids as they grow. Out: guesses. Traces repeat themselves: a state is mostly the one before it; and one
another: dates, headers, the language. Guesses are checked against draws from the model and change no sample, only how
many tokens a step of the model is good for. How many are made follows from how often they were right lately: edits
(codec `diff`) repeat the state before much less than whole states do.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

LENGTHS = {3: 6, 2: 4}
"""Last tokens that stood together before in the draft -> guesses at once, at most; the longest such run counts."""
OTHERS_KIND = 0
"""The kind of guess from what followed in other drafts; the other kinds go by their `LENGTHS`."""
OTHERS = 2
"""Guesses at once from what followed the last two tokens in other drafts."""
MOST_PAIRS = 1 << 18
"""Pairs of tokens remembered, at most."""

COST = 0.15
"""What a guess costs, as a share of a step for one draft: one less likely to be reached and right isn't made."""
FORGET = 0.05
"""Weight of the newest guess in how often guesses are right."""


class Memory:
    """What is known of all drafts: what follows pairs of tokens, and how often each kind of guess was right."""

    def __init__(self) -> None:
        self.pairs: dict[tuple[int, int], int] = {}
        self._right = dict.fromkeys((*LENGTHS, OTHERS_KIND), 0.8)

    def worth(self, kind: int, longest: int) -> int:
        """How many guesses of a kind are worth their cost."""
        right = self._right[kind]
        if right < COST:
            self._right[kind] += FORGET * COST / 2  # so that it is tried again, after forty refusals at most
            return 0
        return min(longest, int(math.log(COST) / math.log(min(right, 0.99))))

    def learn(self, kind: int, right: int, guessed: int) -> None:
        """Of `guessed` guesses the first `right` were right, and what came after the first wrong one was in vain."""
        for hit in range(min(right + 1, guessed)):
            self._right[kind] += FORGET * ((hit < right) - self._right[kind])


class Copies:
    """Where each run of ids last stood in a draft, and what follows pairs in all drafts.

    Args:
        ids: The draft's, a list that grows.
        memory: What is known of all drafts; more is learned here.
    """

    def __init__(self, ids: Sequence[int], memory: Memory) -> None:
        self._ids, self._memory = ids, memory
        self._after: dict[tuple[int, ...], int] = {}
        self._before: dict[int, int | None] = {}
        self._seen = max(LENGTHS) - 1
        self._kind = OTHERS_KIND

    def guess(self, limit: int) -> list[int]:
        """What may come next, `limit` ids at most."""
        if limit < 1:
            return []
        self._catch_up()
        for match, longest in LENGTHS.items():
            before = self._before.get(match)
            if before is not None:
                self._kind = match
                n = min(limit, self._memory.worth(match, longest))
                since = list(self._ids[before : before + n])
                return (since * (1 + n // max(len(since), 1)))[:n]  # a run shorter than that goes round
        self._kind = OTHERS_KIND
        return self._as_others(min(limit, self._memory.worth(OTHERS_KIND, OTHERS)))

    def learn(self, right: int, guessed: int) -> None:
        """How many of the last guesses were right, from the first on."""
        self._memory.learn(self._kind, right, guessed)

    def _catch_up(self) -> None:
        """Learn from the ids that are new."""
        ids, pairs = self._ids, self._memory.pairs
        for end in range(self._seen + 1, len(ids) + 1):
            for match in LENGTHS:
                run = tuple(ids[end - match : end])
                self._before[match] = self._after.get(run)
                self._after[run] = end
            pair = ids[end - 3], ids[end - 2]
            if len(pairs) < MOST_PAIRS or pair in pairs:
                pairs[pair] = ids[end - 1]
        self._seen = max(self._seen, len(ids))

    def _as_others(self, n: int) -> list[int]:
        last, pairs = list(self._ids[-2:]), self._memory.pairs
        while len(last) < 2 + n and len(last) > 1 and (token := pairs.get((last[-2], last[-1]))) is not None:
            last.append(token)
        return last[2:]
