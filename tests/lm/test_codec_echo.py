"""The codec whose edits see what they edit: what is shown, and that it says nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_codec import content
from test_codec_diff import TOKENIZER, traces, unechoed

from factories import make_dataset, make_trace
from redraft.data.split import SplitConfig, make_split
from redraft.data.trace import Trace
from redraft.errors import InputError
from redraft.lm.codec import CodecConfig, DiffCodec, EchoCodec, FullCodec, load_codec
from redraft.lm.generate import Draft, generate
from redraft.lm.sample import SampleConfig
from redraft.lm.tokenizer import train_tokenizer
from redraft.lm.train import train
from toy import TOY, prepare_torch

OPTIONS = CodecConfig(title_tokens=4, overlap=8, echo_tokens=10, done=False)
ECHO, DIFF = EchoCodec(TOKENIZER, OPTIONS), DiffCodec(TOKENIZER, OPTIONS)
SHOWN = ECHO.vocab_size - 1
TRACE = make_trace(["pen red\nfd 10\nrt 90", "pen blue\nfd 10\nrt 90", "pen blue\nfd 20\nrt 90"], gap=17)


def seen(codec: EchoCodec, ids: list[int]) -> list[str]:
    """What each echo shows."""
    told = codec.charged(ids)
    told[: ids.index(codec.start_id) + 1] = True
    shown, text = list[str](), list[int]()
    for token, spoken in zip(ids, told, strict=True):
        if token == codec._shown_id:
            shown.append(codec.tokenizer.decode(text))
            text = []
        elif not spoken:
            text.append(token)
    assert not text
    return shown


def test_a_line_is_shown_where_an_edit_goes_and_what_it_keeps_of_one() -> None:
    assert seen(ECHO, ECHO.encode(TRACE)) == ["\npen red", "\npen", "\nfd 10", "\nfd"]
    put_in = make_trace(["a\nb\nc", "a\nx\nb\nc", "y\na\nx\nb\nc"])
    assert seen(ECHO, ECHO.encode(put_in)) == ["\na", ""], "the line that text comes behind; at the top none"
    cut = make_trace(["a\nb\nc", "a\nc", "a"])
    assert seen(ECHO, ECHO.encode(cut)) == ["\nb"], "the line that is cut, if the edit had to go there"
    assert seen(ECHO, ECHO.encode(make_trace(["fd 10", "fd 10\nrt 90", "fd 20"]))) == ["\nfd"]


def test_far_lines_are_shown_on_the_way() -> None:
    lines = [f"fd {i}" for i in range(50)]
    ids = ECHO.encode(make_trace(["\n".join(lines), "\n".join(["rt 9", *lines[1:]])]))
    assert seen(ECHO, ids) == ["\nfd 17", "\nfd 0"]


def test_long_lines_are_shown_in_part() -> None:
    ids = ECHO.encode(make_trace(["write '" + "\U0001f422" * 30 + "'\nfd 1", "rt 1\nfd 1"]))
    assert ids.index(SHOWN) - ids.index(ECHO.ups.start) == 1 + 10


@given(traces, st.booleans())
@settings(deadline=None, max_examples=200)
def test_written_text_is_as_without_echoes(trace: Trace, relative: bool) -> None:
    options = replace(OPTIONS, relative_time=relative)
    echo, diff = EchoCodec(TOKENIZER, options), DiffCodec(TOKENIZER, options)
    ids, plain = echo.encode(trace), diff.encode(trace)
    assert unechoed(echo, ids) == plain
    for counts in (type(echo).charged, type(echo).learned):
        of_ids = [token for token, it in zip(ids, counts(echo, ids), strict=True) if it]
        assert of_ids == [token for token, it in zip(plain, counts(diff, plain), strict=True) if it]
    assert echo.counted(ids) == diff.counted(plain)
    assert list(echo.texts(trace)) == list(diff.texts(trace))


@given(traces, st.data())
@settings(deadline=None, max_examples=200)
def test_nothing_in_an_echo_is_read(trace: Trace, data: st.DataObject) -> None:
    ids = ECHO.encode(trace)
    text = st.lists(st.integers(5, TOKENIZER.vocab_size - 1), max_size=4)
    other = list[int]()
    for token in unechoed(ECHO, ids):
        other.append(token)
        if token in ECHO.ups or token in ECHO.keeps:
            other += [*data.draw(text), SHOWN]
    assert ECHO.decode(other, whole=True) == ECHO.decode(ids, whole=True)


@given(traces, st.data())
@settings(deadline=None, max_examples=300)
def test_wherever_a_chunk_is_cut_it_tells_echoes_from_text(trace: Trace, data: st.DataObject) -> None:
    codec = EchoCodec(TOKENIZER, replace(OPTIONS, overlap=0))
    ids = codec.encode(trace)
    start = ids.index(codec.start_id) + 1
    cut = data.draw(st.integers(start, len(ids)))
    if 0 < len(ids) - cut <= 10:  # as short a chunk isn't made
        return
    charged = [*codec.charged(ids[:cut]), *codec.charged(ids[cut:])]
    assert charged == codec.charged(ids).tolist()


def test_a_chunk_may_begin_within_an_echo() -> None:
    """It does where an edit doesn't fit beside the state before it."""
    codec = EchoCodec(TOKENIZER, replace(OPTIONS, overlap=0, echo_tokens=12))
    lines = [f"fd {i} + {i} + {i} + {i}" for i in range(40)]
    trace = make_trace(["\n".join(lines), "\n".join(f"{line} + 1" if i % 2 else line for i, line in enumerate(lines))])
    ids = codec.encode(trace)
    begun_within = 0
    for length in range(24, 60):
        chunks = codec.chunk(ids, length)
        assert codec.join(chunks) == ids
        firsts = [
            next(token for token in (*chunk, 0) if token >= codec.first_own_id or not token) for chunk in chunks[1:]
        ]
        begun_within += firsts.count(SHOWN)
        charged = [token for chunk in chunks for token, it in zip(chunk, codec.charged(chunk), strict=True) if it]
        assert charged == [token for token, it in zip(ids, codec.charged(ids), strict=True) if it]
    assert begun_within > 9


