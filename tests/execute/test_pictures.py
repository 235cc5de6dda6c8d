"""Pictures beside a real browser's: what a canvas of Chromium shows, and what our drawing and our pixels show."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from matplotlib.image import imread
from test_execute_chromium import missing

from redraft.execute.chromium.engine import find_browser
from redraft.execute.draw import png, svg
from redraft.execute.drawing import read_drawing
from redraft.execute.engine import EngineOptions, execute
from redraft.execute.v8.engine import V8
from redraft.execute.verdict import Program

pytestmark = pytest.mark.skipif(missing() is not None, reason=str(missing()))

WIDE, HIGH = 1200, 900
FAR = 0.25
"""How far a pixel's colour may be from the browser's, of 1, before it counts as another: edges are shaded otherwise."""
MOST_PIXELS = 0.0004
"""Share of a picture's pixels that may be others."""
MOST_MEAN = 0.003
"""Mean distance of all pixels, of 1."""

CANVAS = {
    "ends": "c.lineWidth=14;['butt','round','square'].forEach(function(k,i){c.lineCap=k;c.beginPath();"
    "c.moveTo(20,20+i*30);c.lineTo(120,35+i*30);c.stroke()})",
    "bends": "c.lineWidth=12;c.strokeStyle='#c03';['miter','round','bevel'].forEach(function(k,i){c.lineJoin=k;"
    "c.beginPath();c.moveTo(20+i*60,110);c.lineTo(40+i*60,30);c.lineTo(60+i*60,110);c.stroke()})",
    "curves": "c.fillStyle='teal';c.beginPath();c.arc(60,60,40,0,5);c.fill();c.lineWidth=4;c.beginPath();"
    "c.moveTo(100,20);c.bezierCurveTo(190,10,90,140,190,130);c.stroke();c.beginPath();c.moveTo(10,10);"
    "c.arcTo(90,10,90,90,30);c.stroke();c.beginPath();c.ellipse(150,60,30,12,.7,0,7);c.stroke()",
    "turned": "c.save();c.translate(100,75);for(var i=0;i<8;i++){c.rotate(.6);c.scale(.95,1);"
    "c.fillStyle='hsl('+i*40+',80%,50%)';c.fillRect(10,-5,50,10)};c.restore();c.strokeRect(2,2,40,20)",
    "faint": "c.globalAlpha=.5;c.fillStyle='red';c.fillRect(20,20,80,80);c.fillStyle='blue';c.fillRect(60,40,80,80);"
    "c.fillStyle='rgba(0,255,0,.3)';c.fillRect(0,60,200,30)",
    "holes": "c.beginPath();c.arc(100,75,60,0,7);c.arc(100,75,30,0,7);c.fill('evenodd');c.fillStyle='gold';c.beginPath();"
    "c.moveTo(100,10);c.lineTo(140,140);c.lineTo(30,60);c.lineTo(170,60);c.lineTo(60,140);c.closePath();c.fill();"
    "c.strokeStyle='purple';c.lineWidth=3;c.stroke()",
    "another canvas": "var d=document.createElement('canvas');d.width=40;d.height=40;var e=d.getContext('2d');"
    "e.fillStyle='crimson';e.fillRect(5,5,30,30);e.strokeRect(2.5,2.5,20,20);c.drawImage(d,10,10);c.drawImage(d,80,20)",
}
CLEARED = {
    "cleared": "c.fillRect(20,20,150,100);c.clearRect(70,50,20,20)",
    "rubbed out": "c.fillRect(20,20,150,100);c.globalCompositeOperation='destination-out';c.beginPath();"
    "c.arc(90,70,40,0,7);c.fill()",
    "clipped": "c.beginPath();c.arc(100,75,50,0,7);c.clip();c.fillStyle='orange';c.fillRect(0,0,200,75)",
}
# What a turtle draws, and the same by a canvas: the page's centre is the turtle's home, the pen is round.
ROUND = "c.lineCap=c.lineJoin='round';c.translate(600,450);"
TURTLE = {
    "pen orange, 40\nfd 120\nrt 90\nfd 120": "c.lineWidth=40;c.strokeStyle='orange';c.moveTo(0,0);c.lineTo(0,-120);"
    "c.lineTo(120,-120);c.stroke()",
    "pen path\nfd 120\nrt 130\nfd 120\nfill {fillStyle: gold, strokeStyle: purple, lineWidth: 16}": "c.lineWidth=16;"
    "c.fillStyle='gold';c.strokeStyle='purple';c.moveTo(0,0);c.lineTo(0,-120);c.rotate(130*Math.PI/180);"
    "c.setTransform(1,0,0,1,600,450);c.lineTo(120*Math.sin(130*Math.PI/180),-120-120*Math.cos(130*Math.PI/180));"
    "c.fill();c.stroke()",
    "pen red, 12, 'butt', 'miter'\nfd 90\nrt 120\nfd 90": "c.lineCap='butt';c.lineJoin='miter';c.lineWidth=12;"
    "c.strokeStyle='red';c.moveTo(0,0);c.lineTo(0,-90);c.lineTo(90*Math.sin(2*Math.PI/3),-90-90*Math.cos(2*Math.PI/3));"
    "c.stroke()",
    "pen teal, 3\nrt 20, 1200": "c.lineWidth=3;c.strokeStyle='teal';c.arc(1200,0,1200,Math.PI,Math.PI+Math.PI/9);c.stroke()",
    "dot red, 150\npen blue, 20\nrt 45\nfd 100\nbox gold, 60\nlt 360, 80": "c.fillStyle='red';c.arc(0,0,75,0,7);c.fill();"
    "c.beginPath();c.strokeStyle='blue';c.lineWidth=20;c.rotate(Math.PI/4);c.moveTo(0,0);c.lineTo(0,-100);c.stroke();"
    "c.fillStyle='gold';c.fillRect(-30,-130,60,60);c.beginPath();c.arc(-80,-100,80,0,7);c.stroke()",
    "s = new Sprite {width: 200, height: 200, color: lightgray}\ndrawon s\npen blue, 10\nfd 80\ndrawon window\npen null\n"
    "s.rt 90\ns.fd 150": "c.fillStyle='lightgray';c.fillRect(50,-100,200,200);c.strokeStyle='blue';c.lineWidth=10;"
    "c.moveTo(150,0);c.lineTo(230,0);c.stroke()",
    "dot pink, 300\ns = new Sprite {width: 200, height: 200, color: gray}\ndrawon s\npen green, 20\nfd 50\npen erase, 30\n"
    "bk 80\ndot red, 20\npen null": "c.fillStyle='pink';c.arc(0,0,150,0,7);c.fill();c.beginPath();"
    "var d=document.createElement('canvas');d.width=d.height=200;var e=d.getContext('2d');e.lineCap='round';"
    "e.fillStyle='gray';e.fillRect(0,0,200,200);e.translate(100,100);e.strokeStyle='green';e.lineWidth=20;e.moveTo(0,0);"
    "e.lineTo(0,-50);e.stroke();e.beginPath();e.globalCompositeOperation='destination-out';e.lineWidth=31;e.moveTo(0,-50);"
    "e.lineTo(0,30);e.stroke();e.globalCompositeOperation='source-over';e.beginPath();e.fillStyle='red';e.arc(0,30,10,0,7);"
    "e.fill();c.drawImage(d,-100,-100)",
    "pen 'rgba(255,0,0,0.3)', 30\nfd 150": "c.strokeStyle='rgba(255,0,0,0.657)';c.lineWidth=30;c.lineTo(0,0);"
    "c.lineTo(0,-150);c.stroke()",
    "pen black, 30\nfd 150\npen erase, 9\nbk 150": "c.lineWidth=30;c.moveTo(0,0);c.lineTo(0,-150);c.stroke();"
    "c.globalCompositeOperation='destination-out';c.lineWidth=10;c.stroke()",
}  # fmt: skip


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A page of Chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=find_browser(None), chromium_sandbox=False)
        yield found.new_page(viewport={"width": WIDE, "height": HIGH})
        found.close()


