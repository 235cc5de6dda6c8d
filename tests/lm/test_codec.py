"""The codec: what goes in comes out, whatever students type and whatever models write."""

from __future__ import annotations

import json
import lzma
import re
import time
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factories import make_trace
from known import known
from redraft.data.trace import State, Trace
from redraft.errors import DatasetError, InputError, UsageError
from redraft.lm.codec import CODECS, CodecConfig, FullCodec, load_codec
from redraft.lm.tokenizer import SPECIAL_TOKENS
from redraft.rundir import read_record, write_record

HEADER = "CODE 2 (2020-01-01 10:00:00):"
LOOKALIKES = [
    HEADER, "\\" + HEADER, "\\\\" + HEADER, HEADER + "\n", "\n" + HEADER, HEADER + " ", " " + HEADER, HEADER + "\r",
    "CODE 3 (no time):", "\\CODE 3 (no time):", "CODE 9 (2020-99-99 99:99:99):", "CODE (2020-01-01 10:00:00):",
    HEADER + "\u2028", "\u0085" + HEADER, "CODE \u0662 (2020-01-01 10:00:00):", *SPECIAL_TOKENS, "<|endoftext",
    "\n", "\n\n", "\r\n", "\r", "\0", "\\", "e\u0301", "\U0001f422", "\ufffd", "", "fd 100",
]  # fmt: skip

unicode_text = st.text(st.characters(codec="utf-8"), max_size=30)
programs = st.lists(st.sampled_from(LOOKALIKES) | unicode_text, max_size=5).flatmap(
    lambda parts: st.sampled_from(["", "\n"]).map(lambda glue: glue.join(parts))
)
times = st.none() | st.datetimes(timezones=st.just(UTC))
states = st.lists(st.builds(State, code=programs, at=times), min_size=1, max_size=4).map(tuple)
titles = st.sampled_from(LOOKALIKES).filter(bool) | unicode_text.filter(bool)
traces = st.builds(Trace, student=st.just("s"), title=titles, states=states, source=st.just("test"))

TRACE = make_trace(["pen red\nfd 10", "pen red\nfd 100\n  rt 90", "pen blue\nfd 100\n  rt 90"])
TOKENIZER = FullCodec.trained_on([TRACE] * 9, 320).tokenizer
CODEC = FullCodec(TOKENIZER)


def content(states: tuple[State, ...]) -> list[tuple[str, datetime | None]]:
    """What a codec promises to keep of states."""
    return [(state.code, state.at and state.at.replace(microsecond=0)) for state in states]


def spelled(ids: list[int]) -> str:
    return TOKENIZER.decode(ids)


def coded(text: str) -> list[int]:
    """Ids of a text in which special tokens are special: what a model might write."""
    ids: list[int] = []
    for part in re.split(f"({'|'.join(map(re.escape, SPECIAL_TOKENS))})", text):
        ids += [known(TOKENIZER.backend.token_to_id(part))] if part in SPECIAL_TOKENS else TOKENIZER.encode(part)
    return ids


def test_text_is_the_papers() -> None:
    ids = CODEC.encode(TRACE)
    masks = CODEC.config.title_tokens - len(TOKENIZER.encode("square"))
    assert spelled(ids) == (
        "square" + "<mask>" * masks + "<start>"
        "CODE 1 (2020-01-01 09:00:00):\npen red\nfd 10\n"
        "CODE 2 (2020-01-01 09:00:30):\npen red\nfd 100\n  rt 90\n"
        "CODE 3 (2020-01-01 09:01:00):\npen blue\nfd 100\n  rt 90<|endoftext|>"
    )
    assert ids.index(CODEC.start_id) == 50


@given(traces)
def test_any_trace_comes_back(trace: Trace) -> None:
    ids = CODEC.encode(trace)
    decoded = CODEC.decode(ids)
    assert content(decoded.states) == content(trace.states)
    assert decoded.ended
    assert not decoded.bad_date
    if len(TOKENIZER.encode(trace.title)) <= 50:
        assert decoded.title == trace.title
    assert ids.count(CODEC.end_id) == ids.count(CODEC.start_id) == 1
    assert CODEC.decode(CODEC.encode(trace, mask_title=True)) == decoded._replace(title=None)


@given(traces, st.booleans(), st.data())
def test_a_prefix_is_what_training_saw(trace: Trace, mask: bool, data: st.DataObject) -> None:
    n = data.draw(st.integers(0, len(trace.states)))
    ids = CODEC.encode(trace, mask_title=mask)
    prefix = CODEC.prefix(trace.title, trace.states[:n], mask_title=mask)
    assert ids[: len(prefix)] == prefix
    if n < len(trace.states):
        longer = prefix + CODEC.header(n + 1, trace.states[n].at)
        assert ids[: len(longer)] == longer
    else:
        assert ids[len(prefix) :] == [CODEC.end_id]