def test_a_draft_goes_on_behind_what_it_saw() -> None:
    """The beginning of an edit is, id by id, what training saw."""
    codec, (before, after, _) = ECHO, TRACE.states
    ids = codec.encode(make_trace([before.code, after.code], gap=17))
    begun = codec.prefix("square", [before]) + codec.header(2, after.at, before.at) + codec.edit_at(before.code, 0, 4)
    assert begun == ids[: len(begun)]
    assert seen(codec, begun) == ["\npen red", "\npen"]
    assert codec.edit_at("", 0, 0) == DIFF.edit_at("", 0, 0)


def test_a_context_shorter_than_echoes_is_refused() -> None:
    codec = EchoCodec(TOKENIZER, replace(OPTIONS, echo_tokens=30))
    with pytest.raises(InputError, match="echoes of 30"):
        codec.chunk(codec.encode(TRACE), 30)
    assert codec.chunk(codec.encode(TRACE), 31)


def test_models_of_edits_made_before_are_read_as_they_were(tmp_path: Path) -> None:
    """A folder of the version before has no word of echoes or of ids that end a state."""
    DIFF.save(tmp_path)
    saved = {"title_tokens": 4, "overlap": 8, "relative_time": True, "feedback": False, "feedback_tokens": 32}
    (tmp_path / "codec.json").write_text(json.dumps({"schema_version": 2, "name": "diff", "config": saved}))
    loaded = load_codec(tmp_path)
    assert loaded.vocab_size == TOKENIZER.vocab_size + 2 + 60 + 59 + 23 + 32 + 16 + 15
    assert loaded.done_id is loaded.run_id is None
    assert loaded.encode(TRACE) == DIFF.encode(TRACE)


def test_a_tokenizer_learns_what_its_codec_writes() -> None:
    at, first = "2020-01-01 09:00:00", "pen red\nfd 10\nrt 90"
    assert [*DIFF.texts(TRACE)] == [*ECHO.texts(TRACE)] == ["square", at, f"\n{first}", " blue", " 20"]
    assert [*FullCodec(TOKENIZER).texts(TRACE)][:3] == ["square", f"CODE 1 ({at}):\n", first]
    tokenizer = train_tokenizer(ECHO.texts(TRACE), 300)
    assert EchoCodec.trained_on([TRACE], 300).tokenizer.backend.to_str() == tokenizer.backend.to_str()


