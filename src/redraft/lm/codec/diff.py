r"""The codec of edits: the first state whole, then what changes.

In: traces. Out: ids of

    TITLE <start> AT 2020-01-16 15:05:28 "\nPROGRAM"  AT ... EDIT  AT ... EDIT  <|endoftext|>

A state is its time and the steps (`edits`) from the program before, which is empty before the first one: a whole
program is its lines, each behind a line break, put in at once. Steps, and times if they are relative, are ids of their
own, so that a state costs few: with relative times, a line added at the end of a program after 17 seconds is
`SECONDS 17`, `"\nfd"`, `" 100"`, and a number changed in it is `SECONDS 17`, `KEEP 1`, `" 120"`. No title is filled up
with masks; a hidden one is a single mask. The title is never learned.

| ids | meaning |
| --- | --- |
| AT, then text up to the next id or line break | a time in full, in UTC; without text: no time |
| MINUTES 1-59, HOURS 1-23, SECONDS 0-59 | time since the state before: hours and minutes if any, then seconds |
| UP 1-32, CUT 1-16 | steps; longer ones are several in a row |
| KEEP 1-15 | the step: words kept of a line |
| ON | in the place of the start token: the chunk goes on from the whole state that comes first |

No text needs escapes: what a student types is text, never an id.

**Chunks.** Each holds the title, the state before its first edit, whole, and as many edits as fit; so it decodes alone
(its first state is the last of the chunk before), and each edit is in one chunk. An edit, or first state, that doesn't
fit beside the whole state before it is put where it comes and cut as `full` cuts: what is left of it goes on in a
chunk that begins with the last `overlap` ids, without title or whole state, and doesn't decode alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from functools import cached_property
from itertools import accumulate, pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from redraft.data.edits import lines_of
from redraft.data.trace import State
from redraft.lm.codec.base import Codec, CodecConfig, Decoded, Part
from redraft.lm.codec.diff_grammar import Before, Between, Rules
from redraft.lm.codec.edits import Cut, Editor, Keep, Step, Up, Write, steps, words
from redraft.lm.codec.grammar import Grammar
from redraft.lm.codec.headers import gap, later, read_time, time_text
from redraft.lm.tokenizer import Tokenizer

SECONDS, MINUTES, HOURS, UPS, CUTS, KEEPS = 60, 59, 23, 32, 16, 15


class _Read(NamedTuple):
    """A state read, and where its ids are."""

    start: int
    end: int
    state: State


class DiffCodec(Codec):
    """The first state whole, then edits."""

    name = "diff"
    relative = True
    own_ids = 2 + SECONDS + MINUTES + HOURS + UPS + CUTS + KEEPS

    def __init__(self, tokenizer: Tokenizer, config: CodecConfig | None = None) -> None:
        super().__init__(tokenizer, config)
        first = self.first_own_id
        self._on_id, self.at_id = first, first + 1
        bounds = np.cumsum([first + 2, SECONDS, MINUTES, HOURS, UPS, CUTS, KEEPS]).tolist()
        self.seconds, self.minutes, self.hours, self.ups, self.cuts, self.keeps = (
            range(start, stop) for start, stop in pairwise(bounds)
        )
        self._ids_of: dict[type[Up | Cut | Keep], range] = {Up: self.ups, Cut: self.cuts, Keep: self.keeps}

    # Writing

    def _opening(self, title: Sequence[int]) -> list[int]:
        return [*(title or [self.mask_id]), self.start_id]

    def _header(self, n: int, at: datetime | None, after: datetime | None) -> Iterator[Part]:
        seconds = gap(at, after) if self.config.relative_time else None
        if seconds is None:
            yield self.at_id
            yield time_text(at)
            return
        hours, minutes = seconds // 3600, seconds // 60 % 60
        if hours:
            yield self.hours[hours - 1]
        if minutes:
            yield self.minutes[minutes - 1]
        yield self.seconds[seconds % 60]

    def _program(self, state: State, before: State | None) -> Iterator[Part]:
        old = lines_of(before.code) if before else []
        return self._edit(old, steps(old, lines_of(state.code), KEEPS))

    def _edit(self, old: Sequence[str], edit: Iterable[Step]) -> Iterator[Part]:
        """The steps of an edit of the lines `old`, as ids and texts."""
        for step in edit:
            for part in self._short(step):
                yield part.text if isinstance(part, Write) else self._ids_of[type(part)][part.n - 1]

    def _short(self, step: Step) -> Iterator[Step]:
        """A step as several in a row, each of which there is an id for."""
        if isinstance(step, Up | Cut):
            most = UPS if isinstance(step, Up) else CUTS
            yield from [step._replace(n=most)] * ((step.n - 1) // most)
            step = step._replace(n=(step.n - 1) % most + 1)
        yield step

    def edit_at(self, code: str, line: int, column: int) -> list[int]:
        """Up to the line, which loses all but the words before the column, or goes altogether if there are none."""
        lines = code.split("\n")
        ends = accumulate(map(len, words(lines[line])[:KEEPS]))
        kept = sum(end <= column for end in ends)
        below = len(lines) - line - 1
        begun: list[Step] = [*([Up(below)] if below else []), Keep(kept) if kept else Cut(1)]
        return self._tokenized(self._edit(lines_of(code), begun))

    # Chunks

    def _start(self, ids: Sequence[int]) -> int:
        """Where the title is over, in a chunk that goes on too."""
        return next((i for i, token in enumerate(ids) if token in (self.start_id, self._on_id)), -1)

    def _state_starts(self, ids: Sequence[int]) -> NDArray[np.intp]:
        """Where states begin: at AT, or at a part of a relative time that no hours or minutes precede."""
        ids_L = np.asarray(ids)
        spoken_L = ~self._told(ids_L)
        timed_L = spoken_L & (ids_L >= self.seconds.start) & (ids_L < self.hours.stop)
        goes_on_L = np.zeros_like(timed_L)
        goes_on_L[1:] = (timed_L & (ids_L >= self.minutes.start))[:-1]
        return np.flatnonzero((spoken_L & (ids_L == self.at_id)) | (timed_L & ~goes_on_L))

    def chunk(self, ids: Sequence[int], length: int) -> list[list[int]]:
        """Cut a trace between its states; each chunk begins with a whole state, as the module says."""
        self._check_length(length)
        if len(ids) <= length:
            return [list(ids)] if len(ids) else []
        before: _Read | None = None
        chunks, current = [], list(ids[: self._state_starts(ids)[0]])
        for read in self._read(ids):
            edit = list(ids[read.start : read.end])
            if before and len(current) + len(edit) > length:
                whole = self._whole(ids, before)
                if len(whole) + len(edit) <= length:
                    chunks.append(current)
                    current = whole
            while len(current) + len(edit) > length:
                room = length - len(current)
                chunks.append(current + edit[:room])
                current, edit = self._last(chunks[-1]), edit[room:]
            current = current + edit
            before = read
        return [*chunks, current]

    def restart(self, ids: Sequence[int], length: int) -> list[int]:
        """The title, the last state that is complete, whole, and what there is of the next.

        If that leaves less room than `overlap` ids, or no state is complete: the last `overlap` ids.
        """
        self._check_length(length)
        complete = list(self._read(ids))[: len(self._state_starts(ids)) - 1]
        if complete:
            head = self._whole(ids, complete[-1]) + list(ids[complete[-1].end :])
            if len(head) + max(1, self.config.overlap) <= length:
                return head
        return self._last(ids)

    def _whole(self, ids: Sequence[int], read: _Read) -> list[int]:
        """How a chunk begins that goes on from a state: with what ends it and its feedback, if any."""
        tail = list(ids[read.start : read.end])
        tail = tail[tail.index(self.done_id) :] if self.done_id in tail else []
        title = list(ids[: self._start(ids)])
        state = self._tokenized([*self._header(1, read.state.at, None), *self._program(read.state, None)])
        return [*title, self._on_id, *state, *tail]

    def given(self, ids: Sequence[int]) -> int:
        """The whole state of a chunk that goes on from one; the overlap, in a chunk that begins inside a state."""
        start = self._start(ids)
        if start < 0:
            return min(self.config.overlap, len(ids))
        if ids[start] == self.start_id:
            return 0
        starts = self._state_starts(ids)
        return int(starts[1]) if len(starts) > 1 else len(ids)

    # Reading

    def decode(self, ids: Sequence[int], *, whole: bool = False) -> Decoded:
        """As `Codec.decode`; text and steps before the first time are ignored, and `Editor` says what odd steps do."""
        ids, ended = self._until_end(ids)
        title = self._text(ids[: max(0, self._start(ids))]) or None
        states = [read.state for read in self._read(ids)]
        complete = len(self._state_starts(ids)) - (not (ended or whole))
        if len(states) < complete:
            return Decoded(title, tuple(states), ended=False, bad_date=True)
        return Decoded(title, tuple(states[:complete]), ended=ended, bad_date=False)

    def _read(self, ids: Sequence[int]) -> Iterator[_Read]:
        """The states that ids write, up to an impossible time."""
        lines: list[str] = []
        at: datetime | None = None
        told_L = self._told(np.asarray(ids))
        for start, end in pairwise([*self._state_starts(ids).tolist(), len(ids)]):
            spoken = [token for token, told in zip(ids[start:end], told_L[start:end], strict=True) if not told]
            runs = list(self._runs(spoken))
            try:
                at = self._time(runs, at)
            except ValueError:
                return
            lines = self._edited(lines, runs)
            yield _Read(start, end, State(code="\n".join(lines), at=at))

    def _edited(self, before: Sequence[str], runs: Iterable[tuple[int, str]]) -> list[str]:
        """The lines of a program after a state's steps."""
        lines = list(before)
        self._follow(runs, Editor(lines))
        return lines_of("\n".join(lines))

    # What may come next

    def grammar(self, ids: Sequence[int]) -> Grammar | None:
        """The place behind `ids`; None if the tokenizer isn't byte-level."""
        if self._rules is None:
            return None
        starts = self._state_starts(ids).tolist()
        if not starts:
            return Between(self._rules, Before([], None), first=True)
        last = list(ids[starts[-1] :])
        last = [token for token, own in zip(last, self._own(last, 0), strict=True) if own]
        before = Before([], None)
        for read in self._read(ids[: starts[-1]]):
            before = Before(lines_of(read.state.code), read.state.at)
        place = self._rules.begin(before, last[0])
        for token in last[1:]:
            place = place.after(token)
        return place

    @cached_property
    def _rules(self) -> Rules | None:
        spelled = self.tokenizer.spelled()
        return None if spelled is None else Rules(self, spelled)

    def time_of(self, ids: Sequence[int], after: datetime | None) -> datetime | None:
        """The time of a state whose ids are these.

        Raises:
            ValueError: It is none.
        """
        return self._time(list(self._runs(ids)), after)

    def lines_after(self, before: Sequence[str], ids: Sequence[int]) -> list[str]:
        """The program's lines after a state whose ids are these."""
        return self._edited(before, self._runs(ids))

    def _follow(self, runs: Iterable[tuple[int, str]], editor: Editor) -> None:
        """Take a state's steps."""
        for token, text in runs:
            for kind, tokens in self._ids_of.items():
                if token in tokens:
                    editor.take(kind(token - tokens.start + 1))
            if text:
                editor.take(Write(text))

    def _runs(self, ids: Sequence[int]) -> Iterator[tuple[int, str]]:
        """Each id of our own with the text behind it; AT's time is no part of that text."""
        marks = [i for i, token in enumerate(ids) if self.first_own_id <= token < self.keeps.stop]
        for start, end in pairwise([*marks, len(ids)]):
            yield ids[start], self._text(ids[start + 1 : end]) if end > start + 1 else ""

    def _time(self, runs: Sequence[tuple[int, str]], after: datetime | None) -> datetime | None:
        """The time that a state begins with.

        Raises:
            ValueError: It is none.
        """
        if runs[0][0] == self.at_id:
            return read_time(runs[0][1].partition("\n")[0])
        seconds = 0
        for token, _ in runs:
            if token in self.hours:
                seconds += 3600 * (token - self.hours.start + 1)
            elif token in self.minutes:
                seconds += 60 * (token - self.minutes.start + 1)
            elif token in self.seconds:
                return later(after, seconds + token - self.seconds.start)
        return later(after, seconds)