@pytest.fixture(scope="module")
def engine() -> Iterator[V8]:
    with V8(EngineOptions(workers=1, drawing=True)) as made:
        yield made


def shown(browser: Any, code: str) -> Any:
    """What a canvas of the field's size shows in the browser, on white."""
    browser.set_content(f"<body style='margin:0'><canvas width={WIDE} height={HIGH} style='display:block'></canvas>")
    browser.evaluate(f"(() => {{ const c = document.querySelector('canvas').getContext('2d'); {code} }})()")
    return imread(io.BytesIO(browser.screenshot()))[:, :, :3]


def drawn(engine: V8, code: str, language: str) -> Any:
    """The same of our drawing."""
    (verdict,) = execute([Program(id="a", code=code, language=language)], engine)
    assert (verdict.verdict, verdict.errors) == ("ok", ())
    return imread(io.BytesIO(png(svg(read_drawing(verdict.drawing)), width=WIDE)))[:, :, :3]


def assert_alike(ours: Any, theirs: Any) -> None:
    apart = np.abs(ours - theirs).max(axis=2)
    assert (apart > FAR).mean() <= MOST_PIXELS
    assert apart.mean() <= MOST_MEAN


@pytest.mark.parametrize("name", [*CANVAS, *CLEARED])
def test_a_program_s_own_painting_is_drawn_as_the_browser_draws_it(engine: V8, browser: Any, name: str) -> None:
    code = {**CANVAS, **CLEARED}[name]
    ours = drawn(engine, f"ht(); var c = canvas().getContext('2d'); {code}", "javascript")
    assert_alike(ours, shown(browser, code))


