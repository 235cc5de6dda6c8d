"""The grammar of traces: what a codec writes may come, at every place, and what may come makes valid traces."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_codec import titles
from test_codec_diff import DIFF, DIFFS, TOKENIZER, drafts, messages, verdicts_on

from factories import make_trace
from known import known
from redraft.data.trace import State, Trace
from redraft.lm.codec import CodecConfig, DiffCodec, EchoCodec, FullCodec
from redraft.lm.codec.base import Codec
from redraft.lm.codec.grammar import GOES_ON, NEVER, NEXT_DRAFT, TRACE_ENDS, Grammar
from redraft.lm.codec.headers import latest, read_time
from redraft.lm.tokenizer import train_tokenizer

WORDY = train_tokenizer(["CODE 2020-01-16 15:05:28\npen red\n  fd 100\n\n# étoile 🐢\r\n  rt 90"] * 30, 500)
ECHOES = [EchoCodec(WORDY, replace(codec.config, echo_tokens=6)) for codec in DIFFS]
DONE = [cls(WORDY, CodecConfig(overlap=8, echo_tokens=6, done=True)) for cls in (DiffCodec, EchoCodec)]
CODECS = [*DIFFS, *(DiffCodec(WORDY, codec.config) for codec in DIFFS), *ECHOES, *DONE]


def valid(states: tuple[State, ...]) -> tuple[State, ...]:
    """Drafts as datasets hold them: none empty at first, none like the one before, times in order."""
    kept: list[State] = []
    for state in states:
        if state.code in ("", *(each.code for each in kept[-1:])):
            continue
        before = kept[-1].at if kept else None
        if state.at and before and state.at < before:
            state = replace(state, at=before)
        kept.append(state)
    return tuple(kept)


traces = st.builds(
    Trace, student=st.just("s"), title=titles, states=drafts().map(valid).filter(bool), source=st.just("t"),
    ended=st.booleans(),
)  # fmt: skip


def place(codec: Codec, ids: list[int]) -> Grammar:
    return known(codec.grammar(ids))


def follow(codec: Codec, ids: list[int], start: int) -> list[int]:
    """What each id from `start` on says where it stands; feedback is given and passed over."""
    grammar, said = place(codec, ids[:start]), []
    counted = codec._own(ids, start)
    for token, counts in zip(ids[start:], counted[start:], strict=True):
        if counts:
            said.append(int(grammar.may[token]))
            grammar = grammar.after(token)
    return said


@given(traces, st.data(), st.sampled_from(CODECS))
@settings(deadline=None, max_examples=400)
def test_all_that_the_codec_writes_may_come(trace: Trace, data: st.DataObject, codec: Codec) -> None:
    ids = codec.encode(trace, verdicts=data.draw(verdicts_on(trace)))
    start = ids.index(codec.start_id) + 1
    said = follow(codec, ids, start)
    assert NEVER not in said
    if codec.done_id is None:
        assert said.count(NEXT_DRAFT) == len(trace.states)
    else:
        assert said.count(NEXT_DRAFT) == 2 * len(trace.states)
    assert said.count(TRACE_ENDS) == trace.ended
    begun = data.draw(st.integers(start, len(ids)))
    counts = codec._own(ids, start)
    if begun == len(ids) or counts[begun]:
        assert follow(codec, ids, begun) == said[int(counts[start:begun].sum()) :], "it may begin anywhere"


@st.composite
def drawn(draw: st.DrawFn) -> tuple[Codec, list[int], list[int]]:
    """A codec, a beginning, and ids behind it that each may come, chosen without regard for how likely they are."""
    codec = draw(st.sampled_from(CODECS))
    trace = draw(traces)
    n = draw(st.integers(0, len(trace.states)))
    ids = codec.prefix(trace.title, trace.states[:n])
    begun, grammar = list(ids), place(codec, ids)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    texts = draw(st.sampled_from([0.05, 0.5]))
    for _ in range(draw(st.integers(1, 150))):
        (steps,), (all_,) = (np.nonzero(grammar.may[codec.first_own_id :] >= 0), np.nonzero(grammar.may >= 0))
        pool = steps + codec.first_own_id if len(steps) and rng.random() > texts else all_
        token = int(rng.choice(pool if rng.random() > 0.2 or codec.end_id not in all_ else [codec.end_id]))
        ids.append(token)
        if token == codec.end_id:
            break
        grammar = grammar.after(token)
        shown = codec.shown(ids, grammar)
        assert shown == codec.shown(ids), "the place knows what reading all of it finds"
        ids += shown
        if token == codec.run_id and rng.random() < 0.5:
            ids += codec.feedback(draw(messages))
    return codec, begun, ids


@given(drawn())
@settings(deadline=None, max_examples=400)
def test_whatever_may_come_makes_a_valid_trace(case: tuple[DiffCodec, list[int], list[int]]) -> None:
    codec, begun, ids = case
    decoded, before = codec.decode(ids), codec.decode(begun, whole=True)
    assert not decoded.bad_date
    assert decoded.ended == (ids[-1] == codec.end_id)
    assert not decoded.ended or len(decoded.states) >= max(1, len(before.states))
    for (one, other), hunks in zip(pairwise(decoded.states), hunks_of(codec, ids), strict=False):
        assert not (one.at and other.at and other.at < one.at)
        assert hunks > 1 or one.code != other.code, "a second hunk may undo the first"
    spelled = known(codec.tokenizer.spelled())
    text = [spelled[i] if i < codec.first_own_id else b"\0" for i in np.array(ids)[codec._own(ids, len(begun))]]
    if ids[-1] == codec.end_id:
        b"".join(text).decode()


def hunks_of(codec: DiffCodec, ids: list[int]) -> list[int]:
    """How many hunks each state but the first has, at most: all but one begin by going up."""
    ids = np.array(ids)[codec._own(ids, 0)].tolist()
    starts = [*codec._state_starts(ids).tolist(), len(ids)]
    counts = []
    for start, end in list(pairwise(starts))[1:]:
        times = range(codec.at_id, codec.hours.stop)
        ups = [True, *(token in codec.ups for token in ids[start:end] if token not in times)]
        counts.append(1 + sum(up and not before for before, up in pairwise(ups)))
    return counts


# Rule by rule


def after(codes: list[str], *ids: int, codec: DiffCodec = DIFF, header: bool = True) -> Grammar:
    """The place in an edit of the last of some programs."""
    trace = make_trace(codes)
    begun = codec.prefix("t", trace.states)
    if header:
        begun += codec.header(len(codes) + 1, known(trace.final.at) + timedelta(seconds=3), trace.final.at)
    return place(codec, [*begun, *ids])


def most(grammar: Grammar, ids: range) -> int:
    """How many of some ids in a row may come, the smallest first."""
    may = [grammar.may[token] >= 0 for token in ids]
    assert may == sorted(may, reverse=True)
    return sum(may)


def texts(grammar: Grammar) -> set[str]:
    """First letters of texts that may come."""
    spelled = known(TOKENIZER.spelled())
    return {chr(spelled[i][0]) for i in range(DIFF.first_own_id) if grammar.may[i] == GOES_ON}


def may_end(grammar: Grammar) -> bool:
    ends = grammar.may[DIFF.end_id] == TRACE_ENDS
    assert ends == (grammar.may[DIFF.seconds.start] == NEXT_DRAFT) == (grammar.may[DIFF.at_id] == NEXT_DRAFT)
    return bool(ends)


PROGRAM = "pen red\nfd 10 20\nrt 90"


def test_an_edit_stays_within_the_program() -> None:
    begun = after([PROGRAM])
    assert (most(begun, DIFF.ups), most(begun, DIFF.cuts), most(begun, DIFF.keeps)) == (3, 3, 2)
    assert texts(begun) == {"\n"}
    assert not may_end(begun), "no step is no edit"
    up = after([PROGRAM], DIFF.ups[0])
    assert (most(up, DIFF.ups), most(up, DIFF.cuts), most(up, DIFF.keeps)) == (0, 2, 3)
    assert not may_end(up)
    top = after([PROGRAM], DIFF.ups[2])
    assert (most(top, DIFF.ups), most(top, DIFF.cuts), most(top, DIFF.keeps)) == (0, 0, 0)
    assert texts(top) == {"\n"}
    long = after(["\n".join(f"fd {n}" for n in range(70))], DIFF.ups[-1])
    assert most(long, DIFF.ups) == 32
    assert most(long.after(DIFF.ups[-1]), DIFF.ups) == 6
    assert not most(long.after(DIFF.ups[1]), DIFF.ups)


def test_what_is_put_back_is_no_edit() -> None:
    kept = after([PROGRAM], DIFF.keeps[0])
    assert may_end(kept), "a shorter line is another"
    assert len(texts(kept)) > 20
    for token in TOKENIZER.encode(" 90"):
        kept = kept.after(token)
    assert not may_end(kept)
    assert not most(kept, DIFF.ups)
    assert not most(kept, DIFF.keeps)
    assert may_end(kept.after(TOKENIZER.encode("1")[0]))
    cut = after([PROGRAM], DIFF.cuts[1])
    assert may_end(cut)
    for token in TOKENIZER.encode("\nfd 10 20\nrt 90"):
        cut = cut.after(token)
    assert not may_end(cut)
    assert not may_end(after([PROGRAM], DIFF.keeps[1])), "all words are kept"


def test_the_first_program_is_text() -> None:
    at = [DIFF.at_id, *TOKENIZER.encode("2020-01-01 09:00:00")]
    begun = place(DIFF, [*DIFF.prefix("t"), *at])
    assert texts(begun) == {"\n"}
    assert not (begun.may[DIFF.first_own_id :] >= 0).any()
    assert not may_end(begun)
    line_break = begun.after(TOKENIZER.encode("\n")[0])
    assert not may_end(line_break), "a line break alone is no program"
    assert may_end(line_break.after(TOKENIZER.encode("f")[0]))


def test_times_are_such_as_follow() -> None:
    first = place(DIFF, DIFF.prefix("t"))
    assert np.flatnonzero(first.may >= 0).tolist() == [DIFF.at_id]
    hours = after(["fd 1"], DIFF.hours[0], header=False)
    assert sorted(np.flatnonzero(hours.may == GOES_ON)) == [*DIFF.seconds, *DIFF.minutes]
    minutes = after(["fd 1"], DIFF.minutes[0], header=False)
    assert sorted(np.flatnonzero(minutes.may == GOES_ON)) == [*DIFF.seconds]
    date = after(["fd 1"], DIFF.at_id, *TOKENIZER.encode("2020-01-0"), header=False)  # the one before: 2020-01-01 09:00
    assert texts(date) == set("23456789")
    no_time = place(DIFF, DIFF.prefix("t", [State(code="fd 1")]) + TOKENIZER.encode(" 5"))
    assert no_time.may[DIFF.at_id] == NEXT_DRAFT
    assert not most(no_time, DIFF.seconds), "nothing to count from"
    full = DiffCodec(TOKENIZER, CodecConfig(relative_time=False))
    changed = place(full, full.prefix("t", make_trace(["fd 1"]).states))
    assert not most(changed, full.seconds)
    date = after(["fd 1"], full.at_id, *TOKENIZER.encode("2020-01-0"), codec=full, header=False)
    assert texts(date) == set("123456789")


@given(st.datetimes(), st.integers(0, 19))
def test_the_latest_time_that_begins_like_one(at: datetime, n: int) -> None:
    text = at.isoformat(" ", "seconds")
    found = known(latest(text[:n]))
    assert found.startswith(text[:n])
    assert found >= text
    assert read_time(found) is not None
    assert latest(text) == text


@pytest.mark.parametrize("text", ["0000", "2021-02-29", "2020-13", "2020-1x", "2020-01-32", "2020-01-01 24", "x"])
def test_no_time_begins_like_this(text: str) -> None:
    assert latest(text) is None


def test_letters_are_whole() -> None:
    turtle = DIFF.tokenizer.encode("🐢")
    assert len(turtle) == 4, "a letter of four ids"
    grammar = after(["fd 1"], *TOKENIZER.encode("\n"))
    for token in turtle[:-1]:
        grammar = grammar.after(token)
        assert not may_end(grammar)
        assert all(0x80 <= ord(letter) <= 0xBF for letter in texts(grammar))
    assert may_end(grammar.after(turtle[-1]))


def test_a_codec_without_a_grammar_has_none() -> None:
    assert FullCodec(TOKENIZER).grammar([1, 2, 3]) is None
