// Shapes: what turtles and sprites look like, and the hull that decides what they touch.
//
// In: what `wear`, `new Turtle` and `new Sprite` take: colours, shape names, sizes ("256x256"), objects, images. Out: a
// look {shape, color, url, width, height, originX, originY, hull}. Images aren't loaded: like a missing one they have
// no size.

import { current } from "./body.js";
import { now } from "../time/clock.js";
import { isColor, rgba } from "./colors.js";
import { markAsset } from "./drawing.js";
import { isPlainObject, nameOf } from "./pen.js";
import {
  execPattern, hasOwn, NativeNumber, NativeString, record, round, setPrototypeOf, trim,
} from "../language/primordials.js";
import { Query } from "../jquery/query.js";
import { copyItems, emptySurface, isPainted, surfaceOf } from "./surfaces.js";

const points = (...numbers) => setPrototypeOf(numbers, null);

// Hulls with y up, relative to the origin: the place of the pen.
const SHAPES = record({
  turtle: {
    color: "mediumseagreen", width: 20, height: 24, originX: 10, originY: 13, opacity: 0.67, pixels: 2,
    hull: points(-8, -6, -8, 5, -2, 13, 2, 13, 8, 5, 8, -6, 0, -9),
  },
  pointer: {
    color: "gray", width: 20, height: 24, originX: 10, originY: 18, opacity: 0.67, pixels: 2,
    hull: points(-10, -6, 0, 18, 10, -6),
  },
  radius: { color: "gray", width: 20, height: 20, originX: 10, originY: 10, opacity: 1, pixels: 2, hull: octagon(10, 7) },
  dot: { color: "black", width: 12, height: 12, originX: 6, originY: 6, opacity: 1, pixels: 2, hull: octagon(6, 4) },
  point: {
    color: "black", width: 3, height: 3, originX: 1.5, originY: 1.5, opacity: 1, pixels: 2, hull: octagon(1.5, 1),
  },
  pencil: {
    color: "dodgerblue", width: 20, height: 24, originX: 10, originY: 24, opacity: 1, pixels: 2,
    hull: points(-3, 6, -3, 24, 3, 24, 3, 6, 0, 0),
  },
});

function octagon(far, near) {
  return points(-far, 0, -near, near, 0, far, near, near, far, 0, near, -near, 0, -far, -near, -near);
}

const SIZE = /^(\d+)x(\d+)(?:\/(\d+))?$/;
const LAST_WORD = /^([\s\S]*?)\s*(\S+)$/;

function look(shape, color, sizes) {
  return record({ shape, color, url: null, hull: null, opacity: 1, pixels: 1, ...sizes });
}

/** A rectangle of so many pixels, `pixels` of which are one of the page's. Where none has a colour, nothing touches it. */
function rectangleLook(width, height, color, pixels = 1) {
  const seen = rgba(color);
  return look("box", color, {
    width: width / pixels, height: height / pixels, originX: width / pixels / 2, originY: height / pixels / 2, pixels,
    hull: seen !== null && seen[3] === 0 ? points() : null,
  });
}

// What a sprite is without a colour of its own.
const PALE = "rgba(128, 128, 128, 0.125)";

function namedShape(name) {
  if (hasOwn(SHAPES, name)) {
    const known = SHAPES[name];
    return (color) => ({ ...known, shape: name, color: color || known.color, url: null });
  }
  const size = execPattern(SIZE, name);
  if (size === null) return null;
  const pixels = size[3] ? NativeNumber(size[3]) : 1;
  return (color) => rectangleLook(NativeNumber(size[1]), NativeNumber(size[2]), color || PALE, pixels);
}

function sizedLook(spec) {
  const width = NativeNumber(spec.width || spec.height || 256) || 0;
  const height = NativeNumber(spec.height || spec.width || 256) || 0;
  const pixels = NativeNumber(spec.subpixel || 1 / (spec.scale || 1)) || 1;
  return rectangleLook(width, height, isColor(nameOf(spec.color)) ? nameOf(spec.color) : "transparent", pixels);
}

/** The look of another element: an image, a canvas or a video. */
function copiedLook(element) {
  if (element.tag !== "canvas" && element.tag !== "img" && element.tag !== "video") return null;
  if (element.tag === "img" && element.state.turtle === undefined) return imageLook(`${element.src ?? ""}`);
  const turtle = current(element);
  return look(turtle.shape, turtle.color, {
    url: null, width: turtle.width, height: turtle.height, originX: turtle.width / 2, originY: turtle.height / 2,
    copied: element,
  });
}

function imageLook(url) {
  return look("image", null, { url, width: 0, height: 0, originX: 0, originY: 0 });
}

/** What to look like, or null if the name says nothing. `standard` is the shape of a mere colour. */
export function lookFor(given, standard) {
  if (!given) return null;
  if (isPlainObject(given)) return sizedLook(given);
  let name = nameOf(given);
  if (name instanceof Query) {
    if (name.length === 0) return null;
    name = name[0];
  }
  if (name.tagName) return copiedLook(name);
  const text = trim(NativeString(name));
  const words = execPattern(LAST_WORD, text);
  const shape = words === null ? null : namedShape(words[2]);
  const rest = shape === null ? text : words[1];
  if (isColor(rest)) return (shape ?? namedShape(standard))(rest);
  return shape === null ? imageLook(text) : shape(null);
}

/** Put a look on an element; its origin stays where it is. */
export function putOn(element, given, css) {
  const turtle = current(element);
  turtle.shape = given.shape;
  turtle.color = given.color;
  turtle.url = given.url;
  turtle.hull = given.hull;
  turtle.width = given.width;
  turtle.height = given.height;
  turtle.originX = given.originX;
  turtle.originY = given.originY;
  element.style.opacity = `${given.opacity}`;
  paintLook(element, given);
  if (isPlainObject(css)) resize(turtle, css);
}

/** Give a canvas the pixels of its look: they can be read, drawn on and copied. */
function paintLook(element, given) {
  if (element.tag !== "canvas") return;
  element.attributes.width = `${round(given.width * given.pixels)}`;
  element.attributes.height = `${round(given.height * given.pixels)}`;
  emptySurface(element);
  const from = given.copied;
  if (from && from !== element && from.tag === "canvas" && isPainted(from)) {
    copyItems(surfaceOf(from), surfaceOf(element), now(), (u, v) => ({ x: u, y: v }), 1);
  }
}

function resize(turtle, css) {
  const width = NativeNumber(css.width);
  const height = NativeNumber(css.height);
  if (!(width > 0) && !(height > 0)) return;
  const ratio = turtle.height > 0 ? turtle.width / turtle.height : 1;
  const newWidth = width > 0 ? width : height * ratio;
  const newHeight = height > 0 ? height : newWidth / ratio;
  if (turtle.width > 0 && turtle.hull !== null) {
    const hull = setPrototypeOf([], null);
    for (let i = 0; i < turtle.hull.length; i += 2) {
      hull[i] = (turtle.hull[i] * newWidth) / turtle.width;
      hull[i + 1] = (turtle.hull[i + 1] * newHeight) / turtle.height;
    }
    turtle.hull = hull;
  }
  turtle.originX = turtle.width > 0 ? (turtle.originX * newWidth) / turtle.width : newWidth / 2;
  turtle.originY = turtle.height > 0 ? (turtle.originY * newHeight) / turtle.height : newHeight / 2;
  turtle.width = newWidth;
  turtle.height = newHeight;
}

/** An image whose pixels or size a program asks for: its verdict can't be given. */
export function needPixels(element) {
  if (element.state.turtle?.url) markAsset();
}
