// Surfaces: what is drawn on. The field is one, and so is every canvas: a sprite's (`drawon`, `new Pencil`) or one that a
// program made by itself. What is drawn on a sprite moves with it.
//
// In: items as they are drawn, in turtle coordinates (`addDrawn`) or in a canvas' pixels (`addPixelItem`). Out: items in
// the record, those on a sprite in the sprite's own coordinates: from its place, heading up, at scale 1, y up, with `on`
// its number. `bitmapOf` paints a surface's items, once a program asks for pixels.

import { now } from "../time/clock.js";
import { current } from "./body.js";
import { rgba } from "./colors.js";
import { addItem, FIELD_HEIGHT, FIELD_WIDTH, rounded } from "./drawing.js";
import { radians } from "./geometry.js";
import {
  abs, append, cos, list, max, min, NativeWeakMap, record, setPrototypeOf, sin, sqrt, weakGet, weakSet,
} from "../language/primordials.js";
import { circle, coverage, fillPolygons, newBitmap, putPixels, strokePolygons } from "./raster.js";

const MAX_SIDE = 4096;

let surfaces = new NativeWeakMap();
let fieldSurface = null;
let fieldCanvas = null;

function newSurface(width, height, element) {
  return record({ width, height, element, items: list(), painted: 0, bitmap: null });
}

const side = (value) => max(0, min(MAX_SIDE, value | 0));

/** The surface of a canvas; null stands for the field. */
export function surfaceOf(element) {
  if (element === null || element === fieldCanvas) {
    fieldSurface ??= newSurface(FIELD_WIDTH, FIELD_HEIGHT, null);
    return fieldSurface;
  }
  let known = weakGet(surfaces, element);
  if (known === undefined) {
    known = newSurface(side(element.width), side(element.height), element);
    weakSet(surfaces, element, known);
  }
  return known;
}

/** The canvas that stands for the field in a page. */
export const setFieldCanvas = (element) => { fieldCanvas = element; };

/** Whether anything was drawn on a canvas, so that it is more than the look of a turtle. */
export const isPainted = (element) => weakGet(surfaces, element)?.items.length > 0;

/** A canvas got a new size or a new look: it is empty again. */
export function emptySurface(element) {
  const surface = weakGet(surfaces, element);
  if (surface === undefined) return;
  if (surface.items.length > 0) addItem("erase", now(), now(), { all: true, on: element.state.turtle?.id });
  weakSet(surfaces, element, newSurface(side(element.width), side(element.height), element));
}

/** Pixels of the field as turtle coordinates and back: `ratio` is pixels per unit. */
function frameOf(surface) {
  const { element, width, height } = surface;
  if (element === null) return { originX: FIELD_WIDTH / 2, originY: FIELD_HEIGHT / 2, ratioX: 1, ratioY: 1 };
  const turtle = element.state.turtle;
  if (turtle === undefined) return { originX: 0, originY: 0, ratioX: 1, ratioY: 1 };
  return {
    originX: turtle.originX, originY: turtle.originY,
    ratioX: turtle.width > 0 ? width / turtle.width : 1, ratioY: turtle.height > 0 ? height / turtle.height : 1,
  };
}

/** What turns turtle coordinates into a sprite's own. */
function inverseOf(element) {
  const { x, y, heading, twist, scaleX, scaleY } = current(element);
  const sine = sin(radians(heading));
  const cosine = cos(radians(heading));
  const twistSine = sin(radians(twist));
  const twistCosine = cos(radians(twist));
  return {
    turn: heading + twist, shrink: 1 / (sqrt(abs(scaleX * scaleY)) || 1),
    point(px, py) {
      const across = ((px - x) * cosine - (py - y) * sine) / (scaleX || 1);
      const along = ((px - x) * sine + (py - y) * cosine) / (scaleY || 1);
      return { x: across * twistCosine - along * twistSine, y: across * twistSine + along * twistCosine };
    },
  };
}

function mappedPath(points, point) {
  const path = list();
  for (let i = 0; i + 1 < points.length; i += 2) {
    const place = point(points[i], points[i + 1]);
    append(path, rounded(place.x));
    append(path, rounded(place.y));
  }
  return path;
}

function mappedPaths(paths, point) {
  const all = list();
  for (let i = 0; i < paths.length; i += 1) append(all, mappedPath(paths[i], point));
  return all;
}

