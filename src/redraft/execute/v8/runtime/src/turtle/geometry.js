// Plane geometry: angles in degrees clockwise from north, convex polygons as flat lists [x, y, x, y ...].
//
// In and out: plain numbers and lists without prototype. Nothing here knows of turtles or elements.

import {
  abs, acos, append, atan2, ceil, cos, floor, list, max, min, NativeNumber, PI, round, sin, sqrt, toFixed, toPrecision,
} from "../language/primordials.js";

const MOST_STEPS = 2000;

export const radians = (degrees) => (degrees / 180) * PI;

const TINY = 1e-12;
const SMALLEST = 1e-5;
const LARGEST = 1e6;

/** A number as a browser keeps it in an element's transform: with six significant digits. */
export function six(value) {
  const size = abs(value);
  if (!(size >= SMALLEST && size < LARGEST)) return outsized(value, size);
  if (value === floor(value)) return value;
  let scale = 1e5;
  let top = 10;
  while (size >= top) {
    top *= 10;
    scale /= 10;
  }
  while (size * 10 < top) {
    top /= 10;
    scale *= 10;
  }
  const kept = round(size * scale) / scale;
  return value < 0 ? -kept : kept;
}

// The turtle library writes small numbers with 17 decimals.
function outsized(value, size) {
  if (value === 0 || value !== value) return value === 0 ? 0 : value;
  const written = size < SMALLEST ? NativeNumber(toFixed(value, 17)) : value;
  return NativeNumber(toPrecision(written, 6));
}

/** Whether two coordinates are so near to nothing that no move is written for them. */
export const isTiny = (x, y) => abs(x) < TINY && abs(y) < TINY;

/** Degrees in (-180, 180]. */
export function degrees(angle) {
  const value = (angle * 180) / PI;
  return value > 180 ? value - 360 : value;
}

/** A heading in (-180, 180]. */
export function normalizeHeading(heading) {
  if (abs(heading) <= 180) return heading;
  const rest = heading % 360;
  if (rest > 180) return rest - 360;
  return rest <= -180 ? rest + 360 : rest;
}

/** A turn of at most two rounds: a longer one shows no more. */
export function normalizeTurn(turn) {
  return abs(turn) >= 720 ? (turn % 360) + (turn > 0 ? 360 : -360) : turn;
}

/** Heading from one point to another; straight down, and to where one is, it is -180, as the turtle library has it. */
export function headingTo(x, y, toX, toY) {
  return degrees(atan2(-(x - toX), -(y - toY)));
}

/**
 * Points of an arc that a turtle at (x, y) with this heading walks: it turns by `turn` degrees (right is positive)
 * around a centre `radius` to its right. The last point is where it ends; between two points the arc is nowhere further
 * than a twentieth of a pixel from a straight line.
 */
export function arcPoints(x, y, heading, turn, radius) {
  const points = list();
  // A left turn with a positive radius goes round a centre to the left.
  const side = turn > 0 ? radius : -radius;
  const centerX = x + side * cos(radians(heading));
  const centerY = y - side * sin(radians(heading));
  const finest = (360 / PI) * acos(max(0.9, 1 - 0.05 / (abs(radius) + 0.05)));
  const steps = min(ceil(abs(turn) / min(6, finest)), MOST_STEPS) || 1;
  append(points, x);
  append(points, y);
  for (let i = 1; i <= steps; i += 1) {
    const at = radians(heading + (turn * i) / steps);
    append(points, centerX - side * cos(at));
    append(points, centerY + side * sin(at));
  }
  return points;
}

/** Twice the signed area of a triangle. */
function cross(ax, ay, bx, by, px, py) {
  return (bx - ax) * (py - ay) - (by - ay) * (px - ax);
}

/** Whether a point lies in a convex polygon, its edges included. */
export function polygonContains(polygon, x, y) {
  const size = polygon.length;
  if (size < 6) return size === 2 && polygon[0] === x && polygon[1] === y;
  let left = false;
  let right = false;
  for (let i = 0; i < size; i += 2) {
    const next = (i + 2) % size;
    const side = cross(polygon[i], polygon[i + 1], polygon[next], polygon[next + 1], x, y);
    if (side > 0) left = true;
    else if (side < 0) right = true;
    if (left && right) return false;
  }
  return true;
}

/** Whether an edge of the first polygon separates the two. */
function separated(first, second) {
  for (let i = 0; i < first.length; i += 2) {
    const next = (i + 2) % first.length;
    const normalX = first[next + 1] - first[i + 1];
    const normalY = first[i] - first[next];
    const one = extent(first, normalX, normalY);
    const other = extent(second, normalX, normalY);
    if ((normalX !== 0 || normalY !== 0) && (one.high < other.low || other.high < one.low)) return true;
  }
  return false;
}

function extent(polygon, directionX, directionY) {
  let low = Infinity;
  let high = -Infinity;
  for (let i = 0; i < polygon.length; i += 2) {
    const along = polygon[i] * directionX + polygon[i + 1] * directionY;
    if (along < low) low = along;
    if (along > high) high = along;
  }
  return { low, high };
}

/** Whether two convex polygons touch. */
export function polygonsOverlap(first, second) {
  return first.length > 0 && second.length > 0 && !separated(first, second) && !separated(second, first);
}

/** Whether every corner of the inner polygon lies in the outer. */
export function polygonEncloses(outer, inner) {
  for (let i = 0; i < inner.length; i += 2) if (!polygonContains(outer, inner[i], inner[i + 1])) return false;
  return true;
}

/** The bounding box of a flat list of points. */
export function bounds(points) {
  let left = Infinity;
  let bottom = Infinity;
  let right = -Infinity;
  let top = -Infinity;
  for (let i = 0; i < points.length; i += 2) {
    if (points[i] < left) left = points[i];
    if (points[i] > right) right = points[i];
    if (points[i + 1] < bottom) bottom = points[i + 1];
    if (points[i + 1] > top) top = points[i + 1];
  }
  return { left, bottom, right, top };
}

/** Whether a point lies inside closed paths by the even number of crossings being odd (any polygon). */
export function insideAnyPolygon(points, x, y) {
  let inside = false;
  const size = points.length;
  for (let i = 0, j = size - 2; i < size; j = i, i += 2) {
    if (points[i + 1] > y === points[j + 1] > y) continue;
    const crossing = ((points[j] - points[i]) * (y - points[i + 1])) / (points[j + 1] - points[i + 1]) + points[i];
    if (x < crossing) inside = !inside;
  }
  return inside;
}

/** Distance of a point from a segment. */
export function distanceToSegment(x, y, ax, ay, bx, by) {
  const dx = bx - ax;
  const dy = by - ay;
  const square = dx * dx + dy * dy;
  let along = square > 0 ? ((x - ax) * dx + (y - ay) * dy) / square : 0;
  if (along < 0) along = 0;
  else if (along > 1) along = 1;
  const restX = x - (ax + along * dx);
  const restY = y - (ay + along * dy);
  return sqrt(restX * restX + restY * restY);
}
