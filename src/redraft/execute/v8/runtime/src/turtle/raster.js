// Pixels: filled and stroked shapes painted into a bitmap, edges smoothed, as a browser's canvas would.
//
// In: polygons as flat lists [x, y, x, y ...] in pixels (y down), colours of `rgba`. Out: bitmaps {width, height, data},
// data being red, green, blue and alpha of each pixel, not premultiplied. Only runs once a program reads pixels.
// Not guaranteed: the last bit of an edge's shade, and glyphs, which aren't painted.

import { sort } from "../language/lists.js";
import { abs, append, atan2, ceil, cos, floor, list, max, min, PI, record, round, sin, sqrt } from "../language/primordials.js";

const Bytes = globalThis.Uint8ClampedArray;
const Floats = globalThis.Float32Array;
const Words = globalThis.Uint32Array;
// Lines across a pixel at which coverage is measured.
const LINES = 4;
// Edges a shape may have: what is beyond them costs more than any program shows.
const MAX_EDGES = 100_000;

export function newBitmap(width, height) {
  const data = new Bytes(width * height * 4);
  return record({ width, height, data, words: new Words(data.buffer) });
}

function addEdges(edges, polygon) {
  const size = polygon.length;
  for (let i = 0, j = size - 2; i < size && edges.length < MAX_EDGES; j = i, i += 2) {
    const x0 = polygon[j];
    const y0 = polygon[j + 1];
    const x1 = polygon[i];
    const y1 = polygon[i + 1];
    if (!(y0 !== y1) || x0 - x1 !== x0 - x1) continue;
    const down = y1 > y0;
    const slope = (x1 - x0) / (y1 - y0);
    append(edges, record({ top: down ? y0 : y1, bottom: down ? y1 : y0, x: down ? x0 : x1, slope, turn: down ? 1 : -1 }));
  }
}

/** Add a span's share of each pixel it covers: `parts` are shares of single pixels, `steps` hold from there on. */
function cover({ parts, steps }, from, to, share) {
  const left = max(from, 0);
  const right = min(to, parts.length);
  if (!(right > left)) return;
  const first = floor(left);
  const last = floor(right);
  if (first === last) {
    parts[first] += (right - left) * share;
    return;
  }
  parts[first] += (first + 1 - left) * share;
  steps[first + 1] += share;
  steps[last] -= share;
  if (last < parts.length) parts[last] += (right - last) * share;
}

function crossings(active, y) {
  const found = list();
  for (let i = 0; i < active.length; i += 1) {
    const edge = active[i];
    if (edge.top <= y && edge.bottom > y) append(found, { x: edge.x + (y - edge.top) * edge.slope, turn: edge.turn });
  }
  if (found.length > 2 || (found.length === 2 && found[0].x > found[1].x)) sort(found, (a, b) => a.x - b.x);
  return found;
}

function coverLine(row, active, y, evenOdd) {
  const found = crossings(active, y);
  let winding = 0;
  for (let i = 0; i + 1 < found.length; i += 1) {
    winding += found[i].turn;
    if (evenOdd ? winding % 2 !== 0 : winding !== 0) cover(row, found[i].x, found[i + 1].x, 1 / LINES);
  }
}

/**
 * Calls `paintRow({ y, left, right, parts, steps })` for each row of pixels that the polygons cover: a pixel's share is its
 * `parts` and all `steps` from `left` up to it.
 */
function scan(bitmap, polygons, evenOdd, paintRow) {
  const edges = list();
  for (let i = 0; i < polygons.length; i += 1) addEdges(edges, polygons[i]);
  if (edges.length === 0) return;
  sort(edges, (a, b) => a.top - b.top);
  let left = Infinity;
  let right = -Infinity;
  let bottom = -Infinity;
  for (let i = 0; i < edges.length; i += 1) {
    const end = edges[i].x + (edges[i].bottom - edges[i].top) * edges[i].slope;
    left = min(left, edges[i].x, end);
    right = max(right, edges[i].x, end);
    bottom = max(bottom, edges[i].bottom);
  }
  left = max(0, floor(left));
  right = min(bitmap.width, ceil(right));
  if (!(right > left)) return;
  const row = record({ y: 0, left, right, parts: new Floats(bitmap.width), steps: new Floats(bitmap.width + 1) });
  let active = list();
  let next = 0;
  for (let y = max(0, floor(edges[0].top)); y < min(bitmap.height, ceil(bottom)); y += 1) {
    const kept = list();
    for (let i = 0; i < active.length; i += 1) if (active[i].bottom > y) append(kept, active[i]);
    for (; next < edges.length && edges[next].top < y + 1; next += 1) if (edges[next].bottom > y) append(kept, edges[next]);
    active = kept;
    if (active.length === 0) continue;
    for (let x = left; x < right; x += 1) row.parts[x] = row.steps[x] = 0;
    row.steps[right] = 0;
    for (let line = 0; line < LINES; line += 1) coverLine(row, active, y + (line + 0.5) / LINES, evenOdd);
    row.y = y;
    paintRow(row);
  }
}

