"""Drawings: a hand-written record in, a picture, a timeline and a sheet out, whatever the record says."""

from __future__ import annotations

import io
import json
import math
import re
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from cyclopts import App
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from matplotlib.image import imread

from redraft.cli.draw import draw
from redraft.data.store import DatasetWriter
from redraft.data.trace import State, Trace
from redraft.errors import InputError, RedraftError, UsageError
from redraft.execute import drawing as reading
from redraft.execute.draw import LARGEST_PNG, bounds, joined, png, svg, timeline
from redraft.execute.drawing import REACH, css_colour, read_drawing
from redraft.execute.engine import Done, Engine, EngineOptions, Job, make_engine
from redraft.execute.registry import ENGINES
from redraft.execute.sheet import Cell, Chosen, cells, choose, page, picture, programs
from redraft.execute.verdict import Attempt, ErrorRecord, Outcome

SVG = "{http://www.w3.org/2000/svg}"
LINE = {"kind": "line", "x0": 0, "y0": 0, "x1": 0, "y1": 100, "color": "red", "width": 10, "t0": 0, "t1": 1000}
RECORD: dict[str, Any] = {
    "width": 400, "height": 300,
    "items": [
        LINE,
        {"kind": "line", "x0": 0, "y0": 100, "x1": 100, "y1": 100, "color": "red", "width": 10, "t0": 1000, "t1": 1500},
        {"kind": "arc", "cx": 0, "cy": 0, "r": 50, "start": 0, "sweep": 90, "color": "blue", "width": 2, "t0": 1500},
        {"kind": "fill", "points": [100, 0, 150, 0, 150, -50], "color": "rgba(0, 255, 0, .5)", "t0": 2000},
        {"kind": "dot", "x": -100, "y": 50, "diameter": 40, "color": "orange", "t0": 2100},
        {"kind": "box", "x": -100, "y": -50, "size": 30, "direction": 45, "color": "#123456", "t0": 2200},
        {"kind": "text", "x": 0, "y": -100, "size": 20, "text": "a < b & \"c\"", "color": "black", "t0": 2300},
        {"kind": "image", "x": 120, "y": 100, "width": 40, "height": 20, "t0": 2400},
    ],
    "turtles": [{"x": 10, "y": 20, "direction": 90, "shown": True, "scale": 2, "color": "teal"},
                {"x": 0, "y": 0, "direction": 0, "shown": False, "scale": 1}],
    "texts": [{"text": "Hello", "t0": 0}],
    "dropped": 0,
}  # fmt: skip


def _draw(*words: object) -> None:
    app = App()
    app.default(draw)
    app([str(word) for word in words], exit_on_error=False, print_error=False, result_action="return_value")


def _tree(record: Any, **options: Any) -> ElementTree.Element:
    return ElementTree.fromstring(svg(read_drawing(record), **options))


def _with(*items: dict[str, Any]) -> dict[str, Any]:
    return {"width": 400, "height": 300, "items": list(items)}


def _pixels(record: Any, **options: Any) -> Any:
    return imread(io.BytesIO(png(svg(read_drawing(record)), **options)))


def test_every_kind_has_its_shape() -> None:
    tree = _tree(RECORD)
    paths, circle = tree.findall(f"{SVG}path"), tree.find(f"{SVG}circle")
    assert [(p.get("stroke"), p.get("stroke-width"), p.get("fill")) for p in paths] == [
        ("red", "10", "none"), ("blue", "2", "none"), (None, None, "rgba(0, 255, 0, .5)"),
    ]  # fmt: skip
    assert paths[0].get("d") == "M0 0L0 -100L100 -100", "two lines of one pen are one path, y downwards"
    assert circle is not None
    assert [circle.get(name) for name in ("cx", "cy", "r", "fill")] == ["-100", "-50", "20", "orange"]
    background, box, outline = tree.findall(f"{SVG}rect")
    assert background.get("fill") == "white"
    assert (box.get("x"), box.get("y"), box.get("transform")) == ("-115", "35", "rotate(45 -100 50)")
    assert outline.get("fill") == "none"
    assert [text.text for text in tree.findall(f"{SVG}text")] == ['a < b & "c"', "Hello"]
    (turtle,) = tree.findall(f"{SVG}g")
    assert turtle.get("transform") == "translate(10 -20) rotate(90) scale(2)"


