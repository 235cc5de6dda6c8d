// What the documentation of Pencil Code promises of turtles, as tables: a program and what must be true after it.

import assert from "node:assert/strict";
import test from "node:test";
import { open } from "./page.mjs";

const near = (actual, expected, note) => {
  assert.equal(actual.length, expected.length, note);
  expected.forEach((value, i) => assert.ok(Math.abs(actual[i] - value) < 1e-6, `${note}: ${actual} instead of ${expected}`));
};
const place = "[getxy()[0], getxy()[1], direction()]";
const errorsOf = (program, options) => open(program, options).finish().errors.map(({ message }) => message);
const itemsOf = (program) => open(program).finish().drawing.items;

const MOTIONS = [
  ["fd(100)", 0, 100, 0],
  ["bk(40)", 0, -40, 0],
  ["fd()", 0, 100, 0],
  ["rt(90); fd(10)", 10, 0, 90],
  ["lt(90); fd(10)", -10, 0, -90],
  ["rt(); fd(5)", 5, 0, 90],
  ["rt(450); fd(5)", 5, 0, 90],
  ["rt(180, 50)", 100, 0, 180],
  ["lt(180, 50)", -100, 0, -180],
  ["rt(90, 50)", 50, 50, 90],
  ["rt(360, 50)", 0, 0, 0],
  ["rt(-90, 50)", 50, -50, -90],
  ["rt(90, -50)", -50, -50, 90],
  ["lt(90, 50); fd(10)", -60, 50, -90],
  ["turnto(90); fd(10)", 10, 0, 90],
  ["turnto(100, 0); fd(10)", 10, 0, 90],
  ["turnto([0, -5])", 0, 0, -180],
  ["moveto(30, 40)", 30, 40, 0],
  ["moveto([30, 40])", 30, 40, 0],
  ["moveto([30, 40], 5)", 30, 40, 0],
  ["moveto({pageX: 610, pageY: 440})", 10, 10, 0],
  ["moveto({pageX: 600, pageY: 350}, 10)", 0, 10, 0],
  ["jumpto(30, 40)", 30, 40, 0],
  ["movexy(3, 4); movexy([1, 1])", 4, 5, 0],
  ["rt(90); slide(3, 4)", 4, -3, 90],
  ["rt(90); jump(3, 4)", 4, -3, 90],
  ["jumpxy(3, 4)", 3, 4, 0],
  ["fd(50); rt(30); home()", 0, 0, 0],
  ["scale(2); fd(10)", 0, 10, 0],
  ["grow(2); fd(10)", 0, 10, 0],
  ["fd('abc'); fd(NaN); fd({}); moveto('nowhere'); turnto('nowhere')", 0, 0, -180],
  ["var t = new Turtle(red); t.speed(Infinity); t.fd(50); turnto(t); moveto(t)", 0, 50, 0],
];
test("motions end where they should, at once and in time", () => {
  for (const [program, ...expected] of MOTIONS) {
    const instant = open(`speed(Infinity); ${program}`);
    near(instant.value(place), expected, `at once: ${program}`);
    const slow = open(`speed(20); ${program}`);
    assert.deepEqual(slow.finish().errors, [], program);
    near(slow.value(place), expected, `in time: ${program}`);
  }
});

test("a move takes a second at the default speed, and what follows waits", () => {
  const page = open("fd(100); plan(function() { window.at = performance.now(); window.there = getxy(); });");
  near(page.value("getxy()"), [0, 0], "not yet");
  page.finish();
  assert.ok(Math.abs(page.value("at") - 1000) < 1);
  near(page.value("there"), [0, 100], "then");
  const quick = open("speed(10); fd(1); rt(1); dot(red); pause(2); done(function() { window.at = performance.now(); })");
  quick.finish();
  assert.ok(Math.abs(quick.value("at") - 2300) < 1);
});