/** One pixel under a share of a colour, or with that share taken away. */
function blend(data, at, color, share, erase) {
  const below = data[at + 3] / 255;
  if (erase) {
    data[at + 3] = 255 * below * (1 - share);
    return;
  }
  if (share >= 1 || below === 0) {
    data[at] = color[0];
    data[at + 1] = color[1];
    data[at + 2] = color[2];
    data[at + 3] = 255 * share;
    return;
  }
  const alpha = share + below * (1 - share);
  for (let i = 0; i < 3; i += 1) data[at + i] = (color[i] * share + data[at + i] * below * (1 - share)) / alpha;
  data[at + 3] = 255 * alpha;
}

/** Fill polygons by the non-zero rule (or the even-odd one); `clip` is a coverage to stay within, or null. */
export function fillPolygons(bitmap, polygons, { color, erase, evenOdd, clip }) {
  const { data, width, words } = bitmap;
  const alpha = color[3] / 255;
  if (alpha === 0) return;
  const plain = alpha === 1 && !erase && !clip;
  const word = wordOf(color);
  scan(bitmap, polygons, evenOdd, ({ y, parts, steps, left, right }) => {
    let held = 0;
    for (let x = left; x < right; x += 1) {
      held += steps[x];
      let share = held + parts[x];
      if (share > 0.996) share = 1;
      if (plain && share === 1) words[y * width + x] = word;
      else if (share > 0.002) {
        if (clip) share *= clip[y * width + x];
        blend(data, 4 * (y * width + x), color, share * alpha, erase);
      }
    }
  });
}

const spelling = new Bytes(4);
/** A colour as four bytes of a bitmap, in this machine's order. */
function wordOf(color) {
  for (let i = 0; i < 4; i += 1) spelling[i] = color[i];
  return new Words(spelling.buffer)[0];
}

/** How far each pixel lies within polygons, from 0 to 1, and within `outer` where that isn't null. */
export function coverage(bitmap, polygons, outer) {
  const whole = new Floats(bitmap.width * bitmap.height);
  scan(bitmap, polygons, false, ({ y, parts, steps, left, right }) => {
    let held = 0;
    for (let x = left; x < right; x += 1) {
      const at = y * bitmap.width + x;
      held += steps[x];
      whole[at] = min(1, held + parts[x]) * (outer ? outer[at] : 1);
    }
  });
  return whole;
}

/** A circle as a polygon that runs clockwise on the screen. */
export function circle(x, y, radius) {
  const steps = max(8, min(180, ceil(PI * sqrt(abs(radius)) * 1.6)));
  const polygon = list();
  for (let i = 0; i < steps; i += 1) {
    append(polygon, x + radius * cos((2 * PI * i) / steps));
    append(polygon, y + radius * sin((2 * PI * i) / steps));
  }
  return polygon;
}

/** A polygon turned to run clockwise: all pieces of a stroke must, or they would cut each other out. */
function clockwise(...numbers) {
  let area = 0;
  for (let i = 0, j = numbers.length - 2; i < numbers.length; j = i, i += 2) {
    area += numbers[j] * numbers[i + 1] - numbers[i] * numbers[j + 1];
  }
  if (area >= 0) return numbers;
  const polygon = list();
  for (let i = numbers.length - 2; i >= 0; i -= 2) {
    append(polygon, numbers[i]);
    append(polygon, numbers[i + 1]);
  }
  return polygon;
}

/** The points of a path without those that repeat the last one. */
function distinct(points) {
  const kept = list();
  for (let i = 0; i + 1 < points.length; i += 2) {
    const size = kept.length;
    if (size > 0 && points[i] === kept[size - 2] && points[i + 1] === kept[size - 1]) continue;
    append(kept, points[i]);
    append(kept, points[i + 1]);
  }
  return kept;
}

/** Fill the gap at the corner (bx, by) of a way from (ax, ay) to (cx, cy). */
function addJoin(pieces, ax, ay, bx, by, cx, cy, { half, join, limit }) {
  if (join === "round") {
    append(pieces, circle(bx, by, half));
    return;
  }
  const before = atan2(by - ay, bx - ax);
  const after = atan2(cy - by, cx - bx);
  const turn = sin(after - before);
  if (turn === 0) return;
  const side = turn > 0 ? -1 : 1;
  const x1 = bx - side * half * sin(before);
  const y1 = by + side * half * cos(before);
  const x2 = bx - side * half * sin(after);
  const y2 = by + side * half * cos(after);
  const ratio = 1 / max(1e-9, abs(cos((after - before) / 2)));
  if (join === "miter" && ratio <= limit) {
    const length = half * ratio;
    const middle = atan2((y1 + y2) / 2 - by, (x1 + x2) / 2 - bx);
    append(pieces, clockwise(bx, by, x1, y1, bx + length * cos(middle), by + length * sin(middle), x2, y2));
  } else append(pieces, clockwise(bx, by, x1, y1, x2, y2));
}