def test_an_arc_runs_clockwise_from_north() -> None:
    (mark,) = read_drawing(_with(RECORD["items"][2])).marks
    first, last = mark.paths[0][0], mark.paths[0][-1]
    assert first == pytest.approx((0, 50))
    assert last == pytest.approx((50, 0))
    assert all(math.hypot(x, y) == pytest.approx(50) for x, y in mark.paths[0])


def test_lines_of_another_pen_or_place_stay_apart() -> None:
    far = {**LINE, "x0": 5, "x1": 5}
    thin = {**LINE, "y0": 100, "y1": 200, "width": 3}
    assert len(list(joined(read_drawing(_with(LINE, far, thin)).marks))) == 3


def test_the_picture_shows_the_field_or_more_or_only_whats_drawn() -> None:
    assert bounds(read_drawing(_with(LINE))) == (-200, -150, 200, 150)
    assert bounds(read_drawing(_with({**LINE, "y1": 500})))[3] == 500 + 5 + 12
    assert bounds(read_drawing(_with(LINE)), crop=True) == (-80, -30, 80, 130)
    assert bounds(read_drawing(_with({**LINE, "x0": -90, "x1": 90})), crop=True) == (-107, -30, 107, 130)
    ground = {"kind": "dot", "x": 0, "y": 0, "diameter": 2000, "color": "skyblue"}
    assert bounds(read_drawing(_with(ground, LINE))) == (-200, -150, 200, 150), "it colours the field, no more"
    assert bounds(read_drawing(_with({**LINE, "y1": 1e9})))[3] == REACH
    text = {"kind": "text", "x": -190, "y": 0, "text": "a long line of words", "size": 20, "side": "right"}
    assert bounds(read_drawing(_with(text))) == (-200, -150, 200, 150)
    assert bounds(read_drawing(_with({**text, "side": "left"}))).left < -300


def test_the_eraser_hides_what_was_before() -> None:
    wipe, after = {"kind": "erase", "all": True, "t0": 5}, {**LINE, "color": "green"}
    drawing = read_drawing(_with(LINE, wipe, after))
    assert [mark.color for mark in drawing.visible] == ["green"]
    assert len(timeline(drawing)["segments"]) == 3, "the timeline tells all of it"
    rubbed = read_drawing(_with(LINE, {**LINE, "color": "black", "width": 20, "erase": True}))
    assert 'stroke="white" stroke-width="20"' in svg(rubbed)


def test_png_shows_the_same_as_svg() -> None:
    image = _pixels(RECORD)
    assert image.shape[:2] == (300, 400)
    centre = {"red": (200, 75), "orange": (100, 100), "white": (20, 280)}
    found = {name: tuple(round(float(v), 2) for v in image[y, x, :3]) for name, (x, y) in centre.items()}
    assert found == {"red": (1, 0, 0), "orange": (1, 0.65, 0), "white": (1, 1, 1)}
    assert _pixels(RECORD, width=800).shape[:2] == (600, 800)
    assert max(_pixels({**RECORD, "width": 4000, "height": 10}, width=LARGEST_PNG).shape) == LARGEST_PNG


def test_a_timeline_tells_when() -> None:
    told = json.loads(json.dumps(timeline(read_drawing(RECORD))))
    assert (told["version"], told["field"], told["duration"]) == (1, [400, 300], 2400)
    assert [s["start"] for s in told["segments"]] == sorted(s["start"] for s in told["segments"])
    first = told["segments"][0]
    assert first == {
        "kind": "line",
        "start": 0,
        "end": 1000,
        "color": "red",
        "width": 10,
        "paths": [[[0, 0], [0, 100]]],
    }
    assert len(told["turtles"]) == 1


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("red", "red"), ("  Dark  ", "black"), ("REBECCAPURPLE", "rebeccapurple"), ("slategrey", "slategrey"),
        ("#FFF", "#fff"), ("#12345", "black"), ("#12345678", "#12345678"), ("rgb(1,2,3)", "rgb(1,2,3)"),
        ("hsla(120, 50%, 50%, 0.5)", "hsla(120, 50%, 50%, 0.5)"), ("rgb(1,2)", "black"), ("transparent", "none"),
        ("url(#x)", "black"), ("javascript:alert(1)", "black"), ("red;stroke:url(x)", "black"), (None, "black"),
        (5, "black"), ("babyblue", "black"), ("rgb(" + "9" * 10_000, "black"), ("", "black"),
    ],
)  # fmt: skip
def test_colours_are_those_of_css(given: Any, expected: str) -> None:
    assert css_colour(given) == expected


