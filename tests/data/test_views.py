"""Views: never longer than the real trace, ending where it ends, at its last times."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factories import make_trace
from redraft.data.trace import Trace
from redraft.data.views import TOLERANCE, VIEWS, apply_view
from redraft.errors import UsageError

line = st.sampled_from(["fd 100", "  rt 90", "", "  ", "\t", "# ö\u2028", "\r", "pen red"])
program = st.lists(line, max_size=8).map("\n".join)
trace = st.lists(program, min_size=1, max_size=6).map(make_trace)
SINGLE = sorted(name for name, view in VIEWS.items() if not view.downsampled)


def only(name: str, one: Trace, seed: int = 0) -> Trace | None:
    return next(apply_view(name, [one], seed=seed), None)


def codes(one: Trace | None) -> list[str]:
    return [state.code for state in one.states] if one else []


def count(one: Trace) -> int:
    return 3 + sum(len(state.code) for state in one.states)


@given(trace, st.sampled_from(SINGLE), st.integers(0, 3))
def test_what_all_views_keep(real: Trace, name: str, seed: int) -> None:
    seen = only(name, real, seed)
    if seen is None:
        assert name == "last"
        assert not real.final.code.strip()
        return
    assert 1 <= len(seen.states) <= len(real.states)
    assert seen.final == real.final
    assert [state.at for state in seen.states] == [state.at for state in real.states[-len(seen.states) :]]
    assert replace(seen, states=real.states) == real
    assert {state.language for state in seen.states} == {"coffeescript"}


@given(trace)
def test_trace_and_last(real: Trace) -> None:
    assert only("trace", real) == real
    assert codes(only("last", real)) == ([real.final.code] if real.final.code.strip() else [])


def test_synthetic_adds_an_instruction_a_step() -> None:
    final = "\n\nspeed 10\n\n# a\nfd 100\n  \n\trt 90\n\n"
    steps = ["\n\nspeed 10", "\n\nspeed 10\n\n# a", "\n\nspeed 10\n\n# a\nfd 100", final]
    assert codes(only("synthetic", make_trace(["x"] * 8 + [final]))) == steps
    assert codes(only("synthetic", make_trace(["x"] * 3 + [final]))) == steps
    assert codes(only("synthetic", make_trace(["x"] * 2 + [final]))) == steps[1:]
    assert codes(only("synthetic", make_trace([final]))) == [final]
    assert codes(only("synthetic", make_trace(["x", "x", "fd 1"]))) == ["fd 1"]
    assert codes(only("synthetic", make_trace(["x", "x", " \n"]))) == [" \n"]


@given(trace)
def test_synthetic_steps_are_prefixes_one_line_apart(real: Trace) -> None:
    steps = [code.split("\n") for code in codes(only("synthetic", real))]
    for before, after in pairwise(steps):
        assert after[: len(before)] == before
        assert sum(bool(added.strip()) for added in after[len(before) :]) == 1
    instructions = sum(bool(text.strip()) for text in real.final.code.split("\n"))
    assert len(steps) == min(max(instructions, 1), len(real.states))


def is_block_edit(before: list[str], after: list[str]) -> bool:
    """Whether one contiguous block of lines was inserted or deleted."""
    short, long = sorted((before, after), key=len)
    block = len(long) - len(short)
    return block > 0 and any(long[:i] + long[i + block :] == short for i in range(len(short) + 1))


@given(trace, st.integers(0, 9))
def test_synthetic_complex_edits_blocks(real: Trace, seed: int) -> None:
    steps = [code.split("\n") for code in codes(only("synthetic-complex", real, seed))]
    assert all(is_block_edit(*step) for step in pairwise(steps))
    assert all("".join(step).strip() for step in steps[:-1])
    assert {text for step in steps for text in step} <= set(real.final.code.split("\n"))


def test_synthetic_complex_inserts_and_deletes_as_often() -> None:
    final = "\n".join(f"fd {i}" for i in range(12))
    traces = [make_trace(["x", "x", final], student=f"s{i}") for i in range(1000)]
    grows = [
        len(before) < len(after)
        for seen in apply_view("synthetic-complex", traces, seed=5)
        for before, after in pairwise(codes(seen))
    ]
    assert 0.44 < sum(grows) / len(grows) < 0.56


@pytest.mark.parametrize("name", VIEWS)
def test_a_view_depends_on_seed_and_traces_not_on_their_order(name: str) -> None:
    traces = [make_trace(["a", "b\nc", "d\ne\nf", f"a\nb\nc\n{i}"], student=f"s{i:03d}") for i in range(200)]
    forward = list(apply_view(name, traces, seed=3, count_tokens=count))
    backward = list(apply_view(name, lambda: reversed(traces), seed=3, count_tokens=count))
    assert forward == backward[::-1]
    other = list(apply_view(name, traces, seed=4, count_tokens=count))
    drawn = name == "synthetic-complex" or VIEWS[name].downsampled
    assert (other != forward) == drawn


@pytest.mark.parametrize("name", ["trace-downsampled", "synthetic-downsampled"])
def test_downsampling_matches_the_last_views_tokens(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    traces = [
        make_trace([f"fd {k}\n" * k + f"rt {i}" for k in range(1 + i % 7)], student=f"s{i:04d}") for i in range(3000)
    ]
    kept = list(apply_view(name, traces, seed=1, count_tokens=count))
    undropped = list(apply_view(name.removesuffix("-downsampled"), traces, seed=1))
    assert list(apply_view(name, traces, seed=1, downsample=False)) == undropped  # as what tests a model has to be
    target = sum(map(count, apply_view("last", traces, seed=1)))
    assert abs(sum(map(count, kept)) - target) <= TOLERANCE * target
    assert len(kept) < len(undropped)
    rest = iter(undropped)
    assert all(one in rest for one in kept)  # whole traces, in order
    assert capsys.readouterr().err == ""


def test_downsampling_says_when_it_cannot_match(capsys: pytest.CaptureFixture[str]) -> None:
    traces = [make_trace(["fd 100"] * 2 + ["fd 100\nrt 90"], student=f"s{i}") for i in range(3)]
    kept = list(apply_view("trace-downsampled", traces, seed=1, count_tokens=count))
    assert len(kept) == 2
    assert "of the last view's; no nearer by whole traces" in " ".join(capsys.readouterr().err.split())


def test_downsampling_drops_nothing_when_nothing_is_too_much(capsys: pytest.CaptureFixture[str]) -> None:
    traces = [make_trace(["fd 100"], student=f"s{i}") for i in range(3)]
    assert list(apply_view("trace-downsampled", traces, seed=1, count_tokens=count)) == traces
    assert list(apply_view("trace-downsampled", [], seed=1, count_tokens=count)) == []
    assert capsys.readouterr().err == ""


def test_views_stream() -> None:
    def endless() -> Iterator[Trace]:
        while True:
            yield make_trace(["a", "a\nb"])

    for name in SINGLE:
        assert next(apply_view(name, endless(), seed=0)).final.code == "a\nb"


def test_an_unknown_view_is_refused() -> None:
    with pytest.raises(UsageError, match="Did you mean 'synthetic'"):
        apply_view("sintetic", [], seed=0)
