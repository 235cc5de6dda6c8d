"""Guess what comes next in a draft: it goes on as it did where its last tokens stood before.

In: a draft's ids as they grow. Out: guesses. Traces repeat themselves: a state is mostly the one before it. Guesses
are checked against draws from the model and change no sample, only how many tokens a step of the model is good for.
"""

from __future__ import annotations

from collections.abc import Sequence

MATCH = 3
"""Last tokens that must have stood together before."""
LONGEST = 8
"""Guesses at once, at most. On traces of rollouts and of a simulated class, longer ones (also if they grow with
success) gained nothing, since a guess costs about a tenth of a step of its own."""


class Copies:
    """Where each run of `MATCH` ids last stood.

    Args:
        ids: The draft's, a list that grows.
    """

    def __init__(self, ids: Sequence[int]) -> None:
        self._ids = ids
        self._after: dict[tuple[int, ...], int] = {}
        self._seen = MATCH - 1
        self._match: int | None = None

    def guess(self, limit: int) -> list[int]:
        """What may come next, `limit` ids at most."""
        ids = self._ids
        for end in range(self._seen + 1, len(ids) + 1):
            run = tuple(ids[end - MATCH : end])
            self._match = self._after.get(run)
            self._after[run] = end
        self._seen = max(self._seen, len(ids))
        n = min(limit, LONGEST)
        if self._match is None or n < 1:
            return []
        since = list(ids[self._match : self._match + n])
        return (since * (1 + n // len(since)))[:n]  # a run shorter than that goes round