HOSTILE = '"><script>alert(1)</script><image href="http://example.test/x"/>\x00\x1b\ud800]]>'


def test_hostile_text_stays_text() -> None:
    record = {
        **_with({**LINE, "color": HOSTILE}, {"kind": "text", "text": HOSTILE * 100, "side": HOSTILE, "cap": HOSTILE}),
        "texts": [HOSTILE], "background": HOSTILE, "turtles": [{"shape": HOSTILE, "color": HOSTILE}],
    }  # fmt: skip
    cell = Cell(program=Chosen(code=HOSTILE, title=HOSTILE), verdict="ok", drawing=read_drawing(record))
    for text in (svg(read_drawing(record), title=HOSTILE), picture([cell])):
        names = {node.tag.removeprefix(SVG) for node in ElementTree.fromstring(text.encode()).iter()}
        assert names <= {"svg", "title", "rect", "path", "text", "g", "circle", "ellipse", "mask", "clipPath"}
        assert "href" not in re.sub(r">[^<]*<", "><", text)
        assert png(text)
    html = page([cell], heading="Heading", note="Note", code=True)
    assert not re.search(r"<(script|image|a)\b", html)
    html.encode()


JUNK = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=9) | st.sampled_from(["line", "red"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(list(LINE)), inner, max_size=4),
    max_leaves=12,
)
ITEM = st.fixed_dictionaries(
    {"kind": st.sampled_from(sorted(reading.KINDS))},
    optional=dict.fromkeys(
        ["x", "y", "x0", "y1", "cx", "r", "start", "sweep", "points", "paths", "size", "width", "height", "diameter",
         "direction", "color", "stroke", "text", "side", "erase", "cap", "t0", "t1"],
        JUNK,
    ),
)  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(items=st.lists(ITEM | JUNK, max_size=6), turtles=JUNK, texts=JUNK, width=JUNK)
def test_any_record_gives_a_picture(items: list[Any], turtles: Any, texts: Any, width: Any) -> None:
    drawing = read_drawing({"items": items, "turtles": turtles, "texts": texts, "width": width, "height": width})
    tree = ElementTree.fromstring(svg(drawing, crop=True))
    assert all(math.isfinite(float(number)) for number in tree.attrib["viewBox"].split())
    assert "nan" not in svg(drawing)
    json.dumps(timeline(drawing), allow_nan=False)


@pytest.mark.parametrize("record", [None, [], 5, {}, {"items": {}}, {"items": [None, [], {"kind": []}]}])
def test_no_record_is_an_empty_picture(record: Any) -> None:
    drawing = read_drawing(record)
    assert drawing.empty
    assert len(_tree(record)) == 2


def test_a_program_that_goes_on_is_drawn_to_a_stated_moment() -> None:
    with make_engine("v8", EngineOptions(workers=1, drawing=True)) as engine:
        codes = ["pen red\nforever 2, -> fd 1", "pen red\nspeed 1\nfd 9", "setTimeout (-> 1), 1000"]
        found = [cell.drawing for cell in cells([Chosen(code=code) for code in codes], engine)]
    assert [drawing and drawing.until for drawing in found] == [60_000, None, None]
    assert found[0] is not None
    assert max(mark.end for mark in found[0].marks) == pytest.approx(60_000, abs=600)


def test_large_records_are_cut_and_say_so() -> None:
    many = read_drawing(_with(*[LINE] * (reading.MOST_MARKS + 5)))
    assert (len(many.marks), many.cut) == (reading.MOST_MARKS, True)
    assert len(svg(many)) < 4_000_000
    long = read_drawing(_with({"kind": "fill", "points": [1.5] * 10 * reading.MOST_POINTS}))
    assert long.cut
    assert len(read_drawing({"texts": ["line\n" * 1_000] * 100}).texts) == reading.MOST_TEXTS


