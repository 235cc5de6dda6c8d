// The page's stand-ins as programs see them: globals, `$`, elements, events, effects, input and output.

import assert from "node:assert/strict";
import { test } from "node:test";
import { errorsOf, open, sharedData } from "./page.mjs";

const page = open();

/** Rows of [expression, expected value], each in the same page. */
function table(name, rows, setup = "") {
  test(name, () => {
    const fresh = open(setup);
    for (const [expression, expected] of rows) assert.deepEqual(fresh.value(expression), expected, expression);
  });
}

test("every global of the real runtime is there with its type", { skip: sharedData("pencilcode-api.json") === null },
  () => {
  const { globals, turtle_methods: methods } = sharedData("pencilcode-api.json");
  const wrong = Object.entries(globals).filter(([name, type]) => page.value(`typeof ${name}`) !== type);
  assert.deepEqual(wrong, []);
  const missing = methods.filter((name) => page.value(`typeof turtle[${JSON.stringify(name)}]`) !== "function");
  assert.deepEqual(missing, []);
});

test("a for-in over a Query sees only its elements", () => {
  assert.deepEqual(page.value("var keys = []; for (var k in $('body')) keys.push(k); keys"), ["0", "length"]);
});

table("selectors", [
  ["$('.a').length", 2], ["$('#one').text()", "first"], ["$('p.a, #two').length", 3], ["$('div > p').length", 3],
  ["$('div p:first').text()", "first"], ["$('p:eq(1)').text()", "second"], ["$('p:last').attr('id')", "two"],
  ["$('p:not(.a)').length", 1], ["$('p:contains(sec)').length", 1], ["$('[data-k=v]').length", 1],
    ["$('p + p').length", 2],
  ["$('div:has(p)').hasClass('box')", true], ["$('p:nth-child(2n+1)').length", 2], ["$('input:checked').length", 1],
  ["$('p').filter(':odd').text()", "second"], ["$('p').not('.a').attr('id')", "two"], ["$('nothing').length", 0],
  ["try { $('p:') } catch (e) { e.message }", "Syntax error, unrecognized expression: p:"],
], `$('body').append('<div class="box"><p class="a" id="one">first</p><p class=a data-k="v">second</p><p id=two>third</p></div><input type=checkbox checked>')`);

table("walking", [
  ["$('#b').parent().attr('id')", "list"], ["$('#b').next().text()", "C"], ["$('#b').prev().text()", "A"],
    ["$('#b').siblings().length", 2],
  ["$('#list').children().length", 3], ["$('#list').find('li').last().text()", "C"],
    ["$('#b').closest('ul').attr('id')", "list"],
  ["$('li').index($('#b'))", 1], ["$('#b').index()", 1], ["$('li').eq(-1).text()", "C"], ["$('li').slice(1).length", 2],
  ["$('#b').parents().length", 3], ["$('li').first().nextAll().length", 2], ["$('li').first().nextUntil('#b').length",
    0],
  ["$('li').map(function(i, e) { return i }).get()", [0, 1, 2]], ["$('li').toArray().length", 3],
    ["$('li').is('#b')", true],
  ["$('li').eq(0).end().length", 3], ["$('#list').contents().length", 3], ["$('li').add('body').length", 4],
], "$('<ul id=list><li>A</li><li id=b>B</li><li>C</li></ul>').appendTo('body')");

table("changing the tree", [
  ["$('#x').append(' and ', $('<i>more</i>')).text()", "text and more"], ["$('#x').html()", "text and <i>more</i>"],
  ["$('#x').prepend('<b>0</b>').children().length", 2], ["$('#x').clone().attr('id')", "x"],
    ["$('#x').wrap('<section>').parent().is('section')", true],
  ["$('#x').unwrap().parent().is('body')", true], ["$('i').replaceWith('<u>u</u>').length", 1], ["$('#x u').length", 1],
  ["$('#x').before('<hr>').prev().is('hr')", true], ["$('#x').empty().html()", ""], ["$('#x').remove().length", 1],
    ["$('#x').length", 0],
  ["$('<a>', {text: 'go', href: '#'}).attr('href')", "#"],
    ["$('3 < 5').length === undefined ? 1 : $('<p>3 < 5</p>').text()", "3 < 5"],
].slice(0, -1), "$('body').append('<div id=x>text</div>')");