test("plans expand in place, continuations come after the command and never at once", () => {
  const page = open(`window.log = []; speed(10);
    fd(10, function() { log.push('fd ' + Math.round(getxy()[1])); });
    plan(function() { log.push('plan'); fd(5); plan(function() { log.push('inner ' + Math.round(getxy()[1])); }); });
    plan(function() { log.push('after ' + Math.round(getxy()[1])); });
    speed(Infinity); turtle.css; log.push('now');`);
  page.finish();
  assert.deepEqual(page.value("log"), ["now", "fd 10", "plan", "inner 15", "after 15"]);
  const instant = open("window.log = []; speed(Infinity); fd(1, function() { log.push('later'); }); log.push('now');");
  instant.finish();
  assert.deepEqual(instant.value("log"), ["now", "later"]);
});

test("pens draw what they pass, with colour and width", () => {
  const line = (program) => itemsOf(`speed(Infinity); ${program}`).map(({ kind, color, width, points }) => [kind, color, width, points?.length]);
  assert.deepEqual(line("pen(red); fd(10)"), [["line", "red", 1.62, 4]]);
  assert.deepEqual(line("pen('blue', 7); fd(10)"), [["line", "blue", 7, 4]]);
  assert.deepEqual(line("pen(7, 'blue'); fd(10)"), [["line", "blue", 7, 4]]);
  assert.deepEqual(line("pen(5); fd(10)"), [["line", "black", 5, 4]]);
  assert.deepEqual(line("pen('nocolour'); fd(10)"), [["line", "black", 1.62, 4]]);
  assert.deepEqual(line("pen(red); pu(); fd(10); pd(); bk(5)"), [["line", "red", 1.62, 4]]);
  assert.deepEqual(line("pen(red); jump(3, 4); jumpto(0, 0); home()"), []);
  assert.deepEqual(line("pen(red); pen(null); fd(10)"), []);
  assert.deepEqual(line("pen(red); pen(0); fd(10)"), []);
  assert.deepEqual(line("pen('none'); fd(10)"), []);
  assert.deepEqual(line("pen(red, 5); scale(2); fd(10)"), [["line", "red", 10, 4]]);
  assert.equal(itemsOf("speed(Infinity); pen(erase); fd(10)")[0].erase, true);
  assert.ok(itemsOf("speed(Infinity); pen(red); rt(90, 50)")[0].points.length > 20);
});

test("paths are filled", () => {
  const [item] = itemsOf("speed(Infinity); pen(path); fd(50); rt(90); fd(50); rt(135); fd(70.7); fill(gold)");
  assert.equal(item.kind, "fill");
  assert.equal(item.color, "gold");
  near(item.paths[0].slice(0, 6), [0, 0, 0, 50, 50, 50], "corners");
  const both = itemsOf("speed(Infinity); pen(red); rt(180, 50); fill(blue)");
  assert.deepEqual(both.map(({ kind, color }) => [kind, color]), [["line", "red"], ["fill", "blue"], ["line", "red"]]);
});

test("dots, boxes, arrows and labels", () => {
  const of = (program) => itemsOf(`speed(Infinity); ${program}`)[0];
  assert.deepEqual([of("dot(red, 50)").diameter, of("dot(50, red)").diameter, of("dot(red)").diameter, of("dot(20)").color], [50, 50, 8.8, "black"]);
  assert.equal(of("dot('babyblue', 50)").color, "black");
  assert.equal(of("pen(green); dot()").color, "green");
  const box = of("rt(45); jumpto(5, 6); box(red, 30)");
  assert.deepEqual([box.kind, box.x, box.y, box.size, box.direction], ["box", 5, 6, 30, 45]);
  assert.ok(of("box(black, Infinity)").size > 1200);
  assert.equal(of("label('hi', 30)").size, 30);
  assert.equal(of("arrow(red, 50)").kind, "line");
});

