r"""Traces to token ids and back: what a model reads and writes.

In: traces and a tokenizer. Out: lists of ids, without the student's placeholder, which the batch puts before them.
The codec `full` writes whole states (paper A.1):

    TITLE<mask>...<mask><start>CODE 1 (2020-01-16 15:05:28):
    PROGRAM
    CODE 2 (2020-01-16 15:06:01):
    PROGRAM<|endoftext|>

with 50 tokens for title and masks. A state without a time has the header `CODE n (no time):`. Decoding gives back
the same programs, the times to the second (UTC), and the title if it fits into its tokens and isn't masked;
language, mode, truncation and score aren't encoded.

Any Unicode text survives. Special tokens typed by a student are plain text to the tokenizer. A program's line that
is a header to the letter, or such a line behind backslashes, gets one more backslash before it, which decoding takes
away; every other line stands as it is. Lines end at "\n" alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, Protocol

from redraft.config import build
from redraft.data.trace import State, Trace
from redraft.errors import DatasetError, InputError, RedraftError, UsageError
from redraft.lm.tokenizer import Tokenizer, load_tokenizer
from redraft.rundir import write_json

CODEC_FILE = "codec.json"
SCHEMA_VERSION = 1
"""Version of that file; an older one stays loadable."""
NO_TIME = "no time"

_HEADER = rf"CODE [0-9]+ \(([0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}} [0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}|{NO_TIME})\):$"
_HEADER_LINE = re.compile(rf"^{_HEADER}", re.MULTILINE)
_TO_ESCAPE = re.compile(rf"^(?=\\*{_HEADER})", re.MULTILINE)
_ESCAPED = re.compile(rf"^\\(?=\\*{_HEADER})", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class CodecConfig:
    """Settings of a codec; kept in the model's folder."""

    title_tokens: int = 50
    """Tokens for the title and the masks behind it; a longer title is cut (paper A.1)."""
    overlap: int = 64
    """Tokens that a chunk shares with the one before it (paper A.1)."""

    def __post_init__(self) -> None:
        if self.title_tokens < 0 or self.overlap < 0:
            raise UsageError("title_tokens and overlap count tokens.", remedy="Give numbers from 0 on.")


class Decoded(NamedTuple):
    """What ids say."""

    title: str | None
    """None if masked."""
    states: tuple[State, ...]
    """Complete states; perhaps none."""
    ended: bool
    """Whether the end token was reached."""
    bad_date: bool
    """Whether a header with an impossible date cut the trace off."""


class Codec(Protocol):
    """Between traces and ids. `FullCodec` says what each promises."""

    name: str
    tokenizer: Tokenizer
    config: CodecConfig
    vocab_size: int
    pad_id: int
    end_id: int
    mask_id: int
    start_id: int
    student_id: int

    def __init__(self, tokenizer: Tokenizer, config: CodecConfig = ...) -> None: ...

    def encode(self, trace: Trace, *, mask_title: bool = False) -> list[int]:
        """Ids of a whole trace."""

    def encode_many(self, traces: Sequence[Trace], *, mask_titles: Sequence[bool] | None = None) -> list[list[int]]:
        """Ids of each trace."""

    def prefix(self, title: str, states: Sequence[State] = (), *, mask_title: bool = False) -> list[int]:
        """Ids to go on from."""

    def header(self, n: int, at: datetime | None) -> list[int]:
        """Ids of state n's header."""

    def chunk(self, ids: Sequence[int], length: int) -> list[list[int]]:
        """Cut ids to a context's length."""

    def join(self, chunks: Sequence[Sequence[int]]) -> list[int]:
        """Undo `chunk`."""

    def decode(self, ids: Sequence[int]) -> Decoded:
        """What ids say."""

    def count_tokens(self, trace: Trace) -> int:
        """Tokens that count when views are matched."""

    def save(self, folder: Path) -> None:
        """Write into a model's folder."""