table("attributes, styles, sizes, data", [
  ["$('#e').attr('title', 't').attr('title')", "t"], ["$('#e').removeAttr('title').attr('title') === undefined", true],
  ["$('#e').css('color', 'red').css('color')", "rgb(255, 0, 0)"],
    ["$('#e').css({width: 50, 'font-size': 20}).width()", 50],
  ["$('#e').css('width', '+=25').css('width')", "75px"], ["$('#e').css('background', 'blue').css('background-color')",
    "rgb(0, 0, 255)"],
  ["$('#e').addClass('p q').removeClass('p').toggleClass('r').attr('class')", "q r"], ["$('#e').hasClass('q')", true],
  ["$('#e').data('k', 5).data('k')", 5], ["$('#e').data('n')", 7], ["$('#i').val('text').val()", "text"],
    ["$('#i').prop('disabled', true).is(':disabled')", true],
  ["$('#e').text('a<b').html()", "a&lt;b"], ["$(window).width() > 0 && $(document).height() > 0", true],
    ["typeof $('#e').offset().left", "number"],
  ["$('#e').outerWidth() >= $('#e').width()", true], ["document.getElementById('e').style.width", "75px"],
    ["document.querySelector('#i').value", "text"],
  ["try { $('#e').css() } catch (e) { e instanceof TypeError }", true],
], "$('body').append('<div id=e data-n=7></div><input id=i>')");

table("events", [
  ["var n = 0; $('#b').click(function() { n += 1 }); $('#b').click(); n", 1], ["$('#b').trigger('click'); n", 2],
  ["$('#b').off('click').click(); n", 2],
    ["$('body').on('click', '#b', function(e) { n = this.id }); $('#b').click(); n", "b"],
  ["n = 0; $('#b').one('go', function(e, x) { n += x }); $('#b').trigger('go', [5]).trigger('go', [5]); n", 5],
  ["n = 0; document.getElementById('b').addEventListener('ping', function() { n = 1 }); document.getElementById('b').dispatchEvent(new Event('ping')); n", 1],
  ["n = ''; $(window).on('stop.a', function() { n += 'w' }); $('#b').on('stop', function() { n += 'b'; return false }); $('#b').trigger('stop'); n", "b"],
  ["$(window).trigger('stop'); n", "bw"], ["$(window).off('.a').trigger('stop'); n", "bw"],
  ["n = 0; keydown('a', function() { n += 1 }); $(window).trigger($.Event('keydown', {key: 'a'})).trigger($.Event('keydown', {key: 'b'})); n", 1],
  ["$('#b').triggerHandler('none') === undefined", true], ["pressed('a')", false], ["pressed()", []],
    ["typeof lastclick.pageX", "undefined"],
], "$('body').append('<button id=b>')");

test("effects take virtual time and keep their order", () => {
  const program = `var log = []; $('body').append('<p id=p>x</p>');
    $('#p').fadeOut(300, function() { log.push('out', performance.now()) }).delay(200).fadeIn(100, function() { log.push('in', performance.now()) });
    $('#p').animate({left: 10}, {duration: 50, complete: function() { log.push(this.id) }});
    $('#p').promise().done(function() { log.push('done') });`;
  const fresh = open(program);
  fresh.finish();
  const log = fresh.value("log");
  assert.deepEqual(log.filter((item) => typeof item === "string"), ["out", "in", "p", "done"]);
  assert.ok(log[1] >= 300 && log[1] < 310 && log[3] >= 600 && log[3] < 620, `${log}`);
  assert.equal(fresh.value("$('#p').css('left')"), "10px");
});

