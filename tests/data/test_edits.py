"""Line edits and edit types, on examples worked out by hand."""

from __future__ import annotations

import difflib

import pytest
from cydifflib import SequenceMatcher
from hypothesis import given
from hypothesis import strategies as st

from redraft.data.edits import EDIT_TYPES, LineEdits, edit_type, line_edits, lines_of

programs = st.lists(st.sampled_from(["", "fd 1", "rt 90", "pen red", "dot blue", "  fd 1"]), max_size=12).map("\n".join)


def test_lines_end_at_newlines_only() -> None:
    assert lines_of("") == []
    assert lines_of("a\n\nb\u2028c\x0cd") == ["a", "", "b\u2028c\x0cd"]


def test_a_block_pairs_its_first_lines_in_order() -> None:
    # Only "z" is common. The block a, b -> p, q, r pairs a-p and b-q; r is added.
    assert line_edits("a\nb\nz", "p\nq\nr\nz") == LineEdits((("a", "p"), ("b", "q")), ("r",), ())
    # The other way round p-a, q-b, and r is deleted.
    assert line_edits("p\nq\nr\nz", "a\nb\nz") == LineEdits((("p", "a"), ("q", "b")), (), ("r",))


def test_repeated_lines_do_not_vanish() -> None:
    # Two more "fd 1": both are new lines, though the line was there before.
    assert line_edits("fd 1", "fd 1\nfd 1\nfd 1").added == ("fd 1", "fd 1")


def test_no_line_is_too_popular_to_match() -> None:
    # difflib's automatic junk would drop lines that make up more than 1% of 200 or more.
    old = "\n".join(["fd 1"] * 150 + ["rt 90"] * 150)
    assert line_edits(old, old + "\nfd 2") == LineEdits((), ("fd 2",), ())


def test_the_first_program_after_an_empty_one_is_all_added() -> None:
    assert line_edits("", "a\nb") == LineEdits((), ("a", "b"), ())
    assert line_edits("a\nb", "") == LineEdits((), (), ("a", "b"))


@pytest.mark.parametrize(
    ("modified", "added", "deleted", "expected"),
    [
        (0, 5, 5, "large_add"),
        (9, 4, 5, "large_del"),
        (0, 4, 4, "small_add"),
        (3, 1, 0, "small_add"),
        (3, 0, 4, "small_del"),
        (3, 0, 0, "modify"),
        (0, 0, 0, "modify"),
    ],
)
def test_edit_types_in_order(modified: int, added: int, deleted: int, expected: str) -> None:
    assert edit_type(LineEdits((("a", "b"),) * modified, ("x",) * added, ("y",) * deleted)) == expected


@given(programs, programs)
def test_every_line_is_accounted_for(old: str, new: str) -> None:
    edits = line_edits(old, new)
    assert len(lines_of(new)) - len(lines_of(old)) == len(edits.added) - len(edits.deleted)
    assert all(before != after for before, after in edits.modified)
    assert (old == new) == (edits == LineEdits((), (), ()))
    assert edit_type(edits) in EDIT_TYPES
    # what isn't touched is the same on both sides, with multiplicity
    touched_old = [*edits.deleted, *(before for before, _ in edits.modified)]
    touched_new = [*edits.added, *(after for _, after in edits.modified)]
    assert _without(lines_of(old), touched_old) == _without(lines_of(new), touched_new)


@given(programs, programs)
def test_blocks_are_those_of_the_standard_library(old: str, new: str) -> None:
    a, b = lines_of(old), lines_of(new)
    expected = difflib.SequenceMatcher(None, a, b, autojunk=False).get_opcodes()
    assert [tuple(code) for code in SequenceMatcher(None, a, b, autojunk=False).get_opcodes()] == expected


def _without(lines: list[str], taken: list[str]) -> list[str]:
    rest = list(lines)
    for line in taken:
        rest.remove(line)
    return sorted(rest)