/** The outline of a stroked path as polygons to be filled together. */
export function strokePolygons(points, { width, cap = "round", join = "round", limit = 10, closed = false }) {
  const pieces = list();
  const way = distinct(points);
  const half = width / 2;
  if (way.length < 4 || !(half > 0)) return pieces;
  const ring = closed && way.length > 4;
  if (ring && (way[0] !== way[way.length - 2] || way[1] !== way[way.length - 1])) {
    append(way, way[0]);
    append(way, way[1]);
  }
  const last = way.length - 4;
  const corner = { half, join, limit };
  for (let i = 0; i <= last; i += 2) {
    let ax = way[i];
    let ay = way[i + 1];
    let bx = way[i + 2];
    let by = way[i + 3];
    const length = sqrt((bx - ax) * (bx - ax) + (by - ay) * (by - ay));
    const dx = ((bx - ax) / length) * half;
    const dy = ((by - ay) / length) * half;
    if (i < last) addJoin(pieces, ax, ay, bx, by, way[i + 4], way[i + 5], corner);
    if (cap === "square" && !ring && i === 0) {
      ax -= dx;
      ay -= dy;
    }
    if (cap === "square" && !ring && i === last) {
      bx += dx;
      by += dy;
    }
    append(pieces, clockwise(ax + dy, ay - dx, bx + dy, by - dx, bx - dy, by + dx, ax - dy, ay + dx));
  }
  if (ring) addJoin(pieces, way[last], way[last + 1], way[0], way[1], way[2], way[3], corner);
  else if (cap === "round") {
    append(pieces, circle(way[0], way[1], half));
    append(pieces, circle(way[last + 2], way[last + 3], half));
  }
  return pieces;
}

/** Put pixels where they are told, without blending. */
export function putPixels(bitmap, pixels, left, top) {
  const x0 = round(left);
  const y0 = round(top);
  for (let y = max(0, -y0); y < min(pixels.height, bitmap.height - y0); y += 1) {
    for (let x = max(0, -x0); x < min(pixels.width, bitmap.width - x0); x += 1) {
      const to = 4 * ((y + y0) * bitmap.width + x + x0);
      const from = 4 * (y * pixels.width + x);
      for (let i = 0; i < 4; i += 1) bitmap.data[to + i] = pixels.data[from + i];
    }
  }
}

/** A copy of a part of a bitmap's pixels; what lies outside is transparent. */
export function cutPixels(bitmap, left, top, width, height) {
  const pixels = new Bytes(width * height * 4);
  for (let y = max(0, -top); y < min(height, bitmap.height - top); y += 1) {
    for (let x = max(0, -left); x < min(width, bitmap.width - left); x += 1) {
      const to = 4 * (y * width + x);
      const from = 4 * ((y + top) * bitmap.width + x + left);
      for (let i = 0; i < 4; i += 1) pixels[to + i] = bitmap.data[from + i];
    }
  }
  return pixels;
}

/** The convex hull of all pixels less transparent than `threshold` (0 to 1), as a polygon in pixels; empty if none is. */
export function hullOfPixels({ width, height, data }, threshold) {
  const corners = list();
  for (let y = 0; y < height; y += 1) {
    let first = -1;
    let last = -1;
    for (let x = 0; x < width; x += 1) {
      if (data[4 * (y * width + x) + 3] > 255 * threshold) {
        if (first < 0) first = x;
        last = x + 1;
      }
    }
    if (first < 0) continue;
    append(corners, { x: first, y });
    append(corners, { x: first, y: y + 1 });
    append(corners, { x: last, y });
    append(corners, { x: last, y: y + 1 });
  }
  return convexHull(corners);
}

const across = (a, b, c) => (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x);

function addHalf(polygon, points) {
  const hull = list();
  for (let i = 0; i < points.length; i += 1) {
    while (hull.length > 1 && across(hull[hull.length - 2], hull[hull.length - 1], points[i]) <= 0) hull.length -= 1;
    append(hull, points[i]);
  }
  for (let i = 0; i < hull.length - 1; i += 1) {
    append(polygon, hull[i].x);
    append(polygon, hull[i].y);
  }
}

function convexHull(points) {
  const polygon = list();
  if (points.length < 3) return polygon;
  sort(points, (a, b) => a.x - b.x || a.y - b.y);
  addHalf(polygon, points);
  const back = list();
  for (let i = points.length - 1; i >= 0; i -= 1) append(back, points[i]);
  addHalf(polygon, back);
  return polygon;
}
