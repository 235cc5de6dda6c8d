// A piano: a sprite with keys drawn on it.
//
// In: what `new Piano` takes: a number of keys, or options (keys, width, height, lowest, highest, colours). Out: its
// size and the keys' outlines, in pixels of the sprite. Keys are numbered as MIDI does, 60 being middle C.

import { now } from "../time/clock.js";
import { isColor } from "./colors.js";
import { parseOptions } from "./pen.js";
import { addPixelItem, surfaceOf } from "./surfaces.js";
import { execPattern, ceil, floor, max, min, NativeNumber, round, setPrototypeOf, sqrt } from "../language/primordials.js";

const NOTES = { __proto__: null, C: 0, D: 2, E: 4, F: 5, G: 7, A: 9, B: 11, c: 12, d: 14, e: 16, f: 17, g: 19, a: 21, b: 23 };
const PITCH = /^(\^+|_+|=|)([A-Ga-g])([,']*)$/;
const HIGHEST = 108;
const MOST_KEYS = 1000;
const AREA = 42_000;
// Keys by their place in the octave: white ones have a place among the white, black ones lie between two of them.
const BLACK = { __proto__: null, 1: 1, 3: 1, 6: 1, 8: 1, 10: 1 };
const inOctave = (key) => ((key % 12) + 12) % 12;
const isBlack = (key) => BLACK[inOctave(key)] === 1;
/** How many white keys are below a key, and the key that has so many below it. */
const whitesBelow = (key) => floor(((key + 7) / 12) * 7);
const keyAbove = (whites) => ceil((whites / 7) * 12) - 7;

function midi(pitch) {
  const parts = execPattern(PITCH, `${pitch}`);
  if (parts === null) return null;
  let octaves = 0;
  for (let i = 0; i < parts[3].length; i += 1) octaves += parts[3][i] === "'" ? 1 : -1;
  const sign = parts[1][0] === "^" ? 1 : parts[1][0] === "_" ? -1 : 0;
  return 60 + NOTES[parts[2]] + sign * parts[1].length + 12 * octaves;
}

/** The keys of a piano and how large they are. */
export function pianoOf(given) {
  const options = parseOptions(given, "keys");
  const has = (name) => name in options;
  const number = (name) => NativeNumber(options[name]);
  const lineWidth = has("lineWidth") ? number("lineWidth") : 1.5;
  const extra = ceil(lineWidth);
  let lowest = has("lowest") ? midi(options.lowest) : null;
  let highest = has("highest") ? midi(options.highest) : null;
  const both = lowest !== null && highest !== null;
  let whites = both ? whitesBelow(highest) - whitesBelow(lowest) + 1 : has("keys") ? ceil((number("keys") / 12) * 7) : 0;
  const aspect = whites ? whites / 5 : 4.2;
  const usual = whites ? sqrt(AREA * aspect) + extra : 422;
  const width = has("width") ? number("width")
    : has("height") ? round((number("height") - extra) * aspect + extra) : usual;
  const height = has("height") ? number("height") : round((width - extra) / aspect + extra);
  if (!whites) whites = max(1, round(((width - extra) / (height - extra)) * 5));
  if (highest === null) {
    if (lowest === null) highest = keyAbove(min(whitesBelow(HIGHEST), ceil(42 + (whites - 1) / 2)));
    else highest = has("keys") ? lowest + number("keys") - 1 : keyAbove(whitesBelow(lowest) + whites - 1);
  }
  if (lowest === null) {
    lowest = has("keys") ? highest - number("keys") + 1
      : min(highest, keyAbove(whitesBelow(highest) - whites + 1));
  }
  const first = whitesBelow(lowest);
  const last = whitesBelow(highest) + (isBlack(highest) ? 1 : 0);
  const wide = (width - extra) / (last - first + 1);
  const high = (has("height") ? number("height") - extra : wide * 5) + (extra - lineWidth);
  const color = (name, usualColor) => (isColor(options[name]) ? options[name] : usualColor);
  return {
    lowest, highest, first, wide, high, lineWidth, blackWide: (wide * 4) / 7, blackHigh: (high * 3) / 5, edge: extra / 2,
    white: color("color", "white"), black: color("blackColor", "black"), line: color("lineColor", "black"),
    width: ceil(wide * (last - first + 1) + extra), height: ceil(high + extra),
  };
}

/** How far the black keys beside a white key cut into it on the left and the right, and where a black key begins. */
function cuts({ wide, blackWide }) {
  // The tops of C, D and E share what two black keys leave of three white ones, those of F to B what three leave of four.
  const three = (3 * wide - 2 * blackWide) / 3;
  const four = (4 * wide - 3 * blackWide) / 4;
  const c = wide - three;
  const f = wide - four;
  const near = four + blackWide - wide;
  const far = 2 * wide - 2 * four - blackWide;
  return {
    0: [0, c], 2: [c / 2, c / 2], 4: [c, 0], 5: [0, f], 7: [near, far], 9: [far, near], 11: [f, 0],
    1: three, 3: 2 * three + blackWide - wide, 6: four, 8: 2 * four + blackWide - wide,
    10: 3 * four + 2 * blackWide - 2 * wide,
  };
}

function outline(piano, key) {
  const { wide, high, blackWide, blackHigh, edge } = piano;
  const cut = cuts(piano)[inOctave(key)];
  const left = edge + wide * (whitesBelow(key) - piano.first) + (isBlack(key) ? cut : 0);
  const top = edge;
  if (isBlack(key)) return [left, top, left, top + blackHigh, left + blackWide, top + blackHigh, left + blackWide, top];
  const leftCut = key === piano.lowest ? 0 : cut[0];
  const rightCut = key === piano.highest ? 0 : cut[1];
  return [
    left, top + high, left + wide, top + high, left + wide, top + blackHigh, left + wide - rightCut, top + blackHigh,
    left + wide - rightCut, top, left + leftCut, top, left + leftCut, top + blackHigh, left, top + blackHigh,
  ];
}

/** Draw one key in a colour, its own if none is given. */
export function drawKey(element, piano, key, color) {
  if (!(key >= piano.lowest && key <= piano.highest)) return;
  const path = setPrototypeOf(outline(piano, key), null);
  const fill = isColor(color) ? color : isBlack(key) ? piano.black : piano.white;
  const surface = surfaceOf(element);
  addPixelItem(surface, "fill", now(), { paths: setPrototypeOf([path], null), color: fill });
  addPixelItem(surface, "line", now(), {
    points: path, color: piano.line, width: piano.lineWidth, cap: "butt", join: "miter", closed: true,
  });
}

/** Draw every key. */
export function drawKeys(element, piano) {
  for (let key = piano.lowest; key <= piano.highest && key < piano.lowest + MOST_KEYS; key += 1) {
    drawKey(element, piano, key, null);
  }
}