def test_a_sample_is_seeded_distinct_and_blind_to_order() -> None:
    found = [Chosen(code=f"fd {n % 50}", language="coffeescript", title=f"t{n % 3}") for n in range(5_000)]
    first = choose(found, 10, seed=1)
    assert len({program.code for program in first}) == len(first) == 10
    assert {p.code for p in choose(found[::-1], 10, seed=1)} == {p.code for p in first}
    assert {p.code for p in choose(found, 10, seed=2)} != {p.code for p in first}
    assert [p.title for p in first] == sorted(p.title for p in first)
    assert len(choose(found, 100, seed=1)) == 50


def test_a_sheet_names_no_student_and_shows_no_program_unless_asked() -> None:
    program = Chosen(code="# by Ann\nfd 100", title="house")
    cells = [Cell(program=program, verdict="ok", drawing=read_drawing(RECORD)),
             Cell(program=program, verdict="timeout", drawing=None)]  # fmt: skip
    html = page(cells, heading="What programs draw", note="A sample.")
    assert "Ann" not in html
    assert html.count("<figure>") == 2
    assert "house" in html
    assert "no drawing" in html
    assert "2 programs: ok 1, timeout 1; 0 drew nothing." in html
    assert "http" not in html.replace("http://www.w3.org/2000/svg", "").replace("http-equiv", "")
    assert "by Ann" in page(cells, heading="", note="", code=True)
    assert len(ElementTree.fromstring(picture(cells)).findall(f"{SVG}svg")) == 1


class FakeEngine:
    """Draws a dot as wide as the window is long; programs with `slow` in them are stopped if watched for long."""

    version = "fake"
    languages = ("coffeescript", "javascript")

    def run(self, jobs: Sequence[Job]) -> Iterator[Done]:
        for job in jobs:
            seconds = job.window.limit_ms / 1000
            stopped = "slowest" in job.code or ("slow" in job.code and seconds > 10)
            dot = {"kind": "dot", "x": 0, "y": 0, "diameter": seconds}
            attempt = Attempt(
                language=job.languages[0], end_reached=True, ended="timeout" if stopped else "done",
                errors=(ErrorRecord(kind="uncaught", message="x"),) if "bad" in job.code else (),
                drawing=None if stopped else _with(dot, dot),
            )  # fmt: skip
            yield Done(job.number, Outcome(attempts=(attempt,)))


def fake_engine(options: EngineOptions) -> AbstractContextManager[Engine]:
    assert options.drawing
    return nullcontext(FakeEngine())


def test_programs_are_watched_for_longer_than_their_verdict_needs() -> None:
    codes = ["fd 100", "tick 5, -> fd 1", "tick -> slow", "bad"]
    found = list(cells([Chosen(code=code) for code in codes], FakeEngine(), most=1))
    assert [cell.verdict for cell in found] == ["ok", "ok", "ok", "error"]
    assert [cell.drawing and cell.drawing.marks[0].size[0] for cell in found] == [600, 60, 10, 600]
    assert all(cell.drawing and cell.drawing.cut and len(cell.drawing.marks) == 1 for cell in found)
    assert next(cells([Chosen(code="fd 1", language="python")], FakeEngine())).drawing is None


def test_labels_stand_beside_the_turtle_where_they_are_told() -> None:
    text = {"kind": "text", "x": 10, "y": 20, "text": "ab", "size": 20}
    found = []
    for side in ("rotated scaled", "right", "left top", "bottom"):
        label = _tree(_with({**text, "side": side})).find(f"{SVG}text")
        assert label is not None
        found.append((label.get("text-anchor"), round(float(label.get("y", "nan")))))
    # The text is 23.28 high, its baseline 18.56 below its top.
    assert found == [("middle", -13), ("start", -13), ("end", -25), ("middle", -1)]


