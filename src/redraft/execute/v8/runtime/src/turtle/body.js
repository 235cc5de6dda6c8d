// A turtle's body: where an element is, how it is turned, what space it takes.
//
// In: elements of the page. Out: `turtleOf(element)`, the state every motion works on, kept in `element.state.turtle`;
// positions and boxes in turtle coordinates (origin at the page's centre, y up, headings clockwise from north) and in
// page coordinates. While an element moves, reading it gives the place it has at that moment.
// Not guaranteed: elements nested in a turned or scaled element; they are placed as if they lay in the field.

import { now } from "../time/clock.js";
import { document, Element, hooks, isVisible, origin, page } from "../page/elements.js";
import { bounds, isTiny, radians, six } from "./geometry.js";
import {
  append, cos, floor, isArray, isFinite, list, NativeNumber, NativeTypeError, PI, record, safeText, setPrototypeOf,
  sin,
} from "../language/primordials.js";
import { one, Query, query } from "../jquery/query.js";

export const CENTER_X = page.width / 2;
export const CENTER_Y = page.height / 2;

/** jQuery's idea of a number: finite, or a text that is one. */
export function isNumeric(value) {
  if (typeof value === "number") return isFinite(value);
  return typeof value === "string" && value - parseFloat(value) + 1 >= 0;
}
const parseFloat = globalThis.parseFloat;

/** A mouse event, or anything else with a place on the page. */
export function isPagePlace(value) {
  return !!value && isNumeric(value.pageX) && isNumeric(value.pageY);
}

export const isWindow = (value) => value === globalThis;
export const isDocument = (value) => value === document;
/** Whether motions leave this alone: the window and the document don't turn. */
export const isPage = (value) => isWindow(value) || isDocument(value);

function initialPlace(element) {
  const { left, top, width, height } = hooks.box(element);
  return { x: left + width / 2 - CENTER_X, y: CENTER_Y - (top + height / 2), width, height };
}

/** The turtle state of an element; made where the element stands, on first use. */
export function turtleOf(element) {
  if (!(element instanceof Element)) {
    throw new NativeTypeError("Cannot read properties of undefined (reading 'transform')");
  }
  return element.state.turtle ?? placeTurtle(element, initialPlace(element));
}

/** The speed an element has until it is given one: the origin moves at once, whatever turtles do. */
export const usualSpeed = (element) => (element === origin ? Infinity : "turtle");

/** Make the turtle state of an element that stands at a place {x, y, width, height}. */
export function placeTurtle(element, at) {
  const turtle = record({
    id: made, x: at.x, y: at.y, pageX: at.x, pageY: at.y, homeX: at.x, homeY: at.y,
    heading: 0, scaleX: 1, scaleY: 1, twist: 0, unit: 1,
    width: at.width, height: at.height, originX: at.width / 2, originY: at.height / 2, hull: null,
    shape: "element", color: null, url: null,
    gone: false, style: null, down: false, radius: 0, corners: newCorners(), speed: usualSpeed(element), drawOn: null,
    waitsFor: null, motion: null,
  });
  made += 1;
  element.state.turtle = turtle;
  return turtle;
}

// Turtles are numbered as they come, so that the record can say which of them drew a line.
let made = 0;

/** Put a turtle at a place: it is kept with six digits. While a turtle draws, its place on the page is kept exactly. */
export function place(turtle, x, y) {
  if (turtle === origin.state.turtle) carryField(x - turtle.x, y - turtle.y);
  const home = isTiny(x, y);
  turtle.pageX += x - turtle.x;
  turtle.pageY += y - turtle.y;
  turtle.x = home ? 0 : six(x);
  turtle.y = home ? 0 : six(y);
  if (turtle.style === null || !turtle.down) settle(turtle);
}

/** Where turtles' own coordinates begin, from the page's centre: `origin` can be moved, and what is in it moves along. */
export const originPlace = (element) => (element === origin ? AT_CENTRE : origin.state.turtle ?? AT_CENTRE);
const AT_CENTRE = { __proto__: null, x: 0, y: 0 };

function carryField(byX, byY) {
  const { nodes } = origin.parent;
  for (let i = 0; i < nodes.length; i += 1) {
    const turtle = nodes[i] === origin ? undefined : nodes[i].state?.turtle;
    if (turtle !== undefined) carry(turtle, byX, byY);
  }
}

function carry(turtle, byX, byY) {
  turtle.x += byX;
  turtle.y += byY;
  turtle.pageX += byX;
  turtle.pageY += byY;
  const { motion } = turtle;
  if (motion === null || motion.fromX === undefined) return;
  motion.fromX += byX;
  motion.fromY += byY;
  if (motion.toX === undefined) return;
  motion.toX += byX;
  motion.toY += byY;
}

/** From here on the place on the page is what is kept. */
export function settle(turtle) {
  turtle.pageX = turtle.x;
  turtle.pageY = turtle.y;
}

