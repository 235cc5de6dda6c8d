// Where elements are on the page, estimated without rendering.
//
// In: an element. Out: its box in page coordinates: blocks stacked from the top, inline text side by side, sizes from
// styles and attributes, absolute positions from left and top, turtles from turtle.js.
// Good enough for `offset()`, `moveto button` or `touches`; not guaranteed to a pixel.

import { body, document, Element, field, hooks, isVisible, page } from "./elements.js";
import { each, Object, parseFloat } from "../language/lists.js";
import { ceil, create, max } from "../language/primordials.js";

const MARGIN = 8;
const LINE = 18;
const CHARACTER = 8;
// Sizes of elements that don't come from their text: [width, height].
const SIZES = Object.assign(create(null), {
  input: [153, 21], select: [60, 19], textarea: [182, 36], canvas: [300, 150], img: [0, 0], video: [300, 150],
    br: [0, LINE],
  iframe: [304, 154], hr: [null, 10], audio: [300, 54],
});
const HEADING = Object.assign(create(null), { h1: 37, h2: 28, h3: 22, h4: LINE });
const MAX_DEPTH = 100;

const pixels = (text) => {
  const value = parseFloat(text);
  return value === value && !/%$|em$/.test(text) ? value : null;
};
const nothing = { left: 0, top: 0, width: 0, height: 0 };
const whole = () => ({ left: 0, top: 0, width: page.width, height: page.height });
const isFree = (element) => element.style.position === "absolute" || element.style.position === "fixed";
const isBlock = (element) => {
  const { display } = element.style;
  return display ? !/inline/.test(display) : element.display === "block";
};

function textSize(text) {
  return { width: text.length * CHARACTER, height: text.trim() === "" ? 0 : LINE };
}

// Width and height of what is inside, laid out in lines and blocks.
function flow(element, depth) {
  let width = 0;
  let height = 0;
  let line = 0;
  let lineHeight = 0;
  const wrap = () => { width = max(width, line); height += lineHeight; line = 0; lineHeight = 0; };
  each(element.nodes, (node) => {
    if (node.nodeType === 3) {
      const size = textSize(node.data);
      line += size.width;
      lineHeight = max(lineHeight, size.height);
    } else if (node !== field && !isFree(node)) {
      const size = sizeOf(node, depth + 1);
      if (isBlock(node) && element.tag !== "tr") {
        wrap();
        width = max(width, size.content);
        height += size.height;
      } else {
        line += size.width;
        lineHeight = max(lineHeight, size.height);
        if (node.tag === "br") wrap();
      }
    }
  });
  const room = page.width - 2 * MARGIN;
  if (line > room) lineHeight *= ceil(line / room);
  wrap();
  return { width: width > room ? room : width, height };
}

/** Size in pixels; `content` is the width its contents need, where a block is as wide as its holder. */
function sizeOf(element, depth = 0) {
  if (depth > MAX_DEPTH || element.style.display === "none" || (element.display === "none" && !element.style.display)) {
    return { width: 0, height: 0, content: 0 };
  }
  const fixed = SIZES[element.tag];
  const { style, attributes } = element;
  let width = pixels(style.width) ?? pixels(attributes.width) ?? fixed?.[0] ?? null;
  let height = pixels(style.height) ?? pixels(attributes.height) ?? fixed?.[1] ?? null;
  let content = width;
  if (width === null || height === null) {
    const inside = flow(element, depth);
    const pad = element.tag === "button" ? 12 : 0;
    content ??= inside.width + pad;
    height ??= (inside.height > 0 ? max(inside.height, HEADING[element.tag] ?? 0) : 0) + (pad ? 3 : 0);
    width ??= isBlock(element) && !isFree(element) && element.tag !== "table" && element.style.display !== "table"
      && element.tag !== "td"
      ? page.width - 2 * MARGIN : content;
  }
  return { width, height, content };
}

// Where an element starts: below the blocks and right of the inline nodes before it.
function placeOf(element, depth) {
  const { parent } = element;
  const start = parent === body ? { left: MARGIN, top: MARGIN } : boxOf(parent, depth + 1);
  let { left, top } = start;
  let lineHeight = 0;
  const rowCell = element.tag === "td" || element.tag === "th";
  for (let i = 0; i < parent.nodes.length && parent.nodes[i] !== element; i++) {
    const node = parent.nodes[i];
    if (node.nodeType === 3) left += textSize(node.data).width;
    else if (node !== field && !isFree(node)) {
      const size = sizeOf(node);
      if (isBlock(node) && !rowCell) { top += size.height + lineHeight; ({ left } = start); lineHeight = 0; } else {
        left += size.width;
        lineHeight = max(lineHeight, size.height);
      }
    }
  }
  return isBlock(element) && !rowCell ? { left: start.left, top: top + lineHeight } : { left, top };
}

/** The box of an element in page coordinates, turtles included. */
export function boxOf(element, depth = 0) {
  if (element === document || element === globalThis || element === field || element?.tag === "html") return whole();
  if (!(element instanceof Element) || depth > MAX_DEPTH) return nothing;
  if (element === body) return { left: MARGIN, top: MARGIN, width: page.width - 2 * MARGIN,
    height: max(flow(body, 0).height, 0) };
  const turtle = hooks.turtleBox(element);
  if (turtle) return turtle;
  return layoutBox(element, depth);
}

/** The same without a turtle's transformation. */
export function layoutBox(element, depth = 0) {
  if (!element.parent || !isVisible(element)) return nothing;
  const { width, height } = sizeOf(element);
  const { style } = element;
  if (!isFree(element)) return { ...placeOf(element, depth), width, height };
  const inField = element.parent === field;
  const base = inField ? { left: page.width / 2, top: page.height / 2, width: page.width, height: page.height }
    : style.position === "fixed" || element.parent === body ? whole() : boxOf(element.parent, depth + 1);
  const right = pixels(style.right);
  const bottom = pixels(style.bottom);
  const left = pixels(style.left) ?? (right === null ? 0 : base.width - right - width);
  const top = pixels(style.top) ?? (bottom === null ? 0 : base.height - bottom - height);
  return { left: base.left + left, top: base.top + top, width, height };
}

hooks.box = boxOf;