/** The same properties of an item with every place moved by `point`, lengths by `size` and directions by `turn`. */
export function mapped(properties, { point, shrink, turn }) {
  const copy = record({ ...properties });
  if (copy.points) copy.points = mappedPath(copy.points, point);
  if (copy.paths) copy.paths = mappedPaths(copy.paths, point);
  if (copy.clip) copy.clip = mappedPaths(copy.clip, point);
  if (copy.x !== undefined) {
    const place = point(copy.x, copy.y);
    copy.x = rounded(place.x);
    copy.y = rounded(place.y);
  }
  for (let i = 0; i < LENGTHS.length; i += 1) {
    if (typeof copy[LENGTHS[i]] === "number") copy[LENGTHS[i]] = rounded(copy[LENGTHS[i]] * shrink);
  }
  if (copy.direction !== undefined) copy.direction = rounded(copy.direction - turn);
  return copy;
}
const LENGTHS = setPrototypeOf(["width", "diameter", "size"], null);

/** Record what a turtle draws in turtle coordinates: on the field, or on the canvas `element` that it draws on. */
export function addOn(element, kind, t0, t1, properties) {
  const surface = surfaceOf(element);
  if (surface.element === null) {
    keep(surface, addItem(kind, t0, t1, properties));
    return;
  }
  if (element.state.turtle === undefined) return;
  keep(surface, addItem(kind, t0, t1, { ...mapped(properties, inverseOf(element)), on: element.state.turtle.id }));
}

function keep(surface, item) {
  if (item !== null) append(surface.items, item);
}

/** Record what a program paints on a canvas in the canvas' own pixels. */
export function addPixelItem(surface, kind, time, properties) {
  const { originX, originY, ratioX, ratioY } = frameOf(surface);
  const point = (u, v) => ({ x: u / ratioX - originX, y: originY - v / ratioY });
  const local = mapped(properties, { point, shrink: 1 / (sqrt(abs(ratioX * ratioY)) || 1), turn: 0 });
  const turtle = surface.element?.state.turtle;
  // A canvas that is no sprite isn't on the field: it can be read back, no more.
  if (surface.element !== null && turtle === undefined) keep(surface, record({ ...local, kind }));
  else keep(surface, addItem(kind, time, time, surface.element === null ? local : { ...local, on: turtle.id }));
}

/** Copy what is on one surface onto another; `place(u, v)` says where the other has a pixel of the first. */
export function copyItems(from, to, time, place, shrink) {
  const { originX, originY, ratioX, ratioY } = frameOf(from);
  const count = from.items.length;
  for (let i = 0; i < count; i += 1) {
    const item = from.items[i];
    const point = (x, y) => place((x + originX) * ratioX, (originY - y) * ratioY);
    const pixels = mapped(item, { point, shrink: shrink * (sqrt(abs(ratioX * ratioY)) || 1), turn: 0 });
    delete pixels.on;
    addPixelItem(to, item.kind, time, pixels);
  }
}

// Stretches of one colour that a picture may have in the record; a program can read all of it all the same.
const MAX_STRETCHES = 3000;

/** Put a picture's pixels on a surface; the record has them as rectangles of one colour each. */
export function addPicture(surface, image, left, top, time) {
  const width = side(image.width);
  const height = side(image.height);
  const kept = { width, height, data: new Bytes(width * height * 4) };
  for (let i = 0; i < kept.data.length; i += 1) kept.data[i] = image.data[i];
  const stretches = stretchesOf(kept, MAX_STRETCHES);
  const before = surface.items.length;
  for (let i = 0; i < stretches.length; i += 1) {
    const { x, y, size, color } = stretches[i];
    const u = x + left;
    const v = y + top;
    const path = setPrototypeOf([u, v, u + size, v, u + size, v + 1, u, v + 1], null);
    addPixelItem(surface, "fill", time, { paths: setPrototypeOf([path], null), color });
  }
  surface.items.length = before;
  append(surface.items, record({ kind: "pixels", picture: kept, left, top }));
}
const Bytes = globalThis.Uint8ClampedArray;

function stretchesOf({ width, height, data }, most) {
  const found = list();
  for (let y = 0; y < height; y += 1) {
    for (let x = 0, size = 1; x < width && found.length < most; x += size) {
      const at = 4 * (y * width + x);
      const same = (to) => data[to] === data[at] && data[to + 1] === data[at + 1] && data[to + 2] === data[at + 2]
        && data[to + 3] === data[at + 3];
      for (size = 1; x + size < width && same(at + 4 * size); size += 1);
      const alpha = rounded(data[at + 3] / 255);
      if (alpha > 0) append(found, { x, y, size, color: `rgba(${data[at]}, ${data[at + 1]}, ${data[at + 2]}, ${alpha})` });
    }
  }
  return found;
}

