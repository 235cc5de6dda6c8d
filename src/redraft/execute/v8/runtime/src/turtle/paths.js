// Paths of a canvas' 2D context: straight lines and curves as points in pixels.
//
// In: the calls of `moveTo`, `arc` and their like, a transform [a, b, c, d, e, f]. Out: `subpaths`, each {points, closed}.
// Not guaranteed: curves are straight between points a fraction of a pixel from them.

import {
  abs, acos, append, atan2, ceil, cos, hypot, list, max, min, NativeNumber, PI, record, setPrototypeOf, sin, tan,
} from "../language/primordials.js";

const MAX_POINTS = 20_000;
const TURN = 2 * PI;
export const IDENTITY = setPrototypeOf([1, 0, 0, 1, 0, 0], null);

/** The product of two transforms: first `b`, then `a`. */
export function product(a, b) {
  return setPrototypeOf([
    a[0] * b[0] + a[2] * b[1], a[1] * b[0] + a[3] * b[1], a[0] * b[2] + a[2] * b[3], a[1] * b[2] + a[3] * b[3],
    a[0] * b[4] + a[2] * b[5] + a[4], a[1] * b[4] + a[3] * b[5] + a[5],
  ], null);
}

/** How much a transform enlarges lengths, on average. */
export const sizeOf = (m) => abs(m[0] * m[3] - m[1] * m[2]) ** 0.5;

export class Path {
  constructor() { this.clear(); }

  clear() {
    this.subpaths = list();
    this.count = 0;
    // The last place, before the transform.
    this.x = this.y = 0;
  }

  add(m, x, y) {
    if (this.subpaths.length === 0) this.start(m, x, y);
    else this.put(m, x, y);
  }

  start(m, x, y) {
    if (x - x !== 0 || y - y !== 0) return;
    append(this.subpaths, record({ points: list(), closed: false, x, y }));
    this.put(m, x, y);
  }

  put(m, x, y) {
    if (x - x !== 0 || y - y !== 0 || this.count > MAX_POINTS) return;
    const { points } = this.subpaths[this.subpaths.length - 1];
    append(points, m[0] * x + m[2] * y + m[4]);
    append(points, m[1] * x + m[3] * y + m[5]);
    this.count += 1;
    this.x = x;
    this.y = y;
  }

  close(m) {
    const last = this.subpaths[this.subpaths.length - 1];
    if (last === undefined || last.points.length < 4) return;
    last.closed = true;
    this.start(m, last.x, last.y);
  }

  curve(m, steps, at) {
    for (let i = 1; i <= steps; i += 1) {
      const place = at(i / steps);
      this.put(m, place.x, place.y);
    }
  }

  bezier(m, x1, y1, x2, y2, x3, y3) {
    if (this.subpaths.length === 0) this.start(m, x1, y1);
    const { x: x0, y: y0 } = this;
    const length = hypot(x1 - x0, y1 - y0) + hypot(x2 - x1, y2 - y1) + hypot(x3 - x2, y3 - y2);
    this.curve(m, max(4, min(200, ceil(sizeOf(m) * length * 0.2))), (t) => {
      const s = 1 - t;
      return {
        x: s * s * s * x0 + 3 * s * s * t * x1 + 3 * s * t * t * x2 + t * t * t * x3,
        y: s * s * s * y0 + 3 * s * s * t * y1 + 3 * s * t * t * y2 + t * t * t * y3,
      };
    });
  }

  quadratic(m, x1, y1, x2, y2) {
    if (this.subpaths.length === 0) this.start(m, x1, y1);
    const { x, y } = this;
    this.bezier(m, x + (2 / 3) * (x1 - x), y + (2 / 3) * (y1 - y), x2 + (2 / 3) * (x1 - x2), y2 + (2 / 3) * (y1 - y2), x2, y2);
  }

  ellipse(m, { x, y, radiusX, radiusY, rotation, from, to, backwards }) {
    let sweep = to - from;
    if (abs(sweep) >= TURN && (sweep > 0) !== backwards) sweep = backwards ? -TURN : TURN;
    else {
      sweep %= TURN;
      if (backwards && sweep > 0) sweep -= TURN;
      if (!backwards && sweep < 0) sweep += TURN;
    }
    const cosine = cos(rotation);
    const sine = sin(rotation);
    const at = (share) => {
      const angle = from + sweep * share;
      const across = radiusX * cos(angle);
      const up = radiusY * sin(angle);
      return { x: x + across * cosine - up * sine, y: y + across * sine + up * cosine };
    };
    const begin = at(0);
    this.add(m, begin.x, begin.y);
    const radius = sizeOf(m) * max(radiusX, radiusY);
    const finest = 2 * acos(max(0.9, 1 - 0.05 / (radius + 0.05)));
    this.curve(m, max(1, min(500, ceil(abs(sweep) / finest))), at);
  }

  arcTo(m, x1, y1, x2, y2, radius) {
    if (this.subpaths.length === 0) this.start(m, x1, y1);
    const { x: x0, y: y0 } = this;
    const before = atan2(y0 - y1, x0 - x1);
    const after = atan2(y2 - y1, x2 - x1);
    let turn = after - before;
    if (turn > PI) turn -= TURN;
    if (turn < -PI) turn += TURN;
    if (!(abs(sin(turn)) > 1e-9) || !(radius > 0)) {
      this.put(m, x1, y1);
      return;
    }
    const away = radius / abs(tan(turn / 2));
    const middle = before + turn / 2;
    const far = radius / abs(sin(turn / 2));
    const centerX = x1 + far * cos(middle);
    const centerY = y1 + far * sin(middle);
    const from = atan2(y1 + away * sin(before) - centerY, x1 + away * cos(before) - centerX);
    const to = atan2(y1 + away * sin(after) - centerY, x1 + away * cos(after) - centerX);
    this.ellipse(m, {
      x: centerX, y: centerY, radiusX: radius, radiusY: radius, rotation: 0, from, to, backwards: turn > 0,
    });
  }

  rect(m, x, y, width, height) {
    this.start(m, x, y);
    this.add(m, x + width, y);
    this.add(m, x + width, y + height);
    this.add(m, x, y + height);
    this.close(m);
  }
}

/** A number as a context takes it. */
export const number = (value) => NativeNumber(value);
