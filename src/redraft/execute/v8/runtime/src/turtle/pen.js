// The pen: styles as programs write them, lines as the turtle moves, paths that `fill` closes.
//
// In: colours, option texts ("red; lineWidth: 5"), objects. Out: items in the record of the drawing. What is no colour
// draws black, as on a browser's canvas.

import { current, newCorners, settle } from "./body.js";
import { now } from "../time/clock.js";
import { canvasColor } from "./colors.js";
import { addItem, pathOf, rounded } from "./drawing.js";
import { keepOn } from "./surfaces.js";
import {
  abs, append, create, execPattern, getPrototypeOf, hasOwn, isArray, keys, list, NativeNumber, NativeString,
  NativeTypeError, record, round, sliceString, trim,
} from "../language/primordials.js";

const LINE_WIDTH = 1.62;
const KEY = /^\s*([a-zA-Z_-][-\w]*)\s*:([\s\S]*)$/;
const QUOTED = /^(?:"([^"]*)"|'([^']*)')$/;
const ERASE = /^erase(?!\w)/;
const MAX_STYLE = 2000;

/** Plain objects: what `{}` makes. */
export function isPlainObject(value) {
  if (typeof value !== "object" || value === null || isArray(value)) return false;
  const prototype = getPrototypeOf(value);
  return prototype === null || hasOwn(prototype, "isPrototypeOf");
}

/** A function of the API named like a colour or a pen mode (`tan`, `fill`) stands for that name. */
export function nameOf(value) {
  return typeof value === "function" ? value.helpname || value.name || value : value;
}

function splitOptions(text) {
  const parts = list();
  let start = 0;
  let quote = "";
  let depth = 0;
  for (let i = 0; i <= text.length; i += 1) {
    const char = text[i];
    if (quote !== "" && char === quote) quote = "";
    else if (quote === "" && (char === '"' || char === "'")) quote = char;
    else if (char === "(") depth += 1;
    else if (char === ")" && depth > 0) depth -= 1;
    if (i === text.length || (char === ";" && quote === "" && depth === 0)) {
      append(parts, sliceString(text, start, i));
      start = i + 1;
    }
  }
  return parts;
}

function optionValue(text) {
  const value = trim(text);
  const quoted = execPattern(QUOTED, value);
  if (quoted !== null) return quoted[1] ?? quoted[2];
  return value !== "" && NativeNumber(value) === NativeNumber(value) ? NativeNumber(value) : value;
}

/** Options out of "value; key: value; ..."; the first value without a key belongs to `first`. Objects are copied. */
export function parseOptions(input, first) {
  if (input === undefined || input === null) return create(null);
  const result = create(null);
  if (isPlainObject(input)) {
    const names = keys(input);
    for (let i = 0; i < names.length; i += 1) result[names[i]] = input[names[i]];
    return result;
  }
  const parts = splitOptions(sliceString(NativeString(input), 0, MAX_STYLE));
  for (let i = 0; i < parts.length; i += 1) {
    const pair = execPattern(KEY, parts[i]);
    if (pair !== null) result[pair[1]] = optionValue(pair[2]);
    else if (i === 0 && first && trim(parts[i]) !== "") result[first] = optionValue(parts[i]);
  }
  return result;
}

/** A pen style, or null for none. */
export function parsePen(input, first) {
  if (!input) return null;
  if (isPlainObject(input)) return parseOptions(input, first);
  const text = trim(NativeString(nameOf(input)));
  if (text === "" || text === "none") return null;
  if (text === "path" || text === "fill") return record({ savePath: true });
  if (execPattern(ERASE, text) !== null) {
    const style = parseOptions(`white${sliceString(text, 5)}`, first);
    style.eraseMode = true;
    return style;
  }
  return parseOptions(text, first);
}

export const paint = canvasColor;

export function widthOf(style, turtle) {
  const width = NativeNumber(style.lineWidth);
  const base = width > 0 ? width : LINE_WIDTH;
  return rounded(base * abs(turtle.unit) + (style.eraseMode ? 1 : 0));
}