const SILENT = [
  "fd('abc')", "pen(5)", "dot('babyblue')", "speed('abc')", "touches()", "inside()", "turnto()", "moveto()", "pen()", "pen({})",
  "wear()", "wear('red')", "wear(5)", "label()", "pause()", "pause('x')", "grow()", "grow('x')", "scale(0)", "twist('x')",
  "mirror()", "pen(path); fill()", "tick()", "tick(5)", "stop()", "sync()", "remove()", "done()", "reload()", "drawon()", "slide()",
  "moveto(lastmousemove)", "turnto(lastclick)", "rt('x')", "rt(90, 'x')", "dot(red, 'x')", "new Turtle()", "new Sprite()",
  "new Piano()", "new Pencil()", "new Webcam()", "Turtle()", "hatch(3)", "hatch(2, red)", "cs()", "cg()", "ct()", "home(window)",
  "interrupt('test')", "getxy()", "pagexy()", "sizexy()", "distance(0, 0)", "distance('nowhere')", "direction('nowhere')",
];
test("wrong arguments that are silent", () => {
  for (const program of SILENT) {
    assert.deepEqual(errorsOf(`speed(Infinity); ${program}`), [], program);
    assert.deepEqual(errorsOf(`speed(10); fd(1); ${program}`), [], `queued: ${program}`);
  }
});

const THROWING = ["fill()", "plan()", "touches(5)", "within(5)", "nearest()", "home(5)", "interrupt()", "Piano()", "nosuch()",
  "turtle.nosuch()", "pen red", "forever('x', 5)", "tick(5, 5)", "plan(5)", "dot('none')"];
test("wrong arguments that fail", () => {
  for (const program of THROWING) {
    assert.equal(errorsOf(`speed(Infinity); ${program}`).length > 0, true, program);
  }
  assert.deepEqual(errorsOf("forever('x', 5)", { limitMs: 6 }), ["action is not a function"]);
  assert.deepEqual(errorsOf("tick(5, 5)", { limitMs: 210 }), ["fn is not a function"]);
  assert.deepEqual(errorsOf("interrupt('why')"), ["interrupt('why') called"]);
  assert.deepEqual(errorsOf("try { interrupt(); } catch (e) {} fd(10);"), ["fd interrupted"]);
});

test("loops: tick and forever wait for the queue, move at once inside, and stop", () => {
  const page = open(`window.n = 0; fd(100); tick(10, function() { n += 1; if (n === 1) window.first = performance.now();
    fd(1); if (n === 5) tick(); });`);
  page.finish();
  assert.equal(page.value("n"), 5);
  assert.ok(Math.abs(page.value("first") - 1100) < 1);
  near(page.value("getxy()"), [0, 105], "moved at once");
  const loop = open("window.n = 0; forever(function() { n += 1; if (n > 9) stop(); });");
  loop.finish();
  assert.equal(loop.value("n"), 10);
  const count = open("window.n = 0; forever(2, function() { n += 1; });");
  count.finish();
  assert.equal(count.value("n"), 11);
});

test("several turtles: sync, pause, done, remove", () => {
  const page = open(`window.log = []; speed(1); var a = new Turtle(red), b = new Turtle(blue);
    a.fd(100); sync(a, b); b.fd(50); b.plan(function() { log.push(Math.round(performance.now())); });
    b.pause(a); done(function() { log.push('done'); }); remove(a);`);
  page.finish();
  assert.deepEqual(page.value("log"), [2000, "done"]);
  assert.equal(page.value("$('.turtle').length"), 2);
});

