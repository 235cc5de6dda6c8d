"""The codec of edits, and what all codecs promise with every option: nothing lost, nothing counted twice."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise, product
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_codec import LOOKALIKES, content, programs, times, titles, unicode_text

from factories import make_trace
from known import known
from redraft.data.sources.rollouts import read_text
from redraft.data.trace import State, Trace
from redraft.errors import InputError
from redraft.lm.batch import Collator, encode
from redraft.lm.checkpoint import load_model
from redraft.lm.codec import (
    CODECS,
    EDIT,
    ENDING,
    TIME,
    Codec,
    CodecConfig,
    DiffCodec,
    EchoCodec,
    FullCodec,
    load_codec,
)  # fmt: skip
from redraft.lm.codec.edits import Cut, Editor, Keep, Step, Up, Write, steps, words
from redraft.lm.generate import Draft, generate
from redraft.lm.model import IGNORE, StudentIndex
from redraft.lm.sample import SampleConfig, requests_for, sample
from redraft.lm.train import train
from toy import TOY, prepare_torch, toy_dataset

TRACE = make_trace(["pen red\nfd 10", "pen red\nfd 10\n  rt 90", "pen red\nfd 10\n  rt 120", "fd 10\n  rt 120"], gap=17)
TOKENIZER = FullCodec.trained_on([TRACE] * 9, 330).tokenizer
OPTIONS = [
    CodecConfig(
        title_tokens=12, overlap=8, relative_time=relative, done=done, feedback=feedback, feedback_tokens=16,
        echo_tokens=10,
    )
    for relative, (done, feedback) in product((False, True), ((False, False), (True, False), (False, True)))
]  # fmt: skip
ALL = [cls(TOKENIZER, config) for cls, config in product(CODECS.values(), OPTIONS)]
DIFFS = [codec for codec in ALL if isinstance(codec, DiffCodec)]
DIFF = DiffCodec(TOKENIZER, CodecConfig(relative_time=True))

lines = st.sampled_from(["", " ", "fd 100", "fd 100", "rt 90", "pen red, 10", "  fd 10", "CODE 1 (+3):", *LOOKALIKES])


@st.composite
def drafts(draw: st.DrawFn) -> tuple[State, ...]:
    """States of which each is mostly the one before, its time too."""
    code, at, states = draw(programs), draw(times), []
    for _ in range(draw(st.integers(1, 5))):
        states.append(State(code=code, at=at))
        if draw(st.integers(0, 7)) == 0:
            code, at = draw(programs), draw(times)
            continue
        rows = code.split("\n")
        for _ in range(draw(st.integers(0, 2))):
            i = draw(st.integers(0, len(rows)))
            rows[i : i + draw(st.integers(0, 3))] = draw(st.lists(lines, max_size=3))
        code = "\n".join(rows)
        if at and at.year < 9000:
            at += draw(st.timedeltas(timedelta(0), timedelta(days=1, hours=1)) | st.just(timedelta(seconds=17)))
    return tuple(states)


traces = st.builds(Trace, student=st.just("s"), title=titles, states=drafts(), source=st.just("t"), ended=st.booleans())
messages = st.sampled_from(["", "fdd is not defined", *LOOKALIKES]) | unicode_text


@st.composite
def verdicts_on(draw: st.DrawFn, trace: Trace) -> dict[str, str]:
    known = draw(st.sets(st.sampled_from([state.id for state in trace.states])))
    return {program: draw(messages) for program in sorted(known)}


def name_of(codec: Codec) -> str:
    return f"{codec.name}-{codec.config.relative_time}-{codec.done_id}-{codec.run_id}"


def own(codec: Codec, ids: list[int]) -> list[str | int]:
    """Ids with text spelled out: for the eye."""
    return [codec.tokenizer.decode([i]) if i < codec.first_own_id else i - codec.first_own_id for i in ids]


def unechoed(codec: Codec, ids: list[int]) -> list[int]:
    """Ids without what an EchoCodec shows: from behind each UP and KEEP on, up to SHOWN."""
    if not isinstance(codec, EchoCodec):
        return ids
    kept, hidden = list[int](), False
    for token in ids:
        if not hidden:
            kept.append(token)
            hidden = token in codec.ups or token in codec.keeps
        elif token == codec._shown_id:
            hidden = False
    return kept


# What every codec promises, with every option


@given(traces, st.data(), st.sampled_from(ALL))
@settings(deadline=None, max_examples=400)
def test_any_trace_comes_back(trace: Trace, data: st.DataObject, codec: Codec) -> None:
    verdicts = data.draw(verdicts_on(trace))
    ids = codec.encode(trace, verdicts=verdicts)
    decoded = codec.decode(ids, whole=True)
    assert content(decoded.states) == content(trace.states)
    assert (decoded.ended, decoded.bad_date) == (trace.ended, False)
    if len(TOKENIZER.encode(trace.title)) <= 12:
        assert decoded.title == trace.title
    assert codec.decode(ids).states == decoded.states[: len(trace.states) - (not trace.ended)]
    assert max(ids) < codec.vocab_size
    masked = codec.encode(trace, mask_title=True, verdicts=verdicts)
    assert codec.decode(masked, whole=True) == decoded._replace(title=None)
    assert codec.hide_title(ids) == masked


@given(traces, st.data(), st.sampled_from(ALL))
@settings(deadline=None, max_examples=200)
def test_a_prefix_is_what_training_saw(trace: Trace, data: st.DataObject, codec: Codec) -> None:
    verdicts = data.draw(verdicts_on(trace))
    n = data.draw(st.integers(0, len(trace.states)))
    ids = codec.encode(trace, verdicts=verdicts)
    prefix = codec.prefix(trace.title, trace.states[:n], verdicts=verdicts)
    assert ids[: len(prefix)] == prefix
    if n < len(trace.states):
        longer = prefix + codec.header(n + 1, trace.states[n].at, trace.states[n - 1].at if n else None)
        assert ids[: len(longer)] == longer
        assert content(codec.decode(longer).states) == content(trace.states[:n])
    else:
        assert ids[len(prefix) :] == [codec.end_id] * trace.ended


@given(traces, st.data(), st.sampled_from(ALL), st.integers(24, 200))
@settings(deadline=None, max_examples=300)
def test_chunks_count_every_id_once(trace: Trace, data: st.DataObject, codec: Codec, length: int) -> None:
    ids = codec.encode(trace, verdicts=data.draw(verdicts_on(trace)))
    chunks = codec.chunk(ids, length)
    assert all(len(chunk) <= length for chunk in chunks)
    assert codec.join(chunks) == ids
    for counts in (codec.learned, codec.charged):
        of_chunks = [token for chunk in chunks for token, it in zip(chunk, counts(chunk), strict=True) if it]
        assert of_chunks == [token for token, it in zip(ids, counts(ids), strict=True) if it]
    assert all(codec.given(chunk) < len(chunk) for chunk in chunks)


@given(traces, st.data(), st.sampled_from(ALL))
@settings(deadline=None)
def test_programs_times_and_the_ending_are_charged_and_nothing_else(
    trace: Trace, data: st.DataObject, codec: Codec
) -> None:
    verdicts = data.draw(verdicts_on(trace))
    ids = codec.encode(trace, verdicts=verdicts)
    start = ids.index(codec.start_id)
    plain = unechoed(codec, codec.encode(trace))  # without verdicts, else nothing is given but the title
    charged = [token for token, it in zip(ids, codec.charged(ids), strict=True) if it]
    assert charged == plain[start + 1 :]
    learned = [token for token, it in zip(ids, codec.learned(ids), strict=True) if it]
    title = [token for token in ids[: start + 1] if token != codec.mask_id] if isinstance(codec, FullCodec) else []
    assert learned == title + charged


@given(traces, st.data(), st.sampled_from(ALL), st.integers(24, 200))
@settings(deadline=None, max_examples=200)
def test_every_id_belongs_to_one_state(trace: Trace, data: st.DataObject, codec: Codec, length: int) -> None:
    verdicts = data.draw(verdicts_on(trace))
    (coded,) = codec.encode_marked([trace], verdicts=verdicts)
    ids, states, parts = coded
    assert ids == codec.encode(trace, verdicts=verdicts)
    assert len(ids) == len(states) == len(parts)
    opening = ids.index(codec.start_id) + 1
    assert states[:opening].tolist() == [0] * opening
    assert set(parts[:opening]) == {""}
    before = None
    for n, state in enumerate(trace.states, 1):
        own = [(token, part) for token, of, part in zip(ids, states, parts, strict=True) if of == n and part != ENDING]
        header = codec.header(n, state.at, before)
        assert own[: len(header)] == [(token, TIME) for token in header]
        assert {part for _, part in own[len(header) :]} <= {EDIT}
        prefix = codec.prefix(trace.title, trace.states[:n], verdicts=verdicts)
        assert np.flatnonzero((states <= n) & (parts != ENDING)).tolist() == list(range(len(prefix)))
        before = state.at
    assert (parts == ENDING).tolist() == [False] * (len(ids) - trace.ended) + [True] * trace.ended
    assert states[-1] == len(trace.states)
    # what the chunks charge is charged to these states, each id once
    n_given = [codec.given(chunk) for chunk in chunks] if (chunks := codec.chunk(ids, length)) else []
    counted = np.concatenate([codec.charged(chunk)[n:] for chunk, n in zip(chunks, n_given, strict=True)])
    assert counted.tolist() == codec.charged(ids).tolist()
    assert (states[counted] >= 1).all()


def test_a_context_shorter_than_messages_is_refused() -> None:
    """A chunk all within a message could not tell it from a program."""
    for cls in (FullCodec, DiffCodec):
        codec = cls(TOKENIZER, CodecConfig(title_tokens=4, overlap=4, feedback=True, feedback_tokens=30))
        ids = codec.encode(TRACE, verdicts={TRACE.final.id: "\U0001f422" * 30})
        for cut in (codec.chunk, codec.restart):
            with pytest.raises(InputError, match="error messages of 30"):
                cut(ids, 30)
        assert codec.join(codec.chunk(ids, 31)) == ids


@given(st.lists(st.integers(0, DIFFS[-1].vocab_size + 3), max_size=80), st.sampled_from(ALL), st.integers(24, 60))
@settings(deadline=None, max_examples=300)
def test_no_ids_are_an_error(ids: list[int], codec: Codec, length: int) -> None:
    decoded = codec.decode(ids)
    assert decoded.ended == (codec.end_id in ids) or decoded.bad_date
    assert len(codec.restart(ids, length)) <= max(length - 8, 8)
    assert len(codec.learned(ids)) == len(codec.charged(ids)) == len(ids)
    assert codec.given(ids) <= len(ids)


@pytest.mark.parametrize("codec", ALL, ids=name_of)
def test_saved_and_loaded(codec: Codec, tmp_path: Path) -> None:
    codec.save(tmp_path)
    loaded = load_codec(tmp_path)
    assert (loaded.name, loaded.config, loaded.vocab_size) == (codec.name, codec.config, codec.vocab_size)
    assert loaded.encode(TRACE, verdicts={TRACE.final.id: "x"}) == codec.encode(TRACE, verdicts={TRACE.final.id: "x"})


def test_a_codec_of_the_first_version_is_loaded(tmp_path: Path) -> None:
    FullCodec(TOKENIZER).save(tmp_path)
    saved = {"schema_version": 1, "name": "full", "config": {"title_tokens": 20, "overlap": 8}}
    (tmp_path / "codec.json").write_text(json.dumps(saved))
    loaded = load_codec(tmp_path)
    assert loaded.config == CodecConfig(title_tokens=20, overlap=8, relative_time=False, done=False)
    assert loaded.encode(TRACE) == FullCodec(TOKENIZER, loaded.config).encode(TRACE)
    assert loaded.vocab_size == TOKENIZER.vocab_size


@pytest.mark.parametrize("codec", [FullCodec(TOKENIZER), DIFF])
def test_a_context_too_short_for_chunks_is_refused(codec: Codec) -> None:
    ids = codec.encode(TRACE)
    for cut in (codec.chunk, codec.restart):
        with pytest.raises(InputError, match="too short"):
            cut(ids, 64 + 50)


# What the codec diff writes


def test_edits_are_few_ids() -> None:
    ids = DIFF.encode(TRACE)
    at, seconds, up, cut, keep = 1, 2, 2 + 60 + 59 + 23, 2 + 60 + 59 + 23 + 32, 2 + 60 + 59 + 23 + 32 + 16
    assert own(DIFF, ids[ids.index(DIFF.start_id) + 1 :]) == [
        at, *own(DIFF, TOKENIZER.encode("2020-01-01 09:00:00")), *own(DIFF, TOKENIZER.encode("\npen red\nfd 10")),
        seconds + 17, "\n  ", "rt", " 90",
        seconds + 17, keep, *own(DIFF, TOKENIZER.encode(" 120")),
        seconds + 17, up + 1, cut,
        "<|endoftext|>",
    ]  # fmt: skip
    assert DIFF.header(5, known(TRACE.final.at) + timedelta(hours=2, minutes=3, seconds=4), TRACE.final.at) == [
        DIFF.first_own_id + i for i in (2 + 60 + 59 + 1, 2 + 60 + 2, 2 + 4)
    ]


@pytest.mark.parametrize(
    ("seconds", "relative"), [(0, True), (59, True), (60, True), (86_399, True), (86_400, False), (-1, False)]
)
def test_times_are_relative_within_a_day(seconds: int, relative: bool) -> None:
    first = datetime(2020, 1, 1, tzinfo=UTC)
    at = first + timedelta(seconds=seconds)
    for codec in (codec for codec in ALL if codec.config.relative_time):
        text = codec.tokenizer.decode([i for i in codec.header(2, at, first) if i < codec.first_own_id])
        assert (at.isoformat(" ")[:10] in text) != relative
        assert at.isoformat(" ")[:10] in codec.tokenizer.decode(codec.header(2, at))
    full = next(codec for codec in ALL if codec.config.relative_time)
    if relative:
        assert full.tokenizer.decode(full.header(2, at, first)) == f"\nCODE 2 (+{seconds}):\n"


single = (lines | unicode_text).map(lambda text: text.replace("\n", ""))


@given(
    st.lists(single, max_size=9).flatmap(
        lambda old: st.tuples(st.just(old), st.lists(single, max_size=9) | st.permutations(old))
    ),
    st.sampled_from([0, 1, 15]),
)
@settings(deadline=None, max_examples=300)
def test_steps_lead_from_old_to_new(programs: tuple[list[str], list[str]], most_kept: int) -> None:
    old, new = programs
    editor = Editor(list(old))
    for step in steps(old, new, most_kept):
        editor.take(step)
        assert not isinstance(step, Keep) or 1 <= step.n <= most_kept
    assert editor.lines == new
    assert list(steps(old, old, most_kept)) == []


@given(unicode_text | st.sampled_from(LOOKALIKES))
def test_words_are_the_line(line: str) -> None:
    assert "".join(words(line)) == line


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("a", "a\nb", [Write("\nb")]),
        ("a\nb\nb", "a\nb\nb\nb", [Write("\nb")]),  # of equal lines the last is the new one
        ("fd 1\nx", "fd 2\nx", [Up(1), Keep(1), Write(" 2")]),
        ("fd 1\nrt 1", "fd 2\nrt 2", [Keep(1), Write(" 2"), Keep(1), Write(" 2")]),
        ("fd 1", "rt 1", [Cut(1), Write("\nrt 1")]),
        ("fd 1\nb\nc", "fd 2\nd", [Cut(2), Keep(1), Write(" 2\nd")]),
        ("fd 1 # x", "fd 1", [Keep(2)]),
        ("a\nb\nc\nd", "b\nd", [Up(1), Cut(1), Up(1), Cut(1)]),
        ("", "a\n", [Write("\na\n")]),
    ],
)
def test_steps_are_the_short_ones(old: str, new: str, expected: list[Step]) -> None:
    assert list(steps(old.split("\n") if old else [], new.split("\n"), 15)) == expected


ONE, S, UP, CUT, KEEP = "AT 2020-01-01 10:00:00", "S", "UP", "CUT", "KEEP"
WRITTEN: dict[str, tuple[list[str | tuple[str, int]], list[str], bool]] = {
    "a step too far up": ([ONE, "\na\nb", (S, 1), (UP, 9), "\nc"], ["a\nb", "c\na\nb"], False),
    "more cut than there is": ([ONE, "\na\nb", (S, 1), (UP, 1), (CUT, 9), "\nc"], ["a\nb", "c\nb"], False),
    "kept of nothing": ([ONE, (S, 1), (KEEP, 3), "x\ny"], ["", "x\ny"], False),
    "text where a line break is due": ([ONE, "\na", (S, 1), "x\ny"], ["a", "a\ny"], False),
    "nothing changes": ([ONE, "\na", (S, 1), (S, 1)], ["a"] * 3, False),
    "steps before the first time": ([(UP, 1), "\nx", ONE, "\na"], ["a"], False),
    "nothing to count from": (["AT ", "\na", (S, 1), "\nb"], ["a"], True),
    "a first state without a date": ([(S, 1), "\na"], [], True),
    "no such day": ([ONE, "\na", "AT 2020-02-30 10:00:00", "\nb"], ["a"], True),
    "no time at all": ([ONE, "\na", "AT no time", "\nb", (S, 1)], ["a"], True),
    "beyond the last year": (["AT 9999-12-31 23:59:59", "\na", (S, 1)], ["a"], True),
}


@pytest.mark.parametrize(("parts", "codes", "bad_date"), WRITTEN.values(), ids=WRITTEN)
def test_what_models_write(parts: list[str | tuple[str, int]], codes: list[str], bad_date: bool) -> None:
    ids = [*TOKENIZER.encode("t"), DIFF.start_id]
    first = {S: 2, UP: 2 + 60 + 59 + 23 - 1, CUT: 2 + 60 + 59 + 23 + 32 - 1, KEEP: 2 + 60 + 59 + 23 + 32 + 16 - 1}
    for part in parts:
        if isinstance(part, tuple):
            ids.append(DIFF.first_own_id + first[part[0]] + part[1])
        elif part.startswith("AT "):
            ids += [DIFF.first_own_id + 1, *TOKENIZER.encode(part[3:])]
        else:
            ids += TOKENIZER.encode(part)
    decoded = DIFF.decode([*ids, DIFF.end_id])
    assert [state.code for state in decoded.states] == codes
    assert (decoded.title, decoded.ended, decoded.bad_date) == ("t", not bad_date, bad_date)


def test_a_time_that_is_not_finished_is_no_bad_date() -> None:
    ids = DIFF.prefix("t", TRACE.states[:1]) + DIFF.header(2, TRACE.final.at)
    for cut in range(1, 6):
        decoded = DIFF.decode(ids[:-cut])
        assert (content(decoded.states), decoded.bad_date) == (content(TRACE.states[:1]), False)


# Chunks and going on


@given(traces, st.data(), st.sampled_from(DIFFS), st.integers(24, 300))
@settings(deadline=None, max_examples=300)
def test_chunks_decode_alone_and_hold_each_edit_once(
    trace: Trace, data: st.DataObject, codec: DiffCodec, length: int
) -> None:
    ids = codec.encode(trace, verdicts=data.draw(verdicts_on(trace)))
    chunks = codec.chunk(ids, length)
    if any(codec._start(chunk) < 0 for chunk in chunks):  # some edit doesn't fit: the next test
        return
    read = [codec.decode(chunk, whole=True) for chunk in chunks]
    assert [one.title for one in read] == [codec.decode(ids).title] * len(read)
    for one, following in pairwise(read):
        assert following.states[0] == one.states[-1]  # the whole state it starts from
        assert len(following.states) > 1
    states = [*read[0].states, *(state for one in read[1:] for state in one.states[1:])]
    assert content(tuple(states)) == content(trace.states)
    assert len(chunks) == 1 or len(ids) > length


def test_what_does_not_fit_is_cut_by_the_stated_rule() -> None:
    small = CodecConfig(title_tokens=4, overlap=8, relative_time=False)
    codec = DiffCodec(TOKENIZER, small)
    long = "\n".join(f"fd {i}" for i in range(30))
    trace = make_trace(["fd 1", long, f"{long}\nrt 90", *(f"fd {i}" for i in range(9))])
    ids = codec.encode(trace)
    first, *others = chunks = codec.chunk(ids, 60)
    assert len(ids) > 180
    assert first == ids[:60]  # the long edit begins where it comes
    kinds = ["inside" if codec._start(chunk) < 0 else "whole" for chunk in others]
    assert kinds == sorted(kinds)
    assert set(kinds) == {"inside", "whole"}  # and once states are short again, chunks begin with one
    for chunk, following in pairwise(chunks[: kinds.count("inside") + 1]):
        assert following[:8] == chunk[-8:]
        assert codec.given(following) == 8
    assert content(codec.decode(chunks[-1]).states)[-1] == content(trace.states)[-1]


@given(traces, st.data(), st.sampled_from(DIFFS))
@settings(deadline=None, max_examples=300)
def test_a_draft_goes_on_from_its_last_whole_state(trace: Trace, data: st.DataObject, codec: DiffCodec) -> None:
    ids = codec.encode(trace, verdicts=data.draw(verdicts_on(trace)))
    if len(ids) < 25:
        return
    length = data.draw(st.integers(24, len(ids) - 1))
    so_far = data.draw(st.integers(length, len(ids) - trace.ended))
    head = codec.restart(ids[:so_far], length)
    done = codec.decode(ids[:so_far]).states
    if codec._start(head) < 0:
        assert head == ids[max(0, so_far - 8) : so_far]
        return
    assert len(head) <= length - 8
    assert done
    whole = codec.decode(head + ids[so_far:], whole=True)
    assert content(whole.states) == content(trace.states[len(done) - 1 :])
    assert whole.title == codec.decode(ids).title
    assert codec.given(head + ids[so_far:]) <= len(head) or len(done) == len(trace.states)


def test_a_draft_begun_again_looks_like_a_chunk() -> None:
    """The head is, id by id, how training's next chunk begins."""
    codec = DiffCodec(TOKENIZER, CodecConfig(title_tokens=4, overlap=8, relative_time=True))
    trace = make_trace(["pen red", *(f"pen red\nfd {i}" for i in range(40))])
    ids = codec.encode(trace)
    first, second, *_ = codec.chunk(ids, 60)
    n = len(codec.decode(first, whole=True).states)
    header = codec.header(n + 1, trace.states[n].at, trace.states[n - 1].at)
    head = codec.restart(first + header, 60)
    assert head == second[: len(head)]
    assert head[-1:] == header


