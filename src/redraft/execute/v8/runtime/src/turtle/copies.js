// Copies of turtles and their pixels.
//
// In: Queries. Out: `copy`, `clip`, `imagedata`. A program that reads pixels gets what it painted itself; if an image
// from the network could have been on it, the run is marked, as its verdict can't be given.

import { current, isNumeric, turtleOf } from "./body.js";
import { wrapCommand, wrapRaw, planEach } from "./command.js";
import { now } from "../time/clock.js";
import { picture } from "./context.js";
import { markAsset } from "./drawing.js";
import { sync } from "./loops.js";
import { keys, min, NativeError, round } from "../language/primordials.js";
import { toQuery } from "../jquery/query.js";
import { hullOfPixels } from "./raster.js";
import { addPicture, bitmapOf, copyItems, isPainted, surfaceOf } from "./surfaces.js";

const SHARED = { __proto__: null, id: 1, motion: 1, corners: 1, waitsFor: 1 };

function copyTurtle(from, to) {
  const source = current(from);
  const target = turtleOf(to);
  const names = keys(source);
  for (let i = 0; i < names.length; i += 1) if (!SHARED[names[i]]) target[names[i]] = source[names[i]];
  const display = from.style.display;
  to.style.display = display;
  if (from.tag !== "canvas" || !isPainted(from)) return;
  copyItems(surfaceOf(from), surfaceOf(to), now(), (u, v) => ({ x: u, y: v }), 1);
}

export const copy = wrapCommand("copy", 0, (cc, query) => {
  const copies = [];
  for (let i = 0; i < query.length; i += 1) {
    const made = query[i].cloneNode(true);
    made.removeAttribute("id");
    query[i].parent?.insertBefore(made, query[i].nextSibling);
    copies[i] = made;
  }
  let next = 0;
  planEach(query, (element) => {
    if (next < copies.length) copyTurtle(element, copies[next]);
    next += 1;
    cc.resolve();
  });
  const copied = toQuery(copies);
  // What a copy is told waits until it is one.
  sync(copied, query);
  return copied;
});

/** The corners of what isn't transparent, in a turtle's own coordinates. */
function hullIn(turtle, surface, threshold) {
  const hull = hullOfPixels(bitmapOf(surface), threshold);
  for (let i = 0; i < hull.length; i += 2) {
    hull[i] = (hull[i] * turtle.width) / surface.width - turtle.originX;
    hull[i + 1] = turtle.originY - (hull[i + 1] * turtle.height) / surface.height;
  }
  return hull;
}

/** `clip`: a sprite ends where its picture does. */
export const clip = wrapCommand("clip", 1, (cc, query, threshold) => {
  planEach(query, (element) => {
    if (element.tag === "canvas" && isPainted(element)) {
      current(element).hull = hullIn(current(element), surfaceOf(element), threshold ?? 0.125);
    }
    cc.resolve();
  });
});

const Bytes = globalThis.Uint8ClampedArray;

/** Put a picture that a program made onto a canvas, which takes its size. */
function setPicture(canvas, value) {
  if (typeof value !== "object" || !isNumeric(value.width) || !isNumeric(value.height) || !value.data) return;
  const image = picture(round(value.width), round(value.height));
  const size = min(value.data.length, image.data.length);
  for (let i = 0; i < size; i += 1) image.data[i] = value.data[i];
  const turtle = canvas.state.turtle;
  if (image.width !== canvas.width || image.height !== canvas.height) {
    canvas.width = image.width;
    canvas.height = image.height;
    if (turtle !== undefined) turtle.hull = null;
  }
  addPicture(surfaceOf(canvas), image, 0, 0, now());
}

export const imagedata = wrapRaw("imagedata", function imagedataOf(value) {
  const canvas = this.canvas();
  if (!canvas) {
    if (value) throw new NativeError("can only set imagedata on a canvas like a Sprite");
    if (this.filter("img").length === 0) return undefined;
    markAsset();
    return picture(1, 1);
  }
  if (value) {
    setPicture(canvas, value);
    return undefined;
  }
  if (canvas.state.turtle?.url) markAsset();
  const bitmap = bitmapOf(surfaceOf(canvas));
  return picture(bitmap.width, bitmap.height, new Bytes(bitmap.data));
});
