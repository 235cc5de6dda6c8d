// Labels: HTML beside a turtle.
//
// In: a Query, what to write, where and how. Out: elements of the field, placed as turtles are, and texts in the record.

import { current, isNumeric, one, placeTurtle } from "./body.js";
import { insideTick, isInstant, moveMs, planEach } from "./command.js";
import { now } from "../time/clock.js";
import { createElement, field, hooks, isVisible } from "../page/elements.js";
import { Object } from "../language/lists.js";
import { addItem, rounded } from "./drawing.js";
import { isPlainObject } from "./pen.js";
import { animate, plan } from "../time/queue.js";
import {
  append, execPattern, indexOfString, keys, list, NativeString, NativeTypeError, record, safeText,
} from "../language/primordials.js";
import { query as find, Query } from "../jquery/query.js";
import { linesOf, lookOf } from "../page/writing.js";

const HTML = /^\s*<[\s\S]*>\s*$/;
const OF_THE_TURTLE = /^(?:width|height|opacity|background-?image|background-?size)$|transform/i;

/** What the language says of `"id" in "text"`. */
function cantSearch(name, value) {
  throw new NativeTypeError(`Cannot use 'in' operator to search for '${name}' in ${safeText(value)}`);
}

/** What a label shows, as an element of the page. */
function labelElement(html) {
  if (html instanceof Query && html.length > 0) return html[0];
  const text = html === undefined || html === null ? "" : `${html}`;
  if (execPattern(HTML, text) !== null) {
    const made = find(text);
    if (made.length === 1) return made[0];
  }
  const element = createElement("label");
  element.innerHTML = text;
  return element;
}

/** The side of its turtle that a label stands on; without one it's turned and grown with the turtle. */
function sideOf(where, styles) {
  if (where !== undefined && where !== null) return NativeString(where);
  if (isPlainObject(styles)) {
    if ("labelSide" in styles) return `${styles.labelSide}`;
    if ("label-side" in styles) return `${styles["label-side"]}`;
  }
  return "rotated scaled";
}

/** The styles that a program gave its turtle are its label's, too, but for those that make it look like a turtle. */
function inherit(out, element) {
  const names = keys(element.style);
  const own = {};
  for (let i = 0; i < names.length; i += 1) {
    if (execPattern(OF_THE_TURTLE, names[i]) === null && names[i] !== "zIndex") own[names[i]] = element.style[names[i]];
  }
  one(out).css(own);
}

const has = (side, word) => indexOfString(` ${side} `, ` ${word} `) >= 0;

/** Put a label where its turtle is: its middle there, or the middle of one of its edges. */
function place(out, turtle, side) {
  const { width, height } = hooks.box(out);
  const across = (has(side, "right") ? 1 : 0) - (has(side, "left") ? 1 : 0);
  const up = (has(side, "top") ? 1 : 0) - (has(side, "bottom") ? 1 : 0);
  const state = placeTurtle(out, {
    x: turtle.pageX + (across * width) / 2, y: turtle.pageY + (up * height) / 2, width, height,
  });
  if (has(side, "rotated")) state.heading = turtle.heading;
  if (has(side, "scaled")) {
    state.scaleX = turtle.scaleX;
    state.scaleY = turtle.scaleY;
  }
  return state;
}

// The labels that are in the record and weren't cleared since.
let shown = list();

/** The field was cleared: the labels so far are in the record as they were. */
export function forgetLabels() {
  shown = list();
}

/** Bring the record's labels up to date: a program may have changed, moved, hidden or removed them since. */
export function refreshLabels() {
  for (let i = 0; i < shown.length; i += 1) {
    const { item, out, x, y, heading } = shown[i];
    if (!isVisible(out)) {
      item.text = "";
      continue;
    }
    const state = current(out);
    item.text = linesOf(out);
    item.x = rounded(item.x + state.x - x);
    item.y = rounded(item.y + state.y - y);
    item.direction = rounded(item.direction + state.heading - heading);
    Object.assign(item, lookOf(out));
  }
  forgetLabels();
}

export function label(cc, query, html, second, third) {
  const swap = (!third || typeof third === "string") && (isNumeric(second) || isPlainObject(second));
  let styles = swap ? second : third;
  const where = swap ? third : second;
  if (isNumeric(styles)) styles = { fontSize: styles };
  const side = sideOf(where, styles);
  const misused = styles && typeof styles !== "object" && typeof styles !== "function";
  if (misused && (where === undefined || where === null)) cantSearch("labelSide", styles);
  const inTick = insideTick();
  planEach(query, (element) => {
    const turtle = current(element);
    const out = labelElement(html);
    inherit(out, element);
    one(out).css({ position: "absolute", display: "table", top: 0, left: 0 }).addClass("turtlelabel");
    if (isPlainObject(styles)) one(out).css(styles);
    field.appendChild(out);
    if (misused) cantSearch("id", styles);
    if (styles && "id" in styles) out.setAttribute("id", `${styles.id}`);
    if (styles && "class" in styles) one(out).addClass(`${styles.class}`);
    const state = place(out, turtle, side);
    const scale = has(side, "scaled") ? { scale: rounded(turtle.scaleX), scaleY: rounded(turtle.scaleY) } : {};
    const item = addItem("text", now(), now(), {
      x: rounded(turtle.x), y: rounded(turtle.y), text: linesOf(out), direction: rounded(state.heading), side, ...scale,
      ...lookOf(out), by: turtle.id,
    });
    if (item !== null) append(shown, record({ item, out, x: state.x, y: state.y, heading: state.heading }));
    if (!isInstant(element)) animate(element, moveMs(element, inTick));
    plan(element, cc.resolve);
  });
}