/** Whether moving draws a line right now. */
export function traces(turtle) {
  return turtle.down && turtle.style !== null && !turtle.style.savePath;
}

/** Record a line the turtle has walked. */
export function drawLine(turtle, t0, t1, points) {
  if (!traces(turtle)) return;
  const { style } = turtle;
  if (!("strokeStyle" in style)) return;
  const properties = { points: pathOf(points), color: paint(style.strokeStyle), width: widthOf(style, turtle) };
  if (style.eraseMode) {
    properties.erase = true;
    properties.color = "white";
  }
  if (style.lineCap) properties.cap = NativeString(style.lineCap);
  addDrawn(turtle, "line", t0, t1, properties);
}

/** Record what a turtle draws: on the field, or on the surface that it draws on. */
export function addDrawn(turtle, kind, t0, t1, properties) {
  const item = addItem(kind, t0, t1, properties);
  if (item !== null && turtle.drawOn !== null) keepOn(turtle.drawOn, item);
}

/** Keep this corner for `fill`; without a pen forget the path, with the pen up start another piece. */
export function markCorner(element) {
  const turtle = current(element);
  const { corners } = turtle;
  if (turtle.style === null) {
    if (corners.length > 1 || corners[0].length > 0) turtle.corners = newCorners();
    return;
  }
  const newest = corners[corners.length - 1];
  if (!turtle.down) {
    if (newest.length === 2) newest.length = 0;
    else if (newest.length > 2) append(corners, list());
    return;
  }
  addCorner(newest, turtle.x, turtle.y);
}

function addCorner(points, x, y) {
  const size = points.length;
  if (size > 0 && round(1000 * (x - points[size - 2])) === 0 && round(1000 * (y - points[size - 1])) === 0) return;
  append(points, x);
  append(points, y);
}

/** Keep the points of an arc for `fill`. */
export function markArc(turtle, points) {
  if (turtle.style === null || !turtle.down) return;
  const newest = turtle.corners[turtle.corners.length - 1];
  for (let i = 0; i < points.length; i += 2) addCorner(newest, points[i], points[i + 1]);
}

/** Change the pen's style; the path to fill starts anew. */
export function setStyle(element, style) {
  const turtle = current(element);
  if (turtle.style !== null) {
    turtle.style = null;
    markCorner(element);
  }
  turtle.style = style;
  markCorner(element);
}

export function setDown(element, down) {
  const turtle = current(element);
  if (turtle.down === down) return;
  turtle.down = down;
  settle(turtle);
  markCorner(element);
}

/** Fill the path walked so far. Without a pen and a style this fails, as in the real runtime. */
export function fillPath(element, fill) {
  const turtle = current(element);
  const style = create(null);
  mix(style, turtle.style);
  mix(style, fill);
  if (turtle.style === null && fill === null) {
    throw new NativeTypeError("Cannot read properties of null (reading 'eraseMode')");
  }
  const paths = list();
  const { corners } = turtle;
  for (let i = 0; i < corners.length; i += 1) if (corners[i].length > 2) append(paths, pathOf(corners[i]));
  if (paths.length > 0) {
    const color = "fillStyle" in style ? paint(style.fillStyle) : "none";
    const properties = { paths, color, width: widthOf(style, turtle) };
    if ("strokeStyle" in style) properties.stroke = paint(style.strokeStyle);
    if (style.eraseMode) properties.erase = true;
    addDrawn(turtle, "fill", now(), now(), properties);
  }
  keepLastCorner(turtle);
}

function keepLastCorner(turtle) {
  const newest = turtle.corners[turtle.corners.length - 1];
  turtle.corners = newCorners();
  if (newest.length >= 2) {
    append(turtle.corners[0], newest[newest.length - 2]);
    append(turtle.corners[0], newest[newest.length - 1]);
  }
}

function mix(target, source) {
  if (source === null) return;
  const names = keys(source);
  for (let i = 0; i < names.length; i += 1) target[names[i]] = source[names[i]];
}
