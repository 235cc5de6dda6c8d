"""What Pencil Code's documented commands promise, one row each: a program, and what must come of it.

Rows are CoffeeScript. `VALUES` asks for the worth of an expression after the program, `SILENT` holds what must not fail,
`ERRORS` what must and how, `LATER` what must be so after five seconds of the program's own time, `DRAWN` what must stand
in the record of the drawing, `WRITTEN` the lines on the page. All of them run in one session of the V8 engine.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from redraft.execute.drawing import read_drawing
from redraft.execute.engine import EngineOptions, execute
from redraft.execute.v8.engine import V8
from redraft.execute.verdict import Program, Verdict

# Numbers are compared to three digits; what isn't there, and NaN, is null.
PRELUDE = """
tidy = (name, value) -> if typeof value is 'number' then Math.round(value * 1000) / 1000 else value
same = (found, wanted) ->
  text = JSON.stringify(found, tidy) ? 'null'
  throw new Error "#{text} instead of #{wanted}" unless text is wanted
speed Infinity
"""

VALUES: dict[str, list[tuple[str, str, Any]]] = {
    "motion": [
        ("fd 100", "getxy()", [0, 100]),
        ("fd()", "getxy()", [0, 100]),
        ("bk 40", "getxy()", [0, -40]),
        ("rt 90; fd 50", "getxy()", [50, 0]),
        ("lt 90; fd 50", "getxy()", [-50, 0]),
        ("rt()", "direction()", 90),
        ("lt()", "direction()", -90),
        ("rt 450", "direction()", 90),
        ("fd 50; rt 90; fd 50", "getxy()", [50, 50]),
        ("slide 30, 10", "getxy()", [30, 10]),
        ("rt 90; slide 30, 10", "getxy()", [10, -30]),
        ("slide [30, 10]", "getxy()", [30, 10]),
        ("rt 90; movexy 30, 10", "getxy()", [30, 10]),
        ("movexy 10", "getxy()", [10, 0]),
        ("fd 5; moveto 30, 40", "getxy()", [30, 40]),
        ("moveto [30, 40]", "getxy()", [30, 40]),
        ("moveto '30', '40'", "getxy()", [30, 40]),
        ("moveto 30, 40; moveto {pageX: pagexy().pageX + 5, pageY: pagexy().pageY - 7}", "getxy()", [35, 47]),
        ("t = new Turtle; t.moveto 20, 20; moveto t", "getxy()", [20, 20]),
        ("moveto {pageX: pagexy().pageX, pageY: pagexy().pageY - 100}, 30", "getxy()", [0, 30]),
        ("moveto 'nothing here!'", "getxy()", [0, 0]),
        ("moveto undefined", "getxy()", [0, 0]),
        ("jump 10, 20", "getxy()", [10, 20]),
        ("rt 90; jumpxy 10, 20", "getxy()", [10, 20]),
        ("jumpto 30, 40", "getxy()", [30, 40]),
        ("turnto 135", "direction()", 135),
        ("turnto 100, 100", "direction()", 45),
        ("turnto [-100, 0]", "direction()", -90),
        ("t = new Turtle; t.moveto 100, 0; turnto t", "direction()", 90),
        ("fd 50; rt 30; home()", "[getxy(), direction()]", [[0, 0], 0]),
        ("scale 2; fd 10", "pagexy().pageY", 430),
        ("scale 2; fd 10", "getxy()", [0, 10]),
        ("grow 3; fd 10", "pagexy().pageY", 440),
        ("fd 'abc'", "typeof getxy()", "object"),
        ("fd 0; fd null", "getxy()", [0, 100]),
        ("move 5, 6", "getxy()", [5, 6]),
        ("turtle.fd(10).rt(90).fd 10", "getxy()", [10, 10]),
    ],
    "arcs": [
        ("rt 90, 100", "[getxy(), direction()]", [[100, 100], 90]),
        ("lt 90, 100", "[getxy(), direction()]", [[-100, 100], -90]),
        ("rt 180, 50", "[getxy(), direction()]", [[100, 0], 180]),
        ("rt 360, 50", "getxy()", [0, 0]),
        ("rt -90, 100", "[getxy(), direction()]", [[100, -100], -90]),
        ("rt 90, 0", "getxy()", [0, 0]),
        ("lt 360; rt 90, 10; fd 10", "getxy()", [20, 10]),
    ],
    "sense": [
        ("fd 30", "[pagexy().pageX, pagexy().pageY]", [600, 420]),
        ("", "distance 30, 40", 50),
        ("", "distance [30, 40]", 50),
        ("t = new Turtle; t.fd 70", "distance t", 70),
        ("", "distance 'nothing'", None),
        ("", "direction 100, 0", 90),
        ("t = new Turtle; t.bk 70", "direction t", 180),
        ("rt 60", "turtle.bearing()", 60),
        ("t = new Turtle", "touches t", True),
        ("t = new Turtle; t.fd 100", "touches t", False),
        ("t = new Turtle; t.fd 100; ht()", "touches t", False),
        ("t = new Turtle; t.ht()", "touches t", False),
        ("", "touches 5, 5", True),
        ("", "touches [500, 5]", False),
        ("", "touches()", False),
        ("dot red, 50", "touches red", True),
        ("dot red, 50", "touches blue", False),
        ("dot red, 50; fd 100", "touches red", False),
        ("dot red, 50", "touches color", True),
        ("dot red, 50; cg()", "touches red", False),
        ("pen blue, 10; fd 50", "touches 'blue'", True),
        ("box tan, 60", "touches tan", True),
        ("dot red, 50; dot erase, 60", "touches red", False),
        ("", "inside window", True),
        ("fd 5000", "inside window", False),
        ("s = new Sprite {width: 100, height: 100, color: red}", "inside s", True),
        ("s = new Sprite {width: 100, height: 100}", "inside s", False),
        ("s = new Sprite {width: 10, height: 10}", "inside s", False),
        ("", "inside()", False),
        ("ht()", "[shown(), hidden()]", [False, True]),
        ("ht(); st()", "[shown(), hidden()]", [True, False]),
        ("hide()", "hidden()", True),
        ("a = hatch 3; a.eq(1).fd 90", "$('.turtle').within(50, [0, 90]).length", 1),
        ("a = hatch 3; a.eq(1).fd 90", "$('.turtle').notwithin(50, [0, 90]).length", 3),
        ("a = hatch 2; a.eq(1).fd 90", "a.nearest([0, 80]).is(a.eq(1))", True),
        ("a = hatch 2; a.eq(1).fd 90", "$('.turtle').within('touch', {pageX: 600, pageY: 360}).length", 1),
        ("", "lastclick.pageX", None),
        ("", "pressed 'a'", False),
        ("", "pressed.list().length", 0),
        ("", "sizexy().length", 2),
    ],
    "pixels": [
        ("s = new Sprite {width: 40, height: 40}", "touches s", False),
        ("s = new Sprite {width: 40, height: 40, color: 'rgba(0, 0, 0, 0.2)'}", "touches s", True),
        ("s = new Sprite", "touches s", True),
        ("s = new Sprite {width: 40, height: 40}; drawon s; dot red, 9; s.clip()", "touches s", True),
        ("s = new Sprite {width: 40, height: 40}; drawon s; fd 15; dot red, 4; s.clip(); bk 40", "touches s", False),
        ("dot red, 50; dot 'rgba(0,0,0,0)', 60", "touches red", True),
        ("dot red, 50; dot 'rgba(0,0,255,0.5)', 60", "[touches(red), touches('#80007f')]", [False, True]),
        ("pen 'rgba(255,0,0,0.5)', 30; fd 90", "touches 'rgba(255,0,0,0.5)'", True),
        (
            "s = new Sprite {width: 90, height: 90, color: blue}; drawon s",
            "[touches(blue), touches(red)]",
            [True, False],
        ),
        ("s = new Sprite {width: 90, height: 90}; drawon s; dot red, 20; s.fd 99; drawon window", "touches red", False),
        ("s = new Sprite {width: 90, height: 90}; drawon s; dot red, 20; s.fd 99; jumpto s", "touches red", True),
        ("a = new Sprite {width: 9, height: 9}; drawon a; dot red, 20; drawon a.copy()", "touches red", True),
        ("p = new Piano '2; lowest: C; highest: D'", "[p.width(), p.height()]", [132, 327]),
        ("p = new Piano {keys: 88}", "[p.width(), p.height(), p.canvas().width]", [663, 67, 663]),
        ("p = new Piano {keys: 12, color: pink}; drawon p; fd 0", "touches pink", True),
        ("p = new Piano; p.drawkey 66, lime; drawon p", "touches lime", True),
        ("p = new Pencil", "[p.width(), p.hidden()]", [256, True]),
        ("s = new Sprite {width: 50, height: 50}; p = new Pencil s; p.dot lime, 30; drawon s", "touches lime", True),
        ("c = canvas().getContext('2d'); c.fillStyle = 'oops'; c.fillRect 590, 440, 20, 20", "touches black", True),
        (
            "c = canvas().getContext('2d'); c.arc 600, 450, 9, 0, 7; c.fill()",
            "[touches(color), touches(red)]",
            [True, False],
        ),
        (
            "c = canvas().getContext('2d'); c.translate 600, 450; c.rotate 1; c.strokeStyle = '#F00'; c.strokeRect -3, -3, 6, 6",
            "[touches(red), c.strokeStyle]",
            [True, "#ff0000"],
        ),
        (
            "c = $('<canvas>')[0].getContext('2d'); c.rect 1, 1, 2, 2; c.fill()",
            "Array.from c.getImageData(0, 1, 4, 1).data.filter (v, i) -> i % 4 is 3",
            [0, 255, 255, 0],
        ),
        (
            "c = $('<canvas>')[0].getContext('2d'); c.fillRect 0, 0, 9, 9; c.clearRect 0, 0, 5, 5",
            "[c.getImageData(2, 2, 1, 1).data[3], c.getImageData(6, 2, 1, 1).data[3]]",
            [0, 255],
        ),
        (
            "c = $('<canvas>')[0].getContext('2d'); c.fillRect 0, 0, 1, 1; c.canvas.width = 20",
            "[c.getImageData(0, 0, 1, 1).data[3], c.canvas.width]",
            [0, 20],
        ),
        (
            "c = $('<canvas>')[0].getContext('2d'); c.globalAlpha = 0.5; c.fillStyle = 'red'; c.fillRect 0, 0, 9, 9",
            "Array.from c.getImageData(3, 3, 1, 1).data",
            [255, 0, 0, 128],
        ),
        (
            "c = $('<canvas>')[0].getContext('2d'); c.putImageData c.createImageData(1, 1), 0, 0; i = c.getImageData 0, 0, 2, 1; "
            "i.data[7] = 9; c.putImageData i, 3, 0",
            "c.getImageData(4, 0, 1, 1).data[3]",
            9,
        ),
        (
            "a = $('<canvas>')[0].getContext('2d'); a.fillRect 0, 0, 4, 4; b = $('<canvas>')[0].getContext('2d'); "
            "b.drawImage a.canvas, 10, 10, 600, 300",
            "[b.getImageData(15, 15, 1, 1), b.getImageData(19, 5, 1, 1)].map (p) -> p.data[3]",
            [255, 0],
        ),
        ("", "[imagedata().width, imagedata().height]", [40, 48]),
        (
            "s = new Sprite {width: 3, height: 2, color: lime}",
            "Array.from(s.imagedata().data).slice 0, 4",
            [0, 255, 0, 255],
        ),
        (
            "s = new Sprite {width: 2, height: 2}; s.imagedata {width: 1, height: 1, data: [255, 0, 0, 255]}; drawon s",
            "[touches(red), s.canvas().width]",
            [True, 1],
        ),
    ],
    "origin": [
        ("fd 30; origin.movexy 50, -20", "[pagexy().pageX, pagexy().pageY, getxy()]", [650, 440, [0, 30]]),
        ("speed 1; origin.fd 20", "pagexy().pageY", 430),
        ("origin.movexy 50, -20; moveto 10, 10", "[pagexy().pageX, pagexy().pageY, getxy()]", [660, 460, [10, 10]]),
        ("origin.movexy 50, -20; fd 9; home()", "[pagexy().pageX, (new Turtle).pagexy().pageY]", [650, 470]),
    ],
    "labels": [
        ("label 'a', {class: 'b', id: 'c'}", "[$('.b').length, $('#c').text()]", [1, "a"]),
        ("fd 30; rt 90; label 'a'", "[$('label').getxy(), $('label').direction()]", [[0, 30], 90]),
        ("rt 90; label 'a', 'top'", "[$('label').direction(), $('label').getxy()[1] > 5]", [0, True]),
        (
            "label 'a', {labelSide: 'left', fontSize: 30}",
            "[$('label').getxy()[0] < -3, $('label').css('fontSize')]",
            [True, "30px"],
        ),
    ],
    "sprites": [
        ("t = new Turtle red", "[t.hasClass('turtle'), t.length]", [True, 1]),
        ("t = new Turtle blue; t.fd 20", "[t.getxy(), getxy()]", [[0, 20], [0, 0]]),
        ("a = hatch 5, green", "a.length", 5),
        ("a = hatch 3; a.plan (i) -> @fd i * 10", "a.eq(2).getxy()", [0, 20]),
        ("t = hatch blue", "t.length", 1),
        ("s = new Sprite {width: 80, height: 50, color: red}", "[s.width(), s.height()]", [80, 50]),
        ("s = new Sprite '30x40'", "[s.width(), s.height()]", [30, 40]),
        ("s = new Sprite", "[s.width(), s.height()]", [256, 256]),
        ("p = new Pencil; p.pen red; p.fd 9", "[p.getxy(), p.shown()]", [[0, 9], False]),
        ("p = new Piano", "p.width() > 400", True),
        ("t = new Turtle; t.fd 9; c = t.copy(); c.fd 1", "[t.getxy(), c.getxy()]", [[0, 9], [0, 10]]),
        ("t = new Turtle; remove t", "$('.turtle').length", 1),
        ("remove turtle", "typeof fd", "undefined"),
        ("wear 'pointer'", "turtle.height()", 24),
        ("wear {width: 40, height: 50}", "[turtle.width(), turtle.height()]", [40, 50]),
        ("t = new Turtle 'joe'", "joe.is t", True),
        ("class Racer extends Turtle\n  go: -> @fd 12\nr = new Racer red\nr.go()", "r.getxy()", [0, 12]),
        ("t = Turtle red", "t", None),
        ("t = new Turtle red, document; t.fd 1", "t.getxy()", [0, 1]),
    ],
    "values that commands give": [
        ("", "fd(1) is turtle", True),
        ("", "fd(1).is(turtle)", True),
        ("", "pen(red).length", 1),
        ("", "scale 2", None),
        ("", "turtle.hide()", None),
        ("", "write('a').length", 1),
        ("", "write(1, 2, 3).text()", "1 2 3"),
        ("", "append 'a'", None),
        ("", "done(->).done?", True),
        ("", "$('.nothing').hatch()", None),
        ("", "canvas().getContext('2d').fillStyle", "#000000"),
        ("", "turtle.css 'turtleSpeed'", "turtle"),
        ("turtle.css {turtleRotation: 45}", "direction()", 45),
        ("turtle.css turtlePosition: '30 -40'", "getxy()", [30, 40]),
        ("turtle.css turtleScale: 2", "turtle.css 'turtleScale'", "2"),
        ("turtle.css turtlePenStyle: 'red', turtlePenDown: 'down'", "turtle.css 'turtlePenDown'", "down"),
        ("turtle.css turtleForward: '25px'", "getxy()", [0, 25]),
    ],
    "numbers and chance": [
        ("", "[sqrt(16), abs(-5), ceil(1.2), floor(1.8), round(1.5)]", [4, 5, 2, 1, 2]),
        ("", "[max(1, 5, 3), min(4, 2), pow(2, 10), ln(E), log10(1000)]", [5, 2, 1024, 1, 3]),
        ("", "[sind(30), cosd(60), tand(45), asind(1), acosd(0), atand(1)]", [0.5, 0.5, 1, 90, 90, 45]),
        ("", "[sin(0), cos(0), atan(1, 1) * 4 - PI]", [0, 1, 0]),
        ("", "0 <= random(6) < 6 and random(6) % 1 is 0", True),
        ("", "5 <= random(5, 8) < 8", True),
        ("", "random([7])", 7),
        ("", "0 <= random() < 1", True),
        ("", "typeof random normal", "number"),
        ("", "random(color).slice 0, 4", "hsl("),
        ("", "random(position).pageX >= 0", True),
        ("", "typeof random true", "boolean"),
        ("", "(random(1000) for i in [1..50]).join() is (random(1000) for i in [1..50]).join()", False),
    ],
    "colours": [
        ("", "[red, skyblue, transparent, erase, path]", ["red", "skyblue", "transparent", "erase", "path"]),
        ("", "rgb 300, -5, 7.9", "rgb(255,0,7)"),
        ("", "rgba 1, 2, 3, 0.5", "rgba(1,2,3,0.5)"),
        ("", "hsl 120, 0.65, 0.75", "hsl(120,65%,75%)"),
        ("", "hsla 120, 1, 0.5, 0.25", "hsla(120,100%,50%,0.25)"),
        ("", "$.turtle.colors.length > 140", True),
    ],
    "words on the page": [
        ("write 'a'; write 'b'", "$('body > div').not('.turtlefield').length", 2),
        ("write '<b>x</b>'", "$('b').text()", "x"),
        ("write(); write null", "$('body > div').not('.turtlefield').length", 2),
        ("write '<3 you'", "$('body').text().slice -6", "<3 you"),
        ("x = write 'score'; x.html 'new'", "x.text()", "new"),
        ("type 'a'; type 'b'", "[$('pre').length, $('pre').text()]", [1, "ab"]),
        ("typeline 'a'; typeline()", "$('pre').text()", "a\n\n"),
        ("typebox red", "$('pre div').length", 1),
        ("append 'a', 'b'", "$('body').text().slice -2", "ab"),
        ("img 'tree'", "$('img').attr('src').slice -9", "/img/tree"),
        ("label 'hi'", "$('.turtlelabel').text()", "hi"),
        ("t = table 2, 3", "[t.find('tr').length, t.find('td').length]", [2, 6]),
        ("t = table 8, 8; t.cell(2, 3).text 'x'", "t.find('tr').eq(2).find('td').eq(3).text()", "x"),
        ("t = table [[1, 2], [3]]", "t.cell().text()", "123"),
        ("write 'a'; ct()", "$('body > div').not('.turtlefield').length", 0),
        ("label 'a'; write 'b'; cs()", "[$('.turtlelabel').length, $('body').text()]", [0, ""]),
        ("t = new Turtle; cs()", "$('.turtle').length", 1),
    ],
    "input": [
        ("button 'go', -> fd 1", "$('button').text()", "go"),
        ("button -> fd 1", "$('button').text()", "button"),
        ("n = 0; b = button 'go', -> n = 1\nb.click()", "n", 1),
        ("read 'name?', (x) -> y", "$('label').text().slice 0, 5", "name?"),
        ("readnum 'n', (x) -> y", "$('input.turtleinput').length", 1),
        ("menu {a: 1, b: 2}", "$('input[type=radio]').length", 2),
        ("menu ['x', 'y', 'z']", "$('form label').length", 3),
        ("n = 0; keydown 'a', -> n += 1\n$(window).trigger $.Event 'keydown', {key: 'a'}", "n", 1),
        ("n = 0; keydown 'a', -> n += 1\n$(window).trigger $.Event 'keydown', {key: 'b'}", "n", 0),
        ("n = 0; click -> n += 1\n$(document).click()", "n", 1),
        ("n = 0; turtle.click -> n += 1\nturtle.click()", "n", 1),
        ("", "prompt 'x'", None),
        ("", "confirm 'x'", False),
        ("", "alert 'x'", None),
    ],
    "elements": [
        ("d = $('<p>').appendTo 'body'; d.addClass 'k'", "$('p.k').length", 1),
        ("write '<i>a</i>'; $('i').css {color: red}", "$('i').css 'color'", "rgb(255, 0, 0)"),
        ("x = write 'a'; x.data 'n', 5", "x.data 'n'", 5),
        ("$('body').css background: 'black'", "$('body')[0].style.background", "black"),
        ("b = write 'a'; b.moveto 50, 50", "b.getxy()", [50, 50]),
        ("b = write '<b>a</b>'; b.rt 30", "b.direction()", 30),
        ("", "$.inArray 2, [1, 2]", 1),
        ("", "$.map [1, 2], (x) -> x * 2", [2, 4]),
        ("d = document.createElement 'div'; d.innerHTML = '<u>1</u>'", "d.children.length", 1),
        ("write '<p id=score>0</p>'; score.innerHTML = '5'", "$('#score').text()", "5"),
        ("x = write '<p id=score>0</p>'; x.remove()", "typeof score", "undefined"),
        ("localStorage.k = 5", "localStorage.getItem 'k'", "5"),
    ],
    "lists": [
        ("", "_.map [1, 2], (x) -> x + 1", [2, 3]),
        ("", "_.max [1, 9, 3]", 9),
        ("", "_.range 1, 4", [1, 2, 3]),
        ("", "_.uniq [1, 1, 2]", [1, 2]),
        ("", "_.sortBy [3, 1, 2]", [1, 2, 3]),
        ("", "_.shuffle([1, 2, 3]).length", 3),
        ("", "_.find [1, 4, 6], (x) -> x > 3", 4),
        ("", "_.keys {a: 1, b: 2}", ["a", "b"]),
        ("", "_.contains [1, 2], 2", True),
        ("", "_([1, 2, 3]).reduce ((a, b) -> a + b), 0", 6),
    ],
}

SILENT = """
pen 5
pen 'babyblue'
pen red, 'x'
pen 10, red
pen {strokeStyle: red, lineWidth: 3}
pen null
pen off
dot "babyblue"
dot 5, blue
dot blue, Infinity
dot()
box 'red', -10
fill red
pen red; fill()
speed 'abc'
speed()
turtle.speed 'x'
fd {}
fd -> 5
rt 'x'
moveto 5
jumpto()
turnto()
turnto 'nobody'
wear()
wear 5
wear 'http://192.0.2.1/a.png'
label()
label 'a', 20
label 'a', 'top', 20
label 'a', red
write undefined
see {a: 1}, [2]
log 'x'
debug 'x'
help 'fd'
img()
table()
menu()
button()
read()
random 'x'
tick()
tick 0, -> oops
forever()
stop()
play()
play 'abc', 'x'
tone 440, 1
tone 'C'
silence()
say 'hello'
sync 5, turtle
sync 'a', 'b'
remove 5
remove 'nothing'
drawon 'abc'
drawon()
turtle.plan -> @fd 5
pause()
hatch 0
load 'x'
load 'x', (data) -> write data
send 'a', 1
recv 'a', ->
click()
keydown 'a'
new Turtle 5
new Turtle 'no picture of this name'
new Webcam
touches 'nothing'
inside 'nothing'
within()
recolor -> [1, 2, 3]
turtle.animate {opacity: 0}
fadeOut()
$('nothing').fd 10
$('nothing').css 'color'
$('nothing').hide()
console.log 1; console.warn 2; console.info 3
localStorage.clear()
new Audio
c = canvas().getContext '2d'; c.fillStyle = red; c.fillRect 1, 2, 3, 4; c.beginPath(); c.arc 1, 2, 3, 0, 6; c.fill()
interrupt 'test'
""".strip().splitlines()

ERRORS = [
    ("fill()", "eraseMode"),
    ("plan()", "reading 'call'"),
    ("plan 5", "reading 'call'"),
    ("play 5", "split is not a function"),
    ("touches 5", "'in' operator"),
    ("turtle.within 5", "'in' operator"),
    ("turtle.within 'touch', 'nothing'", "reading"),
    ("turtle.within 5, null", "reading"),
    ("turtle.nearest()", "pageX"),
    ("turtle.nearest 10, 20", "pageX"),
    ("home 5", "reading"),
    ("home 'nothing'", "pageX"),
    ("css()", "replace"),
    ("recolor()", "length"),
    ("save()", "Missing url"),
    ("interrupt()", "interrupt() called"),
    ("Piano()", "is not a function"),
    ("Pencil()", "is not a function"),
    ("pen red 10", "is not a function"),
    ("pressed 5", "replace is not a function"),
    ("dot none", "eraseMode"),
    ("dot red, -10", "negative"),
    ("new Turtle red, 5", "createDocumentFragment"),
    ("new Turtle red, 'pencil'", "pageX"),
    ("label 'a', 'left', 'big'", "'in' operator"),
    ("turtle.jumpp 5", "is not a function"),
    ("turtle.hide().fd 5", "undefined"),
    ("grow(2).fd 5", "undefined"),
    ("babyblue", "not defined"),
    ("fd = 5; fd 10", "is not a function"),
    ("remove turtle; fd 5", "not defined"),
    ("$('a b[')", "unrecognized expression"),
    ("$('p:nix')", "unsupported pseudo"),
    ("canvas().getContext('2d').arc 0, 0, -5, 0, 1", "negative"),
    ("canvas().getContext('2d').fillRect 1, 2", "4 arguments required"),
    ("canvas().getContext('2d').drawImage 5, 0, 0", "not of type"),
    ("console.error 'x'", "x"),
    ("Promise.reject 'late'", "late"),
    ("new Promise (good, bad) -> throw 'early'", "early"),
    ("setTimeout (-> oops), 100", "not defined"),
    ("turtle.plan -> oops", "not defined"),
    ("done -> oops", "not defined"),
    ("tick 5, 5", "is not a function"),
    ("forever 'x', 5", "is not a function"),
    ("pause 1; done -> throw 'after'", "after"),
    ("write 'a'; throw 'thrown'", "thrown"),
    ("x = null; x.y", "null"),
    ("while true\n  fd 1", "hung"),
]

LATER = [
    # program, what is true five seconds later
    ("n = 0; forever 10, -> n += 1", "40 < n < 60"),
    ("n = 0; forever -> n += 1", "120 < n < 165"),
    ("n = 0; tick 2, -> n += 1", "8 < n < 12"),
    ("n = 0; tick -> n += 1", "3 < n < 7"),
    ("n = 0; tick 10, -> n += 1; tick() if n is 3", "n is 3"),
    ("n = 0; forever 20, -> n += 1; stop() if n is 4", "n is 4"),
    ("n = 0; forever 20, -> n += 1\nm = 0; forever 20, -> m += 1; stop() if m is 4", "m is 4 and n > 50"),
    ("n = 0; tick 4, -> n += 1\ntick 4, -> n += 100", "n > 1000 and n % 100 is 0"),
    ("forever 10, -> fd 1", "40 < getxy()[1] < 60"),
    ("pause 2; n = 0; plan -> n = 1", "n is 1"),
    ("pause 60; n = 0; plan -> n = 1", "n is 0"),
    ("turtle.speed 1; n = 0; fd 10; fd 10; done -> n = getxy()[1]", "n is 20"),
    ("turtle.speed 1; fd 10 for i in [1..20]", "getxy()[1] < 60"),
    ("turtle.speed 1; fd 10; n = getxy()[1]", "n is 0 and getxy()[1] is 10"),
    ("n = []; turtle.speed 2; fd 10; plan -> n.push 1; fd 10\nplan -> n.push getxy()[1]", "n.join() is '1,20'"),
    ("n = 0; await fd 10, defer(); n = 1", "n is 1"),
    ("n = 0; await done defer(); n = 1", "n is 1"),
    ("n = 0; await setTimeout defer(), 900; n = 1", "n is 1"),
    ("n = 0; await read 'x', defer(y); n = 1", "n is 0"),
    ("a = new Turtle; a.speed 1; a.fd 50; sync a, turtle; fd 10; n = getxy()[1]", "n is 0 and getxy()[1] is 10"),
    ("a = new Turtle; a.speed 1; a.fd 50; pause a; fd 10; n = getxy()[1]", "n is 0 and getxy()[1] is 10"),
    ("n = 0; send 'x', 5; recv 'x', (v) -> n = v", "n is 5"),
    ("n = 1; load 'x', (v) -> n = v", "n is undefined"),
    ("n = 0; setInterval (-> n += 1), 1000", "n is 4"),
    ("n = 0; requestAnimationFrame -> n = 1", "n is 1"),
    ("n = 0; Promise.resolve(5).then (v) -> n = v", "n is 5"),
    ("n = 0; $('body').delay(500).queue -> n = 1", "n is 1"),
    ("n = 0; turtle.fadeOut 300, -> n = 1", "n is 1 and hidden()"),
    ("turtle.animate {opacity: 0.5}, 200", "turtle.css('opacity') is '0.5'"),
    ("turtle.animate {turtleRotation: '+=90'}, 200", "direction() is 90"),
    ("n = Date.now()", "4500 < Date.now() - n < 5500"),
    ("play 'ccc'; n = 0; plan -> n = 1", "n is 1"),
    ("drawon 'abc'; n = 0; plan -> n = 1", "n is 0"),
]

DRAWN: dict[str, list[tuple[str, list[dict[str, Any]]]]] = {
    "pen": [
        ("pen red; fd 50", [{"kind": "line", "points": [0, 0, 0, 50], "color": "red", "width": 1.62}]),
        ("pen blue, 7; bk 5", [{"kind": "line", "color": "blue", "width": 7}]),
        ("pen 7, blue; bk 5", [{"kind": "line", "color": "blue", "width": 7}]),
        ("pen 'green;lineWidth:4'; fd 5", [{"kind": "line", "color": "green", "width": 4}]),
        ("pen {strokeStyle: gold, lineWidth: 4}; fd 5", [{"kind": "line", "color": "gold", "width": 4}]),
        ("fd 50", []),
        ("pen red; pu(); fd 50", []),
        ("pen red; pu(); fd 5; pd(); fd 5", [{"kind": "line", "points": [0, 5, 0, 10]}]),
        ("pen red; pen none; fd 50", []),
        ("pen red; pen null; fd 50", []),
        ("pen red, 0; fd 50", []),
        ("pen red; pen off; fd 50", []),
        ("pen red; jump 0, 50; jumpto 9, 9", []),
        ("pen red; home()", []),
        ("pen erase, 9; fd 50", [{"kind": "line", "erase": True, "width": 10}]),
        ("pe(); fd 50", [{"kind": "line", "erase": True}]),
        ("pen 'babyblue'; fd 50", [{"kind": "line", "color": "black"}]),
        ("pen tan; fd 50", [{"kind": "line", "color": "tan"}]),
        ("pen red; moveto 30, 40", [{"kind": "line", "points": [0, 0, 30, 40]}]),
        ("pen red; slide 10, 0; movexy 0, 5", [{"kind": "line"}, {"kind": "line", "points": [10, 0, 10, 5]}]),
        ("scale 2; pen red, 3; fd 10", [{"kind": "line", "points": [0, 0, 0, 20], "width": 6}]),
        ("pen red; rt 90, 100", [{"kind": "line", "color": "red"}]),
        ("pen red; rt 90", []),
        ("new Turtle().pen(red).fd 5", [{"kind": "line", "color": "red"}]),
    ],
    "fill": [
        ("pen path; fd 9; rt 90; fd 9; fill red", [{"kind": "fill", "color": "red", "paths": [[0, 0, 0, 9, 9, 9]]}]),
        ("pf(); fd 9; rt 90; fd 9; fill gold", [{"kind": "fill", "color": "gold"}]),
        (
            "pen blue; rt 360, 9; fill red",
            [{"kind": "line"}, {"kind": "fill", "color": "red"}, {"kind": "line", "color": "blue", "closed": True}],
        ),
        ("pen path; fd 9; rt 90; fd 9; fill {strokeStyle: red}", [{"kind": "line", "points": [0, 0, 0, 9, 9, 9]}]),
        ("pen path; fill red", []),
        ("pen path; fd 9; rt 90; fd 9; fill()", []),
        ("fd 9; rt 90; fd 9; fill red", []),
    ],
    "dot and box": [
        ("dot red, 30", [{"kind": "dot", "x": 0, "y": 0, "diameter": 30, "color": "red"}]),
        ("dot 30, red", [{"kind": "dot", "diameter": 30, "color": "red"}]),
        ("dot()", [{"kind": "dot", "diameter": 8.8, "color": "black"}]),
        ("pen blue; dot 5", [{"kind": "dot", "diameter": 5, "color": "blue"}]),
        ("dot 'rgb(1,2,3)', 5", [{"kind": "dot", "color": "rgb(1,2,3)"}]),
        ("fd 20; rt 30; box gold, 9", [{"kind": "box", "y": 20, "size": 9, "direction": 30, "color": "gold"}]),
        ("box red, Infinity", [{"kind": "box", "color": "red"}]),
        ("dot erase, 10", [{"kind": "dot", "erase": True, "diameter": 12}]),
        ("arrow red, 50", [{"kind": "line", "color": "red"}, {"kind": "fill", "color": "red"}]),
        ("dot red, 9; cg()", [{"kind": "dot"}, {"kind": "erase", "all": True}]),
    ],
    "labels, tables, surfaces": [
        ("fd 10; label 'hi'", [{"kind": "text", "x": 0, "y": 10, "text": "hi"}]),
        ("rt 90; label 'hi', 40", [{"kind": "text", "size": 40, "direction": 90}]),
        ("label 'hi', 'bottom', {color: red}", [{"kind": "text", "color": "red", "side": "bottom", "direction": 0}]),
        (
            "label 'a<br>b', {color: red, fontFamily: 'monospace', fontWeight: 'bold'}",
            [{"kind": "text", "text": "a\nb", "color": "red", "family": "monospace", "bold": True}],
        ),
        ("label 'a', {id: 'score'}; $('#score').text('b').css {color: red}", [{"text": "b", "color": "red"}]),
        ("label 'a', {id: 'score'}; $('#score').fd 20; $('#score').rt 90", [{"y": 20, "direction": 90}]),
        ("label 'a'; $('label').remove()", [{"text": ""}]),
        ("label 'a'; cg()", [{"text": "a"}, {"kind": "erase"}]),
        ("origin.movexy 10, 5; pen red; fd 9", [{"kind": "line", "points": [10, 5, 10, 14]}]),
        (
            "s = new Sprite '60x60'; drawon s; pen red; fd 20; s.moveto 100, 0; s.rt 90",
            [{"kind": "line", "points": [0, 0, 0, 20], "on": 1, "by": 0}],
        ),
        (
            "s = new Sprite {width: 60, height: 60, color: gold}; s.rt 90; s.fd 100; s.grow 2; drawon s; jumpto s; dot red, 9",
            [{"kind": "dot", "x": 0, "y": 0, "diameter": 4.5, "on": 1}],
        ),
        ("cs(); t = new Turtle red; t.pen red; cs(); t.fd 9", [{"kind": "erase"}, {"kind": "erase"}]),
        ("pen red, 9, 'butt', 'miter'; fd 9", [{"kind": "line", "cap": "butt", "join": "miter"}]),
        ("pen red; fd 0; fd 1e-9", []),
        (
            "paint = canvas().getContext '2d'; paint.fillStyle = 'Teal'; paint.fillRect 600, 450, 20, 10",
            [{"kind": "fill", "color": "teal", "paths": [[0, 0, 20, 0, 20, -10, 0, -10]]}],
        ),
    ],
}

WRITTEN = [
    ("write 'a'; write 'b'", ["a", "b"]),
    ("append 'a'; append 'b', 'c'", ["abc"]),
    ("append 'a'; write 'b'; append 'c'", ["a", "b", "c"]),
    ("append 'a<br>b'; append 'c'", ["a", "bc"]),
    ("type 'a'; type 'b\\n'; type 'c'", ["ab", "c"]),
    ("write '<h1>Title</h1>'", ["Title"]),
    ("write 'a'; ct(); write 'b'", ["b"]),
    ("write 1, true, 'x'", ["1 true x"]),
]

VALUE_ROWS = [row for rows in VALUES.values() for row in rows]
DRAWN_ROWS = [row for rows in DRAWN.values() for row in rows]


def asking(program: str, question: str, answer: Any) -> str:
    """The program, which fails unless the expression is worth the answer."""
    wanted = json.dumps(answer, separators=(",", ":"))
    return f"{PRELUDE}{program}\nsame ({question}), {json.dumps(wanted)}"


def waiting(program: str, truth: str) -> str:
    """The program, which fails unless the expression is true in five seconds."""
    return f"{PRELUDE}setTimeout (-> throw new Error 'it is not so' unless ({truth})), 5000\n{program}"


def plain(program: str) -> str:
    """The program at speed Infinity."""
    return f"speed Infinity\n{program}"


Run = dict[str, Verdict]


@pytest.fixture(scope="module")
def run() -> Iterator[Run]:
    """The verdict on every program of the tables."""
    codes = [
        *(asking(*row) for row in VALUE_ROWS),
        *(waiting(*row) for row in LATER),
        *(plain(program) for program in SILENT),
        *(plain(program) for program, _ in [*ERRORS, *DRAWN_ROWS, *WRITTEN]),
    ]
    with V8(EngineOptions(workers=2, drawing=True)) as engine:
        verdicts = execute([Program(id="a", code=code, language="coffeescript") for code in codes], engine)
        yield dict(zip(codes, verdicts, strict=True))


def told(verdict: Verdict) -> tuple[str, list[str]]:
    """Verdict and messages."""
    return verdict.verdict, [error.message for error in verdict.errors]


def test_the_tables_are_large_enough() -> None:
    assert len(VALUE_ROWS) + len(SILENT) + len(ERRORS) + len(LATER) + len(DRAWN_ROWS) + len(WRITTEN) >= 150


@pytest.mark.parametrize(("program", "question", "answer"), VALUE_ROWS)
def test_what_commands_do_and_answer(run: Run, program: str, question: str, answer: Any) -> None:
    assert told(run[asking(program, question, answer)]) == ("ok", [])


@pytest.mark.parametrize("program", SILENT)
def test_odd_arguments_that_are_silent(run: Run, program: str) -> None:
    assert told(run[plain(program)]) == ("ok", [])


@pytest.mark.parametrize(("program", "message"), ERRORS)
def test_what_fails(run: Run, program: str, message: str) -> None:
    verdict, messages = told(run[plain(program)])
    assert verdict == "error"
    assert message in messages[0]


@pytest.mark.parametrize(("program", "truth"), LATER)
def test_what_takes_time(run: Run, program: str, truth: str) -> None:
    assert told(run[waiting(program, truth)]) == ("ok", [])


@pytest.mark.parametrize(("program", "items"), DRAWN_ROWS)
def test_what_is_drawn(run: Run, program: str, items: list[dict[str, Any]]) -> None:
    verdict = run[plain(program)]
    assert told(verdict) == ("ok", [])
    assert verdict.drawing is not None
    found = verdict.drawing["items"]
    assert [{name: item.get(name) for name in wanted} for item, wanted in zip(found, items, strict=True)] == items


@pytest.mark.parametrize(("program", "lines"), WRITTEN)
def test_what_is_written(run: Run, program: str, lines: list[str]) -> None:
    verdict = run[plain(program)]
    assert told(verdict) == ("ok", [])
    assert list(read_drawing(verdict.drawing).texts) == lines
