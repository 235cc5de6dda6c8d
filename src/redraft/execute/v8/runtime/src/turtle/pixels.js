// Which colours lie under a turtle: `touches red`, `touches color`, answered from the record of the drawing.
//
// In: the record's items and a convex polygon. Out: whether any point of a fine grid over the polygon shows a colour.
// Exact for shapes wider than a pixel; half-covered edge pixels, which no colour matches, are left out as in a browser.
// Not guaranteed: what a program draws on a canvas by itself, and lines thinner than a pixel.

import { spend } from "../time/clock.js";
import { rgba } from "./colors.js";
import { FIELD_HEIGHT, FIELD_WIDTH, items } from "./drawing.js";
import { bounds, distanceToSegment, insideAnyPolygon, polygonContains, radians } from "./geometry.js";
import { abs, append, ceil, cos, list, max, min, NativeWeakMap, sin, sqrt, weakGet, weakSet } from "../language/primordials.js";

const STEP = 1;
const MAX_SAMPLES = 4000;
// Two parts in 255 of difference are the same colour.
const TOLERANCE = 3;
// Reading a canvas back takes a page its time; a program that does so too often is slower for it.
const READ_MS = 0.5;
const PIXEL_MS = 5e-6;
const boxes = new NativeWeakMap();

function extentOf(item) {
  const known = weakGet(boxes, item);
  if (known !== undefined) return known;
  let box;
  if (item.kind === "line") box = widened(bounds(item.points), item.width / 2);
  else if (item.kind === "fill") box = fillBounds(item);
  else if (item.kind === "dot") box = around(item, item.diameter / 2);
  else if (item.kind === "box") box = around(item, item.size);
  else box = null;
  weakSet(boxes, item, box);
  return box;
}

const widened = ({ left, right, bottom, top }, by) => ({
  left: left - by, right: right + by, bottom: bottom - by, top: top + by,
});
const around = (item, by) => ({ left: item.x - by, right: item.x + by, bottom: item.y - by, top: item.y + by });

function fillBounds(item) {
  const all = list();
  for (let i = 0; i < item.paths.length; i += 1) {
    const path = item.paths[i];
    for (let j = 0; j < path.length; j += 1) append(all, path[j]);
  }
  return widened(bounds(all), item.stroke ? item.width / 2 : 0);
}

function nearPath(points, x, y, distance) {
  for (let i = 0; i + 3 < points.length; i += 2) {
    if (distanceToSegment(x, y, points[i], points[i + 1], points[i + 2], points[i + 3]) <= distance) return true;
  }
  return false;
}

/** The colour an item shows at a point, or null. */
function colorAt(item, x, y) {
  if (item.kind === "line") return nearPath(item.points, x, y, item.width / 2) ? item.color : null;
  if (item.kind === "dot") {
    const distance = sqrt((x - item.x) * (x - item.x) + (y - item.y) * (y - item.y));
    return distance <= item.diameter / 2 ? item.color : null;
  }
  if (item.kind === "box") {
    const sine = sin(radians(item.direction));
    const cosine = cos(radians(item.direction));
    const dx = x - item.x;
    const dy = y - item.y;
    const half = item.size / 2;
    return abs(dx * cosine - dy * sine) <= half && abs(dx * sine + dy * cosine) <= half ? item.color : null;
  }
  return fillAt(item, x, y);
}

function fillAt(item, x, y) {
  for (let i = 0; i < item.paths.length; i += 1) {
    if (item.stroke && nearPath(item.paths[i], x, y, item.width / 2)) return item.stroke;
  }
  if (item.color === "none") return null;
  for (let i = 0; i < item.paths.length; i += 1) if (insideAnyPolygon(item.paths[i], x, y)) return item.color;
  return null;
}

const clipped = ({ left, right, bottom, top }) => ({
  left: max(left, -FIELD_WIDTH / 2), right: min(right, FIELD_WIDTH / 2),
  bottom: max(bottom, -FIELD_HEIGHT / 2), top: min(top, FIELD_HEIGHT / 2),
});
const meet = (a, b) => a.left <= b.right && a.right >= b.left && a.bottom <= b.top && a.top >= b.bottom;

/** What may show in a box, newest first, down to the last time the field was wiped. */
function candidates(box) {
  const found = list();
  for (let i = items.length - 1; i >= 0; i -= 1) {
    const item = items[i];
    if (item.kind === "erase" && item.all) break;
    if (item.on !== undefined) continue;
    const extent = extentOf(item);
    if (extent !== null && meet(extent, box)) append(found, { item, extent });
  }
  return found;
}

function shownAt(found, x, y) {
  for (let i = 0; i < found.length; i += 1) {
    const { item, extent } = found[i];
    if (x < extent.left || x > extent.right || y < extent.bottom || y > extent.top) continue;
    const color = colorAt(item, x, y);
    if (color !== null) return item.erase ? null : color;
  }
  return null;
}

function same(shown, wanted) {
  const seen = rgba(shown);
  return seen !== null && abs(seen[0] - wanted[0]) <= TOLERANCE && abs(seen[1] - wanted[1]) <= TOLERANCE
    && abs(seen[2] - wanted[2]) <= TOLERANCE && seen[3] <= wanted[3] * 2 && seen[3] >= wanted[3] / 2;
}

/** Whether a polygon shows a colour; `wanted` null asks for any colour, an alpha of 0 for bare ground. */
export function showsColor(polygon, wanted) {
  if (polygon.length < 6) return false;
  const box = clipped(bounds(polygon));
  // What is off the canvas has no pixels, not even bare ones.
  if (box.left >= box.right || box.bottom >= box.top) return false;
  const found = candidates(box);
  const bare = wanted !== null && wanted[3] === 0;
  if (found.length === 0) return bare;
  const area = max(1, box.right - box.left) * max(1, box.top - box.bottom);
  const step = max(STEP, ceil(sqrt(area / MAX_SAMPLES)));
  spend(READ_MS + area * PIXEL_MS);
  for (let x = box.left + step / 2; x <= box.right; x += step) {
    for (let y = box.bottom + step / 2; y <= box.top; y += step) {
      if (!polygonContains(polygon, x, y)) continue;
      const shown = shownAt(found, x, y);
      if (shown === null ? bare : !bare && (wanted === null || same(shown, wanted))) return true;
    }
  }
  return false;
}
