"""What is written on the page: laid out from its tree, whatever the tree says."""

from __future__ import annotations

import math
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redraft.execute.draw import bounds, png, svg
from redraft.execute.drawing import Mark, read_drawing
from redraft.execute.fonts import text_width
from redraft.execute.written import lay_out

FIELD = (400.0, 300.0)
TABLE = {"display": "table"}


def line(*nodes: Any, tag: str = "div", **style: str) -> dict[str, Any]:
    return {"tag": tag, "style": {**TABLE, **style}, "nodes": list(nodes)}


def texts(*nodes: Any) -> list[Mark]:
    return [mark for mark in lay_out(list(nodes), FIELD) if mark.kind == "text"]


def test_lines_stand_below_each_other_from_the_page_s_top() -> None:
    first, second = texts(line("Hello"), line("  you \n there "))
    assert (first.text, second.text) == ("Hello", "you there")
    assert first.x == second.x == -200 + 8
    assert first.y - second.y == 19, "a line of 16 pixels' text is 19 high"
    assert 150 - 8 - 19 < first.y < 150 - 8


def test_long_text_goes_on_in_the_next_line_and_typed_text_keeps_its_blanks() -> None:
    rows = texts(line("word " * 40))
    assert len(rows) > 2
    assert all(text_width(row.text, 16, row) < 400 for row in rows)
    typed = texts({"tag": "pre", "nodes": ["a   b", "\n  art"]})
    assert [(mark.text, mark.family) for mark in typed] == [("a   b", "monospace"), ("  art", "monospace")]


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        (line("x", color="red", fontSize="40px"), {"color": "red", "size": (40.0, 40.0)}),
        ({"tag": "h1", "nodes": ["x"]}, {"bold": True, "size": (32.0, 32.0)}),
        (line({"tag": "i", "nodes": [{"tag": "b", "nodes": ["x"]}]}), {"bold": True, "italic": True}),
        (line("x", fontFamily="Arial"), {"family": "sans-serif"}),
        (line("x", font="bold 20px Courier"), {"family": "monospace", "bold": True, "size": (20.0, 20.0)}),
        (line({"tag": "a", "nodes": ["x"]}), {"color": "#0000ee"}),
        ({"tag": "font", "color": "green", "nodes": ["x"]}, {"color": "green"}),
        (line("x") | {"t0": 700}, {"start": 700}),
        (line("x", color="url(#a)"), {"color": "black"}),
    ],
)
def test_text_has_the_looks_it_was_given(node: Any, expected: dict[str, Any]) -> None:
    (mark,) = texts(node)
    assert {name: getattr(mark, name) for name in expected} == expected


def test_grounds_edges_and_boxes() -> None:
    ground, text = lay_out([line("Big", background="yellow")], FIELD)
    assert (ground.color, ground.kind) == ("yellow", "fill")
    left, right = ground.paths[0][0][0], ground.paths[0][1][0]
    assert right - left == pytest.approx(text_width("Big", 16, text))
    square = {"display": "inline-block", "width": "1.2em", "height": "1.2em", "textAlign": "center"}
    boxes = [{"tag": "div", "style": {**square, "background": color}} for color in ("red", "blue")]
    red, blue = lay_out([{"tag": "pre", "nodes": boxes}], FIELD)
    assert red.paths[0][1][0] == pytest.approx(blue.paths[0][0][0]), "side by side"
    assert red.paths[0][1][0] - red.paths[0][0][0] == pytest.approx(1.2 * 13.333)
    letters = [{"tag": "div", "style": square, "nodes": [name]} for name in "ab"]
    a, b = texts({"tag": "pre", "nodes": letters})
    assert b.x - a.x == pytest.approx(1.2 * 13.333, abs=0.5)
    button, label = lay_out([{"tag": "button", "nodes": ["go on"]}], FIELD)
    assert (button.color, button.stroke, label.text) == ("#efefef", "#767676", "go on")


def test_a_table_s_cells_share_their_edges() -> None:
    css = {"width": "35px", "height": "35px", "border": "1px solid black", "padding": "0", "textAlign": "center"}
    cells = [{"tag": "td", "style": css, "nodes": [name]} for name in "ab"]
    rows = [{"tag": "tr", "nodes": cells}, {"tag": "tr", "nodes": cells}]
    marks = lay_out([{"tag": "table", "style": {"border": "none"}, "nodes": [{"tag": "tbody", "nodes": rows}]}], FIELD)
    frames = [mark.paths[0] for mark in marks if mark.kind == "fill"]
    assert len(frames) == 4
    assert frames[1][0][0] - frames[0][0][0] == frames[0][0][1] - frames[2][0][1] == 36
    a = next(mark for mark in marks if mark.text == "a")
    assert a.x + text_width("a", 16, a) / 2 == pytest.approx(sum(x for x, _ in frames[0]) / 4, abs=1)


def test_what_was_moved_or_placed_stands_there() -> None:
    moved = {**line("moved"), "at": {"x": 50, "y": -20}}
    fixed = line("fixed", position="absolute", left="100px", top="30px")
    found = {mark.text: mark for mark in texts(moved, fixed, line("first"))}
    assert found["moved"].x + text_width("moved", 16, found["moved"]) / 2 == pytest.approx(50)
    assert found["fixed"].x == -100
    assert found["first"].y > found["fixed"].y > found["moved"].y


def test_a_cropped_picture_has_plain_text_at_its_top_and_anything_else_where_it_is() -> None:
    record = {"items": [{"kind": "dot", "x": 0, "y": 0, "diameter": 9}], "texts": [{"text": "hi"}], "width": 400,
              "height": 300, "page": [line("hi")]}  # fmt: skip
    assert bounds(read_drawing(record), crop=True).left > -100
    placed = read_drawing({**record, "page": [line("hi", background="red")]})
    assert bounds(placed, crop=True).left < -190
    for drawing in (read_drawing(record), placed):
        told = [
            node.text for node in ElementTree.fromstring(svg(drawing, crop=True)).iter() if node.tag.endswith("text")
        ]
        assert told == ["hi"]
        assert png(svg(drawing))


JUNK = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=9) | st.sampled_from(["1e9px", "red"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.fixed_dictionaries(
            {"tag": st.sampled_from(["div", "td", "tr", "table", "pre", "li", "button", "input", "br", "hr", "img"])},
            optional={"nodes": inner, "style": inner, "at": inner, "t0": inner, "value": inner, "type": inner},
        )
        | st.dictionaries(st.sampled_from(["width", "fontSize", "border", "display", "position", "left"]), inner)
    ),
    max_leaves=20,
)


@settings(max_examples=80, deadline=None)
@given(page=st.lists(JUNK, max_size=5))
def test_any_tree_is_laid_out(page: list[Any]) -> None:
    for mark in lay_out(page, FIELD):
        assert all(math.isfinite(number) for number in (mark.x, mark.y, *mark.size))
    assert "nan" not in svg(read_drawing({"page": page}))


def test_deep_and_large_trees_end() -> None:
    deep: Any = "x"
    for _ in range(500):
        deep = {"tag": "div", "nodes": [deep]}
    assert lay_out([deep], FIELD) == ()
    assert len(lay_out([line("x")] * 20_000, FIELD)) < 6_000
