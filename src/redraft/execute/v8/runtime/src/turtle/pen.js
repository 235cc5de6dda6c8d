// The pen: styles as programs write them, lines as the turtle moves, paths that `fill` closes.
//
// In: colours, option texts ("red; lineWidth: 5"), objects. Out: items in the record of the drawing. What is no colour
// draws black, as on a browser's canvas.

import { current, newCorners, settle } from "./body.js";
import { now } from "../time/clock.js";
import { canvasColor, rgba } from "./colors.js";
import { pathOf, rounded } from "./drawing.js";
import { addOn } from "./surfaces.js";
import {
  abs, append, create, execPattern, floor, getPrototypeOf, hasOwn, isArray, keys, list, NativeNumber, NativeString,
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

// A canvas draws a turtle's line more than once: as it walks, as it arrives, as it goes on. It shows where a pen is faint.
const STROKES = 3;

function penColor(value) {
  const color = paint(value);
  const parts = rgba(color);
  if (parts[3] === 255 || parts[3] === 0) return color;
  const alpha = 1 - (1 - parts[3] / 255) ** STROKES;
  return `rgba(${parts[0]}, ${parts[1]}, ${parts[2]}, ${rounded(alpha)})`;
}

/** How a pen's lines end and bend, where not round. */
function addEnds(properties, style) {
  if (style.lineCap && style.lineCap !== "round") properties.cap = NativeString(style.lineCap);
  if (style.lineJoin && style.lineJoin !== "round") properties.join = NativeString(style.lineJoin);
  return properties;
}

/** Whether a way leads nowhere: a canvas draws nothing then, not even the ends of its line. */
function isPoint(points) {
  for (let i = 2; i < points.length; i += 1) if (points[i] !== points[i % 2]) return false;
  return true;
}

/** Record a line the turtle has walked. */
export function drawLine(turtle, t0, t1, points) {
  if (!traces(turtle)) return;
  const { style } = turtle;
  if (!("strokeStyle" in style)) return;
  const way = pathOf(points);
  if (isPoint(way)) return;
  const properties = { points: way, color: penColor(style.strokeStyle), width: widthOf(style, turtle) };
  if (style.eraseMode) {
    properties.erase = true;
    properties.color = "white";
  }
  addDrawn(turtle, "line", t0, t1, addEnds(properties, style));
}

/** Record what a turtle draws: on the field, or on the surface that it draws on. */
export function addDrawn(turtle, kind, t0, t1, properties) {
  // A turtle that is off the page draws no more.
  if (turtle.gone) return;
  properties.by = turtle.id;
  addOn(turtle.drawOn, kind, t0, t1, properties);
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
    const erase = style.eraseMode ? { erase: true } : {};
    if ("fillStyle" in style) addDrawn(turtle, "fill", now(), now(), { paths, color: paint(style.fillStyle), ...erase });
    if ("strokeStyle" in style) strokePath(turtle, style, paths, erase);
  }
  keepLastCorner(turtle);
}

/** Whether a path comes back to where it began. */
function isClosed(path) {
  const last = path.length - 2;
  const middle = 2 * floor(path.length / 4);
  const near = (at) => round(path[0] - path[at]) === 0 && round(path[1] - path[at + 1]) === 0;
  return path.length > 4 && near(last) && !near(middle);
}

function strokePath(turtle, style, paths, erase) {
  for (let i = 0; i < paths.length; i += 1) {
    const properties = { points: paths[i], color: paint(style.strokeStyle), width: widthOf(style, turtle), ...erase };
    if (isClosed(paths[i])) properties.closed = true;
    addDrawn(turtle, "line", now(), now(), addEnds(properties, style));
  }
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