@given(st.lists(traces, max_size=3), st.data())
def test_many_are_coded_as_one(batch: list[Trace], data: st.DataObject) -> None:
    masks = [data.draw(st.booleans()) for _ in batch]
    assert CODEC.encode_many(batch, mask_titles=masks) == [
        CODEC.encode(trace, mask_title=mask) for trace, mask in zip(batch, masks, strict=True)
    ]
    assert CODEC.encode_many(batch) == [CODEC.encode(trace) for trace in batch]


@given(st.lists(st.integers(5, 99), max_size=200), st.integers(0, 9), st.integers(3, 40))
def test_chunks_are_joined_again(rest: list[int], overlap: int, stride: int) -> None:
    codec = FullCodec(TOKENIZER, CodecConfig(title_tokens=0, overlap=overlap))
    ids = [codec.start_id, *rest]
    chunks = codec.chunk(ids, overlap + stride)
    assert codec.join(chunks) == ids
    assert all(0 < len(chunk) <= overlap + stride for chunk in chunks)
    for one, following in pairwise(chunks):
        assert len(one) == overlap + stride
        assert following[:overlap] == one[len(one) - overlap :]
        assert len(following) > overlap


def test_a_chunk_must_be_longer_than_the_overlap() -> None:
    assert [len(chunk) for chunk in CODEC.chunk(range(1024 + 960), 1024)] == [1024, 1024]
    with pytest.raises(InputError, match="too short"):
        CODEC.chunk([1, 2], 64)


@given(st.lists(st.integers(0, TOKENIZER.vocab_size + 3), max_size=80))
def test_no_ids_are_an_error(ids: list[int]) -> None:
    decoded = CODEC.decode(ids)
    assert decoded.ended == (CODEC.end_id in ids)


ONE, TWO = "CODE 1 (2020-01-01 10:00:00):\n", "CODE 2 (2020-01-01 10:00:01):\n"
END = "<|endoftext|>"
WRITTEN = {
    "no end: the last state is incomplete": (f"t<start>{ONE}a\n{TWO}b", ["a"], False, False),
    "what follows the end is ignored": (f"t<start>{ONE}a{END}\n{TWO}b", ["a"], True, False),
    "impossible date": (f"t<start>{ONE}a\nCODE 2 (2020-02-30 10:00:01):\nb{END}", ["a"], False, True),
    "impossible first date": (f"t<start>CODE 1 (0000-01-01 10:00:00):\na{END}", [], False, True),
    "an hour too many": (f"t<start>CODE 1 (2020-01-01 24:00:00):\na{END}", [], False, True),
    "numbers and order don't matter": (f"t<start>{TWO}a\n{TWO}b\n{ONE}c{END}", ["a", "b", "c"], True, False),
    "padding inside": (f"<pad><pad>t<mask><start>{ONE}a<pad>b<mask><|student|>c{END}", ["abc"], True, False),
    "no start": (f"{ONE}a{END}", ["a"], True, False),
    "text before the first header": (f"t<start>hello\n{ONE}a{END}", ["a"], True, False),
    "no program": (f"t<start>{END}", [], True, False),
    "no header": (f"t<start>a\nb{END}", [], True, False),
    "headers in a row": (f"t<start>{ONE}{TWO}{END}", ["", ""], True, False),
    "a header at the end": (f"t<start>{ONE}a\n{TWO.strip()}{END}", ["a", ""], True, False),
    "an escaped header": (f"t<start>{ONE}\\{TWO}b{END}", [f"{TWO}b"], True, False),
    "half a header": (f"t<start>{ONE}a\nCODE 2 (2020{END}", ["a\nCODE 2 (2020"], True, False),
    "nothing": ("", [], False, False),
}


@pytest.mark.parametrize(("text", "codes", "ended", "bad_date"), WRITTEN.values(), ids=WRITTEN)
def test_what_models_write(text: str, codes: list[str], ended: bool, bad_date: bool) -> None:
    decoded = CODEC.decode(coded(text))
    assert [state.code for state in decoded.states] == codes
    assert (decoded.ended, decoded.bad_date) == (ended, bad_date)
    assert decoded.title == ("t" if "t<" in text and "<start>" in text else None)