/** Turn a turtle to a heading: it is kept with six digits. */
export function face(turtle, heading) {
  turtle.heading = isTiny(heading, turtle.twist) ? 0 : six(heading);
}

/** An empty path to fill: segments of points, the newest first. */
export function newCorners() {
  return setPrototypeOf([list()], null);
}

/** The turtle state as it is at this moment, in the middle of a move too. */
export function current(element) {
  const turtle = turtleOf(element);
  if (turtle.motion !== null) advance(turtle);
  return turtle;
}

function advance(turtle) {
  const { motion } = turtle;
  const share = motion.t1 > motion.t0 ? (now() - motion.t0) / (motion.t1 - motion.t0) : 1;
  // The easing of the real runtime's animations: slow at both ends.
  motion.at(share >= 1 ? 1 : 0.5 - cos(share * PI) / 2);
}

/** Whether an element takes no space on the page: hidden, removed, or without size. */
export function invisible(element) {
  if (isPage(element)) return false;
  if (!isVisible(element)) return true;
  const turtle = element.state.turtle;
  if (turtle === undefined) {
    const box = hooks.box(element);
    return box.width <= 0 && box.height <= 0;
  }
  return turtle.width <= 0 && turtle.height <= 0;
}

/** Where an element is on the page. */
export function pageOf(element) {
  if (isPage(element) || element === document.body) return { pageX: floor(CENTER_X), pageY: floor(CENTER_Y) };
  const turtle = current(element);
  return { pageX: CENTER_X + turtle.pageX, pageY: CENTER_Y - turtle.pageY };
}

/** Where something is that a program named: an element, a Query, a selector; undefined if there is no such thing. */
export function pageOfAnything(target) {
  const found = target instanceof Query ? target : query(target);
  return found.length > 0 ? pageOf(found[0]) : undefined;
}

/** Page coordinates from turtle coordinates. */
export function toPage(x, y) {
  const from = originPlace();
  return { pageX: CENTER_X + from.x + NativeNumber(x), pageY: CENTER_Y - from.y - NativeNumber(y) };
}

/** The corners of an element as a convex polygon in turtle coordinates. */
export function cornersOf(element) {
  if (isPagePlace(element)) return pointAt(element);
  if (isPage(element)) return rectangle(-CENTER_X, CENTER_Y, page.width, page.height);
  const turtle = current(element);
  const { originX, originY, width, height } = turtle;
  const outline = turtle.hull ?? rectangle(-originX, originY, width, height);
  const sine = sin(radians(turtle.heading));
  const cosine = cos(radians(turtle.heading));
  const twistSine = sin(radians(turtle.twist));
  const twistCosine = cos(radians(turtle.twist));
  const points = list();
  for (let i = 0; i < outline.length; i += 2) {
    // First the twist, then the scale, then the heading, as the real runtime composes its transform.
    const x = (outline[i] * twistCosine + outline[i + 1] * twistSine) * turtle.scaleX;
    const y = (outline[i + 1] * twistCosine - outline[i] * twistSine) * turtle.scaleY;
    append(points, turtle.x + x * cosine + y * sine);
    append(points, turtle.y + y * cosine - x * sine);
  }
  return points;
}

function pointAt(place) {
  const point = list();
  append(point, NativeNumber(place.pageX) - CENTER_X);
  append(point, CENTER_Y - NativeNumber(place.pageY));
  return point;
}

/** A rectangle as a polygon, from its top left corner. */
export function rectangle(left, top, width, height) {
  return setPrototypeOf([left, top, left, top - height, left + width, top - height, left + width, top], null);
}

/** The bounding box of an element in turtle coordinates: without the hull, as the browser sees it. */
export function boxOf(element) {
  if (isPagePlace(element) || isPage(element)) return bounds(cornersOf(element));
  if (typeof element !== "object" && typeof element !== "function") {
    throw new NativeTypeError(`Cannot use 'in' operator to search for 'getBoundingClientRect' in ${safeText(element)}`);
  }
  if (!(element instanceof Element)) return { left: -CENTER_X, bottom: CENTER_Y, right: -CENTER_X, top: CENTER_Y };
  const turtle = current(element);
  const { hull } = turtle;
  turtle.hull = null;
  const box = bounds(cornersOf(element));
  turtle.hull = hull;
  return box;
}

/** The bounding box in page coordinates, for the layout; null for what was never a turtle. */
export function pageBox(element) {
  if (element.state.turtle === undefined) return null;
  const box = boxOf(element);
  const { left, top, right, bottom } = box;
  return { left: CENTER_X + left, top: CENTER_Y - top, width: right - left, height: top - bottom };
}

/** Coordinates out of what a program gave as a pair: `[x, y]`, or two arguments. */
export function pairOf(x, y) {
  if (isNumeric(x) && isNumeric(y)) return [x, y];
  return isArray(x) ? x : null;
}

export { one, query };
