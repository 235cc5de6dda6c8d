// Which colours lie under a turtle: `touches red`, `touches color`, answered from the pixels of what it draws on.
//
// In: a turtle, its outline as a convex polygon in turtle coordinates, a colour. Out: whether any pixel in the outline
// shows it. Half-covered edge pixels have a shade that no colour matches, as in a browser.

import { spend } from "../time/clock.js";
import { bounds, polygonContains } from "./geometry.js";
import { abs, ceil, floor, max, min } from "../language/primordials.js";
import { bitmapOf, pixelPolygon, surfaceOf } from "./surfaces.js";

// Three parts in 255 of difference are the same colour.
const TOLERANCE = 3;
// Reading a canvas back takes a page its time; a program that does so too often is slower for it.
const READ_MS = 0.5;
const PIXEL_MS = 5e-6;

function same(data, at, wanted) {
  return abs(data[at] - wanted[0]) <= TOLERANCE && abs(data[at + 1] - wanted[1]) <= TOLERANCE
    && abs(data[at + 2] - wanted[2]) <= TOLERANCE && data[at + 3] <= wanted[3] * 2 && data[at + 3] >= wanted[3] / 2;
}

/**
 * Whether the canvas under a turtle shows a colour within a polygon; `wanted` null asks for any colour, an alpha of 0
 * for bare ground. `canvas` is what the turtle draws on, null for the field.
 */
export function showsColor(canvas, polygon, wanted) {
  const bare = wanted !== null && wanted[3] === 0;
  if (polygon.length < 6) return false;
  const surface = surfaceOf(canvas);
  const outline = pixelPolygon(surface, polygon);
  const box = bounds(outline);
  const left = max(0, floor(box.left));
  const right = min(surface.width, ceil(box.right));
  const top = max(0, floor(box.bottom));
  const bottom = min(surface.height, ceil(box.top));
  // What is off the canvas has no pixels, not even bare ones.
  if (left >= right || top >= bottom) return false;
  if (surface.element === null && surface.items.length === 0) return bare;
  spend(READ_MS + (right - left) * (bottom - top) * PIXEL_MS);
  const { data, width } = bitmapOf(surface);
  for (let y = top; y < bottom; y += 1) {
    for (let x = left; x < right; x += 1) {
      const at = 4 * (y * width + x);
      const found = bare ? data[at + 3] === 0 : wanted === null ? data[at + 3] > 0 : same(data, at, wanted);
      if (found && polygonContains(outline, x + 0.5, y + 0.5)) return true;
    }
  }
  return false;
}
