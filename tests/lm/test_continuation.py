"""Continuations: prefixes that fit, any student's hand, the new states alone, what they cost."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from factories import make_trace
from known import known
from redraft.data.trace import State
from redraft.errors import InputError
from redraft.lm import continuation
from redraft.lm.batch import Encoded
from redraft.lm.bits import bits_of
from redraft.lm.checkpoint import Model
from redraft.lm.codec import CODECS, EDIT, CodecConfig
from redraft.lm.continuation import Continuation, Place, edit_bits, go_on, prefix_of
from redraft.lm.sample import SampleConfig
from redraft.lm.train import train
from toy import TOY, prepare_torch, toy_dataset

SHORT = CodecConfig(title_tokens=8, overlap=16, relative_time=True)
TRACE = make_trace(["pen red", "pen red\nfd 10"], student="s0", title="square")
NEXT = datetime(2020, 1, 1, 9, 1, 30, tzinfo=UTC)


@pytest.fixture(scope="module", params=CODECS)
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Model:
    prepare_torch()
    folder: Path = tmp_path_factory.mktemp("toy")
    dataset, split = toy_dataset(folder / "data")
    config = replace(TOY, codec=request.param, codec_options=SHORT, steps=250, lr=2e-2)
    return train(dataset, split=split, view="trace", out=folder / "model", config=config)


def test_a_prefix_reads_as_the_states_and_the_next_time(model: Model) -> None:
    prefix = prefix_of(model, "square", TRACE.states, NEXT + timedelta(seconds=0.9))
    assert (prefix.states, prefix.dropped) == (TRACE.states, 0)
    decoded = model.codec.decode(prefix.ids, whole=True)
    assert [state.code for state in decoded.states[:-1]] == ["pen red", "pen red\nfd 10"]
    assert decoded.states[-1].at == NEXT, "headers hold whole seconds"


def test_what_is_drawn_begins_with_the_prefix_and_holds_new_states_only(model: Model) -> None:
    prefix = prefix_of(model, "square", TRACE.states, NEXT)
    wanted = [Continuation(prefix, "s0", "case", number) for number in range(8)]
    drawn = go_on(model, wanted, SampleConfig(seed=3, rounds=1))
    assert len(drawn) == 8
    assert any(one.states for one in drawn)
    for one in drawn:
        assert [state.language for state in one.states] == ["coffeescript"] * len(one.states)
        if one.states:
            assert one.states[0].at == NEXT
    assert go_on(model, wanted, SampleConfig(seed=3, rounds=1, batch=3)) == drawn
    assert go_on(model, wanted[4:5], SampleConfig(seed=3, rounds=1)) == drawn[4:5], "neighbours change nothing"
    assert go_on(model, wanted, SampleConfig(seed=4, rounds=1)) != drawn


def test_whose_hand_goes_on_is_asked_for_by_draw(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = []
    monkeypatch.setattr(continuation, "generate", lambda model, drafts, config, done: rows.extend(drafts))
    prefix = prefix_of(model, "square", TRACE.states, NEXT)
    met = model.students.students[2]
    go_on(model, [Continuation(prefix, student, "case") for student in (met, None, "stranger")])
    assert [draft.student for draft in rows] == [3, 0, 0]


def test_the_oldest_states_go_first_when_there_is_no_room(model: Model) -> None:
    states = make_trace([f"pen red\nfd {n}\n" + "rt 90\n" * (n % 5) for n in range(60)]).states
    prefix = prefix_of(model, "square", states, known(states[-1].at) + timedelta(seconds=5))
    assert 0 < prefix.dropped < 60
    assert prefix.states == states[prefix.dropped :]
    most = 0.75 * (model.lm.context - 1)
    assert len(prefix.ids) <= most
    one_more = model.codec.prefix("square", states[prefix.dropped - 1 :])
    header = model.codec.header(len(prefix.states) + 2, known(states[-1].at) + timedelta(seconds=5), states[-1].at)
    assert len(one_more) + len(header) > most, "as few as needed"
    decoded = model.codec.decode(prefix.ids, whole=True)
    assert [state.code for state in decoded.states[:-1]] == [state.code for state in prefix.states]


def test_a_program_longer_than_the_context_is_an_error_with_a_remedy(model: Model) -> None:
    long = State(code="\n".join(f"fd {n}" for n in range(200)), language="coffeescript")
    with pytest.raises(InputError, match="longer context"):
        prefix_of(model, "square", [long], None)


def test_times_may_be_missing(model: Model) -> None:
    states = tuple(replace(state, at=None) for state in TRACE.states)
    prefix = prefix_of(model, "square", states, None)
    decoded = model.codec.decode(prefix.ids, whole=True)
    assert [state.at for state in decoded.states] == [None, None, None]


def test_bits_are_those_of_the_new_edits_read_with_the_vector_asked_for(model: Model) -> None:
    prefix = prefix_of(model, "square", TRACE.states, NEXT)
    new = make_trace(["pen red\nfd 10\nrt 90", "dot blue"], start=NEXT).states
    met = model.students.students[0]
    (own,), (nobody,) = (edit_bits(model, [Continuation(prefix, who, "c")], [new]) for who in (met, None))
    assert len(own) == 2
    assert 0 < own[0] < own[1]
    assert own != nobody
    whole = replace(TRACE, states=(*TRACE.states, *new), ended=False)
    (coded,) = model.codec.encode_marked([whole])
    (bits,) = bits_of(model, [Encoded(coded.ids, 1)], [lambda rows: rows], batch_tokens=999)
    expected = bits[0][(coded.parts == EDIT) & (coded.states == 3)].sum()
    assert own[0] == pytest.approx(expected)
    assert edit_bits(model, [], []) == []


def test_settings_that_make_no_sense_are_said(model: Model) -> None:
    prefix = prefix_of(model, "square", TRACE.states, NEXT)
    with pytest.raises(InputError, match="top_p"):
        go_on(model, [Continuation(prefix, None, "c")], SampleConfig(top_p=0))


def test_an_edit_may_begin_at_a_given_place(model: Model) -> None:
    codec = model.codec
    states = make_trace(["pen red", "pen red\nfowrd 100, 5\n  rt 90"]).states

    def edited(line: int, column: int, text: str) -> str:
        prefix = prefix_of(model, "square", states, NEXT, Place(line, column))
        ids = [*prefix.ids, *codec.tokenizer.encode(text), codec.end_id]
        decoded = codec.decode(ids)
        assert len(decoded.states) == 3
        return decoded.states[-1].code

    below = "\n  rt 90" if codec.name != "full" else ""
    rest = "\nfowrd 100, 5" + below if codec.name != "full" else ""
    assert edited(1, 0, "\nfd 100") == "pen red\nfd 100" + below
    assert edited(1, 6, " 50") == "pen red\nfowrd 50" + below
    assert edited(0, 4, " blue") == "pen blue" + rest
    assert edited(0, 0, "\nx") == ("x" + rest if codec.name != "full" else "\nx")
    assert edited(2, 2, "\n  lt 90") == "pen red\nfowrd 100, 5\n  lt 90"
