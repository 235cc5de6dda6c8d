// Numbers and colours as Pencil Code's global functions give them: sqrt, sind, random, rgb ...
//
// In: numbers. Out: `NUMBERS`, functions by their global name. Trigonometry without a "d" at the name's end is in
// radians; with it, in degrees, exact where the exact value is rational. `random` draws by `Math.random`.

import { page } from "../page/elements.js";
import { each, join, Math } from "../language/lists.js";
import { abs, acos, asin, atan2, ceil, cos, exp, floor, keys, log, max, min, NativeNumber, PI, pow, round, sin, sqrt,
  tan } from "../language/primordials.js";

const modulo = (x, n) => ((x % n) + n) % n;
const radians = (degrees) => (degrees * PI) / 180;
const degrees = (angle) => (angle * 180) / PI;

/** A value that is a whole number but for the last bits becomes that number. */
function tidy(x) {
  const whole = round(x);
  return abs(x - whole) < 1e-13 * max(1, abs(whole)) ? whole : x;
}

const EXACT_SINE = { __proto__: null, 0: 0, 30: 0.5, 90: 1, 150: 0.5, 180: 0, 210: -0.5, 270: -1, 330: -0.5 };
const EXACT_TANGENT = { __proto__: null, 0: 0, 45: 1, 90: Infinity, 135: -1, 180: 0, 225: 1, 270: -Infinity, 315: -1 };
const EXACT_ARCSINE = { __proto__: null, 1: 90, 0.5: 30, 0: 0, "-0.5": -30, "-1": -90 };

const sind = (x) => EXACT_SINE[modulo(x, 360)] ?? sin(radians(modulo(x, 360)));
const asind = (x) => EXACT_ARCSINE[x] ?? degrees(asin(x));

function atand(y, x = 1) {
  if (y == 0) return x == 0 ? NaN : x > 0 ? 0 : 180;
  // The real runtime answers infinity here, not 90.
  if (x == 0) return y > 0 ? Infinity : -Infinity;
  if (abs(y) === abs(x)) return (y > 0 ? 1 : -1) * (x > 0 ? 45 : 135);
  return degrees(atan2(y, x));
}

// Looked up at each call: a program may have put its own in the place of Math.random.
const draw = () => globalThis.Math.random();

// A normal distribution by Box and Muller's method.
function normal() {
  return sqrt(-2 * log(1 - draw())) * cos(2 * PI * draw());
}

/** A random number below n, between two numbers, of a list, or by name: "position", "color", "gray", "normal". */
function random(what, to) {
  if (typeof what === "number") {
    const from = ceil(what);
    return typeof to === "number" ? floor(draw() * (ceil(to) - from) + from) : floor(draw() * from);
  }
  if (typeof what === "object" && what && what.length && what.slice) return what[floor(draw() * what.length)];
  if (what == "normal") return normal();
  if (what == "position") return { pageX: random(page.width + 1), pageY: random(page.height + 1) };
  if (what == "color") return `hsl(${floor(draw() * 360)},100%,50%)`;
  if (what == "gray") return `hsl(0,0,${floor(draw() * 100)}%)`;
  if (what === true) return draw() >= 0.5;
  return draw();
}

const byte = (part) => max(0, min(255, floor(part)));
const percent = (share) => `${NativeNumber(share * 100).toFixed(0)}%`;
const color = (name, values) => `${name}(${join(values, ",")})`;

export const NUMBERS = {
  abs: (x) => abs(x), acos: (x) => acos(x), asin: (x) => asin(x), cos: (x) => cos(x), sin: (x) => sin(x),
    tan: (x) => tan(x),
  atan: (y, x) => atan2(y, x ?? 1),
  sind, asind, atand,
  cosd: (x) => sind(modulo(x, 360) + 90),
  tand: (x) => EXACT_TANGENT[modulo(x, 360)] ?? tan(radians(modulo(x, 360))),
  acosd: (x) => (x in EXACT_ARCSINE ? 90 - EXACT_ARCSINE[x] : degrees(acos(x))),
  ceil: (x) => ceil(x), floor: (x) => floor(x), round: (x) => round(x), exp: (x) => exp(x), ln: (x) => log(x),
    sqrt: (x) => sqrt(x),
  log10: (x) => tidy(log(x) * Math.LOG10E),
  pow: (x, y) => tidy(pow(x, y)),
  max: (...values) => max(...values), min: (...values) => min(...values),
  random,
  rgb: (r, g, b) => color("rgb", [byte(r), byte(g), byte(b)]),
  rgba: (r, g, b, a) => color("rgba", [byte(r), byte(g), byte(b), a]),
  hsl: (h, s, l) => color("hsl", [h, percent(s), percent(l)]),
  hsla: (h, s, l, a) => color("hsla", [h, percent(s), percent(l), a]),
};
// The name by which `wear tan` or `pen tan` still knows its colour.
each(keys(NUMBERS), (name) => { NUMBERS[name].helpname = name; });