# Feedback


def test_feedback_is_given_and_cut() -> None:
    config = CodecConfig(title_tokens=4, overlap=8, relative_time=True, feedback=True, feedback_tokens=3)
    for cls in (FullCodec, DiffCodec):
        codec = cls(TOKENIZER, config)
        run, error, seen = known(codec.run_id), codec.vocab_size - 2, codec.vocab_size - 1
        verdicts = {TRACE.states[0].id: "fd10 is not defined", TRACE.states[1].id: ""}
        ids = codec.encode(TRACE, verdicts=verdicts)
        assert ids.count(run) == 4
        at = ids.index(run)
        message = TOKENIZER.encode("fd10 is not defined")[:3]
        assert ids[at : at + 3 + len(message)] == [run, error, *message, seen]
        assert codec.feedback("fd10 is not defined") == [error, *message, seen]
        again = ids.index(run, at + 1)
        assert ids[again : again + 3] == [run, error, seen]
        assert ids.count(error) == ids.count(seen) == 2
        learned = codec.learned(ids)
        assert all(learned[i] for i, token in enumerate(ids) if token == run)
        assert not learned[at + 1 : at + 3 + len(message)].any()
        assert learned[at + 3 + len(message)]
        without = codec.encode(TRACE)
        assert [i for i in without if i != run] == cls(TOKENIZER, replace(config, feedback=False)).encode(TRACE)


