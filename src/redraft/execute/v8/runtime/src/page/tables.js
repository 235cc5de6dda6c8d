// Tables as the drawing shows them: a page that has one is laid out, and everything on it becomes an item with a place.
//
// In: the page at the end of a run. Out: `pageItems()`: texts where the layout has them, cells with ground, edge and
// text; null for a page without a table, whose texts are lines from its top. Places are the layout's estimates.

import { isColor } from "../turtle/colors.js";
import { rounded } from "../turtle/drawing.js";
import { body, Element, field, hooks, isVisible, page } from "./elements.js";
import { each } from "../language/lists.js";
import { append, list, record, setPrototypeOf, trim } from "../language/primordials.js";
import { computed } from "./attributes.js";

const MAX_CELLS = 2_500;
const LINE = 18;
const LEFT = 8;
const SIZE = 16;

const colorOr = (value, otherwise) => (isColor(value) ? value : otherwise);
const toX = (left) => rounded(left - page.width / 2);
const toY = (top) => rounded(page.height / 2 - top);

function rectangle({ left, top, width, height }, properties) {
  const [x0, y0, x1, y1] = [toX(left), toY(top), toX(left + width), toY(top + height)];
  const path = setPrototypeOf([x0, y0, x0, y1, x1, y1, x1, y0], null);
  return record({ kind: "fill", paths: setPrototypeOf([path], null), ...properties });
}

function writing(text, x, y, t0, properties) {
  return record({ kind: "text", x, y, text, size: SIZE, direction: 0, color: "black", t0, t1: t0, ...properties });
}

function drawCell(items, cell, t0) {
  const box = hooks.box(cell);
  const color = colorOr(cell.style.backgroundColor || cell.style.background, "none");
  const edge = cell.style.border === "none" || cell.style.borderStyle === "none" ? {} : { stroke: "black" };
  append(items, rectangle(box, { color, width: 1, t0, t1: t0, ...edge }));
  const text = trim(cell.textContent);
  if (text === "") return;
  append(items, writing(text, toX(box.left + box.width / 2), toY(box.top + box.height / 2), t0,
    { color: colorOr(computed(cell, "color"), "black") }));
}

/** Items of everything that is on the page beside the field. */
export function pageItems() {
  const tables = hooks.find(body, "table");
  if (tables.length === 0) return null;
  const items = list();
  let cells = 0;
  let bottom = LEFT;
  let t0 = 0;
  each(body.nodes, (node) => {
    if (node === field || (node instanceof Element && !isVisible(node))) return;
    t0 = node.shownAt ?? t0;
    const box = node instanceof Element ? hooks.box(node) : { left: LEFT, top: bottom, height: LINE };
    const inner = node instanceof Element ? hooks.find(node, "td, th") : [];
    if (inner.length > 0) {
      each(inner, (cell) => { cells += 1; if (cells <= MAX_CELLS) drawCell(items, cell, t0); });
    } else {
      const text = trim(node.textContent);
      if (text !== "") append(items, writing(text, toX(box.left), toY(box.top + LINE / 2), t0, { side: "right" }));
    }
    bottom = box.top + box.height;
  });
  return items;
}