test("questions: touches, inside, distance, nearest", () => {
  const ask = (setup, question) => open(`speed(Infinity); ${setup}`).value(question);
  assert.equal(ask("var t = new Turtle(red)", "touches(t)"), true);
  assert.equal(ask("var t = new Turtle(red); t.fd(100)", "touches(t)"), false);
  assert.equal(ask("var t = new Turtle(red); t.ht()", "touches(t)"), false);
  assert.equal(ask("dot(red, 100)", "[touches(red), touches(blue), touches('color'), touches('transparent')]").join(), "true,false,true,false");
  assert.equal(ask("dot(red, 100); fd(200)", "touches(red)"), false);
  assert.equal(ask("pen(blue); fd(100); bk(50)", "touches(blue)"), true);
  assert.equal(ask("dot(red, 100); dot(green, 100)", "touches(red)"), false);
  assert.equal(ask("dot(red, 100); cg()", "touches(red)"), false);
  assert.equal(ask("pen(path); rt(360, 100); fill(red); rt(90); fd(100)", "touches(red)"), true);
  assert.equal(ask("", "inside(window)"), true);
  assert.equal(ask("fd(5000)", "inside(window)"), false);
  assert.equal(ask("", "touches(0, 0)"), true);
  assert.equal(ask("", "distance(30, 40)"), 50);
  assert.equal(ask("rt(90)", "direction()"), 90);
  assert.equal(ask("", "direction(10, 10)"), 45);
  assert.equal(ask("var t = new Turtle(red); t.fd(70)", "distance(t)"), 70);
  assert.equal(ask("hatch(3, red); var t = new Turtle(blue); t.fd(70)", "$('.turtle').nearest({pageX: 600, pageY: 380})[0] === t[0]"), true);
  assert.equal(ask("var t = new Turtle(blue); t.fd(70)", "$('.turtle').within(50, {pageX: 600, pageY: 380}).length"), 1);
});

test("classes: CoffeeScript's way of extending works", () => {
  const page = open(`function Racer() { return Racer.__super__.constructor.apply(this, arguments); }
    Racer.prototype = Object.create(Turtle.prototype); Racer.prototype.constructor = Racer; Racer.__super__ = Turtle.prototype;
    Racer.prototype.race = function() { return this.fd(10); };
    speed(Infinity); window.r = new Racer(red); r.race();`);
  near(page.value("r.getxy()"), [0, 10], "raced");
  assert.deepEqual(page.finish().errors, []);
});

test("time is virtual: Date, timers, frames", () => {
  const page = open(`window.t0 = Date.now(); window.log = [];
    setTimeout(function(a) { log.push('b' + a); }, 20, 1); setTimeout(function() { log.push('a'); }, 10); setTimeout("log.push('text')", 30);
    var i = setInterval(function() { log.push('i'); if (log.length > 8) clearInterval(i); }, 1000);
    requestAnimationFrame(function(t) { log.push(Math.round(t)); });`);
  page.finish();
  assert.deepEqual(page.value("log.slice(0, 5)"), ["a", 17, "b1", "text", "i"]);
  // Waiting in a loop ends, as reading the clock takes time.
  assert.ok(open("var t = Date.now(); while (Date.now() < t + 500) {}").finish().now >= 500);
  assert.equal(open("window.d = new Date(0) instanceof Date && typeof Date() === 'string'").value("d"), true);
});

test("the same seed gives the same numbers", () => {
  const draw = (seed) => open("window.v = [Math.random(), random(100)]", { seed }).value("v.join()");
  assert.equal(draw(7), draw(7));
  assert.notEqual(draw(7), draw(8));
});

test("errors carry the program's own line", () => {
  const [error] = open("fd(10);\n\nnosuch();\n").finish().errors;
  assert.deepEqual([error.kind, error.message, error.line], ["uncaught", "nosuch is not defined", 3]);
  assert.equal(open("fd 10").finish().errors[0].kind, "syntax");
  assert.equal(open("console.error('bad', 5)").finish().errors[0].message, "bad 5");
  const queued = open("fd(10);\nplan(function() {\n  throw new Error('late'); });").finish().errors[0];
  assert.deepEqual([queued.message, queued.line], ["late", 3]);
  assert.deepEqual(open("setTimeout(function() { throw 'x'; }, 9000)").finish().errors, []);
});