# In training and sampling


@pytest.mark.parametrize("codec", ALL, ids=name_of)
def test_batches_learn_what_the_codec_says(codec: Codec) -> None:
    trace = make_trace([f"pen red\nfd {i}" + "\nrt 90" * (i % 9) for i in range(30)])
    verdicts = {state.id: "x" for state in trace.states[::2]}
    ids = codec.encode(trace, verdicts=verdicts)
    chunks = encode([trace], codec, StudentIndex(["s1"]), 81, verdicts=verdicts)
    assert chunks.heads.tolist() == [True] + [False] * (len(chunks) - 1)
    assert len(chunks) > 2
    for counts, hidden in ((codec.learned, 0.0), (codec.charged, 1 - 1e-9)):
        collate = Collator(chunks, codec, title_mask=hidden)
        which = np.arange(len(chunks))
        batch = collate(which)
        labels_BL = batch.labels if hidden == 0 else collate.charged(which)
        assert batch.input_ids.shape == labels_BL.shape
        counted_BL = labels_BL != IGNORE
        assert labels_BL[counted_BL].tolist() == [t for t, it in zip(ids, counts(ids), strict=True) if it]
        assert (batch.input_ids[counted_BL] == labels_BL[counted_BL]).all()
    title = codec.tokenizer.encode(trace.title)
    assert all(line[1 : 1 + len(title)] != title for line in batch.input_ids.tolist())  # hidden in every chunk