/** A polygon of turtle coordinates in a surface's pixels. */
export function pixelPolygon(surface, polygon) {
  const { originX, originY, ratioX, ratioY } = frameOf(surface);
  const local = surface.element?.state.turtle === undefined ? polygon
    : mappedPath(polygon, inverseOf(surface.element).point);
  return mappedPath(local, (x, y) => ({ x: (x + originX) * ratioX, y: (originY - y) * ratioY }));
}

/** What a surface shows, painted up to now. */
export function bitmapOf(surface) {
  if (surface.bitmap === null) {
    surface.bitmap = newBitmap(surface.width, surface.height);
    paintGround(surface);
  }
  const frame = frameOf(surface);
  for (; surface.painted < surface.items.length; surface.painted += 1) {
    paintItem(surface.bitmap, surface.items[surface.painted], frame);
  }
  return surface.bitmap;
}

/** What a sprite is before anything is drawn on it: its colour. */
function paintGround({ bitmap, element, width, height }) {
  const turtle = element?.state.turtle;
  if (turtle?.shape !== "box") return;
  const color = rgba(turtle.color);
  const path = setPrototypeOf([0, 0, width, 0, width, height, 0, height], null);
  if (color !== null) fillPolygons(bitmap, setPrototypeOf([path], null), { color, erase: false, evenOdd: false, clip: null });
}

function paintItem(bitmap, item, frame) {
  const { originX, originY, ratioX, ratioY } = frame;
  const point = (x, y) => ({ x: (x + originX) * ratioX, y: (originY - y) * ratioY });
  const painter = PAINTERS[item.kind];
  if (!painter) return;
  const clip = item.clip ? coverage(bitmap, mappedPaths(item.clip, point), null) : null;
  painter(bitmap, clip === null ? item : record({ ...item, clip }), point, sqrt(abs(ratioX * ratioY)) || 1);
}

function fillWith(bitmap, polygons, color, item) {
  const known = rgba(color);
  if (known === null) return;
  const faint = item.alpha === undefined ? known : [known[0], known[1], known[2], known[3] * item.alpha];
  const { clip = null } = item;
  fillPolygons(bitmap, polygons, { color: faint, erase: item.erase === true, evenOdd: item.rule === "evenodd", clip });
}

function strokeWith(bitmap, ways, color, item, ratio) {
  const pieces = list();
  for (let i = 0; i < ways.length; i += 1) {
    const { cap, join, miter: limit, closed } = item;
    const some = strokePolygons(ways[i], { width: item.width * ratio, cap, join, limit, closed });
    for (let j = 0; j < some.length; j += 1) append(pieces, some[j]);
  }
  fillWith(bitmap, pieces, color, item);
}

function pathsOf(item, point) {
  return mappedPaths(item.paths ?? setPrototypeOf([item.points], null), point);
}

function shapeOf(item, point) {
  const place = point(item.x, item.y);
  const edge = point(item.x + (item.diameter ?? item.size) / 2, item.y);
  const half = edge.x - place.x;
  if (item.kind === "dot") return circle(place.x, place.y, half);
  const sine = sin(radians(item.direction)) * half;
  const cosine = cos(radians(item.direction)) * half;
  const { x, y } = place;
  return setPrototypeOf([
    x - cosine + sine, y - sine - cosine, x + cosine + sine, y + sine - cosine, x + cosine - sine, y + sine + cosine,
    x - cosine - sine, y - sine + cosine,
  ], null);
}

function paintShape(bitmap, item, point, ratio) {
  const shape = setPrototypeOf([shapeOf(item, point)], null);
  fillWith(bitmap, shape, item.color, item);
  if (item.stroke) strokeWith(bitmap, shape, item.stroke, { ...item, closed: true }, ratio);
}

const PAINTERS = record({
  line: (bitmap, item, point, ratio) => strokeWith(bitmap, pathsOf(item, point), item.color, item, ratio),
  fill: (bitmap, item, point) => { if (item.color !== "none") fillWith(bitmap, pathsOf(item, point), item.color, item); },
  dot: paintShape,
  box: paintShape,
  pixels: (bitmap, item) => putPixels(bitmap, item.picture, item.left, item.top),
});

/** The field was wiped. */
export function eraseField(time) {
  addItem("erase", time, time, { all: true });
  const surface = surfaceOf(null);
  surface.items = list();
  surface.painted = 0;
  surface.bitmap?.data.fill(0);
}

/** Set everything back, for tests. */
export function resetSurfaces() {
  surfaces = new NativeWeakMap();
  fieldSurface = fieldCanvas = null;
}