def test_the_command_writes_pictures_timelines_and_sheets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(ENGINES, "v8", replace(ENGINES["v8"], factory=f"{__name__}:fake_engine"))
    program = tmp_path / "house.coffee"
    program.write_text("fd 100")
    _draw(program, "--out", tmp_path / "a.svg", "--timeline", tmp_path / "a.json")
    assert ElementTree.parse(tmp_path / "a.svg").getroot().tag == f"{SVG}svg"
    assert json.loads((tmp_path / "a.json").read_text())["version"] == 1
    _draw(program, "--out", tmp_path / "a.png", "--width", "300")
    assert imread(tmp_path / "a.png").shape[1] == 300
    lines = tmp_path / "b.jsonl"
    lines.write_text("".join(json.dumps({"code": f"fd {n}", "title": f"title {n}"}) + "\n" for n in range(20)))
    for suffix in ("html", "svg", "png"):
        _draw("--sheet", lines, "--out", tmp_path / f"b.{suffix}", "--number", 5)
    assert (tmp_path / "b.html").read_text().count("<figure>") == 5
    told = capsys.readouterr()
    assert "verdict is ok" in told.err
    assert "fd 100" not in told.err + told.out
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"fd 5")))
    _draw("-", "--out", tmp_path / "c.svg")
    program.write_text("tick -> slowest")
    with pytest.raises(InputError, match="timeout"):
        _draw(program, "--out", tmp_path / "d.svg")
    assert not (tmp_path / "d.svg").exists()


def test_a_sheet_of_a_dataset_shows_final_programs(tmp_path: Path) -> None:
    with DatasetWriter(tmp_path / "ds", origin="simulated", provenance={}) as writer:
        states = (State(code="fd 1"), State(code="fd 2", language="coffeescript"))
        writer.write_shard(0, [Trace(student="Ann", title="house", states=states, source="x")])
        writer.finish()
    found, origin = programs(tmp_path / "ds")
    assert list(found) == [Chosen(code="fd 2", language="coffeescript", title="house")]
    assert origin == "a simulated class"


def test_written_text_goes_on_in_its_line_where_it_should() -> None:
    texts = [{"text": "a"}, {"text": "b", "inline": True}, {"text": "c\nd"}, {"text": "e", "inline": True}, "f"]
    assert read_drawing({"texts": texts}).texts == ("ab", "c", "de", "f")


def test_programs_of_json_lines(tmp_path: Path) -> None:
    file = tmp_path / "programs.jsonl"
    file.write_text('{"code": "fd 1", "title": "a"}\n\n{"code": "bk 1", "language": "javascript", "id": 7}\n')
    found, origin = programs(file)
    assert list(found) == [Chosen(code="fd 1", title="a"), Chosen(code="bk 1", language="javascript")]
    assert origin == ""
    file.write_text('{"code": "fd 1"}\n{"code": 5}\n')
    with pytest.raises(InputError, match=r"programs\.jsonl:2"):
        list(programs(file)[0])


@pytest.mark.parametrize(
    "words",
    [[], ["a.coffee"], ["a.coffee", "--sheet", "b", "--out", "c.html"], ["--sheet", "b"], ["a.coffee", "--out", "b.gif"],
     ["a.coffee", "--out", "b.svg", "--width", "100"], ["--sheet", "b", "--out", "c.png", "--code"], ["--oot"]],
)  # fmt: skip
def test_options_that_do_not_fit_are_refused_before_anything_runs(words: list[str]) -> None:
    with pytest.raises(UsageError):
        _draw(*words)


def test_a_program_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "a.coffee").write_bytes(b"fd \xff")
    (tmp_path / "b.coffee").write_bytes(b"x" * 2_000_001)
    for name in ("a.coffee", "b.coffee"):
        with pytest.raises(RedraftError, match=name):
            _draw(tmp_path / name, "--out", tmp_path / "o.svg")


def test_copies_and_what_lies_on_them_are_seen() -> None:
    code = (
        "s = new Sprite {width: 40, height: 40, color: teal}\ns.fd 50\nc = s.copy()\nc.fd 100\ndrawon c\npen red\nfd 15"
    )
    with make_engine("v8", EngineOptions(workers=1, drawing=True)) as engine:
        (cell,) = cells([Chosen(code=code)], engine)
    assert cell.drawing is not None
    first, copy, main = cell.drawing.turtles
    assert (first.color, copy.color, main.name) == ("teal", "teal", "turtle")
    assert (first.y, copy.y) == (50, 150)
    assert [mark.on for mark in cell.drawing.visible] == [copy.id]
