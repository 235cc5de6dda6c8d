"""Guess what comes next in a draft: it goes on as it did where its last tokens stood before, or as others did.

In: a draft's ids as they grow. Out: guesses. Traces repeat themselves: a state is mostly the one before it; and one
another: dates, headers, the language. Guesses are checked against draws from the model and change no sample, only how
many tokens a step of the model is good for.
"""

from __future__ import annotations

from collections.abc import Sequence

LENGTHS = {3: 6, 2: 4}
"""Last tokens that stood together before in the draft -> guesses at once, at most; the longest such run counts."""
OTHERS = 2
"""Guesses at once from what followed the last two tokens in other drafts."""
MOST_PAIRS = 1 << 18
"""Pairs of tokens remembered, at most."""

Pairs = dict[tuple[int, int], int]
"""Two tokens -> what followed them last, in any draft."""


class Copies:
    """Where each run of ids last stood in a draft, and what follows pairs in all drafts.

    Args:
        ids: The draft's, a list that grows.
        pairs: What is known of all drafts; more is learned here.
    """

    def __init__(self, ids: Sequence[int], pairs: Pairs) -> None:
        self._ids, self._pairs = ids, pairs
        self._after: dict[tuple[int, ...], int] = {}
        self._before: dict[int, int | None] = {}
        self._seen = max(LENGTHS) - 1

    def guess(self, limit: int) -> list[int]:
        """What may come next, `limit` ids at most."""
        if limit < 1:
            return []
        self._catch_up()
        for match, longest in LENGTHS.items():
            before = self._before.get(match)
            if before is not None:
                n = min(limit, longest)
                since = list(self._ids[before : before + n])
                return (since * (1 + n // len(since)))[:n]  # a run shorter than that goes round
        return self._as_others(min(limit, OTHERS))

    def _catch_up(self) -> None:
        """Learn from the ids that are new."""
        ids, pairs = self._ids, self._pairs
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
        last = list(self._ids[-2:])
        while len(last) < 2 + n and len(last) > 1 and (token := self._pairs.get((last[-2], last[-1]))) is not None:
            last.append(token)
        return last[2:]
