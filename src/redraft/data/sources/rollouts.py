"""Rollouts: whole traces as a trace model wrote them, one text a trace.

In: JSON files (plain or packed), each a list of `[text, student, title]`, a text being

    TITLE<mask>…<mask><start>CODE 1 (2018-05-02 16:13:32):
    PROGRAM
    CODE 2 (2018-05-02 16:14:01):
    PROGRAM<|endoftext|>

Out: raw states, kept as they are: nothing is collapsed or stripped. After `<start>`, a state begins at a line that
is exactly a header; what stands before the first header is ignored, and so is what follows the first end token.
Without an end token the last state is unfinished and dropped. A header with an impossible date ends the trace
before it: what came before is kept, the trace counts as not ended, the record is listed as bad_date. A record
without a state is no_state; one that isn't three texts is malformed, one of over 2,000,000 bytes too_long;
no_student, no_title and not_utf8 (half a surrogate pair) speak for themselves. Several samples of one (student, title)
stay apart, numbered in the order of files and records. Not told by this format: the language (an option says it) and
the editor's mode. The texts as they were given stand beside the traces, in `texts.parquet`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from redraft.data.duck import Workspace
from redraft.data.languages import COFFEESCRIPT, language_option
from redraft.data.sources.growth import UNPACK_RATIO
from redraft.data.sources.reading import expand, unpacked
from redraft.data.sources.states import RAW_STATES, TRUNCATED_AT, Part, Piece, rejected
from redraft.data.store import Origin
from redraft.rundir import atomic_file
from redraft.rundir.tables import ROW_GROUP

if TYPE_CHECKING:
    from redraft.data.sources.records import Records

END = "<|endoftext|>"
TEXTS_FILE = "texts.parquet"
TEXTS = pa.schema(
    [
        pa.field("file", pa.string(), nullable=False),  # its name up to the first dot
        pa.field("idx", pa.int64(), nullable=False),  # the record in it, from 0
        pa.field("student", pa.string(), nullable=False),
        pa.field("title", pa.string(), nullable=False),
        pa.field("text", pa.string(), nullable=False),
    ]
)
"""What stands beside the traces in `texts.parquet`: each record as it was given, in the order of the input."""
_AT_ONCE = 16 * 10**6
"""Characters of texts written at a time."""
_HEADER = re.compile(r"^CODE [0-9]+ \(([0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2})\):$", re.MULTILINE)


class Draft(NamedTuple):
    """One state of a text."""

    at: datetime
    code: str


class Reading(NamedTuple):
    """What a text holds."""

    drafts: list[Draft]
    ended: bool
    bad_date: bool


def file_label(file: Path) -> str:
    """The file's name up to its first dot."""
    return file.name.split(".")[0]


def read_text(text: str) -> Reading:
    """The states of one rollout's text."""
    program_part = text[text.find("<start>") + len("<start>") :] if "<start>" in text else text
    body, token, _ = program_part.partition(END)
    headers = list(_HEADER.finditer(body))
    drafts: list[Draft] = []
    for header, following in zip_longest(headers, headers[1:]):
        try:
            at = datetime.strptime(header[1], "%Y-%m-%d %H:%M:%S")
        except ValueError:
            return Reading(drafts, False, True)
        if following is None and not token:
            break
        # A newline ends the header's line, another the program's (the last program has none).
        code = body[header.end() + 1 : following.start() - 1 if following else None]
        drafts.append(Draft(at, code))
    return Reading(drafts, bool(token), False)