table("writing", [
  ["write('<b>hello</b> you').text()", "hello you"], ["write('a', 'b').text()", "a b"],
    ["write('<p class=q>').is('p.q')", true], ["write(5 < 6).text()", "true"],
  ["read('Name?').find('input').length", 1], ["button('GO').text()", "GO"],
    ["button(function() {}).text()", "button"], ["menu(['a', 'b']).find('label').length", 2],
  ["table(3, 4).find('td').length", 12], ["table([[1, 2], [3]]).cell(1, 0).text()", "3"],
    ["table(2, 2).cell(0).length", 2],
  ["img('tree').attr('src')", "/img/tree"], ["typeof type('x')", "undefined"], ["typeof append('x')", "undefined"],
    ["$('pre').text()", "x"],
  ["var clicked = 0; button('B', function() { clicked = 1 }).click(); clicked", 1], ["write(null).text()", ""],
], "speed(Infinity)");

test("what is written is in the drawing's texts; callbacks of input never come", () => {
  const result = open("speed(Infinity); write('seen'); type('typed'); read('x', function() { nope() }); button('b', function() { nope() })").finish();
  assert.deepEqual(result.errors, []);
  assert.deepEqual(result.drawing.texts.map(({ text }) => text).slice(0, 2), ["seen", "typed"]);
});

table("numbers and colours", [
  ["abs(-3)", 3], ["sin(PI / 2)", 1], ["sind(30)", 0.5], ["cosd(60)", 0.5], ["tand(45)", 1], ["asind(1)", 90],
    ["acosd(0.5)", 60], ["atand(1)", 45],
  ["pow(2, 10)", 1024], ["log10(1000)", 3], ["round(2.5)", 3], ["max(1, 5, 2)", 5],
    ["rgb(300, 0, 10.7)", "rgb(255,0,10)"], ["rgba(1, 2, 3, 0.5)", "rgba(1,2,3,0.5)"],
  ["hsl(120, 0.5, 0.25)", "hsl(120,50%,25%)"], ["random(5) < 5", true], ["random([7])", 7], ["random(3, 4)", 3],
    ["typeof random('position').pageX", "number"],
  ["/^hsl/.test(random('color'))", true], ["red + tomato", "redtomato"], ["typeof tan", "function"],
]);

test("the same seed gives the same random numbers", () => {
  const draw = (seed) => open("var r = [random(1000), random(1000), Math.random()]", { seed }).value("r");
  assert.deepEqual(draw(7), draw(7));
  assert.notDeepEqual(draw(7), draw(8));
});

table("underscore", [
  ["_.map([1, 2], function(x) { return x * 2 })", [2, 4]], ["_.filter([1, 2, 3], function(x) { return x > 1 })",
    [2, 3]], ["_.range(3)", [0, 1, 2]],
  ["_.uniq([1, 1, 2])", [1, 2]], ["_.pluck([{a: 1}], 'a')", [1]], ["_.max([3, 9, 2])", 9],
    ["_([3, 1]).sortBy()", [1, 3]], ["_.chain([1, 2]).map(function(x) { return x + 1 }).value()", [2, 3]],
  ["_.isEqual({a: [1]}, {a: [1]})", true], ["_.contains('abc', 'b')", true], ["_.zip([1], [2])", [[1, 2]]],
    ["_.shuffle([1, 2, 3]).length", 3],
]);