def test_a_model_of_edits_is_trained_sampled_and_kept(tmp_path: Path) -> None:
    prepare_torch()
    dataset, split = toy_dataset(tmp_path / "data")
    config = replace(TOY, codec="diff", codec_options=CodecConfig(relative_time=True), steps=200, lr=2e-2)
    model = train(dataset, split=split, view="trace", out=tmp_path / "m", config=config)
    assert load_model(tmp_path / "m").codec.name == "diff"
    drawn = sample(model, requests_for(split), out=tmp_path / "g", config=SampleConfig(per_pair=2, top_p=0.9))
    codes = {state.code for trace in drawn.traces() for state in trace.states}
    real = {state.code for trace in dataset.traces() for state in trace.states}
    assert len(codes & real) > len(codes) / 2  # a toy this small is learned
    assert sum(trace.ended for trace in drawn.traces()) > len(drawn) / 2


def test_a_model_of_edits_fills_many_contexts(tmp_path: Path) -> None:
    """One that never ends goes on from its last whole state, and what it drew is one trace."""
    prepare_torch()
    dataset, split = toy_dataset(tmp_path / "data")
    config = replace(TOY, codec="diff", codec_options=CodecConfig(overlap=8, relative_time=True), steps=200, lr=2e-2)
    model = train(dataset, split=split, view="trace", out=tmp_path / "m", config=config)
    model.codec.end_id = -1
    draft = Draft(student=1, ids=model.codec.prefix("square"), stream=(0, "r", 0))
    generate(model, [draft], SampleConfig(rounds=4, endings="nucleus", grammar=False))
    assert draft.rounds == 4
    assert len(draft.ids) > 2 * model.lm.context
    assert len(model.codec.decode(draft.ids).states) > 4


