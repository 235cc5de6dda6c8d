// The record of what a program draws: timed items in turtle coordinates (centre is the origin, y points up).
//
// In: calls of the turtle's methods as their effect happens. Out: {width, height, items, turtles, texts, page}, bounded in
// number so that an endless drawing stays small; `dropped` counts what found no room, `cut` {time, reason} says where
// the record stops short of the program.
// Items, in the order in which they were drawn: line {points, cap?, join?, closed?}, fill {paths, rule?}, dot {x, y,
// diameter, stroke?}, box {x, y, size, direction, stroke?}, text {x, y, text, side?, ...}, erase {all}; each with t0, t1,
// color and width where they apply, `alpha`, `clip` and `erase` where they aren't the usual. Ends and bends of lines are
// round where nothing is said. `by` is the turtle that drew it; `on` the one whose canvas it is on, its places are that
// turtle's own then (surfaces.js). A text with a `side` is a label: it stands before the field.
// The page beside the field: snapshot.js. Turtles: {id, name, x, y, direction, twist, scale, scaleY, opacity, shown, surface, ...}. Texts: {t0, text, inline}.

import { append, list, record, round } from "../language/primordials.js";

export const FIELD_WIDTH = 1200;
export const FIELD_HEIGHT = 900;
const MAX_ITEMS = 20_000;
const MAX_POINTS = 5_000;
const MAX_TEXTS = 500;

export let items = list();
let texts = list();
let dropped = 0;
let usedAssets = false;

/** Add an item; `properties` must hold plain values only (numbers, strings, lists made here). */
export function addItem(kind, t0, t1, properties) {
  if (items.length >= MAX_ITEMS) {
    dropped += 1;
    return null;
  }
  const item = record(properties);
  item.kind = kind;
  item.t0 = rounded(t0);
  item.t1 = rounded(t1);
  append(items, item);
  return item;
}

/** Text on the page (write, see, label ...); `style` may hold strings and numbers. */
let lastFlow = "";

export function addText(time, text, style) {
  lastFlow = "";
  if (texts.length >= MAX_TEXTS) {
    dropped += 1;
    return;
  }
  const item = record(style === undefined ? {} : style);
  item.t0 = rounded(time);
  item.text = text;
  append(texts, item);
}

/** Text that goes on where the last of its flow ("append", "type") ended, unless that was a line's end. */
export function addFlowing(time, text, flow) {
  const inline = lastFlow === flow;
  addText(time, text, inline ? { inline } : undefined);
  lastFlow = text !== "" && text[text.length - 1] === "\n" ? "" : flow;
}

/** Forget the texts so far (`ct`). */
export function clearTexts() {
  texts = list();
  lastFlow = "";
}

/** Remember that an image's pixels or size would have mattered (recolor, getImageData): the verdict is `unscored`. */
export function markAsset() {
  usedAssets = true;
}

export function assetsUsed() {
  return usedAssets;
}

/** Coordinates as they leave: three decimals keep a drawing exact enough and its record small. */
export function rounded(value) {
  return round(value * 1000) / 1000;
}

/** Copy a path of [x, y, x, y ...] numbers for an item, bounded. */
export function pathOf(points) {
  const copy = list();
  const size = points.length < 2 * MAX_POINTS ? points.length : 2 * MAX_POINTS;
  for (let i = 0; i < size; i += 1) append(copy, rounded(points[i]));
  return copy;
}

/**
 * The whole record; `turtles` are records made by the turtle module, `page` is the tree of what is beside the field,
 * `until` the moment up to which a program was watched that goes on, or null.
 */
export function drawingRecord(turtles, background, page, until) {
  const cut = until !== null ? record({ time: until, reason: "watched" })
    : dropped > 0 ? record({ time: items[items.length - 1].t1, reason: "size" }) : null;
  return record({ width: FIELD_WIDTH, height: FIELD_HEIGHT, background, items, turtles, texts, page, dropped, cut });
}

export function resetDrawing() {
  items = list();
  texts = list();
  dropped = 0;
  usedAssets = false;
}
