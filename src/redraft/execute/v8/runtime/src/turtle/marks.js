// Marks on the field: pen, fill, dots, boxes, arrows, labels, and what a turtle wears.
//
// In: a Query and a command's arguments in either order. Out: items in the record of the drawing, pens and shapes of
// turtles. Missing or odd arguments are silent, except where the real runtime fails: `fill()` without a pen, `dot
// "none"`.

import { current, invisible, isNumeric, isPage } from "./body.js";
import { insideTick, isInstant, moveMs, planEach, wrapCommand, wrapRaw } from "./command.js";
import { now } from "../time/clock.js";
import { pathOf, rounded } from "./drawing.js";
import { radians } from "./geometry.js";
import { addDrawn, fillPath, isPlainObject, nameOf, paint, parsePen, setDown, setStyle, widthOf } from "./pen.js";
import { animate, plan } from "../time/queue.js";
import { label } from "./labels.js";
import { lookFor, putOn } from "./shapes.js";
import { addPixelItem, surfaceOf } from "./surfaces.js";
import {
  abs, cos, execPattern, keys, max, NativeError, NativeNumber, NativeTypeError, setPrototypeOf, sin,
} from "../language/primordials.js";

const CAP = /^(?:butt|square|round)$/;
const JOIN = /^(?:bevel|round|miter)$/;
const WHOLE_FIELD = 4000;

function optionText(style) {
  let text = "";
  const names = keys(style);
  for (let i = 0; i < names.length; i += 1) text += `${names[i]}:${style[names[i]]};`;
  return text;
}

/** The arguments of `pen` in any order: a style, a width, a cap and a join. */
function penArguments(args) {
  const found = { style: undefined, width: undefined, cap: undefined, join: undefined, styled: false };
  for (let i = 0; i < args.length; i += 1) {
    const value = args[i];
    const text = typeof value === "string" ? value : "";
    if (found.width === undefined && isNumeric(value)) found.width = NativeNumber(value);
    else if (found.cap === undefined && execPattern(CAP, text) !== null) found.cap = text;
    else if (found.join === undefined && execPattern(JOIN, text) !== null) found.join = text;
    else if (!found.styled) {
      found.style = value;
      found.styled = true;
    }
  }
  return found;
}

function penStyle(given) {
  const style = nameOf(given.style);
  if (given.width === 0 || style === null) return "none";
  if (style === undefined) return "black";
  return isPlainObject(style) ? optionText(style) : style;
}

function pen(cc, query) {
  const given = penArguments(cc.args);
  const style = penStyle(given);
  const inTick = insideTick();
  const mode = style === true || style === "down" ? true : style === false || style === "up" ? false : null;
  planEach(query, (element) => {
    const animated = !invisible(element) && !isInstant(element);
    if (mode !== null) {
      setDown(element, mode);
    } else {
      let text = `${style}`;
      if (given.width) text += `;lineWidth:${given.width}`;
      if (given.cap) text += `;lineCap:${given.cap}`;
      if (given.join) text += `;lineJoin:${given.join}`;
      setStyle(element, parsePen(text, "strokeStyle"));
      setDown(element, style !== "none");
    }
    if (animated) animate(element, moveMs(element, inTick));
    plan(element, cc.resolve);
  });
}

function fill(cc, query, given) {
  const style = given ? parsePen(isPlainObject(given) ? optionText(given) : given, "fillStyle") : null;
  planEach(query, (element) => {
    fillPath(element, style);
    cc.resolve();
  });
}

/** Dots, boxes and arrows: `draw(turtle, size, style, item)` adds the item. */
function stamping(draw) {
  return (cc, query, first, second) => {
    const swapped = isNumeric(first);
    const given = swapped ? second : first;
    const size = (swapped ? first : second) ?? 8.8;
    const inTick = insideTick();
    planEach(query, (element) => {
      const turtle = current(element);
      const own = turtle.style;
      const style = parsePen(given || (own && (own.fillStyle || own.strokeStyle)) || "black", "fillStyle");
      if (style === null) throw new NativeTypeError("Cannot read properties of null (reading 'eraseMode')");
      if (style.lineWidth === undefined && own && own.lineWidth) style.lineWidth = own.lineWidth;
      const diameter = NativeNumber(size) * turtle.unit + (style.eraseMode ? 2 : 0);
      const { id, x, y, heading, unit, drawOn } = turtle;
      const at = { id, x, y, heading, unit, drawOn, gone: false };
      const t0 = now();
      const stamp = () => {
        at.gone = turtle.gone;
        draw(at, diameter, style, t0);
        cc.resolve();
      };
      if (isInstant(element)) stamp();
      else animate(element, moveMs(element, inTick), null, stamp);
    });
  };
}