def test_feedback_is_trained_and_sampling_says_that_it_lacks_it(tmp_path: Path) -> None:
    prepare_torch()
    dataset, split = toy_dataset(tmp_path / "data")
    config = replace(TOY, codec="diff", codec_options=CodecConfig(feedback=True), steps=2)
    with pytest.raises(InputError, match="no verdicts"):
        train(dataset, split=split, view="trace", out=tmp_path / "m", config=config)
    rows = [{"id": s.id, "verdict": "ok", "errors": [{"message": "x"}]} for t in dataset.traces() for s in t.states]
    pq.write_table(pa.Table.from_pylist(rows), dataset.path / "verdicts-v8.parquet")
    model = train(dataset, split=split, view="trace", out=tmp_path / "m", config=config)
    assert model.codec.run_id is not None
    with pytest.raises(InputError, match="whether it ran"):
        sample(model, requests_for(split), out=tmp_path / "g")


def test_while_sampling_a_model_is_told_what_ran(tmp_path: Path) -> None:
    prepare_torch()
    dataset, split = toy_dataset(tmp_path / "data")
    rows = [{"id": s.id, "verdict": "ok", "errors": []} for t in dataset.traces() for s in t.states]
    pq.write_table(pa.Table.from_pylist(rows), dataset.path / "verdicts-v8.parquet")
    options = CodecConfig(overlap=8, relative_time=True, feedback=True)
    config = replace(TOY, codec="diff", codec_options=options, steps=150, lr=2e-2)
    model = train(dataset, split=split, view="trace", out=tmp_path / "m", config=config)
    asked: list[str] = []

    def tell(programs: Sequence[str]) -> list[str | None]:
        asked.extend(programs)
        return [None if "rt" in program else f"bad {len(program)}" if "fd" in program else "" for program in programs]

    drafts = [Draft(student=1 + n % 4, ids=model.codec.prefix("square"), stream=(0, "r", n)) for n in range(12)]
    generate(model, drafts, SampleConfig(rounds=2), tell=tell)
    heard = 0
    for draft in drafts:
        states = model.codec.decode(draft.ids).states
        ends = [i for i, token in enumerate(draft.ids) if token == model.codec.run_id]
        for state, end in zip(states, ends, strict=False):
            (message,) = tell([state.code])
            told = [] if message is None else model.codec.feedback(message)
            assert draft.ids[end + 1 : end + 1 + len(told)] == told
            heard += message is not None
            assert state.code in asked
    assert heard > 12
    made = sample(model, requests_for(split), out=tmp_path / "g", config=SampleConfig(per_pair=1), tell=tell)
    assert len(made)