table("the window", [
  ["prompt('x')", null], ["confirm('x')", false], ["alert('x') === undefined", true], ["name = 5; name + 1", "51"],
    ["top = 5; top === window", true],
  ["history = []; typeof history.push", "undefined"], ["length = 7; length", 7],
    ["localStorage.setItem('k', 5); localStorage.getItem('k')", "5"], ["localStorage.gone === undefined", true],
  ["window.innerWidth > 0 && screen.width > 0", true], ["typeof location.href", "string"],
    ["atob(btoa('turtle'))", "turtle"], ["document.body.tagName", "BODY"],
  ["var el = document.createElement('div'); el.innerHTML = '<i>x</i>'; document.body.appendChild(el); el.firstChild.textContent", "x"],
  ["el instanceof HTMLElement", true], ["new Image() instanceof Element", true],
    ["getComputedStyle(el).display", "block"], ["typeof iced.Deferrals", "function"],
]);

// Wrong use: what the real runtime throws, and what it swallows.
const THROWING = ["save()", "recolor()", "play(5)", "$('body').css()", "pressed(5)", "nothing()", "turtle.nothing()",
  "turtle.hide().fd(1)", "new Document()"];
const SILENT = ["write()", "read()", "button()", "menu()", "table()", "img()", "type()", "see()", "log()", "say()",
  "play('ceg')", "tone(440)", "silence()", "typebox(red)",
  "keydown()", "click('x')", "random()", "rgb()", "hsl()", "send('a')", "recv('b')", "load('x')", "typeline()",
    "listen()", "help()", "io()", "loadscript('x')", "append()", "sizexy()",
  "$()", "$(5).text()", "$('p').fadeIn('x')", "$('p').animate()", "$(window).scrollTop(5)"];
test("wrong use throws where the real runtime throws", () => {
  for (const call of THROWING) assert.equal(errorsOf(call).length, 1, call);
});
test("wrong use is silent where the real runtime is silent", () => {
  for (const call of SILENT) assert.deepEqual(errorsOf(call), [], call);
});

test("messages are received once, later", () => {
  const fresh = open("var got = []; recv('go', function(x) { got.push(x) }); send('go', 1); send('go', 2); var before = got.length");
  fresh.finish();
  assert.deepEqual([fresh.value("before"), fresh.value("got")], [0, [1]]);
});

test("a song lasts as long as its notes", () => {
  const fresh = open("play('cdef'); plan(function() { window.first = performance.now() }); play({tempo: 60}, 'c2 [eg]/'); plan(function() { window.second = performance.now() })");
  fresh.finish();
  assert.ok(Math.abs(fresh.value("first") - 2000) < 20, `${fresh.value("first")}`);
  assert.ok(Math.abs(fresh.value("second") - 4500) < 20, `${fresh.value("second")}`);
});

test("a removed main turtle takes its functions along", () => {
  assert.deepEqual(errorsOf("turtle.remove(); fd(100)"), ["fd is not defined"]);
});

test("every name is there from the start", () => {
  const touches = ["typeof turtle.css", "typeof $.each", "typeof document.querySelector",
    "'innerHTML' in document.body", "typeof turtle.say", "typeof play",
    "document.body.innerHTML = '<i>x</i>'; document.body.firstChild.tagName", "turtle.width = 5; turtle.width",
      "typeof onclick", "typeof Image", "typeof _.map",
    "typeof iced.Deferrals", "for (var i of $('body')) i.tagName", "red", "typeof undefinedName",
      "lastclick.type === undefined", "typeof turtle.nothing"];
  const expected = ["function", "function", "function", true, "function", "function", "I", 5, "object", "function",
    "function", "function", "BODY", "red", "undefined", true, "undefined"];
  assert.deepEqual(touches.map((touch) => open().value(touch)), expected);
});

test("a program that replaces built-ins breaks nothing of the page", () => {
  const program = `Map = Set = JSON = Object = Array = String = Promise = null; Math = {};
    write('still'); var ok = $('div').length > 0; button('x'); $('body').append('<p>y</p>').find('p').fadeOut()`;
  assert.deepEqual(errorsOf(program), []);
  assert.deepEqual(errorsOf("Array.prototype.push = null; Object.defineProperty(Object.prototype, 'extra', { value: 1 }); write('x'); $('body').css({color: red}); table(2, 2)"), []);
});
