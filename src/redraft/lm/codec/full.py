"""The paper's codec (A.1): every state in full.

In: traces. Out: ids of

    TITLE<mask>...<mask><start>CODE 1 (2020-01-16 15:05:28):
    PROGRAM
    CODE 2 (2020-01-16 15:06:01):
    PROGRAM<|endoftext|>

with 50 tokens for title and masks. Decoding gives back the same programs, the times to the second (UTC), and the
title if it fits into its tokens and isn't masked; language, mode, truncation and score aren't encoded.

Chunks share `overlap` ids and may begin inside a state; `join` puts them together. Any Unicode text survives: special
tokens typed by a student are plain text to the tokenizer, and lines that look like headers are escaped (`headers`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from redraft.data.trace import State
from redraft.lm.codec.base import Codec, CodecConfig, Decoded, Part
from redraft.lm.codec.headers import Headers
from redraft.lm.tokenizer import Tokenizer


class FullCodec(Codec):
    """Every state in full."""

    name = "full"

    def __init__(self, tokenizer: Tokenizer, config: CodecConfig | None = None) -> None:
        super().__init__(tokenizer, config)
        self._headers = Headers(relative=bool(self.config.relative_time))

    def _opening(self, title: Sequence[int]) -> list[int]:
        return [*title, *[self.mask_id] * (self.config.title_tokens - len(title)), self.start_id]

    def _header(self, n: int, at: datetime | None, after: datetime | None) -> Iterator[Part]:
        yield self._headers.write(n, at, after)

    def _program(self, state: State, before: State | None) -> Iterator[Part]:
        yield self._headers.escape(state.code)

    def edit_at(self, code: str, line: int, column: int) -> list[int]:
        """The program up to the place; white space before it is left to the model, whose tokens begin with it."""
        lines = code.split("\n")
        head = "\n".join([*lines[:line], lines[line][:column]]).rstrip()
        return self._tokenized([self._headers.escape(head)] if head else [])

    def chunk(self, ids: Sequence[int], length: int) -> list[list[int]]:
        """Cut ids into runs of at most `length`, each beginning with the last `overlap` ids of the one before."""
        overlap = self.config.overlap
        self._check_length(length)
        starts = range(0, max(len(ids) - overlap, min(len(ids), 1)), length - overlap)
        return [list(ids[start : start + length]) for start in starts]

    def restart(self, ids: Sequence[int], length: int) -> list[int]:
        """The last `overlap` ids."""
        self._check_length(length)
        return self._last(ids)

    def given(self, ids: Sequence[int]) -> int:
        """The overlap, in a chunk without a start token."""
        return 0 if self.start_id in ids else min(self.config.overlap, len(ids))

    def learned(self, ids: Sequence[int]) -> NDArray[np.bool_]:
        """The paper's: title and start token too."""
        return self._own(ids, self.given(ids))

    def decode(self, ids: Sequence[int], *, whole: bool = False) -> Decoded:
        """As `Codec.decode`; text before the first header is ignored, and the numbers in headers are."""
        ids, ended = self._until_end(ids)
        ids = self._spoken(ids)
        start = self._start(ids) + 1
        title = self._text(ids[:start])
        text = self._text(ids[start:])
        headers = list(self._headers.line.finditer(text))
        bounds = [*(header.start() - 1 for header in headers[1:]), len(text)]  # one too many if there's no header
        states: list[State] = []
        for header, bound in zip(headers, bounds, strict=False):
            try:
                at = self._headers.read(header[1], states[-1].at if states else None)
            except ValueError:
                return Decoded(title or None, tuple(states), ended=False, bad_date=True)
            states.append(State(code=self._headers.unescape(text[header.end() + 1 : bound]), at=at))
        complete = states if ended or whole else states[:-1]
        return Decoded(title or None, tuple(complete), ended=ended, bad_date=False)