# At scale


def test_a_long_trace_is_coded_and_cut_in_good_time() -> None:
    program = [f"fd {i}" for i in range(100)]
    trace = make_trace(["\n".join(program[: 1 + i % 100]) for i in range(1000)])
    started = time.process_time()
    ids = DIFF.encode(trace)
    assert content(DIFF.decode(ids).states) == content(trace.states)
    assert DIFF.join(DIFF.chunk(ids, 511)) == ids
    assert time.process_time() - started < 20


@pytest.mark.supplied
def test_all_supplied_rollouts_come_back(shared: Path) -> None:
    """Those without an end too; both codecs, times relative."""
    import lzma

    found = []
    for file in sorted((shared / "rollouts").glob("*.json.xz")):
        for text, student, title in json.loads(lzma.decompress(file.read_bytes())):
            reading = read_text(text)
            states = tuple(State(code=draft.code, at=draft.at.replace(tzinfo=UTC)) for draft in reading.drafts)
            if states:
                found.append(Trace(student=student, title=title, states=states, source="r", ended=reading.ended))
    assert (len(found), sum(len(trace.states) for trace in found)) == (27_236, 87_334)
    tokenizer = FullCodec.trained_on(found[::20], 1024).tokenizer
    for codec in (cls(tokenizer, CodecConfig(relative_time=True)) for cls in CODECS.values()):
        for trace, ids in zip(found, codec.encode_many(found), strict=True):
            decoded = codec.decode(ids, whole=True)
            assert (decoded.title, content(decoded.states)) == (trace.title, content(trace.states))
            assert (decoded.ended, decoded.bad_date) == (trace.ended, False)
            assert codec.join(codec.chunk(ids, 511)) == ids
