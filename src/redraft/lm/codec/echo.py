r"""The codec of edits that see what they edit: `diff`, and after a step that leads somewhere, what stands there.

In: traces. Out: ids as `diff` writes them, with an echo behind some of them, which SHOWN ends:

    ... SECONDS 17 UP 3 "\nfd 100" SHOWN KEEP 1 "\nfd" SHOWN " 120" ...

- Behind UP: the line above the pointer, which is the one that a KEEP or CUT then is about, or the one that text is put
  in after. Nothing at the top of the program.
- Behind KEEP: the words kept, which the text that follows completes.

The model is told echoes: it is never asked to predict them, they aren't charged, and reading ignores them, whatever
stands in them. So a trace's bits are about the same programs, times and ending as with `diff`. Each is tokenized apart
and cut to its first `echo_tokens` ids: what else is written has the ids that `diff` gives it.

An echo is what stands between UP or KEEP and SHOWN, or the next id that is no text; so a chunk that begins or ends in
one tells it from what was written, as long as it holds an id that is no text: contexts must be longer than echoes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from redraft.data.edits import lines_of
from redraft.errors import InputError
from redraft.lm.codec.base import CodecConfig, Part
from redraft.lm.codec.diff import DiffCodec
from redraft.lm.codec.edits import Editor, Keep, Step, Up
from redraft.lm.codec.grammar import Grammar
from redraft.lm.codec.told import Flags, Told, within
from redraft.lm.tokenizer import Tokenizer


class EchoCodec(DiffCodec):
    """The first state whole, then edits that see what they edit."""

    name = "echo"
    own_ids = DiffCodec.own_ids + 1
    ends_states = True

    def __init__(self, tokenizer: Tokenizer, config: CodecConfig | None = None) -> None:
        super().__init__(tokenizer, config)
        self._shown_id = self.first_own_id + DiffCodec.own_ids
        self.shows_ids = frozenset((*self.ups, *self.keeps))

    def _edit(self, old: Sequence[str], edit: Iterable[Step]) -> Iterator[Part]:
        editor = Editor(list(old))
        for long in edit:
            for step in self._short(long):
                yield from super()._edit((), [step])
                editor.take(step)
                if isinstance(step, Up | Keep):
                    yield from self._echo(editor.seen)

    def _echo(self, line: str | None) -> list[Part]:
        return [Told("" if line is None else f"\n{line}", self.config.echo_tokens), self._shown_id]

    def shown(self, ids: Sequence[int], place: Grammar | None = None) -> list[int]:
        """The echo of the last id, if it leads somewhere."""
        if not ids or ids[-1] not in self.shows_ids:
            return []
        if place is not None:
            return self._tokenized(self._echo(place.line))
        start = self._state_starts(ids)[-1:].sum()
        lines = [lines_of(read.state.code) for read in self._read(ids[:start])]
        editor = Editor([*lines[-1]] if lines else [])
        self._follow(self._runs(self._spoken(ids[start:])), editor)
        return self._tokenized(self._echo(editor.seen))

    def _told(self, ids_L: NDArray[np.int_]) -> Flags:
        """Echoes too."""
        told_L = super()._told(ids_L)
        opens_L = np.isin(ids_L, [*self.ups, *self.keeps])
        shuts_L = ids_L == self._shown_id
        others_L = (ids_L >= self.first_own_id) | (ids_L == self.start_id) | (ids_L == self.end_id)
        return told_L | within(*(kind_L & ~told_L for kind_L in (opens_L, shuts_L, others_L)))

    def _check_length(self, length: int) -> None:
        super()._check_length(length)
        if length <= self.config.echo_tokens:
            raise InputError(
                f"a context of {length} tokens is too short for echoes of {self.config.echo_tokens}.",
                remedy="Give the model a longer context, or the codec a smaller `echo_tokens`.",
            )