@dataclass(frozen=True, kw_only=True)
class Rollouts:
    """Read a trace model's rollouts: JSON lists of [text, student, title], plain or packed.

    Example: redraft ingest rollouts rollouts/all_*.json.xz --out rollouts.dataset
    """

    paths: Sequence[Path]
    """JSON files, and folders of them; samples are numbered in this order."""
    language: str | None = COFFEESCRIPT
    """The programs' language, which the format doesn't tell."""

    def __post_init__(self) -> None:
        if self.language is not None:
            language_option(self.language)

    name = "rollouts"
    origin: ClassVar[Origin] = "model"
    whole_drafts = True
    formless = frozenset({"malformed"})

    def inputs(self) -> Sequence[Path]:
        """The files, in the order given; a folder's sorted."""
        return expand(self.paths)

    def options(self) -> Mapping[str, Any]:
        """The language."""
        return {"language": self._language}

    @property
    def _language(self) -> str | None:
        return None if self.language is None else language_option(self.language)

    def warm_up(self) -> None:
        """Nothing to load."""

    def label(self, file: Path) -> str:
        """`rollouts:` and the file's name up to its first dot: it tells the model."""
        return f"{self.name}:{file_label(file)}"

    def pieces(self, number: int, file: Path, work: Workspace) -> Iterator[Piece]:
        """Portions of the list."""
        from redraft.data.sources.records import read_records  # with numba, which takes a while to load

        taken = 0
        with unpacked(file, work.unpack_ratio) as (stream, raw):
            for records in read_records(stream, work.block_bytes):
                size, taken = raw.tell() - taken, raw.tell()
                yield Piece(size, partial(_parse, number, records, self._language))

    def write_companions(
        self, folder: Path, hashed: Callable[[str], str | None], files: Sequence[Path], unpack_ratio: int
    ) -> None:
        """Write `texts.parquet`: the released code's definitions need what the states leave out.

        That is the numbers in the headers, a piece that is cut off within its header, and records without a state.
        """
        with atomic_file(folder / TEXTS_FILE) as path, pq.ParquetWriter(path, TEXTS, compression="zstd") as out:
            for file in files:
                for table in _texts(file, hashed, unpack_ratio):
                    out.write_table(table, row_group_size=ROW_GROUP)


def file_records(file: Path, unpack_ratio: int = UNPACK_RATIO) -> Iterator[tuple[int, Any, str | None]]:
    """Each record's number in a file, from 1, what it holds, and why it isn't used, if it isn't.

    Raises:
        Damaged: The file holds something else.
    """
    from redraft.data.sources.records import read_records

    with unpacked(file, unpack_ratio) as (stream, _):
        for records in read_records(stream, _AT_ONCE):
            yield from ((number, record, wrong or unusable(record)) for number, record, wrong in records.parsed())


def _texts(file: Path, hashed: Callable[[str], str | None], unpack_ratio: int) -> Iterator[pa.Table]:
    """The usable records of a file, few at a time."""
    rows: list[dict[str, Any]] = []
    size = 0
    for number, record, wrong in file_records(file, unpack_ratio):
        if wrong or (student := hashed(record[1])) is None:
            continue
        rows.append({"file": file_label(file), "idx": number - 1, "student": student, "title": record[2],
                     "text": record[0]})  # fmt: skip
        size += len(record[0])
        if len(rows) >= ROW_GROUP or size >= _AT_ONCE:
            yield pa.Table.from_pylist(rows, TEXTS)
            rows, size = [], 0
    if rows:
        yield pa.Table.from_pylist(rows, TEXTS)


def _parse(number: int, records: Records, language: str | None) -> Part:
    columns: dict[str, list[Any]] = {name: [] for name in RAW_STATES.names}
    reasons: list[tuple[int, str]] = []
    for row, record, wrong in records.parsed():
        reason = wrong or unusable(record)
        if reason:
            reasons.append((row, reason))
            continue
        text, student, title = record
        reading = read_text(text)
        if reading.bad_date:
            reasons.append((row, "bad_date"))
        if not reading.drafts:
            reasons.append((row, "no_state"))
        for rank, draft in enumerate(reading.drafts):
            state = {
                "file": number, "row": row, "student": student, "title": title, "trace": (number << 32) + row,
                "rank": rank, "tie": 0, "at": draft.at, "code": draft.code, "language": language, "mode": None,
                "truncated": len(draft.code.encode("utf-16-le")) // 2 >= TRUNCATED_AT, "score": None,
                "verdict": None, "judged": None, "errors": None, "ended": reading.ended,
            }  # fmt: skip
            for name, value in state.items():
                columns[name].append(value)
    bad = rejected(number, [row for row, _ in reasons], [reason for _, reason in reasons])
    return Part(pa.table(columns, schema=RAW_STATES), bad)


def unusable(record: Any) -> str | None:
    """Why a record isn't used; None if it is."""
    if not (isinstance(record, list) and len(record) == 3 and all(isinstance(item, str) for item in record)):
        return "malformed"
    try:
        "".join(record).encode()
    except UnicodeEncodeError:
        return "not_utf8"
    return None if record[1] and record[2] else "no_title" if record[1] else "no_student"