@pytest.mark.parametrize("program", TURTLE)
def test_turtles_draw_what_the_same_lines_on_a_canvas_are(engine: V8, browser: Any, program: str) -> None:
    ours = drawn(engine, f"speed Infinity\n{program}\nht()", "coffeescript")
    assert_alike(ours, shown(browser, ROUND + TURTLE[program]))


@pytest.mark.parametrize("code", [*CANVAS.values(), *CLEARED.values()], ids=[*CANVAS, *CLEARED])
def test_pixels_that_a_program_reads_are_the_browser_s(engine: V8, browser: Any, code: str) -> None:
    make = "var v=document.createElement('canvas');v.width=200;v.height=150;var c=v.getContext('2d');"
    read = "c.getImageData(0,0,200,150).data"
    wanted = browser.evaluate(f"(() => {{ {make}{code}; return Array.from({read}) }})()")
    # The program compares by itself: it fails with how many pixels are others, each weighted by how opaque it is.
    compare = """var other = 0, sum = 0;
      for (var i = 0; i < wanted.length; i += 4) {
        var most = 0;
        for (var k = 0; k < 4; k++) {
          var a = wanted[i + k] * (k < 3 ? wanted[i + 3] / 255 : 1), b = found[i + k] * (k < 3 ? found[i + 3] / 255 : 1);
          most = Math.max(most, Math.abs(a - b));
        }
        sum += most; if (most > 64) other++;
      }
      throw new Error(JSON.stringify([other, sum / wanted.length * 4]));"""
    program = f"var wanted = {json.dumps(wanted)}; {make}{code}; var found = {read}; {compare}"
    (verdict,) = execute([Program(id="a", code=program, language="javascript")], engine)
    other, mean = json.loads(verdict.errors[0].message)
    assert other <= 20, "pixels of 30,000 that are a quarter of the way to another colour"
    assert mean <= 1, "of 255"