function stamped(kind, at, style, t0, geometry) {
  const properties = { ...geometry, color: paint(style.fillStyle), width: widthOf(style, at) };
  if (style.strokeStyle) properties.stroke = paint(style.strokeStyle);
  if (style.eraseMode) properties.erase = true;
  addDrawn(at, kind, t0, now(), properties);
}

function drawDot(at, diameter, style, t0) {
  if (diameter < 0 && diameter !== -Infinity) {
    const radius = `The radius provided (${diameter / 2}) is negative.`;
    throw new NativeError(`Failed to execute 'arc' on 'CanvasRenderingContext2D': ${radius}`);
  }
  if (diameter === Infinity) drawBox(at, diameter, style, t0);
  else if (diameter === diameter && diameter >= 0) {
    stamped("dot", at, style, t0, { x: rounded(at.x), y: rounded(at.y), diameter: rounded(diameter) });
  }
}

function drawBox(at, size, style, t0) {
  const whole = size === Infinity;
  if (!whole && size !== size) return;
  if (whole && at.drawOn !== null) {
    fillCanvas(surfaceOf(at.drawOn), style);
    return;
  }
  stamped("box", at, style, t0, {
    x: whole ? 0 : rounded(at.x), y: whole ? 0 : rounded(at.y),
    size: whole ? WHOLE_FIELD : rounded(abs(size)), direction: whole ? 0 : rounded(at.heading),
  });
}

/** All of a canvas in one colour. */
function fillCanvas(surface, style) {
  const { width, height } = surface;
  const path = setPrototypeOf([0, 0, width, 0, width, height, 0, height], null);
  const properties = { paths: setPrototypeOf([path], null), color: paint(style.fillStyle) };
  if (style.eraseMode) properties.erase = true;
  addPixelItem(surface, "fill", now(), properties);
}

function drawArrow(at, length, style, t0) {
  if (!(length < Infinity)) return;
  const width = widthOf(style, at);
  const half = max(width * 1.25, width + 2);
  const ahead = { x: sin(radians(at.heading)), y: cos(radians(at.heading)) };
  const point = (along, aside) => [at.x + along * ahead.x + aside * ahead.y, at.y + along * ahead.y - aside * ahead.x];
  const tip = point(length, 0);
  const left = point(length - 2 * half, -half);
  const right = point(length - 2 * half, half);
  const neck = point(length - 1.5 * half, 0);
  const color = paint(style.strokeStyle || style.fillStyle);
  if (length > 1.5 * half) {
    addDrawn(at, "line", t0, now(), { points: pathOf([at.x, at.y, neck[0], neck[1]]), color, width });
  }
  const head = pathOf([tip[0], tip[1], right[0], right[1], neck[0], neck[1], left[0], left[1]]);
  addDrawn(at, "fill", now(), now(), { paths: setPrototypeOf([head], null), color });
}

// The time a browser needs to find out that it can't load an image.
const LOAD_MS = 20;

function wear(cc, query, first, second) {
  const swapped = (typeof first === "object" || typeof first === "number") && typeof second === "string";
  const name = swapped ? second : first;
  const css = swapped ? first : second;
  const look = lookFor(name, "turtle");
  if (look === null) return;
  const inTick = insideTick();
  planEach(query, (element) => {
    putOn(element, look, typeof css === "number" ? { height: css } : css);
    if (!isInstant(element)) animate(element, moveMs(element, inTick));
    if (look.url !== null) animate(element, LOAD_MS);
    plan(element, cc.resolve);
  });
}

function showing(display) {
  return (cc, query) => {
    planEach(query, (element) => {
      if (!isPage(element)) element.style.display = display;
      cc.resolve();
    });
  };
}

function reload(cc, query) {
  planEach(query, cc.resolve);
}

const lastFunction = (args) => {
  const last = args[args.length - 1];
  return typeof last === "function" && !last.helpname ? last : undefined;
};
const shorthand = (name, style) => wrapRaw(name, function short(...args) {
  return this.pen(style, lastFunction(args));
});

/** The methods of this file. */
export const marks = {
  pen: wrapCommand("pen", 1, pen),
  pu: shorthand("pu", false),
  pd: shorthand("pd", true),
  pe: shorthand("pe", "erase"),
  pf: shorthand("pf", "path"),
  fill: wrapCommand("fill", 0, fill),
  dot: wrapCommand("dot", 0, stamping(drawDot)),
  box: wrapCommand("box", 0, stamping(drawBox)),
  arrow: wrapCommand("arrow", 0, stamping(drawArrow)),
  label: wrapCommand("label", 1, label),
  wear: wrapCommand("wear", 1, wear),
  st: wrapCommand("st", 0, showing("")),
  ht: wrapCommand("ht", 0, showing("none")),
  reload: wrapCommand("reload", 0, reload),
};
