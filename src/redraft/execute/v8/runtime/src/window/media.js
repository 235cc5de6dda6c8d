// Media queries, as `matchMedia` answers them for a window of the page's size on a desk.
//
// In: the text of a query. Out: whether it holds. Not guaranteed: ranges (`400px <= width`), `or`, and features of
// other devices, which hold nowhere.

import { page } from "../page/elements.js";
import { filter, listed, split } from "../language/lists.js";
import { execPattern, NativeNumber, toLowerCase, trim } from "../language/primordials.js";

const EM = 16;
const FEATURE = /^\(\s*([a-z-]+)\s*(?::\s*([^)]*?)\s*)?\)$/;
const LENGTH = /^([\d.]+)(px|em|rem)?$/;
const RATIO = /^([\d.]+)\s*\/\s*([\d.]+)$/;
const SIZES = {
  __proto__: null, width: page.width, height: page.height, "device-width": 1280, "device-height": 1024,
  "aspect-ratio": page.width / page.height, "device-aspect-ratio": 1280 / 1024, color: 8, resolution: 1,
};
// Features with a word, as a desk's browser has them.
const WORDS = {
  __proto__: null, orientation: "landscape", hover: "hover", "any-hover": "hover", pointer: "fine", "any-pointer": "fine",
  "prefers-color-scheme": "light", "prefers-reduced-motion": "no-preference", "display-mode": "browser", scripting: "enabled",
  update: "fast", "prefers-contrast": "no-preference", "color-gamut": "srgb",
};
const isHere = listed("all screen");

function sizeOf(text) {
  const ratio = execPattern(RATIO, text);
  if (ratio !== null) return ratio[1] / ratio[2];
  const length = execPattern(LENGTH, text);
  return length === null ? NaN : NativeNumber(length[1]) * (length[2] === undefined || length[2] === "px" ? 1 : EM);
}

function featureHolds(name, value) {
  const limit = execPattern(/^(min|max)-(.*)$/, name);
  const feature = limit === null ? name : limit[2];
  if (!(feature in SIZES)) return value === undefined ? feature in WORDS : WORDS[feature] === value;
  if (value === undefined) return SIZES[feature] > 0;
  if (limit === null) return SIZES[feature] === sizeOf(value);
  return limit[1] === "min" ? SIZES[feature] >= sizeOf(value) : SIZES[feature] <= sizeOf(value);
}

function partHolds(part) {
  const feature = execPattern(FEATURE, part);
  return feature === null ? isHere(part) : featureHolds(feature[1], feature[2]);
}

function queryHolds(query) {
  const found = execPattern(/^(not\s+|only\s+)?([\s\S]*)$/, query);
  const parts = filter(split(found[2], /\s+and\s+/), (part) => part !== "");
  const holds = parts.length > 0 && filter(parts, (part) => !partHolds(trim(part))).length === 0;
  return found[1] !== undefined && trim(found[1]) === "not" ? !holds : holds;
}

/** What `matchMedia(text)` gives. */
export function matchMedia(text) {
  const media = toLowerCase(trim(`${text}`));
  const queries = split(media, /\s*,\s*/);
  return {
    media, matches: media === "" || filter(queries, queryHolds).length > 0, onchange: null,
    addListener() {}, removeListener() {}, addEventListener() {}, removeEventListener() {}, dispatchEvent: () => true,
  };
}
