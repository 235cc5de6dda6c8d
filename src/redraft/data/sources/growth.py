"""How large a small file may become: a packed one, a table of repeated values, events that share a long program.

In: a file and how many times its size it may grow. Out: a count of the bytes it has become, which ends in `Damaged`
when there are too many. Nothing is held here: what is counted is handed on and dropped, piece by piece.
"""

from __future__ import annotations

from redraft.data.sources.states import Damaged

UNPACK_RATIO = 500
"""Times its packed size that an input may grow by default. Logs grow 10 to 20 times; drafts of a model up to 390."""
ALWAYS = 64 * 10**6
"""Bytes that any file may become: small ones repeat themselves most."""


class Growth:
    """What a file of `packed` bytes has become.

    Args:
        packed: The bytes it takes on disk.
        ratio: How many times as many it may become, and `ALWAYS` besides.
    """

    def __init__(self, packed: int, ratio: int) -> None:
        self.limit = ALWAYS + ratio * packed
        self.bytes = 0
        self._ratio = ratio

    def add(self, size: int) -> None:
        """Count `size` more bytes.

        Raises:
            Damaged: There are too many.
        """
        self.bytes += size
        if self.bytes > self.limit:
            raise Damaged(
                "unpacks_too_far",
                f"it unpacks to more than {self.limit // 10**6:,} MB, over {self._ratio:,} times its size "
                "(--unpack-ratio allows more)",
            )
