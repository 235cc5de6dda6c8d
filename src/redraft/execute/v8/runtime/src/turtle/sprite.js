// Turtles and sprites: making them, their classes, the main turtle.
//
// In: what `hatch`, `new Turtle` and `new Sprite` take. Out: elements in the field with class "turtle", and the
// constructors: functions, not classes, because CoffeeScript's `class X extends Turtle` calls them on its own object.

import { current, isNumeric, originPlace, place, placeTurtle, turtleOf } from "./body.js";
import { setMainElement, wrapRaw } from "./command.js";
import { createElement, document, Element, field, hooks } from "../page/elements.js";
import { isPlainObject, nameOf } from "./pen.js";
import { drawKey, drawKeys, pianoOf } from "./piano.js";
import { lookFor, putOn } from "./shapes.js";
import { hide } from "../language/lists.js";
import { checkStyles } from "../language/pollution.js";
import {
  append, create, defineProperty, execPattern, list, max, NativeNumber, NativeString, NativeTypeError, uncurry,
} from "../language/primordials.js";
import { $, Query, query as find, toQuery } from "../jquery/query.js";

const MAX_HATCHED = 1000;
const MAX_KEPT = 500;
// The turtles so far, for the drawing's record: no look-up of the page's that a program could have broken.
const made = list();

function isTurtle(node) {
  for (let i = 0; i < made.length; i += 1) if (made[i] === node) return true;
  // A copy of one.
  const turtle = node.state?.turtle;
  return turtle !== undefined && turtle.shape !== "element";
}

/** The turtles that are in the page, the first few hundred. */
export function turtlesInPage() {
  const there = list();
  const { nodes } = field;
  // In the order of the page, in which they lie over each other; those inside other elements last.
  for (let i = 0; i < nodes.length && there.length < MAX_KEPT; i += 1) if (isTurtle(nodes[i])) append(there, nodes[i]);
  for (let i = 0; i < made.length; i += 1) {
    if (made[i].parent !== field && document.contains(made[i])) append(there, made[i]);
  }
  return there;
}

const AT_HOME = { x: 0, y: 0, width: 0, height: 0 };
const IDENTIFIER = /^[a-zA-Z]\w*$/;
const TAG = /^<[\s\S]*>$/;

function elementFor(name, look) {
  if (look !== null) return createElement("canvas");
  if (typeof name === "string" && execPattern(TAG, name) !== null) {
    const found = find(name);
    if (found.length > 0) return found[0];
  }
  const element = createElement("div");
  element.textContent = name === undefined || name === null ? "" : NativeString(name);
  return element;
}

function nameElement(element, name) {
  if (isPlainObject(name)) {
    if ("id" in name) element.setAttribute("id", `${name.id}`);
    if ("class" in name) element.classList.add(`${name.class}`);
  }
  if (typeof name !== "string" || execPattern(IDENTIFIER, name) === null || document.getElementById(name)) return;
  // As the real runtime does: an id becomes a global, unless there is one of that name.
  const taken = name in globalThis;
  element.setAttribute("id", name);
  if (!taken) globalThis[name] = toQuery([element]);
}

/** The element that a new turtle goes into, out of what a program gave; what can't hold anything fails as in a page. */
function holderOf(container) {
  if (!container || container === document || container === globalThis) return field;
  if (container instanceof Element) return container;
  const found = typeof container === "function" ? [container] : find(container);
  if (found.length === 0) throw new NativeTypeError("Cannot read properties of undefined (reading 'pageX')");
  if (found[0] === document || found[0] === globalThis || found[0] instanceof Element) return holderOf(found[0]);
  throw new NativeTypeError("Cannot read properties of undefined (reading 'createDocumentFragment')");
}

/** A new turtle at home: an element in the field (or another container) with class "turtle". */
export function createTurtle(name, container, standard = "turtle") {
  checkStyles();
  const isTag = typeof name === "string" && execPattern(TAG, name) !== null;
  const nameless = name === undefined || name === null;
  const look = isTag ? null : lookFor(nameless ? standard : name, standard);
  const element = elementFor(name, look);
  const holder = holderOf(container);
  const parent = holder.tag !== "canvas" && holder.tag !== "img" ? holder : field;
  element.style.position = "absolute";
  parent.appendChild(element);
  // What has no look of its own, a tag or a text, is as large as the page makes it.
  const turtle = look === null ? turtleOf(element) : placeTurtle(element, AT_HOME);
  if (look !== null) putOn(element, look, null);
  const from = originPlace(element);
  place(turtle, from.x, from.y);
  if (parent !== field && parent.state.turtle !== undefined) {
    const at = current(parent);
    place(turtle, at.x, at.y);
  }
  element.classList.add("turtle");
  if (made.length < MAX_KEPT) append(made, element);
  nameElement(element, name);
  return element;
}