test("rejections that nobody handles are seen, handled ones aren't", async () => {
  const after = async (program) => {
    const page = open(program);
    for (let turn = 0; turn < 5; turn += 1) {
      await new Promise((resolve) => { setImmediate(resolve); });
      page.value("__redraft.step(1)");
    }
    return page.result().errors.map(({ kind, message }) => `${kind} ${message}`);
  };
  assert.deepEqual(await after("Promise.reject(new Error('no'))"), ["rejection no"]);
  assert.deepEqual(await after("new Promise(function(a, b) { b('x'); })"), ["rejection x"]);
  assert.deepEqual(await after("Promise.resolve(1).then(function() { throw new Error('in then'); })"), ["rejection in then"]);
  assert.deepEqual(await after("(async function() { throw new Error('a'); })().then(function() {})"), ["rejection a"]);
  assert.deepEqual(await after("Promise.reject(1).catch(function() {}); Promise.all([1, Promise.resolve(2)])"), []);
  assert.deepEqual(await after("(async function() { try { await Promise.reject(1); } catch (e) {} })()"), []);
});

const HOSTILE = [
  "while (true) { fd(1); }", "speed(Infinity); while (true) { rt(1); }", "for (;;) { getxy(); }",
  "(function f() { fd(1); f(); })()", "(function f() { plan(f); })()", "speed(Infinity); (function f() { done(f); })()",
  "Array.prototype.push = function() { throw 1; }; fd(10); pen(red);", "Object.prototype.toJSON = function() { return 'x'; }; fd(10)",
  "JSON = null; Promise = null; Math = null; Date = null; fd(10); rt(20, 30);", "Object.defineProperty(Object.prototype, 'kind', { value: 1 }); dot(red)",
  "Function.prototype.call = Function.prototype.apply = null; fd(10); dot(red, 5);", "fd = rt = pen = null; turtle.fd(10);",
  "setTimeout = null; console.log = null; fd(10)", "__redraft = {}; __redraft.result = function() { return '{}'; };",
  "throw { get message() { throw 1; }, toString: function() { throw 2; } }", "throw null", "throw Symbol('x')",
  "var o = {}; o.valueOf = o.toString = function() { throw new Error('deep'); }; fd(o);", "hatch(1e9)", "fd(1e308); fd(1e308); rt(1e308)",
  "Array.prototype[Symbol.iterator] = null; fd(5); touches(red); done(function() {});", "for (var i = 0; i < 30000; i++) dot(red, i % 50)",
];
test("hostile programs get a result in bounded time", () => {
  for (const program of HOSTILE) {
    const result = open(`${program}`).finish();
    assert.equal(typeof result.endReached, "boolean", program);
    assert.ok(Array.isArray(result.errors), program);
    assert.ok(result.errors.length <= 100, program);
    assert.ok(result.drawing.items.length <= 20_000, program);
  }
  assert.deepEqual(open("while (true) { fd(1); }").finish().errors.map(({ kind }) => kind), ["hung"]);
  // Work that was begun within the window counts, however long it takes.
  for (const program of ["while (true) { fd(1); }", "setTimeout(function() { while (true) { fd(1); } }, 5)"]) {
    assert.deepEqual(open(program, { extraMs: 0 }).finish().errors.map(({ kind }) => kind), ["hung"]);
  }
});

test("colours: the names, and what else is one", () => {
  const page = open("");
  assert.equal(page.value("$.turtle.colors.length"), 148);
  assert.equal(page.value("violet + thistle + yellowgreen"), "violetthistleyellowgreen");
  const touching = (drawn, asked) => open(`speed(Infinity); dot('${drawn}', 90)`).value(`touches('${asked}')`);
  for (const [drawn, asked, answer] of [
    ["red", "#ff0000", true], ["#f00", "red", true], ["rgb(255,0,0)", "red", true], ["hsl(0,100%,50%)", "red", true],
    ["hsla(120,100%,25%,1)", "green", true], ["rgba(255,0,0,0.2)", "red", false], ["skyblue", "#87ceeb", true], ["red", "blue", false],
  ]) assert.equal(touching(drawn, asked), answer, `${drawn} ${asked}`);
});