@pytest.mark.parametrize("cls", [FullCodec, DiffCodec, EchoCodec])
def test_an_id_may_end_each_draft(cls: type[FullCodec | DiffCodec]) -> None:
    plain = cls(TOKENIZER, OPTIONS)
    ends = cls(TOKENIZER, replace(OPTIONS, done=True))
    assert ends.vocab_size == plain.vocab_size + 1
    ids = ends.encode(TRACE)
    assert [token for token in ids if token != ends.done_id] == plain.encode(TRACE)
    assert ids.count(plain.vocab_size) == len(TRACE.states)
    assert ids[-2:] == [ends.done_id, ends.end_id]
    assert ends.charged(ids)[[i for i, token in enumerate(ids) if token == ends.done_id]].all()
    assert content(ends.decode(ids).states) == content(TRACE.states)
    told = cls(TOKENIZER, replace(OPTIONS, done=True, feedback=True))
    assert told.done_id == told.run_id is not None, "with feedback the same id ends a draft"
    assert told.vocab_size == plain.vocab_size + 3
    by_default = cls(TOKENIZER, replace(OPTIONS, done=None))
    assert by_default.config.done == (cls is EchoCodec), "edits that see what they edit, and end by an id"


# In drawing


@given(traces, st.booleans())
@settings(deadline=None, max_examples=200)
def test_what_is_shown_while_drawing_is_what_training_saw(trace: Trace, done: bool) -> None:
    codec = EchoCodec(TOKENIZER, replace(OPTIONS, done=done))
    ids = codec.encode(trace)
    for at in range(1, len(ids) + 1):
        shown = codec.shown(ids[:at])
        assert ids[at : at + len(shown)] == shown
        assert bool(shown) == (ids[at - 1] in codec.shows_ids)


def test_a_model_is_shown_what_it_edits_while_it_draws(tmp_path: Path) -> None:
    prepare_torch()
    pens = ("red", "blue", "green")
    codes = [
        [f"pen {one}\nfd 10", f"pen {other}\nfd 10", f"pen {other}\nfd 20\nrt 90"] for one in pens for other in pens
    ]
    made = [make_trace(some, student=f"s{s}", title=f"t{t}") for s, some in enumerate(codes) for t in range(4)]
    dataset = make_dataset(tmp_path / "data", made)
    split = make_split(dataset, SplitConfig(held_students=1, held_titles=1, validation_share=0.1))
    config = replace(TOY, codec="echo", codec_options=CodecConfig(overlap=8, echo_tokens=6), steps=150, lr=2e-2)
    model = train(dataset, split=split, view="trace", out=tmp_path / "m", config=config)
    codec = model.codec
    assert isinstance(codec, EchoCodec)
    begun = codec.prefix("t0", made[0].states[:1]) + codec.header(2, None) + codec.edit_at(made[0].states[0].code, 0, 4)
    prefixes = [codec.prefix("t0"), begun, begun[: begun.index(codec.keeps.start) + 1]]
    drafts = [Draft(student=1, ids=list(prefixes[n % 3]), stream=(0, "r", n)) for n in range(24)]
    generate(model, drafts, SampleConfig(rounds=2, top_p=1))
    shown = 0
    for draft in drafts:
        ids = draft.ids
        if codec.decode(ids).bad_date:
            continue
        for at in [at for at, token in enumerate(ids) if token in codec.shows_ids]:
            given = codec.shown(ids[: at + 1])
            assert ids[at + 1 : at + 1 + len(given)] == given
            assert given[-1] == codec._shown_id
            shown += 1
    assert shown > 5
    alone = Draft(student=1, ids=list(begun), stream=(0, "r", 1))
    generate(model, [alone], SampleConfig(rounds=2, top_p=1))
    assert alone.ids == drafts[1].ids, "neighbours and guesses change nothing"