class FullCodec:
    """Every state in full.

    Title, headers and programs are tokenized apart, so no token spans two of them, and a trace's ids always begin
    with the ids of its first states: what `prefix` gives a model to go on from is what it saw in training.
    """

    name = "full"

    def __init__(self, tokenizer: Tokenizer, config: CodecConfig = CodecConfig()) -> None:
        self.tokenizer, self.config = tokenizer, config
        self.vocab_size = tokenizer.vocab_size
        self.pad_id, self.end_id, self.mask_id = tokenizer.pad_id, tokenizer.end_id, tokenizer.mask_id
        self.start_id, self.student_id = tokenizer.start_id, tokenizer.student_id

    def encode(self, trace: Trace, *, mask_title: bool = False) -> list[int]:
        """Ids of a whole trace; the end token stands last if and only if `trace.ended`."""
        return self.encode_many([trace], mask_titles=[mask_title])[0]

    def encode_many(
        self, traces: Sequence[Trace], *, mask_titles: Sequence[bool] | None = None
    ) -> list[list[int]]:
        """`encode` of each trace, tokenized together on all cores; `mask_titles` says whose title is hidden."""
        hidden = [False] * len(traces) if mask_titles is None else mask_titles
        texts = [pieces(trace.title, trace.states) for trace in traces]
        coded = iter(self.tokenizer.encode_many([piece for text in texts for piece in text]))
        return [
            self._assemble([next(coded) for _ in text], mask_title) + [self.end_id] * trace.ended
            for trace, text, mask_title in zip(traces, texts, hidden, strict=True)
        ]

    def prefix(self, title: str, states: Sequence[State] = (), *, mask_title: bool = False) -> list[int]:
        """Ids of title, masks, start token and the given first states: what a model goes on from."""
        return self._assemble(self.tokenizer.encode_many(pieces(title, states)), mask_title)

    def header(self, n: int, at: datetime | None) -> list[int]:
        """Ids of state n's header (n from 1), to append to a prefix of n - 1 states."""
        return self.tokenizer.encode(_header(n, at))

    def _assemble(self, coded: Sequence[list[int]], mask_title: bool) -> list[int]:
        room = self.config.title_tokens
        title = [] if mask_title else coded[0][:room]
        body = [token for ids in coded[1:] for token in ids]
        return [*title, *[self.mask_id] * (room - len(title)), self.start_id, *body]

    def chunk(self, ids: Sequence[int], length: int) -> list[list[int]]:
        """Cut ids into runs of at most `length`, each beginning with the last `overlap` ids of the one before.

        Chunks may start inside a state; `join` is the exact inverse.

        Raises:
            InputError: `length` isn't greater than the overlap.
        """
        stride = length - self.config.overlap
        if stride < 1:
            raise InputError(
                f"a context of {length} tokens is too short for chunks that overlap by {self.config.overlap}.",
                remedy="Give the model a longer context, or the codec a smaller `overlap`.",
            )
        starts = range(0, max(len(ids) - self.config.overlap, min(len(ids), 1)), stride)
        return [list(ids[start : start + length]) for start in starts]

    def join(self, chunks: Sequence[Sequence[int]]) -> list[int]:
        """The ids that `chunk` cut up."""
        overlap = self.config.overlap
        return [token for i, chunk in enumerate(chunks) for token in (chunk[overlap:] if i else chunk)]

    def decode(self, ids: Sequence[int]) -> Decoded:
        """What ids say, a model's included; linear in their number, and no ids are an error.

        - What follows the first end token is ignored. Without one the last state is incomplete and is dropped.
        - A header with an impossible date ends the trace before it: not `ended`, `bad_date`; the states so far are
          complete.
        - Without a start token there is no title; text before the first header is ignored, numbers in headers too.
        - Padding, masks and other special tokens inside programs are dropped.
        """
        ids = list(ids)
        ended = self.end_id in ids
        if ended:
            ids = ids[: ids.index(self.end_id)]
        start = ids.index(self.start_id) + 1 if self.start_id in ids else 0
        title = self._text(ids[:start])
        text = self._text(ids[start:])
        headers = list(_HEADER_LINE.finditer(text))
        bounds = [*(header.start() - 1 for header in headers[1:]), len(text)]  # one too many if there's no header
        states: list[State] = []
        for header, bound in zip(headers, bounds, strict=False):
            try:
                at = _time(header[1])
            except ValueError:
                return Decoded(title or None, tuple(states), ended=False, bad_date=True)
            states.append(State(code=_ESCAPED.sub("", text[header.end() + 1 : bound]), at=at))
        return Decoded(title or None, tuple(states if ended else states[:-1]), ended=ended, bad_date=False)

    def _text(self, ids: Sequence[int]) -> str:
        special = self.tokenizer.special_ids
        return self.tokenizer.decode([token for token in ids if token not in special])

    def count_tokens(self, trace: Trace) -> int:
        """Tokens a model learns from in a trace: all but masks and padding."""
        return sum(token not in (self.mask_id, self.pad_id) for token in self.encode(trace))

    def save(self, folder: Path) -> None:
        """Write the tokenizer's files and `codec.json` into `folder`."""
        self.tokenizer.save(folder)
        about = {"schema_version": SCHEMA_VERSION, "name": self.name, "config": asdict(self.config)}
        write_json(folder / CODEC_FILE, about)


CODECS: dict[str, type[Codec]] = {FullCodec.name: FullCodec}
"""Codec name -> class."""


def load_codec(folder: Path) -> Codec:
    """The codec saved in a model's folder.

    Raises:
        DatasetError: There is none, it or its tokenizer is damaged, or it is of a newer redraft.
    """
    file = folder / CODEC_FILE
    try:
        saved = json.loads(file.read_text(encoding="utf-8"))
        version, name = saved["schema_version"], saved["name"]
        if version <= SCHEMA_VERSION and name in CODECS:
            return CODECS[name](load_tokenizer(folder), build(CodecConfig, saved["config"]))
    except (OSError, ValueError, KeyError, TypeError, RedraftError) as error:
        raise DatasetError("has no readable codec.", where=folder, remedy="Train the model again.") from error
    raise DatasetError(
        f"the codec {name!r} (schema version {version}) is of a newer redraft.", where=file, remedy="Upgrade redraft."
    )


def pieces(title: str, states: Iterable[State]) -> list[str]:
    """The texts that are tokenized apart: title, then each state's header and program.

    Also what to train a tokenizer on.
    """
    texts = [title]
    for n, state in enumerate(states, 1):
        texts += (_header(n, state.at), _TO_ESCAPE.sub(r"\\", state.code))
    return texts


def _header(n: int, at: datetime | None) -> str:
    """The header's line with the line breaks around it; the first follows the start token at once."""
    if at is None:
        time = NO_TIME
    else:
        time = (at.astimezone(UTC) if at.tzinfo else at).replace(tzinfo=None).isoformat(" ", "seconds")
    return f"{chr(10) if n > 1 else ''}CODE {n} ({time}):\n"


def _time(text: str) -> datetime | None:
    """The time in a header, in UTC.

    Raises:
        ValueError: There is no such date or time of day.
    """
    if text == NO_TIME:
        return None
    year, month, day, hour, minute, second = map(int, re.findall("[0-9]+", text))
    return datetime(year, month, day, hour, minute, second, tzinfo=UTC)