/** `hatch`: one turtle, or several. */
export function hatch(count, spec) {
  if (this instanceof Query && this.length === 0) return undefined;
  const mere = spec === undefined && !isNumeric(count);
  const looks = mere ? count : spec;
  const number = mere ? 1 : NativeNumber(count);
  const hatched = [];
  for (let k = 0; k < number && k < MAX_HATCHED; k += 1) {
    append(hatched, createTurtle(typeof looks === "function" ? looks(k) : looks));
  }
  return toQuery(hatched);
}

function fillWith(target, elements) {
  hide(target, "constructor", $);
  for (let i = 0; i < elements.length; i += 1) target[i] = elements[i];
  target.length = elements.length;
}

const isInstance = uncurry(Function.prototype[Symbol.hasInstance]);

/** A constructor whose instances are Queries of the element that `make` returns. Every Query counts as its instance. */
function constructorOf(name, parent, make) {
  const Made = function constructor(...args) {
    const elements = make(this, args);
    // Called without `new` in sloppy code, the real ones write on the window and give nothing.
    if (isInstance(Query, this)) fillWith(this, elements);
    return undefined;
  };
  defineProperty(Made, Symbol.hasInstance, {
    value(object) { return isInstance(this === Made ? Query : this, object); },
  });
  defineProperty(Made, "name", { value: name });
  Made.prototype = create(parent);
  defineProperty(Made.prototype, "constructor", { value: Made, writable: true, configurable: true });
  Made.__super__ = parent;
  return wrapRaw(name, Made);
}

function spriteElements(first, container, standard) {
  if (first instanceof Query) return first;
  if (!first || typeof first === "string" || typeof first === "number" || isPlainObject(first)) {
    return [createTurtle(first, container, standard)];
  }
  return find(first);
}

const containerOf = (container) => (container instanceof Query ? container[0] : container);

function makePiano(self, args) {
  if (!(self instanceof Query)) throw new NativeTypeError("this.on is not a function");
  const piano = pianoOf(args[0]);
  const element = createTurtle({ width: max(1, piano.width) || 1, height: max(1, piano.height) || 1 });
  element.state.piano = piano;
  drawKeys(element, piano);
  return [element];
}

/** A piano's own methods: draw a key, draw all of them. */
function pianoMethods() {
  const eachPiano = (query, fn) => {
    for (let i = 0; i < query.length; i += 1) if (query[i].state?.piano) fn(query[i], query[i].state.piano);
  };
  return {
    draw() { eachPiano(this, drawKeys); },
    drawkey(key, color) { eachPiano(this, (element, piano) => drawKey(element, piano, NativeNumber(key), nameOf(color))); },
  };
}

function makePencil(self, args) {
  if (!(self instanceof Query)) throw new NativeTypeError("this.each is not a function");
  const given = args[0] instanceof Query ? args[0].canvas() : args[0];
  const canvas = given instanceof Element ? given : typeof given === "string" ? find(given).filter("canvas")[0] : null;
  const element = createTurtle({ width: 0, height: 0, color: "transparent" });
  const turtle = turtleOf(element);
  turtle.speed = Infinity;
  if (canvas && canvas.tag === "canvas") {
    turtle.drawOn = canvas;
    const pose = current(canvas);
    place(turtle, pose.x, pose.y);
    turtle.heading = pose.heading;
    turtle.twist = pose.twist;
    turtle.scaleX = pose.scaleX;
    turtle.scaleY = pose.scaleY;
  }
  element.style.display = "none";
  return [element];
}

function makeWebcam(self) {
  if (!(self instanceof Query)) throw new NativeTypeError("this.capture is not a function");
  const element = createTurtle("<video>");
  const turtle = turtleOf(element);
  turtle.width = 320;
  turtle.height = 240;
  turtle.originX = 160;
  turtle.originY = 120;
  return [element];
}

/** Sprite and its children, as programs call them. */
export function makeClasses() {
  const Sprite = constructorOf("Sprite", Query.prototype, (self, args) => spriteElements(args[0], args[1], "256x256"));
  const child = (name, make) => constructorOf(name, Sprite.prototype, make);
  const Turtle = child("Turtle", (self, args) => [createTurtle(containerOf(args[0]), args[1])]);
  const Piano = child("Piano", makePiano);
  const Pencil = child("Pencil", makePencil);
  const Webcam = child("Webcam", makeWebcam);
  const nothing = function nothing() { return this; };
  const { draw, drawkey } = pianoMethods();
  Piano.prototype.draw = draw;
  Piano.prototype.drawkey = drawkey;
  Webcam.prototype.capture = nothing;
  Webcam.prototype.cut = nothing;
  return { Sprite, Turtle, Piano, Pencil, Webcam };
}

/** The main turtle, made once: #turtle, whose methods are the global commands; an instance of `Turtle`. */
export function mainTurtle(Turtle) {
  const element = createTurtle(null);
  element.setAttribute("id", "turtle");
  setMainElement(element);
  hooks.mainTurtle = element;
  const main = create(Turtle.prototype);
  fillWith(main, [element]);
  return main;
}