def test_an_unended_trace_has_no_end_token() -> None:
    trace = Trace(student="s", title="t", states=TRACE.states, source="test", ended=False)
    assert CODEC.encode(trace) == CODEC.encode(Trace(student="s", title="t", states=TRACE.states, source="test"))[:-1]


def test_times_are_written_in_utc_to_the_second() -> None:
    at = datetime(2020, 1, 1, 1, 0, 0, 999_999, tzinfo=timezone(timedelta(hours=2)))
    assert spelled(CODEC.header(1, at)) == "CODE 1 (2019-12-31 23:00:00):\n"
    assert spelled(CODEC.header(2, None)) == "\nCODE 2 (no time):\n"


def test_a_long_title_is_cut() -> None:
    trace = make_trace(["fd 1"], title="\U0001f422" * 40)
    decoded = CODEC.decode(CODEC.encode(trace))
    assert CODEC.encode(trace).index(CODEC.start_id) == 50
    assert decoded.title is not None
    assert decoded.title.startswith("\U0001f422" * 12)
    assert content(decoded.states) == content(trace.states)


def test_negative_settings_are_refused() -> None:
    with pytest.raises(UsageError):
        CodecConfig(overlap=-1)


def test_masks_do_not_count() -> None:
    ids = CODEC.encode(TRACE)
    assert CODEC.count_tokens(TRACE) == len(ids) - ids.count(CODEC.mask_id)


def test_decoding_is_linear() -> None:
    lines = ["\\" * 500 + "CODE 1 (", "CODE " + "1" * 500, HEADER, "fd 1"]

    def seconds(times: int) -> float:
        ids = CODEC.encode(make_trace(["\n".join(lines * times)] * 4))
        started = time.process_time()
        assert len(CODEC.decode(ids).states) == 4
        return time.process_time() - started

    assert seconds(160) < 40 * max(min(seconds(20) for _ in range(3)), 0.002)


def test_saved_and_loaded(tmp_path: Path) -> None:
    codec = FullCodec(TOKENIZER, CodecConfig(title_tokens=20, overlap=8))
    codec.save(tmp_path)
    loaded = load_codec(tmp_path)
    assert loaded.name in CODECS
    assert loaded.config == codec.config
    assert loaded.encode(TRACE) == codec.encode(TRACE)


def test_a_damaged_or_unknown_codec_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"codec\.json: can't be read"):
        load_codec(tmp_path)
    CODEC.save(tmp_path)
    file = tmp_path / "codec.json"
    text = file.read_text()
    saved = read_record(file, remedy="")
    for change in ({"name": "later"}, {"schema_version": 99, "config": {"later": 1}}):
        write_record(file, saved | change)
        with pytest.raises(DatasetError, match="Upgrade redraft"):
            load_codec(tmp_path)
    write_record(file, saved | {"config": {"overlap": "many"}})
    with pytest.raises(DatasetError, match=r"codec\.json: holds settings that no codec has"):
        load_codec(tmp_path)
    for damaged in ("", "[]", text[:-5], json.dumps(json.loads(text) | {"config": {}})):
        file.write_text(damaged)
        with pytest.raises(DatasetError, match=r"codec\.json: .*(damaged|no JSON object)"):
            load_codec(tmp_path)


@pytest.mark.supplied
def test_supplied_rollouts_come_back(shared: Path) -> None:
    header = re.compile(r"^CODE [0-9]+ \(([-0-9: ]{19})\):$", re.MULTILINE)
    traces, whole = [], []
    for file in sorted((shared / "rollouts").glob("*.json.xz"))[::12]:
        for text, student, title in json.loads(lzma.decompress(file.read_bytes())):
            body, end, _ = text.partition("<start>")[2].replace("<pad>", "").partition("<|endoftext|>")
            marks = list(header.finditer(body))
            bounds = [mark.start() - 1 for mark in marks[1:]] + [len(body)]
            states = tuple(
                State(code=body[mark.end() + 1 : bound], at=datetime.fromisoformat(mark[1]).replace(tzinfo=UTC))
                for mark, bound in zip(marks, bounds, strict=True)
            )
            if end and states:
                traces.append(Trace(student=student, title=title, states=states, source="rollouts"))
                whole.append(re.sub("CODE [0-9]+", "CODE", body))
    assert len(traces) > 500
    for trace, body, ids in zip(traces, whole, CODEC.encode_many(traces), strict=True):
        decoded = CODEC.decode(ids)
        assert (decoded.title, content(decoded.states)) == (trace.title, content(trace.states))
        assert re.sub("CODE [0-9]+", "CODE", spelled(ids[51:-1])) == body  # ordinary programs need no escapes
