// How written text looks: lines, font, size and colours of an element, for the record of the drawing.
//
// In: elements of the page. Out: plain values. Only the element's own text has a look; what stands in a tag inside it
// has the same, unless the tag holds all of it.

import { isColor } from "../turtle/colors.js";
import { Element } from "./elements.js";
import { each, nameSet, replace } from "../language/lists.js";
import { execPattern, NativeNumber, record, trim } from "../language/primordials.js";

const LINE_TAGS = nameSet("br p div h1 h2 h3 h4 h5 h6 li tr hr table ul ol form label");
const BOLD = nameSet("b strong h1 h2 h3 h4 h5 h6 th");
const ITALIC = nameSet("i em cite var");
const MONO = nameSet("pre code tt kbd samp");
const SIZES = { __proto__: null, h1: 32, h2: 24, h3: 18.72, h4: 16, h5: 13.28, h6: 10.72, small: 13.33, big: 19.2 };
const MAX_DEPTH = 20;
const NAMED = { __proto__: null, "xx-small": 9, "x-small": 10, small: 13, medium: 16, large: 18, "x-large": 24,
  "xx-large": 32 };

/** All text of an element, a line of it where the page has one. */
export function linesOf(element) {
  let text = "";
  let fresh = true;
  const walk = (node, depth, kept) => {
    if (node.nodeType === 3) {
      const words = kept ? node.data : replace(node.data, /\s+/g, " ");
      text += words;
      if (words !== "") fresh = false;
      return;
    }
    if (!(node instanceof Element) || depth > MAX_DEPTH || node.style.display === "none") return;
    const ends = LINE_TAGS[node.tag] && depth > 0;
    if (ends && (!fresh || node.tag === "br")) text += "\n";
    if (ends) fresh = true;
    each(node.nodes, (child) => walk(child, depth + 1, kept || node.tag === "pre"));
    if (ends && !fresh && node.tag !== "br") {
      text += "\n";
      fresh = true;
    }
  };
  walk(element, 0, false);
  return trim(text);
}

/** The element that says how the text of another looks: the innermost that holds all of it. */
function carrier(element) {
  let found = element;
  for (let depth = 0; depth < MAX_DEPTH && found.nodes.length === 1 && found.nodes[0] instanceof Element; depth += 1) {
    found = found.nodes[0];
  }
  return found;
}

function sizeOf(element, name) {
  const parts = execPattern(/^([\d.]+)(px|pt|em|rem|%)?$/, trim(name));
  if (parts === null) return NAMED[name] ?? null;
  const number = NativeNumber(parts[1]);
  const unit = { __proto__: null, pt: 4 / 3, em: 16, rem: 16, "%": 0.16 }[parts[2]] ?? 1;
  return number * unit;
}

/** A style that an element or what holds it was given. */
function styleOf(element, name) {
  for (let node = element; node instanceof Element; node = node.parent) if (node.style[name]) return `${node.style[name]}`;
  return "";
}

/** Text size, family, weight, slant, colour and ground of an element. */
export function lookOf(element) {
  const inner = carrier(element);
  const look = record({ size: 16, color: "black" });
  for (let node = inner, own = true; node instanceof Element; node = node === element ? null : node.parent, own = false) {
    if (BOLD[node.tag]) look.bold = true;
    if (ITALIC[node.tag]) look.italic = true;
    if (MONO[node.tag]) look.family = "monospace";
    if (own && SIZES[node.tag]) look.size = SIZES[node.tag];
  }
  const set = (name) => styleOf(inner, name);
  look.size = sizeOf(inner, set("fontSize")) ?? look.size;
  if (isColor(set("color"))) look.color = set("color");
  const family = set("fontFamily");
  if (execPattern(/mono|courier|consol/i, family) !== null) look.family = "monospace";
  else if (execPattern(/sans|arial|helvetica|verdana|tahoma/i, family) !== null) look.family = "sans-serif";
  if (execPattern(/bold|[6-9]00/, set("fontWeight")) !== null) look.bold = true;
  if (execPattern(/italic|oblique/, set("fontStyle")) !== null) look.italic = true;
  const ground = element.style.backgroundColor || element.style.background || "";
  if (isColor(ground)) look.background = ground;
  return look;
}
